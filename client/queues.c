/* queues.c - queues between interpreters and host programs: see include/coop/client.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <coop/exit_codes.h>

#include "client/values.h"

/* ---- answers ----------------------------------------------------------------------------------------------------------------------- */

static void fill_info(struct coop_queue_info *i, const Pb__QueueStatus *s)
{
    memset(i, 0, sizeof(*i));
    if (s->queue != NULL)
        handle_of_pb(&i->handle, s->queue);
    i->items = s->items;
    i->bytes = s->bytes;
    i->max_items = s->max_items;
    i->max_bytes = s->max_bytes;
    i->unbound = (enum coop_unbound)s->unbound;
    i->durable = s->durable;
    i->closed = s->closed;
    i->putters = s->putters;
    i->getters = s->getters;
    i->put_total = s->put_total;
    i->got_total = s->got_total;
    PUT(i->owner, s->owner);
}

static int read_info(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    (void)why;
    fill_info(&ret->queue, body);
    return 0;
}

static int read_list(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__QueueStatusList *l = body;
    int rc = start_array((void **)&ret->queues.items, l->n_queues, sizeof(*ret->queues.items), why);

    (void)op;
    for (size_t i = 0; rc == 0 && i < l->n_queues; i++)
        fill_info(&ret->queues.items[i], l->queues[i]);
    ret->queues.n = rc == 0 ? l->n_queues : 0;
    return rc;
}

static int read_taken(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    (void)why;
    ret->count = ((const Pb__QueueTaken *)body)->count;
    return 0;
}

/* An item whose sender has ended has no value. */
static int read_items(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__QueueItems *l = body;
    int rc = start_array((void **)&ret->items.items, l->n_items, sizeof(*ret->items.items), why);

    for (size_t i = 0; rc == 0 && i < l->n_items; i++) {
        struct coop_item *item = &ret->items.items[i];

        ret->items.n = i + 1;
        PUT(item->sender, l->items[i]->sender);
        if (l->items[i]->unbound == PB__UNBOUND__UNBOUND_NONE || l->items[i]->value != NULL)
            rc = value_receive(op->client, l->items[i]->value, &item->value, why);
    }
    ret->items.closed = l->closed;
    return rc;
}

void coop_items_free(struct coop_items *l)
{
    for (size_t i = 0; i < l->n; i++)
        coop_val_free(l->items[i].value);
    free(l->items);
    *l = (struct coop_items){ NULL, 0, l->closed };
}

/* clang-format off */
static const struct op_kind kind_info  = { true, PB__ANSWER__BODY_QUEUE,  COOP_RESULT_QUEUE,  read_info,  NULL, NULL };
static const struct op_kind kind_list  = { true, PB__ANSWER__BODY_QUEUES, COOP_RESULT_QUEUES, read_list,  NULL, NULL };
static const struct op_kind kind_taken = { true, PB__ANSWER__BODY_TAKEN,  COOP_RESULT_COUNT,  read_taken, NULL, NULL };
static const struct op_kind kind_items = { true, PB__ANSWER__BODY_ITEMS,  COOP_RESULT_ITEMS,  read_items, NULL, NULL };
/* clang-format on */

/* ---- create, open ---------------------------------------------------------------------------------------------------------------- */

static int start_create(struct start *s, const struct coop_queue_options *o)
{
    Pb__QueueCreate m = PB__QUEUE_CREATE__INIT;

    if (o == NULL || o->size < sizeof(*o))
        return coop_error_set(s->why, EINVAL, COOP_EXIT_USAGE, "options.size is not set");
    m.name = (char *)(o->name != NULL ? o->name : "");
    m.max_items = o->max_items;
    m.max_bytes = o->max_bytes;
    m.unbound = (Pb__Unbound)o->unbound;
    m.durable = o->durable;
    return start_ask(s, PB__ASK__BODY_QUEUE_CREATE, &m, false, &op_handle);
}

int coop_queue_create(struct coop_client *c, const struct coop_queue_options *options, int64_t timeout_us, struct coop_handle *ret,
                      struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_handle(&s, start_create(&s, options), ret);
}

int coop_queue_create_begin(struct coop_client *c, const struct coop_queue_options *options, int64_t timeout_us, struct coop_op **ret,
                            struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_create(&s, options), ret);
}

static int start_open(struct start *s, const char *name, unsigned rights)
{
    Pb__QueueOpen m = PB__QUEUE_OPEN__INIT;

    m.name = (char *)name;
    m.rights = rights;
    return start_ask(s, PB__ASK__BODY_QUEUE_OPEN, &m, false, &op_handle);
}

int coop_queue_open(struct coop_client *c, const char *name, unsigned rights, int64_t timeout_us, struct coop_handle *ret,
                    struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_handle(&s, start_open(&s, name, rights), ret);
}

int coop_queue_open_begin(struct coop_client *c, const char *name, unsigned rights, int64_t timeout_us, struct coop_op **ret,
                          struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_open(&s, name, rights), ret);
}

/* ---- put, get -------------------------------------------------------------------------------------------------------------------- */

struct put {
    struct sent_value *values;
    Pb__Value **list;
    size_t n; /* of values that are to be finished */
};

