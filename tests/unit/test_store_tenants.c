/* test_store_tenants.c - what the store keeps of tenants: themselves, tokens, use by day, stored bytes, cron entries, limiters, names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control.pb-c.h"
#include "frame.h"
#include "store_fixture.h"

static struct store_op *tenant_of(uint64_t id, const char *name, uint64_t parent)
{
    struct store_op *op = store_op_new(STORE_TENANT_PUT, "");
    Pb__Tenant m = PB__TENANT__INIT;

    op->tenant = (struct store_tenant){ .id = id, .parent = parent, .weight = 2.5, .created_us = 11 };
    m.name = (char *)name;
    assert_int_equal(frame_pack(&m.base, &op->tenant.body.bytes, &op->tenant.body.len), 0);
    (void)snprintf(op->tenant.name, sizeof(op->tenant.name), "%s", name);
    return op;
}

static struct store_op *token_of(unsigned n, uint64_t tenant)
{
    struct store_op *op = store_op_new(STORE_TOKEN_PUT, "");

    op->token = (struct store_token){ .tenant = tenant, .scopes = 5, .created_us = 1, .expires_us = 2 };
    memcpy(op->token.id, id_of(n), ULID_LEN + 1);
    memset(op->token.hash, (int)n, STORE_HASH);
    (void)snprintf(op->token.note, sizeof(op->token.note), "note %u", n);
    return op;
}

/* ---- tenants ------------------------------------------------------------------------------------------------------------------------- */

struct seen {
    unsigned n;
    struct store_tenant tenant;
    struct store_token token;
    struct store_usage usage;
    struct store_cron cron;
    struct store_limiter limiter;
};

static int see_tenant(void *ctx, const struct store_tenant *t)
{
    struct seen *s = ctx;

    s->n++;
    s->tenant = *t;
    assert_int_equal(t->body.len, strlen(t->name) + 2); /* packed */
    assert_memory_equal(t->body.bytes + 2, t->name, strlen(t->name));
    return 0;
}

static struct seen tenants(struct store *s)
{
    struct seen seen = { 0 };

    assert_int_equal(store_each_tenant(s, see_tenant, &seen), 0);
    return seen;
}

static void a_tenant_is_put_and_changed_under_a_name_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct store_op *op;
    struct seen s;

    assert_int_equal(do_op(f->store, tenant_of(TENANT, "uid-1000", 0)), 0);
    assert_int_equal(do_op(f->store, tenant_of(1ull << 32, "acme", TENANT)), 0);
    assert_int_equal(do_op(f->store, tenant_of(7, "acme", 0)), -EEXIST);
    op = store_op_new(STORE_TENANT_USE, "");
    op->tenant = (struct store_tenant){ .id = 1ull << 32, .vtime = 1.5, .used = 2.25, .used_at_us = 9 };
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(do_op(f->store, tenant_of(1ull << 32, "acme-2", 0)), 0);
    s = tenants(f->store);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.tenant.name, "acme-2");
    assert_int_equal(s.tenant.parent, 0);
    assert_true(s.tenant.weight == 2.5);
    assert_true(s.tenant.vtime == 1.5 && s.tenant.used == 2.25); /* a change of the tenant does not forget its use */
    op = store_op_new(STORE_TENANT_USE, "");
    op->tenant.id = 99;
    assert_int_equal(do_op(f->store, op), -ENOENT);
}

static struct store_op *remove_tenant(uint64_t id)
{
    struct store_op *op = store_op_new(STORE_TENANT_REMOVE, "");

    op->tenant.id = id;
    return op;
}

