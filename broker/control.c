/* control.c - see control.h. */
#include "broker/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/control_own.h"
#include "broker/control_verbs.h"
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

struct control_peer *control_find_peer(struct control *c, uint32_t peer)
{
    struct control_peer *p;

    HASH_FIND(hh, c->peers, &peer, sizeof(peer), p);
    return p;
}

static void on_room(void *ctx, uint32_t peer)
{
    struct control_peer *p = control_find_peer(ctx, peer);

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
    if (p->all > 0 && from->uid > p->all_first && from->uid - p->all_first <= p->all)
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

/* ---- connections ---- */

void control_on_peer(struct control *c, uint32_t peer, int arrived)
{
    struct control_peer *p = control_find_peer(c, peer);

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
            control_drop_waiters(c->broker, peer);
        forget_peer(c, p);
    }
    broker_check_rest(c->broker);
}

/* Also one that lies is answered: a host program is wrong, not hostile. */
void verb_ask(struct control_call *c)
{
    struct control_peer *p = control_find_peer(&c->broker->control, c->way.peer);
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

/* ---- messages ---- */

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
        control_dispatch(&call);
    }
    frame_release(&f);
}
