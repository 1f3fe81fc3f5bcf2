/* test_spool.c - the output of a running job: what is kept, where, and what a full disk does to it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/spool.h"
#include "scratch.h"

#define JOB "01HZZZZZZZZZZZZZZZZZZZZZZZ"

struct fixture {
    char *dir;
    int dir_fd;
    struct spool s;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->dir = scratch_make();
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spool_init(&f->s, f->dir_fd, JOB, 0, 1 << 20);
    *state = f;
    return f->dir_fd < 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    spool_finish(&f->s);
    (void)close(f->dir_fd);
    scratch_remove(f->dir);
    free(f);
    return 0;
}

/* Byte i of a stream that never repeats with a power of two. */
static uint8_t word(uint64_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

static int append_words(struct spool *s, uint64_t from, size_t len)
{
    uint8_t *bytes = malloc(len);
    int err;

    for (size_t i = 0; i < len; i++)
        bytes[i] = word(from + i);
    err = spool_append(s, bytes, len);
    free(bytes);
    return err;
}

static void assert_words(const uint8_t *bytes, uint64_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != word(from + i))
            fail_msg("byte %llu is wrong", (unsigned long long)(from + i));
}

static void assert_reads(const struct spool *s, uint64_t offset, size_t max, size_t want)
{
    uint8_t *buf = malloc(max + 1);
    size_t got = 4711;

    assert_int_equal(spool_read(s, offset, buf, max, &got), 0);
    assert_int_equal(got, want);
    assert_words(buf, offset, got);
    free(buf);
}

static int file_exists(const struct fixture *f)
{
    return faccessat(f->dir_fd, JOB ".stdout", F_OK, 0) == 0;
}

static void the_cap_is_exact_to_the_byte(void **state)
{
    struct fixture *f = *state;

    f->s.cap = 100;
    assert_int_equal(append_words(&f->s, 0, 99), 0);
    assert_int_equal(append_words(&f->s, 99, 1), 0);
    assert_int_equal(f->s.len, 100);
    assert_int_equal(f->s.refused, 0);
    assert_int_equal(append_words(&f->s, 100, 1), 0);
    assert_int_equal(f->s.len, 100);
    assert_int_equal(f->s.refused, 1);
    assert_reads(&f->s, 0, 200, 100);
}

static void a_call_across_the_cap_is_kept_in_part_and_the_rest_counted(void **state)
{
    struct fixture *f = *state;

    f->s.cap = SPOOL_MEMORY + 1000; /* the part that is kept spills as well */
    assert_int_equal(append_words(&f->s, 0, SPOOL_MEMORY + 1500), 0);
    assert_int_equal(f->s.len, SPOOL_MEMORY + 1000);
    assert_int_equal(f->s.refused, 500);
    assert_reads(&f->s, 0, 1 << 20, SPOOL_MEMORY + 1000);
}

static void a_cap_of_nothing_keeps_nothing(void **state)
{
    struct fixture *f = *state;

    f->s.cap = 0;
    assert_int_equal(append_words(&f->s, 0, 10), 0);
    assert_int_equal(f->s.len, 0);
    assert_int_equal(f->s.refused, 10);
    assert_reads(&f->s, 0, 10, 0);
}

static void the_file_begins_one_byte_past_spool_memory(void **state)
{
    struct fixture *f = *state;

    for (uint64_t at = 0; at < SPOOL_MEMORY; at += 1024)
        assert_int_equal(append_words(&f->s, at, 1024), 0);
    assert_int_equal(f->s.len, SPOOL_MEMORY);
    assert_int_equal(f->s.memory_cap, SPOOL_MEMORY);
    assert_int_equal(f->s.fd, -1);
    assert_false(file_exists(f));
    assert_int_equal(append_words(&f->s, SPOOL_MEMORY, 1), 0);
    assert_null(f->s.memory);
    assert_true(f->s.fd >= 0);
    assert_true(file_exists(f));
    assert_reads(&f->s, 0, 1 << 20, SPOOL_MEMORY + 1);
}

