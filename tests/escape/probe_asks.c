/* probe_asks.c - see probe_asks.h. */
#include "tests/escape/probe_asks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call_errors.h"
#include "value.h"
#include "worker/link.h"
#include "worker/output.h"

#define BODY(name)  PB__ASK__BODY_##name
#define RIGHT(name) PB__RIGHT__RIGHT_##name
enum { GUESSES = 5000, FLOOD = 3000, STORM = 200000 };

static uint64_t last_number;

/* ---- saying and hearing ------------------------------------------------------------------------------------------------------------------ */

__attribute__((format(printf, 1, 2))) static void print(const char *fmt, ...)
{
    char line[256];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    output_write(PB__STREAM__STREAM_STDOUT, line, (size_t)n);
}

static uint64_t send(Pb__Ask *m)
{
    Pb__FromWorker from = PB__FROM_WORKER__INIT;

    if (m->number == 0)
        m->number = ++last_number;
    from.body_case = PB__FROM_WORKER__BODY_ASK;
    from.ask = m;
    link_send(&from);
    return m->number;
}

static struct heard {
    uint64_t number;
    bool failed;
    Pb__CallError error;
    uint32_t handle;
    size_t bytes; /* of a value, of all items */
} heard;

static void hear_answer(const Pb__Answer *m)
{
    heard = (struct heard){ .number = m->number };
    if (m->body_case == PB__ANSWER__BODY_FAILURE) {
        heard.failed = true;
        heard.error = m->failure->error;
    } else if (m->body_case == PB__ANSWER__BODY_HANDLE) {
        heard.handle = m->handle->handle;
    } else if (m->body_case == PB__ANSWER__BODY_KV_VALUE) {
        heard.bytes = m->kv_value->value.len;
    }
}

static void hear(void)
{
    struct frame f;

    while (link_wait(&f) != 0)
        ;
    if (((const Pb__ToWorker *)f.msg)->body_case == PB__TO_WORKER__BODY_ANSWER)
        hear_answer(((const Pb__ToWorker *)f.msg)->answer);
    frame_release(&f);
}

static const char *ask(Pb__Ask *m)
{
    uint64_t number = send(m);

    do
        hear();
    while (heard.number != number);
    return heard.failed ? call_error(heard.error)->name : "ok";
}

#define ASK(name, type, init, field, body)                                                                                                 \
    Pb__##type name##_body = PB__##init##__INIT;                                                                                           \
    Pb__Ask name = PB__ASK__INIT;                                                                                                          \
    name.body_case = BODY(body);                                                                                                           \
    name.field = &name##_body

/* ---- asks of one kind each ------------------------------------------------------------------------------------------------------------------ */

static const char *attenuate(uint32_t handle, uint32_t rights)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, HandleAttenuate, HANDLE_ATTENUATE, handle_attenuate, HANDLE_ATTENUATE);

    ref.handle = handle;
    m_body.ref = &ref;
    m_body.rights = rights;
    return ask(&m);
}

static const char *take_back(uint32_t handle, const char *id, Pb__Kind kind)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, HandleRevoke, HANDLE_REVOKE, handle_revoke, HANDLE_REVOKE);

    ref.handle = handle;
    ref.id = (char *)id;
    m_body.ref = &ref;
    m_body.kind = kind;
    return ask(&m);
}

static const char *drop(uint32_t handle)
{
    ASK(m, HandleDrop, HANDLE_DROP, handle_drop, HANDLE_DROP);

    m_body.handle = handle;
    return ask(&m);
}

static const char *get(uint32_t handle, const char *id, int64_t timeout_us)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, QueueGet, QUEUE_GET, queue_get, QUEUE_GET);

    ref.handle = handle;
    ref.id = (char *)id;
    m_body.queue = &ref;
    m_body.max = 1;
    m_body.timeout_us = timeout_us;
    return ask(&m);
}

