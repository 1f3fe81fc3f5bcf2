/* asks.c - see asks.h. */
#include "broker/asks.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/actor.h"
#include "broker/aliases.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/caps.h"
#include "broker/estate.h"
#include "broker/gate.h"
#include "call_errors.h"
#include "frame.h"
#include "log.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

/* ---- an ask's life --------------------------------------------------------------------------------------------------------------- */

static struct ask *ask_new(struct asker *by, struct rep_way way, const Pb__Ask *m, int fd)
{
    struct ask *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->by = by;
    a->number = m->number;
    a->way = way;
    a->message = m;
    a->fd = fd;
    a->bytes = protobuf_c_message_get_packed_size(&m->base);
    HASH_ADD(hh, by->asks, number, sizeof(a->number), a);
    by->open++;
    by->bytes += a->bytes;
    return a;
}

static void ask_free(struct ask *a)
{
    struct asker *by = a->by;

    timers_cancel(&by->broker->loop.timers, &a->deadline);
    ask_leave(a);
    HASH_DEL(by->asks, a);
    by->open--;
    by->bytes -= a->bytes;
    if (by->handling == a)
        by->handling = NULL;
    for (unsigned i = 0; i < a->n_parcels; i++)
        parcel_finish(&a->parcels[i]);
    free(a->parcels);
    if (a->fd >= 0)
        close(a->fd);
    free(a);
}

struct ask *ask_find(const struct asker *a, uint64_t number)
{
    struct ask *found;

    HASH_FIND(hh, a->asks, &number, sizeof(number), found);
    return found;
}

/* ---- the way back ---------------------------------------------------------------------------------------------------------------- */

static void on_overrun(void *ctx)
{
    struct asker *a = ctx;

    gate_refuse(a->worker, "answer", "it does not read its answers");
}

/* Nothing is retired from in here: whoever replies may be walking the lists that it is in. */
static void tell_worker(struct asker *by, Pb__Answer *m, int fd)
{
    Pb__ToWorker to = PB__TO_WORKER__INIT;
    int rc;

    if (by->overrun)
        return;
    to.body_case = PB__TO_WORKER__BODY_ANSWER;
    to.answer = m;
    rc = gate_answer(by->worker, &to, fd);
    if (rc == -EAGAIN || rc == -ENOMEM) { /* one answer is lost, and somebody would wait for it for ever */
        by->overrun = true;
        by->end = (struct timer){ .fn = on_overrun, .ctx = by };
        timers_arm(&by->broker->loop.timers, &by->end, by->broker->loop.now_us);
    }
}

static void tell_host(struct ask *a, Pb__Answer *m, int fd)
{
    Pb__Reply r = PB__REPLY__INIT;

    r.body_case = PB__REPLY__BODY_ASK;
    r.ask = m;
    control_reply_fd(a->by->broker, a->way, &r, fd);
}

void ask_reply_fd(struct ask *a, Pb__Answer *m, int fd)
{
    if (a->row != NULL && m->body_case != PB__ANSWER__BODY_FAILURE && m->body_case != a->row->answer)
        log_event(LOG_LEVEL_ERROR, "undocumented", "call=%s answer=%d", a->row->name, (int)m->body_case);
    m->number = a->number;
    m->descriptors = fd >= 0;
    if (!a->by->gone && a->by->worker != NULL)
        tell_worker(a->by, m, fd);
    else if (!a->by->gone)
        tell_host(a, m, fd);
    ask_free(a);
}

void ask_reply(struct ask *a, Pb__Answer *m)
{
    ask_reply_fd(a, m, -1);
}

void ask_done(struct ask *a)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__Done d = PB__DONE__INIT;

    m.body_case = PB__ANSWER__BODY_DONE;
    m.done = &d;
    ask_reply(a, &m);
}

void ask_fail_with(struct ask *a, Pb__CallFailure *f)
{
    Pb__Answer m = PB__ANSWER__INIT;

    if (a->row != NULL && !call_may_fail(a->row, f->error)) /* docs/calls.md would lie */
        log_event(LOG_LEVEL_ERROR, "undocumented", "call=%s error=%s", a->row->name, call_error(f->error)->name);
    if (f->message[0] == '\0')
        f->message = (char *)call_error(f->error)->what;
    m.body_case = PB__ANSWER__BODY_FAILURE;
    m.failure = f;
    ask_reply(a, &m);
}

void ask_fail_why(struct ask *a, const struct call_why *why)
{
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    char text[sizeof(why->message)];

    snprintf(text, sizeof(text), "%s", why->message);
    frame_make_utf8(text);
    f.error = why->error;
    f.message = text;
    f.path = (char *)why->path;
    ask_fail_with(a, &f);
}

void ask_fail(struct ask *a, Pb__CallError error, const char *fmt, ...)
{
    struct call_why why = { .error = error };
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why.message, sizeof(why.message), fmt, ap);
    va_end(ap);
    ask_fail_why(a, &why);
}

