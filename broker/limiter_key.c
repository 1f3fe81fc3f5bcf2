/* limiter_key.c - what a limiter may be called; see limiters.h. Pure: the store asks it of rows, too. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "broker/limiters.h"
#include "broker/plans_own.h"
#include "log.h"

__attribute__((format(printf, 2, 3))) static bool no(char why[LIMITERS_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, LIMITERS_WHY, fmt, ap);
    va_end(ap);
    return false;
}

bool limiters_key_ok(const char *key, char why[LIMITERS_WHY])
{
    char shown[4 * LIMITER_KEY + 1];
    size_t len = strlen(key);

    if (len == 0)
        return no(why, "a limiter has a name");
    for (const char *p = key; *p != '\0'; p++)
        if (!isalnum((unsigned char)*p) && strchr("-_./:", *p) == NULL)
            len = LIMITER_KEY + 1;
    if (len > LIMITER_KEY)
        return no(why, "'%s' is no name of a limiter: 1 to %d letters, digits, '-', '_', '.', '/', ':'",
                  log_escape(shown, sizeof(shown), key, strnlen(key, LIMITER_KEY)), LIMITER_KEY);
    return true;
}
