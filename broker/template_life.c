/* template_life.c - the process behind a template: its build, its forks, its end. See templates.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/gate.h"
#include "broker/templates.h"
#include "broker/zygotes.h"
#include "frame.h"
#include "log.h"

#define CA(name) PB__CAUSE__CAUSE_##name

bool template_is_warm(const struct template *t)
{
    return t->state == TEMPLATE_WARM && t->job != NULL && t->job->end.cause == CA(NONE);
}

static void used(struct template *t)
{
    timers_arm(&t->broker->loop.timers, &t->idle, t->broker->loop.now_us + t->broker->config.template_idle_us);
}

/* ---- build --------------------------------------------------------------------------------------------------------------------- */

/* Nobody waits for it, and it has no child under way. */
static bool is_idle(const struct template *t)
{
    return template_is_warm(t) && t->forking == NULL && crew_waiting(&t->crew) == 0 && t->asks == NULL;
}

/* Lets the one go that was used the longest ago. False: all are needed. */
static bool make_room(struct template *of)
{
    struct broker *b = of->broker;
    struct template *oldest = NULL;
    bool own = !estate_has_room(of->estate, ESTATE_TEMPLATES_ALIVE, 1); /* it makes room for itself */

    if (b->templates.alive < TEMPLATES_ALIVE && !own)
        return true;
    for (struct template *t = b->templates.all; t != NULL; t = t->next)
        if (is_idle(t) && (!own || t->estate == of->estate) && (oldest == NULL || t->idle.at_us < oldest->idle.at_us))
            oldest = t;
    if (oldest != NULL)
        template_end(oldest);
    return false; /* there is room when its process has ended */
}

static struct job *new_job(struct template *t)
{
    const struct jobs_living living = { .tenant = t->estate->tenant, .init = true };
    Pb__JobSpec *spec;
    struct job *job = NULL;
    struct frame f;
    uint8_t *packed;
    size_t len;

    if (store_decode_spec(&f, t->spec, t->spec_len) != 0)
        return NULL;
    spec = (Pb__JobSpec *)f.msg;
    spec->builds = t->full;
    spec->name = t->full;
    if (frame_pack(&spec->base, &packed, &len) == 0)
        job = jobs_new_living(&t->broker->jobs, spec, packed, len, &living);
    spec->builds = spec->name = (char *)protobuf_c_empty_string;
    frame_release(&f);
    return job;
}

static void build(struct template *t)
{
    struct broker *b = t->broker;

    if (!make_room(t))
        return;
    t->job = new_job(t);
    if (t->job == NULL) {
        template_fail_waiting(t, true, "not enough memory to build it");
        return;
    }
    t->state = TEMPLATE_BUILDING;
    t->began_at = b->loop.now_us;
    t->children = 0;
    t->why[0] = '\0';
    b->templates.alive++;
    estate_count(t->estate, ESTATE_TEMPLATES_ALIVE, 1);
    log_event(LOG_LEVEL_INFO, "template_build", "template=%s job=%s", t->full, t->job->id);
    jobs_start_early(t->job);
}

static void boot(struct template *t)
{
    int rc = pool_spawn_template(t);

    if (rc != 0 && rc != -EAGAIN)
        jobs_decide(t->job, CA(START_FAILED), "its process could not be made: %s", strerror(-rc));
}

static struct zygote *engines_zygote(const struct template *t)
{
    return t->broker->crews[t->crew.engine - engine_table].zygote;
}

/* One that nothing else is made by, where its forks would have the same seed; never the engine's instead. */
static bool take_zygote(struct template *t)
{
    int rc = 0;

    if (t->crew.engine->seed != NULL && t->crew.zygote == engines_zygote(t))
        rc = zygotes_add_for_template(t->crew.zygote->crew, &t->crew.zygote);
    if (rc == -EMFILE)
        jobs_decide(t->job, CA(START_FAILED),
                    "there are %d zygotes of templates, with those whose last children live on, and no more can be had",
                    ZYGOTES_OF_TEMPLATES);
    else if (rc != 0)
        jobs_decide(t->job, CA(START_FAILED), "not enough memory for a zygote of its own");
    return rc == 0;
}

