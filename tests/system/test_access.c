/*
 * test_access.c - who may do what: every request of the schema by every kind of actor, over the real socket; jobs of others that are not there;
 * tokens that end; what is recorded of it.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker/tokens.h"
#include "coop/exit_codes.h"
#include "coop/version.h"
#include "tests/support/broker_fixture.h"
#include "tests/support/sp_peer.h"

enum scope { SUBMIT = 1, READ = 2, CANCEL = 4, ADMIN = 8, OPERATOR = 16, NOBODY = 32 };
static const char *const scope_names[] = { "submit", "read", "cancel", "admin", "operator" };

#define BODY(name) PB__REQUEST__BODY_##name

/* ---- the requests ---- */

/* clang-format off */
static const struct request_row {
    Pb__Request__BodyCase body;
    unsigned needs;
    bool of_job, changes; /* changes: it is asked about a job of its own, which may be gone afterwards */
    bool of_all_queues;   /* a token of one queue is refused */
} requests[] = {
    { BODY(SUBMIT),        SUBMIT,   false, false, false },
    { BODY(WAIT),          READ,     true,  false, false },
    { BODY(LOGS),          READ,     true,  false, false },
    { BODY(RESULT),        READ,     true,  false, false },
    { BODY(SHOW),          READ,     true,  false, false },
    { BODY(LS),            READ,     false, false, false },
    { BODY(CANCEL),        CANCEL,   true,  true, false },
    { BODY(KILL),          CANCEL,   true,  true, false },
    { BODY(STDIN_WRITE),   SUBMIT,   true,  false, false },
    { BODY(VERSION),       0,        false, false, false },
    { BODY(OUTPUT),        READ,     true,  false, false },
    { BODY(RESIZE_TTY),    SUBMIT,   true,  false, false },
    { BODY(AUDIT),         OPERATOR, false, false, false },
    { BODY(ASK),           0,        false, false, false }, /* each call has needs of its own: unit test_estate */
    { BODY(HOLD),          CANCEL,   true,  true, false },
    { BODY(RELEASE),       CANCEL,   true,  true, false },
    { BODY(PAUSE),         CANCEL,   true,  true, false },
    { BODY(RESUME),        CANCEL,   true,  true, false },
    { BODY(RETRY),         SUBMIT,   true,  true, false },
    { BODY(EDIT),          SUBMIT,   true,  true, false },
    { BODY(REMOVE),        CANCEL,   true,  true, false },
    { BODY(EVENTS),        READ,     false, false, true },
    { BODY(TENANT_SET),    ADMIN,    false, false, false },
    { BODY(TENANT_GET),    READ,     false, false, false },
    { BODY(TENANT_LS),     READ,     false, false, false },
    { BODY(TENANT_REMOVE), ADMIN,    false, false, false },
    { BODY(TOKEN_CREATE),  ADMIN,    false, false, false },
    { BODY(TOKEN_ROTATE),  ADMIN,    false, false, false },
    { BODY(TOKEN_REVOKE),  ADMIN,    false, false, false },
    { BODY(TOKEN_LS),      ADMIN,    false, false, false },
    { BODY(USAGE),         READ,     false, false, false },
    { BODY(ADMIN_LOG),     ADMIN,    false, false, false },
    { BODY(CRON_LS),       READ,     false, false, false },
    { BODY(CRON_SET),      SUBMIT,   false, false, false },
    { BODY(LIMITER_SET),   SUBMIT,   false, false, true },
    { BODY(LIMITER_LS),    READ,     false, false, false },
    { BODY(TOP),           READ,     false, false, false },
    { BODY(DRAIN),         OPERATOR, false, false, false },
    { BODY(STORE_BACKUP),  OPERATOR, false, false, false },
};
/* clang-format on */
enum { REQUESTS = sizeof(requests) / sizeof(requests[0]) };

/* A body of this kind, all of its fields as they are by themselves, but for the id of a job. */
static void fill(Pb__Request *q, const struct request_row *r, const char *id)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(&pb__request__descriptor, (unsigned)r->body);
    const ProtobufCMessageDescriptor *d = f->descriptor;
    ProtobufCMessage *m = support_keep(calloc(1, d->sizeof_message));
    const ProtobufCFieldDescriptor *of = protobuf_c_message_descriptor_get_field_by_name(d, "id");

    protobuf_c_message_init(d, m);
    if (r->of_job)
        *(char **)((char *)m + of->offset) = (char *)id;
    pb__request__init(q);
    q->body_case = r->body;
    q->submit = (Pb__Submit *)m;
}

static const char *name_of(const struct request_row *r)
{
    return protobuf_c_message_descriptor_get_field(&pb__request__descriptor, (unsigned)r->body)->name;
}

static const Pb__Reply *ask_on(int fd, const char *token, Pb__Request *q)
{
    q->token = (char *)token;
    sp_peer_ask(fd, 1, q);
    return sp_peer_try_answer(fd, 1);
}

/* On a connection of its own; NULL: the broker hung up. */
static const Pb__Reply *ask(const struct broker *b, const char *token, Pb__Request *q)
{
    int fd = sp_peer_open(b->socket);
    const Pb__Reply *r = ask_on(fd, token, q);

    (void)shutdown(fd, SHUT_RDWR);
    return r;
}

static const Pb__Error *error_of(const Pb__Reply *r)
{
    return r != NULL && r->body_case == PB__REPLY__BODY_ERROR ? r->error : NULL;
}

/* ---- the actors ---- */

struct role {
    const char *name, *token;
    unsigned scopes; /* NOBODY: refused whatever it asks */
    bool sees;       /* the jobs that are asked about */
};

static char *make_token(const struct broker *b, const char *scopes, const char *a, const char *c)
{
    struct proc *p = proc_expect(coop(b, "token", "create", scopes, a, c, "-q"), 0);

    return heard_line(&p->out);
}

