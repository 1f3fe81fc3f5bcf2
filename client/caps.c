/* caps.c - capabilities: handles attenuated, revoked, dropped; keys under a prefix. See include/coop/client.h. */
#include <stdlib.h>

#include "client/start.h"

/* ---- handles ------------------------------------------------------------------------------------------------------------------------- */

static int start_attenuate(struct start *s, const struct coop_handle *of, unsigned rights, const char *prefix)
{
    Pb__HandleAttenuate m = PB__HANDLE_ATTENUATE__INIT;
    Pb__Ref ref;

    m.ref = ref_of_handle(&ref, of);
    m.kind = (Pb__Kind)of->kind;
    m.rights = rights;
    m.prefix = (char *)(prefix != NULL ? prefix : "");
    return start_ask(s, PB__ASK__BODY_HANDLE_ATTENUATE, &m, false, &op_handle);
}

int coop_handle_attenuate(struct coop_client *c, const struct coop_handle *of, unsigned rights, const char *prefix, int64_t timeout_us,
                          struct coop_handle *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_handle(&s, start_attenuate(&s, of, rights, prefix), ret);
}

int coop_handle_attenuate_begin(struct coop_client *c, const struct coop_handle *of, unsigned rights, const char *prefix,
                                int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_attenuate(&s, of, rights, prefix), ret);
}

static int start_revoke(struct start *s, const struct coop_handle *of)
{
    Pb__HandleRevoke m = PB__HANDLE_REVOKE__INIT;
    Pb__Ref ref;

    m.ref = ref_of_handle(&ref, of);
    m.kind = (Pb__Kind)of->kind;
    return start_ask(s, PB__ASK__BODY_HANDLE_REVOKE, &m, false, &op_done);
}

int coop_handle_revoke(struct coop_client *c, const struct coop_handle *of, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_revoke(&s, of));
}

int coop_handle_revoke_begin(struct coop_client *c, const struct coop_handle *of, int64_t timeout_us, struct coop_op **ret,
                             struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_revoke(&s, of), ret);
}

static int start_drop(struct start *s, const struct coop_handle *handle)
{
    Pb__HandleDrop m = PB__HANDLE_DROP__INIT;

    m.handle = handle->number;
    return start_ask(s, PB__ASK__BODY_HANDLE_DROP, &m, false, &op_done);
}

int coop_handle_drop(struct coop_client *c, const struct coop_handle *handle, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_drop(&s, handle));
}

int coop_handle_drop_begin(struct coop_client *c, const struct coop_handle *handle, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_drop(&s, handle), ret);
}

/* ---- keys: answers --------------------------------------------------------------------------------------------------------------- */

static int read_value(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const ProtobufCBinaryData *v = &((const Pb__KvValue *)body)->value;
    char *copy = malloc(v->len + 1);

    (void)op;
    if (copy == NULL)
        return start_no_memory(why);
    if (v->len > 0)
        memcpy(copy, v->data, v->len);
    copy[v->len] = '\0';
    ret->bytes.at = copy;
    ret->bytes.len = ret->bytes.whole = v->len;
    ret->bytes.ended = true;
    return 0;
}

static int read_keys(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__KvKeys *l = body;
    int rc = start_array((void **)&ret->keys.keys, l->n_keys, sizeof(char *), why);

    (void)op;
    for (size_t i = 0; rc == 0 && i < l->n_keys; i++) {
        ret->keys.n = i + 1;
        ret->keys.keys[i] = strdup(l->keys[i]);
        rc = ret->keys.keys[i] == NULL ? start_no_memory(why) : 0;
    }
    ret->keys.more = l->more;
    return rc;
}

void coop_keys_free(struct coop_keys *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->keys[i]);
    free(k->keys);
    *k = (struct coop_keys){ NULL, 0, k->more };
}

static const struct op_kind kind_value = { true, PB__ANSWER__BODY_KV_VALUE, COOP_RESULT_BYTES, read_value, NULL, NULL };
static const struct op_kind kind_keys = { true, PB__ANSWER__BODY_KV_KEYS, COOP_RESULT_KEYS, read_keys, NULL, NULL };

/* ---- keys ------------------------------------------------------------------------------------------------------------------------ */

