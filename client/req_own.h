/*
 * req_own.h - what the files req_*.c share; nobody else includes it.
 *
 * Side:    host (libcoop).
 */
#ifndef CLIENT_REQ_OWN_H
#define CLIENT_REQ_OWN_H

#include <netdb.h>
#include <sys/un.h>

#include "client/req_socket.h"
#include "client/tls_link.h"
#include "sp_stream.h"

enum { REQ_REDIAL_MIN_MS = 10, REQ_BUCKETS = 256 };
#define REQ_NEVER UINT64_MAX

struct req_socket {
    struct sockaddr_un addr;
    struct addrinfo *names, *name; /* TLS: where it may be, and where it is tried next; NULL: addr */
    char host[TLS_HOST];
    struct tls_context *tls;
    struct tls_link *link; /* of the stream */
    char words[REQ_WHY];   /* of the last error */
    const char *hint;      /* the same */
    uint8_t *tail;
    size_t tail_len;
    size_t max_body;
    int epoll_fd, timer_fd;
    struct sp_stream stream; /* of nothing when down */
    enum req_state state;
    int last_error;
    uid_t peer_uid;
    unsigned redial_ms;
    uint64_t link_at_ms; /* down: when to dial; greeting: when to give up */
    uint64_t armed_ms;   /* the timer fires then, or a little earlier than need be */
    uint32_t events;     /* what epoll watches the stream for */

    struct req_call *calls[REQ_BUCKETS]; /* those that are open, by the last bits of their ids, which are given out in turn */
    size_t n_calls;
    uint32_t last_id;
};

/* Begins a stream to where it is to be. 0, or -errno, with a stream that is to be finished. */
int req_connect(struct req_socket *s);

#endif
