/*
 * probe_template.c - the real zygote, seal, policy, link and template_run() around an engine whose "init" names what a template, or a child of one, must not
 * do. It is registered as "lua", so that neither broker nor policy can tell it from the real one.
 *
 * The init is one word, a row of the table below. `probe-template --acts` prints each as "NAME<TAB>WHY": a part of the reason for which the broker must
 * have ended the template; WHY "-": it must live, and its child's job ends as "CAUSE" says in a third column.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sp.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/template.h"
#include "worker/zygote.h"

static uid_t own_uid;
static const char *act_name = ""; /* of the template, and so of its children */

/* ---- what acts are made of ----------------------------------------------------------------------------------------------------- */

static long clone_one(void)
{
    return syscall(SYS_clone, FORK_FLAGS, NULL, NULL, NULL, NULL);
}

static void say(const Pb__FromWorker *m)
{
    link_send(m);
}

static void say_warm(void)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Warm w = PB__WARM__INIT;

    m.body_case = PB__FROM_WORKER__BODY_WARM;
    m.warm = &w;
    say(&m);
}

static void say_fork_failed(uint64_t worker, int error)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__ForkFailed f = PB__FORK_FAILED__INIT;

    f.worker = worker;
    f.error = (uint32_t)error;
    m.body_case = PB__FROM_WORKER__BODY_FORK_FAILED;
    m.fork_failed = &f;
    say(&m);
}

static size_t pack(const Pb__FromWorker *m, uint8_t *at)
{
    size_t len = protobuf_c_message_pack(&m->base, at + SP_HEADER_LEN);

    sp_header_put(at, len);
    return SP_HEADER_LEN + len;
}

static void write_all(int fd, const void *bytes, size_t len)
{
    if (write(fd, bytes, len) != (ssize_t)len)
        _exit(9);
}

/* As a child says it, on this descriptor; the greeting before it. All in one write: the broker gives a job to a child as soon as it has said hello, and what
   comes after that is the job's. */
static void hellos_on(int fd, const Pb__Fork *order, int times)
{
    static char *seal[] = { (char *)"forged" };
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Hello h = PB__HELLO__INIT;
    uint8_t bytes[512] = SP_HELLO(SP_PROTO_PAIR0);
    size_t len = SP_HELLO_LEN;

    h.token = order->token;
    h.seal = seal;
    h.n_seal = 1;
    h.uid = own_uid;
    m.body_case = PB__FROM_WORKER__BODY_HELLO;
    m.hello = &h;
    while (times-- > 0)
        len += pack(&m, bytes + len);
    write_all(fd, bytes, len);
}

static void hello_on(int fd, const Pb__Fork *order)
{
    hellos_on(fd, order, 1);
}

static const Pb__Fork *order(void)
{
    static struct frame f;
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    int fd = -1;

    if (sp_recv_descriptor(LINK_FD, &bytes, &cap, FRAME_MAX_ASSIGN, &len, &fd) != 0 || fd < 0)
        _exit(0);
    if (frame_decode(&f, &pb__to_worker__descriptor, bytes, len, FRAME_MAX_ASSIGN) != 0)
        _exit(9);
    return ((const Pb__ToWorker *)f.msg)->fork;
}

/* For ever, without a call that would end it. A second's worth of CPU time is what it is given. */
static _Noreturn void rest(void)
{
    uint8_t byte;

    for (;;)
        if (read(LINK_FD, &byte, 1) <= 0 && errno != EINTR)
            (void)syscall(SYS_futex, &byte, 128, byte, NULL, NULL, 0); /* FUTEX_WAIT_PRIVATE */
}

/* A child that never put its link in the place of the template's: on that it would take what is the template's. */
static _Noreturn void stay(void)
{
    static uint32_t word;

    for (;;)
        (void)syscall(SYS_futex, &word, 128, 0, NULL, NULL, 0);
}

/* ---- the acts ------------------------------------------------------------------------------------------------------------------ */

static void act_clone_in_init(void)
{
    clone_one();
    rest();
}

static void act_clone_unasked(void)
{
    say_warm();
    clone_one();
    rest();
}

static void act_clone_bomb(void)
{
    say_warm();
    (void)order();
    for (;;)
        clone_one(); /* the first has leave; all that come of it go on */
}

static void act_clone_twice(void)
{
    const Pb__Fork *o;

    say_warm();
    o = order();
    if (clone_one() == 0) {
        hello_on(FORK_FD, o);
        stay();
    }
    clone_one();
    rest();
}

static void act_never(void)
{
    say_warm();
    (void)order();
    rest();
}

static void act_silent_child(void)
{
    say_warm();
    (void)order();
    if (clone_one() == 0)
        stay();
    rest();
}