static void a_tenant_goes_when_nothing_of_it_is_left(void **state)
{
    struct fixture *f = *state;
    struct store_op *op;

    assert_int_equal(do_op(f->store, tenant_of(TENANT, "t", 0)), 0);
    assert_int_equal(do_op(f->store, tenant_of(5, "child", TENANT)), 0);
    assert_int_equal(do_op(f->store, remove_tenant(6)), -ENOENT);
    assert_int_equal(do_op(f->store, remove_tenant(TENANT)), -EBUSY);
    assert_int_equal(do_op(f->store, remove_tenant(5)), 0);
    submit_many(f->store, 1, 2);
    assert_int_equal(do_op(f->store, remove_tenant(TENANT)), -EBUSY);
    assert_int_equal(do_op(f->store, finish_of(id_of(1), 1, "r")), 0);
    assert_int_equal(do_op(f->store, store_op_new(STORE_REMOVE, id_of(1))), 0);
    assert_int_equal(do_op(f->store, token_of(2, TENANT)), 0);
    assert_int_equal(do_op(f->store, remove_tenant(TENANT)), -EBUSY);
    op = token_of(2, TENANT);
    op->token.revoked = true;
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(do_op(f->store, remove_tenant(TENANT)), 0);
    assert_int_equal(tenants(f->store).n, 0);
}

/* ---- tokens -------------------------------------------------------------------------------------------------------------------------- */

static int see_token(void *ctx, const struct store_token *t)
{
    struct seen *s = ctx;

    s->n++;
    s->token = *t;
    return 0;
}

static struct store_op *used_token(unsigned n, uint64_t at)
{
    struct store_op *op = store_op_new(STORE_TOKEN_USED, "");

    memcpy(op->token.id, id_of(n), ULID_LEN + 1);
    op->token.last_used_us = at;
    return op;
}

static void a_token_is_kept_by_the_hash_of_its_secret(void **state)
{
    struct fixture *f = *state;
    struct seen s = { 0 };
    struct store_op *op;
    uint8_t want[STORE_HASH];

    assert_int_equal(do_op(f->store, token_of(1, 3)), 0);
    assert_int_equal(do_op(f->store, token_of(2, 4)), 0);
    assert_int_equal(do_op(f->store, used_token(2, 50)), 0);
    assert_int_equal(do_op(f->store, used_token(2, 40)), 0); /* a clock that went back does not make it younger */
    assert_int_equal(store_each_token(f->store, see_token, &s), 0);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.token.id, id_of(2));
    assert_int_equal(s.token.tenant, 4);
    assert_int_equal(s.token.last_used_us, 50);
    assert_string_equal(s.token.note, "note 2");
    memset(want, 2, sizeof(want));
    assert_memory_equal(s.token.hash, want, sizeof(want));
    op = store_op_new(STORE_TOKEN_REMOVE, "");
    memcpy(op->token.id, id_of(1), ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), 0);
    op = store_op_new(STORE_TOKEN_REMOVE, "");
    memcpy(op->token.id, id_of(1), ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), -ENOENT);
}

/* ---- use ----------------------------------------------------------------------------------------------------------------------------- */

static int see_usage(void *ctx, const struct store_usage *u)
{
    struct seen *s = ctx;

    s->n++;
    s->usage = *u;
    return 0;
}

static struct store_usage usage_of(struct store *s, uint64_t tenant)
{
    struct seen seen = { 0 };

    assert_int_equal(store_each_usage(s, &tenant, 1, 0, UINT64_MAX, see_usage, &seen), 0);
    assert_true(seen.n <= 1);
    return seen.usage;
}

