/*
 * templates.h - warmed processes that jobs are forked from: their table, their versions, and the life of the process behind each.
 *
 * Side:    broker. A template has run a tenant's init: it and its children are as hostile as any worker. It serves jobs of that tenant alone; names and
 *          versions are each tenant's own.
 * Life:    COLD (known, no process), BUILDING (its init runs: a job, with a receipt), WARM. A warm one that breaks a rule, or is not used for a while, is
 *          ended, and built again when a job asks for it.
 * Fork:    one order at a time. It gives leave for one clone of the template's own process (template_leave.c); the child is one of its crew's workers when it
 *          has said hello with the order's token, by the kernel's word is another process than the template, and the zygote has found it among its
 *          children. Whatever else happens ends the template, and what it may have made (zygote_fork_ends()).
 * Owned:   the broker's table; jobs hold references, and a removed template stays until nobody holds one.
 * Returns: 0 or -errno.
 */
#ifndef BROKER_TEMPLATES_H
#define BROKER_TEMPLATES_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/asks.h"
#include "broker/den.h"
#include "broker/loop.h"
#include "broker/pool.h"
#include "broker/sched.h"
#include "broker/store.h"
#include "job_limits.h"

#define TEMPLATES_MAX        1024             /* versions of all names together */
#define TEMPLATES_ALIVE      64               /* with a process */
#define TEMPLATE_FORK_US     (5 * 1000000ull) /* from the order to the child's hello */
#define TEMPLATE_FORK_CPU_US 20000            /* of CPU time that an order may cost the template */
#define TEMPLATE_LOSSES      3 /* processes in a row that are lost for no reason that is known, until those who wait are told */
#define TEMPLATE_FULL_NAME   (LIMITS_NAME + 12) /* NAME@VERSION */
#define TEMPLATE_WHY         256

enum template_state { TEMPLATE_COLD, TEMPLATE_BUILDING, TEMPLATE_WARM };

struct template
{
    struct broker *broker;
    struct estate *estate; /* whose it is; a reference */
    char name[LIMITS_NAME + 1];
    char full[TEMPLATE_FULL_NAME + 1];
    uint32_t version;
    uint8_t *spec; /* packed JobSpec, as it was asked for, with its limits settled */
    size_t spec_len;
    Pb__Limits limits; /* the same */
    enum template_state state;
    bool stored, removed;
    unsigned refs;          /* jobs and interpreters that are to run in it, and whoever else keeps it */
    struct crew crew;       /* its children, and the jobs that wait for one */
    struct job *job;        /* its init, until its process ends */
    struct worker *worker;  /* its process */
    uint64_t base_bytes;    /* of it, or of the last, before its init */
    struct worker *forking; /* the child of the order that is under way */
    bool leave;             /* which has not been used */
    struct loop_watch listener;
    struct timer idle;
    char why[TEMPLATE_WHY]; /* why its last process ended, when that was not well; "" */
    unsigned losses;        /* in a row */
    unsigned children;      /* that this process has given */
    unsigned failures;      /* its own, in a row */
    unsigned quarantines;   /* in a row */
    bool late;              /* its process is ended because a child was: it may be the machine that is slow */
    uint64_t quarantine_until_us;
    struct sched_limiter gate; /* its jobs pass it: template_trust.c; reason NULL: none has come yet */
    uint64_t forks, created_us, build_us, began_at;
    uint64_t fork_us;                /* the last: from the order to the child that may have a job */
    uint64_t ordered_at, ordered_of; /* when; of which zygote's life */
    struct zygote *ordered_from;     /* and of which */
    struct ask *asks;                /* builds that wait; list */
    struct template *next;
};

struct templates {
    struct template *all; /* newest first */
    unsigned count, alive;
    struct timer tidy; /* frees those that are over */
};

/* ---- the table: templates.c ---- */

