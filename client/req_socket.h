/*
 * req_socket.h - the asking end of req/rep over one unix socket, or one TLS connection, that is dialled again whenever it is lost. No
 * threads, no globals.
 *
 * Side:    host. The other end is broker/rep_socket.c, or any nng rep socket.
 * Wire:    sp.h, protocol 48 asking 49; a body begins with the request's id, 32 bits big-endian, the highest bit set. Any number of
 *          requests may be open; answers come in any order, each with its request's id. One descriptor may go with a request, one may come
 *          with an answer (sp_stream.h).
 * Owned:   a request's bytes are copied; a struct req_call is the caller's and stays where it is until its end; its answer is malloc'ed.
 * Blocks:  never, but for req_wait(). One descriptor tells of everything: req_fd() polls readable when req_step() has something to do.
 * Threads: one thread at a time; req_wait() alone may run beside the others.
 */
#ifndef CLIENT_REQ_SOCKET_H
#define CLIENT_REQ_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tls_address.h"

#define REQ_WHY 320

struct req_socket;

enum req_state { REQ_DOWN, REQ_GREETING, REQ_UP };
enum req_call_state { REQ_CALL_NONE, REQ_CALL_PENDING, REQ_CALL_DONE };

/* One request and what becomes of it. All zeros to begin with. */
struct req_call {
    void (*on_end)(struct req_call *call); /* told once, from within req_step(); it must leave this socket alone. NULL: nobody */
    enum req_call_state state;
    /* with DONE: 0, -ECONNRESET: the connection went away, and whether it was acted upon is not known, -ETIMEDOUT, -EMSGSIZE, -ENOMEM */
    int rc;
    uint8_t *body; /* free() it, or req_forget() does */
    size_t len;
    int fd; /* that came with it, -1: none; close() it, or req_forget() does */
    uint32_t id;
    uint64_t at_ms;              /* when to give up */
    struct req_call *next, **at; /* among those whose ids end alike */
};

/* path: of the listening socket. max_body: bytes of the longest reply taken. -ENAMETOOLONG, -ENOMEM, -EMFILE … */
int req_open(const char *path, size_t max_body, struct req_socket **ret);
/* The same over TLS (tls_link.h), to each address of host in turn. ca: a file. -EINVAL, -ENOENT, ...: why. Blocks while the name is looked up. */
int req_open_tls(const struct tls_address *at, const char *ca, size_t max_body, struct req_socket **ret, char why[REQ_WHY]);
/* Goes behind each request that is sent from now on: bytes of a message's last fields. Copied. -ENOMEM. */
int req_set_tail(struct req_socket *s, const void *bytes, size_t len);
/* More about req_last_error(): "" when there is no more. */
const char *req_last_words(const struct req_socket *s);
/* What helps against it, or NULL; a text that stays. */
const char *req_last_hint(const struct req_socket *s);

/* Calls that are open end as -ECONNRESET. */
void req_close(struct req_socket *s);

int req_fd(const struct req_socket *s);
enum req_state req_state(const struct req_socket *s);

/* Does what is due: reads, writes, dials again, gives up what is late. */
void req_step(struct req_socket *s);

/* Dials now, whatever the back-off says. Nothing happens when it is up, or dialling. */
void req_dial(struct req_socket *s);

/*
 * Why the last dialling or connection ended: -ECONNREFUSED (nobody listens), -EACCES, -EPROTO (who listens does not speak this),
 * -ETIMEDOUT (connected, and not a word), -EKEYREJECTED (its certificate), -EAGAIN (its queue is full), -EPERM (the peer is neither root nor this user; *ret_uid is who),
 * -ECONNRESET. 0: none yet.
 */
int req_last_error(const struct req_socket *s, uid_t *ret_uid);

/*
 * Sends one request; the socket must be up (-ECONNRESET), the call not pending (-EBUSY). fd: goes with it, -1: none; a copy is made.
 * timeout_ms < 0: none. It is never sent a second time.
 */
int req_send(struct req_socket *s, struct req_call *call, const void *body, size_t len, int fd, int timeout_ms);

/* Nobody waits for it any more: an answer that still comes is dropped, one that has come is released. The call is all zeros again. */
void req_forget(struct req_socket *s, struct req_call *call);

/* How many are open. */
size_t req_open_calls(const struct req_socket *s);

/* Milliseconds of CLOCK_MONOTONIC, by which all its time limits go. */
uint64_t req_now_ms(void);

/* Sleeps until req_step() has something to do, or for timeout_ms (< 0: no limit). */
void req_wait(const struct req_socket *s, int timeout_ms);

#endif
