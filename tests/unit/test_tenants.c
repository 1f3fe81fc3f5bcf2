/* test_tenants.c - whom jobs belong to: names, weights, quotas of three kinds, limits of three levels, counters that hold for those above too. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "broker/tenant_quota.h"
#include "job_limits.h"
#include "tests/unit/bare_broker.h"

struct fixture {
    struct bare_broker bare;
    struct tenants *t;
    struct actor operates;
    char why[TENANT_WHY];
};

static int setup(void **state)
{
    struct fixture *fx = calloc(1, sizeof(*fx));

    if (fx == NULL || bare_start(&fx->bare) != 0)
        return -1;
    fx->t = &fx->bare.b.tenants;
    fx->operates = (struct actor){ .tenant = tenants_of_uid(fx->t, geteuid()), .scopes = ACTOR_ALL, .uid = geteuid() };
    *state = fx;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fx = *state;

    bare_stop(&fx->bare);
    free(fx);
    return 0;
}

/* A set with up to four fields of the mask. */
static int set(struct fixture *fx, const struct actor *by, Pb__Tenant *m, bool create, const char *a, const char *b)
{
    char *mask[2] = { (char *)a, (char *)b };
    Pb__TenantSet q = PB__TENANT_SET__INIT;
    struct tenant *ret;

    q.tenant = m;
    q.create = create;
    q.mask = mask;
    q.n_mask = (a != NULL) + (size_t)(b != NULL);
    return tenants_set(fx->t, by, &q, &ret, fx->why);
}

static struct tenant *make(struct fixture *fx, const char *name, const char *parent)
{
    Pb__Tenant m = PB__TENANT__INIT;

    m.name = (char *)name;
    m.parent = (char *)parent;
    assert_int_equal(set(fx, &fx->operates, &m, true, NULL, NULL), 0);
    return tenants_named(fx->t, name);
}

static int set_quota(struct fixture *fx, struct tenant *t, const char *name, uint64_t value, bool nothing)
{
    Pb__Tenant m = PB__TENANT__INIT;
    Pb__Quota q = PB__QUOTA__INIT;
    char mask[64], *list[1] = { (char *)name };
    int row = quota_find(name);

    m.name = t->name;
    m.quota = &q;
    if (row == QUOTA_SUBMIT_RATE)
        q.submit_per_s = (double)value;
    else
        *(uint64_t *)((char *)&q + quota_table[row].cell) = value;
    q.nothing = list;
    q.n_nothing = nothing;
    (void)snprintf(mask, sizeof(mask), "quota.%s", name);
    return set(fx, &fx->operates, &m, false, mask, NULL);
}

/* ---- names, weights, places ---- */

static void a_name_is_letters_digits_and_little_else(void **state)
{
    static const char *const bad[] = { "", "-a", ".a", "a b", "a/b", "a\n", "\xc3\xa4", "*", "a:b" };
    struct fixture *fx = *state;
    char most[TENANT_NAME + 2];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tenant_check_name(bad[i], fx->why), -EINVAL);
    memset(most, 'a', sizeof(most));
    most[TENANT_NAME + 1] = '\0';
    assert_int_equal(tenant_check_name(most, fx->why), -EINVAL);
    most[TENANT_NAME] = '\0';
    assert_int_equal(tenant_check_name(most, fx->why), 0);
    assert_int_equal(tenant_check_name("a-b_c.9", fx->why), 0);
}

static void a_weight_is_a_number_above_nothing(void **state)
{
    const double bad[] = { 0, -0.0, -1, NAN, INFINITY, -INFINITY, 1e-9, 1e9 };
    struct fixture *fx = *state;
    struct tenant *t = make(fx, "acme", "");
    Pb__Tenant m = PB__TENANT__INIT;

    m.name = "acme";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        m.weight = bad[i];
        assert_int_equal(set(fx, &fx->operates, &m, false, "weight", NULL), -EINVAL);
        assert_true(t->weight == 1);
    }
    m.weight = 2.5;
    assert_int_equal(set(fx, &fx->operates, &m, false, "weight", NULL), 0);
    assert_true(t->weight == 2.5 && t->sched.node.weight == 2.5);
}

