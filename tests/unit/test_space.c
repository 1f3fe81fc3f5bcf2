/* test_space.c - what a program's worker finds around it: namespaces, files, who it is; at each tier, and as root and as an ordinary user. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "fake_broker.h"
#include "worker/output.h"
#include "worker/space.h"
#include "worker/zygote.h"
#include "zygote.pb-c.h"

enum { WAIT_MS = 20000, NOBODY = 65534, SOME_UID = 61234 };

/* ---- an engine whose jobs are questions, asked after space_close() ------------------------------------------------------------------ */

static void say(const char *text)
{
    output_write(PB__STREAM__STREAM_STDOUT, text, strlen(text));
}

__attribute__((format(printf, 1, 2))) static void sayf(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    say(text);
}

static void ask_who(void)
{
    char host[64] = "";

    gethostname(host, sizeof(host));
    sayf("pid %d ppid %d uid %u gid %u host %s", (int)getpid(), (int)getppid(), getuid(), getgid(), host);
}

static void ask_outside(void)
{
    static const char *const paths[] = { "/root",   "/home", "/etc/shadow", "/var",    "/proc/self", "/proc/outer",
                                         "/proc/1", "/sys",  "/dev/mem",    "/tmp/wt", "/run",       "/mnt" };

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], F_OK) == 0)
            sayf("%s ", paths[i]);
    say("end");
}

static void ask_program(void)
{
    int out[2], status;
    char text[256];
    ssize_t n;
    pid_t pid;

    if (pipe(out) != 0)
        return;
    pid = fork();
    if (pid == 0) {
        dup2(out[1], 1);
        execl("/bin/sh", "sh", "-c", "echo $$; id -un; pwd; echo x > f && cat f", NULL);
        _exit(errno);
    }
    close(out[1]);
    while ((n = read(out[0], text, sizeof(text))) > 0)
        output_write(PB__STREAM__STREAM_STDOUT, text, (size_t)n);
    waitpid(pid, &status, 0);
    sayf("status %d", status);
}

static const struct question {
    const char *name;
    void (*ask)(void);
} questions[] = {
    {"who",      ask_who    },
    { "outside", ask_outside},
    { "program", ask_program},
};

static void run_question(const Pb__JobSpec *spec, struct outcome *o)
{
    struct space_work want = { .disk_bytes = 1 << 20, .inodes = 10 };
    const char *path;
    int work, rc = space_work(&want, &work, &path);

    o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    if (rc == 0)
        rc = space_close();
    if (rc == 0 && fchdir(work) != 0)
        rc = -errno;
    if (rc != 0)
        sayf("no space: %s", strerrorname_np(-rc));
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]) && rc == 0; i++)
        if (strcmp(questions[i].name, spec->source_name) == 0)
            questions[i].ask();
}

static int nothing(void)
{
    return 0;
}

static int opens(unsigned threads)
{
    return threads == 1 ? 0 : -EINVAL;
}

static const struct engine asker = {
    .name = "lua", .version = "0", .prepare = nothing, .open = opens, .run = run_question, .programs = true
};
static const struct engine *const askers[] = { &asker, NULL };

/* ---- the broker's side ---------------------------------------------------------------------------------------------------------------- */

struct world {
    int control;
    pid_t zygote;
    uint32_t uid; /* of workers; 0: the zygote's */
    char tier[8], why[256], namespaces[128];
};

/* uid: of the zygote; 0: as we are. */
static void start(struct world *w, const char *tier, uid_t uid)
{
    int pair[2];

    memset(w, 0, sizeof(*w));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    w->zygote = fork();
    if (w->zygote == 0) {
        char fd[16], *argv[] = { (char *)"coop-worker", (char *)"--engine", (char *)"lua", (char *)"--control-fd", fd,
                                 (char *)"--tier",      (char *)tier,       NULL };

        close(pair[0]);
        snprintf(fd, sizeof(fd), "%d", pair[1]);
        if (uid != 0 && (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0))
            _exit(99);
        if (uid != 0)
            prctl(PR_SET_DUMPABLE, 1);
        _exit(zygote_main(7, argv, askers));
    }
    close(pair[1]);
    w->control = pair[0];
    w->uid = uid == 0 && geteuid() == 0 ? SOME_UID : 0;
}

