/*
 * value_number.h - what a number of value.h may look like: asked by its reader and by its writer, so that they agree.
 *
 * Side: both.
 */
#ifndef PROTO_VALUE_NUMBER_H
#define PROTO_VALUE_NUMBER_H

#include "value.h"

#define VALUE_NAN_BITS 0x7ff8000000000000u

/* Whether it is an optional '-' and digits, with no zeros in front, too big for int64 and at most VALUE_BIG_DIGITS of them. */
bool number_is_big(const char *text, size_t len);

/* An optional '-' and decimal digits, taken apart. */
struct value_digits {
    bool negative;
    bool big; /* else integer is it */
    int64_t integer;
    const char *digits; /* without zeros in front; borrowed */
    size_t len;
};
/* 0; -EPROTO: something else; -E2BIG: more than VALUE_BIG_DIGITS. */
int number_of_digits(const char *text, size_t len, struct value_digits *ret);

/* Whether int64 has this number. */
bool number_is_integer(double d);

/* Whether a map may have this key: not a list, map, handle, null, big integer, NaN or a double that an integer can be. */
bool number_may_be_key(const struct value_item *item);

#endif
