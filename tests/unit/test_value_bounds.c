/* test_value_bounds.c - bounds are the same on both sides, to the last byte and item; a writer that is used badly makes nothing. */
#include "value_fixture.h"

/* ---- bounds: the same on both sides -------------------------------------------------------------------------------------------------- */

static int nested(unsigned depth, bool map, struct sample *ret)
{
    struct value_writer w;
    int rc;

    value_writer_init(&w, VALUE_BYTES);
    for (unsigned i = 0; i < depth; i++) {
        bool last = i + 1 == depth;

        if (map)
            value_map(&w, !last);
        else
            value_list(&w, !last);
        if (map && !last)
            value_int(&w, 1);
    }
    for (unsigned i = 0; i < depth; i++)
        value_end(&w);
    rc = value_writer_take(&w, &ret->bytes, &ret->len);
    value_writer_finish(&w);
    return rc;
}

static void lists_and_maps_nest_64_deep_and_no_further(void **state)
{
    struct sample s;
    uint8_t deep[100];
    char path[VALUE_PATH];

    (void)state;
    for (int map = 0; map < 2; map++) {
        assert_int_equal(nested(VALUE_DEPTH, map, &s), 0);
        is_good(s);
        free(s.bytes);
        assert_int_equal(nested(VALUE_DEPTH + 1, map, &s), -ELOOP);
    }
    memset(deep, 0x81, sizeof(deep));
    deep[VALUE_DEPTH] = 0x80;
    assert_int_equal(checked(deep, VALUE_DEPTH + 1, path), -ELOOP);
    assert_true(strncmp(path, "v[1][1]", 7) == 0);
    assert_int_equal(strlen(path), 1 + 3 * VALUE_DEPTH);
}

static void bytes_are_bounded_to_the_last(void **state)
{
    static char text[VALUE_BYTES];
    struct value_writer w;
    struct sample s;

    (void)state;
    memset(text, 'x', sizeof(text));
    value_writer_init(&w, VALUE_BYTES);
    value_text(&w, text, VALUE_BYTES - 3);
    s = taken(&w);
    assert_int_equal(s.len, VALUE_BYTES);
    assert_int_equal(value_check(s.bytes, s.len, VALUE_BYTES, 0, "v", NULL), 0);
    assert_int_equal(value_check(s.bytes, s.len, VALUE_BYTES - 1, 0, "v", NULL), -E2BIG);
    free(s.bytes);
    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 1);
    value_text(&w, text, VALUE_BYTES - 3);
    value_end(&w);
    assert_int_equal(value_writer_take(&w, &s.bytes, &s.len), -E2BIG);
    value_writer_finish(&w);
    value_writer_init(&w, VALUE_BYTES);
    value_data(&w, text, SIZE_MAX / 2);
    assert_int_equal(w.error, -E2BIG);
    value_writer_finish(&w);
}

static void items_are_bounded_to_the_last(void **state)
{
    struct value_writer w;
    struct sample s;

    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        value_writer_init(&w, VALUE_WHOLE_BYTES);
        value_list(&w, VALUE_ITEMS - 1 + extra);
        for (size_t i = 0; i < VALUE_ITEMS - 1 + extra; i++)
            value_null(&w);
        value_end(&w);
        if (extra == 0) {
            s = taken(&w);
            is_good(s);
            s.bytes = realloc(s.bytes, s.len + 1); /* one item more */
            memcpy(s.bytes, (const uint8_t[]){ 0x9a, 0, 0x10, 0, 0 }, 5);
            s.bytes[s.len] = 0xf6;
            assert_int_equal(checked(s.bytes, s.len + 1, NULL), -E2BIG);
            free(s.bytes);
        } else {
            assert_int_equal(value_writer_take(&w, &s.bytes, &s.len), -E2BIG);
            value_writer_finish(&w);
        }
    }
}