static const Pb__FromZygote *hear(struct world *w, struct frame *f)
{
    uint8_t bytes[FRAME_MAX_ZYGOTE];
    struct pollfd p = { .fd = w->control, .events = POLLIN };
    ssize_t got;

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
    got = recv(w->control, bytes, sizeof(bytes), 0);
    assert_true(got > 0);
    assert_int_equal(frame_decode(f, &pb__from_zygote__descriptor, bytes, (size_t)got, FRAME_MAX_ZYGOTE), 0);
    return (const Pb__FromZygote *)f->msg;
}

static void expect_ready(struct world *w)
{
    struct frame f;
    const Pb__FromZygote *m = hear(w, &f);

    assert_int_equal(m->body_case, PB__FROM_ZYGOTE__BODY_READY);
    snprintf(w->tier, sizeof(w->tier), "%s", m->ready->tier);
    snprintf(w->why, sizeof(w->why), "%s", m->ready->tier_why);
    for (size_t i = 0; i < m->ready->n_namespaces; i++)
        snprintf(w->namespaces + strlen(w->namespaces), sizeof(w->namespaces) - strlen(w->namespaces), "%s ", m->ready->namespaces[i]);
    frame_release(&f);
}

static void send_spawn(struct world *w, int link)
{
    Pb__ToZygote m = PB__TO_ZYGOTE__INIT;
    Pb__Spawn s = PB__SPAWN__INIT;
    _Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))] = { 0 };
    struct cmsghdr *c = (struct cmsghdr *)room;
    struct iovec iov;
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    uint8_t *bytes;
    size_t len;

    s.worker = 1;
    s.uid = w->uid;
    s.token = (ProtobufCBinaryData){ 16, (uint8_t *)"0123456789abcdef" };
    m.body_case = PB__TO_ZYGOTE__BODY_SPAWN;
    m.spawn = &s;
    *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(c), &link, sizeof(int));
    assert_int_equal(frame_pack(&m.base, &bytes, &len), 0);
    iov = (struct iovec){ bytes, len };
    assert_int_equal(sendmsg(w->control, &msg, 0), (ssize_t)len);
    free(bytes);
}

/* One worker, one question. */
static void ask(struct world *w, const char *question, struct told *t)
{
    static const struct told_how how;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;
    const Pb__FromZygote *m;
    struct frame f;
    int pair[2];
    pid_t pid;

    memset(t, 0, sizeof(*t));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    send_spawn(w, pair[1]);
    close(pair[1]);
    for (m = hear(w, &f); m->body_case == PB__FROM_ZYGOTE__BODY_EXITED; m = hear(w, &f)) /* of the one before */
        frame_release(&f);
    assert_int_equal(m->body_case, PB__FROM_ZYGOTE__BODY_SPAWNED);
    pid = (pid_t)m->spawned->pid;
    frame_release(&f);
    limits.stdout_bytes = limits.stderr_bytes = 10000;
    spec.limits = &limits;
    spec.source_name = (char *)question;
    assert_int_equal(sp_handshake(pair[0]), 0);
    told_assign(pair[0], &spec);
    told_listen(pair[0], pid, &how, t);
    close(pair[0]);
}

static void stop(struct world *w)
{
    int status;

    close(w->control);
    assert_int_equal(waitpid(w->zygote, &status, 0), w->zygote);
    assert_true(WIFEXITED(status));
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------------------ */

static void dump(const struct told *t)
{
    printf("hello %d started %d seal_failed %d step %s error %d results %d lost %d status %x out [%s] err [%s]\n", t->hello, t->started,
           t->seal_failed, t->step, t->step_error, t->results, t->lost, t->status, t->out ? t->out : "", t->err ? t->err : "");
}

static void first_look(void **state)
{
    uid_t uids[] = { 0, NOBODY };
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world w;
        start(&w, "auto", uids[i]);
        expect_ready(&w);
        printf("tier %s why [%s] ns [%s]\n", w.tier, w.why, w.namespaces);
        for (size_t q = 0; q < sizeof(questions) / sizeof(questions[0]); q++) {
            struct told t;
            ask(&w, questions[q].name, &t);
            dump(&t);
            told_finish(&t);
        }
        stop(&w);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_look),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("space", tests, NULL, NULL);
}
