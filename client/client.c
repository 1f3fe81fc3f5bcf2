/* client.c - the connection: opening, waiting, being woken. See include/coop/client.h and own.h. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <coop/exit_codes.h>

#include "client/own.h"
#include "frame.h"

enum {
    CONNECT_TIMEOUT_S = 30, /* for a broker that is starting, or ending, under someone else's hand */
    CONNECT_TURN_MS = 500,  /* how long to wait for that before trying to start one again */
    REVIVE_EVERY_MS = 2000,
    PATIENCE_MS = 5000, /* with a broker that is there, but full or just ending */
    TOKEN_FIELD = 16,   /* of Request */
    OPTIONS_MIN = offsetof(struct coop_client_options, token_file),
};

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

static bool is_over(const struct coop_client *c, const struct coop_op *op)
{
    return op != NULL ? op->done : req_state(c->req) == REQ_UP;
}

static int ms_until(uint64_t until_ms)
{
    uint64_t now = req_now_ms();

    if (until_ms == UINT64_MAX)
        return -1;
    return until_ms <= now ? 0 : until_ms - now > INT32_MAX ? INT32_MAX : (int)(until_ms - now);
}

static void step(struct coop_client *c)
{
    req_step(c->req);
    op_turn(c);
}

static void lead(struct coop_client *c, uint64_t until_ms)
{
    c->led = true;
    pthread_mutex_unlock(&c->lock);
    req_wait(c->req, ms_until(until_ms));
    pthread_mutex_lock(&c->lock);
    c->led = false;
    step(c);
}

static void follow(struct coop_client *c, struct waiter *w, uint64_t until_ms)
{
    struct timespec t = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };

    if (until_ms == UINT64_MAX)
        pthread_cond_wait(&w->wake, &c->lock);
    else
        pthread_cond_clockwait(&w->wake, &c->lock, CLOCK_MONOTONIC, &t);
}

void client_wait(struct coop_client *c, struct coop_op *op, uint64_t until_ms)
{
    struct waiter w = { .op = op, .wake = PTHREAD_COND_INITIALIZER, .next = c->waiters, .at = &c->waiters };

    if (is_over(c, op))
        return;
    if (w.next != NULL)
        w.next->at = &w.next;
    c->waiters = &w;
    if (op != NULL)
        op->waiter = &w;
    while (!is_over(c, op) && req_now_ms() < until_ms) {
        if (c->led && op != NULL)
            follow(c, &w, until_ms);
        else
            lead(c, until_ms);
    }
    *w.at = w.next;
    if (w.next != NULL)
        w.next->at = w.at;
    if (op != NULL)
        op->waiter = NULL;
    if (!c->led && c->waiters != NULL)
        pthread_cond_signal(&c->waiters->wake); /* somebody must read for the others */
    pthread_cond_destroy(&w.wake);
}