static void the_tenant_of_a_uid_has_its_number_and_is_made_once(void **state)
{
    struct fixture *fx = *state;
    struct tenant *t = tenants_of_uid(fx->t, 4242);

    assert_non_null(t);
    assert_int_equal(t->id, 4242);
    assert_string_equal(t->name, "uid-4242");
    assert_ptr_equal(tenants_of_uid(fx->t, 4242), t);
    assert_ptr_equal(tenants_of_job(fx->t, 4242), t);
    assert_null(tenants_of_job(fx->t, TENANT_FIRST_NAMED + 1));
}

static void local_users_are_bounded(void **state)
{
    struct fixture *fx = *state;
    unsigned n = 0;

    for (struct tenant *t; n <= TENANTS_OF_UIDS && (t = tenants_of_uid(fx->t, 100000 + n)) != NULL; n++)
        tenant_job_queued(t, 1);
    assert_int_equal(n, TENANTS_OF_UIDS - 1);           /* our own was there */
    tenant_job_queued(tenants_find(fx->t, 100007), -1); /* now it has nothing, and gives way */
    assert_non_null(tenants_of_uid(fx->t, 4242));
    assert_null(tenants_find(fx->t, 100007));
    assert_non_null(tenants_find(fx->t, 100008));
    assert_non_null(tenants_of_uid(fx->t, 4243)); /* who only looked does, too */
    assert_null(tenants_find(fx->t, 4242));
}

static void who_only_looks_leaves_no_tenant_and_what_was_said_of_one_stays(void **state)
{
    struct fixture *fx = *state;
    struct tenant *t = tenants_of_uid(fx->t, 4242);

    tenants_was_asked(fx->t, t->id, true);
    assert_null(tenants_find(fx->t, 4242));
    t = tenants_of_uid(fx->t, 4242);
    tenants_was_asked(fx->t, t->id, false);
    tenants_was_asked(fx->t, t->id, true); /* it was there before */
    assert_ptr_equal(tenants_find(fx->t, 4242), t);
    t = tenants_of_uid(fx->t, 4243);
    tenant_job_queued(t, 1);
    tenants_was_asked(fx->t, t->id, true);
    assert_ptr_equal(tenants_find(fx->t, 4243), t);
    t = tenants_named_or_uid(fx->t, "uid-4244");
    assert_int_equal(t->id, 4244);
    t->quota[QUOTA_RUNNING] = 0; /* would be none again */
    tenants_was_asked(fx->t, t->id, true);
    assert_ptr_equal(tenants_find(fx->t, 4244), t);
    assert_null(tenants_named_or_uid(fx->t, "uid-04245"));
    assert_null(tenants_named_or_uid(fx->t, "uid-4294967295"));
    assert_null(tenants_named_or_uid(fx->t, "uid-4245 "));
    for (unsigned n = 0; n <= 2 * TENANTS_OF_UIDS; n++)
        (void)tenants_of_uid(fx->t, 100000 + n);
    assert_ptr_equal(tenants_find(fx->t, 4244), t); /* what it may not, it may not when there are many */
}

static void a_configured_user_is_nobody_until_its_tenant_is_there(void **state)
{
    struct fixture *fx = *state;
    struct config_uids *u = &fx->bare.b.config.uid_tenants;
    struct tenant *t;

    u->n = 1;
    u->row[0].uid = 4242;
    strcpy(u->row[0].name, "acme");
    assert_null(tenants_of_uid(fx->t, 4242));
    t = make(fx, "acme", "");
    assert_ptr_equal(tenants_of_uid(fx->t, 4242), t);
    assert_null(tenants_named(fx->t, "uid-4242"));
}

