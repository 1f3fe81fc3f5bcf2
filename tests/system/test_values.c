/*
 * test_values.c - typed values on their whole way: a host program, the broker, an interpreter, and back; through a queue, too. What cannot
 * travel is refused by name, with the path of the element.
 */
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

#include <coop/client.h>
#include <coop/value_json.h>

#include "tests/support/broker_fixture.h"

enum { TIMEOUT_US = 60 * 1000000 };

struct at_work {
    struct broker *b;
    struct coop_client *client;
    struct coop_handle interp;
};

/* ---- a broker, a client, an interpreter ---------------------------------------------------------------------------------------------- */

static const char source[] = "function same(...) return ... end\n"
                             "function kind(x) return math.type(x) or type(x) end\n"
                             "function count(...) return select('#', ...) end\n"
                             "function deep(n) local t = {} for i = 1, n - 1 do t = { t } end return t end\n"
                             "function wide(n) return { first = 1, list = { string.rep('x', n) } } end\n"
                             "function itself() local t = {} t.me = { t } return t end\n"
                             "function code() return { 1, { f = print } } end\n";

static void must(int rc, const struct coop_error *why)
{
    if (rc != 0)
        fail_msg("%s: %s %s", why->name, why->message, why->traceback);
}

/* cap: NULL: none. */
static struct coop_handle make_interp(struct coop_client *client, const char *cap)
{
    struct coop_spec *spec = coop_spec_new("lua");
    struct coop_interp_options options = { .size = sizeof(options), .spec = spec };
    struct coop_call_result result;
    struct coop_handle interp;
    struct coop_error why;

    if (cap != NULL)
        coop_spec_cap(spec, cap);
    must(coop_interp_create(client, &options, TIMEOUT_US, &interp, &why), &why);
    coop_spec_free(spec);
    must(coop_interp_exec(client, interp.id, "values.lua", source, strlen(source), TIMEOUT_US, &result, &why), &why);
    coop_val_free(result.value);
    return interp;
}

static int set_up(void **state)
{
    struct at_work *w = calloc(1, sizeof(*w));
    void *b = NULL;
    struct coop_client_options options = { .size = sizeof(options), .no_autostart = true };
    struct coop_error why;

    assert_int_equal(broker_setup(&b), 0);
    w->b = b;
    options.endpoint = w->b->url;
    must(coop_client_open(&options, &w->client, &why), &why);
    w->interp = make_interp(w->client, "buffers=64M");
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct at_work *w = *state;
    void *b = w->b;

    coop_client_close(w->client);
    free(w);
    return broker_teardown(&b);
}

/* args are freed. NULL: it failed, and why says how. */
static coop_val *call(struct at_work *w, const char *function, coop_val *args, struct coop_error *why)
{
    struct coop_call_result result;
    int rc = coop_interp_call(w->client, w->interp.id, function, args, TIMEOUT_US, &result, why);

    coop_val_free(args);
    return rc == 0 ? result.value : NULL;
}

static coop_val *args_of(coop_val *only)
{
    coop_val *args = coop_val_list();

    assert_int_equal(coop_val_add(args, only), 0);
    return args;
}

static coop_val *of_json(const char *text)
{
    coop_val *v;
    char words[COOP_JSON_WHY];

    if (coop_val_from_json(text, strlen(text), &v, words) != 0)
        fail_msg("%s: %s", text, words);
    return v;
}

static void comes_back(struct at_work *w, const char *sent, const char *expected)
{
    struct coop_error why;
    coop_val *back = call(w, "same", args_of(of_json(sent)), &why), *want = of_json(expected);
    char *text = NULL;

    if (back == NULL)
        fail_msg("%s: %s %s", sent, why.name, why.message);
    assert_int_equal(coop_val_to_json(back, &text), 0);
    if (!coop_val_equal(back, want))
        fail_msg("%s came back as %s", sent, text);
    free(text);
    coop_val_free(back);
    coop_val_free(want);
}

/* ---- there and back ------------------------------------------------------------------------------------------------------------------ */

