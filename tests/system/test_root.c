/*
 * test_root.c - a broker that root starts gives root up, and one that cannot have namespaces says what is left.
 *
 * The kernel's own word for it, in /proc, not the broker's. As another user the tests about root are skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

/* Whom the broker becomes here: coop, where that user exists, else the first of a range that nobody uses. */
static uid_t broker_uid(void)
{
    const struct passwd *pw = getpwnam("coop");

    return pw != NULL ? pw->pw_uid : 1879100000;
}

static const char *proc_line(pid_t pid, const char *name)
{
    const char *text = support_get(support_text("/proc/%d/status", (int)pid), NULL), *line = strstr(text, support_text("\n%s:", name));

    if (line == NULL)
        support_fail("no line %s in /proc/%d/status", name, (int)pid);
    line += 1 + strlen(name) + 1;
    line += strspn(line, " \t");
    return support_text("%.*s", (int)strcspn(line, "\n"), line);
}

static void expect_line(pid_t pid, const char *name, const char *wanted)
{
    const char *is = proc_line(pid, name);

    if (strcmp(is, wanted) != 0)
        support_fail("%s of %d is %s, wanted %s", name, (int)pid, is, wanted);
}

static void expect_owner(const char *path, uid_t uid, mode_t mode)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        support_fail("%s: %s", path, strerror(errno));
    if (st.st_uid != uid || (mode != 0 && (st.st_mode & 0777) != mode))
        support_fail("%s is uid %u's, mode %03o", path, (unsigned)st.st_uid, (unsigned)st.st_mode & 0777);
}

#define ROOT_ONLY()                                                                                                                        \
    if (geteuid() != 0)                                                                                                                    \
    skip()

/* ---- who it is ------------------------------------------------------------------------------------------------------------------ */

static void nothing_of_root_is_left_in_the_broker(void **state)
{
    static const char *const none[] = { "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb" };
    struct broker *b = *state;
    pid_t pid = b->proc->pid;
    const char *ids = support_text("%u\t%u\t%u\t%u", broker_uid(), broker_uid(), broker_uid(), broker_uid());
    struct stat st;

    ROOT_ONLY();
    expect_line(pid, "Uid", ids);
    expect_line(pid, "Groups", "");
    expect_line(pid, "NoNewPrivs", "1");
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        expect_line(pid, none[i], "0000000000000000");
    assert_int_equal(stat(support_text("/proc/%d/mem", (int)pid), &st), 0);
    assert_int_equal(st.st_uid, 0); /* not dumpable: not even its own uid may look in */
    expect_line(broker_zygote(b), "Uid", ids);
    expect_text(proc_expect(coop(b, "run", script(b, "a.lua", "print(1)")), 0)->out, "1\n");
}

static void its_directories_are_its_own_below_parents_that_are_shut_to_it(void **state)
{
    struct broker *b = *state;
    static const char *const made[] = { "coop.db", "lock" };

    ROOT_ONLY();
    expect_owner(b->dir, 0, 0700);
    expect_owner(b->run_dir, broker_uid(), 0700);
    expect_owner(b->socket, broker_uid(), 0600);
    expect_owner(b->state_dir, broker_uid(), 0700);
    expect_owner(support_text("%s/output", b->state_dir), broker_uid(), 0700);
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        expect_owner(support_text("%s/%s", b->state_dir, made[i]), broker_uid(), 0600);
    assert_int_equal(broker_down(b), 0);
    assert_int_not_equal(access(b->socket, F_OK), 0); /* and it could take its socket away again */
}

static void each_worker_has_a_uid_of_its_own_which_the_receipt_tells_as_the_machine_counts(void **state)
{
    struct broker *b = *state;
    json_int_t uids[4];

    ROOT_ONLY();
    for (int i = 0; i < 4; i++) {
        uids[i] = json_num(expect_end(b, submit(b, script(b, "a.lua", "print(1)")), "ok"), "enforcement.uid");
        assert_in_range(uids[i], 1879100001, 1879100000 + 65535);
        for (int k = 0; k < i; k++)
            assert_true(uids[i] != uids[k]);
    }
}

