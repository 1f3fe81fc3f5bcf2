/*
 * frame.h - turns bytes from a peer into a message, within a memory budget.
 *
 * Side:    both (broker, worker, client). The bytes may come from a hostile peer.
 * Owned:   a decoded message lives in the frame's arena and dies with frame_release(); copy what you keep.
 * Returns: 0 or -errno. -EMSGSIZE: longer than allowed. -E2BIG: would need more memory than its length justifies.
 *          -EPROTO: not this message, unknown fields, or text that is not UTF-8.
 */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

/* Largest body of each kind of message, bytes. */
#define FRAME_MAX_CONTROL (24u << 20) /* a Submit with its source, modules and stdin */
#define FRAME_MAX_ASSIGN  (24u << 20)
#define FRAME_MAX_LINK    (256u << 10) /* anything a worker says */
#define FRAME_MAX_ZYGOTE  (4u << 10)

struct frame_chunk;

struct frame {
    ProtobufCMessage *msg;
    struct frame_chunk *chunks;
    size_t budget; /* bytes still to be had */
    int broke;     /* the budget ran out: -E2BIG; or there was no memory: -ENOMEM. 0: neither */
};

/* Decodes len bytes as one message of type d. On success f->msg is set; on failure f holds nothing. */
int frame_decode(struct frame *f, const ProtobufCMessageDescriptor *d, const void *bytes, size_t len, size_t max_len);
void frame_release(struct frame *f);

/* Packs m into fresh memory; the caller frees *ret_bytes. Returns 0 or -ENOMEM. */
int frame_pack(const ProtobufCMessage *m, uint8_t **ret_bytes, size_t *ret_len);

/* The bytes as a string of their own, a NUL behind them; the caller frees it. NULL: no memory. */
char *frame_text(const ProtobufCBinaryData *b);

/* 1 when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
int frame_is_utf8(const char *s, size_t len);
/* Text that is not, with '?' for each byte above 127; else nothing changes. */
void frame_make_utf8(char *text);

#endif
