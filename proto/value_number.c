/* value_number.c - see value_number.h. */
#include "value_number.h"

#include <math.h>
#include <string.h>

static const char lowest[] = "9223372036854775808"; /* of INT64_MIN, which is one further from 0 than INT64_MAX */

bool number_is_big(const char *text, size_t len)
{
    bool negative = len > 0 && text[0] == '-';
    int cmp;

    text += negative;
    len -= negative;
    if (len < strlen(lowest) || len > VALUE_BIG_DIGITS || text[0] == '0')
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    if (len > strlen(lowest))
        return true;
    cmp = memcmp(text, lowest, len);
    return negative ? cmp > 0 : cmp >= 0;
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
