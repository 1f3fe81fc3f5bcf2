/*
 * test_walls.c - walls between tenants: what one local user has in the broker, tried by another by every name that it could have heard of. Every call that
 * names a thing answers as for a thing that is not there, word for word; the operator sees all.
 *
 * Only root can be several users: else skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/broker_fixture.h"
#include "tests/support/sp_peer.h"

enum { ALICE = 70001, BOB = 70002, ID = 26 };
#define ASK(name)  PB__ASK__BODY_##name
#define CE(name)   PB__CALL_ERROR__CALL_ERROR_##name
#define KIND(name) PB__KIND__KIND_##name
#define NO_ID      "01ARZ3NDEKTSV4RRFFQ69G5FAV"
#define NO_PREFIX  "01ARZ3ND"
#define NO_NAME    "nothing-has-this-name"
#define NO_HANDLE  4000000000u
#define ROOT_ONLY()                                                                                                                        \
    if (geteuid() != 0)                                                                                                                    \
    skip()

/* ---- users -------------------------------------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    struct broker *b = *state = broker_new();

    b->args[0] = "--share";
    b->args[1] = "all";
    if (geteuid() != 0)
        return 0;
    broker_up(b);
    return chmod(b->dir, 0755);
}

static int teardown(void **state)
{
    if (geteuid() == 0)
        return broker_teardown(state);
    support_release();
    return 0;
}

/* A connection of this user's: the kernel tells the broker who connected. */
static int peer_of(const struct broker *b, uid_t uid)
{
    int fd;

    if (seteuid(uid) != 0)
        support_fail("seteuid: %s", strerror(errno));
    fd = sp_peer_open(b->socket);
    if (seteuid(0) != 0)
        abort();
    return fd;
}

static const Pb__Answer *ask(int fd, Pb__Ask__BodyCase body, ProtobufCMessage *m)
{
    static uint32_t number;
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Ask a = PB__ASK__INIT;
    const Pb__Reply *r;

    a.number = ++number;
    a.body_case = body;
    a.interp_create = (Pb__InterpCreate *)m;
    q.body_case = PB__REQUEST__BODY_ASK;
    q.ask = &a;
    sp_peer_ask(fd, number, &q);
    r = sp_peer_answer(fd, number);
    if (r->body_case != PB__REPLY__BODY_ASK)
        support_fail("no answer: %s", r->body_case == PB__REPLY__BODY_ERROR ? r->error->message : "?");
    return r->ask;
}

static const Pb__Answer *good(const Pb__Answer *a)
{
    if (a->body_case == PB__ANSWER__BODY_FAILURE)
        support_fail("refused: %s", a->failure->message);
    return a;
}

/* ---- what a user has ------------------------------------------------------------------------------------------------------------------------ */

struct thing {
    Pb__Kind kind;
    const char *id, *name; /* name "": it has none */
    uint32_t handle;       /* in its owner's table; 0: none */
};
enum { INTERP, NAMED, QUEUE, DURABLE, NAMELESS, BUFFER, THINGS };

static struct thing told(Pb__Kind kind, const Pb__Answer *a)
{
    good(a);
    return (struct thing){ kind, support_text("%s", a->handle->id), support_text("%s", a->handle->name), a->handle->handle };
}

static struct thing make_interp(int fd, const char *name, Pb__Owner owner)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    char *aliases[] = { (char *)"help" };

    spec.engine = "lua";
    spec.name = (char *)name;
    m.spec = &spec;
    m.owner = owner;
    m.aliases = aliases;
    m.n_aliases = 1;
    return told(KIND(INTERP), ask(fd, ASK(INTERP_CREATE), &m.base));
}

static struct thing make_queue(int fd, const char *name, bool durable)
{
    Pb__QueueCreate m = PB__QUEUE_CREATE__INIT;

    m.name = (char *)name;
    m.durable = durable;
    return told(KIND(QUEUE), ask(fd, ASK(QUEUE_CREATE), &m.base));
}

