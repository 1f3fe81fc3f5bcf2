/* test_lua_modules.c - coop.interpreters, coop.queues, coop.buffers, coop.kv, coop.caps and aliases: what they ask, and what they make of the answers. */
#include "interp_fixture.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "worker/engines/lua/handle.h"

#define ERROR(name) PB__CALL_ERROR__CALL_ERROR_##name

enum { LOG_MAX = 16 << 10, ITEMS_MAX = 1024 };

/* The broker that the test is. */
static struct world {
    char log[LOG_MAX]; /* one word or more for each ask, in order */
    uint32_t last_handle;
    uint8_t *items[ITEMS_MAX]; /* of the one queue */
    size_t lens[ITEMS_MAX];
    unsigned first, n, capacity;
    bool closed;
    int memfd;
    bool no_buffers;
    uint64_t next;   /* an AliasNext that waits */
    char done[4096]; /* of AliasDone: value or error */
    uint64_t cancelled;
    bool late;        /* the next get is answered when it is taken back, and not before */
    Pb__QueueGet get; /* that one */
    uint64_t get_number;
} world;

static int setup(void **state)
{
    memset(&world, 0, sizeof(world));
    world.capacity = 4;
    world.memfd = -1;
    return peer_setup(state);
}

static int teardown(void **state)
{
    for (int i = 0; i < ITEMS_MAX; i++)
        free(world.items[i]);
    if (world.memfd >= 0)
        close(world.memfd);
    return peer_teardown(state);
}

__attribute__((format(printf, 1, 2))) static void note(const char *fmt, ...)
{
    size_t len = strlen(world.log);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(world.log + len, sizeof(world.log) - len, fmt, ap);
    va_end(ap);
}

/* ---- answers --------------------------------------------------------------------------------------------------------------------------- */

static void send_answer(struct peer *p, Pb__Answer *a, uint64_t number)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;

    a->number = number;
    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = a;
    told_send(p->fd, &m);
}

static void answer_done(struct peer *p, uint64_t number)
{
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__Done d = PB__DONE__INIT;

    a.body_case = PB__ANSWER__BODY_DONE;
    a.done = &d;
    send_answer(p, &a, number);
}

static void answer_failure(struct peer *p, uint64_t number, Pb__CallError error, const char *message)
{
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;

    f.error = error;
    f.message = (char *)message;
    a.body_case = PB__ANSWER__BODY_FAILURE;
    a.failure = &f;
    send_answer(p, &a, number);
}

static void init_handle(Pb__Handle *h, Pb__Kind kind, uint32_t rights)
{
    static char id[32];

    pb__handle__init(h);
    h->handle = ++world.last_handle;
    h->kind = kind;
    h->rights = rights;
    snprintf(id, sizeof(id), "ID%u", h->handle);
    h->id = id;
    h->name = (char *)"named";
}

static void answer_handle(struct peer *p, uint64_t number, Pb__Kind kind)
{
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__Handle h;

    init_handle(&h, kind, 127);
    a.body_case = PB__ANSWER__BODY_HANDLE;
    a.handle = &h;
    send_answer(p, &a, number);
}

static void answer_value(struct peer *p, uint64_t number, Pb__Value *v)
{
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__CallResult r = PB__CALL_RESULT__INIT;

    r.value = v;
    a.body_case = PB__ANSWER__BODY_RESULT;
    a.result = &r;
    send_answer(p, &a, number);
}

static void answer_status(struct peer *p, uint64_t number)
{
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__InterpStatus s = PB__INTERP_STATUS__INIT;
    Pb__Handle h;

    init_handle(&h, PB__KIND__KIND_INTERP, 127);
    s.interp = &h;
    s.state = PB__INTERP_STATE__INTERP_STATE_ENDED;
    s.cause = PB__CAUSE__CAUSE_OOM;
    s.engine = (char *)"lua";
    s.whence = (char *)"spawned";
    s.calls = 7;
    s.cpu_us = 1500000;
    a.body_case = PB__ANSWER__BODY_INTERP;
    a.interp = &s;
    send_answer(p, &a, number);
}

/* With a descriptor beside its first byte. */
static void answer_buffer(struct peer *p, uint64_t number, bool with_handle, uint64_t bytes)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Answer a = PB__ANSWER__INIT;
    Pb__Done done = PB__DONE__INIT;
    Pb__Handle h;
    uint8_t frame[512];
    size_t len;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { frame, 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    init_handle(&h, PB__KIND__KIND_BUFFER, 127);
    h.bytes = bytes;
    a.number = number;
    a.descriptors = 1;
    a.body_case = with_handle ? PB__ANSWER__BODY_HANDLE : PB__ANSWER__BODY_DONE;
    if (with_handle)
        a.handle = &h;
    else
        a.done = &done;
    m.body_case = PB__TO_WORKER__BODY_ANSWER;
    m.answer = &a;
    len = protobuf_c_message_pack(&m.base, frame + SP_HEADER_LEN);
    sp_header_put(frame, len);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &world.memfd, sizeof(int));
    assert_int_equal(sendmsg(p->fd, &msg, 0), 1);
    assert_int_equal(write(p->fd, frame + 1, SP_HEADER_LEN + len - 1), SP_HEADER_LEN + len - 1);
}

/* ---- what is asked --------------------------------------------------------------------------------------------------------------------- */

static void on_create(struct peer *p, const Pb__Ask *a)
{
    const Pb__InterpCreate *c = a->interp_create;

    note("create %s name=%s template=%s source=%.*s", c->spec->engine, c->spec->name, c->template_, (int)c->spec->source.len,
         (const char *)c->spec->source.data);
    if (c->spec->limits != NULL)
        note(" wall=%llu memory=%llu", (unsigned long long)c->spec->limits->wall_us, (unsigned long long)c->spec->limits->memory_bytes);
    for (size_t i = 0; i < c->spec->n_caps; i++)
        note(" cap %s", c->spec->caps[i]);
    for (size_t i = 0; i < c->spec->n_modules; i++)
        note(" module %s", c->spec->modules[i]->name);
    for (size_t i = 0; i < c->spec->n_env; i++)
        note(" env %s", c->spec->env[i]->name);
    for (size_t i = 0; i < c->spec->n_args; i++)
        note(" arg %.*s", (int)c->spec->args[i].len, (const char *)c->spec->args[i].data);
    for (size_t i = 0; i < c->n_grants; i++)
        note(" grant %s=%u", c->grants[i]->name, c->grants[i]->handle->handle);
    for (size_t i = 0; i < c->n_aliases; i++)
        note(" alias %s", c->aliases[i]);
    note(" children=%u;", c->max_children);
    if (strcmp(c->spec->name, "taken") == 0)
        answer_failure(p, a->number, ERROR(NAME_TAKEN), "");
    else
        answer_status(p, a->number);
}

