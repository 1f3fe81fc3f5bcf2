/*
 * sieve.c - prime numbers by a chain of tasklets and channels, after Hoare (CSP, 1978) and McIlroy.
 *
 *   generate -> [2] -> [3] -> [5] -> … -> main
 *
 * Each filter lets through what its prime does not divide. What comes out of the last one is a prime, and gets a filter of its own at the
 * end of the chain.
 *
 *   build/debug/examples/task/sieve 20
 */
#include <stdio.h>
#include <stdlib.h>

#include <coop/task.h>

struct filter {
    coop_chan *in, *out;
    intptr_t prime;
};

/* It never asks whether to stop: coop_finish() cancels it, its send fails with -ECANCELED, and a failed send is the end of any loop. */
static int generate(void *arg)
{
    coop_chan *out = arg;
    int rc = 0;

    for (intptr_t n = 2; rc == 0; n++)
        rc = coop_chan_send(out, n, COOP_NEVER);
    return rc;
}

static int sift(void *arg)
{
    const struct filter *f = arg;
    intptr_t n;
    int rc;

    while ((rc = coop_chan_recv(f->in, &n, COOP_NEVER)) == 0)
        if (n % f->prime != 0 && (rc = coop_chan_send(f->out, n, COOP_NEVER)) != 0)
            break;
    return rc;
}

/* Prints count primes. filters and chans (one more) are the caller's: they must live as long as the tasklets do. */
static int run(struct filter *filters, coop_chan **chans, int count)
{
    int rc = coop_chan_new(0, &chans[0]); /* capacity 0: each send waits for its receive */

    /* A channel keeps no one alive and belongs to no one; with NULL for the tasklet, nobody has to join it. */
    if (rc == 0)
        rc = coop_spawn(NULL, generate, chans[0], NULL);
    for (int i = 0; rc == 0 && i < count; i++) {
        struct filter *f = &filters[i];

        f->in = chans[i];
        rc = coop_chan_recv(f->in, &f->prime, COOP_NEVER); /* main blocks, so the chain runs */
        if (rc == 0 && (rc = coop_chan_new(0, &chans[i + 1])) == 0) {
            f->out = chans[i + 1];
            printf("%ld\n", (long)f->prime);
            rc = coop_spawn(NULL, sift, f, NULL);
        }
    }
    return rc;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 20, rc = 1;
    struct filter *filters = count > 0 ? calloc((size_t)count, sizeof(*filters)) : NULL;
    coop_chan **chans = count > 0 ? calloc((size_t)count + 1, sizeof(*chans)) : NULL;

    if (filters != NULL && chans != NULL && coop_init(NULL) == 0) {
        rc = run(filters, chans, count) == 0 ? 0 : 1;
        if (coop_finish() != 0) /* ends the tasklets first: a channel that somebody waits on cannot be freed (-EBUSY) */
            rc = 1;
        for (int i = 0; i <= count; i++)
            coop_chan_free(chans[i]); /* NULL is fine, as for free() */
    }
    free(chans);
    free(filters);
    return rc;
}
