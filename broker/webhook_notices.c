/* webhook_notices.c - see webhooks.h: one event on its way to one address: its turn, its tries. */
#include "broker/webhooks_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <utlist.h>

#include "broker/broker.h"
#include "frame.h"
#include "json_message.h"
#include "log.h"

enum { HTTP_GONE = 410 };

struct notice {
    struct webhooks *webhooks;
    struct webhook_tenant *tenant;
    uint64_t id;
    char owner[ULID_LEN + 1]; /* whose end it is; "": none */
    char *url, *key;
    unsigned place;   /* which of its job's addresses */
    Pb__Notice *what; /* try and receipt are filled in when it is sent */
    bool queued, sent;
    unsigned tries, deaths;
    struct timer again;
    struct notice *next; /* in the queue */
    UT_hash_handle hh;
};

/* ---- small things ------------------------------------------------------------------------------------------------------------------- */

uint64_t webhook_pause_us(uint64_t first_us, unsigned n)
{
    for (; n > 2; n--)
        first_us *= 4;
    return first_us;
}

/* ---- tenants, in turn --------------------------------------------------------------------------------------------------------------- */

static struct webhook_tenant *tenant_get(struct webhooks *w, uint64_t id)
{
    struct webhook_tenant *t;

    HASH_FIND(hh, w->tenants, &id, sizeof(id), t);
    if (t != NULL || (t = calloc(1, sizeof(*t))) == NULL)
        return t;
    t->id = id;
    t->last = &t->first;
    HASH_ADD(hh, w->tenants, id, sizeof(t->id), t);
    return t;
}

static void tenant_may_go(struct webhooks *w, struct webhook_tenant *t)
{
    if (t->open > 0)
        return;
    HASH_DEL(w->tenants, t);
    free(t);
}

/* In the round while it has one to send, and may. */
static void settle_turn(struct webhooks *w, struct webhook_tenant *t)
{
    bool in = t->first != NULL && t->under_way < WEBHOOKS_AT_ONCE;

    if (in && !t->in_turn)
        DL_APPEND(w->turn, t);
    if (!in && t->in_turn)
        DL_DELETE(w->turn, t);
    t->in_turn = in;
}

static void enqueue(struct notice *n)
{
    n->queued = true;
    n->next = NULL;
    *n->tenant->last = n;
    n->tenant->last = &n->next;
    settle_turn(n->webhooks, n->tenant);
}

/* The first of its tenant's queue. */
static void unqueue(struct notice *n)
{
    struct webhook_tenant *t = n->tenant;

    t->first = n->next;
    if (t->first == NULL)
        t->last = &t->first;
    n->queued = false;
}

static void set_sent(struct notice *n, bool sent)
{
    if (n->sent != sent)
        n->tenant->under_way += sent ? 1 : -1u;
    n->sent = sent;
    settle_turn(n->webhooks, n->tenant);
}

/* ---- one of them -------------------------------------------------------------------------------------------------------------------- */

static void notice_free(struct notice *n)
{
    timers_cancel(&n->webhooks->broker->loop.timers, &n->again);
    if (n->what != NULL)
        protobuf_c_message_free_unpacked(&n->what->base, NULL);
    free(n->url);
    free(n->key);
    free(n);
}

/* Arrived, or given up. */
static void drop(struct notice *n)
{
    struct webhooks *w = n->webhooks;
    struct webhook_tenant *t = n->tenant;
    char owner[ULID_LEN + 1];

    memcpy(owner, n->owner, sizeof(owner));
    if (n->queued)
        unqueue(n);
    set_sent(n, false);
    HASH_DEL(w->by_id, n);
    w->open--;
    t->open--;
    notice_free(n);
    tenant_may_go(w, t);
    if (owner[0] != '\0')
        webhook_told(w, owner);
}

/* What show says of it. NULL: it says nothing of such an old job. */
static struct webhook_count *count_of(const struct notice *n)
{
    return webhook_log_find(&n->webhooks->log, webhook_log_name(n->what), n->place);
}

static void note_failed(const struct notice *n, unsigned status, const char *why)
{
    struct webhook_count *count = count_of(n);

    if (count == NULL)
        return;
    if (why[0] == '\0')
        snprintf(count->error, sizeof(count->error), "it answered with status %u", status);
    else
        snprintf(count->error, sizeof(count->error), "%s", why);
}

