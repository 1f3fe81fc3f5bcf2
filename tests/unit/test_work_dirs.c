/* test_work_dirs.c - whatever a program leaves in its work directory goes, all of it and nothing else, a piece at a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/loop.h"
#include "broker/work_dirs.h"
#include "tests/unit/scratch.h"

struct fixture {
    char *dir;
    int run_dir;
    struct loop loop;
    struct work_dirs d;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    if (geteuid() == 0 && setresuid(65534, 65534, 0) != 0) /* as a broker is: root would not notice shut directories */
        return -1;
    f->dir = scratch_make();
    f->run_dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->run_dir >= 0);
    assert_int_equal(loop_init(&f->loop), 0);
    assert_int_equal(work_dirs_open(&f->d, f->run_dir, &f->loop), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    work_dirs_close(&f->d);
    timers_finish(&f->loop.timers);
    close(f->loop.epoll_fd);
    close(f->run_dir);
    scratch_remove(f->dir);
    free(f);
    return getuid() != geteuid() || getuid() != 65534 || setresuid(0, 0, 0) == 0 ? 0 : -1;
}

/* How many names there are in RUN-DIR/work. */
static unsigned names(const struct fixture *f)
{
    int fd = openat(f->run_dir, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    unsigned n = 0;

    if (fd < 0 && errno == ENOENT)
        return 0; /* there is none before it is needed, and none at the end */
    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n;
}

/* The loop's timers until none is left; returns how often one ran. */
static unsigned turn(struct fixture *f)
{
    unsigned turns = 0;

    while (timers_next(&f->loop.timers) != UINT64_MAX && turns < 100000) {
        f->loop.now_us = timers_next(&f->loop.timers);
        timers_run(&f->loop.timers, f->loop.now_us);
        turns++;
    }
    return turns;
}

static int make(struct fixture *f, uint64_t id)
{
    int fd = work_dirs_make(&f->d, id);

    assert_true(fd >= 0);
    return fd;
}

static void put(int at, const char *name)
{
    int fd = openat(at, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static int put_dir(int at, const char *name)
{
    int fd;

    assert_int_equal(mkdirat(at, name, 0700), 0);
    fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void a_new_one_is_empty_and_ours_alone(void **state)
{
    struct fixture *f = *state;
    int fd = make(f, 1);
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, geteuid());
    assert_int_equal(work_dirs_make(&f->d, 1), -EEXIST); /* nobody gets another's */
    close(fd);
}

static void what_is_dropped_goes_and_what_is_not_stays(void **state)
{
    struct fixture *f = *state;
    int one = make(f, 1), two = make(f, 2);

    put(one, "a");
    put(two, "b");
    work_dirs_drop(&f->d, 1);
    assert_int_equal(faccessat(two, "b", F_OK, 0), 0);
    turn(f);
    assert_int_equal(names(f), 1);
    assert_int_equal(faccessat(two, "b", F_OK, 0), 0);
    work_dirs_drop(&f->d, 2);
    turn(f);
    assert_int_equal(names(f), 0);
    close(one);
    close(two);
}

static void nothing_that_a_link_leads_to_is_touched(void **state)
{
    struct fixture *f = *state;
    int outside = put_dir(f->run_dir, "outside"), fd = make(f, 1), sub;
    struct stat was, is;

    put(outside, "kept");
    assert_int_equal(fchmodat(f->run_dir, "outside", 0500, 0), 0);
    assert_int_equal(fstat(outside, &was), 0);
    assert_int_equal(symlinkat("../../outside", fd, "link"), 0);
    assert_int_equal(symlinkat("../../outside/kept", fd, "to a file"), 0);
    assert_int_equal(symlinkat("/", fd, "root"), 0);
    assert_int_equal(symlinkat(".", fd, "itself"), 0);
    assert_int_equal(linkat(outside, "kept", fd, "second name", 0), 0);
    sub = put_dir(fd, "sub");
    assert_int_equal(symlinkat("../../../outside", sub, "link"), 0);
    work_dirs_drop(&f->d, 1);
    turn(f);
    assert_int_equal(names(f), 0);
    assert_int_equal(faccessat(outside, "kept", F_OK, 0), 0);
    assert_int_equal(fstat(outside, &is), 0);
    assert_int_equal(is.st_mode, was.st_mode);
    assert_int_equal(fchmodat(f->run_dir, "outside", 0700, 0), 0);
    close(sub);
    close(fd);
    close(outside);
}

static void kinds_and_modes_are_no_obstacle(void **state)
{
    struct fixture *f = *state;
    int fd = make(f, 1), shut, deeper, s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/socket", fd);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(mkfifoat(fd, "fifo", 0), 0);
    put(fd, "new\nline \033[2J");
    put(fd, "up.0");
    put(fd, "live.1");
    shut = put_dir(fd, "shut");
    put(shut, "in it");
    deeper = put_dir(shut, "deeper");
    put(deeper, "x");
    assert_int_equal(fchmod(deeper, 0), 0);
    assert_int_equal(fchmod(shut, 0), 0);
    assert_int_equal(fchmod(fd, 0), 0);
    work_dirs_drop(&f->d, 1);
    turn(f);
    assert_int_equal(names(f), 0);
    close(deeper);
    close(shut);
    close(fd);
    close(s);
}

/* Deeper than a path may be long, and than there are descriptors. */
static void depth_is_no_obstacle(void **state)
{
    enum { DEEP = 2200 };
    struct fixture *f = *state;
    int fd = make(f, 1);

    for (int i = 0; i < DEEP; i++) {
        int next = put_dir(fd, "d");

        close(fd);
        fd = next;
    }
    put(fd, "bottom");
    close(fd);
    work_dirs_drop(&f->d, 1);
    turn(f);
    assert_int_equal(names(f), 0);
}

/* The loop comes round between the pieces. */
static void many_files_go_a_piece_at_a_time(void **state)
{
    enum { MANY = 3000, PIECE = 256 };
    struct fixture *f = *state;
    int fd = make(f, 1);
    char name[16];

    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof(name), "%d", i);
        put(fd, name);
    }
    close(fd);
    work_dirs_drop(&f->d, 1);
    assert_in_range(turn(f), MANY / PIECE, 4 * MANY / PIECE);
    assert_int_equal(names(f), 0);
}

/* Another's directory with something in it: we may neither empty nor move it. Only root can make one. */
static void what_cannot_be_removed_is_in_nobodys_way(void **state)
{
    enum { FEW = 100 };
    struct fixture *f = *state;
    int one = make(f, 1), two = make(f, 2), foreign;

    put(one, "a");
    put(two, "b");
    if (seteuid(0) != 0) {
        close(one);
        close(two);
        skip();
    }
    foreign = put_dir(one, "foreign");
    put(foreign, "kept");
    assert_int_equal(seteuid(65534), 0);
    work_dirs_drop(&f->d, 1);
    work_dirs_drop(&f->d, 2);
    assert_in_range(turn(f), 1, FEW); /* it is not tried for ever */
    assert_int_equal(faccessat(one, "a", F_OK, 0), -1);
    assert_int_equal(faccessat(two, "b", F_OK, 0), -1);
    assert_int_equal(names(f), 1);
    assert_int_equal(faccessat(one, "foreign", F_OK, 0), 0);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(unlinkat(foreign, "kept", 0), 0);
    assert_int_equal(unlinkat(one, "foreign", AT_REMOVEDIR), 0);
    assert_int_equal(seteuid(65534), 0);
    work_dirs_close(&f->d); /* once more */
    assert_int_equal(names(f), 0);
    close(foreign);
    close(one);
    close(two);
}

static void what_an_earlier_broker_left_is_gone_when_it_is_open(void **state)
{
    struct fixture *f = *state;
    int fd = make(f, 1), sub = put_dir(fd, "sub"), up;

    put(sub, "x");
    up = put_dir(f->d.dir, "up.0"); /* and what it had begun to remove */
    put(up, "y");
    put(f->d.dir, "stray");
    f->d.loop = NULL; /* it was killed */
    close(f->d.dir);
    assert_int_equal(work_dirs_open(&f->d, f->run_dir, &f->loop), 0);
    assert_int_equal(names(f), 0);
    close(make(f, 1)); /* and its numbers are free again */
    close(up);
    close(sub);
    close(fd);
}

static void at_the_end_live_ones_go_too(void **state)
{
    struct fixture *f = *state;
    int fd = make(f, 1);

    put(fd, "x");
    work_dirs_close(&f->d);
    assert_int_equal(faccessat(f->run_dir, "work", F_OK, 0), -1);
    close(fd);
}

static void without_a_broker_all_of_it_goes(void **state)
{
    struct fixture *f = *state;
    int fd = make(f, 1);

    put(fd, "x");
    close(fd);
    work_dirs_clear(f->run_dir);
    assert_int_equal(faccessat(f->run_dir, "work", F_OK, 0), -1);
    work_dirs_clear(f->run_dir); /* nothing is there, nothing happens */
}

static void without_a_broker_no_link_is_followed(void **state)
{
    struct fixture *f = *state;

    put(f->run_dir, "live.1");
    work_dirs_close(&f->d);
    assert_int_equal(symlinkat(".", f->run_dir, "work"), 0);
    work_dirs_clear(f->run_dir);
    assert_int_equal(faccessat(f->run_dir, "live.1", F_OK, 0), 0);
    assert_int_equal(unlinkat(f->run_dir, "work", 0), 0);
}

static void a_link_in_the_place_of_the_whole_is_refused(void **state)
{
    struct fixture *f = *state;

    work_dirs_close(&f->d);
    assert_int_equal(symlinkat("/tmp", f->run_dir, "work"), 0);
    assert_int_equal(work_dirs_open(&f->d, f->run_dir, &f->loop), -ENOTDIR);
    assert_int_equal(unlinkat(f->run_dir, "work", 0), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    static const struct CMUnitTest tests[] = {
        TEST(a_new_one_is_empty_and_ours_alone),
        TEST(what_is_dropped_goes_and_what_is_not_stays),
        TEST(nothing_that_a_link_leads_to_is_touched),
        TEST(kinds_and_modes_are_no_obstacle),
        TEST(depth_is_no_obstacle),
        TEST(many_files_go_a_piece_at_a_time),
        TEST(what_cannot_be_removed_is_in_nobodys_way),
        TEST(what_an_earlier_broker_left_is_gone_when_it_is_open),
        TEST(at_the_end_live_ones_go_too),
        TEST(without_a_broker_all_of_it_goes),
        TEST(without_a_broker_no_link_is_followed),
        TEST(a_link_in_the_place_of_the_whole_is_refused),
    };

    return cmocka_run_group_tests_name("work_dirs", tests, NULL, NULL);
}
