/*
 * store_mend.c - rows that no broker has written are brought back to what one takes up, or go; see store_care.h.
 *
 * The walks of a start find them (store_sound.h), so that what they take afterwards is what is mended here. What cannot be kept is told.
 */
#include "broker/store_care.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/arrays.h"
#include "broker/store_sqlite.h"
#include "broker/tenants.h"
#include "broker/waiting.h"

enum { ROUNDS = 4, OWN_USER = 9 };

struct mending {
    sqlite3 *db;
    struct care *care;
    int err;
};

/* ---- what is done to a row --------------------------------------------------------------------------------------------------------------- */

/* What the walk has read in place of what the row says. The caller frees with sqlite3_free(). */
static char *set_job(const void *row)
{
    const struct store_job *j = row;

    return sqlite3_mprintf("UPDATE job SET state = %d, cause = %d, class = %d, prio = %u, hold = %u, attempt = %u, infra = %u, "
                           "max_attempts = %u, epoch = %lld, not_before_us = %lld, deadline_us = %lld, stdin_mode = %u, lives = %d "
                           "WHERE id = ?1",
                           (int)j->state, (int)j->cause, (int)j->class, j->prio, j->hold, j->attempt, j->infra, j->max_attempts,
                           (long long)j->epoch, (long long)j->not_before_us, (long long)j->deadline_us, j->stdin_mode, (int)j->lives);
}

static char *set_array(const void *row)
{
    const struct store_array *a = row;

    return sqlite3_mprintf("UPDATE arr SET class = %d, prio = %u, not_before_us = %lld, deadline_us = %lld WHERE id = ?1", (int)a->class,
                           a->prio, (long long)a->not_before_us, (long long)a->deadline_us);
}

static char *set_cron(const void *row)
{
    const struct store_cron *c = row;

    return sqlite3_mprintf("UPDATE cron SET next_us = %lld, last_us = %lld WHERE id = ?1", (long long)c->next_us, (long long)c->last_us);
}

static char *set_tenant(const void *row)
{
    const struct store_tenant *t = row;

    return sqlite3_mprintf("UPDATE tenant SET weight = %.17g, vtime = %.17g, used = %.17g WHERE id = ?1",
                           tenant_weight_ok(t->weight) ? t->weight : 1.0, t->vtime, t->used);
}

static char *set_dep(const void *row)
{
    const struct store_dep *d = row;

    return sqlite3_mprintf("UPDATE dep SET after = %d WHERE job = ?1 AND on_job = ?2", (int)d->after);
}

static char *set_limiter(const void *row)
{
    const struct store_limiter *l = row;

    return sqlite3_mprintf("UPDATE limiter SET max = %u WHERE tenant = ?1 AND key = ?2", l->max);
}

static char *set_queue(const void *row)
{
    const struct store_queue *q = row;

    return sqlite3_mprintf("UPDATE queue SET max_items = %u, max_bytes = %lld, unbound = %u WHERE id = ?1", q->max_items,
                           (long long)q->max_bytes, q->unbound);
}

static char *set_item(const void *row)
{
    const struct store_queue_item *i = row;

    return sqlite3_mprintf("UPDATE queue_item SET unbound = %u WHERE number = ?1", i->unbound);
}

/* ?1 to ?3: what names the row, as it is stored. What sets a row has ?9: the broker's own user. */
/* clang-format off */
static const struct mend_row {
    const char *table, *drop;
    const char *tenant;   /* its tenant is not there: it becomes the broker's own user's, and a person decides; NULL: it goes */
    const char *again;    /* what can be made again of what else is there; NULL: nothing */
    char *(*odd)(const void *row); /* NULL: it goes */
} mend_rows[] = {
    { "job",        "DELETE FROM job WHERE id = ?1",
                    "UPDATE job SET tenant = ?9, hold = hold | 1, state = CASE WHEN " WAITS_SQL " THEN 12 ELSE state END WHERE id = ?1", NULL, set_job },
    { "arr",        "DELETE FROM arr WHERE id = ?1",
                    "UPDATE arr SET tenant = ?9, hold = 1 WHERE id = ?1",
                    "UPDATE arr SET first = t.low, last = t.high, step = 1, tasks = t.n, hold = 1 FROM "
                    "(SELECT min(array_index) low, max(array_index) high, count(*) n FROM job WHERE array_id = ?1) t "
                    "WHERE id = ?1 AND t.n > 0 AND t.low >= 0 AND t.high - t.low < 1000000", set_array },
    { "cron",       "DELETE FROM cron WHERE id = ?1",
                    "UPDATE cron SET tenant = ?9, paused = 1 WHERE id = ?1", NULL, set_cron },
    { "tenant",     "DELETE FROM tenant WHERE id = ?1", NULL,
                    "UPDATE tenant SET parent = 0, suspended = 1, body = x'', name = 'repaired-' || id WHERE id = ?1 AND id > 4294967295", set_tenant },
    { "dep",        "DELETE FROM dep WHERE job IS ?1 AND on_job IS ?2", NULL, NULL, set_dep },
    { "limiter",    "DELETE FROM limiter WHERE tenant IS ?1 AND key IS ?2", NULL, NULL, set_limiter },
    { "template",   "DELETE FROM template WHERE tenant IS ?1 AND name IS ?2 AND version IS ?3", NULL, NULL, NULL },
    { "queue",      "DELETE FROM queue WHERE id IS ?1", NULL, NULL, set_queue },
    { "queue_item", "DELETE FROM queue_item WHERE number IS ?1", NULL, NULL, set_item },
};
/* clang-format on */
_Static_assert(ARRAYS_MAX == 1000000, "as said above");
_Static_assert(WAITING_HELD_USER == 1 && ARRAY_WISH_HOLD == 1 && TENANT_FIRST_NAMED == 4294967296, "the same");