static void id_of_token(const char *token, char ret[17])
{
    memcpy(ret, token, 16);
    ret[16] = '\0';
}

enum { ROLES = 10 };

static void make_roles(const struct broker *b, struct role roles[ROLES])
{
    static char id[17];
    const char *revoked, *expired;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    (void)proc_expect(coop(b, "tenant", "create", "other"), 0);
    revoked = make_token(b, "submit,read,cancel,admin", "tenant=acme", "note=r");
    id_of_token(revoked, id);
    (void)proc_expect(coop(b, "token", "revoke", id), 0);
    expired = make_token(b, "submit,read,cancel,admin", "tenant=acme", "note=e");
    id_of_token(expired, id);
    (void)proc_expect(coop(b, "token", "rotate", id), 0); /* without an overlap the old one is over at once */
    roles[0] = (struct role){ "operator", "", SUBMIT | READ | CANCEL | ADMIN | OPERATOR, true };
    roles[1] =
        (struct role){ "admin", make_token(b, "submit,read,cancel,admin", "tenant=acme", "note=a"), SUBMIT | READ | CANCEL | ADMIN, true };
    roles[2] = (struct role){ "user", make_token(b, "submit,read,cancel", "tenant=acme", "note=u"), SUBMIT | READ | CANCEL, true };
    roles[3] = (struct role){ "submitter", make_token(b, "submit", "tenant=acme", "note=s"), SUBMIT, true };
    roles[4] = (struct role){ "reader", make_token(b, "read", "tenant=acme", "note=r"), READ, true };
    roles[5] = (struct role){ "canceller", make_token(b, "cancel", "tenant=acme", "note=c"), CANCEL, true };
    roles[6] = (struct role){ "of_queue", make_token(b, "submit,read,cancel", "tenant=acme", "queue=fast"), SUBMIT | READ | CANCEL, false };
    roles[7] = (struct role){ "other", make_token(b, "submit,read,cancel,admin", "tenant=other", "note=o"), SUBMIT | READ | CANCEL | ADMIN,
                              false };
    roles[8] = (struct role){ "expired", expired, NOBODY, false };
    roles[9] = (struct role){ "revoked", revoked, NOBODY, false };
}

/* A job of that token's tenant that waits until it is released. */
static char *held_job(const struct broker *b, const char *token)
{
    Pb__Submit m = PB__SUBMIT__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__Reply *r;

    s.engine = "lua";
    s.name = "held";
    s.source_name = "held.lua";
    s.source = (ProtobufCBinaryData){ 8, (uint8_t *)"return 1" };
    s.hold = true;
    m.spec = &s;
    q.body_case = BODY(SUBMIT);
    q.submit = &m;
    r = ask(b, token, &q);
    if (r == NULL || r->body_case != PB__REPLY__BODY_SUBMIT)
        support_fail("no job: %s", error_of(r) != NULL ? error_of(r)->message : "dropped");
    return r->submit->id;
}

/* ---- the matrix ---- */

static void every_request_of_the_schema_is_in_the_table(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__request__descriptor;
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        bool found = false;

        if ((d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) == 0)
            continue;
        n++;
        for (int k = 0; k < REQUESTS; k++)
            found |= (unsigned)requests[k].body == d->fields[i].id;
        if (!found)
            fail_msg("who may ask %s? this table does not say", d->fields[i].name);
    }
    assert_int_equal(n, REQUESTS);
}

static const char *first_lacking(unsigned needs, unsigned has)
{
    for (int i = 0; i < 5; i++)
        if ((needs & ~has & 1u << i) != 0)
            return scope_names[i];
    return NULL;
}

static void check_cell(const struct request_row *q, const struct role *who, const char *id, const Pb__Reply *r)
{
    const Pb__Error *e = error_of(r);
    const char *lacks = first_lacking(q->needs, who->scopes);
    char text[128];

    if (r == NULL)
        fail_msg("%s of %s: the broker hung up", name_of(q), who->name);
    if (who->scopes == NOBODY || lacks != NULL) {
        (void)snprintf(text, sizeof(text), "needs the scope %s", lacks != NULL ? lacks : "");
        if (e == NULL || e->code != PB__ERROR_CODE__ERROR_CODE_PERMISSION)
            fail_msg("%s of %s was not refused", name_of(q), who->name);
        if (who->scopes == NOBODY)
            assert_string_equal(e->message, "this token is not valid");
        else if (strstr(e->message, text) == NULL)
            fail_msg("%s of %s: %s", name_of(q), who->name, e->message);
        return;
    }
    (void)snprintf(text, sizeof(text), "there is no job %s", id);
    if (q->of_job && !who->sees) {
        if (e == NULL || e->code != PB__ERROR_CODE__ERROR_CODE_NOT_FOUND || strcmp(e->message, text) != 0 || e->hint[0] != '\0')
            fail_msg("%s of %s: %s, and should not know of the job", name_of(q), who->name, e != NULL ? e->message : "was answered");
        return;
    }
    if (q->of_all_queues && strcmp(who->name, "of_queue") == 0) {
        if (e == NULL || e->code != PB__ERROR_CODE__ERROR_CODE_PERMISSION)
            fail_msg("%s of a token of one queue was answered", name_of(q));
        return;
    }
    if (e != NULL && (e->code == PB__ERROR_CODE__ERROR_CODE_PERMISSION || strcmp(e->message, text) == 0))
        fail_msg("%s of %s was refused: %s", name_of(q), who->name, e->message);
}

static void every_actor_gets_what_its_scopes_say_and_no_more(void **state)
{
    struct broker *b = *state;
    struct role roles[ROLES];
    const char *ours;

    make_roles(b, roles);
    ours = held_job(b, roles[2].token);
    for (int i = 0; i < REQUESTS; i++) {
        const struct request_row *row = &requests[i];

        for (int k = 0; k < ROLES && roles[k].scopes != NOBODY; k++) {
            bool acts = row->changes && roles[k].sees && first_lacking(row->needs, roles[k].scopes) == NULL;
            const char *id = acts ? held_job(b, roles[2].token) : ours;
            Pb__Request q;
            const Pb__Reply *r;

            fill(&q, row, id);
            r = ask(b, roles[k].token, &q);
            check_cell(row, &roles[k], id, r);
        }
    }
}

