/*
 * test_sealed.c - no worker runs unsealed: what the kernel itself says, in /proc, of a worker that waits for a job and of one that has one.
 *
 * The worker's own word for it is in each receipt; this does not take its word.
 */
#include <ctype.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/escape/host.h"

#define SECRET "the-brokers-own-secret-4711"

static struct host *host; /* NULL: cannot run here */
static uid_t group_uid;

/* ---- /proc --------------------------------------------------------------------------------------------------------------------- */

static const char *proc_file(pid_t pid, const char *name)
{
    return support_get(support_text("/proc/%d/%s", (int)pid, name), NULL);
}

/* The rest of the line that begins with name, from its first word on. */
static const char *proc_line(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, name, len) == 0) {
            const char *from = line + len + strspn(line + len, " \t");

            return support_text("%.*s", (int)strcspn(from, "\n"), from);
        }
    support_fail("no line \"%s\" in: %.500s", name, text);
}

static void expect_line(const char *text, const char *name, const char *wanted)
{
    const char *is = proc_line(text, name);

    if (strcmp(is, wanted) != 0)
        support_fail("%s %s, wanted %s", name, is, wanted);
}

/* ---- one worker ---------------------------------------------------------------------------------------------------------------- */

static unsigned long expected_uid(const char *status)
{
    unsigned long uid = strtoul(proc_line(status, "Uid:"), NULL, 10);

    if (geteuid() == 0 && group_uid == 0)
        assert_true(uid >= 1879100000 && uid < 1879100000 + 65536);
    else
        assert_int_equal(uid, group_uid != 0 ? group_uid : geteuid());
    return uid;
}

static void expect_status(pid_t pid)
{
    const char *status = proc_file(pid, "status");
    unsigned long uid = expected_uid(status);
    const char *four = support_text("%lu\t%lu\t%lu\t%lu", uid, uid, uid, uid);

    expect_line(status, "Seccomp:", "2");
    assert_true(strtol(proc_line(status, "Seccomp_filters:"), NULL, 10) >= 1);
    expect_line(status, "NoNewPrivs:", "1");
    expect_line(status, "Uid:", four);
    if (geteuid() == 0)
        expect_line(status, "Gid:", four);
    if (geteuid() == 0)
        expect_line(status, "Groups:", "");
    expect_line(status, "CapInh:", "0000000000000000");
    expect_line(status, "CapPrm:", "0000000000000000");
    expect_line(status, "CapEff:", "0000000000000000");
    expect_line(status, "CapAmb:", "0000000000000000");
    if (geteuid() == 0 && group_uid == 0)
        expect_line(status, "CapBnd:", "0000000000000000");
    expect_line(status, "TracerPid:", "0");
    expect_line(status, "Threads:", "1");
    expect_line(status, "Umask:", "0077");
}

static void expect_limit(const char *limits, const char *name, const char *most)
{
    const char *line = proc_line(limits, name), *hard = line + strcspn(line, " ");

    hard += strspn(hard, " ");
    if (strncmp(line, most, strlen(most)) != 0 || strncmp(hard, most, strlen(most)) != 0)
        support_fail("%s is %s, wanted %s", name, line, most);
}

static void expect_limits(pid_t pid)
{
    /* clang-format off */
    static const struct {
        const char *name, *most;
    } rows[] = {
        { "Max core file size", "0 " },    { "Max open files", "64 " },         { "Max processes", "0 " },
        { "Max file size", "0 " },         { "Max locked memory", "0 " },       { "Max msgqueue size", "0 " },
        { "Max realtime priority", "0 " }, { "Max pending signals", "16 " },    { "Max stack size", "8388608 " },
        { "Max file locks", "0 " },        { "Max nice priority", "0 " },
    };
    /* clang-format on */
    const char *limits = proc_file(pid, "limits");

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        expect_limit(limits, rows[i].name, rows[i].most);
}

