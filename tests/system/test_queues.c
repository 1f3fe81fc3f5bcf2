/* test_queues.c - queues of a real broker: between many host programs at once, over its death, and over theirs. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coop/client.h"
#include "coop/value.h"
#include "tests/support/broker_fixture.h"

enum { PRODUCERS = 8, CONSUMERS = 8, EACH = 125000, BATCH = 64, FOR_EVER = -1 };

/* ---- a host program ---------------------------------------------------------------------------------------------------------------------- */

static struct coop_client *a_client(const struct broker *b)
{
    struct coop_client_options o = { .size = sizeof(o), .endpoint = b->url, .no_autostart = true };
    struct coop_client *c = NULL;
    struct coop_error why;

    if (coop_client_open(&o, &c, &why) != 0)
        support_fail("no client: %s", why.message);
    return c;
}

static void make(struct coop_client *c, struct coop_queue_options o)
{
    struct coop_handle h;
    struct coop_error why;

    o.size = sizeof(o);
    if (coop_queue_create(c, &o, FOR_EVER, &h, &why) != 0)
        support_fail("no queue: %s", why.message);
}

static void put_numbers(struct coop_client *c, const char *queue, int64_t first, size_t n, enum coop_unbound unbound)
{
    coop_val *values[BATCH];
    struct coop_error why;
    size_t in = 0;

    for (size_t i = 0; i < n; i++)
        values[i] = coop_val_int(first + (int64_t)i);
    if (coop_queue_put(c, queue, (const coop_val *const *)values, n, unbound, FOR_EVER, &in, &why) != 0)
        support_fail("put: %s", why.message);
    if (in != n)
        support_fail("%zu of %zu are in", in, n);
    for (size_t i = 0; i < n; i++)
        coop_val_free(values[i]);
}

/* One item, at once: its number; -1: its sender has ended; or the error. */
static int64_t take_one(struct coop_client *c, const char *queue, struct coop_error *why)
{
    struct coop_items items;
    int64_t n = -1;

    if (coop_queue_get(c, queue, 1, 0, &items, why) != 0)
        return -2;
    why->message[0] = '\0';
    if (items.n != 1 || (items.items[0].value != NULL && coop_val_as_int(items.items[0].value, &n) != 0))
        support_fail("not one number");
    coop_items_free(&items);
    return n;
}

/* ---- many at once ------------------------------------------------------------------------------------------------------------------------- */

static struct crowd {
    struct broker *b;
    uint8_t seen[PRODUCERS][EACH]; /* each at most by one consumer at a time: else it was handed out twice */
    unsigned got[CONSUMERS], backwards;
} crowd;

struct member {
    pthread_t thread;
    unsigned place;
};

static void *produce(void *arg)
{
    const struct member *m = arg;
    struct coop_client *c = a_client(crowd.b);

    for (int64_t n = 0; n < EACH; n += BATCH) {
        size_t left = (size_t)(EACH - n);

        put_numbers(c, "many", (int64_t)m->place << 32 | n, left < BATCH ? left : BATCH, COOP_UNBOUND_PERSIST);
    }
    coop_client_close(c);
    return NULL;
}

static void note(unsigned consumer, int64_t last[PRODUCERS], int64_t n)
{
    unsigned from = (unsigned)(n >> 32);
    int64_t number = n & 0xffffffff;

    if (from >= PRODUCERS || number >= EACH)
        support_fail("an item that nobody has put: %lld", (long long)n);
    __atomic_fetch_add(&crowd.seen[from][number], 1, __ATOMIC_RELAXED);
    if (number <= last[from])
        __atomic_fetch_add(&crowd.backwards, 1, __ATOMIC_RELAXED);
    last[from] = number;
    crowd.got[consumer]++;
}

static void *consume(void *arg)
{
    const struct member *m = arg;
    struct coop_client *c = a_client(crowd.b);
    int64_t last[PRODUCERS], n;
    struct coop_error why;
    struct coop_items items;

    for (int i = 0; i < PRODUCERS; i++)
        last[i] = -1;
    while (coop_queue_get(c, "many", BATCH, FOR_EVER, &items, &why) == 0) {
        for (size_t i = 0; i < items.n; i++) {
            if (coop_val_as_int(items.items[i].value, &n) != 0)
                support_fail("not a number");
            note(m->place, last, n);
        }
        coop_items_free(&items);
    }
    if (strcmp(why.name, "Closed") != 0)
        support_fail("get: %s", why.message);
    coop_client_close(c);
    return NULL;
}

