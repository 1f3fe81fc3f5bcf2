/*
 * test_store_sound.c - a store in which somebody has written: whatever is in it, a broker starts, or refuses it with a sentence; then the
 * check finds what is wrong, and after a repair it starts. It never crashes.
 *
 * Each start is a process of its own, which takes up what there is by the broker's own hand, and has no worker to give it to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "broker/recovery.h"
#include "broker/store_care.h"
#include "calls.pb-c.h"
#include "log.h"
#include "store_fixture.h"

enum {
    CASES = 200,  /* of each run; COOP_SOUND_CASES: so many, from COOP_SOUND_SEED on */
    PLACES = 64,  /* of the broker that starts: every job is claimed */
    STARTED = 0,  /* what a start says */
    REFUSED = 3,  /* with a sentence */
    WORDLESS = 4, /* without one */
};

/* Of main.c, which is in no archive. */
void broker_check_rest(struct broker *b);
void broker_check_rest(struct broker *b)
{
    (void)b;
}

/* ---- what is in it ----------------------------------------------------------------------------------------------------------------------- */

static struct store_blob pack(const ProtobufCMessage *m)
{
    struct store_blob b;

    assert_int_equal(frame_pack(m, &b.bytes, &b.len), 0);
    return b;
}

static struct store_blob spec_of(const char *name)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;
    Pb__Retry retry = PB__RETRY__INIT;
    Pb__Schedule schedule = PB__SCHEDULE__INIT;
    Pb__Webhook hook = PB__WEBHOOK__INIT, *hooks[] = { &hook };

    limits.memory_bytes = 64 << 20;
    limits.wall_us = 1000000;
    limits.stdout_bytes = limits.stderr_bytes = 1000;
    retry.max_attempts = 3;
    retry.infra_attempts = 3;
    hook.url = (char *)"http://127.0.0.1:9/";
    spec.name = (char *)name;
    spec.engine = (char *)"lua";
    spec.source = (ProtobufCBinaryData){ 8, (uint8_t *)"return 1" };
    spec.limits = &limits;
    spec.retry = &retry;
    spec.schedule = &schedule;
    spec.webhooks = hooks;
    spec.n_webhooks = 1;
    return pack(&spec.base);
}

static struct store_op *real_submit(const char *id, uint64_t tenant)
{
    struct store_op *op = submit_of(id);

    free(op->submit.spec.bytes);
    op->submit.spec = spec_of(id);
    op->submit.row.tenant = tenant;
    op->submit.row.prio = 3;
    op->submit.row.class = PB__JOB_CLASS__JOB_CLASS_NORMAL;
    op->submit.hooks = true;
    return op;
}

static void put_job(struct store *s, const char *id, uint64_t tenant, Pb__State state)
{
    struct store_op *op = real_submit(id, tenant);

    if (tenant >= TENANT_FIRST_NAMED)
        (void)snprintf(op->submit.row.limiters, sizeof(op->submit.row.limiters), "db=1");
    assert_int_equal(do_op(s, op), 0);
    if (state == PB__STATE__STATE_READY)
        return;
    op = move_of(state, id, 1, 5);
    op->move.hold = state == PB__STATE__STATE_HELD;
    op->move.not_before_us = state == PB__STATE__STATE_SCHEDULED || state == PB__STATE__STATE_RETRY_WAIT ? UINT64_C(4102444800000000) : 0;
    op->move.ended = calloc(1, sizeof(*op->move.ended));
    *op->move.ended = (struct store_attempt){ .n = 1, .epoch = 4, .cause = PB__CAUSE__CAUSE_EXIT };
    assert_int_equal(do_op(s, op), 0);
}

