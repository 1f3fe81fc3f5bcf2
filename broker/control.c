/* control.c - see control.h. */
#include "broker/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "coop/version.h"
#include "frame.h"
#include "log.h"

/* ---- the socket ---- */

static void on_message(void *ctx, struct rep_way way, const uint8_t *bytes, size_t len)
{
    control_on_message(ctx, way, bytes, len);
}

static void on_peer(void *ctx, uint32_t peer, int arrived)
{
    control_on_peer(ctx, peer, arrived);
}

static struct control_peer *find_peer(struct control *c, uint32_t peer)
{
    struct control_peer *p;

    HASH_FIND(hh, c->peers, &peer, sizeof(peer), p);
    return p;
}

static void on_room(void *ctx, uint32_t peer)
{
    struct control_peer *p = find_peer(ctx, peer);

    if (p != NULL)
        queues_on_room(&p->asker);
}

int control_open(struct control *c, struct broker *b)
{
    struct rep_handler h = { on_message, on_peer, c, on_room, NULL };

    *c = (struct control){ .broker = b, .send = rep_send, .send_fd = rep_send_fd, .drop = rep_drop };
    return rep_open(&c->socket, &b->loop, b->places.socket, 0600, FRAME_MAX_CONTROL, &h);
}

static void forget_peer(struct control *c, struct control_peer *p)
{
    interps_session_over(&p->asker);
    asker_finish(&p->asker);
    HASH_DEL(c->peers, p);
    c->peer_count--;
    free(p);
}

void control_close(struct control *c)
{
    struct control_peer *p, *next;

    rep_close(&c->socket);
    HASH_ITER (hh, c->peers, p, next)
        forget_peer(c, p);
}

/* ---- answers ---- */

void control_reply(struct broker *b, struct rep_way way, const Pb__Reply *reply)
{
    b->control.send(&b->control.socket, way, &reply->base);
}

void control_reply_fd(struct broker *b, struct rep_way way, const Pb__Reply *reply, int fd)
{
    if (fd < 0)
        control_reply(b, way, reply);
    else
        b->control.send_fd(&b->control.socket, way, &reply->base, fd);
}

void control_refuse(struct broker *b, struct rep_way way, Pb__ErrorCode code, const char *fmt, ...)
{
    char text[512];
    Pb__Reply r = PB__REPLY__INIT;
    Pb__Error e = PB__ERROR__INIT;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    frame_make_utf8(text); /* cut inside a letter, or a path that is not text: the client would refuse it all */
    e.code = code;
    e.message = text;
    r.body_case = PB__REPLY__BODY_ERROR;
    r.error = &e;
    control_reply(b, way, &r);
}

/* ---- waiters ---- */

static void waiter_free(struct waiter *w)
{
    struct control_peer *p = find_peer(&w->broker->control, w->way.peer);

    if (p != NULL)
        p->parked--;
    timers_cancel(&w->broker->loop.timers, &w->deadline);
    free(w->bytes);
    free(w);
}

static void unlink_waiter(struct waiter *w)
{
    struct waiter **at = &w->job->waiters;

    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
}

static void on_deadline(void *ctx)
{
    struct waiter *w = ctx;

    unlink_waiter(w);
    verb_answer(w, 1);
    waiter_free(w);
}

struct waiter *control_park(struct broker *b, struct job *job, struct rep_way way, Pb__Request__BodyCase kind, uint32_t timeout_ms)
{
    struct control_peer *p = find_peer(&b->control, way.peer);
    struct waiter *w;

    if (p == NULL || p->parked >= CONTROL_PARKED || (w = calloc(1, sizeof(*w))) == NULL) {
        control_refuse(b, way, PB__ERROR_CODE__ERROR_CODE_QUOTA, "this connection has %d requests waiting already", CONTROL_PARKED);
        return NULL;
    }
    p->parked++;
    w->broker = b;
    w->job = job;
    w->way = way;
    w->kind = kind;
    w->deadline = (struct timer){ .fn = on_deadline, .ctx = w };
    w->next = job->waiters;
    job->waiters = w;
    if (timeout_ms > CONTROL_WAIT_MS)
        timeout_ms = CONTROL_WAIT_MS;
    timers_arm(&b->loop.timers, &w->deadline, b->loop.now_us + (uint64_t)timeout_ms * 1000);
    return w;
}