static void a_million_items_between_sixteen_come_once_and_in_order(void **state)
{
    struct member producers[PRODUCERS], consumers[CONSUMERS];
    struct coop_client *c;
    struct coop_error why;
    unsigned all = 0;

    memset(&crowd, 0, sizeof(crowd));
    crowd.b = *state;
    c = a_client(crowd.b);
    make(c, (struct coop_queue_options){ .name = "many", .max_items = 1000 });
    for (unsigned i = 0; i < CONSUMERS; i++) {
        consumers[i].place = i;
        assert_int_equal(pthread_create(&consumers[i].thread, NULL, consume, &consumers[i]), 0);
    }
    for (unsigned i = 0; i < PRODUCERS; i++) {
        producers[i].place = i;
        assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
    }
    for (unsigned i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(producers[i].thread, NULL), 0);
    assert_int_equal(coop_queue_close(c, "many", false, FOR_EVER, &why), 0);
    for (unsigned i = 0; i < CONSUMERS; i++) {
        assert_int_equal(pthread_join(consumers[i].thread, NULL), 0);
        all += crowd.got[i];
        assert_true(crowd.got[i] > 0);
    }
    assert_int_equal(all, PRODUCERS * EACH);
    assert_int_equal(crowd.backwards, 0);
    for (unsigned p = 0; p < PRODUCERS; p++)
        for (unsigned n = 0; n < EACH; n++)
            assert_int_equal(crowd.seen[p][n], 1);
    coop_client_close(c);
}

/* ---- the end of senders ------------------------------------------------------------------------------------------------------------------- */

static void items_of_a_session_that_ends_become_what_was_said(void **state)
{
    struct coop_client *c = a_client(*state), *s = a_client(*state);
    struct coop_queue_info info;
    struct coop_error why;

    make(c, (struct coop_queue_options){ .name = "senders" });
    put_numbers(s, "senders", 1, 1, COOP_UNBOUND_DEFAULT);
    put_numbers(s, "senders", 2, 1, COOP_UNBOUND_REMOVE);
    put_numbers(s, "senders", 3, 1, COOP_UNBOUND_ERROR);
    put_numbers(s, "senders", 4, 1, COOP_UNBOUND_PERSIST);
    put_numbers(c, "senders", 5, 1, COOP_UNBOUND_DEFAULT);
    coop_client_close(s);
    do { /* its connection's end is heard when the broker gets to it: each of these asks lets it */
        assert_int_equal(coop_queue_info(c, "senders", FOR_EVER, &info, &why), 0);
    } while (info.items == 5);
    assert_int_equal(take_one(c, "senders", &why), -1);
    assert_int_equal(take_one(c, "senders", &why), -2);
    assert_string_equal(why.name, "ItemInterpreterDestroyed");
    assert_int_equal(take_one(c, "senders", &why), 4);
    assert_int_equal(take_one(c, "senders", &why), 5);
    assert_int_equal(take_one(c, "senders", &why), -2);
    assert_string_equal(why.name, "QueueEmpty");
    coop_client_close(c);
}

/* ---- the end of the broker ---------------------------------------------------------------------------------------------------------------- */

static void what_was_acknowledged_survives_the_brokers_death(void **state)
{
    struct broker *b = *state;
    struct coop_client *c = a_client(b);
    struct coop_queue_info info;
    struct coop_error why;
    int64_t n, last;

    make(c, (struct coop_queue_options){ .name = "lasts", .durable = true, .max_items = 10000 });
    make(c, (struct coop_queue_options){ .name = "does not" });
    for (int i = 0; i < 20; i++)
        put_numbers(c, "lasts", i * BATCH, BATCH, COOP_UNBOUND_DEFAULT);
    put_numbers(c, "lasts", 9000, 1, COOP_UNBOUND_REPLACE);
    put_numbers(c, "lasts", 9001, 1, COOP_UNBOUND_REMOVE);
    put_numbers(c, "lasts", 9002, 1, COOP_UNBOUND_PERSIST);
    put_numbers(c, "does not", 1, 1, COOP_UNBOUND_PERSIST);
    for (int i = 0; i < 10; i++)
        assert_int_equal(take_one(c, "lasts", &why), i);
    broker_kill(b);
    broker_up(b);
    coop_client_close(c);
    c = a_client(b);
    assert_int_equal(coop_queue_info(c, "lasts", FOR_EVER, &info, &why), 0);
    assert_true(info.durable);
    assert_int_equal(info.max_items, 10000);
    n = take_one(c, "lasts", &why);
    assert_true(n >= 0 && n <= 10); /* what was taken last may come again: at least once */
    for (last = n + 1; last < 20 * BATCH; last++)
        assert_int_equal(take_one(c, "lasts", &why), last);
    assert_int_equal(take_one(c, "lasts", &why), -1); /* every sender has ended */
    assert_int_equal(take_one(c, "lasts", &why), 9002);
    assert_int_equal(take_one(c, "lasts", &why), -2);
    assert_int_not_equal(coop_queue_info(c, "does not", FOR_EVER, &info, &why), 0);
    assert_string_equal(why.name, "NotFound");
    coop_client_close(c);
}

