/* control.c - see control.h. */
#include "broker/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* Uids that workers run as are nobody's: who has one came out of a sandbox. */
static int may_connect(void *ctx, const struct rep_origin *from)
{
    const struct broker *b = ((struct control *)ctx)->broker;
    const struct privilege *p = &b->privilege;

    if (!from->local)
        return 1; /* its token will say */
    if (from->uid == 0 || from->uid == geteuid())
        return 1;
    if (p->ids > 0 && from->uid > p->first_id && from->uid - p->first_id <= p->ids)
        return 0;
    return b->places.shared;
}

int control_open(struct control *c, struct broker *b)
{
    struct rep_handler h = { on_message, on_peer, c, on_room, may_connect };

    *c = (struct control){ .broker = b, .send = rep_send, .send_fd = rep_send_fd, .drop = rep_drop };
    return rep_open(&c->socket, &b->loop, b->places.socket, b->places.shared ? 0666 : 0600, FRAME_MAX_CONTROL, &h);
}

void control_drop_who(struct control *c, const char *token_id)
{
    for (struct control_peer *p = c->peers; p != NULL; p = p->hh.next)
        if (strncmp(p->who, "token:", 6) == 0 && strcmp(p->who + 6, token_id) == 0)
            c->drop(&c->socket, p->peer);
}