/* All at once: each of these answers is held back for a while. */
static void who_is_nobody_gets_one_answer_whatever_it_asks(void **state)
{
    struct broker *b = *state;
    struct role roles[ROLES];
    int fds[ROLES][REQUESTS];
    const char *ours;

    make_roles(b, roles);
    ours = held_job(b, roles[2].token);
    for (int k = 0; k < ROLES; k++)
        for (int i = 0; i < REQUESTS && roles[k].scopes == NOBODY; i++) {
            Pb__Request q;

            fill(&q, &requests[i], ours);
            q.token = (char *)roles[k].token;
            fds[k][i] = sp_peer_open(b->socket);
            sp_peer_ask(fds[k][i], 1, &q);
        }
    for (int k = 0; k < ROLES; k++)
        for (int i = 0; i < REQUESTS && roles[k].scopes == NOBODY; i++) {
            check_cell(&requests[i], &roles[k], ours, sp_peer_try_answer(fds[k][i], 1));
        }
}

static void a_job_of_another_is_word_for_word_one_that_is_not_there(void **state)
{
    static const char absent[] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    struct broker *b = *state;
    struct role roles[ROLES];
    const char *ours;

    make_roles(b, roles);
    ours = held_job(b, roles[2].token);
    for (int i = 0; i < REQUESTS; i++) {
        const struct request_row *row = &requests[i];
        const Pb__Error *theirs, *none;
        char expected[256];
        Pb__Request q;

        if (!row->of_job)
            continue;
        fill(&q, row, ours);
        theirs = error_of(ask(b, roles[7].token, &q));
        fill(&q, row, absent);
        none = error_of(ask(b, roles[7].token, &q));
        assert_non_null(theirs);
        assert_non_null(none);
        (void)snprintf(expected, sizeof(expected), "there is no job %s", absent);
        assert_string_equal(none->message, expected);
        (void)snprintf(expected, sizeof(expected), "there is no job %s", ours);
        assert_string_equal(theirs->message, expected);
        assert_int_equal(theirs->code, none->code);
        assert_string_equal(theirs->hint, none->hint);
    }
}

/* An id of the one and two of the other that begin alike, as ids of the same second do; this one has no other of that beginning. */
static char *id_of_the_same_second(const struct broker *b, const struct role *one, const struct role *other)
{
    const char *before;
    char *id = NULL;

    do {
        do {
            before = held_job(b, other->token);
        } while (id != NULL && strncmp(before, id, 8) == 0); /* until the second of the last try is over */
        (void)held_job(b, other->token);
        id = held_job(b, one->token);
    } while (strncmp(before, id, 8) != 0);
    return id;
}

/* The beginning of an id names one of one's own, however many others there are. */
static void the_beginning_of_an_id_is_looked_for_among_one_s_own(void **state)
{
    struct broker *b = *state;
    struct role roles[ROLES];
    char *id, text[9] = "";
    Pb__Request q;
    const Pb__Reply *r;

    make_roles(b, roles);
    for (int i = 0; i < 20; i++)
        (void)held_job(b, roles[2].token);
    id = id_of_the_same_second(b, &roles[7], &roles[2]);
    memcpy(text, id, 8);
    fill(&q, &requests[4], text);
    r = ask(b, roles[7].token, &q);
    if (error_of(r) != NULL)
        fail_msg("%s", error_of(r)->message);
    assert_string_equal(r->show->status->id, id);
    r = ask(b, roles[2].token, &q);
    assert_int_equal(error_of(r)->code, PB__ERROR_CODE__ERROR_CODE_USAGE); /* of several of its own */
}

static void a_list_shows_one_s_own(void **state)
{
    struct broker *b = *state;
    struct role roles[ROLES];
    Pb__Ls ls = PB__LS__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__Reply *r;
    const char *ours, *theirs;

    make_roles(b, roles);
    ours = held_job(b, roles[2].token);
    theirs = held_job(b, roles[7].token);
    q.body_case = BODY(LS);
    q.ls = &ls;
    r = ask(b, roles[2].token, &q);
    assert_int_equal(r->ls->n_jobs, 1);
    assert_string_equal(r->ls->jobs[0]->id, ours);
    ls.tenant = "*";
    r = ask(b, roles[7].token, &q);
    assert_int_equal(r->ls->n_jobs, 1);
    assert_string_equal(r->ls->jobs[0]->id, theirs);
    r = ask(b, "", &q);
    assert_int_equal(r->ls->n_jobs, 2);
    ls.tenant = "acme";
    r = ask(b, roles[7].token, &q);
    assert_true(error_of(r) != NULL || r->ls->n_jobs == 0);
}

static const Pb__TopReply *top_of(const struct broker *b, const char *token)
{
    Pb__GetTop m = PB__GET_TOP__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__Reply *r;

    q.body_case = BODY(TOP);
    q.top = &m;
    r = ask(b, token, &q);
    assert_null(error_of(r));
    return r->top;
}

static const Pb__VersionReply *version_of(const struct broker *b, const char *token)
{
    Pb__GetVersion m = PB__GET_VERSION__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__Reply *r;

    q.body_case = BODY(VERSION);
    q.version = &m;
    r = ask(b, token, &q);
    assert_null(error_of(r));
    return r->version;
}