/* passed: a handle that travels in the item, by number; 0: none. */
static const char *put(uint32_t handle, uint32_t passed)
{
    static const uint8_t null = 0xf6;
    Pb__Ref ref = PB__REF__INIT;
    Pb__Handle h = PB__HANDLE__INIT, *handles[] = { &h };
    Pb__Value v = PB__VALUE__INIT, *items[] = { &v };
    ASK(m, QueuePut, QUEUE_PUT, queue_put, QUEUE_PUT);

    ref.handle = handle;
    h.handle = passed;
    v.cbor = (ProtobufCBinaryData){ 1, (uint8_t *)&null };
    v.handles = handles;
    v.n_handles = passed != 0;
    m_body.queue = &ref;
    m_body.items = items;
    m_body.n_items = 1;
    return ask(&m);
}

static const char *make_queue(void)
{
    ASK(m, QueueCreate, QUEUE_CREATE, queue_create, QUEUE_CREATE);

    return ask(&m);
}

static const char *open_queue(const char *name)
{
    ASK(m, QueueOpen, QUEUE_OPEN, queue_open, QUEUE_OPEN);

    m_body.name = (char *)name;
    return ask(&m);
}

static const char *kv_open(const char *prefix)
{
    ASK(m, KvOpen, KV_OPEN, kv_open, KV_OPEN);

    m_body.prefix = (char *)prefix;
    return ask(&m);
}

static const char *kv_get(uint32_t handle, const char *id, const char *key)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, KvGet, KV_GET, kv_get, KV_GET);

    ref.handle = handle;
    ref.id = (char *)id;
    m_body.kv = &ref;
    m_body.key = (char *)key;
    return ask(&m);
}

static const char *call_interp(uint32_t handle, const char *id)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, InterpCall, INTERP_CALL, interp_call, INTERP_CALL);

    ref.handle = handle;
    ref.id = (char *)id;
    m_body.interp = &ref;
    m_body.function = "f";
    return ask(&m);
}

static const char *kill_interp(uint32_t handle, const char *id)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, InterpKill, INTERP_KILL, interp_kill, INTERP_KILL);

    ref.handle = handle;
    ref.id = (char *)id;
    m_body.interp = &ref;
    return ask(&m);
}

static const char *map_buffer(uint32_t handle)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, BufferMap, BUFFER_MAP, buffer_map, BUFFER_MAP);

    ref.handle = handle;
    m_body.buffer = &ref;
    return ask(&m);
}

static const char *alias_done(uint64_t number)
{
    ASK(m, AliasDone, ALIAS_DONE, alias_done, ALIAS_DONE);

    m_body.number = number;
    return ask(&m);
}

static const char *alias_call(const char *name)
{
    ASK(m, AliasCall, ALIAS_CALL, alias_call, ALIAS_CALL);

    m_body.name = (char *)name;
    return ask(&m);
}

static const char *bare(Pb__Ask__BodyCase body, void *message)
{
    Pb__Ask m = PB__ASK__INIT;

    m.body_case = body;
    m.queue_list = message;
    return ask(&m);
}

/* A queue of its own; its number. */
static uint32_t own_queue(void)
{
    const char *said = make_queue();

    if (strcmp(said, "ok") != 0)
        print("make_queue %s\n", said);
    return heard.handle;
}

/* ---- attacks --------------------------------------------------------------------------------------------------------------------------------- */

/* Each number that there might be, by each kind of ask: none of them is its own. */
static void guess(const char *word)
{
    static const uint32_t high[] = { 0x7fffffff, 0x80000000, UINT32_MAX };
    unsigned told = 0;

    (void)word;
    for (uint32_t i = 1; i <= GUESSES + 3; i++) {
        uint32_t n = i <= GUESSES ? i : high[i - GUESSES - 1];
        const char *said = i % 7 == 0   ? get(n, "", 0)
                           : i % 7 == 1 ? put(n, 0)
                           : i % 7 == 2 ? call_interp(n, "")
                           : i % 7 == 3 ? kill_interp(n, "")
                           : i % 7 == 4 ? map_buffer(n)
                           : i % 7 == 5 ? kv_get(n, "", "x")
                                        : attenuate(n, 0);

        told += strcmp(said, "BadHandle") == 0;
    }
    print("guess BadHandle %u\n", told);
}

static void replay_after_drop(const char *word)
{
    uint32_t q = own_queue();

    (void)word;
    print("drop %s\n", drop(q));
    print("replay %s", put(q, 0));
    print(" %s", get(q, "", 0));
    print(" %s", attenuate(q, 0));
    print(" %s\n", drop(q));
}

