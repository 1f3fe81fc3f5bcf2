/*
 * link.h - the worker's one way out: whole frames on one connected descriptor.
 *
 * Side:    worker. What arrives was written by the broker; what leaves is not believed there.
 * Owned:   a received frame is the caller's: frame_release().
 * Returns: link_wait: 0 or -errno. Without a peer there is nothing left to do, so every other failure ends the process.
 * Threads: any. One at a time sends; the others wait, but for handlers.
 * Signals: a handler may send when link_is_busy() says 0, or after link_try_enter(), and never waits for another thread. The handler of a
 *          fault or a call of its own thread's may wait, unless link_is_mine(). Nothing here allocates but link_wait.
 */
#ifndef WORKER_LINK_H
#define WORKER_LINK_H

#include <signal.h>
#include <stdbool.h>

#include "frame.h"
#include "link.pb-c.h"

enum { LINK_FD = 3 }; /* where the seal puts the link: beside 0, 1 and 2 the only descriptor of a worker */

/*
 * Descriptors that come with an Answer (buffers) get the lowest free numbers: RECEIVED_FIRST and up, in native behind its module's. They are few at a
 * time: whoever receives one maps it and closes it. RLIMIT_NOFILE is the end of them.
 */
enum { RECEIVED_FIRST = 4, RECEIVED_END = 64 };

/* Which descriptor to use from now on. */
void link_use(int fd);

/* The same, of a new one: reads the broker's greeting. Ours goes with the first message. 0 or -errno. */
int link_meet(int fd);

/* Sends one message. It must fit LINK_SEND_MAX, which only a Result comes near. */
enum { LINK_SEND_MAX = 128 << 10 };
void link_send(const Pb__FromWorker *m);

/* Sends bytes that already are a packed FromWorker. */
void link_send_packed(const void *bytes, size_t len);

/* Between enter and leave (they nest) a frame may be half written, or a buffer half filled: handlers and other threads keep off. */
void link_enter(void);
void link_leave(void);
int link_try_enter(void); /* 0: somebody is in there, perhaps the code that this handler interrupted */
int link_is_busy(void);   /* anybody's */
int link_is_mine(void);   /* this thread's */

/* Waits for the next message. -EINTR when a signal came first. */
int link_wait(struct frame *ret_f);

/*
 * The next message as it came, ToWorker not yet decoded; the caller frees it. One thread at a time, which knows that there is something (link_sleep()).
 * may_bring: whether a descriptor may come with it, asked under the link's lock; then *ret_fd is that, and if none did -1; else it is left as it is, and the
 * call is one that every policy has. Of what came behind it the first LINK_AHEAD bytes may have been read too: while link_has_more() the caller goes
 * on receiving, for no poll tells of them. -EINTR as link_wait; -ENOMEM: it is lost, and the link with it.
 */
enum { LINK_AHEAD = 2048 };
int link_receive(uint8_t **ret_bytes, size_t *ret_len, int *ret_fd, bool (*may_bring)(void));
int link_has_more(void);

/* Sleeps until there is something to receive: 0. us: below 0 for ever; over: -ETIMEDOUT. Signals are blocked by wait_mask meanwhile (NULL:
 * as they are), the race-free way to be interruptible: -EINTR. */
int link_sleep(int64_t us, const sigset_t *wait_mask);

/* Nothing more to say: reads and drops until the broker kills us or goes. */
_Noreturn void link_rest(void);

#endif
