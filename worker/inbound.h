/*
 * inbound.h - what the broker says to a worker after its Assign: one reader of the link, which gives each message to whoever waits for it.
 *
 * Side:    worker. What arrives was written by the broker. An Answer that nobody waits for (it was given up) is dropped; any other message
 *          that nobody expects ends the process: then the broker does not keep to the protocol.
 * Waits:   a tasklet parks, and the others go on: whoever finds nothing to do reads the link, and wakes the one that a message is for. Without
 *          tasklets, or where they may not switch, the whole worker waits, and reads for the others meanwhile. Of several OS threads one reads.
 * Stack:   little of it: messages are decoded by those who wait for them.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_INBOUND_H
#define WORKER_INBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "link.pb-c.h"
#include "worker/task/sched.h"

/* One message that somebody waits for. It is no tasklet's stack's: the reader writes here. */
struct inbound {
    coop_task *task; /* parked until it has come; NULL: nobody is */
    bool come;
    uint8_t *bytes; /* with come: the message, malloc'ed */
    size_t len;
    int descriptor; /* that came with it; -1: none */
};

/* Those that are not answers: at most one of each is under way. */
extern struct inbound inbound_stdin, inbound_call;

/*
 * Waits until one of the n has come; at once when it has. why: a constant, for backtraces. -ETIMEDOUT at the deadline (0: it has not), -ECANCELED: the
 * tasklet, or the job, is cancelled; or what the tasklet was woken with by its engine (-EINTR). It may be waited for again.
 */
int inbound_park(struct inbound *const *in, size_t n, int64_t deadline, const char *why); /* -EPERM: where tasklets may not switch */
int inbound_stay(struct inbound *const *in, size_t n, int64_t deadline); /* the whole worker waits, of several threads this one */

/* What has come has no room: the job ends so. */
_Noreturn void inbound_no_memory(void);

/* Decodes what has come, which is over with it: then in may come again. ret_f is the caller's. -EPROTO, -ENOMEM. */
int inbound_take(struct inbound *in, struct frame *ret_f);

/* Frees what has come, and closes the descriptor. */
void inbound_drop(struct inbound *in);

#endif