int templates_recover(struct broker *b);
void templates_finish(struct broker *b);
/*
 * Before spec_check(): a spec that names a template of its tenant gets its version pinned, its engine, and its memory as a limit. 0; or -1 with why: NOT_FOUND,
 * BAD_REQUEST, LIMIT. A spec that names none is left alone.
 */
int templates_resolve(struct broker *b, uint64_t tenant, Pb__JobSpec *spec, struct call_why *why);
/* By NAME@VERSION; NAME: the newest. Removed ones too only with their version, while somebody holds them. NULL: there is none. */
struct template *templates_find(struct broker *b, uint64_t tenant, const char *text);
struct template *template_ref(struct template *t);
void template_unref(struct template *t); /* NULL is nothing */
/* Ends those that nothing waits for; all: the others too. For a broker that leaves. */
void templates_let_go(struct broker *b, bool all);
/* How many of the jobs that live are inits of templates that are at rest: a broker may leave all the same. */
unsigned templates_resting(const struct broker *b);

/* ---- what is asked about them: template_asks.c, and broker/calls.h ---- */

void templates_stored(struct broker *b, const struct store_op *op);

/* ---- the process: template_life.c ---- */

bool template_is_warm(const struct template *t);
/* Starts what it takes to serve those who wait: its build, its process. */
void template_prepare(struct template *t);
/* Orders a child. -EAGAIN: not now; somebody will ask again when there is reason to. */
int template_fork(struct template *t);
void template_end(struct template *t); /* its process is let go */
__attribute__((format(printf, 2, 3))) void template_broke(struct template *t, const char *fmt,
                                                          ...); /* a rule: its process ends, and those who wait are told */

/* From the pool, the gate and jobs. */
void template_is_booted(struct template *t);
void template_boot_failed(struct template *t, const struct worker *w, const char *why);
void template_on_warm(struct template *t);
void template_on_hello(struct worker *child);
void template_has_child(struct template *t, struct worker *child);
void template_child_failed(struct template *t, struct worker *child, const char *why);
void template_child_late(struct worker *child);
void template_link_gone(struct template *t, struct worker *w, int why);
void template_fork_refused(struct template *t, int error);
void template_worker_ended(struct template *t, const struct worker *w);
void template_job_ended(struct template *t, const struct job *job);
/* This zygote cannot be had: those who wait for its templates are told. */
void templates_cannot(const struct zygote *z, const char *why);

/* ---- how far it is trusted: template_trust.c ---- */

struct sched_limiter *template_gate(struct template *t);
void template_check_gate(struct template *t); /* what counts for it may be another; jobs that hold a slot and are too many give it back */
void template_proved(struct template *t);     /* it has given a child */
void template_failed(struct template *t);     /* its process has ended by a fault of its own: t->why */
uint64_t template_quarantine_us(const struct template *t); /* how long still; 0: it is in none */
void template_refuse_quarantined(struct template *t);      /* those who wait */
void template_on_claim(struct template *t);                /* one more of its jobs has a slot */

/* ---- the listener: template_leave.c ---- */

int template_listen(struct template *t, int fd); /* fd is taken */
void template_listen_no_more(struct template *t);

/* ---- between them ---- */

/* packed is taken, also on failure. NULL without memory. */
struct template *template_new(struct estate *e, const char *name, uint32_t version, uint8_t *packed, size_t len, const Pb__JobSpec *spec);
/* The part before @; the version behind it, 0: none. -EINVAL. */
int template_parse_name(const char *text, char name[LIMITS_NAME + 1], uint32_t *ret_version);
void template_free_if_unused(struct template *t);
void template_answer(struct template *t); /* who waits for its build: it is warm and stored */
void template_fail_asks(struct template *t, Pb__CallFailure *f);
void template_fail_waiting(struct template *t, bool of_host, const char *why); /* jobs; of_host: they are tried again */
void template_status(const struct template *t, Pb__TemplateStatus *ret);

#endif
