/*
 * fuzz_frame.c - any bytes as any message: decoded within the budget or refused, and what was decoded can be packed and read again.
 *
 * Input: one byte that chooses the message type (or the SP reader), then its bytes.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.pb-c.h"
#include "frame.h"
#include "link.pb-c.h"
#include "sp.h"
#include "zygote.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const ProtobufCMessageDescriptor *d;
    size_t max;
} kinds[] = {
    {&pb__request__descriptor,      FRAME_MAX_CONTROL},
    { &pb__reply__descriptor,       FRAME_MAX_CONTROL},
    { &pb__from_worker__descriptor, FRAME_MAX_LINK   },
    { &pb__to_worker__descriptor,   FRAME_MAX_ASSIGN },
    { &pb__from_zygote__descriptor, FRAME_MAX_ZYGOTE },
    { &pb__to_zygote__descriptor,   FRAME_MAX_ZYGOTE },
    { &pb__job_spec__descriptor,    FRAME_MAX_CONTROL},
    { &pb__receipt__descriptor,     FRAME_MAX_CONTROL},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static void again(const ProtobufCMessageDescriptor *d, const ProtobufCMessage *m)
{
    struct frame f;
    uint8_t *bytes;
    size_t len;

    assert(protobuf_c_message_check(m));
    assert(frame_pack(m, &bytes, &len) == 0);
    assert(frame_decode(&f, d, bytes, len, FRAME_MAX_CONTROL * 2) == 0);
    frame_release(&f);
    free(bytes);
}

static void decode(unsigned kind, const uint8_t *data, size_t size)
{
    struct frame f;
    int rc = frame_decode(&f, kinds[kind].d, data, size, kinds[kind].max);

    if (rc == 0)
        again(kinds[kind].d, f.msg);
    else
        assert((rc == -EPROTO || rc == -E2BIG || rc == -EMSGSIZE) && f.msg == NULL && f.chunks == NULL);
    frame_release(&f);
}

/* The bytes as a stream of SP frames, from a peer that closes after them. */
static void read_stream(const uint8_t *data, size_t size)
{
    uint8_t *buf = NULL;
    size_t cap = 0, len, total = 0;
    int pair[2], rc;

    if (size > 64 << 10 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return;
    assert(write(pair[1], data, size) == (ssize_t)size);
    close(pair[1]);
    while ((rc = sp_recv(pair[0], &buf, &cap, FRAME_MAX_LINK, &len)) == 0) {
        total += len + SP_HEADER_LEN;
        assert(len <= cap && cap <= FRAME_MAX_LINK && total <= size);
        decode(2, buf, len);
    }
    assert(rc == -EPIPE || rc == -EPROTO || rc == -EMSGSIZE);
    free(buf);
    close(pair[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % (KINDS + 1) == KINDS)
        read_stream(data + 1, size - 1);
    else
        decode(data[0] % (KINDS + 1), data + 1, size - 1);
    return 0;
}