static void no_worker_has_a_uid_of_another_brokers_worker(void **state)
{
    struct broker *one = *state, *two;
    json_int_t uids[2][4];

    ROOT_ONLY();
    two = broker_new();
    broker_up(two);
    for (int i = 0; i < 4; i++) {
        uids[0][i] = json_num(expect_end(one, submit(one, script(one, "a.lua", "print(1)")), "ok"), "enforcement.uid");
        uids[1][i] = json_num(expect_end(two, submit(two, script(two, "a.lua", "print(1)")), "ok"), "enforcement.uid");
    }
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 4; k++)
            assert_true(uids[0][i] != uids[1][k]);
    assert_int_equal(broker_down(two), 0);
}

static void another_user_is_chosen_by_name_or_by_number(void **state)
{
    static const char *const ways[] = { "nobody", "65534" };

    (void)state;
    ROOT_ONLY();
    for (size_t i = 0; i < 2; i++) {
        struct broker *b = broker_new();
        static const char *const env[] = { "COOP_USER=nobody", NULL };
        const char *path = script(b, "a.lua", "print(1)");
        struct proc *p;

        b->args[0] = "--user";
        b->args[1] = ways[i];
        broker_up(b);
        expect_line(b->proc->pid, "Uid", "65534\t65534\t65534\t65534");
        p = proc_expect(coop(b, "run", path), COOP_EXIT_PERMISSION); /* root does not take every user for a broker */
        expect_has(p->err, "COOP_USER");
        p = coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL, .env = env }, (const char *const[]){ "run", path, NULL });
        expect_text(proc_expect(p, 0)->out, "1\n");
        assert_int_equal(broker_down(b), 0);
    }
}

static void it_becomes_nobody_that_it_should_not(void **state)
{
    static const struct {
        const char *user, *says;
    } rows[] = {
        {"root",          "that is root"},
        { "0",            "that is root"},
        { "no-such-user", "no such user"},
        { "-1",           "no such user"},
        { "4294967295",   "no such user"},
        { "12x",          "no such user"},
        { "99999999999",  "no such user"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker *b = broker_new();

        b->args[0] = "--user";
        b->args[1] = rows[i].user;
        assert_int_not_equal(broker_up_fails(b), 0);
        if (strstr(broker_log(b), geteuid() == 0 ? rows[i].says : "for a broker that root starts") == NULL)
            support_fail("--user %s: %s", rows[i].user, broker_log(b));
        assert_int_not_equal(access(b->state_dir, F_OK), 0); /* and nothing was made */
    }
}

/* A sanitizer makes a process dumpable to look for leaks in it: where it may not, it ends with a code of its own. */
static const char *const no_leak_check[] = { "ASAN_OPTIONS=detect_leaks=0", NULL };

static void a_broker_that_cannot_give_all_of_it_up_does_not_start(void **state)
{
    static const struct {
        const char *deny, *step;
    } rows[] = {
        {"prctl:PR_SET_NO_NEW_PRIVS", "no_new_privs"},
        { "prctl:PR_CAPBSET_DROP",    "bounding_set"},
        { "prctl:PR_SET_SECUREBITS",  "securebits"  },
        { "setresuid",                "uid"         },
        { "setgroups",                "uid"         },
        { "capset",                   "capabilities"},
        { "prctl:PR_SET_DUMPABLE",    "not_dumpable"},
    };

    (void)state;
    ROOT_ONLY();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker *b = broker_new();

        b->deny = rows[i].deny;
        if (strcmp(rows[i].step, "not_dumpable") == 0)
            b->env = no_leak_check;
        assert_int_equal(broker_up_fails(b), COOP_EXIT_PERMISSION);
        if (strstr(broker_log(b), support_text("root could not be given up, step %s", rows[i].step)) == NULL)
            support_fail("%s denied: %s", rows[i].deny, broker_log(b));
    }
}

