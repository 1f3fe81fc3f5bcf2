/*
 * bare_broker.h - a broker with its loop, pool and job table, one hand-made worker and one hand-made job: no zygote, no process.
 *
 * Side:    tests and fuzzers.
 * The worker has no pidfd, so killing it only changes its phase; its link stays closed unless a test opens it.
 * Shared by the gate's test and the fuzzers. The program that includes it is linked with libbroker.a and stands in for main.c.
 */
#ifndef TESTS_UNIT_BARE_BROKER_H
#define TESTS_UNIT_BARE_BROKER_H

#include <assert.h>
#include <fcntl.h>
#include <poll.h>

#include "broker/broker.h"
#include "broker/gate.h"
#include "frame.h"
#include "log.h"
#include "scratch.h"

enum { BARE_CREDIT = 1000 }; /* bytes of each output stream that the job may write */

struct bare_broker {
    struct broker b;
    char *dir;
    struct worker *w;
    struct job *job;    /* NULL in phases that have none */
    struct estate *own; /* of the broker's own user */
    int engine;         /* of the workers and jobs that are made; ENGINE_LUA unless a test says otherwise */
};

/* Of main.c, which is in no archive. */
void broker_check_rest(struct broker *b);

void broker_check_rest(struct broker *b)
{
    (void)b;
}

/* pool_kill() arms it; a bare worker has no process whose report could be late. */
static inline void bare_deadline(void *ctx)
{
    (void)ctx;
}

static inline struct worker *bare_worker(struct bare_broker *fx)
{
    struct pool *p = &fx->b.pool;
    struct worker *w = calloc(1, sizeof(*w));

    w->id = ++p->last_id;
    w->broker = &fx->b;
    w->crew = &fx->b.crews[fx->engine];
    w->zygote = w->crew->zygote;
    w->threads = 1;
    w->uid = w->uid_said = 1000;
    w->pidfd = (struct loop_watch){ .fd = -1 };
    w->deadline = (struct timer){ .fn = bare_deadline, .ctx = w };
    for (unsigned i = 0; i < ZYGOTE_TOKEN; i++)
        w->token[i] = (uint8_t)(i * 17 + w->id);
    asker_init(&w->asker, &fx->b, w, 0);
    w->next = p->all;
    if (p->all != NULL)
        p->all->prev = w;
    p->all = w;
    p->booting++;
    w->crew->booting++;
    return w;
}

static inline void bare_gone(void *ctx, int why)
{
    (void)ctx;
    (void)why;
}

static inline void bare_unheard(void *ctx, const uint8_t *bytes, size_t len)
{
    (void)ctx;
    (void)bytes;
    (void)len;
}

/* The worker's end of a real link; what it writes there is not heard, tests call gate_receive(). The caller closes it. */
static inline int bare_open_link(struct bare_broker *fx, struct worker *w)
{
    const struct link_handler deaf = { bare_unheard, bare_gone, w, NULL };
    int fd = -1;

    if (link_open(&w->link, &fx->b.loop, &deaf, &fd) != 0 || sp_handshake(fd) != 0)
        abort();
    return fd;
}

/* Messages that the broker has said on a link, each checked to be one. Returns how many. */
static inline unsigned bare_heard(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    uint8_t *buf = NULL;
    size_t cap = 0, len;
    unsigned n = 0;

    while (poll(&p, 1, 0) == 1 && sp_recv(fd, &buf, &cap, FRAME_MAX_LINK, &len) == 0) {
        struct frame f;
        int rc = frame_decode(&f, &pb__to_worker__descriptor, buf, len, FRAME_MAX_LINK);

        assert(rc == 0);
        frame_release(&f);
        n++;
    }
    free(buf);
    return n;
}

