/* test_zygote.c - the zygote program on its control socket: what it answers, whom it forks, and how everything ends with it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "worker/engines.h"
#include "engine_table.h"
#include "worker/policy.h"
#include "worker/zygote.h"
#include "zygote.pb-c.h"

enum { WAIT_MS = 60000 };

struct fixture {
    int control;
    pid_t pid;
    struct frame frame; /* of the last answer */
    int fd;             /* that came with it, or -1 */
};

static void zygote_says(struct fixture *z)
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
}

static const Pb__FromZygote *expect(struct fixture *z, Pb__FromZygote__BodyCase body)
{
    zygote_says(z);
    assert_int_equal(((const Pb__FromZygote *)z->frame.msg)->body_case, body);
    return (const Pb__FromZygote *)z->frame.msg;
}

static void send_bytes(struct fixture *z, const void *bytes, size_t len, const int *fds, size_t n)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(16 * sizeof(int))] = { 0 };
    struct iovec iov = { (void *)bytes, len };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (n > 0) {
        struct cmsghdr *c = (struct cmsghdr *)room;

        msg.msg_control = room;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    assert_int_equal(sendmsg(z->control, &msg, 0), (ssize_t)len);
}

static void send_message(struct fixture *z, const Pb__ToZygote *m, const int *fds, size_t n)
{
    uint8_t *bytes;
    size_t len;

    assert_int_equal(frame_pack(&m->base, &bytes, &len), 0);
    send_bytes(z, bytes, len, fds, n);
    free(bytes);
}

static void ask_spawn(struct fixture *z, uint64_t worker, const int *fds, size_t n)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Spawn s = PB__SPAWN__INIT;

    s.worker = worker;
    s.token = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
    m.body_case = PB__TO_ZYGOTE__BODY_SPAWN;
    m.spawn = &s;
    send_message(z, &m, fds, n);
}

static void ask_reap(struct fixture *z, uint64_t worker)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Reap r = PB__REAP__INIT;

    r.worker = worker;
    m.body_case = PB__TO_ZYGOTE__BODY_REAP;
    m.reap = &r;
    send_message(z, &m, NULL, 0);
}

/* Spawns and greets. Returns our end of the link. */
static int spawn(struct fixture *z, uint64_t worker, pid_t *ret_pid)
{
    const Pb__FromZygote *m;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ask_spawn(z, worker, &pair[1], 1);
    close(pair[1]);
    m = expect(z, PB__FROM_ZYGOTE__BODY_SPAWNED);
    assert_int_equal(m->spawned->worker, worker);
    assert_true(z->fd >= 0);
    *ret_pid = (pid_t)m->spawned->pid;
    assert_int_equal(sp_handshake(pair[0]), 0);
    return pair[0];
}

static void wait_for_hello(int link)
{
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    struct frame f;
    const Pb__FromWorker *m;

    assert_int_equal(sp_recv(link, &bytes, &cap, FRAME_MAX_LINK, &len), 0);
    assert_int_equal(frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK), 0);
    m = (const Pb__FromWorker *)f.msg;
    assert_int_equal(m->body_case, PB__FROM_WORKER__BODY_HELLO);
    assert_int_equal(m->hello->token.len, 16);
    assert_memory_equal(m->hello->token.data, "0123456789abcdef", 16);
    assert_string_equal(m->hello->seal[m->hello->n_seal - 1], "seccomp");
    frame_release(&f);
    free(bytes);
}

/* As a container's filter may; in the zygote to be. */
static int refuse_clone3(int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? -1 : prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* clone3: 0, or the error that it meets. */
static int setup_with(void **state, int clone3)
{
    static struct fixture z;
    int pair[2];

    memset(&z, 0, sizeof(z));
    z.fd = -1;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0)
        return -1;
    z.pid = fork();
    if (z.pid == 0) {
        char fd[16], *argv[] = { (char *)"coop-worker", (char *)"--engine", (char *)"lua", (char *)"--control-fd", fd, NULL };

        close(pair[0]);
        snprintf(fd, sizeof(fd), "%d", pair[1]);
        if (clone3 != 0 && refuse_clone3(clone3) != 0)
            exit(99);
        exit(zygote_main(5, argv, engines_built_in));
    }
    close(pair[1]);
    z.control = pair[0];
    *state = &z;
    return z.pid > 0 ? 0 : -1;
}

static int setup(void **state)
{
    return setup_with(state, 0);
}

static int setup_without_clone3(void **state)
{
    return setup_with(state, ENOSYS);
}

static int setup_with_clone3_forbidden(void **state)
{
    return setup_with(state, EPERM);
}

