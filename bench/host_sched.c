/*
 * host_sched.c - the scheduler by itself, in this process: a million jobs wait, of ten thousand tenants in two levels, and one runs after the other.
 *
 * Method: every claim is timed by itself, with what follows it (the end of a job that ran, and a new one that waits) timed apart.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "bench/bench_host.h"
#include "bench/host.h"
#include "bench/measure.h"
#include "broker/sched.h"

enum { TENANTS = 10000, GROUPS = 100, JOBS = 1000000, CLAIMS = 400000, SLOTS = 64, LIMITERS = 1000 };

struct world {
    struct sched *s;
    struct sched_tenant *groups, *tenants;
    struct sched_limiter *limiters; /* of the first LIMITERS tenants: a place each */
    struct sched_job *jobs;
    unsigned seed;
    uint64_t age;
};

static void *get(size_t n, size_t size)
{
    void *p = calloc(n, size);

    if (p == NULL)
        host_die("memory", -ENOMEM);
    return p;
}

static unsigned pick(struct world *w, unsigned n)
{
    return (unsigned)rand_r(&w->seed) % n;
}

static void make_tenants(struct world *w)
{
    w->groups = get(GROUPS, sizeof(*w->groups));
    w->tenants = get(TENANTS, sizeof(*w->tenants));
    w->limiters = get(LIMITERS, sizeof(*w->limiters));
    for (unsigned i = 0; i < GROUPS; i++)
        (void)sched_tenant_add(w->s, &w->groups[i], NULL, 1 + i % 7, 1);
    for (unsigned i = 0; i < TENANTS; i++) {
        (void)sched_tenant_add(w->s, &w->tenants[i], &w->groups[i % GROUPS], 1 + i % 5, 1);
        sched_tenant_set_max_running(w->s, &w->tenants[i], 1 + i % 50);
    }
    for (unsigned i = 0; i < LIMITERS; i++)
        sched_limiter_init(&w->limiters[i], "LIMITER:bench", 1, false);
}

/* Half of the jobs belong to one tenant in a hundred. */
static void put(struct world *w, struct sched_job *job)
{
    static const Pb__JobClass classes[] = { PB__JOB_CLASS__JOB_CLASS_NORMAL, PB__JOB_CLASS__JOB_CLASS_BATCH,
                                            PB__JOB_CLASS__JOB_CLASS_INTERACTIVE };
    unsigned t = pick(w, 2) == 0 ? pick(w, TENANTS) : pick(w, TENANTS / 100);
    struct sched_use use = { t < LIMITERS ? &w->limiters[t] : NULL, 1 };

    job->rank.key = ++w->age;
    job->cost = (float)(1 + pick(w, 100)) / 100;
    job->uses = sched_uses_get(w->s, &w->tenants[t], &use, t < LIMITERS && pick(w, 2) == 0);
    if (job->uses == NULL || sched_put(w->s, job, classes[pick(w, 3)], 1 + pick(w, 5), w->age) != 0)
        host_die("put", -ENOMEM);
}

static void end(struct world *w, struct sched_job *job)
{
    sched_done(w->s, job->uses, job->cost, job->charged, job->cost * (float)(50 + pick(w, 100)) / 100, w->age);
    sched_uses_drop(w->s, job->uses);
}

static void say_claims(struct world *w)
{
    double *claim = get(CLAIMS, sizeof(double)), *rest = get(CLAIMS, sizeof(double)), start, middle;
    struct sched_job *running[SLOTS] = { NULL };

    for (unsigned i = 0; i < CLAIMS; i++) {
        struct sched_job *done = running[i % SLOTS];

        start = host_now_us();
        if (done != NULL) {
            end(w, done);
            put(w, done);
        }
        middle = host_now_us();
        running[i % SLOTS] = sched_next(w->s, w->age);
        claim[i] = host_now_us() - middle;
        rest[i] = middle - start;
        if (running[i % SLOTS] == NULL)
            host_die("nothing is claimed", -EINVAL);
    }
    host_print_row("claim, p50", host_percentile(claim, CLAIMS, 0.5), "us", "");
    host_print_row("claim, p99", host_percentile(claim, CLAIMS, 0.99), "us", "ask: < 5000");
    host_print_row("claim, the longest", claim[CLAIMS - 1], "us", "");
    host_print_row("its end and a new one put, p99", host_percentile(rest, CLAIMS, 0.99), "us", "");
    for (unsigned i = 0; i < SLOTS; i++)
        end(w, running[i]);
    free(claim);
    free(rest);
}

static void say_why(struct world *w)
{
    enum { ASKED = 200 };
    double v[ASKED];

    for (unsigned i = 0; i < ASKED; i++) {
        struct sched_job *job = &w->jobs[pick(w, JOBS)];
        struct sched_why why;
        double start = host_now_us();

        if (sched_waits(job))
            sched_why(w->s, job, w->age, &why);
        v[i] = host_now_us() - start;
    }
    host_print_row("why it waits, of any of them, p99", host_percentile(v, ASKED, 0.99), "us", "");
}

void host_sched_rows(void)
{
    struct world w = { .s = sched_new(0, 1), .seed = 1, .age = 1 };
    double before, start;

    if (w.s == NULL)
        host_die("memory", -ENOMEM);
    make_tenants(&w);
    w.jobs = get(JOBS, sizeof(*w.jobs));
    before = measure_resident();
    start = host_now_us();
    for (unsigned i = 0; i < JOBS; i++)
        put(&w, &w.jobs[i]);
    host_print_row("put", (host_now_us() - start) / JOBS, "us", "");
    host_print_row("memory, all of it", (measure_resident() - before) / 1048576, "MiB", "");
    say_claims(&w);
    say_why(&w);
    sched_free(w.s);
    free(w.jobs);
    free(w.limiters);
    free(w.tenants);
    free(w.groups);
}
