/* test_kv.c - keys and values: durable before they are answered, seen through prefixes, bounded. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asks_fixture.h"
#include "broker/store_sqlite.h"

static int start(void **state)
{
    struct world *w;
    char why[STORE_WHY];

    if (world_start(state) != 0)
        return -1;
    w = *state;
    if (store_open(w->bare.dir, &w->bare.b.store, why) != 0)
        fail_msg("%s", why);
    return 0;
}

static void close_store(struct world *w)
{
    store_close(w->bare.b.store);
    w->bare.b.store = NULL;
}

static int stop(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < w->n_ends; i++)
        leaves(w->ends[i]);
    close_store(w);
    return world_stop(state);
}

/* As main.c does when the store has something: all that was pushed comes back. */
static void settle(struct world *w)
{
    struct store *s = w->bare.b.store;
    struct store_op *op, *next;

    while (store_pending(s) > 0) {
        struct pollfd p = { .fd = store_event_fd(s), .events = POLLIN };

        assert_int_equal(poll(&p, 1, 60000), 1);
        for (op = store_collect(s); op != NULL; op = next) {
            next = op->next;
            if (op->done != NULL)
                op->done(op);
            store_op_free(op);
        }
    }
}

/* ---- asks: kv 0 is a host program's whole store, else the number of a handle ---- */

static uint64_t put(struct end *e, uint32_t kv, const char *key, const char *value, bool only_new)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, KvPut, KV_PUT, kv_put, KV_PUT);

    ref.handle = kv;
    m_body.kv = &ref;
    m_body.key = (char *)key;
    m_body.value = (ProtobufCBinaryData){ strlen(value), (uint8_t *)value };
    m_body.only_new = only_new;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}

static const Pb__Answer *puts_it(struct end *e, uint32_t kv, const char *key, const char *value)
{
    uint64_t n = put(e, kv, key, value, false);

    settle(e->world);
    return heard(e, n);
}

static uint64_t get(struct end *e, uint32_t kv, const char *key)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, KvGet, KV_GET, kv_get, KV_GET);

    ref.handle = kv;
    m_body.kv = &ref;
    m_body.key = (char *)key;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}

static uint64_t delete (struct end *e, uint32_t kv, const char *key)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, KvDelete, KV_DELETE, kv_delete, KV_DELETE);

    ref.handle = kv;
    m_body.kv = &ref;
    m_body.key = (char *)key;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}

static uint64_t list(struct end *e, uint32_t kv, const char *prefix, const char *after, uint32_t limit)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, KvList, KV_LIST, kv_list, KV_LIST);

    ref.handle = kv;
    m_body.kv = &ref;
    m_body.prefix = (char *)prefix;
    m_body.after = (char *)after;
    m_body.limit = limit;
    assert_int_equal(says(e, &m), 0);
    return m.number;
}

static const Pb__Answer *opens(struct end *e, const char *prefix, uint32_t rights)
{
    ASK(m, KvOpen, KV_OPEN, kv_open, KV_OPEN);

    m_body.prefix = (char *)prefix;
    m_body.rights = rights;
    return asks(e, &m);
}

static const Pb__Answer *lengthens(struct end *e, uint32_t handle, const char *prefix, uint32_t rights)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, HandleAttenuate, HANDLE_ATTENUATE, handle_attenuate, HANDLE_ATTENUATE);

    ref.handle = handle;
    m_body.ref = &ref;
    m_body.kind = KIND(KV);
    m_body.prefix = (char *)prefix;
    m_body.rights = rights;
    return asks(e, &m);
}

static void has(struct end *e, uint32_t kv, const char *key, const char *value)
{
    const Pb__KvValue *v = answered(heard(e, get(e, kv, key)), KV_VALUE)->kv_value;

    assert_int_equal(v->value.len, strlen(value));
    assert_memory_equal(v->value.data, value, strlen(value));
}

static void keys_are(const Pb__Answer *m, bool more, const char *wanted)
{
    char text[512] = "";

    answered(m, KV_KEYS);
    for (size_t i = 0; i < m->kv_keys->n_keys; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i > 0 ? " " : "", m->kv_keys->keys[i]);
    assert_string_equal(text, wanted);
    assert_int_equal(m->kv_keys->more, more);
}

/* ---- what is put -------------------------------------------------------------------------------------------------------------------------- */

