/* template.c - see template.h. */
#include "worker/template.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sp.h"
#include "worker/canary.h"
#include "worker/input.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/seal.h"
#include "worker/serve.h"

enum { EXIT_PROTOCOL = 70, EXIT_NO_LINK = 71, LISTENER_ROOM = 64 };

static Pb__Hello hello;
static char *seal_taken[SEAL_STEPS_MAX + 1];

/* ---- the listener -------------------------------------------------------------------------------------------------------------- */

/* A caller that waits for leave is woken by nothing but its end, so that no signal takes a fork back that has been answered. */
static int install(const struct bpf_program *leave)
{
    int fd = bpf_install(leave, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

    return fd == -EINVAL ? bpf_install(leave, SECCOMP_FILTER_FLAG_NEW_LISTENER) : fd;
}

static size_t pack_listener(const void *token, size_t token_len, uint8_t *at)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Listener l = PB__LISTENER__INIT;
    size_t len;

    l.token = (ProtobufCBinaryData){ token_len, (uint8_t *)token };
    m.body_case = PB__FROM_WORKER__BODY_LISTENER;
    m.listener = &l;
    len = protobuf_c_message_get_packed_size(&m.base);
    sp_header_put(at, len);
    return SP_HEADER_LEN + protobuf_c_message_pack(&m.base, at + SP_HEADER_LEN);
}

static int send_with(int fd, const void *bytes, size_t len)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
    struct iovec iov = { (void *)bytes, len };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    ssize_t n;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    n = sendmsg(LINK_FD, &m, MSG_NOSIGNAL);
    return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

int template_pass_listener(const struct bpf_program *leave, const void *token, size_t token_len)
{
    uint8_t frame[LISTENER_ROOM];
    int fd = install(leave), rc;

    if (fd < 0)
        return fd;
    rc = send_with(fd, frame, pack_listener(token, token_len, frame));
    close(fd); /* who waits for leave cannot give it */
    return rc;
}

/* ---- what a child says --------------------------------------------------------------------------------------------------------- */

void template_note_hello(const Pb__Hello *h)
{
    hello = *h;
    memcpy(seal_taken, h->seal, h->n_seal * sizeof(seal_taken[0]));
    seal_taken[hello.n_seal++] = (char *)"forked"; /* its parent's death, and what it had of the template, given up */
    hello.seal = seal_taken;
}

static void say_hello(const Pb__Fork *order)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;

    hello.token = order->token;
    m.body_case = PB__FROM_WORKER__BODY_HELLO;
    m.hello = &hello;
    link_send(&m);
}

static void say_warm(void)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Warm w = PB__WARM__INIT;

    m.body_case = PB__FROM_WORKER__BODY_WARM;
    m.warm = &w;
    link_send(&m);
}

static void say_fork_failed(const Pb__Fork *order, int error)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__ForkFailed f = PB__FORK_FAILED__INIT;

    f.worker = order->worker;
    f.error = (uint32_t)error;
    m.body_case = PB__FROM_WORKER__BODY_FORK_FAILED;
    m.fork_failed = &f;
    link_send(&m);
}

/* ---- the fork ------------------------------------------------------------------------------------------------------------------ */

/* The next order. A cancel means nothing to a template that is warm: the broker ends it otherwise. */
static const Pb__Fork *next_order(struct frame *ret_f)
{
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    const Pb__ToWorker *m;
    int fd = -1, rc;

    do
        rc = sp_recv_descriptor(LINK_FD, &bytes, &cap, FRAME_MAX_ASSIGN, &len, &fd);
    while (rc == -EINTR);
    if (rc == -EPIPE)
        _exit(0);
    if (rc == 0)
        rc = frame_decode(ret_f, &pb__to_worker__descriptor, bytes, len, FRAME_MAX_ASSIGN);
    free(bytes);
    m = rc == 0 ? (const Pb__ToWorker *)ret_f->msg : NULL;
    if (m == NULL || m->body_case != PB__TO_WORKER__BODY_FORK || fd != FORK_FD)
        _exit(EXIT_PROTOCOL);
    return m->fork;
}

/* Not libc's fork(): that makes calls of its own, and a child of ours. */
static long fork_for_zygote(void)
{
    return syscall(SYS_clone, FORK_FLAGS, NULL, NULL, NULL, NULL);
}

/* Nothing of the template's stays but its memory: not its link, not what is on its way there, not its stack's canary. */
static int leave_template(const struct engine *e)
{
    struct rlimit none = { 0, 0 };

    if (dup2(FORK_FD, LINK_FD) < 0 || close(FORK_FD) != 0)
        return -errno;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || setrlimit(RLIMIT_NPROC, &none) != 0)
        return -errno;
    serve_forked();
    output_forked();
    input_forked();
    return e->forked != NULL ? e->forked() : 0;
}

__attribute__((no_stack_protector)) static void be_child(const struct engine *e, const Pb__Fork *order)
{
    if (sp_handshake(FORK_FD) != 0)
        _exit(EXIT_NO_LINK);
    if (canary_new() != 0 || leave_template(e) != 0)
        _exit(EXIT_PROTOCOL);
    say_hello(order);
}

/* What its forks cost is for the broker to count, who allows something for each. */
static void forks_are_not_the_inits(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_CPU, &l) != 0)
        _exit(EXIT_PROTOCOL);
    l.rlim_cur = l.rlim_max;
    if (setrlimit(RLIMIT_CPU, &l) != 0)
        _exit(EXIT_PROTOCOL);
}

static void warm_up(const struct engine *e, const Pb__JobSpec *spec)
{
    static struct outcome o;

    if (e->warm(spec, &o) != 0)
        serve_finish(&o);
    forks_are_not_the_inits();
    output_flush();
    say_warm();
}

/* The stack above the caller's is never returned into by the template, and by a child with the canary of its own. */
__attribute__((no_stack_protector)) void template_run(const struct engine *e, const Pb__JobSpec *spec)
{
    struct frame f;

    warm_up(e, spec);
    for (;;) {
        const Pb__Fork *order = next_order(&f);
        long pid = fork_for_zygote();

        if (pid == 0) {
            be_child(e, order);
            return; /* the frame with the order stays: the child's hello borrows its token */
        }
        close(FORK_FD);
        if (pid < 0)
            say_fork_failed(order, errno);
        frame_release(&f);
    }
}