static void put_tenant(struct store *s, uint64_t id, const char *name, uint64_t parent)
{
    struct store_op *op = store_op_new(STORE_TENANT_PUT, "");
    Pb__Tenant m = PB__TENANT__INIT;
    Pb__Quota quota = PB__QUOTA__INIT;

    quota.max_running = 5;
    m.quota = &quota;
    op->tenant = (struct store_tenant){ .id = id, .parent = parent, .weight = 2, .created_us = 1 };
    (void)snprintf(op->tenant.name, sizeof(op->tenant.name), "%s", name);
    op->tenant.body = pack(&m.base);
    assert_int_equal(do_op(s, op), 0);
}

static void put_array(struct store *s, const char *id, uint64_t tenant, unsigned first_task)
{
    struct store_op *op = real_submit(id, tenant);
    struct store_array *a = calloc(1, sizeof(*a));

    a->from = 1;
    a->to = a->tasks = 4;
    a->step = 1;
    a->prio = 3;
    a->tenant = tenant;
    a->submitted_us = 1700000000000000u;
    (void)snprintf(a->id, sizeof(a->id), "%s", id);
    (void)snprintf(a->engine, sizeof(a->engine), "lua");
    op->submit.array = a;
    op->submit.tasks = calloc(4, sizeof(*op->submit.tasks));
    for (unsigned i = 0; i < 4; i++) {
        (void)snprintf(op->submit.tasks[i].id, sizeof(op->submit.tasks[i].id), "%s", id_of(first_task + i));
        op->submit.tasks[i].index = i + 1;
    }
    assert_int_equal(do_op(s, op), 0);
}

static void put_dep(struct store *s, const char *job, const char *on)
{
    struct store_op *op = store_op_new(STORE_DEP_ADD, job);

    (void)snprintf(op->dep.on, sizeof(op->dep.on), "%s", on);
    op->dep.after = PB__AFTER__AFTER_ANY;
    assert_int_equal(do_op(s, op), 0);
}

static void put_interp(struct store *s, const char *id)
{
    struct store_op *op = real_submit(id, geteuid());
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;

    op->submit.row.lives = STORE_LIVES_NAMED;
    op->submit.definition = pack(&m.base);
    assert_int_equal(do_op(s, op), 0);
    op = real_submit(id_of(61), geteuid());
    op->submit.row.builds = true;
    assert_int_equal(do_op(s, op), 0);
}

static void put_others(struct store *s)
{
    struct store_op *op = store_op_new(STORE_CRON_PUT, "");
    static const uint8_t value[] = { 0x63, 'a', 'b', 'c' };

    (void)snprintf(op->cron.row.id, sizeof(op->cron.row.id), "%s", id_of(70));
    (void)snprintf(op->cron.row.expr, sizeof(op->cron.row.expr), "0 3 * * *");
    op->cron.row.tenant = TENANT_FIRST_NAMED;
    op->cron.row.next_us = UINT64_C(4102444800000000);
    op->cron.row.spec = spec_of("cron");
    assert_int_equal(do_op(s, op), 0);
    op = store_op_new(STORE_LIMITER_PUT, "");
    op->limiter = (struct store_limiter){ .tenant = TENANT_FIRST_NAMED, .key = "db", .max = 1 };
    assert_int_equal(do_op(s, op), 0);
    op = store_op_new(STORE_TOKEN_PUT, "");
    op->token = (struct store_token){ .id = "abcdefghijkl", .tenant = TENANT_FIRST_NAMED, .scopes = 3, .created_us = 1 };
    assert_int_equal(do_op(s, op), 0);
    op = store_op_new(STORE_TEMPLATE, "");
    op->template = (struct store_template){ .tenant = geteuid(), .name = "t", .version = 1, .created_us = 1, .spec = spec_of("t") };
    assert_int_equal(do_op(s, op), 0);
    op = store_op_new(STORE_QUEUE_ADD, id_of(80));
    op->queue = (struct store_queue){ .name = "q", .tenant = geteuid(), .max_items = 10, .max_bytes = 1000 };
    (void)snprintf(op->queue.id, sizeof(op->queue.id), "%s", id_of(80));
    assert_int_equal(do_op(s, op), 0);
    for (uint64_t row = 1; row <= 3; row++) {
        op = store_op_new(STORE_QUEUE_PUT, id_of(80));
        op->item = (struct store_item){ .row = row, .unbound = PB__UNBOUND__UNBOUND_PERSIST, .value = blob_of(value, sizeof(value)) };
        assert_int_equal(do_op(s, op), 0);
    }
}

