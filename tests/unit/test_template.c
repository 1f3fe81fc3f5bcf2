/*
 * test_template.c - templates, from the zygote's control socket and the listener: warm, fork with leave, adopt; and what becomes of those that do
 * otherwise. The test is the broker.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "worker/engines.h"
#include "worker/template.h"
#include "worker/zygote.h"
#include "zygote.pb-c.h"

enum { WAIT_MS = 60000, TEMPLATE = 1, TEXT = 4096 };

struct fixture {
    int control;
    pid_t pid;
    struct frame frame; /* of the zygote's last answer */
    int fd;             /* that came with it, or -1 */
    int link, listener; /* of the template */
    pid_t template_pid;
};

/* What a link brought: a message, who wrote it, and what came along. */
struct heard {
    struct frame frame;
    const Pb__FromWorker *m;
    pid_t from;
    int fd;
};

/* ---- the zygote's socket ------------------------------------------------------------------------------------------------------- */

static const Pb__FromZygote *expect(struct fixture *z, Pb__FromZygote__BodyCase body)
{
    uint8_t bytes[FRAME_MAX_ZYGOTE];
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct pollfd p = { .fd = z->control, .events = POLLIN };
    ssize_t got;

    frame_release(&z->frame);
    if (z->fd >= 0)
        close(z->fd);
    z->fd = -1;
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    got = recvmsg(z->control, &msg, MSG_CMSG_CLOEXEC);
    assert_true(got > 0);
    if (CMSG_FIRSTHDR(&msg) != NULL)
        memcpy(&z->fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
    assert_int_equal(frame_decode(&z->frame, &pb__from_zygote__descriptor, bytes, (size_t)got, FRAME_MAX_ZYGOTE), 0);
    assert_int_equal(((const Pb__FromZygote *)z->frame.msg)->body_case, body);
    return (const Pb__FromZygote *)z->frame.msg;
}

static void send_packet(int to, const void *head, size_t head_len, const ProtobufCMessage *m, int fd)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
    uint8_t *bytes;
    size_t len;
    struct iovec iov[2] = {
        {(void *)head, head_len}
    };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

    assert_int_equal(frame_pack(m, &bytes, &len), 0);
    iov[1] = (struct iovec){ bytes, len };
    if (fd >= 0) {
        struct cmsghdr *c = (struct cmsghdr *)room;

        msg.msg_control = room;
        msg.msg_controllen = sizeof(room);
        c->cmsg_len = CMSG_LEN(sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    assert_int_equal(sendmsg(to, &msg, 0), (ssize_t)(head_len + len));
    free(bytes);
}

static void ask_adopt(struct fixture *z, uint64_t worker, pid_t pid)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Adopt a = PB__ADOPT__INIT;

    a.worker = worker;
    a.pid = (uint32_t)pid;
    m.body_case = PB__TO_ZYGOTE__BODY_ADOPT;
    m.adopt = &a;
    send_packet(z->control, NULL, 0, &m.base, -1);
}

static void ask_sweep(struct fixture *z)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Sweep s = PB__SWEEP__INIT;

    m.body_case = PB__TO_ZYGOTE__BODY_SWEEP;
    m.sweep = &s;
    send_packet(z->control, NULL, 0, &m.base, -1);
}

/* ---- a link -------------------------------------------------------------------------------------------------------------------- */

/* Our end says who writes. */
static int new_link(int *ret_theirs)
{
    int pair[2], on = 1;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
    *ret_theirs = pair[1];
    return pair[0];
}

static void take_along(struct msghdr *msg, struct heard *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_type == SCM_RIGHTS)
            memcpy(&h->fd, CMSG_DATA(c), sizeof(int));
        if (c->cmsg_type == SCM_CREDENTIALS)
            h->from = ((struct ucred *)CMSG_DATA(c))->pid;
    }
}

static void read_exactly(int link, void *into, size_t len, struct heard *h)
{
    for (size_t got = 0; got < len;) {
        _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct iovec iov = { (char *)into + got, len - got };
        struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
        struct pollfd p = { .fd = link, .events = POLLIN };
        ssize_t n;

        assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        n = recvmsg(link, &msg, MSG_CMSG_CLOEXEC);
        assert_true(n > 0);
        take_along(&msg, h);
        got += (size_t)n;
    }
}

static void hear(int link, struct heard *h)
{
    uint8_t head[SP_HEADER_LEN], *body;
    uint64_t len;

    *h = (struct heard){ .fd = -1 };
    read_exactly(link, head, sizeof(head), h);
    assert_int_equal(sp_header_get(head, &len), 0);
    body = malloc(len + 1);
    read_exactly(link, body, len, h);
    assert_int_equal(frame_decode(&h->frame, &pb__from_worker__descriptor, body, len, FRAME_MAX_LINK), 0);
    free(body);
    h->m = (const Pb__FromWorker *)h->frame.msg;
}