static void a_put_is_answered_when_it_is_on_disk(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);
    uint64_t n = put(e, 0, "a", "1", false);
    char why[STORE_WHY];

    assert_null(heard(e, n));
    settle(w);
    answered(heard(e, n), DONE);
    close_store(w);
    if (store_open(w->bare.dir, &w->bare.b.store, why) != 0)
        fail_msg("%s", why);
    has(e, 0, "a", "1");
    answered(puts_it(e, 0, "a", ""), DONE);
    has(e, 0, "a", "");
    failed(heard(e, get(e, 0, "b")), NOT_FOUND, "no such key");
}

static void a_read_sees_the_changes_before_it(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w), *f = a_host(w);
    uint64_t one = put(e, 0, "a", "1", false), got = get(f, 0, "a"), other = get(f, 0, "b"), two = put(e, 0, "a", "2", false);
    uint64_t again = get(f, 0, "a"), gone = delete (e, 0, "a"), last = get(f, 0, "a"), all = list(f, 0, "", "", 0);

    failed(heard(f, other), NOT_FOUND, ""); /* no change of that is on its way */
    assert_null(heard(f, got));
    settle(w);
    answered(heard(e, one), DONE);
    answered(heard(e, two), DONE);
    answered(heard(e, gone), DONE);
    failed(heard(f, last), NOT_FOUND, "");
    keys_are(heard(f, all), false, "");
    assert_non_null(heard(f, got)); /* after its change, and maybe after later ones: those were open at once */
    assert_non_null(heard(f, again));
}

static void only_new_is_decided_once(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w), *f = a_host(w);
    uint64_t one = put(e, 0, "lock", "e", true), two = put(f, 0, "lock", "f", true);

    settle(w);
    answered(heard(e, one), DONE);
    failed(heard(f, two), NAME_TAKEN, "the key is there already");
    has(f, 0, "lock", "e");
    one = delete (e, 0, "lock");
    two = put(f, 0, "lock", "f", true);
    settle(w);
    answered(heard(f, two), DONE);
    two = delete (f, 0, "nothing");
    settle(w);
    failed(heard(f, two), NOT_FOUND, "no such key");
}

static void keys_and_values_have_bounds(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);
    char key[STORE_KV_KEY + 2] = "", *big = calloc(1, STORE_KV_VALUE + 2);

    memset(key, 'k', STORE_KV_KEY);
    answered(puts_it(e, 0, key, "1"), DONE);
    strcat(key, "k");
    failed(puts_it(e, 0, key, "1"), BAD_REQUEST, "at most 256 bytes with its prefix, this one 257");
    failed(puts_it(e, 0, "", "1"), BAD_REQUEST, "the key is empty");
    memset(big, 'v', STORE_KV_VALUE);
    answered(puts_it(e, 0, "big", big), DONE);
    big[STORE_KV_VALUE] = 'v';
    failed(puts_it(e, 0, "big", big), TOO_BIG, "at most 65536 bytes, this one 65537");
    failed(opens(e, key, 0), BAD_REQUEST, "a key has at most 256 bytes");
    free(big);
}

/* kv_total is what the quota goes by: set by hand, since a quota's worth of keys is too much for a test. */
static void quotas_hold_for_new_keys_and_more_bytes(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);
    char sql[128], path[256];
    sqlite3 *db;

    answered(puts_it(e, 0, "a", "12345"), DONE);
    (void)snprintf(path, sizeof(path), "%s/coop.db", w->bare.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    (void)snprintf(sql, sizeof(sql), "UPDATE kv_total SET keys = %d", STORE_KV_KEYS);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    failed(puts_it(e, 0, "b", "1"), LIMIT, "at most 100000 keys");
    answered(puts_it(e, 0, "a", "123456"), DONE); /* no new key */
    (void)snprintf(sql, sizeof(sql), "UPDATE kv_total SET bytes = %u", STORE_KV_BYTES);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    failed(puts_it(e, 0, "a", "1234567"), LIMIT, "268435456 bytes");
    answered(puts_it(e, 0, "a", "12345"), DONE); /* less than it was */
    settle(w);
    sqlite3_close(db);
}

static void the_total_is_what_there_is(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);
    char path[256];
    int64_t keys = 0, bytes = 0;
    unsigned seed = 3;
    sqlite3 *db;

    for (int i = 0; i < 300; i++) {
        char key[8], value[64] = "";

        (void)snprintf(key, sizeof(key), "%u", rand_r(&seed) % 30);
        memset(value, 'v', rand_r(&seed) % 60);
        if (rand_r(&seed) % 3 == 0)
            (void)delete (e, 0, key);
        else
            (void)put(e, 0, key, value, rand_r(&seed) % 2 == 0);
    }
    settle(w);
    (void)snprintf(path, sizeof(path), "%s/coop.db", w->bare.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(store_number(db, "SELECT count(*) - (SELECT keys FROM kv_total) FROM kv", &keys), 0);
    assert_int_equal(store_number(db, "SELECT sum(length(key) + length(value)) - (SELECT bytes FROM kv_total) FROM kv", &bytes), 0);
    assert_int_equal(keys, 0);
    assert_int_equal(bytes, 0);
    sqlite3_close(db);
}

