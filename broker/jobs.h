/*
 * jobs.h - jobs that have no receipt yet: how they come in, wait, run and end.
 *
 *   jobs.c         the table of struct job, from an entry or for itself      jobs_submit.c  coming in; the same idempotency key again
 *   jobs_wait.c    held, scheduled, blocked, due; deeds while it waits       jobs_sched.c   claims, and what they cost
 *   jobs_run.c     to a worker, and what goes to and fro while it runs       jobs_pause.c   frozen, and on again
 *   jobs_end.c     how an end is decided, and its receipt                    jobs_retry.c   whether and when there is another attempt
 *   jobs_slim.c    receipts of those that never became a struct job          jobs_recover.c what an earlier broker left
 *   jobs_look.c    what is told of them
 *
 * Side:    broker. State changes go through the matrix of job_matrix.h, in two functions: jobs_move() and jobs_step() (jobs_own.h).
 * Owned:   jobs belong to the table until their receipt is committed. One that waits may be let go earlier, and be only an entry of waiting.h:
 *          a pointer is good until control returns to the loop.
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
#include "broker/tenants.h"
#include "broker/waiting.h"
#include "broker/wall_clock.h"
#include "broker/watch.h"
#include "job_caps.h"
#include "frame.h"
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
#define JOB_SPEC_CACHE     (24u << 20) /* bytes of memory for the specs of waiting jobs; the rest is read from the store */
#define JOB_SUCCESS_CODES  16          /* exit codes that a spec may call a success */
#define JOB_RETRY_MAX_US   (24 * 3600 * 1000000ull)

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
    bool asked;    /* START_FAILED by what the job asks for: no host's fault */
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

/* When there is another attempt. */
struct job_retry {
    uint32_t max_attempts, infra_attempts;
    uint64_t base_us, max_us;
    double factor, jitter;
    uint32_t on; /* set of causes, 1u << cause */
    uint8_t success[JOB_SUCCESS_CODES];
    unsigned n_success;
};

/* The clocks of a job stand still while it is paused. */
struct job_pause {
    uint64_t since; /* monotonic; 0: it is not */
    uint64_t total_us;
    const char *by;    /* what stopped it: a constant */
    struct timer over; /* the longest pause: it goes on */
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
    uint8_t *spec; /* packed; NULL: with its entry, or in the store */
    size_t spec_len;
    uint32_t attempt, infra; /* begun; of those, lost by the platform */
    struct job_retry retry;
    Pb__Retention retention;
    struct job_pause pause;
    Pb__Attempt **attempts; /* those that have ended and were not the last; malloc'd, as what is in them */
    size_t n_attempts;
    unsigned moves;      /* ops about it that are on their way: what it would be read back from is not complete */
    double cost_charged; /* of all attempts */
    double cost_settled;
    uint64_t claimed_us;          /* wall clock */
    char *user, *array_id;        /* malloc'd, or NULL */
    bool templated;               /* its spec names a template, whether it is there or not */
    char reason[64];              /* why it waits, when it was last asked for */
    bool is_dead;                 /* its end is that its attempts are used up */
    uint64_t epoch, stored_epoch; /* as the entry's; the second is of one without an entry */
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
    struct tenant_use told;      /* of usage: what its tenant has been charged with while it lived. Of interpreters */
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
    struct job *queue_next, *queue_prev;
    struct job *looked_next, *looked_prev; /* it waits, and somebody looks: list */
    UT_hash_handle hh;
};

struct jobs_ended;
struct jobs_idem;

#define JOBS_LISTENERS 8
struct jobs_listener {
    void (*on_end)(void *ctx, const struct jobs_ended *e);
    void *ctx;
};

struct jobs {
    struct broker *broker;
    struct job *by_id;
    struct waiting_table table;
    unsigned waiting;  /* in the crews' queues: jobs that are claimed, and interpreters */
    size_t spec_bytes; /* memory that the kept specs take: waiting_spec_room() */
    struct {           /* a spec that tasks share, decoded: for those that end within one turn of the loop. jobs_slim.c */
        char owner[ULID_LEN + 1];
        uint64_t turn_us;
        struct frame frame;
    } shared;
    uint64_t last_key;  /* of the order of age */
    struct job *looked; /* ring */
    unsigned n_looked;
    struct timer tidy;       /* lets go of those that nobody looks at any more */
    struct timer due, claim; /* the monotonic clock's next; the end of a block in the scheduler */
    struct wall_clock wall;  /* the wall clock's next; everything is looked at when the clock is set, too */
    struct jobs_idem *idem;  /* submits with a key that are on their way */
    struct waiting *fresh;   /* it is being submitted, and this is its spec */
    const Pb__JobSpec *fresh_spec;
    /* Of the deed that is under way: who is to hear that its step is stored. */
    struct {
        void (*done)(struct store_op *op);
        void *owner;
    } told;
    bool closed; /* by request: nothing is taken in, nothing is claimed */
    bool claiming;
    struct store_op *claims; /* of this turn, not pushed yet; NULL: none */
    unsigned dispatching;    /* depth */
    struct jobs_listener listeners[JOBS_LISTENERS];
    unsigned n_listeners;
    uint64_t submitted, ended, failed; /* since the broker began */
};

