/* store_bind.c - parameters and columns of statements, one after the other; see store_sqlite.h. */
#include "store_sqlite.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "when.h"

/* ---- parameters ---------------------------------------------------------------------------------------------------------------------- */

struct binder store_binder(sqlite3_stmt *stmt)
{
    return (struct binder){ .stmt = stmt };
}

/* Binding a number or a short text to a parameter that exists cannot fail; blobs are checked. */
void store_put_text(struct binder *b, const char *text)
{
    (void)sqlite3_bind_text(b->stmt, ++b->at, text, -1, SQLITE_STATIC);
}

void store_put_num(struct binder *b, uint64_t n)
{
    (void)sqlite3_bind_int64(b->stmt, ++b->at, n <= INT64_MAX ? (sqlite3_int64)n : INT64_MAX); /* UINT64_MAX stands for no bound */
}

void store_put_real(struct binder *b, double x)
{
    (void)sqlite3_bind_double(b->stmt, ++b->at, x);
}

void store_put_null(struct binder *b)
{
    (void)sqlite3_bind_null(b->stmt, ++b->at);
}

int store_bind_blob(sqlite3_stmt *stmt, int at, const struct store_blob *b)
{
    int rc;

    if (b->len == 0)
        rc = sqlite3_bind_zeroblob(stmt, at, 0); /* NULL would be something else */
    else
        rc = sqlite3_bind_blob64(stmt, at, b->bytes, b->len, SQLITE_STATIC);
    return store_errno(sqlite3_db_handle(stmt), rc);
}

void store_put_blob(struct binder *b, const struct store_blob *blob)
{
    int err = store_bind_blob(b->stmt, ++b->at, blob);

    if (b->err == 0)
        b->err = err;
}

void store_put_bytes(struct binder *b, const void *bytes, size_t len)
{
    store_put_blob(b, &(struct store_blob){ (uint8_t *)bytes, len });
}

/* ---- columns ------------------------------------------------------------------------------------------------------------------------- */

struct columns store_columns(sqlite3_stmt *stmt)
{
    return (struct columns){ stmt, 0, NULL };
}

void store_take_text(struct columns *c, char *ret, size_t size)
{
    const unsigned char *text = sqlite3_column_text(c->stmt, c->at++);

    (void)snprintf(ret, size, "%s", text == NULL ? "" : (const char *)text);
}

uint64_t store_take_num(struct columns *c)
{
    return (uint64_t)sqlite3_column_int64(c->stmt, c->at++);
}

double store_take_real(struct columns *c)
{
    return sqlite3_column_double(c->stmt, c->at++);
}

struct store_blob store_take_blob(struct columns *c)
{
    struct store_blob b = { (uint8_t *)sqlite3_column_blob(c->stmt, c->at), (size_t)sqlite3_column_bytes(c->stmt, c->at) };

    c->at++;
    return b;
}

void store_take_hash(struct columns *c, uint8_t ret[STORE_HASH])
{
    struct store_blob b = store_take_blob(c);

    memset(ret, 0, STORE_HASH);
    if (b.len == STORE_HASH && b.bytes != NULL)
        memcpy(ret, b.bytes, STORE_HASH);
}

#define TAKE_TEXT(c, array) store_take_text(c, array, sizeof(array))

/* In order of JOB_COLUMNS, as store_put_job() of store_jobs.c. */
/*
 * What the file says is no more than that: a value that no job may have becomes one that it may, so that whoever goes by it (tables by state
 * and class, bands by priority) needs no look of its own, and one bad row does not keep the broker from starting.
 */
static uint64_t instead_of(struct columns *c, const char *column, uint64_t instead)
{
    if (c->odd == NULL)
        c->odd = column;
    return instead;
}

uint64_t store_take_enum(struct columns *c, const char *column, const ProtobufCEnumDescriptor *d, uint64_t instead)
{
    uint64_t value = store_take_num(c);
    bool known = value <= INT_MAX && protobuf_c_enum_descriptor_get_value(d, (int)value) != NULL;

    return known ? value : instead_of(c, column, instead);
}

uint64_t store_take_most(struct columns *c, const char *column, uint64_t most)
{
    uint64_t value = store_take_num(c);

    return value <= most ? value : instead_of(c, column, (int64_t)value < 0 ? 0 : most);
}

double store_take_use(struct columns *c, const char *column)
{
    double value = store_take_real(c);

    return value >= 0 && isfinite(value) ? value : (double)instead_of(c, column, 0);
}

static Pb__State take_state(struct columns *c)
{
    uint64_t state = store_take_enum(c, "state", &pb__state__descriptor, PB__STATE__STATE_READY);

    return (Pb__State)(state != PB__STATE__STATE_NONE ? state : instead_of(c, "state", PB__STATE__STATE_READY));
}

static uint32_t take_prio(struct columns *c)
{
    enum { LOWEST = 1, DEFAULT = 3, HIGHEST = 5 };
    uint64_t prio = store_take_num(c);

    return (uint32_t)(prio >= LOWEST && prio <= HIGHEST ? prio : instead_of(c, "prio", DEFAULT));
}

static uint64_t take_time(struct columns *c, const char *column)
{
    uint64_t at = store_take_num(c);

    return at <= WHEN_LAST_US ? at : instead_of(c, column, WHEN_LAST_US);
}

