/* inside_kv.c - see coop/interp.h: keys and values that stay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engines/native/inside.h"

static int refuse_null(const char *what)
{
    return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "%s: NULL", what);
}

int coop_kv_open(const char *prefix, unsigned rights, struct coop_handle *ret)
{
    Pb__KvOpen m = PB__KV_OPEN__INIT;
    Pb__Ask a = INSIDE_ASK(KV_OPEN, kv_open, &m);

    if (prefix == NULL || ret == NULL)
        return refuse_null("kv_open");
    m.prefix = (char *)prefix;
    m.rights = rights;
    return inside_ask_handle(&a, ret);
}

int coop_kv_get(const struct coop_handle *kv, const char *key, struct coop_bytes *ret)
{
    Pb__KvGet m = PB__KV_GET__INIT;
    Pb__Ask a = INSIDE_ASK(KV_GET, kv_get, &m);
    const ProtobufCBinaryData *v;
    struct ask *answered;
    Pb__Ref ref;
    void *copy;
    int rc;

    if (kv == NULL || key == NULL || ret == NULL)
        return refuse_null("kv_get");
    inside_ref(&ref, kv);
    m.kv = &ref;
    m.key = (char *)key;
    rc = inside_ask(&a, PB__ANSWER__BODY_KV_VALUE, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    v = &ask_answer(answered)->kv_value->value;
    copy = calloc(1, v->len + 1);
    if (copy == NULL) {
        rc = inside_failed(-ENOMEM, "kv_get");
    } else {
        if (v->len > 0)
            memcpy(copy, v->data, v->len);
        *ret = (struct coop_bytes){ copy, v->len };
    }
    ask_end(answered);
    return rc;
}

int coop_kv_put(const struct coop_handle *kv, const char *key, const void *bytes, size_t len, bool only_new)
{
    Pb__KvPut m = PB__KV_PUT__INIT;
    Pb__Ask a = INSIDE_ASK(KV_PUT, kv_put, &m);
    Pb__Ref ref;

    if (kv == NULL || key == NULL || (bytes == NULL && len > 0))
        return refuse_null("kv_put");
    inside_ref(&ref, kv);
    m.kv = &ref;
    m.key = (char *)key;
    m.value.data = (uint8_t *)bytes;
    m.value.len = len;
    m.only_new = only_new;
    return inside_ask_done(&a);
}

int coop_kv_remove(const struct coop_handle *kv, const char *key)
{
    Pb__KvDelete m = PB__KV_DELETE__INIT;
    Pb__Ask a = INSIDE_ASK(KV_DELETE, kv_delete, &m);
    Pb__Ref ref;

    if (kv == NULL || key == NULL)
        return refuse_null("kv_remove");
    inside_ref(&ref, kv);
    m.kv = &ref;
    m.key = (char *)key;
    return inside_ask_done(&a);
}

/* In one block. */
static char **copy_keys(const Pb__KvKeys *m)
{
    size_t size = (m->n_keys + 1) * sizeof(char *);
    char **keys, *at;

    for (size_t i = 0; i < m->n_keys; i++)
        size += strlen(m->keys[i]) + 1;
    keys = malloc(size);
    if (keys == NULL)
        return NULL;
    at = (char *)(keys + m->n_keys + 1);
    for (size_t i = 0; i < m->n_keys; i++) {
        keys[i] = at;
        at = stpcpy(at, m->keys[i]) + 1;
    }
    keys[m->n_keys] = NULL;
    return keys;
}

int coop_kv_list(const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit, struct coop_keys *ret)
{
    Pb__KvList m = PB__KV_LIST__INIT;
    Pb__Ask a = INSIDE_ASK(KV_LIST, kv_list, &m);
    const Pb__KvKeys *keys;
    struct ask *answered;
    char **copy;
    Pb__Ref ref;
    int rc;

    if (kv == NULL || ret == NULL)
        return refuse_null("kv_list");
    inside_ref(&ref, kv);
    m.kv = &ref;
    if (prefix != NULL)
        m.prefix = (char *)prefix;
    if (after != NULL)
        m.after = (char *)after;
    m.limit = limit;
    rc = inside_ask(&a, PB__ANSWER__BODY_KV_KEYS, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    keys = ask_answer(answered)->kv_keys;
    copy = copy_keys(keys);
    if (copy != NULL) {
        *ret = (struct coop_keys){ copy, keys->n_keys, keys->more };
    } else {
        rc = inside_failed(-ENOMEM, "kv_list");
    }
    ask_end(answered);
    return rc;
}

void coop_keys_free(struct coop_keys *keys)
{
    if (keys == NULL)
        return;
    free(keys->keys);
    *keys = (struct coop_keys){ NULL, 0, keys->more };
}
