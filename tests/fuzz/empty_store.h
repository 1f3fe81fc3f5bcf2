/*
 * empty_store.h - what a store says that has nothing but the jobs of fuzz_control.c: no array, tenant, label, attempt, key, queue.
 *
 * Side:    tests. Included once: it stands in for broker/store_*.c, none of which is linked.
 */
#ifndef TESTS_FUZZ_EMPTY_STORE_H
#define TESTS_FUZZ_EMPTY_STORE_H

int store_admin_list(struct store *s, uint64_t before, struct store_admin_act *ret, int max)
{
    (void)s;
    (void)before;
    (void)ret;
    (void)max;
    return 0;
}

int store_alias_list(struct store *s, const uint64_t *tenant, uint64_t before, struct store_alias *ret, int max)
{
    (void)s;
    (void)tenant;
    (void)before;
    (void)ret;
    (void)max;
    return 0;
}

int store_array_counts(struct store *s, const char *array, Pb__ArrayCounts *ret)
{
    (void)s;
    (void)array;
    (void)ret;
    return -ENOENT;
}

int store_each_array(struct store *s, int (*fn)(void *ctx, const struct store_array *a), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_attempt(struct store *s, const char *id, int (*fn)(void *ctx, const struct store_attempt *a), void *ctx)
{
    (void)s;
    (void)id;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_cron(struct store *s, int (*fn)(void *ctx, const struct store_cron *c), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_dep(struct store *s, int (*fn)(void *ctx, const struct store_dep *d), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_dep_of(struct store *s, const char *job, int (*fn)(void *ctx, const struct store_dep *d), void *ctx)
{
    (void)s;
    (void)job;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_due(struct store *s, bool logs, uint64_t now_us, int max, int (*fn)(void *ctx, const struct store_job *job), void *ctx)
{
    (void)s;
    (void)logs;
    (void)now_us;
    (void)max;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_hook(struct store *s, int (*fn)(void *ctx, const char *job), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_label(struct store *s, const char *id, int (*fn)(void *ctx, const char *key, const char *value), void *ctx)
{
    (void)s;
    (void)id;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_limiter(struct store *s, int (*fn)(void *ctx, const struct store_limiter *l), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_queue(struct store *s, int (*fn)(void *ctx, const struct store_queue *q), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_queue_item(struct store *s, const char *queue, int (*fn)(void *ctx, const struct store_queue_item *i), void *ctx)
{
    (void)s;
    (void)queue;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_task(struct store *s, const char *array, bool unfinished, int (*fn)(void *ctx, const struct store_job *job), void *ctx)
{
    (void)s;
    (void)array;
    (void)unfinished;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_template(struct store *s, int (*fn)(void *ctx, const struct store_template *t), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_tenant(struct store *s, int (*fn)(void *ctx, const struct store_tenant *t), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_token(struct store *s, int (*fn)(void *ctx, const struct store_token *t), void *ctx)
{
    (void)s;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_each_usage(struct store *s, const uint64_t *tenants, size_t n, uint64_t from_day, uint64_t to_day,
                     int (*fn)(void *ctx, const struct store_usage *u), void *ctx)
{
    (void)s;
    (void)tenants;
    (void)n;
    (void)from_day;
    (void)to_day;
    (void)fn;
    (void)ctx;
    return 0;
}

int store_find_array(struct store *s, const char *id_or_prefix, const uint64_t *tenants, size_t n, struct store_array *ret)
{
    (void)s;
    (void)id_or_prefix;
    (void)tenants;
    (void)n;
    (void)ret;
    return -ENOENT;
}

int store_find_task(struct store *s, const char *array, uint64_t index, struct store_job *ret_job)
{
    (void)s;
    (void)array;
    (void)index;
    (void)ret_job;
    return -ENOENT;
}

int store_list_arrays(struct store *s, const struct store_filter *f, struct store_array *ret, int max)
{
    (void)s;
    (void)f;
    (void)ret;
    (void)max;
    return 0;
}

int store_stored_bytes(struct store *s, uint64_t tenant, uint64_t *ret)
{
    (void)s;
    (void)tenant;
    *ret = 0;
    return 0;
}

int store_spec_owner(struct store *s, const char *id, char ret_id[ULID_LEN + 1])
{
    (void)s;
    (void)id;
    ret_id[0] = '\0';
    return -ENOENT;
}

int store_find_idem(struct store *s, uint64_t tenant, const char *key, char ret_id[ULID_LEN + 1], uint8_t ret_hash[STORE_HASH])
{
    (void)s;
    (void)tenant;
    (void)key;
    (void)ret_id;
    (void)ret_hash;
    return -ENOENT;
}

int store_find_of(struct store *s, const char *id_or_prefix, const uint64_t *tenants, size_t n, struct store_job *ret_job)
{
    (void)tenants;
    (void)n;
    return store_find(s, id_or_prefix, ret_job);
}

int store_kv_get(struct store *s, uint64_t tenant, const char *key, struct store_blob *ret)
{
    (void)s;
    (void)tenant;
    (void)key;
    (void)ret;
    return -ENOENT;
}

int store_read_secret(struct store *s, const char *name, uint8_t ret[STORE_SECRET])
{
    (void)s;
    (void)name;
    memset(ret, 7, STORE_SECRET);
    return 0;
}

int store_kv_list(struct store *s, uint64_t tenant, const char *prefix, const char *after, char **ret_keys, int max)
{
    (void)s;
    (void)tenant;
    (void)prefix;
    (void)after;
    (void)ret_keys;
    (void)max;
    return 0;
}

uint32_t store_last_template(struct store *s, uint64_t tenant, const char *name)
{
    (void)s;
    (void)tenant;
    (void)name;
    return 0;
}

int store_open_dir(const char *dir, int *ret_fd, char why[STORE_WHY])
{
    (void)dir;
    (void)ret_fd;
    (void)why;
    return -ENOENT;
}

int store_read_definition(struct store *s, const char *id, struct store_blob *ret)
{
    (void)s;
    (void)id;
    (void)ret;
    return -ENOENT;
}

/* A request that is the store's own to answer. */
void verb_store_backup(struct control_call *c)
{
    control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_INTERNAL, "this store is none");
}

#endif
