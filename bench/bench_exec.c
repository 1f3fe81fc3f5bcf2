/*
 * bench_exec.c - what it costs to run a program in coop, at each tier that this machine reaches, beside plain exec and bubblewrap.
 *
 * Side:    host. Starts a broker of its own for each tier.
 * Method:  rounds; each takes one sample of every contender, so that a machine that changes its speed changes it for all. Medians; overheads
 *          are medians of the ratio within a round.
 */
#include "bench/host.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { START_ROUNDS = 200, JOB_ROUNDS = 300, JOB_WARM = 20, COST_ROUNDS = 11, PATH_ROOM = 4400 };

static const char *const tiers[] = { "T0", "T1", "T2" };
enum { TIERS = sizeof(tiers) / sizeof(tiers[0]) };

/* Runs argv to its end; what it printed, if out is not NULL, at most size - 1 bytes. False: it did not end with 0. */
static bool run(char *const *argv, char *out, size_t size)
{
    posix_spawn_file_actions_t files;
    int pipes[2], status = 0, rc;
    size_t len = 0;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        host_die("pipe", -errno);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, pipes[1], 1);
    rc = posix_spawnp(&pid, argv[0], &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(pipes[1]);
    while (rc == 0 && out != NULL && len < size - 1) {
        ssize_t n = read(pipes[0], out + len, size - 1 - len);

        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (out != NULL)
        out[len] = '\0';
    if (rc == 0)
        waitpid(pid, &status, 0);
    close(pipes[0]);
    return rc == 0 && status == 0;
}

/* ---- contenders: ways to run a program ---- */

struct contender {
    const char *name;
    const char *prefix[12]; /* the command line before the program */
    bool there;
};

static struct contender plain = { .name = "plain exec", .there = true };
static struct contender bwrap = {
    .name = "bwrap --unshare-all --ro-bind / / --dev /dev",
    .prefix = {"bwrap", "--unshare-all", "--ro-bind", "/", "/", "--dev", "/dev"},
};
static char coop_path[PATH_ROOM];
static struct contender coop = {
    .name = "coop run", .prefix = {coop_path, "--endpoint", host_url, "run"},
         .there = true
};

static const char *const names[] = { "true", "true_libc", "spin", "copy512" };
enum { PROGRAMS = sizeof(names) / sizeof(names[0]) };
static char program_path[PROGRAMS][PATH_ROOM];
static char *const prog_true = program_path[0], *const prog_large = program_path[1], *const prog_spin = program_path[2],
                   *const prog_copy = program_path[3];

/* Microseconds for a whole run, or what the program itself printed. */
static double sample(const struct contender *c, char *program, bool printed)
{
    char *argv[16], text[64];
    int n = 0;
    double start;

    for (; c->prefix[n] != NULL; n++)
        argv[n] = (char *)c->prefix[n];
    argv[n++] = program;
    argv[n] = NULL;
    start = host_now_us();
    if (!run(argv, printed ? text : NULL, sizeof(text))) {
        fprintf(stderr, "bench: %s %s did not end with 0\n", c->name, program);
        exit(1);
    }
    return printed ? strtod(text, NULL) : host_now_us() - start;
}

static double start_of(const struct contender *c)
{
    double v[START_ROUNDS];

    for (int i = 0; i < START_ROUNDS; i++)
        v[i] = sample(c, prog_true, false);
    return host_percentile(v, START_ROUNDS, 0.5);
}

/* How much longer the program's own work takes than plain, in percent. */
static double overhead(const struct contender *c, char *program)
{
    double v[COST_ROUNDS];

    for (int i = 0; i < COST_ROUNDS; i++) {
        double bare = sample(&plain, program, true), with = sample(c, program, true), again = sample(&plain, program, true);

        v[i] = (with / ((bare + again) / 2) - 1) * 100;
    }
    return host_percentile(v, COST_ROUNDS, 0.5);
}

/* ---- jobs, without the command around them ---- */

static ProtobufCBinaryData read_program(const char *path)
{
    ProtobufCBinaryData b = { 0 };
    FILE *f = fopen(path, "re");
    long size;

    if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (size = ftell(f)) <= 0 || (b.data = malloc((size_t)size)) == NULL)
        host_die(path, -EIO);
    rewind(f);
    b.len = fread(b.data, 1, (size_t)size, f);
    fclose(f);
    return b;
}