static void on_call(struct peer *p, const Pb__Ask *a)
{
    const Pb__InterpCall *c = a->interp_call;
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;
    char *cycle[] = { (char *)"A", (char *)"B" };

    note("call %u %s%s timeout=%llu;", c->interp->handle, c->function, peer_show(p, c->args), (unsigned long long)c->timeout_us);
    if (strcmp(c->function, "later") == 0) {
        p->kept[p->n_kept++] = a->number;
        return;
    }
    if (strcmp(c->function, "boom") != 0) {
        for (size_t i = 0; i < c->args->n_handles; i++)
            init_handle(c->args->handles[i], PB__KIND__KIND_QUEUE, 12);
        if (c->args->whole != NULL) {
            struct stat st;

            assert_int_equal(fstat(world.memfd, &st), 0);
            init_handle(c->args->whole, PB__KIND__KIND_BUFFER, 16);
            c->args->whole->bytes = (uint64_t)st.st_size;
        }
        answer_value(p, a->number, c->args);
        if (c->args->whole != NULL) /* not the arena's */
            c->args->whole->id = c->args->whole->name = (char *)protobuf_c_empty_string;
        for (size_t i = 0; i < c->args->n_handles; i++) /* not the arena's */
            c->args->handles[i]->id = c->args->handles[i]->name = (char *)protobuf_c_empty_string;
        return;
    }
    f.error = ERROR(EXECUTION_FAILED);
    f.message = (char *)"it failed";
    f.remote = &e;
    e.type = (char *)"error";
    e.message = (char *)"there.lua:1: boom";
    e.traceback = (char *)"stack traceback:\n\tthere.lua:1";
    f.cause = PB__CAUSE__CAUSE_CPU_LIMIT;
    f.receipt = (char *)"RECEIPT";
    f.path = (char *)"args[1]";
    f.cycle = cycle;
    f.n_cycle = 2;
    answer.body_case = PB__ANSWER__BODY_FAILURE;
    answer.failure = &f;
    send_answer(p, &answer, a->number);
}

static void on_put(struct peer *p, const Pb__Ask *a)
{
    const Pb__QueuePut *m = a->queue_put;
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__QueueTaken taken = PB__QUEUE_TAKEN__INIT;

    note("put %zu timeout=%lld unbound=%d;", m->n_items, (long long)m->timeout_us, (int)m->unbound);
    if (world.closed) {
        answer_failure(p, a->number, ERROR(CLOSED), "");
        return;
    }
    for (; taken.count < m->n_items && world.n < world.capacity; taken.count++, world.n++) {
        const Pb__Value *v = m->items[taken.count];
        unsigned place = (world.first + world.n) % ITEMS_MAX;

        free(world.items[place]);
        world.items[place] = malloc(v->cbor.len);
        memcpy(world.items[place], v->cbor.data, v->cbor.len);
        world.lens[place] = v->cbor.len;
    }
    if (taken.count == 0) {
        answer_failure(p, a->number, ERROR(QUEUE_FULL), "");
        return;
    }
    answer.body_case = PB__ANSWER__BODY_TAKEN;
    answer.taken = &taken;
    send_answer(p, &answer, a->number);
}

static void on_get(struct peer *p, const Pb__Ask *a)
{
    static Pb__QueueItem items[ITEMS_MAX], *list[ITEMS_MAX];
    static Pb__Value values[ITEMS_MAX];
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__QueueItems m = PB__QUEUE_ITEMS__INIT;

    if (world.late) {
        world.late = false;
        world.get = *a->queue_get;
        world.get_number = a->number;
        return;
    }
    note("get %u timeout=%lld;", a->queue_get->max, (long long)a->queue_get->timeout_us);
    if (world.n == 0 && !world.closed) {
        answer_failure(p, a->number, ERROR(QUEUE_EMPTY), "");
        return;
    }
    for (; world.n > 0 && m.n_items < a->queue_get->max; m.n_items++, world.n--, world.first = (world.first + 1) % ITEMS_MAX) {
        pb__queue_item__init(&items[m.n_items]);
        pb__value__init(&values[m.n_items]);
        values[m.n_items].cbor.data = world.items[world.first];
        values[m.n_items].cbor.len = world.lens[world.first];
        list[m.n_items] = &items[m.n_items];
        items[m.n_items].sender = (char *)"SENDER";
        if (world.lens[world.first] == 1 && world.items[world.first][0] == 0) /* the integer 0: its sender has ended */
            items[m.n_items].unbound = PB__UNBOUND__UNBOUND_REPLACE;
        else
            items[m.n_items].value = &values[m.n_items];
    }
    m.items = list;
    m.closed = world.closed;
    answer.body_case = PB__ANSWER__BODY_ITEMS;
    answer.items = &m;
    send_answer(p, &answer, a->number);
}

static void on_late_get(struct peer *p)
{
    Pb__Ask a = PB__ASK__INIT;

    a.number = world.get_number;
    a.queue_get = &world.get;
    world.get_number = 0;
    on_get(p, &a);
}