static void a_user_belongs_to_one_tenant(void **state)
{
    struct fixture *fx = *state;
    struct tenant *a = make(fx, "a", ""), *b = make(fx, "b", "");
    uint32_t uids[] = { 5, 6 };
    Pb__Tenant m = PB__TENANT__INIT;

    m.name = "a";
    m.uids = uids;
    m.n_uids = 2;
    assert_int_equal(set(fx, &fx->operates, &m, false, "uids", NULL), 0);
    assert_ptr_equal(tenants_of_uid(fx->t, 6), a);
    m.name = "b";
    assert_int_equal(set(fx, &fx->operates, &m, false, "uids", NULL), -EINVAL);
    assert_ptr_equal(tenants_of_uid(fx->t, 6), a);
    m.name = "a";
    m.n_uids = 1;
    assert_int_equal(set(fx, &fx->operates, &m, false, "uids", NULL), 0);
    m.name = "b";
    uids[0] = 6;
    assert_int_equal(set(fx, &fx->operates, &m, false, "uids", NULL), 0);
    assert_ptr_equal(tenants_of_uid(fx->t, 6), b);
    assert_ptr_equal(tenants_of_uid(fx->t, 5), a);
}

static void tenants_stand_only_so_deep(void **state)
{
    struct fixture *fx = *state;
    char name[8] = "t0", parent[8] = "";
    Pb__Tenant m = PB__TENANT__INIT;

    for (int i = 0; i < TENANT_DEPTH; i++) {
        name[1] = (char)('0' + i);
        make(fx, name, parent);
        strcpy(parent, name);
    }
    m.name = "deeper";
    m.parent = parent;
    assert_int_equal(set(fx, &fx->operates, &m, true, NULL, NULL), -EDQUOT);
    assert_null(tenants_named(fx->t, "deeper"));
}

static void what_is_refused_half_way_changes_nothing(void **state)
{
    struct fixture *fx = *state;
    struct tenant *t = make(fx, "acme", "");
    Pb__Tenant m = PB__TENANT__INIT;

    m.name = "acme";
    m.weight = 3;
    m.state = "asleep";
    assert_int_equal(set(fx, &fx->operates, &m, false, "weight", "state"), -EINVAL);
    assert_true(t->weight == 1 && t->sched.node.weight == 1 && t->state == TENANT_ACTIVE);
    m.name = "new";
    assert_int_equal(set(fx, &fx->operates, &m, true, "weight", "state"), -EINVAL);
    assert_null(tenants_named(fx->t, "new"));
    assert_int_equal(set(fx, &fx->operates, &m, true, "wieght", NULL), -EINVAL);
    assert_int_equal(set(fx, &fx->operates, &m, true, "quota.max_runing", NULL), -EINVAL);
    assert_null(tenants_named(fx->t, "new"));
}

static void an_admin_changes_those_below_and_of_itself_only_what_is_its_own(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *below = make(fx, "below", "top");
    struct actor admin = { .tenant = top, .scopes = ACTOR_ADMIN | ACTOR_READ, .uid = UINT32_MAX };
    Pb__Tenant m = PB__TENANT__INIT;

    make(fx, "other", "");
    m.weight = 7;
    m.state = "suspended";
    m.name = "below";
    assert_int_equal(set(fx, &admin, &m, false, "weight", "quota"), 0);
    assert_true(below->weight == 7);
    m.name = "top";
    assert_int_equal(set(fx, &admin, &m, false, "weight", NULL), -EPERM);
    assert_int_equal(set(fx, &admin, &m, false, "quota", NULL), -EPERM);
    assert_int_equal(set(fx, &admin, &m, false, "quota.max_running", NULL), -EPERM);
    assert_int_equal(set(fx, &admin, &m, false, "limits_max", NULL), -EPERM);
    assert_int_equal(set(fx, &admin, &m, false, "state", NULL), -EPERM);
    assert_int_equal(set(fx, &admin, &m, false, "uids", NULL), -EPERM);
    assert_int_equal(set(fx, &admin, &m, false, "limits_default", "retention"), 0);
    m.name = "other";
    assert_int_equal(set(fx, &admin, &m, false, "weight", NULL), -ENOENT);
    m.name = "mine";
    assert_int_equal(set(fx, &admin, &m, true, NULL, NULL), -EPERM); /* at the top */
    m.parent = "other";
    assert_int_equal(set(fx, &admin, &m, true, NULL, NULL), -ENOENT);
    m.parent = "below";
    assert_int_equal(set(fx, &admin, &m, true, NULL, NULL), 0);
}

