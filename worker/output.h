/*
 * output.h - what the job prints: gathered into frames, never past the credit of its Assign.
 *
 * Side:     worker. The broker counts again; a worker that sent more would be dropped.
 * Order:    stdout and stderr keep the order in which the job wrote them: stderr is never held back, and takes stdout with it.
 * Delay:    a held-back byte leaves when the buffer is full, at the end, before a wait for stdin, and at the latest after
 *           OUTPUT_DELAY_US, by a timer signal: also when the job computes and never calls us again.
 * Threads:  any; a write is whole, others' bytes do not come between.
 * Signals:  output_tick is one's handler. In others a write or a flush is allowed as link.h says; nothing here allocates.
 */
#ifndef WORKER_OUTPUT_H
#define WORKER_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

#include "link.pb-c.h"

enum { OUTPUT_DELAY_US = 10000 };

/* Takes caps and what to do at the cap from the job. */
void output_begin(const Pb__JobSpec *spec);

/* In a child of a template: it has said nothing, and its parent's timer is not its own. */
void output_forked(void);

/* Writes. Past the cap: counts and drops, or (the job's choice) ends the job, and then does not return. */
void output_write(Pb__Stream stream, const void *bytes, size_t len);

/* The same for an engine that has to tidy up first: -EFBIG where output_write() would have ended the job. */
int output_put(Pb__Stream stream, const void *bytes, size_t len);

/* 0: frames leave at each write; else gathered (the start). Standard output only; standard error is never gathered. */
void output_gather(int on);

/* Sends what is held back. */
void output_flush(void);

/* Bytes dropped past the cap. */
uint64_t output_dropped(Pb__Stream stream);

/* Timer signal: flushes, or has it done at the end of the critical section that was interrupted. */
void output_tick(int signo);

#endif