static void on_kv(struct peer *p, const Pb__Ask *a)
{
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__KvValue v = PB__KV_VALUE__INIT;
    Pb__KvKeys k = PB__KV_KEYS__INIT;
    char *keys[] = { (char *)"a", (char *)"b" };

    if (a->body_case == PB__ASK__BODY_KV_GET) {
        note("kv get %s;", a->kv_get->key);
        if (strcmp(a->kv_get->key, "none") == 0) {
            answer_failure(p, a->number, ERROR(NOT_FOUND), "");
            return;
        }
        v.value.data = (uint8_t *)"\0x";
        v.value.len = 2;
        answer.body_case = PB__ANSWER__BODY_KV_VALUE;
        answer.kv_value = &v;
    } else {
        note("kv list %s after %s limit %u;", a->kv_list->prefix, a->kv_list->after, a->kv_list->limit);
        k.keys = keys;
        k.n_keys = 2;
        k.more = true;
        answer.body_case = PB__ANSWER__BODY_KV_KEYS;
        answer.kv_keys = &k;
    }
    send_answer(p, &answer, a->number);
}

static void invoke_with(struct peer *p, uint64_t call, const char *name, Pb__Value *args)
{
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__AliasInvocation m = PB__ALIAS_INVOCATION__INIT;

    m.number = call;
    m.name = (char *)name;
    m.args = args;
    answer.body_case = PB__ANSWER__BODY_INVOCATION;
    answer.invocation = &m;
    assert_int_not_equal(world.next, 0);
    send_answer(p, &answer, world.next);
    world.next = 0;
}

static void invoke(struct peer *p, uint64_t call, const char *name)
{
    Pb__Value v = PB__VALUE__INIT;
    struct value_writer w;

    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 2);
    value_int(&w, 40);
    value_int(&w, 2);
    value_end(&w);
    assert_int_equal(value_writer_take(&w, &v.cbor.data, &v.cbor.len), 0);
    invoke_with(p, call, name, &v);
    free(v.cbor.data);
}

static void on_alias_done(struct peer *p, const Pb__AliasDone *d)
{
    size_t len = strlen(world.done);

    if (d->error != NULL)
        snprintf(world.done + len, sizeof(world.done) - len, "%llu! %s: %s;", (unsigned long long)d->number, d->error->type,
                 d->error->message);
    else
        snprintf(world.done + len, sizeof(world.done) - len, "%llu=%s;", (unsigned long long)d->number, peer_show(p, d->value));
}

static void on_ask(struct peer *p, const Pb__Ask *a)
{
    switch (a->body_case) {
    case PB__ASK__BODY_INTERP_CREATE: on_create(p, a); break;
    case PB__ASK__BODY_INTERP_CALL: on_call(p, a); break;
    case PB__ASK__BODY_INTERP_EXEC:
        note("exec %.*s as %s timeout=%llu;", (int)a->interp_exec->source.len, (const char *)a->interp_exec->source.data,
             a->interp_exec->source_name, (unsigned long long)a->interp_exec->timeout_us);
        answer_value(p, a->number, NULL);
        break;
    case PB__ASK__BODY_INTERP_PREPARE:
        note("prepare %s;", peer_show(p, a->interp_prepare->names));
        answer_value(p, a->number, NULL);
        break;
    case PB__ASK__BODY_INTERP_INFO:
    case PB__ASK__BODY_INTERP_WAIT:
        note(a->body_case == PB__ASK__BODY_INTERP_INFO ? "info %u;" : "wait %u;",
             a->body_case == PB__ASK__BODY_INTERP_INFO ? a->interp_info->interp->handle : a->interp_wait->interp->handle);
        answer_status(p, a->number);
        break;
    case PB__ASK__BODY_INTERP_CLOSE: answer_failure(p, a->number, ERROR(BUSY), ""); break;
    case PB__ASK__BODY_INTERP_INTERRUPT:
    case PB__ASK__BODY_INTERP_KILL:
    case PB__ASK__BODY_INTERP_RESET:
    case PB__ASK__BODY_INTERP_LINK:
        note("%d%s;", (int)a->body_case, a->body_case == PB__ASK__BODY_INTERP_LINK && a->interp_link->undo ? " undo" : "");
        answer_done(p, a->number);
        break;
    case PB__ASK__BODY_QUEUE_CREATE:
        note("queue %s items=%u bytes=%llu unbound=%d durable=%d;", a->queue_create->name, a->queue_create->max_items,
             (unsigned long long)a->queue_create->max_bytes, (int)a->queue_create->unbound, a->queue_create->durable);
        answer_handle(p, a->number, PB__KIND__KIND_QUEUE);
        break;
    case PB__ASK__BODY_QUEUE_OPEN:
        note("open %s %u;", a->queue_open->name, a->queue_open->rights);
        answer_handle(p, a->number, PB__KIND__KIND_QUEUE);
        break;
    case PB__ASK__BODY_QUEUE_PUT: on_put(p, a); break;
    case PB__ASK__BODY_QUEUE_GET: on_get(p, a); break;
    case PB__ASK__BODY_QUEUE_CLOSE:
        world.closed = true;
        answer_done(p, a->number);
        break;
    case PB__ASK__BODY_BUFFER_NEW:
        note("buffer %llu;", (unsigned long long)a->buffer_new->bytes);
        if (world.no_buffers) {
            answer_failure(p, a->number, ERROR(NOT_ALLOWED), "");
            break;
        }
        world.memfd = memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(world.memfd, (off_t)a->buffer_new->bytes), 0);
        answer_buffer(p, a->number, true, a->buffer_new->bytes);
        break;
    case PB__ASK__BODY_BUFFER_SEAL:
        note("seal;");
        if (fcntl(world.memfd, F_ADD_SEALS, F_SEAL_WRITE) != 0)
            answer_failure(p, a->number, ERROR(BUSY), "");
        else
            answer_done(p, a->number);
        break;
    case PB__ASK__BODY_BUFFER_MAP:
        note("map;");
        answer_buffer(p, a->number, false, 0);
        break;
    case PB__ASK__BODY_KV_OPEN:
        note("kv %s %u;", a->kv_open->prefix, a->kv_open->rights);
        answer_handle(p, a->number, PB__KIND__KIND_KV);
        break;
    case PB__ASK__BODY_KV_GET:
    case PB__ASK__BODY_KV_LIST: on_kv(p, a); break;
    case PB__ASK__BODY_KV_PUT:
        note("kv put %s %zu %d;", a->kv_put->key, a->kv_put->value.len, a->kv_put->only_new);
        answer_done(p, a->number);
        break;
    case PB__ASK__BODY_HANDLE_GRANTED:
        note("granted %s;", a->handle_granted->name);
        answer_handle(p, a->number, PB__KIND__KIND_QUEUE);
        break;
    case PB__ASK__BODY_HANDLE_ATTENUATE:
        note("attenuate %u kind=%d rights=%u prefix=%s;", a->handle_attenuate->ref->handle, (int)a->handle_attenuate->kind,
             a->handle_attenuate->rights, a->handle_attenuate->prefix);
        answer_handle(p, a->number, a->handle_attenuate->kind);
        break;
    case PB__ASK__BODY_HANDLE_REVOKE:
        note("revoke %u;", a->handle_revoke->ref->handle);
        answer_done(p, a->number);
        break;
    case PB__ASK__BODY_HANDLE_DROP: note("drop %u;", a->handle_drop->handle); break;
    case PB__ASK__BODY_ALIAS_CALL:
        note("alias %s%s;", a->alias_call->name, peer_show(p, a->alias_call->args));
        answer_value(p, a->number, a->alias_call->args);
        break;
    case PB__ASK__BODY_ALIAS_NEXT: world.next = a->number; break;
    case PB__ASK__BODY_ALIAS_DONE: on_alias_done(p, a->alias_done); break;
    case PB__ASK__BODY_ASK_CANCEL:
        world.cancelled = a->ask_cancel->number;
        if (world.get_number != 0 && world.cancelled == world.get_number) {
            on_late_get(p);
            break;
        }
        answer_failure(p, world.cancelled, ERROR(INTERRUPTED), "");
        break;
    default: fail_msg("ask %d", (int)a->body_case);
    }
}

