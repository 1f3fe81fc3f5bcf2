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
#include "broker/zygote_client.h"
#include "engine_table.h"
#include "zygote.pb-c.h"

struct broker;
struct job;

/* Changed by pool_set_phase() only. */
enum worker_phase {
    WORKER_BOOT,     /* asked for; not yet sealed */
    WORKER_IDLE,     /* sealed, said hello, has no job */
    WORKER_ASSIGNED, /* has a job, has not said started */
    WORKER_BUSY,
    WORKER_ENDING, /* said its result, broke a rule or was killed: nothing it says counts any more */
    WORKER_PHASES
};

#define WORKER_MESSAGES 16 /* above the highest field number of FromWorker and ToWorker */
#define WORKER_SEAL_MAX 32 /* seal steps a Hello may name */

struct worker {
    uint64_t id;
    struct broker *broker;
    struct crew *crew;
    bool lives;       /* its job is an interpreter: no slot of --workers */
    unsigned threads; /* of the operating system; one of several was made for one job, and is never a spare */
    enum worker_phase phase;
    struct link link;
    uint8_t token[ZYGOTE_TOKEN];
    uint32_t uid;             /* as the machine counts */
    uint32_t uid_inside;      /* the same in the zygotes' user namespace; 0: it has our own */
    uint32_t uid_said;        /* what it will call itself: in that namespace, where it is in there */
    pid_t pid;                /* 0 until the zygote reported it */
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
    struct zygote zygote;
    struct crew_queue plain, wide; /* READY jobs of one thread, and of several */
    struct crew_queue living;      /* interpreters of one thread that wait for a worker */
    unsigned booting, idle;        /* workers of one thread */
    unsigned boot_failures;        /* in a row */
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
struct worker *pool_find(struct pool *p, uint64_t id);
/* Asks for workers until the pool is as large as it should be now. */
void pool_refill(struct pool *p);
/* An idle worker of this crew with so many threads, or NULL. */
struct worker *pool_idle(struct pool *p, const struct crew *c, unsigned threads);
/* How many workers of one thread a crew lacks: for the jobs that wait, as far as they may run now, and so many spare ones on top. */
unsigned crew_missing(const struct crew *c, unsigned spare);
/* How many spare ones it keeps. */
unsigned crew_spares(const struct crew *c);
void pool_set_phase(struct worker *w, enum worker_phase phase);
/* Ends a worker at once (SIGKILL by pidfd); its job's end must have been decided before. */
void pool_kill(struct worker *w);
int pool_signal(struct worker *w, int sig);
/* SIGTERM for one call of an interpreter: the low 31 bits of its number go along. */
int pool_interrupt(struct worker *w, uint64_t number);

/* Reports from the zygote, and a hello that the gate has accepted. */
void pool_on_spawned(struct worker *w, pid_t pid, int pidfd);
void pool_on_spawn_failed(struct worker *w, int error);
void pool_on_exited(struct worker *w, const Pb__Exited *e);
void pool_on_hello(struct worker *w);
void pool_on_zygote_gone(struct pool *p, const struct crew *c);

#endif