static void fill(struct store *s)
{
    static const Pb__State states[] = { PB__STATE__STATE_READY,     PB__STATE__STATE_HELD,    PB__STATE__STATE_SCHEDULED,
                                        PB__STATE__STATE_BLOCKED,   PB__STATE__STATE_CLAIMED, PB__STATE__STATE_RUNNING,
                                        PB__STATE__STATE_STARTING,  PB__STATE__STATE_PAUSED,  PB__STATE__STATE_FINISHING,
                                        PB__STATE__STATE_RETRY_WAIT };
    const size_t n = sizeof(states) / sizeof(states[0]);
    Pb__Receipt receipt = PB__RECEIPT__INIT;

    put_tenant(s, TENANT_FIRST_NAMED, "acme", 0);
    put_tenant(s, TENANT_FIRST_NAMED + 1, "below", TENANT_FIRST_NAMED);
    for (unsigned i = 0; i < 2 * n; i++)
        put_job(s, id_of(1 + i), i % 3 == 0 ? geteuid() : TENANT_FIRST_NAMED + i % 3 - 1, states[i % n]);
    for (unsigned i = 40; i < 44; i++) { /* ended */
        struct store_op *op;

        put_job(s, id_of(i), TENANT_FIRST_NAMED, PB__STATE__STATE_READY);
        op = finish_of(id_of(i), 9, "r");
        free(op->finish.receipt.bytes);
        op->finish.receipt = pack(&receipt.base);
        assert_int_equal(do_op(s, op), 0);
    }
    put_array(s, id_of(50), TENANT_FIRST_NAMED + 1, 51);
    put_interp(s, id_of(60));
    put_others(s);
    put_dep(s, id_of(4), id_of(1));
    put_dep(s, id_of(14), id_of(50));
    put_dep(s, id_of(50), id_of(2));
}

/* ---- a start ------------------------------------------------------------------------------------------------------------------------------ */

static void drop_ops(struct broker *b)
{
    while (store_pending(b->store) > 0) {
        struct store_op *op = wait_for_ops(b->store), *next;

        for (; op != NULL; op = next) {
            next = op->next;
            if (op->done != NULL)
                op->done(op);
            templates_stored(b, op);
            jobs_on_op(&b->jobs, op);
            store_op_free(op);
        }
    }
}

static void unused(void *ctx)
{
    (void)ctx;
}

static int take_up(struct broker *b, const char *dir, char why[STORE_WHY])
{
    int rc = store_open(dir, &b->store, why);

    if (rc != 0)
        return rc;
    b->config.workers = PLACES;
    b->config.max_queued = b->config.interpreters = 1000;
    if (loop_init(&b->loop) != 0)
        return -ENOMEM;
    b->output_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tenants_init(&b->tenants, b);
    tokens_init(&b->tokens, b);
    logins_init(&b->logins, b);
    events_init(&b->events, b);
    plans_init(b);
    webhooks_init(&b->webhooks, b);
    pool_init(&b->pool, b);
    for (int i = 0; i < ENGINE_COUNT; i++)
        b->crews[i].own_zygote.restart.fn = unused; /* none is started, however much it is wanted */
    jobs_init(&b->jobs, b);
    rc = recovery_tenants(b, why);
    if (rc == 0)
        rc = recovery_rest(b, why);
    if (rc == 0)
        drop_ops(b);
    return rc;
}

