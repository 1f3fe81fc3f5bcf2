/* kv.c - see kv.h: the thing, prefixes, changes. */
#include "broker/kv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/asks.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/caps.h"
#include "broker/kv_own.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name
#define WRITE    PB__RIGHT__RIGHT_WRITE

static void kv_free(struct thing *t)
{
    free(t);
}

static const struct thing_ops kv_ops = { .free = kv_free };

struct thing *kv_thing(struct estate *e)
{
    struct kv *kv = e->kv;

    if (kv != NULL)
        return &kv->thing;
    kv = calloc(1, sizeof(*kv));
    if (kv == NULL)
        return NULL;
    thing_init(&kv->thing, e, PB__KIND__KIND_KV, &kv_ops);
    e->kv = kv;
    return &kv->thing;
}

static void finish_one(struct kv *kv)
{
    while (kv->oldest != NULL) { /* their ops were freed with the store; asks end with their askers, before */
        struct kv_write *w = kv->oldest;

        kv->oldest = w->next;
        free(w);
    }
    kv->thing.estate->kv = NULL;
    thing_unref(&kv->thing);
}

void kv_finish(struct broker *b)
{
    struct estate *e, *next;

    HASH_ITER (hh, b->estates, e, next)
        if (e->kv != NULL)
            finish_one(e->kv); /* which the estate may go with */
}

