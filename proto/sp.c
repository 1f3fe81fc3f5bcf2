/* sp.c - see sp.h. */
#include "sp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static const uint8_t sp_hello[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_PAIR0);

void sp_header_put(uint8_t head[SP_HEADER_LEN], uint64_t len)
{
    head[0] = 1;
    for (int i = 0; i < 8; i++)
        head[1 + i] = (uint8_t)(len >> (56 - 8 * i));
}

int sp_header_get(const uint8_t head[SP_HEADER_LEN], uint64_t *ret_len)
{
    uint64_t len = 0;

    for (int i = 0; i < 8; i++)
        len = len << 8 | head[1 + i];
    *ret_len = len;
    return head[0] == 1 ? 0 : -EPROTO;
}

void sp_request_id_put(uint8_t at[SP_REQUEST_ID], uint32_t id)
{
    for (int i = 0; i < SP_REQUEST_ID; i++)
        at[i] = (uint8_t)(id >> (24 - 8 * i));
}

uint32_t sp_request_id_get(const uint8_t at[SP_REQUEST_ID])
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int write_all(int fd, struct iovec *iov, int n)
{
    while (n > 0) {
        ssize_t put = writev(fd, iov, n);

        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == ECONNRESET ? -EPIPE : -errno;
        while (n > 0 && (size_t)put >= iov->iov_len) {
            put -= (ssize_t)iov->iov_len;
            iov++;
            n--;
        }
        if (n > 0) {
            iov->iov_base = (char *)iov->iov_base + put;
            iov->iov_len -= (size_t)put;
        }
    }
    return 0;
}

/* may_interrupt: -EINTR is passed on as long as nothing was read. */
static int read_all(int fd, void *into, size_t len, int may_interrupt)
{
    uint8_t *p = into;
    size_t got = 0;

    while (got < len) {
        ssize_t n = read(fd, p + got, len - got);

        if (n < 0 && errno == EINTR) {
            if (may_interrupt && got == 0)
                return -EINTR;
            continue;
        }
        if (n < 0)
            return errno == ECONNRESET ? -EPIPE : -errno;
        if (n == 0)
            return -EPIPE;
        got += (size_t)n;
    }
    return 0;
}

int sp_meet(int fd)
{
    uint8_t theirs[SP_HELLO_LEN];
    int rc = read_all(fd, theirs, sizeof(theirs), 0);

    return rc == 0 && memcmp(theirs, sp_hello, sizeof(theirs)) != 0 ? -EPROTO : rc;
}

int sp_handshake(int fd)
{
    struct iovec iov = { (void *)sp_hello, sizeof(sp_hello) };
    int rc = write_all(fd, &iov, 1);

    return rc == 0 ? sp_meet(fd) : rc;
}

static int send_behind(int fd, size_t greeting, const void *body, size_t len)
{
    uint8_t head[SP_HEADER_LEN];
    struct iovec iov[3] = {
        {(void *)sp_hello, greeting    },
        { head,            sizeof(head)},
        { (void *)body,    len         }
    };

    sp_header_put(head, len);
    return write_all(fd, iov, len > 0 ? 3 : 2);
}

int sp_send(int fd, const void *body, size_t len)
{
    return send_behind(fd, 0, body, len);
}

int sp_send_first(int fd, const void *body, size_t len)
{
    return send_behind(fd, sizeof(sp_hello), body, len);
}

/* The descriptor that came with what was read; -1: none. We never ask for room for two, so the kernel has closed any other. */
static int descriptor_of(struct msghdr *m)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(m);
    int fd = -1;

    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len >= CMSG_LEN(sizeof(fd)))
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    return fd;
}

/* A frame's header, and what came with its first byte. */
static int read_head(int fd, uint8_t head[SP_HEADER_LEN], int *ret_fd)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { head, SP_HEADER_LEN };
    /* not CMSG_SPACE of it: rounded up, that is room for two */
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = CMSG_LEN(sizeof(int)) };
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);
    int rc;

    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    if (n == 0)
        return -EPIPE;
    *ret_fd = descriptor_of(&m);
    rc = read_all(fd, head + n, SP_HEADER_LEN - (size_t)n, 0);
    if (rc != 0 && *ret_fd >= 0)
        close(*ret_fd);
    return rc;
}

static int read_body(int fd, const uint8_t head[SP_HEADER_LEN], uint8_t **buf, size_t *cap, size_t max_len, size_t *ret_len)
{
    uint64_t len;
    int rc = sp_header_get(head, &len);

    if (rc != 0)
        return rc;
    if (len > max_len)
        return -EMSGSIZE;
    if (len > *cap) {
        uint8_t *bigger = realloc(*buf, len);
        if (bigger == NULL)
            return -ENOMEM;
        *buf = bigger;
        *cap = len;
    }
    rc = read_all(fd, *buf, len, 0);
    if (rc == 0)
        *ret_len = len;
    return rc;
}

int sp_recv(int fd, uint8_t **buf, size_t *cap, size_t max_len, size_t *ret_len)
{
    uint8_t head[SP_HEADER_LEN];
    int rc = read_all(fd, head, sizeof(head), 1);

    return rc == 0 ? read_body(fd, head, buf, cap, max_len, ret_len) : rc;
}

int sp_recv_descriptor(int fd, uint8_t **buf, size_t *cap, size_t max_len, size_t *ret_len, int *ret_fd)
{
    uint8_t head[SP_HEADER_LEN];
    int came = -1, rc = read_head(fd, head, &came);

    if (rc != 0)
        return rc;
    rc = read_body(fd, head, buf, cap, max_len, ret_len);
    if (rc == 0)
        *ret_fd = came;
    else if (came >= 0)
        close(came);
    return rc;
}
