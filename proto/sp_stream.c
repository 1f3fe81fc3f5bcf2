/* sp_stream.c - see sp_stream.h. */
#include "sp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BODY_FIRST = 4 << 10,
    OUT_KEEP = 64 << 10, /* a larger buffer is given back when it is empty */
};

/* ---- out ----------------------------------------------------------------------------------------------------------------------- */

/* What is sent goes, when it is more than what is left: each byte is moved at most once, however slowly the peer reads. */
static void close_up(struct sp_stream *s)
{
    if (s->out_at == 0 || s->out_at < s->out_len - s->out_at)
        return;
    memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
    s->out_len -= s->out_at;
    for (size_t i = 0; i < s->n_fds; i++)
        s->fds[i].at -= s->out_at;
    s->out_at = 0;
}

static uint8_t *room(struct sp_stream *s, size_t len)
{
    close_up(s);
    if (s->out_len + len > s->out_cap) {
        size_t cap = s->out_len + len + s->out_len / 2;
        uint8_t *more = realloc(s->out, cap);

        if (more == NULL)
            return NULL;
        s->out = more;
        s->out_cap = cap;
    }
    s->out_len += len;
    s->put += len;
    return s->out + s->out_len - len;
}

uint8_t *sp_stream_frame(struct sp_stream *s, size_t len)
{
    uint8_t *at = room(s, SP_HEADER_LEN + len);

    if (at == NULL)
        return NULL;
    sp_header_put(at, len);
    return at + SP_HEADER_LEN;
}

uint8_t *sp_stream_frame_dup(struct sp_stream *s, size_t len, int fd)
{
    int ours = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    return ours >= 0 ? sp_stream_frame_fd(s, len, ours) : sp_stream_frame(s, len);
}

uint8_t *sp_stream_frame_fd(struct sp_stream *s, size_t len, int fd)
{
    struct sp_stream_fd *fds = realloc(s->fds, (s->n_fds + 1) * sizeof(*fds));
    uint8_t *at = NULL;

    if (fds != NULL)
        s->fds = fds;
    if (fds != NULL && (at = sp_stream_frame(s, len)) != NULL)
        s->fds[s->n_fds++] = (struct sp_stream_fd){ (size_t)(at - s->out) - SP_HEADER_LEN, fd };
    else
        close(fd);
    return at;
}

static void drop_first_fd(struct sp_stream *s)
{
    close(s->fds[0].fd);
    memmove(s->fds, s->fds + 1, --s->n_fds * sizeof(*s->fds));
}