static void reading_works_at_any_offset_before_and_after_the_spill(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(append_words(&f->s, 0, 5000), 0);
    assert_reads(&f->s, 0, 10, 10);
    assert_reads(&f->s, 4990, 100, 10);
    assert_reads(&f->s, 5000, 100, 0);
    assert_reads(&f->s, UINT64_MAX, 100, 0);
    assert_reads(&f->s, 0, 0, 0);
    assert_int_equal(append_words(&f->s, 5000, 200000), 0);
    assert_reads(&f->s, 4990, 100, 100); /* across what were two calls */
    assert_reads(&f->s, SPOOL_MEMORY - 5, 10, 10);
    assert_reads(&f->s, 204995, 100, 5);
    assert_reads(&f->s, 205000, 100, 0);
    assert_reads(&f->s, UINT64_MAX, 100, 0);
}

static void the_memory_of_a_small_stream_is_handed_over(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes;
    size_t len;

    spool_take_memory(&f->s, &bytes, &len);
    assert_null(bytes);
    assert_int_equal(len, 0);
    assert_int_equal(append_words(&f->s, 0, 321), 0);
    spool_take_memory(&f->s, &bytes, &len);
    assert_int_equal(len, 321);
    assert_words(bytes, 0, len);
    free(bytes);
    assert_int_equal(f->s.len, 321);
    assert_reads(&f->s, 0, 400, 0);
    assert_int_equal(append_words(&f->s, 321, 1), -EBADF);
    spool_reset(&f->s);
    assert_int_equal(append_words(&f->s, 0, 1), 0);
}

static void a_large_stream_has_no_memory_to_hand_over(void **state)
{
    struct fixture *f = *state;
    uint8_t *bytes;
    size_t len;

    assert_int_equal(append_words(&f->s, 0, SPOOL_MEMORY + 1), 0);
    spool_take_memory(&f->s, &bytes, &len);
    assert_null(bytes);
    assert_int_equal(len, 0);
    assert_reads(&f->s, 0, 10, 10);
}

static void reset_starts_from_nothing_and_removes_the_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(append_words(&f->s, 0, 2 << 20), 0);
    assert_int_equal(f->s.refused, 1 << 20);
    spool_reset(&f->s);
    assert_false(file_exists(f));
    assert_int_equal(f->s.len, 0);
    assert_int_equal(f->s.refused, 0);
    assert_reads(&f->s, 0, 10, 0);
    assert_int_equal(append_words(&f->s, 0, SPOOL_MEMORY + 7), 0);
    assert_reads(&f->s, 0, 1 << 20, SPOOL_MEMORY + 7);
}

