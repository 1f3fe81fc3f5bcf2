/* link.c - see link.h. */
#include "broker/link.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <nng/protocol/pair0/pair.h>

#include "frame.h"

/* Messages nng may hold for us. While they fit nng goes on reading, so that a worker's last words outlive the worker. */
enum { RECEIVE_BUFFER = 4, SEND_BUFFER = 4 };

static int from_nng(int rc)
{
    switch (rc) {
    case 0: return 0;
    case NNG_EAGAIN: return -EAGAIN;
    case NNG_ENOMEM: return -ENOMEM;
    case NNG_ECLOSED: return -EPIPE;
    default: return (rc & NNG_ESYSERR) != 0 ? -(rc & ~NNG_ESYSERR) : -EIO;
    }
}

/* On an nng thread. */
static void received(void *arg)
{
    struct link *l = arg;

    if (nng_aio_result(l->receive) == 0)
        inbox_push(l->inbox, INBOX_LINK, l->worker, nng_aio_get_msg(l->receive));
}

/* On an nng thread. */
static void pipe_gone(nng_pipe p, nng_pipe_ev ev, void *arg)
{
    struct link *l = arg;

    (void)p;
    (void)ev;
    inbox_push(l->inbox, INBOX_LINK_GONE, l->worker, NULL);
}

static int connect_to(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

static int listen_and_connect(struct link *l, const char *run_dir, int *ret_fd)
{
    char url[sizeof("ipc://") + 108], *path = url + sizeof("ipc://") - 1;
    int rc, fd, n = snprintf(url, sizeof(url), "ipc://%s/w%" PRIu64, run_dir, l->worker);

    if (n < 0 || (size_t)n >= sizeof(url))
        return -ENAMETOOLONG;
    rc = from_nng(nng_listen(l->socket, url, NULL, 0));
    if (rc != 0)
        return rc;
    fd = connect_to(path);
    unlink(path); /* one connection, ours: nobody else finds the way */
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    return 0;
}

int link_open(struct link *l, struct inbox *inbox, uint64_t worker, const char *run_dir, int *ret_fd)
{
    int rc;

    *l = (struct link){ .worker = worker, .inbox = inbox };
    rc = from_nng(nng_pair0_open(&l->socket));
    if (rc != 0)
        return rc;
    l->open = 1;
    if ((rc = nng_aio_alloc(&l->receive, received, l)) != 0 ||
        (rc = nng_socket_set_size(l->socket, NNG_OPT_RECVMAXSZ, FRAME_MAX_LINK)) != 0 ||
        (rc = nng_socket_set_int(l->socket, NNG_OPT_RECVBUF, RECEIVE_BUFFER)) != 0 ||
        (rc = nng_socket_set_int(l->socket, NNG_OPT_SENDBUF, SEND_BUFFER)) != 0 ||
        (rc = nng_pipe_notify(l->socket, NNG_PIPE_EV_REM_POST, pipe_gone, l)) != 0)
        rc = from_nng(rc);
    else
        rc = listen_and_connect(l, run_dir, ret_fd);
    if (rc != 0) {
        link_close(l);
        return rc;
    }
    link_next(l);
    return 0;
}

void link_next(struct link *l)
{
    if (l->open)
        nng_recv_aio(l->socket, l->receive);
}

int link_send(struct link *l, const ProtobufCMessage *m)
{
    nng_msg *msg;
    int rc = nng_msg_alloc(&msg, protobuf_c_message_get_packed_size(m));

    if (rc != 0)
        return -ENOMEM;
    protobuf_c_message_pack(m, nng_msg_body(msg));
    rc = nng_sendmsg(l->socket, msg, NNG_FLAG_NONBLOCK);
    if (rc != 0)
        nng_msg_free(msg); /* a refused message is still ours */
    return from_nng(rc);
}

void link_stop(struct link *l)
{
    if (l->receive != NULL)
        nng_aio_stop(l->receive); /* waits for its callback */
}

nng_msg *link_rest(struct link *l)
{
    nng_msg *msg = NULL;

    if (!l->open || nng_recvmsg(l->socket, &msg, NNG_FLAG_NONBLOCK) != 0)
        return NULL;
    return msg;
}

void link_close(struct link *l)
{
    if (!l->open)
        return;
    l->open = 0;
    nng_pipe_notify(l->socket, NNG_PIPE_EV_REM_POST, NULL, NULL); /* we know */
    nng_close(l->socket);
    if (l->receive != NULL)
        nng_aio_free(l->receive);
    l->receive = NULL;
}
