/*
 * many.c - 100,000 tasklets, all alive at once, each waiting for a number from the one before it.
 *
 * A tasklet costs memory only for the stack pages it has touched: one or two. What it reserves is address space, so 100,000 are nothing
 * special on one thread, where 100,000 threads would be.
 *
 *   build/debug/examples/task/many 100000
 */
#include <stdio.h>
#include <stdlib.h>

#include <coop/task.h>

struct link {
    coop_chan *from, *to;
};

/* Takes a number from the left, gives one more to the right. */
static int pass_on(void *arg)
{
    const struct link *l = arg;
    intptr_t n;
    int rc = coop_chan_recv(l->from, &n, COOP_NEVER);

    return rc == 0 ? coop_chan_send(l->to, n + 1, COOP_NEVER) : rc;
}

/* One task for each link, and a channel between every two: chans has count + 1 places. */
static int make_chain(struct link *links, coop_chan **chans, int count)
{
    /* The smallest stack there is, 8 KiB: these functions are shallow. printf() in them would ask for more. */
    static const struct coop_attr small = { .name = "link", .stack_size = 8 << 10 };
    int rc = coop_chan_new(0, &chans[0]);

    for (int i = 0; rc == 0 && i < count; i++) {
        rc = coop_chan_new(0, &chans[i + 1]);
        links[i] = (struct link){ chans[i], chans[i + 1] };
        if (rc == 0)
            rc = coop_spawn(NULL, pass_on, &links[i], &small);
    }
    return rc;
}

static int run(struct link *links, coop_chan **chans, int count)
{
    struct coop_stats stats;
    intptr_t n = 0;
    int64_t start = coop_now(), sent;
    int rc = make_chain(links, chans, count);

    if (rc == 0)
        rc = coop_yield(); /* once around: each one starts, and waits for its left neighbour */
    if (rc != 0)
        return rc;
    coop_get_stats(&stats);
    sent = coop_now();
    printf("%zu tasklets are alive after %lld ms\n", stats.alive, (long long)(sent - start) / 1000);

    rc = coop_chan_send(chans[0], 0, COOP_NEVER);
    if (rc == 0)
        rc = coop_chan_recv(chans[count], &n, COOP_NEVER);
    printf("0 went through them all in %lld ms and came out as %ld\n", (long long)(coop_now() - sent) / 1000, (long)n);
    return rc == 0 && n == count ? 0 : 1;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 100000, rc = 1;
    struct link *links = count > 0 ? calloc((size_t)count, sizeof(*links)) : NULL;
    coop_chan **chans = count > 0 ? calloc((size_t)count + 1, sizeof(*chans)) : NULL;

    if (links != NULL && chans != NULL && coop_init(NULL) == 0) {
        rc = run(links, chans, count) == 0 ? 0 : 1;
        if (coop_finish() != 0)
            rc = 1;
        for (int i = 0; i <= count; i++)
            coop_chan_free(chans[i]);
    }
    free(chans);
    free(links);
    return rc;
}
