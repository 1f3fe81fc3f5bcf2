/* test_val.c - values as programs make them: what goes in comes out, through bytes too; who owns what; an error names the element. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <coop/value.h>

#include "value.h"

static const struct coop_handle queue = { .kind = COOP_KIND_QUEUE, .rights = COOP_RIGHT_SEND, .number = 7 };
static const struct coop_handle buffer = { .kind = COOP_KIND_BUFFER, .id = "01HZZZZZZZ0000000000000000", .bytes = 1 << 20 };

static coop_val *text(const char *s)
{
    return coop_val_text(s, SIZE_MAX);
}

static coop_val *of_all_types(void)
{
    coop_val *list = coop_val_list(), *map = coop_val_map();

    assert_int_equal(coop_val_set(map, "z", coop_val_null()), 0);
    assert_int_equal(coop_val_set(map, "a", coop_val_bool(true)), 0);
    assert_int_equal(coop_val_set_key(map, coop_val_int(-5), coop_val_int(INT64_MIN)), 0);
    assert_int_equal(coop_val_set_key(map, coop_val_double(1.5), coop_val_double(-0.0)), 0);
    assert_int_equal(coop_val_set_key(map, coop_val_bytes("\xff\0", 2), coop_val_bytes(NULL, 0)), 0);
    assert_int_equal(coop_val_set_key(map, coop_val_bool(false), coop_val_big("-100000000000000000000")), 0);
    assert_int_equal(coop_val_add(list, map), 0);
    assert_int_equal(coop_val_add(list, coop_val_handle(&queue)), 0);
    assert_int_equal(coop_val_add(list, coop_val_text("a\0b", 3)), 0);
    assert_int_equal(coop_val_add(list, coop_val_handle(&buffer)), 0);
    assert_int_equal(coop_val_add(list, coop_val_handle(&queue)), 0);
    assert_int_equal(coop_val_add(list, coop_val_list()), 0);
    return list;
}

static int refused(coop_val *v, const char *expected_path)
{
    struct coop_encoding e;
    char path[COOP_VAL_PATH];
    int rc = coop_val_encode(v, COOP_VAL_WHOLE_BYTES, "v", &e, path);

    assert_int_not_equal(rc, 0);
    assert_string_equal(path, expected_path);
    coop_val_free(v);
    return rc;
}

static void what_goes_in_comes_out(void **state)
{
    coop_val *v = of_all_types();
    const coop_val *map = coop_val_at(v, 0);
    int64_t i;
    double d;
    bool b;
    size_t len;

    (void)state;
    assert_int_equal(coop_val_error(v), 0);
    assert_int_equal(coop_val_count(v), 6);
    assert_int_equal(coop_val_count(map), 6);
    assert_int_equal(coop_val_type(coop_val_get(map, "z")), COOP_VAL_NULL);
    assert_int_equal(coop_val_as_bool(coop_val_get(map, "a"), &b), 0);
    assert_true(b);
    assert_int_equal(coop_val_as_int(coop_val_at(map, 2), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(coop_val_as_int(coop_val_key_at(map, 2), &i), 0);
    assert_true(i == -5);
    assert_int_equal(coop_val_as_double(coop_val_at(map, 3), &d), 0);
    assert_true(d == 0 && signbit(d));
    assert_string_equal(coop_val_as_big(coop_val_at(map, 5)), "-100000000000000000000");
    assert_non_null(coop_val_as_bytes(coop_val_at(map, 4), &len));
    assert_int_equal(len, 0);
    assert_memory_equal(coop_val_as_text(coop_val_at(v, 2), &len), "a\0b", 4);
    assert_int_equal(len, 3);
    assert_int_equal(coop_val_as_handle(coop_val_at(v, 1))->number, 7);
    assert_string_equal(coop_val_as_handle(coop_val_at(v, 3))->id, buffer.id);
    assert_null(coop_val_at(v, 6));
    assert_null(coop_val_key_at(v, 0));
    assert_null(coop_val_get(v, "a"));
    assert_null(coop_val_get(map, "b"));
    coop_val_free(v);
}

static void through_bytes_and_as_a_copy_it_is_equal(void **state)
{
    coop_val *v = of_all_types(), *copy = coop_val_copy(v), *back;
    struct coop_encoding e;
    char path[COOP_VAL_PATH];

    (void)state;
    assert_int_equal(coop_val_encode(v, COOP_VAL_INLINE_BYTES, "v", &e, path), 0);
    assert_string_equal(path, "");
    assert_int_equal(e.n_handles, 2); /* one of them is named twice */
    assert_int_equal(value_check(e.cbor, e.len, VALUE_BYTES, 2, "v", NULL), 0);
    assert_int_equal(coop_val_decode(e.cbor, e.len, COOP_VAL_INLINE_BYTES, e.handles, e.n_handles, "v", &back, path), 0);
    assert_true(coop_val_equal(v, back));
    assert_true(coop_val_equal(v, copy));
    assert_string_equal(coop_val_as_handle(coop_val_at(back, 3))->id, buffer.id);
    assert_int_equal(coop_val_as_handle(coop_val_at(back, 3))->bytes, buffer.bytes);
    assert_int_equal(coop_val_add(copy, coop_val_null()), 0);
    assert_false(coop_val_equal(v, copy));
    coop_encoding_free(&e);
    coop_encoding_free(&e);
    coop_val_free(v);
    coop_val_free(copy);
    coop_val_free(back);
}

