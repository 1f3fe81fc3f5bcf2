/*
 * sp.h - the SP wire protocol over a stream socket, without nng: what a frame looks like, and pair0 on one connected descriptor.
 *
 * Side:    both. what takes a descriptor: worker, zygote and tests.
 * Wire:    8 bytes each way once: 00 'S' 'P' 00, protocol number big-endian, 00 00. Then per message: type byte 01, a 64-bit
 *          big-endian length, the body.   Source: nanomsg RFCs "SP TCP mapping" and the type byte of nng's ipc transport.
 * Blocks:  every call that takes a descriptor; it is in blocking mode.
 * Returns: 0 or -errno. -EPIPE: the peer has gone. -EPROTO: it does not speak SP pair0. -EMSGSIZE: longer than allowed.
 */
#ifndef PROTO_SP_H
#define PROTO_SP_H

#include <stddef.h>
#include <stdint.h>

#define SP_PROTO_PAIR0 16 /* 1 * 16 + 0 */
#define SP_PROTO_REQ0  48 /* 3 * 16 + 0 */
#define SP_PROTO_REP0  49
#define SP_HELLO_LEN   8
#define SP_HEADER_LEN  9
#define SP_REQUEST_ID  4 /* bytes of a req/rep body before the message; the highest bit is set */

/* The first bytes on a connection, for one of SP_PROTO_*. */
#define SP_HELLO(protocol)                                                                                                                 \
    {                                                                                                                                      \
        0, 'S', 'P', 0, 0, (protocol), 0, 0                                                                                                \
    }

/* A frame's header: its body has len bytes. */
void sp_header_put(uint8_t head[SP_HEADER_LEN], uint64_t len);

/* -EPROTO: no header. */
int sp_header_get(const uint8_t head[SP_HEADER_LEN], uint64_t *ret_len);

void sp_request_id_put(uint8_t at[SP_REQUEST_ID], uint32_t id);
uint32_t sp_request_id_get(const uint8_t at[SP_REQUEST_ID]);

/* Writes our hello and reads the peer's. */
int sp_handshake(int fd);

/* Reads the peer's hello. Ours goes with our first message, by sp_send_first(): the peer wakes once for both. */
int sp_meet(int fd);

/* Writes one message. A signal in the middle does not tear it. */
int sp_send(int fd, const void *body, size_t len);
int sp_send_first(int fd, const void *body, size_t len);

/*
 * Reads one message into *buf, growing it (malloc) up to max_len; the caller frees *buf once, at the end. *ret_len is its length.
 * Interrupted by a signal before the first byte: -EINTR, nothing consumed. Later interruptions are waited out.
 */
int sp_recv(int fd, uint8_t **buf, size_t *cap, size_t max_len, size_t *ret_len);

/* The same, by recvmsg(2): *ret_fd is the descriptor that came with the frame's first byte, the caller's from now on; -1: none did. */
int sp_recv_descriptor(int fd, uint8_t **buf, size_t *cap, size_t max_len, size_t *ret_len, int *ret_fd);

#endif