/* Undumpable: its files in /proc are root's, whoever it runs as. */
static void expect_undumpable(pid_t pid)
{
    struct stat st;

    assert_int_equal(stat(support_text("/proc/%d/mem", (int)pid), &st), 0);
    assert_int_equal(st.st_uid, 0);
}

static const char *link_text(pid_t pid, const char *name)
{
    char to[256];
    ssize_t n = readlink(support_text("/proc/%d/%s", (int)pid, name), to, sizeof(to) - 1);

    if (n < 0)
        support_fail("/proc/%d/%s: %s", (int)pid, name, strerror(errno));
    to[n] = '\0';
    return support_text("%s", to);
}

static void expect_descriptors(pid_t pid)
{
    assert_int_equal(host_fds(pid), 4);
    for (int fd = 0; fd < 3; fd++) {
#if defined(COOP_ASAN) || defined(COOP_TSAN) || defined(COOP_UBSAN)
        if (fd == 2)
            continue; /* where the sanitizer reports */
#endif
        assert_string_equal(link_text(pid, support_text("fd/%d", fd)), "/dev/null");
    }
    assert_memory_equal(link_text(pid, "fd/3"), "socket:", 7);
    assert_string_equal(link_text(pid, "cwd"), "/");
}

/* A session of its own, so that no terminal is its, and a child of the zygote. */
static void expect_session(pid_t pid)
{
    const char *stat_text = strrchr(proc_file(pid, "stat"), ')');
    int parent = 0, group = 0, session = 0, tty = -1;

    assert_int_equal(sscanf(stat_text, ") %*c %d %d %d %d", &parent, &group, &session, &tty), 4);
    assert_int_equal(parent, host->zygote);
    assert_int_equal(session, pid);
    assert_int_equal(tty, 0);
}

/* Not in its environment, and nowhere else in what it may write to. */
static bool memory_has(pid_t pid, const char *text)
{
    const char *maps = proc_file(pid, "maps");
    int fd = open(support_text("/proc/%d/mem", (int)pid), O_RDONLY | O_CLOEXEC);
    bool found = false;

    if (fd < 0)
        support_fail("/proc/%d/mem: %s", (int)pid, strerror(errno));
    for (const char *line = maps; *line != '\0' && !found; line = strchr(line, '\n') + 1) {
        unsigned long from, to;
        char mode[8], *bytes;
        ssize_t n;

        if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || strncmp(mode, "rw", 2) != 0 || to - from > 64ul << 20)
            continue;
        bytes = malloc(to - from);
        n = bytes != NULL ? pread(fd, bytes, to - from, (off_t)from) : -1;
        found = n > 0 && memmem(bytes, (size_t)n, text, strlen(text)) != NULL;
        free(bytes);
    }
    (void)close(fd);
    return found;
}

static void expect_sealed(pid_t pid)
{
    expect_status(pid);
    expect_limits(pid);
    expect_undumpable(pid);
    expect_session(pid);
    if (geteuid() != 0)
        return; /* the rest is not for us to see, which is as it should be */
    expect_descriptors(pid);
}

/* ---- tests --------------------------------------------------------------------------------------------------------------------- */

static void each_idle_worker_is_sealed(void **state)
{
    pid_t workers[TREE_MAX];
    unsigned n;

    (void)state;
    if (host == NULL)
        skip();
    n = broker_workers(host->b, workers);
    assert_true(n >= HOST_SPARE);
    for (unsigned i = 0; i < n; i++)
        expect_sealed(workers[i]);
}

static void a_worker_with_a_job_is_sealed(void **state)
{
    json_t *receipt;
    struct proc *p;
    pid_t worker;

    (void)state;
    if (host == NULL)
        skip();
    p = coop_start(host->b, "run", script(host->b, "a.lua", BURN "print('waiting')\nio.read()\n"));
    proc_until(p, &p->out, "waiting\n");
    worker = broker_worker_with_job(host->b);
    expect_sealed(worker);
    proc_close_in(p);
    (void)proc_expect(p, 0);
    receipt = receipt_of(host->b, json_str(json_of(&coop(host->b, "ls", "--json", "--limit", "1")->out), "jobs.0.id"));
    host_worker_is_gone(host, (pid_t)json_num(receipt, "where.worker_pid")); /* on a slow machine another may have burnt more */
}

