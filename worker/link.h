/*
 * link.h - the worker's one way out: whole frames on one connected descriptor.
 *
 * Side:    worker. What arrives was written by the broker; what leaves is not believed there.
 * Owned:   a received frame is the caller's: frame_release().
 * Returns: link_wait: 0 or -errno. Without a peer there is nothing left to do, so every other failure ends the process.
 * Signals: link_send may be called from a handler when link_is_busy() says 0; nothing here allocates but link_wait.
 */
#ifndef WORKER_LINK_H
#define WORKER_LINK_H

#include <signal.h>

#include "frame.h"
#include "link.pb-c.h"

enum { LINK_FD = 3 }; /* where the seal puts the link: beside 0, 1 and 2 the only descriptor of a worker */

/* Which descriptor to use from now on. */
void link_use(int fd);

/* Sends one message. It must fit LINK_SEND_MAX, which only a Result comes near. */
enum { LINK_SEND_MAX = 128 << 10 };
void link_send(const Pb__FromWorker *m);

/* Sends bytes that already are a packed FromWorker. */
void link_send_packed(const void *bytes, size_t len);

/* Between enter and leave a frame may be half written, or a buffer half filled: handlers keep off. */
void link_enter(void);
void link_leave(void);
int link_is_busy(void);

/* Waits for the next message. -EINTR when a signal came first. */
int link_wait(struct frame *ret_f);

/* As link_wait, but only while wait_mask blocks signals differently: the race-free way to be interruptible. -EINTR. */
int link_wait_masked(struct frame *ret_f, const sigset_t *wait_mask);

/* Nothing more to say: reads and drops until the broker kills us or goes. */
_Noreturn void link_rest(void);

#endif