void control_wake(struct job *job)
{
    struct waiter **at = &job->waiters;

    while (*at != NULL) {
        struct waiter *w = *at;

        if (verb_answer(w, 0)) {
            *at = w->next;
            waiter_free(w);
        } else {
            at = &w->next;
        }
    }
}

void control_release(struct job *job)
{
    while (job->waiters != NULL) {
        struct waiter *w = job->waiters;

        job->waiters = w->next;
        verb_answer_ended(w);
        waiter_free(w);
    }
}

/* The client behind these waiters is gone: nobody will read the answers. */
static void drop_waiters(struct broker *b, uint32_t peer)
{
    struct job *job, *next;

    HASH_ITER (hh, b->jobs.by_id, job, next) {
        struct waiter **at = &job->waiters;

        while (*at != NULL) {
            struct waiter *w = *at;

            if (w->way.peer == peer) {
                *at = w->next;
                waiter_free(w);
            } else {
                at = &w->next;
            }
        }
    }
}

void control_on_peer(struct control *c, uint32_t peer, int arrived)
{
    struct control_peer *p = find_peer(c, peer);

    if (arrived && p == NULL) {
        p = calloc(1, sizeof(*p));
        if (p == NULL) {
            c->drop(&c->socket, peer);
            return;
        }
        p->peer = peer;
        asker_init(&p->asker, c->broker, NULL, peer);
        HASH_ADD(hh, c->peers, peer, sizeof(p->peer), p);
        c->peer_count++;
    } else if (!arrived && p != NULL) {
        if (p->parked > 0)
            drop_waiters(c->broker, peer);
        forget_peer(c, p);
    }
    broker_check_rest(c->broker);
}

/* Also one that lies is answered: a host program is wrong, not hostile. */
void verb_ask(struct control_call *c)
{
    struct control_peer *p = find_peer(&c->broker->control, c->way.peer);

    if (p == NULL || asks_receive(&p->asker, c->way, c->request->ask, rep_take_fd(&c->broker->control.socket, c->way.peer)) != 0)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE,
                       "an ask has a number of its own, which no open ask has, and at most %d are open", ASKS_OPEN);
}

/* ---- the table ---- */

#define UP  (1u << BROKER_UP)
#define ANY (1u << BROKER_UP | 1u << BROKER_DRAINING)

/* Each body that names a job has its id as first member, which the table's test checks. */
struct any_with_id {
    ProtobufCMessage base;
    char *id;
};

