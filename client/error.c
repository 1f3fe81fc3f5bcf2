/* error.c - struct coop_error: see include/coop/client.h. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <coop/client.h>

#include "call_errors.h"

/* The name is that of calls (call_errors.h) for this errno, else for this exit code: what a program asks by name has one in every case. */
static const char *name_of(int error, int exit_code)
{
    const char *by_code = "Internal";

    for (int i = PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST; i <= PB__CALL_ERROR__CALL_ERROR_INTERNAL; i++) {
        const struct call_error_row *row = call_error((Pb__CallError)i);

        if (row->error == error)
            return row->name;
        if (row->exit_code == exit_code && strcmp(by_code, "Internal") == 0)
            by_code = row->name;
    }
    return by_code;
}

int coop_error_set(struct coop_error *why, int error, int exit_code, const char *fmt, ...)
{
    va_list ap;

    if (why == NULL)
        return -error;
    why->error = error;
    why->exit_code = exit_code;
    snprintf(why->name, sizeof(why->name), "%s", name_of(error, exit_code));
    why->hint[0] = why->path[0] = why->remote_type[0] = why->remote_message[0] = why->traceback[0] = '\0';
    why->cause[0] = why->cause_detail[0] = why->receipt[0] = '\0';
    why->n_cycle = 0;
    va_start(ap, fmt);
    vsnprintf(why->message, sizeof(why->message), fmt, ap);
    va_end(ap);
    return -error;
}

void coop_error_hint(struct coop_error *why, const char *fmt, ...)
{
    va_list ap;

    if (why == NULL)
        return;
    va_start(ap, fmt);
    vsnprintf(why->hint, sizeof(why->hint), fmt, ap);
    va_end(ap);
}
