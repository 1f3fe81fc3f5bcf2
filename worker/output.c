/* output.c - see output.h. */
#include "worker/output.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

#include "worker/link.h"
#include "worker/serve.h"

/* FromWorker{output{stream, data}} by hand, because protobuf-c would copy: 0a-style tags, all lengths as varints. */
enum { HEAD_ROOM = 16, HOLD = 32 << 10, STREAMS = 3 };
enum { TAG_OUTPUT = 4 << 3 | 2, TAG_STREAM = 1 << 3 | 0, TAG_DATA = 2 << 3 | 2 };

struct stream {
    uint64_t left; /* of the cap */
    uint64_t dropped;
    size_t held;
    uint8_t frame[HEAD_ROOM + HOLD]; /* the head is written backwards from HEAD_ROOM when the frame leaves */
};

static struct stream streams[STREAMS];
static int kill_at_cap, gather = 1;
static _Atomic int tick_pending, timer_armed;

void output_forked(void)
{
    for (int i = 0; i < STREAMS; i++)
        streams[i].held = streams[i].dropped = 0;
    tick_pending = timer_armed = 0;
}

void output_begin(const Pb__JobSpec *spec)
{
    streams[PB__STREAM__STREAM_STDOUT].left = spec->limits != NULL ? spec->limits->stdout_bytes : 0;
    streams[PB__STREAM__STREAM_STDERR].left = spec->limits != NULL ? spec->limits->stderr_bytes : 0;
    kill_at_cap = spec->on_output_limit == PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_KILL;
}

static uint8_t *put_varint_before(uint8_t *end, size_t v)
{
    uint8_t bytes[10];
    size_t n = 0;

    do {
        bytes[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v != 0);
    return memcpy(end - n, bytes, n);
}

static void send_held(Pb__Stream id)
{
    struct stream *s = &streams[id];
    uint8_t *data = s->frame + HEAD_ROOM, *p = data, *end = data + s->held;

    if (s->held == 0)
        return;
    p = put_varint_before(p, s->held);
    *--p = TAG_DATA;
    *--p = (uint8_t)id;
    *--p = TAG_STREAM;
    p = put_varint_before(p, (size_t)(end - p));
    *--p = TAG_OUTPUT;
    s->held = 0;
    link_send_packed(p, (size_t)(end - p));
}

static void send_all_held(void)
{
    send_held(PB__STREAM__STREAM_STDOUT);
    send_held(PB__STREAM__STREAM_STDERR);
}

/* The end of a critical section: a tick that came meanwhile is honoured before the handler may run again. */
static void leave(void)
{
    if (tick_pending) {
        tick_pending = 0;
        send_all_held();
    }
    link_leave();
}

void output_tick(int signo)
{
    int keep_errno = errno;

    (void)signo;
    timer_armed = 0;
    if (link_try_enter()) {
        send_all_held();
        link_leave();
    } else {
        tick_pending = 1;
    }
    errno = keep_errno;
}

/*
 * Called after leave(), with bytes still held. A tick that came between leave()'s test and its end sent nothing but has cleared
 * timer_armed, so the timer is set again here: no byte is ever held without a timer running.
 */
static void arm_timer(void)
{
    struct itimerval in = { .it_value.tv_usec = OUTPUT_DELAY_US };

    if (timer_armed)
        return;
    timer_armed = 1;
    setitimer(ITIMER_REAL, &in, NULL);
}

static void hold(Pb__Stream id, const uint8_t *bytes, size_t len)
{
    struct stream *s = &streams[id];

    while (len > 0) {
        size_t n = HOLD - s->held < len ? HOLD - s->held : len;

        memcpy(s->frame + HEAD_ROOM + s->held, bytes, n);
        s->held += n;
        bytes += n;
        len -= n;
        if (s->held == HOLD)
            send_held(id);
    }
}

static _Noreturn void end_at_cap(void)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_OUTPUT_LIMIT };

    serve_finish(&o);
}

/* A byte of each page: one that cannot be read is to be met here, not in the middle of a frame. */
static void touch(const uint8_t *bytes, size_t len)
{
    enum { PAGE = 4096 };

    for (size_t i = 0; i < len; i += PAGE)
        (void)*(const volatile uint8_t *)(bytes + i);
    if (len > 0)
        (void)*(const volatile uint8_t *)(bytes + len - 1);
}

/* What fits goes in, what does not is counted. Returns whether bytes are held back. */
static int put(struct stream *s, Pb__Stream id, const void *bytes, size_t len)
{
    size_t fits;
    int held;

    touch(bytes, len <= s->left ? len : (size_t)s->left);
    link_enter();
    fits = len <= s->left ? len : (size_t)s->left;
    if (fits > 0 && id == PB__STREAM__STREAM_STDERR)
        send_held(PB__STREAM__STREAM_STDOUT);
    s->left -= fits;
    s->dropped += len - fits;
    hold(id, bytes, fits);
    if (id == PB__STREAM__STREAM_STDERR || !gather)
        send_held(id);
    held = s->held > 0;
    leave();
    return held;
}

int output_put(Pb__Stream id, const void *bytes, size_t len)
{
    struct stream *s = &streams[id];

    if (put(s, id, bytes, len))
        arm_timer();
    return s->dropped > 0 && kill_at_cap ? -EFBIG : 0;
}

void output_write(Pb__Stream id, const void *bytes, size_t len)
{
    if (output_put(id, bytes, len) != 0)
        end_at_cap();
}

void output_gather(int on)
{
    gather = on;
    if (!on)
        output_flush();
}

void output_flush(void)
{
    link_enter();
    send_all_held();
    leave();
}

uint64_t output_dropped(Pb__Stream id)
{
    return streams[id].dropped;
}
