/*
 * store_tally.c - what a transaction adds to the counts of tenants: gathered while its ops are written, and written once; see store_sqlite.h.
 *
 * A hundred receipts of one tenant are one change of its row this way.
 */
#include "store_sqlite.h"

static int write_total(struct store *s, uint64_t tenant, int64_t bytes)
{
    struct binder b = store_binder(s->w[W_TOTAL]);

    store_put_num(&b, tenant);
    (void)sqlite3_bind_int64(b.stmt, ++b.at, bytes); /* may be less than 0 */
    return store_run_with(s, W_TOTAL, &b, NULL);
}

static int write_usage(struct store *s, const struct store_usage *u)
{
    struct binder b = store_binder(s->w[W_USAGE]);

    store_put_num(&b, u->tenant);
    store_put_num(&b, u->day);
    store_put_num(&b, u->jobs);
    store_put_num(&b, u->failed);
    store_put_num(&b, u->refused);
    store_put_num(&b, u->cpu_us);
    store_put_num(&b, u->wall_us);
    store_put_num(&b, u->mib_us);
    return store_run_with(s, W_USAGE, &b, NULL);
}

int store_tally_write(struct store *s)
{
    struct tally *t = &s->tally;
    int err = 0;

    for (unsigned i = 0; i < t->n_totals && err == 0; i++)
        err = write_total(s, t->totals[i].tenant, t->totals[i].bytes);
    for (unsigned i = 0; i < t->n_usages && err == 0; i++)
        err = write_usage(s, &t->usages[i]);
    t->n_totals = t->n_usages = 0;
    return err;
}

int store_count_bytes(struct store *s, uint64_t tenant, int64_t bytes)
{
    struct tally *t = &s->tally;
    int err;

    if (s->op != NULL) { /* each op is about one tenant */
        s->op->counted.tenant = tenant;
        s->op->counted.bytes += bytes;
    }
    for (unsigned i = 0; i < t->n_totals; i++)
        if (t->totals[i].tenant == tenant) {
            t->totals[i].bytes += bytes;
            return 0;
        }
    if (t->n_totals == TALLY_ROWS && (err = store_tally_write(s)) != 0)
        return err;
    t->totals[t->n_totals].tenant = tenant;
    t->totals[t->n_totals++].bytes = bytes;
    return 0;
}

int store_count_usage(struct store *s, const struct store_usage *u)
{
    struct tally *t = &s->tally;
    int err;

    for (unsigned i = 0; i < t->n_usages; i++) {
        struct store_usage *sum = &t->usages[i];

        if (sum->tenant != u->tenant || sum->day != u->day)
            continue;
        sum->jobs += u->jobs;
        sum->failed += u->failed;
        sum->refused += u->refused;
        sum->cpu_us += u->cpu_us;
        sum->wall_us += u->wall_us;
        sum->mib_us += u->mib_us;
        return 0;
    }
    if (t->n_usages == TALLY_ROWS && (err = store_tally_write(s)) != 0)
        return err;
    t->usages[t->n_usages++] = *u;
    return 0;
}