/* ---- what is seen ----------------------------------------------------------------------------------------------------------------------------- */

static void a_list_is_in_order_and_comes_in_pages(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);
    const char *keys[] = { "b/2", "a", "b/10", "b/1", "c", "b", "b/\xc3\xa9", "b0" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        (void)put(e, 0, keys[i], "x", false);
    settle(w);
    keys_are(heard(e, list(e, 0, "", "", 0)), false, "a b b/1 b/10 b/2 b/\xc3\xa9 b0 c");
    keys_are(heard(e, list(e, 0, "b/", "", 0)), false, "b/1 b/10 b/2 b/\xc3\xa9");
    keys_are(heard(e, list(e, 0, "b/", "", 2)), true, "b/1 b/10");
    keys_are(heard(e, list(e, 0, "b/", "b/10", 2)), false, "b/2 b/\xc3\xa9");
    keys_are(heard(e, list(e, 0, "b/", "b/10", 1)), true, "b/2");
    keys_are(heard(e, list(e, 0, "nothing", "", 0)), false, "");
    keys_are(heard(e, list(e, 0, "b/", "zzz", 0)), false, "");
}

static void a_worker_sees_what_its_job_was_given_and_no_more(void **state)
{
    struct world *w = *state;
    struct end *host = a_host(w), *e = a_worker(w, CAPS("kv=app/:ro", "kv=app/own/:rw"));
    uint32_t ro, rw;

    answered(puts_it(host, 0, "app/x", "1"), DONE);
    answered(puts_it(host, 0, "application", "secret"), DONE);
    failed(opens(e, "", 0), NOT_ALLOWED, "the job has not the capability kv=; see --cap kv=:ro|rw");
    failed(opens(e, "ap", 0), NOT_ALLOWED, "");
    failed(opens(e, "app/", RIGHT(WRITE)), NOT_ALLOWED, "kv=app/ gives less than that");
    failed(opens(e, "app/x", RIGHT(WRITE)), NOT_ALLOWED, "gives less than that");
    ro = answered(opens(e, "app/", 0), HANDLE)->handle->handle;
    rw = answered(opens(e, "app/own/deep/", RIGHT(WRITE) | RIGHT(READ)), HANDLE)->handle->handle;
    has(e, ro, "x", "1");
    failed(puts_it(e, ro, "x", "2"), NOT_ALLOWED, "does not give the right to write: key prefix 'app/'");
    answered(puts_it(e, rw, "k", "v"), DONE);
    has(host, 0, "app/own/deep/k", "v");
    has(e, ro, "own/deep/k", "v");
    keys_are(heard(e, list(e, ro, "", "", 0)), false, "own/deep/k x");
    keys_are(heard(e, list(e, ro, "", "own/deep/k", 0)), false, "x");
    keys_are(heard(e, list(e, rw, "", "", 0)), false, "k");
    failed(heard(e, get(e, rw, "../x")), NOT_FOUND, "");                     /* letters like any other */
    failed(heard(e, get(e, 0, "app/x")), BAD_REQUEST, "does not say which"); /* a worker has no whole store */
    failed(heard(e, get(e, 99, "x")), BAD_HANDLE, "");
    assert_int_equal(answered(asks_granted(e, "kv=app/"), HANDLE)->handle->rights, RIGHT(READ) | RIGHT(GRANT));
    assert_string_equal(answered(asks_granted(e, "kv=app/own/"), HANDLE)->handle->name, "app/own/");
}

static void an_attenuated_prefix_is_longer(void **state)
{
    struct world *w = *state;
    struct end *host = a_host(w), *e = a_worker(w, CAPS("kv=app/:rw"));
    uint32_t all = answered(opens(e, "app/", 0), HANDLE)->handle->handle, user, ro;
    char name[STORE_KV_KEY + 1] = "";

    user = answered(lengthens(e, all, "user/", 0), HANDLE)->handle->handle;
    ro = answered(lengthens(e, user, "7", RIGHT(READ)), HANDLE)->handle->handle;
    answered(puts_it(e, user, "7/name", "eve"), DONE);
    has(host, 0, "app/user/7/name", "eve");
    has(e, ro, "/name", "eve");
    failed(puts_it(e, ro, "/name", "x"), NOT_ALLOWED, "");
    memset(name, 'n', STORE_KV_KEY - 8);
    failed(lengthens(e, user, name, 0), BAD_REQUEST, "the prefix alone would have");
    answered(asks_revoke(e, all, "", KIND(KV)), DONE);
    failed(heard(e, get(e, ro, "/name")), REVOKED, "");
    has(e, all, "user/7/name", "eve");
}