static void greet(int link)
{
    struct heard h;
    uint8_t hello[SP_HELLO_LEN] = SP_HELLO(SP_PROTO_PAIR0), theirs[SP_HELLO_LEN];

    assert_int_equal(write(link, hello, sizeof(hello)), (ssize_t)sizeof(hello));
    read_exactly(link, theirs, sizeof(theirs), &h);
    assert_memory_equal(theirs, hello, sizeof(hello));
}

static void hear_one(int link, Pb__FromWorker__BodyCase body, struct heard *h)
{
    hear(link, h);
    assert_int_equal(h->m->body_case, body);
}

/* Output until the result; returns the text. */
static const char *hear_result(int link, pid_t from, Pb__ResultKind kind)
{
    static char text[TEXT];
    size_t used = 0;

    for (;;) {
        struct heard h;
        int over;

        hear(link, &h);
        assert_int_equal(h.from, from);
        if (h.m->body_case == PB__FROM_WORKER__BODY_OUTPUT) {
            assert_true(used + h.m->output->data.len < TEXT);
            memcpy(text + used, h.m->output->data.data, h.m->output->data.len);
            used += h.m->output->data.len;
        }
        over = h.m->body_case == PB__FROM_WORKER__BODY_RESULT;
        if (over)
            assert_int_equal(h.m->result->kind, kind);
        frame_release(&h.frame);
        if (over)
            break;
    }
    text[used] = '\0';
    return text;
}

static void assign(int link, const char *script, int as_template)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Assign a = PB__ASSIGN__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;

    limits.cpu_us = 10000000;
    limits.memory_bytes = 64 << 20;
    limits.stdout_bytes = limits.stderr_bytes = TEXT;
    spec.engine = (char *)"lua";
    spec.source_name = (char *)"script.lua";
    spec.source = (ProtobufCBinaryData){ strlen(script), (uint8_t *)script };
    spec.limits = &limits;
    a.job = (char *)"JOB";
    a.spec = &spec;
    a.template_ = as_template;
    a.children_cpu_us = 100000000;
    m.body_case = PB__TO_WORKER__BODY_ASSIGN;
    m.assign = &a;
    told_send(link, &m);
}

/* ---- a template ---------------------------------------------------------------------------------------------------------------- */

static void spawn_and_greet(struct fixture *z)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Spawn s = PB__SPAWN__INIT;
    int theirs;

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    z->link = new_link(&theirs);
    s.worker = TEMPLATE;
    s.token = (ProtobufCBinaryData){ 16, (uint8_t *)"template's token" };
    s.template_ = 1;
    m.body_case = PB__TO_ZYGOTE__BODY_SPAWN;
    m.spawn = &s;
    send_packet(z->control, NULL, 0, &m.base, theirs);
    close(theirs);
    z->template_pid = (pid_t)expect(z, PB__FROM_ZYGOTE__BODY_SPAWNED)->spawned->pid;
    greet(z->link);
}

static void spawn_template(struct fixture *z)
{
    struct heard h;

    spawn_and_greet(z);
    hear_one(z->link, PB__FROM_WORKER__BODY_LISTENER, &h);
    assert_memory_equal(h.m->listener->token.data, "template's token", 16);
    assert_true(h.fd >= 0);
    assert_int_equal(h.from, z->template_pid);
    z->listener = h.fd;
    frame_release(&h.frame);
    hear_one(z->link, PB__FROM_WORKER__BODY_HELLO, &h);
    frame_release(&h.frame);
}

static void warm_template(struct fixture *z, const char *init)
{
    struct heard h;

    spawn_template(z);
    assign(z->link, init, 1);
    hear_one(z->link, PB__FROM_WORKER__BODY_STARTED, &h);
    frame_release(&h.frame);
    hear_one(z->link, PB__FROM_WORKER__BODY_WARM, &h);
    frame_release(&h.frame);
}