static ssize_t send_with_fd(int to, const uint8_t *at, size_t len, int fd)
{
    struct iovec v = { (void *)at, len };
    _Alignas(struct cmsghdr) char room_for[CMSG_SPACE(sizeof(int))] = { 0 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room_for, .msg_controllen = sizeof(room_for) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(int));
    return sendmsg(to, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Up to the next byte that a descriptor goes with: whoever hears them finds it with the right frame. */
static ssize_t send_some(struct sp_stream *s)
{
    const uint8_t *at = s->out + s->out_at;
    bool with_fd = s->n_fds > 0 && s->fds[0].at == s->out_at;
    size_t next = s->n_fds > (size_t)with_fd ? s->fds[with_fd].at : s->out_len;
    ssize_t n;

    if (s->io != NULL)
        return s->io->send(s->io_ctx, at, next - s->out_at);
    if (!with_fd)
        return send(s->fd, at, next - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
    n = send_with_fd(s->fd, at, next - s->out_at, s->fds[0].fd);
    if (n < 0 && errno == ETOOMANYREFS) /* of all our peers together: the message goes without */
        n = send(s->fd, at, next - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
        s->fds_sent++;
        drop_first_fd(s);
    }
    return n;
}

void sp_stream_flush(struct sp_stream *s)
{
    while (s->out_at < s->out_len && !s->write_failed) {
        ssize_t n = send_some(s);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            s->write_failed = true;
        else {
            s->out_at += (size_t)n;
            s->sent += (size_t)n;
        }
    }
    s->out_at = s->out_len = 0;
    while (s->n_fds > 0)
        drop_first_fd(s);
    if (s->out_cap > OUT_KEEP) {
        free(s->out);
        s->out = NULL;
        s->out_cap = 0;
    }
}

size_t sp_stream_unsent(const struct sp_stream *s)
{
    return s->out_len - s->out_at;
}

size_t sp_stream_fds_unread(struct sp_stream *s)
{
    int unread;

    if (ioctl(s->fd, SIOCOUTQ, &unread) == 0 && unread == 0)
        s->fds_sent = 0;
    return s->n_fds + s->fds_sent;
}

/* ---- in ------------------------------------------------------------------------------------------------------------------------ */

static int take_greeting(struct sp_stream *s)
{
    const uint8_t expected[SP_HELLO_LEN] = SP_HELLO(s->theirs);

    s->head_have = 0;
    s->greeted = true;
    return memcmp(s->head, expected, SP_HELLO_LEN) == 0 ? 0 : -EPROTO;
}

static int take_header(struct sp_stream *s)
{
    uint64_t len;

    if (sp_header_get(s->head, &len) != 0)
        return -EPROTO;
    if (len > s->max_body)
        return -EMSGSIZE;
    s->head_have = 0;
    s->in_body = true;
    s->body_len = (size_t)len;
    s->body_have = s->body_cap = 0;
    return 0;
}

static int grow_body(struct sp_stream *s)
{
    size_t cap = s->body_cap == 0 ? BODY_FIRST : s->body_cap * 2;
    uint8_t *more;

    if (s->body_have < s->body_cap)
        return 0;
    if (cap > s->body_len)
        cap = s->body_len > 0 ? s->body_len : 1;
    more = realloc(s->body, cap);
    if (more == NULL)
        return -ENOMEM;
    s->body = more;
    s->body_cap = cap;
    return 0;
}

/* The kernel's word for who wrote what was read: the first is the one, and 0 (a process that we cannot see) is nobody. */
static bool is_the_writer(struct sp_stream *s, struct cmsghdr *c)
{
    struct ucred who;

    if (c->cmsg_len < CMSG_LEN(sizeof(who)))
        return false;
    memcpy(&who, CMSG_DATA(c), sizeof(who));
    if (s->writer == 0)
        s->writer = who.pid;
    return s->knows_writer && who.pid != 0 && who.pid == s->writer;
}

int sp_stream_know_writer(struct sp_stream *s)
{
    int on = 1;

    if (setsockopt(s->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0)
        return -errno;
    s->takes_fds = s->knows_writer = true;
    return 0;
}

/* No byte that is asked for belongs to another frame, so what comes along belongs to this one. */
static ssize_t recv_with_fd(struct sp_stream *s, uint8_t *at, size_t want)
{
    struct iovec v = { at, want };
    _Alignas(struct cmsghdr) char room_for[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int))];
    /* not CMSG_SPACE of it: rounded up, that is room for two */
    struct msghdr m = { .msg_iov = &v,
                        .msg_iovlen = 1,
                        .msg_control = room_for,
                        .msg_controllen = (s->knows_writer ? CMSG_SPACE(sizeof(struct ucred)) : 0) + CMSG_LEN(sizeof(int)) };
    ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    bool foreign = false;

    for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL; c != NULL; c = CMSG_NXTHDR(&m, c)) {
        int fd;

        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS && !is_the_writer(s, c))
            foreign = true;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len < CMSG_LEN(sizeof(fd)))
            continue;
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
        if (s->has_fd) {
            close(fd);
            return -EPROTO;
        }
        s->has_fd = true;
        s->fd_in = fd;
    }
    if (foreign)
        return -EXDEV;
    /* more than one at once; or none, when we are out of descriptors: then the message comes without */
    return n > 0 && (m.msg_flags & MSG_CTRUNC) != 0 && s->has_fd ? -EPROTO : n;
}

static ssize_t recv_plain(struct sp_stream *s, void *at, size_t want)
{
    return s->io != NULL ? s->io->recv(s->io_ctx, at, want) : recv(s->fd, at, want, MSG_DONTWAIT);
}

