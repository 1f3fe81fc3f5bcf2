/*
 * waiting.h - what is known of each job that has no receipt yet, in few bytes: a million may wait. Jobs that are interpreters, or the init of
 * a template, are not in here.
 *
 * Side:    broker, main thread.
 * Owned:   an entry belongs to the table from waiting_add() until waiting_drop(), when its receipt is committed. Its struct job (jobs.h) is
 *          there from CLAIMED on, or while somebody looks or waits for it; entry and job point at each other.
 * Time:    not_before and deadline are wall clock, and follow its steps; the pause before another attempt is monotonic. waiting_due() says
 *          for each of the two clocks who is due: two timers are enough for all.
 * States:  changed by jobs_move() and jobs_step() (jobs_own.h) only, by the matrix.
 */
#ifndef BROKER_WAITING_H
#define BROKER_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/job_matrix.h"
#include "broker/sched.h"
#include "ulid.h"

struct array;
struct job;
struct tenant;

/* Who holds a job; each lifts its own hold. In the store as these bits. */
enum waiting_hold {
    WAITING_HELD_USER = 1 << 0,       /* coop hold, or the spec */
    WAITING_HELD_QUARANTINE = 1 << 1, /* its workers were lost as often as it may be tried */
    WAITING_HELD_ARRAY = 1 << 2,      /* coop pause of its array */
};
#define WAITING_HOLDS (WAITING_HELD_USER | WAITING_HELD_QUARANTINE | WAITING_HELD_ARRAY)

enum waiting_clock { WAITING_WALL, WAITING_MONOTONIC, WAITING_CLOCKS };

struct waiting {
    uint8_t id[ULID_BYTES];
    struct waiting *chain; /* of the hash */
    struct sched_job sched;
    struct job *job; /* NULL: slim */
    struct tenant *tenant;
    struct array *array; /* of which it is a task; NULL: of none */
    uint64_t array_index;
    uint64_t epoch, stored_epoch;        /* of its last step; of the last one that is known to be stored */
    uint64_t submitted_us;               /* wall clock */
    uint64_t not_before_us, deadline_us; /* the same; 0: none */
    uint64_t pause_until_us;             /* the same, of RETRY_WAIT: what a new broker goes by; this one goes by the monotonic clock */
    uint64_t ready_at;                   /* monotonic: nothing but the scheduler has kept it back since */
    uint64_t due_us;                     /* in the heap that it is in */
    struct waiting_spec *spec;           /* packed, while there is room; NULL: in the store. In FINISHING without a job: its receipt */
    uint32_t due_place;                  /* 1 + index, 0: in no heap */
    uint32_t unmet;                      /* dependencies that have not ended */
    uint16_t attempt, infra;             /* begun; of those, lost by the platform */
    uint16_t max_attempts;
    uint8_t state;      /* Pb__State */
    uint8_t holds;      /* set of enum waiting_hold */
    uint8_t engine;     /* place in engine_table; WAITING_NO_ENGINE: this broker has none of that name */
    uint8_t band;       /* class and priority: waiting_set_band() */
    uint8_t due_clock;  /* enum waiting_clock */
    uint8_t unread;     /* claims in a row that came to nothing: its spec could not be read */
    bool committed : 1; /* its submit is on disk */
    bool refused : 1;   /* it could not be stored: no trace of it stays */
    bool stream : 1;    /* its standard input is one */
    bool has_deps : 1;  /* waits, or waited, for others */
    bool is_wanted : 1; /* others wait for it */
    bool entering : 1;  /* others' commit: nothing looks at it until jobs_admit() */
    bool editing : 1;   /* a change that somebody waits for is on its way to the store: nobody claims it meanwhile */
    bool claimed : 1;   /* the scheduler has charged it, and has not been told its end */
};
#define WAITING_NO_ENGINE 255
_Static_assert(sizeof(struct waiting) <= 224, "a million of them are to fit");

/* A packed message that is kept at hand. */
struct waiting_spec {
    size_t len;
    uint64_t log_until_us, keep_until_us; /* of a receipt: when what is kept of the job goes */
    uint8_t bytes[];
};

/* What one of so many bytes takes of memory: with what malloc has beside it, and its rounding. */
static inline size_t waiting_spec_room(size_t len)
{
    return (sizeof(struct waiting_spec) + len + sizeof(size_t) + 15) & ~(size_t)15;
}

struct waiting_heap {
    struct waiting **at;
    size_t count, cap;
};

struct waiting_table {
    struct waiting **buckets;
    size_t mask; /* how many, less one */
    size_t count;
    size_t in_state[JOB_STATES];
    struct waiting_heap due[WAITING_CLOCKS];
};

int waiting_init(struct waiting_table *t);    /* 0 or -ENOMEM */
void waiting_finish(struct waiting_table *t); /* frees what is in it; also of one that is all zero */
/* An entry with this id (whole, upper case), state READY, all else 0. NULL: no memory, or the id is there, or none. */
struct waiting *waiting_add(struct waiting_table *t, const char *id);
void waiting_drop(struct waiting_table *t, struct waiting *w);               /* from the heap too; frees its spec */
struct waiting *waiting_find(const struct waiting_table *t, const char *id); /* a whole id */
/* Each entry once, in no order; fn may drop the one that it is given, and add none. Not 0 ends the walk and is returned. */
int waiting_each(struct waiting_table *t, int (*fn)(void *ctx, struct waiting *w), void *ctx);
void waiting_id(const struct waiting *w, char ret_id[ULID_LEN + 1]);
void waiting_set_state(struct waiting_table *t, struct waiting *w,
                       Pb__State state);             /* for the counts; nobody but jobs_move() and its like */
size_t waiting_count(const struct waiting_table *t); /* those that job_waits() */

void waiting_set_band(struct waiting *w, Pb__JobClass job_class, unsigned priority);
Pb__JobClass waiting_class(const struct waiting *w);
unsigned waiting_priority(const struct waiting *w);

/* It is to be looked at then. One that is armed moves, also to the other clock. 0 or -ENOMEM. */
int waiting_arm(struct waiting_table *t, struct waiting *w, enum waiting_clock clock, uint64_t due_us);
void waiting_disarm(struct waiting_table *t, struct waiting *w);
/* One that is due at now, taken out, those that are due longest first; NULL: none. */
struct waiting *waiting_due(struct waiting_table *t, enum waiting_clock clock, uint64_t now_us);
uint64_t waiting_next_due(const struct waiting_table *t, enum waiting_clock clock); /* UINT64_MAX: nobody is */

#endif