/* More tenants than the tally has rows, in one commit: nothing is lost when it spills. */
static void every_receipt_counts_for_its_tenant_and_day(void **state)
{
    enum { JOBS = 200, TENANTS = 50 };
    struct fixture *f = *state;
    struct seen s = { 0 };
    struct store_op *op;

    for (unsigned i = 0; i < JOBS; i++) {
        op = submit_of(id_of(i));
        op->submit.row.tenant = i % TENANTS;
        store_push(f->store, op);
        op = finish_of(id_of(i), 1, "r");
        op->finish.usage = (struct store_usage){ .jobs = 1, .failed = i < TENANTS, .cpu_us = 10, .wall_us = 20, .mib_us = 30 };
        store_push(f->store, op);
        op = finish_of(id_of(i), 1, "r"); /* the second one of each is refused, and counts nothing */
        op->finish.usage = (struct store_usage){ .jobs = 1 };
        store_push(f->store, op);
    }
    assert_int_equal(collect_all(f->store, 0), 2 * JOBS);
    for (unsigned i = 0; i < TENANTS; i++) {
        struct store_usage u = usage_of(f->store, i);
        uint64_t bytes = 0;

        assert_int_equal(u.jobs, JOBS / TENANTS);
        assert_int_equal(u.failed, 1);
        assert_int_equal(u.cpu_us, 10 * JOBS / TENANTS);
        assert_int_equal(u.wall_us, 20 * JOBS / TENANTS);
        assert_int_equal(u.mib_us, 30 * JOBS / TENANTS);
        assert_int_equal(store_stored_bytes(f->store, i, &bytes), 0);
        assert_int_equal(bytes, (ULID_LEN + 1) * JOBS / TENANTS);
    }
    op = store_op_new(STORE_USAGE, "");
    op->usage = (struct store_usage){ .tenant = 3, .day = usage_of(f->store, 3).day, .refused = 4 };
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(usage_of(f->store, 3).refused, 4);
    assert_int_equal(store_each_usage(f->store, NULL, 0, 0, UINT64_MAX, see_usage, &s), 0);
    assert_int_equal(s.n, TENANTS);
    s.n = 0;
    assert_int_equal(store_each_usage(f->store, NULL, 0, 0, s.usage.day, see_usage, &s), 0); /* up to, not including */
    assert_int_equal(s.n, 0);
}

static void acts_of_administrators_are_listed_from_the_last(void **state)
{
    struct fixture *f = *state;
    struct store_admin_act a[4];

    for (unsigned i = 1; i < 6; i++) {
        struct store_op *op = store_op_new(STORE_ADMIN_ACT, "");

        op->admin_act = (struct store_admin_act){ .at_us = i, .tenant = 7 };
        (void)snprintf(op->admin_act.actor, sizeof(op->admin_act.actor), "uid:%u", i);
        (void)snprintf(op->admin_act.verb, sizeof(op->admin_act.verb), "tenant_set");
        assert_int_equal(do_op(f->store, op), 0);
    }
    assert_int_equal(store_admin_list(f->store, 0, a, 2), 2);
    assert_int_equal(a[0].seq, 5);
    assert_string_equal(a[1].actor, "uid:4");
    assert_int_equal(store_admin_list(f->store, a[1].seq, a, 4), 3);
    assert_int_equal(a[2].seq, 1);
    assert_string_equal(a[2].verb, "tenant_set");
    assert_int_equal(store_admin_list(f->store, 1, a, 4), 0);
}

/* ---- cron entries, limiters, names of things ----------------------------------------------------------------------------------------- */

static int see_cron(void *ctx, const struct store_cron *c)
{
    struct seen *s = ctx;

    s->n++;
    s->cron = *c;
    return 0;
}

static struct store_op *cron_of(unsigned n, const char *key, const char *spec)
{
    struct store_op *op = store_op_new(STORE_CRON_PUT, "");

    memcpy(op->cron.row.id, id_of(n), ULID_LEN + 1);
    op->cron.row.tenant = TENANT;
    op->cron.row.next_us = 100 * n;
    op->cron.row.spec = blob_of(spec, strlen(spec));
    (void)snprintf(op->cron.row.expr, sizeof(op->cron.row.expr), "* * * * *");
    (void)snprintf(op->cron.idem.key, sizeof(op->cron.idem.key), "%s", key);
    return op;
}

static void a_cron_entry_keeps_its_spec_and_shares_keys_with_jobs(void **state)
{
    struct fixture *f = *state;
    struct seen s = { 0 };
    struct store_op *op;
    struct store_blob b;

    assert_int_equal(do_op(f->store, cron_of(1, "k", "spec")), 0);
    op = submit_of(id_of(2));
    (void)snprintf(op->submit.idem.key, sizeof(op->submit.idem.key), "k");
    assert_int_equal(do_op(f->store, op), -EEXIST);
    assert_int_equal(do_op(f->store, cron_of(3, "k", "spec")), -EEXIST);
    op = cron_of(1, "k", ""); /* it has fired: the rest is put anew */
    op->cron.row.last_us = 55;
    memcpy(op->cron.row.last_job, id_of(9), ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(store_each_cron(f->store, see_cron, &s), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.cron.last_us, 55);
    assert_string_equal(s.cron.last_job, id_of(9));
    assert_string_equal(s.cron.expr, "* * * * *");
    assert_int_equal(store_read_spec(f->store, id_of(1), &b), 0);
    assert_blob(b, "spec", 4);
    op = store_op_new(STORE_CRON_REMOVE, "");
    memcpy(op->cron.row.id, id_of(1), ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), 0);
    assert_int_equal(do_op(f->store, cron_of(4, "k", "x")), 0); /* the key is free */
    op = store_op_new(STORE_CRON_REMOVE, "");
    memcpy(op->cron.row.id, id_of(1), ULID_LEN + 1);
    assert_int_equal(do_op(f->store, op), -ENOENT);
}