const char *store_take_job(sqlite3_stmt *stmt, struct store_job *ret)
{
    struct columns c = store_columns(stmt);

    TAKE_TEXT(&c, ret->id);
    TAKE_TEXT(&c, ret->name);
    TAKE_TEXT(&c, ret->engine);
    TAKE_TEXT(&c, ret->template);
    TAKE_TEXT(&c, ret->queue);
    TAKE_TEXT(&c, ret->user);
    TAKE_TEXT(&c, ret->limiters);
    ret->tenant = store_take_num(&c);
    ret->state = take_state(&c);
    ret->cause = (Pb__Cause)store_take_enum(&c, "cause", &pb__cause__descriptor, PB__CAUSE__CAUSE_NONE);
    ret->class = (Pb__JobClass)store_take_enum(&c, "class", &pb__job_class__descriptor, PB__JOB_CLASS__JOB_CLASS_NORMAL);
    ret->prio = take_prio(&c);
    ret->hold = (uint32_t)store_take_most(&c, "hold", UINT8_MAX);
    ret->attempt = (uint32_t)store_take_most(&c, "attempt", UINT16_MAX);
    ret->infra = (uint32_t)store_take_most(&c, "infra", UINT16_MAX);
    ret->max_attempts = (uint32_t)store_take_most(&c, "max_attempts", UINT16_MAX);
    ret->epoch = store_take_most(&c, "epoch", WHEN_LAST_US);
    ret->submitted_us = store_take_num(&c);
    ret->not_before_us = take_time(&c, "not_before_us");
    ret->deadline_us = take_time(&c, "deadline_us");
    ret->ended_us = store_take_num(&c);
    TAKE_TEXT(&c, ret->array_id);
    ret->array_index = store_take_num(&c);
    TAKE_TEXT(&c, ret->spec_of);
    ret->memory_bytes = store_take_num(&c);
    ret->wall_us = store_take_num(&c);
    ret->threads = (uint32_t)store_take_num(&c);
    ret->log_until_us = store_take_num(&c);
    ret->keep_until_us = store_take_num(&c);
    ret->stdin_mode = (uint32_t)store_take_enum(&c, "stdin_mode", &pb__stdin_mode__descriptor, PB__STDIN_MODE__STDIN_MODE_NONE);
    ret->builds = store_take_num(&c) != 0;
    ret->lives = (enum store_lives)store_take_most(&c, "lives", STORE_LIVES_NAMED);
    return c.odd;
}

/* In order of ARRAY_COLUMNS. */
const char *store_take_array(sqlite3_stmt *stmt, struct store_array *ret)
{
    struct columns c = store_columns(stmt);

    *ret = (struct store_array){ .counts = PB__ARRAY_COUNTS__INIT };
    TAKE_TEXT(&c, ret->id);
    ret->tenant = store_take_num(&c);
    TAKE_TEXT(&c, ret->user);
    TAKE_TEXT(&c, ret->name);
    TAKE_TEXT(&c, ret->engine);
    TAKE_TEXT(&c, ret->queue);
    ret->class = (Pb__JobClass)store_take_enum(&c, "class", &pb__job_class__descriptor, PB__JOB_CLASS__JOB_CLASS_NORMAL);
    ret->prio = take_prio(&c);
    ret->hold = (uint32_t)store_take_num(&c);
    ret->from = store_take_num(&c);
    ret->to = store_take_num(&c);
    ret->step = store_take_num(&c);
    ret->tasks = store_take_num(&c);
    ret->max_parallel = (uint32_t)store_take_num(&c);
    ret->submitted_us = store_take_num(&c);
    ret->not_before_us = take_time(&c, "not_before_us");
    ret->deadline_us = take_time(&c, "deadline_us");
    ret->ended_us = store_take_num(&c);
    ret->counts.tasks = ret->tasks;
    ret->counts.succeeded = store_take_num(&c);
    ret->counts.failed = store_take_num(&c);
    ret->counts.cancelled = store_take_num(&c);
    return c.odd;
}

int store_walk(sqlite3_stmt *stmt, int (*one)(void *ctx, sqlite3_stmt *stmt), void *ctx)
{
    int rc = SQLITE_DONE, stopped = 0, err;

    while (stopped == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        stopped = one(ctx, stmt);
    err = stopped == 0 ? store_errno(sqlite3_db_handle(stmt), rc) : stopped;
    (void)sqlite3_reset(stmt);
    return err;
}

int store_query(struct store *s, const char *sql, const char *text, int (*one)(void *ctx, sqlite3_stmt *stmt), void *ctx)
{
    sqlite3_stmt *stmt = NULL;
    int err = store_errno(s->reader, sqlite3_prepare_v2(s->reader, sql, -1, &stmt, NULL));

    if (err == 0 && text != NULL)
        (void)sqlite3_bind_text(stmt, 1, text, -1, SQLITE_STATIC);
    if (err == 0)
        err = store_walk(stmt, one, ctx);
    (void)sqlite3_finalize(stmt);
    return err;
}

int store_tenant_list(const uint64_t *tenants, size_t n, char **ret)
{
    sqlite3_str *list;

    *ret = NULL;
    if (n == 0)
        return 0;
    list = sqlite3_str_new(NULL);
    for (size_t i = 0; i < n; i++)
        sqlite3_str_appendf(list, "%s%lld", i == 0 ? "[" : ",", (long long)tenants[i]);
    sqlite3_str_appendall(list, "]");
    *ret = sqlite3_str_finish(list);
    return *ret != NULL ? 0 : -ENOMEM;
}
