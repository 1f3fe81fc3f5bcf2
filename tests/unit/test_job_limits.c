/* test_job_limits.c - the table of limits: what may be typed, what is filled in, what is refused and in which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "job_limits.h"
#include "units.h"

static void set(Pb__Limits *l, const struct limits_row *row, uint64_t value)
{
    *(uint64_t *)((char *)l + row->offset) = value;
}

/* ---- the table --------------------------------------------------------------------------------------------------------------------- */

static const char *const unit_ending[] = { [LIMITS_TIME] = "_us", [LIMITS_SIZE] = "_bytes", [LIMITS_COUNT] = "" };

static void every_field_of_the_schema_has_one_row_and_every_row_a_field(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__limits__descriptor;

    (void)state;
    assert_int_equal(limits_count, d->n_fields);
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        unsigned rows = 0;

        assert_int_equal(f->type, PROTOBUF_C_TYPE_UINT64);
        for (size_t k = 0; k < limits_count; k++)
            if (limits_table[k].offset == f->offset) {
                const char *name = strcmp(limits_table[k].name, "file_size") == 0 ? "file" : limits_table[k].name;
                size_t n = strlen(name);

                rows++;
                assert_true(strncmp(f->name, name, n) == 0); /* "cpu" stands for cpu_us */
                assert_string_equal(f->name + n, unit_ending[limits_table[k].kind]);
            }
        assert_int_equal(rows, 1);
    }
}

static void every_row_has_a_help_text_and_defaults_within_its_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < limits_count; i++) {
        const struct limits_row *row = &limits_table[i];
        unsigned engines = 0;

        assert_true(row->help != NULL && row->help[0] != '\0');
        assert_true(row->max < UINT64_MAX / 1000); /* room for sums */
        for (int e = 0; e < ENGINE_COUNT; e++) {
            const struct limits_range *r = &row->of[e];

            assert_int_equal(r->min == 0, r->initial == 0); /* both, or neither */
            assert_true(r->min <= r->initial && r->initial <= row->max);
            engines += r->min > 0;
        }
        assert_true(engines > 0);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(row->name, limits_table[k].name);
    }
}

/* ---- what is typed ----------------------------------------------------------------------------------------------------------------- */

static void all_limits_can_be_given_in_one_text(void **state)
{
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY] = "";

    (void)state;
    assert_int_equal(limits_parse("cpu=2s,wall=1.5m,memory=64M,stdout=1000,stderr=512K", &l, why), 0);
    assert_true(l.cpu_us == 2000000 && l.wall_us == 90000000 && l.memory_bytes == 64 << 20);
    assert_true(l.stdout_bytes == 1000 && l.stderr_bytes == 512 << 10);
    assert_string_equal(why, "");
}

static void rows_that_are_not_named_stay_as_they_are(void **state)
{
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY];

    (void)state;
    l.wall_us = 7;
    assert_int_equal(limits_parse("cpu=1s", &l, why), 0);
    assert_true(l.wall_us == 7 && l.memory_bytes == 0);
    assert_int_equal(limits_parse("cpu=1s,cpu=3s", &l, why), 0);
    assert_true(l.cpu_us == 3000000); /* the last one counts */
}

static void what_makes_no_sense_is_refused_in_words(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"",                             "NAME=VALUE"                                                            },
        { "cpu",                         "not 'cpu'"                                                             },
        { "=2s",                         "NAME=VALUE"                                                            },
        { "cpu=2s,",                     "NAME=VALUE"                                                            },
        { ",cpu=2s",                     "NAME=VALUE"                                                            },
        { "cpu=2s,,wall=1s",             "NAME=VALUE"                                                            },
        { "cpu=",                        "limit cpu: '' is not a time; write 500ms"                              },
        { "cpu=2x",                      "limit cpu: '2x' is not a time"                                         },
        { "cpu=64M",                     "limit cpu: '64M' is not a time"                                        },
        { "memory=2s",                   "limit memory: '2s' is not a size; write 4096"                          },
        { "memory=-1",                   "limit memory: '-1' is not a size"                                      },
        { "stdout=0",                    "limit stdout: must be above 0"                                         },
        { "cpu=0.0000001s",              "limit cpu: must be above 0"                                            },
        { "cpu=2s=3s",                   "limit cpu: '2s=3s' is not a time"                                      },
        { "memory=99999999999999999999", "limit memory: '99999999999999999999' is too large"                     },
        { "memroy=64M",                  "unknown limit 'memroy'; did you mean 'memory'?"                        },
        { "CPU=2s",                      "unknown limit 'CPU'"                                                   },
        { "cpu =2s",                     "unknown limit 'cpu '; did you mean 'cpu'?"                             },
        { "bandwidth=1M",                "unknown limit 'bandwidth'; known: cpu, wall, idle, memory, pids, files"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        Pb__Limits l = PB__LIMITS__INIT;
        char why[LIMITS_WHY] = "";

        if (limits_parse(rows[i].text, &l, why) != -EINVAL || strstr(why, rows[i].words) == NULL)
            fail_msg("'%s': says '%s'", rows[i].text, why);
    }
}