static void forget_peer(struct control *c, struct control_peer *p)
{
    logins_forget_peer(&c->broker->logins, p->peer);
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

/* ---- waiters ---- */

static void waiter_free(struct waiter *w)
{
    struct control_peer *p = find_peer(&w->broker->control, w->way.peer);

    if (p != NULL)
        p->parked--;
    timers_cancel(&w->broker->loop.timers, &w->deadline);
    jobs_tidy_soon(&w->broker->jobs);
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
        events_drop_peer(&c->broker->events, peer);
        arrays_drop_peer(c->broker, peer);
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
    int fd = rep_take_fd(&c->broker->control.socket, c->way.peer), rc = -ENOTCONN;
    struct call_why why;

    if (p != NULL && asker_bind(&p->asker, &c->actor, &why) != 0)
        rc = asks_refuse(&p->asker, c->way, c->request->ask, fd, &why);
    else if (p != NULL)
        rc = asks_receive(&p->asker, c->way, c->request->ask, fd);
    else if (fd >= 0)
        close(fd);
    if (rc != 0)
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
    [PB__REQUEST__BODY_ASK]         = { "ask",         ANY, 0,              0, verb_ask },   /* what each call needs: call_rows */
    [PB__REQUEST__BODY_TENANT_SET]    = { "tenant_set",    ANY, ACTOR_ADMIN, 0, verb_tenant_set },
    [PB__REQUEST__BODY_TENANT_GET]    = { "tenant_get",    ANY, ACTOR_READ,  0, verb_tenant_get },
    [PB__REQUEST__BODY_TENANT_LS]     = { "tenant_ls",     ANY, ACTOR_READ,  0, verb_tenant_ls },
    [PB__REQUEST__BODY_TENANT_REMOVE] = { "tenant_remove", ANY, ACTOR_ADMIN, 0, verb_tenant_remove },
    [PB__REQUEST__BODY_TOKEN_CREATE]  = { "token_create",  ANY, ACTOR_ADMIN, 0, verb_token_create },
    [PB__REQUEST__BODY_TOKEN_ROTATE]  = { "token_rotate",  ANY, ACTOR_ADMIN, 0, verb_token_rotate },
    [PB__REQUEST__BODY_TOKEN_REVOKE]  = { "token_revoke",  ANY, ACTOR_ADMIN, 0, verb_token_revoke },
    [PB__REQUEST__BODY_TOKEN_LS]      = { "token_ls",      ANY, ACTOR_ADMIN, 0, verb_token_ls },
    [PB__REQUEST__BODY_USAGE]         = { "usage",         ANY, ACTOR_READ,  0, verb_usage },
    [PB__REQUEST__BODY_HOLD]          = { "hold",          ANY, ACTOR_CANCEL, 1, verb_hold },
    [PB__REQUEST__BODY_RELEASE]       = { "release",       ANY, ACTOR_CANCEL, 1, verb_release },
    [PB__REQUEST__BODY_PAUSE]         = { "pause",         ANY, ACTOR_CANCEL, 1, verb_pause },
    [PB__REQUEST__BODY_RESUME]        = { "resume",        ANY, ACTOR_CANCEL, 1, verb_resume },
    [PB__REQUEST__BODY_RETRY]         = { "retry",         UP,  ACTOR_SUBMIT, 1, verb_retry },
    [PB__REQUEST__BODY_EDIT]          = { "edit",          ANY, ACTOR_SUBMIT, 1, verb_edit },
    [PB__REQUEST__BODY_REMOVE]        = { "remove",        ANY, ACTOR_CANCEL, 1, verb_remove },
    [PB__REQUEST__BODY_TOP]           = { "top",           ANY, ACTOR_READ,   0, verb_top },
    [PB__REQUEST__BODY_DRAIN]         = { "drain",         ANY, ACTOR_OPERATOR, 0, verb_drain },
    [PB__REQUEST__BODY_EVENTS]        = { "events",        ANY, ACTOR_READ,   0, verb_events },
    [PB__REQUEST__BODY_CRON_LS]       = { "cron_ls",       ANY, ACTOR_READ,   0, verb_cron_ls },
    [PB__REQUEST__BODY_CRON_SET]      = { "cron_set",      ANY, ACTOR_SUBMIT, 0, verb_cron_set },
    [PB__REQUEST__BODY_LIMITER_SET]   = { "limiter_set",   ANY, ACTOR_SUBMIT, 0, verb_limiter_set },
    [PB__REQUEST__BODY_LIMITER_LS]    = { "limiter_ls",    ANY, ACTOR_READ,   0, verb_limiter_ls },
    [PB__REQUEST__BODY_ADMIN_LOG]     = { "admin_log",     ANY, ACTOR_ADMIN, 0, verb_admin_log },
    [PB__REQUEST__BODY_STORE_BACKUP]  = { "store_backup",  ANY, ACTOR_OPERATOR, 0, verb_store_backup },
};
/* clang-format on */
const size_t control_rules_count = sizeof(control_rules) / sizeof(control_rules[0]);

/* ---- the gate: who, what, and on which job ---- */

/* A job, or an array. What the actor does not see is not there: it is not even looked at. */
static int find_stored(struct control_call *c, const char *id)
{
    struct store_array array;
    struct store_job job;
    uint64_t *tenants;
    size_t n;
    int rc = actor_seen_tenants(c->broker, &c->actor, &tenants, &n);

    if (rc != 0)
        return rc;
    rc = store_find_of(c->broker->store, id, tenants, n, &job);
    if (rc == 0) {
        rc = actor_sees(c->broker, &c->actor, job.tenant, job.queue) ? 0 : -ENOENT;
        memcpy(c->id, job.id, sizeof(c->id));
    } else if (rc == -ENOENT) {
        rc = store_find_array(c->broker->store, id, tenants, n, &array);
        if (rc == 0) {
            rc = actor_sees(c->broker, &c->actor, array.tenant, array.queue) ? 0 : -ENOENT;
            memcpy(c->id, array.id, sizeof(c->id));
            c->is_array = true;
        }
    }
    free(tenants);
    return rc;
}

/* What is no array has no tasks. */
static int find_task(struct control_call *c, const char *array, uint64_t index)
{
    struct store_job task;
    int rc = find_stored(c, array);

    if (rc == 0)
        rc = c->is_array ? store_find_task(c->broker->store, c->id, index, &task) : -ENOENT;
    if (rc == 0)
        memcpy(c->id, task.id, sizeof(c->id));
    c->is_array = false;
    return rc;
}

/*
 * One that is in memory, so that the store need not be asked: a whole id, of a job that the actor sees whatever its queue is. Of all others, there or
 * not, the store tells. An operator's may not be stored yet; whoever else knows an id knows it of a job that is.
 */
static bool is_live(const struct control_call *c, const char *id)
{
    const struct waiting *w;

    if (strlen(id) != ULID_LEN)
        return false;
    if ((c->actor.scopes & ACTOR_OPERATOR) != 0)
        return jobs_find(&c->broker->jobs, id) != NULL;
    w = waiting_find(&c->broker->jobs.table, id);
    return w != NULL && w->committed && c->actor.queue[0] == '\0' && actor_sees_tenant(&c->actor, w->tenant);
}

/* A shortened id becomes the whole one, live job or stored. Returns 0, or answers the client and returns -1. */
static int resolve_id(struct control_call *c, const char *text)
{
    char id[ULID_LEN + 1];
    uint64_t index;
    int rc = ulid_normalize_task(text, id, &index);

    if (rc == -EINVAL || (rc == -ENOENT && ulid_normalize(text, id) != 0)) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE,
                       "'%.40s' is not a job id: an id has 26 letters and digits (no I, L, O, U), and may be cut to its first %d or more",
                       text, ULID_MIN_PREFIX);
        return -1;
    }
    if (rc != 0 && is_live(c, id)) {
        memcpy(c->id, id, sizeof(id));
        return 0;
    }
    rc = rc == 0 ? find_task(c, id, index) : find_stored(c, id);
    if (rc == -ENOTUNIQ)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE, "'%s' is the beginning of several job ids; give more of it",
                       text);
    else if (rc == -ENOENT)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND, "there is no job %s", text);
    else if (rc != 0)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_INTERNAL, "the store cannot be read: %s", strerror(-rc));
    return rc == 0 ? 0 : -1;
}