static int see_limiter(void *ctx, const struct store_limiter *l)
{
    struct seen *s = ctx;

    s->n++;
    s->limiter = *l;
    return 0;
}

static struct store_op *limiter_of(enum store_kind kind, uint64_t tenant, uint32_t max)
{
    struct store_op *op = store_op_new(kind, "");

    op->limiter = (struct store_limiter){ .tenant = tenant, .max = max };
    (void)snprintf(op->limiter.key, sizeof(op->limiter.key), "db");
    return op;
}

static void limiters_belong_to_their_tenant(void **state)
{
    struct fixture *f = *state;
    struct seen s = { 0 };

    assert_int_equal(do_op(f->store, limiter_of(STORE_LIMITER_PUT, 1, 3)), 0);
    assert_int_equal(do_op(f->store, limiter_of(STORE_LIMITER_PUT, 2, 4)), 0);
    assert_int_equal(do_op(f->store, limiter_of(STORE_LIMITER_PUT, 2, 5)), 0);
    assert_int_equal(do_op(f->store, limiter_of(STORE_LIMITER_REMOVE, 3, 0)), -ENOENT);
    assert_int_equal(do_op(f->store, limiter_of(STORE_LIMITER_REMOVE, 1, 0)), 0);
    assert_int_equal(store_each_limiter(f->store, see_limiter, &s), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.limiter.tenant, 2);
    assert_int_equal(s.limiter.max, 5);
}

static struct store_op *template_of(uint64_t tenant, uint32_t version)
{
    struct store_op *op = store_op_new(STORE_TEMPLATE, "");

    op->template = (struct store_template){ .tenant = tenant, .version = version, .spec = blob_of("x", 1) };
    (void)snprintf(op->template.name, sizeof(op->template.name), "warm");
    return op;
}

static void names_of_templates_and_queues_are_those_of_a_tenant(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(do_op(f->store, template_of(1, 1)), 0);
    assert_int_equal(do_op(f->store, template_of(2, 1)), 0);
    assert_int_equal(do_op(f->store, template_of(2, 2)), 0);
    assert_int_equal(do_op(f->store, template_of(2, 2)), -EEXIST);
    assert_int_equal(store_last_template(f->store, 1, "warm"), 1);
    assert_int_equal(store_last_template(f->store, 2, "warm"), 2);
    for (unsigned i = 0; i < 3; i++) {
        struct store_op *op = store_op_new(STORE_QUEUE_ADD, id_of(i));

        memcpy(op->queue.id, id_of(i), ULID_LEN + 1);
        op->queue.tenant = i / 2;
        (void)snprintf(op->queue.name, sizeof(op->queue.name), "work");
        assert_int_equal(do_op(f->store, op), i == 1 ? -EEXIST : 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tenant_is_put_and_changed_under_a_name_of_its_own),
        TEST(a_tenant_goes_when_nothing_of_it_is_left),
        TEST(a_token_is_kept_by_the_hash_of_its_secret),
        TEST(every_receipt_counts_for_its_tenant_and_day),
        TEST(acts_of_administrators_are_listed_from_the_last),
        TEST(a_cron_entry_keeps_its_spec_and_shares_keys_with_jobs),
        TEST(limiters_belong_to_their_tenant),
        TEST(names_of_templates_and_queues_are_those_of_a_tenant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
