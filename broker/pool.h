/*
 * pool.h - workers: made ahead of need, given one job, ended. Each engine has a crew: its zygote, the workers that were forked from it, and
 * the jobs that wait for one.
 *
 * Side:    broker. A worker is hostile from the moment it has a job; what it says arrives through gate.h.
 * Owned:   workers belong to the pool. A worker is freed when its process has been reaped (or its zygote is gone) and its link is closed.
 */
#ifndef BROKER_POOL_H
#define BROKER_POOL_H

#include <stdint.h>
#include <sys/types.h>

#include "broker/asks.h"
#include "broker/cgroup.h"
#include "broker/link.h"
#include "broker/loop.h"
#include "broker/sched.h"
#include "broker/zygote_client.h"
#include "engine_table.h"
#include "zygote.pb-c.h"

struct broker;
struct job;
struct template;

/* Changed by pool_set_phase() only. */
enum worker_phase {
    WORKER_BOOT,     /* asked for; not yet sealed */
    WORKER_IDLE,     /* sealed, said hello, has no job */
    WORKER_ASSIGNED, /* has a job, has not said started */
    WORKER_BUSY,
    WORKER_WARM,   /* a template whose init is done: it forks when it is told to, and says nothing else */
    WORKER_ENDING, /* said its result, broke a rule or was killed: nothing it says counts any more */
    WORKER_PHASES
};

#define WORKER_MESSAGES 16 /* above the highest field number of FromWorker and ToWorker */
#define WORKER_SEAL_MAX 32 /* seal steps a Hello may name */

/* What it was made for: any job, to be a template, or by one. */
enum worker_role { WORKER_PLAIN, WORKER_TEMPLATE, WORKER_FORKED };

struct worker {
    enum worker_role role;
    struct template *of; /* that it is, or is a child of; NULL: neither */
    struct den *den;     /* the same: the control group that they share; NULL: none */
    uint64_t id;
    struct broker *broker;
    struct crew *crew;
    struct zygote *zygote; /* whose child it is */
    bool lives;            /* its job is an interpreter: no slot of --workers */
    unsigned threads;      /* of the operating system; one of several was made for one job, and is never a spare */
    enum worker_phase phase;
    struct link link;
    uint8_t token[ZYGOTE_TOKEN];
    uint32_t uid;             /* as the machine counts */
    uint32_t uid_inside;      /* the same in the zygotes' user namespace; 0: it has our own */
    uint32_t uid_said;        /* what it will call itself: in that namespace, where it is in there */
    pid_t pid;                /* 0 until the zygote reported it */
    pid_t said_pid;           /* of a template's child: who said hello, by the kernel's word */
    int hello;                /* its hello was accepted */
    struct loop_watch pidfd;  /* fd -1 until known; watched only when the zygote is gone */
    bool has_work_dir;        /* T2: in work_dirs, by its id */
    struct cgroup_leaf *leaf; /* its control group; NULL: none */
    struct job *job;
    struct asker asker;
    unsigned seen[WORKER_MESSAGES], told[WORKER_MESSAGES]; /* messages from it and to it, by field number */
    uint64_t boot_cpu_us;                                  /* used before it had a job */
    uint64_t msgs_in, msgs_out;
    uint32_t landlock_abi;
    char *seal[WORKER_SEAL_MAX];
    unsigned seal_count;
    char failed_step[64]; /* the seal step that failed, "" when none did */
    uint32_t failed_error;
    int exited, gone;           /* process ended; link's far end closed */
    int orphan;                 /* its zygote is gone: nobody reaps it, its pid may be another's once it has ended */
    int exit_code, exit_status; /* si_code, si_status; code 0: unknown, the zygote died with it */
    Pb__Exited usage;           /* what the zygote reported */
    struct timer deadline;      /* of the boot, then of the zygote's report */
    struct worker *next, *prev;
};

struct crew_queue {
    struct job *first; /* ring, oldest first */
    unsigned waiting;
};

struct crew {
    struct broker *broker;
    const struct engine_row *engine;
    struct zygote own_zygote;      /* of an engine's crew: the first that it has */
    struct zygote *zygote;         /* which makes its workers, or adopts them: the engine's, or the template's own; see zygotes.h */
    struct zygote *coming;         /* of an engine's: that is to take over from it; NULL: none */
    struct template *template;     /* whose children they are; NULL: an engine's crew */
    struct crew_queue plain, wide; /* READY jobs of one thread, and of several */
    struct crew_queue living;      /* interpreters of one thread that wait for a worker */
    unsigned booting, idle;        /* workers of one thread */
    unsigned boot_failures;        /* in a row */
    struct sched_limiter gate;     /* of an engine's: its jobs, and those of its templates, pass it; reason NULL: none has come yet */
    struct timer retry, refill;
};

struct pool {
    struct broker *broker;
    struct worker *all; /* list */
    uint64_t last_id;
    unsigned booting, idle, busy; /* of all crews; busy: with a job that takes a slot */
    unsigned living;              /* with an interpreter */
};

/* Also makes the broker's crews, without a zygote yet. */
void pool_init(struct pool *p, struct broker *b);
void pool_finish(struct pool *p);
/* A crew of a template: its workers are those that the engine's zygote knows. */
void pool_crew_init(struct crew *c, const struct crew *like, struct template *t);
struct worker *pool_find(struct pool *p, uint64_t id);
/* Asks for workers until the pool is as large as it should be now. */
void pool_refill(struct pool *p);
/* An idle worker of this crew with so many threads, or NULL. */
struct worker *pool_idle(struct pool *p, const struct crew *c, unsigned threads);
/* How many workers of one thread a crew lacks: for the jobs that wait, as far as they may run now, and so many spare ones on top. */
unsigned crew_missing(const struct crew *c, unsigned spare);
/* Its spares are an earlier zygote's: each goes when there is a new one in its place. */
void pool_renew_spares(struct crew *c);
/* How many spare ones it keeps. */
unsigned crew_spares(const struct crew *c);
/* Jobs and interpreters of one thread that wait for a worker of it. */
unsigned crew_waiting(const struct crew *c);
void pool_set_phase(struct worker *w, enum worker_phase phase);
/* Ends a worker at once (SIGKILL by pidfd); its job's end must have been decided before. */
void pool_kill(struct worker *w);
int pool_signal(struct worker *w, int sig);
/* SIGTERM for one call of an interpreter: the low 31 bits of its number go along. */
int pool_interrupt(struct worker *w, uint64_t number);

/* A worker to be this template: it gets a child's room in the crew of none. 0 or -errno. */
int pool_spawn_template(struct template *t);
/* A child of it, as far as our side goes: *ret_fd is its end of the link (caller closes). 0 or -errno. */
int pool_new_child(struct template *t, struct worker **ret_w, int *ret_fd);
/* The worker has no process, or none that anybody will tell of: over. */
void pool_drop(struct worker *w, const char *failed_step, int error);

/* Reports from the zygote, and a hello that the gate has accepted. */
void pool_on_spawned(struct worker *w, pid_t pid, int pidfd);
void pool_on_spawn_failed(struct worker *w, int error);
void pool_on_exited(struct worker *w, const Pb__Exited *e);
void pool_on_hello(struct worker *w);
void pool_on_zygote_gone(struct pool *p, const struct zygote *z);

#endif
