/* webhooks.c - see webhooks.h. */
#include "broker/webhooks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <mbedtls/md.h>

#include "broker/arrays.h"
#include "broker/broker.h"
#include "broker/jobs.h"
#include "broker/tenants.h"
#include "broker/waiting.h"
#include "frame.h"
#include "json_message.h"
#include "log.h"
#include "value.h"

#define ST(name) PB__STATE__STATE_##name
enum { PAUSE_US = 5000000, HTTP_GONE = 410, NAME_ROOM = 320 };

/* One that owes at least the notice of its end. */
struct webhook_job {
    char id[ULID_LEN + 1];
    unsigned owes; /* notices of its end that are open; when the last has gone, so does this */
    UT_hash_handle hh;
};

/* One event on its way to one address. */
struct notice {
    struct webhooks *webhooks;
    uint64_t id, tenant;
    char job[ULID_LEN + 1];
    char *url, *key;
    Pb__Notice *what; /* try and receipt are filled in when it is sent */
    bool is_end, queued;
    unsigned tries;
    struct timer again;
    struct notice *next; /* in the queue */
    UT_hash_handle hh;
};

/* ---- small things ------------------------------------------------------------------------------------------------------------------- */

uint64_t webhook_pause_us(unsigned n)
{
    uint64_t pause = PAUSE_US;

    for (; n > 2; n--)
        pause *= 4;
    return pause;
}

void webhook_sign(const void *key, size_t key_len, uint64_t seconds, const void *body, size_t len, char ret[WEBHOOK_SIGNATURE])
{
    mbedtls_md_context_t md;
    unsigned char mac[32] = { 0 };
    char stamp[32];
    int n = snprintf(stamp, sizeof(stamp), "%llu.", (unsigned long long)seconds), at;

    mbedtls_md_init(&md);
    if (mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1) == 0) {
        (void)mbedtls_md_hmac_starts(&md, key, key_len);
        (void)mbedtls_md_hmac_update(&md, (const unsigned char *)stamp, (size_t)n);
        (void)mbedtls_md_hmac_update(&md, body, len);
        (void)mbedtls_md_hmac_finish(&md, mac);
    }
    mbedtls_md_free(&md);
    at = snprintf(ret, WEBHOOK_SIGNATURE, "t=%llu,v1=", (unsigned long long)seconds);
    for (size_t i = 0; i < sizeof(mac); i++)
        at += snprintf(ret + at, (size_t)(WEBHOOK_SIGNATURE - at), "%02x", mac[i]);
}

static struct webhook_job *find_job(struct webhooks *w, const char *id)
{
    struct webhook_job *j;

    HASH_FIND_STR(w->jobs, id, j);
    return j;
}

void webhooks_add(struct webhooks *w, const char *job)
{
    struct webhook_job *j = find_job(w, job) == NULL ? calloc(1, sizeof(*j)) : NULL;

    if (j == NULL)
        return; /* the store knows it: the next broker tells its end */
    snprintf(j->id, sizeof(j->id), "%s", job);
    HASH_ADD_STR(w->jobs, id, j);
}

/* All that it owed has arrived, or been given up. */
static void forget_job(struct webhooks *w, struct webhook_job *j)
{
    struct store_op *op = store_op_new(STORE_HOOK_DONE, j->id);

    if (op != NULL)
        store_push(w->broker->store, op);
    HASH_DEL(w->jobs, j);
    free(j);
}

/* ---- a notice ----------------------------------------------------------------------------------------------------------------------- */

static void notice_free(struct notice *n)
{
    timers_cancel(&n->webhooks->broker->loop.timers, &n->again);
    if (n->what != NULL)
        protobuf_c_message_free_unpacked(&n->what->base, NULL);
    free(n->url);
    free(n->key);
    free(n);
}

static void unqueue(struct webhooks *w, struct notice *n)
{
    struct notice **at = &w->first;

    while (*at != n)
        at = &(*at)->next;
    *at = n->next;
    if (n->next == NULL)
        w->last = at;
    n->queued = false;
}

/* Arrived, or given up: nothing of it is owed any more. */
static void drop(struct notice *n)
{
    struct webhooks *w = n->webhooks;
    struct webhook_job *j = n->is_end ? find_job(w, n->job) : NULL;

    if (n->queued)
        unqueue(w, n);
    HASH_DEL(w->by_id, n);
    w->open--;
    notice_free(n);
    if (j != NULL && --j->owes == 0)
        forget_job(w, j);
}

