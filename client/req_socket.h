/*
 * req_socket.h - the asking end of req/rep over one unix socket that is dialled again whenever it is lost. No threads, no globals.
 *
 * Side:    host. The other end is broker/rep_socket.c, or any nng rep socket.
 * Wire:    sp.h, protocol 48 asking 49; a body begins with the request's id, 32 bits big-endian, the highest bit set.
 * Owned:   a request's bytes are copied; a reply is malloc'ed and the caller's.
 * Blocks:  never, but for req_wait(). One descriptor tells of everything: req_fd() polls readable when req_step() has something to do.
 * Threads: one socket belongs to one thread at a time.
 */
#ifndef CLIENT_REQ_SOCKET_H
#define CLIENT_REQ_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct req_socket;

enum req_state { REQ_DOWN, REQ_GREETING, REQ_UP };

/* path: of the listening socket. max_body: bytes of the longest reply taken. -ENAMETOOLONG, -ENOMEM, -EMFILE … */
int req_open(const char *path, size_t max_body, struct req_socket **ret);
void req_close(struct req_socket *s);

int req_fd(const struct req_socket *s);
enum req_state req_state(const struct req_socket *s);

/* Does what is due: reads, writes, dials again, gives up what is late. */
void req_step(struct req_socket *s);

/* Dials now, whatever the back-off says. Nothing happens when it is up, or dialling. */
void req_dial(struct req_socket *s);

/*
 * Why the last dialling or connection ended: -ECONNREFUSED (nobody listens), -EACCES, -EPROTO (who listens does not speak this),
 * -ETIMEDOUT (connected, and not a word), -EAGAIN (its queue is full), -EPERM (the peer is neither root nor this user; *ret_uid is who), -ECONNRESET. 0: none yet.
 */
int req_last_error(const struct req_socket *s, uid_t *ret_uid);

/* Sends one request; it must be up (-ECONNRESET) and idle (-EBUSY). timeout_ms < 0: none. It is never sent a second time. */
int req_send(struct req_socket *s, const void *body, size_t len, int timeout_ms);

/* The answer: 0 with *ret_body (free() it), -EAGAIN: none yet, -ECONNRESET, -ETIMEDOUT, -EMSGSIZE, -ENOMEM; any but -EAGAIN ends the request. */
int req_take(struct req_socket *s, uint8_t **ret_body, size_t *ret_len);

/* Milliseconds of CLOCK_MONOTONIC, by which all its time limits go. */
uint64_t req_now_ms(void);

/* Sleeps until req_step() has something to do, or for timeout_ms (< 0: no limit). */
void req_wait(const struct req_socket *s, int timeout_ms);

#endif
