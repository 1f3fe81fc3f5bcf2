/* broker_fixture.c - see broker_fixture.h. */
#include "tests/support/broker_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/cage.h"
#include "tests/support/deny.h"

enum { LOG_SHOWN = 6000, WORKER_CPU_US = 150000 };

static const struct broker *shown; /* whose log is printed beside a failure */

static void show_log(void)
{
    const char *log;
    size_t len;

    if (shown == NULL)
        return;
    log = broker_log(shown);
    len = strlen(log);
    fprintf(stderr, "---- coopd's log\n%s", log + (len > LOG_SHOWN ? len - LOG_SHOWN : 0));
}

/* ---- up and down --------------------------------------------------------------------------------------------------------------- */

static void forget(void *thing)
{
    if (shown == thing)
        shown = NULL;
    free(thing);
}

struct broker *broker_new(void)
{
    struct broker *b = calloc(1, sizeof(*b));

    if (b == NULL)
        abort();
    support_on_release(forget, b);
    b->dir = support_dir();
    b->run_dir = support_text("%s/run", b->dir);
    b->state_dir = support_text("%s/state", b->dir);
    b->log_path = support_put(b->dir, "coopd.log", "", 0);
    shown = b;
    proc_on_failure = show_log;
    return b;
}

int broker_setup(void **state)
{
    struct broker *b = broker_new();

    *state = b;
    broker_up(b);
    return 0;
}

/* A second request to leave does not wait for jobs. Code 0 also means that a sanitizer found nothing in it. */
int broker_teardown(void **state)
{
    struct broker *b = *state;

    if (b != NULL && b->proc != NULL) {
        proc_kill(b->proc, SIGTERM);
        proc_kill(b->proc, SIGINT);
        (void)proc_expect(b->proc, 0);
    }
    if (b != NULL && broker_said(b, "event=undocumented", "") > 0) /* an answer that docs/calls.md does not have */
        support_fail("%s", broker_log(b));
    *state = NULL;
    support_release();
    return 0;
}

/* Whether that user can get at the programs: a checkout under a private home is not for everybody. */
static bool can_run(uid_t uid)
{
    struct proc_how how = { .uid = uid };
    struct proc *p = proc_start(&how, (const char *const[]){ support_program("coopd"), "--version", NULL });

    return proc_end(p) == 0;
}

bool broker_belongs_to(struct broker *b, uid_t uid)
{
    if (geteuid() != 0 || !can_run(uid))
        return false;
    if (chown(b->dir, uid, uid) != 0 || chown(b->log_path, uid, uid) != 0)
        support_fail("chown: %s", strerror(errno));
    b->uid = uid;
    return true;
}

static void confine(const void *arg)
{
    const struct broker *b = arg;
    const struct rlimit files = { b->files, b->files };
    int rc = b->cage != NULL ? cage_enter(b->cage) : 0;

    if (rc == 0 && b->files != 0 && setrlimit(RLIMIT_NOFILE, &files) != 0)
        rc = -errno;
    if (rc == 0 && b->deny != NULL)
        rc = deny_install(b->deny);
    if (rc == 0)
        return;
    dprintf(2, "cage %s, deny %s: %s\n", b->cage != NULL ? b->cage : "", b->deny != NULL ? b->deny : "", strerror(-rc));
    _exit(121);
}

/* The sanitizer's way to look for leaks needs to trace the process, which another user's undumpable coopd does not let it. */
static const char *const env_of_other_user[] = { "ASAN_OPTIONS=detect_leaks=0", NULL };

static struct proc *launch(struct broker *b, int ready_fd)
{
    const char *argv[10 + BROKER_ARGS + 1] = {
        support_program("coopd"),     "--run-dir",   b->run_dir, "--state-dir", b->state_dir, "--ready-fd",
        support_text("%d", ready_fd), "--log-level", "debug"
    };
    struct proc_how how = { .uid = b->uid, .env = b->env, .err_file = b->log_path, .pass_fd = ready_fd, .arg = b };
    struct stat st;

    b->socket = support_text("%s/control.sock", b->run_dir);
    b->url = support_text("ipc://%s", b->socket);
    b->log_from = stat(b->log_path, &st) == 0 ? st.st_size : 0;
    for (size_t i = 0; i < BROKER_ARGS && b->args[i] != NULL; i++)
        argv[9 + i] = b->args[i];
    if (b->deny != NULL || b->cage != NULL || b->files != 0)
        how.before_exec = confine;
    if (b->uid != 0 && b->env == NULL)
        how.env = env_of_other_user;
    return proc_start(&how, argv);
}

