/*
 * watch.h - the eye on a running job: what it uses, and when the next of its limits can be reached. Nothing is polled that need not be:
 * the next look is due when CPU time, clock or silence can have run out at the earliest. Only where no control group holds the memory of a
 * job of several processes they are sampled every WATCH_SAMPLE_US, for nothing announces what they take.
 *
 * Side:    broker. Wall time is the broker's clock: a stopped process does not stop it.
 * Owned:   inside its job; watch_stop() before the job, or its worker, goes.
 */
#ifndef BROKER_WATCH_H
#define BROKER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/causes.h"
#include "broker/cgroup.h"
#include "broker/family.h"
#include "broker/timers.h"

struct job;
struct worker;

#define WATCH_SAMPLE_US 50000

/* Who holds which limit, for the receipt; constants. NULL: it never ran. */
struct watch_words {
    const char *cpu, *memory, *swap, *pids, *disk, *idle;
};

struct watch {
    struct timer look;
    int rests;                          /* a template that is warm: its CPU time counts, the clock does not */
    int sampled;                        /* its processes are looked at one by one */
    uint64_t base_user_us, base_sys_us; /* of its control group, or of its process, before the job */
    uint64_t base_bytes;                /* of its process before the job: pages of the zygote's, which are none that the job took */
    uint64_t cpu_us;                    /* since; as of the last look */
    uint64_t total_cpu_us;              /* the same, with all interpreters below it */
    uint64_t active_at, active_cpu_us;  /* its last sign of life, and its CPU time then */
    uint64_t memory_peak, pids_peak;    /* sampled */
    int oom_told;                       /* v1: memory ran out */
    bool paused;
    uint64_t paused_us;     /* so long has it stood still, but for now */
    bool lives, in_call;    /* an interpreter's: its limits of time hold for each call, idle for the time between them */
    uint64_t call_at;       /* when that began */
    uint64_t call_cpu_us;   /* total_cpu_us then, */
    uint64_t call_below_us; /* and what of it was of those below */
    struct family family;
    struct watch_words words;
};

void watch_init(struct job *job);
/* It has a worker, and is about to hear of its job. Writes the limits into the worker's control group. 0, or -errno: it must not start. */
int watch_start(struct job *job);
/* Its init is done: neither the clock nor silence is anything to it any more. And so much CPU time is not on its account. */
void watch_rest(struct job *job);
void watch_allow(struct job *job, uint64_t cpu_us);
/* Of the limits that were asked for (limits_asked()), one that nothing enforces for this job's worker; NULL: all are. */
const char *watch_cannot(const struct job *job, uint32_t asked);
/* Its worker is in namespaces of its own (T0, T1). */
bool watch_has_spaces(const struct job *job);
/* An interpreter's call begins, or is over: limits of time begin anew. */
void watch_call(struct job *job, bool begins);
/* CPU time of its own processes until now; 0: it has none. */
uint64_t watch_cpu(const struct job *job);
/* Something makes its limits come nearer than they seemed. */
void watch_sooner(struct job *job);
/* It stands still, and its clocks with it; it goes on after so long. */
void watch_pause(struct job *job);
void watch_resume(struct job *job, uint64_t length_us);
/* It wrote, or took input. */
void watch_active(struct job *job);
void watch_stop(struct job *job);
/* The worker has ended: what the job used, from the best source for each. Called once, after watch_stop(). */
void watch_account(struct job *job, const struct worker *w);
/* What is known of the job now; the rest of facts is the caller's. ended: then also what counts at its end only. */
void watch_facts(const struct job *job, const struct worker *w, bool ended, struct causes_facts *ret);
/* For those who look at a running job. */
void watch_status(const struct job *job, uint64_t *ret_cpu_us, uint64_t *ret_memory_bytes);

#endif
