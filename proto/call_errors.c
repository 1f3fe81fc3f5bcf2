/* call_errors.c - see call_errors.h. */
#include "call_errors.h"

#include <errno.h>
#include <string.h>

#include "coop/exit_codes.h"

#define ROW(name) [PB__CALL_ERROR__CALL_ERROR_##name]

/* clang-format off */
static const struct call_error_row rows[] = {
    ROW(NONE)             = { "None",             0,            COOP_EXIT_OK,         "no error" },
    ROW(BAD_REQUEST)      = { "BadRequest",       EINVAL,       COOP_EXIT_USAGE,      "the request makes no sense" },
    ROW(NOT_FOUND)        = { "NotFound",         ENOENT,       COOP_EXIT_NOT_FOUND,  "there is no such thing" },
    ROW(BAD_HANDLE)       = { "BadHandle",        EBADF,        COOP_EXIT_NOT_FOUND,  "not a handle of yours, or one of another kind" },
    ROW(REVOKED)          = { "Revoked",          EKEYREVOKED,  COOP_EXIT_PERMISSION, "the handle has been revoked" },
    ROW(NOT_ALLOWED)      = { "NotAllowed",       EACCES,       COOP_EXIT_PERMISSION, "the handle has not this right, or the job not this capability" },
    ROW(CLOSED)           = { "Closed",           EPIPE,        COOP_EXIT_CONFLICT,   "it is closed" },
    ROW(DEAD)             = { "Dead",             EOWNERDEAD,   COOP_EXIT_CONFLICT,   "the interpreter has ended" },
    ROW(EXECUTION_FAILED) = { "ExecutionFailed",  ECHILD,       COOP_EXIT_EXCEPTION,  "an uncaught error, or the interpreter ended during the call" },
    ROW(BUSY)             = { "Busy",             EBUSY,        COOP_EXIT_CONFLICT,   "it is in use" },
    ROW(QUEUE_FULL)       = { "QueueFull",        ENOBUFS,      COOP_EXIT_TEMPORARY,  "the queue is full" },
    ROW(QUEUE_EMPTY)      = { "QueueEmpty",       EAGAIN,       COOP_EXIT_TEMPORARY,  "the queue is empty" },
    ROW(TIMED_OUT)        = { "TimedOut",         ETIMEDOUT,    COOP_EXIT_TIME_LIMIT, "the time was over before it was done" },
    ROW(INTERRUPTED)      = { "Interrupted",      ECANCELED,    COOP_EXIT_CANCELLED,  "it was interrupted" },
    ROW(ITEM_DESTROYED)   = { "ItemInterpreterDestroyed", EIDRM, COOP_EXIT_CONFLICT,  "the sender of this item has ended" },
    ROW(NOT_SHAREABLE)    = { "NotShareable",     EPROTOTYPE,   COOP_EXIT_USAGE,      "not a value that can be sent" },
    ROW(TOO_DEEP)         = { "TooDeep",          ELOOP,        COOP_EXIT_USAGE,      "lists and maps nest too deeply" },
    ROW(TOO_BIG)          = { "TooBig",           E2BIG,        COOP_EXIT_USAGE,      "too big to be sent: use a buffer" },
    ROW(NO_FUNCTION)      = { "NoFunction",       ENOSYS,       COOP_EXIT_NOT_FOUND,  "there is no function of this name" },
    ROW(DEADLOCK)         = { "Deadlock",         EDEADLK,      COOP_EXIT_CONFLICT,   "interpreters would wait for each other for ever" },
    ROW(LIMIT)            = { "Limit",            EDQUOT,       COOP_EXIT_QUOTA,      "a limit would be exceeded" },
    ROW(NAME_TAKEN)       = { "NameTaken",        EEXIST,       COOP_EXIT_CONFLICT,   "the name is taken" },
    ROW(TEMPLATE_FAILED)  = { "TemplateFailed",   ENOEXEC,      COOP_EXIT_EXCEPTION,  "the template could not be made" },
    ROW(UNSUPPORTED)      = { "Unsupported",      EOPNOTSUPP,   COOP_EXIT_USAGE,      "this engine, or this machine, has no such thing" },
    ROW(TEMPORARY)        = { "Temporary",        EREMOTEIO,        COOP_EXIT_TEMPORARY,  "not now: try again later" },
    ROW(INTERNAL)         = { "Internal",         EIO,          COOP_EXIT_PLATFORM,   "a fault of the platform" },
};
/* clang-format on */

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

const struct call_error_row *call_error(Pb__CallError e)
{
    return (unsigned)e < ROWS && rows[e].name != NULL ? &rows[e] : &rows[PB__CALL_ERROR__CALL_ERROR_INTERNAL];
}

Pb__CallError call_error_find(const char *name)
{
    for (unsigned i = 1; i < ROWS; i++)
        if (rows[i].name != NULL && strcmp(rows[i].name, name) == 0)
            return (Pb__CallError)i;
    return PB__CALL_ERROR__CALL_ERROR_NONE;
}
