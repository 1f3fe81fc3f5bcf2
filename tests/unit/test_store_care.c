/*
 * test_store_care.c - a damaged store: every page of one is spoiled in turn, and each time it is refused or the check tells; what can be read
 * is saved into a new one that opens, nothing else is, and the damaged one is as it was. And copies of one that is being written to.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/store_care.h"
#include "frame.h"
#include "store_fixture.h"

enum { JOBS = 240, PAGE = 4096 };

static struct store_blob long_spec(void)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;
    uint8_t source[480] = { 0 };
    struct store_blob b;

    spec.limits = &limits;
    spec.source = (ProtobufCBinaryData){ sizeof(source), source };
    assert_int_equal(frame_pack(&spec.base, &b.bytes, &b.len), 0);
    return b;
}

/* Some that wait, most ended, with specs of a length that fills pages. */
static void fill(struct store *s, unsigned jobs)
{
    for (unsigned i = 0; i < jobs; i++) {
        struct store_op *op = submit_of(id_of(i));

        free(op->submit.spec.bytes);
        op->submit.spec = long_spec();
        store_push(s, op);
        if (i % 4 == 0)
            continue;
        op = finish_of(id_of(i), 1, "receipt");
        op->finish.out[0] = blob_of("output", 6);
        store_push(s, op);
    }
    assert_int_equal(collect_all(s, 0), jobs + jobs - (jobs + 3) / 4);
}

static int open_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static unsigned check(const struct fixture *f)
{
    struct care c = { .out = fopen("/dev/null", "we") };
    char path[256], why[STORE_WHY];
    sqlite3 *db = NULL;

    path_of(f, "coop.db", path);
    if (store_connect_to_look(path, 0, &db, why) != 0 || store_check_db(db, -1, &c) != 0)
        c.faults++;
    (void)sqlite3_close(db);
    (void)fclose(c.out);
    return c.faults;
}

static char *slurp(const struct fixture *f, const char *name, size_t *ret_len)
{
    char path[256], *bytes;
    struct stat st;
    FILE *file;

    path_of(f, name, path);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    *ret_len = (size_t)st.st_size;
    bytes = malloc(*ret_len);
    assert_int_equal(fread(bytes, 1, *ret_len, file), *ret_len);
    (void)fclose(file);
    return bytes;
}

static void spill(const struct fixture *f, const char *name, const char *bytes, size_t len)
{
    char path[256];
    FILE *file;

    path_of(f, name, path);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    (void)fclose(file);
}

static int count_job(void *ctx, const struct store_job *job)
{
    (void)job;
    ++*(unsigned *)ctx;
    return 0;
}

/* The salvaged one in place of the damaged one: opens, works, and has so many jobs. */
static unsigned jobs_saved(struct fixture *f)
{
    static struct store_job jobs[JOBS + 8];
    int n;

    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
    n = store_list(f->store, &(struct store_filter){ 0 }, jobs, JOBS + 8);
    assert_true(n >= 0);
    for (int i = 0; i < n; i++) {
        struct store_blob b = { 0 };

        if (jobs[i].state == PB__STATE__STATE_READY) /* whatever waits can run */
            assert_int_equal(store_read_spec(f->store, jobs[i].id, &b), 0);
        free(b.bytes);
    }
    assert_int_equal(do_op(f->store, submit_of(id_of(9000))), 0);
    assert_int_equal(do_op(f->store, finish_of(id_of(9000), 1, "r")), 0);
    store_close(f->store);
    f->store = NULL;
    return (unsigned)n;
}

static void every_page_that_is_damaged_is_found_and_the_rest_is_saved(void **state)
{
    struct fixture *f = *state;
    size_t len, now_len;
    unsigned unreadable = 0, lost_tables = 0;
    char *whole, *spoilt, *now;

    fill(f->store, JOBS);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(check(f), 0);
    whole = slurp(f, "coop.db", &len);
    spoilt = malloc(len);
    for (size_t page = 0; page < len / PAGE; page++) {
        struct care c = { .out = fopen("/dev/null", "we") };
        int dir, err;

        memcpy(spoilt, whole, len);
        memset(spoilt + page * PAGE + (page == 0 ? 100 : 0), 0xa5, PAGE - (page == 0 ? 100 : 0));
        spill(f, "coop.db", spoilt, len);
        err = store_open(f->dir, &f->store, f->why);
        if (err == 0) { /* a page that nothing lies on */
            store_close(f->store);
            f->store = NULL;
            (void)fclose(c.out);
            assert_int_equal(check(f), 0);
            continue;
        }
        if (err != -EUCLEAN)
            fail_msg("page %zu: %d, %s", page, err, f->why);
        if (page > 0)
            assert_non_null(strstr(f->why, "coop store"));
        assert_true(check(f) > 0);
        spill(f, "coop.db", spoilt, len);
        dir = open_dir(f->dir);
        err = store_salvage(dir, "new.db", &c);
        (void)close(dir);
        (void)fclose(c.out);
        unreadable += err == -EUCLEAN;
        assert_true(err == 0 || err == -EUCLEAN);
        now = slurp(f, "coop.db", &now_len);
        assert_int_equal(now_len, len);
        assert_memory_equal(now, spoilt, len);
        free(now);
        if (err == 0) {
            unsigned n;

            now = slurp(f, "new.db", &now_len);
            spill(f, "coop.db", now, now_len);
            free(now);
            n = jobs_saved(f);
            if (n < JOBS - 60) {
                lost_tables++;
                assert_true(n == 0 || n >= JOBS / 2);
            }
        }
        run_sql(f, "SELECT 1");
        for (int i = 0; i < 6; i++) {
            static const char *const names[] = { "new.db", "new.db-wal", "new.db-shm", "coop.db-wal", "coop.db-shm", "coop.db" };
            char path[256];

            path_of(f, names[i], path);
            (void)unlink(path);
        }
    }
    print_message("unreadable %u, lost tables %u of %zu pages\n", unreadable, lost_tables, len / PAGE);
    assert_true(unreadable <= 2);  /* the first page, and one of where tables lie */
    assert_true(lost_tables <= 4); /* where a table lies, or its root: a page of jobs alone holds no 60 */
    free(whole);
    free(spoilt);
}

