/* serve.c - see serve.h. */
#include "worker/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/asks.h"
#include "worker/input.h"
#include "worker/interp.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/place.h"
#include "worker/template.h"
#include "worker/walls.h"

static const struct engine *volatile running; /* the engine that a cancel is for; NULL while there is nothing to end */
static volatile sig_atomic_t cancelled, interpreter;

void serve_cancel(const siginfo_t *si)
{
    int keep_errno = errno;
    const struct engine *e = running;

    if (interpreter) {
        interp_signal(si);
    } else {
        cancelled = 1;
        if (e != NULL && e->cancel != NULL)
            e->cancel();
    }
    errno = keep_errno;
}

void serve_slice_over(const void *context)
{
    int keep_errno = errno;
    const struct engine *e = running;

    if (e != NULL && e->preempt != NULL)
        e->preempt(context);
    errno = keep_errno;
}

const char *serve_place(uintptr_t address, uintptr_t *ret_offset)
{
    const char *file = running != NULL && running->place != NULL ? running->place(address, ret_offset) : NULL;

    return file != NULL ? file : place_of(address, ret_offset);
}

bool serve_answer(long nr, const uint64_t args[6], long *ret_result)
{
    const struct engine *e = running;

    return e != NULL && e->answer != NULL && e->answer(nr, args, ret_result);
}

int serve_fault(void *address)
{
    const struct engine *e = running;

    return e != NULL && e->fault != NULL ? e->fault(address) : 0;
}

int serve_cancelled(void)
{
    return interpreter ? interp_interrupted() : cancelled != 0;
}

_Noreturn void serve_finish(const struct outcome *o)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Result r = PB__RESULT__INIT;
    Pb__JobError e = PB__JOB_ERROR__INIT;

    link_enter(); /* for good: another thread has nothing to add */
    running = NULL;
    output_flush();
    r.kind = o->kind;
    r.exit_code = o->exit_code;
    r.signal = o->signal;
    r.disk_full = o->disk_full;
    r.inodes_full = o->inodes_full;
    r.outputs_note = (char *)o->outputs_note;
    if (o->type[0] != '\0' || o->message[0] != '\0') {
        e.type = (char *)o->type;
        e.message = (char *)o->message;
        e.traceback = (char *)o->traceback;
        r.error = &e;
    }
    r.stdout_dropped = output_dropped(PB__STREAM__STREAM_STDOUT);
    r.stderr_dropped = output_dropped(PB__STREAM__STREAM_STDERR);
    m.body_case = PB__FROM_WORKER__BODY_RESULT;
    m.result = &r;
    link_send(&m);
    _exit(0); /* the broker hears the result before it judges the end, and this end need not wait for its kill */
}

static void say_started(Pb__Started *s)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;

    m.body_case = PB__FROM_WORKER__BODY_STARTED;
    m.started = s;
    link_send(&m);
}

/* The seal has steps after Assign; when one fails no tenant byte runs either. */
static void say_failed(const char *step, int error)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__SealFailed f = PB__SEAL_FAILED__INIT;

    f.step = (char *)step;
    f.error = (uint32_t)error;
    m.body_case = PB__FROM_WORKER__BODY_SEAL_FAILED;
    m.seal_failed = &f;
    link_send(&m);
}

static int enter(const struct engine *e, const Pb__Assign *assign, Pb__Started *started, const char **ret_step)
{
    if (e->enter != NULL)
        return e->enter(assign, started, ret_step);
    *ret_step = "walls";
    return walls_set(assign->spec->limits, e->slack_bytes, e->closed_bytes);
}

void serve_forked(void)
{
    running = NULL;
    cancelled = 0;
    asks_forked();
}

/* The job, with everything said and set that comes before its first byte. The frame lives as long as the process: engines point into the spec. */
static const Pb__Assign *take_job(const struct engine *e)
{
    Pb__Started started = PB__STARTED__INIT;
    const char *step = "limits";
    struct frame f;
    const Pb__ToWorker *m;
    int rc;

    do {
        rc = link_wait(&f);
    } while (rc == -EINTR);
    m = rc == 0 ? (const Pb__ToWorker *)f.msg : NULL;
    if (m == NULL || m->body_case != PB__TO_WORKER__BODY_ASSIGN || m->assign->spec == NULL)
        _exit(70); /* the broker does not keep to the protocol */
    output_begin(m->assign->spec);
    input_begin(m->assign->spec);
    if (m->assign->template_)
        walls_keep_cpu(m->assign->children_cpu_us);
    if (m->assign->interpreter)
        walls_cpu_by_calls();
    rc = m->assign->spec->limits != NULL ? enter(e, m->assign, &started, &step) : -EPROTO;
    if (rc == 0 && m->assign->interpreter && e->interp == NULL) {
        step = "interpreter";
        rc = -EOPNOTSUPP;
    }
    if (rc != 0) {
        say_failed(step, -rc);
        _exit(70);
    }
    interpreter = m->assign->interpreter;
    running = e;
    if (cancelled && !interpreter && e->cancel != NULL)
        e->cancel(); /* it came while there was nothing to end */
    say_started(&started);
    return m->assign;
}

_Noreturn void serve(const struct engine *e)
{
    static struct outcome o;
    const Pb__Assign *a = take_job(e);

    if (a->template_) {
        template_run(e, a->spec);
        a = take_job(e); /* in a child */
        if (a->template_)
            _exit(70); /* the broker does not keep to the protocol */
    }
    if (a->interpreter)
        interp_serve(e, a);
    e->run(a->spec, &o);
    serve_finish(&o);
}

/* Length of the well-formed UTF-8 character at p, or 0. */
static size_t character_at(const char *p, size_t len)
{
    for (size_t n = 1; n <= 4 && n <= len; n++)
        if (frame_is_utf8(p, n))
            return p[0] == '\0' ? 0 : n;
    return 0;
}

void outcome_text(char *into, size_t size, const char *text, size_t len)
{
    size_t used = 0;

    while (len > 0) {
        size_t n = character_at(text, len);
        size_t need = n > 0 ? n : 4; /* \xNN */

        if (used + need >= size)
            break;
        if (n > 0)
            memcpy(into + used, text, n);
        else
            snprintf(into + used, 5, "\\x%02x", (unsigned char)*text);
        used += need;
        text += n > 0 ? n : 1;
        len -= n > 0 ? n : 1;
    }
    into[used] = '\0';
}