/* Its process is over, or never was: the next is not made by what made this one. Its children may live on. */
static void leave_zygote(struct template *t)
{
    struct zygote *z = t->crew.zygote;

    t->crew.zygote = engines_zygote(t);
    if (z != t->crew.zygote)
        zygote_retire(z);
}

void template_prepare(struct template *t)
{
    struct broker *b = t->broker;
    bool wanted = crew_waiting(&t->crew) > 0 || t->asks != NULL;

    if (b->phase == BROKER_DRAINING)
        return;
    if (t->state == TEMPLATE_COLD && wanted && t->worker == NULL) {
        if (template_quarantine_us(t) > 0)
            template_refuse_quarantined(t);
        else
            build(t);
    }
    if (t->state != TEMPLATE_BUILDING || t->worker != NULL || t->job == NULL || t->job->end.cause != CA(NONE))
        return;
    if (!take_zygote(t))
        return;
    if (t->crew.zygote->ready)
        boot(t);
    else
        zygote_want(t->crew.zygote);
}

/* Sealed, and said hello: its init may begin. */
void template_is_booted(struct template *t)
{
    if (t->listener.fd < 0)
        template_broke(t, "it said hello without a listener");
    else if (t->job != NULL && t->job->state == PB__STATE__STATE_READY)
        jobs_assign(t->job, t->worker);
    else
        pool_kill(t->worker);
}

void template_boot_failed(struct template *t, const struct worker *w, const char *why)
{
    bool no_listener = strcmp(w->failed_step, "leave") == 0 && w->failed_error == EBUSY;

    if (t->job != NULL)
        jobs_decide(t->job, CA(START_FAILED), "%s",
                    no_listener
                        ? "templates need the listener of a system call filter, and a supervisor around coop has the only one there can be"
                        : why);
}

void template_on_warm(struct template *t)
{
    t->state = TEMPLATE_WARM;
    t->build_us = t->broker->loop.now_us - t->began_at;
    watch_rest(t->job);
    used(t);
    log_event(LOG_LEVEL_INFO, "template_warm", "template=%s pid=%d build_us=%llu", t->full, (int)t->worker->pid,
              (unsigned long long)t->build_us);
    template_answer(t);
    pool_refill(&t->broker->pool);
}

/* ---- fork ---------------------------------------------------------------------------------------------------------------------- */

static int send_order(struct template *t, struct worker *child, int link_fd)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Fork f = PB__FORK__INIT;

    f.worker = child->id;
    f.token = (ProtobufCBinaryData){ ZYGOTE_TOKEN, child->token };
    m.body_case = PB__TO_WORKER__BODY_FORK;
    m.fork = &f;
    return gate_answer(t->worker, &m, link_fd);
}

static void order_is_over(struct template *t, bool stray)
{
    t->forking = NULL;
    t->leave = false;
    zygote_fork_ends(t->ordered_from, t->ordered_of, stray);
}

int template_fork(struct template *t)
{
    struct broker *b = t->broker;
    struct worker *child;
    int fd, rc;

    if (!template_is_warm(t) || t->worker == NULL || t->worker->phase != WORKER_WARM || t->forking != NULL ||
        !zygote_may_fork(t->worker->zygote))
        return -EAGAIN;
    rc = pool_new_child(t, &child, &fd);
    if (rc != 0)
        return rc;
    t->forking = child;
    t->leave = true;
    t->ordered_at = loop_clock_us();
    t->ordered_from = t->worker->zygote;
    t->ordered_of = zygote_fork_begins(t->ordered_from);
    watch_allow(t->job, TEMPLATE_FORK_CPU_US);
    timers_arm(&b->loop.timers, &child->deadline, b->loop.now_us + TEMPLATE_FORK_US);
    rc = send_order(t, child, fd);
    close(fd);
    if (rc != 0)
        template_child_failed(t, child, "the order to fork could not be sent");
    return 0;
}