static void the_list_of_known_limits_names_every_row(void **state)
{
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY];

    (void)state;
    assert_int_equal(limits_parse("quux_and_more=1", &l, why), -EINVAL);
    for (size_t i = 0; i < limits_count; i++)
        assert_non_null(strstr(strstr(why, "known:"), limits_table[i].name));
}

static void a_text_of_any_length_is_answered(void **state)
{
    char text[4096], why[LIMITS_WHY];

    (void)state;
    for (size_t n = 1; n < sizeof(text) - 1; n += 97) {
        Pb__Limits l = PB__LIMITS__INIT;

        memset(text, 'x', n);
        text[n] = '\0';
        assert_int_equal(limits_parse(text, &l, why), -EINVAL);
        text[n / 2] = '=';
        assert_int_equal(limits_parse(text, &l, why), -EINVAL);
        memcpy(text, "cpu=", n < 4 ? n : 4);
        assert_int_equal(limits_parse(text, &l, why), -EINVAL);
        assert_true(strlen(why) < LIMITS_WHY);
    }
}

/* ---- what is filled in and refused -------------------------------------------------------------------------------------------------- */

static void what_is_not_given_gets_its_engines_default(void **state)
{
    (void)state;
    for (int e = 0; e < ENGINE_COUNT; e++) {
        Pb__Limits l = PB__LIMITS__INIT;
        char why[LIMITS_WHY];

        l.wall_us = 5000000;
        assert_int_equal(limits_settle(&l, e, why), 0);
        for (size_t i = 0; i < limits_count; i++)
            assert_true(limits_get(&l, &limits_table[i]) ==
                        (strcmp(limits_table[i].name, "wall") == 0 ? 5000000 : limits_table[i].of[e].initial));
    }
}

static void an_engine_that_is_not_known_yet_fills_in_nothing(void **state)
{
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY];

    (void)state;
    l.pids = 1;
    l.threads = 64;
    assert_int_equal(limits_settle(&l, LIMITS_ANY_ENGINE, why), 0);
    for (size_t i = 0; i < limits_count; i++)
        if (strcmp(limits_table[i].name, "pids") != 0 && strcmp(limits_table[i].name, "threads") != 0)
            assert_true(limits_get(&l, &limits_table[i]) == 0);
}

static void a_limit_of_what_an_engine_does_not_have_is_refused_by_name(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (size_t i = 0; i < limits_count; i++)
        for (int e = 0; e < ENGINE_COUNT; e++) {
            const struct limits_row *row = &limits_table[i];
            Pb__Limits l = PB__LIMITS__INIT;
            char why[LIMITS_WHY], words[LIMITS_WHY];

            if (row->of[e].min > 0)
                continue;
            set(&l, row, row->max);
            assert_int_equal(limits_settle(&l, e, why), -EINVAL);
            (void)snprintf(words, sizeof(words), "limit %s: jobs of the engine %s have no such limit", row->name, engine_table[e].name);
            assert_string_equal(why, words);
            refused++;
        }
    assert_true(refused > 0);
}

static void a_larger_disk_holds_a_larger_file_unless_told_otherwise(void **state)
{
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY];

    (void)state;
    l.disk_bytes = 200 << 20;
    assert_int_equal(limits_settle(&l, ENGINE_EXEC, why), 0);
    assert_true(l.file_bytes == 200 << 20);
    l.file_bytes = 4096;
    assert_int_equal(limits_settle(&l, ENGINE_EXEC, why), 0);
    assert_true(l.file_bytes == 4096 && l.disk_bytes == 200 << 20);
}

