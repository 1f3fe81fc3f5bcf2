/*
 * sp_stream.h - one connection that speaks SP (sp.h), for a program with an event loop: nothing here blocks.
 *
 * Side:    broker and client. The peer may be hostile: it is only bytes until it has greeted, and it decides nothing but when.
 * Owned:   the stream owns its descriptor and buffers; sp_stream_finish() ends both. A body that was heard is the caller's to free().
 * Bounded: a body grows as it arrives, up to max_body; what waits to be written is the caller's to bound (sp_stream_unsent()).
 * Descriptors: at most one a frame, by SCM_RIGHTS with the frame's first byte. A stream whose takes_fds is not set takes none: the kernel
 *          drops those that come.
 * Returns: 0 or -errno. -EPIPE: the peer is gone. -EPROTO: it does not speak this protocol. -EMSGSIZE: longer than allowed. -ENOMEM.
 *          After any of them the stream is of no use.
 */
#ifndef PROTO_SP_STREAM_H
#define PROTO_SP_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sp.h"

#define SP_STREAM_AHEAD 2048 /* bytes that a stream without descriptors reads ahead */

/* How bytes come and go where that is not by the descriptor itself: as recv(2) and send(2), which never block. No descriptors pass. */
struct sp_io {
    ssize_t (*recv)(void *ctx, void *bytes, size_t len);
    ssize_t (*send)(void *ctx, const void *bytes, size_t len);
};

struct sp_stream {
    int fd;
    const struct sp_io *io; /* NULL: the descriptor; the owner sets both after sp_stream_init() */
    void *io_ctx;           /* the owner's, who ends it after sp_stream_finish() */
    uint8_t theirs;         /* the peer's protocol number, SP_PROTO_* */
    bool greeted;           /* its greeting has been read */
    bool in_body;           /* its header has been read */
    bool write_failed;      /* whatever is put afterwards is dropped; hearing goes on, and finds the end */
    bool takes_fds;         /* the owner sets it after sp_stream_init() */
    bool has_fd;            /* fd_in came with the frame that is being read, or with the one that was given last */
    int fd_in;
    bool knows_writer; /* sp_stream_know_writer() */
    pid_t writer;      /* of the bytes so far, as this process counts; 0: none have come */
    size_t max_body;
    uint8_t head[SP_HEADER_LEN];
    size_t head_have;
    uint8_t *body;
    size_t body_len, body_have, body_cap;
    uint8_t *ahead; /* SP_STREAM_AHEAD bytes, when there were any */
    size_t ahead_at, ahead_have;
    uint8_t *out;
    size_t out_at, out_len, out_cap;
    uint64_t put, sent;   /* bytes, since the beginning; what a peer that is gone did not take is never sent */
    struct sp_stream_fd { /* goes with the byte at out + at */
        size_t at;
        int fd;
    } * fds;
    size_t n_fds, fds_sent; /* sent: since the peer had last read everything */
};

/* fd: connected, non-blocking; taken over even when this fails. Our greeting is the first thing that sp_stream_flush() sends. */
int sp_stream_init(struct sp_stream *s, int fd, uint8_t ours, uint8_t theirs, size_t max_body);
void sp_stream_finish(struct sp_stream *s);

/* Before the peer has the other end: from now on the kernel says who writes, and a second process that does so is -EXDEV. Takes
 * descriptors too. */
int sp_stream_know_writer(struct sp_stream *s);

/* Room for a frame of len bytes behind what is unsent; the caller fills it before it calls anything else here. NULL: no memory. */
uint8_t *sp_stream_frame(struct sp_stream *s, size_t len);
/* The same with a descriptor, which is taken over even when this fails, and closed when it is sent. */
uint8_t *sp_stream_frame_fd(struct sp_stream *s, size_t len, int fd);
/* The same with a duplicate: fd stays the caller's; -1: none. When there is none to be had the frame goes without: say in it that one
 * belongs to it. */
uint8_t *sp_stream_frame_dup(struct sp_stream *s, size_t len, int fd);
/* How many descriptors are on their way: unsent, or sent and perhaps not read. For the caller to bound. */
size_t sp_stream_fds_unread(struct sp_stream *s);
/* Writes what the peer takes now. A peer that is gone takes everything: its end is for sp_stream_hear() to find. */
void sp_stream_flush(struct sp_stream *s);
size_t sp_stream_unsent(const struct sp_stream *s);

/*
 * Reads up to budget bytes, and at most one message. 1: *ret_body (never NULL) and *ret_len are a message. 0: none yet, or only the
 * greeting (s->greeted). Else as above.
 */
int sp_stream_hear(struct sp_stream *s, size_t budget, uint8_t **ret_body, size_t *ret_len);

/* Bytes behind the message that was just given have been read: no poll tells of them. Call sp_stream_hear() again. */
bool sp_stream_has_more(const struct sp_stream *s);

/*
 * The descriptor that came with the message that was just given: the caller's to close, close-on-exec. -1: none. It is the stream's again,
 * and closed, when it is not taken before the next sp_stream_hear(). -EPROTO of that: a frame with two.
 */
int sp_stream_take_fd(struct sp_stream *s);
/* Closes it now, if there is one. */
void sp_stream_drop_fd(struct sp_stream *s);

/* Some of a message, or of the greeting, has been read and not all of it. */
bool sp_stream_is_within(const struct sp_stream *s);

#endif
