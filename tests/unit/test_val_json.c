/* test_val_json.c - values as JSON text: each type both ways, what is no value is refused with where and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <coop/value_json.h>

static coop_val *read_text(const char *text)
{
    coop_val *v = NULL;
    char why[COOP_JSON_WHY] = "";

    if (coop_val_from_json(text, strlen(text), &v, why) != 0)
        fail_msg("%s: %s", text, why);
    return v;
}

static void is_written(const coop_val *v, const char *expected)
{
    char *text = NULL;

    assert_int_equal(coop_val_to_json(v, &text), 0);
    assert_string_equal(text, expected);
    free(text);
}

/* ---- both ways ----------------------------------------------------------------------------------------------------------------------- */

#define HANDLE_IN  "{\"$handle\":\"01HZZZZZZZ0000000000000000\",\"kind\":\"queue\",\"rights\":[\"send\",\"grant\"]}"
#define HANDLE_OUT "{\"$handle\": \"01HZZZZZZZ0000000000000000\", \"kind\": \"queue\", \"rights\": [\"send\", \"grant\"]}"

/* clang-format off */
static const struct way_row {
    const char *in;
    enum coop_val_type type;
    const char *out; /* NULL: the same */
} ways[] = {
    {"null", COOP_VAL_NULL, NULL                                                              },
    { "true", COOP_VAL_BOOL, NULL                                                              },
    { " false\n", COOP_VAL_BOOL, "false"                                                           },
    { "0", COOP_VAL_INT, NULL                                                              },
    { "-0", COOP_VAL_INT, "0"                                                               },
    { "9223372036854775807", COOP_VAL_INT, NULL                                                              },
    { "-9223372036854775808", COOP_VAL_INT, NULL                                                              },
    { "9223372036854775808", COOP_VAL_BIG, NULL                                                              },
    { "-9223372036854775809", COOP_VAL_BIG, NULL                                                              },
    { "340282366920938463463374607431768211456", COOP_VAL_BIG, NULL                                                              },
    { "{\"$big\": \"17\"}", COOP_VAL_INT, "17"                                                              },
    { "{\"$big\": \"-00099999999999999999999\"}", COOP_VAL_BIG, "-99999999999999999999"                                           },
    { "1.0", COOP_VAL_DOUBLE, NULL                                                              },
    { "-0.0", COOP_VAL_DOUBLE, NULL                                                              },
    { "0.1", COOP_VAL_DOUBLE, NULL                                                              },
    { "1e2", COOP_VAL_DOUBLE, "100.0"                                                           },
    { "1E300", COOP_VAL_DOUBLE, "1e+300"                                                          },
    { "12345678901234567890.0", COOP_VAL_DOUBLE, "1.2345678901234567e+19"                                          },
    { "123456789012345678901e0", COOP_VAL_DOUBLE, "1.2345678901234568e+20"                                          },
    { "5e-324", COOP_VAL_DOUBLE, "4.94065645841247e-324"                                           },
    { "{\"$double\": \"nan\"}", COOP_VAL_DOUBLE, NULL                                                              },
    { "{\"$double\": \"-inf\"}", COOP_VAL_DOUBLE, NULL                                                              },
    { "{\"$double\": \"inf\"}", COOP_VAL_DOUBLE, NULL                                                              },
    { "\"\"", COOP_VAL_TEXT, NULL                                                              },
    { "\"a\\\"\\\\/\\u0000\\n\\t\\u001b\\u007f\"", COOP_VAL_TEXT, NULL                                                              },
    { "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82\"", COOP_VAL_TEXT, "\"\\u00e4\\u20ac\\ud83d\\ude42\""                                },
    { "\"12345678901234567890 \\\" 12345678901234567890\"", COOP_VAL_TEXT, NULL                                                              },
    { "{\"$bytes\": \"\"}", COOP_VAL_BYTES, NULL                                                              },
    { "{\"$bytes\": \"/w==\"}", COOP_VAL_BYTES, NULL                                                              },
    { "{\"$bytes\": \"AAE=\"}", COOP_VAL_BYTES, NULL                                                              },
    { "{\"$bytes\": \"+/+/aGVsbG8h\"}", COOP_VAL_BYTES, NULL                                                              },
    { "[]", COOP_VAL_LIST, NULL                                                              },
    { "[1,[2,[]],{}]", COOP_VAL_LIST, "[1, [2, []], {}]"                                                },
    { "[12345678901234567890,{\"k\":-12345678901234567890}]", COOP_VAL_LIST, "[12345678901234567890, {\"k\": -12345678901234567890}]"          },
    { "{}", COOP_VAL_MAP, NULL                                                              },
    { "{\"z\": 1, \"a\": {\"\": null}}", COOP_VAL_MAP, NULL                                                              },
    { "{\"$ref\": 1, \"$\": 2}", COOP_VAL_MAP, NULL                                                              },
    { "{\"$map\": []}", COOP_VAL_MAP, "{}"                                                              },
    { "{\"$map\": [[1, \"one\"], [true, \"t\"], [1.5, 2], [{\"$bytes\": \"/w==\"}, 3]]}", COOP_VAL_MAP, NULL                                                              },
    { "{\"$map\": [[\"$bytes\", \"AA==\"]]}", COOP_VAL_MAP, NULL                                                              },
    { "{\"$map\": [[\"a\\u0000\", 1]]}", COOP_VAL_MAP, NULL                                                              },
    { "{\"$map\": [[\"plain\", 1]]}", COOP_VAL_MAP, "{\"plain\": 1}"                                                  },
    { HANDLE_IN, COOP_VAL_HANDLE, HANDLE_OUT                                                        },
    { "{\"$handle\": \"jobs\", \"kind\": \"queue\"}", COOP_VAL_HANDLE, "{\"$handle\": \"jobs\", \"kind\": \"queue\", \"name\": \"jobs\"}"},
};
/* clang-format on */