static void use_after_revoke(const char *word)
{
    uint32_t q = own_queue(), derived, below;

    (void)word;
    (void)attenuate(q, 0);
    derived = heard.handle;
    (void)attenuate(derived, 0);
    below = heard.handle;
    print("revoke %s\n", take_back(q, "", PB__KIND__KIND_QUEUE));
    print("use %s", put(derived, 0));
    print(" %s", get(below, "", 0));
    print(" %s", attenuate(below, 0));
    print(" %s", put(q, derived));
    print(" %s\n", put(q, 0));
}

static void rights_it_has_not(const char *word)
{
    uint32_t q = own_queue(), send_only;

    (void)word;
    (void)attenuate(q, RIGHT(SEND));
    send_only = heard.handle;
    print("rights %s", get(send_only, "", 0));
    print(" %s", attenuate(send_only, RIGHT(RECV)));
    print(" %s", put(q, send_only)); /* it has no right to hand it on */
    print(" %s\n", put(send_only, 0));
}

/* word: the name or the id of a thing that is another's. */
static void name_anothers(const char *word)
{
    print("name %s", get(0, word, 0));
    print(" %s", call_interp(0, word));
    print(" %s", kill_interp(0, word));
    print(" %s", take_back(0, word, PB__KIND__KIND_QUEUE));
    print(" %s", kv_get(0, word, "x"));
    print(" %s", open_queue(word));
    print(" %s\n", get(1, word, 0));
}

static void read_anothers_keys(const char *word)
{
    uint32_t own;

    print("keys %s", kv_open(""));
    print(" %s", kv_open(word));
    print(" %s", kv_open("mine/../"));
    own = heard.handle;
    print(" %s", kv_get(own, "", word));
    (void)kv_open("mine/");
    own = heard.handle;
    print(" %s\n", kv_get(own, "", "secret"));
}

static void host_calls(const char *word)
{
    Pb__QueueList queues = PB__QUEUE_LIST__INIT;
    Pb__TemplateList templates = PB__TEMPLATE_LIST__INIT;
    Pb__AliasLog log = PB__ALIAS_LOG__INIT;
    Pb__TemplateBuild build = PB__TEMPLATE_BUILD__INIT;

    (void)word;
    print("host %s", bare(BODY(QUEUE_LIST), &queues));
    print(" %s", bare(BODY(TEMPLATE_LIST), &templates));
    print(" %s", bare(BODY(TEMPLATE_BUILD), &build));
    print(" %s\n", bare(BODY(ALIAS_LOG), &log));
}

static void make_without_capability(const char *word)
{
    Pb__InterpCreate interp = PB__INTERP_CREATE__INIT;
    Pb__BufferNew buffer = PB__BUFFER_NEW__INIT;

    (void)word;
    print("make %s", make_queue());
    print(" %s", bare(BODY(INTERP_CREATE), &interp));
    print(" %s\n", bare(BODY(BUFFER_NEW), &buffer));
}

static void forge_aliases(const char *word)
{
    unsigned refused = 0;

    (void)word;
    for (uint64_t n = 0; n < 1000; n++)
        refused += strcmp(alias_done(n), "BadRequest") == 0;
    print("aliases BadRequest %u %s\n", refused, alias_call("print"));
}

static void too_much(const char *word)
{
    static uint8_t big[VALUE_BYTES + 1];
    static Pb__Handle handles[VALUE_HANDLES + 1], *list[VALUE_HANDLES + 1];
    Pb__Ref ref = PB__REF__INIT;
    Pb__Value v = PB__VALUE__INIT, *items[] = { &v };
    ASK(m, QueuePut, QUEUE_PUT, queue_put, QUEUE_PUT);

    (void)word;
    ref.handle = own_queue();
    m_body.queue = &ref;
    m_body.items = items;
    m_body.n_items = 1;
    v.cbor = (ProtobufCBinaryData){ sizeof(big), big };
    print("much %s", ask(&m));
    for (size_t i = 0; i < VALUE_HANDLES + 1; i++) {
        pb__handle__init(&handles[i]);
        handles[i].handle = ref.handle;
        list[i] = &handles[i];
    }
    v.cbor.len = 1;
    v.handles = list;
    v.n_handles = VALUE_HANDLES + 1;
    m.number = 0;
    print(" %s\n", ask(&m));
}

