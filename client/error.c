/* error.c - see error.h. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

int coop_error_set(struct coop_error *why, int errno_value, int exit_code, const char *fmt, ...)
{
    va_list ap;

    why->exit_code = exit_code;
    why->hint[0] = '\0';
    va_start(ap, fmt);
    vsnprintf(why->message, sizeof(why->message), fmt, ap);
    va_end(ap);
    return -errno_value;
}

void coop_error_hint(struct coop_error *why, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why->hint, sizeof(why->hint), fmt, ap);
    va_end(ap);
}
