/* test_small_file.c - small files are read whole, cut where the room ends, and never by way of a link. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/small_file.h"
#include "tests/unit/scratch.h"

enum { LONG = 100000 };

static char *dir;
static int dir_fd;

static int setup(void **state)
{
    (void)state;
    dir = scratch_make();
    dir_fd = dir != NULL ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return dir_fd >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    (void)close(dir_fd);
    scratch_remove(dir);
    return 0;
}

static const char *put(const char *name, const char *text, size_t len)
{
    static char path[512];
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    (void)close(fd);
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static void what_fits_is_there_and_what_does_not_is_left_out(void **state)
{
    char text[8];

    (void)state;
    (void)put("seven", "seven77", 7);
    assert_int_equal(small_file_read(dir_fd, "seven", text, sizeof(text)), 7);
    assert_string_equal(text, "seven77");
    (void)put("eight", "eight888", 8);
    assert_int_equal(small_file_read(dir_fd, "eight", text, sizeof(text)), 7);
    assert_string_equal(text, "eight88");
    (void)put("empty", "", 0);
    assert_int_equal(small_file_read(dir_fd, "empty", text, sizeof(text)), 0);
    assert_string_equal(text, "");
}

static void what_is_not_there_or_is_a_link_is_an_error_and_no_text(void **state)
{
    char text[8] = "before";

    (void)state;
    assert_int_equal(small_file_read(dir_fd, "nothing", text, sizeof(text)), -ENOENT);
    assert_string_equal(text, "");
    (void)put("there", "x", 1);
    assert_int_equal(symlinkat("there", dir_fd, "link"), 0);
    assert_int_equal(small_file_read(dir_fd, "link", text, sizeof(text)), -ELOOP);
    assert_int_equal(small_file_read(AT_FDCWD, dir, text, sizeof(text)), -EISDIR);
}

static void a_line_ends_before_its_newline(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(small_file_line(put("lines", "one\ntwo\n", 8), text, sizeof(text)), 3);
    assert_string_equal(text, "one");
    assert_int_equal(small_file_line(put("lines", "one", 3), text, sizeof(text)), 3);
    assert_int_equal(small_file_line(put("lines", "\n", 1), text, sizeof(text)), 0);
}

static void a_long_one_is_whole(void **state)
{
    char *text = malloc(LONG), *got;
    const char *path;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < LONG; i++)
        text[i] = (char)('a' + i % 26);
    path = put("long", text, LONG);
    assert_int_equal(small_file_whole(path, &got), LONG);
    assert_memory_equal(got, text, LONG);
    assert_int_equal(got[LONG], '\0');
    free(got);
    free(text);
    assert_int_equal(small_file_whole("/nothing/there", &got), -ENOENT);
    assert_null(got);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_fits_is_there_and_what_does_not_is_left_out),
        TEST(what_is_not_there_or_is_a_link_is_an_error_and_no_text),
        TEST(a_line_ends_before_its_newline),
        TEST(a_long_one_is_whole),
    };

    return cmocka_run_group_tests_name("small_file", tests, setup, teardown);
}