/* Whoever starts it may tie its life to theirs; the kernel forgets that at each change of uid. */
static void it_dies_with_whoever_tied_it_to_themselves(void **state)
{
    struct broker *b = *state;
    int up[2], pidfd;
    pid_t between, pid = 0;

    if (pipe(up) != 0)
        fail_msg("pipe");
    assert_int_equal(broker_down(b), 0);
    between = fork();
    if (between == 0) {
        broker_up(b);
        if (write(up[1], &b->proc->pid, sizeof(pid)) != sizeof(pid))
            _exit(1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(up[0], &pid, sizeof(pid)), sizeof(pid));
    pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    assert_true(pidfd >= 0);
    (void)kill(between, SIGKILL);
    assert_int_equal(waitpid(between, NULL, 0), between);
    proc_wait_gone(pidfd);
    (void)close(pidfd);
    (void)close(up[0]);
    (void)close(up[1]);
}

/* ---- handing over ---------------------------------------------------------------------------------------------------------------- */

static void owned_by_root(const char *dir, const char *const *names)
{
    for (; *names != NULL; names++)
        if (lchown(support_text("%s/%s", dir, *names), 0, 0) != 0)
            support_fail("%s: %s", *names, strerror(errno));
    if (chown(dir, 0, 0) != 0)
        support_fail("%s: %s", dir, strerror(errno));
}

/* As a broker of before would have left it, that stayed root. */
static void what_a_broker_that_stayed_root_has_left_is_taken_over(void **state)
{
    static const char *const run[] = { "lock", NULL }, *const kept[] = { "coop.db", "lock", "output", NULL };
    struct broker *b = *state;
    char *id = submit(b, "--limit", "stdout=8M", script(b, "a.lua", "io.write(('x'):rep(3 << 20))"));
    struct proc *p;

    ROOT_ONLY();
    (void)expect_end(b, id, "ok");
    assert_int_equal(broker_down(b), 0);
    owned_by_root(b->run_dir, run);
    owned_by_root(b->state_dir, kept);
    owned_by_root(support_text("%s/output", b->state_dir), (const char *const[]){ support_text("%s.stdout", id), NULL });
    broker_up(b);
    p = proc_expect(coop(b, "logs", id), 0);
    assert_int_equal(p->out.len, 3 << 20);
    its_directories_are_its_own_below_parents_that_are_shut_to_it(state);
    expect_owner(support_text("%s/output/%s.stdout", b->state_dir, id), broker_uid(), 0600);
}

struct planted {
    const char *what;
    const char *says;
};

/* victim: a file of root's elsewhere, which must stay what it is. */
static void plant(const char *what, const char *state_dir, const char *victim)
{
    const char *at = support_text("%s/coop.db", state_dir);
    int rc = -1;

    if (mkdir(state_dir, 0700) != 0)
        support_fail("%s: %s", state_dir, strerror(errno));
    if (strcmp(what, "link") == 0)
        rc = symlink(victim, at);
    else if (strcmp(what, "second name") == 0)
        rc = link(victim, at);
    else if (strcmp(what, "fifo") == 0)
        rc = mkfifo(at, 0600);
    else if (strcmp(what, "directory") == 0)
        rc = mkdir(at, 0700);
    else if (strcmp(what, "link to a directory") == 0)
        rc = symlink("..", support_text("%s/output", state_dir));
    else if (strcmp(what, "what coop did not make") == 0)
        rc = link(victim, support_text("%s/accounts", state_dir));
    else if (strcmp(what, "others may write") == 0)
        rc = chmod(state_dir, 0777);
    if (rc != 0)
        support_fail("%s: %s", what, strerror(errno));
}

static void what_root_would_have_to_follow_is_refused_and_stays_what_it_was(void **state)
{
    static const struct planted rows[] = {
        {"link",                    "handed over"   },
        { "second name",            "handed over"   },
        { "fifo",                   "handed over"   },
        { "directory",              "handed over"   },
        { "link to a directory",    "handed over"   },
        { "what coop did not make", "did not make"  },
        { "others may write",       "may be written"},
    };

    (void)state;
    ROOT_ONLY();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct broker *b = broker_new();
        const char *victim = support_put(b->dir, "victim", "root's\n", (size_t)-1);

        plant(rows[i].what, b->state_dir, victim);
        assert_int_not_equal(broker_up_fails(b), 0);
        if (strstr(broker_log(b), rows[i].says) == NULL)
            support_fail("%s: %s", rows[i].what, broker_log(b));
        expect_owner(victim, 0, 0644);
        expect_owner(b->state_dir, 0, 0);
    }
}

