/* sp_peer.c - see sp_peer.h. */
#include "tests/support/sp_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "coop/version.h"
#include "sp.h"

static const uint8_t hello_req[SP_HELLO_LEN] = { 0, 'S', 'P', 0, 0, 48, 0, 0 }; /* 3 * 16 + 0 */
static const uint8_t hello_rep[SP_HELLO_LEN] = { 0, 'S', 'P', 0, 0, 49, 0, 0 };

static void close_it(void *thing)
{
    (void)close((int)(intptr_t)thing);
}

static int connect_to(const char *socket_path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || strlen(socket_path) >= sizeof(addr.sun_path))
        support_fail("no socket for %s", socket_path);
    strcpy(addr.sun_path, socket_path);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0)
        support_fail("connect %s: %s", socket_path, strerror(errno));
    return fd;
}

int sp_peer_connect(const char *socket_path)
{
    int fd = connect_to(socket_path);

    support_on_release(close_it, (void *)(intptr_t)fd);
    return fd;
}

void sp_peer_pass_by(const char *socket_path, const void *bytes, size_t len)
{
    int fd = connect_to(socket_path);

    (void)sp_peer_write(fd, bytes, len);
    (void)close(fd);
}

int sp_peer_write(int fd, const void *bytes, size_t len)
{
    const char *p = bytes;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* false: it hung up, or said nothing for SUPPORT_WAIT_MS. */
static int read_all(int fd, void *into, size_t len)
{
    uint64_t started = support_now_ms();
    uint8_t *p = into;

    while (len > 0) {
        struct pollfd f = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&f, 1, support_left_ms(started)) <= 0)
            return -ETIMEDOUT;
        n = recv(fd, p, len, 0);
        if (n <= 0)
            return -EPIPE;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int sp_peer_open(const char *socket_path)
{
    uint8_t theirs[SP_HELLO_LEN];
    int fd = sp_peer_connect(socket_path);

    if (sp_peer_write(fd, hello_req, sizeof(hello_req)) != 0 || read_all(fd, theirs, sizeof(theirs)) != 0 ||
        memcmp(theirs, hello_rep, sizeof(theirs)) != 0)
        support_fail("whoever listens at %s is no SP replier", socket_path);
    return fd;
}

int sp_peer_send(int fd, uint32_t id, const void *body, size_t len)
{
    uint8_t *message = malloc(len + 4);
    int rc;

    if (message == NULL)
        abort();
    id |= 0x80000000u;
    for (int i = 0; i < 4; i++)
        message[i] = (uint8_t)(id >> (24 - 8 * i));
    if (len > 0)
        memcpy(message + 4, body, len);
    rc = sp_send(fd, message, len + 4);
    free(message);
    return rc;
}

void sp_peer_ask(int fd, uint32_t id, Pb__Request *q)
{
    uint8_t *bytes;
    size_t len;
    int rc;

    q->protocol = COOP_PROTOCOL;
    if (frame_pack(&q->base, &bytes, &len) != 0)
        abort();
    rc = sp_peer_send(fd, id, bytes, len);
    free(bytes);
    if (rc != 0)
        support_fail("the broker does not take a request: %s", strerror(-rc));
}

static void release_frame(void *thing)
{
    frame_release(thing);
    free(thing);
}

const Pb__Reply *sp_peer_answer(int fd, uint32_t id)
{
    const Pb__Reply *r = sp_peer_try_answer(fd, id);

    if (r == NULL)
        support_fail("no answer");
    return r;
}

const Pb__Reply *sp_peer_try_answer(int fd, uint32_t id)
{
    uint8_t head[SP_HEADER_LEN], *body;
    struct frame *f = calloc(1, sizeof(*f));
    uint64_t len = 0;

    if (f == NULL)
        abort();
    support_on_release(release_frame, f);
    if (read_all(fd, head, sizeof(head)) != 0 || head[0] != 1)
        return NULL;
    for (int i = 0; i < 8; i++)
        len = len << 8 | head[1 + i];
    if (len < 4 || len > FRAME_MAX_CONTROL)
        support_fail("an answer of %llu bytes", (unsigned long long)len);
    body = support_keep(malloc(len));
    if (read_all(fd, body, len) != 0)
        support_fail("the answer breaks off");
    id |= 0x80000000u;
    if (sp_request_id_get(body) != id)
        support_fail("the answer to another request");
    if (frame_decode(f, &pb__reply__descriptor, body + 4, len - 4, FRAME_MAX_CONTROL) != 0)
        support_fail("the answer is not a Reply");
    return (const Pb__Reply *)f->msg;
}

void sp_peer_expect_drop(int fd)
{
    uint64_t started = support_now_ms();
    struct pollfd f = { .fd = fd, .events = POLLIN | POLLRDHUP };
    char sink[4096];

    while (poll(&f, 1, support_left_ms(started)) > 0)
        if (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) <= 0)
            return;
    support_fail("the broker keeps a peer that it should have dropped");
}
