/*
 * call_errors.h - the errors of calls as one table: the same in C, in Lua and in the command.
 *
 * Side:  both. Owned: constant.
 */
#ifndef PROTO_CALL_ERRORS_H
#define PROTO_CALL_ERRORS_H

#include "calls.pb-c.h"

struct call_error_row {
    const char *name; /* "QueueFull": error.type in Lua, .name in C, "error" in JSON */
    int error;        /* errno, positive */
    int exit_code;    /* coop/exit_codes.h */
    const char *what; /* one sentence, for docs and for a message that has none of its own */
};

/* Never NULL: an unknown number is INTERNAL's row. */
const struct call_error_row *call_error(Pb__CallError e);
/* By name; CALL_ERROR_NONE: there is none. */
Pb__CallError call_error_find(const char *name);

#endif