/* Through Lua, where bytes that are UTF-8 and texts are one, and an empty table is a list. */
static const char *const ways[][2] = {
    {"null",                                            "null"                                          },
    { "true",                                           "true"                                          },
    { "9223372036854775807",                            "9223372036854775807"                           },
    { "-9223372036854775808",                           "-9223372036854775808"                          },
    { "1.0",                                            "1.0"                                           },
    { "-0.0",                                           "-0.0"                                          },
    { "5e-324",                                         "5e-324"                                        },
    { "{\"$double\": \"inf\"}",                         "{\"$double\": \"inf\"}"                        },
    { "{\"$double\": \"nan\"}",                         "{\"$double\": \"nan\"}"                        },
    { "\"\\u0000 \\u00e4 \\ud83d\\ude42\"",             "\"\\u0000 \\u00e4 \\ud83d\\ude42\""            },
    { "{\"$bytes\": \"/w==\"}",                         "{\"$bytes\": \"/w==\"}"                        },
    { "123456789012345678901234567890",                 "123456789012345678901234567890"                },
    { "[1, [2.5, [], \"x\"], null, 4]",                 "[1, [2.5, [], \"x\"], null, 4]"                },
    { "{\"b\": {\"a\": [1]}, \"\": null}",              "{\"b\": {\"a\": [1]}, \"\": null}"             },
    { "{\"$map\": [[-1, \"m\"], [true, 1], [0.5, 2]]}", "{\"$map\": [[-1, \"m\"], [true, 1], [0.5, 2]]}"},
};

static void each_type_comes_back_as_it_went(void **state)
{
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        comes_back(*state, ways[i][0], ways[i][1]);
}

static void a_number_is_inside_what_it_was_outside(void **state)
{
    static const char *const kinds[][2] = {
        {"3",      "integer"},
        { "3.0",   "float"  },
        { "\"3\"", "string" },
        { "true",  "boolean"},
        { "[]",    "table"  }
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct coop_error why;
        coop_val *back = call(*state, "kind", args_of(of_json(kinds[i][0])), &why);

        assert_non_null(back);
        assert_string_equal(coop_val_as_text(back, NULL), kinds[i][1]);
        coop_val_free(back);
    }
}

static void arguments_are_as_many_as_were_given(void **state)
{
    for (int n = 0; n <= 200; n += 50) {
        coop_val *args = coop_val_list(), *back;
        struct coop_error why;
        int64_t got = -1;

        for (int i = 0; i < n; i++)
            assert_int_equal(coop_val_add(args, coop_val_null()), 0);
        back = call(*state, "count", args, &why);
        assert_int_equal(coop_val_as_int(back, &got), 0);
        assert_int_equal(got, n);
        coop_val_free(back);
    }
}

static void what_is_too_large_for_a_message_travels_in_a_buffer(void **state)
{
    static const size_t sizes[] = { 60000, 65533, 65536, 200000, 5000000 };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *bytes = malloc(sizes[i]);
        coop_val *sent, *back;
        struct coop_error why;

        for (size_t at = 0; at < sizes[i]; at++)
            bytes[at] = (char)('a' + at % 23);
        sent = coop_val_text(bytes, sizes[i]);
        back = call(*state, "same", args_of(coop_val_copy(sent)), &why);
        if (back == NULL)
            fail_msg("%zu bytes: %s %s", sizes[i], why.name, why.message);
        assert_true(coop_val_equal(sent, back));
        coop_val_free(sent);
        coop_val_free(back);
        free(bytes);
    }
}

/* Who may make no buffers can take large values, and give none. */
static void a_large_result_needs_the_capability(void **state)
{
    struct at_work w = *(struct at_work *)*state;
    struct coop_error why;
    coop_val *back;
    char *bytes = calloc(1, 100000);

    w.interp = make_interp(w.client, NULL);
    back = call(&w, "count", args_of(coop_val_bytes(bytes, 100000)), &why);
    assert_non_null(back);
    coop_val_free(back);
    assert_null(call(&w, "wide", args_of(coop_val_int(100000)), &why));
    assert_string_equal(why.name, "TooBig");
    free(bytes);
    must(coop_interp_close(w.client, w.interp.id, TIMEOUT_US, &why), &why);
}

