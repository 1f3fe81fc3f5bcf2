/* kv_read.c - see kv.h: what is read, in order with the changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/asks.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/kv_own.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name
#define READ     PB__RIGHT__RIGHT_READ

/* What a read wants, kept while it waits. */
struct kv_read {
    struct kv *kv;
    bool list;
    char key[STORE_KV_KEY + 1];   /* of a list: what its keys begin with */
    char after[STORE_KV_KEY + 1]; /* "": from the first */
    size_t shown;                 /* where what the holder names begins */
    int limit;
};

static void fail_read(struct ask *a, int rc)
{
    if (rc == -ENOENT)
        ask_fail(a, CE(NOT_FOUND), "there is no such key");
    else if (rc == -ENOMEM)
        ask_fail(a, CE(TEMPORARY), "out of memory");
    else
        ask_fail(a, CE(INTERNAL), "the store cannot be read: %s", strerror(-rc));
}

static void get(struct ask *a, const struct kv_read *r)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__KvValue v = PB__KV_VALUE__INIT;
    struct store_blob value;
    int rc = store_kv_get(a->by->broker->store, r->kv->thing.tenant, r->key, &value);

    if (rc != 0) {
        fail_read(a, rc);
        return;
    }
    v.value = (ProtobufCBinaryData){ value.len, value.bytes };
    m.body_case = PB__ANSWER__BODY_KV_VALUE;
    m.kv_value = &v;
    ask_reply(a, &m);
    free(value.bytes);
}

static void list(struct ask *a, const struct kv_read *r)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__KvKeys keys = PB__KV_KEYS__INIT;
    char *found[KV_PAGE + 1], *shown[KV_PAGE + 1];
    int n = store_kv_list(a->by->broker->store, r->kv->thing.tenant, r->key, r->after, found, r->limit + 1);

    if (n < 0) {
        fail_read(a, n);
        return;
    }
    for (int i = 0; i < n; i++)
        shown[i] = found[i] + r->shown;
    keys.more = n > r->limit;
    keys.n_keys = (size_t)(keys.more ? r->limit : n);
    keys.keys = shown;
    m.body_case = PB__ANSWER__BODY_KV_KEYS;
    m.kv_keys = &keys;
    ask_reply(a, &m);
    for (int i = 0; i < n; i++)
        free(found[i]);
}

static void read_now(struct ask *a, const struct kv_read *r)
{
    if (r->list)
        list(a, r);
    else
        get(a, r);
}

void kv_answer_read(struct ask *a)
{
    struct kv_read *r = (struct kv_read *)a->word;

    read_now(a, r);
    free(r);
}

static void on_read_end(struct ask *a, enum ask_end end)
{
    struct kv_write *w = a->thing;
    struct ask **at = &w->readers;

    (void)end;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    free((struct kv_read *)a->word);
}

/* The last change on its way that this read must see. */
static struct kv_write *change_before(struct kv *kv, const struct kv_read *r)
{
    struct kv_write *w = kv->newest;

    while (w != NULL && !r->list && strcmp(w->key, r->key) != 0)
        w = w->prev;
    return w;
}

static void read_in_order(struct ask *a, const struct kv_read *r, struct handle *h)
{
    struct kv_write *w = change_before(r->kv, r);
    struct kv_read *kept;

    if (w == NULL) {
        read_now(a, r);
        return;
    }
    kept = malloc(sizeof(*kept));
    if (kept == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    *kept = *r;
    a->word = (uintptr_t)kept;
    a->next = w->readers;
    w->readers = a;
    ask_park(a, ASK_NEVER, on_read_end, w);
    ask_through(a, h);
}

void call_kv_get(struct ask *a)
{
    const Pb__KvGet *m = a->message->kv_get;
    struct kv_read r = { 0 };
    struct handle *h;
    struct call_why why;

    if (kv_find_key(a, m->kv, READ, m->key, r.key, &h, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    r.kv = kv_of(a, h);
    read_in_order(a, &r, h);
}

void call_kv_list(struct ask *a)
{
    const Pb__KvList *m = a->message->kv_list;
    struct kv_read r = { .list = true, .limit = m->limit == 0 || m->limit > KV_PAGE ? KV_PAGE : (int)m->limit };
    const char *prefix;
    struct handle *h;
    struct call_why why;

    if (kv_find_prefix(a, m->kv, READ, &prefix, &h, &why) != 0 || kv_join(prefix, m->prefix, r.key, &why) != 0 ||
        (m->after[0] != '\0' && kv_join(prefix, m->after, r.after, &why) != 0)) {
        ask_fail_why(a, &why);
        return;
    }
    r.kv = kv_of(a, h);
    r.shown = strlen(prefix);
    read_in_order(a, &r, h);
}