static void a_file_that_was_cut_is_refused_and_salvaged(void **state)
{
    struct fixture *f = *state;
    struct care c = { .out = fopen("/dev/null", "we") };
    size_t len;
    char *whole;
    int dir;

    fill(f->store, JOBS);
    store_close(f->store);
    f->store = NULL;
    whole = slurp(f, "coop.db", &len);
    spill(f, "coop.db", whole, len / PAGE / 2 * PAGE);
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EUCLEAN);
    assert_non_null(strstr(f->why, "coop store repair"));
    dir = open_dir(f->dir);
    assert_int_equal(store_salvage(dir, "new.db", &c), 0);
    assert_true(c.faults > 0);
    (void)close(dir);
    (void)fclose(c.out);
    free(whole);
}

static void a_missing_row_of_the_chain_or_of_an_index_is_told_by_the_check(void **state)
{
    static const char *const sql[] = {
        "DELETE FROM chain WHERE seq = 3",
        "DELETE FROM result WHERE job = '01HZZZZZZZ0000000000000005'",
        "DELETE FROM spec WHERE job = '01HZZZZZZZ0000000000000004'",
        "UPDATE result SET receipt = x'00' WHERE job = '01HZZZZZZZ0000000000000005'",
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'id)', 'name)') WHERE name = 'job_unfinished'",
    };
    struct fixture *f = *state;
    size_t len;
    char *whole;

    fill(f->store, 40);
    store_close(f->store);
    f->store = NULL;
    whole = slurp(f, "coop.db", &len);
    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++) {
        spill(f, "coop.db", whole, len);
        assert_int_equal(check(f), 0);
        run_sql(f, sql[i]);
        if (check(f) == 0)
            fail_msg("nothing was told of: %s", sql[i]);
    }
    free(whole);
}

static void a_job_whose_row_is_lost_is_made_again_of_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct care c = { .out = fopen("/dev/null", "we") };
    struct store_job job;
    char from[256], to[256];
    int dir;

    fill(f->store, 8);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "DELETE FROM job WHERE id IN ('01HZZZZZZZ0000000000000004', '01HZZZZZZZ0000000000000005')"); /* waits, ended */
    dir = open_dir(f->dir);
    assert_int_equal(store_salvage(dir, "new.db", &c), 0);
    (void)close(dir);
    (void)fclose(c.out);
    path_of(f, "new.db", from);
    path_of(f, "coop.db", to);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
    assert_int_equal(store_find(f->store, id_of(4), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_HELD); /* nobody knows whether it has run: a person decides */
    assert_int_equal(store_find(f->store, id_of(5), &job), 0);
    assert_int_equal(job.state, PB__STATE__STATE_SUCCEEDED);
}

static void every_table_of_the_schema_is_salvaged(void **state)
{
    struct fixture *f = *state;
    sqlite3_stmt *stmt = NULL;
    unsigned n = 0;

    assert_int_equal(sqlite3_prepare_v2(f->store->reader,
                                        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'", -1, &stmt,
                                        NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        size_t i = 0;

        while (store_salvaged_table(i) != NULL && strcmp(store_salvaged_table(i), name) != 0)
            i++;
        if (store_salvaged_table(i) == NULL)
            fail_msg("store_salvage.c does not know the table %s", name);
        n++;
    }
    (void)sqlite3_finalize(stmt);
    assert_true(n > 20 && store_salvaged_table(n) == NULL);
}

/* ---- a repair that is killed ------------------------------------------------------------------------------------------------------------ */

static unsigned steps_left;

static void halt_at_step(const char *what)
{
    (void)what;
    if (steps_left-- == 0)
        _exit(9);
}

/* By a process of its own, which ends before step n of those that change names; true: it did. */
static bool repair_until(const struct fixture *f, unsigned n)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct care c = { .out = fopen("/dev/null", "we") };
        int err;

        steps_left = n;
        store_repair_step = halt_at_step;
        err = store_repair(open_dir(f->dir), -1, f->dir, &c);
        _exit(err == 0 || err == -EUCLEAN ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 1);
    return WEXITSTATUS(status) == 9;
}

