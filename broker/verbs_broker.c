/* verbs_broker.c - requests about the broker itself; see control_verbs.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/admin_log.h"
#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/meter.h"
#include "coop/version.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* ---- whose ---------------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t sum_in(const size_t in_state[JOB_STATES], bool (*is_one)(Pb__State state))
{
    uint64_t n = 0;

    for (unsigned s = 0; s < JOB_STATES; s++)
        n += is_one((Pb__State)s) ? in_state[s] : 0;
    return n;
}

/* What others have is a secret, counts of it too: of the tenants that it sees. */
static void tally_seen(const struct control_call *c, struct tenant_tally *ret)
{
    *ret = (struct tenant_tally){ 0 };
    for (const struct tenant *t = c->broker->tenants.by_id; t != NULL; t = t->hh.next) {
        if (!actor_sees_tenant(&c->actor, t))
            continue;
        for (unsigned s = 0; s < JOB_STATES; s++)
            ret->in_state[s] += t->tally.in_state[s];
        ret->interpreters += t->tally.interpreters;
        ret->submitted += t->tally.submitted;
        ret->ended += t->tally.ended;
        ret->failed += t->tally.failed;
    }
}

static bool sees_all(const struct control_call *c)
{
    return actor_may(&c->actor, ACTOR_OPERATOR);
}

/* ---- version ------------------------------------------------------------------------------------------------------------------------------------ */

/* What is of the host, and of all its tenants. */
static void fill_host(struct broker *b, Pb__VersionReply *ret)
{
    ret->pid = (uint32_t)getpid();
    ret->state_dir = b->config.state_dir;
    ret->kernel = b->kernel;
    ret->workers_idle = b->pool.idle;
    ret->workers_busy = b->pool.busy;
    ret->jobs_waiting = (uint32_t)waiting_count(&b->jobs.table) + b->jobs.waiting;
}

static void fill_seen(const struct control_call *c, Pb__VersionReply *ret)
{
    struct tenant_tally seen;

    tally_seen(c, &seen);
    ret->workers_busy = (uint32_t)sum_in(seen.in_state, job_has_begun);
    ret->jobs_waiting = (uint32_t)sum_in(seen.in_state, job_waits);
}

void verb_version(struct control_call *c)
{
    struct broker *b = c->broker;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__VersionReply v = PB__VERSION_REPLY__INIT;

    v.version = COOP_VERSION;
    v.protocol = COOP_PROTOCOL;
    if (sees_all(c))
        fill_host(b, &v);
    else
        fill_seen(c, &v);
    v.n_engines = ENGINE_COUNT;
    v.engines = (char **)engine_names;
    r.body_case = PB__REPLY__BODY_VERSION;
    r.version = &v;
    control_reply(b, c->way, &r);
}

/* ---- drain ---------------------------------------------------------------------------------------------------------------------------------------- */

void verb_drain(struct control_call *c)
{
    struct jobs *j = &c->broker->jobs;
    bool drain = c->request->drain->drain;
    struct event_note note = { .kind = EVENT_BROKER, .reason = drain ? "DRAIN" : "UNDRAIN" };
    Pb__Reply r = PB__REPLY__INIT;
    Pb__DrainReply d = PB__DRAIN_REPLY__INIT;

    if (j->closed != drain) {
        events_tell(&c->broker->events, &note);
        admin_log(c->broker, &c->actor, drain ? "drain" : "undrain", "broker", 0, "%s", "");
    }
    j->closed = drain;
    if (!drain)
        jobs_dispatch(j);
    d.draining = drain || c->broker->phase == BROKER_DRAINING;
    d.running = sum_in(j->table.in_state, job_has_begun);
    d.waiting = waiting_count(&j->table);
    r.body_case = PB__REPLY__BODY_DRAIN;
    r.drain = &d;
    control_reply(c->broker, c->way, &r);
}

/* ---- top ------------------------------------------------------------------------------------------------------------------------------------------ */

enum { TOP_JOBS = 100, TOP_TENANTS = 100 };

/* Room for one answer. */
struct top {
    Pb__JobStatus jobs[TOP_JOBS], *job_pointers[TOP_JOBS];
    Pb__Tenant tenants[TOP_TENANTS], *tenant_pointers[TOP_TENANTS];
};

static bool sees_job(const struct control_call *c, const struct job *job)
{
    return job->entry != NULL ? actor_sees(c->broker, &c->actor, job->entry->tenant->id, "") : actor_may(&c->actor, ACTOR_OPERATOR);
}

