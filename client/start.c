/* start.c - see start.h. */
#include "client/start.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include <coop/exit_codes.h>
#include <coop/version.h>

#include "client/failure.h"
#include "frame.h"

enum { GRACE_US = 10000000 }; /* for an answer of the broker's to a time that it keeps itself */

/* ---- beginning ------------------------------------------------------------------------------------------------------------------- */

static int start(struct start *s, Pb__Request *req, uint64_t number, int64_t timeout_us, const struct op_kind *kind)
{
    uint8_t *bytes;
    size_t len;
    int rc;

    req->protocol = COOP_PROTOCOL;
    if (frame_pack(&req->base, &bytes, &len) != 0)
        return start_no_memory(s->why);
    rc = op_begin(s->c, bytes, len, timeout_us, number, s->quiet, kind, &s->op, s->why);
    free(bytes);
    return rc;
}

int start_request(struct start *s, Pb__Request__BodyCase which, void *message, const struct op_kind *kind)
{
    Pb__Request req = PB__REQUEST__INIT;

    req.body_case = which;
    req.submit = message; /* all bodies are pointers at this place */
    return start(s, &req, 0, s->timeout_us, kind);
}

int start_ask(struct start *s, Pb__Ask__BodyCase which, void *message, bool own_time, const struct op_kind *kind)
{
    int64_t timeout_us = s->timeout_us;
    Pb__Request req = PB__REQUEST__INIT;
    Pb__Ask ask = PB__ASK__INIT;

    if (own_time && timeout_us >= 0)
        timeout_us = timeout_us < INT64_MAX - GRACE_US ? timeout_us + GRACE_US : INT64_MAX;
    ask.number = coop_client_number(s->c);
    ask.body_case = which;
    ask.interp_create = message;
    req.body_case = PB__REQUEST__BODY_ASK;
    req.ask = &ask;
    return start(s, &req, ask.number, timeout_us, kind);
}

uint64_t start_ask_timeout(const struct start *s)
{
    return s->timeout_us < 0 ? 0 : s->timeout_us == 0 ? 1 : (uint64_t)s->timeout_us;
}

int start_give(struct start *s, int rc, struct coop_op **ret)
{
    if (rc == 0)
        *ret = s->op;
    return rc;
}

int start_wait(struct start *s, int rc, struct coop_result *ret)
{
    if (rc != 0)
        return rc;
    (void)coop_op_wait(s->op, COOP_NO_LIMIT); /* its own time limit wakes it */
    rc = coop_op_take(s->op, ret, s->why);
    coop_op_free(s->op);
    return rc;
}

int start_wait_done(struct start *s, int rc)
{
    struct coop_result r;

    rc = start_wait(s, rc, &r);
    if (rc == 0)
        coop_result_free(&r);
    return rc;
}

int start_wait_handle(struct start *s, int rc, struct coop_handle *ret)
{
    struct coop_result r;

    rc = start_wait(s, rc, &r);
    if (rc == 0)
        *ret = r.handle;
    return rc;
}

/* ---- taking ---------------------------------------------------------------------------------------------------------------------- */

/* The body that the op's kind wants, or NULL. */
static const void *wanted_body(const struct op_kind *kind, const Pb__Reply *r)
{
    if (!kind->of_ask)
        return (int)r->body_case == kind->wanted ? (const void *)r->submit : NULL;
    if (r->body_case != PB__REPLY__BODY_ASK)
        return NULL;
    return (int)r->ask->body_case == kind->wanted || kind->wanted == ANY_ANSWER ? (const void *)r->ask->done : NULL;
}

bool op_wants_again(const struct coop_op *op)
{
    const void *body;
    struct frame f;
    bool again;

    if (op->kind == NULL || op->kind->again == NULL || op->call.rc != 0 ||
        frame_decode(&f, &pb__reply__descriptor, op->call.body, op->call.len, FRAME_MAX_CONTROL) != 0)
        return false;
    body = wanted_body(op->kind, (const Pb__Reply *)f.msg);
    again = body != NULL && op->kind->again(body);
    frame_release(&f);
    return again;
}