#define HEAD                                                                                                                               \
    "coop = require 'coop' interpreters = require 'coop.interpreters' queues = require 'coop.queues' buffers = require 'coop.buffers' "    \
    "kv = require 'coop.kv' caps = require 'coop.caps' "

static struct peer *begin(void **state)
{
    struct peer *p = *state;

    p->on_ask = on_ask;
    peer_start(p);
    gives(p, HEAD, "null");
    return p;
}

static void expect_log(const char *log)
{
    assert_string_equal(world.log, log);
    world.log[0] = '\0';
}

/* ---- interpreters ---------------------------------------------------------------------------------------------------------------------- */

static void create_says_what_it_is_to_be(void **state)
{
    struct peer *p = begin(state);

    gives(p, "i = interpreters.create() return tostring(i), i:kind(), i:name()", "[\"interpreter ID1\",\"interpreter\",\"named\"]");
    expect_log("create lua name= template= source= children=0;");
    gives(
        p,
        "q = queues.create() i = interpreters.create{engine = 'native', name = 'n', source = 'x = 1', limits = {wall = 0.5, memory = '64M'}, caps = "
        "{'interpreters=2', 'queue=a:send'}, modules = {['m.lua'] = 'return 1'}, env = {A = 'b'}, args = {'one', 'two'}, grants = {out = q}, "
        "max_children = 3}",
        "null");
    expect_log(
        "queue  items=0 bytes=0 unbound=0 durable=0;"
        "create native name=n template= source=x = 1 wall=500000 memory=67108864 cap interpreters=2 cap queue=a:send module m.lua env A arg one "
        "arg two grant out=2 children=3;");
    gives(p, "interpreters.create{template = 't@1'}", "null");
    expect_log("create  name= template=t@1 source= children=0;");
}

static void options_that_make_no_sense_are_refused_here(void **state)
{
    static const char *const rows[][2] = {
        {"interpreters.create{engin = 'lua'}",             "there is no option 'engin'"         },
        { "interpreters.create{limits = {walls = 1}}",     "there is no limit 'walls'"          },
        { "interpreters.create{limits = {wall = 'soon'}}", "wall"                               },
        { "interpreters.create{grants = {x = 1}}",         "field 'grants' must hold queues"    },
        { "interpreters.create{aliases = {x = 1}}",        "field 'aliases' must hold functions"},
        { "interpreters.create{name = {}}",                "field 'name' must be a string"      },
        { "interpreters.create{max_children = -1}",        "field 'max_children'"               },
        { "queues.create{max_items = 'x'}",                "field 'max_items'"                  },
        { "queues.open('x', 'all')",                       "there is no right 'all'"            },
        { "buffers.new(0)",                                "a buffer has 1 byte"                },
    };
    struct peer *p = begin(state);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_contains(expect_failure(p, rows[i][0], ERROR(EXECUTION_FAILED))->message, rows[i][1]);
    assert_int_equal(p->n_asks, 0);
}

/* Whatever runs while the options are read (a finalizer, an __index) finds nothing that it could change. */
static void options_are_as_they_were_when_create_was_called(void **state)
{
    struct peer *p = begin(state);

    gives(
        p,
        "for i = 1, 100 do local mods = {a = '1'} for j = 1, 20 do setmetatable({}, {__gc = function() for k = 1, 50 do mods['m' .. k] = 'x' end mods.a = nil "
        "end}) end pcall(interpreters.create, {modules = mods, env = mods, name = 'n' .. i}) end return 1",
        "1");
    world.log[0] = '\0';
    gives(p, "interpreters.create(setmetatable({}, {__index = function(t, k) return ('x'):rep(50) .. k end})) return 1", "1");
    expect_log("create lua name= template= source= children=0;");
}

static void a_call_brings_its_value(void **state)
{
    struct peer *p = begin(state);

    gives(p, "i = interpreters.create() return i:call('echo', 1, nil, {x = 'y'})", "[1,null,{\"x\":\"y\"}]");
    gives(p, "return #i:call('echo')", "0");
    gives(p, "i:exec('x = 1') i:exec('y', 2, 'named.lua') i:prepare_main{a = 1}", "null");
    gives(p, "i:call_for(1.5, 'echo')", "null");
    expect_log("create lua name= template= source= children=0;call 1 echo[1,null,{\"x\":\"y\"}] timeout=0;call 1 echo[] timeout=0;"
               "exec x = 1 as exec timeout=0;exec y as named.lua timeout=2000000;prepare {\"a\":1};call 1 echo[] timeout=1500000;");
}

