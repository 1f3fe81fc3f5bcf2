/* test_value.c - what the writer makes the reader takes; of all else nothing, and an error names the element. */
#include "value_fixture.h"

/* ---- what is good -------------------------------------------------------------------------------------------------------------------- */

static const int64_t integers[] = { 0,         1,  23,  24,  255,  256,  65535,  65536,  UINT32_MAX, (int64_t)UINT32_MAX + 1,
                                    INT64_MAX, -1, -24, -25, -256, -257, -65536, -65537, INT64_MIN };
static const double doubles[] = { 0.0, -0.0, 1.0, 1.5, 5e-324, 1.7976931348623157e308, INFINITY, -INFINITY, 9007199254740993.0 };
enum { N_INTEGERS = sizeof(integers) / sizeof(integers[0]), N_DOUBLES = sizeof(doubles) / sizeof(doubles[0]) };

static void numbers_come_back_as_they_were(void **state)
{
    struct value_writer w;
    struct value_reader r;
    struct value_item item;
    struct sample s;

    (void)state;
    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, N_INTEGERS + N_DOUBLES + 1);
    for (size_t i = 0; i < N_INTEGERS; i++)
        value_int(&w, integers[i]);
    for (size_t i = 0; i < N_DOUBLES; i++)
        value_double(&w, doubles[i]);
    value_double(&w, -nan("7"));
    value_end(&w);
    s = taken(&w);
    is_good(s);
    assert_int_equal(value_reader_init(&r, s.bytes, s.len, VALUE_BYTES, 0), 0);
    assert_int_equal(value_next(&r, &item), 0);
    assert_int_equal(item.count, N_INTEGERS + N_DOUBLES + 1);
    for (size_t i = 0; i < N_INTEGERS; i++) {
        assert_int_equal(value_next(&r, &item), 0);
        assert_int_equal(item.type, VALUE_INT);
        assert_true(item.integer == integers[i]);
    }
    for (size_t i = 0; i < N_DOUBLES; i++) {
        assert_int_equal(value_next(&r, &item), 0);
        assert_int_equal(item.type, VALUE_DOUBLE);
        assert_memory_equal(&item.number, &doubles[i], sizeof(double));
    }
    assert_int_equal(value_next(&r, &item), 0);
    assert_true(isnan(item.number));
    assert_int_equal(value_next(&r, &item), -ENODATA);
    assert_int_equal(value_next(&r, &item), -ENODATA);
    free(s.bytes);
}

static const struct big_row {
    const char *in, *out; /* NULL: an integer */
    int64_t integer;
} bigs[] = {
    {"9223372036854775807",               NULL,                              INT64_MAX},
    { "9223372036854775808",              "9223372036854775808",             0        },
    { "-9223372036854775808",             NULL,                              INT64_MIN},
    { "-9223372036854775809",             "-9223372036854775809",            0        },
    { "00000000000000000000000000000042", NULL,                              42       },
    { "-0",                               NULL,                              0        },
    { "0018446744073709551616",           "18446744073709551616",            0        },
    { "-100000000000000000000000000000",  "-100000000000000000000000000000", 0        },
    { "10000000000000000000",             "10000000000000000000",            0        },
};

static void a_big_integer_is_one_only_when_it_has_to_be(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bigs) / sizeof(bigs[0]); i++) {
        struct value_writer w;
        struct value_reader r;
        struct value_item item;
        struct sample s;

        value_writer_init(&w, VALUE_BYTES);
        value_big(&w, bigs[i].in, strlen(bigs[i].in));
        s = taken(&w);
        is_good(s);
        assert_int_equal(value_reader_init(&r, s.bytes, s.len, VALUE_BYTES, 0), 0);
        assert_int_equal(value_next(&r, &item), 0);
        assert_int_equal(item.type, bigs[i].out != NULL ? VALUE_BIG : VALUE_INT);
        if (bigs[i].out == NULL) {
            assert_true(item.integer == bigs[i].integer);
        } else {
            assert_int_equal(item.len, strlen(bigs[i].out));
            assert_memory_equal(item.bytes, bigs[i].out, item.len);
        }
        free(s.bytes);
    }
}