static void no_directory_of_the_brokers_is_shown_to_programs(void **state)
{
    struct broker *b = broker_new();
    const char *const views[] = { "/", b->dir, b->run_dir, b->state_dir, support_text("%s/output", b->state_dir) };

    (void)state;
    broker_up(b);
    assert_int_equal(broker_down(b), 0);
    b->args[0] = "--view";
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        b->args[1] = views[i];
        assert_int_equal(broker_up_fails(b), COOP_EXIT_PERMISSION);
        assert_non_null(strstr(broker_log(b), "the broker's own"));
    }
    b->args[1] = support_text("%s/absent", b->dir);
    assert_int_equal(broker_up_fails(b), COOP_EXIT_CONFIG);
    assert_non_null(strstr(broker_log(b), "absent"));
}

/* ---- in a container --------------------------------------------------------------------------------------------------------------- */

static void run_caged(struct broker *b, const char *tier, bool namespaces)
{
    json_t *r;

    broker_up(b);
    expect_text(proc_expect(coop_in(b, "in", 2, "run", script(b, "a.lua", "print(io.read('a'))")), 0)->out, "in\n");
    r = expect_end(b, submit(b, script(b, "a.lua", "print(1)")), "ok");
    assert_string_equal(json_str(r, "enforcement.tier"), tier);
    assert_int_equal(json_array_size(json_at(r, "enforcement.namespaces")) > 1,
                     namespaces); /* the user namespace of the range is no wall */
    (void)expect_end(b, submit(b, "--limit", "memory=4M", script(b, "a.lua", "local s = 'x' while true do s = s .. s end")), "oom");
    (void)expect_end(b, submit(b, "--limit", "cpu=50ms", script(b, "a.lua", "while true do end")), "cpu_limit");
    assert_int_equal(broker_down(b), 0);
}

static void a_users_broker_without_user_namespaces_works_at_tier_2(void **state)
{
    struct broker *b = broker_new();

    (void)state;
    if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
        skip();
    b->cage = "no_userns";
    run_caged(b, "T2", false);
}

static void a_users_broker_whose_namespaces_a_filter_forbids_works_at_tier_2(void **state)
{
    struct broker *b = broker_new();

    (void)state;
    if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
        skip();
    b->deny = "unshare";
    run_caged(b, "T2", false);
}

/* Root of a container that may not make namespaces: root is given up all the same, and what is lost with the range is said. */
static void roots_broker_without_user_namespaces_gives_root_up_and_works_at_tier_2(void **state)
{
    struct broker *b = broker_new();

    (void)state;
    ROOT_ONLY();
    b->cage = "no_userns";
    broker_up(b);
    expect_line(b->proc->pid, "Uid", support_text("%u\t%u\t%u\t%u", broker_uid(), broker_uid(), broker_uid(), broker_uid()));
    expect_line(b->proc->pid, "CapEff", "0000000000000000");
    broker_says(b, "no_worker_uids", "unshare");
    assert_int_equal(broker_down(b), 0);
    run_caged(b, "T2", false);
    assert_int_equal(broker_said(b, "no_worker_uids", NULL), 1);
}

/*
 * Root of a container that has no other user: it stays number 0, which is somebody ordinary outside, and has no capability. Without
 * CAP_SETFCAP the kernel lets nobody map a number 0 into a further namespace, so that it gets none even where it may make them.
 */
static void a_lone_root_of_a_container_has_only_its_number(void **state)
{
    static const char *const cages[] = { "lone_root", "both" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct broker *b = broker_new();

        if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
            skip();
        b->cage = cages[i];
        broker_up(b);
        expect_line(b->proc->pid, "CapEff", "0000000000000000");
        expect_line(b->proc->pid, "CapBnd", "0000000000000000");
        assert_int_equal(broker_down(b), 0);
        run_caged(b, "T2", false);
        broker_says(b, "no_worker_uids", "uid_map");
    }
}

