/* interp.c - see interp.h. */
#include "worker/interp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "call_errors.h"
#include "worker/asks.h"
#include "worker/inbound.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/serve.h"

/* Numbers of calls as a signal can carry them; 0: none. */
static volatile sig_atomic_t running, interrupted, coming;
static void (*volatile interrupt)(void);

/* ---- interrupts ---------------------------------------------------------------------------------------------------------------- */

void interp_signal(const siginfo_t *si)
{
    int number = si->si_code == SI_QUEUE ? si->si_value.sival_int : 0;

    if (running != 0 && (number == 0 || number == running)) {
        interrupted = 1;
        interrupt();
    } else {
        coming = number;
    }
}

bool interp_interrupted(void)
{
    return running != 0 && interrupted;
}

static void call_begins(uint64_t number)
{
    interrupted = 0;
    running = (int)(number & INT32_MAX);
    if (coming == running && running != 0 && !interrupted) {
        interrupted = 1;
        interrupt();
    }
    coming = 0;
}

bool interp_call_is_over(void)
{
    running = 0;
    return interrupted;
}

/* ---- calls --------------------------------------------------------------------------------------------------------------------- */

static Pb__CallFailure *failure_of(struct call_outcome *o, Pb__CallFailure *f, Pb__JobError *e)
{
    f->error = o->failure;
    f->path = o->path;
    f->message = o->message[0] != '\0' ? o->message : (char *)call_error(o->failure)->what;
    if (o->failure == PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED) {
        e->type = o->type;
        e->message = o->message;
        e->traceback = o->traceback;
        f->remote = e;
    }
    return f;
}

static void say_done(uint64_t number, struct call_outcome *o)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__CallDone d = PB__CALL_DONE__INIT;
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;

    d.number = number;
    if (o->failure == PB__CALL_ERROR__CALL_ERROR_NONE)
        d.value = packed_message(&o->value);
    if (d.value == NULL)
        d.failure = failure_of(o, &f, &e);
    m.body_case = PB__FROM_WORKER__BODY_CALL_DONE;
    m.call_done = &d;
    output_flush();
    link_send(&m);
}

/* It has begun well, and takes calls from now on. */
static void say_begun(void)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__CallDone d = PB__CALL_DONE__INIT;

    m.body_case = PB__FROM_WORKER__BODY_CALL_DONE;
    m.call_done = &d;
    output_flush();
    link_send(&m);
}

static void take_call(const struct interp_engine *e, const Pb__Call *c)
{
    static struct call_outcome o;

    memset(&o, 0, sizeof(o));
    call_begins(c->number);
    e->call(c, &o);
    if (interp_call_is_over() && o.failure != PB__CALL_ERROR__CALL_ERROR_NONE) {
        o.failure = PB__CALL_ERROR__CALL_ERROR_INTERRUPTED;
        o.message[0] = o.path[0] = '\0';
    }
    if (o.failure == PB__CALL_ERROR__CALL_ERROR_NONE && packed_message(&o.value) == NULL)
        o.failure = PB__CALL_ERROR__CALL_ERROR_TEMPORARY;
    say_done(c->number, &o);
    packed_finish(&o.value);
}

/* Where tasklets may not switch, for the tenant has left it so, they do not run meanwhile. */
static int park_or_stay(void)
{
    struct inbound *const call = &inbound_call;
    int rc = sched != NULL && sched->member == NULL && !asks_stay ? inbound_park(&call, 1, COOP_NEVER, "call") : -EPERM;

    return rc == -EPERM ? inbound_stay(&call, 1, COOP_NEVER) : rc;
}

static void wait_for_call(const struct interp_engine *e, struct frame *ret_f)
{
    int rc;

    while ((rc = park_or_stay()) != 0)
        if (rc == -EINTR && e->woken != NULL)
            e->woken();
        else if (rc != 0 && sched != NULL)
            sched_main_afresh(); /* a tenant's tasklet has cancelled main, or forbidden it to block */
    if (inbound_take(&inbound_call, ret_f) != 0)
        _exit(70); /* the broker does not keep to the protocol */
}

static void rest(const struct interp_engine *e, struct frame *ret_f)
{
    if (e->rests != NULL)
        e->rests(true);
    wait_for_call(e, ret_f);
    if (e->rests != NULL)
        e->rests(false);
}

static _Noreturn void close_interpreter(const struct interp_engine *e)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_EXIT };

    e->close(&o);
    serve_finish(&o);
}

_Noreturn void interp_serve(const struct engine *e, const Pb__Assign *assign)
{
    static struct outcome o;

    interrupt = e->interp->interrupt;
    if (!e->interp->begin(assign->spec, &o))
        serve_finish(&o);
    say_begun();
    for (;;) {
        struct frame f;
        const Pb__Call *c;

        rest(e->interp, &f);
        c = ((const Pb__ToWorker *)f.msg)->call;
        if (c->kind == PB__CALL_KIND__CALL_KIND_CLOSE)
            close_interpreter(e->interp);
        take_call(e->interp, c);
        frame_release(&f);
    }
}
