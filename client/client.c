/* client.c - see client.h. */
#include "client/client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>

#include <coop/exit_codes.h>
#include <coop/version.h>

enum {
    CONNECT_TIMEOUT_S = 30, /* for a broker that is starting, or ending, under someone else's hand */
    CONNECT_TURN_MS = 500,  /* how long to wait for that before trying to start one again */
    SEND_TIMEOUT_MS = 5000,
    REDIAL_MIN_MS = 10,
    REDIAL_MAX_MS = 200,
};

enum call_state { CALL_NONE, CALL_PENDING, CALL_DONE };

struct coop_client {
    struct endpoint endpoint;
    nng_socket sock;
    nng_dialer dialer;
    nng_aio *aio;
    int event_fd;

    pthread_mutex_t lock; /* what follows is written by nng's threads */
    pthread_cond_t changed;
    enum call_state call;
    bool up;
    bool stranger; /* the peer was neither root nor us, and was refused */
    unsigned peer_uid;
};

static void wake(struct coop_client *c)
{
    uint64_t one = 1;

    while (write(c->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static int errno_of_nng(int rv)
{
    switch (rv) {
    case 0: return 0;
    case NNG_ETIMEDOUT: return -ETIMEDOUT;
    case NNG_ENOMEM: return -ENOMEM;
    case NNG_EMSGSIZE: return -EMSGSIZE;
    case NNG_EPROTO: return -EPROTO;
    case NNG_EPERM: return -EACCES;
    case NNG_ENOENT:
    case NNG_ECONNREFUSED: return -ECONNREFUSED;
    default: return -ECONNRESET; /* closed, reset, cancelled: for a caller one thing */
    }
}

/* Runs in an nng thread. */
static void on_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
    struct coop_client *c = arg;
    uint64_t uid = 0;

    pthread_mutex_lock(&c->lock);
    if (ev == NNG_PIPE_EV_ADD_PRE) {
        c->stranger = nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 || (uid != 0 && uid != geteuid());
        c->peer_uid = (unsigned)uid;
        if (c->stranger)
            nng_pipe_close(pipe);
    } else {
        c->up = ev == NNG_PIPE_EV_ADD_POST && !c->stranger;
        pthread_cond_broadcast(&c->changed);
        wake(c);
    }
    pthread_mutex_unlock(&c->lock);
}

/* Runs in an nng thread. */
static void on_reply(void *arg)
{
    struct coop_client *c = arg;

    pthread_mutex_lock(&c->lock);
    c->call = CALL_DONE;
    wake(c);
    pthread_mutex_unlock(&c->lock);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------ */

static bool wait_until_up(struct coop_client *c, int timeout_ms)
{
    struct timespec until;
    bool up;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L)
        until.tv_sec++, until.tv_nsec -= 1000000000L;
    pthread_mutex_lock(&c->lock);
    while (!c->up && rc == 0)
        rc = pthread_cond_timedwait(&c->changed, &c->lock, &until);
    up = c->up;
    pthread_mutex_unlock(&c->lock);
    return up;
}

static int explain_dial(struct coop_client *c, int rc, struct coop_error *why)
{
    const char *url = c->endpoint.url;

    if (c->stranger)
        return coop_error_set(why, EPERM, COOP_EXIT_PERMISSION, "the broker at %s is run by uid %u, not by you or root", url, c->peer_uid);
    switch (rc) {
    case -EACCES: return coop_error_set(why, EACCES, COOP_EXIT_PERMISSION, "you may not connect to the broker at %s", url);
    case -EPROTO: return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "whoever listens at %s is not a coop broker", url);
    case -ECONNREFUSED:
        coop_error_set(why, ECONNREFUSED, COOP_EXIT_TEMPORARY, "no broker listens at %s", url);
        if (c->endpoint.run_dir[0] != '\0')
            coop_error_hint(
                why, "start one: coopd --run-dir %.200s --state-dir %.200s; or let coop do it (no --no-autostart, no COOP_NO_AUTOSTART)",
                c->endpoint.run_dir, c->endpoint.state_dir);
        return -ECONNREFUSED;
    default: return coop_error_set(why, -rc, COOP_EXIT_TEMPORARY, "cannot connect to the broker at %s: %s", url, strerror(-rc));
    }
}

/* Dials and waits; after 0 the dialer redials by itself whenever the connection is lost. */
static int dial(struct coop_client *c)
{
    int rc = errno_of_nng(nng_dial(c->sock, c->endpoint.url, &c->dialer, 0));

    if (rc == 0 && !wait_until_up(c, SEND_TIMEOUT_MS))
        rc = -ECONNRESET;
    return rc;
}

/* Another broker has the run directory but does not listen: it is starting, and will, or ending, and then we may start one. */
static int dial_for_a_turn(struct coop_client *c)
{
    int rc = errno_of_nng(nng_dial(c->sock, c->endpoint.url, &c->dialer, NNG_FLAG_NONBLOCK));

    if (rc != 0 || wait_until_up(c, CONNECT_TURN_MS))
        return rc;
    nng_dialer_close(c->dialer);
    return -ECONNREFUSED;
}

static int connect_or_start(struct coop_client *c, struct coop_error *why)
{
    struct timespec now;
    time_t give_up;
    int rc = dial(c);

    clock_gettime(CLOCK_MONOTONIC, &now);
    give_up = now.tv_sec + CONNECT_TIMEOUT_S;
    while (rc == -ECONNREFUSED && c->endpoint.autostart && now.tv_sec < give_up) {
        rc = endpoint_start_broker(&c->endpoint, why);
        if (rc == 0)
            rc = dial(c);
        else if (rc == -EBUSY)
            rc = dial_for_a_turn(c);
        else
            return rc;
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return rc == 0 ? 0 : explain_dial(c, rc, why);
}

static int socket_options(nng_socket s)
{
    int rv = nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);

    if (rv == 0)
        rv = nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, FRAME_MAX_CONTROL);
    if (rv == 0)
        rv = nng_socket_set_ms(s, NNG_OPT_SENDTIMEO, SEND_TIMEOUT_MS);
    if (rv == 0)
        rv = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, REDIAL_MIN_MS);
    if (rv == 0)
        rv = nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, REDIAL_MAX_MS);
    return rv;
}