void jobs_init(struct jobs *j, struct broker *b);
void jobs_finish(struct jobs *j);
/* Takes up what an earlier broker left without a receipt. */
int jobs_recover(struct jobs *j);
struct job *jobs_find(struct jobs *j, const char *id); /* a whole id; NULL: no live job has it */

bool jobs_lives(const struct jobs *j, const char *id); /* it has no receipt yet */
/* The same for one that has an entry: made when it is not there, from the store. -ENOENT: no live job has this id. It is let go when it waits and
 * nobody is parked at it any more, not before control returns to the loop. */
int jobs_look(struct jobs *j, const char *id, struct job **ret);
void jobs_tidy_soon(struct jobs *j); /* somebody has left one of those */

/* A checked spec becomes a job that the scheduler does not know: an interpreter, or the init of a template. The packed bytes become the store's. */
struct jobs_living {
    uint64_t tenant;
    bool init;      /* of a template: there is nothing more to say of it */
    const char *id; /* an interpreter's, which is there already; definition becomes the store's, NULL where it is not named */
    bool named;
    struct store_blob definition;
};
struct job *jobs_new_living(struct jobs *j, const Pb__JobSpec *spec, uint8_t *packed, size_t len, const struct jobs_living *living);
void jobs_start_early(struct job *job);
/* An op about a job is back: of one of these, or of an entry; then what it means to it. */
void jobs_on_op(struct jobs *j, struct store_op *op);
void jobs_stored(struct job *job, int status);                  /* its submit */
void jobs_finished(struct job *job, const struct store_op *op); /* its receipt */

/* Claims what the scheduler says is next, and gives what is claimed to idle workers. */
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
/* Its workers boot, or do not: as long as they do not, one job at a time is claimed for it. */
void jobs_crew_changed(struct crew *c);
/* No worker can be made: the oldest job of this queue takes the blame's text. */
void jobs_start_failed(struct crew *c, struct crew_queue *q, const char *why);

/* Decides the end of a job and ends its worker. Later decisions change nothing. */
__attribute__((format(printf, 3, 4))) void jobs_decide(struct job *job, Pb__Cause cause, const char *fmt, ...);
/* The same with START_FAILED, of what the job itself asks for and cannot have here: another attempt would find it the same. */
__attribute__((format(printf, 2, 3))) void jobs_cannot_have(struct job *job, const char *fmt, ...);
enum job_fault jobs_fault(const struct job *job); /* whose fault the end is that is decided */
/* ---- for those parts of the broker that make jobs, and follow them: verbs, arrays, dependencies, cron, webhooks ---- */

/* A job that is asked for. Everything is borrowed until jobs_submit() returns. */
struct jobs_order {
    struct tenant *tenant;
    const char *user;  /* "uid:1000", "token:ID" */
    const char *queue; /* that a token is bound to: it hears of no other's jobs; NULL or "": any */
    Pb__JobSpec *spec; /* as it came, with limits there; what is not given, and what the broker sets, is filled in */
    bool of_clock;     /* a cron entry's time has come: its tenant's submit rate is not asked, all else is */
    bool later;        /* only kept: what waits at the moment is nothing to it */
    bool dry_run;      /* only checked, and filled in: done is not called, ret_id is "" */
    /* Once, when it is committed (0) or cannot be (-errno). existing: an older one with the same idem_key. May be called before jobs_submit() returns. */
    void (*done)(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status);
    void *ctx;
};
/*
 * 0: done() is called, now or later, and ret_id is the id. Else it is not, and why says: -EINVAL the spec; -EDQUOT a quota or a limit; -EEXIST
 * the idem_key is another spec's; -ENOENT a template, or what it depends on; -EBUSY draining; -EPERM suspended; -ENOMEM.
 */
struct jobs_refusal {
    char why[512], hint[256];
};
/* Writes why; returns rc, so that a refusal is one statement. */
__attribute__((format(printf, 3, 4))) int jobs_refuse(struct jobs_refusal *no, int rc, const char *fmt, ...);
int jobs_submit(struct jobs *j, const struct jobs_order *o, char ret_id[ULID_LEN + 1], struct jobs_refusal *no);
/* What the store is to know of a checked spec: all of row but id, state, and what it shares with others. */
int jobs_labels(const Pb__JobSpec *spec, struct store_label **ret, size_t *ret_n); /* malloc'd, as store_submit has them */
void jobs_row(const Pb__JobSpec *spec, const struct tenant *t, struct store_job *ret);

/*
 * An entry for a row. It is looked at by nobody until jobs_admit() says that the commit is back (0), which gives it its place, or drops it (-errno).
 * For tasks of an array, whose commit is the array's; for all that a restart takes up. NULL: no memory, or the id is there.
 */
struct waiting *jobs_enter(struct jobs *j, const struct store_job *row, struct tenant *tenant);
void jobs_admit(struct jobs *j, struct waiting *w, int status);
/* The state it will have then: what row.state is to be. */
Pb__State jobs_first_state(const struct waiting *w);

