/*
 * test_store_versions.c - a store of every earlier schema version, kept as text in tests/fixtures/, is opened, and all that was in it is
 * found again: jobs, specs, receipts in their chain, outputs, interpreters, keys, calls, templates, queues.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

#define ST(name) PB__STATE__STATE_##name

static char *read_fixture(int version)
{
    char path[128], *text;
    size_t len;
    FILE *f;

    (void)snprintf(path, sizeof(path), "tests/fixtures/store-v%d.sql", version);
    f = fopen(path, "re");
    if (f == NULL)
        fail_msg("%s: %s", path, strerror(errno));
    text = calloc(1, 1 << 16);
    len = fread(text, 1, (1 << 16) - 1, f);
    assert_true(len > 1000 && len < (1 << 16) - 1);
    (void)fclose(f);
    return text;
}

static void put_fixture(const struct fixture *f, int version)
{
    char *text = read_fixture(version);

    run_sql(f, text);
    free(text);
    if (version >= 8) { /* whose it is was written down by then */
        char sql[256];

        (void)snprintf(sql, sizeof(sql),
                       "UPDATE job SET tenant = %u; UPDATE template SET tenant = %u; UPDATE queue SET tenant = %u; "
                       "UPDATE alias_call SET tenant = %u; UPDATE tenant_total SET tenant = %u",
                       geteuid(), geteuid(), geteuid(), geteuid(), geteuid());
        run_sql(f, sql);
    }
}

static void assert_job(struct store *s, unsigned n, const char *name, Pb__State state, uint64_t epoch)
{
    struct store_job job;
    struct store_blob spec;
    char want[32];

    assert_int_equal(store_find(s, id_of(n), &job), 0);
    assert_string_equal(job.name, name);
    assert_int_equal(job.state, state);
    assert_int_equal(job.epoch, epoch);
    assert_int_equal(job.submitted_us, 1700000000000000 + n);
    assert_int_equal(job.tenant, geteuid());
    assert_int_equal(job.prio, 3);
    assert_string_equal(job.array_id, "");
    assert_true((job.ended_us != 0) == (n < 3));
    (void)snprintf(want, sizeof(want), "spec of %u", n);
    assert_int_equal(store_read_spec(s, id_of(n), &spec), 0);
    assert_blob(spec, want, strlen(want));
}

static int count_one(void *ctx, const struct store_job *job)
{
    (void)job;
    ++*(unsigned *)ctx;
    return 0;
}

static void assert_jobs(struct store *s, int version)
{
    struct store_job own[8];
    uint64_t tenant = geteuid();
    unsigned n = 0;

    assert_job(s, 1, "done", ST(SUCCEEDED), 3);
    assert_job(s, 2, "failed", ST(FAILED), 5);
    assert_job(s, 3, "waits", ST(READY), 0);
    assert_job(s, 4, "ran", ST(RUNNING), 9);
    if (version >= 4)
        assert_job(s, 5, "lives", ST(RUNNING), 0);
    assert_int_equal(store_each_unfinished(s, count_one, &n), 0);
    assert_int_equal(n, version >= 4 ? 3 : 2);
    assert_int_equal(store_list(s, &(struct store_filter){ .tenants = &tenant, .n_tenants = 1 }, own, 8), version >= 4 ? 5 : 4);
}

/* In the order in which they were written, which is not that of the ids. */
static void assert_receipts(struct store *s)
{
    struct store_audit a = { 0 };
    struct store_blob b;
    struct store_link link;

    for (unsigned n = 1; n < 3; n++) {
        char want[32];

        (void)snprintf(want, sizeof(want), "receipt of %u", n);
        assert_int_equal(store_read_receipt(s, id_of(n), &b), 0);
        assert_blob(b, want, strlen(want));
        assert_int_equal(store_read_link(s, id_of(n), &link), 0);
        assert_int_equal(link.seq, 3 - n);
    }
    while (!a.ended && a.fault == AUDIT_NONE)
        assert_int_equal(store_audit(s, &a), 0);
    assert_string_equal(a.text, "");
    assert_int_equal(a.seq, 2);
    assert_int_equal(store_read_output(s, id_of(1), 0, 0, 99, &b), 0);
    assert_blob(b, "stdout of 1\n", 12);
    assert_int_equal(store_read_output(s, id_of(2), 1, 0, 99, &b), 0);
    assert_blob(b, "stderr of 2\n", 12);
}

static int see_template(void *ctx, const struct store_template *t)
{
    assert_string_equal(t->name, "warm");
    assert_int_equal(t->version, 2);
    assert_int_equal(t->tenant, geteuid());
    assert_int_equal(t->spec.len, strlen("spec of warm@2"));
    ++*(unsigned *)ctx;
    return 0;
}

