/* failure.c - see failure.h. */
#include "client/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <coop/exit_codes.h>

#include "call_errors.h"
#include "client/start.h"
#include "frame.h"

/* ---- an Error of control.proto --------------------------------------------------------------------------------------------------- */

struct code_row {
    int error, exit_code;
};

#define ROW(name) [PB__ERROR_CODE__ERROR_CODE_##name]

static const struct code_row code_rows[] = {
    ROW(USAGE) = {EINVAL,      COOP_EXIT_USAGE     },
    ROW(NOT_FOUND) = { ENOENT,     COOP_EXIT_NOT_FOUND },
    ROW(CONFLICT) = { EBUSY,      COOP_EXIT_CONFLICT  },
    ROW(QUOTA) = { EDQUOT,     COOP_EXIT_QUOTA     },
    ROW(TEMPORARY) = { EREMOTEIO,  COOP_EXIT_TEMPORARY },
    ROW(PERMISSION) = { EACCES,     COOP_EXIT_PERMISSION},
    ROW(PROTOCOL) = { EOPNOTSUPP, COOP_EXIT_PROTOCOL  },
    ROW(INTERNAL) = { EIO,        COOP_EXIT_PLATFORM  },
};

static int failure_of_error(const Pb__Error *e, struct coop_error *why)
{
    const size_t rows = sizeof(code_rows) / sizeof(code_rows[0]);
    const struct code_row *row = &code_rows[PB__ERROR_CODE__ERROR_CODE_INTERNAL];

    if ((size_t)e->code < rows && code_rows[e->code].error != 0)
        row = &code_rows[e->code];
    coop_error_set(why, row->error, row->exit_code, "%s", e->message[0] != '\0' ? e->message : "the broker refused without saying why");
    coop_error_hint(why, "%s", e->hint);
    return -row->error;
}

/* ---- a CallFailure of calls.proto ------------------------------------------------------------------------------------------------ */

/* The innermost calls, which tell most, stand last in Lua's and Python's: the end is kept. */
static void put_end(char *into, size_t size, const char *text)
{
    size_t n = strlen(text), skip = n < size ? 0 : n - (size - 1);

    while (((unsigned char)text[skip] & 0xc0) == 0x80)
        skip++;
    memcpy(into, text + skip, n - skip + 1);
}

static void put_remote(struct coop_error *why, const Pb__JobError *e)
{
    PUT(why->remote_type, e->type);
    PUT(why->remote_message, e->message);
    put_end(why->traceback, sizeof(why->traceback), e->traceback);
}

static void put_cycle(struct coop_error *why, const Pb__CallFailure *f)
{
    const size_t room = sizeof(why->cycle) / sizeof(why->cycle[0]);

    for (size_t i = 0; i < f->n_cycle && i < room; i++)
        PUT(why->cycle[why->n_cycle++], f->cycle[i]);
}

static int failure_of_call(const Pb__CallFailure *f, struct coop_error *why)
{
    const struct call_error_row *row = call_error(f->error);
    int error = row->error != 0 ? row->error : EPROTO; /* a failure that is none */

    if (why == NULL)
        return -error;
    coop_error_set(why, error, row->exit_code, "%s", f->message[0] != '\0' ? f->message : row->what);
    PUT(why->name, row->name);
    PUT(why->path, f->path);
    if (f->remote != NULL)
        put_remote(why, f->remote);
    text_put_enum(why->cause, sizeof(why->cause), &pb__cause__descriptor, "CAUSE_", (int)f->cause);
    PUT(why->cause_detail, f->cause_detail);
    PUT(why->receipt, f->receipt);
    put_cycle(why, f);
    return -error;
}

/* ---- either ---------------------------------------------------------------------------------------------------------------------- */

int failure_of_reply(const Pb__Reply *r, struct coop_error *why)
{
    if (r->body_case == PB__REPLY__BODY_ERROR)
        return failure_of_error(r->error, why);
    if (r->body_case == PB__REPLY__BODY_ASK && r->ask->body_case == PB__ANSWER__BODY_FAILURE)
        return failure_of_call(r->ask->failure, why);
    return 0;
}

int coop_exchange_check(const void *reply, size_t len, struct coop_error *why)
{
    struct frame f;
    int rc = frame_decode(&f, &pb__reply__descriptor, reply, len, FRAME_MAX_CONTROL);

    if (rc != 0)
        return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer makes no sense (%s); is it of another version?",
                              strerror(-rc));
    rc = failure_of_reply((const Pb__Reply *)f.msg, why);
    frame_release(&f);
    return rc;
}
