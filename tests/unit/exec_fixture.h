/*
 * exec_fixture.h - programs as jobs of a real zygote: spawned, sealed and in namespaces as the broker would have it, one by one.
 *
 * Side:    tests.
 * The zygote is asked for the tier in EXEC_TIER, or takes the best there is. A machine that gives none of those that run programs skips.
 * Owned: what run() returns belongs to the fixture; teardown() frees it.
 */
#ifndef TESTS_EXEC_FIXTURE_H
#define TESTS_EXEC_FIXTURE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "scratch.h"
#include "worker/engines.h"
#include "worker/zygote.h"
#include "zygote.pb-c.h"

enum { MIB = 1 << 20, EXEC_WAIT_MS = 60000, EXEC_UID = 61234, EXEC_FILES = 8, EXEC_ARGS = 8 };

/* A job and what came of it. Fields of spec may be changed before run(). */
struct job {
    Pb__Assign assign;
    Pb__JobSpec spec;
    Pb__Limits limits;
    ProtobufCBinaryData args[EXEC_ARGS];
    Pb__StagedFile files[EXEC_FILES], *file_list[EXEC_FILES];
    Pb__EnvVar var, *var_list[1];
    char *outputs[4], *caps[4];
    Pb__TtySize tty;
    struct told_how how;
    struct told t;
};

static struct {
    int control;
    pid_t pid;
    uint64_t last;
    char tier[8], why[512];
    char *work; /* T2: the directory of the last job, else NULL */
} zygote = { .control = -1 };

/* ---- the zygote ---------------------------------------------------------------------------------------------------------------- */

static inline void zygote_hear(struct frame *f, int *ret_fd)
{
    static uint8_t bytes[FRAME_MAX_ZYGOTE];
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { bytes, sizeof(bytes) };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct pollfd p = { .fd = zygote.control, .events = POLLIN };
    ssize_t got;

    assert_int_equal(poll(&p, 1, EXEC_WAIT_MS), 1);
    got = recvmsg(zygote.control, &msg, MSG_CMSG_CLOEXEC);
    assert_true(got > 0);
    *ret_fd = -1;
    if (CMSG_FIRSTHDR(&msg) != NULL)
        memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
    assert_int_equal(frame_decode(f, &pb__from_zygote__descriptor, bytes, (size_t)got, FRAME_MAX_ZYGOTE), 0);
}