static void a_durable_queue_stays_closed_and_stays_removed(void **state)
{
    struct broker *b = *state;
    struct coop_client *c = a_client(b);
    struct coop_queue_info info;
    struct coop_error why;

    make(c, (struct coop_queue_options){ .name = "closed", .durable = true });
    make(c, (struct coop_queue_options){ .name = "discarded", .durable = true });
    make(c, (struct coop_queue_options){ .name = "removed", .durable = true });
    put_numbers(c, "closed", 1, 1, COOP_UNBOUND_DEFAULT);
    put_numbers(c, "discarded", 1, 1, COOP_UNBOUND_DEFAULT);
    put_numbers(c, "removed", 1, 1, COOP_UNBOUND_DEFAULT);
    assert_int_equal(coop_queue_close(c, "closed", false, FOR_EVER, &why), 0);
    assert_int_equal(coop_queue_close(c, "discarded", true, FOR_EVER, &why), 0);
    assert_int_equal(coop_queue_remove(c, "removed", FOR_EVER, &why), 0);
    broker_kill(b);
    broker_up(b);
    coop_client_close(c);
    c = a_client(b);
    assert_int_equal(take_one(c, "closed", &why), 1);
    assert_int_equal(take_one(c, "closed", &why), -2);
    assert_string_equal(why.name, "Closed");
    assert_int_equal(take_one(c, "discarded", &why), -2);
    assert_string_equal(why.name, "Closed");
    assert_int_not_equal(coop_queue_info(c, "removed", FOR_EVER, &info, &why), 0);
    make(c, (struct coop_queue_options){ .name = "removed", .durable = true });
    assert_int_equal(take_one(c, "removed", &why), -2);
    assert_string_equal(why.name, "QueueEmpty");
    coop_client_close(c);
}

/* A put that waits for room when the broker leaves in good order was not promised; what is in was. */
static void a_broker_that_leaves_keeps_what_is_durable(void **state)
{
    struct broker *b = *state;
    struct coop_client *c = a_client(b);
    struct coop_error why;

    make(c, (struct coop_queue_options){ .name = "left", .durable = true });
    put_numbers(c, "left", 7, 2, COOP_UNBOUND_PERSIST);
    coop_client_close(c);
    assert_int_equal(broker_down(b), 0);
    broker_up(b);
    c = a_client(b);
    assert_int_equal(take_one(c, "left", &why), 7);
    assert_int_equal(take_one(c, "left", &why), 8);
    coop_client_close(c);
}

static void handles_do_not_go_into_what_lasts(void **state)
{
    struct coop_client *c = a_client(*state);
    struct coop_queue_options o = { .size = sizeof(o) };
    struct coop_handle h;
    struct coop_error why;
    coop_val *v;

    make(c, (struct coop_queue_options){ .name = "things", .durable = true });
    assert_int_equal(coop_queue_create(c, &o, FOR_EVER, &h, &why), 0);
    v = coop_val_handle(&h);
    assert_int_not_equal(coop_queue_put(c, "things", (const coop_val *const *)&v, 1, COOP_UNBOUND_DEFAULT, FOR_EVER, NULL, &why), 0);
    assert_string_equal(why.name, "NotShareable");
    assert_string_equal(why.path, "items[1]");
    coop_val_free(v);
    coop_client_close(c);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, broker_setup, broker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_million_items_between_sixteen_come_once_and_in_order),
        TEST(items_of_a_session_that_ends_become_what_was_said),
        TEST(what_was_acknowledged_survives_the_brokers_death),
        TEST(a_durable_queue_stays_closed_and_stays_removed),
        TEST(a_broker_that_leaves_keeps_what_is_durable),
        TEST(handles_do_not_go_into_what_lasts),
    };

    return cmocka_run_group_tests_name("queues of a real broker", tests, NULL, NULL);
}
