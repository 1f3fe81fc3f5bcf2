/* host.c - see host.h. */
#include "bench/host.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { BROKER_ARGS = 32 };

char host_build_dir[4096], host_work_dir[64], host_url[160];
pid_t host_broker_pid;

_Noreturn void host_die(const char *what, int rc)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(-rc));
    exit(1);
}

void host_init(void)
{
    ssize_t n = readlink("/proc/self/exe", host_build_dir, sizeof(host_build_dir) - 1);

    if (n <= 0)
        host_die("/proc/self/exe", -errno);
    host_build_dir[n] = '\0';
    *strrchr(host_build_dir, '/') = '\0';
    *strrchr(host_build_dir, '/') = '\0';
    setvbuf(stdout, NULL, _IOLBF, 0);
}

/* ---- numbers ---- */

double host_now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double host_percentile(double *v, size_t n, double p)
{
    size_t i = (size_t)(p * (double)n);

    qsort(v, n, sizeof(*v), by_value);
    return v[i < n ? i : n - 1];
}

void host_print_row(const char *name, double value, const char *unit, const char *ask)
{
    printf("  %-58s %10.1f %-4s  %s\n", name, value, unit, ask);
    fflush(stdout);
}

/* ---- a broker of our own ---- */

static bool launch(const char *const *args)
{
    char path[4200], state[128], word[16];
    char *argv[BROKER_ARGS] = { path, "--run-dir", host_work_dir, "--state-dir", state, "--ready-fd",
                                "3",  "--pool",    "8",           "--log-level", "warn" };
    posix_spawn_file_actions_t files;
    int ready[2], rc, n = 11;
    ssize_t got;

    for (; args != NULL && *args != NULL && n < BROKER_ARGS - 1; args++)
        argv[n++] = (char *)*args;
    snprintf(path, sizeof(path), "%s/coopd", host_build_dir);
    snprintf(state, sizeof(state), "%s/state", host_work_dir);
    if (pipe2(ready, O_CLOEXEC) != 0)
        host_die("pipe", -errno);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, ready[1], 3);
    rc = posix_spawn(&host_broker_pid, path, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    close(ready[1]);
    if (rc != 0)
        host_die(path, -rc);
    got = read(ready[0], word, sizeof(word));
    close(ready[0]);
    return got > 0;
}

bool host_broker_start(const char *const *args)
{
    strcpy(host_work_dir, "/tmp/coop-bench-XXXXXX");
    if (mkdtemp(host_work_dir) == NULL)
        host_die("mkdtemp", -errno);
    snprintf(host_url, sizeof(host_url), "ipc://%s/control.sock", host_work_dir);
    if (launch(args))
        return true;
    host_broker_stop();
    return false;
}

bool host_broker_restart(const char *const *args)
{
    kill(host_broker_pid, SIGKILL);
    waitpid(host_broker_pid, NULL, 0);
    return launch(args);
}

void host_broker_stop(void)
{
    char command[128];

    kill(host_broker_pid, SIGTERM);
    waitpid(host_broker_pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf %s", host_work_dir);
    if (system(command) != 0)
        fprintf(stderr, "bench: %s is left behind\n", host_work_dir);
}

struct coop_client *host_client_new(void)
{
    struct coop_client_options options = { .size = sizeof(options), .endpoint = host_url, .no_autostart = true };
    struct coop_client *c;
    struct coop_error why;
    int rc;

    rc = coop_client_open(&options, &c, &why);
    if (rc != 0)
        host_die(why.message, rc);
    return c;
}

static void call(struct coop_client *c, Pb__Request *q, struct frame *reply)
{
    struct coop_error why;
    int rc = ask_broker(c, q, ASK_TIMEOUT_US, reply, &why);

    if (rc != 0)
        host_die(why.message, rc);
    if (((Pb__Reply *)reply->msg)->body_case == PB__REPLY__BODY_ERROR) {
        fprintf(stderr, "bench: %s\n", ((Pb__Reply *)reply->msg)->error->message);
        exit(1);
    }
}

double host_job(struct coop_client *c, Pb__JobSpec *spec)
{
    Pb__Request q = PB__REQUEST__INIT;
    Pb__Submit submit = PB__SUBMIT__INIT;
    Pb__Logs logs = PB__LOGS__INIT;
    struct frame reply;
    char id[32];
    double start = host_now_us();
    int ended;

    submit.spec = spec;
    q.body_case = PB__REQUEST__BODY_SUBMIT;
    q.submit = &submit;
    call(c, &q, &reply);
    snprintf(id, sizeof(id), "%s", ((Pb__Reply *)reply.msg)->submit->id);
    frame_release(&reply);
    logs.id = id;
    logs.timeout_ms = 30000;
    logs.want_receipt = 1;
    q.body_case = PB__REQUEST__BODY_LOGS;
    q.logs = &logs;
    do {
        const Pb__LogsReply *r;

        call(c, &q, &reply);
        r = ((Pb__Reply *)reply.msg)->logs;
        ended = r->ended;
        if (ended && (r->receipt == NULL || r->receipt->cause != PB__CAUSE__CAUSE_OK)) {
            fprintf(stderr, "bench: the job ended with cause %d: %s\n", r->receipt != NULL ? (int)r->receipt->cause : -1,
                    r->receipt != NULL ? r->receipt->cause_detail : "");
            exit(1);
        }
        frame_release(&reply);
    } while (!ended);
    return host_now_us() - start;
}
