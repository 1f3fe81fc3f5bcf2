/*
 * interp.h - what the parts of bench_interp share: a client, errors that end the program, and the figures of peers beside ours.
 *
 * Side:    host.
 * Method:  each figure is the median, or another percentile, of single operations, or of whole runs for a rate. What is asked is printed, never
 *          asserted.
 */
#ifndef BENCH_INTERP_H
#define BENCH_INTERP_H

#include <coop/client.h>
#include <coop/value.h>

#include "bench/host.h"

enum { INTERP_TIMEOUT_US = 120 * 1000000 };

extern struct coop_client *interp_client;

/* A broker of our own with so many workers kept ready, and a client of it; and their end. */
void interp_begin(const char *pool, const char *interpreters);
void interp_finish(void);
/* Blocks until so many workers are ready. */
void interp_wait_for_pool(unsigned workers);

/* Ends the program when rc is not 0. */
void interp_must(int rc, const struct coop_error *why, const char *what);

/* A Lua interpreter of this session, which has run source (NULL: nothing). template_name: NULL: none. */
struct coop_handle interp_new(const char *template_name, const char *source);
/* limits: as after coop run --limit. */
struct coop_handle interp_new_with(const char *limits, const char *template_name, const char *source);
/* Calls function with args, which are freed, and frees the value. */
void interp_call(const struct coop_handle *interp, const char *function, coop_val *args);
void interp_close(const struct coop_handle *interp);
/* A list of up to three; NULL: no more. */
coop_val *interp_args(coop_val *a, coop_val *b, coop_val *c);

/* Runs the peers' scripts and keeps what they say. Tells which do not run here. */
void interp_peers_run(void);
/* A row of ours, and below it the peers' figures of this operation with their ratio to it. */
void interp_row(const char *operation, const char *name, double ours, const char *unit, const char *ask);

/* The parts. */
void interp_lives(unsigned pool);
void interp_calls(void);
void interp_queues(void);
void interp_buffers(void);
void interp_templates(void);
void interp_many(void);

#endif