static void enqueue(struct notice *n)
{
    struct webhooks *w = n->webhooks;

    n->queued = true;
    n->next = NULL;
    *w->last = n;
    w->last = &n->next;
}

/* The tenant's key, of the bytes or the text that its kv has under that name. -ENOENT: there is none. */
static int read_key(struct notice *n, struct store_blob *blob, struct value_item *ret)
{
    struct value_reader r;
    int rc = store_kv_get(n->webhooks->broker->store, n->tenant, n->key, blob);

    if (rc == 0)
        rc = value_reader_init(&r, blob->bytes, blob->len, VALUE_BYTES, 0);
    if (rc == 0)
        rc = value_next(&r, ret);
    if (rc == 0 && ret->type != VALUE_TEXT && ret->type != VALUE_DATA)
        rc = -EPROTO;
    return rc;
}

static int sign(struct notice *n, const char *body, char ret[WEBHOOK_SIGNATURE])
{
    struct store_blob blob = { 0 };
    struct value_item key;
    int rc = read_key(n, &blob, &key);

    if (rc == 0)
        webhook_sign(key.bytes, key.len, loop_wall_us() / 1000000, body, strlen(body), ret);
    free(blob.bytes);
    return rc;
}

/* malloc'd JSON; an end's has its receipt, as the store has it. */
static char *make_body(struct notice *n)
{
    struct store_blob blob = { 0 };
    struct frame receipt = { 0 };
    char *text = NULL;
    json_t *json;

    if (n->is_end && store_read_receipt(n->webhooks->broker->store, n->job, &blob) == 0)
        (void)frame_decode(&receipt, &pb__receipt__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL);
    free(blob.bytes);
    n->what->try_ = n->tries;
    n->what->receipt = (Pb__Receipt *)receipt.msg;
    json = json_document(&n->what->base);
    n->what->receipt = NULL;
    if (json != NULL)
        text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    frame_release(&receipt);
    return text;
}

/* 0: it is under way; -EAGAIN: not now; else it is no use. */
static int send_it(struct notice *n, const char **ret_why)
{
    char signature[WEBHOOK_SIGNATURE + 32] = "Coop-Signature: ", delivery[64], *body = make_body(n);
    char *headers[] = { (char *)"Content-Type: application/json", delivery, signature };
    Pb__Errand e = PB__ERRAND__INIT;
    int rc = body != NULL ? 0 : -EAGAIN;

    if (rc == 0 && n->key[0] != '\0' && (rc = sign(n, body, signature + strlen(signature))) != 0)
        *ret_why = "the tenant has no key of that name, or it is no text";
    if (rc == 0) {
        snprintf(delivery, sizeof(delivery), "Coop-Delivery: %llu", (unsigned long long)n->id);
        e.id = n->id;
        e.url = n->url;
        e.headers = headers;
        e.n_headers = n->key[0] != '\0' ? 3 : 2;
        e.body = (ProtobufCBinaryData){ strlen(body), (uint8_t *)body };
        rc = courier_send(&n->webhooks->courier, &e);
        if (rc != 0 && rc != -EAGAIN)
            *ret_why = rc == -ENOENT ? "coop-courier is not installed" : strerror(-rc);
    }
    free(body);
    return rc;
}

/* As many as the courier takes now. */
static void pump(void *ctx)
{
    struct webhooks *w = ctx;

    while (w->first != NULL) {
        struct notice *n = w->first;
        const char *why = "";
        int rc;

        n->tries++;
        rc = send_it(n, &why);
        if (rc == -EAGAIN) {
            n->tries--;
            return;
        }
        if (rc == 0) {
            unqueue(w, n);
            continue;
        }
        log_event(LOG_LEVEL_WARN, "webhook_given_up", "job=%s delivery=%llu why=\"%s\"", n->job, (unsigned long long)n->id, why);
        drop(n);
    }
}

static void on_again(void *ctx)
{
    struct notice *n = ctx;

    enqueue(n);
    pump(n->webhooks);
}

