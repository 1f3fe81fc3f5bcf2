/*
 * interps.h - interpreters: jobs that live. Each is a thing that others hold handles of, with a job behind it, whose worker takes one call after
 * another until it is closed.
 *
 *   interps.c       making them, naming them                           interps_call.c   calls: one runs, others wait; interrupt
 *   interps_tree.c  who is below whom, what a child may have          interps_wait.c   who waits for whom: a cycle is a deadlock
 *   interps_named.c those that outlive their maker and the broker     interps_look.c   what is told of them, monitors
 *   interps_end.c   close, kill, reset                                interps_done.c   their answers
 *   interps_job.c   what their jobs tell of                           interps_ties.c   links: lives that end together
 *
 * Side:    broker. CallDone and every ask of a worker are hostile.
 * Owned:   its job belongs to the job table; the interpreter to whoever has a reference: its job while that lives, its handles, and the list of
 *          those that have ended, so that a later call still hears how.
 * Bounded: config.interpreters alive, INTERPS_WAITING calls and INTERPS_WAITING_BYTES behind the one that runs, INTERPS_WAITING_ALL in all, INTERPS_DEPTH, INTERPS_ENDED
 *          remembered, INTERPS_TIES links of a job.
 * Deadlock: a call is refused (DEADLOCK) when its asker is, through open calls, what its target's running call waits for. An open call counts as
 *          waited for, whatever tasklet made it. InterpWait does not: it is a monitor, and what it watches may be ended by others.
 */
#ifndef BROKER_INTERPS_H
#define BROKER_INTERPS_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/handles.h"
#include "broker/timers.h"
#include "job_limits.h"
#include "link.pb-c.h"
#include "value.h"

struct ask;
struct asker;
struct broker;
struct interp_call;
struct interp_tie;
struct job;
struct store_job;
struct worker;

#define INTERPS_WAITING       256
#define INTERPS_WAITING_BYTES (16u << 20)
#define INTERPS_WAITING_ALL   (256u << 20) /* bytes, before all interpreters of a broker */
#define INTERPS_DEPTH         8
#define INTERPS_ENDED         1024
#define INTERPS_TIES          64
#define INTERPS_MADE          10000 /* by one job, at once; and so many more each second: each leaves a receipt */
#define INTERPS_MADE_S        100
#define INTERPS_GRACE_US      2000000     /* between an interrupt, or a close, and SIGKILL */
#define INTERPS_IDLE_NAMED_US 3600000000u /* of a named one whose spec says nothing */

/* A handle it was made with, for each of its processes anew. */
struct interp_grant {
    char *name;
    struct handle *handle;
};

struct interp {
    struct thing thing; /* id: its job's too */
    struct job *job;    /* NULL: it has ended, and its receipt is stored */
    Pb__InterpState state;
    Pb__Owner owner;
    bool stored, told; /* told: monitors have heard of its end */
    bool renewing;     /* its process ends, and another is made */
    char label[LIMITS_NAME + 1], engine[33];
    char *template; /* NAME@VERSION, or NULL */
    const char *whence;
    struct asker *session; /* OWNER_SESSION */
    struct job *parent;    /* made by its worker; NULL: by a host program, or that has gone */
    char parent_id[ULID_LEN + 1];
    unsigned depth;             /* 1: made by a host program or by a plain job */
    struct interp *next, *prev; /* of the parent's, or of the session's */
    uint64_t calls, created_us;
    uint32_t incarnation;
    Pb__Limits limits;
    struct ask *creating, *closing, *resetting; /* parked */
    struct ask *monitors;
    struct interp_call *running, *waiting, *last; /* waiting: list, oldest first */
    unsigned n_waiting;
    size_t waiting_bytes;
    uint64_t number; /* of the last call */
    struct timer grace;
    Pb__Cause cause; /* once it is ENDED */
    char *cause_detail;
    struct interp_grant *grants;
    unsigned n_grants;
    struct alias_offers *aliases; /* what its maker serves, and each of its processes may call; NULL: nothing */
    unsigned mark;                /* of the last search that came by */
    struct interp *ended_next;    /* of those remembered */
};

/* Of a broker; all zero is empty. */
struct interps {
    unsigned alive;     /* not ended */
    unsigned unstarted; /* named ones without a process, and none asked for */
    unsigned unstored;  /* whose commit is on its way */
    struct interp *ended, *ended_last;
    unsigned n_ended;
    size_t waiting_bytes;   /* of the calls that wait in line */
    struct interp_tie *due; /* whose one end has ended and the other is to: list */
    unsigned walks;         /* interps_on_end() that have not returned: with the first one's return, what is due is done */
    unsigned mark;
};

/* After the job table: no job is left. */
void interps_finish(struct broker *b);

/* ---- what its job tells of: each is nothing for a plain job, but for those that it has made ---- */

/* It has a worker, which has not heard of it yet. 0, or -errno: it must not start. */
int interps_on_assigned(struct job *job);
void interps_on_started(struct job *job);
void interps_on_stored(struct job *job, int status);
/* Its end is decided, or its worker has ended: calls fail, what is below it ends. May be told more than once. */
void interps_on_end(struct job *job);
/* Its worker has ended and its end is not decided: is another to be made for it? */
bool interps_again(struct job *job);
/* Its receipt is stored, or will not be soon. */
void interps_on_receipt(struct job *job);
void interps_on_job_gone(struct job *job);

/* CPU time of all below it since it began, with those that have ended: it counts against the job's own limit. */
uint64_t interps_cpu_below(const struct job *job);

/* ---- of a worker ---- */

int interps_check_done(const struct worker *w, const Pb__CallDone *m); /* 0 or -EPROTO */
int interps_on_done(struct worker *w, const Pb__CallDone *m);

/* ---- of whoever names one ---- */

/* Whether this names one that has ended, and is remembered. */
bool interp_has_ended(const struct asker *a, const Pb__Ref *ref);

/* ---- of the broker ---- */

/* A connection is over: what is owned by it ends. */
void interps_session_over(struct asker *a);
/* The broker is leaving: those of sessions end, each after the call that runs. */
void interps_drain(struct broker *b);
/* How many jobs are interpreters that may be left as they are: named, and nothing runs in them. *ret_others: alive, and none of these. */
unsigned interps_resting(const struct broker *b, unsigned *ret_others);
/* A named one of an earlier broker: its job is in the table, and begins with its first use. definition: a packed InterpCreate. */
int interps_adopt(struct job *job, const Pb__JobSpec *spec, const void *definition, size_t len);

#endif