static void each_type_goes_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        const char *out = ways[i].out != NULL ? ways[i].out : ways[i].in;
        coop_val *v = read_text(ways[i].in), *again;

        if (coop_val_type(v) != ways[i].type)
            fail_msg("%s: is %s", ways[i].in, coop_val_type_name(coop_val_type(v)));
        is_written(v, out);
        again = read_text(out);
        assert_true(coop_val_equal(v, again));
        coop_val_free(again);
        coop_val_free(v);
    }
}

static void any_double_is_read_as_it_was(void **state)
{
    uint64_t bits = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        double d;
        coop_val *v, *again;
        char *text;

        bits ^= bits << 13, bits ^= bits >> 7, bits ^= bits << 17;
        memcpy(&d, &bits, sizeof(d));
        v = coop_val_double(d);
        assert_int_equal(coop_val_to_json(v, &text), 0);
        again = read_text(text);
        assert_true(coop_val_equal(v, again));
        free(text);
        coop_val_free(v);
        coop_val_free(again);
    }
}

static void all_bytes_survive_in_base64(void **state)
{
    unsigned char bytes[258];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7);
    for (size_t len = 0; len <= sizeof(bytes); len++) {
        coop_val *v = coop_val_bytes(bytes, len), *again;
        char *text;

        assert_int_equal(coop_val_to_json(v, &text), 0);
        again = read_text(text);
        assert_true(coop_val_equal(v, again));
        free(text);
        coop_val_free(v);
        coop_val_free(again);
    }
}

/* Where a comma is the decimal point, when such a locale is there. */
static void numbers_are_json_in_any_locale(void **state)
{
    coop_val *v;

    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL && setlocale(LC_NUMERIC, "fr_FR.UTF-8") == NULL)
        skip();
    v = read_text("[1.5, -2.25e-7]");
    is_written(v, "[1.5, -2.25e-07]");
    (void)setlocale(LC_NUMERIC, "C");
    coop_val_free(v);
}