/* Who asks. A connection is one actor's: what waits on it, and what it holds, are that one's. Returns 0, or has answered. */
static int know_actor(struct control_call *c)
{
    struct control_peer *p = find_peer(&c->broker->control, c->way.peer);
    const struct rep_origin *from = rep_origin_of(&c->broker->control.socket, c->way.peer);
    const struct rep_origin own = { .local = true, .uid = geteuid() }; /* a test's, which has no socket */
    char why[ACTOR_WHY] = "";
    int rc = actor_find(c->broker, from != NULL ? from : &own, c->request->token, &c->actor, why);

    if (rc == -EDQUOT) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_QUOTA, "%s", why);
        return rc;
    }
    if (rc != 0) {
        logins_refuse(&c->broker->logins, c->way, PB__ERROR_CODE__ERROR_CODE_PERMISSION, why);
        return rc;
    }
    if (p != NULL && p->who[0] != '\0' && strcmp(p->who, c->actor.name) != 0) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PERMISSION, "this connection is another's: open one for each token");
        return -EPERM;
    }
    if (p != NULL)
        strcpy(p->who, c->actor.name);
    rep_know(&c->broker->control.socket, c->way.peer);
    return 0;
}

static void dispatch(struct control_call *c)
{
    const Pb__Request *q = c->request;
    const struct control_rule *r = &control_rules[q->body_case];

    if (know_actor(c) != 0)
        return;
    if (q->protocol != COOP_PROTOCOL) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PROTOCOL, "this broker (coop %s) speaks protocol %d, the client %u",
                       COOP_VERSION, COOP_PROTOCOL, q->protocol);
        return;
    }
    if (!actor_may(&c->actor, r->needs)) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PERMISSION, "%s needs the scope %s, which %s has not", r->name,
                       actor_lacks(&c->actor, r->needs), c->actor.name);
        return;
    }
    if ((r->phases & 1u << c->broker->phase) == 0) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_TEMPORARY,
                       "the broker is draining and takes no new jobs; try again later");
        return;
    }
    if (r->names_job && resolve_id(c, ((const struct any_with_id *)q->submit)->id) != 0)
        return;
    if (c->is_array)
        arrays_request(c);
    else
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
    if (logins_is_paused(&c->broker->logins, way.peer)) {
        refuse_peer(c, way.peer, "asks on while it is kept waiting for a failed login");
        return;
    }
    if (rc != 0 || (unsigned)q->body_case >= control_rules_count || control_rules[q->body_case].apply == NULL) {
        refuse_peer(c, way.peer, rc == -E2BIG ? "would need too much memory" : rc != 0 ? "not a request" : "unknown request");
    } else {
        call.request = q;
        dispatch(&call);
    }
    frame_release(&f);
}