static void an_admin_makes_so_many_and_an_operator_more(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", "");
    struct actor admin = { .tenant = top, .scopes = ACTOR_ADMIN | ACTOR_READ, .uid = UINT32_MAX };
    Pb__Tenant m = PB__TENANT__INIT;
    char name[16];

    make(fx, "below", "top");
    m.name = name;
    for (int i = 1; i <= TENANTS_BELOW; i++) {
        snprintf(name, sizeof(name), "t%d", i);
        m.parent = i % 2 == 0 ? "top" : "below";
        assert_int_equal(set(fx, &admin, &m, true, NULL, NULL), i < TENANTS_BELOW ? 0 : -EDQUOT);
    }
    assert_null(tenants_named(fx->t, name));
    assert_int_equal(set(fx, &fx->operates, &m, true, NULL, NULL), 0);
    assert_non_null(make(fx, "other", ""));
    admin.tenant = tenants_named(fx->t, "other"); /* another's are not counted */
    strcpy(name, "its");
    m.parent = "other";
    assert_int_equal(set(fx, &admin, &m, true, NULL, NULL), 0);
}

/* ---- counters ---- */

static void what_is_counted_counts_for_all_above(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *a = make(fx, "a", "top"), *b = make(fx, "b", "top");

    tenant_job_queued(a, 5);
    tenant_job_queued(b, 2);
    tenant_job_queued(a, -1);
    tenant_job_running(a, 1);
    tenant_stored(b, 100);
    assert_int_equal(top->queued, 6);
    assert_int_equal(top->running, 1);
    assert_int_equal(top->stored_bytes, 100);
    assert_int_equal(a->queued, 4);
    assert_int_equal(b->running, 0);
    assert_int_equal(top->own_jobs, 0);
    assert_int_equal(a->own_jobs, 5);
    assert_int_equal(tenants_drop(fx->t, a), -EBUSY);
    assert_int_equal(tenants_drop(fx->t, top), -EBUSY);
    tenant_job_queued(a, -4);
    tenant_job_running(a, -1);
    assert_int_equal(tenants_drop(fx->t, a), 0);
    assert_null(tenants_named(fx->t, "a"));
    assert_int_equal(top->children, 1);
}

static void a_counter_never_goes_below_nothing(void **state)
{
    struct fixture *fx = *state;
    struct tenant *t = make(fx, "acme", "");

    tenant_stored(t, 5);
    tenant_stored(t, -9);
    assert_int_equal(t->stored_bytes, 0);
}

static void a_day_begins_anew_and_is_not_won_by_a_clock_set_back(void **state)
{
    const uint64_t noon = 20000 * TENANT_DAY_US + TENANT_DAY_US / 2;
    const struct tenant_use use = { .jobs = 1, .cpu_us = 3000000 };
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *t = make(fx, "acme", "top");

    tenant_used(t, noon, &use);
    tenant_used(t, noon - TENANT_DAY_US, &use);
    assert_int_equal(t->today.cpu_us, 6000000);
    assert_int_equal(top->today.jobs, 2);
    assert_int_equal(tenant_today(t, noon + 1).jobs, 2);
    assert_int_equal(tenant_today(t, noon + TENANT_DAY_US).jobs, 0);
    tenant_used(t, noon + TENANT_DAY_US, &use);
    assert_int_equal(t->today.cpu_us, 3000000);
}