static int read_reply(struct coop_op *op, const Pb__Reply *r, struct coop_result *ret, struct coop_error *why)
{
    const void *body = wanted_body(op->kind, r);
    struct coop_result result;
    int rc = failure_of_reply(r, why);

    if (rc != 0)
        return rc;
    if (body == NULL)
        return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker answered something else than was asked");
    memset(&result, 0, sizeof(result));
    result.type = op->kind->type;
    rc = op->kind->read != NULL ? op->kind->read(op, body, &result, why) : 0;
    if (rc != 0)
        coop_result_free(&result);
    else
        *ret = result;
    return rc;
}

int coop_op_take(struct coop_op *op, struct coop_result *ret, struct coop_error *why)
{
    struct frame f;
    int rc = op_check(op, why);

    if (rc != 0)
        return rc;
    if (op->kind == NULL)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "a raw exchange is taken by coop_exchange_end()");
    if (op->call.body == NULL)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "the op's result has been taken already");
    rc = frame_decode(&f, &pb__reply__descriptor, op->call.body, op->call.len, FRAME_MAX_CONTROL);
    free(op->call.body);
    op->call.body = NULL;
    if (rc != 0)
        return client_explain(rc == -ENOMEM ? rc : -EPROTO, why);
    rc = read_reply(op, (const Pb__Reply *)f.msg, ret, why);
    frame_release(&f);
    return rc;
}

/* ---- two kinds that many have ------------------------------------------------------------------------------------------------------ */

static int read_handle(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    (void)why;
    handle_of_pb(&ret->handle, body);
    return 0;
}

const struct op_kind op_done = { true, ANY_ANSWER, COOP_RESULT_NOTHING, NULL, NULL, NULL };
const struct op_kind op_handle = { true, PB__ANSWER__BODY_HANDLE, COOP_RESULT_HANDLE, read_handle, NULL, NULL };

/* ---- texts and names --------------------------------------------------------------------------------------------------------------- */

void text_put(char *into, size_t size, const char *text)
{
    size_t n = strlen(text);

    if (n >= size)
        for (n = size - 1; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
            n--;
    memcpy(into, text, n);
    into[n] = '\0';
}

void text_put_enum(char *into, size_t size, const ProtobufCEnumDescriptor *d, const char *prefix, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(d, value);

    into[0] = '\0';
    if (value == 0 || v == NULL)
        return;
    text_put(into, size, v->name + strlen(prefix));
    for (char *p = into; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
}

Pb__Ref *ref_of_text(Pb__Ref *into, const char *text)
{
    pb__ref__init(into);
    into->id = (char *)(text != NULL ? text : "");
    return into;
}

Pb__Ref *ref_of_handle(Pb__Ref *into, const struct coop_handle *h)
{
    pb__ref__init(into);
    into->handle = h->number;
    if (h->number == 0)
        into->id = (char *)(h->id[0] != '\0' ? h->id : h->name);
    return into;
}

Pb__Handle *handle_to_pb(Pb__Handle *into, const struct coop_handle *h)
{
    pb__handle__init(into);
    into->handle = h->number;
    into->kind = (Pb__Kind)h->kind;
    into->rights = h->rights;
    into->id = (char *)h->id;
    into->name = (char *)h->name;
    into->bytes = h->bytes;
    return into;
}

void handle_of_pb(struct coop_handle *into, const Pb__Handle *h)
{
    memset(into, 0, sizeof(*into));
    into->number = h->handle;
    into->kind = (enum coop_kind)h->kind;
    into->rights = h->rights;
    into->bytes = h->bytes;
    PUT(into->id, h->id);
    PUT(into->name, h->name);
}

int start_no_memory(struct coop_error *why)
{
    return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
}

int start_array(void **ret, size_t n, size_t size, struct coop_error *why)
{
    *ret = n > 0 ? calloc(n, size) : NULL;
    return n > 0 && *ret == NULL ? start_no_memory(why) : 0;
}