static void no_two_workers_have_a_uid_in_common(void **state)
{
    pid_t workers[TREE_MAX];
    unsigned long uids[TREE_MAX];
    unsigned n;

    (void)state;
    if (host == NULL || geteuid() != 0 || group_uid != 0)
        skip(); /* there is one uid only */
    n = broker_workers(host->b, workers);
    for (unsigned i = 0; i < n; i++) {
        uids[i] = expected_uid(proc_file(workers[i], "status"));
        for (unsigned k = 0; k < i; k++)
            assert_true(uids[k] != uids[i]);
    }
}

static void what_stands_in_the_brokers_environment_is_not_in_a_workers_memory(void **state)
{
    pid_t workers[TREE_MAX];

    (void)state;
    if (host == NULL || geteuid() != 0)
        skip();                                          /* /proc/PID/mem is not for us to see */
    assert_true(memory_has(host->b->proc->pid, SECRET)); /* the look itself works */
    for (unsigned i = 0, n = broker_workers(host->b, workers); i < n; i++)
        assert_false(memory_has(workers[i], SECRET));
}

/* Forks of one zygote would print the same otherwise. */
static void no_two_workers_have_their_chances_in_common(void **state)
{
    const char *path, *first;

    (void)state;
    if (host == NULL)
        skip();
    path = script(host->b, "seed.lua", "print(math.random(0), tostring({}))\n");
    first = heard_line(&proc_expect(coop(host->b, "run", path), 0)->out);
    for (int i = 0; i < 4; i++) {
        const char *other = heard_line(&proc_expect(coop(host->b, "run", path), 0)->out);

        assert_string_not_equal(first, other);
        assert_memory_not_equal(first, other, strcspn(first, "\t"));
    }
}

/* Last: the broker needs a new zygote after it. */
static void workers_end_with_their_zygote(void **state)
{
    struct tree *t;

    (void)state;
    if (host == NULL)
        skip();
    broker_expect_idle(host->b, HOST_SPARE); /* the jobs of the test before have just used some up */
    t = tree_of(host->zygote);
    assert_true(t->n >= 1 + HOST_SPARE);
    support_kill(host->zygote, SIGKILL);
    for (unsigned i = 0; i < t->n; i++)
        proc_wait_gone(t->pidfds[i]);
    (void)proc_expect(coop(host->b, "run", script(host->b, "after.lua", "print('x')")), 0);
}

/* ---- groups -------------------------------------------------------------------------------------------------------------------- */

static struct broker *group_broker;

static int group_up(void **state)
{
    struct host *h = host_new();

    (void)state;
    host = NULL;
    group_broker = h->b;
    (void)setenv("COOP_TEST_SECRET", SECRET, 1);
    if (group_uid == 0 || broker_belongs_to(h->b, group_uid)) {
        host_up(h, script(h->b, "noop.lua", "print('x')"));
        host = h;
    }
    (void)unsetenv("COOP_TEST_SECRET");
    return 0;
}

static int group_down(void **state)
{
    void *b = group_broker;

    (void)state;
    host = NULL;
    return broker_teardown(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_idle_worker_is_sealed),
        cmocka_unit_test(a_worker_with_a_job_is_sealed),
        cmocka_unit_test(no_two_workers_have_a_uid_in_common),
        cmocka_unit_test(what_stands_in_the_brokers_environment_is_not_in_a_workers_memory),
        cmocka_unit_test(no_two_workers_have_their_chances_in_common),
        cmocka_unit_test(workers_end_with_their_zygote),
    };
    int failed = cmocka_run_group_tests_name("sealed, as started by us", tests, group_up, group_down);

    group_uid = SUPPORT_NOBODY;
    return failed + cmocka_run_group_tests_name("sealed, as started by another user", tests, group_up, group_down) == 0 ? 0 : 1;
}
