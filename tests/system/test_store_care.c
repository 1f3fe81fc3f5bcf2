/*
 * test_store_care.c - coop store against a real broker: a backup of one that runs, a restore, a damaged store that is refused with the way out,
 * and what a repair saves of it.
 */
#include <dirent.h>
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

#include "coop/exit_codes.h"
#include "tests/support/broker_fixture.h"

#define BIG_OUTPUT "for i = 1, 3000 do print(string.rep('x', 99)) end" /* a file of its own */

/* coop store ..., on this broker's state directory. */
#define store(b, ...)                                                                                                                      \
    coop_run_((b), &(struct proc_how){ .in = PROC_IN_NULL, .env = env_of(b) }, (const char *const[]){ "store", __VA_ARGS__, NULL })

static const char *const *env_of(const struct broker *b)
{
    static const char *env[2];

    env[0] = support_text("COOP_STATE_DIR=%s", b->state_dir);
    return env;
}

static const char *in_dir(const struct broker *b, const char *name)
{
    return support_text("%s/%s", b->dir, name);
}

/* Where the broker, which is root no more, may make one. */
static const char *backup_dir(const struct broker *b)
{
    const char *all = in_dir(b, "backups");
    struct stat st;

    assert_int_equal(stat(b->state_dir, &st), 0);
    assert_int_equal(chmod(b->dir, 0711), 0);
    assert_int_equal(mkdir(all, 0700), 0);
    assert_int_equal(chown(all, st.st_uid, st.st_gid), 0);
    return support_text("%s/first", all);
}

/* Names beside or in a directory that begin so. */
static unsigned count_names(const char *dir, const char *begin)
{
    DIR *d = opendir(dir);
    unsigned n = 0;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += strncmp(e->d_name, begin, strlen(begin)) == 0;
    (void)closedir(d);
    return n;
}

static char *run_one(struct broker *b, const char *text)
{
    char *id = submit(b, script(b, "job.lua", text));

    (void)expect_end(b, id, "ok");
    return id;
}

static void a_backup_of_a_running_broker_is_put_back(void **state)
{
    struct broker *b = *state;
    char *before = run_one(b, BIG_OUTPUT), *after;
    const char *backup = backup_dir(b);
    struct proc *said;

    expect_has(proc_expect(store(b, "backup", backup), 0)->out, "1 jobs");
    proc_expect(store(b, "backup", backup), COOP_EXIT_CONFLICT);
    proc_expect(store(b, "backup", in_dir(b, "no/where")), COOP_EXIT_NOT_FOUND);
    if (geteuid() == 0)
        proc_expect(store(b, "backup", in_dir(b, "of-root")), COOP_EXIT_PERMISSION);
    after = run_one(b, "print('later')");
    proc_expect(store(b, "restore", backup), COOP_EXIT_TEMPORARY); /* it runs */
    (void)receipt_of(b, after);
    assert_int_equal(broker_down(b), 0);
    said = proc_expect(store(b, "restore", backup), 0);
    expect_has(said->out, "is looked at, before anything is touched\n");
    expect_has(said->out, "bytes, which are looked at now\n");
    assert_int_equal(count_names(b->dir, strrchr(b->state_dir, '/') + 1), 2); /* what was there is kept */
    broker_up(b);
    (void)receipt_of(b, before);
    assert_int_equal(proc_expect(coop(b, "logs", before), 0)->out.len, 300000);
    proc_expect(coop(b, "result", after), COOP_EXIT_NOT_FOUND);
    (void)run_one(b, "print('goes on')");
    proc_expect(coop(b, "audit", "verify"), 0);
    proc_expect(store(b, "check"), 0);
}

static void spoil(const struct broker *b, const char *dir, off_t at, size_t len)
{
    const char *path = support_text("%s/coop.db", dir);
    char *junk = malloc(len);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    (void)b;
    memset(junk, 0x5a, len);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, junk, len, at), len);
    (void)close(fd);
    free(junk);
}

static void a_damaged_store_is_refused_with_the_way_out_and_repaired(void **state)
{
    struct broker *b = *state;
    char *id = run_one(b, "print('kept')");
    struct proc *p;

    assert_int_equal(broker_down(b), 0);
    proc_expect(store(b, "check"), 0);
    expect_has(proc_expect(store(b, "repair"), 0)->out, "nothing is damaged");
    spoil(b, b->state_dir, 12 * 4096, 4096 * 2);
    assert_int_equal(broker_up_fails(b), COOP_EXIT_TEMPORARY);
    expect_has(proc_expect(store(b, "check"), 1)->out, "pages");
    p = store(b, "repair");
    assert_true(proc_end(p) == 1 || p->code == 0);
    expect_has(p->out, "a broker can start");
    assert_true(count_names(b->state_dir, "coop.db.damaged-") >= 1); /* its log beside it, when there is one */
    assert_int_equal(count_names(b->state_dir, "repair-"), 0);
    broker_up(b);
    (void)receipt_of(b, id);
    (void)run_one(b, "print('goes on')");
}

/* Whichever second it is: each restore keeps what was there under a name of its own. */
static void restores_in_a_row_keep_all_that_was_there(void **state)
{
    enum { RESTORES = 4 };
    struct broker *b = *state;
    char *id = run_one(b, "print('kept')");
    const char *backup = backup_dir(b);

    proc_expect(store(b, "backup", backup), 0);
    assert_int_equal(broker_down(b), 0);
    for (int i = 0; i < RESTORES; i++)
        proc_expect(store(b, "restore", backup), 0);
    assert_int_equal(count_names(b->dir, strrchr(b->state_dir, '/') + 1), 1 + RESTORES);
    broker_up(b);
    (void)receipt_of(b, id);
}

static void a_damaged_backup_is_not_put_back(void **state)
{
    struct broker *b = *state;
    char *id = run_one(b, "print('kept')");
    const char *backup = backup_dir(b);

    proc_expect(store(b, "backup", backup), 0);
    assert_int_equal(broker_down(b), 0);
    spoil(b, backup, 12 * 4096, 4096 * 2);
    expect_has(proc_expect(store(b, "restore", backup), 1)->out, "itself is damaged");
    assert_int_equal(count_names(b->dir, strrchr(b->state_dir, '/') + 1), 1);
    broker_up(b);
    (void)receipt_of(b, id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_backup_of_a_running_broker_is_put_back),
        TEST(a_damaged_store_is_refused_with_the_way_out_and_repaired),
        TEST(restores_in_a_row_keep_all_that_was_there),
        TEST(a_damaged_backup_is_not_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