/* Whoever is no operator: of others neither jobs nor interpreters, nor how busy the host is. */
static void expect_counts(const struct broker *b, const char *token, unsigned held, unsigned scheduled, unsigned interpreters)
{
    const Pb__TopReply *t = top_of(b, token);
    const Pb__VersionReply *v;

    assert_int_equal(t->held, held);
    assert_int_equal(t->scheduled, scheduled);
    assert_int_equal(t->waiting, held + scheduled);
    assert_int_equal(t->submitted, held + scheduled);
    assert_int_equal(t->running + t->blocked + t->ended + t->failed, 0);
    assert_int_equal(t->interpreters, interpreters);
    assert_int_equal(t->workers_busy + t->workers_idle + t->workers_booting, 0);
    assert_int_equal(t->memory_bytes + t->cpu_us, 0);
    v = version_of(b, token);
    assert_string_equal(v->version, COOP_VERSION);
    assert_int_equal(v->jobs_waiting, held + scheduled);
    assert_int_equal(v->workers_busy + v->workers_idle, 0);
    assert_int_equal(v->pid, 0);
    assert_string_equal(v->state_dir, "");
    assert_string_equal(v->kernel, "");
}

static void counts_are_of_those_that_one_sees(void **state)
{
    struct broker *b = *state;
    const char *env[] = { NULL, NULL }, *file = script(b, "a.lua", "print(1)"), *acme, *above, *beta;
    struct proc_how how = { .in = PROC_IN_NULL, .env = env };

    (void)proc_expect(coop(b, "tenant", "create", "top"), 0);
    (void)proc_expect(coop(b, "tenant", "create", "acme", "parent=top"), 0);
    (void)proc_expect(coop(b, "tenant", "create", "beta"), 0);
    above = make_token(b, "submit,read,admin", "tenant=top", "note=x");
    acme = make_token(b, "submit,read", "tenant=acme", "note=x");
    beta = make_token(b, "submit,read,cancel", "tenant=beta", "note=x");
    env[0] = support_text("COOP_TOKEN=%s", acme);
    (void)proc_expect(coop_start_as(b, &how, "submit", "--hold", file), 0);
    (void)proc_expect(coop_start_as(b, &how, "submit", "--hold", file), 0);
    (void)proc_expect(coop_start_as(b, &how, "submit", "--at", "+1h", file), 0);
    (void)proc_expect(coop_start_as(b, &how, "interp", "create", "--engine", "lua", "--name", "one"), 0);
    (void)proc_expect(coop(b, "submit", "--hold", file), 0);
    expect_counts(b, acme, 2, 1, 1);
    expect_counts(b, above, 2, 1, 1);
    expect_counts(b, beta, 0, 0, 0);
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    assert_int_equal(top_of(b, acme)->held, 2);
    assert_int_equal(top_of(b, acme)->scheduled, 1);
    assert_int_equal(top_of(b, acme)->waiting, 3);
    assert_int_equal(top_of(b, beta)->waiting, 0);
    assert_int_equal(top_of(b, "")->held, 3);
    assert_int_equal(top_of(b, "")->interpreters, 1);
    assert_int_equal(version_of(b, "")->jobs_waiting, 4);
    assert_string_equal(version_of(b, "")->state_dir, b->state_dir);
    env[0] = support_text("COOP_TOKEN=%s", beta);
    expect_lacks(proc_expect(coop_start_as(b, &how, "version"), 0)->out, b->state_dir);
    expect_lacks(proc_expect(coop_start_as(b, &how, "top"), 0)->out, "memory");
}

/* ---- tokens ---- */

static const Pb__Reply *version_on(int fd, const char *token)
{
    Pb__GetVersion m = PB__GET_VERSION__INIT;
    Pb__Request q = PB__REQUEST__INIT;

    q.body_case = BODY(VERSION);
    q.version = &m;
    return ask_on(fd, token, &q);
}

static void a_revoked_token_is_over_on_connections_that_are_open(void **state)
{
    struct broker *b = *state;
    char id[17], *token;
    int fd = sp_peer_open(b->socket);

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    token = make_token(b, "read", "tenant=acme", "note=x");
    id_of_token(token, id);
    assert_null(error_of(version_on(fd, token)));
    (void)proc_expect(coop(b, "token", "revoke", id), 0);
    sp_peer_expect_drop(fd);
    assert_int_equal(error_of(version_on(sp_peer_open(b->socket), token))->code, PB__ERROR_CODE__ERROR_CODE_PERMISSION);
}

static void a_rotated_token_is_good_for_its_overlap(void **state)
{
    struct broker *b = *state;
    char id[17], *old, *fresh;
    struct proc *p;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    old = make_token(b, "read", "tenant=acme", "note=x");
    id_of_token(old, id);
    p = proc_expect(coop(b, "token", "rotate", id, "1h", "-q"), 0);
    fresh = heard_line(&p->out);
    assert_null(error_of(version_on(sp_peer_open(b->socket), old)));
    assert_null(error_of(version_on(sp_peer_open(b->socket), fresh)));
    (void)proc_expect(coop(b, "token", "rotate", id, "0s", "-q"), 0);
    assert_non_null(error_of(version_on(sp_peer_open(b->socket), old)));
    assert_null(error_of(version_on(sp_peer_open(b->socket), fresh)));
}

static void a_connection_is_one_actor_s(void **state)
{
    struct broker *b = *state;
    int fd = sp_peer_open(b->socket);
    const Pb__Error *e;
    char *token;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    token = make_token(b, "read", "tenant=acme", "note=x");
    assert_null(error_of(version_on(fd, "")));
    e = error_of(version_on(fd, token));
    assert_non_null(e);
    assert_int_equal(e->code, PB__ERROR_CODE__ERROR_CODE_PERMISSION);
}