static void fill_jobs(struct control_call *c, struct top *t, Pb__TopReply *ret)
{
    for (const struct job *job = c->broker->jobs.by_id; job != NULL && ret->n_jobs < TOP_JOBS; job = job->hh.next) {
        if (!job_has_begun(job->state) || !sees_job(c, job))
            continue;
        jobs_status(job, &t->jobs[ret->n_jobs]);
        t->job_pointers[ret->n_jobs] = &t->jobs[ret->n_jobs];
        ret->n_jobs++;
    }
    ret->jobs = t->job_pointers;
}

static void fill_tenants(struct control_call *c, struct top *t, Pb__TopReply *ret)
{
    const struct broker *b = c->broker;

    for (const struct tenant *of = b->tenants.by_id; of != NULL && ret->n_tenants < TOP_TENANTS; of = of->hh.next) {
        Pb__Tenant *m = &t->tenants[ret->n_tenants];

        if (!actor_sees_tenant(&c->actor, of))
            continue;
        pb__tenant__init(m);
        m->name = (char *)of->name;
        m->parent = (char *)(of->parent != NULL ? of->parent->name : "");
        m->weight = of->weight;
        m->running = of->running;
        m->queued = of->queued;
        m->stored_bytes = of->stored_bytes;
        m->share = sched_share(b->tenants.sched, &of->sched, b->loop.now_us);
        m->entitled = sched_entitled(b->tenants.sched, &of->sched);
        m->state = (char *)(of->state == TENANT_ACTIVE ? "active" : "suspended");
        t->tenant_pointers[ret->n_tenants++] = m;
    }
    ret->tenants = t->tenant_pointers;
}

static void fill_all(const struct broker *b, Pb__TopReply *ret)
{
    const struct jobs *j = &b->jobs;
    struct timespec cpu;

    ret->waiting = waiting_count(&j->table);
    ret->running = sum_in(j->table.in_state, job_has_begun);
    ret->held = j->table.in_state[PB__STATE__STATE_HELD];
    ret->scheduled = j->table.in_state[PB__STATE__STATE_SCHEDULED];
    ret->blocked = j->table.in_state[PB__STATE__STATE_BLOCKED];
    ret->submitted = j->submitted;
    ret->ended = j->ended;
    ret->failed = j->failed;
    ret->workers_idle = b->pool.idle;
    ret->workers_busy = b->pool.busy;
    ret->workers_booting = b->pool.booting;
    ret->interpreters = b->interps.alive;
    (void)meter_resident(getpid(), &ret->memory_bytes);
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        ret->cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
}

/* How busy the host is tells of the others. */
static void fill_own(const struct control_call *c, Pb__TopReply *ret)
{
    struct tenant_tally seen;

    tally_seen(c, &seen);
    ret->waiting = sum_in(seen.in_state, job_waits);
    ret->running = ret->workers_busy = (uint32_t)sum_in(seen.in_state, job_has_begun);
    ret->held = seen.in_state[PB__STATE__STATE_HELD];
    ret->scheduled = seen.in_state[PB__STATE__STATE_SCHEDULED];
    ret->blocked = seen.in_state[PB__STATE__STATE_BLOCKED];
    ret->submitted = seen.submitted;
    ret->ended = seen.ended;
    ret->failed = seen.failed;
    ret->interpreters = (uint32_t)seen.interpreters;
}

static void fill_counts(const struct control_call *c, Pb__TopReply *ret)
{
    const struct broker *b = c->broker;

    ret->at_us = loop_wall_us();
    ret->uptime_us = loop_clock_us() - b->began_at;
    ret->slots = b->config.workers;
    ret->version = COOP_VERSION;
    if (sees_all(c))
        fill_all(b, ret);
    else
        fill_own(c, ret);
}

void verb_top(struct control_call *c)
{
    struct top *t = calloc(1, sizeof(*t));
    Pb__Reply r = PB__REPLY__INIT;
    Pb__TopReply top = PB__TOP_REPLY__INIT;

    if (t == NULL) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    fill_counts(c, &top);
    fill_tenants(c, t, &top);
    fill_jobs(c, t, &top);
    top.draining = c->broker->jobs.closed || c->broker->phase == BROKER_DRAINING;
    r.body_case = PB__REPLY__BODY_TOP;
    r.top = &top;
    control_reply(c->broker, c->way, &r);
    free(t);
}
