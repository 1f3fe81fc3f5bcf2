/* inside_queues.c - see coop/interp.h: queues of native code. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "value.h"
#include "worker/engines/native/inside.h"

static int refuse_null(const char *what)
{
    return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "%s: NULL", what);
}

int coop_queue_create(const struct coop_queue_options *options, struct coop_handle *ret)
{
    Pb__QueueCreate m = PB__QUEUE_CREATE__INIT;
    Pb__Ask a = INSIDE_ASK(QUEUE_CREATE, queue_create, &m);

    if (ret == NULL)
        return refuse_null("queue_create");
    if (options != NULL) {
        if (options->name != NULL)
            m.name = (char *)options->name;
        m.max_items = options->max_items;
        m.max_bytes = options->max_bytes;
        m.unbound = (Pb__Unbound)options->unbound;
    }
    return inside_ask_handle(&a, ret);
}

int coop_queue_open(const char *name, unsigned rights, struct coop_handle *ret)
{
    Pb__QueueOpen m = PB__QUEUE_OPEN__INIT;
    Pb__Ask a = INSIDE_ASK(QUEUE_OPEN, queue_open, &m);

    if (name == NULL || ret == NULL)
        return refuse_null("queue_open");
    m.name = (char *)name;
    m.rights = rights;
    return inside_ask_handle(&a, ret);
}

/* ---- in ------------------------------------------------------------------------------------------------------------------------- */

/* How many are in. */
static int put(const struct coop_handle *q, Pb__Value **values, size_t n, enum coop_unbound unbound, int64_t deadline)
{
    Pb__QueuePut m = PB__QUEUE_PUT__INIT;
    Pb__Ask a = INSIDE_ASK(QUEUE_PUT, queue_put, &m);
    struct ask *answered;
    Pb__Ref ref;
    int rc;

    inside_ref(&ref, q);
    m.queue = &ref;
    m.items = values;
    m.n_items = n;
    m.unbound = (Pb__Unbound)unbound;
    m.timeout_us = inside_patience(deadline);
    rc = inside_ask(&a, PB__ANSWER__BODY_TAKEN, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    rc = (int)ask_answer(answered)->taken->count;
    ask_end(answered);
    return rc > 0 ? rc : inside_refuse(PB__CALL_ERROR__CALL_ERROR_QUEUE_FULL, "the queue is full");
}

int coop_queue_put_one(const struct coop_handle *q, const coop_val *item, int64_t deadline)
{
    struct inside_value packed;
    Pb__Value *one = &packed.message;
    int rc;

    if (q == NULL)
        return refuse_null("queue_put");
    rc = inside_value_pack(&packed, item, "item");
    if (rc != 0)
        return rc;
    rc = put(q, &one, 1, COOP_UNBOUND_DEFAULT, deadline);
    inside_value_finish(&packed);
    return rc < 0 ? rc : 0;
}

struct batch {
    struct inside_value *packed;
    Pb__Value **messages;
    size_t n;
};

static void batch_finish(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        inside_value_finish(&b->packed[i]);
    free(b->packed);
    free(b->messages);
}

static int batch_pack(struct batch *b, const coop_val *const *values, size_t n)
{
    int rc = 0;

    *b = (struct batch){ calloc(n, sizeof(*b->packed)), calloc(n, sizeof(Pb__Value *)), 0 };
    if (b->packed == NULL || b->messages == NULL)
        rc = inside_failed(-ENOMEM, "queue_put");
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct value_path path;

        value_path_init(&path, "items");
        value_path_index(&path, i + 1);
        rc = inside_value_pack(&b->packed[i], values[i], path.text);
        if (rc == 0)
            b->messages[b->n++] = &b->packed[i].message;
    }
    if (rc != 0)
        batch_finish(b);
    return rc;
}

int coop_queue_put(const struct coop_handle *q, const coop_val *const *items, size_t n, enum coop_unbound unbound, int64_t deadline,
                   size_t *ret_n)
{
    struct batch b;
    int rc;

    if (q == NULL || items == NULL || n == 0 || n > COOP_QUEUE_BATCH)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "queue_put: a queue and 1 to %d items are wanted", COOP_QUEUE_BATCH);
    rc = batch_pack(&b, items, n);
    if (rc != 0)
        return rc;
    rc = put(q, b.messages, n, unbound, deadline);
    batch_finish(&b);
    if (rc < 0)
        return rc;
    if (ret_n != NULL)
        *ret_n = (size_t)rc;
    return 0;
}

/* ---- out ------------------------------------------------------------------------------------------------------------------------ */

