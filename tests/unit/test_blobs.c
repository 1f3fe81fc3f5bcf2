/* test_blobs.c - stamps of sealed blobs: one tenant's, of one store, kept over brokers; a key that is not there is never made anew. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "asks_fixture.h"
#include "broker/store_care.h"
#include "broker/store_sqlite.h"

static const uint8_t digest[BLOB_DIGEST] = "0123456789abcdef0123456789abcde";

static void open_store(struct world *w)
{
    char why[STORE_WHY] = "";

    if (store_open(w->bare.dir, &w->bare.b.store, why) != 0 || blobs_open(&w->bare.b, why) != 0)
        fail_msg("%s", why);
}

static void close_store(struct world *w)
{
    store_close(w->bare.b.store);
    w->bare.b.store = NULL;
    blobs_finish(&w->bare.b.blobs);
}

static int start(void **state)
{
    if (world_start(state) != 0)
        return -1;
    open_store(*state);
    return 0;
}

static int stop(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < w->n_ends; i++)
        leaves(w->ends[i]);
    close_store(w);
    return world_stop(state);
}

/* Another hand on the database of a broker that is down. */
static void run_sql(const struct world *w, const char *sql)
{
    char path[256];
    sqlite3 *db;

    (void)snprintf(path, sizeof(path), "%s/coop.db", w->bare.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    (void)sqlite3_close(db);
}

static const Pb__Answer *seal(struct end *e, const void *bytes, size_t len)
{
    ASK(m, BlobSeal, BLOB_SEAL, blob_seal, BLOB_SEAL);

    m_body.digest = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
    return asks(e, &m);
}

static const Pb__Answer *check(struct end *e, const void *bytes, size_t len, const void *mac, size_t mac_len)
{
    ASK(m, BlobCheck, BLOB_CHECK, blob_check, BLOB_CHECK);

    m_body.digest = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
    m_body.mac = (ProtobufCBinaryData){ mac_len, (uint8_t *)mac };
    return asks(e, &m);
}

static void sealed(struct end *e, uint8_t ret[BLOB_MAC])
{
    const Pb__BlobSealed *m = answered(seal(e, digest, sizeof(digest)), BLOB_SEALED)->blob_sealed;

    assert_int_equal(m->mac.len, BLOB_MAC);
    memcpy(ret, m->mac.data, BLOB_MAC);
}

static bool is_good(struct end *e, const uint8_t d[BLOB_DIGEST], const uint8_t mac[BLOB_MAC])
{
    return answered(check(e, d, BLOB_DIGEST, mac, BLOB_MAC), BLOB_CHECKED)->blob_checked->good;
}

/* ---- stamps -------------------------------------------------------------------------------------------------------------------------------- */

/* By an implementation of its own: python3 -c 'import hmac; print(hmac.new(bytes(range(32)), b"coop blob v1" + (1000).to_bytes(8, "big") +
 * b"0123456789abcdef0123456789abcde\0", "sha256").hexdigest())' */
static void a_stamp_is_what_the_header_says(void **state)
{
    static const uint8_t want[BLOB_MAC] = {
        0x67, 0x2b, 0xf7, 0xe1, 0x30, 0x31, 0x18, 0x95, 0x4c, 0xbd, 0x03, 0xbe, 0xd0, 0x2e, 0x4c, 0x06,
        0x8f, 0xdb, 0x7f, 0x45, 0x19, 0xf7, 0x46, 0xa1, 0x50, 0xcd, 0xdd, 0x80, 0x53, 0x4a, 0x69, 0x82
    };
    struct blobs b;
    uint8_t mac[BLOB_MAC];

    (void)state;
    for (unsigned i = 0; i < sizeof(b.key); i++)
        b.key[i] = (uint8_t)i;
    assert_int_equal(blob_stamp(&b, 1000, digest, mac), 0);
    assert_memory_equal(mac, want, sizeof(want));
}

static void what_one_worker_has_sealed_another_of_its_tenant_knows(void **state)
{
    struct end *e = a_worker(*state, NULL), *f = a_worker(*state, NULL);
    uint8_t mac[BLOB_MAC], again[BLOB_MAC];

    sealed(e, mac);
    sealed(f, again);
    assert_memory_equal(mac, again, sizeof(mac));
    assert_true(is_good(e, digest, mac));
    assert_true(is_good(f, digest, mac));
}

static void one_bit_of_either_makes_it_nothing(void **state)
{
    struct end *e = a_worker(*state, NULL);
    uint8_t mac[BLOB_MAC], other[BLOB_DIGEST];

    sealed(e, mac);
    for (unsigned bit = 0; bit < 8 * BLOB_MAC; bit++) {
        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(is_good(e, digest, mac));
        mac[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (unsigned bit = 0; bit < 8 * BLOB_DIGEST; bit++) {
        memcpy(other, digest, sizeof(other));
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(is_good(e, other, mac));
    }
    assert_true(is_good(e, digest, mac));
}

static void anothers_stamp_is_nothing(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL), *f = a_worker(w, NULL);
    uint8_t mac[BLOB_MAC], theirs[BLOB_MAC];

    estate_unref(f->asker->estate);
    f->asker->estate = estate_get(&w->bare.b, e->asker->estate->tenant + 1);
    sealed(e, mac);
    sealed(f, theirs);
    assert_memory_not_equal(mac, theirs, sizeof(mac));
    assert_false(is_good(f, digest, mac));
    assert_false(is_good(e, digest, theirs));
    assert_true(is_good(f, digest, theirs));
}

static void other_lengths_are_refused(void **state)
{
    static const size_t lengths[] = { 0, 1, 31, 33, 64, 4096 };
    static const uint8_t bytes[4096];
    struct end *e = a_worker(*state, NULL);

    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        failed(seal(e, bytes, lengths[i]), BAD_REQUEST, "digest has");
        failed(check(e, bytes, lengths[i], bytes, BLOB_MAC), BAD_REQUEST, "digest has");
        failed(check(e, bytes, BLOB_DIGEST, bytes, lengths[i]), BAD_REQUEST, "mac has");
    }
    assert_int_equal(e->asker->open, 0);
    assert_int_equal(e->asker->bytes, 0);
}

static void host_programs_have_no_stamps(void **state)
{
    struct end *e = a_host(*state);

    failed(seal(e, digest, sizeof(digest)), NOT_ALLOWED, "for interpreters only");
    failed(check(e, digest, sizeof(digest), digest, sizeof(digest)), NOT_ALLOWED, "for interpreters only");
}

static void the_init_of_a_template_has_none_either(void **state)
{
    struct end *e = a_worker(*state, NULL);

    e->w->role = WORKER_TEMPLATE;
    failed(seal(e, digest, sizeof(digest)), NOT_ALLOWED, "the init of a template asks for nothing");
    e->w->role = WORKER_PLAIN;
}

/* ---- the key ------------------------------------------------------------------------------------------------------------------------------- */

static void the_next_broker_knows_them_and_another_store_does_not(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    uint8_t mac[BLOB_MAC];

    sealed(e, mac);
    close_store(w);
    open_store(w);
    assert_true(is_good(e, digest, mac));
    close_store(w);
    scratch_remove(w->bare.dir);
    w->bare.dir = scratch_make();
    open_store(w);
    assert_false(is_good(e, digest, mac));
}

/* What SQLite's own look at each page finds is refused there. */
static void is_refused(struct world *w, const char *says)
{
    char why[STORE_WHY] = "";
    int rc = store_open(w->bare.dir, &w->bare.b.store, why);

    if (rc == 0)
        rc = blobs_open(&w->bare.b, why);
    assert_int_equal(rc, -EUCLEAN);
    if (strstr(why, says) == NULL || strstr(why, "coop store repair") == NULL)
        fail_msg("%s", why);
    store_close(w->bare.b.store);
    w->bare.b.store = NULL;
}

static void a_key_that_is_missing_or_short_is_refused_and_not_made_anew(void **state)
{
#define LOOSE "PRAGMA ignore_check_constraints = ON; "
    static const struct {
        const char *sql, *says;
    } rows[] = {
        {"DELETE FROM secret",                                                  "is missing"},
        { LOOSE "INSERT INTO secret(name, value) VALUES('blob', x'0102')",      "secret"    },
        { LOOSE "UPDATE secret SET value = '01234567890123456789012345678901'", "secret"    },
        { "UPDATE secret SET name = 'blobs', value = zeroblob(32)",             "is missing"},
        { "DROP TABLE secret",                                                  "lacks"     },
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        close_store(w);
        run_sql(w, rows[i].sql);
        is_refused(w, rows[i].says);
        is_refused(w, rows[i].says);
    }
}

static unsigned look(const struct world *w, int (*fn)(int dir, struct care *c))
{
    struct care c = { .out = fopen("/dev/null", "we") };
    int dir = open(w->bare.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)fn(dir, &c);
    (void)close(dir);
    (void)fclose(c.out);
    return c.faults;
}

static int look_over(int dir, struct care *c)
{
    return store_check_at(dir, -1, c);
}

static int repair(int dir, struct care *c)
{
    return store_repair(dir, -1, "here", c);
}

static void a_repair_makes_a_new_one_and_says_what_that_costs(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    uint8_t mac[BLOB_MAC];

    sealed(e, mac);
    close_store(w);
    assert_int_equal(look(w, look_over), 0);
    run_sql(w, "DELETE FROM secret");
    assert_int_equal(look(w, look_over), 1);
    assert_int_equal(look(w, repair), 1);
    assert_int_equal(look(w, look_over), 0);
    open_store(w);
    assert_false(is_good(e, digest, mac));
}

static void a_repair_of_something_else_keeps_it(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    uint8_t mac[BLOB_MAC];

    sealed(e, mac);
    close_store(w);
    run_sql(w, "INSERT INTO queue_item(number, queue, unbound, sender, value) VALUES(1, 'none', 0, '', x'00')");
    assert_int_equal(look(w, repair), 0);
    open_store(w);
    assert_true(is_good(e, digest, mac));
}

static void a_copy_of_the_store_has_it(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    char *copy = scratch_make(), why[STORE_WHY];
    int from = open(w->bare.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to = open(copy, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct store_copied copied;
    uint8_t mac[BLOB_MAC];

    sealed(e, mac);
    assert_int_equal(store_copy(from, to, false, NULL, &copied, why), 0);
    close_store(w);
    scratch_remove(w->bare.dir);
    w->bare.dir = copy;
    open_store(w);
    assert_true(is_good(e, digest, mac));
    (void)close(from);
    (void)close(to);
}

static void a_database_that_others_can_read_is_refused(void **state)
{
    struct world *w = *state;
    char path[256], why[STORE_WHY];

    close_store(w);
    (void)snprintf(path, sizeof(path), "%s/coop.db", w->bare.dir);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(w->bare.dir, 0700), 0);
    open_store(w); /* nobody comes that far */
    close_store(w);
    assert_int_equal(chmod(w->bare.dir, 0711), 0);
    assert_int_equal(store_open(w->bare.dir, &w->bare.b.store, why), -EPERM);
    assert_non_null(strstr(why, "may be read by others (mode 644)"));
    assert_int_equal(chmod(path, 0600), 0);
    open_store(w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stamp_is_what_the_header_says),
        TEST(what_one_worker_has_sealed_another_of_its_tenant_knows),
        TEST(one_bit_of_either_makes_it_nothing),
        TEST(anothers_stamp_is_nothing),
        TEST(other_lengths_are_refused),
        TEST(host_programs_have_no_stamps),
        TEST(the_init_of_a_template_has_none_either),
        TEST(the_next_broker_knows_them_and_another_store_does_not),
        TEST(a_key_that_is_missing_or_short_is_refused_and_not_made_anew),
        TEST(a_repair_makes_a_new_one_and_says_what_that_costs),
        TEST(a_repair_of_something_else_keeps_it),
        TEST(a_copy_of_the_store_has_it),
        TEST(a_database_that_others_can_read_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