static void numbers_are_had_as_what_they_are_exactly(void **state)
{
    coop_val *three = coop_val_double(3), *half = coop_val_double(0.5), *far = coop_val_int(INT64_MAX),
             *big = coop_val_big("9223372036854775808");
    coop_val *fits = coop_val_big("-0009223372036854775808");
    int64_t i = 1;
    double d = 1;

    (void)state;
    assert_int_equal(coop_val_as_int(three, &i), 0);
    assert_int_equal(i, 3);
    assert_int_equal(coop_val_as_int(half, &i), -ERANGE);
    assert_int_equal(coop_val_as_int(big, &i), -ERANGE);
    assert_int_equal(coop_val_as_double(far, &d), -ERANGE);
    assert_int_equal(coop_val_as_double(big, &d), -ERANGE);
    assert_int_equal(coop_val_as_double(fits, &d), 0);
    assert_true(d == -0x1p63);
    assert_int_equal(coop_val_as_bool(three, NULL), -EINVAL);
    assert_int_equal(coop_val_as_int(NULL, &i), -EINVAL);
    assert_int_equal(i, 3);
    assert_null(coop_val_as_text(three, NULL));
    coop_val_free(three), coop_val_free(half), coop_val_free(far), coop_val_free(big), coop_val_free(fits);
}

static void a_key_is_set_anew_and_one_is_the_same_as_one_point_nothing(void **state)
{
    coop_val *map = coop_val_map(), *key = coop_val_double(1.0);
    int64_t i;

    (void)state;
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(coop_val_set(map, "b", coop_val_int(turn)), 0);
        assert_int_equal(coop_val_set_key(map, coop_val_int(1), coop_val_int(turn)), 0);
        assert_int_equal(coop_val_set_key(map, coop_val_double(1.0), coop_val_int(turn + 10)), 0);
        assert_int_equal(coop_val_set(map, "a", coop_val_int(turn)), 0);
    }
    assert_int_equal(coop_val_count(map), 3);
    assert_int_equal(coop_val_as_int(coop_val_get_key(map, key), &i), 0);
    assert_int_equal(i, 11);
    assert_int_equal(coop_val_type(coop_val_key_at(map, 1)), COOP_VAL_INT);
    assert_string_equal(coop_val_as_text(coop_val_key_at(map, 0), NULL), "b");
    assert_int_equal(coop_val_as_int(coop_val_get(map, "b"), &i), 0);
    assert_int_equal(i, 1);
    coop_val_free(map);
    coop_val_free(key);
}