static void digits_and_handles_are_bounded(void **state)
{
    static char digits[VALUE_BIG_DIGITS + 2];
    struct value_writer w;
    struct sample s;

    (void)state;
    memset(digits, '7', sizeof(digits));
    digits[0] = '-';
    value_writer_init(&w, VALUE_BYTES);
    value_big(&w, digits, VALUE_BIG_DIGITS + 1);
    s = taken(&w);
    is_good(s);
    free(s.bytes);
    value_writer_init(&w, VALUE_BYTES);
    value_big(&w, digits, VALUE_BIG_DIGITS + 2);
    assert_int_equal(w.error, -E2BIG);
    value_writer_finish(&w);
    value_handle(&w, VALUE_HANDLES);
    assert_int_equal(w.error, -E2BIG);
    value_writer_finish(&w);
    assert_int_equal(value_check(BYTES(0xf6), VALUE_BYTES, VALUE_HANDLES + 1, "v", NULL), -E2BIG);
}

/* ---- a writer that is used badly ----------------------------------------------------------------------------------------------------- */

static void open_list(struct value_writer *w)
{
    value_list(w, 1);
}
static void too_few(struct value_writer *w)
{
    value_list(w, 1);
    value_end(w);
}
static void too_many(struct value_writer *w)
{
    value_list(w, 1);
    value_null(w);
    value_null(w);
    value_end(w);
}
static void half_a_pair(struct value_writer *w)
{
    value_map(w, 1);
    value_int(w, 1);
    value_end(w);
}
static void two_values(struct value_writer *w)
{
    value_null(w);
    value_null(w);
}
static void an_end_of_nothing(struct value_writer *w)
{
    value_null(w);
    value_end(w);
}
static void nothing(struct value_writer *w)
{
    (void)w;
}
static void a_null_as_key(struct value_writer *w)
{
    value_map(w, 1);
    value_null(w);
}
static void a_list_as_key(struct value_writer *w)
{
    value_map(w, 1);
    value_list(w, 0);
}
static void a_nan_as_key(struct value_writer *w)
{
    value_map(w, 1);
    value_double(w, NAN);
}
static void a_big_as_key(struct value_writer *w)
{
    value_map(w, 1);
    value_big(w, "100000000000000000000", 21);
}
static void a_handle_as_key(struct value_writer *w)
{
    value_map(w, 1);
    value_handle(w, 0);
}
static void the_same_key_one_after_the_other(struct value_writer *w)
{
    value_map(w, 2);
    for (int i = 0; i < 2; i++)
        value_int(w, 7), value_null(w);
    value_end(w);
}
static void one_and_one_point_nothing(struct value_writer *w)
{
    value_map(w, 3);
    value_int(w, 1), value_null(w);
    value_int(w, 0), value_null(w);
    value_double(w, 1.0), value_null(w);
    value_end(w);
}
static void not_utf8(struct value_writer *w)
{
    value_text(w, "\xff", 1);
}
static void no_digits(struct value_writer *w)
{
    value_big(w, "-", 1);
}
static void digits_and_more(struct value_writer *w)
{
    value_big(w, "12x", 3);
}

static void a_writer_that_is_used_badly_says_so_in_the_end(void **state)
{
    static void (*const uses[])(struct value_writer *) = {
        open_list,
        too_few,
        too_many,
        half_a_pair,
        two_values,
        an_end_of_nothing,
        nothing,
        a_null_as_key,
        a_list_as_key,
        a_nan_as_key,
        a_big_as_key,
        a_handle_as_key,
        the_same_key_one_after_the_other,
        one_and_one_point_nothing,
        not_utf8,
        no_digits,
        digits_and_more,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        struct value_writer w;
        struct sample s = { NULL, 0 };

        value_writer_init(&w, VALUE_BYTES);
        uses[i](&w);
        if (value_writer_take(&w, &s.bytes, &s.len) != -EPROTO)
            fail_msg("use %zu: %d", i, w.error);
        assert_null(s.bytes);
        value_writer_finish(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_maps_nest_64_deep_and_no_further),
        cmocka_unit_test(bytes_are_bounded_to_the_last),
        cmocka_unit_test(items_are_bounded_to_the_last),
        cmocka_unit_test(digits_and_handles_are_bounded),
        cmocka_unit_test(a_writer_that_is_used_badly_says_so_in_the_end),
    };

    return cmocka_run_group_tests_name("value_bounds", tests, NULL, NULL);
}
