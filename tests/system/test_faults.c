/*
 * test_faults.c - a disk that loses output, a clock that is set: a broker with fault.so in it (tests/fault/fault.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fault/fault.h"
#include "tests/support/broker_fixture.h"

static struct fault_area *area; /* of the broker that the test has */

static void unmap(void *at)
{
    (void)munmap(at, sizeof(struct fault_area));
}

static struct fault_area *make_area(struct broker *b)
{
    static const char *env[3];
    const char *dir = support_dir(), *path = support_text("%s/area", dir);
    void *at = MAP_FAILED;
    int fd;

    if (chmod(dir, 0711) != 0 || (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        support_fail("%s: %s", path, strerror(errno));
    if (fchmod(fd, 0666) == 0 && ftruncate(fd, sizeof(struct fault_area)) == 0)
        at = mmap(NULL, sizeof(struct fault_area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        support_fail("%s: %s", path, strerror(errno));
    (void)close(fd);
    support_on_release(unmap, at);
    env[0] = support_text("LD_PRELOAD=%s", support_program("tests/fault/fault.so"));
    env[1] = support_text(FAULT_ENV_AREA "=%s", path);
    b->env = env;
    return at;
}

static int setup(void **state)
{
    struct broker *b = broker_new();

    *state = b;
    area = make_area(b);
    broker_up(b);
    return 0;
}

/* ---- the disk -------------------------------------------------------------------------------------------------------------------------- */

#define LONG "for i = 1, 1000 do print(('x'):rep(1000)) end"

/* The kernel says it once. A receipt that came of a second question would promise what is not there. */
static void output_that_the_disk_lost_is_not_promised(void **state)
{
    struct broker *b = *state;
    json_t *r;
    char *id;

    atomic_store(&area->sync_fails, 1);
    id = submit(b, script(b, "a.lua", LONG));
    r = expect_end(b, id, "internal");
    assert_int_equal(atomic_load(&area->sync_failed), 1);
    assert_string_equal(json_str(r, "fault"), "platform");
    if (strstr(json_str(r, "cause_detail"), "its output could not be kept: Input/output error") == NULL)
        support_fail("%s", json_str(r, "cause_detail"));
    assert_int_equal(json_num(r, "stdout.bytes"), 0);
    assert_int_equal(json_num(r, "stdout.dropped"), 1001000);
    expect_text(proc_expect(coop(b, "logs", id), 0)->out, "");
    id = submit(b, script(b, "b.lua", LONG));
    assert_int_equal(json_num(expect_end(b, id, "ok"), "stdout.bytes"), 1001000);
    expect_receipts(b, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(output_that_the_disk_lost_is_not_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