static void tokens_tenants_and_revocations_outlive_the_broker(void **state)
{
    struct broker *b = *state;
    char *token, *gone, id[17];
    struct proc *p;

    (void)proc_expect(coop(b, "tenant", "create", "top", "weight=3", "max.memory=32M", "keep.logs=1h"), 0);
    (void)proc_expect(coop(b, "tenant", "create", "acme", "parent=top", "state=suspended"), 0);
    (void)proc_expect(coop(b, "quota", "set", "top", "max_running=7", "max_cron=0", "submit_per_s=2.5"), 0);
    token = make_token(b, "submit,read", "tenant=acme", "note=x");
    gone = make_token(b, "submit,read", "tenant=acme", "note=y");
    id_of_token(gone, id);
    (void)proc_expect(coop(b, "token", "revoke", id), 0);
    broker_kill(b);
    broker_up(b);
    p = proc_expect(coop(b, "tenant", "show", "top", "--json"), 0);
    expect_has(p->out, "\"weight\": 3");
    expect_has(p->out, "\"max_running\": 7");
    expect_has(p->out, "\"submit_per_s\": 2.5");
    expect_has(p->out, "\"nothing\": [\"max_cron\"]");
    expect_has(p->out, "33554432");
    p = proc_expect(coop(b, "tenant", "show", "acme", "--json"), 0);
    expect_has(p->out, "\"parent\": \"top\"");
    expect_has(p->out, "suspended");
    assert_null(error_of(version_on(sp_peer_open(b->socket), token)));
    assert_non_null(error_of(version_on(sp_peer_open(b->socket), gone)));
}

static void nobody_gives_what_he_does_not_have(void **state)
{
    struct broker *b = *state;
    const char *env[] = { NULL, NULL };
    struct proc_how how = { .in = PROC_IN_NULL, .env = env };
    struct proc *p;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    (void)proc_expect(coop(b, "tenant", "create", "other"), 0);
    env[0] = support_text("COOP_TOKEN=%s", make_token(b, "read,admin", "tenant=acme", "note=x"));
    p = coop_start_as(b, &how, "token", "create", "submit");
    assert_int_equal(proc_end(p), COOP_EXIT_PERMISSION);
    p = coop_start_as(b, &how, "token", "create", "read", "tenant=other");
    assert_int_equal(proc_end(p), COOP_EXIT_NOT_FOUND);
    p = coop_start_as(b, &how, "tenant", "create", "mine");
    assert_int_equal(proc_end(p), COOP_EXIT_PERMISSION);
    p = coop_start_as(b, &how, "tenant", "create", "mine", "parent=acme");
    assert_int_equal(proc_end(p), 0);
    p = coop_start_as(b, &how, "token", "create", "read", "tenant=mine");
    assert_int_equal(proc_end(p), 0);
    p = coop_start_as(b, &how, "tenant", "set", "acme", "weight=100");
    assert_int_equal(proc_end(p), COOP_EXIT_PERMISSION);
    p = coop_start_as(b, &how, "tenant", "ls", "-q");
    assert_int_equal(proc_end(p), 0);
    expect_text(p->out, "acme\nmine\n");
}

static const Pb__Token *make_by(int fd, const char *maker, uint64_t expires_us, int *ret_code)
{
    char *scopes[] = { "read", "admin" };
    Pb__TokenCreate m = PB__TOKEN_CREATE__INIT;
    Pb__Token t = PB__TOKEN__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__Reply *r;

    t.scopes = scopes;
    t.n_scopes = 2;
    t.tenant = maker[0] == '\0' ? "acme" : "";
    t.expires_us = expires_us;
    m.token = &t;
    q.body_case = BODY(TOKEN_CREATE);
    q.token_create = &m;
    r = ask_on(fd, maker, &q);
    *ret_code = error_of(r) != NULL ? (int)error_of(r)->code : 0;
    return *ret_code == 0 ? r->tokens->tokens[0] : NULL;
}

static void a_token_makes_none_that_outlives_it(void **state)
{
    struct broker *b = *state;
    uint64_t end = ((uint64_t)time(NULL) + 3600) * 1000000;
    Pb__TokenRotate m = PB__TOKEN_ROTATE__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    int fd = sp_peer_open(b->socket);
    const Pb__Token *of;
    const Pb__Reply *r;
    char *maker;
    int code;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    of = make_by(sp_peer_open(b->socket), "", end, &code);
    assert_int_equal(code, 0);
    maker = support_text("%s", of->secret);
    m.id = support_text("%s", of->id);
    of = make_by(fd, maker, 0, &code);
    assert_int_equal(code, 0);
    assert_int_equal(of->expires_us, end);
    (void)make_by(fd, maker, end + 1, &code);
    assert_int_equal(code, PB__ERROR_CODE__ERROR_CODE_PERMISSION);
    of = make_by(fd, maker, end - 1, &code);
    assert_int_equal(of->expires_us, end - 1);
    m.overlap_us = 60000000; /* the answer goes to the old one */
    q.body_case = BODY(TOKEN_ROTATE);
    q.token_rotate = &m;
    r = ask_on(fd, maker, &q);
    assert_null(error_of(r));
    assert_true(r->tokens->tokens[0]->expires_us <= end);
}

static void a_tenant_has_so_many_tokens_and_the_broker_begins_with_them(void **state)
{
    struct broker *b = *state;
    const char *maker;
    int code = 0, made = 1, fd = sp_peer_open(b->socket);

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    maker = make_token(b, "read,admin", "tenant=acme", "note=x");
    while (made <= TOKENS_OF && code == 0) {
        (void)make_by(fd, maker, 0, &code);
        made += code == 0;
    }
    assert_int_equal(made, TOKENS_OF);
    assert_int_equal(code, PB__ERROR_CODE__ERROR_CODE_QUOTA);
    broker_kill(b);
    broker_up(b);
    assert_null(error_of(version_on(sp_peer_open(b->socket), maker)));
}

static void each_act_is_recorded_and_no_secret_with_it(void **state)
{
    struct broker *b = *state;
    struct proc *p;
    char *token;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    (void)proc_expect(coop(b, "quota", "set", "acme", "max_running=7"), 0);
    token = make_token(b, "read", "tenant=acme", "note=x");
    broker_kill(b);
    broker_up(b);
    p = proc_expect(coop(b, "audit", "admin", "--json"), 0);
    expect_has(p->out, "tenant.create");
    expect_has(p->out, "quota.max_running");
    expect_has(p->out, "token.create");
    expect_lacks(p->out, token + 17);
    assert_int_equal(json_array_size(json_object_get(json_of(&p->out), "acts")), 3);
}

