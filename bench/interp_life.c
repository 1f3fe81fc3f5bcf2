/* interp_life.c - bench_interp: an interpreter's life, a call of one that lives, a fork of a template, and two thousand at once. */
#include "bench/interp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVES = 300, WARM = 20, CALLS = 5000, FORKS = 200, MANY = 2000, WINDOW = 64 };

/* ---- lives ---------------------------------------------------------------------------------------------------------------------------- */

static double life(const char *template_name, const char *function, double *ret_create)
{
    double start = host_now_us(), made;
    struct coop_handle interp = interp_new(template_name, NULL);

    made = host_now_us();
    interp_call(&interp, function, interp_args(coop_val_int(1), NULL, NULL));
    interp_close(&interp);
    if (ret_create != NULL)
        *ret_create = made - start;
    return host_now_us() - start;
}

static struct coop_op *begin_one(struct coop_spec *spec)
{
    struct coop_interp_options options = { .size = sizeof(options), .spec = spec, .owner = COOP_OWNER_SESSION };
    struct coop_op *op;
    struct coop_error why;

    interp_must(coop_interp_create_begin(interp_client, &options, INTERP_TIMEOUT_US, &op, &why), &why, "create");
    return op;
}

static struct coop_handle finish_one(struct coop_op *op)
{
    struct coop_result result;
    struct coop_handle interp;
    struct coop_error why;

    (void)coop_op_wait(op, INTERP_TIMEOUT_US);
    interp_must(coop_op_take(op, &result, &why), &why, "create");
    interp = result.handle;
    coop_result_free(&result);
    coop_op_free(op);
    return interp;
}

/* The life of one for which no worker is ready: another one takes the only one just before. */
static double cold_life(struct coop_spec *spec)
{
    double start = host_now_us(), us;
    struct coop_op *before = begin_one(spec), *op = begin_one(spec);
    struct coop_handle first = finish_one(before), interp = finish_one(op);

    interp_call(&interp, "tostring", interp_args(coop_val_int(1), NULL, NULL));
    interp_close(&interp);
    us = host_now_us() - start;
    interp_close(&first);
    return us;
}

/* pool: of the broker; 1: none is ready when it is asked for. */
void interp_lives(unsigned pool)
{
    static double v[LIVES];
    struct coop_spec *spec = coop_spec_new("lua");

    for (int i = -WARM; i < LIVES; i++) {
        double us;

        interp_wait_for_pool(pool);
        us = pool > 1 ? life(NULL, "tostring", NULL) : cold_life(spec);
        if (i >= 0)
            v[i] = us;
    }
    coop_spec_free(spec);
    interp_row("life-p50", pool > 1 ? "create, call, close; a worker ready: p50" : "create, call, close; no worker ready: p50",
               host_percentile(v, LIVES, 0.5), "us", pool > 1 ? "at most 500" : "at most 1000");
    interp_row("life-p99", pool > 1 ? "create, call, close; a worker ready: p99" : "create, call, close; no worker ready: p99",
               host_percentile(v, LIVES, 0.99), "us", "");
}

/* ---- calls ---------------------------------------------------------------------------------------------------------------------------- */

void interp_calls(void)
{
    static double v[CALLS];
    struct coop_handle interp = interp_new(NULL, "function same(x) return x end");

    for (int i = -WARM; i < CALLS; i++) {
        double start = host_now_us();

        interp_call(&interp, "same", interp_args(coop_val_int(i), NULL, NULL));
        if (i >= 0)
            v[i] = host_now_us() - start;
    }
    interp_close(&interp);
    interp_row("call-p50", "call of a live one, to its value: p50", host_percentile(v, CALLS, 0.5), "us", "at most 120");
    interp_row("call-p99", "call of a live one, to its value: p99", host_percentile(v, CALLS, 0.99), "us", "");
}

/* ---- templates ------------------------------------------------------------------------------------------------------------------------ */

