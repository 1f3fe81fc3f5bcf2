/*
 * timeouts.c - waiting for several things at once, but not for ever: select, deadlines, and what is left of a call that timed out.
 *
 * Deadlines are absolute times in microseconds. One deadline can so be handed through many calls, and all of them together keep it;
 * a number of microseconds would start anew with each.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <coop/task.h>

enum { MS = 1000, PATIENCE_S = 10 };

struct source {
    coop_chan *out;
    int64_t every_us;
    int count;
};

/* Sends 1, 2, 3, … at its pace, then closes its channel: receivers are told by -EPIPE that nothing more will come. */
static int tick(void *arg)
{
    const struct source *s = arg;
    int rc = 0;

    for (int i = 1; rc == 0 && i <= s->count; i++) {
        rc = coop_sleep_until(coop_after(s->every_us)); /* the thread sleeps only when all its tasklets do */
        if (rc == 0)
            rc = coop_chan_send(s->out, i, COOP_NEVER);
    }
    (void)coop_chan_close(s->out);
    return rc;
}

/* Takes from both until both are closed, or until nothing came for so long that nothing will. */
static int listen_to(coop_chan *fast, coop_chan *slow)
{
    /* word and rc of the chosen clause are filled in. A clause whose channel is NULL is never ready: that is how one is switched off. */
    struct coop_clause clauses[] = {
        {.op = COOP_RECV,  .chan = fast},
        { .op = COOP_RECV, .chan = slow},
    };
    static const char *const names[] = { "fast", "slow" };

    while (clauses[0].chan != NULL || clauses[1].chan != NULL) {
        int i = coop_select(clauses, 2, COOP_FAIR, coop_after((int64_t)PATIENCE_S * 1000 * MS));

        if (i == -ETIMEDOUT)
            printf("silence for %d s\n", PATIENCE_S); /* nothing was received: a call that fails has done nothing */
        if (i < 0)
            return i;
        if (clauses[i].rc == 0) {
            printf("%s %ld\n", names[i], (long)clauses[i].word);
        } else {
            printf("%s is closed\n", names[i]); /* from now on it would be ready each time */
            clauses[i].chan = NULL;
        }
    }
    return 0;
}

/* Deadline 0 tries, and does not wait. */
static int try_once(void)
{
    coop_chan *empty;
    intptr_t word;
    int rc = coop_chan_new(1, &empty);

    if (rc != 0)
        return rc;
    rc = coop_chan_recv(empty, &word, 0);
    printf("an empty channel, deadline 0: %s\n", strerror(-rc));
    (void)coop_chan_send(empty, 7, 0); /* there is room for one */
    rc = coop_chan_recv(empty, &word, 0);
    printf("the same with one word in it: %ld\n", (long)word);
    (void)coop_chan_free(empty);
    return rc;
}

int main(void)
{
    struct source fast = { .every_us = 10 * MS, .count = 5 }, slow = { .every_us = 25 * MS, .count = 2 };
    int rc = coop_init(NULL);

    if (rc != 0)
        return 1;
    rc = try_once();
    if (rc == 0)
        rc = coop_chan_new(0, &fast.out);
    if (rc == 0)
        rc = coop_chan_new(0, &slow.out);
    if (rc == 0)
        rc = coop_spawn(NULL, tick, &fast, NULL); /* fast and slow are on main's stack, which outlives them: coop_finish() sees to it */
    if (rc == 0)
        rc = coop_spawn(NULL, tick, &slow, NULL);
    if (rc == 0)
        rc = listen_to(fast.out, slow.out);
    if (coop_finish() != 0)
        rc = -EBUSY;
    coop_chan_free(fast.out);
    coop_chan_free(slow.out);
    return rc == 0 ? 0 : 1;
}
