/* interps_done.c - see interps.h: what an interpreter says of its call, and what is said for it when it has ended. */
#include <errno.h>
#include <string.h>

#include "broker/interps_own.h"
#include "broker/jobs.h"
#include "broker/jobs_use.h"
#include "broker/watch.h"

enum { TEXT_MAX = 64 << 10, TYPE_MAX = 255, PATH_MAX_BYTES = 512 };

static bool fits(const char *text, size_t max)
{
    return strlen(text) <= max;
}

/* What an interpreter may say of its own call; the rest is for the broker to say. */
static bool own_failure(const Pb__CallFailure *f)
{
    static const Pb__CallError own[] = { CE(BAD_REQUEST), CE(EXECUTION_FAILED), CE(INTERRUPTED), CE(NOT_SHAREABLE), CE(TOO_DEEP),
                                         CE(TOO_BIG),     CE(NO_FUNCTION),      CE(UNSUPPORTED), CE(TEMPORARY),     CE(LIMIT) };
    bool known = false;

    for (size_t k = 0; k < sizeof(own) / sizeof(own[0]); k++)
        known |= f->error == own[k];
    return known && f->cause == CA(NONE) && f->cause_detail[0] == '\0' && f->receipt[0] == '\0' && f->n_cycle == 0 &&
           fits(f->message, TEXT_MAX) && fits(f->path, PATH_MAX_BYTES) && (f->remote != NULL) == (f->error == CE(EXECUTION_FAILED)) &&
           (f->remote == NULL ||
            (fits(f->remote->type, TYPE_MAX) && fits(f->remote->message, TEXT_MAX) && fits(f->remote->traceback, TEXT_MAX)));
}

int interps_check_done(const struct worker *w, const Pb__CallDone *m)
{
    const struct interp *i = w->job->interp;

    if (i != NULL && i->state == IS(STARTING)) /* it has begun, and takes calls */
        return m->number == 0 && m->value == NULL && m->failure == NULL ? 0 : -EPROTO;
    if (i == NULL || i->running == NULL || m->number != i->running->number || (m->value != NULL && m->failure != NULL))
        return -EPROTO;
    return m->failure == NULL || own_failure(m->failure) ? 0 : -EPROTO;
}

static void answer_value(struct ask *a, const struct interp_call *c, struct worker *w, const Pb__Value *value)
{
    const struct job *job = c->on->job;
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__CallResult r = PB__CALL_RESULT__INIT;
    struct parcel_told told;
    struct call_why why;
    struct parcel p;

    if (parcel_take(&p, &w->asker, NULL, value, "value", &why) != 0) {
        if (why.error == CE(BAD_HANDLE) || why.error == CE(REVOKED) || why.error == CE(NOT_ALLOWED))
            why.error = CE(NOT_SHAREABLE); /* its own trouble, not the caller's */
        ask_fail_why(a, &why);
        return;
    }
    if (parcel_give(&p, a->by, &told, &why) != 0) {
        ask_fail_why(a, &why);
    } else {
        r.value = value != NULL ? &told.value : NULL;
        r.stdout_from = c->out_from[0];
        r.stdout_to = job->spools[0].len;
        r.stderr_from = c->out_from[1];
        r.stderr_to = job->spools[1].len;
        r.wall_us = loop_clock_us() - c->began_at;
        r.output = (char *)job->id;
        m.body_case = PB__ANSWER__BODY_RESULT;
        m.result = &r;
        ask_reply(a, &m);
        parcel_told_finish(&told);
    }
    parcel_finish(&p);
}

int interps_on_done(struct worker *w, const Pb__CallDone *m)
{
    struct interp *i = w->job->interp;
    struct interp_call *c = i->running;
    struct ask *a;

    if (i->state == IS(STARTING)) {
        interp_begun(i);
        return 0;
    }
    a = call_take_ask(c);
    timers_cancel(&i->thing.broker->loop.timers, &i->grace);
    i->running = NULL;
    i->state = IS(IDLE);
    i->calls++;
    watch_call(i->job, false);
    jobs_tell_use(i->job);
    if (a != NULL && m->failure != NULL)
        ask_fail_with(a, m->failure);
    else if (a != NULL)
        answer_value(a, c, w, m->value);
    call_free(c);
    calls_pump(i);
    return 0;
}

void calls_fail_all(struct interp *i)
{
    struct interp_call *c = i->running;

    i->running = NULL;
    if (c != NULL && c->ask != NULL)
        interp_fail_ended(call_take_ask(c), i, CE(EXECUTION_FAILED));
    if (c != NULL)
        call_free(c);
    while ((c = i->waiting) != NULL) {
        call_leave_line(c);
        interp_fail_ended(call_take_ask(c), i, CE(DEAD));
        call_free(c);
    }
}