static int get(const struct coop_handle *q, size_t max, int64_t deadline, struct ask **ret)
{
    Pb__QueueGet m = PB__QUEUE_GET__INIT;
    Pb__Ask a = INSIDE_ASK(QUEUE_GET, queue_get, &m);
    Pb__Ref ref;
    int rc;

    inside_ref(&ref, q);
    m.queue = &ref;
    m.max = (uint32_t)max;
    m.timeout_us = inside_patience(deadline);
    rc = inside_ask(&a, PB__ANSWER__BODY_ITEMS, COOP_NEVER, ret);
    if (rc != 0)
        return rc;
    if (ask_answer(*ret)->items->n_items > 0)
        return 0;
    rc = ask_answer(*ret)->items->closed
             ? inside_refuse(PB__CALL_ERROR__CALL_ERROR_CLOSED, "the queue is closed, and nothing is left in it")
             : inside_refuse(PB__CALL_ERROR__CALL_ERROR_QUEUE_EMPTY, "the queue is empty");
    ask_end(*ret);
    return rc;
}

/* 1: its sender has ended. */
static int take(const Pb__QueueItem *item, coop_val **ret)
{
    if (item->unbound == PB__UNBOUND__UNBOUND_ERROR)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_ITEM_DESTROYED, "the sender of this item, %.32s, has ended", item->sender);
    if (item->unbound == PB__UNBOUND__UNBOUND_REPLACE) {
        *ret = NULL;
        return 1;
    }
    return inside_value_accept(item->value, "item", ret);
}

int coop_queue_get_one(const struct coop_handle *q, int64_t deadline, coop_val **ret)
{
    struct ask *answered;
    int rc;

    if (q == NULL || ret == NULL)
        return refuse_null("queue_get");
    rc = get(q, 1, deadline, &answered);
    if (rc != 0)
        return rc;
    rc = take(ask_answer(answered)->items->items[0], ret);
    ask_end(answered);
    return rc;
}

/* What one of them is worth does not keep the others from being taken. */
static int take_all(const Pb__QueueItems *m, struct coop_items *ret)
{
    struct coop_item *items = calloc(m->n_items, sizeof(*items));

    for (size_t i = 0; i < m->n_items; i++) {
        int rc;

        if (items == NULL) {
            inside_value_refuse(m->items[i]->value);
            continue;
        }
        rc = take(m->items[i], &items[i].value);
        items[i].error = rc < 0 ? rc : 0;
        snprintf(items[i].sender, sizeof(items[i].sender), "%s", m->items[i]->sender);
    }
    if (items == NULL)
        return inside_failed(-ENOMEM, "queue_get");
    *ret = (struct coop_items){ items, m->n_items, m->closed };
    return 0;
}

int coop_queue_get(const struct coop_handle *q, size_t max, int64_t deadline, struct coop_items *ret)
{
    struct ask *answered;
    int rc;

    if (q == NULL || ret == NULL || max == 0 || max > COOP_QUEUE_BATCH)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "queue_get: a queue and a number from 1 to %d are wanted",
                             COOP_QUEUE_BATCH);
    rc = get(q, max, deadline, &answered);
    if (rc != 0)
        return rc;
    rc = take_all(ask_answer(answered)->items, ret);
    ask_end(answered);
    return rc;
}

void coop_items_free(struct coop_items *items)
{
    if (items == NULL)
        return;
    for (size_t i = 0; i < items->n; i++)
        coop_val_free(items->items[i].value);
    free(items->items);
    *items = (struct coop_items){ NULL, 0, items->closed };
}

/* ---- the queue itself ----------------------------------------------------------------------------------------------------------- */

int coop_queue_close(const struct coop_handle *q, bool discard)
{
    Pb__QueueClose m = PB__QUEUE_CLOSE__INIT;
    Pb__Ask a = INSIDE_ASK(QUEUE_CLOSE, queue_close, &m);
    Pb__Ref ref;

    if (q == NULL)
        return refuse_null("queue_close");
    inside_ref(&ref, q);
    m.queue = &ref;
    m.discard = discard;
    return inside_ask_done(&a);
}

int coop_queue_info(const struct coop_handle *q, struct coop_queue_info *ret)
{
    Pb__QueueInfo m = PB__QUEUE_INFO__INIT;
    Pb__Ask a = INSIDE_ASK(QUEUE_INFO, queue_info, &m);
    const Pb__QueueStatus *s;
    struct ask *answered;
    Pb__Ref ref;
    int rc;

    if (q == NULL || ret == NULL)
        return refuse_null("queue_info");
    inside_ref(&ref, q);
    m.queue = &ref;
    rc = inside_ask(&a, PB__ANSWER__BODY_QUEUE, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    s = ask_answer(answered)->queue;
    *ret = (struct coop_queue_info){
        .items = s->items,
        .max_items = s->max_items,
        .bytes = s->bytes,
        .max_bytes = s->max_bytes,
        .unbound = (enum coop_unbound)s->unbound,
        .durable = s->durable,
        .closed = s->closed,
        .putters = s->putters,
        .getters = s->getters,
        .put_total = s->put_total,
        .got_total = s->got_total,
    };
    if (s->queue != NULL)
        inside_handle(&ret->handle, s->queue);
    snprintf(ret->owner, sizeof(ret->owner), "%s", s->owner);
    ask_end(answered);
    return 0;
}
