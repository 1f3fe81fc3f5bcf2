/*
 * waiting.h - what is known of each job that has no receipt yet, in few bytes: a million may wait. Jobs that are interpreters, or the init of
 * a template, are not in here.
 *
 * Side:    broker, main thread.
 * Owned:   an entry belongs to the table from waiting_add() until waiting_drop(), when its receipt is committed. Its struct job (jobs.h) is
 *          there from CLAIMED on, or while somebody looks or waits for it; entry and job point at each other.
 * Time:    not_before and deadline are wall clock, and follow its steps; the pause before another attempt is monotonic. One timer for each
 *          of the two, for all that wait: waiting_due().
 * States:  changed by jobs_step() and jobs_move() (jobs_own.h) only, by the matrix.
 */
#ifndef BROKER_WAITING_H
#define BROKER_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/sched.h"
#include "job.pb-c.h"
#include "ulid.h"

struct job;
struct tenant;

/* Who holds a job; each lifts its own hold. */
enum waiting_hold {
    WAITING_HELD_USER = 1 << 0,       /* coop hold, or the spec */
    WAITING_HELD_QUARANTINE = 1 << 1, /* its workers were lost as often as it may be tried */
};

struct waiting {
    uint8_t id[ULID_BYTES];
    struct waiting *chain; /* of the hash */
    struct sched_job sched;
    struct job *job;        /* NULL: slim */
    struct tenant *tenant;
    struct array *array;    /* NULL: of none */
    uint64_t array_index;
    uint64_t epoch;
    uint64_t submitted_us; /* wall clock */
    uint64_t not_before_us, deadline_us; /* wall clock; 0: none */
    uint64_t due_us;       /* of the heap it is in; wall clock, or monotonic in RETRY_WAIT */
    struct waiting_spec *spec; /* packed, while there is room; NULL: in the store */
    uint32_t due_place;    /* 1 + index, 0: in no heap */
    uint32_t unmet;        /* dependencies that have not ended */
    uint16_t attempt, infra; /* begun; lost by the platform */
    uint16_t max_attempts, max_infra;
    uint8_t state;  /* Pb__State */
    uint8_t holds;  /* set of waiting_hold */
    uint8_t engine; /* place in engine_table; 255: this broker has none of that name */
    uint8_t job_class, priority;
    bool committed : 1;   /* its submit is on disk */
    bool refused : 1;     /* it could not be stored: no trace of it stays */
    bool stream : 1;      /* its standard input is one */
    bool in_sched : 1;    /* the scheduler has it, READY or claimed */
    bool has_deps : 1;    /* deps.h has edges of it */
    bool is_wanted : 1;   /* others depend on it: deps.h has edges to it */
    bool has_limiters : 1;
    bool has_labels : 1;
    bool wide : 1;        /* more than one thread */
    bool templated : 1;   /* runs in a template's child */
    bool notifies : 1;    /* has webhooks */
};
_Static_assert(sizeof(struct waiting) <= 320, "a million of them are to fit");

/* A packed spec that is kept at hand. */
struct waiting_spec {
    size_t len;
    uint8_t bytes[];
};

struct waiting_table {
    struct waiting **buckets;
    size_t mask; /* buckets - 1 */
    size_t count;
    size_t in_state[18]; /* by Pb__State */
    struct {
        struct waiting **heap;
        size_t count, cap;
    } due[2]; /* 0 wall clock, 1 monotonic */
};

int waiting_init(struct waiting_table *t);
void waiting_finish(struct waiting_table *t); /* frees what is in it; the jobs are let go before */
/* An entry with this id (whole, upper case), all else 0. NULL: no memory, or the id is there. */
struct waiting *waiting_add(struct waiting_table *t, const char *id);
void waiting_drop(struct waiting_table *t, struct waiting *w);
struct waiting *waiting_find(const struct waiting_table *t, const char *id); /* a whole id */
/* Each entry once; fn may change it, but add and drop none. Not 0 ends the walk. */
int waiting_each(const struct waiting_table *t, int (*fn)(void *ctx, struct waiting *w), void *ctx);
void waiting_id(const struct waiting *w, char ret_id[ULID_LEN + 1]);
/* The state, for the counts. */
void waiting_set_state(struct waiting_table *t, struct waiting *w, Pb__State state);

/* Called back at due_us (clock: 0 wall, 1 monotonic). 0 or -ENOMEM. One that is due already moves. */
int waiting_arm(struct waiting_table *t, struct waiting *w, int clock, uint64_t due_us);
void waiting_disarm(struct waiting_table *t, struct waiting *w);
/* The first that is due at now, taken out; NULL: none. *ret_next: when the next one is, UINT64_MAX: none. */
struct waiting *waiting_due(struct waiting_table *t, int clock, uint64_t now_us, uint64_t *ret_next);

#endif
