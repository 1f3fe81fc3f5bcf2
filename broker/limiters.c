/* limiters.c - see limiters.h. */
#include "broker/limiters.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays.h"
#include "broker/broker.h"
#include "broker/plans_own.h"
#include "log.h"
#include "nearest.h"

#define NEAREST_OF 64 /* keys that are looked at for the nearest */

__attribute__((format(printf, 3, 4))) static int say(int rc, char why[LIMITERS_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, LIMITERS_WHY, fmt, ap);
    va_end(ap);
    return rc;
}

/* ---- the table -------------------------------------------------------------------------------------------------------------------------- */

static struct limiter_name name_of(uint64_t tenant, const char *key)
{
    struct limiter_name n;

    memset(&n, 0, sizeof(n)); /* its padding is hashed, too */
    n.tenant = tenant;
    snprintf(n.key, sizeof(n.key), "%s", key);
    return n;
}

struct limiter *limiters_find(const struct broker *b, uint64_t tenant, const char *key)
{
    struct limiter_name name = name_of(tenant, key);
    struct limiter *l;

    if (strlen(key) > LIMITER_KEY)
        return NULL;
    HASH_FIND(hh, b->plans.limiters.all, &name, sizeof(name), l);
    return l;
}

struct limiter *limiters_put(struct broker *b, uint64_t tenant, const char *key, uint32_t max)
{
    struct limiter *l = limiters_find(b, tenant, key);

    if (l != NULL) {
        sched_limiter_set(b->tenants.sched, &l->sched, max);
        return l;
    }
    l = calloc(1, sizeof(*l));
    if (l == NULL)
        return NULL;
    l->name = name_of(tenant, key);
    snprintf(l->reason, sizeof(l->reason), "LIMITER:%s", key);
    sched_limiter_init(&l->sched, l->reason, max, false);
    HASH_ADD(hh, b->plans.limiters.all, name, sizeof(l->name), l);
    return l;
}

void limiters_drop(struct broker *b, struct limiter *l)
{
    HASH_DEL(b->plans.limiters.all, l);
    free(l);
}

static int load_one(void *ctx, const struct store_limiter *row)
{
    return limiters_put(ctx, row->tenant, row->key, row->max) != NULL ? 0 : -ENOMEM;
}

int limiters_load(struct broker *b)
{
    return store_each_limiter(b->store, load_one, b);
}

void limiters_finish(struct broker *b)
{
    struct limiter *l, *next;

    HASH_ITER (hh, b->plans.limiters.all, l, next)
        limiters_drop(b, l);
}

/* ---- what a job uses ---------------------------------------------------------------------------------------------------------------- */

static const char *nearest_key(const struct broker *b, uint64_t tenant, const char *key)
{
    const char *words[NEAREST_OF + 1];
    struct limiter *l, *next;
    size_t n = 0;

    HASH_ITER (hh, b->plans.limiters.all, l, next) {
        if (l->name.tenant == tenant && !l->removing && n < NEAREST_OF)
            words[n++] = l->name.key;
    }
    words[n] = NULL;
    return nearest_word(key, words);
}

static int check_use(const struct broker *b, const struct tenant *t, const Pb__LimiterUse *use, char why[LIMITERS_WHY])
{
    const struct limiter *l;
    const char *near;

    if (!limiters_key_ok(use->key, why))
        return -EINVAL;
    l = limiters_find(b, t->id, use->key);
    if (l == NULL || l->removing) {
        near = nearest_key(b, t->id, use->key);
        return say(-ENOENT, why, "there is no limiter %s%s%s%s; coop limiter set makes one", use->key,
                   near != NULL ? " (the nearest is " : "", near != NULL ? near : "", near != NULL ? ")" : "");
    }
    if (l->sched.max != 0 && use->n > l->sched.max)
        return say(-EDQUOT, why, "%u places of limiter %s are asked for, it has %u: the job could never run", use->n, use->key,
                   l->sched.max);
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(Pb__LimiterUse *const *)a)->key, (*(Pb__LimiterUse *const *)b)->key);
}

int limiters_settle(struct broker *b, const struct tenant *t, const Pb__Schedule *s, char ret[STORE_LIMITERS_LEN + 1],
                    char why[LIMITERS_WHY])
{
    Pb__LimiterUse *sorted[LIMITERS_OF_JOB];
    char text[STORE_LIMITERS_LEN + 1] = "";
    size_t len = 0, n = s != NULL ? s->n_limiters : 0;
    int rc = 0;

    if (n > LIMITERS_OF_JOB)
        return say(-EINVAL, why, "a job uses at most %d limiters, here are %zu", LIMITERS_OF_JOB, n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = check_use(b, t, sorted[i] = s->limiters[i], why);
    if (rc != 0)
        return rc;
    qsort(sorted, n, sizeof(sorted[0]), by_key);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(sorted[i]->key, sorted[i - 1]->key) == 0)
            return say(-EINVAL, why, "limiter %s is named twice", sorted[i]->key);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%u", i > 0 ? " " : "", sorted[i]->key,
                                sorted[i]->n != 0 ? sorted[i]->n : 1);
        if (len >= sizeof(text))
            return say(-EINVAL, why, "the names of a job's limiters are at most %d bytes together", STORE_LIMITERS_LEN);
    }
    memcpy(ret, text, len + 1);
    return 0;
}

/* One "KEY=N" of a row. A limiter that is gone from the store under a job that names it stays shut until somebody sets it. */
static int take_use(struct broker *b, const struct tenant *t, char *word, struct sched_use *ret)
{
    char *eq = strrchr(word, '=');
    struct limiter *l;

    if (eq == NULL)
        return -EINVAL;
    *eq = '\0';
    l = limiters_find(b, t->id, word);
    if (l == NULL) {
        log_event(LOG_LEVEL_WARN, "limiter_missing", "tenant=%s key=%s", t->name, word);
        l = limiters_put(b, t->id, word, 0);
    }
    if (l == NULL)
        return -ENOMEM;
    *ret = (struct sched_use){ &l->sched, (uint32_t)strtoul(eq + 1, NULL, 10) };
    return ret->n > 0 ? 0 : -EINVAL;
}

int limiters_uses(struct broker *b, const struct tenant *t, const char *row_limiters, struct array *array,
                  struct sched_use use[SCHED_USES_MAX], unsigned n)
{
    char text[STORE_LIMITERS_LEN + 1], *save = NULL;
    unsigned most = n + LIMITERS_OF_JOB;

    snprintf(text, sizeof(text), "%s", row_limiters);
    for (char *word = strtok_r(text, " ", &save); word != NULL && n < most; word = strtok_r(NULL, " ", &save)) {
        int rc = take_use(b, t, word, &use[n]);

        if (rc == -ENOMEM)
            return rc;
        n += rc == 0;
    }
    if (array != NULL)
        use[n++] = (struct sched_use){ &array->bound, 1 };
    return (int)n;
}