static void a_host_revokes_a_prefix(void **state)
{
    struct world *w = *state;
    struct end *host = a_host(w), *e = a_worker(w, CAPS("kv=app/:rw", "kv=log/:rw")), *late = a_worker(w, CAPS("kv=app/x/:ro"));
    uint32_t app = answered(opens(e, "app/", 0), HANDLE)->handle->handle, log = answered(opens(e, "log/", 0), HANDLE)->handle->handle;
    uint64_t n;

    n = put(e, app, "x", "1", false); /* on its way when it is revoked: the change may be made, its answer is this */
    answered(asks_revoke(host, 0, "app/", KIND(KV)), DONE);
    failed(heard(e, n), REVOKED, "the handle through which it waited");
    settle(w);
    failed(heard(e, get(e, app, "x")), REVOKED, "");
    failed(opens(e, "app/", 0), REVOKED, "key prefix app/ has been revoked");
    failed(opens(late, "app/x/", 0), REVOKED, "");
    answered(puts_it(e, log, "x", "1"), DONE);
    has(host, 0, "app/x", "1");
}

static void a_hosts_handle_is_cut_as_asked(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);
    const Pb__Handle *h = answered(opens(e, "app/", RIGHT(READ)), HANDLE)->handle;

    assert_int_equal(h->rights, RIGHT(READ));
    failed(puts_it(e, h->handle, "x", "1"), NOT_ALLOWED, "");
    failed(opens(e, "app/", RIGHT(CALL)), BAD_REQUEST, "no other right");
    h = answered(lengthens(e, 0, "app/", RIGHT(READ) | RIGHT(WRITE)), HANDLE)->handle; /* of the whole store */
    answered(puts_it(e, h->handle, "x", "1"), DONE);
    has(e, 0, "app/x", "1");
}

/* ---- those that go ---------------------------------------------------------------------------------------------------------------------------- */

static void who_goes_leaves_a_change_that_is_made(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, CAPS("kv=app/:rw")), *f = a_worker(w, CAPS("kv=app/:rw")), *host = a_host(w);
    uint32_t kv = answered(opens(e, "app/", 0), HANDLE)->handle->handle, theirs = answered(opens(f, "app/", 0), HANDLE)->handle->handle;
    uint64_t n, m;

    (void)put(e, kv, "x", "1", false);
    n = get(f, theirs, "x");
    m = get(e, kv, "x");
    leaves(e);
    settle(w);
    assert_null(heard(e, m));
    answered(heard(f, n), KV_VALUE);
    has(host, 0, "app/x", "1");
    (void)put(f, theirs, "y", "1", false);
    n = get(f, theirs, "y");
    answered(asks_cancel(f, n), DONE);
    failed(heard(f, n), INTERRUPTED, "");
    settle(w);
    has(host, 0, "app/y", "1");
}

static void a_broker_may_end_while_changes_are_on_their_way(void **state)
{
    struct world *w = *state;
    struct end *e = a_host(w);
    char why[STORE_WHY];

    for (int i = 0; i < 50; i++) {
        char key[8];

        (void)snprintf(key, sizeof(key), "%d", i);
        (void)put(e, 0, key, "x", false);
        (void)get(e, 0, key);
    }
    leaves(e);
    close_store(w); /* commits what was pushed, frees the ops */
    kv_finish(&w->bare.b);
    if (store_open(w->bare.dir, &w->bare.b.store, why) != 0)
        fail_msg("%s", why);
    has(a_host(w), 0, "49", "x");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_put_is_answered_when_it_is_on_disk),
        TEST(a_read_sees_the_changes_before_it),
        TEST(only_new_is_decided_once),
        TEST(keys_and_values_have_bounds),
        TEST(quotas_hold_for_new_keys_and_more_bytes),
        TEST(the_total_is_what_there_is),
        TEST(a_list_is_in_order_and_comes_in_pages),
        TEST(a_worker_sees_what_its_job_was_given_and_no_more),
        TEST(an_attenuated_prefix_is_longer),
        TEST(a_host_revokes_a_prefix),
        TEST(a_hosts_handle_is_cut_as_asked),
        TEST(who_goes_leaves_a_change_that_is_made),
        TEST(a_broker_may_end_while_changes_are_on_their_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