/* 10 MB of strings, each another. */
static const char init[] = "state = {}\n"
                           "for i = 1, 10000 do state[i] = string.rep(string.char(97 + i % 26), 1000) .. i end\n"
                           "function check(n) assert(#state == 10000 and state[7] == string.rep('h', 1000) .. '7') return n end\n";

void interp_templates(void)
{
    static double whole[FORKS], made[FORKS];
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_template_info info;
    struct coop_error why;

    coop_spec_source(spec, "=init", init, strlen(init));
    interp_must(coop_template_build(interp_client, "bench", spec, INTERP_TIMEOUT_US, &info, &why), &why, "template");
    coop_spec_free(spec);
    for (int i = -WARM; i < FORKS; i++) {
        double create, us = life("bench", "check", &create);

        if (i >= 0) {
            whole[i] = us;
            made[i] = create;
        }
    }
    interp_row("", "build of a template with 10 MB of state", (double)info.build_us, "us", "");
    interp_row("", "its fork, to an interpreter that takes calls: p50", host_percentile(made, FORKS, 0.5), "us", "at most 2000");
    interp_row("", "its fork, to an interpreter that takes calls: p99", host_percentile(made, FORKS, 0.99), "us", "");
    interp_row("fork", "fork, call that looks at the state, close: p50", host_percentile(whole, FORKS, 0.5), "us", "");
}

/* ---- two thousand --------------------------------------------------------------------------------------------------------------------- */

/* KiB of a line of a file like smaps_rollup or meminfo; 0: it is not there. */
static double kib(const char *path, const char *name)
{
    FILE *f = fopen(path, "re");
    char line[256];
    double sum = 0;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            sum += strtod(strchr(line, ':') + 1, NULL);
    if (f != NULL)
        fclose(f);
    return sum;
}

/* A window of creates is open at any time. Microseconds. */
static double create_all(void)
{
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_op *open[WINDOW];
    double start = host_now_us();

    for (int i = 0; i < MANY + WINDOW; i++) {
        if (i >= WINDOW)
            (void)finish_one(open[i % WINDOW]);
        if (i < MANY)
            open[i % WINDOW] = begin_one(spec);
    }
    coop_spec_free(spec);
    return host_now_us() - start;
}

static void memory_of_all(const struct coop_interp_list *all, double available)
{
    double private = 0, share = 0;
    struct coop_interp_info info;
    struct coop_error why;
    char path[64];

    for (size_t i = 0; i < all->n; i++) {
        interp_must(coop_interp_info(interp_client, all->items[i].handle.id, INTERP_TIMEOUT_US, &info, &why), &why, "info");
        snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", info.pid);
        private += kib(path, "Private_");
        share += kib(path, "Pss:");
    }
    if (share == 0)
        printf("  their memory maps are not to be read here: run it as root\n");
    else
        interp_row("idle-memory", "memory of each: private", private / (double)all->n, "KiB", "at most 600");
    if (share > 0)
        interp_row("", "memory of each: with its part of what is shared", share / (double)all->n, "KiB", "");
    interp_row("", "memory of each: what the system has less, kernel and all",
               (available - kib("/proc/meminfo", "MemAvailable:")) / (double)all->n, "KiB", "");
}

void interp_many(void)
{
    struct coop_interp_list all;
    struct coop_error why;
    char row[80];
    double available, us;

    interp_begin("8", "2048");
    interp_wait_for_pool(8);
    available = kib("/proc/meminfo", "MemAvailable:");
    us = create_all();
    snprintf(row, sizeof(row), "%d interpreters that live: time to make all", MANY);
    interp_row("", row, us / 1000, "ms", "at most 4000");
    interp_row("idle-create", "that is for each", us / MANY, "us", "");
    interp_must(coop_interp_list(interp_client, false, INTERP_TIMEOUT_US, &all, &why), &why, "list");
    if (all.n != MANY)
        printf("  of them alive: %zu\n", all.n);
    memory_of_all(&all, available);
    free(all.items);
    interp_finish();
}
