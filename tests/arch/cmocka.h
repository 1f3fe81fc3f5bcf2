/*
 * cmocka.h - the part of cmocka that the tests of tasklets use, for machines that we cross-compile for: Debian carries no cmocka for them
 * here. It prints what cmocka prints, so that tests/run.sh counts it.
 *
 * Side: tests. Only the flavours that need it have this folder on their include path.
 */
#ifndef TESTS_ARCH_CMOCKA_H
#define TESTS_ARCH_CMOCKA_H

#include <fnmatch.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    CMFixtureFunction setup_func, teardown_func;
};

#define cmocka_unit_test(f)                                                                                                                \
    {                                                                                                                                      \
#f, f, NULL, NULL                                                                                                                  \
    }
#define cmocka_unit_test_setup_teardown(f, setup, teardown)                                                                                \
    {                                                                                                                                      \
#f, f, setup, teardown                                                                                                             \
    }

enum { ARCH_FAILED = 1, ARCH_SKIPPED, ARCH_TESTS = 256 };
static jmp_buf arch_end;
static const char *arch_filter;

/* The ways a test ends early. */
static inline void arch_stop(int how)
{
    longjmp(arch_end, how);
}

static inline void arch_check(bool holds, const char *what, const char *file, int line)
{
    if (holds)
        return;
    printf("[  ERROR   ] --- %s:%d: %s\n", file, line, what);
    arch_stop(ARCH_FAILED);
}

static inline void arch_equal(intmax_t a, intmax_t b, const char *what, const char *file, int line)
{
    if (a == b)
        return;
    printf("[  ERROR   ] --- %s:%d: %s: %jd != %jd\n", file, line, what, a, b);
    arch_stop(ARCH_FAILED);
}

static inline void arch_same_text(const char *a, const char *b, const char *file, int line)
{
    if (strcmp(a, b) == 0)
        return;
    printf("[  ERROR   ] --- %s:%d: \"%s\" != \"%s\"\n", file, line, a, b);
    arch_stop(ARCH_FAILED);
}

#define ARCH_SAY(text)             arch_check(false, text, __FILE__, __LINE__)
#define assert_true(c)             arch_check((c) ? true : false, #c, __FILE__, __LINE__)
#define assert_false(c)            arch_check((c) ? false : true, "not (" #c ")", __FILE__, __LINE__)
#define assert_null(p)             arch_check((p) == NULL, #p " is not NULL", __FILE__, __LINE__)
#define assert_non_null(p)         arch_check((p) != NULL, #p " is NULL", __FILE__, __LINE__)
#define assert_ptr_equal(a, b)     arch_check((const void *)(a) == (const void *)(b), #a " is not " #b, __FILE__, __LINE__)
#define assert_int_equal(a, b)     arch_equal((intmax_t)(a), (intmax_t)(b), #a, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) arch_check((intmax_t)(a) != (intmax_t)(b), #a " is " #b, __FILE__, __LINE__)
#define assert_in_range(v, low, high)                                                                                                      \
    arch_check((uintmax_t)(v) >= (uintmax_t)(low) && (uintmax_t)(v) <= (uintmax_t)(high), #v " is out of range", __FILE__, __LINE__)
#define assert_string_equal(a, b)    arch_same_text(a, b, __FILE__, __LINE__)
#define assert_memory_equal(a, b, n) arch_check(memcmp(a, b, n) == 0, #a " differs from " #b, __FILE__, __LINE__)
#define print_message(...)           printf(__VA_ARGS__)
#define fail()                       ARCH_SAY("failed")
#define fail_msg(...)                (printf(__VA_ARGS__), printf("\n"), fail())
#define skip()                       arch_stop(ARCH_SKIPPED)

static inline void cmocka_set_test_filter(const char *pattern)
{
    arch_filter = pattern;
}

/* 0, ARCH_FAILED or ARCH_SKIPPED. */
static inline int arch_run(const struct CMUnitTest *t)
{
    void *state = NULL;
    int how;

    printf("[ RUN      ] %s\n", t->name);
    fflush(stdout);
    how = setjmp(arch_end);
    if (how == 0) {
        if (t->setup_func != NULL && t->setup_func(&state) != 0)
            return ARCH_FAILED;
        t->test_func(&state);
    }
    if (t->teardown_func != NULL && t->teardown_func(&state) != 0)
        return ARCH_FAILED;
    return how;
}

static inline int arch_run_group(const struct CMUnitTest *tests, size_t n)
{
    static const char *const word[] = { "      OK", " FAILED ", " SKIPPED" };
    static int how[ARCH_TESTS];
    int count[3] = { 0 };

    printf("[==========] tests: Running %zu test(s).\n", n);
    for (size_t i = 0; i < n && i < ARCH_TESTS; i++) {
        if (arch_filter != NULL && fnmatch(arch_filter, tests[i].name, 0) != 0)
            continue;
        how[i] = arch_run(&tests[i]);
        count[how[i]]++;
        printf("[ %s ] %s\n", word[how[i]], tests[i].name);
        fflush(stdout);
    }
    printf("[==========] tests: %d test(s) run.\n[  PASSED  ] %d test(s).\n", count[0] + count[1] + count[2], count[0]);
    for (int kind = ARCH_FAILED; kind <= ARCH_SKIPPED; kind++)
        for (size_t i = 0; i < n && i < ARCH_TESTS; i++) /* named twice, as by cmocka */
            if (how[i] == kind)
                printf("[ %s ] %s\n", word[kind], tests[i].name);
    return n > ARCH_TESTS ? 1 : count[ARCH_FAILED];
}

#define cmocka_run_group_tests(tests, setup, teardown) arch_run_group(tests, sizeof(tests) / sizeof((tests)[0]))

#endif
