/* queue_look.c - what is told of queues; see queues.h. */
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/queues_own.h"

static void tell(struct queue *q, const struct handle *h, Pb__QueueStatus *ret, Pb__Handle *ret_handle)
{
    pb__queue_status__init(ret);
    pb__handle__init(ret_handle);
    ret_handle->kind = PB__KIND__KIND_QUEUE;
    ret_handle->id = q->thing.id;
    ret_handle->name = q->thing.name;
    ret_handle->rights = h != NULL ? h->rights : RIGHTS_QUEUE;
    ret_handle->handle = h != NULL ? h->number : 0;
    ret->queue = ret_handle;
    ret->items = q->n_items;
    ret->bytes = q->bytes;
    ret->max_items = q->max_items;
    ret->max_bytes = q->max_bytes;
    ret->unbound = q->unbound;
    ret->durable = q->durable;
    ret->closed = q->closed;
    ret->putters = q->putters.count;
    ret->getters = q->getters.count;
    ret->put_total = q->put_total;
    ret->got_total = q->got_total;
    ret->owner = q->owner;
}

void call_queue_info(struct ask *a)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__QueueStatus status;
    Pb__Handle told;
    struct call_why why;
    struct handle *h;
    struct thing *t;

    if (ref_find(a->by, a->message->queue_info->queue, PB__KIND__KIND_QUEUE, 0, &t, &h, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    tell(queue_of(t), h, &status, &told);
    m.body_case = PB__ANSWER__BODY_QUEUE;
    m.queue = &status;
    ask_reply(a, &m);
}

static int by_id(const struct thing *a, const struct thing *b)
{
    return strcmp(a->id, b->id);
}

void call_queue_list(struct ask *a)
{
    struct things *all = &a->by->broker->things[PB__KIND__KIND_QUEUE];
    size_t n = HASH_CNT(by_id, all->by_id), k = 0;
    Pb__QueueStatus *status = calloc(n + 1, sizeof(*status)), **list = calloc(n + 1, sizeof(*list));
    Pb__Handle *told = calloc(n + 1, sizeof(*told));
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__QueueStatusList queues = PB__QUEUE_STATUS_LIST__INIT;

    if (status == NULL || list == NULL || told == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
    } else {
        HASH_SRT(by_id, all->by_id, by_id); /* ids sort by age */
        for (struct thing *t = all->by_id; t != NULL; t = t->by_id.next) {
            if (!thing_is_seen(a->by, t))
                continue;
            tell(queue_of(t), NULL, &status[k], &told[k]);
            list[k] = &status[k];
            k++;
        }
        queues.n_queues = k;
        queues.queues = list;
        m.body_case = PB__ANSWER__BODY_QUEUES;
        m.queues = &queues;
        ask_reply(a, &m);
    }
    free(status);
    free(list);
    free(told);
}