static void make_template(int fd, const char *name)
{
    Pb__TemplateBuild m = PB__TEMPLATE_BUILD__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;

    spec.engine = "lua";
    spec.source_name = "init.lua";
    spec.source = (ProtobufCBinaryData){ 5, (uint8_t *)"x = 1" };
    m.name = (char *)name;
    m.spec = &spec;
    good(ask(fd, ASK(TEMPLATE_BUILD), &m.base));
}

static void put_key(int fd, const char *key)
{
    Pb__KvPut m = PB__KV_PUT__INIT;

    m.key = (char *)key;
    m.value = (ProtobufCBinaryData){ 1, (uint8_t *)"v" };
    good(ask(fd, ASK(KV_PUT), &m.base));
}

/* One of each: the names are the same for everybody who does this. */
static void make_all(int fd, struct thing things[THINGS])
{
    Pb__BufferNew m = PB__BUFFER_NEW__INIT;

    m.bytes = 4096;
    things[INTERP] = make_interp(fd, "worker", PB__OWNER__OWNER_SESSION);
    things[NAMED] = make_interp(fd, "service", PB__OWNER__OWNER_NAMED);
    things[QUEUE] = make_queue(fd, "jobs", false);
    things[DURABLE] = make_queue(fd, "ledger", true);
    things[NAMELESS] = make_queue(fd, "", false);
    things[BUFFER] = told(KIND(BUFFER), ask(fd, ASK(BUFFER_NEW), &m.base));
    put_key(fd, "key");
    make_template(fd, "base");
}

/* ---- every call that names a thing, by another ------------------------------------------------------------------------------------------------- */

/* By what it is named. */
struct guess {
    Pb__Kind kind;
    const char *id; /* NULL: by handle */
    uint32_t handle;
};

static const ProtobufCFieldDescriptor *ref_of(const ProtobufCMessageDescriptor *d)
{
    for (unsigned i = 0; i < d->n_fields; i++)
        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE && d->fields[i].descriptor == &pb__ref__descriptor)
            return &d->fields[i];
    return NULL;
}

static void set_text(ProtobufCMessage *m, const char *field, const char *text)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, field);

    if (f != NULL && f->type == PROTOBUF_C_TYPE_STRING)
        *(char **)((char *)m + f->offset) = (char *)text;
}

/* The words of the refusal, with what was asked for cut out; NULL: it was not refused. */
static const char *refusal(const Pb__Answer *a, const struct guess *g)
{
    const char *shown = g->id != NULL ? g->id : support_text("%u", g->handle), *at;

    if (a->body_case != PB__ANSWER__BODY_FAILURE)
        return NULL;
    at = strstr(a->failure->message, shown);
    if (at == NULL)
        return support_text("%d %s %s", a->failure->error, a->failure->message, a->failure->receipt);
    return support_text("%d %.*s*%s %s", a->failure->error, (int)(at - a->failure->message), a->failure->message, at + strlen(shown),
                        a->failure->receipt);
}

/* A call of this kind about what is guessed, in good order apart from that. */
static const Pb__Answer *try_call(int fd, const ProtobufCFieldDescriptor *call, const struct guess *g)
{
    const ProtobufCMessageDescriptor *d = call->descriptor;
    const ProtobufCFieldDescriptor *ref = ref_of(d), *kind = protobuf_c_message_descriptor_get_field_by_name(d, "kind");
    Pb__Ref r = PB__REF__INIT;
    ProtobufCMessage *m = support_keep(calloc(1, d->sizeof_message));

    protobuf_c_message_init(d, m);
    r.handle = g->handle;
    if (g->id != NULL)
        r.id = (char *)g->id;
    *(Pb__Ref **)((char *)m + ref->offset) = &r;
    if (kind != NULL)
        *(int *)((char *)m + kind->offset) = (int)g->kind;
    set_text(m, "function", "f");
    return ask(fd, (Pb__Ask__BodyCase)call->id, m);
}