static void no_secret_is_in_the_database(void **state)
{
    struct broker *b = *state;
    char *token;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    token = make_token(b, "read", "tenant=acme", "note=x");
    assert_int_equal(broker_down(b), 0);
    assert_int_equal(
        proc_end(proc_start(&(struct proc_how){ .in = PROC_IN_NULL }, (const char *const[]){ "grep", "-rqa", token + 17, b->dir, NULL })),
        1);
    broker_up(b);
}

/* ---- what bad input gets ---- */

static void bad_words_about_tenants_have_their_exit_codes(void **state)
{
    static const struct {
        int code;
        const char *args[5];
    } rows[] = {
        {COOP_EXIT_USAGE,      { "tenant", "create", "a b" }                      },
        { COOP_EXIT_USAGE,     { "tenant", "create", "uid-5" }                    },
        { COOP_EXIT_USAGE,     { "tenant", "create", "x", "weight=0" }            },
        { COOP_EXIT_USAGE,     { "tenant", "create", "x", "weight=-1" }           },
        { COOP_EXIT_USAGE,     { "tenant", "create", "x", "weight=nan" }          },
        { COOP_EXIT_USAGE,     { "tenant", "create", "x", "wieght=1" }            },
        { COOP_EXIT_NOT_FOUND, { "tenant", "create", "x", "parent=nobody" }       },
        { COOP_EXIT_CONFLICT,  { "tenant", "create", "acme" }                     },
        { COOP_EXIT_NOT_FOUND, { "tenant", "set", "nobody", "weight=1" }          },
        { COOP_EXIT_USAGE,     { "tenant", "set", "acme", "state=asleep" }        },
        { COOP_EXIT_NOT_FOUND, { "tenant", "show", "nobody" }                     },
        { COOP_EXIT_NOT_FOUND, { "tenant", "rm", "nobody" }                       },
        { COOP_EXIT_USAGE,     { "quota", "set", "acme", "max_runing=1" }         },
        { COOP_EXIT_USAGE,     { "quota", "set", "acme", "max_running=-1" }       },
        { COOP_EXIT_USAGE,     { "quota", "set", "acme", "submit_per_s=inf" }     },
        { COOP_EXIT_OK,        { "quota", "set", "acme", "max_queued=0" }         },
        { COOP_EXIT_USAGE,     { "token", "create", "everything" }                },
        { COOP_EXIT_USAGE,     { "token", "create", "operator" }                  },
        { COOP_EXIT_USAGE,     { "token", "create", "read", "expires=yesterday" } },
        { COOP_EXIT_USAGE,     { "token", "create", "read", "expires=1970-01-02" }},
        { COOP_EXIT_NOT_FOUND, { "token", "create", "read", "tenant=nobody" }     },
        { COOP_EXIT_USAGE,     { "token", "create", "admin", "queue=fast" }       },
        { COOP_EXIT_NOT_FOUND, { "token", "revoke", "0123456789abcdef" }          },
        { COOP_EXIT_NOT_FOUND, { "token", "rotate", "0123456789abcdef" }          },
        { COOP_EXIT_NOT_FOUND, { "usage", "--tenant", "nobody" }                  },
        { COOP_EXIT_USAGE,     { "usage", "--by", "hour" }                        },
        { COOP_EXIT_USAGE,     { "audit", "admin", "x" }                          },
    };
    struct broker *b = *state;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        (void)proc_expect(coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL }, rows[i].args), rows[i].code);
}

static void quotas_refuse_submits_with_79(void **state)
{
    struct broker *b = *state;
    const char *env[] = { NULL, NULL }, *file = script(b, "a.lua", "print(1)");
    struct proc_how how = { .in = PROC_IN_NULL, .env = env };
    struct proc *p;

    (void)proc_expect(coop(b, "tenant", "create", "acme", "max.memory=32M"), 0);
    env[0] = support_text("COOP_TOKEN=%s", make_token(b, "submit,read", "tenant=acme", "note=x"));
    p = coop_start_as(b, &how, "submit", "--limit", "memory=33M", file);
    assert_int_equal(proc_end(p), COOP_EXIT_QUOTA);
    expect_has(p->err, "acme");
    (void)proc_expect(coop(b, "quota", "set", "acme", "submit_per_s=0.001"), 0);
    p = coop_start_as(b, &how, "submit", file);
    assert_int_equal(proc_end(p), 0);
    p = coop_start_as(b, &how, "submit", file);
    assert_int_equal(proc_end(p), COOP_EXIT_QUOTA);
    expect_has(p->err, "retry after");
    (void)proc_expect(coop(b, "quota", "set", "acme", "submit_per_s=none", "max_queued=0"), 0);
    p = coop_start_as(b, &how, "submit", file);
    assert_int_equal(proc_end(p), COOP_EXIT_QUOTA);
    expect_has(p->err, "max_queued");
    (void)proc_expect(coop(b, "quota", "set", "acme", "max_queued=none"), 0);
    (void)proc_expect(coop(b, "tenant", "set", "acme", "state=suspended"), 0);
    p = coop_start_as(b, &how, "submit", file);
    assert_int_equal(proc_end(p), COOP_EXIT_PERMISSION);
    (void)proc_expect(coop(b, "tenant", "set", "acme", "state=active"), 0);
    p = coop_start_as(b, &how, "submit", file);
    assert_int_equal(proc_end(p), 0);
}

