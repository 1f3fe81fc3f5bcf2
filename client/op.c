/* op.c - a request and its answer, as an op: begun, waited for, taken, cancelled. See include/coop/client.h and own.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <coop/exit_codes.h>
#include <coop/version.h>

#include "client/start.h"
#include "control.pb-c.h"
#include "frame.h"

enum { TELL_TIMEOUT_MS = 60000 };

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

static void op_release(struct coop_op *op)
{
    free(op->call.body);
    if (op->call.state == REQ_CALL_DONE && op->call.fd >= 0)
        close(op->call.fd);
    free(op->bytes);
    free(op);
}

static void end(struct coop_op *op)
{
    op->done = true;
    if (op->waiter != NULL)
        pthread_cond_signal(&op->waiter->wake);
    if (op->orphan)
        op_release(op);
    else if (!op->quiet)
        note_end(op);
}

/* From within req_step(), locked. */
static void on_end(struct req_call *call)
{
    struct coop_op *op = (struct coop_op *)call;

    if (op->bytes == NULL || call->rc != 0) {
        end(op);
        return;
    }
    op->next_back = op->client->back;
    op->client->back = op;
}

static void begin_again(struct coop_op *op)
{
    uint64_t now = req_now_ms();
    int rc, ms = op->until_ms == UINT64_MAX ? -1 : op->until_ms <= now ? 0 : (int)(op->until_ms - now);

    req_forget(op->client->req, &op->call);
    op->call = (struct req_call){ .on_end = on_end };
    rc = req_send(op->client->req, &op->call, op->bytes, op->len, -1, ms);
    if (rc == 0)
        return;
    op->call = (struct req_call){ .state = REQ_CALL_DONE, .rc = rc, .fd = -1 };
    end(op);
}

void op_turn(struct coop_client *c)
{
    while (c->back != NULL) {
        struct coop_op *op = c->back;

        c->back = op->next_back;
        if (op_wants_again(op))
            begin_again(op);
        else
            end(op);
    }
}

static void forget_back(struct coop_op *op)
{
    struct coop_op **at = &op->client->back;

    while (*at != NULL && *at != op)
        at = &(*at)->next_back;
    if (*at != NULL)
        *at = op->next_back;
}

/* ---- its beginning --------------------------------------------------------------------------------------------------------------- */

static int check_process(const struct coop_client *c, struct coop_error *why)
{
    if (c->pid == getpid())
        return 0;
    return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "this client belongs to process %ld, which was forked: open another", (long)c->pid);
}

static int send_op(struct coop_client *c, struct coop_op *op, const void *bytes, size_t len, int64_t timeout_us, struct coop_error *why)
{
    int ms = client_ms(timeout_us), rc = op->quiet ? client_ready(c, why) : 0;

    if (rc != 0)
        return rc;
    op->until_ms = ms < 0 ? UINT64_MAX : req_now_ms() + (uint64_t)ms;
    rc = req_send(c->req, &op->call, bytes, len, -1, ms);
    return rc != 0 ? client_explain(rc, why) : 0;
}

static struct coop_op *op_new(const void *bytes, size_t len, const struct op_kind *kind)
{
    struct coop_op *op = calloc(1, sizeof(*op));

    if (op == NULL || kind == NULL || kind->again == NULL)
        return op;
    op->bytes = malloc(len);
    if (op->bytes == NULL) {
        free(op);
        return NULL;
    }
    memcpy(op->bytes, bytes, len);
    op->len = len;
    return op;
}