static const struct mend_row *find_row(const char *table)
{
    for (size_t i = 0; i < sizeof(mend_rows) / sizeof(mend_rows[0]); i++)
        if (strcmp(mend_rows[i].table, table) == 0)
            return &mend_rows[i];
    return NULL;
}

/* How many rows it has changed; -errno. */
static int change(struct mending *m, const struct store_met *met, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int err = store_errno(m->db, sqlite3_prepare_v2(m->db, sql, -1, &stmt, NULL)), before = sqlite3_total_changes(m->db);

    for (int i = 0; i < met->keys && err == 0; i++)
        (void)sqlite3_bind_value(stmt, i + 1, sqlite3_column_value(met->stmt, i));
    if (err == 0 && sqlite3_bind_parameter_count(stmt) == OWN_USER)
        (void)sqlite3_bind_int64(stmt, OWN_USER, geteuid());
    if (err == 0)
        err = store_step(stmt);
    (void)sqlite3_finalize(stmt);
    return err != 0 ? err : sqlite3_total_changes(m->db) - before;
}

static int run(struct mending *m, char *sql)
{
    int err = sql != NULL ? store_errno(m->db, sqlite3_exec(m->db, sql, NULL, NULL, NULL)) : -ENOMEM;

    sqlite3_free(sql);
    return err;
}

static int drop_job(struct mending *m, const struct store_job *j)
{
    return run(m, sqlite3_mprintf("DELETE FROM job WHERE id = %Q", j->id));
}

static int drop_template(struct mending *m, const struct store_template *t)
{
    return run(m, sqlite3_mprintf("DELETE FROM template WHERE tenant = %lld AND name = %Q AND version = %u", (long long)t->tenant, t->name,
                                  t->version));
}

static bool is_known(const struct store_met *met)
{
    return sqlite3_column_int(met->stmt, sqlite3_column_count(met->stmt) - 1) != 0;
}

static void mend_one(void *ctx, const struct store_met *met, bool sound)
{
    struct mending *m = ctx;
    const struct mend_row *row = find_row(met->table);
    int n = 0;

    if (m->err != 0 || row == NULL)
        return;
    if (met->stmt == NULL) { /* its row is as it should be, its spec is not: it cannot run */
        m->err = strcmp(met->table, "job") == 0 ? drop_job(m, met->row) : drop_template(m, met->row);
        return;
    }
    if (sound && row->odd != NULL) {
        char *sql = row->odd(met->row);

        n = sql != NULL ? change(m, met, sql) : -ENOMEM;
        sqlite3_free(sql);
    }
    if (!sound && row->tenant != NULL && !is_known(met))
        n = change(m, met, row->tenant);
    if (!sound && n == 0 && row->again != NULL)
        n = change(m, met, row->again);
    if (n == 0)
        n = change(m, met, row->drop);
    m->err = n < 0 ? n : 0;
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------------------- */

static void tell(void *ctx, const struct store_unsound *u)
{
    struct mending *m = ctx;

    care_say(m->care, u->table, false, "%s: %s; %s", u->row, u->why, u->taken ? "set right" : "kept only as far as it makes sense");
}

/* A row of the second round was of another kind in the first: its id was, and then its tenant. One that comes again and again goes. */
int store_mend(sqlite3 *db, struct care *c)
{
    struct mending m = { .db = db, .care = c };
    struct store s = {
        .reader = db, .mend = {mend_one, &m},
             .on_unsound = { tell,    &m}
    };
    int err = store_prepare(db, store_read_sql, s.r, R_COUNT);

    for (int round = 0; err == 0 && (round == 0 || s.unsound > 0) && round < ROUNDS; round++) {
        s.unsound = 0;
        err = store_walk_start(&s);
        err = err == 0 ? m.err : err;
    }
    store_drop(s.r, R_COUNT);
    return err;
}