/* Its token was right. Who wrote it is the kernel's word: the template itself has the token and the link, too. */
void template_on_hello(struct worker *child)
{
    struct template *t = child->of;
    pid_t pid = link_writer(&child->link);

    if (t->forking != child || t->worker == NULL || t->leave || pid <= 0 || pid == t->worker->pid)
        template_child_failed(t, child, t->leave ? "a hello came before its fork" : "a process that is not its child said hello");
    else if (zygote_adopt(child->zygote, child->id, pid) != 0)
        template_child_failed(t, child, "the zygote could not be told of its child");
    else
        child->said_pid = pid; /* from now on the zygote tells of it */
}

void template_has_child(struct template *t, struct worker *child)
{
    if (t->forking == child)
        order_is_over(t, false);
    t->fork_us = loop_clock_us() - t->ordered_at;
    t->forks++;
    t->losses = 0;
    used(t);
    template_proved(t);
}

/* Before its hello nobody knows its process, and it is over at once. */
void template_child_failed(struct template *t, struct worker *child, const char *why)
{
    bool under_way = t->forking == child;

    if (under_way)
        order_is_over(t, !t->leave && child->said_pid == 0);
    pool_kill(child);
    if (under_way)
        template_broke(t, "%s", why);
}

void template_child_late(struct worker *child)
{
    child->of->late = child->of->forking == child;
    template_child_failed(child->of, child, "its child did not say hello in time");
}

/* The link of a child that has not said hello; or one on which two processes write: of the two the one that it is not for is a template that has kept it. */
void template_link_gone(struct template *t, struct worker *w, int why)
{
    const char *text = why == -EXDEV   ? "another process writes on the link of its child"
                       : why == -EPIPE ? "its child ended before it said hello"
                                       : "a message that is refused (?): not a frame";

    if (w->role == WORKER_TEMPLATE) {
        template_broke(t, "another process writes on its link");
        return;
    }
    if (why == -EPIPE && t->leave)
        return; /* it has ended, and that is about to be told; or it is in no hurry, and late */
    if (w->job != NULL)
        jobs_decide(w->job, CA(BAD_RESULT), "another process writes on its link");
    template_child_failed(t, w, text);
    template_broke(t, "%s", text);
}

/* Its own word, or the zygote's: nothing bad in it, if it is true. */
void template_fork_refused(struct template *t, int error)
{
    struct worker *child = t->forking;

    snprintf(child->failed_step, sizeof(child->failed_step), "fork");
    child->failed_error = (uint32_t)error;
    order_is_over(t, !t->leave);
    pool_kill(child);
}

/* ---- the end ------------------------------------------------------------------------------------------------------------------- */

void template_end(struct template *t)
{
    if (t->job != NULL)
        jobs_decide(t->job, CA(OK), "%s", "");
}

void template_broke(struct template *t, const char *fmt, ...)
{
    char why[TEMPLATE_WHY];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    if (t->job != NULL && t->job->end.cause == CA(NONE))
        log_event(LOG_LEVEL_WARN, "template_broke", "template=%s why=\"%s\"", t->full, why);
    if (t->job != NULL)
        jobs_decide(t->job, CA(BAD_RESULT), "the template broke a rule: %s", why);
}

static void end_spares(struct template *t)
{
    for (struct worker *w = t->broker->pool.all; w != NULL; w = w->next)
        if (w->of == t && w->role == WORKER_FORKED && w->job == NULL && w->phase != WORKER_ENDING)
            pool_kill(w);
}