/* A program that bills reads the field alone. */
static void a_quota_that_is_none_is_null_and_one_that_is_0_is_0(void **state)
{
    struct broker *b = *state;
    json_t *q;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    (void)proc_expect(coop(b, "quota", "set", "acme", "max_running=0", "submit_per_s=0", "max_queued=3"), 0);
    q = json_of(&proc_expect(coop(b, "--json", "quota", "show", "acme"), 0)->out);
    assert_true(json_is_integer(json_at(q, "max_running")));
    assert_int_equal(json_num(q, "max_running"), 0);
    assert_true(json_is_real(json_at(q, "submit_per_s")));
    assert_int_equal(json_num(q, "max_queued"), 3);
    assert_true(json_is_null(json_at(q, "max_array")));
    (void)proc_expect(coop(b, "quota", "set", "acme", "max_running=none", "submit_per_s=none"), 0);
    q = json_at(json_of(&proc_expect(coop(b, "--json", "tenant", "show", "acme"), 0)->out), "quota");
    assert_true(json_is_null(json_at(q, "max_running")));
    assert_true(json_is_null(json_at(q, "submit_per_s")));
    assert_int_equal(json_num(q, "max_queued"), 3);
}

/* ---- failed logins ---- */

/* Each on a connection of its own that does not wait for its answer. */
/* One line of one tenant does not shut the others out. */
static void a_tenant_fills_its_share_of_the_queue_and_no_more(void **state)
{
    struct broker *b = *state;
    const char *env[] = { NULL, NULL };
    struct proc_how how = { .in = PROC_IN_NULL, .env = env };
    struct proc *p;
    char *file;

    b->args[0] = "--max-queued";
    b->args[1] = "40";
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    file = (char *)script(b, "x.lua", "return 1");
    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    (void)proc_expect(coop(b, "tenant", "create", "below", "parent=acme"), 0);
    env[0] = support_text("COOP_TOKEN=%s", make_token(b, "submit", "tenant=acme", "note=x"));
    p = coop_start_as(b, &how, "submit", "--array", "1-11", "--at", "+1h", file);
    assert_int_equal(proc_end(p), COOP_EXIT_QUOTA);
    p = coop_start_as(b, &how, "submit", "--array", "1-10", "--at", "+1h", file);
    assert_int_equal(proc_end(p), 0);
    env[0] = support_text("COOP_TOKEN=%s", make_token(b, "submit", "tenant=below", "note=x"));
    p = coop_start_as(b, &how, "submit", file);
    assert_int_equal(proc_end(p), COOP_EXIT_QUOTA);
    (void)proc_expect(coop(b, "submit", "--array", "1-20", "--at", "+1h", file), 0); /* an operator's own */
    (void)proc_expect(coop(b, "quota", "set", "acme", "max_queued=12"), 0);
    p = coop_start_as(b, &how, "submit", "--array", "1-2", "--at", "+1h", file);
    assert_int_equal(proc_end(p), 0);
}

/* Neither by what it waits for nor by a key does a token hear of jobs of another queue. */
static void a_token_of_a_queue_learns_nothing_of_others(void **state)
{
    struct broker *b = *state;
    const char *env[] = { NULL, NULL };
    struct proc_how how = { .in = PROC_IN_NULL, .env = env };
    char *id, *file = (char *)script(b, "x.lua", "return 1");
    struct proc *p;

    (void)proc_expect(coop(b, "tenant", "create", "acme"), 0);
    env[0] = support_text("COOP_TOKEN=%s", make_token(b, "submit,read", "tenant=acme", "note=x"));
    p = coop_start_as(b, &how, "submit", "-q", "--hold", "--idem", "key", file);
    id = heard_line(&proc_expect(p, 0)->out);
    env[0] = support_text("COOP_TOKEN=%s", make_token(b, "submit,read", "tenant=acme", "queue=fast"));
    p = coop_start_as(b, &how, "submit", "--after", id, file);
    assert_int_equal(proc_end(p), COOP_EXIT_NOT_FOUND);
    p = coop_start_as(b, &how, "submit", "--idem", "key", file);
    assert_int_equal(proc_end(p), COOP_EXIT_CONFLICT);
    expect_lacks(p->err, id);
}

static void ten_thousand_failed_logins_leave_the_broker_responsive(void **state)
{
    struct broker *b = *state;
    Pb__GetVersion m = PB__GET_VERSION__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    uint8_t bytes[512] = { 0, 'S', 'P', 0, 0, 48, 0, 0 };
    struct proc *p;
    size_t len;

    q.protocol = COOP_PROTOCOL;
    q.body_case = BODY(VERSION);
    q.version = &m;
    q.token = "0123456789abcdef.0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    len = 4 + pb__request__get_packed_size(&q);
    bytes[8] = 1;
    bytes[15] = (uint8_t)(len >> 8);
    bytes[16] = (uint8_t)len;
    bytes[17] = 0x80;
    (void)pb__request__pack(&q, bytes + 21);
    for (int i = 0; i < 10000; i++) {
        sp_peer_pass_by(b->socket, bytes, 17 + len);
        if (i % 1000 == 0)
            (void)proc_expect(coop(b, "ls"), 0);
    }
    p = proc_expect(coop(b, "run", script(b, "a.lua", "print('well')")), 0);
    expect_text(p->out, "well\n");
    assert_true(broker_said(b, "logins_failed", "") > 0); /* once, and not ten thousand times */
    assert_true(broker_said(b, "logins_failed", "") < 100);
}

/* ---- two local users ---- */

enum { ALICE = 4101, BOB = 4102 };