static void a_time_limit_of_nothing_is_refused(void **state)
{
    static const char *const rows[] = { "i:call_for(0, 'echo')", "i:call_for(-1, 'echo')", "i:call_for(0/0, 'echo')",
                                        "i:exec('x = 1', 0)",    "i:exec('x = 1', -2)",    "i:exec_async('x = 1', -0.0)",
                                        "i:prepare_main({}, 0)" };
    struct peer *p = begin(state);

    gives(p, "i = interpreters.create()", "null");
    expect_log("create lua name= template= source= children=0;");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_contains(expect_failure(p, rows[i], ERROR(EXECUTION_FAILED))->message, "a time limit must be above 0 seconds");
    expect_log("");
    gives(p, "i:call_for(math.huge, 'echo') i:exec('x', nil, 'n.lua') i:call_for(1e-9, 'echo')", "null");
    expect_log("call 1 echo[] timeout=0;exec x as n.lua timeout=0;call 1 echo[] timeout=1;");
}

static void a_failure_is_an_error_with_all_that_is_known(void **state)
{
    struct peer *p = begin(state);

    gives(
        p,
        "i = interpreters.create() ok, e = pcall(i.call, i, 'boom') return ok, e.type, e.message, e.traceback, e.cause, e.receipt, e.path, #e.cycle, "
        "e.remote_type",
        "[false,\"ExecutionFailed\",\"there.lua:1: boom\",\"stack traceback:\n\tthere.lua:1\",\"cpu_limit\",\"RECEIPT\",\"args[1]\",2,\"error\"]");
    gives(p, "return tostring(e)", "\"ExecutionFailed: args[1]: there.lua:1: boom\nremote stack traceback:\n\tthere.lua:1\"");
    assert_string_equal(expect_failure(p, "i:call('boom')", ERROR(EXECUTION_FAILED))->remote->type, "ExecutionFailed");
    gives(p, "ok, e = pcall(interpreters.create, {name = 'taken'}) return e.type, e.message", "[\"NameTaken\",\"the name is taken\"]");
    gives(p, "ok, e = pcall(i.close, i) return e.type", "\"Busy\"");
    gives(p, "ok, e = pcall(i.call, i, 'f', {print}) return e.type, e.path", "[\"NotShareable\",\"args[1][1]\"]");
    gives(p, "return interpreters.is_shareable{print}", "[false,\"a function cannot be sent\",\"value[1]\"]");
}

static void its_life_is_asked_for_and_told(void **state)
{
    struct peer *p = begin(state);

    gives(p, "i = interpreters.create() i:interrupt() i:kill() i:reset() i:link() i:unlink()", "null");
    gives(p, "local s = i:wait() return s.state, s.cause, s.engine, s.calls, s.cpu", "[\"ended\",\"oom\",\"lua\",7,1.5f]");
    gives(p, "return i:is_running(), i:whence(), interpreters.current().engine", "[false,\"spawned\",\"lua\"]");
    expect_log("create lua name= template= source= children=0;14;16;17;21;21 undo;wait 1;info 1;info 1;info 0;");
}

static void futures_are_under_way_together(void **state)
{
    struct peer *p = begin(state);
    Pb__Value v = PB__VALUE__INIT;
    uint8_t seven[] = { 7 };

    gives(
        p,
        "i = interpreters.create() a = i:call_async('later') b = i:call_async('later') c = i:call_async('later') return a:done(), b:done()",
        "[false,false]");
    gives(p, "local ok, e = pcall(a.wait, a, 0.001) return ok, e.type", "[false,\"TimedOut\"]");
    assert_int_equal(p->n_kept, 3);
    v.cbor.data = seven;
    v.cbor.len = 1;
    answer_value(p, p->kept[1], &v);
    gives(p, "return b:wait(), b:wait(), b:done(), a:done()", "[7,7,true,false]");
    answer_failure(p, p->kept[0], ERROR(DEAD), "");
    gives(p, "local ok, e = pcall(a.wait, a) local ok2, e2 = pcall(a.wait, a) return e.type, e2 == e", "[\"Dead\",true]");
    gives(p, "c:cancel() local ok, e = pcall(c.wait, c) return e.type", "\"Interrupted\"");
    assert_int_equal(world.cancelled, p->kept[2]);
    gives(p, "d = i:call_async('later') d = nil collectgarbage() collectgarbage()", "null");
    assert_int_equal(world.cancelled, p->kept[3]);
}

static void several_may_wait_for_one_future(void **state)
{
    struct peer *p = begin(state);
    Pb__Value v = PB__VALUE__INIT;
    uint8_t seven[] = { 7 };

    gives(
        p,
        "i = interpreters.create() f = i:call_async('later') t = {} for k = 1, 4 do t[k] = coop.async(f.wait, f) end u = coop.async(pcall, f.wait, f, "
        "0.001) coop.yield() t[1]:cancel() return pcall(t[1].join, t[1])",
        "[false,\"cancelled\"]");
    gives(p, "return select(2, u:join()).type, t[2]:status()", "[\"TimedOut\",\"blocked\"]");
    v.cbor.data = seven;
    v.cbor.len = 1;
    answer_value(p, p->kept[0], &v);
    gives(p, "return t[2]:join(), t[3]:join(), t[4]:join(), f:wait()", "[7,7,7,7]");
}

/* A full memory's collection frees nothing that has a finalizer. */
static void asks_leave_no_garbage_that_a_full_memory_would_keep(void **state)
{
    struct peer *p = *state;

    p->limits.memory_bytes = PEER_MIB;
    (void)begin(state);
    gives(p, "i = interpreters.create() for k = 1, 40000 do i:call('echo') end", "null");
}

