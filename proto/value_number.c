/* value_number.c - see value_number.h. */
#include "value_number.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const char lowest[] = "9223372036854775808"; /* of INT64_MIN, which is one further from 0 than INT64_MAX */
enum { LOWEST_LEN = sizeof(lowest) - 1 };

static bool is_beyond_int64(bool negative, const char *digits, size_t len)
{
    int cmp;

    if (len != LOWEST_LEN)
        return len > LOWEST_LEN;
    cmp = memcmp(digits, lowest, len);
    return negative ? cmp > 0 : cmp >= 0;
}

int number_of_digits(const char *text, size_t len, struct value_digits *ret)
{
    bool negative = len > 0 && text[0] == '-';
    uint64_t n = 0;

    text += negative;
    len -= negative;
    if (len == 0)
        return -EPROTO;
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return -EPROTO;
    for (; len > 1 && text[0] == '0'; text++)
        len--;
    if (len > VALUE_BIG_DIGITS)
        return -E2BIG;
    *ret = (struct value_digits){ .negative = negative, .big = is_beyond_int64(negative, text, len), .digits = text, .len = len };
    for (size_t i = 0; i < len && !ret->big; i++)
        n = n * 10 + (uint64_t)(text[i] - '0');
    ret->integer = (int64_t)(negative ? 0 - n : n);
    return 0;
}

bool number_is_big(const char *text, size_t len)
{
    struct value_digits d;

    return number_of_digits(text, len, &d) == 0 && d.big && d.len + d.negative == len;
}

bool number_is_integer(double d)
{
    return d >= -0x1p63 && d < 0x1p63 && d == (double)(int64_t)d;
}

bool number_may_be_key(const struct value_item *item)
{
    switch (item->type) {
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_TEXT:
    case VALUE_DATA: return true;
    case VALUE_DOUBLE: return !isnan(item->number) && !number_is_integer(item->number);
    default: return false;
    }
}