/* The next order is the child's to take. */
static void act_child_steals(void)
{
    const Pb__Fork *o;

    say_warm();
    o = order();
    if (clone_one() == 0) {
        hello_on(FORK_FD, o);
        rest();
    }
    close(FORK_FD);
    stay();
}

static void act_garbage(void)
{
    say_warm();
    (void)order();
    write_all(FORK_FD, "this is not how a child speaks", 30);
    rest();
}

static void act_hello_itself(void)
{
    say_warm();
    hello_on(FORK_FD, order());
    rest();
}

/* There is a child, but it is the template that speaks for it. */
static void act_hello_for_child(void)
{
    const Pb__Fork *o;

    say_warm();
    o = order();
    if (clone_one() == 0)
        stay();
    hello_on(FORK_FD, o);
    rest();
}

static void act_wrong_token(void)
{
    Pb__Fork wrong = PB__FORK__INIT;

    say_warm();
    (void)order();
    wrong.token = (ProtobufCBinaryData){ 16, (uint8_t *)"somebody else's." };
    if (clone_one() == 0) {
        hello_on(FORK_FD, &wrong);
        stay();
    }
    rest();
}

/* The child is one of the broker's workers by then. */
static void act_speaks_for_child(void)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Warm w = PB__WARM__INIT;
    uint8_t bytes[64];
    const Pb__Fork *o;

    say_warm();
    o = order();
    if (clone_one() == 0) {
        hello_on(FORK_FD, o);
        stay();
    }
    m.body_case = PB__FROM_WORKER__BODY_WARM;
    m.warm = &w;
    (void)order(); /* the next: so the first has been taken. Its descriptor is 5: this one is not our business */
    write_all(FORK_FD, bytes, pack(&m, bytes));
    rest();
}

static void act_hello_twice(void)
{
    const Pb__Fork *o;

    say_warm();
    o = order();
    if (clone_one() == 0) {
        hellos_on(FORK_FD, o, 2);
        stay();
    }
    rest();
}

static void act_warm_twice(void)
{
    say_warm();
    say_warm();
    rest();
}

static void act_output_when_warm(void)
{
    say_warm();
    output_write(PB__STREAM__STREAM_STDERR, "hello?\n", 7);
    rest();
}

static void act_fork_failed_unasked(void)
{
    say_warm();
    say_fork_failed(1, EAGAIN);
    rest();
}

/* It says that there is no child, and there is one. */
static void act_hidden_child(void)
{
    const Pb__Fork *o;

    say_warm();
    o = order();
    if (clone_one() == 0)
        stay();
    say_fork_failed(o->worker, EAGAIN);
    rest();
}

static void act_link_replaced(void)
{
    say_warm();
    (void)order();
    dup2(FORK_FD, LINK_FD);
    rest();
}

static void act_exits(void)
{
    say_warm();
    _exit(0);
}

static void act_burns(void)
{
    say_warm();
    for (;;)
        ;
}

static void act_other_call(void)
{
    say_warm();
    syscall(SYS_socket, 1, 1, 0);
    rest();
}

static void act_other_clone(void)
{
    say_warm();
    (void)order();
    syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    rest();
}

static void act_untraced_clone(void)
{
    say_warm();
    (void)order();
    syscall(SYS_clone, FORK_FLAGS | CLONE_NEWUSER, NULL, NULL, NULL, NULL);
    rest();
}

static void act_listens(void)
{
    say_warm();
    syscall(SYS_ioctl, FORK_FD, 0xc0502100, NULL); /* SECCOMP_IOCTL_NOTIF_RECV: ENOTTY by its row */
    syscall(SYS_seccomp, 1, 8, NULL);
    rest();
}

/* ---- children: the template is honest, they are not ---- */

static void child_forks(void)
{
    clone_one();
    stay();
}

/* Reads on what was the template's link, if it were still there; its own is in that place. */
static void child_is_honest(void)
{
    char text[64];
    struct rlimit l;
    int n;

    getrlimit(RLIMIT_NPROC, &l);
    n = snprintf(text, sizeof(text), "nproc %d, next fd %ld\n", (int)l.rlim_cur, syscall(SYS_dup2, FORK_FD, LINK_FD));
    output_write(PB__STREAM__STREAM_STDOUT, text, (size_t)n);
}

/* ---- children that do not want to die with anybody ---- */

/* Does not ask for its parent's death to be its own, and works as any worker meanwhile. */
static void act_undying(void)
{
    static uint8_t *bytes;
    static size_t cap, len;
    const Pb__Fork *o;

    say_warm();
    for (;;) {
        o = order();
        if (clone_one() == 0)
            break;
        close(FORK_FD);
    }
    hello_on(FORK_FD, o);
    (void)sp_recv(FORK_FD, &bytes, &cap, FRAME_MAX_ASSIGN, &len);
    for (;;)
        (void)syscall(SYS_futex, &len, 128, (int)len, NULL, NULL, 0);
}