/* Keys are named by prefixes, which are everybody's to choose; the rest of them name nothing by a Ref. */
static bool names_a_thing(const ProtobufCFieldDescriptor *f)
{
    return f->type == PROTOBUF_C_TYPE_MESSAGE && (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && ref_of(f->descriptor) != NULL &&
           strncmp(f->name, "kv_", 3) != 0;
}

/* Each call about this guess, and about one that is as wrong as can be: the answers must not differ. Returns how many were made. */
static unsigned compare_calls(int fd, const struct guess *g, const struct guess *missing)
{
    const ProtobufCMessageDescriptor *d = &pb__ask__descriptor;
    unsigned n = 0;

    for (unsigned i = 0; i < d->n_fields; i++) {
        const char *one, *other;

        if (!names_a_thing(&d->fields[i]))
            continue;
        one = refusal(try_call(fd, &d->fields[i], g), g);
        other = refusal(try_call(fd, &d->fields[i], missing), missing);
        if (one == NULL || other == NULL || strcmp(one, other) != 0)
            support_fail("%s of %s: '%s', and of what is not there '%s'", d->fields[i].name, g->id != NULL ? g->id : "a handle",
                         one != NULL ? one : "done", other != NULL ? other : "done");
        n++;
    }
    return n;
}

static unsigned attack(int fd, const struct thing things[THINGS])
{
    unsigned n = 0;

    for (unsigned i = 0; i < THINGS; i++) {
        const struct thing *t = &things[i];
        struct guess g = { t->kind, t->id, 0 }, none = { t->kind, NO_ID, 0 };

        n += compare_calls(fd, &g, &none);
        g.id = support_text("%.8s", t->id);
        none.id = NO_PREFIX;
        n += compare_calls(fd, &g, &none);
        if (t->name[0] != '\0') {
            g.id = t->name;
            none.id = NO_NAME;
            n += compare_calls(fd, &g, &none);
        }
        if (t->handle != 0) {
            g = (struct guess){ t->kind, NULL, t->handle };
            none = (struct guess){ t->kind, NULL, NO_HANDLE };
            n += compare_calls(fd, &g, &none);
        }
    }
    return n;
}

static Pb__CallError error_of(const Pb__Answer *a)
{
    return a->body_case == PB__ANSWER__BODY_FAILURE ? a->failure->error : CE(NONE);
}

/* What is named by other fields than a Ref. */
static void attack_names(int fd)
{
    Pb__QueueOpen open_it = PB__QUEUE_OPEN__INIT;
    Pb__TemplateRemove remove_it = PB__TEMPLATE_REMOVE__INIT;
    Pb__InterpCreate create = PB__INTERP_CREATE__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__KvGet get = PB__KV_GET__INIT;
    Pb__HandleDrop drop = PB__HANDLE_DROP__INIT;
    Pb__AliasDone done = PB__ALIAS_DONE__INIT;
    Pb__AskCancel cancel = PB__ASK_CANCEL__INIT;

    open_it.name = "jobs";
    assert_int_equal(error_of(ask(fd, ASK(QUEUE_OPEN), &open_it.base)), CE(NOT_FOUND));
    remove_it.name = "base";
    assert_int_equal(error_of(ask(fd, ASK(TEMPLATE_REMOVE), &remove_it.base)), CE(NOT_FOUND));
    remove_it.name = "base@1";
    assert_int_equal(error_of(ask(fd, ASK(TEMPLATE_REMOVE), &remove_it.base)), CE(NOT_FOUND));
    create.spec = &spec;
    create.template_ = "base";
    assert_int_equal(error_of(ask(fd, ASK(INTERP_CREATE), &create.base)), CE(NOT_FOUND));
    get.key = "key";
    assert_int_equal(error_of(ask(fd, ASK(KV_GET), &get.base)), CE(NOT_FOUND));
    drop.handle = 1;
    assert_int_equal(error_of(ask(fd, ASK(HANDLE_DROP), &drop.base)), CE(BAD_HANDLE));
    done.number = 1;
    assert_int_equal(error_of(ask(fd, ASK(ALIAS_DONE), &done.base)), CE(BAD_REQUEST));
    cancel.number = 1; /* another's open ask, if there is one: nothing happens */
    good(ask(fd, ASK(ASK_CANCEL), &cancel.base));
}

/* A value with a handle in it, by the id of another's thing. */
static void attack_values(int fd, const struct thing things[THINGS])
{
    struct thing own = make_queue(fd, "", false);

    for (unsigned i = 0; i < THINGS; i++) {
        Pb__QueuePut m = PB__QUEUE_PUT__INIT;
        Pb__Handle h = PB__HANDLE__INIT, *handles = &h;
        Pb__Value v = PB__VALUE__INIT, *items = &v;
        Pb__Ref r = PB__REF__INIT;

        r.handle = own.handle;
        h.kind = things[i].kind;
        h.id = (char *)things[i].id;
        v.n_handles = 1;
        v.handles = &handles;
        m.queue = &r;
        m.n_items = 1;
        m.items = &items;
        assert_int_equal(error_of(ask(fd, ASK(QUEUE_PUT), &m.base)), CE(NOT_FOUND));
    }
}

/* An interpreter is a job, too: its verbs know walls by its row in the store. */
static void attack_as_a_job(int fd, const char *id)
{
    static const Pb__Request__BodyCase verbs[] = { PB__REQUEST__BODY_SHOW,   PB__REQUEST__BODY_WAIT,       PB__REQUEST__BODY_LOGS,
                                                   PB__REQUEST__BODY_RESULT, PB__REQUEST__BODY_CANCEL,     PB__REQUEST__BODY_KILL,
                                                   PB__REQUEST__BODY_OUTPUT, PB__REQUEST__BODY_STDIN_WRITE };

    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(&pb__request__descriptor, (unsigned)verbs[i]);
        const ProtobufCMessageDescriptor *d = f->descriptor;
        ProtobufCMessage *m = support_keep(calloc(1, d->sizeof_message));
        Pb__Request q = PB__REQUEST__INIT;
        const Pb__Reply *r;

        protobuf_c_message_init(d, m);
        set_text(m, "id", id);
        q.body_case = verbs[i];
        q.show = (Pb__Show *)m;
        sp_peer_ask(fd, 1, &q);
        r = sp_peer_answer(fd, 1);
        if (r->body_case != PB__REPLY__BODY_ERROR || r->error->code != PB__ERROR_CODE__ERROR_CODE_NOT_FOUND)
            support_fail("%s of another's interpreter: %s", f->name, r->body_case == PB__REPLY__BODY_ERROR ? r->error->message : "done");
        assert_string_equal(r->error->message, support_text("there is no job %s", id));
    }
}