/* The sentence of a refusal comes through a pipe. */
static int start(struct fixture *f)
{
    int status, said[2];
    ssize_t n;
    pid_t pid;

    assert_int_equal(pipe2(said, O_CLOEXEC), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        static struct broker b;
        char why[STORE_WHY] = "";
        int rc = take_up(&b, f->dir, why);

        if (rc != 0 && write(said[1], why, strlen(why)) < 0)
            _exit(WORDLESS);
        _exit(rc == 0 ? STARTED : rc == -EUCLEAN && why[0] != '\0' ? REFUSED : WORDLESS);
    }
    (void)close(said[1]);
    n = read(said[0], f->why, sizeof(f->why) - 1);
    f->why[n > 0 ? n : 0] = '\0';
    (void)close(said[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- check and repair, as coop store ------------------------------------------------------------------------------------------------------ */

static unsigned check(struct fixture *f)
{
    struct care c = { .out = fopen("/dev/null", "we") };
    char path[256], why[STORE_WHY];
    sqlite3 *db = NULL;

    path_of(f, "coop.db", path);
    if (store_connect_to_look(path, 1000, &db, why) != 0 || store_check_db(db, -1, &c) != 0)
        c.faults++;
    (void)sqlite3_close(db);
    (void)fclose(c.out);
    return c.faults;
}

static int repair(struct fixture *f)
{
    static const char *const left[] = { "coop.db-wal", "coop.db-shm", "new.db-wal", "new.db-shm" };
    struct care c = { .out = fopen("/dev/null", "we") };
    char from[256], to[256];
    int dir = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = store_salvage(dir, "new.db", &c);

    path_of(f, "new.db", from);
    path_of(f, "coop.db", to);
    if (err == 0)
        assert_int_equal(rename(from, to), 0);
    else
        (void)unlink(from);
    for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
        path_of(f, left[i], from);
        (void)unlink(from);
    }
    (void)close(dir);
    (void)fclose(c.out);
    return err;
}

/* ---- damage ------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint64_t dice(uint64_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed % n;
}

struct damaged {
    sqlite3 *db;
    char text[512]; /* what was done, for whoever has to look into it */
};

/* The only text of a row that is chosen by chance. */
static char *pick(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    char *text = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    if (sqlite3_step(stmt) == SQLITE_ROW)
        text = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
    return text;
}

static char *pick_nth(sqlite3 *db, const char *from)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM (%s)", from), *n = pick(db, sql), *text;

    sqlite3_free(sql);
    sql = sqlite3_mprintf("%s LIMIT 1 OFFSET %lld", from, atoll(n) > 0 ? (long long)dice((uint64_t)atoll(n)) : 0LL);
    text = pick(db, sql);
    sqlite3_free(n);
    sqlite3_free(sql);
    return text;
}

static void run(struct damaged *d, char *sql)
{
    (void)snprintf(d->text + strlen(d->text), sizeof(d->text) - strlen(d->text), "%s; ", sql);
    (void)sqlite3_exec(d->db, sql, NULL, NULL, NULL); /* a constraint of the table may refuse it: then nothing is damaged */
    sqlite3_free(sql);
}

static char *row_of(sqlite3 *db, const char *table)
{
    char *key = sqlite3_mprintf("SELECT group_concat(quote(name) || ' ', '') FROM pragma_table_info(%Q) WHERE pk = 1", table);
    char *name = pick(db, key), *from, *value, *where;

    sqlite3_free(key);
    from = sqlite3_mprintf("SELECT quote(\"%.*w\") FROM \"%w\" ORDER BY 1", (int)strcspn(name + 1, "'"), name + 1, table);
    value = pick_nth(db, from);
    where = sqlite3_mprintf("\"%.*w\" = %s", (int)strcspn(name + 1, "'"), name + 1, value != NULL ? value : "NULL");
    sqlite3_free(name);
    sqlite3_free(from);
    sqlite3_free(value);
    return where;
}

