/*
 * jobs.h - jobs that have no receipt yet: their queue, their limits, their output, their end.
 *
 * Side:    broker. State changes go through the matrix of job_matrix.h, in one function.
 * Owned:   jobs belong to the table until their receipt is committed; a pointer is good until control returns to the loop.
 * Returns: 0 or -errno.
 */
#ifndef BROKER_JOBS_H
#define BROKER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/job_evidence.h"
#include "broker/job_matrix.h"
#include "broker/job_outputs.h"
#include "broker/loop.h"
#include "broker/rep_socket.h"
#include "broker/spool.h"
#include "broker/store.h"
#include "broker/watch.h"
#include "job_caps.h"
#include "job_limits.h"
#include "broker/zygote_client.h"
#include "link.pb-c.h"

struct broker;
struct crew;
struct interp;
struct interp_call;
struct crew_queue;
struct template;
struct worker;
struct waiter;
struct tenant;
struct waiting;

#define JOB_STDIN_BUFFER   (64u << 10) /* bytes of a streamed stdin held for a job that does not read yet */
#define JOB_INFRA_ATTEMPTS 3           /* attempts in all, when each loses its worker */
#define JOB_GRACE_US       2000000     /* between a cancel's SIGTERM and SIGKILL */
#define JOB_DETAIL         512         /* a refused call with its arguments and what to do about it */
#define JOB_SPEC_CACHE     (64u << 20) /* bytes of waiting jobs' specs kept in memory; the rest is read from the store */

/* How a job ended: decided once, the first decision stands. */
struct job_end {
    Pb__Cause cause; /* NONE: not decided */
    char detail[JOB_DETAIL];
    int exit_code, signal;
    uint64_t dropped[2];
    char *error_type, *error_message, *error_traceback; /* malloc'd or NULL */
    char *outputs_note;                                 /* the same */
    int inodes_full;
    int disk_full; /* its work directory, when its program had ended */
};

struct job_stdin {
    uint8_t *bytes; /* JOB_STDIN_BUFFER once something came */
    size_t len;
    uint64_t taken; /* bytes taken from the client in all */
    int eof, wanted, told_eof;
    uint32_t want_max;
};

struct job_tty {
    int wanted, changed; /* changed: before it had begun, and its worker has not been told */
    uint32_t rows, columns;
};

struct job {
    char id[ULID_LEN + 1];
    char name[LIMITS_NAME + 1];
    char engine[33];
    Pb__State state;
    struct broker *broker;
    struct waiting *entry;     /* of the table of all that have no receipt; NULL: an interpreter, or a template's init */
    struct crew *crew;         /* of its engine, or of its template */
    struct template *template; /* it runs in a child of this one; NULL: in a worker as any */
    struct template *builds;   /* it is this one's init; NULL: it is none */
    Pb__Limits limits;
    uint32_t stdin_mode;
    int on_output_limit;
    uint8_t *spec; /* packed; NULL when it has to be read from the store */
    size_t spec_len;
    uint32_t attempt, losses;
    uint64_t epoch;
    struct worker *worker;
    int cancelling;
    struct spool spools[2];
    struct job_stdin input;
    struct job_outputs outputs;
    struct job_evidence evidence;
    int learn, collects; /* its spec asks for it */
    struct job_tty tty;
    struct job_caps caps; /* of its spec */
    struct job_end end;
    uint64_t submitted_us, started_us, first_output_us, ended_us; /* wall clock */
    uint64_t ready_at, assigned_at, started_at, ended_at;         /* monotonic */
    struct timer grace, store_retry;
    struct watch watch; /* its limits */
    Pb__Usage usage;
    Pb__Enforcement enforcement; /* texts are constants or the two buffers below */
    char seccomp_hash[65], engine_version[64];
    const char *tier;                              /* said by its zygote; NULL: not said */
    const char *namespaces[ZYGOTE_NAMESPACES_MAX]; /* constants */
    int unnamed_violations;                        /* a call that its policy refuses kills it, and nobody hears which */
    char *seal[32];
    uint32_t worker_pid;
    struct waiter *waiters;
    uint64_t tenant;           /* of one without an entry: see job_tenant() of estate.h */
    struct interp *interp;     /* it is one (interps.h); NULL: a plain job */
    struct interp *below;      /* those that its worker made: list */
    unsigned n_below;          /* alive below it, all of them */
    uint64_t made_below;       /* interpreters that were made below it, all of them */
    uint64_t cpu_below_us;     /* of those that have ended, with all of theirs */
    struct interp_call *calls; /* open ones that its worker made: list */
    struct tie_end *ties;      /* links with others: list */
    int refused;               /* its submit could not be stored: it leaves no trace */
    struct rep_way submit_way; /* of the answer to the submit; peer 0 once it has been given */
    struct job *queue_next, *queue_prev;
    UT_hash_handle hh;
};

struct jobs {
    struct broker *broker;
    struct job *by_id;
    unsigned waiting; /* in the crews' queues */
    unsigned running;
    size_t spec_bytes;
};

void jobs_init(struct jobs *j, struct broker *b);
void jobs_finish(struct jobs *j);
/* Takes up what an earlier broker left without a receipt. */
int jobs_recover(struct jobs *j);
struct job *jobs_find(struct jobs *j, const char *id); /* a whole id; NULL: no live job has it */

