/* webhook_log.c - see webhook_log.h. */
#include "broker/webhook_log.h"

#include <stdio.h>
#include <stdlib.h>

#include <uthash.h>
#include <utlist.h>

#include "ulid.h"

struct webhook_log_tenant {
    uint64_t id;
    unsigned n;
    struct webhook_record *oldest;
    UT_hash_handle hh;
};

struct webhook_record {
    char id[ULID_LEN + 1];
    struct webhook_log_tenant *tenant;
    struct webhook_count *count[WEBHOOK_LOG_PLACES]; /* NULL: nothing to tell that address yet */
    struct webhook_record *prev, *next;              /* of all */
    struct webhook_record *prev_own, *next_own;      /* of its tenant's */
    UT_hash_handle hh;
};

const char *webhook_log_name(const Pb__Notice *what)
{
    return what->array_id[0] != '\0' ? what->array_id : what->job;
}

static struct webhook_record *find(const struct webhook_log *l, const char *id)
{
    struct webhook_record *r;

    HASH_FIND_STR(l->by_id, id, r);
    return r;
}

static void leave(struct webhook_log *l, struct webhook_record *r)
{
    struct webhook_log_tenant *t = r->tenant;

    HASH_DEL(l->by_id, r);
    DL_DELETE(l->oldest, r);
    DL_DELETE2(t->oldest, r, prev_own, next_own);
    for (int i = 0; i < WEBHOOK_LOG_PLACES; i++)
        free(r->count[i]);
    free(r);
    if (--t->n > 0)
        return;
    HASH_DEL(l->tenants, t);
    free(t);
}

static struct webhook_log_tenant *tenant_get(struct webhook_log *l, uint64_t id)
{
    struct webhook_log_tenant *t;

    HASH_FIND(hh, l->tenants, &id, sizeof(id), t);
    if (t != NULL || (t = calloc(1, sizeof(*t))) == NULL)
        return t;
    t->id = id;
    HASH_ADD(hh, l->tenants, id, sizeof(t->id), t);
    return t;
}

/* Room for one more of this tenant's. */
static void make_room(struct webhook_log *l, uint64_t tenant)
{
    struct webhook_log_tenant *t;

    HASH_FIND(hh, l->tenants, &tenant, sizeof(tenant), t);
    if (t != NULL && t->n >= WEBHOOK_LOG_TENANT)
        leave(l, t->oldest);
    else if (HASH_COUNT(l->by_id) >= WEBHOOK_LOG)
        leave(l, l->oldest);
}

static struct webhook_record *add(struct webhook_log *l, const char *id, uint64_t tenant)
{
    struct webhook_record *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    make_room(l, tenant);
    r->tenant = tenant_get(l, tenant);
    if (r->tenant == NULL) {
        free(r);
        return NULL;
    }
    r->tenant->n++;
    snprintf(r->id, sizeof(r->id), "%s", id);
    HASH_ADD_STR(l->by_id, id, r);
    DL_APPEND(l->oldest, r);
    DL_APPEND2(r->tenant->oldest, r, prev_own, next_own);
    return r;
}

struct webhook_count *webhook_log_get(struct webhook_log *l, const char *id, uint64_t tenant, unsigned place)
{
    struct webhook_record *r = find(l, id);

    if (place >= WEBHOOK_LOG_PLACES || (r == NULL && (r = add(l, id, tenant)) == NULL))
        return NULL;
    if (r->count[place] == NULL)
        r->count[place] = calloc(1, sizeof(*r->count[place]));
    return r->count[place];
}

struct webhook_count *webhook_log_find(const struct webhook_log *l, const char *id, unsigned place)
{
    const struct webhook_record *r = place < WEBHOOK_LOG_PLACES ? find(l, id) : NULL;

    return r != NULL ? r->count[place] : NULL;
}

void webhook_log_finish(struct webhook_log *l)
{
    while (l->oldest != NULL)
        leave(l, l->oldest);
}
