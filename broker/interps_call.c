/* interps_call.c - see interps.h: calls of an interpreter. One runs; others wait behind it. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/gate.h"
#include "broker/interps_own.h"
#include "broker/jobs.h"
#include "frame.h"
#include "rel_path.h"

/* ---- a call's life -------------------------------------------------------------------------------------------------------------------- */

/* Open calls of a job's worker: what it waits for. */
static void join_from(struct interp_call *c, struct job *from)
{
    c->from = from;
    if (from == NULL)
        return;
    c->from_next = from->calls;
    if (c->from_next != NULL)
        c->from_next->from_prev = c;
    from->calls = c;
}

static void leave_from(struct interp_call *c)
{
    if (c->from == NULL)
        return;
    if (c->from_prev != NULL)
        c->from_prev->from_next = c->from_next;
    else
        c->from->calls = c->from_next;
    if (c->from_next != NULL)
        c->from_next->from_prev = c->from_prev;
    c->from = NULL;
    c->from_next = c->from_prev = NULL;
}

static size_t weight(const struct interp_call *c)
{
    return sizeof(*c) + c->source_len + parcel_bytes(&c->args);
}

void call_free(struct interp_call *c)
{
    assert(c->ask == NULL);
    leave_from(c);
    parcel_finish(&c->args);
    free(c->text);
    free(c->source);
    free(c);
}

static void wait_in_line(struct interp *i, struct interp_call *c)
{
    c->prev = i->last;
    if (i->last != NULL)
        i->last->next = c;
    else
        i->waiting = c;
    i->last = c;
    i->n_waiting++;
    i->waiting_bytes += weight(c);
    i->thing.broker->interps.waiting_bytes += weight(c);
    estate_count(i->thing.estate, ESTATE_CALL_BYTES, (int64_t)weight(c));
}

void call_leave_line(struct interp_call *c)
{
    struct interp *i = c->on;

    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        i->waiting = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    else
        i->last = c->prev;
    c->next = c->prev = NULL;
    i->n_waiting--;
    i->waiting_bytes -= weight(c);
    i->thing.broker->interps.waiting_bytes -= weight(c);
    estate_count(i->thing.estate, ESTATE_CALL_BYTES, -(int64_t)weight(c));
}

/* The ask is no longer the call's: it has been, or is about to be, answered. */
struct ask *call_take_ask(struct interp_call *c)
{
    struct ask *a = c->ask;

    c->ask = NULL;
    leave_from(c);
    return a;
}

/* ---- to the worker -------------------------------------------------------------------------------------------------------------------- */

static int say_call(struct interp *i, Pb__Call *call)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;

    m.body_case = PB__TO_WORKER__BODY_CALL;
    m.call = call;
    return gate_answer(i->job->worker, &m, -1);
}

/* 0; -1 with why: it cannot be handed over. */
static int hand_over(struct interp *i, struct interp_call *c, struct call_why *why)
{
    Pb__Call call = PB__CALL__INIT;
    struct parcel_told told;
    int rc;

    if (parcel_give(&c->args, &i->job->worker->asker, &told, why) != 0)
        return -1;
    c->number = ++i->number;
    call.number = c->number;
    call.kind = c->kind;
    if (c->kind == PB__CALL_KIND__CALL_KIND_EXEC) {
        call.source_name = c->text;
        call.source = (ProtobufCBinaryData){ c->source_len, c->source };
    } else {
        call.function = c->text;
        call.args = &told.value;
    }
    rc = say_call(i, &call);
    parcel_told_finish(&told);
    parcel_finish(&c->args);
    free(c->source);
    c->source = NULL;
    c->source_len = 0;
    if (rc != 0)
        return call_refuse(why, CE(TEMPORARY), "the call could not be handed to interpreter %s: %s", interp_shown(i), strerror(-rc));
    return 0;
}

/* Between two calls it is there for its owner alone. */
static void rest(struct interp *i)
{
    if (i->thing.broker->phase == BROKER_DRAINING && i->owner == OW(SESSION))
        jobs_decide(i->job, CA(CANCELLED), "the broker was told to leave");
    else if (i->thing.held == 0)
        interp_unheld(i);
}

