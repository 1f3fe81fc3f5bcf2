/* test_require.c - what a job requires: how it is written, and when it holds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "require.h"

static void each_row_names_a_field_of_the_receipt(void **state)
{
    (void)state;
    for (size_t i = 0; i < require_count; i++) {
        const struct require_row *r = &require_table[i];
        const ProtobufCFieldDescriptor *f;

        f = protobuf_c_message_descriptor_get_field_by_name(&pb__enforcement__descriptor,
                                                            r->words[0].word != NULL ? r->key : "landlock_abi");
        assert_non_null(f);
        assert_int_equal(f->offset, r->offset);
        assert_int_equal(f->type, r->words[0].word != NULL ? PROTOBUF_C_TYPE_STRING : PROTOBUF_C_TYPE_UINT32);
        assert_true(strlen(r->help) > 0);
        assert_null(r->words[REQUIRE_WORDS - 1].word); /* the list ends */
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(require_table[k].key, r->key);
    }
}

static void what_cannot_be_asked_for_is_refused_in_words(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"tier",                                                                                                         "not KEY=WORD"       },
        { "tier=",                                                                                                       "not KEY=WORD"       },
        { "=T1",                                                                                                         "not KEY=WORD"       },
        { "=",                                                                                                           "not KEY=WORD"       },
        { ",",                                                                                                           "not KEY=WORD"       },
        { "tier=T1,",                                                                                                    "last comma"         },
        { "tier=T1,,memory=rlimit",                                                                                      "not KEY=WORD"       },
        { "tier=T4",                                                                                                     "T3 T2 T1 T0"        },
        { "tier=t1",                                                                                                     "T3 T2 T1 T0"        },
        { "tire=T1",                                                                                                     "did you mean 'tier'"},
        { "colour=red",                                                                                                  "one of tier"        },
        { "memory=plenty",                                                                                               "cgroup"             },
        { "landlock=",                                                                                                   "not KEY=WORD"       },
        { "landlock=two",                                                                                                "not a number"       },
        { "landlock=-1",                                                                                                 "not a number"       },
        { "landlock=2x",                                                                                                 "not a number"       },
        { "landlock=99999999999999999999",                                                                               "not a number"       },
        { "tier=T1 ",                                                                                                    "without spaces"     },
        { "tier=\033[2J",                                                                                                "without spaces"     },
        { "tier=\xc3\xa4",                                                                                               "without spaces"     },
        { "memory=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "is none"            },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char why[REQUIRE_WHY] = "";

        if (require_check(rows[i].text, why) != -EINVAL || strstr(why, rows[i].says) == NULL)
            fail_msg("%s: \"%s\"", rows[i].text, why);
    }
}

static void nothing_asked_is_nothing_refused(void **state)
{
    Pb__Enforcement e = PB__ENFORCEMENT__INIT;
    char why[REQUIRE_WHY];

    (void)state;
    assert_int_equal(require_check(NULL, why), 0);
    assert_int_equal(require_check("", why), 0);
    assert_int_equal(require_met(NULL, &e, why), 0);
    assert_int_equal(require_met("", &e, why), 0);
}

static void every_word_of_the_table_can_be_asked_for_and_is_met_by_itself_and_what_is_stronger(void **state)
{
    (void)state;
    for (size_t i = 0; i < require_count; i++) {
        const struct require_row *r = &require_table[i];

        for (int asked = 0; asked < REQUIRE_WORDS && r->words[asked].word != NULL; asked++)
            for (int is = 0; is < REQUIRE_WORDS && r->words[is].word != NULL; is++) {
                Pb__Enforcement e = PB__ENFORCEMENT__INIT;
                char text[64], held[64], why[REQUIRE_WHY], *at = held;

                snprintf(text, sizeof(text), "%s=%s", r->key, r->words[asked].word);
                snprintf(held, sizeof(held), "<%s>", r->words[is].in_receipt);
                memcpy((char *)&e + r->offset, &at, sizeof(at));
                assert_int_equal(require_check(text, why), 0);
                if (require_met(text, &e, why) != (is >= asked ? 0 : -ENOTSUP))
                    fail_msg("%s asked, %s held", text, held);
            }
    }
}

static void nothing_held_meets_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < require_count; i++) {
        static char none[] = "none", empty[] = "";
        const struct require_row *r = &require_table[i];
        Pb__Enforcement e = PB__ENFORCEMENT__INIT;
        char text[64], why[REQUIRE_WHY], *at;

        if (r->words[0].word == NULL)
            continue;
        snprintf(text, sizeof(text), "%s=%s", r->key, r->words[0].word);
        at = none;
        memcpy((char *)&e + r->offset, &at, sizeof(at));
        assert_int_equal(require_met(text, &e, why), -ENOTSUP);
        assert_non_null(strstr(why, "none"));
        at = empty;
        memcpy((char *)&e + r->offset, &at, sizeof(at));
        assert_int_equal(require_met(text, &e, why), -ENOTSUP);
    }
}

static void all_of_it_has_to_hold_and_the_refusal_says_what_there_is(void **state)
{
    Pb__Enforcement e = PB__ENFORCEMENT__INIT;
    char why[REQUIRE_WHY];

    (void)state;
    e.tier = (char *)"T2";
    e.memory = (char *)"RLIMIT_AS, RLIMIT_DATA";
    e.landlock_abi = 4;
    assert_int_equal(require_met("tier=T2,memory=rlimit,landlock=4", &e, why), 0);
    assert_int_equal(require_met("tier=T3,landlock=0", &e, why), 0);
    assert_int_equal(require_met("memory=rlimit,tier=T1", &e, why), -ENOTSUP);
    assert_string_equal(why, "it requires tier=T1, and here it is: T2");
    assert_int_equal(require_met("landlock=5", &e, why), -ENOTSUP);
    assert_string_equal(why, "it requires landlock=5, and here it is 4");
    assert_int_equal(require_met("tier=T2,memory=cgroup", &e, why), -ENOTSUP);
    assert_string_equal(why, "it requires memory=cgroup, and here it is: RLIMIT_AS, RLIMIT_DATA");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_row_names_a_field_of_the_receipt),
        cmocka_unit_test(what_cannot_be_asked_for_is_refused_in_words),
        cmocka_unit_test(nothing_asked_is_nothing_refused),
        cmocka_unit_test(every_word_of_the_table_can_be_asked_for_and_is_met_by_itself_and_what_is_stronger),
        cmocka_unit_test(nothing_held_meets_nothing),
        cmocka_unit_test(all_of_it_has_to_hold_and_the_refusal_says_what_there_is),
    };

    return cmocka_run_group_tests_name("require", tests, NULL, NULL);
}