/* The program is sent with each job. */
static void jobs(const char *program, double *ret_p50, double *ret_p99)
{
    double v[JOB_ROUNDS];
    struct coop_client *c = host_client_new();
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;

    spec.engine = "exec";
    spec.source_name = "true";
    spec.source = read_program(program);
    for (int i = -JOB_WARM; i < JOB_ROUNDS; i++) {
        double us = host_job(c, &spec);

        if (i >= 0)
            v[i] = us;
    }
    free(spec.source.data);
    coop_client_close(c);
    *ret_p50 = host_percentile(v, JOB_ROUNDS, 0.5);
    *ret_p99 = host_percentile(v, JOB_ROUNDS, 0.99);
}

static bool reached(void)
{
    char *argv[] = { coop_path, "--endpoint", host_url, "run", prog_true, NULL };

    return run(argv, NULL, 0);
}

static void bench_tier(const char *tier, double bare_us, double bwrap_us)
{
    const char *args[] = { "--tier", tier, NULL };
    double run_us, p50, p99;

    printf("\ncoop at %s\n", tier);
    if (!host_broker_start(args)) {
        printf("  not reached here: see coop doctor\n");
        return;
    }
    if (!reached()) {
        printf("  not reached here: see coop doctor\n");
        host_broker_stop();
        return;
    }
    run_us = start_of(&coop);
    host_print_row("coop run of a static true, wall", run_us, "us", bwrap.there ? "T1: below bubblewrap's" : "");
    host_print_row("  against plain exec", run_us / bare_us, "x", "");
    if (bwrap.there)
        host_print_row("  against bubblewrap", run_us / bwrap_us, "x", "T1: below 1");
    jobs(prog_true, &p50, &p99);
    host_print_row("submit -> receipt of it, one client, warm pool, p50", p50, "us", "");
    host_print_row("submit -> receipt of it, one client, warm pool, p99", p99, "us", "");
    jobs(prog_large, &p50, &p99);
    host_print_row("the same of one that is 750 KiB, p50", p50, "us", "");
    host_print_row("overhead on a program that computes", overhead(&coop, prog_spin), "%", "below 1");
    host_print_row("overhead on one that reads and writes 512 bytes at a time", overhead(&coop, prog_copy), "%", "below 25");
    host_broker_stop();
}

int main(void)
{
    char *probe[] = { "bwrap", "--unshare-all", "--ro-bind", "/", "/", "/bin/true", NULL };
    double bare_us, bwrap_us = 0;

    host_init();
    snprintf(coop_path, sizeof(coop_path), "%s/coop", host_build_dir);
    for (int i = 0; i < PROGRAMS; i++)
        snprintf(program_path[i], PATH_ROOM, "%s/bench/programs/%s", host_build_dir, names[i]);
    bwrap.there = run(probe, NULL, 0);
    printf("coop bench of programs: medians, %ld cores\n\nbeside it, in this run\n", sysconf(_SC_NPROCESSORS_ONLN));
    bare_us = start_of(&plain);
    host_print_row("plain exec of a static true", bare_us, "us", "");
    if (bwrap.there) {
        bwrap_us = start_of(&bwrap);
        host_print_row(bwrap.name, bwrap_us, "us", "");
        host_print_row("overhead of bwrap on a program that computes", overhead(&bwrap, prog_spin), "%", "");
        host_print_row("overhead of bwrap on 512-byte reads and writes", overhead(&bwrap, prog_copy), "%", "");
    } else {
        printf("  bubblewrap is not installed or does not run here: make bench-peers\n");
    }
    for (int i = 0; i < TIERS; i++)
        bench_tier(tiers[i], bare_us, bwrap_us);
    printf("\nagain\n");
    host_print_row("plain exec of a static true", start_of(&plain), "us", "");
    if (bwrap.there)
        host_print_row(bwrap.name, start_of(&bwrap), "us", "");
    return 0;
}