/* clang-format off */
const struct control_rule control_rules[] = {
    /* message                                  name           legal in  needs           names a job  acted on */
    [PB__REQUEST__BODY_SUBMIT]      = { "submit",      UP,  ACTOR_SUBMIT,   0, verb_submit },
    [PB__REQUEST__BODY_WAIT]        = { "wait",        ANY, ACTOR_READ,     1, verb_wait },
    [PB__REQUEST__BODY_LOGS]        = { "logs",        ANY, ACTOR_READ,     1, verb_logs },
    [PB__REQUEST__BODY_RESULT]      = { "result",      ANY, ACTOR_READ,     1, verb_result },
    [PB__REQUEST__BODY_SHOW]        = { "show",        ANY, ACTOR_READ,     1, verb_show },
    [PB__REQUEST__BODY_LS]          = { "ls",          ANY, ACTOR_READ,     0, verb_ls },
    [PB__REQUEST__BODY_CANCEL]      = { "cancel",      ANY, ACTOR_CANCEL,   1, verb_cancel },
    [PB__REQUEST__BODY_KILL]        = { "kill",        ANY, ACTOR_CANCEL,   1, verb_kill },
    [PB__REQUEST__BODY_STDIN_WRITE] = { "stdin_write", ANY, ACTOR_SUBMIT,   1, verb_stdin_write },
    [PB__REQUEST__BODY_VERSION]     = { "version",     ANY, 0,              0, verb_version },
    [PB__REQUEST__BODY_OUTPUT]      = { "output",      ANY, ACTOR_READ,     1, verb_output },
    [PB__REQUEST__BODY_RESIZE_TTY]  = { "resize_tty",  ANY, ACTOR_SUBMIT,   1, verb_resize_tty },
    [PB__REQUEST__BODY_AUDIT]       = { "audit",       ANY, ACTOR_OPERATOR, 0, verb_audit }, /* of the receipts of all tenants */
    [PB__REQUEST__BODY_ASK]         = { "ask",         ANY, ACTOR_OPERATOR, 0, verb_ask },   /* until asks know of tenants */
};
/* clang-format on */
const size_t control_rules_count = sizeof(control_rules) / sizeof(control_rules[0]);

/* A shortened id becomes the whole one, live job or stored. Returns 0, or answers the client and returns -1. */
static int resolve_id(struct control_call *c, const char *text)
{
    char id[ULID_LEN + 1];
    struct store_job stored;
    int rc;

    if (ulid_normalize(text, id) != 0) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE,
                       "'%.40s' is not a job id: an id has 26 letters and digits (no I, L, O, U), and may be cut to its first %d or more",
                       text, ULID_MIN_PREFIX);
        return -1;
    }
    if (strlen(id) == ULID_LEN && jobs_find(&c->broker->jobs, id) != NULL) {
        memcpy(c->id, id, sizeof(id));
        return 0;
    }
    rc = store_find(c->broker->store, id, &stored);
    if (rc == 0)
        memcpy(c->id, stored.id, sizeof(c->id));
    else if (rc == -ENOTUNIQ)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE, "'%s' is the beginning of several job ids; give more of it",
                       text);
    else if (rc == -ENOENT)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND, "there is no job %s", text);
    else
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_INTERNAL, "the store cannot be read: %s", strerror(-rc));
    return rc == 0 ? 0 : -1;
}

static void dispatch(struct control_call *c)
{
    const Pb__Request *q = c->request;
    const struct control_rule *r = &control_rules[q->body_case];

    if (q->protocol != COOP_PROTOCOL) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PROTOCOL, "this broker (coop %s) speaks protocol %d, the client %u",
                       COOP_VERSION, COOP_PROTOCOL, q->protocol);
        return;
    }
    if ((r->phases & 1u << c->broker->phase) == 0) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_TEMPORARY,
                       "the broker is draining and takes no new jobs; try again later");
        return;
    }
    if (r->names_job && resolve_id(c, ((const struct any_with_id *)q->submit)->id) != 0)
        return;
    r->apply(c);
}

static void refuse_peer(struct control *c, uint32_t peer, const char *why)
{
    log_event(LOG_LEVEL_WARN, "peer_dropped", "peer=%u why=\"%s\"", peer, why);
    c->drop(&c->socket, peer);
}

void control_on_message(struct control *c, struct rep_way way, const uint8_t *bytes, size_t len)
{
    struct control_call call = { .broker = c->broker, .way = way };
    struct frame f;
    int rc = frame_decode(&f, &pb__request__descriptor, bytes, len, FRAME_MAX_CONTROL);
    const Pb__Request *q = (const Pb__Request *)f.msg;

    c->requests++;
    if (rc != 0 || (unsigned)q->body_case >= control_rules_count || control_rules[q->body_case].apply == NULL) {
        refuse_peer(c, way.peer, rc == -E2BIG ? "would need too much memory" : rc != 0 ? "not a request" : "unknown request");
    } else {
        call.request = q;
        dispatch(&call);
    }
    frame_release(&f);
}