/* "ready\n", "busy\n", or "" when it ended without a word. */
static void read_word(int fd, char word[16])
{
    uint64_t started = support_now_ms();
    struct pollfd f = { .fd = fd, .events = POLLIN };
    size_t len = 0;
    ssize_t n = 1;

    while (n > 0 && len < 15 && memchr(word, '\n', len) == NULL) {
        if (poll(&f, 1, support_left_ms(started)) == 0)
            support_fail("coopd does not become ready: %s", shown != NULL ? broker_log(shown) : "");
        n = read(fd, word + len, 15 - len);
        if (n > 0)
            len += (size_t)n;
    }
    word[len] = '\0';
}

static void start(struct broker *b, char word[16])
{
    int ready[2];

    if (pipe2(ready, O_CLOEXEC) != 0)
        support_fail("pipe: %s", strerror(errno));
    b->proc = launch(b, ready[1]);
    (void)close(ready[1]);
    read_word(ready[0], word);
    (void)close(ready[0]);
}

void broker_up(struct broker *b)
{
    char word[16];

    start(b, word);
    if (strcmp(word, "ready\n") == 0)
        return;
    show_log();
    support_fail("coopd says \"%s\", not that it is ready", word);
}

int broker_up_fails(struct broker *b)
{
    char word[16];

    start(b, word);
    if (strcmp(word, "ready\n") == 0)
        support_fail("coopd is ready, where it should have refused");
    return broker_wait(b);
}

int broker_wait(struct broker *b)
{
    int code = proc_end(b->proc);

    b->proc = NULL;
    return code;
}

int broker_down(struct broker *b)
{
    proc_kill(b->proc, SIGTERM);
    return broker_wait(b);
}

void broker_kill(struct broker *b)
{
    proc_kill(b->proc, SIGKILL);
    (void)broker_wait(b);
}

/* ---- the log ------------------------------------------------------------------------------------------------------------------- */

const char *broker_log(const struct broker *b)
{
    size_t len;
    const char *text = support_get(b->log_path, &len);

    return (size_t)b->log_from <= len ? text + b->log_from : text;
}