/* How one ended: told after its receipt was committed, before its entry goes. */
struct jobs_ended {
    const char *id;
    struct waiting *entry;
    Pb__State outcome;
    Pb__Cause cause;
};
/* Until the broker ends; called in the order in which they came. */
void jobs_on_end(struct jobs *j, void (*fn)(void *ctx, const struct jobs_ended *e), void *ctx);

/* One more thing that it waits for, and one less: BLOCKED, or what is next for it. The count is the entry's. A claimed one is past that. */
void jobs_block(struct jobs *j, struct waiting *w);
void jobs_unblock(struct jobs *j, struct waiting *w);
/* What it depends on did not end as it has to: SKIPPED, and detail says which. */
void jobs_skip(struct jobs *j, struct waiting *w, const char *detail);

/* ---- deeds. Each 0, or -EBUSY: not in this state ---- */

int jobs_hold(struct jobs *j, struct waiting *w);    /* waits, or is claimed: from now on it is held */
int jobs_release(struct jobs *j, struct waiting *w); /* held, also by quarantine */
/* For arrays. One that has begun goes on, and is held when it comes back to waiting; and some of what holds it is lifted. */
int jobs_hold_by(struct jobs *j, struct waiting *w, enum waiting_hold who);
int jobs_lift(struct jobs *j, struct waiting *w, unsigned holds);
/* The same of one of these two, and done is called once that is stored: op->status. Not called, and nothing has changed: -EBUSY, -ENOMEM, -EALREADY:
 * another change of it is on its way. */
int jobs_deed(struct jobs *j, struct waiting *w, int (*deed)(struct jobs *j, struct waiting *w), void (*done)(struct store_op *op),
              void *owner);
void jobs_put_holds(struct jobs *j, struct waiting *w, unsigned holds); /* it was not stored: as before, if it waits still */
/* It waits, or is claimed, and no more. */
int jobs_cancel_waiting(struct jobs *j, struct waiting *w, const char *detail);
/* Of what it waits for, other words: 0 stays. Its limits, labels and dependencies are the caller's. */
struct jobs_edit {
    uint32_t priority;
    bool set_class;
    Pb__JobClass class;
    uint64_t not_before_us, deadline_us;
    const struct store_job *limits;  /* of an edit of limits: what it will cost; NULL: of none */
    const struct store_blob *packed; /* for jobs_edited(): the new spec */
    const Pb__JobSpec *spec;
};
int jobs_edit(struct jobs *j, struct waiting *w, const struct jobs_edit *e);
/* The spec of an entry: of the copy at hand, or the store's. After an error *ret holds nothing, and can be released. */
int jobs_read_spec(struct jobs *j, const struct waiting *w, struct frame *ret);
/* A new spec of one that waits or is claimed (it waits afterwards) is on its way to the store. -EALREADY: another one is. Then one of the two. */
int jobs_begin_edit(struct jobs *j, struct waiting *w);
void jobs_undo_edit(struct jobs *j, struct waiting *w); /* it was not stored, or never sent */
/* Stored: its entry, and its job when it has one, go by it. */
void jobs_edited(struct jobs *j, struct waiting *w, const struct jobs_edit *e);
/* RUNNING only. -ENOTSUP: nothing here can stop all of its processes; why says so. */
#define JOBS_WHY 256
int jobs_pause(struct job *job, char why[JOBS_WHY]);
int jobs_resume(struct job *job);

void jobs_cancel(struct job *job);
void jobs_kill(struct job *job);

int job_add_attempt(struct job *job, const struct store_attempt *a); /* one that has ended and was not the last; 0 or -ENOMEM */
void jobs_drop_attempts(struct job *job);
void jobs_status(const struct job *job, Pb__JobStatus *ret); /* fills ret; texts are borrowed from the job */
/* What its row in the store is behind of, into a status that was filled from it; the reason is jobs_reason()'s. */
void jobs_status_slim(struct jobs *j, const struct waiting *w, Pb__JobStatus *ret);
/* Why it waits: the scheduler's word for a READY one, else its state's. reason is the caller's buffer. */
#define JOBS_REASON 64
struct jobs_why {
    char reason[JOBS_REASON], text[JOBS_WHY];
    struct sched_why sched; /* all 0 where it is not the scheduler who keeps it back */
};
void jobs_why(struct jobs *j, const struct waiting *w, struct jobs_why *ret);
const char *jobs_reason_text(const char *reason);                                        /* a sentence; "": there is none for this word */
const char *jobs_reason(struct jobs *j, const struct waiting *w, char buf[JOBS_REASON]); /* the word alone */
/* Its terminal has this size from now on. -ENOTTY: it has none. -EAGAIN: its worker does not listen at the moment. */
int jobs_resize_tty(struct job *job, uint32_t rows, uint32_t columns);
/* Bytes the job's stdin can take now; appends at most that many. */
size_t jobs_stdin_put(struct job *job, const void *bytes, size_t len, int eof);

#endif