static void write_odd(struct damaged *d, const char *table)
{
    static const char *const odd[] = { "0",
                                       "1",
                                       "-1",
                                       "2",
                                       "7",
                                       "99",
                                       "255",
                                       "256",
                                       "65536",
                                       "2147483648",
                                       "4294967295",
                                       "4294967296",
                                       "4294967297",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "1e300",
                                       "'x'",
                                       "''",
                                       "x''",
                                       "x'00'",
                                       "x'ffffffff'",
                                       "'01HZZZZZZZ0000000000000001'",
                                       "'01hzzzzzzz000000000000000z'",
                                       "NULL",
                                       "zeroblob(70000)" };
    char *sql = sqlite3_mprintf("SELECT name FROM pragma_table_info(%Q) ORDER BY cid", table), *column = pick_nth(d->db, sql),
         *where = row_of(d->db, table);

    run(d, sqlite3_mprintf("UPDATE \"%w\" SET \"%w\" = %s WHERE %s", table, column, odd[dice(sizeof(odd) / sizeof(odd[0]))], where));
    sqlite3_free(sql);
    sqlite3_free(column);
    sqlite3_free(where);
}

static void flip_in_blob(struct damaged *d, const char *table)
{
    char *sql = sqlite3_mprintf("SELECT name FROM pragma_table_info(%Q) WHERE type = 'BLOB'", table), *column = pick_nth(d->db, sql),
         *where = column != NULL ? row_of(d->db, table) : NULL;

    if (column != NULL)
        run(d, sqlite3_mprintf("UPDATE \"%w\" SET \"%w\" = CAST(substr(\"%w\", 1, %d) || x'%02x' || substr(\"%w\", %d) AS BLOB) WHERE %s",
                               table, column, column, (int)dice(30), (unsigned)dice(256), column, (int)dice(40), where));
    sqlite3_free(sql);
    sqlite3_free(column);
    sqlite3_free(where);
}

static void drop_row(struct damaged *d, const char *table)
{
    char *where = row_of(d->db, table);

    run(d, sqlite3_mprintf("DELETE FROM \"%w\" WHERE %s", table, where));
    sqlite3_free(where);
}

static void change_schema(struct damaged *d, const char *table)
{
    switch (dice(4)) {
    case 0: run(d, sqlite3_mprintf("CREATE TRIGGER stray AFTER INSERT ON \"%w\" BEGIN SELECT load_extension('x'); END", table)); break;
    case 1: run(d, sqlite3_mprintf("ALTER TABLE \"%w\" RENAME TO old; CREATE VIEW \"%w\" AS SELECT * FROM old", table, table)); break;
    case 2: run(d, sqlite3_mprintf("DROP TABLE \"%w\"", table)); break;
    default: run(d, sqlite3_mprintf("ALTER TABLE \"%w\" ADD COLUMN stray", table)); break;
    }
}

