/* error.c - struct coop_error: see include/coop/client.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <coop/client.h>
#include <coop/exit_codes.h>

#include "call_errors.h"

#define E(name) PB__CALL_ERROR__CALL_ERROR_##name

/* Of several that have an exit code, the one that says no more than it does. */
static const struct {
    int exit_code;
    Pb__CallError is;
} by_code[] = {
    {COOP_EXIT_USAGE,       E(BAD_REQUEST)},
    { COOP_EXIT_CONFIG,     E(BAD_REQUEST)},
    { COOP_EXIT_TEMPORARY,  E(TEMPORARY)  },
    { COOP_EXIT_PERMISSION, E(NOT_ALLOWED)},
    { COOP_EXIT_QUOTA,      E(LIMIT)      },
    { COOP_EXIT_NOT_FOUND,  E(NOT_FOUND)  },
    { COOP_EXIT_CONFLICT,   E(BUSY)       },
    { COOP_EXIT_TIME_LIMIT, E(TIMED_OUT)  },
    { COOP_EXIT_CANCELLED,  E(INTERRUPTED)},
};

/*
 * The name is that of calls (call_errors.h) for both numbers, else for the exit code: what a program asks by name has one in every case,
 * and an errno of libc's has none by chance.
 */
static const char *name_of(int error, int exit_code)
{
    for (int i = E(BAD_REQUEST); i <= E(INTERNAL); i++) {
        const struct call_error_row *row = call_error((Pb__CallError)i);

        if (row->error == error && row->exit_code == exit_code)
            return row->name;
    }
    for (size_t i = 0; i < sizeof(by_code) / sizeof(by_code[0]); i++)
        if (by_code[i].exit_code == exit_code)
            return error == ETIMEDOUT ? call_error(E(TIMED_OUT))->name : call_error(by_code[i].is)->name;
    return call_error(E(INTERNAL))->name;
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