/* Waits for a question and gives leave, or an errno. Returns who asked. */
static pid_t answer_fork(struct fixture *z, int error)
{
    struct seccomp_notif n;
    struct seccomp_notif_resp r = { 0 };
    struct pollfd p = { .fd = z->listener, .events = POLLIN };

    memset(&n, 0, sizeof(n));
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    assert_int_equal(ioctl(z->listener, SECCOMP_IOCTL_NOTIF_RECV, &n), 0);
    assert_int_equal(n.data.nr, SYS_clone);
    assert_int_equal(n.data.args[0], FORK_FLAGS);
    assert_int_equal(n.data.args[1], 0);
    r.id = n.id;
    r.error = -error;
    r.flags = error == 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
    assert_int_equal(ioctl(z->listener, SECCOMP_IOCTL_NOTIF_SEND, &r), 0);
    return (pid_t)n.pid;
}

/* Returns our end of the child's link. */
static int order_fork(struct fixture *z, uint64_t worker, const char token[17])
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Fork f = PB__FORK__INIT;
    uint8_t head[SP_HEADER_LEN];
    int theirs, link = new_link(&theirs);

    f.worker = worker;
    f.token = (ProtobufCBinaryData){ 16, (uint8_t *)token };
    m.body_case = PB__TO_WORKER__BODY_FORK;
    m.fork = &f;
    sp_header_put(head, protobuf_c_message_get_packed_size(&m.base));
    send_packet(z->link, head, sizeof(head), &m.base, theirs);
    close(theirs);
    return link;
}

/* The whole way to a child that is a worker. */
static int fork_child(struct fixture *z, uint64_t worker, pid_t *ret_pid)
{
    int link = order_fork(z, worker, "the child's token");
    struct heard h;

    assert_int_equal(answer_fork(z, 0), z->template_pid);
    greet(link);
    hear_one(link, PB__FROM_WORKER__BODY_HELLO, &h);
    assert_memory_equal(h.m->hello->token.data, "the child's toke", 16);
    assert_string_equal(h.m->hello->seal[h.m->hello->n_seal - 1], "forked");
    assert_string_equal(h.m->hello->seal[h.m->hello->n_seal - 2], "seccomp");
    assert_string_equal(h.m->hello->seal[h.m->hello->n_seal - 3], "leave");
    *ret_pid = h.from;
    frame_release(&h.frame);
    ask_adopt(z, worker, *ret_pid);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_SPAWNED)->spawned->worker, worker);
    assert_int_equal(((const Pb__FromZygote *)z->frame.msg)->spawned->pid, *ret_pid);
    assert_true(z->fd >= 0);
    return link;
}

static const char *run_in_child(struct fixture *z, uint64_t worker, const char *script)
{
    static char text[TEXT];
    pid_t pid;
    int link = fork_child(z, worker, &pid);

    assign(link, script, 0);
    snprintf(text, sizeof(text), "%s", hear_result(link, pid, PB__RESULT_KIND__RESULT_KIND_EXIT));
    close(link);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_EXITED)->exited->worker, worker);
    return text;
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) != 0 && errno == ESRCH;
}

/* ---- fixture ------------------------------------------------------------------------------------------------------------------- */

static void (*prelude)(void); /* of the zygote; NULL: none */

/* A supervisor above us has a listener already. It lives as long as the zygote. */
static void be_supervised(void)
{
    struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
    struct sock_fprog p = { 1, all };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &p) < 0)
        _exit(99);
}

static int setup(void **state)
{
    static struct fixture z;
    int pair[2];

    memset(&z, 0, sizeof(z));
    z.fd = z.link = z.listener = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
        return -1;
    z.pid = fork();
    if (z.pid == 0) {
        char fd[16], *argv[] = { (char *)"coop-worker", (char *)"--engine", (char *)"lua", (char *)"--control-fd", fd, NULL };

        close(pair[0]);
        if (prelude != NULL)
            prelude();
        snprintf(fd, sizeof(fd), "%d", pair[1]);
        exit(zygote_main(5, argv, engines_built_in));
    }
    close(pair[1]);
    z.control = pair[0];
    *state = &z;
    return z.pid > 0 ? 0 : -1;
}

