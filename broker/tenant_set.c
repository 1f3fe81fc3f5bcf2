/* tenant_set.c - tenants as a message and as a row of the store: loaded, made, changed, removed; see tenants.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/tenant_quota.h"
#include "frame.h"
#include "job_limits.h"
#include "log.h"

/* ---- as a message ---- */

void tenant_to_pb(const struct tenant *t, struct tenant_pb *ret)
{
    const struct tenants *all = t->owner;
    Pb__Tenant *m = &ret->message;

    pb__tenant__init(m);
    quota_to_pb(t, &ret->quota, ret->nothing);
    pb__retention__init(&ret->retention);
    ret->retention.result_us = t->retention_result_us;
    ret->retention.log_us = t->retention_log_us;
    ret->limits_default = t->limits_default;
    ret->limits_max = t->limits_max;
    m->name = (char *)t->name;
    m->parent = (char *)(t->parent != NULL ? t->parent->name : "");
    m->weight = t->weight;
    m->quota = &ret->quota;
    m->limits_default = &ret->limits_default;
    m->limits_max = &ret->limits_max;
    m->retention = &ret->retention;
    m->state = (char *)tenant_state_names[t->state];
    m->created_us = t->created_us;
    m->uids = ret->uids;
    m->n_uids = tenants_uids(all, t, ret->uids, TENANT_UIDS);
    m->running = t->running;
    m->queued = t->queued;
    m->stored_bytes = t->stored_bytes;
    m->share = sched_share(all->sched, &t->sched, loop_clock_us());
    m->entitled = sched_entitled(all->sched, &t->sched);
}

/* ---- fields, by the names of a mask ---- */

/* What a set says, and where it may not. */
struct setting {
    struct tenants *all;
    struct tenant *t;
    const Pb__Tenant *m;
    bool create;
    char *why;
};

static int set_weight(const struct setting *s)
{
    if (!tenant_weight_ok(s->m->weight)) {
        snprintf(s->why, TENANT_WHY, "weight: wants a number from %g to %g", TENANT_WEIGHT_MIN, TENANT_WEIGHT_MAX);
        return -EINVAL;
    }
    s->t->weight = s->m->weight;
    return sched_tenant_set_weight(s->all->sched, &s->t->sched, s->t->weight);
}

static int set_state(const struct setting *s)
{
    for (int i = 0; i <= TENANT_SUSPENDED; i++)
        if (strcmp(s->m->state, tenant_state_names[i]) == 0) {
            s->t->state = (enum tenant_state)i;
            return 0;
        }
    snprintf(s->why, TENANT_WHY, "state: is active or suspended, not '%.40s'", s->m->state);
    return -EINVAL;
}

static int set_parent(const struct setting *s)
{
    const char *now = s->t->parent != NULL ? s->t->parent->name : "";

    if (strcmp(s->m->parent, now) == 0)
        return 0;
    snprintf(s->why, TENANT_WHY, "parent: a tenant stays where it was made; what it has had is reckoned there");
    return -EINVAL;
}

static int set_uids(const struct setting *s)
{
    if (s->m->n_uids > TENANT_UIDS) {
        snprintf(s->why, TENANT_WHY, "uids: at most %d", TENANT_UIDS);
        return -EINVAL;
    }
    tenants_take_uids(s->all, s->t);
    for (size_t i = 0; i < s->m->n_uids; i++) {
        int rc = tenants_give_uid(s->all, s->m->uids[i], s->t);

        if (rc == 0)
            continue;
        snprintf(s->why, TENANT_WHY, rc == -EEXIST ? "uids: %u is another tenant's" : "uids: %u: no memory", s->m->uids[i]);
        return rc == -EEXIST ? -EINVAL : rc;
    }
    return 0;
}

static int set_quota_row(const struct setting *s, enum quota q)
{
    static const Pb__Quota none = PB__QUOTA__INIT;

    return quota_from_pb(s->m->quota != NULL ? s->m->quota : &none, q, &s->t->quota[q], s->why);
}

static int set_quota(const struct setting *s)
{
    int rc = 0;

    for (enum quota q = 0; q < QUOTAS && rc == 0; q++)
        rc = set_quota_row(s, q);
    return rc;
}

static int set_limit_row(const struct setting *s, const Pb__Limits *from, Pb__Limits *to, const struct limits_row *row)
{
    uint64_t value = from != NULL ? limits_get(from, row) : 0;

    if (value > row->max) {
        snprintf(s->why, TENANT_WHY, "limit %s: the most that this broker gives is %" PRIu64, row->name, row->max);
        return -EINVAL;
    }
    *(uint64_t *)((char *)to + row->offset) = value;
    return 0;
}