static void on_done(void *ctx, uint64_t id, unsigned status, const char *error)
{
    struct webhooks *w = ctx;
    struct notice *n;

    HASH_FIND(hh, w->by_id, &id, sizeof(id), n);
    if (n == NULL)
        return;
    log_event(LOG_LEVEL_DEBUG, "webhook", "job=%s delivery=%llu try=%u status=%u error=\"%s\"", n->job, (unsigned long long)id, n->tries,
              status, error);
    if (status >= 200 && status < 300) {
        drop(n);
        return;
    }
    if (status != HTTP_GONE && n->tries < WEBHOOK_TRIES &&
        timers_arm(&w->broker->loop.timers, &n->again, w->broker->loop.now_us + webhook_pause_us(n->tries + 1)) == 0)
        return;
    log_event(LOG_LEVEL_WARN, "webhook_given_up", "job=%s delivery=%llu tries=%u status=%u why=\"%s\"", n->job, (unsigned long long)id,
              n->tries, status, error);
    drop(n);
}

/* ---- events ------------------------------------------------------------------------------------------------------------------------- */

static unsigned open_of(const struct webhooks *w, uint64_t tenant)
{
    unsigned n = 0;

    for (const struct notice *i = w->by_id; i != NULL; i = i->hh.next)
        n += i->tenant == tenant;
    return n;
}

