/* test_probe.c - coop-worker --probe: each row is true, says what its loss costs, leaves nothing changed, and is JSON. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/probe.h"

static const struct space_ask plain = { .tier = -1, .userns_fd = -1 };

static const struct probe_row *find(const char *name)
{
    for (const struct probe_row *r = probe_rows; r->name != NULL; r++)
        if (strcmp(r->name, name) == 0)
            return r;
    fail_msg("no row %s", name);
    return NULL;
}

/* From here on this call gives error, in this process and its children. */
static void deny(int nr, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(99);
}

/* What a row says where a call is denied. */
static int answer_without(const char *name, int nr, int error)
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct probe_answer a;

        deny(nr, error);
        _exit(probe_run(find(name), &plain, &a) != 0 ? 98 : -a.rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void a_denied_call_is_the_rows_answer(void **state)
{
    static const struct {
        const char *row;
        int nr, error, answer;
    } denied[] = {
        {"user_namespaces",    SYS_unshare,                 EPERM,  EPERM     },
        { "mounting",          SYS_fsopen,                  ENOSYS, ENOSYS    },
        { "mounting",          SYS_mount_setattr,           ENOSYS, ENOSYS    },
        { "pivot_root",        SYS_pivot_root,              EPERM,  EPERM     },
        { "private_proc",      SYS_fsmount,                 EPERM,  EPERM     },
        { "clone_into_cgroup", SYS_clone3,                  ENOSYS, ENOSYS    },
        { "landlock",          SYS_landlock_create_ruleset, ENOSYS, EOPNOTSUPP},
        { "seccomp",           SYS_seccomp,                 EPERM,  EPERM     },
        { "memfd",             SYS_memfd_create,            ENOSYS, ENOSYS    },
        { "tier_T2",           SYS_landlock_create_ruleset, ENOSYS, EOPNOTSUPP},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
        if (answer_without(denied[i].row, denied[i].nr, denied[i].error) != denied[i].answer)
            fail_msg("%s", denied[i].row);
}

/* A supervisor around us that owns the one listener there can be. */
static void a_listener_that_another_has_is_seen(void **state)
{
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        struct sock_fprog program = { 1, &allow };
        struct probe_answer a;

        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program) < 0)
            _exit(97);
        _exit(probe_run(find("seccomp_notify"), &plain, &a) != 0 ? 98 : -a.rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WEXITSTATUS(status) == 97)
        skip(); /* there is one already */
    assert_int_equal(WEXITSTATUS(status), EBUSY);
}

static void rows_are_distinct_and_say_what_for(void **state)
{
    (void)state;
    for (const struct probe_row *r = probe_rows; r->name != NULL; r++) {
        assert_true(r->try != NULL && r->needed[0] != '\0' && r->lost != NULL);
        assert_true(r->lost[0] != '\0' || strncmp(r->name, "tier_", 5) == 0);
        for (const struct probe_row *other = r + 1; other->name != NULL; other++)
            assert_string_not_equal(r->name, other->name);
    }
}

static void read_link(const char *name, char into[128])
{
    char path[64];
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
    n = readlink(path, into, 127);
    into[n > 0 ? n : 0] = '\0';
}

static void probing_changes_nothing_here_and_prints_a_line_for_each(void **state)
{
    static const char *const names[] = { "user", "mnt", "net", "ipc", "uts", "cgroup", "pid_for_children" };
    char before[7][128], after[128], *text = NULL;
    size_t len = 0, lines = 0, rows = 0;
    FILE *to = open_memstream(&text, &len);

    (void)state;
    for (int i = 0; i < 7; i++)
        read_link(names[i], before[i]);
    assert_int_equal(probe_print(to, &plain), 0);
    fclose(to);
    for (int i = 0; i < 7; i++) {
        read_link(names[i], after);
        assert_string_equal(after, before[i]);
    }
    assert_int_equal(prctl(PR_GET_SECCOMP), 0);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char name[64], yes[8];

        assert_int_equal(sscanf(line, "{\"probe\":\"%63[^\"]\",\"ok\":%7[a-z],\"error\":\"", name, yes), 2);
        assert_string_equal(name, probe_rows[lines++].name);
        assert_non_null(strstr(line, strcmp(yes, "true") == 0 ? "\"error\":\"\"," : "\"error\":\"E"));
        assert_int_equal(line[strlen(line) - 1], '}');
    }
    while (probe_rows[rows].name != NULL)
        rows++;
    assert_int_equal(lines, rows);
    free(text);
}

static void a_probe_that_is_killed_has_failed(void **state)
{
    (void)state;
    /* as under a filter that kills: the row's child never answers */
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct probe_answer a = { 0 };

        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
        _exit(probe_run(find("memfd"), &plain, &a) != 0 ? 98 : -a.rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EIO);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_denied_call_is_the_rows_answer),   cmocka_unit_test(a_listener_that_another_has_is_seen),
        cmocka_unit_test(rows_are_distinct_and_say_what_for), cmocka_unit_test(probing_changes_nothing_here_and_prints_a_line_for_each),
        cmocka_unit_test(a_probe_that_is_killed_has_failed),
    };

    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