static void what_was_asked_for_is_told_from_what_was_filled_in(void **state)
{
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY];

    (void)state;
    assert_int_equal(limits_asked(&l), 0);
    for (size_t i = 0; i < limits_count; i++) {
        Pb__Limits one = PB__LIMITS__INIT;

        set(&one, &limits_table[i], 1);
        assert_int_equal(limits_asked(&one), 1u << i);
        assert_ptr_equal(limits_find(limits_table[i].name), &limits_table[i]);
    }
    assert_int_equal(limits_settle(&l, ENGINE_EXEC, why), 0);
    assert_int_not_equal(limits_asked(&l), 0); /* it has to be asked before */
}

static void both_bounds_of_each_row_are_allowed_and_one_past_them_is_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < limits_count * ENGINE_COUNT; i++) {
        const struct limits_row *row = &limits_table[i / ENGINE_COUNT];
        int engine = (int)(i % ENGINE_COUNT);
        uint64_t min = row->of[engine].min;
        const struct {
            uint64_t value;
            int rc;
            const char *word;
        } edges[] = {
            {min,           0,                      ""                 },
            { row->max,     0,                      ""                 },
            { min - 1,      min == 1 ? 0 : -EINVAL, "below the minimum"}, /* 0 is "not given" */
            { row->max + 1, -EDQUOT,                "above the maximum"},
            { UINT64_MAX,   -EDQUOT,                "above the maximum"},
        };

        for (size_t k = 0; min > 0 && k < sizeof(edges) / sizeof(edges[0]); k++) {
            Pb__Limits l = PB__LIMITS__INIT;
            char why[LIMITS_WHY] = "", start[64];

            set(&l, row, edges[k].value);
            assert_int_equal(limits_settle(&l, engine, why), edges[k].rc);
            if (edges[k].rc == 0)
                continue;
            (void)snprintf(start, sizeof(start), "limit %s: ", row->name);
            assert_true(strncmp(why, start, strlen(start)) == 0);
            assert_non_null(strstr(why, edges[k].word));
            assert_int_equal(edges[k].rc == -EINVAL, strstr(why, engine_table[engine].name) != NULL); /* whose minimum it is */
        }
    }
}

/* "4G is above the maximum of 4G" helps nobody. */
static void a_refusal_never_gives_the_same_number_twice(void **state)
{
    (void)state;
    for (size_t i = 0; i < limits_count * ENGINE_COUNT; i++)
        for (int above = 0; above < 2; above++) {
            const struct limits_row *row = &limits_table[i / ENGINE_COUNT];
            uint64_t min = row->of[i % ENGINE_COUNT].min;
            Pb__Limits l = PB__LIMITS__INIT;
            char why[LIMITS_WHY], asked[64], bound[64], word[16];

            if (min == 0 || (!above && min == 1))
                continue;
            set(&l, row, above ? row->max + 1 : min - 1);
            assert_int_not_equal(limits_settle(&l, (int)(i % ENGINE_COUNT), why), 0);
            assert_int_equal(sscanf(why, "limit %*[a-z_]: %63s is %15s the %*s of %63s", asked, word, bound), 3);
            assert_string_equal(word, above ? "above" : "below");
            assert_string_not_equal(asked, bound);
        }
}

static void a_row_is_written_in_its_own_unit(void **state)
{
    static const char *const million[] = { [LIMITS_TIME] = "1s", [LIMITS_SIZE] = "976.56K", [LIMITS_COUNT] = "1000000" };
    char buf[UNITS_BUF];

    (void)state;
    for (size_t i = 0; i < limits_count; i++)
        assert_string_equal(limits_format(&limits_table[i], 1000000, buf), million[limits_table[i].kind]);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_field_of_the_schema_has_one_row_and_every_row_a_field),
        TEST(every_row_has_a_help_text_and_defaults_within_its_bounds),
        TEST(all_limits_can_be_given_in_one_text),
        TEST(rows_that_are_not_named_stay_as_they_are),
        TEST(what_makes_no_sense_is_refused_in_words),
        TEST(the_list_of_known_limits_names_every_row),
        TEST(a_text_of_any_length_is_answered),
        TEST(what_is_not_given_gets_its_engines_default),
        TEST(an_engine_that_is_not_known_yet_fills_in_nothing),
        TEST(a_limit_of_what_an_engine_does_not_have_is_refused_by_name),
        TEST(a_larger_disk_holds_a_larger_file_unless_told_otherwise),
        TEST(what_was_asked_for_is_told_from_what_was_filled_in),
        TEST(both_bounds_of_each_row_are_allowed_and_one_past_them_is_not),
        TEST(a_refusal_never_gives_the_same_number_twice),
        TEST(a_row_is_written_in_its_own_unit),
    };

    return cmocka_run_group_tests_name("job_limits", tests, NULL, NULL);
}
