/*
 * broker_fixture.h - a real coopd on directories of its own, and the coop command talking to it.
 *
 * Side:    tests.
 * Order:   broker_new(), then change what should differ, then broker_up(). broker_setup() is both, for cmocka.
 * Owned:   the fixture ends whatever still runs and removes its directories in broker_teardown() / support_release().
 * Never:   a time is waited for: a start ends with the ready message, a state with a line of the log, a process with its pidfd.
 */
#ifndef TESTS_SUPPORT_BROKER_FIXTURE_H
#define TESTS_SUPPORT_BROKER_FIXTURE_H

#include "tests/support/json_read.h"
#include "tests/support/proc_tree.h"
#include "tests/support/run.h"

enum { BROKER_ARGS = 16 };

struct broker {
    /* to be changed between broker_new() and broker_up() */
    uid_t uid;                     /* 0: as we are */
    const char *deny;              /* a row of deny.c that the broker and all its children are refused; NULL: none */
    const char *cage;              /* a row of cage.c that the broker is started in; NULL: none */
    unsigned files;                /* what the broker may have open, hard; 0: as we */
    const char *args[BROKER_ARGS]; /* more options for coopd */
    const char *const *env;        /* as in struct proc_how */
    const char *run_dir, *state_dir;

    char *dir; /* all of it lies in here */
    const char *socket, *url, *log_path;
    struct proc *proc; /* NULL: down */
    long log_from;     /* where the log of this coopd begins */
};

struct broker *broker_new(void);
int broker_setup(void **state);
int broker_teardown(void **state);

/* Hands the fixture's directory to another user. Skips the test by returning false when we are not root or they cannot run coopd. */
bool broker_belongs_to(struct broker *b, uid_t uid);

void broker_up(struct broker *b);      /* returns when it is ready */
int broker_up_fails(struct broker *b); /* it must not become ready; its exit code */
int broker_down(struct broker *b);     /* SIGTERM; its exit code */
void broker_kill(struct broker *b);    /* SIGKILL */
int broker_wait(struct broker *b);     /* it is leaving by itself; its exit code */

/* Waits for a line of this coopd's log that has both texts in it. count: how many such lines there are by now. */
void broker_says(struct broker *b, const char *text, const char *more);
void broker_says_times(struct broker *b, const char *text, const char *more, unsigned times);
unsigned broker_said(const struct broker *b, const char *text, const char *more);
const char *broker_log(const struct broker *b);

/* ---- its processes ---- */

pid_t broker_zygote_of(const struct broker *b, const char *engine); /* 0: none now */
pid_t broker_janitor(const struct broker *b);                       /* waits until it has its name, which no start waits for */
pid_t broker_zygote(const struct broker *b);                        /* Lua's */
unsigned broker_workers(const struct broker *b, pid_t *into);       /* Lua's; TREE_MAX */

/* The worker that burns, or has burnt, more CPU time than any start takes. Scripts say BURN first to be found by it. */
#define BURN "local t0 = os.clock(); while os.clock() - t0 < 0.25 do end\n"
pid_t broker_worker_with_job(const struct broker *b);
void broker_expect_idle(const struct broker *b, unsigned workers); /* waits until so many workers are idle */

/* ---- the command ---- */

/* A script in the fixture's directory; returns its path. */
const char *script(const struct broker *b, const char *name, const char *text);

/* coop ARGS to its end, standard input /dev/null. */
#define coop(b, ...) coop_run_((b), &(struct proc_how){ .in = PROC_IN_NULL }, (const char *const[]){ __VA_ARGS__, NULL })
/* The same with bytes on standard input. */
#define coop_in(b, p, n, ...)                                                                                                              \
    coop_run_((b), &(struct proc_how){ .in = PROC_IN_BYTES, .bytes = (p), .len = (n) }, (const char *const[]){ __VA_ARGS__, NULL })
/* Only started, with a pipe that the test holds as standard input; or as how says. */
#define coop_start(b, ...)         coop_start_((b), &(struct proc_how){ .in = PROC_IN_OPEN }, (const char *const[]){ __VA_ARGS__, NULL })
#define coop_start_as(b, how, ...) coop_start_((b), (how), (const char *const[]){ __VA_ARGS__, NULL })
struct proc *coop_run_(const struct broker *b, const struct proc_how *how, const char *const *args);
struct proc *coop_start_(const struct broker *b, const struct proc_how *how, const char *const *args);

/* Of a job that the test ends, before any limit does: the usual 10 s of CPU time and 60 s may be over before a slow machine has begun its commands. */
#define ENDLESS "--limit", "cpu=1h,wall=1h"

/* coop submit ARGS; the id. */
#define submit(b, ...) submit_((b), (const char *const[]){ "submit", __VA_ARGS__, NULL })
char *submit_(const struct broker *b, const char *const *args);

json_t *receipt_of(const struct broker *b, const char *id); /* of a job that has ended */
json_t *status_of(const struct broker *b, const char *id);  /* as it stands */

/* coop wait ID: waits for the end and checks its cause. Returns the receipt. */
json_t *expect_end(const struct broker *b, const char *id, const char *cause);

/* Every job that ls knows has ended, each is listed once, there are this many, and each has its receipt. */
void expect_receipts(const struct broker *b, size_t jobs);

#endif
