/* interps_look.c - see interps.h: what is told of interpreters, and to whom when they end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "broker/interps_own.h"
#include "broker/watch.h"

enum { LOOKED_MAX = 64 }; /* in a list: reading what each of two thousand uses would keep everybody waiting */

/* One status and what it points to. */
struct told {
    Pb__InterpStatus status;
    Pb__Handle handle;
    Pb__Limits limits;
};

static const char *running_text(const struct interp_call *c)
{
    if (c == NULL)
        return "";
    return c->kind == PB__CALL_KIND__CALL_KIND_CALL ? c->text : c->kind == PB__CALL_KIND__CALL_KIND_EXEC ? "exec" : "prepare";
}

/* Its number for who asks: of the handle that it named it by, or of the one it got when it made it. */
static uint32_t number_for(const struct interp *i, const struct asker *to, const struct handle *named)
{
    if (named != NULL)
        return named->number;
    for (const struct handle *h = to->worker != NULL ? i->thing.roots : NULL; h != NULL; h = h->next)
        if (h->holder == to)
            return h->number;
    return 0;
}

/* One that waits for its first use is as good as one that is idle. */
static Pb__InterpState state_of(const struct interp *i)
{
    return i->state == IS(NONE) ? IS(IDLE) : i->state;
}

static uint32_t children_of(const struct job *job)
{
    uint32_t n = 0;

    for (const struct interp *c = job != NULL ? job->below : NULL; c != NULL; c = c->next)
        n++;
    return n;
}

/* What is looked up in the machine, for one that is asked for by itself or with few others. Pids are for host programs. */
static void look(const struct job *job, const struct asker *to, Pb__InterpStatus *s)
{
    if (job == NULL || job->worker == NULL)
        return;
    s->pid = to->worker == NULL ? (uint32_t)job->worker->pid : 0;
    watch_status(job, &s->cpu_us, &s->mem_bytes);
}

static void tell(const struct interp *i, const struct asker *to, const struct handle *named, struct told *ret)
{
    Pb__InterpStatus *s = &ret->status;

    pb__interp_status__init(s);
    pb__handle__init(&ret->handle);
    ret->limits = i->limits;
    ret->handle.handle = number_for(i, to, named);
    ret->handle.kind = PB__KIND__KIND_INTERP;
    ret->handle.rights = named != NULL ? named->rights : RIGHTS_INTERP;
    ret->handle.id = (char *)i->thing.id;
    ret->handle.name = (char *)i->label;
    s->interp = &ret->handle;
    s->state = state_of(i);
    s->engine = (char *)i->engine;
    s->template_ = i->template != NULL ? i->template : "";
    s->whence = (char *)i->whence;
    s->owner = i->owner;
    s->parent = (char *)i->parent_id;
    s->depth = i->depth;
    s->children = children_of(i->job);
    s->running = (char *)running_text(i->running);
    s->waiting = i->n_waiting;
    s->calls = i->calls;
    s->limits = &ret->limits;
    s->created_us = i->created_us;
    s->incarnation = i->incarnation;
    if (i->state != IS(ENDED))
        return;
    s->cause = i->cause;
    s->cause_detail = i->cause_detail != NULL ? i->cause_detail : "";
    s->receipt = (char *)i->thing.id;
}

static void reply_status(struct ask *a, const struct interp *i, const struct handle *named)
{
    Pb__Answer m = PB__ANSWER__INIT;
    struct told t;

    tell(i, a->by, named, &t);
    look(i->job, a->by, &t.status);
    m.body_case = PB__ANSWER__BODY_INTERP;
    m.interp = &t.status;
    ask_reply(a, &m);
}

/* A plain job that asks for itself: what is known of it as of an interpreter. */
static void reply_job(struct ask *a, struct job *job)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__InterpStatus s = PB__INTERP_STATUS__INIT;
    Pb__Handle own = PB__HANDLE__INIT;

    own.kind = PB__KIND__KIND_INTERP;
    own.id = job->id;
    own.name = job->name;
    s.interp = &own;
    s.state = IS(RUNNING);
    s.engine = job->engine;
    s.whence = (char *)"job";
    s.children = children_of(job);
    s.limits = &job->limits;
    s.created_us = job->started_us;
    s.incarnation = job->attempt;
    look(job, a->by, &s);
    m.body_case = PB__ANSWER__BODY_INTERP;
    m.interp = &s;
    ask_reply(a, &m);
}

