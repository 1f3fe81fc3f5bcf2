/* test_tokens.c - tokens, who somebody is, what he sees, and what failed logins cost. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/bare_broker.h"

struct fixture {
    struct bare_broker bare;
    struct tenant *acme, *below, *other;
    char text[TOKEN_TEXT + 1];
    struct token *token;
    unsigned answers, drops;
    char why[ACTOR_WHY];
};

static struct fixture *fx;

static void hear(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    (void)s;
    (void)way;
    (void)m;
    fx->answers++;
}

static void drop(struct rep_socket *s, uint32_t peer)
{
    (void)s;
    (void)peer;
    fx->drops++;
}

static struct token *add_token(struct tenant *t, unsigned scopes, const char *queue, char text[TOKEN_TEXT + 1])
{
    struct token token = { .tenant = t, .scopes = scopes, .created_us = 1 };

    (void)snprintf(token.queue, sizeof(token.queue), "%s", queue);
    if (token_make(text, token.id, token.hash) != 0)
        abort();
    return tokens_add(&fx->bare.b.tokens, &token);
}

static int setup(void **state)
{
    struct broker *b;

    fx = calloc(1, sizeof(*fx));
    if (fx == NULL || bare_start(&fx->bare) != 0)
        return -1;
    b = &fx->bare.b;
    b->control = (struct control){ .broker = b, .send = hear, .drop = drop };
    fx->acme = tenants_add(&b->tenants, TENANT_FIRST_NAMED + 1, "acme", NULL, 1);
    fx->below = tenants_add(&b->tenants, TENANT_FIRST_NAMED + 2, "below", fx->acme, 1);
    fx->other = tenants_add(&b->tenants, TENANT_FIRST_NAMED + 3, "other", NULL, 1);
    fx->token = add_token(fx->acme, ACTOR_SUBMIT | ACTOR_READ, "", fx->text);
    *state = fx;
    return fx->token != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    bare_stop(&fx->bare);
    free(fx);
    return 0;
}

static struct token *check(const char *text, uint64_t now)
{
    return tokens_check(&fx->bare.b.tokens, text, now);
}

/* ---- tokens ---- */

static void a_token_is_hex_of_one_length(void **state)
{
    (void)state;
    assert_int_equal(strlen(fx->text), TOKEN_TEXT);
    assert_int_equal(strspn(fx->text, "0123456789abcdef"), TOKEN_ID);
    assert_int_equal(fx->text[TOKEN_ID], '.');
    assert_int_equal(strspn(fx->text + TOKEN_ID + 1, "0123456789abcdef"), TOKEN_SECRET);
    assert_ptr_equal(check(fx->text, 5), fx->token);
}

static void no_two_tokens_are_alike(void **state)
{
    char text[TOKEN_TEXT + 1], id[TOKEN_ID + 1];
    uint8_t hash[TOKEN_HASH];

    (void)state;
    assert_int_equal(token_make(text, id, hash), 0);
    assert_string_not_equal(text, fx->text);
    assert_memory_not_equal(hash, fx->token->hash, TOKEN_HASH);
    assert_null(check(text, 5)); /* nobody put it in */
}

static void a_token_that_is_off_by_one_is_none(void **state)
{
    char text[TOKEN_TEXT + 2];

    (void)state;
    for (int i = 0; i < TOKEN_TEXT; i++) {
        strcpy(text, fx->text);
        text[i] = text[i] == '0' ? '1' : '0';
        assert_null(check(text, 5));
        text[i] = 'A'; /* no other letters, and not the same in upper case */
        assert_null(check(text, 5));
    }
    strcpy(text, fx->text);
    text[TOKEN_TEXT - 1] = '\0';
    assert_null(check(text, 5));
    (void)snprintf(text, sizeof(text), "%s0", fx->text);
    assert_null(check(text, 5));
    assert_null(check("", 5));
    assert_null(check(".", 5));
}

static void a_token_ends_when_it_expires_or_is_revoked(void **state)
{
    (void)state;
    fx->token->expires_us = 100;
    assert_non_null(check(fx->text, 99));
    assert_null(check(fx->text, 100));
    fx->token->expires_us = 0;
    fx->token->revoked = true;
    assert_null(check(fx->text, 99));
}

