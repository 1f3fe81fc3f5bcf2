/* link.c - see link.h. */
#include "broker/link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frame.h"

enum { READ_MAX = 256 << 10 }; /* of one worker in one round */

static void flush(struct link *l)
{
    uint32_t want;

    sp_stream_flush(&l->stream);
    l->owes_room |= sp_stream_unsent(&l->stream) > 0;
    want = EPOLLIN | (l->owes_room ? EPOLLOUT : 0); /* also when a send found room: on_room is never called from within one */
    if (l->events != 0 && want != l->events && loop_change(l->loop, &l->watch, want) == 0)
        l->events = want;
}

void link_mute(struct link *l)
{
    if (l->events == 0)
        return;
    timers_cancel(&l->loop->timers, &l->late);
    loop_del(l->loop, &l->watch);
    l->events = 0;
}

static void on_late(void *ctx)
{
    struct link *l = ctx;

    link_mute(l);
    l->handler.on_gone(l->handler.ctx, -ETIMEDOUT);
}

/* From the first byte of a message to its last: one that comes byte by byte for ever holds memory here, and hides behind being busy. */
static void watch_the_time(struct link *l)
{
    struct timers *t = &l->loop->timers;

    if (!sp_stream_is_within(&l->stream) || l->events == 0)
        timers_cancel(t, &l->late);
    else if (l->late.place == 0)
        (void)timers_arm(t, &l->late, l->loop->now_us + l->frame_us);
}

/* One message: 1. None now: 0. The end: -errno. */
static int hear(struct link *l, size_t budget)
{
    uint8_t *body;
    size_t len;
    int rc = sp_stream_hear(&l->stream, budget, &body, &len);

    if (rc == 1) {
        l->handler.on_message(l->handler.ctx, body, len);
        free(body);
    }
    return rc;
}

/* All that waited has been read. */
static void tell_of_room(struct link *l)
{
    flush(l);
    if (!l->owes_room || sp_stream_unsent(&l->stream) > 0)
        return;
    l->owes_room = false;
    flush(l);
    if (l->handler.on_room != NULL)
        l->handler.on_room(l->handler.ctx);
}

static void on_ready(void *ctx)
{
    struct link *l = ctx;
    int rc;

    tell_of_room(l);
    do
        rc = hear(l, READ_MAX); /* a message's receiver may have closed us, or not want to hear the next */
    while (rc >= 0 && l->events != 0 && sp_stream_has_more(&l->stream)); /* nothing wakes us for what is read already */
    if (rc == 1)
        timers_cancel(&l->loop->timers, &l->late);
    else if (rc == 0)
        watch_the_time(l);
    if (rc >= 0)
        return;
    link_mute(l);
    l->handler.on_gone(l->handler.ctx, rc);
}

void link_drain(struct link *l)
{
    int rc;

    if (!l->open)
        return;
    while ((rc = hear(l, SIZE_MAX)) > 0) /* no more than the socket holds: nobody writes any more */
        ;
    link_mute(l);
    if (rc < 0 && rc != -EPIPE)
        l->handler.on_gone(l->handler.ctx, rc);
}

int link_open(struct link *l, struct loop *loop, const struct link_handler *h, int *ret_fd)
{
    int ends[2], rc;

    *l = (struct link){ .loop = loop, .handler = *h, .frame_us = LINK_FRAME_US };
    l->late = (struct timer){ .fn = on_late, .ctx = l };
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    l->watch = (struct loop_watch){ ends[0], on_ready, l };
    rc = fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 ? -errno : 0;
    if (sp_stream_init(&l->stream, ends[0], SP_PROTO_PAIR0, SP_PROTO_PAIR0, FRAME_MAX_LINK) != 0)
        rc = -ENOMEM;
    if (rc == 0)
        rc = loop_add(loop, &l->watch);
    if (rc != 0) {
        sp_stream_finish(&l->stream);
        close(ends[1]);
        return rc;
    }
    l->open = 1;
    l->events = EPOLLIN;
    flush(l); /* our greeting waits for the worker in its socket */
    *ret_fd = ends[1];
    return 0;
}

int link_send_fd(struct link *l, const ProtobufCMessage *m, int fd, size_t max)
{
    uint8_t *at;

    if (!l->open)
        return -EPIPE;
    if (sp_stream_unsent(&l->stream) > max)
        return -EAGAIN;
    at = sp_stream_frame_dup(&l->stream, protobuf_c_message_get_packed_size(m), fd);
    if (at == NULL)
        return -ENOMEM;
    protobuf_c_message_pack(m, at);
    flush(l);
    return 0;
}

int link_send(struct link *l, const ProtobufCMessage *m)
{
    return link_send_fd(l, m, -1, LINK_OUT_MAX);
}

size_t link_unsent(const struct link *l)
{
    return sp_stream_unsent(&l->stream);
}

size_t link_fds_unread(struct link *l)
{
    return l->open ? sp_stream_fds_unread(&l->stream) : 0;
}

int link_know_writer(struct link *l)
{
    return sp_stream_know_writer(&l->stream);
}

pid_t link_writer(const struct link *l)
{
    return l->stream.writer;
}

int link_take_fd(struct link *l)
{
    return sp_stream_take_fd(&l->stream);
}

void link_close(struct link *l)
{
    if (!l->open)
        return;
    link_mute(l);
    sp_stream_finish(&l->stream);
    l->open = 0;
}
