/* inbox.c - see inbox.h. */
#include "broker/inbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

int inbox_init(struct inbox *b)
{
    pthread_mutex_init(&b->lock, NULL);
    b->first = NULL;
    b->last = &b->first;
    b->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return b->event_fd < 0 ? -errno : 0;
}

void inbox_finish(struct inbox *b)
{
    struct inbox_item *i = inbox_take(b);

    while (i != NULL) {
        struct inbox_item *next = i->next;
        if (i->msg != NULL)
            nng_msg_free(i->msg);
        free(i);
        i = next;
    }
    close(b->event_fd);
    pthread_mutex_destroy(&b->lock);
}

void inbox_poke(struct inbox *b)
{
    uint64_t one = 1;

    if (write(b->event_fd, &one, sizeof(one)) < 0)
        assert(errno == EAGAIN); /* the counter is full: it is readable anyway */
}

void inbox_push(struct inbox *b, enum inbox_kind kind, uint64_t id, nng_msg *msg)
{
    struct inbox_item *i = malloc(sizeof(*i));
    int was_empty;

    assert(i != NULL); /* a lost notice would leave a job without an owner; small, bounded, and Linux overcommits */
    *i = (struct inbox_item){ kind, id, msg, NULL };
    pthread_mutex_lock(&b->lock);
    was_empty = b->first == NULL;
    *b->last = i;
    b->last = &i->next;
    pthread_mutex_unlock(&b->lock);
    if (was_empty)
        inbox_poke(b);
}

struct inbox_item *inbox_take(struct inbox *b)
{
    struct inbox_item *all;
    uint64_t count;

    if (read(b->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return NULL;
    pthread_mutex_lock(&b->lock);
    all = b->first;
    b->first = NULL;
    b->last = &b->first;
    pthread_mutex_unlock(&b->lock);
    return all;
}