static bool wants(const Pb__Webhook *h, Pb__State to)
{
    if (h->n_events == 0)
        return job_is_terminal(to);
    for (size_t i = 0; i < h->n_events; i++)
        if (h->events[i] == to)
            return true;
    return false;
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

static struct notice *notice_new(struct webhooks *w, const Pb__Webhook *h, const Pb__Notice *what, uint64_t tenant)
{
    struct notice *n = calloc(1, sizeof(*n));

    if (n == NULL)
        return NULL;
    n->webhooks = w;
    n->id = ++w->last_id;
    n->tenant = tenant;
    snprintf(n->job, sizeof(n->job), "%s", what->job);
    n->is_end = job_is_terminal(what->state);
    n->again = (struct timer){ .fn = on_again, .ctx = n };
    n->url = strdup(h->url);
    n->key = strdup(h->key);
    n->what = copy_notice(what);
    if (n->url == NULL || n->key == NULL || n->what == NULL) {
        notice_free(n);
        return NULL;
    }
    n->what->delivery = n->id;
    return n;
}

static bool begin(struct webhooks *w, const Pb__Webhook *h, const Pb__Notice *what, uint64_t tenant)
{
    struct notice *n = w->open < WEBHOOKS_OPEN && open_of(w, tenant) < WEBHOOKS_TENANT ? notice_new(w, h, what, tenant) : NULL;

    if (n == NULL) {
        log_event(LOG_LEVEL_WARN, "webhook_dropped", "job=%s why=\"too many are open\"", what->job);
        return false;
    }
    HASH_ADD(hh, w->by_id, id, sizeof(n->id), n);
    w->open++;
    enqueue(n);
    return true;
}

/* At hand, as that of one whose submit is not committed yet, or in the store. */
static int read_spec(struct webhooks *w, const char *spec_of, const struct waiting *entry, struct frame *ret)
{
    struct store_blob blob = { 0 };
    int rc;

    if (entry != NULL && entry->spec != NULL && entry->array == NULL)
        return frame_decode(ret, &pb__job_spec__descriptor, entry->spec->bytes, entry->spec->len, FRAME_MAX_CONTROL);
    rc = store_read_spec(w->broker->store, spec_of, &blob);
    if (rc == 0)
        rc = frame_decode(ret, &pb__job_spec__descriptor, blob.bytes, blob.len, FRAME_MAX_CONTROL);
    free(blob.bytes);
    return rc;
}

/* Notices for all addresses that want to hear of this. Returns how many were dropped. */
static unsigned tell(struct webhooks *w, struct webhook_job *j, const char *spec_of, const struct waiting *entry, const Pb__Notice *what,
                     uint64_t tenant)
{
    unsigned dropped = 0;
    struct frame f;

    if (read_spec(w, spec_of, entry, &f) != 0)
        return 0;
    for (size_t i = 0; i < ((const Pb__JobSpec *)f.msg)->n_webhooks; i++) {
        const Pb__Webhook *h = ((const Pb__JobSpec *)f.msg)->webhooks[i];

        if (!wants(h, what->state))
            continue;
        if (!begin(w, h, what, tenant))
            dropped++;
        else if (job_is_terminal(what->state))
            j->owes++;
    }
    frame_release(&f);
    return dropped;
}

/* Its own, or its array's. */
static struct webhook_job *job_of(struct webhooks *w, const struct waiting *entry, const char *id, char array_id[ULID_LEN + 1])
{
    struct webhook_job *j = w->jobs != NULL ? find_job(w, id) : NULL;

    array_id[0] = '\0';
    if (j != NULL || w->jobs == NULL || entry == NULL || entry->array == NULL)
        return j;
    memcpy(array_id, entry->array->row.id, ULID_LEN + 1);
    return find_job(w, array_id);
}

void webhooks_changed(struct webhooks *w, const struct waiting *entry, Pb__State from, Pb__State to, const char *reason)
{
    Pb__Notice what = PB__NOTICE__INIT;
    char id[ULID_LEN + 1], array_id[ULID_LEN + 1];
    struct webhook_job *j;

    if (w->jobs == NULL || job_is_terminal(to)) /* nobody listens; ends are told when they are recorded */
        return;
    waiting_id(entry, id);
    j = job_of(w, entry, id, array_id);
    if (j == NULL)
        return;
    what.job = id;
    what.array_id = array_id;
    what.array_index = array_id[0] != '\0' ? entry->array_index : 0;
    what.tenant = (char *)entry->tenant->name;
    what.from = from;
    what.state = to;
    what.reason = (char *)reason;
    what.at_us = loop_wall_us();
    (void)tell(w, j, array_id[0] != '\0' ? array_id : id, entry, &what, entry->tenant->id);
    pump(w);
}

static void tell_end(struct webhooks *w, const struct tenant *t, const struct waiting *entry, const char *id, Pb__State outcome,
                     Pb__Cause cause, uint64_t at_us)
{
    Pb__Notice what = PB__NOTICE__INIT;
    char array_id[ULID_LEN + 1];
    struct webhook_job *j = job_of(w, entry, id, array_id);
    unsigned dropped;

    if (j == NULL)
        return;
    what.job = (char *)id;
    what.array_id = array_id;
    what.array_index = array_id[0] != '\0' ? entry->array_index : 0;
    what.tenant = (char *)t->name;
    what.from = ST(FINISHING);
    what.state = outcome;
    what.cause = cause;
    what.at_us = at_us;
    dropped = tell(w, j, array_id[0] != '\0' ? array_id : id, job_is_terminal(outcome) ? NULL : entry, &what, t->id);
    if (j->owes == 0 && dropped == 0 && array_id[0] == '\0')
        forget_job(w, j);
    pump(w);
}

static void on_end(void *ctx, const struct jobs_ended *e)
{
    struct webhooks *w = ctx;

    if (w->jobs != NULL)
        tell_end(w, e->entry->tenant, e->entry, e->id, e->outcome, e->cause, loop_wall_us());
}

/* ---- its life ----------------------------------------------------------------------------------------------------------------------- */

void webhooks_init(struct webhooks *w, struct broker *b)
{
    struct courier_handler h = { on_done, pump, w };

    *w = (struct webhooks){ .broker = b, .last = &w->first };
    w->last_id = loop_wall_us(); /* above every number that an earlier broker gave */
    courier_init(&w->courier, b, &h);
}

/* One that ended under an earlier broker, which did not get to tell it; of others the end is still to come. */
static int recover_one(void *ctx, const char *id)
{
    struct webhooks *w = ctx;
    struct store_job row;
    int rc = store_find(w->broker->store, id, &row);

    if (rc == 0 && !job_is_terminal(row.state)) {
        webhooks_add(w, id);
        return 0;
    }
    webhooks_add(w, id);
    if (rc == 0) {
        struct tenant *t = tenants_find(&w->broker->tenants, row.tenant);

        if (t != NULL)
            tell_end(w, t, NULL, id, row.state, row.cause, row.ended_us);
    } else {
        struct webhook_job *j = find_job(w, id);

        if (j != NULL && rc == -ENOENT) /* removed; or an array, whose tasks have told theirs */
            forget_job(w, j);
    }
    return 0;
}

int webhooks_recover(struct webhooks *w)
{
    int rc = store_each_hook(w->broker->store, recover_one, w);

    jobs_on_end(&w->broker->jobs, on_end, w);
    return rc;
}

void webhooks_finish(struct webhooks *w)
{
    struct webhook_job *j, *next_job;
    struct notice *n, *next;

    courier_stop(&w->courier);
    HASH_ITER (hh, w->by_id, n, next) {
        HASH_DEL(w->by_id, n);
        notice_free(n);
    }
    HASH_ITER (hh, w->jobs, j, next_job) {
        HASH_DEL(w->jobs, j);
        free(j);
    }
}
