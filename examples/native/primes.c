/* primes.c - the prime sieve of channels: each prime found gets a tasklet that passes on what it does not divide. */
#include <stdio.h>
#include <stdlib.h>

#include <coop/native.h>

static int count(void *arg)
{
    coop_chan *out = arg;

    for (intptr_t n = 2; coop_chan_send(out, n, COOP_NEVER) == 0; n++)
        ;
    return 0;
}

struct filter {
    coop_chan *in, *out;
    intptr_t prime;
};

static int pass_on(void *arg)
{
    struct filter *f = arg;
    intptr_t n;

    while (coop_chan_recv(f->in, &n, COOP_NEVER) == 0)
        if (n % f->prime != 0 && coop_chan_send(f->out, n, COOP_NEVER) != 0)
            break;
    free(f);
    return 0;
}

/* What it starts is cancelled when coop_job() returns. */
int coop_job(int argc, char **argv)
{
    int left = argc > 1 ? atoi(argv[1]) : 10;
    coop_chan *in, *out;
    intptr_t prime;

    if (coop_chan_new(0, &in) != 0 || coop_spawn(NULL, count, in, NULL) != 0)
        return 1;
    for (; left > 0 && coop_chan_recv(in, &prime, COOP_NEVER) == 0; left--) {
        struct filter *f = malloc(sizeof(*f));

        printf("%ld\n", (long)prime);
        if (f == NULL || coop_chan_new(0, &out) != 0)
            return 1;
        *f = (struct filter){ in, out, prime };
        if (coop_spawn(NULL, pass_on, f, NULL) != 0)
            return 1;
        in = out;
    }
    return 0;
}
