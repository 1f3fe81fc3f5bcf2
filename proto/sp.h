/*
 * sp.h - the SP wire protocol (pair0 over a stream socket) spoken on one connected descriptor, without nng.
 *
 * Side:    worker, zygote and tests; the other end is nng in the broker.
 * Wire:    8 bytes each way once: 00 'S' 'P' 00, protocol number big-endian, 00 00. Then per message: type byte 01, a 64-bit
 *          big-endian length, the body.   Source: nanomsg RFCs "SP TCP mapping" and the type byte of nng's ipc transport.
 * Blocks:  every call here blocks; descriptors are in blocking mode.
 * Returns: 0 or -errno. -EPIPE: the peer has gone. -EPROTO: it does not speak SP pair0. -EMSGSIZE: longer than allowed.
 */
#ifndef PROTO_SP_H
#define PROTO_SP_H

#include <stddef.h>
#include <stdint.h>

#define SP_PROTO_PAIR0 16 /* 1 * 16 + 0 */
#define SP_HELLO_LEN   8
#define SP_HEADER_LEN  9

/* Writes our hello and reads the peer's. */
int sp_handshake(int fd);

/* Writes one message. A signal in the middle does not tear it. */
int sp_send(int fd, const void *body, size_t len);

/*
 * Reads one message into *buf, growing it (malloc) up to max_len; the caller frees *buf once, at the end. *ret_len is its length.
 * Interrupted by a signal before the first byte: -EINTR, nothing consumed. Later interruptions are waited out.
 */
int sp_recv(int fd, uint8_t **buf, size_t *cap, size_t max_len, size_t *ret_len);

#endif