/* A checked spec becomes a job; the packed bytes become the store's. jobs_stored() answers when its commit is back. */
struct jobs_living {
    uint64_t tenant;
    bool plain;     /* no interpreter: there is nothing more to say of it */
    const char *id; /* is there already; definition becomes the store's, NULL where it is not named */
    bool named;
    struct store_blob definition;
};
struct job *jobs_new_living(struct jobs *j, const Pb__JobSpec *spec, uint8_t *packed, size_t len, const struct jobs_living *living);
void jobs_start_early(struct job *job);
void jobs_stored(struct job *job, int status);
void jobs_finished(struct job *job, int status); /* the receipt's commit came back */

/* Gives waiting jobs to idle workers. */
void jobs_dispatch(struct jobs *j);
void jobs_assign(struct job *job, struct worker *w); /* to this one, which is idle */
void jobs_on_started(struct job *job, const Pb__Started *s);
void jobs_on_output(struct job *job, int stream, const void *bytes, size_t len);
void jobs_on_stdin_want(struct job *job, uint32_t max);
void jobs_on_result(struct job *job, const Pb__Result *r);
void jobs_on_violation(struct job *job, const Pb__Violation *v);
void jobs_on_collected(struct job *job, const Pb__Collected *c);
void jobs_on_learned(struct job *job, const Pb__Learned *l);
/* The worker's process has ended and everything it said has been heard. */
void jobs_on_worker_end(struct job *job);
/* No worker can be made: the oldest job of this queue takes the blame's text. */
void jobs_start_failed(struct crew *c, struct crew_queue *q, const char *why);

/* Decides the end of a job and ends its worker. Later decisions change nothing. */
__attribute__((format(printf, 3, 4))) void jobs_decide(struct job *job, Pb__Cause cause, const char *fmt, ...);
/* ---- for those parts of the broker that make jobs, and follow them: arrays, dependencies, cron, webhooks ---- */

/* A job that is asked for. Everything is borrowed until jobs_submit() returns. */
struct jobs_order {
    struct tenant *tenant;
    const char *user;        /* "uid:1000", "token:ID" */
    const Pb__JobSpec *spec; /* as it came; what is not given is filled in on a copy of the pointers */
    uint32_t tasks;          /* of what it counts against quotas; 0 = 1 */
    bool internal;           /* cron's, a retry's: no submit rate */
    /* Once, when it is committed or cannot be. existing: an older one with the same idem_key. May be called before jobs_submit() returns. */
    void (*done)(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status);
    void *ctx;
};
/*
 * 0: done() is called later, and ret_id is the id. Else it is not, and why says: -EINVAL the spec; -EDQUOT a quota, with a hint; -EEXIST
 * the idem_key is another spec's; -ENOENT a template or a dependency; -EBUSY draining; -EPERM suspended; -ENOMEM.
 */
struct jobs_refusal {
    char why[512], hint[256];
};
int jobs_submit(struct jobs *j, const struct jobs_order *o, char ret_id[ULID_LEN + 1], struct jobs_refusal *no);

/*
 * Entries whose submit is somebody else's commit (the tasks of an array): as waiting_add(), with everything of row in place; it is looked at by
 * nobody until jobs_admit() says that the commit is back, which schedules it, or drops it. Also how a restart takes them up.
 */
struct waiting *jobs_enter(struct jobs *j, const struct store_job *row, struct tenant *tenant);
void jobs_admit(struct jobs *j, struct waiting *w, int status);

/* How one ended: told after its receipt was committed, before its entry goes. */
struct jobs_ended {
    const char *id;
    struct tenant *tenant;
    Pb__State outcome;
    Pb__Cause cause;
    uint64_t cpu_us, wall_us, ended_us; /* ended: wall clock */
    const struct waiting *entry;
};
#define JOBS_LISTENERS 8
/* Until the broker ends; called in the order in which they came. */
void jobs_on_end(struct jobs *j, void (*fn)(void *ctx, const struct jobs_ended *e), void *ctx);
/* The same for each change of state, in the order in which they happen; to is what it is now. */
void jobs_on_change(struct jobs *j, void (*fn)(void *ctx, const struct waiting *w, Pb__State from, Pb__State to, const char *reason),
                    void *ctx);

/* One more thing that it waits for, and one less: BLOCKED, or what is next for it. The count is the entry's. */
void jobs_block(struct jobs *j, struct waiting *w);
void jobs_unblock(struct jobs *j, struct waiting *w);
/* What it depends on did not end as it has to: SKIPPED, and detail says which. */
void jobs_skip(struct jobs *j, struct waiting *w, const char *detail);

/* ---- deeds. Each 0, or -EBUSY: not in this state; -ENOMEM; for a slim one, too ---- */

int jobs_hold(struct jobs *j, struct waiting *w);
int jobs_release(struct jobs *j, struct waiting *w);
/* Cancel and kill of one that waits; the others are below. */
void jobs_cancel_waiting(struct jobs *j, struct waiting *w, const char *detail);
/* -ENOTSUP: nothing here can stop all of its processes; why says so. */
int jobs_pause(struct job *job, char why[256]);
int jobs_resume(struct job *job);

void jobs_cancel(struct job *job);
void jobs_kill(struct job *job);

void jobs_status(const struct job *job, Pb__JobStatus *ret); /* fills ret; texts are borrowed from the job */
/* Its terminal has this size from now on. -ENOTTY: it has none. -EAGAIN: its worker does not listen at the moment. */
int jobs_resize_tty(struct job *job, uint32_t rows, uint32_t columns);
/* Bytes the job's stdin can take now; appends at most that many. */
size_t jobs_stdin_put(struct job *job, const void *bytes, size_t len, int eof);

#endif