void calls_pump(struct interp *i)
{
    while (i->state == IS(IDLE) && i->waiting != NULL) {
        struct interp_call *c = i->waiting;
        struct call_why why;

        call_leave_line(c);
        if (estate_may_call(i->thing.estate, &why) != 0 || hand_over(i, c, &why) != 0) {
            ask_fail_why(call_take_ask(c), &why);
            call_free(c);
            continue;
        }
        i->state = IS(RUNNING);
        i->running = c;
        c->began_at = loop_clock_us();
        c->out_from[0] = i->job->spools[0].len;
        c->out_from[1] = i->job->spools[1].len;
        watch_call(i->job, true);
    }
    if (i->state == IS(IDLE))
        rest(i);
}

/* The worker knows by the number which call is meant, however late it hears. */
/* The call that runs. */
static void calls_interrupt(struct interp *i)
{
    struct timers *t = &i->thing.broker->loop.timers;

    if (i->running == NULL || i->grace.place != 0)
        return;
    pool_interrupt(i->job->worker, i->running->number);
    timers_arm(t, &i->grace, i->thing.broker->loop.now_us + INTERPS_GRACE_US);
}

void calls_on_grace(void *ctx)
{
    struct interp *i = ctx;

    if (i->state == IS(CLOSING))
        jobs_decide(i->job, CA(CANCELLED), "it was closed and did not end in time");
    else
        jobs_decide(i->job, CA(CANCELLED), "its call was interrupted and did not end in time");
}

int calls_close(struct interp *i)
{
    Pb__Call call = PB__CALL__INIT;
    int rc;

    call.number = ++i->number;
    call.kind = PB__CALL_KIND__CALL_KIND_CLOSE;
    rc = say_call(i, &call);
    if (rc != 0)
        return rc;
    i->state = IS(CLOSING);
    watch_call(i->job, true);
    timers_arm(&i->thing.broker->loop.timers, &i->grace, i->thing.broker->loop.now_us + INTERPS_GRACE_US);
    return 0;
}

/* ---- asked for ------------------------------------------------------------------------------------------------------------------------ */

/* It is answered behind this, as TIMED_OUT or INTERRUPTED. What runs is told to stop, and holds its place until it has. */
static void on_call_end(struct ask *a, enum ask_end how)
{
    struct interp_call *c = a->thing;
    struct interp *i = c->on;

    (void)how;
    call_take_ask(c);
    if (c == i->running) {
        calls_interrupt(i);
        return;
    }
    call_leave_line(c);
    call_free(c);
}

static void fail_deadlock(struct ask *a, const struct interp *const *cycle, unsigned n)
{
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    char *names[CYCLE_MAX], text[512];
    size_t used = 0;

    for (unsigned k = 0; k < n && k < CYCLE_MAX; k++) {
        names[k] = (char *)interp_shown(cycle[k]);
        if (used < sizeof(text))
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s",
                                     k > 0 ? " -> " : "they would wait for each other for ever: ", names[k]);
    }
    frame_make_utf8(text);
    f.error = CE(DEADLOCK);
    f.message = text;
    f.cycle = names;
    f.n_cycle = n < CYCLE_MAX ? n : CYCLE_MAX;
    ask_fail_with(a, &f);
}

static int keep_source(struct interp_call *c, const ProtobufCBinaryData *source)
{
    if (source->len == 0)
        return 0;
    c->source = malloc(source->len);
    if (c->source == NULL)
        return -ENOMEM;
    memcpy(c->source, source->data, source->len);
    c->source_len = source->len;
    return 0;
}

/* The asker's right to it, room for it, and nobody who waits for ever: else it is answered. */
static struct interp *admit(struct ask *a, const Pb__Ref *ref, size_t bytes, struct handle **ret)
{
    struct job *from = a->by->worker != NULL ? a->by->worker->job : NULL;
    struct interp *i = interp_named(a, ref, PB__RIGHT__RIGHT_CALL, ret); /* NULL: the ask has gone */
    const struct interp *cycle[CYCLE_MAX];
    struct call_why why;
    unsigned n;

