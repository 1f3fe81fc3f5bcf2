/* test_uid_range.c - uids of workers are one broker's: pieces of a range that others draw from at the same time, and have again when it has gone. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/uid_range.h"
#include "scratch.h"

enum { FIRST = 1879100001, COUNT = 65535 };

static char *dir, path[256];

static int start(void **state)
{
    (void)state;
    dir = scratch_make();
    (void)snprintf(path, sizeof(path), "%s/uids", dir);
    return dir == NULL;
}

static int stop(void **state)
{
    (void)state;
    scratch_remove(dir);
    return 0;
}

static int take(uint32_t count, uint32_t want, uint32_t first, uint32_t n)
{
    uint32_t got = 0, got_n = 0;
    int fd = uid_range_take(path, FIRST, count, want, &got, &got_n);

    assert_true(fd >= 0);
    assert_int_equal(got, FIRST + first);
    assert_int_equal(got_n, n);
    return fd;
}

static int refused(uint32_t count, uint32_t want)
{
    uint32_t got, got_n;

    return uid_range_take(path, FIRST, count, want, &got, &got_n);
}

static void no_two_have_the_same(void **state)
{
    int a = take(COUNT, 4000, 0, 4000), b = take(COUNT, 5000, 4000, 5000), c = take(COUNT, 100, 9000, 100);

    (void)state;
    (void)close(b);
    b = take(COUNT, 5000, 4000, 5000); /* free again */
    (void)close(a);
    a = take(COUNT, 4001, 9100, 4001); /* where it was there is too little room */
    (void)close(a);
    (void)close(b);
    (void)close(c);
}

static void where_there_is_less_room_it_is_less(void **state)
{
    int a = take(10000, 9000, 0, 9000), b = take(10000, 9000, 9000, 562), c;

    (void)state;
    c = take(10000, 9000, 9562, 281);
    (void)close(a);
    (void)close(b);
    (void)close(c);
    a = take(533, 4000, 0, 533); /* a container's whole range */
    assert_int_equal(refused(533, 1), -EUSERS);
    (void)close(a);
    a = take(20, 4000, 0, 20);
    (void)close(a);
}

static void when_all_are_taken_it_is_refused(void **state)
{
    int all[16];

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        all[i] = take(1000, 100, 100 * i, 100);
    assert_int_equal(refused(1000, 100), -EUSERS);
    (void)close(all[3]);
    all[3] = take(1000, 100, 300, 100);
    for (unsigned i = 0; i < 10; i++)
        (void)close(all[i]);
}

static void what_a_broker_that_died_had_is_free(void **state)
{
    int status, a;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        uint32_t got, n;

        (void)uid_range_take(path, FIRST, COUNT, COUNT, &got, &n);
        (void)raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    a = take(COUNT, COUNT, 0, COUNT);
    (void)close(a);
}

static void a_file_that_is_not_ours_alone_is_refused(void **state)
{
    char other[300];

    (void)state;
    (void)close(take(COUNT, 10, 0, UID_RANGE_FEWEST));
    assert_int_equal(chmod(path, 0660), 0);
    assert_int_equal(refused(COUNT, 10), -EPERM);
    assert_int_equal(chmod(path, 0600), 0);
    (void)snprintf(other, sizeof(other), "%s/other", dir);
    assert_int_equal(rename(path, other), 0);
    assert_int_equal(symlink(other, path), 0);
    assert_int_equal(refused(COUNT, 10), -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(refused(COUNT, 10), -EISDIR);
    assert_int_equal(rmdir(path), 0);
}

/* Which has no length of its own. */
static void a_lock_to_the_end_of_the_file_takes_all_that_is_behind_it(void **state)
{
    struct flock to_the_end = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = FIRST + 100 }, all = to_the_end;
    int fd, a = take(COUNT, 64, 0, 64);

    (void)state;
    (void)close(a);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &to_the_end), 0);
    a = take(COUNT, 4000, 0, 64); /* what is before it */
    assert_int_equal(refused(COUNT, 4000), -EUSERS);
    (void)close(a);
    all.l_start = 0;
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
    assert_int_equal(refused(COUNT, 4000), -EUSERS);
    (void)close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_two_have_the_same),
        TEST(where_there_is_less_room_it_is_less),
        TEST(when_all_are_taken_it_is_refused),
        TEST(what_a_broker_that_died_had_is_free),
        TEST(a_lock_to_the_end_of_the_file_takes_all_that_is_behind_it),
        TEST(a_file_that_is_not_ours_alone_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