static int client_new(const struct endpoint *e, struct coop_client **ret)
{
    struct coop_client *c = calloc(1, sizeof(*c));
    pthread_condattr_t attr;
    int rv;

    if (c == NULL)
        return -ENOMEM;
    c->endpoint = *e;
    pthread_mutex_init(&c->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->event_fd < 0 || (rv = nng_req0_open(&c->sock)) != 0) {
        if (c->event_fd >= 0)
            close(c->event_fd);
        free(c);
        return -ENOMEM;
    }
    rv = socket_options(c->sock);
    if (rv == 0)
        rv = nng_aio_alloc(&c->aio, on_reply, c);
    for (int ev = NNG_PIPE_EV_ADD_PRE; rv == 0 && ev <= NNG_PIPE_EV_REM_POST; ev++)
        rv = nng_pipe_notify(c->sock, (nng_pipe_ev)ev, on_pipe, c);
    if (rv != 0) {
        coop_client_close(c);
        return -ENOMEM;
    }
    *ret = c;
    return 0;
}

int coop_client_open(const struct endpoint *e, struct coop_client **ret_client, struct coop_error *why)
{
    struct coop_client *c;
    int rc = client_new(e, &c);

    if (rc != 0)
        return coop_error_set(why, -rc, COOP_EXIT_PLATFORM, "cannot open a connection: %s", strerror(-rc));
    rc = connect_or_start(c, why);
    if (rc != 0)
        coop_client_close(c);
    else
        *ret_client = c;
    return rc;
}