static void a_map_is_the_same_bytes_in_whatever_order_it_was_written(void **state)
{
    static const char *const keys[] = { "z", "name", "a", "", "aa", "b" };
    struct sample first = { NULL, 0 };

    (void)state;
    for (size_t turn = 0; turn < 6; turn++) {
        struct value_writer w;
        struct sample s;

        value_writer_init(&w, VALUE_BYTES);
        value_map(&w, 6);
        for (size_t i = 0; i < 6; i++) {
            const char *key = keys[(i + turn) % 6];

            value_text(&w, key, strlen(key));
            value_map(&w, 2);
            value_double(&w, 2.0); /* an integer, as a key */
            value_text(&w, key, strlen(key));
            value_int(&w, -1);
            value_null(&w);
            value_end(&w);
        }
        value_end(&w);
        s = taken(&w);
        is_good(s);
        if (turn == 0) {
            first = s;
            continue;
        }
        assert_int_equal(s.len, first.len);
        assert_memory_equal(s.bytes, first.bytes, s.len);
        free(s.bytes);
    }
    free(first.bytes);
}

static void items_say_where_they_stand(void **state)
{
    /* clang-format off */
    static const struct {
        enum value_type type;
        unsigned depth;
        bool key;
    } want[] = {
        { VALUE_LIST, 0, false }, { VALUE_LIST, 1, false }, { VALUE_MAP, 1, false }, { VALUE_BOOL, 2, true }, { VALUE_MAP, 2, false },
        { VALUE_HANDLE, 1, false },
    };
    /* clang-format on */
    struct value_reader r;
    struct value_item item;

    (void)state;
    assert_int_equal(value_reader_init(&r, BYTES(0x83, 0x80, 0xa1, 0xf4, 0xa0, 0xda, 'c', 'o', 'o', 'q', 2), VALUE_BYTES, HANDLES), 0);
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        assert_int_equal(value_next(&r, &item), 0);
        assert_int_equal(item.type, want[i].type);
        assert_int_equal(item.depth, want[i].depth);
        assert_int_equal(item.key, want[i].key);
    }
    assert_int_equal(item.handle, 2);
    assert_int_equal(value_next(&r, &item), -ENODATA);
}