/* Of what is there already, so that a small message is one call and not two. Not for descriptors: whose they are is told by the bytes they come with. */
static ssize_t recv_ahead(struct sp_stream *s, uint8_t *at, size_t want)
{
    ssize_t n;

    if (s->ahead_at == s->ahead_have) {
        if (want >= SP_STREAM_AHEAD || (s->ahead == NULL && (s->ahead = malloc(SP_STREAM_AHEAD)) == NULL))
            return recv_plain(s, at, want);
        n = recv_plain(s, s->ahead, SP_STREAM_AHEAD);
        if (n <= 0)
            return n;
        s->ahead_at = 0;
        s->ahead_have = (size_t)n;
    }
    if (want > s->ahead_have - s->ahead_at)
        want = s->ahead_have - s->ahead_at;
    memcpy(at, s->ahead + s->ahead_at, want);
    s->ahead_at += want;
    return (ssize_t)want;
}

bool sp_stream_has_more(const struct sp_stream *s)
{
    return s->ahead_at < s->ahead_have;
}

/* Up to want bytes: how many came, 0: none now, -EPIPE. */
static ssize_t take(struct sp_stream *s, uint8_t *at, size_t want)
{
    ssize_t n = s->takes_fds ? recv_with_fd(s, at, want) : recv_ahead(s, at, want);

    if (n == -1 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 || n == -EPROTO || n == -EXDEV ? n : -EPIPE;
}

int sp_stream_take_fd(struct sp_stream *s)
{
    if (!s->has_fd)
        return -1;
    s->has_fd = false;
    return s->fd_in;
}

void sp_stream_drop_fd(struct sp_stream *s)
{
    int fd = sp_stream_take_fd(s);

    if (fd >= 0)
        close(fd);
}

static ssize_t hear_head(struct sp_stream *s, size_t budget)
{
    size_t whole = s->greeted ? SP_HEADER_LEN : SP_HELLO_LEN, want = whole - s->head_have;
    ssize_t n = take(s, s->head + s->head_have, want < budget ? want : budget);
    int rc;

    if (n <= 0)
        return n;
    s->head_have += (size_t)n;
    if (s->head_have < whole)
        return n;
    if (!s->greeted)
        sp_stream_drop_fd(s); /* it came with no frame */
    rc = s->greeted ? take_header(s) : take_greeting(s);
    return rc < 0 ? rc : n;
}

static ssize_t hear_body(struct sp_stream *s, size_t budget)
{
    size_t want;
    ssize_t n;

    if (grow_body(s) != 0)
        return -ENOMEM;
    want = (s->body_len < s->body_cap ? s->body_len : s->body_cap) - s->body_have;
    n = take(s, s->body + s->body_have, want < budget ? want : budget);
    if (n > 0)
        s->body_have += (size_t)n;
    return n;
}

static int give(struct sp_stream *s, uint8_t **ret_body, size_t *ret_len)
{
    *ret_body = s->body;
    *ret_len = s->body_len;
    s->body = NULL;
    s->in_body = false;
    return 1;
}

int sp_stream_hear(struct sp_stream *s, size_t budget, uint8_t **ret_body, size_t *ret_len)
{
    if (!sp_stream_is_within(s))
        sp_stream_drop_fd(s); /* of the message before, that nobody wanted */
    while (budget > 0) {
        ssize_t n;

        if (s->in_body && s->body_len == 0 && grow_body(s) == 0)
            return give(s, ret_body, ret_len);
        n = s->in_body ? hear_body(s, budget) : hear_head(s, budget);
        if (n <= 0)
            return (int)n;
        budget -= (size_t)n;
        if (s->in_body && s->body_have == s->body_len && s->body_len > 0)
            return give(s, ret_body, ret_len);
    }
    return 0;
}

bool sp_stream_is_within(const struct sp_stream *s)
{
    return s->in_body || s->head_have > 0;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

int sp_stream_init(struct sp_stream *s, int fd, uint8_t ours, uint8_t theirs, size_t max_body)
{
    const uint8_t greeting[SP_HELLO_LEN] = SP_HELLO(ours);
    uint8_t *at;

    *s = (struct sp_stream){ .fd = fd, .theirs = theirs, .max_body = max_body };
    at = room(s, sizeof(greeting));
    if (at == NULL)
        return -ENOMEM;
    memcpy(at, greeting, sizeof(greeting));
    return 0;
}

void sp_stream_finish(struct sp_stream *s)
{
    if (s->fd >= 0)
        close(s->fd);
    sp_stream_drop_fd(s);
    while (s->n_fds > 0)
        drop_first_fd(s);
    free(s->fds);
    free(s->body);
    free(s->ahead);
    free(s->out);
    *s = (struct sp_stream){ .fd = -1 };
}