static void what_is_kept_is_no_token(void **state)
{
    uint8_t hash[TOKEN_HASH];

    (void)state;
    token_hash(fx->text, hash);
    assert_memory_equal(hash, fx->token->hash, TOKEN_HASH);
    assert_null(memmem(fx->token, sizeof(*fx->token), fx->text + TOKEN_ID + 1, 16));
}

/* ---- places ---- */

enum { NOW = 1000 };

static int begin(struct tenant *t)
{
    return tokens_begin_making(&fx->bare.b.tokens, t, NOW, fx->why);
}

/* Those whose commit is under way have their places already: no burst gets past the bound. */
static void those_that_are_being_made_count(void **state)
{
    struct tokens *t = &fx->bare.b.tokens;

    (void)state;
    for (int i = 1; i < TOKENS_OF; i++) /* setup made one */
        assert_int_equal(begin(i % 2 ? fx->acme : fx->below), 0);
    assert_int_equal(begin(fx->acme), -EDQUOT);
    assert_non_null(strstr(fx->why, "acme"));
    assert_int_equal(begin(fx->below), -EDQUOT); /* nor by those below */
    assert_int_equal(begin(fx->other), 0);       /* others do not feel it */
    tokens_end_making(t, fx->below);
    assert_int_equal(begin(fx->below), 0);
}

static void a_place_is_made_of_one_that_has_ended(void **state)
{
    char text[TOKEN_TEXT + 1], id[TOKEN_ID + 1];
    struct tokens *t = &fx->bare.b.tokens;

    (void)state;
    for (int i = 2; i < TOKENS_OF; i++)
        assert_non_null(add_token(fx->below, ACTOR_READ, "", text));
    memcpy(id, add_token(fx->below, ACTOR_READ, "", text)->id, sizeof(id));
    assert_int_equal(begin(fx->acme), -EDQUOT);
    tokens_find(t, id)->expires_us = NOW;
    assert_int_equal(begin(fx->acme), 0);
    assert_null(tokens_find(t, id));
    assert_int_equal(begin(fx->acme), -EDQUOT);
    tokens_drop_of(t, fx->below);
    assert_int_equal(fx->below->tokens, 0);
    assert_int_equal(fx->acme->tokens, 2);
}

/* ---- who ---- */

static int find(const struct rep_origin *from, const char *token, struct actor *ret)
{
    return actor_find(&fx->bare.b, from, token, ret, fx->why);
}

static void root_and_the_broker_s_own_user_operate(void **state)
{
    struct rep_origin from = { .local = true, .uid = geteuid() };
    struct actor a;

    (void)state;
    assert_int_equal(find(&from, "", &a), 0);
    assert_int_equal(a.scopes, ACTOR_ALL);
    assert_int_equal(a.tenant->id, geteuid());
    from.uid = 0;
    assert_int_equal(find(&from, "", &a), 0);
    assert_int_equal(a.scopes, ACTOR_ALL);
    assert_string_equal(a.name, "uid:0");
    from.uid = 4242;
    assert_int_equal(find(&from, "", &a), 0);
    assert_int_equal(a.scopes, ACTOR_SUBMIT | ACTOR_READ | ACTOR_CANCEL);
    assert_int_equal(a.tenant->id, 4242);
}

static void a_token_counts_for_more_than_the_user(void **state)
{
    const struct rep_origin from = { .local = true, .uid = 0 };
    struct actor a;

    (void)state;
    assert_int_equal(find(&from, fx->text, &a), 0);
    assert_int_equal(a.scopes, ACTOR_SUBMIT | ACTOR_READ);
    assert_ptr_equal(a.tenant, fx->acme);
    assert_int_equal(find(&from, "nonsense", &a), -EACCES);
}

static void from_far_there_is_a_token_or_nobody(void **state)
{
    const struct rep_origin from = { .uid = UINT32_MAX, .address = "10.0.0.1" };
    struct actor a;

    (void)state;
    assert_int_equal(find(&from, "", &a), -EPERM);
    assert_null(a.tenant);
    assert_int_equal(find(&from, fx->text, &a), 0);
}