/* A job in a child of another's template would hold what that one's init has read. */
static void attack_template_by_a_job(int fd)
{
    Pb__Submit m = PB__SUBMIT__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__Reply *r;

    spec.template_ = "base";
    spec.source_name = "x.lua";
    spec.source = (ProtobufCBinaryData){ 8, (uint8_t *)"print(x)" };
    m.spec = &spec;
    q.body_case = PB__REQUEST__BODY_SUBMIT;
    q.submit = &m;
    sp_peer_ask(fd, 1, &q);
    r = sp_peer_answer(fd, 1);
    assert_int_equal(r->body_case, PB__REPLY__BODY_ERROR);
    assert_int_equal(r->error->code, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND);
}

struct lists {
    size_t interps, queues, templates, keys, aliases;
};

/* One that was removed is listed until its process has ended. */
static size_t templates_in(const Pb__TemplateStatusList *l)
{
    size_t n = 0;

    for (size_t i = 0; i < l->n_templates; i++)
        n += strcmp(l->templates[i]->state, "removed") != 0;
    return n;
}

static struct lists lists_of(int fd)
{
    Pb__InterpList interps = PB__INTERP_LIST__INIT;
    Pb__QueueList queues = PB__QUEUE_LIST__INIT;
    Pb__TemplateList templates = PB__TEMPLATE_LIST__INIT;
    Pb__KvList keys = PB__KV_LIST__INIT;
    Pb__AliasLog aliases = PB__ALIAS_LOG__INIT;
    struct lists l;

