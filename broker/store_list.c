/*
 * store_list.c - many jobs at once, for the main thread: listed by what they have, or walked; see store.h.
 *
 * The SQL is put together for each question, so that each is answered by the index that suits it: by an array, by a label, by the states
 * without a receipt, by a tenant, else by age. Texts go in as literals that SQLite itself has quoted (%Q).
 */
#include "store_sqlite.h"

#include <errno.h>

static const uint32_t ended_states = ((1u << (PB__STATE__STATE_DEAD + 1)) - 1) & ~((1u << PB__STATE__STATE_SUCCEEDED) - 1);

/* ---- the question ---------------------------------------------------------------------------------------------------------------------- */

static void ask_tenants(sqlite3_str *sql, const char *column, const struct store_filter *f)
{
    if (f->n_tenants == 1) /* so that an index that begins with it goes on in order of age */
        sqlite3_str_appendf(sql, " AND %s = %lld", column, (long long)f->tenants[0]);
    if (f->n_tenants <= 1)
        return;
    sqlite3_str_appendf(sql, " AND %s IN (", column);
    for (size_t i = 0; i < f->n_tenants; i++)
        sqlite3_str_appendf(sql, "%s%lld", i == 0 ? "" : ",", (long long)f->tenants[i]);
    sqlite3_str_appendall(sql, ")");
}

static void ask_label(sqlite3_str *sql, const char *table, const struct store_label *l)
{
    sqlite3_str_appendf(sql, "%s.key = %Q", table, l->key);
    if (l->value != NULL)
        sqlite3_str_appendf(sql, " AND %s.value = %Q", table, l->value);
}

/* Where the rows come from: each index gives them in order of age, or few of them. */
static void ask_from(sqlite3_str *sql, const struct store_filter *f, bool arrays)
{
    bool unfinished = !arrays && f->states != 0 && (f->states & ended_states) == 0;

    if (f->array_id == NULL && f->n_labels > 0) {
        sqlite3_str_appendf(sql, " FROM label l CROSS JOIN %s t ON t.id = l.job WHERE ", arrays ? "arr" : "job");
        ask_label(sql, "l", &f->labels[0]);
        ask_tenants(sql, "l.owner", f);
    } else {
        sqlite3_str_appendf(sql, " FROM %s t%s WHERE 1", arrays ? "arr" : "job",
                            unfinished && f->array_id == NULL ? " INDEXED BY job_unfinished" : "");
    }
    if (unfinished)
        sqlite3_str_appendall(sql, " AND " UNFINISHED_SQL);
    if (f->array_id != NULL)
        sqlite3_str_appendf(sql, " AND t.array_id = %Q AND t.array_id <> ''", f->array_id);
}

static char *ask(const char *columns, const struct store_filter *f, bool arrays, int max)
{
    const char *id = f->array_id == NULL && f->n_labels > 0 ? "l.job" : "t.id";
    sqlite3_str *sql = sqlite3_str_new(NULL);

    sqlite3_str_appendf(sql, "SELECT %s", columns);
    ask_from(sql, f, arrays);
    for (size_t i = f->array_id == NULL ? 1 : 0; i < f->n_labels; i++) {
        sqlite3_str_appendall(sql, " AND EXISTS(SELECT 1 FROM label x WHERE x.job = t.id AND ");
        ask_label(sql, "x", &f->labels[i]);
        sqlite3_str_appendall(sql, ")");
    }
    ask_tenants(sql, "t.tenant", f);
    if (f->states != 0 && !arrays)
        sqlite3_str_appendf(sql, " AND (%u >> t.state) & 1", f->states);
    if (f->before != NULL)
        sqlite3_str_appendf(sql, " AND %s < %Q", id, f->before);
    if (f->name != NULL)
        sqlite3_str_appendf(sql, " AND t.name = %Q", f->name);
    if (f->since_us != 0)
        sqlite3_str_appendf(sql, " AND t.submitted_us >= %lld", (long long)(f->since_us & INT64_MAX));
    if (f->no_tasks && !arrays)
        sqlite3_str_appendall(sql, " AND t.array_id = ''");
    sqlite3_str_appendf(sql, " ORDER BY %s DESC LIMIT %d", id, max < 0 ? 0 : max);
    return sqlite3_str_finish(sql);
}

