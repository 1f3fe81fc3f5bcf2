/* client.c - see client.h. */
#include "client/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/exit_codes.h>
#include <coop/version.h>

#include "client/req_socket.h"

enum {
    CONNECT_TIMEOUT_S = 30, /* for a broker that is starting, or ending, under someone else's hand */
    CONNECT_TURN_MS = 500,  /* how long to wait for that before trying to start one again */
    REVIVE_EVERY_MS = 2000,
    PATIENCE_MS = 5000, /* with a broker that is there, but full or just ending */
};

struct coop_client {
    struct endpoint endpoint;
    struct req_socket *req;
    uint64_t revive_at_ms; /* not again before */
};

/* ---- opening ------------------------------------------------------------------------------------------------------------------ */

static bool wait_until_up(struct coop_client *c, int timeout_ms)
{
    uint64_t until = req_now_ms() + (uint64_t)timeout_ms, now;

    while (req_state(c->req) != REQ_UP && (now = req_now_ms()) < until) {
        req_wait(c->req, (int)(until - now));
        req_step(c->req);
    }
    return req_state(c->req) == REQ_UP;
}

static int explain_dial(struct coop_client *c, int rc, struct coop_error *why)
{
    const char *url = c->endpoint.url;
    uid_t uid;

    (void)req_last_error(c->req, &uid);
    switch (rc) {
    case -EPERM:
        return coop_error_set(why, EPERM, COOP_EXIT_PERMISSION, "the broker at %s is run by uid %u, not by you or root", url,
                              (unsigned)uid);
    case -EACCES: return coop_error_set(why, EACCES, COOP_EXIT_PERMISSION, "you may not connect to the broker at %s", url);
    case -EPROTO: return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "whoever listens at %s is not a coop broker", url);
    case -ECONNREFUSED:
        coop_error_set(why, ECONNREFUSED, COOP_EXIT_TEMPORARY, "no broker listens at %s", url);
        if (c->endpoint.autostart)
            coop_error_hint(why,
                            "one was started and did not stay; when another coopd has the state directory %.200s, name that one by "
                            "--endpoint, or give this one another by COOP_STATE_DIR",
                            c->endpoint.state_dir);
        else if (c->endpoint.run_dir[0] != '\0')
            coop_error_hint(
                why,
                "start one: coopd --run-dir %.200s --state-dir %.200s; or let coop do it, without --no-autostart and COOP_NO_AUTOSTART",
                c->endpoint.run_dir, c->endpoint.state_dir);
        return -ECONNREFUSED;
    case -ETIMEDOUT:
    case -EAGAIN:
        coop_error_set(why, -rc, COOP_EXIT_TEMPORARY, "the broker at %s is there and does not answer: it accepts nobody now", url);
        if (c->endpoint.state_dir[0] != '\0')
            coop_error_hint(why, "why is in its log, %.200s/coopd.log when coop started it", c->endpoint.state_dir);
        return -ETIMEDOUT;
    default: return coop_error_set(why, -rc, COOP_EXIT_TEMPORARY, "cannot connect to the broker at %s: %s", url, strerror(-rc));
    }
}

/* Dials once and waits for what comes of it; whatever comes, the socket dials again by itself when the connection is lost. */
static int dial(struct coop_client *c)
{
    uid_t uid;
    int rc;

    req_dial(c->req);
    while (req_state(c->req) == REQ_GREETING) {
        req_wait(c->req, -1);
        req_step(c->req);
    }
    if (req_state(c->req) == REQ_UP)
        return 0;
    rc = req_last_error(c->req, &uid);
    if ((rc == -EAGAIN || rc == -ECONNRESET) && wait_until_up(c, PATIENCE_MS))
        rc = 0;
    return rc;
}

static int connect_or_start(struct coop_client *c, struct coop_error *why)
{
    uint64_t give_up = req_now_ms() + CONNECT_TIMEOUT_S * 1000;
    int rc = dial(c);

    while (rc == -ECONNREFUSED && c->endpoint.autostart && req_now_ms() < give_up) {
        rc = endpoint_start_broker(&c->endpoint, why);
        if (rc == 0)
            rc = dial(c);
        else if (rc == -EBUSY)
            /* it has the run directory but does not listen: it is starting, and will, or ending, and then we may start one */
            rc = wait_until_up(c, CONNECT_TURN_MS) ? 0 : -ECONNREFUSED;
        else
            return rc;
    }
    return rc == 0 ? 0 : explain_dial(c, rc, why);
}

static int client_new(const struct endpoint *e, struct coop_client **ret)
{
    struct coop_client *c = calloc(1, sizeof(*c));
    int rc;

    if (c == NULL)
        return -ENOMEM;
    c->endpoint = *e;
    rc = req_open(e->url + strlen("ipc://"), FRAME_MAX_CONTROL, &c->req); /* endpoint_find() gives no other kind */
    if (rc != 0)
        free(c);
    else
        *ret = c;
    return rc;
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
    req_close(c->req);
    free(c);
}

/* ---- calling ------------------------------------------------------------------------------------------------------------------ */

int coop_call_begin(struct coop_client *c, Pb__Request *req, int timeout_ms)
{
    uint8_t *bytes;
    size_t len;
    int rc;

    req->protocol = COOP_PROTOCOL;
    len = pb__request__get_packed_size(req);
    if (len > FRAME_MAX_CONTROL)
        return -EMSGSIZE;
    bytes = malloc(len);
    if (bytes == NULL)
        return -ENOMEM;
    pb__request__pack(req, bytes);
    rc = req_send(c->req, bytes, len, timeout_ms);
    free(bytes);
    return rc;
}

int coop_call_end(struct coop_client *c, struct frame *ret_reply)
{
    uint8_t *body;
    size_t len;
    int rc;

    req_step(c->req);
    rc = req_take(c->req, &body, &len);
    if (rc != 0)
        return rc;
    rc = frame_decode(ret_reply, &pb__reply__descriptor, body, len, FRAME_MAX_CONTROL);
    free(body);
    return rc;
}

int coop_call(struct coop_client *c, Pb__Request *req, int timeout_ms, struct frame *ret_reply)
{
    int rc = coop_call_begin(c, req, timeout_ms);

    if (rc != 0)
        return rc;
    while ((rc = coop_call_end(c, ret_reply)) == -EAGAIN)
        req_wait(c->req, -1); /* the call's own time limit wakes it */
    return rc;
}

int coop_client_fd(const struct coop_client *c)
{
    return req_fd(c->req);
}

bool coop_client_connected(const struct coop_client *c)
{
    return req_state(c->req) == REQ_UP;
}

int coop_client_revive(struct coop_client *c, struct coop_error *why)
{
    int rc = 0;

    if (coop_client_connected(c) || req_now_ms() < c->revive_at_ms)
        return 0;
    c->revive_at_ms = req_now_ms() + REVIVE_EVERY_MS;
    if (c->endpoint.autostart)
        rc = endpoint_start_broker(&c->endpoint, why);
    if (rc != 0 && rc != -EBUSY)
        return rc;
    req_dial(c->req);
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
    case -EMSGSIZE: coop_error_set(why, EMSGSIZE, COOP_EXIT_PROTOCOL, "the request or its answer is too large"); break;
    case -E2BIG:
    case -EPROTO:
        coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer makes no sense (%s); is it of another version?",
                       strerror(-rc));
        break;
    default: coop_error_set(why, -rc, COOP_EXIT_PLATFORM, "the call failed: %s", strerror(-rc));
    }
}