/* More than may be open wait for an item that never comes; then all of them are let go. */
static void flood_of_waits(const char *word)
{
    uint32_t q = own_queue();
    unsigned limits = 0, ended = 0;
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, QueueGet, QUEUE_GET, queue_get, QUEUE_GET);

    (void)word;
    ref.handle = q;
    m_body.queue = &ref;
    m_body.max = 1;
    m_body.timeout_us = -1;
    for (unsigned i = 0; i < FLOOD; i++) {
        m.number = 0;
        (void)send(&m);
    }
    for (unsigned i = 0; i < FLOOD - 2048; i++) {
        hear();
        limits += heard.failed && heard.error == PB__CALL_ERROR__CALL_ERROR_LIMIT;
    }
    print("flood Limit %u %s\n", limits, attenuate(q, 0)); /* what does not wait is answered all the same */
    {
        ASK(d, HandleDrop, HANDLE_DROP, handle_drop, HANDLE_DROP);

        d_body.handle = q;
        (void)send(&d);
    }
    for (unsigned i = 0; i < 2048; i++) {
        hear();
        ended += heard.failed && heard.error == PB__CALL_ERROR__CALL_ERROR_INTERRUPTED;
    }
    print("dropped Interrupted %u\n", ended);
}

/* As fast as it can, and reads none of the answers. */
static void storm(const char *word)
{
    ASK(m, HandleList, HANDLE_LIST, handle_list, HANDLE_LIST);

    (void)word;
    for (unsigned i = 0; i < 4000; i++)
        (void)make_queue();
    for (unsigned i = 0; i < STORM; i++) {
        m.number = 0;
        (void)send(&m);
    }
    link_rest();
}

static void number_twice(const char *word)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, QueueGet, QUEUE_GET, queue_get, QUEUE_GET);

    (void)word;
    ref.handle = own_queue();
    m_body.queue = &ref;
    m_body.max = 1;
    m_body.timeout_us = -1;
    (void)send(&m);
    (void)send(&m);
    link_rest();
}

static void number_zero(const char *word)
{
    Pb__FromWorker from = PB__FROM_WORKER__INIT;
    ASK(m, HandleList, HANDLE_LIST, handle_list, HANDLE_LIST);

    (void)word;
    from.body_case = PB__FROM_WORKER__BODY_ASK;
    from.ask = &m;
    link_send(&from);
    link_rest();
}

static void empty(const char *word)
{
    Pb__Ask m = PB__ASK__INIT;

    (void)word;
    (void)send(&m);
    link_rest();
}

/* Derives and drops without end: what it does not hold must not stay anywhere. */
static void churn(const char *word)
{
    uint32_t q = own_queue(), at = q;
    unsigned bad = 0;

    (void)word;
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t before = at;

        bad += strcmp(attenuate(before, 0), "ok") != 0;
        at = heard.handle;
        bad += before != q && strcmp(drop(before), "ok") != 0;
    }
    print("churn %u %s\n", bad, put(at, 0));
}

void probe_ask(const char *line)
{
    static const struct {
        const char *name;
        void (*run)(const char *word);
    } attacks[] = {
        {"guess",   guess                  },
        { "replay", replay_after_drop      },
        { "revoke", use_after_revoke       },
        { "rights", rights_it_has_not      },
        { "name",   name_anothers          },
        { "keys",   read_anothers_keys     },
        { "host",   host_calls             },
        { "make",   make_without_capability},
        { "alias",  forge_aliases          },
        { "much",   too_much               },
        { "flood",  flood_of_waits         },
        { "storm",  storm                  },
        { "twice",  number_twice           },
        { "zero",   number_zero            },
        { "empty",  empty                  },
        { "churn",  churn                  },
    };
    size_t len = strcspn(line, " ");

    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
        if (strlen(attacks[i].name) == len && memcmp(attacks[i].name, line, len) == 0) {
            attacks[i].run(line[len] == ' ' ? line + len + 1 : "");
            return;
        }
    print("there is no attack %s\n", line);
}