/* Also the test that a zygote that had templates ends by itself. */
static int teardown(void **state)
{
    struct fixture *z = *state;
    int status;

    prelude = NULL;
    frame_release(&z->frame);
    for (int *fd = (int[]){ z->fd, z->link, z->listener, z->control, -2 }; *fd != -2; fd++)
        if (*fd >= 0)
            close(*fd);
    return waitpid(z->pid, &status, 0) == z->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- what works ---------------------------------------------------------------------------------------------------------------- */

static void a_child_finds_what_the_init_has_made(void **state)
{
    struct fixture *z = *state;

    warm_template(z, "table_of = {} for i = 1, 1000 do table_of[i] = i * i end");
    assert_string_equal(run_in_child(z, 2, "print(#table_of, table_of[1000])"), "1000\t1000000\n");
}

static void what_a_child_changes_no_other_child_sees(void **state)
{
    struct fixture *z = *state;

    warm_template(z, "n = 1");
    assert_string_equal(run_in_child(z, 2, "n = n + 1; string.evil = 1; print(n)"), "2\n");
    assert_string_equal(run_in_child(z, 3, "n = n + 1; print(n, string.evil)"), "2\tnil\n");
}

static void random_numbers_differ_in_each_child(void **state)
{
    struct fixture *z = *state;
    char first[TEXT];

    warm_template(z, "seen = math.random(0)");
    snprintf(first, sizeof(first), "%s", run_in_child(z, 2, "print(math.random(0), math.random(0))"));
    assert_string_not_equal(run_in_child(z, 3, "print(math.random(0), math.random(0))"), first);
}

static void output_is_timed_in_a_child_too(void **state)
{
    struct fixture *z = *state;
    struct heard h;
    pid_t pid;
    int link;

    warm_template(z, "io.write('') coop = require 'coop'");
    link = fork_child(z, 2, &pid);
    assign(link, "print 'held back' while true do end", 0);
    hear_one(link, PB__FROM_WORKER__BODY_STARTED, &h);
    frame_release(&h.frame);
    hear_one(link, PB__FROM_WORKER__BODY_OUTPUT, &h);
    assert_memory_equal(h.m->output->data.data, "held back\n", 10);
    frame_release(&h.frame);
    close(link);
    kill(pid, SIGKILL);
    expect(z, PB__FROM_ZYGOTE__BODY_EXITED);
}

static void two_hundred_children_are_each_a_process_of_its_own(void **state)
{
    struct fixture *z = *state;
    pid_t seen[200];

    warm_template(z, "words = {} for i = 1, 10000 do words[i] = 'word ' .. i end");
    for (int i = 0; i < 200; i++) {
        int link = fork_child(z, (uint64_t)i + 2, &seen[i]);

        for (int k = 0; k < i; k++)
            assert_int_not_equal(seen[i], seen[k]);
        assign(link, "print(words[10000])", 0);
        assert_string_equal(hear_result(link, seen[i], PB__RESULT_KIND__RESULT_KIND_EXIT), "word 10000\n");
        close(link);
        expect(z, PB__FROM_ZYGOTE__BODY_EXITED);
    }
}

/* ---- what does not ------------------------------------------------------------------------------------------------------------- */

static void an_init_that_fails_says_so_as_a_job_does(void **state)
{
    struct fixture *z = *state;

    spawn_template(z);
    assign(z->link, "print 'so far' error 'no further'", 1);
    assert_non_null(strstr(hear_result(z->link, z->template_pid, PB__RESULT_KIND__RESULT_KIND_EXCEPTION), "no further"));
}

static void an_init_that_leaves_tasklets_behind_is_refused_by_name(void **state)
{
    struct fixture *z = *state;

    spawn_template(z);
    assign(z->link, "local coop = require 'coop' coop.spawn(function() coop.sleep(100) end)", 1);
    assert_non_null(
        strstr(hear_result(z->link, z->template_pid, PB__RESULT_KIND__RESULT_KIND_EXCEPTION), "1 tasklets that have not ended"));
}

static void without_leave_nothing_is_forked_and_it_is_told(void **state)
{
    struct fixture *z = *state;
    struct heard h;
    int link;

    warm_template(z, "");
    link = order_fork(z, 2, "the child's token");
    answer_fork(z, EAGAIN);
    hear_one(z->link, PB__FROM_WORKER__BODY_FORK_FAILED, &h);
    assert_int_equal(h.m->fork_failed->worker, 2);
    assert_int_equal(h.m->fork_failed->error, EAGAIN);
    frame_release(&h.frame);
    close(link);
}

static void a_child_is_under_the_same_filters(void **state)
{
    struct fixture *z = *state;
    pid_t pid;
    int link;

    char path[64], text[TEXT], *at;
    size_t n;
    FILE *f;

    warm_template(z, "");
    link = fork_child(z, 2, &pid);
    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    assert_non_null(f);
    n = fread(text, 1, sizeof(text) - 1, f);
    text[n] = '\0';
    fclose(f);
    at = strstr(text, "Seccomp_filters:");
    assert_non_null(at);
    assert_true(atoi(at + strlen("Seccomp_filters:")) >= 2);
    assert_non_null(strstr(text, "NoNewPrivs:\t1"));
    close(link);
    expect(z, PB__FROM_ZYGOTE__BODY_EXITED);
}

static void only_a_stray_child_is_adopted(void **state)
{
    struct fixture *z = *state;

    warm_template(z, "");
    ask_adopt(z, 2, z->template_pid);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED)->spawn_failed->error, EEXIST);
    ask_adopt(z, 3, getpid());
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED)->spawn_failed->error, ECHILD);
    ask_adopt(z, 4, 0x7ffffff0);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED)->spawn_failed->error, ECHILD);
}