static int set_limits(const struct setting *s, const Pb__Limits *from, Pb__Limits *to)
{
    int rc = 0;

    for (size_t i = 0; i < limits_count && rc == 0; i++)
        rc = set_limit_row(s, from, to, &limits_table[i]);
    return rc;
}

static int set_limits_default(const struct setting *s)
{
    return set_limits(s, s->m->limits_default, &s->t->limits_default);
}

static int set_limits_max(const struct setting *s)
{
    return set_limits(s, s->m->limits_max, &s->t->limits_max);
}

static int set_retention(const struct setting *s)
{
    s->t->retention_result_us = s->m->retention != NULL ? s->m->retention->result_us : 0;
    s->t->retention_log_us = s->m->retention != NULL ? s->m->retention->log_us : 0;
    return 0;
}

/* Who may set it: of its own tenant an admin sets what only concerns the tenant's own use of what it has. */
enum field_of { OF_OWN, OF_PARENT, OF_OPERATOR };

/* clang-format off */
static const struct field_row {
    const char *name;
    enum field_of whose;
    int (*set)(const struct setting *s);
} fields[] = {
    { "parent",         OF_PARENT,   set_parent },
    { "weight",         OF_PARENT,   set_weight },
    { "state",          OF_PARENT,   set_state },
    { "quota",          OF_PARENT,   set_quota },
    { "limits_max",     OF_PARENT,   set_limits_max },
    { "limits_default", OF_OWN,      set_limits_default },
    { "retention",      OF_OWN,      set_retention },
    { "uids",           OF_OPERATOR, set_uids },
};
/* clang-format on */
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static const struct field_row *find_field(const char *name, size_t n)
{
    for (int i = 0; i < FIELDS; i++)
        if (strlen(fields[i].name) == n && strncmp(fields[i].name, name, n) == 0)
            return &fields[i];
    return NULL;
}

/* As --limit has it ("memory"), or as the message does ("memory_bytes"). */
static const struct limits_row *limits_field(const char *name)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(&pb__limits__descriptor, name);

    for (size_t i = 0; f != NULL && i < limits_count; i++)
        if (limits_table[i].offset == f->offset)
            return &limits_table[i];
    return limits_find(name);
}

static int set_part(const struct setting *s, const struct field_row *f, const char *part)
{
    const struct limits_row *row = limits_field(part);
    int q = quota_find(part);

    if (f->set == set_quota && q >= 0)
        return set_quota_row(s, (enum quota)q);
    if (f->set == set_limits_default && row != NULL)
        return set_limit_row(s, s->m->limits_default, &s->t->limits_default, row);
    if (f->set == set_limits_max && row != NULL)
        return set_limit_row(s, s->m->limits_max, &s->t->limits_max, row);
    if (f->set == set_retention && (strcmp(part, "result_us") == 0 || strcmp(part, "log_us") == 0)) {
        const Pb__Retention *r = s->m->retention;

        if (part[0] == 'r')
            s->t->retention_result_us = r != NULL ? r->result_us : 0;
        else
            s->t->retention_log_us = r != NULL ? r->log_us : 0;
        return 0;
    }
    snprintf(s->why, TENANT_WHY, "mask: %s has no field '%.60s'", f->name, part);
    return -EINVAL;
}

static int set_field(const struct setting *s, const struct actor *by, const char *name)
{
    const char *dot = strchr(name, '.');
    const struct field_row *f = find_field(name, dot != NULL ? (size_t)(dot - name) : strlen(name));
    bool operates = (by->scopes & ACTOR_OPERATOR) != 0;

    if (f == NULL) {
        snprintf(s->why, TENANT_WHY, "mask: a tenant has no field '%.60s' that can be set", name);
        return -EINVAL;
    }
    if (!operates && (f->whose == OF_OPERATOR || (f->whose == OF_PARENT && s->t == by->tenant))) {
        snprintf(s->why, TENANT_WHY, "%s of tenant %s is set by %s", f->name, s->t->name,
                 f->whose == OF_OPERATOR ? "an operator" : "those above it");
        return -EPERM;
    }
    return dot != NULL ? set_part(s, f, dot + 1) : f->set(s);
}

/* ---- changing ---- */