static void a_tasklet_waits_alone(void **state)
{
    struct peer *p = begin(state);

    gives(
        p,
        "i = interpreters.create() n = 0 t = coop.async(function() return i:call('later') end) for k = 1, 100 do n = n + 1 coop.yield() end return n, "
        "t:status()",
        "[100,\"blocked\"]");
    answer_value(p, p->kept[0], NULL);
    gives(p, "return t:join()", "null");
    gives(p, "t = coop.async(function() return i:call('later') end) coop.yield() t:cancel() return pcall(t.join, t)",
          "[false,\"cancelled\"]");
    assert_int_equal(world.cancelled, p->kept[1]);
}

static void an_interrupt_takes_back_what_the_call_waits_for(void **state)
{
    struct peer *p = begin(state);

    gives(p, "i = interpreters.create()", "null");
    p->interrupt_at = "go\n";
    (void)expect_failure(p, "print('go') i:call('later')", ERROR(INTERRUPTED));
    assert_int_equal(world.cancelled, p->kept[0]);
    gives(p, "return i:call('echo', 1)", "[1]");
}

/* ---- handles --------------------------------------------------------------------------------------------------------------------------- */

static void handles_travel_in_values(void **state)
{
    struct peer *p = begin(state);

    gives(
        p,
        "q = queues.create() i = interpreters.create() back = i:call('echo', q, {q = q}) return back[1]:kind(), back[1] == back[2].q, #back[1]:rights()",
        "[\"queue\",true,2]");
    gives(p, "return q", "handle(0)");
    assert_int_equal(((const Pb__FromWorker *)p->frame.msg)->call_done->value->handles[0]->handle, 1);
    gives(p, "q:drop() local ok, e = pcall(i.call, i, 'echo', q) return e.type, e.message",
          "[\"NotShareable\",\"an object that was closed cannot be sent\"]");
    expect_contains(expect_failure(p, "q:put(1)", ERROR(EXECUTION_FAILED))->message, "it was dropped");
}

static void what_is_collected_or_dropped_is_given_back_once(void **state)
{
    struct peer *p = begin(state);

    gives(p, "queues.create() collectgarbage() collectgarbage()", "null");
    expect_log("queue  items=0 bytes=0 unbound=0 durable=0;drop 1;");
    gives(p, "q = queues.create() q:drop() q:drop() q = nil collectgarbage()", "null");
    expect_log("queue  items=0 bytes=0 unbound=0 durable=0;drop 2;");
    gives(p, "g = caps.granted('in') g = nil collectgarbage() collectgarbage()", "null");
    expect_log("granted in;");
    gives(p, "keep = queues.create()", "null");
    world.log[0] = '\0';
    call_close(p);
    expect_log("");
}

/* In this very process, which is as the child of a template. */
static void an_object_of_the_template_is_as_a_dropped_one(void **state)
{
    const struct peer *p = *state;
    Pb__Handle h = PB__HANDLE__INIT;
    lua_State *L;

    h.handle = 7;
    h.kind = PB__KIND__KIND_QUEUE;
    assert_int_equal(lua_engine.open(1), 0);
    L = lua_job.main;
    lua_job.spec = &p->spec;
    assert_int_equal(lua_handle_push(L, &h)->number, 7);
    assert_int_equal(lua_handle_test(L, -1)->number, 7);
    lua_handles_forked();
    assert_int_equal(lua_handle_test(L, -1)->number, 0);
    assert_int_equal(lua_handle_push(L, &h)->number, 7);
    assert_int_equal(lua_handle_test(L, -1)->number, 7);
    assert_int_equal(lua_handle_test(L, -2)->number, 0);
    lua_job.closing = 1; /* what is left is given back to nobody */
    lua_close(L);
    lua_job.main = NULL;
}

static void capabilities_only_shrink(void **state)
{
    struct peer *p = begin(state);

    gives(p, "q = caps.granted('in') r = caps.attenuate(q, {'send', 'grant'}) return r:kind()", "\"queue\"");
    gives(p, "s = kv.open('a/', 'read') t = caps.attenuate(s, 'read', 'a/b/') caps.revoke(q) caps.drop(r)", "null");
    expect_log("granted in;attenuate 1 kind=2 rights=68 prefix=;kv a/ 16;attenuate 3 kind=5 rights=16 prefix=a/b/;revoke 1;drop 2;");
}

static void rights_are_said_in_the_words_of_cap_too(void **state)
{
    struct peer *p = begin(state);

    gives(p, "a = kv.open('a/', 'rw') b = kv.open('b/', 'ro') c = kv.open('c/', {'grant', 'both'})", "null");
    expect_log("kv a/ 48;kv b/ 16;kv c/ 76;");
}

/* ---- queues ---------------------------------------------------------------------------------------------------------------------------- */

static void items_go_in_and_come_out(void **state)
{
    struct peer *p = begin(state);

    gives(p,
          "q = queues.create{name = 'n', max_items = 4, max_bytes = 5, unbound = queues.PERSIST, durable = true} q:put{1} q:put(nil, 0.25) "
          "q:put('x', nil, queues.UNBOUND_REMOVE)",
          "null");
    expect_log(
        "queue n items=4 bytes=5 unbound=4 durable=1;put 1 timeout=-1 unbound=0;put 1 timeout=250000 unbound=0;put 1 timeout=-1 unbound=3;");
    gives(p, "return q:get()", "[[1],\"SENDER\"]");
    gives(p, "local v = q:get(1) return v", "null");
    gives(p, "return (q:get(0))", "\"x\"");
    gives(p, "local ok, e = pcall(q.get, q, 0) return e.type", "\"QueueEmpty\"");
    gives(p, "q:put(0) local v = q:get() return v == queues.UNBOUND, tostring(v)", "[true,\"UNBOUND\"]");
    gives(p, "q:put_many{1, 2, 3} local l = q:get_many(10) return l", "[1,2,3]");
    gives(p, "q:put_many{1, coop.null, 0} local l = q:get_many(10) return l[1], l[2] == coop.null, l[3] == queues.UNBOUND",
          "[1,true,true]");
}

