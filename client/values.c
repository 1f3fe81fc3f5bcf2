/* values.c - see values.h. */
#include "client/values.h"

#include <errno.h>
#include <stdlib.h>

#include <coop/exit_codes.h>

#include "call_errors.h"
#include "frame.h"

/* ---- out ------------------------------------------------------------------------------------------------------------------------- */

static Pb__CallError error_of(int rc)
{
    switch (rc) {
    case -ELOOP: return PB__CALL_ERROR__CALL_ERROR_TOO_DEEP;
    case -E2BIG: return PB__CALL_ERROR__CALL_ERROR_TOO_BIG;
    case -ENOMEM: return PB__CALL_ERROR__CALL_ERROR_TEMPORARY;
    default: return PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE;
    }
}

/* What is wrong with it, where the error's own words are wider. */
static const char *reason_of(int rc, const struct call_error_row *row)
{
    return rc == -EILSEQ ? "text that is not UTF-8, which goes as bytes" : row->what;
}

static int refuse(int rc, const char *path, struct coop_error *why)
{
    const struct call_error_row *row = call_error(error_of(rc));

    if (rc == -ENOMEM)
        return start_no_memory(why);
    coop_error_set(why, row->error, row->exit_code, "%s: %s", path[0] != '\0' ? path : "value", reason_of(rc, row));
    if (why != NULL)
        PUT(why->path, path);
    return -row->error;
}

static int list_handles(struct sent_value *v)
{
    size_t n = v->encoding.n_handles;

    if (n == 0)
        return 0;
    v->handles = calloc(n, sizeof(*v->handles));
    v->list = calloc(n, sizeof(*v->list));
    if (v->handles == NULL || v->list == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        v->list[i] = handle_to_pb(&v->handles[i], &v->encoding.handles[i]);
    v->pb.handles = v->list;
    v->pb.n_handles = n;
    return 0;
}

static int put_into_buffer(struct start *s, struct sent_value *v)
{
    struct coop_buffer b;
    int rc = coop_buffer_new(s->c, v->encoding.len, s->timeout_us, &b, s->why);

    if (rc != 0)
        return rc;
    memcpy(b.at, v->encoding.cbor, v->encoding.len);
    rc = coop_buffer_seal(s->c, &b, s->timeout_us, s->why);
    coop_buffer_unmap(&b);
    v->buffer = b.handle;
    v->pb.whole = handle_to_pb(&v->whole, &v->buffer);
    return rc;
}

static int fill(struct start *s, const coop_val *v, const char *root, struct sent_value *ret)
{
    char path[COOP_VAL_PATH];
    int rc = coop_val_encode(v, COOP_VAL_WHOLE_BYTES, root, &ret->encoding, path);

    if (rc != 0)
        return refuse(rc, path, s->why);
    if (list_handles(ret) != 0)
        return start_no_memory(s->why);
    if (ret->encoding.len > COOP_VAL_INLINE_BYTES)
        return put_into_buffer(s, ret);
    ret->pb.cbor = (ProtobufCBinaryData){ ret->encoding.len, ret->encoding.cbor };
    return 0;
}

int value_send(struct start *s, const coop_val *v, const char *root, struct sent_value *ret)
{
    coop_val *none = v == NULL ? coop_val_list() : NULL;
    int rc;

    memset(ret, 0, sizeof(*ret));
    pb__value__init(&ret->pb);
    rc = fill(s, v != NULL ? v : none, root, ret);
    coop_val_free(none);
    if (rc != 0)
        value_sent(s, ret);
    return rc;
}

/* Messages of a connection are read in turn: when this is, the buffer has been handed on. */
static void drop(struct coop_client *c, const struct coop_handle *h)
{
    Pb__HandleDrop m = PB__HANDLE_DROP__INIT;

    m.handle = h->number;
    if (h->number != 0)
        op_tell(c, PB__ASK__BODY_HANDLE_DROP, &m);
}

void value_sent(struct start *s, struct sent_value *v)
{
    drop(s->c, &v->buffer);
    coop_encoding_free(&v->encoding);
    free(v->handles);
    free(v->list);
    memset(v, 0, sizeof(*v));
}

/* ---- in -------------------------------------------------------------------------------------------------------------------------- */

static int decode(const void *cbor, size_t len, size_t max, const Pb__Value *v, coop_val **ret, struct coop_error *why)
{
    struct coop_handle *handles;
    char path[COOP_VAL_PATH];
    int rc = start_array((void **)&handles, v->n_handles, sizeof(*handles), why);

    if (rc != 0)
        return rc;
    for (size_t i = 0; i < v->n_handles; i++)
        handle_of_pb(&handles[i], v->handles[i]);
    rc = coop_val_decode(cbor, len, max, handles, v->n_handles, "value", ret, path);
    free(handles);
    if (rc == -ENOMEM)
        return start_no_memory(why);
    if (rc != 0)
        return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "what came is no value (%s: %s)", path, strerror(-rc));
    return 0;
}

static int receive_whole(struct coop_client *c, const Pb__Value *v, coop_val **ret, struct coop_error *why)
{
    struct coop_handle h;
    struct coop_buffer b;
    int rc;

    handle_of_pb(&h, v->whole);
    rc = coop_buffer_map(c, &h, COOP_NO_LIMIT, &b, why);
    if (rc != 0)
        return rc;
    rc = decode(b.at, b.len, COOP_VAL_WHOLE_BYTES, v, ret, why);
    coop_buffer_unmap(&b);
    drop(c, &h);
    return rc;
}

int value_receive(struct coop_client *c, const Pb__Value *v, coop_val **ret, struct coop_error *why)
{
    if (v != NULL && v->whole != NULL)
        return receive_whole(c, v, ret, why);
    if (v != NULL)
        return decode(v->cbor.data, v->cbor.len, COOP_VAL_INLINE_BYTES, v, ret, why);
    *ret = coop_val_null();
    return 0;
}

/* ---- raw --------------------------------------------------------------------------------------------------------------------------- */

int coop_exchange_value(struct coop_client *c, const coop_val *value, const char *root, int64_t timeout_us, void **ret_packed,
                        size_t *ret_len, struct coop_handle *ret_buffer, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct sent_value v;
    uint8_t *packed;
    int rc = value_send(&s, value, root, &v);

    if (rc != 0)
        return rc;
    if (frame_pack(&v.pb.base, &packed, ret_len) == 0) {
        *ret_packed = packed;
        *ret_buffer = v.buffer;
        v.buffer.number = 0; /* it is the caller's now */
    } else {
        rc = start_no_memory(why);
    }
    value_sent(&s, &v);
    return rc;
}

int coop_exchange_value_of(struct coop_client *c, const void *packed, size_t len, coop_val **ret, struct coop_error *why)
{
    struct frame f;
    int rc = frame_decode(&f, &pb__value__descriptor, packed, len, FRAME_MAX_CONTROL);

    if (rc != 0)
        return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "what came is no value (%s)", strerror(-rc));
    rc = value_receive(c, (const Pb__Value *)f.msg, ret, why);
    frame_release(&f);
    return rc;
}