static int start_kv_open(struct start *s, const char *prefix, unsigned rights)
{
    Pb__KvOpen m = PB__KV_OPEN__INIT;

    m.prefix = (char *)prefix;
    m.rights = rights;
    return start_ask(s, PB__ASK__BODY_KV_OPEN, &m, false, &op_handle);
}

int coop_kv_open(struct coop_client *c, const char *prefix, unsigned rights, int64_t timeout_us, struct coop_handle *ret,
                 struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_handle(&s, start_kv_open(&s, prefix, rights), ret);
}

int coop_kv_open_begin(struct coop_client *c, const char *prefix, unsigned rights, int64_t timeout_us, struct coop_op **ret,
                       struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_kv_open(&s, prefix, rights), ret);
}

static int start_kv_get(struct start *s, const struct coop_handle *kv, const char *key)
{
    Pb__KvGet m = PB__KV_GET__INIT;
    Pb__Ref ref;

    m.kv = kv != NULL ? ref_of_handle(&ref, kv) : NULL;
    m.key = (char *)key;
    return start_ask(s, PB__ASK__BODY_KV_GET, &m, false, &kind_value);
}

int coop_kv_get(struct coop_client *c, const struct coop_handle *kv, const char *key, int64_t timeout_us, struct coop_bytes *ret,
                struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_kv_get(&s, kv, key), &r);

    if (rc == 0)
        *ret = r.bytes;
    return rc;
}

int coop_kv_get_begin(struct coop_client *c, const struct coop_handle *kv, const char *key, int64_t timeout_us, struct coop_op **ret,
                      struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_kv_get(&s, kv, key), ret);
}

static int start_kv_put(struct start *s, const struct coop_handle *kv, const char *key, const void *bytes, size_t len, bool only_new)
{
    Pb__KvPut m = PB__KV_PUT__INIT;
    Pb__Ref ref;

    m.kv = kv != NULL ? ref_of_handle(&ref, kv) : NULL;
    m.key = (char *)key;
    m.value = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
    m.only_new = only_new;
    return start_ask(s, PB__ASK__BODY_KV_PUT, &m, false, &op_done);
}

int coop_kv_put(struct coop_client *c, const struct coop_handle *kv, const char *key, const void *bytes, size_t len, bool only_new,
                int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_kv_put(&s, kv, key, bytes, len, only_new));
}

int coop_kv_put_begin(struct coop_client *c, const struct coop_handle *kv, const char *key, const void *bytes, size_t len, bool only_new,
                      int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_kv_put(&s, kv, key, bytes, len, only_new), ret);
}

static int start_kv_remove(struct start *s, const struct coop_handle *kv, const char *key)
{
    Pb__KvDelete m = PB__KV_DELETE__INIT;
    Pb__Ref ref;

    m.kv = kv != NULL ? ref_of_handle(&ref, kv) : NULL;
    m.key = (char *)key;
    return start_ask(s, PB__ASK__BODY_KV_DELETE, &m, false, &op_done);
}

int coop_kv_remove(struct coop_client *c, const struct coop_handle *kv, const char *key, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_kv_remove(&s, kv, key));
}

int coop_kv_remove_begin(struct coop_client *c, const struct coop_handle *kv, const char *key, int64_t timeout_us, struct coop_op **ret,
                         struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_kv_remove(&s, kv, key), ret);
}

static int start_kv_list(struct start *s, const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit)
{
    Pb__KvList m = PB__KV_LIST__INIT;
    Pb__Ref ref;

    m.kv = kv != NULL ? ref_of_handle(&ref, kv) : NULL;
    m.prefix = (char *)(prefix != NULL ? prefix : "");
    m.after = (char *)(after != NULL ? after : "");
    m.limit = limit;
    return start_ask(s, PB__ASK__BODY_KV_LIST, &m, false, &kind_keys);
}

int coop_kv_list(struct coop_client *c, const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit,
                 int64_t timeout_us, struct coop_keys *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_kv_list(&s, kv, prefix, after, limit), &r);

    if (rc == 0)
        *ret = r.keys;
    return rc;
}

int coop_kv_list_begin(struct coop_client *c, const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit,
                       int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_kv_list(&s, kv, prefix, after, limit), ret);
}
