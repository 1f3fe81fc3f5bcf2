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

void verb_version(struct control_call *c)
{
    struct broker *b = c->broker;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__VersionReply v = PB__VERSION_REPLY__INIT;

    v.version = COOP_VERSION;
    v.protocol = COOP_PROTOCOL;
    v.pid = (uint32_t)getpid();
    v.state_dir = b->config.state_dir;
    v.kernel = b->kernel;
    v.workers_idle = b->pool.idle;
    v.workers_busy = b->pool.busy;
    v.jobs_waiting = (uint32_t)waiting_count(&b->jobs.table) + b->jobs.waiting;
    v.n_engines = ENGINE_COUNT;
    v.engines = (char **)engine_names;
    r.body_case = PB__REPLY__BODY_VERSION;
    r.version = &v;
    control_reply(b, c->way, &r);
}

/* ---- drain ---------------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t running_jobs(const struct jobs *j)
{
    uint64_t n = 0;

    for (unsigned s = 0; s < JOB_STATES; s++)
        n += job_has_begun((Pb__State)s) ? j->table.in_state[s] : 0;
    return n;
}

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
    d.running = running_jobs(j);
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

/* Counts of all tenants are nobody's secret: no name goes with them. */
static void fill_counts(const struct broker *b, Pb__TopReply *ret)
{
    const struct jobs *j = &b->jobs;
    struct timespec cpu;

    ret->at_us = loop_wall_us();
    ret->uptime_us = loop_clock_us() - b->began_at;
    ret->waiting = waiting_count(&j->table);
    ret->running = running_jobs(j);
    ret->held = j->table.in_state[PB__STATE__STATE_HELD];
    ret->scheduled = j->table.in_state[PB__STATE__STATE_SCHEDULED];
    ret->blocked = j->table.in_state[PB__STATE__STATE_BLOCKED];
    ret->submitted = j->submitted;
    ret->ended = j->ended;
    ret->failed = j->failed;
    ret->workers_idle = b->pool.idle;
    ret->workers_busy = b->pool.busy;
    ret->workers_booting = b->pool.booting;
    ret->slots = b->config.workers;
    ret->interpreters = b->interps.alive;
    ret->version = COOP_VERSION;
    (void)meter_resident(getpid(), &ret->memory_bytes);
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        ret->cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;
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
    fill_counts(c->broker, &top);
    fill_tenants(c, t, &top);
    fill_jobs(c, t, &top);
    top.draining = c->broker->jobs.closed || c->broker->phase == BROKER_DRAINING;
    r.body_case = PB__REPLY__BODY_TOP;
    r.top = &top;
    control_reply(c->broker, c->way, &r);
    free(t);
}
