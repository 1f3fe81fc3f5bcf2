/*
 * bench_python.h - what the parts of bench_python share: rows, processes that answer lines, samples that are taken in turn.
 *
 * Side:    host.
 * Method:  rounds; in each every contender gives one sample, ours and the peers' in turn, so that a machine that changes its speed
 *          changes it for all. A figure is the median over the rounds, a ratio the median of the ratios within a round. What is asked is
 *          printed, never asserted.
 */
#ifndef BENCH_PYTHON_H
#define BENCH_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/host.h"

#define PYTHON "/usr/bin/python3.11"

enum { PY_ROUNDS_MAX = 256, PY_WORDS = 24, PY_PATH = 4400 };

/* What a figure has to be. */
enum py_ask { PY_NO_ASK, PY_AT_MOST, PY_AT_LEAST, PY_BELOW };

/* A row of ours, with its ask and whether it is met. */
void py_row(const char *name, double value, const char *unit, enum py_ask kind, double ask);
/* Below it: a peer's figure, and how many times ours it is. */
void py_peer(const char *peer, double value, const char *unit, double ours);
/* A peer that is not to be had here, and why. */
void py_none(const char *peer, const char *why);

/* The script of bench/python/ beside this program, and the command. */
const char *py_script(char path[PY_PATH], const char *name);
extern char py_coop[PY_PATH];

/* A broker of our own with so many workers kept ready; its end is host_broker_stop(). */
void py_begin(const char *pool);

/* Runs argv from start to end, with nothing to read and nobody to read it. Microseconds; ends the program when it does not end with 0. */
double py_time(const char *const *argv);

/* ---- a process that answers a line by a line: a script by python3, or as a job ---- */

struct py_answerer {
    pid_t pid;
    FILE *to, *from;
};

/* False: it ended before it answered. */
bool py_answerer_start(struct py_answerer *p, const char *const *argv);
/* The same, of a script of bench/python/: plain by python3, with an argument or NULL; or sealed by `coop run`, with the modules that it
 * imports, NULL at the end. */
bool py_answerer_plain(struct py_answerer *p, const char *script, const char *arg);
bool py_answerer_sealed(struct py_answerer *p, const char *script, const char *const *modules);
/* The same, with limits of its own as --limit takes them. */
bool py_answerer_limited(struct py_answerer *p, const char *limits, const char *script, const char *const *modules);
void py_say(struct py_answerer *p, const char *line);
double py_hear(struct py_answerer *p);
double py_ask(struct py_answerer *p, const char *line);
void py_answerer_end(struct py_answerer *p);

/* ---- samples: a column a contender, a row a round ---- */

struct py_samples {
    double v[PY_ROUNDS_MAX];
    size_t n;
};

void py_add(struct py_samples *s, double value);
double py_at(const struct py_samples *s, double percentile);
double py_median(const struct py_samples *s);
/* The median of a/b, round by round. */
double py_ratio(const struct py_samples *a, const struct py_samples *b);

/* Whether python3 has Debian's greenlet, and what is said where it has not. */
bool py_has_greenlet(void);
#define PY_NO_GREENLET "greenlet is not installed: apt-get install python3-greenlet"

/* The parts. */
void py_start_rows(void);
void py_interp_rows(void);
void py_turns_rows(void);
void py_memory_rows(void);
void py_pickle_rows(void);
void py_loops_rows(void);
void py_cores_rows(void);

#endif