    if (i == NULL || !interp_takes(i, a))
        return NULL;
    if (i->n_waiting >= INTERPS_WAITING || (i->n_waiting > 0 && i->waiting_bytes + bytes > INTERPS_WAITING_BYTES)) {
        ask_fail(a, CE(LIMIT), "%u calls wait for interpreter %s already, the most are %d, and %u MiB of them", i->n_waiting,
                 interp_shown(i), INTERPS_WAITING, INTERPS_WAITING_BYTES >> 20);
        return NULL;
    }
    if (i->state != IS(IDLE) && i->thing.broker->interps.waiting_bytes + bytes > INTERPS_WAITING_ALL) {
        ask_fail(a, CE(LIMIT), "%u MiB of calls wait for interpreters already, the most there may be", INTERPS_WAITING_ALL >> 20);
        return NULL;
    }
    if (i->state != IS(IDLE) && estate_room(i->thing.estate, ESTATE_CALL_BYTES, bytes, &why) != 0) {
        ask_fail_why(a, &why);
        return NULL;
    }
    if (estate_may_call(i->thing.estate, &why) != 0) {
        ask_fail_why(a, &why);
        return NULL;
    }
    n = from != NULL ? wait_cycle(from, i, cycle) : 0;
    if (n == 0)
        return i;
    fail_deadlock(a, cycle, n);
    return NULL;
}

/* text: the function, or the source's name. */
static void begin(struct ask *a, struct interp *i, struct handle *through, Pb__CallKind kind, const char *text,
                  const ProtobufCBinaryData *source, const Pb__Value *args, uint64_t timeout_us)
{
    struct interp_call *c = calloc(1, sizeof(*c));
    struct call_why why = { .error = CE(TEMPORARY), .message = "out of memory" };

    if (c == NULL) {
        ask_fail_why(a, &why);
        return;
    }
    c->on = i;
    c->kind = kind;
    c->text = strdup(text);
    if (c->text == NULL || (source != NULL && keep_source(c, source) != 0) ||
        parcel_take(&c->args, a->by, i->thing.estate, args, kind == PB__CALL_KIND__CALL_KIND_PREPARE ? "names" : "args", &why) != 0) {
        call_free(c);
        ask_fail_why(a, &why);
        return;
    }
    c->ask = a;
    join_from(c, a->by->worker != NULL ? a->by->worker->job : NULL);
    wait_in_line(i, c);
    ask_park(a, timeout_us != 0 ? timeout_us : ASK_NEVER, on_call_end, c);
    ask_through(a, through);
    interp_want(i);
    calls_pump(i);
}

static bool check_text(struct ask *a, const char *text, const char *what, bool may_be_empty)
{
    if ((*text != '\0' || may_be_empty) && strlen(text) <= LIMITS_PATH && !text_has_control(text))
        return true;
    ask_fail(a, CE(BAD_REQUEST), "%s has %s%d bytes, and no control characters", what, may_be_empty ? "at most " : "1 to ", LIMITS_PATH);
    return false;
}

void call_interp_exec(struct ask *a)
{
    const Pb__InterpExec *m = a->message->interp_exec;
    struct handle *h;
    struct interp *i;

    if (m->source.len > LIMITS_SOURCE) {
        ask_fail(a, CE(TOO_BIG), "a source has at most %u bytes", LIMITS_SOURCE);
        return;
    }
    if (!check_text(a, m->source_name, "the name of a source", true) || (i = admit(a, m->interp, m->source.len, &h)) == NULL)
        return;
    begin(a, i, h, PB__CALL_KIND__CALL_KIND_EXEC, m->source_name, &m->source, NULL, m->timeout_us);
}

void call_interp_call(struct ask *a)
{
    const Pb__InterpCall *m = a->message->interp_call;
    struct handle *h;
    struct interp *i;

    if (!check_text(a, m->function, "the name of a function", false) ||
        (i = admit(a, m->interp, m->args != NULL ? m->args->cbor.len : 0, &h)) == NULL)
        return;
    begin(a, i, h, PB__CALL_KIND__CALL_KIND_CALL, m->function, NULL, m->args, m->timeout_us);
}

void call_interp_prepare(struct ask *a)
{
    const Pb__InterpPrepare *m = a->message->interp_prepare;
    struct handle *h;
    struct interp *i = admit(a, m->interp, m->names != NULL ? m->names->cbor.len : 0, &h);

    if (i != NULL)
        begin(a, i, h, PB__CALL_KIND__CALL_KIND_PREPARE, "", NULL, m->names, m->timeout_us);
}

void call_interp_interrupt(struct ask *a)
{
    struct interp *i = interp_named(a, a->message->interp_interrupt->interp, PB__RIGHT__RIGHT_MANAGE, NULL);

    if (i == NULL)
        return;
    if (i->state == IS(ENDED)) {
        interp_fail_ended(a, i, CE(DEAD));
        return;
    }
    calls_interrupt(i); /* nothing when none runs: it may just have ended */
    ask_done(a);
}