static void a_broker_is_its_own_user_s_unless_it_is_shared(void **state)
{
    struct broker *b = *state;
    struct proc_how how = { .in = PROC_IN_NULL, .uid = ALICE };
    struct stat st;

    assert_int_equal(stat(b->run_dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(b->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    if (geteuid() != 0)
        return;
    assert_int_equal(proc_end(coop_start_as(b, &how, "ls", "--endpoint", b->url)), COOP_EXIT_PERMISSION);
}

static int setup_shared(void **state)
{
    struct broker *b = broker_new();

    *state = b;
    b->args[0] = "--share";
    b->args[1] = "all";
    if (geteuid() == 0 && chmod(b->dir, 0755) != 0)
        return -1;
    broker_up(b);
    return 0;
}

static void local_users_are_tenants_that_do_not_see_each_other(void **state)
{
    struct broker *b = *state;
    struct proc_how alice = { .in = PROC_IN_NULL, .uid = ALICE }, bob = { .in = PROC_IN_NULL, .uid = BOB };
    const char *file = script(b, "a.lua", "print(1)");
    struct stat st;
    struct proc *p;
    char *id;

    if (geteuid() != 0)
        skip(); /* to be others */
    assert_int_equal(stat(b->run_dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    assert_int_equal(stat(b->socket, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0666);
    assert_int_equal(stat(b->state_dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    p = coop_start_as(b, &alice, "submit", file);
    assert_int_equal(proc_end(p), 0);
    id = heard_line(&p->out);
    p = coop_start_as(b, &alice, "wait", id);
    assert_int_equal(proc_end(p), 0);
    p = coop_start_as(b, &alice, "ls", "-q");
    assert_int_equal(proc_end(p), 0);
    expect_has(p->out, id);
    for (size_t i = 0; i < 4; i++) {
        static const char *const verbs[] = { "show", "logs", "result", "cancel" };

        p = coop_start_as(b, &bob, verbs[i], id);
        assert_int_equal(proc_end(p), COOP_EXIT_NOT_FOUND);
        expect_has(p->err, "there is no job");
    }
    p = coop_start_as(b, &bob, "ls", "-q", "--tenant", "*");
    assert_int_equal(proc_end(p), 0);
    expect_text(p->out, "");
    p = coop_start_as(b, &bob, "tenant", "ls", "-q");
    assert_int_equal(proc_end(p), 0);
    expect_text(p->out, support_text("uid-%d\n", BOB));
    assert_int_equal(proc_end(coop_start_as(b, &bob, "tenant", "create", "mine")), COOP_EXIT_PERMISSION);
    assert_int_equal(proc_end(coop_start_as(b, &bob, "token", "create", "read")), COOP_EXIT_PERMISSION);
    assert_int_equal(proc_end(coop_start_as(b, &bob, "audit", "verify")), COOP_EXIT_PERMISSION);
    expect_lacks(proc_expect(coop(b, "tenant", "ls", "-q"), 0)->out, support_text("uid-%d\n", BOB)); /* who only looks is none */
    expect_has(proc_expect(coop(b, "tenant", "ls", "-q"), 0)->out, support_text("uid-%d\n", ALICE));
    (void)proc_expect(coop(b, "quota", "set", support_text("uid-%d", BOB), "max_queued=0"), 0); /* before he comes */
    assert_int_equal(proc_end(coop_start_as(b, &bob, "submit", file)), COOP_EXIT_QUOTA);
    (void)proc_expect(coop(b, "show", id), 0); /* root sees all */
    (void)proc_expect(coop(b, "tenant", "create", "acme", support_text("uids=%d,%d", ALICE, BOB)), 0);
    p = coop_start_as(b, &bob, "tenant", "show");
    assert_int_equal(proc_end(p), 0);
    expect_has(p->out, "acme");
}

static void connect_as(const void *arg)
{
    const struct broker *b = arg;
    int n = 0;

    while (n < 2000) {
        int fd = sp_peer_connect(b->socket);
        struct pollfd p = { .fd = fd, .events = POLLIN };
        char hello[8];

        n++;
        if (poll(&p, 1, SUPPORT_WAIT_MS) != 1 || recv(fd, hello, sizeof(hello), 0) != sizeof(hello))
            break; /* hung up on: no more of this user */
    }
    _exit(n > 255 && n < 300 ? 7 : 8);
}

static void one_user_does_not_take_all_places(void **state)
{
    struct broker *b = *state;
    struct proc_how how = { .in = PROC_IN_NULL, .uid = ALICE, .before_exec = connect_as, .arg = b };

    if (geteuid() != 0)
        skip();
    assert_int_equal(proc_end(proc_start(&how, (const char *const[]){ "true", NULL })), 7);
    (void)proc_expect(coop(b, "ls"), 0);
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)
#define SHARED(name) cmocka_unit_test_setup_teardown(name, setup_shared, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_quota_that_is_none_is_null_and_one_that_is_0_is_0),
        cmocka_unit_test(every_request_of_the_schema_is_in_the_table),
        TEST(every_actor_gets_what_its_scopes_say_and_no_more),
        TEST(who_is_nobody_gets_one_answer_whatever_it_asks),
        TEST(a_job_of_another_is_word_for_word_one_that_is_not_there),
        TEST(the_beginning_of_an_id_is_looked_for_among_one_s_own),
        TEST(a_list_shows_one_s_own),
        TEST(counts_are_of_those_that_one_sees),
        TEST(a_revoked_token_is_over_on_connections_that_are_open),
        TEST(a_rotated_token_is_good_for_its_overlap),
        TEST(a_connection_is_one_actor_s),
        TEST(tokens_tenants_and_revocations_outlive_the_broker),
        TEST(nobody_gives_what_he_does_not_have),
        TEST(a_token_makes_none_that_outlives_it),
        TEST(a_tenant_has_so_many_tokens_and_the_broker_begins_with_them),
        TEST(each_act_is_recorded_and_no_secret_with_it),
        TEST(no_secret_is_in_the_database),
        TEST(bad_words_about_tenants_have_their_exit_codes),
        TEST(quotas_refuse_submits_with_79),
        TEST(a_tenant_fills_its_share_of_the_queue_and_no_more),
        TEST(a_token_of_a_queue_learns_nothing_of_others),
        TEST(ten_thousand_failed_logins_leave_the_broker_responsive),
        TEST(a_broker_is_its_own_user_s_unless_it_is_shared),
        SHARED(local_users_are_tenants_that_do_not_see_each_other),
        SHARED(one_user_does_not_take_all_places),
    };

    return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
