/*
 * bench_interp.c - what interpreters that live cost: made, called, closed; values through queues and buffers; templates; two thousand of them.
 *
 * Side:    host. Starts brokers of its own, one after the other. Peers, in the same run: CPython's sub-interpreters and multiprocessing, by
 *          /usr/bin/python3, when it is there.
 */
#include "bench/interp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct coop_client *interp_client;

/* ---- a broker and a client of it ------------------------------------------------------------------------------------------------------ */

void interp_must(int rc, const struct coop_error *why, const char *what)
{
    if (rc == 0)
        return;
    fprintf(stderr, "bench: %s: %s: %s %s\n%s", what, why->name, why->message, why->cause, why->traceback);
    host_broker_stop();
    exit(1);
}

void interp_begin(const char *pool, const char *interpreters)
{
    const char *args[] = { "--pool", pool, "--interpreters", interpreters, NULL };
    struct coop_client_options options = { .size = sizeof(options), .endpoint = host_url, .no_autostart = true };
    struct coop_error why;

    if (!host_broker_start(args))
        host_die("coopd", -EIO);
    interp_must(coop_client_open(&options, &interp_client, &why), &why, "a client");
}

void interp_finish(void)
{
    coop_client_close(interp_client);
    interp_client = NULL;
    host_broker_stop();
}

/* The broker tells nobody when it has a worker more; each answer takes it a turn of its loop, in which workers are taken in. */
void interp_wait_for_pool(unsigned workers)
{
    struct coop_broker_info info;
    struct coop_error why;

    do
        interp_must(coop_broker_info(interp_client, INTERP_TIMEOUT_US, &info, &why), &why, "info");
    while (info.workers_idle < workers);
}

/* ---- interpreters --------------------------------------------------------------------------------------------------------------------- */

struct coop_handle interp_new_with(const char *limits, const char *template_name, const char *source)
{
    struct coop_spec *spec = template_name == NULL ? coop_spec_new("lua") : NULL;
    struct coop_interp_options options = {
        .size = sizeof(options), .spec = spec, .template_name = template_name, .owner = COOP_OWNER_SESSION
    };
    struct coop_call_result result;
    struct coop_handle interp;
    struct coop_error why;

    if (limits != NULL)
        coop_spec_limits(spec, limits);
    interp_must(coop_interp_create(interp_client, &options, INTERP_TIMEOUT_US, &interp, &why), &why, "create");
    coop_spec_free(spec);
    if (source != NULL) {
        interp_must(coop_interp_exec(interp_client, interp.id, "=bench", source, strlen(source), INTERP_TIMEOUT_US, &result, &why), &why,
                    "exec");
        coop_val_free(result.value);
    }
    return interp;
}

struct coop_handle interp_new(const char *template_name, const char *source)
{
    return interp_new_with(NULL, template_name, source);
}

void interp_call(const struct coop_handle *interp, const char *function, coop_val *args)
{
    struct coop_call_result result;
    struct coop_error why;

    interp_must(coop_interp_call(interp_client, interp->id, function, args, INTERP_TIMEOUT_US, &result, &why), &why, function);
    coop_val_free(result.value);
    coop_val_free(args);
}

void interp_close(const struct coop_handle *interp)
{
    struct coop_error why;

    interp_must(coop_interp_close(interp_client, interp->id, INTERP_TIMEOUT_US, &why), &why, "close");
}

coop_val *interp_args(coop_val *a, coop_val *b, coop_val *c)
{
    coop_val *args = coop_val_list(), *const each[] = { a, b, c };

    for (size_t i = 0; i < sizeof(each) / sizeof(each[0]) && each[i] != NULL; i++)
        (void)coop_val_add(args, each[i]);
    return args;
}

/* ---- peers ---------------------------------------------------------------------------------------------------------------------------- */

enum { FIGURES = 32 };

static const char *const scripts[][2] = {
    {"subinterpreters", "_xxsubinterpreters"},
    { "processes",      "multiprocessing"   },
};

static struct figure {
    const char *peer;
    char operation[32], what[96];
    double value;
} figures[FIGURES];
static size_t n_figures;

static void run_script(const char *script, const char *peer)
{
    char command[4400], line[256];
    FILE *f;

    snprintf(command, sizeof(command), "exec /usr/bin/python3 '%s/bench/peers/%s.py'", host_build_dir, script);
    f = popen(command, "re");
    while (f != NULL && n_figures < FIGURES && fgets(line, sizeof(line), f) != NULL) {
        struct figure *got = &figures[n_figures];

        if (sscanf(line, "%31[^\t]\t%lf\t%95[^\n]", got->operation, &got->value, got->what) == 3) {
            got->peer = peer;
            n_figures++;
        }
    }
    if (f == NULL || pclose(f) != 0)
        printf("%s does not run here (python3 of Debian 12): left out\n", peer);
}

void interp_peers_run(void)
{
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        run_script(scripts[i][0], scripts[i][1]);
}

/* How many times ours the peer's time, or memory, is; for a rate, how many times the peer's ours is. Above 1: ours is better. */
void interp_row(const char *operation, const char *name, double ours, const char *unit, const char *ask)
{
    bool rate = strchr(unit, '/') != NULL;

    host_print_row(name, ours, unit, ask);
    for (size_t i = 0; i < n_figures; i++) {
        const struct figure *f = &figures[i];

        if (strcmp(f->operation, operation) == 0)
            printf("    %-18s %-37s %10.1f %-4s  %.2f x\n", f->peer, f->what, f->value, unit, rate ? ours / f->value : f->value / ours);
    }
    fflush(stdout);
}

/* Of others' work too: on a machine that is busy all figures, the peers' as well, are some times what they are on a quiet one. */
static void say_load(const char *when)
{
    double load;

    if (getloadavg(&load, 1) == 1)
        printf("load average %s: %.1f\n", when, load);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {
        {"calls",      interp_calls    },
        { "queues",    interp_queues   },
        { "buffers",   interp_buffers  },
        { "templates", interp_templates},
    };

    host_init();
    printf("coop bench of interpreters: medians, %ld cores; x: how many times better than a peer\n", sysconf(_SC_NPROCESSORS_ONLN));
    say_load("before");
    interp_peers_run();
    if (argc < 2 || strcmp(argv[1], "lives") == 0) {
        interp_begin("1", "64");
        interp_lives(1);
        interp_finish();
        interp_begin("8", "64");
        interp_lives(8);
        interp_finish();
    }
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (argc < 2 || strcmp(argv[1], parts[i].name) == 0) {
            interp_begin("8", "64");
            parts[i].run();
            interp_finish();
        }
    if (argc < 2 || strcmp(argv[1], "many") == 0)
        interp_many();
    say_load("after");
    return 0;
}