static void a_day_s_quota_that_is_used_up_blocks_until_tomorrow(void **state)
{
    const uint64_t noon = 20000 * TENANT_DAY_US + TENANT_DAY_US / 2;
    const struct tenant_use use = { .cpu_us = 2000000 };
    struct fixture *fx = *state;
    struct tenant *t = make(fx, "acme", "");
    uint64_t until;

    assert_int_equal(set_quota(fx, t, "cpu_s_per_day", 3, false), 0);
    tenant_used(t, noon, &use);
    assert_int_equal(t->sched.blocked_until_us[SCHED_QUOTA_CPU_DAY], 0);
    tenant_used(t, noon, &use);
    tenant_used(t, noon - TENANT_DAY_US, &(struct tenant_use){ .cpu_us = 1 }); /* the clock was set back: nobody gains by it */
    assert_true(t->sched.blocked_until_us[SCHED_QUOTA_CPU_DAY] > 0);
    tenant_look_at_day(t, noon);
    until = t->sched.blocked_until_us[SCHED_QUOTA_CPU_DAY];
    assert_true(until > loop_clock_us() + TENANT_DAY_US / 2 - 60000000 && until <= loop_clock_us() + TENANT_DAY_US / 2);
    tenant_look_at_day(t, noon + TENANT_DAY_US); /* as when the clock was set forward */
    assert_int_equal(t->sched.blocked_until_us[SCHED_QUOTA_CPU_DAY], 0);
    assert_int_equal(set_quota(fx, t, "cpu_s_per_day", 0, true), 0);
    assert_true(t->sched.blocked_until_us[SCHED_QUOTA_CPU_DAY] == SCHED_NEVER);
    assert_int_equal(set_quota(fx, t, "cpu_s_per_day", 0, false), 0);
    assert_int_equal(t->sched.blocked_until_us[SCHED_QUOTA_CPU_DAY], 0);
}

/* ---- quotas ---- */

static void every_quota_of_the_schema_is_in_the_table(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__quota__descriptor;
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        int q = quota_find(d->fields[i].name);

        if (d->fields[i].label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        assert_true(q >= 0);
        assert_int_equal(quota_table[q].cell, d->fields[i].offset);
        assert_int_equal(quota_table[q].kind == QUOTA_RATE, d->fields[i].type == PROTOBUF_C_TYPE_DOUBLE);
        n++;
    }
    assert_int_equal(n, QUOTAS);
}

static void no_bound_a_bound_and_nothing_are_three_things(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *t = make(fx, "acme", "top");
    struct tenant_pb pb;

    assert_true(tenant_bound(t, QUOTA_QUEUED) == TENANT_NO_BOUND);
    assert_int_equal(set_quota(fx, top, "max_queued", 10, false), 0);
    assert_int_equal(tenant_bound(t, QUOTA_QUEUED), 10);
    assert_int_equal(set_quota(fx, t, "max_queued", 20, false), 0);
    assert_int_equal(tenant_bound(t, QUOTA_QUEUED), 10); /* the parent's holds for its children */
    assert_int_equal(set_quota(fx, t, "max_queued", 0, true), 0);
    assert_int_equal(tenant_bound(t, QUOTA_QUEUED), 0);
    tenant_to_pb(t, &pb);
    assert_int_equal(pb.quota.n_nothing, 1);
    assert_string_equal(pb.quota.nothing[0], "max_queued");
    assert_int_equal(set_quota(fx, t, "max_queued", 5, true), -EINVAL); /* both */
    assert_int_equal(set_quota(fx, t, "max_queued", 0, false), 0);
    tenant_to_pb(t, &pb);
    assert_int_equal(pb.quota.n_nothing, 0);
    assert_int_equal(pb.quota.max_queued, 0);
}

static void a_rate_is_a_number(void **state)
{
    const double bad[] = { -1, NAN, INFINITY, 1e9 };
    struct fixture *fx = *state;
    struct tenant *t = make(fx, "acme", "");
    Pb__Quota m = PB__QUOTA__INIT;
    uint64_t value;

    (void)t;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        m.submit_per_s = bad[i];
        assert_int_equal(quota_from_pb(&m, QUOTA_SUBMIT_RATE, &value, fx->why), -EINVAL);
    }
    m.submit_per_s = 1e-12;
    assert_int_equal(quota_from_pb(&m, QUOTA_SUBMIT_RATE, &value, fx->why), 0);
    assert_int_equal(value, 1); /* little, and not "no bound" */
}