/* ---- what is bad --------------------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct bad_row {
    const char *what;
    const uint8_t *bytes;
    size_t len;
    int error;
    const char *path;
} bad[] = {
    { "a text of indefinite length", BYTES(0x7f, 0x61, 'a', 0xff), -EPROTO, "v" },
    { "bytes of indefinite length", BYTES(0x5f, 0x41, 0, 0xff), -EPROTO, "v" },
    { "a list of indefinite length", BYTES(0x81, 0x9f, 0xff), -EPROTO, "v[1]" },
    { "a map of indefinite length", BYTES(0xbf, 0xff), -EPROTO, "v" },
    { "a break alone", BYTES(0x82, 0x01, 0xff), -EPROTO, "v[2]" },
    { "reserved head 28", BYTES(0x1c), -EPROTO, "v" },
    { "reserved head 30 of a text", BYTES(0x7e), -EPROTO, "v" },
    { "undefined", BYTES(0xf7), -EPROTO, "v" },
    { "a simple value", BYTES(0xe5), -EPROTO, "v" },
    { "a simple value of two bytes", BYTES(0xf8, 0xff), -EPROTO, "v" },
    { "a half", BYTES(0xf9, 0x3c, 0), -EPROTO, "v" },
    { "a single", BYTES(0xfa, 0x3f, 0x80, 0, 0), -EPROTO, "v" },
    { "another NaN", BYTES(0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 1), -EPROTO, "v" },
    { "a negative NaN", BYTES(0xfb, 0xff, 0xf8, 0, 0, 0, 0, 0, 0), -EPROTO, "v" },
    { "a number in two bytes that needs one", BYTES(0x18, 23), -EPROTO, "v" },
    { "a negative one in nine that needs five", BYTES(0x3b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), -EPROTO, "v" },
    { "a length in three that needs one", BYTES(0x79, 0, 1, 'a'), -EPROTO, "v" },
    { "a count in two that needs one", BYTES(0x98, 1, 0), -EPROTO, "v" },
    { "a tag in nine that needs five", BYTES(0xdb, 0, 0, 0, 0, 'c', 'o', 'o', 'q', 0), -EPROTO, "v" },
    { "beyond int64", BYTES(0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0), -EPROTO, "v" },
    { "below int64", BYTES(0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0), -EPROTO, "v" },
    { "text that is not UTF-8", BYTES(0x82, 0, 0x62, 0xc3, 0x28), -EPROTO, "v[2]" },
    { "text with a surrogate", BYTES(0x63, 0xed, 0xa0, 0x80), -EPROTO, "v" },
    { "text that is cut within a character", BYTES(0x61, 0xc3), -EPROTO, "v" },
    { "a tag of time", BYTES(0xc1, 0), -EPROTO, "v" },
    { "a bignum of the RFC", BYTES(0xc2, 0x41, 1), -EPROTO, "v" },
    { "self-described", BYTES(0xd9, 0xd9, 0xf7, 0), -EPROTO, "v" },
    { "a handle that is not there", BYTES(0xda, 'c', 'o', 'o', 'q', HANDLES), -EPROTO, "v" },
    { "a handle far away", BYTES(0xda, 'c', 'o', 'o', 'q', 0x1b, 1, 0, 0, 0, 0, 0, 0, 0), -EPROTO, "v" },
    { "a negative handle", BYTES(0xda, 'c', 'o', 'o', 'q', 0x20), -EPROTO, "v" },
    { "a handle by text", BYTES(0xda, 'c', 'o', 'o', 'q', 0x61, '0'), -EPROTO, "v" },
    { "a tag of a tag", BYTES(0xda, 'c', 'o', 'o', 'q', 0xda, 'c', 'o', 'o', 'q', 0), -EPROTO, "v" },
    { "a tag of nothing", BYTES(0xda, 'c', 'o', 'o', 'q'), -EPROTO, "v" },
    { "a big integer that is none", BYTES(0xda, 'c', 'o', 'o', 'p', 0x62, '4', '2'), -EPROTO, "v" },
    { "a big integer by number", BYTES(0xda, 'c', 'o', 'o', 'p', 0), -EPROTO, "v" },
    { "a big integer of bytes", STRING("\xda" "coop" "\x54" "12345678901234567890"), -EPROTO, "v" },
    { "zeros in front", STRING("\xda" "coop" "\x74" "02345678901234567890"), -EPROTO, "v" },
    { "digits with a letter", STRING("\xda" "coop" "\x74" "1234567890123456789e"), -EPROTO, "v" },
    { "a key twice", BYTES(0xa2, 0x61, 'a', 0, 0x61, 'a', 0), -EPROTO, "v" },
    { "keys out of order", BYTES(0xa2, 0x61, 'b', 0, 0x61, 'a', 0), -EPROTO, "v" },
    { "a key twice further down", BYTES(0xa1, 0x61, 'm', 0x82, 0, 0xa2, 1, 1, 1, 1), -EPROTO, "v.m[2]" },
    { "a NaN as key", BYTES(0xa1, 0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0, 0), -EPROTO, "v" },
    { "1.0 as key", BYTES(0xa1, 0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0), -EPROTO, "v" },
    { "-0.0 as key", BYTES(0xa1, 0xfb, 0x80, 0, 0, 0, 0, 0, 0, 0, 0), -EPROTO, "v" },
    { "null as key", BYTES(0xa1, 0xf6, 0), -EPROTO, "v" },
    { "a list as key", BYTES(0xa1, 0x80, 0), -EPROTO, "v" },
    { "a map as key", BYTES(0xa1, 0xa0, 0), -EPROTO, "v" },
    { "a handle as key", BYTES(0xa1, 0xda, 'c', 'o', 'o', 'q', 0, 0), -EPROTO, "v" },
    { "a map that lacks a value", BYTES(0xa1, 0x61, 'k'), -EPROTO, "v.k" },
    { "a list that lacks an item", BYTES(0x82, 0x81, 0), -EPROTO, "v[1]" },
    { "lists that promise more than there is together", BYTES(0x83, 0x83, 0x81, 0, 0), -EPROTO, "v[1]" },
    { "2^64-1 items", BYTES(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), -E2BIG, "v" },
    { "2^63 pairs", BYTES(0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0), -E2BIG, "v" },
    { "a million items of nothing", BYTES(0x9a, 0, 0x0f, 0, 0), -EPROTO, "v" },
    { "a text of 2^64-1 bytes", BYTES(0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'a'), -EPROTO, "v" },
    { "a text of 2^64-9 bytes", BYTES(0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf7, 'a'), -EPROTO, "v" },
    { "bytes that are not all there", BYTES(0x81, 0x44, 1, 2, 3), -EPROTO, "v[1]" },
    { "something behind it", BYTES(0, 0), -EPROTO, "v" },
    { "something behind a list", BYTES(0x81, 0x81, 0, 0), -EPROTO, "v" },
    { "nothing", (const uint8_t *)"", 0, -EPROTO, "v" },
    { "a path by all kinds of keys",
      BYTES(0xa1, 0x20, 0xa1, 0x61, '1', 0xa1, 0xf5, 0xa1, 0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xa1, 0x42, 0xff, '"', 0xf7), -EPROTO,
      "v[-1][\"1\"][true][1.5][\"\\xff\\\"\"]" },
};
/* clang-format on */

