/* tenant_quota.c - what a tenant may: quotas, the rate of its submits, limits of its jobs, how long is kept what they leave; see tenants.h. */
#include "broker/tenant_quota.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "engine_table.h"
#include "job_limits.h"
#include "units.h"

#define CELL(field) offsetof(Pb__Quota, field)

/* clang-format off */
const struct quota_row quota_table[QUOTAS] = {
    /*                      name in control.proto  kind           cell                    what there is of it */
    [QUOTA_RUNNING]      = { "max_running",      QUOTA_COUNT,   CELL(max_running),      offsetof(struct tenant, running),      "jobs that run" },
    [QUOTA_QUEUED]       = { "max_queued",       QUOTA_COUNT,   CELL(max_queued),       offsetof(struct tenant, queued),       "jobs that wait" },
    [QUOTA_SUBMIT_RATE]  = { "submit_per_s",     QUOTA_RATE,    CELL(submit_per_s),     0,                                     "submits a second" },
    [QUOTA_CPU_DAY]      = { "cpu_s_per_day",    QUOTA_SECONDS, CELL(cpu_s_per_day),    0,                                     "seconds of CPU time on a day" },
    [QUOTA_MIB_DAY]      = { "mib_s_per_day",    QUOTA_COUNT,   CELL(mib_s_per_day),    0,                                     "MiB times seconds on a day" },
    [QUOTA_STORED]       = { "stored_bytes",     QUOTA_BYTES,   CELL(stored_bytes),     offsetof(struct tenant, stored_bytes), "of specs, receipts and outputs" },
    [QUOTA_ARRAY]        = { "max_array",        QUOTA_COUNT,   CELL(max_array),        0,                                     "tasks of one array" },
    [QUOTA_CRON]         = { "max_cron",         QUOTA_COUNT,   CELL(max_cron),         offsetof(struct tenant, crons),        "cron entries" },
    [QUOTA_INTERPRETERS] = { "max_interpreters", QUOTA_COUNT,   CELL(max_interpreters), offsetof(struct tenant, interpreters), "interpreters" },
};
/* clang-format on */

/* ---- bounds ---- */

uint64_t tenant_bound(const struct tenant *t, enum quota q)
{
    uint64_t least = TENANT_NO_BOUND;

    for (; t != NULL; t = t->parent)
        if (t->quota[q] < least)
            least = t->quota[q];
    return least;
}

static uint64_t has(const struct tenant *t, enum quota q)
{
    return quota_table[q].counter != 0 ? *(const uint64_t *)((const char *)t + quota_table[q].counter) : 0;
}

const struct tenant *tenant_lacks(const struct tenant *t, enum quota q, uint64_t n)
{
    for (; t != NULL; t = t->parent)
        if (t->quota[q] != TENANT_NO_BOUND && (n > t->quota[q] || has(t, q) > t->quota[q] - n))
            return t;
    return NULL;
}

static char *format_quota(enum quota q, uint64_t value, char buf[UNITS_BUF])
{
    switch (quota_table[q].kind) {
    case QUOTA_BYTES: return units_format_size(value, buf);
    case QUOTA_RATE: snprintf(buf, UNITS_BUF, "%g", (double)value / QUOTA_RATE_UNIT); return buf;
    default: snprintf(buf, UNITS_BUF, "%" PRIu64, value); return buf;
    }
}

/* of: where it is used up, t or one above. */
static int refuse(const struct tenant *t, const struct tenant *of, enum quota q, char why[TENANT_WHY])
{
    char bound[UNITS_BUF], now[UNITS_BUF];
    int n = snprintf(why, TENANT_WHY, "quota %s of tenant %s%s", quota_table[q].name, of->name, of != t ? ", above this one," : "");

    if (of->quota[q] == 0)
        snprintf(why + n, TENANT_WHY - (size_t)n, " is 0: nothing may");
    else
        snprintf(why + n, TENANT_WHY - (size_t)n, " is %s, and it has %s", format_quota(q, of->quota[q], bound),
                 format_quota(q, has(of, q), now));
    return -EDQUOT;
}

/* ---- the rate of submits: a bucket of a second's worth, and of one at least ---- */

static double rate_of(const struct tenant *t)
{
    return (double)t->quota[QUOTA_SUBMIT_RATE] / QUOTA_RATE_UNIT;
}