void call_interp_info(struct ask *a)
{
    const Pb__Ref *ref = a->message->interp_info->interp;
    struct worker *w = a->by->worker;
    struct handle *h = NULL;
    struct interp *i;

    if (w != NULL && (ref == NULL || (ref->handle == 0 && ref->id[0] == '\0'))) { /* itself */
        i = w->job->interp;
        if (i == NULL)
            reply_job(a, w->job);
    } else {
        i = interp_seen(a, ref, &h);
    }
    if (i != NULL)
        reply_status(a, i, h);
}

/* ---- lists ---------------------------------------------------------------------------------------------------------------------------- */

struct listing {
    const struct interp **of;
    size_t n, cap;
};

static void add(struct listing *l, const struct interp *i)
{
    if (l->n < l->cap)
        l->of[l->n++] = i;
}

static void add_below(struct listing *l, const struct job *job)
{
    for (const struct interp *c = job->below; c != NULL; c = c->next) { /* no deeper than INTERPS_DEPTH */
        add(l, c);
        add_below(l, c->job);
    }
}

static void add_all(struct listing *l, const struct asker *to, bool ended)
{
    for (struct thing *t = to->broker->things[PB__KIND__KIND_INTERP].by_id; t != NULL; t = t->by_id.next)
        if (thing_is_seen(to, t) && (ended || interp_of(t)->state != IS(ENDED)))
            add(l, interp_of(t));
}

static void reply_list(struct ask *a, const struct listing *l)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__InterpStatusList list = PB__INTERP_STATUS_LIST__INIT;
    struct told *told = calloc(l->n + 1, sizeof(*told));
    Pb__InterpStatus **at = calloc(l->n + 1, sizeof(Pb__InterpStatus *));

    if (told == NULL || at == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
    } else {
        for (size_t k = 0; k < l->n; k++) {
            tell(l->of[k], a->by, NULL, &told[k]);
            if (l->n <= LOOKED_MAX)
                look(l->of[k]->job, a->by, &told[k].status);
            at[k] = &told[k].status;
        }
        list.n_interps = l->n;
        list.interps = at;
        m.body_case = PB__ANSWER__BODY_INTERPS;
        m.interps = &list;
        ask_reply(a, &m);
    }
    free(told);
    free(at);
}

void call_interp_list(struct ask *a)
{
    const struct broker *b = a->by->broker;
    struct listing l = { .cap = HASH_CNT(by_id, b->things[PB__KIND__KIND_INTERP].by_id) };

    l.of = calloc(l.cap + 1, sizeof(*l.of));
    if (l.of == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    if (a->by->worker != NULL)
        add_below(&l, a->by->worker->job);
    else
        add_all(&l, a->by, a->message->interp_list->all);
    reply_list(a, &l);
    free(l.of);
}

/* ---- monitors -------------------------------------------------------------------------------------------------------------------------- */

static void on_wait_end(struct ask *a, enum ask_end how)
{
    struct interp *i = a->thing;

    (void)how;
    DL_DELETE(i->monitors, a);
    thing_unref(&i->thing);
}

void call_interp_wait(struct ask *a)
{
    const Pb__InterpWait *m = a->message->interp_wait;
    struct handle *h = NULL;
    struct interp *i = interp_seen(a, m->interp, &h);

    if (i == NULL)
        return;
    if (i->state == IS(ENDED) && (i->job == NULL || i->told)) {
        reply_status(a, i, h);
        return;
    }
    thing_ref(&i->thing);
    DL_APPEND(i->monitors, a);
    ask_park(a, m->timeout_us != 0 ? m->timeout_us : ASK_NEVER, on_wait_end, i);
    ask_through(a, h);
}

void watchers_tell(struct interp *i)
{
    struct ask *a;

    i->told = true;
    thing_ref(&i->thing);
    while ((a = i->monitors) != NULL) {
        DL_DELETE(i->monitors, a);
        reply_status(a, i, NULL);
        thing_unref(&i->thing);
    }
    thing_unref(&i->thing);
}