/* What the scheduler goes by. */
static void tell_sched(struct tenant *t)
{
    uint64_t max = t->quota[QUOTA_RUNNING];

    sched_tenant_set_max_running(t->owner->sched, &t->sched, max >= UINT32_MAX ? 0 : (uint32_t)max);
    sched_tenant_block(t->owner->sched, &t->sched, SCHED_SUSPENDED, t->state != TENANT_ACTIVE ? SCHED_NEVER : 0);
    sched_tenant_block(t->owner->sched, &t->sched, SCHED_QUOTA_RUNNING_0, max == 0 ? SCHED_NEVER : 0);
    tenant_look_at_day(t, loop_wall_us());
}

static uint64_t new_id(const struct tenants *t)
{
    uint64_t id;

    do {
        if (getrandom(&id, sizeof(id), 0) != sizeof(id))
            return 0;
        id = TENANT_FIRST_NAMED | (id & ((UINT64_C(1) << 52) - 1)); /* never given again, and JSON can say it exactly */
    } while (tenants_find(t, id) != NULL);
    return id;
}

static unsigned depth_of(const struct tenant *t)
{
    unsigned n = 0;

    for (; t != NULL; t = t->parent)
        n++;
    return n;
}

/* What an admin makes must leave room for others: for those of other admins, for an operator's, for local users who come new. */
static int check_room_of_admin(const struct tenants *t, const struct actor *by, char why[TENANT_WHY])
{
    unsigned below = 0, named = 0;

    for (const struct tenant *of = t->by_id; of != NULL; of = of->hh.next) {
        named += of->id >= TENANT_FIRST_NAMED;
        below += of != by->tenant && tenant_is_within(of, by->tenant);
    }
    if (below < TENANTS_BELOW && named < TENANTS_OF_ADMINS)
        return 0;
    snprintf(why, TENANT_WHY,
             below >= TENANTS_BELOW ? "there are %d tenants below %s, the most that its admins make; an operator may make more"
                                    : "there are %d tenants, the most that admins make below %s; an operator may make more",
             below >= TENANTS_BELOW ? TENANTS_BELOW : TENANTS_OF_ADMINS, by->tenant->name);
    return -EDQUOT;
}

static int create(struct tenants *t, const struct actor *by, const Pb__Tenant *m, struct tenant **ret, char why[TENANT_WHY])
{
    struct tenant *parent = NULL;
    uint64_t id;

    if (tenant_check_name(m->name, why) != 0)
        return -EINVAL;
    if (strncmp(m->name, "uid-", 4) == 0) {
        snprintf(why, TENANT_WHY, "the names uid-NUMBER are those of local users' tenants");
        return -EINVAL;
    }
    if (m->parent[0] != '\0' && ((parent = tenants_named(t, m->parent)) == NULL || !actor_sees_tenant(by, parent))) {
        snprintf(why, TENANT_WHY, "there is no tenant %.64s", m->parent);
        return -ENOENT;
    }
    if (parent == NULL && (by->scopes & ACTOR_OPERATOR) == 0) {
        snprintf(why, TENANT_WHY, "only an operator makes tenants at the top; give it a parent: %s", by->tenant->name);
        return -EPERM;
    }
    if (parent != NULL && parent->id < TENANT_FIRST_NAMED) {
        snprintf(why, TENANT_WHY, "%s is a local user's tenant, which has none below it", parent->name);
        return -EINVAL;
    }
    if (tenants_named(t, m->name) != NULL) {
        snprintf(why, TENANT_WHY, "there is a tenant %s already", m->name);
        return -EEXIST;
    }
    if ((by->scopes & ACTOR_OPERATOR) == 0 && check_room_of_admin(t, by, why) != 0)
        return -EDQUOT;
    if (depth_of(parent) >= TENANT_DEPTH || HASH_COUNT(t->by_id) >= TENANTS_MAX) {
        snprintf(why, TENANT_WHY,
                 depth_of(parent) >= TENANT_DEPTH ? "tenants stand at most %d below each other" : "there are %d tenants, the most",
                 depth_of(parent) >= TENANT_DEPTH ? TENANT_DEPTH : TENANTS_MAX);
        return -EDQUOT;
    }
    id = new_id(t);
    *ret = id != 0 ? tenants_add(t, id, m->name, parent, 1) : NULL;
    if (*ret == NULL)
        return -ENOMEM;
    (*ret)->created_us = loop_wall_us();
    return 0;
}

/* All that a set may change, so that one that is refused half way changes nothing. */
struct tenant_kept {
    struct tenant fields;
    uint32_t uids[TENANT_UIDS];
    size_t n_uids;
};