static void a_repair_that_is_killed_at_any_step_loses_nothing(void **state)
{
    struct fixture *f = *state;
    size_t len;
    char *whole;
    unsigned n = 0;
    bool halted = true;

    fill(f->store, JOBS);
    store_close(f->store);
    f->store = NULL;
    run_sql(f, "UPDATE job SET class = 77 WHERE id = '01HZZZZZZZ0000000000000004'");
    whole = slurp(f, "coop.db", &len);
    for (; halted; n++) {
        char left[STORE_LEFT];
        int dir = open_dir(f->dir);

        spill(f, "coop.db", whole, len);
        halted = repair_until(f, n);
        if (halted) { /* no broker takes a half for the whole, nor nothing */
            assert_int_equal(store_open(f->dir, &f->store, f->why), -EUCLEAN);
            assert_non_null(strstr(f->why, "coop store repair"));
            assert_false(repair_until(f, UINT_MAX));
        }
        assert_false(store_find_left(dir, STORE_REPAIRING, left));
        assert_int_equal(jobs_saved(f), JOBS);
        (void)close(dir);
        run_sql(f, "SELECT 1");
    }
    assert_true(n >= 5);
    free(whole);
}

static void no_empty_store_is_made_beside_one_that_was_set_aside(void **state)
{
    struct fixture *f = *state;
    char from[256], to[256];

    store_close(f->store);
    f->store = NULL;
    path_of(f, "coop.db", from);
    path_of(f, "coop.db.damaged-20261122T225501.000001Z", to);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EUCLEAN);
    assert_non_null(strstr(f->why, "coop.db.damaged-"));
    assert_int_equal(rename(to, from), 0);
    assert_int_equal(store_open(f->dir, &f->store, f->why), 0);
}

/* ---- copies -------------------------------------------------------------------------------------------------------------------------- */

static void a_backup_of_a_store_that_is_written_to_is_one_moment_of_it(void **state)
{
    enum { BEFORE = 3000, MEANWHILE = 600 };
    struct fixture *f = *state;
    struct store_backup *b = NULL;
    struct store_copied copied;
    struct store *copy = NULL;
    char path[256], why[STORE_WHY];
    unsigned n = 0, written = 0;
    struct pollfd done;
    int dir = open_dir(f->dir);

    fill(f->store, BEFORE);
    path_of(f, "backup", path);
    assert_int_equal(store_backup_start(dir, path, &b, why), 0);
    done = (struct pollfd){ .fd = store_backup_fd(b), .events = POLLIN };
    while (poll(&done, 1, 0) == 0 && written < MEANWHILE) { /* each a commit of its own */
        assert_int_equal(do_op(f->store, submit_of(id_of(BEFORE + written))), 0);
        written++;
    }
    if (store_backup_end(b, false, &copied, why) != 0)
        fail_msg("%s", why);
    (void)close(dir);
    if (store_open(path, &copy, why) != 0)
        fail_msg("%s", why);
    assert_int_equal(store_each_unfinished(copy, count_job, &n), 0);
    assert_true(n >= BEFORE / 4 && n <= BEFORE / 4 + written);
    assert_true(copied.jobs >= BEFORE);
    assert_int_equal(copied.jobs, BEFORE + n - BEFORE / 4);
    store_close(copy);
}

static void a_backup_takes_no_directory_that_is_there_and_leaves_nothing_when_stopped(void **state)
{
    struct fixture *f = *state;
    struct store_backup *b = NULL;
    struct store_copied copied;
    char path[256], why[STORE_WHY];
    struct stat st;
    int dir = open_dir(f->dir);

    fill(f->store, 2000);
    path_of(f, "backup", path);
    assert_int_equal(store_backup_start(dir, "backup", &b, why), -EINVAL);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(store_backup_start(dir, path, &b, why), -EEXIST);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(store_backup_start(dir, path, &b, why), 0);
    if (store_backup_end(b, true, &copied, why) == -ECANCELED)
        assert_int_equal(stat(path, &st), -1);
    (void)snprintf(why, sizeof(why), "%s.part-%ld", path, (long)getpid());
    assert_int_equal(stat(why, &st), -1);
    (void)close(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_page_that_is_damaged_is_found_and_the_rest_is_saved),
        TEST(a_file_that_was_cut_is_refused_and_salvaged),
        TEST(a_missing_row_of_the_chain_or_of_an_index_is_told_by_the_check),
        TEST(a_job_whose_row_is_lost_is_made_again_of_what_is_left),
        TEST(every_table_of_the_schema_is_salvaged),
        TEST(a_repair_that_is_killed_at_any_step_loses_nothing),
        TEST(no_empty_store_is_made_beside_one_that_was_set_aside),
        TEST(a_backup_of_a_store_that_is_written_to_is_one_moment_of_it),
        TEST(a_backup_takes_no_directory_that_is_there_and_leaves_nothing_when_stopped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
