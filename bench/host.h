/*
 * host.h - what the programs of bench/ that talk to a broker share: a clock, a table, a broker of their own, and a job from submit to receipt.
 *
 * Side:    host. One thread, but for host_job(), which may be called by several with a client each.
 * Failure: said on standard error; the program ends. A figure of something that failed is none.
 */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/ask.h"

extern char host_build_dir[4096]; /* where coop, coopd and coop-worker are */
extern char host_work_dir[64];    /* made by host_init(), removed by host_broker_stop() */
extern char host_url[160];        /* of the broker's control socket */
extern pid_t host_broker_pid;

void host_init(void);
_Noreturn void host_die(const char *what, int rc);

double host_now_us(void);
/* Sorts v. p: 0.5 is the median. */
double host_percentile(double *v, size_t n, double p);
void host_print_row(const char *name, double value, const char *unit, const char *ask);

/* args: more options for coopd, NULL-terminated, or NULL. False: it did not become ready (with args it may refuse). */
bool host_broker_start(const char *const *args);
/* Killed, and started again where it was. False: it did not become ready. */
bool host_broker_restart(const char *const *args);
void host_broker_stop(void);

struct coop_client *host_client_new(void);
/* Submits spec and waits for its committed receipt, which must say ok: what `coop run` does. Microseconds. */
double host_job(struct coop_client *c, Pb__JobSpec *spec);

#endif