/* A connection that this local user, of a tenant of its own, has asked on. */
static inline void bare_bind(struct bare_broker *fx, struct asker *a, uint32_t uid, unsigned scopes)
{
    const struct actor actor = { .tenant = tenants_of_uid(&fx->b.tenants, uid), .scopes = scopes, .uid = uid };
    struct call_why why;

    if (actor.tenant == NULL || asker_bind(a, &actor, &why) != 0)
        abort();
}

static inline void bare_unused_timer(void *ctx)
{
    (void)ctx;
}

static inline struct job *bare_job(struct bare_broker *fx, Pb__State state)
{
    struct job *job = calloc(1, sizeof(*job));
    struct timer quiet = { .fn = bare_unused_timer };

    (void)snprintf(job->id, sizeof(job->id), "01HZZZZZZZ000000000000000%u", HASH_COUNT(fx->b.jobs.by_id) % 10);
    (void)snprintf(job->engine, sizeof(job->engine), "%s", engine_names[fx->engine]);
    job->broker = &fx->b;
    job->tenant = geteuid();
    job->crew = &fx->b.crews[fx->engine];
    job->state = state;
    job->attempt = 1;
    job->watch.look = job->grace = job->store_retry = quiet;
    pb__limits__init(&job->limits);
    job->limits.stdout_bytes = job->limits.stderr_bytes = BARE_CREDIT;
    pb__usage__init(&job->usage);
    pb__enforcement__init(&job->enforcement);
    spool_init(&job->spools[0], fx->b.output_dir, job->id, 0, BARE_CREDIT);
    spool_init(&job->spools[1], fx->b.output_dir, job->id, 1, BARE_CREDIT);
    outputs_init(&job->outputs, fx->b.output_dir, job->id, BARE_CREDIT);
    job->collects = job->learn = 1; /* means something to programs only */
    HASH_ADD_STR(fx->b.jobs.by_id, id, job);
    return job;
}

/* Makes w a template's process, whose init job is; with child: it has been ordered to fork that. */
static inline struct template *bare_template(struct bare_broker *fx, struct worker *w, struct job *job, struct worker *child)
{
    struct template *t = calloc(1, sizeof(*t));

    t->broker = &fx->b;
    t->estate = estate_ref(fx->own);
    estate_count(t->estate, ESTATE_TEMPLATES, 1);
    estate_count(t->estate, ESTATE_TEMPLATES_ALIVE, 1);
    (void)snprintf(t->name, sizeof(t->name), "bare");
    (void)snprintf(t->full, sizeof(t->full), "bare@1");
    t->version = 1;
    t->stored = true;
    t->listener.fd = -1;
    t->idle = (struct timer){ .fn = bare_unused_timer };
    pool_crew_init(&t->crew, &fx->b.crews[fx->engine], t);
    t->next = fx->b.templates.all;
    fx->b.templates.all = t;
    fx->b.templates.count++;
    fx->b.templates.tidy.fn = bare_unused_timer;
    if (w->phase == WORKER_BOOT) {
        fx->b.pool.booting--;
        w->crew->booting--;
    } else if (w->phase == WORKER_IDLE) {
        fx->b.pool.idle--;
        w->crew->idle--;
    } else if (w->phase == WORKER_ASSIGNED || w->phase == WORKER_BUSY) {
        fx->b.pool.busy--;
    }
    w->role = WORKER_TEMPLATE;
    w->of = t;
    w->crew = &t->crew;
    t->worker = w;
    t->job = job;
    t->state = w->phase == WORKER_WARM ? TEMPLATE_WARM : TEMPLATE_BUILDING;
    fx->b.templates.alive++;
    if (job != NULL) {
        job->builds = template_ref(t);
        job->crew = &t->crew;
    }
    if (child == NULL)
        return t;
    child->role = WORKER_FORKED;
    child->of = t;
    child->crew->booting--;
    child->crew = &t->crew;
    t->crew.booting++;
    t->forking = child;
    t->ordered_from = t->crew.zygote;
    t->ordered_of = zygote_fork_begins(t->crew.zygote);
    t->leave = true;
    return t;
}