static void a_full_or_closed_queue_says_so(void **state)
{
    struct peer *p = begin(state);

    gives(p, "q = queues.open('n', {'send'}) return q:put_many({1, 2, 3, 4, 5, 6}, 0)", "4");
    gives(p, "local ok, e = pcall(q.put, q, 1, 0) return e.type", "\"QueueFull\"");
    gives(p, "local ok, e = pcall(q.put_many, q, {1}, 0) return e.type", "\"QueueFull\"");
    gives(p, "q:close() local ok, e = pcall(q.put, q, 1) return e.type", "\"Closed\"");
    gives(p, "local n = 0 for v in q:each() do n = n + v end return n", "10");
    gives(p, "local ok, e = pcall(q.get, q) return e.type", "\"Closed\"");
}

/* Its item had left the queue before the broker heard that nobody wants it. */
static void an_item_that_comes_as_its_getter_is_cancelled_is_not_lost(void **state)
{
    struct peer *p = begin(state);

    gives(p, "q = queues.create() q:put('mine') return 1", "1");
    world.late = true;
    gives(p, "t = coop.async(function() got = q:get() end) coop.sleep(0.001) t:cancel() pcall(t.join, t) return got", "\"mine\"");
}

static void many_items_go_in_messages_that_fit(void **state)
{
    struct peer *p = begin(state);

    world.capacity = ITEMS_MAX;
    gives(p, "q = queues.create() local t = {} for i = 1, 600 do t[i] = i end return q:put_many(t)", "600");
    expect_log(
        "queue  items=0 bytes=0 unbound=0 durable=0;put 256 timeout=-1 unbound=0;put 256 timeout=-1 unbound=0;put 88 timeout=-1 unbound=0;");
    gives(p, "local l = q:get_many(1000) local s = 0 for _, v in ipairs(l) do s = s + v end return #l, s", "[600,180300]");
    gives(p, "local t = {} for i = 1, 10 do t[i] = ('x'):rep(60000) end return q:put_many(t)", "10");
    gives(p, "local ok, e = pcall(q.put_many, q, {1, {print}}) return e.path", "\"items[2][1]\"");
    world.no_buffers = true;
    gives(p, "local ok, e = pcall(q.put, q, ('x'):rep(70000)) return e.type, e.path", "[\"TooBig\",\"item\"]");
}

/* ---- buffers --------------------------------------------------------------------------------------------------------------------------- */

static void a_buffer_is_written_sealed_and_read(void **state)
{
    struct peer *p = begin(state);
    char text[6] = "";

    gives(p, "b = buffers.new(100000) b:write(1, 'hello') b:write(99996, 'world') return b:len(), b:read(1, 5)", "[100000,\"hello\"]");
    assert_int_equal(pread(world.memfd, text, 5, 99995), 5);
    assert_string_equal(text, "world"); /* it is the same memory */
    gives(p, "b:seal() return b:read(99996), b:read(1, 5)", "[\"world\",\"hello\"]");
    expect_log("buffer 100000;seal;map;");
    gives(p, "local ok, e = pcall(b.write, b, 1, 'x') return e.type", "\"NotAllowed\""); /* whatever its rights are said to be */
    gives(p, "s = b:slice(99990, 11) t = s:slice(7) return #s, t:read(), t:read(2, 3), s:len(), #b:read(2, 3)",
          "[11,\"world\",\"orl\",11,3]");
    expect_contains(expect_failure(p, "b:read(0)", ERROR(EXECUTION_FAILED))->message, "places count from 1");
    gives(p, "return b:read(100001), b:read(200000, 7), b:read(100000, 7) == 'd'", "[\"\",\"\",true]");
    gives(p, "b:drop() return pcall(t.read, t)", "[false,\"bad argument #2 to '?' (it was dropped)\"]");
}

static void writing_outside_of_a_buffer_is_refused(void **state)
{
    struct peer *p = begin(state);

    gives(p, "b = buffers.new(10)", "null");
    expect_contains(expect_failure(p, "b:write(0, 'x')", ERROR(EXECUTION_FAILED))->message, "outside of the buffer");
    expect_contains(expect_failure(p, "b:write(12, '')", ERROR(EXECUTION_FAILED))->message, "outside of the buffer");
    expect_contains(expect_failure(p, "b:write(10, 'xy')", ERROR(EXECUTION_FAILED))->message, "does not fit");
    expect_contains(expect_failure(p, "b:write(math.mininteger, 'xy')", ERROR(EXECUTION_FAILED))->message, "outside of the buffer");
    expect_contains(expect_failure(p, "b:write(math.maxinteger, 'xy')", ERROR(EXECUTION_FAILED))->message, "outside of the buffer");
    gives(p, "b:write(11, '') b:write(10, 'x') return b:read(math.maxinteger), b:read(10, math.maxinteger)", "[\"\",\"x\"]");
}