void coop_client_close(struct coop_client *c)
{
    if (c == NULL)
        return;
    if (c->aio != NULL)
        nng_aio_stop(c->aio);
    nng_close(c->sock); /* no callback of ours runs after this */
    if (c->aio != NULL) {
        nng_msg *msg = c->call == CALL_DONE && nng_aio_result(c->aio) == 0 ? nng_aio_get_msg(c->aio) : NULL;

        if (msg != NULL)
            nng_msg_free(msg);
        nng_aio_free(c->aio);
    }
    close(c->event_fd);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- calling ------------------------------------------------------------------------------------------------------------------ */

static int send_request(struct coop_client *c, Pb__Request *req)
{
    size_t len;
    nng_msg *msg;
    int rv;

    req->protocol = COOP_PROTOCOL;
    len = pb__request__get_packed_size(req);
    if (len > FRAME_MAX_CONTROL)
        return -EMSGSIZE;
    if (nng_msg_alloc(&msg, len) != 0)
        return -ENOMEM;
    pb__request__pack(req, nng_msg_body(msg));
    rv = nng_sendmsg(c->sock, msg, 0);
    if (rv != 0)
        nng_msg_free(msg); /* sent: nng owns it; not sent: still ours */
    return rv == NNG_ETIMEDOUT ? -ECONNRESET : errno_of_nng(rv);
}

int coop_call_begin(struct coop_client *c, Pb__Request *req, int timeout_ms)
{
    bool busy, up;
    int rc;

    pthread_mutex_lock(&c->lock);
    busy = c->call != CALL_NONE;
    up = c->up;
    pthread_mutex_unlock(&c->lock);
    if (busy)
        return -EBUSY;
    if (!up)
        return -ECONNRESET;
    rc = send_request(c, req);
    if (rc != 0)
        return rc;
    pthread_mutex_lock(&c->lock);
    c->call = CALL_PENDING;
    pthread_mutex_unlock(&c->lock);
    nng_aio_set_timeout(c->aio, timeout_ms < 0 ? NNG_DURATION_INFINITE : timeout_ms);
    nng_recv_aio(c->sock, c->aio);
    return 0;
}

int coop_call_end(struct coop_client *c, struct frame *ret_reply)
{
    uint64_t count;
    nng_msg *msg;
    bool done;
    int rc;

    if (read(c->event_fd, &count, sizeof(count)) < 0)
        count = 0; /* nothing had happened */
    pthread_mutex_lock(&c->lock);
    done = c->call == CALL_DONE;
    if (done)
        c->call = CALL_NONE;
    pthread_mutex_unlock(&c->lock);
    if (!done)
        return -EAGAIN;
    rc = errno_of_nng(nng_aio_result(c->aio));
    if (rc != 0)
        return rc;
    msg = nng_aio_get_msg(c->aio);
    nng_aio_set_msg(c->aio, NULL);
    rc = frame_decode(ret_reply, &pb__reply__descriptor, nng_msg_body(msg), nng_msg_len(msg), FRAME_MAX_CONTROL);
    nng_msg_free(msg);
    return rc;
}

int coop_call(struct coop_client *c, Pb__Request *req, int timeout_ms, struct frame *ret_reply)
{
    int rc = coop_call_begin(c, req, timeout_ms);

    if (rc != 0)
        return rc;
    nng_aio_wait(c->aio);
    return coop_call_end(c, ret_reply);
}

int coop_client_fd(const struct coop_client *c)
{
    return c->event_fd;
}

bool coop_client_connected(struct coop_client *c)
{
    bool up;

    pthread_mutex_lock(&c->lock);
    up = c->up;
    pthread_mutex_unlock(&c->lock);
    return up;
}

/* nng's dialer redials by itself, but not after somebody accepted and hung up before the greeting: then it rests for ever. */
static void redial(struct coop_client *c)
{
    if (coop_client_connected(c))
        return; /* it has just come up */
    nng_dialer_close(c->dialer);
    if (nng_dial(c->sock, c->endpoint.url, &c->dialer, NNG_FLAG_NONBLOCK) != 0)
        c->dialer = (nng_dialer)NNG_DIALER_INITIALIZER; /* out of memory: the next call tries again */
}

int coop_client_revive(struct coop_client *c, struct coop_error *why)
{
    int rc = 0;

    if (coop_client_connected(c))
        return 0;
    if (c->endpoint.autostart)
        rc = endpoint_start_broker(&c->endpoint, why);
    if (rc != 0 && rc != -EBUSY)
        return rc;
    redial(c);
    return 0;
}

/* ---- words -------------------------------------------------------------------------------------------------------------------- */

int coop_error_exit_code(Pb__ErrorCode code)
{
    switch (code) {
    case PB__ERROR_CODE__ERROR_CODE_USAGE: return COOP_EXIT_USAGE;
    case PB__ERROR_CODE__ERROR_CODE_NOT_FOUND: return COOP_EXIT_NOT_FOUND;
    case PB__ERROR_CODE__ERROR_CODE_CONFLICT: return COOP_EXIT_CONFLICT;
    case PB__ERROR_CODE__ERROR_CODE_QUOTA: return COOP_EXIT_QUOTA;
    case PB__ERROR_CODE__ERROR_CODE_TEMPORARY: return COOP_EXIT_TEMPORARY;
    case PB__ERROR_CODE__ERROR_CODE_PERMISSION: return COOP_EXIT_PERMISSION;
    case PB__ERROR_CODE__ERROR_CODE_PROTOCOL: return COOP_EXIT_PROTOCOL;
    default: return COOP_EXIT_PLATFORM;
    }
}

int coop_reply_check(const struct frame *reply, Pb__Reply__BodyCase wanted, struct coop_error *why)
{
    const Pb__Reply *r = (const Pb__Reply *)reply->msg;

    if (r->body_case == wanted)
        return 0;
    if (r->body_case != PB__REPLY__BODY_ERROR)
        return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker answered something else than was asked");
    coop_error_set(why, EREMOTEIO, coop_error_exit_code(r->error->code), "%s",
                   r->error->message[0] != '\0' ? r->error->message : "the broker refused without saying why");
    coop_error_hint(why, "%s", r->error->hint);
    return -EREMOTEIO;
}

void coop_call_explain(int rc, struct coop_error *why)
{
    switch (rc) {
    case -ECONNRESET: coop_error_set(why, ECONNRESET, COOP_EXIT_TEMPORARY, "the broker went away before it answered"); break;
    case -ETIMEDOUT: coop_error_set(why, ETIMEDOUT, COOP_EXIT_TEMPORARY, "the broker does not answer"); break;
    case -ENOMEM: coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory"); break;
    case -EMSGSIZE:
    case -E2BIG:
    case -EPROTO:
        coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer makes no sense (%s); is it of another version?",
                       strerror(-rc));
        break;
    default: coop_error_set(why, -rc, COOP_EXIT_PLATFORM, "the call failed: %s", strerror(-rc));
    }
}
