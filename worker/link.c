/* link.c - see link.h. */
#include "worker/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sp.h"

static int link_fd = -1;
static volatile sig_atomic_t link_busy;
static uint8_t link_scratch[LINK_SEND_MAX];

void link_use(int fd)
{
    link_fd = fd;
}

void link_enter(void)
{
    link_busy++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void link_leave(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    link_busy--;
}

int link_is_busy(void)
{
    return link_busy != 0;
}

void link_send_packed(const void *bytes, size_t len)
{
    link_enter();
    if (sp_send(link_fd, bytes, len) != 0)
        _exit(0); /* the broker has gone, nobody is left to tell */
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

int link_wait_masked(struct frame *ret_f, const sigset_t *wait_mask)
{
    struct pollfd p = { .fd = link_fd, .events = POLLIN };

    if (ppoll(&p, 1, NULL, wait_mask) < 0)
        return -errno;
    return link_wait(ret_f);
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
