/* test_nearest.c - "did you mean" helps with slips of the finger, and says nothing to a word that is simply another. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nearest.h"

static const char *const limits[] = { "cpu", "wall", "memory", "stdout", "stderr", NULL };
static const char *const engines[] = { "lua", NULL };
static const char *const verbs[] = { "run", "submit", "wait", "logs", "result", "show", "ls", "cancel", "kill", "version", "help", NULL };

static void a_slip_finds_the_word(void **state)
{
    static const struct {
        const char *typed;
        const char *const *words;
        const char *nearest;
    } rows[] = {
        {"cpu",      limits,  "cpu"    }, /* the word itself */
        { "cpus",    limits,  "cpu"    }, /* one too many */
        { "cp",      limits,  "cpu"    }, /* one missing */
        { "cpi",     limits,  "cpu"    }, /* one wrong */
        { "cup",     limits,  "cpu"    }, /* two swapped: one slip */
        { "memroy",  limits,  "memory" },
        { "memeory", limits,  "memory" },
        { "mem0ry",  limits,  "memory" },
        { "stdotu",  limits,  "stdout" },
        { "strerr",  limits,  "stderr" },
        { "wal",     limits,  "wall"   },
        { "walls",   limits,  "wall"   },
        { "lau",     engines, "lua"    },
        { "Lua",     engines, "lua"    },
        { "luau",    engines, "lua"    },
        { "lua5",    engines, "lua"    },
        { "sumbit",  verbs,   "submit" },
        { "cancle",  verbs,   "cancel" },
        { "verison", verbs,   "version"},
        { "rnu",     verbs,   "run"    },
        { "sl",      verbs,   "ls"     },
        { "log",     verbs,   "logs"   },
        { "resutls", verbs,   "result" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = nearest_word(rows[i].typed, rows[i].words);

        if (got == NULL || strcmp(got, rows[i].nearest) != 0)
            fail_msg("'%s': got '%s', not '%s'", rows[i].typed, got != NULL ? got : "(nothing)", rows[i].nearest);
    }
}

static void another_word_finds_nothing(void **state)
{
    static const struct {
        const char *typed;
        const char *const *words;
    } rows[] = {
        {"",           limits },
        { "x",         limits },
        { "xy",        limits },
        { "disk",      limits },
        { "bandwidth", limits },
        { "python",    engines},
        { "java",      engines},
        { "ruby",      engines},
        { "perl",      engines},
        { "sh",        engines},
        { "js",        engines},
        { "",          engines},
        { "l",         engines},
        { "abcdefgh",  verbs  },
        { "start",     engines},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *got = nearest_word(rows[i].typed, rows[i].words);

        if (got != NULL)
            fail_msg("'%s': got '%s'", rows[i].typed, got);
    }
}

static void the_nearer_of_two_wins_and_of_equals_the_first(void **state)
{
    static const char *const words[] = { "stdin", "stdout", NULL };
    static const char *const equals[] = { "bat", "cat", "hat", NULL };

    (void)state;
    assert_string_equal(nearest_word("stdinn", words), "stdin");
    assert_string_equal(nearest_word("stdoutt", words), "stdout");
    assert_string_equal(nearest_word("rat", equals), "bat");
}

static void very_long_words_are_never_near_and_never_harm(void **state)
{
    char typed[4096], almost[40];
    const char *words[] = { "lua", "this-word-is-longer-than-all-that-the-distance-looks-at", almost, NULL };

    (void)state;
    memset(typed, 'l', sizeof(typed) - 1);
    typed[sizeof(typed) - 1] = '\0';
    memset(almost, 'a', 32);
    almost[32] = '\0';
    assert_null(nearest_word(typed, words));
    typed[33] = '\0';
    assert_null(nearest_word(typed, words));
    memset(typed, 'a', 32);
    typed[32] = '\0';
    typed[0] = 'b';
    assert_ptr_equal(nearest_word(typed, words), almost);
}

static void of_no_words_none_is_near(void **state)
{
    static const char *const none[] = { NULL };

    (void)state;
    assert_null(nearest_word("lua", none));
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slip_finds_the_word),
        TEST(another_word_finds_nothing),
        TEST(the_nearer_of_two_wins_and_of_equals_the_first),
        TEST(very_long_words_are_never_near_and_never_harm),
        TEST(of_no_words_none_is_near),
    };

    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