/* Brings a fresh worker to a phase by the pool's own hand; with a job where that phase has one. */
static inline struct worker *bare_worker_in(struct bare_broker *fx, enum worker_phase phase, struct job **ret_job)
{
    struct worker *w = bare_worker(fx);

    *ret_job = NULL;
    if (phase == WORKER_ASSIGNED || phase == WORKER_BUSY || phase == WORKER_WARM) {
        *ret_job = bare_job(fx, phase == WORKER_ASSIGNED ? PB__STATE__STATE_STARTING : PB__STATE__STATE_RUNNING);
        (*ret_job)->worker = w;
        w->job = *ret_job;
    }
    if (phase != WORKER_BOOT) {
        w->hello = 1;
        pool_set_phase(w, phase);
    }
    if (phase == WORKER_WARM)
        (void)bare_template(fx, w, *ret_job, bare_worker(fx));
    return w;
}

static inline int bare_start(struct bare_broker *fx)
{
    log_init("test", LOG_LEVEL_ERROR);
    memset(fx, 0, sizeof(*fx));
    fx->dir = scratch_make();
    if (fx->dir == NULL || loop_init(&fx->b.loop) != 0)
        return -1;
    fx->b.output_dir = open(fx->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fx->b.config.workers = 4;
    fx->b.config.max_queued = 100;
    fx->b.config.interpreters = 100;
    (void)snprintf(fx->b.config.run_dir, sizeof(fx->b.config.run_dir), "%s", fx->dir);
    tenants_init(&fx->b.tenants, &fx->b);
    tokens_init(&fx->b.tokens, &fx->b);
    logins_init(&fx->b.logins, &fx->b);
    if (tenants_of_uid(&fx->b.tenants, geteuid()) == NULL)
        return -1;
    fx->own = estate_get(&fx->b, geteuid());
    pool_init(&fx->b.pool, &fx->b);
    for (int i = 0; i < ENGINE_COUNT; i++)
        fx->b.crews[i].own_zygote.restart.fn = bare_unused_timer; /* none is started, however much it is wanted */
    jobs_init(&fx->b.jobs, &fx->b);
    return 0;
}

/* Everything made since bare_start() but the broker itself. */
static inline void bare_clear(struct bare_broker *fx)
{
    for (struct worker *w = fx->b.pool.all; w != NULL; w = w->next)
        asker_finish(&w->asker);
    jobs_finish(&fx->b.jobs);
    interps_finish(&fx->b);
    jobs_init(&fx->b.jobs, &fx->b);
    pool_finish(&fx->b.pool);
    templates_finish(&fx->b);
    fx->b.templates.alive = 0;
    fx->b.pool.booting = fx->b.pool.idle = fx->b.pool.busy = fx->b.pool.living = 0;
    for (int i = 0; i < ENGINE_COUNT; i++) {
        fx->b.crews[i].booting = fx->b.crews[i].idle = 0;
        fx->b.crews[i].plain = fx->b.crews[i].wide = fx->b.crews[i].living = (struct crew_queue){ 0 };
        timers_cancel(&fx->b.loop.timers, &fx->b.crews[i].own_zygote.restart); /* as zygote_stop() */
        fx->b.crews[i].own_zygote.forks = 0;
    }
    fx->w = NULL;
    fx->job = NULL;
}

static inline void bare_stop(struct bare_broker *fx)
{
    bare_clear(fx);
    jobs_finish(&fx->b.jobs);
    estate_unref(fx->own);
    logins_finish(&fx->b.logins);
    tokens_finish(&fx->b.tokens);
    tenants_finish(&fx->b.tenants);
    loop_finish(&fx->b.loop);
    (void)close(fx->b.output_dir);
    scratch_remove(fx->dir);
}

/* A fresh worker, and nobody else. */
static inline void bare_enter(struct bare_broker *fx, enum worker_phase phase)
{
    bare_clear(fx);
    fx->w = bare_worker_in(fx, phase, &fx->job);
}

#endif
