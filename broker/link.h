/*
 * link.h - the broker's end of one worker's link: SP pair0 (proto/sp.h) on one end of a socket pair, spoken on the main loop.
 *
 * Side:    broker. The far end is hostile; the stream bounds the frame, the gate judges what is in it.
 * Why own: nng 1.5.2 can wait for ever in nng_close(), and its threads cost every message four hand-overs (docs/decisions/0008).
 * Descriptors: to a worker only, with the first byte of a frame. What it might send the kernel drops.
 * Owned:   struct link is the worker's; link_close() frees what is inside. A message is valid during the call that brings it.
 * Bounded: of each worker one message, and what small ones came with it, in each round; LINK_OUT_MAX bytes and one frame wait for a worker that does not read; a message that
 *          is begun is whole LINK_FRAME_US later, or the worker is.
 * Returns: 0 or -errno.
 */
#ifndef BROKER_LINK_H
#define BROKER_LINK_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "broker/loop.h"
#include "sp_stream.h"

#define LINK_OUT_MAX     (256u << 10)
#define LINK_ANSWERS_MAX (8u << 20) /* bytes of answers that wait for a worker which asked and does not read */
#define LINK_FRAME_US    10000000u  /* a worker writes a frame at once: only the machine can hold it up in between */

struct link_handler {
    void (*on_message)(void *ctx, const uint8_t *bytes, size_t len);
    void (*on_gone)(void *ctx,
                    int why); /* nothing follows: -EPIPE closed, -EPROTO, -EMSGSIZE, -ETIMEDOUT, -ENOMEM of ours. May link_close(). */
    void *ctx;
    void (*on_room)(void *ctx); /* all that waited to be sent has been; NULL: nobody wants to know */
};

struct link {
    struct loop *loop;
    struct link_handler handler;
    struct loop_watch watch;
    struct sp_stream stream;
    struct timer late; /* armed while a message is begun and not whole */
    uint64_t frame_us; /* LINK_FRAME_US; tests have less time */
    uint32_t events;   /* what epoll watches for; 0: not watched */
    bool owes_room;    /* something had to wait since on_room() was called */
    int open;
};

/* Makes the pair: *ret_fd is the worker's end, blocking (caller closes). */
int link_open(struct link *l, struct loop *loop, const struct link_handler *h, int *ret_fd);
/* Queues one message. -EAGAIN: the worker has not read the ones before. -EPIPE: the link is not open. */
int link_send(struct link *l, const ProtobufCMessage *m);
/* The same, until max bytes are unsent, with a descriptor that stays the caller's; -1: none. */
int link_send_fd(struct link *l, const ProtobufCMessage *m, int fd, size_t max);
size_t link_unsent(const struct link *l);
size_t link_fds_unread(struct link *l); /* descriptors that it has been sent, or will be, and has not received */
/* Of a link whose other end nobody has yet: one process is to write on it, whose pid link_writer() says once it has (0: not yet). 0 or -errno. */
int link_know_writer(struct link *l);
pid_t link_writer(const struct link *l);
/* The descriptor that came with the message that is being handled; -1: none. The caller's to close. */
int link_take_fd(struct link *l);
/* Hears nothing more, and does not tell of the far end's going. */
void link_mute(struct link *l);
/* The far end's process is dead: brings all that it has said, then mutes. on_gone() only when what it said breaks the rules. */
void link_drain(struct link *l);
void link_close(struct link *l);

#endif
