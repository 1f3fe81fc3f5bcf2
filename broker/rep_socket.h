/*
 * rep_socket.h - the serving side of SP req/rep over a unix socket, spoken on the main loop. A client may be nng's.
 *
 * Side:    broker. Each peer is only bytes until it has greeted, and one that breaks the transport's rules is dropped. Where it comes from is
 *          the kernel's word, or, of those that come through TLS, that of our own front (tls_front.h).
 * Why own: nng 1.5.2 stops accepting for ever when one peer hangs up during its greeting (nanomsg/nng#1518; docs/decisions/0007).
 * Bounded: REP_PEERS connections; a body is allocated as it arrives, up to max_body; a peer that does not read its replies is not read
 *          from, and loses what lies beyond REP_OUT_MAX. Those that are not of our own user or root have bounds together: for each uid or
 *          address REP_PEERS_UID or REP_PEERS_ADDRESS connections and REP_ORIGIN_BYTES, and all of them leave some places to our own.
 * Owned:   a delivered message is valid during the call; the way back is a value that may be kept, and outlive its peer.
 * Wire:    proto/sp.h, protocols 48 (req) and 49 (rep); a body begins with the request's id, 32 bits big-endian, the top bit set.
 */
#ifndef BROKER_REP_SOCKET_H
#define BROKER_REP_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <protobuf-c/protobuf-c.h>
#include <uthash.h>

#include "broker/loop.h"

#define REP_PEERS         1024
#define REP_PEERS_UID     256
#define REP_PEERS_REMOTE  512 /* of all addresses */
#define REP_PEERS_ADDRESS 64
#define REP_PEERS_OTHERS  896 /* all that are not our own */
#define REP_OUT_MAX       (16u << 20)
#define REP_LOGIN_US      15000000
#define REP_ORIGIN_BYTES  (64u << 20) /* of requests that are arriving and replies that were not read */

struct rep_peer;

/* Where the reply to a request goes. peer 0: nowhere. */
struct rep_way {
    uint32_t peer, request;
};

/* Whose connection it is. */
struct rep_origin {
    bool local;
    uint32_t uid;     /* local: of the process that connected; else UINT32_MAX */
    char address[48]; /* not local: without the port; "" */
};

struct rep_handler {
    void (*on_message)(void *ctx, struct rep_way way, const uint8_t *bytes, size_t len);
    void (*on_peer)(void *ctx, uint32_t peer, int arrived); /* 1: it has greeted; 0: it is going, and hears nothing any more */
    void *ctx;
    void (*on_room)(void *ctx, uint32_t peer); /* all that waited to be sent to it has been; NULL: nobody wants to know */
    int (*may_connect)(void *ctx, const struct rep_origin *from); /* NULL: our own user and root, and nobody else */
};

struct rep_socket {
    struct loop *loop;
    struct rep_handler handler;
    size_t max_body;
    struct loop_watch listener;
    struct timer accept_again; /* out of descriptors: a pause */
    int starved;               /* since the last that was accepted */
    struct rep_peer *peers;
    uint32_t last_id;
};

/* Listens at path (an old socket there is removed: the caller holds the lock of its directory). mode: of the socket, 0600 or 0666.
 * Returns 0 or -errno. */
int rep_open(struct rep_socket *s, struct loop *l, const char *path, mode_t mode, size_t max_body, const struct rep_handler *h);
/* A connection that somebody else accepted: taken over even when it is refused, and then closed. */
void rep_adopt(struct rep_socket *s, int fd, const struct rep_origin *from);
/* It has said who it is, so it may stay as long as it likes. One from afar that has not goes after REP_LOGIN_US, and earlier when its place is needed. */
void rep_know(struct rep_socket *s, uint32_t peer);
/* NULL: no such peer. */
const struct rep_origin *rep_origin_of(struct rep_socket *s, uint32_t peer);
void rep_close(struct rep_socket *s);
/* Somebody waits to be accepted and cannot be: out of descriptors or memory. It is tried again and again, and logged once. */
int rep_starved(const struct rep_socket *s);
/* Answers a request, once; a peer that has gone is no error. */
void rep_send(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m);
/* The same with a descriptor, which stays the caller's; -1: none. */
void rep_send_fd(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m, int fd);
size_t rep_fds_unread(struct rep_socket *s, uint32_t peer); /* that it has been sent, or will be, and has not received */
/* What it was ever sent, in bytes, and how many of them have gone out; of one that is not there: nothing. */
void rep_sent(struct rep_socket *s, uint32_t peer, uint64_t *ret_put, uint64_t *ret_sent);
/* In on_message: the descriptor that came with the message, the caller's from now on; -1: none. One that is not taken is closed. */
int rep_take_fd(struct rep_socket *s, uint32_t peer);
/* Hears nothing more from this peer and hangs up; on_peer() follows. */
void rep_drop(struct rep_socket *s, uint32_t peer);

#endif