int client_ms(int64_t timeout_us)
{
    if (timeout_us < 0)
        return -1;
    return timeout_us > (int64_t)INT32_MAX * 1000 ? INT32_MAX : (int)((timeout_us + 999) / 1000);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------- */

static int explain_dial(struct coop_client *c, int rc, struct coop_error *why)
{
    const char *url = c->endpoint.url;
    uid_t uid;

    (void)req_last_error(c->req, &uid);
    switch (rc) {
    case -EPERM:
        return coop_error_set(why, EPERM, COOP_EXIT_PERMISSION, "the broker at %s is run by uid %u, not by you or root", url,
                              (unsigned)uid);
    case -EKEYREJECTED:
        coop_error_set(why, EKEYREJECTED, COOP_EXIT_PERMISSION, "the broker at %s: %s", url, req_last_words(c->req));
        if (req_last_hint(c->req) != NULL)
            coop_error_hint(why, "%s", req_last_hint(c->req));
        return -EKEYREJECTED;
    case -EACCES: return coop_error_set(why, EACCES, COOP_EXIT_PERMISSION, "you may not connect to the broker at %s", url);
    case -EPROTO:
        coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "whoever listens at %s is not a coop broker", url);
        if (req_last_words(c->req)[0] != '\0')
            coop_error_hint(why, "%s", req_last_words(c->req));
        return -EPROTO;
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

static bool wait_until_up(struct coop_client *c, int timeout_ms)
{
    client_wait(c, NULL, req_now_ms() + (uint64_t)timeout_ms);
    return req_state(c->req) == REQ_UP;
}

/* Dials once and waits for what comes of it; whatever comes, the socket dials again by itself when the connection is lost. */
static int dial(struct coop_client *c)
{
    uid_t uid;
    uint64_t give_up = req_now_ms() + PATIENCE_MS;
    int rc;

    req_dial(c->req);
    while (req_state(c->req) == REQ_GREETING)
        lead(c, UINT64_MAX); /* the greeting's own time limit wakes it */
    if (req_state(c->req) == REQ_UP)
        return 0;
    rc = req_last_error(c->req, &uid);
    /* The one that reset it may be on its way out: then nobody listens any more a moment later. */
    while ((rc == -EAGAIN || rc == -ECONNRESET) && req_now_ms() < give_up)
        rc = wait_until_up(c, CONNECT_TURN_MS) ? 0 : req_last_error(c->req, &uid);
    return rc;
}

/* Starting a broker takes a while: others may go on meanwhile. */
static int start_broker(struct coop_client *c, struct coop_error *why)
{
    int rc;

    pthread_mutex_unlock(&c->lock);
    rc = endpoint_start_broker(&c->endpoint, why);
    pthread_mutex_lock(&c->lock);
    c->started |= rc == 0;
    return rc;
}

static int connect_or_start(struct coop_client *c, struct coop_error *why)
{
    uint64_t give_up = req_now_ms() + CONNECT_TIMEOUT_S * 1000;
    int rc = dial(c);

    while (rc == -ECONNREFUSED && c->endpoint.autostart && req_now_ms() < give_up) {
        rc = start_broker(c, why);
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

static int watch(int epoll_fd, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) == 0 ? 0 : -errno;
}

/* Request.token, behind all else of a request: one place for all that there are. */
static int set_token(struct coop_client *c)
{
    uint8_t tail[ENDPOINT_TOKEN + 3] = { TOKEN_FIELD << 3 | 2 | 0x80, TOKEN_FIELD >> 4 };
    size_t n = strlen(c->endpoint.token);
    int rc;

    _Static_assert(ENDPOINT_TOKEN <= 128, "its length is one byte");
    if (n == 0)
        return 0;
    tail[2] = (uint8_t)n;
    memcpy(tail + 3, c->endpoint.token, n);
    rc = req_set_tail(c->req, tail, n + 3);
    explicit_bzero(tail, sizeof(tail));
    explicit_bzero(c->endpoint.token, sizeof(c->endpoint.token));
    return rc;
}

static int open_socket(struct coop_client *c, struct coop_error *why)
{
    const struct endpoint *e = &c->endpoint;
    char text[REQ_WHY] = "";
    int rc;

    if (!e->is_tls)
        return req_open(e->url + strlen("ipc://"), FRAME_MAX_CONTROL, &c->req);
    rc = req_open_tls(&e->at, e->ca, FRAME_MAX_CONTROL, &c->req, text);
    if (rc != 0 && text[0] != '\0')
        coop_error_set(why, -rc, rc == -EAGAIN ? COOP_EXIT_TEMPORARY : COOP_EXIT_CONFIG, "the broker at %s: %s", e->url, text);
    return rc;
}

static int make_descriptors(struct coop_client *c, struct coop_error *why)
{
    int rc = open_socket(c, why);

    if (rc == 0)
        rc = set_token(c);
    if (rc != 0)
        return rc;
    c->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    c->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (c->event_fd < 0 || c->poll_fd < 0)
        return -errno;
    rc = watch(c->poll_fd, c->event_fd);
    return rc != 0 ? rc : watch(c->poll_fd, req_fd(c->req));
}

static int client_new(const struct endpoint *e, struct coop_client **ret, struct coop_error *why)
{
    struct coop_client *c = calloc(1, sizeof(*c));
    int rc = -ENOMEM;

    if (c != NULL) {
        c->endpoint = *e;
        c->pid = getpid();
        c->event_fd = c->poll_fd = -1;
        c->ended_last = &c->ended;
        pthread_mutex_init(&c->lock, NULL);
        why->message[0] = '\0';
        rc = make_descriptors(c, why);
    }
    if (rc != 0) {
        coop_client_close(c);
        if (rc != -ENOMEM && why->message[0] != '\0')
            return rc;
        return coop_error_set(why, -rc, COOP_EXIT_PLATFORM, "cannot open a connection: %s", strerror(-rc));
    }
    *ret = c;
    return 0;
}

static int open_at(const struct endpoint *e, struct coop_client **ret, struct coop_error *why)
{
    struct coop_client *c = NULL;
    int rc = client_new(e, &c, why);

    if (rc != 0)
        return rc;
    pthread_mutex_lock(&c->lock);
    rc = connect_or_start(c, why);
    pthread_mutex_unlock(&c->lock);
    if (rc != 0)
        coop_client_close(c);
    else
        *ret = c;
    return rc;
}

int coop_client_open(const struct coop_client_options *options, struct coop_client **ret, struct coop_error *why)
{
    const struct coop_client_options none = { .size = sizeof(none) };
    struct coop_client_options known = none;
    struct endpoint e = { .autostart = false };
    struct coop_error unwanted;
    int rc;

    if (options == NULL)
        options = &none;
    if (why == NULL)
        why = &unwanted;
    if (options->size < OPTIONS_MIN)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "options.size is not set");
    memcpy(&known, options, options->size < sizeof(known) ? options->size : sizeof(known)); /* what an older header does not have is NULL */
    rc = endpoint_find(&known, &e, why);
    if (rc == 0)
        rc = open_at(&e, ret, why);
    explicit_bzero(e.token, sizeof(e.token));
    return rc;
}

/* Takes no lock: in a forked child another thread may have held it. */
void coop_client_close(struct coop_client *c)
{
    if (c == NULL)
        return;
    req_close(c->req);
    if (c->event_fd >= 0)
        close(c->event_fd);
    if (c->poll_fd >= 0)
        close(c->poll_fd);
    free(c);
}

/* ---- connected or not ---------------------------------------------------------------------------------------------------------- */

bool coop_client_connected(const struct coop_client *client)
{
    struct coop_client *c = (struct coop_client *)client;
    bool up;

    pthread_mutex_lock(&c->lock);
    up = req_state(c->req) == REQ_UP;
    pthread_mutex_unlock(&c->lock);
    return up;
}

int coop_client_revive(struct coop_client *c, struct coop_error *why)
{
    struct coop_error unwanted;
    int rc = 0;

    pthread_mutex_lock(&c->lock);
    if (req_state(c->req) != REQ_UP && req_now_ms() >= c->revive_at_ms) {
        c->revive_at_ms = req_now_ms() + REVIVE_EVERY_MS;
        if (c->endpoint.autostart && (geteuid() != 0 || c->started)) /* root's may be a service: it is started again by who knows how */
            rc = start_broker(c, why != NULL ? why : &unwanted);
        if (rc == -EBUSY)
            rc = 0;
        if (rc == 0)
            req_dial(c->req);
    }
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int client_ready(struct coop_client *c, struct coop_error *why)
{
    struct coop_error unwanted;

    return req_state(c->req) == REQ_UP ? 0 : connect_or_start(c, why != NULL ? why : &unwanted); /* one that has left is started again */
}

int coop_client_fd(const struct coop_client *c)
{
    return c->poll_fd;
}

size_t coop_client_step(struct coop_client *c)
{
    size_t n;

    pthread_mutex_lock(&c->lock);
    step(c);
    n = c->n_ended;
    pthread_mutex_unlock(&c->lock);
    return n;
}

uint64_t coop_client_number(struct coop_client *c)
{
    uint64_t n;

    pthread_mutex_lock(&c->lock);
    n = ++c->last_number;
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* ---- words --------------------------------------------------------------------------------------------------------------------- */

int client_explain(int rc, struct coop_error *why)
{
    switch (rc) {
    case -ECONNRESET: return coop_error_set(why, ECONNRESET, COOP_EXIT_TEMPORARY, "the broker went away before it answered");
    case -ETIMEDOUT: return coop_error_set(why, ETIMEDOUT, COOP_EXIT_TEMPORARY, "the broker does not answer");
    case -ECANCELED: return coop_error_set(why, ECANCELED, COOP_EXIT_CANCELLED, "it was cancelled");
    case -ENOMEM: return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    case -EOPNOTSUPP:
        return coop_error_set(why, EOPNOTSUPP, COOP_EXIT_USAGE,
                              "a file or a buffer is handed over by its descriptor, which a network does not carry");
    case -EMSGSIZE: return coop_error_set(why, EMSGSIZE, COOP_EXIT_PROTOCOL, "the request or its answer is too large");
    case -E2BIG:
    case -EPROTO:
        coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer makes no sense (%s); is it of another version?",
                       strerror(-rc));
        return rc;
    default: return coop_error_set(why, -rc, COOP_EXIT_PLATFORM, "the call failed: %s", strerror(-rc));
    }
}