static inline void zygote_tell(const Pb__ToZygote *m, const int *fds, size_t n)
{
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
    struct cmsghdr *c = (struct cmsghdr *)room;
    struct iovec iov = { 0 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    uint8_t *bytes;

    assert_int_equal(frame_pack(&m->base, &bytes, &iov.iov_len), 0);
    iov.iov_base = bytes;
    if (n > 0) {
        msg.msg_control = room;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    assert_int_equal(sendmsg(zygote.control, &msg, 0), (ssize_t)iov.iov_len);
    free(bytes);
}

static void (*zygote_prelude)(void); /* in the zygote's process, before it is one */

static inline _Noreturn void zygote_become(int control)
{
    char fd[16],
        *argv[] = { (char *)"zygote", (char *)"--engine", (char *)"exec", (char *)"--control-fd", fd, (char *)"--tier", NULL, NULL };
    const char *tier = getenv("EXEC_TIER");

    snprintf(fd, sizeof(fd), "%d", control);
    if (zygote_prelude != NULL)
        zygote_prelude();
    argv[6] = (char *)(tier != NULL ? tier : "auto");
    exit(zygote_main(7, argv, engines_built_in));
}

static inline int zygote_start(void **state)
{
    int pair[2], fd;
    struct frame f;
    const Pb__FromZygote *m;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    fcntl(pair[0], F_SETFD, FD_CLOEXEC);
    zygote.pid = fork();
    assert_true(zygote.pid >= 0);
    if (zygote.pid == 0) {
        close(pair[0]);
        zygote_become(pair[1]);
    }
    close(pair[1]);
    zygote.control = pair[0];
    zygote_hear(&f, &fd);
    m = (const Pb__FromZygote *)f.msg;
    assert_int_equal(m->body_case, PB__FROM_ZYGOTE__BODY_READY);
    snprintf(zygote.tier, sizeof(zygote.tier), "%s", m->ready->tier);
    snprintf(zygote.why, sizeof(zygote.why), "%s", m->ready->tier_why);
    print_message("tier %s (%s)\n", zygote.tier, zygote.why);
    frame_release(&f);
    return 0;
}

static inline int zygote_stop(void **state)
{
    int status;

    (void)state;
    close(zygote.control);
    assert_int_equal(waitpid(zygote.pid, &status, 0), zygote.pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static inline int without_namespaces(void)
{
    return strcmp(zygote.tier, "T2") == 0;
}

/* As the broker does: the job's own, gone with it. */
static inline int make_work(void)
{
    int fd;

    zygote.work = scratch_make();
    assert_non_null(zygote.work);
    assert_true(geteuid() != 0 || chown(zygote.work, EXEC_UID, EXEC_UID) == 0);
    fd = open(zygote.work, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* Where the program finds its files. */
static inline const char *work_path(void)
{
    return zygote.work != NULL ? zygote.work : "/work";
}

static inline int zygote_spawn(pid_t *ret_pid)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Spawn s = PB__SPAWN__INIT;
    const Pb__FromZygote *got;
    int pair[2], fds[2], fd;
    struct frame f;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    s.worker = ++zygote.last;
    s.uid = geteuid() == 0 ? EXEC_UID : 0; /* programs never run as root */
    s.token = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
    m.body_case = PB__TO_ZYGOTE__BODY_SPAWN;
    m.spawn = &s;
    fds[0] = pair[1];
    s.work_dir = without_namespaces();
    if (s.work_dir)
        fds[1] = make_work();
    zygote_tell(&m, fds, 1 + s.work_dir);
    for (unsigned i = 0; i <= s.work_dir; i++)
        close(fds[i]);
    zygote_hear(&f, &fd);
    got = (const Pb__FromZygote *)f.msg;
    if (got->body_case == PB__FROM_ZYGOTE__BODY_SPAWN_FAILED)
        print_message("not spawned: %s\n", strerror((int)got->spawn_failed->error));
    assert_int_equal(got->body_case, PB__FROM_ZYGOTE__BODY_SPAWNED);
    *ret_pid = (pid_t)got->spawned->pid;
    close(fd);
    frame_release(&f);
    return pair[0];
}

static inline void zygote_reap(void)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Reap r = PB__REAP__INIT;
    struct frame f;
    int fd;

    zygote_hear(&f, &fd);
    assert_int_equal(((const Pb__FromZygote *)f.msg)->body_case, PB__FROM_ZYGOTE__BODY_EXITED);
    frame_release(&f);
    r.worker = zygote.last;
    m.body_case = PB__TO_ZYGOTE__BODY_REAP;
    m.reap = &r;
    zygote_tell(&m, NULL, 0);
}

/* ---- a job --------------------------------------------------------------------------------------------------------------------- */

static inline int setup(void **state)
{
    static struct job j;

    memset(&j, 0, sizeof(j));
    pb__job_spec__init(&j.spec);
    pb__limits__init(&j.limits);
    j.limits.stdout_bytes = j.limits.stderr_bytes = MIB;
    j.limits.memory_bytes = 1024ull * MIB;
    j.limits.cpu_us = 60 * 1000000;
    j.limits.pids = 64;
    j.limits.files = 256;
    j.limits.file_bytes = j.limits.disk_bytes = 256 * MIB;
    j.limits.inodes = 10000;
    j.limits.result_bytes = 16 * MIB;
    j.spec.limits = &j.limits;
    *state = &j;
    return 0;
}

static inline int teardown(void **state)
{
    told_finish(&((struct job *)*state)->t);
    scratch_remove(zygote.work);
    zygote.work = NULL;
    return 0;
}

static inline void add_arg(struct job *j, const char *text)
{
    j->args[j->spec.n_args++] = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
    j->spec.args = j->args;
}

static inline void set_env(struct job *j, const char *name, const char *value)
{
    pb__env_var__init(&j->var);
    j->var.name = (char *)name;
    j->var.value = (ProtobufCBinaryData){ strlen(value), (uint8_t *)value };
    j->var_list[0] = &j->var;
    j->spec.env = j->var_list;
    j->spec.n_env = 1;
}

static inline void add_file(struct job *j, const char *name, uint32_t mode, const char *text)
{
    Pb__StagedFile *f = &j->files[j->spec.n_files];

    pb__staged_file__init(f);
    f->name = (char *)name;
    f->mode = mode;
    f->data = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
    j->file_list[j->spec.n_files++] = f;
    j->spec.files = j->file_list;
}

static inline void add_output(struct job *j, const char *glob)
{
    j->outputs[j->spec.n_outputs++] = (char *)glob;
    j->spec.outputs = j->outputs;
}

static inline void add_cap(struct job *j, const char *cap)
{
    j->caps[j->spec.n_caps++] = (char *)cap;
    j->spec.caps = j->caps;
}

/* Assigned, listened to, killed and reaped. */
static inline void run(struct job *j)
{
    pid_t pid;
    int link = zygote_spawn(&pid);

    assert_int_equal(sp_handshake(link), 0);
    told_assign(link, &j->spec);
    told_listen(link, pid, &j->how, &j->t);
    close(link);
    zygote_reap();
    if (j->t.seal_failed > 0)
        print_message("seal step %s: %s\n", j->t.step, strerror(j->t.step_error));
    assert_int_equal(j->t.seal_failed, 0);
}

/* How many processes have this text as one of their arguments: nobody else's, if it is odd enough. */
static inline int processes_with(const char *text)
{
    DIR *proc = opendir("/proc");
    const struct dirent *e;
    int n = 0;

    assert_non_null(proc);
    while ((e = readdir(proc)) != NULL) {
        char path[300], args[4096];
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        f = e->d_name[0] >= '1' && e->d_name[0] <= '9' ? fopen(path, "re") : NULL;
        if (f == NULL)
            continue;
        for (size_t got = fread(args, 1, sizeof(args), f), at = 0; at < got; at += strnlen(args + at, got - at) + 1)
            n += strncmp(args + at, text, got - at) == 0;
        fclose(f);
    }
    closedir(proc);
    return n;
}

static inline void run_shell(struct job *j, const char *script)
{
    j->spec.program = (char *)"/bin/bash";
    add_arg(j, "-c");
    add_arg(j, script);
    run(j);
}

static inline void ended_with(const struct job *j, int code)
{
    if (j->t.kind != PB__RESULT_KIND__RESULT_KIND_EXIT || j->t.exit_code != code)
        print_message("kind %d code %d signal %d violations %d (nr %u, %s) lost %d: %s\nout: %s\nerr: %s\n", (int)j->t.kind, j->t.exit_code,
                      j->t.signal, j->t.violations, j->t.violation_nr, j->t.who, j->t.lost, j->t.message, j->t.out, j->t.err);
    assert_int_equal(j->t.results, 1);
    assert_int_equal(j->t.kind, PB__RESULT_KIND__RESULT_KIND_EXIT);
    assert_int_equal(j->t.exit_code, code);
}

#endif