static void each_bad_value_is_refused_and_the_path_names_the_element(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char path[VALUE_PATH];
        /* Of exactly its size, so that a sanitizer sees a read beyond. */
        uint8_t *copy = malloc(bad[i].len + (bad[i].len == 0));
        int rc;

        memcpy(copy, bad[i].bytes, bad[i].len);
        rc = checked(copy, bad[i].len, path);
        free(copy);
        if (rc != bad[i].error || strcmp(path, bad[i].path) != 0)
            fail_msg("%s: %d at %s, not %d at %s", bad[i].what, rc, path, bad[i].error, bad[i].path);
    }
}

static struct sample of_all_types(void)
{
    struct value_writer w;

    value_writer_init(&w, VALUE_BYTES);
    value_list(&w, 4);
    value_map(&w, 5);
    for (int i = 0; i < 5; i++) {
        if (i == 0)
            value_bool(&w, true);
        else if (i == 1)
            value_int(&w, 300);
        else if (i == 2)
            value_double(&w, 0.5);
        else if (i == 3)
            value_text(&w, "a\xc3\xa4\0z", 5);
        else
            value_data(&w, "\xff\0", 2);
        value_list(&w, 3);
        value_null(&w);
        value_handle(&w, 2);
        value_list(&w, 0);
        value_end(&w);
        value_end(&w);
    }
    value_end(&w);
    value_big(&w, "-123456789012345678901234567890", 31);
    value_map(&w, 0);
    value_end(&w);
    value_double(&w, 1e300);
    value_end(&w);
    return taken(&w);
}

static void cut_at_any_byte_it_is_refused(void **state)
{
    struct sample s = of_all_types();

    (void)state;
    is_good(s);
    for (size_t len = 0; len < s.len; len++) {
        uint8_t *copy = malloc(len + (len == 0));

        memcpy(copy, s.bytes, len);
        assert_int_equal(checked(copy, len, NULL), -EPROTO);
        free(copy);
    }
    free(s.bytes);
}