static void note_tried(const struct notice *n)
{
    struct webhook_count *count = count_of(n);

    if (count != NULL)
        count->tries++;
}

static void arrived(struct notice *n)
{
    struct webhook_count *count = count_of(n);

    if (count != NULL)
        count->told++;
    drop(n);
}

static void give_up(struct notice *n, unsigned status, const char *why)
{
    struct webhook_count *count = count_of(n);

    note_failed(n, status, why);
    if (count != NULL)
        count->given_up++;
    log_event(LOG_LEVEL_WARN, "webhook_given_up", "job=%s delivery=%llu tries=%u status=%u why=\"%s\"", n->what->job,
              (unsigned long long)n->id, n->tries, status, why);
    drop(n);
}

/* A copy of its own, with texts of its own. NULL: no memory. */
static Pb__Notice *copy_notice(const Pb__Notice *what)
{
    Pb__Notice *copy = NULL;
    uint8_t *bytes;
    size_t len;

    if (frame_pack(&what->base, &bytes, &len) != 0)
        return NULL;
    copy = pb__notice__unpack(NULL, len, bytes);
    free(bytes);
    return copy;
}

static void on_again(void *ctx)
{
    struct notice *n = ctx;

    enqueue(n);
    webhook_pump(n->webhooks);
}

static struct notice *notice_new(struct webhooks *w, const Pb__Webhook *h, const Pb__Notice *what, const char *owner)
{
    struct notice *n = calloc(1, sizeof(*n));

    if (n == NULL)
        return NULL;
    n->webhooks = w;
    n->again = (struct timer){ .fn = on_again, .ctx = n };
    snprintf(n->owner, sizeof(n->owner), "%s", owner != NULL ? owner : "");
    n->url = strdup(h->url);
    n->key = strdup(h->key);
    n->what = copy_notice(what);
    if (n->url == NULL || n->key == NULL || n->what == NULL) {
        notice_free(n);
        return NULL;
    }
    n->id = ++w->last_id;
    n->what->delivery = n->id;
    return n;
}

bool webhook_begin(struct webhooks *w, const Pb__Webhook *h, unsigned place, const Pb__Notice *what, uint64_t tenant, const char *owner)
{
    struct webhook_count *count = webhook_log_get(&w->log, webhook_log_name(what), tenant, place);
    struct webhook_tenant *t = tenant_get(w, tenant);
    struct notice *n = NULL;

    if (t != NULL && w->open < WEBHOOKS_OPEN && t->open < WEBHOOKS_TENANT)
        n = notice_new(w, h, what, owner);
    if (n == NULL) {
        log_event(LOG_LEVEL_WARN, "webhook_dropped", "job=%s why=\"too many are open\"", what->job);
        if (t != NULL)
            tenant_may_go(w, t);
        if (count != NULL)
            snprintf(count->error, sizeof(count->error),
                     owner != NULL ? "too many are open: the next start of the broker tells it" : "too many are open: it was dropped");
        return false;
    }
    if (count != NULL)
        count->begun++;
    n->place = place;
    n->tenant = t;
    HASH_ADD(hh, w->by_id, id, sizeof(n->id), n);
    w->open++;
    t->open++;
    enqueue(n);
    return true;
}

/* ---- what it says ------------------------------------------------------------------------------------------------------------------- */

/* By the bytes that the tenant's kv has under that name, as they are. -ENOENT: there are none. */
static int sign(const struct notice *n, const char *body, char ret[WEBHOOK_SIGNATURE])
{
    struct store_blob key = { 0 };
    int rc = store_kv_get(n->webhooks->broker->store, n->tenant->id, n->key, &key);

    if (rc == 0 && key.len == 0)
        rc = -ENOENT;
    if (rc == 0)
        webhook_sign(key.bytes, key.len, loop_wall_us() / 1000000, body, strlen(body), ret);
    free(key.bytes);
    return rc;
}

/* malloc'd JSON; an end's has its receipt, as the store has it. */
static char *make_body(struct notice *n)
{
    struct store_blob blob = { 0 };
    struct frame receipt = { 0 };
    char *text = NULL;
    json_t *json;

    if (n->owner[0] != '\0' && store_read_receipt(n->webhooks->broker->store, n->what->job, &blob) == 0)
        (void)frame_decode(&receipt, &pb__receipt__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL);
    free(blob.bytes);
    n->what->try_ = n->tries;
    n->what->receipt = (Pb__Receipt *)receipt.msg;
    json = json_document(&n->what->base);
    n->what->receipt = NULL;
    if (json != NULL)
        text = webhook_text(json);
    json_decref(json);
    frame_release(&receipt);
    return text;
}

