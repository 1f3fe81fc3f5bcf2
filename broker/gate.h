/*
 * gate.h - decides which worker messages the broker will act on, and when.
 *
 * Side:     broker (trusted). Everything arriving here was written by a worker we assume hostile.
 * Borrowed: the message, until gate_deliver() returns; copy what you keep.
 * Returns:  0, or -errno. -EPROTO means "this worker lied": it has been retired.
 */
#ifndef BROKER_GATE_H
#define BROKER_GATE_H

#include <stddef.h>

#include "broker/pool.h"
#include "link.pb-c.h"

#define GATE_IN(phase) (1u << (phase))

struct gate_rule {
    const char *name;                                              /* the field's name in link.proto */
    unsigned phases;                                               /* legal in these phases of the worker */
    unsigned max_times;                                            /* in a worker's life; 0 = no cap */
    int (*check)(const struct worker *w, const Pb__FromWorker *m); /* 0, or -EPROTO when the body makes no sense */
    int (*apply)(struct worker *w, const Pb__FromWorker *m);
};

/* What the broker may say, and when: the other direction. */
struct gate_say_rule {
    const char *name;
    unsigned phases;
    unsigned max_times;
};

extern const struct gate_rule gate_rules[];
extern const size_t gate_rules_count;
extern const struct gate_say_rule gate_say_rules[];
extern const size_t gate_say_rules_count;

/* Bytes as they came from the link. */
int gate_receive(struct worker *w, const void *bytes, size_t len);
int gate_deliver(struct worker *w, const Pb__FromWorker *m);
/* The worker lied or is broken: its job ends as bad_result and the process with it. name: of the message, "?" when it is none. -EPROTO. */
int gate_refuse(struct worker *w, const char *name, const char *why);
/* Sends m to the worker when the table allows it now. */
int gate_say(struct worker *w, const Pb__ToWorker *m);
/* The same for an Answer: more of them may wait for a worker that does not read. fd: goes along, and stays the caller's; -1: none. -EAGAIN: too many wait. */
int gate_answer(struct worker *w, const Pb__ToWorker *m, int fd);

#endif
