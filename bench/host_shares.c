/*
 * host_shares.c - bench_host: three tenants of weights 1, 2 and 5 that have more jobs than can run, through a broker: what each gets.
 *
 * Method: all jobs are the same and wait before the first runs. From when all three are let go until one has few left, what each has had is the
 * number of its jobs that have begun; the broker's own word for it, the share of what they cost, is beside it.
 */
#include <math.h>
#include <stdio.h>

#include "bench/bench_host.h"
#include "bench/host_crowd.h"

enum { TENANTS = 3, UNIT = 4000, SPARE = 200 };

static const double weights[TENANTS] = { 1, 2, 5 };

static uint64_t queued(struct coop_client *operator, unsigned i, double *ret_share)
{
    struct frame reply;
    const Pb__Tenant *t = crowd_tenant(operator, CROWD_UID + i, &reply);
    uint64_t n = t->queued;

    *ret_share = t->share;
    frame_release(&reply);
    return n;
}

static double worst_error(const double had[TENANTS])
{
    double all = 0, weight = 0, worst = 0;

    for (unsigned i = 0; i < TENANTS; i++) {
        all += had[i];
        weight += weights[i];
    }
    for (unsigned i = 0; i < TENANTS; i++)
        worst = fmax(worst, fabs(had[i] / all * weight / weights[i] - 1));
    return 100 * worst;
}

static void fill(struct coop_client *operator)
{
    Pb__JobSpec spec;

    crowd_noop(&spec);
    for (unsigned i = 0; i < TENANTS; i++) {
        struct coop_client *c = crowd_client(CROWD_UID + i);

        crowd_set_tenant(operator, CROWD_UID + i, weights[i], true);
        crowd_shut(operator, CROWD_UID + i, true);
        crowd_submit(c, &spec, UNIT * (unsigned)weights[i]);
        coop_client_close(c);
    }
}

void host_shares_rows(void)
{
    const char *args[] = { "--share", "all", "--max-queued", "100000", NULL };
    double had[TENANTS], shares[TENANTS], begin[TENANTS], fewest;
    struct coop_client *operator;

    if (!crowd_is_possible()) {
        printf("  (left out: only root can be three users)\n");
        return;
    }
    if (!host_broker_start(args))
        host_die("coopd", -5);
    operator= crowd_client(0);
    fill(operator);
    for (unsigned i = 0; i < TENANTS; i++)
        crowd_shut(operator, CROWD_UID + i, false);
    for (unsigned i = 0; i < TENANTS; i++) /* only now: the first was let go some jobs before the last */
        begin[i] = (double)queued(operator, i, &shares[i]);
    do {
        fewest = UNIT;
        for (unsigned i = 0; i < TENANTS; i++) {
            double left = (double)queued(operator, i, &shares[i]);

            had[i] = begin[i] - left;
            fewest = fmin(fewest, left);
        }
    } while (fewest > SPARE);
    host_print_row("worst error of the shares, by jobs", worst_error(had), "%", "ask: < 2");
    host_print_row("the same by what they cost, as the broker says it", worst_error(shares), "%", "");
    coop_client_close(operator);
    host_broker_stop();
}
