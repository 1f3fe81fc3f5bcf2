/* test_link.c - the broker's end of a link, and a far end that takes its time: what is begun has to end. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/link.h"

enum { SOON_US = 20000 };

struct scene {
    struct loop loop;
    struct link link;
    int far; /* the worker's end */
    int messages, why;
    int until; /* messages that end the loop */
};

static void on_message(void *ctx, const uint8_t *bytes, size_t len)
{
    struct scene *s = ctx;

    (void)bytes;
    (void)len;
    if (++s->messages == s->until)
        loop_stop(&s->loop);
}

static void on_gone(void *ctx, int why)
{
    struct scene *s = ctx;

    s->why = why;
    loop_stop(&s->loop);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    const struct link_handler h = { on_message, on_gone, s };

    if (s == NULL || loop_init(&s->loop) != 0 || link_open(&s->link, &s->loop, &h, &s->far) != 0)
        return -1;
    s->link.frame_us = SOON_US;
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    link_close(&s->link);
    (void)close(s->far);
    loop_finish(&s->loop);
    free(s);
    return 0;
}

static const uint8_t greeting[] = { 0, 'S', 'P', 0, 0, 16, 0, 0 }, frame[] = { 1, 0, 0, 0, 0, 0, 0, 0, 3, 'a', 'b', 'c' };

static void say(const struct scene *s, const uint8_t *bytes, size_t len)
{
    assert_int_equal(write(s->far, bytes, len), len);
}

static void a_message_that_is_begun_and_does_not_end_is_the_end(void **state)
{
    static const size_t parts[] = { 1, 9, 10, sizeof(frame) - 1 }; /* within the header, behind it, within the body */
    struct scene *s;

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        s = *state;
        say(s, greeting, sizeof(greeting));
        say(s, frame, parts[i]);
        assert_int_equal(loop_run(&s->loop), 0);
        assert_int_equal(s->why, -ETIMEDOUT);
        assert_int_equal(s->messages, 0);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void half_a_greeting_is_the_end_too(void **state)
{
    struct scene *s = *state;

    say(s, greeting, 3);
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->why, -ETIMEDOUT);
}

/* The time is a message's, not a byte's: one more byte does not buy more of it. */
static void on_byte(void *ctx)
{
    struct scene *s = ctx;

    say(s, (const uint8_t *)"x", 1);
}

static void a_byte_now_and_then_buys_no_time(void **state)
{
    struct scene *s = *state;
    struct timer bytes[8];
    const uint8_t long_frame[] = { 1, 0, 0, 0, 0, 0, 0, 0, 200 };

    say(s, greeting, sizeof(greeting));
    say(s, long_frame, sizeof(long_frame));
    for (int i = 0; i < 8; i++) {
        bytes[i] = (struct timer){ .fn = on_byte, .ctx = s };
        assert_int_equal(timers_arm(&s->loop.timers, &bytes[i], loop_clock_us() + (uint64_t)(i + 1) * SOON_US / 2), 0);
    }
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->why, -ETIMEDOUT);
    for (int i = 0; i < 8; i++)
        timers_cancel(&s->loop.timers, &bytes[i]);
}

static void on_stop(void *ctx)
{
    struct scene *s = ctx;

    loop_stop(&s->loop);
}

static void who_says_nothing_between_messages_has_all_the_time(void **state)
{
    struct scene *s = *state;
    struct timer stop = { .fn = on_stop, .ctx = s };

    s->until = 3;
    say(s, greeting, sizeof(greeting));
    for (int i = 0; i < 3; i++)
        say(s, frame, sizeof(frame));
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->messages, 3);
    s->loop.stop = 0;
    assert_int_equal(timers_arm(&s->loop.timers, &stop, loop_clock_us() + 5 * SOON_US), 0);
    assert_int_equal(loop_run(&s->loop), 0);
    assert_int_equal(s->why, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_that_is_begun_and_does_not_end_is_the_end),
        TEST(half_a_greeting_is_the_end_too),
        TEST(a_byte_now_and_then_buys_no_time),
        TEST(who_says_nothing_between_messages_has_all_the_time),
    };

    return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