/* In any order: by bisection, by the tree, and again when the bytes came back. */
static void many_keys_are_all_found(void **state)
{
    enum { N = 5000 };
    struct coop_encoding e;

    (void)state;
    for (int order = 0; order < 2; order++) {
        coop_val *map = coop_val_map(), *back;

        for (int k = 0; k < N; k++)
            assert_int_equal(coop_val_set_key(map, coop_val_int((int64_t)(order == 0 ? k : k * 1237 % N)), coop_val_int(k)), 0);
        assert_int_equal(coop_val_count(map), N);
        assert_int_equal(coop_val_encode(map, COOP_VAL_WHOLE_BYTES, "v", &e, NULL), 0);
        assert_int_equal(coop_val_decode(e.cbor, e.len, COOP_VAL_WHOLE_BYTES, NULL, 0, "v", &back, NULL), 0);
        coop_encoding_free(&e);
        assert_true(coop_val_equal(map, back));
        for (int k = 0; k < N; k++) {
            coop_val *key = coop_val_int(order == 0 ? k : k * 1237 % N);
            int64_t i;

            assert_int_equal(coop_val_as_int(coop_val_get_key(map, key), &i), 0);
            assert_int_equal(i, k);
            assert_int_equal(coop_val_as_int(coop_val_get_key(back, key), &i), 0);
            assert_int_equal(i, k);
            coop_val_free(key);
        }
        coop_val_free(map);
        coop_val_free(back);
    }
}

/* Each kind of key in the order of its encoding, so that bisection of what came back finds it. */
static void keys_of_all_types_are_found_in_what_came_back(void **state)
{
    static const int64_t integers[] = { 0, 1, 23, 24, 255, 256, 65536, INT64_MAX, -1, -24, -25, -257, INT64_MIN };
    static const double doubles[] = { 0.5, -0.5, 1e300, -1e300, INFINITY, -INFINITY, 5e-324 };
    static const char *const words[] = { "", "a", "b", "ab", "aaa", "\xc3\xa4" };
    coop_val *keys[64], *map = coop_val_map(), *back;
    struct coop_encoding e;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++)
        keys[n++] = coop_val_double(doubles[i]);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        keys[n++] = text(words[i]);
        keys[n++] = coop_val_bytes(words[i], strlen(words[i]));
    }
    for (size_t i = 0; i < sizeof(integers) / sizeof(integers[0]); i++)
        keys[n++] = coop_val_int(integers[i]);
    keys[n++] = coop_val_bool(true);
    keys[n++] = coop_val_bool(false);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(coop_val_set_key(map, coop_val_copy(keys[i]), coop_val_int((int64_t)i)), 0);
    assert_int_equal(coop_val_encode(map, COOP_VAL_WHOLE_BYTES, "v", &e, NULL), 0);
    assert_int_equal(coop_val_decode(e.cbor, e.len, COOP_VAL_WHOLE_BYTES, NULL, 0, "v", &back, NULL), 0);
    for (size_t i = 0; i < n; i++) {
        int64_t at;

        assert_int_equal(coop_val_as_int(coop_val_get_key(back, keys[i]), &at), 0);
        assert_int_equal(at, (int64_t)i);
        coop_val_free(keys[i]);
    }
    coop_encoding_free(&e);
    coop_val_free(map);
    coop_val_free(back);
}

/* ---- errors ---------------------------------------------------------------------------------------------------------------------------- */

static coop_val *inside(coop_val *bad)
{
    coop_val *list = coop_val_list(), *map = coop_val_map();

    (void)coop_val_add(list, coop_val_null());
    (void)coop_val_set(map, "first", coop_val_null());
    (void)coop_val_set(map, "bad one", bad);
    (void)coop_val_add(list, map);
    (void)coop_val_add(list, text("\xff")); /* a later error says nothing any more */
    return list;
}