struct listing {
    struct store_job *jobs;
    struct store_array *arrays;
    int n;
};

static int list_one(void *ctx, sqlite3_stmt *stmt)
{
    struct listing *l = ctx;

    if (l->jobs != NULL)
        (void)store_take_job(stmt, &l->jobs[l->n++]);
    else
        (void)store_take_array(stmt, &l->arrays[l->n++]);
    return 0;
}

static int list(struct store *s, const char *columns, const struct store_filter *f, int max, struct listing *l)
{
    char *sql = ask(columns, f, l->arrays != NULL, max);
    int err = sql != NULL ? store_query(s, sql, NULL, list_one, l) : -ENOMEM;

    sqlite3_free(sql);
    return err == 0 ? l->n : err;
}

int store_list(struct store *s, const struct store_filter *f, struct store_job *ret_jobs, int max)
{
    return list(s, JOB_COLUMNS, f, max, &(struct listing){ .jobs = ret_jobs });
}

int store_list_arrays(struct store *s, const struct store_filter *f, struct store_array *ret, int max)
{
    return list(s, ARRAY_COLUMNS, f, max, &(struct listing){ .arrays = ret });
}

/* ---- walks ----------------------------------------------------------------------------------------------------------------------------- */

struct call {
    int (*fn)(void *ctx, const struct store_job *job);
    void *ctx;
    struct store *store; /* of a start's walk */
};

static int one_job(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct store_job job;

    (void)store_take_job(stmt, &job);
    return call->fn(call->ctx, &job);
}

/* Behind its columns: whether its tenant is there. */
static int one_to_take_up(void *ctx, sqlite3_stmt *stmt)
{
    struct call *call = ctx;
    struct store_job job;
    struct store_met met = { stmt, "job", 1, &job, store_take_job(stmt, &job) };
    char why[SOUND_WHY] = "";
    bool sound = store_job_sound(&job, sqlite3_column_int(stmt, sqlite3_column_count(stmt) - 1) != 0, why);

    return store_take_row(call->store, &met, sound, why) ? call->fn(call->ctx, &job) : 0;
}

int store_each_unfinished(struct store *s, int (*fn)(void *ctx, const struct store_job *job), void *ctx)
{
    struct call call = { fn, ctx, s };

    return store_query(
        s, "SELECT " JOB_COLUMNS ", " TENANT_KNOWN_SQL("job") " FROM job INDEXED BY job_unfinished WHERE " UNFINISHED_SQL " ORDER BY id",
        NULL, one_to_take_up, &call);
}

int store_each_task(struct store *s, const char *array, bool unfinished, int (*fn)(void *ctx, const struct store_job *job), void *ctx)
{
    struct call call = { fn, ctx, NULL };

    return store_query(s,
                       unfinished ? "SELECT " JOB_COLUMNS " FROM job WHERE array_id = ?1 AND array_id <> '' AND " UNFINISHED_SQL
                                    " ORDER BY array_index"
                                  : "SELECT " JOB_COLUMNS " FROM job WHERE array_id = ?1 AND array_id <> '' ORDER BY array_index",
                       array, one_job, &call);
}

int store_each_due(struct store *s, bool logs, uint64_t now_us, int max, int (*fn)(void *ctx, const struct store_job *job), void *ctx)
{
    static const char *const columns[] = { "keep_until_us", "log_until_us" };
    struct call call = { fn, ctx, NULL };
    char *sql = sqlite3_mprintf("SELECT " JOB_COLUMNS " FROM job WHERE %s <> 0 AND %s <= %lld AND NOT (" UNFINISHED_SQL ") "
                                "AND (array_id = '' OR EXISTS(SELECT 1 FROM arr WHERE id = job.array_id AND ended_us <> 0)) "
                                "ORDER BY %s LIMIT %d",
                                columns[logs], columns[logs], (long long)(now_us & INT64_MAX), columns[logs], max);
    int err = sql != NULL ? store_query(s, sql, NULL, one_job, &call) : -ENOMEM;

    sqlite3_free(sql);
    return err;
}