/* Each of the 255 other values of each byte: never a crash, and what is taken is written the same. */
static void rewrite(struct value_writer *w, struct value_reader *r)
{
    struct value_item item;
    size_t left[VALUE_DEPTH + 1];
    unsigned depth = 0;

    while (value_next(r, &item) == 0) {
        switch (item.type) {
        case VALUE_NULL: value_null(w); break;
        case VALUE_BOOL: value_bool(w, item.boolean); break;
        case VALUE_INT: value_int(w, item.integer); break;
        case VALUE_BIG: value_big(w, item.bytes, item.len); break;
        case VALUE_DOUBLE: value_double(w, item.number); break;
        case VALUE_TEXT: value_text(w, item.bytes, item.len); break;
        case VALUE_DATA: value_data(w, item.bytes, item.len); break;
        case VALUE_HANDLE: value_handle(w, item.handle); break;
        case VALUE_LIST:
        case VALUE_MAP:
            (item.type == VALUE_LIST ? value_list : value_map)(w, item.count);
            left[depth++] = item.count * (item.type == VALUE_MAP ? 2 : 1) + 1;
        }
        while (depth > 0 && --left[depth - 1] == 0) {
            value_end(w);
            depth--;
        }
    }
}

static void any_byte_changed_it_is_refused_or_means_what_it_says(void **state)
{
    struct sample s = of_all_types();
    unsigned good = 0;

    (void)state;
    for (size_t at = 0; at < s.len; at++) {
        uint8_t was = s.bytes[at];

        for (unsigned flip = 1; flip < 256; flip++) {
            struct value_reader r;
            struct value_writer w;
            struct sample again;

            s.bytes[at] = (uint8_t)(was ^ flip);
            if (checked(s.bytes, s.len, NULL) != 0)
                continue;
            good++;
            value_writer_init(&w, VALUE_BYTES);
            assert_int_equal(value_reader_init(&r, s.bytes, s.len, VALUE_BYTES, HANDLES), 0);
            rewrite(&w, &r);
            again = taken(&w);
            assert_int_equal(again.len, s.len);
            assert_memory_equal(again.bytes, s.bytes, s.len);
            free(again.bytes);
        }
        s.bytes[at] = was;
    }
    assert_true(good > 0);
    free(s.bytes);
}

/* ---- paths --------------------------------------------------------------------------------------------------------------------------- */

static void a_path_that_is_too_long_is_cut_and_goes_back(void **state)
{
    struct value_path p;
    struct value_item key = { .type = VALUE_TEXT, .bytes = "\xe2\x82\xac", .len = 3 };
    size_t mark;

    (void)state;
    value_path_init(&p, "args");
    mark = value_path_index(&p, 2);
    assert_string_equal(p.text, "args[2]");
    for (int i = 0; i < 100; i++)
        (void)value_path_key(&p, &key);
    assert_true(strlen(p.text) < VALUE_PATH && strlen(p.text) > VALUE_PATH - 8);
    assert_string_equal(p.text + strlen(p.text) - 3, "...");
    assert_int_equal(value_path_key(&p, &key), VALUE_PATH);
    value_path_back(&p, VALUE_PATH);
    assert_string_equal(p.text + strlen(p.text) - 3, "...");
    value_path_back(&p, mark);
    assert_string_equal(p.text, "args");
    key.len = 2; /* a caller's broken text does no harm */
    (void)value_path_key(&p, &key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back_as_they_were),
        cmocka_unit_test(a_big_integer_is_one_only_when_it_has_to_be),
        cmocka_unit_test(a_map_is_the_same_bytes_in_whatever_order_it_was_written),
        cmocka_unit_test(items_say_where_they_stand),
        cmocka_unit_test(each_bad_value_is_refused_and_the_path_names_the_element),
        cmocka_unit_test(cut_at_any_byte_it_is_refused),
        cmocka_unit_test(any_byte_changed_it_is_refused_or_means_what_it_says),
        cmocka_unit_test(a_path_that_is_too_long_is_cut_and_goes_back),
    };

    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