static void the_first_error_stays_and_is_named(void **state)
{
    static const struct coop_handle nameless = { .kind = COOP_KIND_QUEUE }, kindless = { .number = 1 };
    static char digits[COOP_VAL_DIGITS + 2];

    (void)state;
    memset(digits, '1', sizeof(digits) - 1);
    assert_int_equal(refused(inside(text("\xc3(")), "v[2][\"bad one\"]"), -EILSEQ);
    assert_int_equal(refused(inside(coop_val_text(NULL, 0)), "v[2][\"bad one\"]"), -EINVAL);
    assert_int_equal(refused(inside(coop_val_bytes(NULL, 1)), "v[2][\"bad one\"]"), -EINVAL);
    assert_int_equal(refused(inside(coop_val_big("1e9")), "v[2][\"bad one\"]"), -EINVAL);
    assert_int_equal(refused(inside(coop_val_big(digits)), "v[2][\"bad one\"]"), -E2BIG);
    assert_int_equal(refused(inside(coop_val_handle(&nameless)), "v[2][\"bad one\"]"), -EINVAL);
    assert_int_equal(refused(inside(coop_val_handle(&kindless)), "v[2][\"bad one\"]"), -EINVAL);
    assert_int_equal(refused(inside(NULL), "v[2][\"bad one\"]"), -EINVAL);
    assert_int_equal(refused(text("\xff"), "v"), -EILSEQ);
}

static void what_cannot_be_a_key_is_an_error_of_its_map(void **state)
{
    coop_val *(*const make[])(void) = { coop_val_null, coop_val_list, coop_val_map };

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        coop_val *list = coop_val_list(), *map = coop_val_map();
        coop_val *key = i < 3 ? make[i]() : i == 3 ? coop_val_double(NAN) : coop_val_big("99999999999999999999");

        assert_int_equal(coop_val_set_key(map, key, coop_val_int(1)), -EINVAL);
        assert_int_equal(coop_val_count(map), 0);
        (void)coop_val_add(list, map);
        assert_int_equal(refused(list, "v[1]"), -EINVAL);
    }
    {
        coop_val *map = coop_val_map();

        assert_int_equal(coop_val_set(map, "\xff", coop_val_int(1)), -EILSEQ);
        assert_int_equal(refused(map, "v"), -EILSEQ);
    }
}

static void a_value_belongs_to_one_place_and_is_changed_no_more(void **state)
{
    coop_val *a = coop_val_list(), *b = coop_val_map(), *inner = coop_val_list(), *n = coop_val_int(5);

    (void)state;
    assert_int_equal(coop_val_add(a, inner), 0);
    assert_int_equal(coop_val_add(a, inner), -EINVAL);
    assert_int_equal(coop_val_set(b, "k", inner), -EINVAL);
    assert_int_equal(coop_val_add(inner, coop_val_null()), -EINVAL);
    assert_int_equal(coop_val_add(a, a), -EINVAL);
    assert_int_equal(coop_val_set(b, "k", b), -EINVAL);
    assert_int_equal(coop_val_set_key(b, n, n), -EINVAL);
    assert_int_equal(coop_val_add(b, coop_val_null()), -EINVAL);
    assert_int_equal(coop_val_set(a, "k", coop_val_null()), -EINVAL);
    assert_int_equal(coop_val_add(NULL, coop_val_null()), -EINVAL);
    coop_val_free(inner); /* is a's */
    assert_int_equal(coop_val_count(a), 1);
    assert_int_equal(coop_val_count(b), 0);
    assert_int_equal(coop_val_error(a), 0);
    assert_int_equal(coop_val_error(b), 0);
    coop_val_free(a);
    coop_val_free(b);
    coop_val_free(NULL);
}

static void lists_nest_64_deep_and_no_further(void **state)
{
    coop_val *v = coop_val_list(), *outer;
    struct coop_encoding e;
    char path[COOP_VAL_PATH];

    (void)state;
    for (int i = 1; i < COOP_VAL_DEPTH; i++) {
        outer = i % 2 ? coop_val_map() : coop_val_list();
        assert_int_equal(i % 2 ? coop_val_set(outer, "k", v) : coop_val_add(outer, v), 0);
        v = outer;
    }
    assert_int_equal(coop_val_encode(v, COOP_VAL_INLINE_BYTES, "v", &e, path), 0);
    coop_encoding_free(&e);
    outer = coop_val_list();
    assert_int_equal(coop_val_add(outer, v), -ELOOP);
    assert_int_equal(refused(outer, "v"), -ELOOP);
}

