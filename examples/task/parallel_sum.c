/*
 * parallel_sum.c - one sum on two threads of the operating system: threads=2.
 *
 *   main -> work -> [adder] [adder] [adder] [adder] -> sums -> main
 *
 * The adders are movable: they are made on the first thread, and the second, having nothing to do, takes some. Each asks for a range of
 * numbers, adds it up, and sends what it got; the two channels are all that they share.
 *
 *   build/debug/examples/task/parallel_sum 10000000
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <coop/task.h>

enum { ADDERS = 4, RANGE = 50000 };

struct ends {
    coop_chan *work, *sums;
};

/* A word travels: the first number of a range. It may come to go on on another thread after any blocking call, and need not know. */
static int add(void *arg)
{
    const struct ends *e = arg;
    intptr_t first;
    int rc;

    while ((rc = coop_chan_recv(e->work, &first, COOP_NEVER)) == 0) {
        intptr_t sum = 0;

        for (intptr_t n = first; n < first + RANGE; n++)
            sum += n;
        rc = coop_chan_send(e->sums, sum, COOP_NEVER);
        if (rc != 0)
            break;
    }
    return rc;
}

/* As many ranges as there are; the close tells the adders that there are no more. */
struct job {
    struct ends ends;
    intptr_t ranges;
};

static int hand_out(void *arg)
{
    const struct job *j = arg;
    int rc = 0;

    for (intptr_t i = 0; i < j->ranges && rc == 0; i++)
        rc = coop_chan_send(j->ends.work, i * RANGE, COOP_NEVER);
    return rc == 0 ? coop_chan_close(j->ends.work) : rc;
}

static int collect(const struct job *j, int64_t *ret_sum)
{
    int rc = 0;

    *ret_sum = 0;
    for (intptr_t i = 0; i < j->ranges && rc == 0; i++) {
        intptr_t part = 0;

        rc = coop_chan_recv(j->ends.sums, &part, COOP_NEVER);
        *ret_sum += part;
    }
    return rc;
}

static int run(struct job *j, int64_t *ret_sum)
{
    static const struct coop_attr movable = { .name = "adder", .movable = true };
    int rc = coop_spawn(NULL, hand_out, j, NULL);

    for (int i = 0; i < ADDERS && rc == 0; i++)
        rc = coop_spawn(NULL, add, &j->ends, &movable);
    if (rc == 0)
        rc = collect(j, ret_sum);
    return rc == 0 ? coop_run(COOP_NEVER) : rc; /* until the adders have seen the close */
}

int main(int argc, char **argv)
{
    intptr_t count = argc > 1 ? atol(argv[1]) : 10000000;
    struct job j = { .ranges = count / RANGE };
    int64_t sum = 0, expected;
    int rc;

    count = j.ranges * RANGE; /* whole ranges */
    expected = (int64_t)count * (count - 1) / 2;
    if (coop_init(&(struct coop_options){ .threads = 2 }) != 0) /* all threads are made here, none later */
        return 1;
    rc = coop_chan_new(ADDERS, &j.ends.work);
    if (rc == 0)
        rc = coop_chan_new(ADDERS, &j.ends.sums);
    if (rc == 0)
        rc = run(&j, &sum);
    if (coop_finish() != 0) /* ends and joins the other thread */
        rc = -1;
    coop_chan_free(j.ends.work);
    coop_chan_free(j.ends.sums);
    printf("%" PRId64 "\n", sum);
    return rc == 0 && sum == expected ? 0 : 1;
}