int op_begin(struct coop_client *c, const void *bytes, size_t len, int64_t timeout_us, uint64_t number, bool quiet,
             const struct op_kind *kind, struct coop_op **ret, struct coop_error *why)
{
    struct coop_op *op;
    int rc = check_process(c, why);

    if (rc != 0)
        return rc;
    if (len > FRAME_MAX_CONTROL)
        return client_explain(-EMSGSIZE, why);
    op = op_new(bytes, len, kind);
    if (op == NULL)
        return client_explain(-ENOMEM, why);
    op->call.on_end = on_end;
    op->client = c;
    op->quiet = quiet;
    op->number = number;
    op->kind = kind;
    pthread_mutex_lock(&c->lock);
    rc = send_op(c, op, bytes, len, timeout_us, why);
    pthread_mutex_unlock(&c->lock);
    if (rc != 0)
        op_release(op);
    else
        *ret = op;
    return rc;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------------------- */

bool coop_op_done(const struct coop_op *op)
{
    bool done;

    pthread_mutex_lock(&op->client->lock);
    done = op->done;
    pthread_mutex_unlock(&op->client->lock);
    return done;
}

int coop_op_wait(struct coop_op *op, int64_t timeout_us)
{
    struct coop_client *c = op->client;
    bool done;

    pthread_mutex_lock(&c->lock);
    client_wait(c, op, timeout_us < 0 ? UINT64_MAX : req_now_ms() + (uint64_t)client_ms(timeout_us));
    done = op->done;
    pthread_mutex_unlock(&c->lock);
    return done ? 0 : -ETIMEDOUT;
}

int op_check(struct coop_op *op, struct coop_error *why)
{
    struct coop_client *c = op->client;
    bool done;

    pthread_mutex_lock(&c->lock);
    done = op->done;
    if (done)
        forget_end(op);
    pthread_mutex_unlock(&c->lock);
    if (!done)
        return -EINPROGRESS;
    if (op->call.rc == -ETIMEDOUT && op->kind != NULL && op->kind->late != NULL)
        return coop_error_set(why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "%s", op->kind->late);
    return op->call.rc != 0 ? client_explain(op->call.rc, why) : 0;
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

/* Locked. */
static void tell(struct coop_client *c, int which, void *message)
{
    Pb__Request req = PB__REQUEST__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    struct coop_op *op = calloc(1, sizeof(*op));
    uint8_t *bytes = NULL;
    size_t len;

    ask.number = ++c->last_number;
    ask.body_case = (Pb__Ask__BodyCase)which;
    ask.ask_cancel = message;
    req.protocol = COOP_PROTOCOL;
    req.body_case = PB__REQUEST__BODY_ASK;
    req.ask = &ask;
    if (op != NULL && frame_pack(&req.base, &bytes, &len) == 0) {
        *op = (struct coop_op){ .call = { .on_end = on_end }, .client = c, .orphan = true };
        if (req_send(c->req, &op->call, bytes, len, -1, TELL_TIMEOUT_MS) == 0)
            op = NULL; /* its end frees it */
    }
    free(bytes);
    free(op);
}

void op_tell(struct coop_client *c, int which, void *message)
{
    pthread_mutex_lock(&c->lock);
    tell(c, which, message);
    pthread_mutex_unlock(&c->lock);
}

static void tell_cancelled(struct coop_client *c, uint64_t number)
{
    Pb__AskCancel m = PB__ASK_CANCEL__INIT;

    m.number = number;
    tell(c, PB__ASK__BODY_ASK_CANCEL, &m);
}

void coop_op_cancel(struct coop_op *op)
{
    struct coop_client *c = op->client;

    pthread_mutex_lock(&c->lock);
    if (!op->done && op->number != 0) {
        tell_cancelled(c, op->number);
    } else if (!op->done) {
        forget_back(op);
        req_forget(c->req, &op->call);
        op->call = (struct req_call){ .state = REQ_CALL_DONE, .rc = -ECANCELED, .fd = -1 };
        end(op);
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
    forget_back(op);
    if (op->number != 0 && (!op->done || op->call.rc == -ETIMEDOUT))
        tell_cancelled(c, op->number);
    req_forget(c->req, &op->call);
    pthread_mutex_unlock(&c->lock);
    op_release(op);
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
    return op_begin(c, request, len, timeout_us, 0, false, NULL, ret, why);
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
    int rc = op_begin(c, request, len, timeout_us, 0, true, NULL, &op, why);

    if (rc != 0)
        return rc;
    (void)coop_op_wait(op, COOP_NO_LIMIT); /* its own time limit wakes it */
    rc = coop_exchange_end(op, ret_reply, ret_len, ret_fd, why);
    coop_op_free(op);
    return rc;
}