static int fill_put(struct start *s, const coop_val *const *items, size_t n, struct put *p)
{
    char root[32];
    int rc = start_array((void **)&p->values, n, sizeof(*p->values), s->why);

    if (rc == 0)
        rc = start_array((void **)&p->list, n, sizeof(*p->list), s->why);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        snprintf(root, sizeof(root), "items[%zu]", i + 1);
        rc = value_send(s, items[i], root, &p->values[i]);
        if (rc == 0)
            p->list[p->n++] = &p->values[i].pb;
    }
    return rc;
}

static int start_put(struct start *s, const char *queue, const coop_val *const *items, size_t n, enum coop_unbound unbound)
{
    Pb__QueuePut m = PB__QUEUE_PUT__INIT;
    struct put p = { .n = 0 };
    Pb__Ref ref;
    int rc = fill_put(s, items, n, &p);

    if (rc == 0) {
        m.queue = ref_of_text(&ref, queue);
        m.items = p.list;
        m.n_items = p.n;
        m.unbound = (Pb__Unbound)unbound;
        m.timeout_us = s->timeout_us < 0 ? -1 : s->timeout_us;
        rc = start_ask(s, PB__ASK__BODY_QUEUE_PUT, &m, true, &kind_taken);
    }
    for (size_t i = 0; i < p.n; i++)
        value_sent(s, &p.values[i]);
    free(p.values);
    free(p.list);
    return rc;
}

int coop_queue_put(struct coop_client *c, const char *queue, const coop_val *const *items, size_t n, enum coop_unbound unbound,
                   int64_t timeout_us, size_t *ret_n, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_put(&s, queue, items, n, unbound), &r);

    if (rc == 0 && ret_n != NULL)
        *ret_n = r.count;
    return rc;
}

int coop_queue_put_begin(struct coop_client *c, const char *queue, const coop_val *const *items, size_t n, enum coop_unbound unbound,
                         int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_put(&s, queue, items, n, unbound), ret);
}

static int start_get(struct start *s, const char *queue, unsigned max)
{
    Pb__QueueGet m = PB__QUEUE_GET__INIT;
    Pb__Ref ref;

    m.queue = ref_of_text(&ref, queue);
    m.max = max;
    m.timeout_us = s->timeout_us < 0 ? -1 : s->timeout_us;
    return start_ask(s, PB__ASK__BODY_QUEUE_GET, &m, true, &kind_items);
}

int coop_queue_get(struct coop_client *c, const char *queue, unsigned max, int64_t timeout_us, struct coop_items *ret,
                   struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_get(&s, queue, max), &r);

    if (rc == 0)
        *ret = r.items;
    return rc;
}

int coop_queue_get_begin(struct coop_client *c, const char *queue, unsigned max, int64_t timeout_us, struct coop_op **ret,
                         struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_get(&s, queue, max), ret);
}

/* ---- close, info, list, remove --------------------------------------------------------------------------------------------------- */

static int start_close(struct start *s, const char *queue, bool discard)
{
    Pb__QueueClose m = PB__QUEUE_CLOSE__INIT;
    Pb__Ref ref;

    m.queue = ref_of_text(&ref, queue);
    m.discard = discard;
    return start_ask(s, PB__ASK__BODY_QUEUE_CLOSE, &m, false, &op_done);
}

int coop_queue_close(struct coop_client *c, const char *queue, bool discard, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_close(&s, queue, discard));
}

int coop_queue_close_begin(struct coop_client *c, const char *queue, bool discard, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_close(&s, queue, discard), ret);
}

static int start_info(struct start *s, const char *queue)
{
    Pb__QueueInfo m = PB__QUEUE_INFO__INIT;
    Pb__Ref ref;

    m.queue = ref_of_text(&ref, queue);
    return start_ask(s, PB__ASK__BODY_QUEUE_INFO, &m, false, &kind_info);
}

int coop_queue_info(struct coop_client *c, const char *queue, int64_t timeout_us, struct coop_queue_info *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_info(&s, queue), &r);

    if (rc == 0)
        *ret = r.queue;
    return rc;
}

int coop_queue_info_begin(struct coop_client *c, const char *queue, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_info(&s, queue), ret);
}

static int start_list(struct start *s)
{
    Pb__QueueList m = PB__QUEUE_LIST__INIT;

    return start_ask(s, PB__ASK__BODY_QUEUE_LIST, &m, false, &kind_list);
}

int coop_queue_list(struct coop_client *c, int64_t timeout_us, struct coop_queue_list *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_list(&s), &r);

    if (rc == 0)
        *ret = r.queues;
    return rc;
}

int coop_queue_list_begin(struct coop_client *c, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_list(&s), ret);
}

static int start_remove(struct start *s, const char *queue)
{
    Pb__QueueDelete m = PB__QUEUE_DELETE__INIT;
    Pb__Ref ref;

    m.queue = ref_of_text(&ref, queue);
    return start_ask(s, PB__ASK__BODY_QUEUE_DELETE, &m, false, &op_done);
}

int coop_queue_remove(struct coop_client *c, const char *queue, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_remove(&s, queue));
}

int coop_queue_remove_begin(struct coop_client *c, const char *queue, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_remove(&s, queue), ret);
}
