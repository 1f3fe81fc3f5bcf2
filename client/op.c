/* op.c - a request and its answer, as an op: begun, waited for, taken, cancelled. See include/coop/client.h and own.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <coop/exit_codes.h>
#include <coop/version.h>

#include "client/own.h"
#include "control.pb-c.h"
#include "frame.h"

enum { CANCEL_TIMEOUT_MS = 60000 };

/* ---- its end ------------------------------------------------------------------------------------------------------------------- */

static void note_end(struct coop_op *op)
{
    struct coop_client *c = op->client;

    op->at_ended = c->ended_last;
    op->noted = true;
    *c->ended_last = op;
    c->ended_last = &op->next_ended;
    if (c->n_ended++ == 0)
        eventfd_write(c->event_fd, 1);
}

static void forget_end(struct coop_op *op)
{
    struct coop_client *c = op->client;
    eventfd_t n;

    if (!op->noted)
        return;
    op->noted = false;
    *op->at_ended = op->next_ended;
    if (op->next_ended != NULL)
        op->next_ended->at_ended = op->at_ended;
    else
        c->ended_last = op->at_ended;
    if (--c->n_ended == 0)
        eventfd_read(c->event_fd, &n);
}

/* From within req_step(), locked. */
static void on_end(struct req_call *call)
{
    struct coop_op *op = (struct coop_op *)call;

    if (op->waiter != NULL)
        pthread_cond_signal(&op->waiter->wake);
    if (op->orphan) {
        free(call->body);
        if (call->fd >= 0)
            close(call->fd);
        free(op);
    } else if (!op->quiet) {
        note_end(op);
    }
}

/* ---- its beginning --------------------------------------------------------------------------------------------------------------- */

static int check_process(const struct coop_client *c, struct coop_error *why)
{
    if (c->pid == getpid())
        return 0;
    return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "this client belongs to process %ld, which was forked: open another", (long)c->pid);
}

static int send_op(struct coop_client *c, struct coop_op *op, const void *bytes, size_t len, int fd, int64_t timeout_us,
                   struct coop_error *why)
{
    int rc = op->quiet ? client_ready(c, why) : 0;

    if (rc != 0)
        return rc;
    rc = req_send(c->req, &op->call, bytes, len, fd, client_ms(timeout_us));
    return rc != 0 ? client_explain(rc, why) : 0;
}

int op_begin(struct coop_client *c, const void *bytes, size_t len, int fd, int64_t timeout_us, uint64_t number, bool quiet,
             struct coop_op **ret, struct coop_error *why)
{
    struct coop_op *op;
    int rc = check_process(c, why);

    if (rc != 0)
        return rc;
    if (len > FRAME_MAX_CONTROL)
        return client_explain(-EMSGSIZE, why);
    op = calloc(1, sizeof(*op));
    if (op == NULL)
        return client_explain(-ENOMEM, why);
    *op = (struct coop_op){ .call = { .on_end = on_end }, .client = c, .quiet = quiet, .number = number };
    pthread_mutex_lock(&c->lock);
    rc = send_op(c, op, bytes, len, fd, timeout_us, why);
    pthread_mutex_unlock(&c->lock);
    if (rc != 0)
        free(op);
    else
        *ret = op;
    return rc;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------------------- */

bool coop_op_done(const struct coop_op *op)
{
    bool done;

    pthread_mutex_lock(&op->client->lock);
    done = op->call.state == REQ_CALL_DONE;
    pthread_mutex_unlock(&op->client->lock);
    return done;
}

int coop_op_wait(struct coop_op *op, int64_t timeout_us)
{
    struct coop_client *c = op->client;
    bool done;

    pthread_mutex_lock(&c->lock);
    client_wait(c, op, timeout_us < 0 ? UINT64_MAX : req_now_ms() + (uint64_t)client_ms(timeout_us));
    done = op->call.state == REQ_CALL_DONE;
    pthread_mutex_unlock(&c->lock);
    return done ? 0 : -ETIMEDOUT;
}

int op_check(struct coop_op *op, struct coop_error *why)
{
    struct coop_client *c = op->client;
    enum req_call_state state;

    pthread_mutex_lock(&c->lock);
    state = op->call.state;
    if (state == REQ_CALL_DONE)
        forget_end(op);
    pthread_mutex_unlock(&c->lock);
    if (state != REQ_CALL_DONE)
        return -EAGAIN;
    return op->call.rc != 0 ? client_explain(op->call.rc, why) : 0;
}

int op_finish(struct coop_op *op, struct coop_error *why)
{
    (void)coop_op_wait(op, COOP_NO_LIMIT); /* its own time limit wakes it */
    return op_check(op, why);
}

struct coop_op *coop_client_next(struct coop_client *c)
{
    struct coop_op *op;