static void fill_bucket(struct tenant *t, uint64_t now_us)
{
    struct tenant_bucket *b = &t->bucket;
    double rate = rate_of(t), room = rate > 1 ? rate : 1;

    if (b->at_us == 0)
        b->left = room;
    else if (now_us > b->at_us)
        b->left += (double)(now_us - b->at_us) / 1e6 * rate;
    if (b->left > room)
        b->left = room;
    b->at_us = now_us;
}

/* 0: one may come now, from it and all above. */
static int ask_buckets(struct tenant *t, bool take, uint64_t now_us, char why[TENANT_WHY], char hint[TENANT_WHY])
{
    char pause[UNITS_BUF];

    for (struct tenant *of = t; of != NULL; of = of->parent) {
        if (of->quota[QUOTA_SUBMIT_RATE] == TENANT_NO_BOUND)
            continue;
        if (of->quota[QUOTA_SUBMIT_RATE] == 0)
            return refuse(t, of, QUOTA_SUBMIT_RATE, why);
        fill_bucket(of, now_us);
        if (of->bucket.left >= 1)
            continue;
        snprintf(why, TENANT_WHY, "tenant %s may submit %g times a second (quota submit_per_s)", of->name, rate_of(of));
        snprintf(hint, TENANT_WHY, "retry after %s",
                 units_format_duration((uint64_t)ceil((1 - of->bucket.left) / rate_of(of) * 1000) * 1000, pause));
        return -EDQUOT;
    }
    for (struct tenant *of = t; of != NULL && take; of = of->parent)
        if (of->quota[QUOTA_SUBMIT_RATE] != TENANT_NO_BOUND)
            of->bucket.left -= 1;
    return 0;
}

static int may_submit(struct tenant *t, uint64_t n, enum tenant_rate rate, uint64_t now_us, char why[TENANT_WHY], char hint[TENANT_WHY])
{
    const struct tenant *of;

    if (!tenant_is_active(t)) {
        snprintf(why, TENANT_WHY, "tenant %s is suspended", t->name);
        return -EPERM;
    }
    if (n > 1 && (of = tenant_lacks(t, QUOTA_ARRAY, n)) != NULL) {
        snprintf(why, TENANT_WHY, "an array of %" PRIu64 " tasks: quota max_array of tenant %s is %" PRIu64, n, of->name,
                 of->quota[QUOTA_ARRAY]);
        return -EDQUOT;
    }
    if ((of = tenant_lacks(t, QUOTA_QUEUED, n)) != NULL)
        return refuse(t, of, QUOTA_QUEUED, why);
    if ((of = tenant_lacks(t, QUOTA_STORED, 1)) != NULL) {
        snprintf(hint, TENANT_WHY, "remove jobs that have ended (coop rm), or shorten the tenant's retention");
        return refuse(t, of, QUOTA_STORED, why);
    }
    return rate != TENANT_RATE_FREE ? ask_buckets(t, rate == TENANT_RATE_TAKE, now_us, why, hint) : 0;
}

int tenant_admits(struct tenant *t, uint64_t n, enum tenant_rate rate, uint64_t now_us, char why[TENANT_WHY], char hint[TENANT_WHY])
{
    int rc;

    why[0] = hint[0] = '\0';
    rc = may_submit(t, n, rate, now_us, why, hint);
    if (rc != 0) {
        const struct tenant_use refused = { .refused = 1 };

        tenant_used(t, loop_wall_us(), &refused);
        tenants_push_refused(t);
    }
    return rc;
}

int tenant_may_submit(struct tenant *t, uint64_t n, uint64_t now_us, char why[TENANT_WHY], char hint[TENANT_WHY])
{
    return tenant_admits(t, n, TENANT_RATE_TAKE, now_us, why, hint);
}

/* ---- limits of jobs ---- */

/* The first default from here upwards; the least maximum. 0: none. */
static uint64_t default_of(const struct tenant *t, const struct limits_row *row)
{
    for (; t != NULL; t = t->parent)
        if (limits_get(&t->limits_default, row) != 0)
            return limits_get(&t->limits_default, row);
    return 0;
}

static uint64_t max_of(const struct tenant *t, const struct limits_row *row, const struct tenant **ret_of)
{
    uint64_t least = 0;

    for (; t != NULL; t = t->parent) {
        uint64_t max = limits_get(&t->limits_max, row);

        if (max != 0 && (least == 0 || max < least)) {
            least = max;
            *ret_of = t;
        }
    }
    return least;
}