static void a_value_too_large_for_a_message_lies_in_a_buffer(void **state)
{
    struct peer *p = begin(state);

    gives(p, "i = interpreters.create() r = i:call('echo', ('x'):rep(100000), 7) return #r[1], r[2]", "[100000,7]");
    expect_log("create lua name= template= source= children=0;buffer 100007;seal;call 1 echonothing timeout=0;drop 2;map;drop 3;");
    assert_int_equal(fcntl(world.memfd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
}

static void a_buffer_of_a_string_is_sealed(void **state)
{
    struct peer *p = begin(state);

    gives(p, "return buffers.new('some text'):read(6)", "\"text\"");
    expect_log("buffer 9;seal;map;");
    assert_int_equal(fcntl(world.memfd, F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
}

/* ---- kv -------------------------------------------------------------------------------------------------------------------------------- */

static void keys_and_values(void **state)
{
    struct peer *p = begin(state);

    gives(p, "s = kv.open() return s:get('none'), #s:get('some')", "[null,2]");
    gives(p, "s:put('k', 'v\\0') s:put('k', 'v', true) local keys, more = s:list('p/', 'p/a', 2) return keys, more",
          "[[\"a\",\"b\"],true]");
    expect_log("kv  0;kv get none;kv get some;kv put k 2 0;kv put k 1 1;kv list p/ after p/a limit 2;");
    expect_contains(expect_failure(p, "s:get('\\xff')", ERROR(EXECUTION_FAILED))->message, "UTF-8");
    expect_contains(expect_failure(p, "s:put('a\\0b', 'x')", ERROR(EXECUTION_FAILED))->message, "UTF-8");
}

/* ---- aliases --------------------------------------------------------------------------------------------------------------------------- */

static void a_child_calls_an_alias(void **state)
{
    struct peer *p = begin(state);

    gives(p, "return coop.alias('log', 'x', {1})", "[\"x\",[1]]");
    expect_log("alias log[\"x\",[1]];");
}

static void listen_for_done(struct peer *p, const char *what)
{
    while (strcmp(world.done, what) != 0) {
        assert_false(peer_hear(p));
        if (strlen(world.done) > strlen(what))
            fail_msg("%s", world.done);
    }
    world.done[0] = '\0';
}

static void a_parent_serves_the_aliases_of_its_child(void **state)
{
    struct peer *p = begin(state);

    gives(
        p,
        "i = interpreters.create{aliases = {add = function(a, b) return a + b end, two = function(...) return ... end, bad = function() error('no') "
        "end, odd = function() return print end, slow = function(a) coop.sleep(0.005) return a end}}",
        "null");
    while (world.next == 0)
        assert_false(peer_hear(p));
    invoke(p, 1, "add");
    listen_for_done(p, "1=42;");
    invoke(p, 2, "two");
    listen_for_done(p, "2=[40,2];");
    invoke(p, 3, "bad");
    listen_for_done(p, "3! error: chunk.lua:1: no;");
    invoke(p, 4, "odd");
    listen_for_done(p, "4! NotShareable: result: a function cannot be sent;");
    invoke(p, 5, "none");
    listen_for_done(p, "5! NoFunction: there is no function behind this alias;");
    invoke(p, 6, "slow");
    while (world.next == 0)
        assert_false(peer_hear(p));
    invoke(p, 7, "add");
    listen_for_done(p, "7=42;6=40;");
}

/* The broker passes on what it never reads. */
static void a_child_that_sends_no_values_keeps_nobody_waiting(void **state)
{
    static uint8_t garbage[] = { 0xff };
    struct peer *p = begin(state);
    Pb__Value v = PB__VALUE__INIT;

    gives(p, "i = interpreters.create{aliases = {add = function(a, b) return a + b end}}", "null");
    while (world.next == 0)
        assert_false(peer_hear(p));
    v.cbor = (ProtobufCBinaryData){ sizeof(garbage), garbage };
    invoke_with(p, 8, "add", &v);
    while (world.next == 0)
        assert_false(peer_hear(p));
    assert_int_equal(strncmp(world.done, "8! ", 3), 0);
    world.done[0] = '\0';
    invoke(p, 9, "add");
    listen_for_done(p, "9=42;");
}

static void an_alias_is_served_while_its_parent_waits_and_nobody_waits_for_it(void **state)
{
    struct peer *p = begin(state);

    gives(p, "i = interpreters.create{aliases = {add = function(a, b) return a + b end}} coop.run() return coop.stats().alive", "1");
    gives(p, "t = coop.async(function() return i:call('later') end) coop.yield()", "null");
    while (world.next == 0)
        assert_false(peer_hear(p));
    invoke(p, 1, "add");
    listen_for_done(p, "1=42;");
    answer_value(p, p->kept[0], NULL);
    gives(p, "return t:join()", "null");
    p->interrupt_at = "go\n";
    (void)expect_failure(p, "print('go') while true do end", ERROR(INTERRUPTED));
    while (world.next == 0)
        assert_false(peer_hear(p));
    invoke(p, 2, "add");
    listen_for_done(p, "2=42;");
    while (world.next == 0)
        assert_false(peer_hear(p));
    answer_failure(p, world.next, ERROR(DEAD), "");
    gives(p, "coop.sleep(0.001) return coop.stats().alive", "0");
    call_close(p);
}

static void without_anything_of_it_a_job_asks_nothing(void **state)
{
    struct peer *p = begin(state);

    assert_int_equal(p->n_asks, 0);
    call_close(p);
    assert_int_equal(p->n_asks, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(create_says_what_it_is_to_be),
        TEST(options_that_make_no_sense_are_refused_here),
        TEST(options_are_as_they_were_when_create_was_called),
        TEST(a_call_brings_its_value),
        TEST(a_time_limit_of_nothing_is_refused),
        TEST(a_failure_is_an_error_with_all_that_is_known),
        TEST(its_life_is_asked_for_and_told),
        TEST(futures_are_under_way_together),
        TEST(several_may_wait_for_one_future),
        TEST(asks_leave_no_garbage_that_a_full_memory_would_keep),
        TEST(a_tasklet_waits_alone),
        TEST(an_interrupt_takes_back_what_the_call_waits_for),
        TEST(handles_travel_in_values),
        TEST(what_is_collected_or_dropped_is_given_back_once),
        TEST(capabilities_only_shrink),
        TEST(rights_are_said_in_the_words_of_cap_too),
        TEST(items_go_in_and_come_out),
        TEST(a_full_or_closed_queue_says_so),
        TEST(an_item_that_comes_as_its_getter_is_cancelled_is_not_lost),
        TEST(many_items_go_in_messages_that_fit),
        TEST(a_buffer_is_written_sealed_and_read),
        TEST(writing_outside_of_a_buffer_is_refused),
        TEST(a_value_too_large_for_a_message_lies_in_a_buffer),
        TEST(a_buffer_of_a_string_is_sealed),
        TEST(keys_and_values),
        TEST(a_child_calls_an_alias),
        TEST(a_parent_serves_the_aliases_of_its_child),
        TEST(a_child_that_sends_no_values_keeps_nobody_waiting),
        TEST(an_alias_is_served_while_its_parent_waits_and_nobody_waits_for_it),
        TEST(without_anything_of_it_a_job_asks_nothing),
        TEST(an_object_of_the_template_is_as_a_dropped_one), /* last: it makes a state in here */
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