static int see_queue(void *ctx, const struct store_queue *q)
{
    assert_string_equal(q->id, id_of(7));
    assert_string_equal(q->name, "work");
    assert_int_equal(q->tenant, geteuid());
    assert_int_equal(q->max_bytes, 1000);
    assert_true(q->closed);
    ++*(unsigned *)ctx;
    return 0;
}

static int see_item(void *ctx, const struct store_queue_item *i)
{
    unsigned *n = ctx;

    assert_int_equal(i->row, ++*n);
    assert_int_equal(i->len, 6);
    assert_string_equal(i->sender, i->row == 1 ? id_of(4) : "");
    return 0;
}

static void assert_things(struct store *s, int version)
{
    struct store_alias calls[2];
    struct store_blob b;
    unsigned n = 0;

    if (version >= 4) {
        assert_int_equal(store_read_definition(s, id_of(5), &b), 0);
        assert_blob(b, "definition of 5", 15);
    }
    if (version >= 5) {
        assert_int_equal(store_kv_get(s, 1000, "key", &b), 0);
        assert_blob(b, "value", 5);
        assert_int_equal(store_alias_list(s, NULL, 0, calls, 2), 1);
        assert_string_equal(calls[0].name, "fetch");
        assert_int_equal(calls[0].tenant, geteuid());
    }
    if (version >= 6) {
        assert_int_equal(store_each_template(s, see_template, &n), 0);
        assert_int_equal(n, 1); /* the first one was removed, and its number is not given again */
        assert_int_equal(store_last_template(s, geteuid(), "warm"), 2);
    }
    n = 0;
    if (version >= 7) {
        assert_int_equal(store_each_queue(s, see_queue, &n), 0);
        assert_int_equal(n, 1);
        n = 0;
        assert_int_equal(store_each_queue_item(s, id_of(7), see_item, &n), 0);
        assert_int_equal(n, 2);
    }
}

static void all_that_was_in_a_store_of_any_version_is_found_again(void **state)
{
    struct fixture *f = *state;
    struct store_job job;
    uint64_t bytes = 0;
    uint8_t secret[STORE_SECRET];

    for (int version = 1; version < SCHEMA_VERSION; version++) {
        put_fixture(f, version);
        if (store_open(f->dir, &f->store, f->why) != 0)
            fail_msg("version %d: %s", version, f->why);
        assert_jobs(f->store, version);
        assert_receipts(f->store);
        assert_things(f->store, version);
        assert_int_equal(store_read_secret(f->store, STORE_SECRET_BLOB, secret), 0);
        assert_int_equal(store_stored_bytes(f->store, geteuid(), &bytes), 0);
        assert_int_equal(bytes, (version >= 4 ? 5 : 4) * 9 + 2 * 12 + 2 * 12);
        /* and it goes on: what waits can be claimed, what ran can end */
        assert_int_equal(store_find(f->store, id_of(4), &job), 0);
        assert_int_equal(do_op(f->store, finish_of(id_of(4), job.epoch, "receipt of 4")), 0);
        assert_int_equal(do_op(f->store, submit_of(id_of(20))), 0);
        reopen(f);
        assert_int_equal(store_find(f->store, id_of(20), &job), 0);
        teardown(state);
        setup_dir(state);
        f = *state;
    }
}

static void a_fixture_is_there_for_every_earlier_version(void **state)
{
    (void)state;
    for (int version = 1; version < SCHEMA_VERSION; version++) {
        char want[64], *text = read_fixture(version);

        (void)snprintf(want, sizeof(want), "PRAGMA user_version = %d;", version);
        assert_non_null(strstr(text, want));
        free(text);
    }
}

static void a_store_of_the_next_version_is_refused_and_left_as_it_is(void **state)
{
    struct fixture *f = *state;
    char next[64];
    int64_t version = 0;
    char path[256];
    sqlite3 *db;

    put_fixture(f, 7);
    (void)snprintf(next, sizeof(next), "PRAGMA user_version = %d", SCHEMA_VERSION + 1);
    run_sql(f, next);
    assert_int_equal(store_open(f->dir, &f->store, f->why), -EPROTONOSUPPORT);
    path_of(f, "coop.db", path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(store_number(db, "PRAGMA user_version", &version), 0);
    assert_int_equal(version, SCHEMA_VERSION + 1);
    assert_int_equal(store_number(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'arr'", &version), 0);
    assert_int_equal(version, 0);
    (void)sqlite3_close(db);
}

#define FRESH(name) cmocka_unit_test_setup_teardown(name, setup_dir, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(all_that_was_in_a_store_of_any_version_is_found_again),
        FRESH(a_fixture_is_there_for_every_earlier_version),
        FRESH(a_store_of_the_next_version_is_refused_and_left_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
