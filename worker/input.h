/*
 * input.h - what the job reads: its standard input, asked from the broker piece by piece.
 *
 * Side:    worker.
 * Owned:   the bytes behind input_peek stay ours, until the next input_peek.
 * Returns: 1 bytes are there, 0 end of input, -ECANCELED the job is being cancelled.
 */
#ifndef WORKER_INPUT_H
#define WORKER_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "link.pb-c.h"

/* Which stdin the job has. spec must outlive the job. */
void input_begin(const Pb__JobSpec *spec);

/* In a child of a template: it has asked for nothing. */
void input_forked(void);

/* Shows the bytes that are there; asks and waits when there are none. */
int input_peek(const uint8_t **ret_bytes, size_t *ret_len);

/* Whether input_peek() would have to wait. Then input_ask() asks without waiting: the answer comes on the link, and input_peek() takes it. */
int input_is_empty(void);
void input_ask(void);

/* After input_ask(): parks the tasklet until the answer is here, which input_peek() shows then. Returns what inbound_park() does. */
int input_await(int64_t deadline);

/* For those that never wait. 1: *ret_bytes are there; 0: the end; -EAGAIN: they have to be asked for, or are on their way. */
int input_look(const uint8_t **ret_bytes, size_t *ret_len);

/* Of an engine that reads the link itself: the answer to input_ask() has come. f is input's from now on. -EPROTO: it is none. */
int input_answer(struct frame *f);

/* Takes n of the bytes shown. */
void input_take(size_t n);

#endif