/* Also the test that a zygote ends, with 0, when its control socket closes. */
static int teardown(void **state)
{
    struct fixture *z = *state;
    int status;

    frame_release(&z->frame);
    if (z->fd >= 0)
        close(z->fd);
    close(z->control);
    return waitpid(z->pid, &status, 0) == z->pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void the_first_word_says_engine_version_and_filter(void **state)
{
    const Pb__ZygoteReady *r = expect(*state, PB__FROM_ZYGOTE__BODY_READY)->ready;

    assert_string_equal(r->engine, "lua");
    assert_memory_equal(r->engine_version, "5.4.", 4);
    assert_string_equal(r->profile, "lua");
    assert_int_equal(r->filter_hash.len, 32);
    assert_true(r->filter_len > 20);
    assert_non_null(strstr("T0 T1 T2 T3", r->tier));
}

static void a_spawned_worker_greets_and_its_end_is_told_before_its_pid_is_freed(void **state)
{
    struct fixture *z = *state;
    const Pb__Exited *e;
    pid_t pid;
    int link;

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    link = spawn(z, 17, &pid);
    wait_for_hello(link);
    assert_int_equal(kill(pid, SIGKILL), 0);
    e = expect(z, PB__FROM_ZYGOTE__BODY_EXITED)->exited;
    assert_int_equal(e->worker, 17);
    assert_int_equal(e->code, CLD_KILLED);
    assert_int_equal(e->status, SIGKILL);
    assert_true(e->max_rss_bytes > 0);
    assert_int_equal(kill(pid, 0), 0); /* a zombie still has its pid */
    ask_reap(z, 17);
    ask_spawn(z, 18, NULL, 0); /* the answer to this comes after the reaping */
    expect(z, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED);
    assert_int_equal(kill(pid, 0), -1);
    close(link);
}

static void a_spawn_without_a_link_fails(void **state)
{
    struct fixture *z = *state;
    const Pb__SpawnFailed *f;

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    ask_spawn(z, 5, NULL, 0);
    f = expect(z, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED)->spawn_failed;
    assert_int_equal(f->worker, 5);
    assert_int_equal(f->error, EBADF);
}

static size_t open_descriptors(pid_t pid)
{
    size_t n = 0;

    for (int fd = 0; fd < 256; fd++) {
        char path[64], target[64];

        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
        n += readlink(path, target, sizeof(target)) > 0;
    }
    return n;
}

static void packets_that_make_no_sense_are_dropped_with_their_descriptors(void **state)
{
    struct fixture *z = *state;
    static const uint8_t noise[FRAME_MAX_ZYGOTE + 100];
    int many[16], null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    size_t before;
    pid_t pid;

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    before = open_descriptors(z->pid);
    for (int i = 0; i < 16; i++)
        many[i] = null;
    send_bytes(z, "\xff\xff\xff", 3, &null, 1);
    send_bytes(z, noise, sizeof(noise), &null, 1);
    ask_spawn(z, 1, many, 2);
    ask_spawn(z, 1, many, 16);
    ask_reap(z, 99);
    expect(z, PB__FROM_ZYGOTE__BODY_SPAWN_FAILED); /* the one with a descriptor too many: it could be read, so it is answered */
    int link = spawn(z, 2, &pid);
    wait_for_hello(link);
    assert_int_equal(open_descriptors(z->pid), before);
    close(link);
    close(null);
}

static void workers_die_with_their_zygote(void **state)
{
    struct fixture *z = *state;
    struct pollfd p;
    pid_t pid;
    int link, pidfd;

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    link = spawn(z, 1, &pid);
    wait_for_hello(link);
    pidfd = dup(z->fd);
    assert_int_equal(shutdown(z->control, SHUT_RDWR), 0);
    p = (struct pollfd){ .fd = pidfd, .events = POLLIN };
    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    close(pidfd);
    close(link);
}

static void a_worker_ends_by_itself_when_its_link_closes(void **state)
{
    struct fixture *z = *state;
    const Pb__Exited *e;
    pid_t pid;
    int link;

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    link = spawn(z, 3, &pid);
    wait_for_hello(link);
    close(link);
    e = expect(z, PB__FROM_ZYGOTE__BODY_EXITED)->exited;
    assert_int_equal(e->code, CLD_EXITED);
    assert_int_equal(e->status, 0);
}

static void a_hundred_ends_at_once_are_all_told(void **state)
{
    enum { N = 100 };
    struct fixture *z = *state;
    int links[N], told[N] = { 0 };
    pid_t pids[N];

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    for (int i = 0; i < N; i++) {
        links[i] = spawn(z, (uint64_t)i, &pids[i]);
        wait_for_hello(links[i]);
    }
    for (int i = 0; i < N; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < N; i++)
        told[expect(z, PB__FROM_ZYGOTE__BODY_EXITED)->exited->worker]++;
    for (int i = 0; i < N; i++) {
        assert_int_equal(told[i], 1);
        close(links[i]);
    }
}

/* The broker's table and the worker's list are two: they name the same engines, and each has a policy of its name. */
static void every_engine_is_built_in_and_has_a_policy(void **state)
{
    size_t n = 0;

    (void)state;
    for (; engines_built_in[n] != NULL; n++) {
        assert_true(engine_find(engines_built_in[n]->name) >= 0);
        assert_non_null(policy_find(engines_built_in[n]->policy != NULL ? engines_built_in[n]->policy : engines_built_in[n]->name));
    }
    assert_int_equal(n, ENGINE_COUNT);
}

static void a_worker_is_made_without_clone3(void **state)
{
    struct fixture *z = *state;
    pid_t pid;
    int link;

    expect(z, PB__FROM_ZYGOTE__BODY_READY);
    link = spawn(z, 17, &pid);
    wait_for_hello(link);
    close(link);
    assert_int_equal(expect(z, PB__FROM_ZYGOTE__BODY_EXITED)->exited->worker, 17);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(the_first_word_says_engine_version_and_filter),
        TEST(a_spawned_worker_greets_and_its_end_is_told_before_its_pid_is_freed),
        TEST(a_spawn_without_a_link_fails),
        TEST(packets_that_make_no_sense_are_dropped_with_their_descriptors),
        TEST(workers_die_with_their_zygote),
        TEST(a_worker_ends_by_itself_when_its_link_closes),
        TEST(a_hundred_ends_at_once_are_all_told),
        cmocka_unit_test_setup_teardown(a_worker_is_made_without_clone3, setup_without_clone3, teardown),
        cmocka_unit_test_setup_teardown(a_worker_is_made_without_clone3, setup_with_clone3_forbidden, teardown),
        cmocka_unit_test(every_engine_is_built_in_and_has_a_policy),
    };

    return cmocka_run_group_tests_name("zygote", tests, NULL, NULL);
}
