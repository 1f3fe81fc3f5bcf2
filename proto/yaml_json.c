/* yaml_json.c - see yaml_json.h. */
#include "yaml_json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ESCAPE = 6, PAIR = 2 * ESCAPE, LONG = 10 };

/* "\uXXXX": its number; -1: it is no such escape. */
static long escape_at(const char *p, const char *end)
{
    long value = 0;

    if (end - p < ESCAPE || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < ESCAPE; i++) {
        int c = tolower((unsigned char)p[i]);

        if (!isxdigit(c))
            return -1;
        value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return value;
}

/* The character that the two escapes at p stand for; 0: they do not. */
static unsigned long pair_at(const char *p, const char *end)
{
    long high = escape_at(p, end), low = high >= 0xd800 && high < 0xdc00 ? escape_at(p + ESCAPE, end) : -1;

    return low >= 0xdc00 && low < 0xe000 ? 0x10000ul + ((unsigned long)(high - 0xd800) << 10) + (unsigned long)(low - 0xdc00) : 0;
}

static size_t rewrite(const char *text, size_t len, char *out)
{
    const char *end = text + len;
    int quoted = 0;
    size_t n = 0;

    for (const char *p = text; p < end;) {
        unsigned long c = quoted ? pair_at(p, end) : 0;

        if (c != 0) {
            n += (size_t)sprintf(out + n, "\\U%08lx", c);
            p += PAIR;
        } else if (quoted && *p == '\\' && end - p > 1) { /* what it escapes may be a quote, or another of its kind */
            out[n++] = *p++;
            out[n++] = *p++;
        } else {
            quoted ^= *p == '"';
            out[n++] = *p++;
        }
    }
    return n;
}

int yaml_json_escapes(const char *text, size_t len, char **ret, size_t *ret_len)
{
    size_t at = 0;

    *ret = NULL;
    while (at < len && strchr(" \t\r\n", text[at]) != NULL)
        at++;
    if (at == len || (text[at] != '{' && text[at] != '['))
        return 0;
    if (memmem(text, len, "\\ud", 3) == NULL && memmem(text, len, "\\uD", 3) == NULL)
        return 0;
    *ret = malloc(len + LONG + 2); /* sprintf's NUL may be one too many for a moment */
    if (*ret == NULL)
        return -ENOMEM;
    *ret_len = rewrite(text, len, *ret);
    return 0;
}