/* ---- tiers that are asked for ------------------------------------------------------------------------------------------------------ */

static void a_tier_that_was_asked_for_and_cannot_be_had_runs_nothing(void **state)
{
    struct broker *b = broker_new();
    struct proc *p;

    (void)state;
    if (geteuid() == 0 && !broker_belongs_to(b, SUPPORT_NOBODY))
        skip();
    b->cage = "no_userns";
    b->args[0] = "--tier";
    b->args[1] = "T1";
    broker_up(b);
    p = proc_expect(coop(b, "run", script(b, "a.lua", "print('this must not be seen')")), COOP_EXIT_PLATFORM);
    expect_text(p->out, "");
    expect_has(p->err, "start_failed");
    expect_has(p->err, "tier T1");
    assert_int_equal(broker_down(b), 0);
}

static void a_lower_tier_than_there_is_can_be_asked_for(void **state)
{
    static const char *const tiers[] = { "T2", "T3" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct broker *b = broker_new();

        b->args[0] = "--tier";
        b->args[1] = tiers[i];
        run_caged(b, tiers[i], false);
    }
}

static void a_job_that_requires_more_than_there_is_does_not_start(void **state)
{
    struct broker *b = broker_new();
    const char *path = script(b, "a.lua", "print('run')");
    struct proc *p;
    json_t *r;

    (void)state;
    b->args[0] = "--tier";
    b->args[1] = "T2";
    broker_up(b);
    p = proc_expect(coop(b, "run", "--require", "tier=T1", path), COOP_EXIT_PLATFORM);
    expect_text(p->out, "");
    expect_has(p->err, "it requires tier=T1, and here it is: T2");
    r = expect_end(b, submit(b, "--require", "memory=cgroup,tier=T2", path), "start_failed");
    assert_non_null(strstr(json_str(r, "cause_detail"), "memory=cgroup"));
    assert_string_equal(json_str(r, "enforcement.tier"), "none");
    expect_text(proc_expect(coop(b, "run", "--require", "tier=T2,seccomp=filter", path), 0)->out, "run\n");
    p = proc_expect(coop(b, "run", "--require", "tire=T2", path), COOP_EXIT_USAGE);
    expect_has(p->err, "did you mean 'tier'");
    assert_int_equal(broker_down(b), 0);
}

int main(void)
{
#define TEST(name)  cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)
#define ALONE(name) cmocka_unit_test_setup_teardown(name, NULL, broker_teardown)
    static const struct CMUnitTest tests[] = {
        TEST(nothing_of_root_is_left_in_the_broker),
        TEST(its_directories_are_its_own_below_parents_that_are_shut_to_it),
        TEST(each_worker_has_a_uid_of_its_own_which_the_receipt_tells_as_the_machine_counts),
        TEST(no_worker_has_a_uid_of_another_brokers_worker),
        ALONE(another_user_is_chosen_by_name_or_by_number),
        ALONE(it_becomes_nobody_that_it_should_not),
        ALONE(a_broker_that_cannot_give_all_of_it_up_does_not_start),
        TEST(it_dies_with_whoever_tied_it_to_themselves),
        TEST(what_a_broker_that_stayed_root_has_left_is_taken_over),
        ALONE(what_root_would_have_to_follow_is_refused_and_stays_what_it_was),
        ALONE(no_directory_of_the_brokers_is_shown_to_programs),
        ALONE(a_users_broker_without_user_namespaces_works_at_tier_2),
        ALONE(a_users_broker_whose_namespaces_a_filter_forbids_works_at_tier_2),
        ALONE(roots_broker_without_user_namespaces_gives_root_up_and_works_at_tier_2),
        ALONE(a_lone_root_of_a_container_has_only_its_number),
        ALONE(a_tier_that_was_asked_for_and_cannot_be_had_runs_nothing),
        ALONE(a_lower_tier_than_there_is_can_be_asked_for),
        ALONE(a_job_that_requires_more_than_there_is_does_not_start),
    };

    cmocka_set_test_filter(getenv("TEST")); /* one test, or a pattern with * and ? */
    return cmocka_run_group_tests_name("root", tests, NULL, NULL);
}
