/* host.c - see host.h. */
#include "tests/support/host.h"

#include <stdlib.h>
#include <string.h>

#include "coop/version.h"
#include "job_limits.h"
#include "tests/support/support.h"

#define BODY(name) PB__ASK__BODY_INTERP_##name

struct coop_client *host_open(const char *url)
{
    struct coop_client_options o = { .size = sizeof(o), .endpoint = url, .no_autostart = true };
    struct coop_client *c = NULL;
    struct coop_error why;

    if (coop_client_open(&o, &c, &why) != 0)
        support_fail("no client of %s: %s", url, why.message);
    return c;
}

/* What a test still has in its hands when it ends, so that it is not lost: asks that nobody waits for, and answers that were given away. */
struct held {
    struct held *next;
    void *what;
};

static struct held *held;

static void hold(void *what)
{
    struct held *h = malloc(sizeof(*h));

    if (h == NULL)
        abort();
    *h = (struct held){ held, what };
    held = h;
}

static void let_go(const void *what)
{
    struct held **at = &held, *h;

    while (*at != NULL && (*at)->what != what)
        at = &(*at)->next;
    h = *at;
    if (h != NULL) {
        *at = h->next;
        free(h);
    }
}

struct coop_op *host_ask(struct coop_client *c, Pb__Ask__BodyCase body, void *m)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Ask a = PB__ASK__INIT;
    struct coop_op *op = NULL;
    struct coop_error why;
    uint8_t *bytes;
    size_t len;

    q.protocol = COOP_PROTOCOL;
    q.body_case = PB__REQUEST__BODY_ASK;
    q.ask = &a;
    a.number = coop_client_number(c);
    a.body_case = body;
    a.interp_create = m;
    len = pb__request__get_packed_size(&q);
    bytes = malloc(len);
    if (bytes == NULL)
        abort();
    (void)pb__request__pack(&q, bytes);
    if (coop_exchange_begin(c, bytes, len, -1, &op, &why) != 0)
        support_fail("an ask was not sent: %s", why.message);
    free(bytes);
    hold(op);
    return op;
}

Pb__Reply *host_reply(struct coop_op *op)
{
    struct coop_error why;
    void *bytes = NULL;
    size_t len = 0;
    Pb__Reply *r;
    int rc;

    if (coop_op_wait(op, SUPPORT_WAIT_MS * 1000) != 0)
        support_fail("no answer in %d ms", SUPPORT_WAIT_MS);
    rc = coop_exchange_end(op, &bytes, &len, NULL, &why);
    let_go(op);
    coop_op_free(op);
    if (rc != 0)
        return NULL;
    r = pb__reply__unpack(NULL, len, bytes);
    free(bytes);
    if (r == NULL)
        support_fail("the reply is none");
    if (r->body_case == PB__REPLY__BODY_ERROR)
        support_fail("refused: %s", r->error->message);
    return r;
}

const Pb__Answer *host_answer(struct coop_op *op)
{
    Pb__Reply *r = host_reply(op);

    if (r == NULL)
        support_fail("the connection was lost");
    hold(r);
    return r->ask;
}

const Pb__CallFailure *host_failure(struct coop_op *op, Pb__CallError error)
{
    const Pb__Answer *a = host_answer(op);

    if (a->body_case != PB__ANSWER__BODY_FAILURE)
        support_fail("answered by %d, and not by a failure", (int)a->body_case);
    if (a->failure->error != error)
        support_fail("error %d: %s", (int)a->failure->error, a->failure->message);
    return a->failure;
}

struct coop_op *host_ask_interp(struct coop_client *c, Pb__Owner owner, const char *name, const char *limits)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY];

    s.engine = "lua";
    s.name = (char *)name;
    s.limits = &l;
    if (limits[0] != '\0' && limits_parse(limits, &l, why) != 0)
        support_fail("%s: %s", limits, why);
    m.spec = &s;
    m.owner = owner;
    return host_ask(c, BODY(CREATE), &m);
}

