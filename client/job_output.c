/* job_output.c - what goes into a job and comes out of it: logs, standard input, collected files, its terminal. */
#include <errno.h>
#include <stdlib.h>

#include <coop/exit_codes.h>

#include "client/info.h"
#include "client/start.h"

enum { LONG_POLL_MS = 25000, SLACK_US = 30000000 };

static int copy_bytes(const ProtobufCBinaryData *from, char **ret, size_t *ret_len)
{
    char *copy = malloc(from->len + 1);

    if (copy == NULL)
        return -ENOMEM;
    if (from->len > 0)
        memcpy(copy, from->data, from->len);
    copy[from->len] = '\0';
    *ret = copy;
    *ret_len = from->len;
    return 0;
}

/* ---- answers ----------------------------------------------------------------------------------------------------------------------- */

static int read_logs(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__LogsReply *r = body;
    struct coop_log *l = &ret->log;

    (void)op;
    if (copy_bytes(&r->stdout_data, &l->out, &l->out_len) != 0 || copy_bytes(&r->stderr_data, &l->err, &l->err_len) != 0)
        return start_no_memory(why);
    l->next.run = r->run;
    l->next.out = r->stdout_offset + l->out_len;
    l->next.err = r->stderr_offset + l->err_len;
    job_of_pb(&l->job, r->status);
    l->ended = r->ended;
    return 0;
}

static int read_stdin(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__StdinReply *r = body;

    (void)why;
    ret->taken = r->closed && r->offset < op->extent ? UINT64_MAX : r->offset;
    return 0;
}

static int read_output(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__OutputReply *r = body;

    (void)op;
    if (copy_bytes(&r->data, (char **)&ret->bytes.at, &ret->bytes.len) != 0)
        return start_no_memory(why);
    ret->bytes.whole = r->bytes;
    ret->bytes.mode = r->mode;
    ret->bytes.ended = r->end;
    return 0;
}

/* clang-format off */
static const struct op_kind kind_logs   = { false, PB__REPLY__BODY_LOGS,        COOP_RESULT_LOG,     read_logs,   NULL, NULL };
static const struct op_kind kind_stdin  = { false, PB__REPLY__BODY_STDIN_WRITE, COOP_RESULT_TAKEN,   read_stdin,  NULL, NULL };
static const struct op_kind kind_output = { false, PB__REPLY__BODY_OUTPUT,      COOP_RESULT_BYTES,   read_output, NULL, NULL };
static const struct op_kind kind_resize = { false, PB__REPLY__BODY_RESIZE_TTY,  COOP_RESULT_NOTHING, NULL,        NULL, NULL };
/* clang-format on */

/* ---- logs -------------------------------------------------------------------------------------------------------------------------- */

/* The broker keeps the time; it is only late when it does not answer at all. */
static int start_logs(struct start *s, const char *job, const struct coop_log_position *from)
{
    const struct coop_log_position beginning = { 0, 0, 0 };
    Pb__Logs m = PB__LOGS__INIT;
    int ms = client_ms(s->timeout_us);

    if (from == NULL)
        from = &beginning;
    m.id = (char *)job;
    m.run = from->run;
    m.stdout_offset = from->out;
    m.stderr_offset = from->err;
    m.timeout_ms = ms < 0 || ms > LONG_POLL_MS ? LONG_POLL_MS : (uint32_t)ms;
    s->timeout_us = m.timeout_ms * INT64_C(1000) + SLACK_US;
    return start_request(s, PB__REQUEST__BODY_LOGS, &m, &kind_logs);
}

int coop_job_logs(struct coop_client *c, const char *job, const struct coop_log_position *from, int64_t timeout_us, struct coop_log *ret,
                  struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_logs(&s, job, from), &r);

    if (rc == 0)
        *ret = r.log;
    return rc;
}

int coop_job_logs_begin(struct coop_client *c, const char *job, const struct coop_log_position *from, int64_t timeout_us,
                        struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_logs(&s, job, from), ret);
}

void coop_log_free(struct coop_log *l)
{
    free(l->out);
    free(l->err);
    l->out = l->err = NULL;
    l->out_len = l->err_len = 0;
}

/* ---- standard input ------------------------------------------------------------------------------------------------------------------ */

static int start_stdin(struct start *s, const char *job, uint64_t offset, const void *bytes, size_t len, bool eof)
{
    Pb__StdinWrite m = PB__STDIN_WRITE__INIT;
    int rc;

    m.id = (char *)job;
    m.offset = offset;
    m.data = (ProtobufCBinaryData){ len, (uint8_t *)bytes };
    m.eof = eof;
    rc = start_request(s, PB__REQUEST__BODY_STDIN_WRITE, &m, &kind_stdin);
    if (rc == 0)
        s->op->extent = offset + len;
    return rc;
}

int coop_job_stdin(struct coop_client *c, const char *job, uint64_t offset, const void *bytes, size_t len, bool eof, int64_t timeout_us,
                   uint64_t *ret_taken, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_stdin(&s, job, offset, bytes, len, eof), &r);

    if (rc == 0 && ret_taken != NULL)
        *ret_taken = r.taken;
    return rc;
}

int coop_job_stdin_begin(struct coop_client *c, const char *job, uint64_t offset, const void *bytes, size_t len, bool eof,
                         int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_stdin(&s, job, offset, bytes, len, eof), ret);
}

/* ---- collected files, the terminal ----------------------------------------------------------------------------------------------- */

static int start_output(struct start *s, const char *job, const char *name, uint64_t offset)
{
    Pb__GetOutput m = PB__GET_OUTPUT__INIT;

    m.id = (char *)job;
    m.name = (char *)name;
    m.offset = offset;
    return start_request(s, PB__REQUEST__BODY_OUTPUT, &m, &kind_output);
}

int coop_job_output(struct coop_client *c, const char *job, const char *name, uint64_t offset, int64_t timeout_us, struct coop_bytes *ret,
                    struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_output(&s, job, name, offset), &r);

    if (rc == 0)
        *ret = r.bytes;
    return rc;
}

int coop_job_output_begin(struct coop_client *c, const char *job, const char *name, uint64_t offset, int64_t timeout_us,
                          struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_output(&s, job, name, offset), ret);
}

static int start_resize(struct start *s, const char *job, unsigned rows, unsigned columns)
{
    Pb__ResizeTty m = PB__RESIZE_TTY__INIT;
    Pb__TtySize size = PB__TTY_SIZE__INIT;

    size.rows = rows;
    size.columns = columns;
    m.id = (char *)job;
    m.size = &size;
    return start_request(s, PB__REQUEST__BODY_RESIZE_TTY, &m, &kind_resize);
}

int coop_job_resize(struct coop_client *c, const char *job, unsigned rows, unsigned columns, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_resize(&s, job, rows, columns));
}

int coop_job_resize_begin(struct coop_client *c, const char *job, unsigned rows, unsigned columns, int64_t timeout_us, struct coop_op **ret,
                          struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_resize(&s, job, rows, columns), ret);
}
