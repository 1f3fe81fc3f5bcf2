/* fuzz_limits.c - any text as limits, sizes, times, ids and misspelled words: understood, or refused with a sentence that is text. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "job_limits.h"
#include "nearest.h"
#include "ulid.h"
#include "units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_why(const char *why)
{
    assert(memchr(why, '\0', LIMITS_WHY) != NULL && why[0] != '\0');
}

static void settled(const Pb__Limits *l, int engine)
{
    for (size_t i = 0; i < limits_count; i++) {
        const struct limits_row *row = &limits_table[i];
        uint64_t value = limits_get(l, row);

        if (engine == LIMITS_ANY_ENGINE)
            assert(value <= row->max);
        else
            assert(value >= row->of[engine].min && value <= row->max && (value > 0) == (row->of[engine].min > 0));
    }
}

static void limits(const char *text)
{
    Pb__Limits l = PB__LIMITS__INIT;
    char why[LIMITS_WHY] = "";
    int rc = limits_parse(text, &l, why);

    if (rc != 0) {
        assert(rc == -EINVAL);
        check_why(why);
        return;
    }
    for (int engine = LIMITS_ANY_ENGINE; engine < ENGINE_COUNT; engine++) {
        Pb__Limits trial = l;

        rc = limits_settle(&trial, engine, why);
        if (rc == 0) {
            settled(&trial, engine);
            continue;
        }
        assert(rc == -EINVAL || rc == -EDQUOT);
        check_why(why);
    }
}

/* What is printed can be read, and is at most a hundredth less. */
static void unit(const char *text, int (*parse)(const char *, uint64_t *), char *(*format)(uint64_t, char *))
{
    uint64_t value = 7, back;
    char buf[UNITS_BUF];
    int rc = parse(text, &value);

    if (rc != 0) {
        assert((rc == -EINVAL || rc == -ERANGE) && value == 7);
        return;
    }
    rc = parse(format(value, buf), &back);
    assert(rc == 0 && back <= value && value - back <= value / 100 + 1);
}

static void word(const char *text)
{
    static const char *const words[] = { "cpu", "wall", "memory", "stdout", "stderr", "submit", "ls", NULL };
    const char *near = nearest_word(text, words);
    char id[ULID_LEN + 1], back[ULID_LEN + 1];

    assert(near == NULL || strlen(near) > 0);
    for (const char *const *w = words; *w != NULL; w++)
        assert(strcmp(*w, text) != 0 || near == *w);
    if (ulid_normalize(text, id) != 0)
        return;
    assert(strlen(id) == strlen(text));
    assert(ulid_normalize(id, back) == 0 && strcmp(id, back) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* exact, so that a read past its end is seen */

    memcpy(text, data, size);
    text[size] = '\0';
    limits(text);
    unit(text, units_parse_size, units_format_size);
    unit(text, units_parse_duration, units_format_duration);
    word(text);
    free(text);
    return 0;
}