static unsigned count_lines(const char *log, const char *text, const char *more)
{
    unsigned n = 0;

    for (const char *line = log, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        n += memmem(line, (size_t)(end - line), text, strlen(text)) != NULL &&
             (more == NULL || memmem(line, (size_t)(end - line), more, strlen(more)) != NULL);
    return n;
}

unsigned broker_said(const struct broker *b, const char *text, const char *more)
{
    return count_lines(broker_log(b), text, more);
}

void broker_says_times(struct broker *b, const char *text, const char *more, unsigned times)
{
    uint64_t started = support_now_ms();
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct pollfd f = { .fd = fd, .events = POLLIN };
    char events[4096];

    if (fd < 0 || inotify_add_watch(fd, b->log_path, IN_MODIFY) < 0)
        support_fail("inotify: %s", strerror(errno));
    while (broker_said(b, text, more) < times) {
        if (poll(&f, 1, support_left_ms(started)) == 0) {
            show_log();
            support_fail("coopd's log does not say \"%s\" \"%s\" %u times", text, more != NULL ? more : "", times);
        }
        while (read(fd, events, sizeof(events)) > 0)
            ;
    }
    (void)close(fd); /* at once: a user has few of these */
}

void broker_says(struct broker *b, const char *text, const char *more)
{
    broker_says_times(b, text, more, 1);
}

/* ---- its processes ------------------------------------------------------------------------------------------------------------- */

/* The command line of a process, words with spaces between; "" when it is gone. */
static const char *command_line(pid_t pid)
{
    static char line[4096];
    FILE *f = fopen(support_text("/proc/%d/cmdline", (int)pid), "re");
    size_t n = f != NULL ? fread(line, 1, sizeof(line) - 1, f) : 0;

    if (f != NULL)
        (void)fclose(f);
    for (size_t i = 0; i < n; i++)
        if (line[i] == '\0')
            line[i] = ' ';
    line[n] = '\0';
    return line;
}

pid_t broker_zygote_of(const struct broker *b, const char *engine)
{
    const char *option = support_text(" --engine %s ", engine);
    pid_t children[TREE_MAX];
    unsigned n = tree_children(b->proc->pid, children);

    for (unsigned i = 0; i < n; i++)
        if (strstr(command_line(children[i]), option) != NULL)
            return children[i];
    return 0;
}

/* 0: none of its children has that name. */
static pid_t child_called(const struct broker *b, const char *wanted)
{
    pid_t children[TREE_MAX];
    unsigned n = tree_children(b->proc->pid, children);

    for (unsigned i = 0; i < n; i++) {
        char name[32] = "";
        FILE *f = fopen(support_text("/proc/%d/comm", (int)children[i]), "re");

        if (f != NULL && fgets(name, sizeof(name), f) == NULL)
            name[0] = '\0';
        if (f != NULL)
            (void)fclose(f);
        if (strcmp(name, wanted) == 0)
            return children[i];
    }
    return 0;
}

pid_t broker_janitor(const struct broker *b)
{
    uint64_t started = support_now_ms();
    pid_t pid;

    while ((pid = child_called(b, "coop-janitor\n")) == 0)
        support_turn(started, "the janitor");
    return pid;
}

pid_t broker_zygote(const struct broker *b)
{
    return broker_zygote_of(b, "lua");
}

unsigned broker_workers(const struct broker *b, pid_t *into)
{
    pid_t zygote = broker_zygote(b);

    return zygote != 0 ? tree_children(zygote, into) : 0;
}

pid_t broker_worker_with_job(const struct broker *b)
{
    uint64_t started = support_now_ms();

    for (;;) {
        pid_t workers[TREE_MAX], most = 0;
        unsigned n = broker_workers(b, workers);
        uint64_t cpu = WORKER_CPU_US;

        for (unsigned i = 0; i < n; i++)
            if (tree_cpu_us(workers[i]) > cpu) {
                cpu = tree_cpu_us(workers[i]);
                most = workers[i];
            }
        if (most != 0)
            return most;
        support_turn(started, "a worker that burns CPU time");
    }
}

void broker_expect_idle(const struct broker *b, unsigned workers)
{
    uint64_t started = support_now_ms();

    while (json_num(json_of(&coop(b, "version", "--json")->out), "broker.workers_idle") < (json_int_t)workers)
        support_turn(started, "idle workers");
}

/* ---- the command --------------------------------------------------------------------------------------------------------------- */

const char *script(const struct broker *b, const char *name, const char *text)
{
    return support_put(b->dir, name, text, (size_t)-1);
}

struct proc *coop_start_(const struct broker *b, const struct proc_how *how, const char *const *args)
{
    const char *env[32] = { "COOP_RUN_DIR", "COOP_STATE_DIR", "COOP_NO_AUTOSTART", support_text("COOP_ENDPOINT=%s", b->url) };
    const char *argv[64] = { support_program("coop") };
    struct proc_how mine = *how;
    size_t n = 1, e = 4;

    for (; args[n - 1] != NULL && n < 63; n++)
        argv[n] = args[n - 1];
    for (size_t i = 0; how->env != NULL && how->env[i] != NULL && e < 31; i++)
        env[e++] = how->env[i];
    mine.env = env;
    if (mine.uid == 0)
        mine.uid = b->uid;
    return proc_start(&mine, argv);
}

struct proc *coop_run_(const struct broker *b, const struct proc_how *how, const char *const *args)
{
    struct proc *p = coop_start_(b, how, args);

    (void)proc_end(p);
    return p;
}

char *submit_(const struct broker *b, const char *const *args)
{
    struct proc *p = coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL }, args);

    proc_expect(p, 0);
    return heard_line(&p->out);
}

/* result's exit code is the job's fate; that there is a receipt is what its schema says. */
json_t *receipt_of(const struct broker *b, const char *id)
{
    json_t *r = json_of(&coop(b, "result", "--json", id)->out);

    if (strcmp(json_str(r, "schema"), "coop.Receipt/1") != 0 || strcmp(json_str(r, "job"), id) != 0)
        support_fail("job %s has no receipt but %.1000s", id, json_shown(r));
    return r;
}

json_t *status_of(const struct broker *b, const char *id)
{
    return json_at(json_of(&proc_expect(coop(b, "show", "--json", id), 0)->out), "status");
}

json_t *expect_end(const struct broker *b, const char *id, const char *cause)
{
    json_t *r;

    (void)coop(b, "wait", "--quiet", id);
    r = receipt_of(b, id);
    if (strcmp(json_str(r, "cause"), cause) == 0)
        return r;
    show_log();
    support_fail("job %s ended %s, wanted %s: %.2000s", id, json_str(r, "cause"), cause, json_shown(r));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void expect_receipts(const struct broker *b, size_t jobs)
{
    json_t *list = json_at(json_of(&proc_expect(coop(b, "ls", "--json", "--limit", "1000"), 0)->out), "jobs");
    const char **ids = support_keep(calloc(json_array_size(list) + 1, sizeof(*ids)));

    if (json_array_size(list) != jobs)
        support_fail("%zu jobs are listed, wanted %zu", json_array_size(list), jobs);
    for (size_t i = 0; i < jobs; i++) {
        ids[i] = json_str(json_array_get(list, i), "id");
        (void)receipt_of(b, ids[i]);
    }
    qsort(ids, jobs, sizeof(*ids), by_text);
    for (size_t i = 1; i < jobs; i++)
        if (strcmp(ids[i - 1], ids[i]) == 0)
            support_fail("job %s is listed twice", ids[i]);
}