static void a_submit_needs_room_in_all_above(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *t = make(fx, "acme", "top");
    char hint[TENANT_WHY];

    assert_int_equal(set_quota(fx, top, "max_queued", 10, false), 0);
    tenant_job_queued(t, 8);
    assert_int_equal(tenant_may_submit(t, 2, 1, fx->why, hint), 0);
    assert_int_equal(tenant_may_submit(t, 3, 1, fx->why, hint), -EDQUOT);
    assert_non_null(strstr(fx->why, "max_queued"));
    assert_non_null(strstr(fx->why, "top"));
    assert_int_equal(tenant_may_submit(t, UINT64_MAX, 1, fx->why, hint), -EDQUOT);
    assert_int_equal(t->today.refused, 2);
    assert_int_equal(set_quota(fx, t, "max_array", 100, false), 0);
    assert_int_equal(tenant_may_submit(t, 101, 1, fx->why, hint), -EDQUOT);
    assert_non_null(strstr(fx->why, "max_array"));
}

static void submits_come_at_their_rate_and_the_refusal_says_when_again(void **state)
{
    struct fixture *fx = *state;
    struct tenant *t = make(fx, "acme", "");
    char hint[TENANT_WHY];
    uint64_t now = 1000000;

    assert_int_equal(set_quota(fx, t, "submit_per_s", 2, false), 0);
    assert_int_equal(tenant_may_submit(t, 1, now, fx->why, hint), 0);
    assert_int_equal(tenant_may_submit(t, 1, now, fx->why, hint), 0);
    assert_int_equal(tenant_may_submit(t, 1, now, fx->why, hint), -EDQUOT);
    assert_non_null(strstr(fx->why, "submit_per_s"));
    assert_string_equal(hint, "retry after 500ms");
    assert_int_equal(tenant_may_submit(t, 1, now + 499999, fx->why, hint), -EDQUOT);
    assert_int_equal(tenant_may_submit(t, 1, now + 500000, fx->why, hint), 0);
    assert_int_equal(tenant_may_submit(t, 1, now + 3600000000, fx->why, hint), 0); /* an hour is not saved up */
    assert_int_equal(tenant_may_submit(t, 1, now + 3600000000, fx->why, hint), 0);
    assert_int_equal(tenant_may_submit(t, 1, now + 3600000000, fx->why, hint), -EDQUOT);
}

static void a_suspended_tenant_and_those_below_submit_nothing(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *t = make(fx, "acme", "top");
    char hint[TENANT_WHY];
    Pb__Tenant m = PB__TENANT__INIT;

    m.name = "top";
    m.state = "suspended";
    assert_int_equal(set(fx, &fx->operates, &m, false, "state", NULL), 0);
    assert_int_equal(tenant_may_submit(t, 1, 1, fx->why, hint), -EPERM);
    assert_true(top->sched.blocked_until_us[SCHED_SUSPENDED] == SCHED_NEVER);
    m.state = "active";
    assert_int_equal(set(fx, &fx->operates, &m, false, "state", NULL), 0);
    assert_int_equal(tenant_may_submit(t, 1, 1, fx->why, hint), 0);
    assert_int_equal(top->sched.blocked_until_us[SCHED_SUSPENDED], 0);
}

/* ---- limits ---- */

static void settle(Pb__Limits *l, uint32_t *ret_asked)
{
    char why[LIMITS_WHY];

    *ret_asked = limits_asked(l);
    assert_int_equal(limits_settle(l, ENGINE_LUA, why), 0);
}

static void a_limit_is_what_was_asked_the_tenant_s_default_or_the_built_in_one(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *t = make(fx, "acme", "top");
    Pb__Limits l = PB__LIMITS__INIT, built_in = PB__LIMITS__INIT;
    uint32_t asked;

    settle(&built_in, &asked);
    settle(&l, &asked);
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), 0);
    assert_memory_equal(&l, &built_in, sizeof(l));
    top->limits_default.wall_us = 7000000;
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), 0);
    assert_int_equal(l.wall_us, 7000000);
    t->limits_default.wall_us = 8000000;
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), 0);
    assert_int_equal(l.wall_us, 8000000);
    pb__limits__init(&l);
    l.wall_us = 9000000;
    settle(&l, &asked);
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), 0);
    assert_int_equal(l.wall_us, 9000000);
}