char *host_interp(struct coop_client *c, Pb__Owner owner, const char *name, const char *limits)
{
    const Pb__Answer *a = host_answer(host_ask_interp(c, owner, name, limits));

    if (a->body_case != PB__ANSWER__BODY_HANDLE)
        support_fail("no interpreter: %s", a->failure->message);
    return a->handle->id;
}

struct coop_op *host_exec(struct coop_client *c, const char *id, const char *source, uint64_t timeout_us)
{
    Pb__InterpExec m = PB__INTERP_EXEC__INIT;
    Pb__Ref ref = PB__REF__INIT;

    ref.id = (char *)id;
    m.interp = &ref;
    m.source = (ProtobufCBinaryData){ strlen(source), (uint8_t *)source };
    m.source_name = "test";
    m.timeout_us = timeout_us;
    return host_ask(c, BODY(EXEC), &m);
}

struct coop_op *host_call(struct coop_client *c, const char *id, const char *function, const void *args, size_t len)
{
    Pb__InterpCall m = PB__INTERP_CALL__INIT;
    Pb__Value v = PB__VALUE__INIT;
    Pb__Ref ref = PB__REF__INIT;

    ref.id = (char *)id;
    m.interp = &ref;
    m.function = (char *)function;
    v.cbor = (ProtobufCBinaryData){ len, (uint8_t *)args };
    m.args = &v;
    return host_ask(c, BODY(CALL), &m);
}

struct coop_op *host_prepare(struct coop_client *c, const char *id, const void *names, size_t len)
{
    Pb__InterpPrepare m = PB__INTERP_PREPARE__INIT;
    Pb__Value v = PB__VALUE__INIT;
    Pb__Ref ref = PB__REF__INIT;

    ref.id = (char *)id;
    m.interp = &ref;
    v.cbor = (ProtobufCBinaryData){ len, (uint8_t *)names };
    m.names = &v;
    return host_ask(c, BODY(PREPARE), &m);
}

struct coop_op *host_simple(struct coop_client *c, Pb__Ask__BodyCase body, const char *id)
{
    union {
        Pb__InterpInterrupt interrupt;
        Pb__InterpClose close;
        Pb__InterpKill kill;
        Pb__InterpReset reset;
        Pb__InterpInfo info;
        Pb__InterpWait wait;
    } m;
    Pb__Ref ref = PB__REF__INIT;

    ref.id = (char *)id;
    switch (body) {
    case BODY(INTERRUPT): pb__interp_interrupt__init(&m.interrupt), m.interrupt.interp = &ref; break;
    case BODY(CLOSE): pb__interp_close__init(&m.close), m.close.interp = &ref; break;
    case BODY(KILL): pb__interp_kill__init(&m.kill), m.kill.interp = &ref; break;
    case BODY(RESET): pb__interp_reset__init(&m.reset), m.reset.interp = &ref; break;
    case BODY(INFO): pb__interp_info__init(&m.info), m.info.interp = &ref; break;
    default: pb__interp_wait__init(&m.wait), m.wait.interp = &ref;
    }
    return host_ask(c, body, &m);
}

static const Pb__CallResult *result_of(struct coop_op *op)
{
    const Pb__Answer *a = host_answer(op);

    if (a->body_case != PB__ANSWER__BODY_RESULT)
        support_fail("it failed: %s", a->body_case == PB__ANSWER__BODY_FAILURE ? a->failure->message : "no result");
    return a->result;
}

void host_runs(struct coop_client *c, const char *id, const char *source)
{
    (void)result_of(host_exec(c, id, source, 0));
}

int host_calls(struct coop_client *c, const char *id, const char *function, int arg)
{
    const uint8_t args[] = { 0x81, (uint8_t)arg };
    const Pb__CallResult *r = result_of(host_call(c, id, function, args, sizeof(args)));

    if (r->value == NULL || r->value->cbor.len != 1)
        support_fail("%s did not return a small number", function);
    return r->value->cbor.data[0];
}