/* clang-format off */
static const struct act {
    const char *name;
    void (*as_template)(void); /* NULL: an honest one */
    void (*as_child)(void);    /* NULL: prints its act */
    const char *why;           /* a part of why the template was ended; "-": it was not */
    const char *job;           /* the cause of the job that wanted it; "-": of that nothing is said */
} acts[] = {
    { "clone_in_init",      act_clone_in_init,      NULL, "it forked without leave",                   "-" },
    { "clone_unasked",      act_clone_unasked,      NULL, "it forked without leave",                   "-" },
    { "clone_bomb",         act_clone_bomb,         NULL, "forked",                                    "start_failed" },
    { "clone_twice",        act_clone_twice,        NULL, "it forked without leave",                   "-" },
    { "never",              act_never,              NULL, "did not say hello in time",                 "start_failed" },
    { "silent_child",       act_silent_child,       NULL, "did not say hello in time",                 "start_failed" },
    { "child_steals",       act_child_steals,       NULL, "its child",                                 "-" },
    { "garbage",            act_garbage,            NULL, "a message that is refused",                 "start_failed" },
    { "hello_itself",       act_hello_itself,       NULL, "a hello came before its fork",              "start_failed" },
    { "hello_for_child",    act_hello_for_child,    NULL, "a process that is not its child said hello", "start_failed" },
    { "wrong_token",        act_wrong_token,        NULL, "a message that is refused (hello)",         "start_failed" },
    { "speaks_for_child",   act_speaks_for_child,   NULL, "another process writes on the link of its child", "-" },
    { "hello_twice",        act_hello_twice,        NULL, "a message that is refused (hello)",         "-" },
    { "warm_twice",         act_warm_twice,         NULL, "a message that is refused (warm)",          "-" },
    { "output_when_warm",   act_output_when_warm,   NULL, "a message that is refused (output)",        "-" },
    { "fork_failed_unasked", act_fork_failed_unasked, NULL, "a message that is refused (fork_failed)", "-" },
    { "link_replaced",      act_link_replaced,      NULL, "its link",                                  "start_failed" },
    { "exits",              act_exits,              NULL, "ended with code 0",                         "-" },
    { "burns",              act_burns,              NULL, "cpu",                                       "-" },
    { "other_call",         act_other_call,         NULL, "socket",                                    "-" },
    { "other_clone",        act_other_clone,        NULL, "clone",                                     "start_failed" },
    { "untraced_clone",     act_untraced_clone,     NULL, "clone",                                     "start_failed" },
    { "listens",            act_listens,            NULL, "seccomp",                                   "-" },
    { "hidden_child",       act_hidden_child,       NULL, "-",                                         "start_failed" },
    { "child_forks",        NULL, child_forks,            "-",                                         "policy" },
    { "child_is_honest",    NULL, child_is_honest,        "-",                                         "ok" },
    { "undying",            act_undying,            NULL, "",                                          "" },
};
/* clang-format on */
enum { ACTS = sizeof(acts) / sizeof(acts[0]) };

/* ---- the engine ---------------------------------------------------------------------------------------------------------------- */

static int probe_prepare(void)
{
    return 0;
}

static int probe_open(unsigned threads)
{
    (void)threads;
    own_uid = getuid();
    return 0;
}

static const struct act *find(const char *name, size_t len)
{
    for (int i = 0; i < ACTS; i++)
        if (strlen(acts[i].name) == len && memcmp(acts[i].name, name, len) == 0)
            return &acts[i];
    return NULL;
}

static const struct act *now;

static int probe_warm(const Pb__JobSpec *spec, struct outcome *o)
{
    now = find((const char *)spec->source.data, spec->source.len);
    if (now == NULL) {
        o->kind = PB__RESULT_KIND__RESULT_KIND_EXCEPTION;
        snprintf(o->message, sizeof(o->message), "no such act");
        return -EINVAL;
    }
    act_name = now->name;
    if (now->as_template != NULL)
        now->as_template();
    return 0;
}

static void probe_run(const Pb__JobSpec *spec, struct outcome *o)
{
    (void)spec;
    if (now != NULL && now->as_child != NULL)
        now->as_child();
    else
        output_write(PB__STREAM__STREAM_STDOUT, act_name, strlen(act_name));
    o->kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
}

static const struct engine probe_engine = {
    .name = "lua", .version = "probe", .prepare = probe_prepare, .open = probe_open, .run = probe_run, .warm = probe_warm
};

static int print_acts(void)
{
    for (int i = 0; i < ACTS; i++)
        if (*acts[i].why != '\0')
            printf("%s\t%s\t%s\n", acts[i].name, acts[i].why, acts[i].job);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct engine *const engines[] = { &probe_engine, NULL };

    if (argc == 2 && strcmp(argv[1], "--acts") == 0)
        return print_acts();
    return zygote_main(argc, argv, engines);
}