/* One that has rows. */
static char *pick_table(sqlite3 *db)
{
    for (;;) {
        char *table = pick_nth(db, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"),
             *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", table), *there = table != NULL ? pick(db, sql) : NULL;
        bool full = there != NULL;

        sqlite3_free(sql);
        sqlite3_free(there);
        if (full)
            return table;
        sqlite3_free(table);
    }
}

static void damage_rows(struct fixture *f, struct damaged *d)
{
    static void (*const ways[])(struct damaged * d, const char *table) = { write_odd,    write_odd,    write_odd,
                                                                           flip_in_blob, flip_in_blob, drop_row };
    unsigned times = 1 + (unsigned)dice(3);
    char path[256];

    path_of(f, "coop.db", path);
    assert_int_equal(sqlite3_open(path, &d->db), SQLITE_OK);
    (void)sqlite3_exec(d->db, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF", NULL, NULL, NULL);
    for (unsigned i = 0; i < times; i++) {
        char *table = pick_table(d->db);

        if (dice(40) == 0)
            change_schema(d, table);
        else
            ways[dice(sizeof(ways) / sizeof(ways[0]))](d, table);
        sqlite3_free(table);
    }
    (void)sqlite3_close(d->db);
}

static void damage_file(struct fixture *f, struct damaged *d)
{
    char path[256];
    struct stat st;
    int fd;

    path_of(f, "coop.db", path);
    fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    for (unsigned times = 1 + (unsigned)dice(6); times > 0; times--) {
        off_t at = (off_t)dice((uint64_t)st.st_size);
        uint8_t byte = (uint8_t)dice(256);

        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        (void)snprintf(d->text + strlen(d->text), sizeof(d->text) - strlen(d->text), "byte %lld = %u; ", (long long)at, byte);
    }
    (void)close(fd);
}

static void copy_db(struct fixture *f, const char *from, const char *to)
{
    static char buf[1 << 20];
    char path[256];
    FILE *file;
    size_t n;

    path_of(f, from, path);
    file = fopen(path, "re");
    assert_non_null(file);
    n = fread(buf, 1, sizeof(buf), file);
    assert_true(n < sizeof(buf));
    (void)fclose(file);
    path_of(f, to, path);
    file = fopen(path, "we");
    assert_int_equal(fwrite(buf, 1, n, file), n);
    (void)fclose(file);
}

/* ---- tests -------------------------------------------------------------------------------------------------------------------------------- */

static int sound_setup(void **state)
{
    struct fixture *f;

    log_init("test", LOG_LEVEL_ERROR);
    if (getenv("COOP_SOUND_LOUD") == NULL)
        (void)!freopen("/dev/null", "w", stderr);
    if (setup(state) != 0)
        return 1;
    f = *state;
    fill(f->store);
    store_close(f->store);
    f->store = NULL;
    copy_db(f, "coop.db", "whole.db");
    return 0;
}

static void forget_log(struct fixture *f)
{
    char path[256];

    path_of(f, "coop.db-wal", path);
    (void)unlink(path);
    path_of(f, "coop.db-shm", path);
    (void)unlink(path);
}

static void expect_way_out(struct fixture *f, const char *what, int *ret_unsaved)
{
    int rc = start(f);

    if (rc < 0)
        fail_msg("killed by signal %d after: %s", -rc, what);
    if (rc == WORDLESS)
        fail_msg("refused without a way out (%s) after: %s", f->why, what);
    if (rc == REFUSED && check(f) == 0)
        fail_msg("refused (%s), and the check finds nothing after: %s", f->why, what);
    if (rc == STARTED && check(f) == 0)
        return;
    rc = repair(f);
    *ret_unsaved += rc != 0;
    if (rc == 0 && (rc = start(f)) != STARTED)
        fail_msg("not started (%d, %s) on what was repaired after: %s", rc, f->why, what);
}

static void whatever_is_written_into_it_a_broker_starts_or_says_the_way_out(void **state)
{
    const char *asked = getenv("COOP_SOUND_CASES"), *from = getenv("COOP_SOUND_SEED");
    unsigned cases = asked != NULL ? (unsigned)strtoul(asked, NULL, 10) : CASES;
    uint64_t first = from != NULL ? strtoull(from, NULL, 10) : 1;
    struct fixture *f = *state;
    int unsaved = 0;

    assert_int_equal(start(f), STARTED);
    for (unsigned i = 0; i < cases; i++) {
        struct damaged d = { .db = NULL };

        seed = (first + i) * UINT64_C(0x9e3779b97f4a7c15);
        forget_log(f);
        copy_db(f, "whole.db", "coop.db");
        (void)snprintf(d.text, sizeof(d.text), "seed %llu: ", (unsigned long long)(first + i));
        if (dice(5) == 0)
            damage_file(f, &d);
        else
            damage_rows(f, &d);
        if (getenv("COOP_SOUND_LOUD") != NULL)
            print_message("%s\n", d.text);
        expect_way_out(f, d.text, &unsaved);
    }
    print_message("%u cases, %d of them past saving\n", cases, unsaved);
    assert_true(unsaved <= 2 + (int)(cases / 10)); /* where the tables lie is damaged */
}

static void what_a_broker_starts_on_is_clean_and_stays_so(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(check(f), 0);
    assert_int_equal(start(f), STARTED);
    assert_int_equal(check(f), 0);
}

/* One row each: what it says, what the start does. */
static void rows_that_no_broker_wrote_are_told_with_the_way_out(void **state)
{
    static const struct {
        const char *sql;
        int start;
    } rows[] = {
        {"UPDATE job SET class = 7 WHERE id = '01HZZZZZZZ0000000000000001'",                STARTED},
        { "UPDATE job SET prio = 99, state = 77 WHERE id = '01HZZZZZZZ0000000000000001'",   STARTED},
        { "UPDATE job SET tenant = -5 WHERE id = '01HZZZZZZZ0000000000000001'",             STARTED},
        { "UPDATE job SET tenant = 99999999999 WHERE id = '01HZZZZZZZ0000000000000001'",    STARTED},
        { "UPDATE job SET id = 'x' WHERE id = '01HZZZZZZZ0000000000000001'",                STARTED},
        { "UPDATE spec SET body = x'3a00' WHERE job = '01HZZZZZZZ0000000000000006'",        STARTED},
        { "UPDATE arr SET last = 9223372036854775807",                                      STARTED},
        { "UPDATE arr SET step = 0, hold = 77",                                             STARTED},
        { "UPDATE cron SET expr = '61 * * * *'",                                            STARTED},
        { "UPDATE template SET body = x'ff'",                                               STARTED},
        { "UPDATE queue SET name = ''",                                                     STARTED},
        { "UPDATE queue_item SET sender = 'x'",                                             STARTED},
        { "UPDATE limiter SET key = ' '",                                                   STARTED},
        { "UPDATE dep SET after = 9",                                                       STARTED},
        { "UPDATE tenant SET body = x'ff' WHERE name = 'acme'",                             REFUSED},
        { "UPDATE tenant SET parent = id WHERE name = 'acme'",                              REFUSED},
        { "UPDATE tenant SET parent = 77 WHERE name = 'below'",                             REFUSED},
        { "UPDATE tenant SET name = 'uid-0' WHERE name = 'below'",                          REFUSED},
        { "CREATE TRIGGER stray AFTER INSERT ON job BEGIN SELECT load_extension('x'); END", REFUSED},
        { "ALTER TABLE dep RENAME TO d; CREATE VIEW dep AS SELECT * FROM d",                REFUSED},
        { "DROP TABLE usage_day",                                                           REFUSED},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        forget_log(f);
        copy_db(f, "whole.db", "coop.db");
        run_sql(f, "PRAGMA foreign_keys = OFF; ");
        run_sql(f, rows[i].sql);
        if (start(f) != rows[i].start)
            fail_msg("%s: %s", rows[i].sql, f->why);
        if (rows[i].start == REFUSED && strstr(f->why, "coop store repair") == NULL)
            fail_msg("%s: no way out in: %s", rows[i].sql, f->why);
        if (check(f) == 0)
            fail_msg("nothing was told of: %s", rows[i].sql);
        assert_int_equal(repair(f), 0);
        if (start(f) != STARTED)
            fail_msg("after the repair of %s: %s", rows[i].sql, f->why);
        if (check(f) != 0)
            fail_msg("something was left of: %s", rows[i].sql);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sound_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_a_broker_starts_on_is_clean_and_stays_so),
        TEST(rows_that_no_broker_wrote_are_told_with_the_way_out),
        TEST(whatever_is_written_into_it_a_broker_starts_or_says_the_way_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