    pthread_mutex_lock(&c->lock);
    for (op = c->ended; op != NULL && op->shown; op = op->next_ended) {
    }
    if (op != NULL)
        op->shown = true;
    pthread_mutex_unlock(&c->lock);
    return op;
}

/* ---- cancelling ------------------------------------------------------------------------------------------------------------------ */

/* Nobody waits for the answer to this one. Locked. */
static void tell_cancelled(struct coop_client *c, uint64_t number)
{
    Pb__AskCancel cancel = PB__ASK_CANCEL__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_op *op;
    uint8_t bytes[64]; /* numbers only */

    ask.number = ++c->last_number;
    ask.body_case = PB__ASK__BODY_ASK_CANCEL;
    ask.ask_cancel = &cancel;
    cancel.number = number;
    req.protocol = COOP_PROTOCOL;
    req.body_case = PB__REQUEST__BODY_ASK;
    req.ask = &ask;
    op = calloc(1, sizeof(*op));
    if (op == NULL)
        return;
    *op = (struct coop_op){ .call = { .on_end = on_end }, .client = c, .orphan = true };
    if (req_send(c->req, &op->call, bytes, pb__request__pack(&req, bytes), -1, CANCEL_TIMEOUT_MS) != 0)
        free(op);
}

void coop_op_cancel(struct coop_op *op)
{
    struct coop_client *c = op->client;

    pthread_mutex_lock(&c->lock);
    if (op->call.state == REQ_CALL_PENDING && op->number != 0) {
        tell_cancelled(c, op->number);
    } else if (op->call.state == REQ_CALL_PENDING) {
        req_forget(c->req, &op->call);
        op->call = (struct req_call){ .on_end = on_end, .state = REQ_CALL_DONE, .rc = -ECANCELED, .fd = -1 };
        on_end(&op->call);
    }
    pthread_mutex_unlock(&c->lock);
}

void coop_op_free(struct coop_op *op)
{
    struct coop_client *c;

    if (op == NULL)
        return;
    c = op->client;
    pthread_mutex_lock(&c->lock);
    forget_end(op);
    if (op->number != 0 && (op->call.state == REQ_CALL_PENDING || op->call.rc == -ETIMEDOUT))
        tell_cancelled(c, op->number);
    req_forget(c->req, &op->call);
    pthread_mutex_unlock(&c->lock);
    free(op);
}

void coop_op_set_user(struct coop_op *op, void *user)
{
    op->user = user;
}

void *coop_op_user(const struct coop_op *op)
{
    return op->user;
}

/* ---- raw ------------------------------------------------------------------------------------------------------------------------- */

int coop_exchange_begin(struct coop_client *c, const void *request, size_t len, int64_t timeout_us, struct coop_op **ret,
                        struct coop_error *why)
{
    return op_begin(c, request, len, -1, timeout_us, 0, false, ret, why);
}

int coop_exchange_end(struct coop_op *op, void **ret_reply, size_t *ret_len, int *ret_fd, struct coop_error *why)
{
    int rc = op_check(op, why);

    if (rc != 0)
        return rc;
    *ret_reply = op->call.body;
    *ret_len = op->call.len;
    op->call.body = NULL;
    if (ret_fd != NULL) {
        *ret_fd = op->call.fd;
        op->call.fd = -1;
    }
    return 0;
}

int coop_exchange(struct coop_client *c, const void *request, size_t len, int64_t timeout_us, void **ret_reply, size_t *ret_len,
                  int *ret_fd, struct coop_error *why)
{
    struct coop_op *op;
    int rc = op_begin(c, request, len, -1, timeout_us, 0, true, &op, why);

    if (rc != 0)
        return rc;
    rc = op_finish(op, why);
    if (rc == 0)
        rc = coop_exchange_end(op, ret_reply, ret_len, ret_fd, why);
    coop_op_free(op);
    return rc;
}