static void the_file_can_be_read_after_the_end_and_removed(void **state)
{
    struct fixture *f = *state;
    uint8_t *buf = malloc(400000);
    size_t got = 4711;

    assert_int_equal(append_words(&f->s, 0, 300000), 0);
    spool_finish(&f->s);
    assert_int_equal(spool_read_file(f->dir_fd, JOB, 0, 0, buf, 400000, &got), 0);
    assert_int_equal(got, 300000);
    assert_words(buf, 0, got);
    assert_int_equal(spool_read_file(f->dir_fd, JOB, 0, 299990, buf, 100, &got), 0);
    assert_int_equal(got, 10);
    assert_words(buf, 299990, got);
    assert_int_equal(spool_read_file(f->dir_fd, JOB, 0, 300000, buf, 100, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(spool_read_file(f->dir_fd, JOB, 0, UINT64_MAX, buf, 100, &got), 0);
    assert_int_equal(got, 0);
    assert_int_equal(spool_read_file(f->dir_fd, JOB, 1, 0, buf, 100, &got), -ENOENT);
    spool_remove_file(f->dir_fd, JOB, 0);
    assert_int_equal(spool_read_file(f->dir_fd, JOB, 0, 0, buf, 100, &got), -ENOENT);
    free(buf);
}

static void a_left_over_of_a_crashed_broker_is_not_taken_for_ours(void **state)
{
    struct fixture *f = *state;
    struct spool again;
    size_t got;
    char c;

    assert_int_equal(append_words(&f->s, 0, 300000), 0);
    spool_finish(&f->s); /* as if the broker had died */
    spool_init(&again, f->dir_fd, JOB, 0, 1 << 20);
    assert_int_equal(append_words(&again, 0, 10), 0);
    spool_finish(&again);
    assert_int_equal(spool_read_file(f->dir_fd, JOB, 0, 0, &c, 1, &got), -ENOENT);
}

static void a_link_in_place_of_the_file_is_not_followed(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(symlinkat("victim", f->dir_fd, JOB ".stdout"), 0);
    assert_int_equal(append_words(&f->s, 0, SPOOL_MEMORY + 1), 0);
    assert_int_equal(faccessat(f->dir_fd, "victim", F_OK, 0), -1);
    assert_int_equal(fstatat(f->dir_fd, JOB ".stdout", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void two_streams_of_a_job_have_two_files(void **state)
{
    struct fixture *f = *state;
    struct spool err;

    spool_init(&err, f->dir_fd, JOB, 1, 1 << 20);
    assert_int_equal(append_words(&f->s, 0, SPOOL_MEMORY + 1), 0);
    assert_int_equal(append_words(&err, 50, 1), 0);
    spool_reset(&err);
    assert_int_equal(append_words(&err, 0, SPOOL_MEMORY + 2), 0);
    assert_reads(&f->s, 0, 1 << 20, SPOOL_MEMORY + 1);
    assert_reads(&err, 0, 1 << 20, SPOOL_MEMORY + 2);
    spool_finish(&err);
}

static void a_full_disk_at_the_spill_keeps_the_memory_and_nothing_of_the_call(void **state)
{
    struct fixture *f = *state;

    if (!scratch_can_mount || scratch_mount(f->dir, 32 << 10) != 0)
        skip();
    (void)close(f->dir_fd);
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spool_init(&f->s, f->dir_fd, JOB, 0, 1 << 20);
    assert_int_equal(append_words(&f->s, 0, 60000), 0);
    assert_int_equal(append_words(&f->s, 60000, 60000), -ENOSPC);
    assert_int_equal(f->s.len, 60000);
    assert_int_equal(f->s.refused, 0);
    assert_false(file_exists(f));
    assert_reads(&f->s, 0, 1 << 20, 60000);
    assert_int_equal(append_words(&f->s, 60000, 1000), 0); /* still fits in memory */
    assert_reads(&f->s, 0, 1 << 20, 61000);
}

static void a_full_disk_later_keeps_what_was_there_and_goes_on_when_there_is_room(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    int ballast;

    if (!scratch_can_mount || scratch_mount(f->dir, 256 << 10) != 0)
        skip();
    (void)close(f->dir_fd);
    f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    spool_init(&f->s, f->dir_fd, JOB, 0, 1 << 20);
    ballast = openat(f->dir_fd, "ballast", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(posix_fallocate(ballast, 0, 100 << 10), 0);
    assert_int_equal(append_words(&f->s, 0, 100000), 0);
    assert_int_equal(append_words(&f->s, 100000, 100000), -ENOSPC); /* a part of it would fit */
    assert_int_equal(f->s.len, 100000);
    assert_int_equal(fstat(f->s.fd, &st), 0);
    assert_int_equal(st.st_size, 100000);
    assert_reads(&f->s, 0, 1 << 20, 100000);
    assert_int_equal(ftruncate(ballast, 0), 0);
    (void)close(ballast);
    assert_int_equal(append_words(&f->s, 100000, 100000), 0);
    assert_reads(&f->s, 0, 1 << 20, 200000);
}

/* In memory, in a file, at the edge between them; what comes next stands where the cut was. */
static void what_is_cut_off_is_forgotten_and_written_over(void **state)
{
    static const struct {
        size_t len, cut;
    } rows[] = {
        {100,               0                   },
        { 100,              99                  },
        { 100,              100                 },
        { 100,              5000                }, /* there is nothing behind it */
        { SPOOL_MEMORY,     1                   },
        { SPOOL_MEMORY + 1, SPOOL_MEMORY        },
        { 300000,           7                   },
        { 300000,           0                   },
        { 300000,           SPOOL_MEMORY + 12345}
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t left = rows[i].cut < rows[i].len ? rows[i].cut : rows[i].len;

        assert_int_equal(append_words(&f->s, 0, rows[i].len), 0);
        spool_cut(&f->s, rows[i].cut);
        assert_int_equal(f->s.len, left);
        assert_int_equal(f->s.refused, 0);
        assert_reads(&f->s, 0, 400000, left);
        assert_int_equal(append_words(&f->s, left, 100000), 0);
        assert_reads(&f->s, 0, 500000, left + 100000);
        spool_reset(&f->s);
    }
}

static int knows_one(void *ctx, const char *job)
{
    return strcmp(job, ctx) == 0;
}

static void a_sweep_takes_files_of_jobs_that_nobody_knows_and_no_others(void **state)
{
    static const struct {
        const char *name;
        int stays;
    } rows[] = {
        {JOB ".stdout",                          1},
        { JOB ".outputs",                        1},
        { "01HZZZZZZZ0000000000000001.stdout",   0},
        { "01HZZZZZZZ0000000000000001.stderr",   0},
        { "01HZZZZZZZ0000000000000001.outputs",  0},
        { "01HZZZZZZZ0000000000000001.output",   1},
        { "01HZZZZZZZ0000000000000001.outputs2", 1},
        { "01HZZZZZZZ0000000000000001",          1},
        { "1HZZZZZZZ0000000000000001.stdout",    1},
        { "x.stdout",                            1},
        { ".stdout",                             1}
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = openat(f->dir_fd, rows[i].name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        (void)close(fd);
    }
    assert_int_equal(mkdirat(f->dir_fd, "01HZZZZZZZ0000000000000002.stdout", 0700),
                     0); /* not ours: stays, and keeps nothing else from going */
    spool_sweep(f->dir_fd, knows_one, (void *)JOB);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(faccessat(f->dir_fd, rows[i].name, F_OK, 0) == 0, rows[i].stays);
    assert_int_equal(unlinkat(f->dir_fd, "01HZZZZZZZ0000000000000002.stdout", AT_REMOVEDIR), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_cap_is_exact_to_the_byte),
        TEST(a_call_across_the_cap_is_kept_in_part_and_the_rest_counted),
        TEST(a_cap_of_nothing_keeps_nothing),
        TEST(the_file_begins_one_byte_past_spool_memory),
        TEST(reading_works_at_any_offset_before_and_after_the_spill),
        TEST(the_memory_of_a_small_stream_is_handed_over),
        TEST(a_large_stream_has_no_memory_to_hand_over),
        TEST(reset_starts_from_nothing_and_removes_the_file),
        TEST(the_file_can_be_read_after_the_end_and_removed),
        TEST(a_left_over_of_a_crashed_broker_is_not_taken_for_ours),
        TEST(a_link_in_place_of_the_file_is_not_followed),
        TEST(two_streams_of_a_job_have_two_files),
        TEST(what_is_cut_off_is_forgotten_and_written_over),
        TEST(a_sweep_takes_files_of_jobs_that_nobody_knows_and_no_others),
        TEST(a_full_disk_at_the_spill_keeps_the_memory_and_nothing_of_the_call),
        TEST(a_full_disk_later_keeps_what_was_there_and_goes_on_when_there_is_room),
    };

    scratch_start();
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