    interps.all = true;
    l.interps = good(ask(fd, ASK(INTERP_LIST), &interps.base))->interps->n_interps;
    l.queues = good(ask(fd, ASK(QUEUE_LIST), &queues.base))->queues->n_queues;
    l.templates = templates_in(good(ask(fd, ASK(TEMPLATE_LIST), &templates.base))->templates);
    l.keys = good(ask(fd, ASK(KV_LIST), &keys.base))->kv_keys->n_keys;
    l.aliases = good(ask(fd, ASK(ALIAS_LOG), &aliases.base))->alias_calls->n_calls;
    return l;
}

static void expect_lists(int fd, struct lists is)
{
    struct lists l = lists_of(fd);

    assert_int_equal(l.interps, is.interps);
    assert_int_equal(l.queues, is.queues);
    assert_int_equal(l.templates, is.templates);
    assert_int_equal(l.keys, is.keys);
    assert_int_equal(l.aliases, is.aliases);
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------------------------ */

static void every_call_about_anothers_thing_answers_as_about_none(void **state)
{
    struct broker *b = *state;
    struct thing things[THINGS];
    int alice, bob;

    ROOT_ONLY();
    alice = peer_of(b, ALICE);
    bob = peer_of(b, BOB);
    make_all(alice, things);
    assert_true(attack(bob, things) > 200);
    attack_names(bob);
    expect_lists(bob, (struct lists){ 0 });
    attack_values(bob, things);
    attack_as_a_job(bob, things[INTERP].id);
    attack_as_a_job(bob, things[NAMED].id);
    attack_template_by_a_job(bob);
    expect_lists(alice, (struct lists){ .interps = 2, .queues = 3, .templates = 1, .keys = 1 }); /* and nothing of it has gone */
}

static void what_two_tenants_call_the_same_are_two(void **state)
{
    struct broker *b = *state;
    struct thing of_alice[THINGS], of_bob[THINGS];
    Pb__KvDelete forget = PB__KV_DELETE__INIT;
    Pb__TemplateRemove remove_it = PB__TEMPLATE_REMOVE__INIT;
    int alice, bob;

    ROOT_ONLY();
    alice = peer_of(b, ALICE);
    bob = peer_of(b, BOB);
    make_all(alice, of_alice);
    make_all(bob, of_bob);
    forget.key = "key";
    good(ask(bob, ASK(KV_DELETE), &forget.base));
    remove_it.name = "base";
    good(ask(bob, ASK(TEMPLATE_REMOVE), &remove_it.base));
    for (unsigned i = QUEUE; i <= DURABLE; i++) {
        Pb__QueueDelete m = PB__QUEUE_DELETE__INIT;
        Pb__Ref r = PB__REF__INIT;

        r.id = (char *)of_bob[i].name;
        m.queue = &r;
        good(ask(bob, ASK(QUEUE_DELETE), &m.base));
    }
    expect_lists(alice, (struct lists){ .interps = 2, .queues = 3, .templates = 1, .keys = 1 });
    expect_lists(bob, (struct lists){ .interps = 2, .queues = 1 });
}

static void what_was_a_connections_is_nobodys_when_it_has_gone(void **state)
{
    struct broker *b = *state;
    struct thing things[THINGS];
    int alice, bob;

    ROOT_ONLY();
    alice = peer_of(b, ALICE);
    make_all(alice, things);
    (void)shutdown(alice, SHUT_RDWR);
    broker_says(b, "event=job_ended", things[INTERP].id); /* it was the session's */
    bob = peer_of(b, BOB);
    assert_true(attack(bob, things) > 200);
    attack_names(bob);
    expect_lists(bob, (struct lists){ 0 });
    alice = peer_of(b, ALICE);
    expect_lists(alice, (struct lists){ .interps = 2, .queues = 2, .templates = 1, .keys = 1 }); /* one has ended */
}

static void a_restart_leaves_each_what_is_its_own(void **state)
{
    struct broker *b = *state;
    struct thing things[THINGS];
    int alice, bob, root;

    ROOT_ONLY();
    alice = peer_of(b, ALICE);
    make_all(alice, things);
    broker_kill(b);
    broker_up(b);
    bob = peer_of(b, BOB);
    assert_true(attack(bob, things) > 200);
    attack_names(bob);
    expect_lists(bob, (struct lists){ 0 });
    alice = peer_of(b, ALICE);
    expect_lists(alice, (struct lists){ .interps = 1, .queues = 1, .templates = 1, .keys = 1 });
    root = peer_of(b, 0);
    expect_lists(root, (struct lists){ .interps = 1, .queues = 1, .templates = 1 });
    make_all(bob, things); /* none of its names is taken */
}

static void the_operator_sees_all_and_names_it_by_id(void **state)
{
    struct broker *b = *state;
    struct thing of_alice[THINGS], of_bob[THINGS];
    int alice, bob, root;

    ROOT_ONLY();
    alice = peer_of(b, ALICE);
    bob = peer_of(b, BOB);
    root = peer_of(b, 0);
    make_all(alice, of_alice);
    make_all(bob, of_bob);
    expect_lists(root, (struct lists){ .interps = 4, .queues = 6, .templates = 2 });
    for (unsigned i = 0; i < THINGS; i++) {
        Pb__Ref r = PB__REF__INIT;
        Pb__InterpInfo interp = PB__INTERP_INFO__INIT;
        Pb__QueueInfo queue = PB__QUEUE_INFO__INIT;
        bool is_queue = of_alice[i].kind == KIND(QUEUE), is_interp = of_alice[i].kind == KIND(INTERP);

        r.id = (char *)of_alice[i].id;
        interp.interp = queue.queue = &r;
        if (is_interp)
            good(ask(root, ASK(INTERP_INFO), &interp.base));
        if (is_queue)
            good(ask(root, ASK(QUEUE_INFO), &queue.base));
        r.id = (char *)of_alice[i].name;
        if (is_queue && of_alice[i].name[0] != '\0')
            assert_int_equal(error_of(ask(root, ASK(QUEUE_INFO), &queue.base)), CE(NOT_FOUND));
    }
}

/* An interpreter, which is hostile from its first byte, has its job's tenant and no other. */
static void what_a_job_is_granted_is_its_tenants(void **state)
{
    struct broker *b = *state;
    struct thing things[THINGS];
    static const char source[] = "require('coop.queues').open('jobs', 'send'):put(1)";
    const struct {
        uid_t uid;
        bool works;
    } rows[] = {
        {ALICE, true },
        { BOB,  false}
    };

    ROOT_ONLY();
    make_all(peer_of(b, ALICE), things);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = peer_of(b, rows[i].uid);
        Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
        Pb__JobSpec spec = PB__JOB_SPEC__INIT;
        Pb__InterpExec exec = PB__INTERP_EXEC__INIT;
        Pb__Ref r = PB__REF__INIT;
        char *caps[] = { (char *)"queue=jobs:send" };
        const Pb__Answer *a;

        spec.engine = "lua";
        spec.caps = caps;
        spec.n_caps = 1;
        m.spec = &spec;
        r.id = good(ask(fd, ASK(INTERP_CREATE), &m.base))->handle->id;
        exec.interp = &r;
        exec.source = (ProtobufCBinaryData){ sizeof(source) - 1, (uint8_t *)source };
        a = ask(fd, ASK(INTERP_EXEC), &exec.base);
        if (rows[i].works)
            good(a);
        else
            assert_int_equal(error_of(a), CE(EXECUTION_FAILED));
        if (!rows[i].works)
            assert_non_null(strstr(a->failure->message, "there is no queue jobs"));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_call_about_anothers_thing_answers_as_about_none),
        TEST(what_two_tenants_call_the_same_are_two),
        TEST(what_was_a_connections_is_nobodys_when_it_has_gone),
        TEST(a_restart_leaves_each_what_is_its_own),
        TEST(the_operator_sees_all_and_names_it_by_id),
        TEST(what_a_job_is_granted_is_its_tenants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