void ask_reply_handle(struct ask *a, struct handle *h, const char *grant, int fd)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__Handle told;
    struct call_why why;

    if (handle_give(h, a->by, grant, &why) != 0) {
        handle_drop(h);
        ask_fail_why(a, &why);
        return;
    }
    handle_tell(h, &told);
    m.body_case = PB__ANSWER__BODY_HANDLE;
    m.handle = &told;
    ask_reply_fd(a, &m, fd);
}

bool ask_has_room(const struct ask *a, size_t bytes)
{
    const struct worker *w = a->by->worker;

    uint64_t put, sent;

    if (a->by->gone || a->by->overrun)
        return false;
    asker_sent(a->by, &put, &sent);
    return put - sent + bytes <= (w != NULL ? LINK_ANSWERS_MAX : REP_OUT_MAX) / 2;
}

void asker_sent(const struct asker *a, uint64_t *ret_put, uint64_t *ret_sent)
{
    if (a->worker == NULL) {
        rep_sent(&a->broker->control.socket, a->peer, ret_put, ret_sent);
        return;
    }
    *ret_put = a->worker->link.stream.put;
    *ret_sent = a->worker->link.stream.sent;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------------------- */

static void end(struct ask *a, enum ask_end how)
{
    struct asker *by = a->by;
    uint64_t number = a->number;

    if (a->ending)
        return;
    a->ending = true;
    timers_cancel(&by->broker->loop.timers, &a->deadline);
    if (a->on_end != NULL)
        a->on_end(a, how);
    if (ask_find(by, number) != a) /* on_end has answered */
        return;
    if (how == ASK_GONE)
        ask_free(a);
    else if (how == ASK_REVOKED)
        ask_fail(a, CE(REVOKED), "the handle through which it waited has been revoked");
    else if (how == ASK_TIMED_OUT)
        ask_fail(a, CE(TIMED_OUT), "the time was over before there was an answer");
    else
        ask_fail(a, CE(INTERRUPTED), "it was interrupted");
}

static void on_deadline(void *ctx)
{
    end(ctx, ASK_TIMED_OUT);
}

void ask_park(struct ask *a, uint64_t timeout_us, void (*on_end)(struct ask *a, enum ask_end end_how), void *thing)
{
    struct loop *l = &a->by->broker->loop;
    uint64_t at = l->now_us + timeout_us;

    a->parked = true;
    a->message = NULL;
    a->on_end = on_end;
    a->thing = thing;
    a->deadline = (struct timer){ .fn = on_deadline, .ctx = a };
    if (timeout_us != ASK_NEVER && at >= l->now_us)
        timers_arm(&l->timers, &a->deadline, at);
}

void ask_leave(struct ask *a)
{
    if (a->through_at == NULL)
        return;
    *a->through_at = a->through_next;
    if (a->through_next != NULL)
        a->through_next->through_at = a->through_at;
    a->through_at = NULL;
    a->through_next = NULL;
}

void ask_join(struct ask *a, struct ask **list)
{
    ask_leave(a);
    a->through_next = *list;
    if (*list != NULL)
        (*list)->through_at = &a->through_next;
    a->through_at = list;
    *list = a;
}

void ask_through(struct ask *a, struct handle *h)
{
    if (h != NULL)
        ask_join(a, &h->asks);
}

/* The end of one may end others, of this list too: its head is looked at anew each time. */
void asks_end_revoked(struct ask **list, enum ask_end how)
{
    while (*list != NULL) {
        struct ask *a = *list;

        ask_leave(a);
        end(a, how);
    }
}

/* The answer to the cancelled ask comes first, then this one's. */
void call_ask_cancel(struct ask *a)
{
    struct ask *other = ask_find(a->by, a->message->ask_cancel->number);

    if (other != NULL && other != a && other->parked)
        end(other, ASK_CANCELLED);
    ask_done(a);
}

/* ---- askers ---------------------------------------------------------------------------------------------------------------------- */

void asker_init(struct asker *a, struct broker *b, struct worker *w, uint32_t peer)
{
    *a = (struct asker){ .broker = b, .worker = w, .peer = peer };
}

void asker_finish(struct asker *a)
{
    struct ask *at;

    if (a->broker == NULL)
        return;
    a->gone = true;
    timers_cancel(&a->broker->loop.timers, &a->end);
    /* from the start again after each: the end of one may end others. The one that is being applied is freed by its own reply. */
    for (at = a->asks; at != NULL;) {
        if (at == a->handling || at->ending) {
            at = at->hh.next;
            continue;
        }
        end(at, ASK_GONE);
        at = a->asks;
    }
    aliases_asker_gone(a);
    queues_on_asker_end(a);
    buffers_on_asker_end(a);
    handles_finish(a);
    estate_unref(a->estate);
    a->estate = NULL;
}

int asker_bind(struct asker *a, const struct actor *actor, struct call_why *why)
{
    if (actor->queue[0] != '\0')
        return call_refuse(why, CE(NOT_ALLOWED), "a token that is bound to a queue of jobs is for jobs only");
    if (a->estate == NULL)
        a->estate = estate_get(a->broker, actor->tenant->id);
    if (a->estate == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    if (a->estate->tenant != actor->tenant->id)
        return call_refuse(why, CE(NOT_ALLOWED), "this connection is of another tenant: open one for each");
    a->scopes = actor->scopes;
    a->operates = (actor->scopes & ACTOR_OPERATOR) != 0;
    return 0;
}

/* A worker is its job's tenant's, for as long as it lives. */
static int bind_worker(struct asker *a)
{
    if (a->worker == NULL || a->worker->job == NULL || a->estate != NULL || a->gone)
        return 0;
    a->estate = estate_get(a->broker, job_tenant(a->worker->job));
    return a->estate != NULL ? 0 : -ENOMEM;
}

/* What a worker said before it died counts as far as it gives; it takes nothing any more. */
static bool counts_after_death(Pb__Ask__BodyCase which)
{
    return which == PB__ASK__BODY_QUEUE_PUT || which == PB__ASK__BODY_ALIAS_DONE || which == PB__ASK__BODY_HANDLE_REVOKE;
}

static int refuse_early(const struct asker *by, const struct call_row *row, struct call_why *why)
{
    unsigned who = by->worker != NULL ? CALL_WORKER : CALL_HOST;

    if (row == NULL)
        return call_refuse(why, CE(BAD_REQUEST), "no such call");
    if ((row->who & who) == 0)
        return call_refuse(why, CE(NOT_ALLOWED), "%s is for %s only", row->name, who == CALL_WORKER ? "host programs" : "interpreters");
    if (by->worker == NULL && (row->needs & ~by->scopes) != 0)
        return call_refuse(why, CE(NOT_ALLOWED), "%s needs the scope %s", row->name, actor_scope_missing(by->scopes, row->needs));
    if (by->estate == NULL && !by->gone)
        return call_refuse(why, CE(NOT_ALLOWED), "it is of no tenant");
    if (by->worker != NULL && by->worker->role == WORKER_TEMPLATE)
        return call_refuse(why, CE(NOT_ALLOWED), "the init of a template asks for nothing: each of its children would have it");
    if (by->broker->phase == BROKER_DRAINING && by->worker == NULL)
        return call_refuse(why, CE(TEMPORARY), "the broker is draining; try again later");
    if (who == CALL_WORKER && row->cap != NULL)
        return caps_need(by->worker, row->cap, why);
    return 0;
}

static int check_number(const struct asker *by, const Pb__Ask *m)
{
    return m->number != 0 && ask_find(by, m->number) == NULL ? 0 : -EPROTO;
}

static void take_fd_away(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* What waits is kept; what is answered at once may come whatever is open, or nobody could cancel. */
static int refuse_many(const struct asker *by, const struct call_row *row, struct call_why *why)
{
    size_t most = by->worker != NULL ? ASKS_BYTES : ASKS_BYTES_HOST;

    if (row == NULL || !row->waits)
        return 0;
    if (by->open > ASKS_OPEN)
        return call_refuse(why, CE(LIMIT), "%d asks are open already", ASKS_OPEN);
    if (by->bytes > most)
        return call_refuse(why, CE(LIMIT), "the open asks have more than %zu bytes", most);
    return 0;
}

/* NULL with *ret: it is answered with that. Else the ask, with its row; fd is taken. */
static struct ask *begin(struct asker *by, struct rep_way way, const Pb__Ask *m, int fd, int *ret)
{
    struct ask *a = NULL;

    if (check_number(by, m) != 0)
        *ret = -EPROTO;
    else if (by->gone && !counts_after_death(m->body_case))
        *ret = 0;
    else if (bind_worker(by) != 0 || (a = ask_new(by, way, m, fd)) == NULL)
        *ret = -ENOMEM;
    if (a == NULL)
        take_fd_away(fd);
    else
        a->row = call_row(m->body_case);
    return a;
}

int asks_refuse(struct asker *by, struct rep_way way, const Pb__Ask *m, int fd, const struct call_why *why)
{
    int rc = 0;
    struct ask *a = begin(by, way, m, fd, &rc);

    if (a != NULL)
        ask_fail_why(a, why);
    return rc;
}

int asks_receive(struct asker *by, struct rep_way way, const Pb__Ask *m, int fd)
{
    struct call_why why;
    int rc = 0;
    struct ask *a = begin(by, way, m, fd, &rc);

    if (a == NULL)
        return rc;
    if (refuse_many(by, a->row, &why) != 0 || refuse_early(by, a->row, &why) != 0) {
        ask_fail_why(a, &why);
        return 0;
    }
    by->handling = a;
    a->row->apply(a);
    if (by->handling == NULL)
        return 0; /* answered */
    assert(a->parked);
    by->handling = NULL;
    if (by->gone)
        end(a, ASK_GONE);
    return 0;
}