void template_worker_ended(struct template *t, const struct worker *w)
{
    struct worker *child = t->forking;

    if (w == child) { /* it was a worker already when it ended */
        order_is_over(t, !t->leave && w->said_pid == 0);
        if (!w->orphan)
            template_broke(t, "its child ended before it was one of its crew (%s)", w->failed_step[0] != '\0' ? w->failed_step : "hello");
    }
    template_free_if_unused(t);
    if (w != t->worker)
        return;
    t->worker = NULL;
    template_listen_no_more(t);
    if (child != NULL)
        template_child_failed(t, child, "it ended");
    end_spares(t);
    leave_zygote(t);
}

static void fail_build(struct template *t, const struct job *job)
{
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    Pb__JobError remote = PB__JOB_ERROR__INIT;
    char text[TEMPLATE_WHY + TEMPLATE_FULL_NAME + 64];

    snprintf(text, sizeof(text), "the template %s could not be made: %s", t->full,
             job->end.error_message != NULL && job->end.error_message[0] != '\0' ? job->end.error_message
             : t->why[0] != '\0'                                                 ? t->why
                                                                                 : "its init ended");
    frame_make_utf8(text);
    f.error = PB__CALL_ERROR__CALL_ERROR_TEMPLATE_FAILED;
    f.message = text;
    f.cause = job->end.cause;
    f.cause_detail = t->why;
    f.receipt = (char *)job->id;
    if (job->end.error_type != NULL) {
        remote.type = job->end.error_type;
        remote.message = job->end.error_message != NULL ? job->end.error_message : (char *)protobuf_c_empty_string;
        remote.traceback = job->end.error_traceback != NULL ? job->end.error_traceback : (char *)protobuf_c_empty_string;
        f.remote = &remote;
    }
    template_fail_asks(t, &f);
    /* a process that was lost has been made anew already, as often as one is */
    template_fail_waiting(t, t->late || (jobs_fault(job) == JOB_FAULT_PLATFORM && job->end.cause != CA(WORKER_LOST)),
                          t->why[0] != '\0' ? t->why : "its init ended the process");
}

/* Its receipt is being written: the process is over, or never was. */
void template_job_ended(struct template *t, const struct job *job)
{
    bool was_building = t->state == TEMPLATE_BUILDING, lost = job->end.cause == CA(WORKER_LOST);

    timers_cancel(&t->broker->loop.timers, &t->idle);
    t->job = NULL;
    t->state = TEMPLATE_COLD;
    t->broker->templates.alive--;
    estate_count(t->estate, ESTATE_TEMPLATES_ALIVE, -1);
    snprintf(t->why, sizeof(t->why), "%s", job->end.detail);
    frame_make_utf8(t->why);
    t->losses = lost ? t->losses + 1 : 0;
    log_event(LOG_LEVEL_INFO, "template_ended", "template=%s cause=%s forks=%llu why=\"%s\"", t->full, job_cause_name(job->end.cause),
              (unsigned long long)t->forks, t->why);
    if (was_building && job->end.cause == CA(OK))
        snprintf(t->why, sizeof(t->why), "its init ended the process instead of returning");
    if (t->stored && jobs_fault(job) == JOB_FAULT_JOB)
        template_failed(t);
    template_check_gate(t); /* first: who gives its slot back is not failed */
    if (was_building ? !lost || t->losses >= TEMPLATE_LOSSES || t->asks != NULL
                     : job->end.cause != CA(OK) && (!lost || t->losses >= TEMPLATE_LOSSES))
        fail_build(t, job);
    t->late = false;
    if (t->worker != NULL && t->worker->phase != WORKER_ENDING)
        pool_kill(t->worker); /* it was not told of its job yet */
    if (t->worker == NULL)
        leave_zygote(t);
    template_free_if_unused(t);
}

void templates_cannot(const struct zygote *z, const char *why)
{
    struct template *next;

    for (struct template *t = z->broker->templates.all; t != NULL; t = next) {
        next = t->next;
        if (t->crew.zygote == z && t->state == TEMPLATE_BUILDING && t->job != NULL && t->worker == NULL)
            jobs_decide(t->job, CA(START_FAILED), "%s", why);
    }
}
