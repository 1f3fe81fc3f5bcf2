/*
 * value_fixture.h - what the tests of value.h share: an encoding that was made, and the check that it is a good one.
 *
 * Side:    tests.
 */
#ifndef TESTS_UNIT_VALUE_FIXTURE_H
#define TESTS_UNIT_VALUE_FIXTURE_H

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

#include "value.h"

#define STRING(text) (const uint8_t *)(text), sizeof(text) - 1
#define BYTES(...)   (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })
enum { HANDLES = 3 };

struct sample {
    uint8_t *bytes;
    size_t len;
};

static inline struct sample taken(struct value_writer *w)
{
    struct sample s = { NULL, 0 };

    assert_int_equal(value_writer_take(w, &s.bytes, &s.len), 0);
    return s;
}

static inline int checked(const void *bytes, size_t len, char *path)
{
    return value_check(bytes, len, VALUE_WHOLE_BYTES, HANDLES, "v", path);
}

static inline void is_good(struct sample s)
{
    char path[VALUE_PATH] = "?";

    assert_int_equal(checked(s.bytes, s.len, path), 0);
    assert_string_equal(path, "");
}

#endif