static void the_refusal_does_not_say_which_part_was_wrong(void **state)
{
    const struct rep_origin from = { .uid = UINT32_MAX, .address = "10.0.0.1" };
    char text[TOKEN_TEXT + 1], unknown[ACTOR_WHY], wrong[ACTOR_WHY];
    struct actor a;

    (void)state;
    strcpy(text, fx->text);
    text[0] = text[0] == '0' ? '1' : '0';
    assert_int_equal(find(&from, text, &a), -EACCES);
    strcpy(unknown, fx->why);
    strcpy(text, fx->text);
    text[TOKEN_TEXT - 1] = text[TOKEN_TEXT - 1] == '0' ? '1' : '0';
    assert_int_equal(find(&from, text, &a), -EACCES);
    strcpy(wrong, fx->why);
    assert_string_equal(unknown, wrong);
    fx->token->revoked = true;
    assert_int_equal(find(&from, fx->text, &a), -EACCES);
    assert_string_equal(fx->why, wrong);
    fx->token->revoked = false;
    fx->token->expires_us = 1;
    assert_int_equal(find(&from, fx->text, &a), -EACCES);
    assert_string_equal(fx->why, wrong);
}

/* ---- what ---- */

static bool sees(const struct actor *a, const struct tenant *t, const char *queue)
{
    return actor_sees(&fx->bare.b, a, t->id, queue);
}

static void one_sees_one_s_own_and_an_admin_those_below(void **state)
{
    struct actor a = { .tenant = fx->acme, .scopes = ACTOR_READ };

    (void)state;
    assert_true(sees(&a, fx->acme, ""));
    assert_false(sees(&a, fx->below, ""));
    assert_false(sees(&a, fx->other, ""));
    a.scopes |= ACTOR_ADMIN;
    assert_true(sees(&a, fx->below, ""));
    assert_false(sees(&a, fx->other, ""));
    a.tenant = fx->below;
    assert_false(sees(&a, fx->acme, ""));
    a.scopes |= ACTOR_OPERATOR;
    assert_true(sees(&a, fx->acme, ""));
    assert_false(actor_sees(&fx->bare.b, &(struct actor){ .tenant = fx->acme, .scopes = ACTOR_READ }, 999999, ""));
}

static void a_token_of_a_queue_sees_and_submits_to_that_alone(void **state)
{
    struct actor a = { .tenant = fx->acme, .scopes = ACTOR_READ | ACTOR_SUBMIT, .queue = "fast" };
    const char *queue;

    (void)state;
    assert_true(sees(&a, fx->acme, "fast"));
    assert_false(sees(&a, fx->acme, ""));
    assert_false(sees(&a, fx->acme, "slow"));
    assert_int_equal(actor_settle_queue(&a, "", &queue), 0);
    assert_string_equal(queue, "fast");
    assert_int_equal(actor_settle_queue(&a, "fast", &queue), 0);
    assert_int_equal(actor_settle_queue(&a, "slow", &queue), -EPERM);
    strcpy(a.queue, ACTOR_DEFAULT_QUEUE);
    assert_true(sees(&a, fx->acme, ""));
}

static void what_is_lacking_has_a_name(void **state)
{
    const struct actor a = { .scopes = ACTOR_READ | ACTOR_CANCEL };

    (void)state;
    assert_true(actor_may(&a, 0));
    assert_true(actor_may(&a, ACTOR_READ));
    assert_false(actor_may(&a, ACTOR_READ | ACTOR_SUBMIT));
    assert_string_equal(actor_lacks(&a, ACTOR_READ | ACTOR_SUBMIT), "submit");
    assert_string_equal(actor_lacks(&a, ACTOR_ADMIN), "admin");
    assert_null(actor_lacks(&a, ACTOR_READ));
}

/* ---- failed logins ---- */

static void fail_login(uint32_t peer)
{
    logins_refuse(&fx->bare.b.logins, (struct rep_way){ peer, 0x80000000u }, PB__ERROR_CODE__ERROR_CODE_PERMISSION, "no");
}