static void too_big_and_too_many_handles_are_named(void **state)
{
    coop_val *list = coop_val_list(), *back = NULL;
    struct coop_encoding e;
    char path[COOP_VAL_PATH];

    (void)state;
    for (uint32_t i = 1; i <= COOP_VAL_HANDLES + 1; i++) {
        struct coop_handle h = queue;

        h.number = i;
        (void)coop_val_add(list, coop_val_handle(&h));
    }
    assert_int_equal(refused(list, "v[65]"), -E2BIG);
    list = coop_val_list();
    for (int i = 0; i < 3; i++) {
        char *bytes = calloc(1, 30000);

        (void)coop_val_add(list, coop_val_bytes(bytes, 30000));
        free(bytes);
    }
    assert_int_equal(coop_val_encode(list, COOP_VAL_INLINE_BYTES, "args", &e, path), -E2BIG);
    assert_string_equal(path, "args[3]");
    assert_int_equal(coop_val_encode(list, COOP_VAL_WHOLE_BYTES, "args", &e, path), 0);
    assert_int_equal(coop_val_decode(e.cbor, e.len, COOP_VAL_INLINE_BYTES, NULL, 0, "args", &back, path), -E2BIG);
    assert_null(back);
    coop_encoding_free(&e);
    coop_val_free(list);
}

static void bytes_of_anybody_are_refused_with_the_path(void **state)
{
    static const uint8_t open_map[] = { 0x82, 0xa2, 0x61, 'a', 0x81, 0x00, 0x61, 'b', 0x82, 0x00, 0xf7, 0x00 };
    coop_val *back = NULL;
    char path[COOP_VAL_PATH];

    (void)state;
    for (size_t len = 0; len < sizeof(open_map); len++)
        assert_int_equal(coop_val_decode(open_map, len, COOP_VAL_INLINE_BYTES, NULL, 0, "v", &back, path), -EPROTO);
    assert_int_equal(coop_val_decode(open_map, sizeof(open_map), COOP_VAL_INLINE_BYTES, NULL, 0, "v", &back, path), -EPROTO);
    assert_string_equal(path, "v[1].b[2]");
    assert_int_equal(coop_val_decode("\xda"
                                     "cooq\x01",
                                     6, COOP_VAL_INLINE_BYTES, &queue, 1, "v", &back, path),
                     -EPROTO);
    assert_int_equal(coop_val_decode("\xda"
                                     "cooq\x00",
                                     6, COOP_VAL_INLINE_BYTES, &queue, 1, "v", &back, path),
                     0);
    assert_int_equal(coop_val_as_handle(back)->number, 7);
    coop_val_free(back);
}

static void every_type_has_a_name(void **state)
{
    (void)state;
    for (int t = 0; t <= COOP_VAL_ERROR; t++)
        assert_true(strlen(coop_val_type_name((enum coop_val_type)t)) > 1);
    assert_string_equal(coop_val_type_name(COOP_VAL_TEXT), "text");
    assert_string_equal(coop_val_type_name((enum coop_val_type)99), "?");
    assert_int_equal(coop_val_type(NULL), COOP_VAL_NULL);
    assert_int_equal(coop_val_error(NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(through_bytes_and_as_a_copy_it_is_equal),
        cmocka_unit_test(numbers_are_had_as_what_they_are_exactly),
        cmocka_unit_test(a_key_is_set_anew_and_one_is_the_same_as_one_point_nothing),
        cmocka_unit_test(many_keys_are_all_found),
        cmocka_unit_test(keys_of_all_types_are_found_in_what_came_back),
        cmocka_unit_test(the_first_error_stays_and_is_named),
        cmocka_unit_test(what_cannot_be_a_key_is_an_error_of_its_map),
        cmocka_unit_test(a_value_belongs_to_one_place_and_is_changed_no_more),
        cmocka_unit_test(lists_nest_64_deep_and_no_further),
        cmocka_unit_test(too_big_and_too_many_handles_are_named),
        cmocka_unit_test(bytes_of_anybody_are_refused_with_the_path),
        cmocka_unit_test(every_type_has_a_name),
    };

    return cmocka_run_group_tests_name("val", tests, NULL, NULL);
}