static void keep(const struct tenant *t, struct tenant_kept *k)
{
    k->n_uids = tenants_uids(t->owner, t, k->uids, TENANT_UIDS);
    k->fields = *t;
}

static void put_back(struct tenant *t, const struct tenant_kept *k)
{
    t->weight = k->fields.weight;
    t->state = k->fields.state;
    memcpy(t->quota, k->fields.quota, sizeof(t->quota));
    t->limits_default = k->fields.limits_default;
    t->limits_max = k->fields.limits_max;
    t->retention_result_us = k->fields.retention_result_us;
    t->retention_log_us = k->fields.retention_log_us;
    (void)sched_tenant_set_weight(t->owner->sched, &t->sched, t->weight);
    tenants_take_uids(t->owner, t);
    for (size_t i = 0; i < k->n_uids; i++)
        (void)tenants_give_uid(t->owner, k->uids[i], t);
}

int tenants_set(struct tenants *t, const struct actor *by, const Pb__TenantSet *set, struct tenant **ret, char why[TENANT_WHY])
{
    const Pb__Tenant *m = set->tenant;
    struct tenant *of = m == NULL ? NULL : actor_may(by, ACTOR_OPERATOR) ? tenants_named_or_uid(t, m->name) : tenants_named(t, m->name);
    struct tenant_kept before;
    struct setting s;
    int rc = 0;

    why[0] = '\0';
    if (m == NULL) {
        snprintf(why, TENANT_WHY, "a set without a tenant");
        return -EINVAL;
    }
    if (set->create)
        rc = create(t, by, m, &of, why);
    else if (of == NULL || !actor_sees_tenant(by, of)) {
        snprintf(why, TENANT_WHY, "there is no tenant %.64s", m->name);
        rc = -ENOENT;
    }
    if (rc != 0)
        return rc;
    keep(of, &before);
    s = (struct setting){ t, of, m, set->create, why };
    for (size_t i = 0; i < set->n_mask && rc == 0; i++)
        rc = set_field(&s, by, set->mask[i]);
    if (rc != 0)
        put_back(of, &before);
    if (rc != 0 && set->create)
        (void)tenants_drop(t, of);
    if (rc != 0)
        return rc;
    tell_sched(of);
    *ret = of;
    return 0;
}

/* ---- in the store ---- */

struct store_op *tenant_put_op(const struct tenant *t)
{
    struct store_op *op = store_op_new(STORE_TENANT_PUT, "");
    struct tenant_pb pb;

    if (op == NULL)
        return NULL;
    tenant_to_pb(t, &pb);
    op->tenant.id = t->id;
    op->tenant.parent = t->parent != NULL ? t->parent->id : 0;
    snprintf(op->tenant.name, sizeof(op->tenant.name), "%s", t->name);
    op->tenant.weight = t->weight;
    op->tenant.suspended = t->state == TENANT_SUSPENDED;
    op->tenant.created_us = t->created_us;
    if (frame_pack(&pb.message.base, &op->tenant.body.bytes, &op->tenant.body.len) == 0)
        return op;
    store_op_free(op);
    return NULL;
}

/* Rows as they were put: a parent may come behind its child. */
struct loaded {
    struct tenants *all;
    struct store_tenant *rows;
    struct frame *bodies;
    size_t n, cap;
};

static int take_row(void *ctx, const struct store_tenant *row)
{
    struct loaded *l = ctx;

    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct store_tenant *rows = realloc(l->rows, cap * sizeof(*rows));
        struct frame *bodies = rows != NULL ? realloc(l->bodies, cap * sizeof(*bodies)) : NULL;

        l->rows = rows != NULL ? rows : l->rows;
        l->bodies = bodies != NULL ? bodies : l->bodies;
        if (rows == NULL || bodies == NULL)
            return -ENOMEM;
        l->cap = cap;
    }
    l->rows[l->n] = *row;
    if (frame_decode(&l->bodies[l->n], &pb__tenant__descriptor, row->body.bytes, row->body.len, FRAME_MAX_CONTROL) != 0) {
        log_event(LOG_LEVEL_ERROR, "tenant_unreadable", "tenant=%s", row->name);
        return -EUCLEAN;
    }
    l->n++;
    return 0;
}

