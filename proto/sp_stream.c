/* sp_stream.c - see sp_stream.h. */
#include "sp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BODY_FIRST = 4 << 10,
    OUT_KEEP = 64 << 10, /* a larger buffer is given back when it is empty */
};

/* ---- out ----------------------------------------------------------------------------------------------------------------------- */

static uint8_t *room(struct sp_stream *s, size_t len)
{
    if (s->out_at > 0) {
        memmove(s->out, s->out + s->out_at, s->out_len - s->out_at);
        s->out_len -= s->out_at;
        s->out_at = 0;
    }
    if (s->out_len + len > s->out_cap) {
        uint8_t *more = realloc(s->out, s->out_len + len);

        if (more == NULL)
            return NULL;
        s->out = more;
        s->out_cap = s->out_len + len;
    }
    s->out_len += len;
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

void sp_stream_flush(struct sp_stream *s)
{
    while (s->out_at < s->out_len && !s->write_failed) {
        ssize_t n = send(s->fd, s->out + s->out_at, s->out_len - s->out_at, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            s->write_failed = true;
        else
            s->out_at += (size_t)n;
    }
    s->out_at = s->out_len = 0;
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

/* One recv(2) of up to want bytes: how many came, 0: none now, -EPIPE. */
static ssize_t take(struct sp_stream *s, uint8_t *at, size_t want)
{
    ssize_t n = recv(s->fd, at, want, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n > 0 ? n : -EPIPE;
}

static ssize_t hear_head(struct sp_stream *s, size_t budget)
{
    size_t whole = s->greeted ? SP_HEADER_LEN : SP_HELLO_LEN, want = whole - s->head_have;
    ssize_t n = take(s, s->head + s->head_have, want < budget ? want : budget);
    int rc = 0;

    if (n <= 0)
        return n;
    s->head_have += (size_t)n;
    if (s->head_have == whole)
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
    free(s->body);
    free(s->out);
    *s = (struct sp_stream){ .fd = -1 };
}