static int settle_row(const struct tenant *t, const struct limits_row *row, uint64_t *value, bool asked, uint64_t min, char why[TENANT_WHY])
{
    const struct tenant *of = NULL;
    uint64_t max = max_of(t, row, &of), initial = asked ? 0 : default_of(t, row);
    char is[UNITS_BUF], bound[UNITS_BUF];

    if (initial != 0)
        *value = initial < min ? min : initial; /* one default for all engines: what this one needs to start at all, it gets */
    if (max == 0 || *value <= max)
        return 0;
    if (asked || max < min) {
        snprintf(why, TENANT_WHY, "limit %s: %s is above the maximum of tenant %s, %s%s", row->name, limits_format(row, *value, is),
                 of->name, limits_format(row, max, bound), asked ? "" : ", and the engine needs no less");
        return -EDQUOT;
    }
    *value = max;
    return 0;
}

int tenant_settle_limits(const struct tenant *t, Pb__Limits *l, uint32_t asked, int engine, char why[TENANT_WHY])
{
    for (size_t i = 0; i < limits_count; i++) {
        const struct limits_row *row = &limits_table[i];
        uint64_t *value = (uint64_t *)((char *)l + row->offset);
        int rc;

        if (*value == 0) /* this engine has no such limit */
            continue;
        rc = settle_row(t, row, value, (asked & 1u << i) != 0, row->of[engine].min, why);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- what is kept ---- */

void tenant_retention(const struct tenant *t, const Pb__Retention *asked, uint64_t *ret_result_us, uint64_t *ret_log_us)
{
    uint64_t result = asked != NULL ? asked->result_us : 0, log = asked != NULL ? asked->log_us : 0;

    for (; t != NULL; t = t->parent) {
        result = result == 0 ? t->retention_result_us : result;
        log = log == 0 ? t->retention_log_us : log;
    }
    *ret_result_us = result;
    *ret_log_us = log;
}

/* ---- as a message ---- */

static bool is_rate(enum quota q)
{
    return quota_table[q].kind == QUOTA_RATE;
}

static void put(Pb__Quota *m, enum quota q, uint64_t value)
{
    void *cell = (char *)m + quota_table[q].cell;

    if (is_rate(q))
        *(double *)cell = (double)value / QUOTA_RATE_UNIT;
    else
        *(uint64_t *)cell = value;
}

void quota_to_pb(const struct tenant *t, Pb__Quota *ret, char *nothing[QUOTAS])
{
    pb__quota__init(ret);
    ret->nothing = nothing;
    for (enum quota q = 0; q < QUOTAS; q++) {
        put(ret, q, t->quota[q] == TENANT_NO_BOUND ? 0 : t->quota[q]);
        if (t->quota[q] == 0)
            nothing[ret->n_nothing++] = (char *)quota_table[q].name;
    }
}

static bool says_nothing(const Pb__Quota *m, enum quota q)
{
    for (size_t i = 0; i < m->n_nothing; i++)
        if (strcmp(m->nothing[i], quota_table[q].name) == 0)
            return true;
    return false;
}

int quota_from_pb(const Pb__Quota *m, enum quota q, uint64_t *ret, char why[TENANT_WHY])
{
    const void *cell = (const char *)m + quota_table[q].cell;
    double rate = is_rate(q) ? *(const double *)cell : 0;
    uint64_t value;

    if (is_rate(q) && !(rate >= 0 && rate <= QUOTA_RATE_MAX)) { /* NaN too */
        snprintf(why, TENANT_WHY, "quota %s: wants a number from 0 to %d", quota_table[q].name, QUOTA_RATE_MAX);
        return -EINVAL;
    }
    value = is_rate(q) ? (uint64_t)llround(rate * QUOTA_RATE_UNIT) : *(const uint64_t *)cell;
    if (is_rate(q) && rate > 0 && value == 0)
        value = 1; /* less than a submit in eleven days is not "no bound" */
    if (value > QUOTA_MAX) {
        snprintf(why, TENANT_WHY, "quota %s: is at most %" PRIu64, quota_table[q].name, QUOTA_MAX);
        return -EINVAL;
    }
    if (value != 0 && says_nothing(m, q)) {
        snprintf(why, TENANT_WHY, "quota %s: is a number, or nothing, not both", quota_table[q].name);
        return -EINVAL;
    }
    *ret = value != 0 ? value : says_nothing(m, q) ? 0 : TENANT_NO_BOUND;
    return 0;
}

int quota_find(const char *name)
{
    for (enum quota q = 0; q < QUOTAS; q++)
        if (strcmp(name, quota_table[q].name) == 0)
            return (int)q;
    return -1;
}