static void a_maximum_cuts_defaults_and_refuses_what_was_asked(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *t = make(fx, "acme", "top");
    Pb__Limits l = PB__LIMITS__INIT;
    uint32_t asked;

    top->limits_max.memory_bytes = 32 << 20;
    t->limits_max.memory_bytes = 48 << 20; /* more than its parent has is not more */
    t->limits_default.memory_bytes = 40 << 20;
    settle(&l, &asked);
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), 0);
    assert_int_equal(l.memory_bytes, 32 << 20);
    pb__limits__init(&l);
    l.memory_bytes = 33 << 20;
    settle(&l, &asked);
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), -EDQUOT);
    assert_non_null(strstr(fx->why, "memory"));
    assert_non_null(strstr(fx->why, "top"));
    pb__limits__init(&l);
    l.memory_bytes = 32 << 20;
    settle(&l, &asked);
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), 0);
}

static void a_default_of_a_limit_that_an_engine_has_not_is_nothing_to_it(void **state)
{
    struct fixture *fx = *state;
    struct tenant *t = make(fx, "acme", "");
    Pb__Limits l = PB__LIMITS__INIT;
    uint32_t asked;

    t->limits_default.pids = 5;
    settle(&l, &asked);
    assert_int_equal(tenant_settle_limits(t, &l, asked, ENGINE_LUA, fx->why), 0);
    assert_int_equal(l.pids, 0);
}

static void what_is_kept_is_said_by_the_job_its_tenant_or_those_above(void **state)
{
    struct fixture *fx = *state;
    struct tenant *top = make(fx, "top", ""), *t = make(fx, "acme", "top");
    Pb__Retention asked = PB__RETENTION__INIT;
    uint64_t result, log;

    tenant_retention(t, NULL, &result, &log);
    assert_true(result == 0 && log == 0);
    top->retention_result_us = 5;
    top->retention_log_us = 6;
    t->retention_log_us = 7;
    asked.result_us = 9;
    tenant_retention(t, NULL, &result, &log);
    assert_true(result == 5 && log == 7);
    tenant_retention(t, &asked, &result, &log);
    assert_true(result == 9 && log == 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_name_is_letters_digits_and_little_else),
        TEST(a_weight_is_a_number_above_nothing),
        TEST(the_tenant_of_a_uid_has_its_number_and_is_made_once),
        TEST(local_users_are_bounded),
        TEST(who_only_looks_leaves_no_tenant_and_what_was_said_of_one_stays),
        TEST(a_configured_user_is_nobody_until_its_tenant_is_there),
        TEST(a_user_belongs_to_one_tenant),
        TEST(tenants_stand_only_so_deep),
        TEST(what_is_refused_half_way_changes_nothing),
        TEST(an_admin_changes_those_below_and_of_itself_only_what_is_its_own),
        TEST(an_admin_makes_so_many_and_an_operator_more),
        TEST(what_is_counted_counts_for_all_above),
        TEST(a_counter_never_goes_below_nothing),
        TEST(a_day_begins_anew_and_is_not_won_by_a_clock_set_back),
        TEST(a_day_s_quota_that_is_used_up_blocks_until_tomorrow),
        TEST(every_quota_of_the_schema_is_in_the_table),
        TEST(no_bound_a_bound_and_nothing_are_three_things),
        TEST(a_rate_is_a_number),
        TEST(a_submit_needs_room_in_all_above),
        TEST(submits_come_at_their_rate_and_the_refusal_says_when_again),
        TEST(a_suspended_tenant_and_those_below_submit_nothing),
        TEST(a_limit_is_what_was_asked_the_tenant_s_default_or_the_built_in_one),
        TEST(a_maximum_cuts_defaults_and_refuses_what_was_asked),
        TEST(a_default_of_a_limit_that_an_engine_has_not_is_nothing_to_it),
        TEST(what_is_kept_is_said_by_the_job_its_tenant_or_those_above),
    };

    return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
