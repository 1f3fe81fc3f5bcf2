/* inside_value.c - see inside.h: values on their way, in a message or in a buffer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engines/native/inside.h"

/* ---- out ------------------------------------------------------------------------------------------------------------------------ */

static int list_handles(struct inside_value *p)
{
    const struct coop_encoding *e = &p->encoding;

    if (e->n_handles == 0)
        return 0;
    p->list = calloc(e->n_handles, sizeof(*p->list));
    p->pointers = calloc(e->n_handles, sizeof(*p->pointers));
    if (p->list == NULL || p->pointers == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < e->n_handles; i++) {
        pb__handle__init(&p->list[i]);
        p->list[i].handle = e->handles[i].number;
        p->list[i].rights = e->handles[i].rights;
        p->pointers[i] = &p->list[i];
    }
    p->message.n_handles = e->n_handles;
    p->message.handles = p->pointers;
    return 0;
}

/* The encoding is copied into a buffer of its own, which goes as soon as the message has. */
static int put_whole(struct inside_value *p)
{
    struct coop_buffer buffer;
    int rc = coop_buffer_new(p->encoding.len, &buffer);

    if (rc != 0)
        return rc;
    memcpy(buffer.at, p->encoding.cbor, p->encoding.len);
    rc = coop_buffer_seal(&buffer);
    if (rc != 0) {
        coop_handle_drop(&buffer.handle);
        return rc;
    }
    p->whole.handle = buffer.handle.number;
    p->message.whole = &p->whole;
    return 0;
}

int inside_value_pack(struct inside_value *p, const coop_val *v, const char *root)
{
    static const struct coop_encoding none = { 0 };
    static uint8_t null[] = { 0xf6 };
    char path[COOP_VAL_PATH];
    int rc;

    pb__value__init(&p->message);
    pb__handle__init(&p->whole);
    p->encoding = none;
    p->list = NULL;
    p->pointers = NULL;
    p->message.cbor.data = null;
    p->message.cbor.len = sizeof(null);
    if (v == NULL)
        return 0;
    rc = coop_val_encode(v, COOP_VAL_WHOLE_BYTES, root, &p->encoding, path);
    if (rc != 0)
        return inside_failed_value(rc, path);
    p->message.cbor.data = p->encoding.cbor;
    p->message.cbor.len = p->encoding.len;
    rc = list_handles(p);
    if (rc != 0)
        rc = inside_failed(rc, root);
    else if (p->encoding.len > COOP_VAL_INLINE_BYTES)
        rc = put_whole(p);
    if (p->message.whole != NULL)
        p->message.cbor.len = 0;
    if (rc != 0)
        inside_value_finish(p);
    return rc;
}

int inside_args_pack(struct inside_value *p, const coop_val *args)
{
    coop_val *empty;
    int rc;

    if (args != NULL && coop_val_type(args) != COOP_VAL_LIST && coop_val_type(args) != COOP_VAL_ERROR)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "args is of type %s: a list is wanted, or NULL",
                             coop_val_type_name(coop_val_type(args)));
    if (args != NULL)
        return inside_value_pack(p, args, "args");
    empty = coop_val_list();
    rc = inside_value_pack(p, empty, "args");
    coop_val_free(empty);
    return rc;
}

void inside_value_finish(struct inside_value *p)
{
    if (p->whole.handle != 0)
        coop_handle_drop(&(struct coop_handle){ .number = p->whole.handle });
    free(p->list);
    free(p->pointers);
    coop_encoding_free(&p->encoding);
    memset(p, 0, sizeof(*p));
}

int inside_value_give(struct inside_value *p, struct packed *into)
{
    size_t n = p->encoding.n_handles;

    into->whole = p->whole.handle;
    p->whole.handle = 0;
    if (n > 0) {
        into->handles = calloc(n, sizeof(*into->handles));
        into->rights = calloc(n, sizeof(*into->rights));
        if (into->handles == NULL || into->rights == NULL)
            return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++) {
        into->handles[i] = p->encoding.handles[i].number;
        into->rights[i] = p->encoding.handles[i].rights;
    }
    into->n_handles = (unsigned)n;
    into->cbor = p->encoding.cbor;
    into->len = p->encoding.len;
    p->encoding.cbor = NULL;
    inside_value_finish(p);
    return 0;
}

/* ---- in ------------------------------------------------------------------------------------------------------------------------- */

static int decode(const Pb__Value *v, const void *cbor, size_t len, size_t max, const char *root, coop_val **ret)
{
    struct coop_handle *handles = NULL;
    char path[COOP_VAL_PATH];
    int rc = -ENOMEM;

    if (v->n_handles > 0)
        handles = calloc(v->n_handles, sizeof(*handles));
    if (v->n_handles == 0 || handles != NULL) {
        for (size_t i = 0; i < v->n_handles; i++)
            inside_handle(&handles[i], v->handles[i]);
        rc = coop_val_decode(cbor, len, max, handles, v->n_handles, root, ret, path);
    } else {
        strcpy(path, "");
    }
    free(handles);
    return rc != 0 ? inside_failed_value(rc, path) : 0;
}

/* What has come is the caller's already, so this is done also for one that is cancelled meanwhile. */
static int fetch_whole(const Pb__Value *v, const char *root, coop_val **ret)
{
    struct coop_handle handle;
    struct coop_buffer buffer;
    int rc;

    inside_handle(&handle, v->whole);
    coop_shield(true);
    rc = coop_buffer_map(&handle, &buffer);
    coop_shield(false);
    if (rc == 0) {
        rc = decode(v, buffer.at, buffer.len, COOP_VAL_WHOLE_BYTES, root, ret);
        coop_buffer_unmap(&buffer);
    }
    coop_handle_drop(&handle);
    return rc;
}

int inside_value_unpack(const Pb__Value *v, const char *root, coop_val **ret)
{
    coop_val *null;

    if (v != NULL && v->whole != NULL)
        return fetch_whole(v, root, ret);
    if (v != NULL && v->cbor.len > 0)
        return decode(v, v->cbor.data, v->cbor.len, COOP_VAL_INLINE_BYTES, root, ret);
    null = coop_val_null();
    if (coop_val_error(null) != 0)
        return inside_failed(-ENOMEM, root);
    *ret = null;
    return 0;
}

void inside_value_refuse(const Pb__Value *v)
{
    for (size_t i = 0; v != NULL && i < v->n_handles; i++)
        coop_handle_drop(&(struct coop_handle){ .number = v->handles[i]->handle });
    if (v != NULL && v->whole != NULL)
        coop_handle_drop(&(struct coop_handle){ .number = v->whole->handle });
}

int inside_value_accept(const Pb__Value *v, const char *root, coop_val **ret)
{
    int rc = ret != NULL ? inside_value_unpack(v, root, ret) : 0;

    if (rc != 0 || ret == NULL)
        inside_value_refuse(v);
    return rc;
}