/* ---- what is refused ------------------------------------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct bad_row {
    const char *text;
    int error;
    const char *why; /* is in it */
} bad[] = {
    {"", -EBADMSG, "not JSON"                      },
    { "hello", -EBADMSG, "line 1"                        },
    { "1 2", -EBADMSG, "not JSON"                      },
    { "[1,]", -EBADMSG, "not JSON"                      },
    { "{\"a\": 1, \"a\": 2}", -EBADMSG, "duplicate"                     },
    { "{\"a\": 1, \"a\": 12345678901234567890}", -EBADMSG, "duplicate"                     },
    { "1e400", -EBADMSG, "overflow"                      },
    { "00000000000000000000001", -EBADMSG, "not JSON"                      },
    { "-00000000000000000000001", -EBADMSG, "not JSON"                      },
    { "-", -EBADMSG, "not JSON"                      },
    { "+12345678901234567890", -EBADMSG, "not JSON"                      },
    { "{12345678901234567890: 1}", -EBADMSG, "not JSON"                      },
    { "NaN", -EBADMSG, "not JSON"                      },
    { "\"\xff\"", -EBADMSG, "not JSON"                      },
    { "\"\\ud800\"", -EBADMSG, "not JSON"                      },
    { "\"never ends 12345678901234567890", -EBADMSG, "not JSON"                      },
    { "\"ends with \\", -EBADMSG, "not JSON"                      },
    { "{\"a\\u0000\": 1}", -EBADMSG, "NUL"                           },
    { "[0, {\"$bytes\": 5}]", -EINVAL, "value[2]: $bytes"              },
    { "{\"$bytes\": \"A\"}", -EINVAL, "base64"                        },
    { "{\"$bytes\": \"AA\"}", -EINVAL, "base64"                        },
    { "{\"$bytes\": \"AA=A\"}", -EINVAL, "base64"                        },
    { "{\"$bytes\": \"A===\"}", -EINVAL, "base64"                        },
    { "{\"$bytes\": \"AB==\"}", -EINVAL, "base64"                        },
    { "{\"$bytes\": \"AA==AA==\"}", -EINVAL, "base64"                        },
    { "{\"$bytes\": \"A-_A\"}", -EINVAL, "base64"                        },
    { "{\"$bytes\": \"AA==\", \"x\": 1}", -EINVAL, "$bytes stands alone"           },
    { "{\"k\": {\"$big\": \"1e3\"}}", -EINVAL, "value.k: $big"                 },
    { "{\"$big\": 5}", -EINVAL, "$big"                          },
    { "{\"$big\": \"1\\u00002\"}", -EINVAL, "$big"                          },
    { "{\"$double\": \"1\"}", -EINVAL, "$double"                       },
    { "{\"$map\": {}}", -EINVAL, "list of pairs"                 },
    { "{\"$map\": [[1]]}", -EINVAL, "value[1]: a pair"              },
    { "{\"$map\": [[1, 2], [[], 2]]}", -EINVAL, "value[2]: a key"               },
    { "{\"$map\": [[null, 2]]}", -EINVAL, "value[1]: a key"               },
    { "{\"$map\": [[1, 1], [1.0, 2]]}", -EINVAL, "value[2]: this key comes twice"},
    { "{\"$map\": [[{\"$double\": \"nan\"}, 1]]}", -EINVAL, "a key"                         },
    { "{\"$handle\": \"x\"}", -EINVAL, "needs its \"kind\""            },
    { "{\"$handle\": \"x\", \"kind\": \"door\"}", -EINVAL, "needs its \"kind\""            },
    { "{\"$handle\": 5, \"kind\": \"queue\"}", -EINVAL, "id or a name"                  },
    { "{\"$handle\": \"\", \"kind\": \"queue\"}", -EINVAL, "id or a name"                  },
    { "{\"$handle\": \"a\\u0000b\", \"kind\": \"queue\"}", -EINVAL, "id or a name"                  },
    { "{\"$handle\": \"x\", \"kind\": \"queue\", \"rights\": \"send\"}", -EINVAL, "rights"                        },
    { "{\"$handle\": \"x\", \"kind\": \"queue\", \"rights\": []}", -EINVAL, "rights"                        },
    { "{\"$handle\": \"x\", \"kind\": \"queue\", \"rights\": [\"fly\"]}", -EINVAL, "rights"                        },
    { "{\"$handle\": \"x\", \"kind\": \"queue\", \"also\": 1}", -EINVAL, "nothing else"                  },
};
/* clang-format on */