static void later_failures_wait_for_a_timer_and_then_lose_the_connection(void **state)
{
    struct broker *b = &fx->bare.b;
    const struct rep_origin nobody = { .local = true, .uid = UINT32_MAX };

    (void)state;
    b->loop.now_us = 5000000;
    for (int i = 0; i < LOGINS_FREE; i++)
        fail_login(1);
    assert_int_equal(fx->answers, LOGINS_FREE);
    assert_int_equal(logins_pause_us(&b->logins, &nobody, b->loop.now_us), LOGINS_PAUSE_US);
    fail_login(1);
    assert_int_equal(fx->answers, LOGINS_FREE);
    assert_true(logins_is_paused(&b->logins, 1));
    b->loop.now_us += LOGINS_PAUSE_US - 1;
    timers_run(&b->loop.timers, b->loop.now_us);
    assert_int_equal(fx->answers, LOGINS_FREE);
    b->loop.now_us += 1;
    timers_run(&b->loop.timers, b->loop.now_us);
    assert_int_equal(fx->answers, LOGINS_FREE + 1);
    assert_int_equal(fx->drops, 0);
    assert_false(logins_is_paused(&b->logins, 1));
    while (fx->answers < LOGINS_DROP) {
        fail_login(1);
        b->loop.now_us += LOGINS_PAUSE_MAX;
        timers_run(&b->loop.timers, b->loop.now_us);
    }
    fail_login(1);
    b->loop.now_us += LOGINS_PAUSE_MAX;
    timers_run(&b->loop.timers, b->loop.now_us);
    assert_true(fx->drops > 0);
}

static void failures_are_forgiven_in_time(void **state)
{
    struct broker *b = &fx->bare.b;
    const struct rep_origin nobody = { .local = true, .uid = UINT32_MAX };

    (void)state;
    b->loop.now_us = 5000000;
    for (int i = 0; i < LOGINS_FREE; i++)
        fail_login(1);
    assert_true(logins_pause_us(&b->logins, &nobody, b->loop.now_us) > 0);
    assert_int_equal(logins_pause_us(&b->logins, &nobody, b->loop.now_us + LOGINS_FORGIVE_US), 0);
}

static void a_peer_that_goes_takes_its_answer_with_it(void **state)
{
    struct broker *b = &fx->bare.b;

    (void)state;
    b->loop.now_us = 5000000;
    for (int i = 0; i <= LOGINS_FREE; i++)
        fail_login(1);
    assert_true(logins_is_paused(&b->logins, 1));
    logins_forget_peer(&b->logins, 1);
    assert_int_equal(b->logins.n_paused, 0);
    b->loop.now_us += LOGINS_PAUSE_MAX;
    timers_run(&b->loop.timers, b->loop.now_us);
    assert_int_equal(fx->answers, LOGINS_FREE);
}

static void a_flood_holds_little_and_is_dropped(void **state)
{
    struct broker *b = &fx->bare.b;

    (void)state;
    b->loop.now_us = 5000000;
    for (uint32_t i = 0; i < 10000; i++)
        fail_login(i + 1);
    assert_int_equal(b->logins.n_paused, LOGINS_PAUSED);
    assert_true(fx->drops >= 10000 - LOGINS_PAUSED - LOGINS_FREE);
    assert_int_equal(b->logins.failed, 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_token_is_hex_of_one_length),
        TEST(no_two_tokens_are_alike),
        TEST(a_token_that_is_off_by_one_is_none),
        TEST(a_token_ends_when_it_expires_or_is_revoked),
        TEST(what_is_kept_is_no_token),
        TEST(those_that_are_being_made_count),
        TEST(a_place_is_made_of_one_that_has_ended),
        TEST(root_and_the_broker_s_own_user_operate),
        TEST(a_token_counts_for_more_than_the_user),
        TEST(from_far_there_is_a_token_or_nobody),
        TEST(the_refusal_does_not_say_which_part_was_wrong),
        TEST(one_sees_one_s_own_and_an_admin_those_below),
        TEST(a_token_of_a_queue_sees_and_submits_to_that_alone),
        TEST(what_is_lacking_has_a_name),
        TEST(later_failures_wait_for_a_timer_and_then_lose_the_connection),
        TEST(failures_are_forgiven_in_time),
        TEST(a_peer_that_goes_takes_its_answer_with_it),
        TEST(a_flood_holds_little_and_is_dropped),
    };

    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