static int fill_tenant(struct tenant *t, const struct store_tenant *row, const Pb__Tenant *m)
{
    static const char *const stored[] = { "quota", "limits_default", "limits_max", "retention", "uids" };
    char why[TENANT_WHY] = "";
    struct setting s = { t->owner, t, m, false, why };

    t->created_us = row->created_us;
    t->state = row->suspended ? TENANT_SUSPENDED : TENANT_ACTIVE;
    for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++)
        if (find_field(stored[i], strlen(stored[i]))->set(&s) != 0) /* a uid that the configuration has given to another by now */
            log_event(LOG_LEVEL_WARN, "tenant_changed", "tenant=%s why=\"%s\"", t->name, why);
    sched_tenant_restore(t->owner->sched, &t->sched, row->used, loop_wall_us() > row->used_at_us ? loop_wall_us() - row->used_at_us : 0,
                         loop_clock_us());
    tenant_stored(t, (int64_t)(row->stored_bytes - t->own_stored_bytes));
    return 0;
}

/* One whose parent is there. */
static int put_row(struct loaded *l, size_t i)
{
    const struct store_tenant *row = &l->rows[i];
    struct tenant *parent = row->parent != 0 ? tenants_find(l->all, row->parent) : NULL, *t;

    if (row->parent != 0 && parent == NULL)
        return -EAGAIN;
    t = tenants_find(l->all, row->id);
    if (t == NULL)
        t = tenants_add(l->all, row->id, row->name, parent, tenant_weight_ok(row->weight) ? row->weight : 1);
    if (t == NULL)
        return -ENOMEM;
    l->all->of_uids += t->id < TENANT_FIRST_NAMED;
    (void)fill_tenant(t, row, (const Pb__Tenant *)l->bodies[i].msg);
    tell_sched(t);
    return 0;
}

static int put_rows(struct loaded *l)
{
    bool *done = calloc(l->n + 1, sizeof(*done));
    size_t left = l->n, before = left + 1;
    int rc = done != NULL ? 0 : -ENOMEM;

    while (rc == 0 && left > 0 && left < before) {
        before = left;
        for (size_t i = 0; i < l->n && rc == 0; i++) {
            if (done[i])
                continue;
            rc = put_row(l, i);
            done[i] = rc == 0;
            left -= done[i];
            rc = rc == -EAGAIN ? 0 : rc;
        }
    }
    if (rc == 0 && left > 0)
        rc = -EUCLEAN; /* a ring, or a parent that is not there */
    free(done);
    return rc;
}

static int add_today(void *ctx, const struct store_usage *u)
{
    struct tenants *t = ctx;
    struct tenant *of = tenants_of_job(t, u->tenant);
    const struct tenant_use use = { u->jobs, u->failed, u->refused, u->cpu_us, u->mib_us, u->wall_us };

    if (of != NULL)
        tenant_used(of, u->day * TENANT_DAY_US, &use);
    return 0;
}

int tenants_load(struct tenants *t)
{
    uint64_t today = loop_wall_us() / TENANT_DAY_US;
    struct loaded l = { .all = t };
    int rc;

    if (t->sched == NULL)
        return -ENOMEM;
    rc = store_each_tenant(t->broker->store, take_row, &l);
    if (rc == 0)
        rc = put_rows(&l);
    if (rc == 0)
        rc = store_each_usage(t->broker->store, NULL, 0, today, today + 1, add_today, t);
    if (rc == 0 && tenants_of_job(t, geteuid()) == NULL)
        rc = -ENOMEM;
    for (size_t i = 0; i < l.n; i++)
        frame_release(&l.bodies[i]);
    free(l.rows);
    free(l.bodies);
    return rc;
}

/* ---- refused submits: counted in memory, written once in a while ---- */

static void push_refused(struct tenants *all, struct tenant *t)
{
    struct store_op *op = store_op_new(STORE_USAGE, "");

    if (op == NULL)
        return;
    op->usage.tenant = t->id;
    op->usage.day = loop_wall_us() / TENANT_DAY_US;
    op->usage.refused = t->refused_unwritten;
    t->refused_unwritten = 0;
    store_push(all->broker->store, op);
}

static void on_write_refused(void *ctx)
{
    struct tenants *all = ctx;

    for (struct tenant *t = all->by_id; t != NULL; t = t->hh.next)
        if (t->refused_unwritten > 0)
            push_refused(all, t);
}

void tenants_push_refused(struct tenant *t)
{
    struct tenants *all = t->owner;

    t->refused_unwritten++;
    if (all->broker == NULL || all->broker->store == NULL || all->write_refused.place != 0)
        return;
    all->write_refused = (struct timer){ .fn = on_write_refused, .ctx = all };
    (void)timers_arm(&all->broker->loop.timers, &all->write_refused, all->broker->loop.now_us + TENANT_REFUSED_US);
}