/* ---- sending ------------------------------------------------------------------------------------------------------------------------ */

/* 0: it is under way; -EAGAIN: not now; else it is no use. */
static int send_it(struct notice *n, const char **ret_why)
{
    char signature[WEBHOOK_SIGNATURE + 32] = "Coop-Signature: ", delivery[64], *body = make_body(n);
    char *headers[] = { (char *)"Content-Type: application/json", delivery, signature };
    Pb__Errand e = PB__ERRAND__INIT;
    int rc = body != NULL ? 0 : -ENOMEM;

    *ret_why = "out of memory";
    if (rc == 0 && n->key[0] != '\0' && (rc = sign(n, body, signature + strlen(signature))) != 0)
        *ret_why = "the tenant's kv has no key of that name, or it is empty";
    if (rc == 0) {
        snprintf(delivery, sizeof(delivery), "Coop-Delivery: %llu", (unsigned long long)n->id);
        e.id = n->id;
        e.url = n->url;
        e.headers = headers;
        e.n_headers = n->key[0] != '\0' ? 3 : 2;
        e.body = (ProtobufCBinaryData){ strlen(body), (uint8_t *)body };
        e.timeout_ms = WEBHOOK_TIMEOUT_MS;
        rc = courier_send(&n->webhooks->courier, &e);
        if (rc != 0 && rc != -EAGAIN)
            *ret_why = rc == -ENOENT ? "coop-courier is not installed" : strerror(-rc);
    }
    free(body);
    return rc;
}

void webhook_pump(void *ctx)
{
    struct webhooks *w = ctx;

    while (w->turn != NULL && courier_has_room(&w->courier)) {
        struct webhook_tenant *t = w->turn;
        struct notice *n = t->first;
        const char *why;
        int rc;

        n->tries++;
        rc = send_it(n, &why);
        if (rc == -EAGAIN) {
            n->tries--;
            return;
        }
        DL_DELETE(w->turn, t); /* behind the others */
        t->in_turn = false;
        if (rc == 0) {
            unqueue(n);
            set_sent(n, true);
            note_tried(n);
        } else {
            give_up(n, 0, why);
        }
    }
}

/* ---- what became of it -------------------------------------------------------------------------------------------------------------- */

static struct notice *find(struct webhooks *w, uint64_t id)
{
    struct notice *n;

    HASH_FIND(hh, w->by_id, &id, sizeof(id), n);
    return n;
}

static bool try_again(struct notice *n)
{
    struct broker *b = n->webhooks->broker;
    uint64_t pause = webhook_pause_us(b->config.webhook_pause_us, n->tries + 1);

    return timers_arm(&b->loop.timers, &n->again, b->loop.now_us + pause) == 0;
}

void webhook_on_done(void *ctx, uint64_t id, unsigned status, const char *error)
{
    struct notice *n = find(ctx, id);

    if (n == NULL)
        return;
    log_event(LOG_LEVEL_DEBUG, "webhook", "job=%s delivery=%llu try=%u status=%u error=\"%s\"", n->what->job, (unsigned long long)id,
              n->tries, status, error);
    set_sent(n, false);
    if (status >= 200 && status < 300)
        arrived(n);
    else if (status == HTTP_GONE || n->tries >= WEBHOOK_TRIES || !try_again(n))
        give_up(n, status, error);
    else
        note_failed(n, status, error);
}

void webhook_on_lost(void *ctx, uint64_t id)
{
    struct notice *n = find(ctx, id);

    if (n == NULL)
        return;
    set_sent(n, false);
    if (++n->deaths >= WEBHOOK_DEATHS) {
        give_up(n, 0, "the courier ended each time that it had this one");
        return;
    }
    n->tries--; /* not its fault, as it seems */
    if (!try_again(n))
        give_up(n, 0, "out of memory");
}

void webhook_notices_finish(struct webhooks *w)
{
    struct webhook_tenant *t, *next_tenant;
    struct notice *n, *next;

    HASH_ITER (hh, w->by_id, n, next) {
        HASH_DEL(w->by_id, n);
        notice_free(n);
    }
    HASH_ITER (hh, w->tenants, t, next_tenant) {
        HASH_DEL(w->tenants, t);
        free(t);
    }
    w->turn = NULL;
}