static void a_queue_keeps_values_as_they_are(void **state)
{
    struct at_work *w = *state;
    struct coop_queue_options options = { .size = sizeof(options) };
    struct coop_handle queue;
    struct coop_error why;
    const coop_val *items[sizeof(ways) / sizeof(ways[0])];
    enum { N = sizeof(items) / sizeof(items[0]) };
    size_t taken = 0;

    for (size_t i = 0; i < N; i++)
        items[i] = of_json(ways[i][0]);
    must(coop_queue_create(w->client, &options, TIMEOUT_US, &queue, &why), &why);
    must(coop_queue_put(w->client, queue.id, items, N, COOP_UNBOUND_DEFAULT, TIMEOUT_US, &taken, &why), &why);
    assert_int_equal(taken, N);
    for (size_t got = 0; got < N;) {
        struct coop_items some;

        must(coop_queue_get(w->client, queue.id, 4, TIMEOUT_US, &some, &why), &why);
        for (size_t i = 0; i < some.n; i++, got++)
            assert_true(coop_val_equal(some.items[i].value, items[got]));
        coop_items_free(&some);
    }
    for (size_t i = 0; i < N; i++)
        coop_val_free((coop_val *)(uintptr_t)items[i]);
}

/* ---- what cannot travel -------------------------------------------------------------------------------------------------------------- */

static void fails(struct at_work *w, const char *function, coop_val *args, const char *name, const char *path)
{
    struct coop_error why;
    coop_val *back = call(w, function, args, &why);

    assert_null(back);
    assert_string_equal(why.name, name);
    if (strncmp(why.path, path, strlen(path)) != 0)
        fail_msg("%s of %s: at %s, not %s", name, function, why.path, path);
}

static coop_val *nested(unsigned depth)
{
    coop_val *v = coop_val_list();

    for (unsigned i = 1; i < depth; i++) {
        coop_val *outer = coop_val_list();

        (void)coop_val_add(outer, v);
        v = outer;
    }
    return v;
}

static void what_is_too_deep_is_named_on_both_sides(void **state)
{
    struct coop_error why;
    coop_val *args = coop_val_list(), *back;

    (void)coop_val_add(args, nested(COOP_VAL_DEPTH)); /* the list of arguments is one of them */
    fails(*state, "same", args, "TooDeep", "args");
    back = call(*state, "same", args_of(nested(COOP_VAL_DEPTH - 1)), &why);
    assert_non_null(back);
    coop_val_free(back);
    back = call(*state, "deep", args_of(coop_val_int(COOP_VAL_DEPTH)), &why);
    assert_non_null(back);
    coop_val_free(back);
    fails(*state, "deep", args_of(coop_val_int(COOP_VAL_DEPTH + 1)), "TooDeep", "result[1][1]");
}

static void what_is_too_big_is_named_on_both_sides(void **state)
{
    char *bytes = calloc(1, COOP_VAL_WHOLE_BYTES);
    coop_val *args = coop_val_list();

    (void)coop_val_add(args, coop_val_int(1));
    (void)coop_val_add(args, coop_val_bytes(bytes, COOP_VAL_WHOLE_BYTES));
    free(bytes);
    fails(*state, "same", args, "TooBig", "args[2]");
}

static void what_is_no_value_is_named(void **state)
{
    coop_val *args = coop_val_list(), *map = coop_val_map();

    fails(*state, "code", coop_val_list(), "NotShareable", "result[2].f");
    fails(*state, "itself", coop_val_list(), "NotShareable", "result.me[1]");
    (void)coop_val_set(map, "name", coop_val_text("\xff", 1));
    (void)coop_val_add(args, map);
    fails(*state, "same", args, "NotShareable", "args[1].name");
}

static void a_handle_that_is_nobodys_is_refused(void **state)
{
    struct coop_handle nobodys = { .kind = COOP_KIND_QUEUE, .id = "01HZZZZZZZ0000000000000000" };
    struct coop_error why;

    assert_null(call(*state, "same", args_of(coop_val_handle(&nobodys)), &why));
    assert_string_equal(why.name, "NotFound");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_comes_back_as_it_went),
        cmocka_unit_test(a_number_is_inside_what_it_was_outside),
        cmocka_unit_test(arguments_are_as_many_as_were_given),
        cmocka_unit_test(what_is_too_large_for_a_message_travels_in_a_buffer),
        cmocka_unit_test(a_large_result_needs_the_capability),
        cmocka_unit_test(a_queue_keeps_values_as_they_are),
        cmocka_unit_test(what_is_too_deep_is_named_on_both_sides),
        cmocka_unit_test(what_is_too_big_is_named_on_both_sides),
        cmocka_unit_test(what_is_no_value_is_named),
        cmocka_unit_test(a_handle_that_is_nobodys_is_refused),
    };

    return cmocka_run_group_tests_name("values", tests, set_up, tear_down);
}
