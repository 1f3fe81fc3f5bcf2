/*
 * asks.h - what a job asks the broker for: one numbered Ask each, answered some time later. Each is a future.
 *
 * Side:    worker, sealed; its engines' only way to the broker's calls (proto/calls.proto).
 * Owned:   a struct ask is the caller's until ask_end(). Answer and descriptor belong to it.
 * Waits:   the tasklet parks, and the others go on; a thousand may wait at once. Without tasklets, and in a group of threads, the whole OS thread
 *          waits (inbound.h).
 * Bounds:  ASKS_OPEN at once (a few less than the broker allows, so that there is room to cancel one), ASK_BYTES each.
 * Threads: any; one ask is one thread's at a time. Signals: none of this is for handlers.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_ASKS_H
#define WORKER_ASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.pb-c.h"
#include "frame.h"

struct ask;

enum { ASKS_OPEN = 2000, ASK_BYTES = FRAME_MAX_LINK };

/* Numbers it and sends it. -EDQUOT: ASKS_OPEN are open; -E2BIG: more than ASK_BYTES; -ENOMEM. a is the caller's, and may go at once. */
int ask_begin(Pb__Ask *a, struct ask **ret);

/*
 * Waits for the answer: a CallFailure is one too. At once when it is there. -ETIMEDOUT at the deadline (microseconds of CLOCK_MONOTONIC,
 * COOP_NEVER, or 0: it is not there yet), -ECANCELED: the tasklet is cancelled, -EPERM: it may not switch here, -EINTR: an error of another
 * tasklet has come to it. After these it is still open, and may be waited for again. One tasklet at a time.
 */
int ask_wait(struct ask *a, int64_t deadline);

/* The same until one of the n is answered, which ask_is_answered() tells. -EINVAL: none, or more than ASKS_ANY. */
enum { ASKS_ANY = 64 };
int ask_wait_any(struct ask *const *asks, size_t n, int64_t deadline);

/* While it is set this thread waits whole, also where there are tasklets: their engine's other threads wait for the link, too. */
extern __thread bool asks_stay;

/* Whether ask_wait() would return at once with 0. */
bool ask_is_answered(const struct ask *a);

/* After ask_wait() has returned 0; until ask_end(). */
const Pb__Answer *ask_answer(const struct ask *a);

/* Gives the descriptor that came along away; -1: none did, or it has been given. */
int ask_descriptor(struct ask *a);

/* The broker is told that nobody wants it any more. The answer comes all the same, and soon: it says what has happened. */
void ask_cancel(struct ask *a);

/*
 * Its tasklet does not want it any more (rc says why), but what it has done meanwhile is done: an item has left its queue. So the broker has the last word:
 * waits for that, whatever the tasklet is told meanwhile. 0: it was answered after all. rc: no more than that it was interrupted.
 */
int ask_take_back(struct ask *a, int rc);

/* Frees it. An unanswered one is cancelled, its late answer dropped and the descriptor of that closed. NULL: nothing. */
void ask_end(struct ask *a);

/* The whole of it: begin and wait; after an error there is no ask any more. */
int ask_and_wait(Pb__Ask *a, int64_t deadline, struct ask **ret);

/* Sends one whose answer is nobody's business: of what gives something back, also where nobody may wait. */
int ask_post(Pb__Ask *a);

/* In a child of a template: what was open is the template's, and waiting for it fails with -EPIPE. */
void asks_forked(void);

/* ---- for inbound.c ---- */

struct inbound;

/* Who waits for the answer of this number; NULL: nobody (any more). */
struct inbound *asks_find(uint64_t number);
/* Takes an answer that nobody waits for any more: handles that were given in it are given back, with one of the next asks. */
void asks_orphan(uint8_t *bytes, size_t len);
/* Whether an answer may come with a descriptor: only then is one taken. */
bool asks_may_bring_descriptor(void);

#endif