/* A child that nobody has adopted; and those that are workers stay. */
static void a_sweep_ends_strays_and_nobody_else(void **state)
{
    struct fixture *z = *state;
    struct heard h;
    pid_t stray, worker;
    int link, other;

    warm_template(z, "");
    other = fork_child(z, 2, &worker);
    link = order_fork(z, 3, "the child's token");
    answer_fork(z, 0);
    greet(link);
    hear_one(link, PB__FROM_WORKER__BODY_HELLO, &h);
    stray = h.from;
    frame_release(&h.frame);
    ask_sweep(z);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_SWEPT)->swept->ended, 1);
    assert_true(is_gone(stray));
    assert_false(is_gone(worker));
    assert_false(is_gone(z->template_pid));
    ask_adopt(z, 3, stray);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED)->spawn_failed->error, ECHILD);
    close(link);
    close(other);
    expect(z, PB__FROM_ZYGOTE__BODY_EXITED);
}

static void a_child_that_ended_before_it_was_adopted_is_told_all_the_same(void **state)
{
    struct fixture *z = *state;
    struct heard h;
    int link;

    warm_template(z, "");
    link = order_fork(z, 2, "the child's token");
    answer_fork(z, 0);
    greet(link);
    hear_one(link, PB__FROM_WORKER__BODY_HELLO, &h);
    kill(h.from, SIGKILL);
    assert_int_equal(poll(&(struct pollfd){ .fd = link, .events = POLLIN }, 1, WAIT_MS), 1); /* its end: nobody else has the other end */
    ask_adopt(z, 2, h.from);
    expect(z, PB__FROM_ZYGOTE__BODY_SPAWNED);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_EXITED)->exited->status, SIGKILL);
    frame_release(&h.frame);
    close(link);
}

/* The broker has gone: also a child that it never heard of ends, whatever it thinks of its parent's death. */
static void nothing_is_left_when_the_control_socket_closes(void **state)
{
    struct fixture *z = *state;
    struct heard h;
    pid_t worker;
    siginfo_t si;
    int link, other;

    warm_template(z, "");
    other = fork_child(z, 2, &worker);
    link = order_fork(z, 3, "the child's token");
    answer_fork(z, 0);
    greet(link);
    hear_one(link, PB__FROM_WORKER__BODY_HELLO, &h);
    close(z->control);
    z->control = -1;
    assert_int_equal(waitid(P_PID, (id_t)z->pid, &si, WEXITED | WNOWAIT), 0); /* it comes back for teardown() */
    assert_true(is_gone(h.from));
    assert_true(is_gone(worker));
    assert_true(is_gone(z->template_pid));
    frame_release(&h.frame);
    close(link);
    close(other);
}

static int setup_supervised(void **state)
{
    prelude = be_supervised;
    return setup(state);
}

static void where_a_supervisor_has_the_listener_there_are_no_templates(void **state)
{
    struct fixture *z = *state;
    struct heard h;

    spawn_and_greet(z);
    hear_one(z->link, PB__FROM_WORKER__BODY_SEAL_FAILED, &h);
    assert_string_equal(h.m->seal_failed->step, "leave");
    assert_int_equal(h.m->seal_failed->error, EBUSY);
    frame_release(&h.frame);
    expect(z, PB__FROM_ZYGOTE__BODY_EXITED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_child_finds_what_the_init_has_made),
        TEST(what_a_child_changes_no_other_child_sees),
        TEST(random_numbers_differ_in_each_child),
        TEST(output_is_timed_in_a_child_too),
        TEST(two_hundred_children_are_each_a_process_of_its_own),
        TEST(an_init_that_fails_says_so_as_a_job_does),
        TEST(an_init_that_leaves_tasklets_behind_is_refused_by_name),
        TEST(without_leave_nothing_is_forked_and_it_is_told),
        TEST(a_child_is_under_the_same_filters),
        TEST(only_a_stray_child_is_adopted),
        TEST(a_sweep_ends_strays_and_nobody_else),
        TEST(a_child_that_ended_before_it_was_adopted_is_told_all_the_same),
        TEST(nothing_is_left_when_the_control_socket_closes),
        cmocka_unit_test_setup_teardown(where_a_supervisor_has_the_listener_there_are_no_templates, setup_supervised, teardown),
    };

    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