static void what_is_no_value_is_refused_with_where_and_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size_t len = strlen(bad[i].text);
        char why[COOP_JSON_WHY] = "", *copy = malloc(len + 1);
        coop_val *v = NULL;
        int rc;

        memcpy(copy, bad[i].text, len + 1);
        rc = coop_val_from_json(copy, len, &v, why);
        free(copy);
        if (rc != bad[i].error || strstr(why, bad[i].why) == NULL || v != NULL)
            fail_msg("%s: %d, %s", bad[i].text, rc, why);
        assert_int_equal(coop_val_from_json(bad[i].text, len, &v, NULL), rc);
    }
}

static int nested(unsigned depth, const char *open, const char *close, char why[COOP_JSON_WHY])
{
    char *text = calloc(depth, strlen(open) + strlen(close)), *at = text;
    coop_val *v = NULL;
    int rc;

    text = realloc(text, depth * (strlen(open) + strlen(close)) + 2);
    at = text;
    for (unsigned i = 0; i < depth; i++)
        at = stpcpy(at, open);
    at = stpcpy(at, "1");
    for (unsigned i = 0; i < depth; i++)
        at = stpcpy(at, close);
    rc = coop_val_from_json(text, strlen(text), &v, why);
    free(text);
    coop_val_free(v);
    return rc;
}

static void depth_is_bounded_on_the_way_down(void **state)
{
    static const char *const ways_down[][2] = {
        {"[",               "]"  },
        { "{\"k\":",        "}"  },
        { "{\"$map\":[[1,", "]]}"}
    };
    char why[COOP_JSON_WHY];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(nested(COOP_VAL_DEPTH, ways_down[i][0], ways_down[i][1], why), 0);
        assert_int_equal(nested(COOP_VAL_DEPTH + 1, ways_down[i][0], ways_down[i][1], why), -ELOOP);
        assert_non_null(strstr(why, "64 lists and maps"));
        assert_int_equal(nested(500, ways_down[i][0], ways_down[i][1], why), -ELOOP);
        assert_int_equal(nested(100000, ways_down[i][0], ways_down[i][1], why), -ELOOP);
    }
}

static void digits_are_bounded(void **state)
{
    char text[COOP_VAL_DIGITS + 8], why[COOP_JSON_WHY];
    coop_val *v;

    (void)state;
    memset(text, '7', sizeof(text));
    text[0] = '[', text[1] = '-', text[2 + COOP_VAL_DIGITS] = ']', text[3 + COOP_VAL_DIGITS] = '\0';
    v = read_text(text);
    assert_int_equal(strlen(coop_val_as_big(coop_val_at(v, 0))), COOP_VAL_DIGITS + 1);
    coop_val_free(v);
    text[2 + COOP_VAL_DIGITS] = '7', text[3 + COOP_VAL_DIGITS] = ']';
    assert_int_equal(coop_val_from_json(text, 4 + COOP_VAL_DIGITS, &v, why), -E2BIG);
    assert_string_equal(why, "value[1]: an integer of more than 4096 digits");
}

static void what_has_an_error_is_not_written(void **state)
{
    static const struct coop_handle numbered = { .kind = COOP_KIND_QUEUE, .number = 3 };
    coop_val *list = coop_val_list(), *handle = coop_val_handle(&numbered);
    char *text;

    (void)state;
    (void)coop_val_add(list, coop_val_text("\xff", 1));
    assert_int_equal(coop_val_to_json(list, &text), -EILSEQ);
    assert_int_equal(coop_val_to_json(handle, &text), -EINVAL);
    assert_int_equal(coop_val_to_json(NULL, &text), -EINVAL);
    coop_val_free(list);
    coop_val_free(handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_goes_both_ways),
        cmocka_unit_test(any_double_is_read_as_it_was),
        cmocka_unit_test(all_bytes_survive_in_base64),
        cmocka_unit_test(numbers_are_json_in_any_locale),
        cmocka_unit_test(what_is_no_value_is_refused_with_where_and_why),
        cmocka_unit_test(depth_is_bounded_on_the_way_down),
        cmocka_unit_test(digits_are_bounded),
        cmocka_unit_test(what_has_an_error_is_not_written),
    };

    return cmocka_run_group_tests_name("val_json", tests, NULL, NULL);
}
