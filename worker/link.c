/* link.c - see link.h. */
#include "worker/link.h"

#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sp.h"

enum { LOCK_FREE, LOCK_HELD, LOCK_WAITED_FOR };

static int link_fd = -1;
static bool owes_greeting;               /* until the first message is sent: by the thread that the worker begins with */
static _Atomic int lock;                 /* a futex */
static _Atomic(const char *) lock_owner; /* the address of its thread's me */
static __thread char me;
static unsigned lock_depth; /* the owner's */
static uint8_t link_scratch[LINK_SEND_MAX];

void link_use(int fd)
{
    link_fd = fd;
}

int link_meet(int fd)
{
    link_use(fd);
    owes_greeting = true;
    return sp_meet(fd);
}

/* Sleeps until it was free. A mutex of libc's would do, but for handlers, which may only try. */
static void lock_wait(void)
{
    while (atomic_exchange(&lock, LOCK_WAITED_FOR) != LOCK_FREE)
        (void)syscall(SYS_futex, &lock, FUTEX_WAIT_PRIVATE, LOCK_WAITED_FOR, NULL, NULL, 0);
}

int link_is_mine(void)
{
    return atomic_load_explicit(&lock_owner, memory_order_relaxed) == &me;
}

static int lock_try(void)
{
    int was = LOCK_FREE;

    return atomic_compare_exchange_strong(&lock, &was, LOCK_HELD);
}

void link_enter(void)
{
    if (link_is_mine()) {
        lock_depth++;
        return;
    }
    if (!lock_try())
        lock_wait();
    atomic_store(&lock_owner, &me);
    lock_depth = 1;
}

/* A handler between the two that take the lock finds it taken, and by nobody: it keeps off as well. */
int link_try_enter(void)
{
    if (!lock_try())
        return 0;
    atomic_store(&lock_owner, &me);
    lock_depth = 1;
    return 1;
}

void link_leave(void)
{
    if (--lock_depth > 0)
        return;
    atomic_store(&lock_owner, NULL);
    if (atomic_exchange(&lock, LOCK_FREE) == LOCK_WAITED_FOR)
        (void)syscall(SYS_futex, &lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int link_is_busy(void)
{
    return atomic_load(&lock) != LOCK_FREE;
}

void link_send_packed(const void *bytes, size_t len)
{
    link_enter();
    if ((owes_greeting ? sp_send_first : sp_send)(link_fd, bytes, len) != 0)
        _exit(0); /* the broker has gone, nobody is left to tell */
    owes_greeting = false;
    link_leave();
}

void link_send(const Pb__FromWorker *m)
{
    size_t len = protobuf_c_message_get_packed_size(&m->base);

    link_enter();
    if (len > sizeof(link_scratch))
        _exit(70); /* our own bug; the broker reports a lost worker */
    protobuf_c_message_pack(&m->base, link_scratch);
    link_send_packed(link_scratch, len);
    link_leave();
}

/* ---- in ------------------------------------------------------------------------------------------------------------------------------ */

/*
 * What was read ahead: a small message, and what came right behind it, is one call and not two. One reader at a time; it leaves nothing here for others,
 * whom no poll would tell of it (inbound.c). Bytes that a descriptor may belong to are never read ahead: nobody could say to which message.
 */
static struct {
    size_t at, have;
    uint8_t bytes[LINK_AHEAD];
} ahead;

int link_has_more(void)
{
    return ahead.at < ahead.have;
}

/* Exactly len bytes, which have begun to come. */
static int read_rest(uint8_t *into, size_t len)
{
    while (len > 0) {
        ssize_t n = read(link_fd, into, len);

        if (n == 0)
            return -EPIPE;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == ECONNRESET ? -EPIPE : -errno;
        into += n;
        len -= (size_t)n;
    }
    return 0;
}

static int take(uint8_t *into, size_t len)
{
    size_t n = ahead.have - ahead.at < len ? ahead.have - ahead.at : len;

    memcpy(into, ahead.bytes + ahead.at, n);
    ahead.at += n;
    return read_rest(into + n, len - n);
}

static int fill(void)
{
    ssize_t n = read(link_fd, ahead.bytes, sizeof(ahead.bytes));

    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    ahead.at = 0;
    ahead.have = (size_t)n;
    return n == 0 ? -EPIPE : 0;
}

/* The next message, of which the first byte is here. */
static int take_message(uint8_t **ret_bytes, size_t *ret_len)
{
    uint8_t head[SP_HEADER_LEN], *bytes;
    uint64_t len;
    int rc = take(head, sizeof(head));

    if (rc == 0)
        rc = sp_header_get(head, &len);
    if (rc != 0)
        return rc;
    if (len > FRAME_MAX_ASSIGN)
        return -EMSGSIZE;
    bytes = malloc(len > 0 ? len : 1);
    if (bytes == NULL)
        return -ENOMEM;
    rc = take(bytes, len);
    if (rc != 0) {
        free(bytes);
        return rc;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}

int link_wait(struct frame *ret_f)
{
    uint8_t *bytes = NULL;
    size_t cap = 0, len = 0;
    int rc = sp_recv(link_fd, &bytes, &cap, FRAME_MAX_ASSIGN, &len);

    if (rc == -EPIPE)
        _exit(0);
    if (rc == 0)
        rc = frame_decode(ret_f, &pb__to_worker__descriptor, bytes, len, FRAME_MAX_ASSIGN);
    free(bytes);
    return rc;
}

static int receive_with(uint8_t **ret_bytes, size_t *ret_len, int *ret_fd)
{
    uint8_t *bytes = NULL;
    size_t cap = 0;
    int rc = sp_recv_descriptor(link_fd, &bytes, &cap, FRAME_MAX_ASSIGN, ret_len, ret_fd);

    if (rc == 0)
        *ret_bytes = bytes;
    else
        free(bytes);
    return rc;
}

/* Whether one may come is looked at, and what is there is read, before another thread can ask for one. */
static int begin_message(bool (*may_bring)(void), bool *ret_with)
{
    int rc = 0;

    *ret_with = false;
    if (link_has_more())
        return 0;
    link_enter();
    *ret_with = may_bring();
    if (!*ret_with)
        rc = fill();
    link_leave();
    return rc;
}

int link_receive(uint8_t **ret_bytes, size_t *ret_len, int *ret_fd, bool (*may_bring)(void))
{
    bool with;
    int rc = begin_message(may_bring, &with);

    if (rc == 0)
        rc = with ? receive_with(ret_bytes, ret_len, ret_fd) : take_message(ret_bytes, ret_len);
    if (rc == -EPIPE)
        _exit(0);
    return rc;
}

int link_sleep(int64_t us, const sigset_t *wait_mask)
{
    struct pollfd p = { .fd = link_fd, .events = POLLIN };
    struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
    int n = link_has_more() ? 1 : ppoll(&p, 1, us < 0 ? NULL : &t, wait_mask);

    return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

_Noreturn void link_rest(void)
{
    char drop[256];

    for (;;) {
        ssize_t n = read(link_fd, drop, sizeof(drop));
        if (n == 0 || (n < 0 && errno != EINTR))
            _exit(0);
    }
}