int kv_lengthen(struct handle *h, const char *more, struct call_why *why)
{
    size_t had = h->prefix != NULL ? strlen(h->prefix) : 0, len = strlen(more);
    char *prefix;

    if (len == 0)
        return 0;
    if (had + len > STORE_KV_KEY)
        return call_refuse(why, CE(BAD_REQUEST), "a key has at most %d bytes, and the prefix alone would have %zu", STORE_KV_KEY,
                           had + len);
    prefix = realloc(h->prefix, had + len + 1);
    if (prefix == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    memcpy(prefix + had, more, len + 1);
    h->prefix = prefix;
    return 0;
}

/* ---- what a ref and a key mean ------------------------------------------------------------------------------------------------------- */

int kv_find_prefix(struct ask *a, const Pb__Ref *r, uint32_t rights, const char **ret, struct handle **ret_handle, struct call_why *why)
{
    struct thing *t;

    *ret_handle = NULL;
    if (a->by->estate == NULL || kv_thing(a->by->estate) == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    if (a->by->worker == NULL && (r == NULL || r->handle == 0)) {
        *ret = r != NULL ? r->id : "";
        return strlen(*ret) <= STORE_KV_KEY ? 0 : call_refuse(why, CE(BAD_REQUEST), "a key has at most %d bytes", STORE_KV_KEY);
    }
    if (ref_find(a->by, r, PB__KIND__KIND_KV, rights, &t, ret_handle, why) != 0)
        return -1;
    *ret = (*ret_handle)->prefix != NULL ? (*ret_handle)->prefix : "";
    return 0;
}

struct kv *kv_of(const struct ask *a, const struct handle *h)
{
    return h != NULL ? (struct kv *)h->thing : a->by->estate->kv;
}

int kv_join(const char *prefix, const char *name, char ret[STORE_KV_KEY + 1], struct call_why *why)
{
    size_t had = strlen(prefix), len = strlen(name);

    if (had + len > STORE_KV_KEY)
        return call_refuse(why, CE(BAD_REQUEST), "a key has at most %d bytes with its prefix, this one %zu", STORE_KV_KEY, had + len);
    memcpy(ret, prefix, had);
    memcpy(ret + had, name, len + 1);
    return 0;
}

int kv_find_key(struct ask *a, const Pb__Ref *r, uint32_t rights, const char *name, char ret[STORE_KV_KEY + 1], struct handle **ret_handle,
                struct call_why *why)
{
    const char *prefix;

    if (kv_find_prefix(a, r, rights, &prefix, ret_handle, why) != 0)
        return -1;
    if (name[0] == '\0')
        return call_refuse(why, CE(BAD_REQUEST), "the key is empty");
    return kv_join(prefix, name, ret, why);
}

void call_kv_open(struct ask *a)
{
    const Pb__KvOpen *m = a->message->kv_open;
    uint32_t rights = m->rights != 0 ? m->rights : RIGHTS_KV;
    struct handle *h = NULL;
    struct call_why why;
    int rc = 0;

    if (a->by->worker != NULL) {
        rc = caps_open(a->by, PB__KIND__KIND_KV, m->prefix, m->rights, &h, &why);
    } else if (kv_thing(a->by->estate) == NULL || (h = handle_new(kv_thing(a->by->estate), rights, NULL)) == NULL) {
        rc = call_refuse(&why, CE(TEMPORARY), "out of memory");
    } else {
        rc = kv_lengthen(h, m->prefix, &why);
    }
    if (rc == 0 && h->rights == 0)
        rc = call_refuse(&why, CE(BAD_REQUEST), "keys can be read, written and granted: no other right");
    if (rc == 0) {
        ask_reply_handle(a, h, NULL, -1);
        return;
    }
    handle_drop(h);
    ask_fail_why(a, &why);
}

/* ---- changes ------------------------------------------------------------------------------------------------------------------------- */

static void link_in(struct kv *kv, struct kv_write *w)
{
    w->prev = kv->newest;
    if (kv->newest != NULL)
        kv->newest->next = w;
    else
        kv->oldest = w;
    kv->newest = w;
}

static void link_out(struct kv *kv, struct kv_write *w)
{
    if (w->prev != NULL)
        w->prev->next = w->next;
    else
        kv->oldest = w->next;
    if (w->next != NULL)
        w->next->prev = w->prev;
    else
        kv->newest = w->prev;
}

static void answer_write(struct ask *a, const struct store_op *op)
{
    switch (op->status) {
    case 0: ask_done(a); break;
    case -EEXIST: ask_fail(a, CE(NAME_TAKEN), "the key is there already"); break;
    case -ENOENT: ask_fail(a, CE(NOT_FOUND), "there is no such key"); break;
    case -EDQUOT: ask_fail(a, CE(LIMIT), "at most %d keys, and %u bytes in them and their values", STORE_KV_KEYS, STORE_KV_BYTES); break;
    case -ENOSPC:
    case -ENOMEM:
    case -EROFS: ask_fail(a, CE(TEMPORARY), "it could not be written: %s", strerror(-op->status)); break;
    default: ask_fail(a, CE(INTERNAL), "it could not be written: %s", strerror(-op->status));
    }
}

static void on_written(struct store_op *op)
{
    struct kv_write *w = op->owner;
    struct ask *reader;

    link_out(w->kv, w);
    if (w->ask != NULL)
        answer_write(w->ask, op);
    while ((reader = w->readers) != NULL) {
        w->readers = reader->next;
        kv_answer_read(reader);
    }
    free(w);
}

/* The change itself cannot be taken back: only its answer is. */
static void on_write_end(struct ask *a, enum ask_end end)
{
    struct kv_write *w = a->thing;

    (void)end;
    w->ask = NULL;
}

static struct store_op *make_op(struct ask *a, struct kv *kv, enum store_kind kind, const char *key)
{
    struct kv_write *w = calloc(1, sizeof(*w));
    struct store_op *op = store_op_new(kind, "");

    if (op != NULL)
        op->kv.key = strdup(key);
    if (w == NULL || op == NULL || op->kv.key == NULL) {
        free(w);
        store_op_free(op);
        return NULL;
    }
    w->kv = kv;
    w->ask = a;
    memcpy(w->key, key, strlen(key) + 1);
    op->owner = w;
    op->done = on_written;
    op->kv.tenant = kv->thing.tenant;
    return op;
}

static void push(struct ask *a, struct store_op *op, struct handle *h)
{
    struct kv_write *w = op->owner;

    link_in(w->kv, w);
    store_push(a->by->broker->store, op);
    ask_park(a, ASK_NEVER, on_write_end, w);
    ask_through(a, h);
}

static int take_value(struct store_op *op, const ProtobufCBinaryData *value)
{
    if (value->len == 0)
        return 0;
    op->kv.value.bytes = malloc(value->len);
    if (op->kv.value.bytes == NULL)
        return -ENOMEM;
    memcpy(op->kv.value.bytes, value->data, op->kv.value.len = value->len);
    return 0;
}

static void drop_op(struct store_op *op)
{
    if (op != NULL)
        free(op->owner);
    store_op_free(op);
}

void call_kv_put(struct ask *a)
{
    const Pb__KvPut *m = a->message->kv_put;
    char key[STORE_KV_KEY + 1];
    struct store_op *op;
    struct handle *h;
    struct call_why why;

    if (kv_find_key(a, m->kv, WRITE, m->key, key, &h, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    if (m->value.len > STORE_KV_VALUE) {
        ask_fail(a, CE(TOO_BIG), "a value has at most %u bytes, this one %zu", STORE_KV_VALUE, m->value.len);
        return;
    }
    op = make_op(a, kv_of(a, h), STORE_KV_PUT, key);
    if (op == NULL || take_value(op, &m->value) != 0) {
        drop_op(op);
        ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    op->kv.only_new = m->only_new;
    push(a, op, h);
}

void call_kv_delete(struct ask *a)
{
    const Pb__KvDelete *m = a->message->kv_delete;
    char key[STORE_KV_KEY + 1];
    struct store_op *op;
    struct handle *h;
    struct call_why why;

    if (kv_find_key(a, m->kv, WRITE, m->key, key, &h, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    op = make_op(a, kv_of(a, h), STORE_KV_DROP, key);
    if (op == NULL)
        ask_fail(a, CE(TEMPORARY), "out of memory");
    else
        push(a, op, h);
}
