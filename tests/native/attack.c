/*
 * attack.c - a hostile native job for the escape tests: real code, loaded after the seal, that tries what a tenant must not manage. Each
 * argument is an attempt by name, or "-": lines of standard input, "call NR [ARG...]", any system call; an argument is a number, or @ for
 * the address of a page that is there for it. An attempt that returns prints "NAME RET ERRNO"; what has to become of it is in
 * tests/escape/test_native_escape.c. $CANARY is the path of a file that no attempt may change.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <coop/native.h>

enum { LINK = 3, MODULE = 4, PAGE = 4096 };

static char page[PAGE] __attribute__((aligned(PAGE)));
static const char *canary;

static void say(const char *name, long ret)
{
    printf("%s %ld %d\n", name, ret, ret == -1 ? errno : 0);
}

/* ---- memory that would be executable ---------------------------------------------------------------------------------------------- */

static const unsigned char ret_42[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

static long rwx_mmap(void)
{
    return mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long rx_mmap(void)
{
    return mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long exec_gain(void)
{
    memcpy(page, ret_42, sizeof(ret_42));
    return mprotect(page, PAGE, PROT_READ | PROT_EXEC);
}

static long rwx_mprotect(void)
{
    return mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static long run_data(void)
{
    memcpy(page, ret_42, sizeof(ret_42));
    return ((int (*)(void))(uintptr_t)page)();
}

/* Its own code may be made writable, and stops being code. */
static int victim(void)
{
    return 1;
}

static char *victim_page(void)
{
    return (char *)((uintptr_t)victim & ~(uintptr_t)(PAGE - 1));
}

static long patch_code(void)
{
    volatile unsigned char *code = (volatile unsigned char *)(uintptr_t)victim;

    if (mprotect(victim_page(), PAGE, PROT_READ | PROT_WRITE) != 0)
        return -1;
    code[0] = 0xc3;
    return victim(); /* on the same page as this very function */
}

static long map_module_again(void)
{
    return mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, MODULE, 0) == MAP_FAILED ? -1 : 0;
}

/* The first of its code that runs, before it is even relocated: nothing of libc's, and only what the compiler reaches by itself. */
static long seen_early;

static int one(void)
{
    return 1;
}

static int (*resolve(void))(void)
{
    register long flags __asm__("r10") = MAP_PRIVATE, fd __asm__("r8") = MODULE, offset __asm__("r9") = 0;
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(SYS_mmap), "D"(0), "S"(PAGE), "d"(PROT_READ | PROT_EXEC), "r"(flags), "r"(fd), "r"(offset)
                     : "rcx", "r11", "memory");
    seen_early = ret;
    return one;
}

int chosen_early(void) __attribute__((ifunc("resolve")));

static long map_module_early(void)
{
    errno = (int)-seen_early;
    return chosen_early() == 1 && seen_early < 0 ? -1 : 0;
}

static long write_module(void)
{
    return pwrite(MODULE, ret_42, sizeof(ret_42), 0);
}

static long closes_module(void)
{
    return close(MODULE);
}

static long closes_null(void)
{
    return close(0);
}

static long null_over_module(void)
{
    return dup2(0, MODULE);
}

static long link_over_module(void)
{
    return dup2(LINK, MODULE);
}

static long map_link(void)
{
    return mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, LINK, 0) == MAP_FAILED ? -1 : 0;
}

static long map_null(void)
{
    return mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, 0, 0) == MAP_FAILED ? -1 : 0;
}

static long another_memfd(void)
{
    return memfd_create("x", 0);
}

static long unmap_all(void)
{
    return munmap(NULL, 0x7ffffffff000); /* all that a process may map */
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------ */

static long open_canary(void)
{
    return open(canary, O_RDWR);
}

static long stdio_canary(void)
{
    FILE *f = fopen(canary, "r+");

    return f == NULL ? -1 : fclose(f);
}

static long list_root(void)
{
    return opendir("/") == NULL ? -1 : 0;
}

static long open_own_memory(void)
{
    return open("/proc/self/mem", O_RDWR);
}

/* The loader's own way: the name that it was let have, once. */
static long open_module_name(void)
{
    return open("/attack.so", O_RDONLY | O_CLOEXEC);
}

static long load_passwd(void)
{
    return dlopen("/etc/passwd", RTLD_NOW) == NULL ? -1 : 0;
}

static long load_library(void)
{
    return dlopen("libcrypt.so.1", RTLD_NOW) == NULL ? -1 : 0;
}

static long unload_self(void)
{
    void *self = dlopen("/attack.so", RTLD_NOW | RTLD_NOLOAD);

    if (self == NULL)
        return -1;
    for (int i = 0; i < 10; i++)
        dlclose(self);
    return 0;
}

static long make_link(void)
{
    return symlink("/etc/passwd", "/tmp/coop-escaped");
}

/* ---- processes -------------------------------------------------------------------------------------------------------------------- */

static long forks(void)
{
    return fork();
}

static long vforks(void)
{
    return (long)syscall(SYS_vfork);
}

static void *nothing(void *arg)
{
    return arg;
}

static long thread(void)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, nothing, NULL);

    errno = rc;
    return rc == 0 ? 0 : -1;
}

static long runs_shell(void)
{
    return system("touch /tmp/coop-escaped");
}

static long spawns(void)
{
    static char *argv[] = { "touch", "/tmp/coop-escaped", NULL };
    pid_t pid;
    int rc = posix_spawn(&pid, "/usr/bin/touch", NULL, NULL, argv, NULL);

    errno = rc;
    return rc == 0 ? 0 : -1;
}

static long execs(void)
{
    static char *argv[] = { "touch", "/tmp/coop-escaped", NULL };

    return execv("/usr/bin/touch", argv);
}

static long kill_parent(void)
{
    return kill(getppid(), SIGKILL);
}

static long kill_everybody(void)
{
    return kill(-1, SIGKILL);
}

static long kill_neighbour(void)
{
    return syscall(SYS_tgkill, getpid() + 1, getpid() + 1, SIGKILL);
}

/* Told as an abort of its own; nothing is sent. */
static long abort_neighbour(void)
{
    return syscall(SYS_tgkill, getpid() + 1, getpid() + 1, SIGABRT);
}

static long traces(void)
{
    return ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static long reads_init(void)
{
    struct iovec mine = { page, 8 }, theirs = { page, 8 };

    return process_vm_readv(1, &mine, 1, &theirs, 1, 0);
}

static long raises_limit(void)
{
    struct rlimit r = { RLIM_INFINITY, RLIM_INFINITY };

    return setrlimit(RLIMIT_AS, &r);
}

static long raises_processes(void)
{
    struct rlimit r = { 100, 100 };

    return setrlimit(RLIMIT_NPROC, &r);
}

/* ---- the kernel's settings -------------------------------------------------------------------------------------------------------- */

static long personal(void)
{
    return personality(READ_IMPLIES_EXEC);
}

static long dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1);
}

static long own_filter(void)
{
    return syscall(SYS_seccomp, 0, 0, NULL);
}

static void swallow(int signo)
{
    (void)signo;
}

static long handles_sigsys(void)
{
    return signal(SIGSYS, swallow) == SIG_ERR ? -1 : 0;
}

static long blocked_sigsys(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return socket(AF_INET, SOCK_STREAM, 0);
}

/* An answered call needs its handler too. */
static long blocked_answer(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    return open(canary, O_RDWR);
}

static long no_signal_stack(void)
{
    stack_t none = { .ss_flags = SS_DISABLE };

    sigaltstack(&none, NULL);
    return socket(AF_INET, SOCK_STREAM, 0);
}

static long bad_signal_stack(void)
{
    stack_t bad = { .ss_sp = (void *)4096, .ss_size = 65536 };

    sigaltstack(&bad, NULL);
    return socket(AF_INET, SOCK_STREAM, 0);
}

static long int80(void)
{
    long ret;

    __asm__ volatile("int $0x80" : "=a"(ret) : "a"(20), "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
    return ret;
}

static long x32(void)
{
    return syscall(0x40000000 | SYS_getpid);
}

/* ---- talking -------------------------------------------------------------------------------------------------------------------------- */

static long internet(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static long abstract_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM, 0);
}

static long sends_descriptor(void)
{
    struct iovec io = { page, 1 };
    struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1 };

    return sendmsg(LINK, &m, 0);
}

static long closes_link(void)
{
    return close(LINK);
}

static long shuts_link(void)
{
    return shutdown(LINK, SHUT_RDWR);
}

/* Until the broker has read it, and judged. */
static long rest(void)
{
    return coop_sleep_until(COOP_NEVER - 1);
}

static long frame(const void *body, size_t len)
{
    unsigned char head[9] = { 1 };
    struct iovec io[2] = {
        {head,                     sizeof(head)},
        { (void *)(uintptr_t)body, len         }
    };

    for (int i = 0; i < 8; i++)
        head[8 - i] = (unsigned char)(len >> (8 * i));
    fflush(stdout);
    (void)!writev(LINK, io, 2);
    return rest();
}

static long garbage(void)
{
    return frame("\xff\xff\xff\xff", 4);
}

static long second_hello(void)
{
    return frame("\x0a\x02\x0a\x00", 4);
}

static long exit_code_300(void)
{
    return frame("\x32\x05\x08\x01\x10\xac\x02", 7);
}

static long endless_frame(void)
{
    static const unsigned char head[9] = { 1, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    struct iovec io = { (void *)(uintptr_t)head, sizeof(head) };

    (void)!writev(LINK, &io, 1);
    return rest();
}

/* Past its credit, round all that counts in the worker. */
static long overdraws(void)
{
    static unsigned char big[70000 + 16] = { 0x22, 0, 0, 0, 0x08, 0x01, 0x12 };
    size_t len = 70000, body = 2 + 1 + 3 + len;

    big[1] = (unsigned char)(body | 0x80), big[2] = (unsigned char)(body >> 7 | 0x80), big[3] = (unsigned char)(body >> 14);
    big[7] = (unsigned char)(len | 0x80), big[8] = (unsigned char)(len >> 7 | 0x80), big[9] = (unsigned char)(len >> 14);
    return frame(big, 4 + body);
}

/* ---- buffers: descriptors that the broker sends ------------------------------------------------------------------------------------- */

/* Says a frame and reads the answer, whatever it is; the descriptor that came with it, or -1. */
static int ask(const void *body, size_t len)
{
    static unsigned char answer[4096];
    unsigned char head[9] = { 1 };
    char room[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
    struct iovec out[2] = {
        {head,                     sizeof(head)},
        { (void *)(uintptr_t)body, len         }
    }, in = { head, sizeof(head) };
    struct msghdr m = { .msg_iov = &in, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
    struct cmsghdr *c;
    int fd = -1;

    head[8] = (unsigned char)len;
    if (writev(LINK, out, 2) < 0 || recvmsg(LINK, &m, MSG_CMSG_CLOEXEC) != sizeof(head))
        return -1;
    c = CMSG_FIRSTHDR(&m);
    if (c != NULL && c->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(c), sizeof(fd));
    len = (size_t)head[7] << 8 | head[8];
    for (size_t have = 0; have < len;) {
        ssize_t n = read(LINK, answer + have, len - have);

        if (n <= 0)
            return -1;
        have += (size_t)n;
    }
    return fd;
}

/* Ask{number, buffer_new{4096}}: each time another one. */
static int new_buffer(void)
{
    static unsigned char body[] = { 0x5a, 8, 0x08, 0, 0xc2, 0x02, 3, 0x08, 0x80, 0x20 };

    body[3]++;
    return ask(body, sizeof(body));
}

/* Of the first that was made: its handle is 1. */
static void seal_buffer(void)
{
    (void)ask("\x5a\x09\x08\x64\xca\x02\x04\x0a\x02\x08\x01", 11);
}

static int map_buffer(void)
{
    return ask("\x5a\x09\x08\x65\xd2\x02\x04\x0a\x02\x08\x01", 11);
}

static long errno_of(const void *at)
{
    return at == MAP_FAILED ? -1 : 0;
}

/* Behind the module's number, which somebody has tried to free before. */
static long buffer_lands(void)
{
    (void)close(MODULE);
    (void)close(0);
    return new_buffer();
}

static long buffer_exec(void)
{
    int fd = buffer_lands() == -1 ? -1 : new_buffer();

    return errno_of(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
}

static long buffer_shared_exec(void)
{
    return errno_of(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, new_buffer(), 0));
}

static long buffer_exec_gain(void)
{
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, new_buffer(), 0);

    memcpy(at, ret_42, sizeof(ret_42));
    return mprotect(at, PAGE, PROT_READ | PROT_EXEC);
}

static long buffer_run(void)
{
    void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, new_buffer(), 0);

    memcpy(at, ret_42, sizeof(ret_42));
    return ((int (*)(void))(uintptr_t)at)();
}

/* The number that may be mapped to be executed. */
static long buffer_over_module(void)
{
    return dup2(new_buffer(), MODULE);
}

/* As many as there are, and none of them has that number. */
static long buffers_all(void)
{
    int fd, n = 0;

    while ((fd = new_buffer()) >= 0)
        n += fd == MODULE || fd < MODULE ? 1000 : 1;
    return n;
}

static long buffer_writes_after_seal(void)
{
    int fd = new_buffer();
    char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (at == MAP_FAILED || munmap(at, PAGE) != 0)
        return -2;
    seal_buffer();
    return errno_of(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

/* While it is mapped for writing it is not sealed, however often that is asked for. */
static long buffer_sealed_while_mapped(void)
{
    int fd = new_buffer();
    volatile char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    seal_buffer();
    at[0] = 'x';
    return errno_of(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
}

static long buffer_made_writable(void)
{
    void *at;

    (void)close(new_buffer());
    seal_buffer();
    at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, map_buffer(), 0);
    return at == MAP_FAILED ? -2 : mprotect(at, PAGE, PROT_READ | PROT_WRITE);
}

static long buffer_peeks(void)
{
    char byte;
    struct iovec in = { &byte, 1 };
    struct msghdr m = { .msg_iov = &in, .msg_iovlen = 1 };

    return recvmsg(LINK, &m, MSG_PEEK);
}

/* ---- queues ---------------------------------------------------------------------------------------------------------------------------- */

static unsigned char *varint(unsigned char *at, unsigned long v)
{
    for (; v > 0x7f; v >>= 7)
        *at++ = (unsigned char)(v | 0x80);
    *at++ = (unsigned char)v;
    return at;
}

static void put_frame(const void *body, size_t len)
{
    unsigned char head[9] = { 1 };
    struct iovec io[2] = {
        {head,                     sizeof(head)},
        { (void *)(uintptr_t)body, len         }
    };

    head[6] = (unsigned char)(len >> 16), head[7] = (unsigned char)(len >> 8), head[8] = (unsigned char)len;
    (void)!writev(LINK, io, 2);
}

/* An Ask with this number whose body is the bytes of a field of this number. */
static void put_ask(unsigned long number, unsigned field, const void *bytes, size_t len)
{
    static unsigned char body[70000], inner[70000];
    unsigned char *at = inner, *end;

    *at++ = 0x08;
    at = varint(at, number);
    at = varint(at, field << 3 | 2);
    at = varint(at, len);
    memcpy(at, bytes, len);
    at += len;
    end = body;
    *end++ = 0x5a;
    end = varint(end, (unsigned long)(at - inner));
    memcpy(end, inner, (size_t)(at - inner));
    put_frame(body, (size_t)(end - body) + (size_t)(at - inner));
}

enum { QUEUE_CREATE = 30, QUEUE_PUT = 32, QUEUE_GET = 33, VALUE = 30000 };

/* QueuePut{queue 1, one item, for ever}, of which only the first fits; nothing is read of what the broker answers. */
static long queue_flood(void)
{
    static unsigned char put[VALUE + 32] = { 0x0a, 2, 0x08, 1, 0x12 };
    unsigned char *at = varint(put + 5, VALUE + 4);

    *at++ = 0x0a;
    at = varint(at, VALUE) + VALUE;
    *at++ = 0x20;
    *at++ = 1;
    put_ask(1, QUEUE_CREATE, "\x10\x01", 2);
    for (unsigned long i = 2; i < 3000; i++)
        put_ask(i, QUEUE_PUT, put, (size_t)(at - put));
    return 0;
}

/* Numbers of handles that it was never given, among them those of others. */
static long queue_guesses(void)
{
    for (unsigned long i = 1; i < 3000; i++) {
        unsigned char get[16] = { 0x0a, 0, 0x08 }, *at = varint(get + 3, i);

        get[1] = (unsigned char)(at - get - 2);
        put_ask(i, QUEUE_GET, get, (size_t)(at - get));
        put_ask(5000 + i, QUEUE_PUT, get, (size_t)(at - get));
    }
    return 0;
}

/* The same number twice while the first is open: that is a lie. */
static long queue_same_number(void)
{
    put_ask(1, QUEUE_CREATE, "\x10\x01", 2);
    put_ask(2, QUEUE_GET, "\x0a\x02\x08\x01\x18\x01", 6);
    put_ask(2, QUEUE_GET, "\x0a\x02\x08\x01\x18\x01", 6);
    return rest();
}

/* ---- which -------------------------------------------------------------------------------------------------------------------------- */

/* clang-format off */
#define ROW(f) { #f, f }
static const struct {
    const char *name;
    long (*attempt)(void);
} rows[] = {
    ROW(rwx_mmap),       ROW(rx_mmap),          ROW(exec_gain),      ROW(rwx_mprotect),   ROW(run_data),         ROW(patch_code),
    ROW(map_module_again), ROW(map_module_early), ROW(write_module), ROW(closes_module), ROW(closes_null), ROW(null_over_module), ROW(link_over_module),  ROW(map_link),       ROW(map_null),       ROW(another_memfd),    ROW(unmap_all),
    ROW(open_canary),    ROW(stdio_canary),     ROW(list_root),      ROW(open_own_memory), ROW(open_module_name), ROW(load_passwd),
    ROW(load_library),   ROW(unload_self),      ROW(make_link),      ROW(forks),          ROW(vforks),           ROW(thread),
    ROW(runs_shell),     ROW(spawns),           ROW(execs),          ROW(kill_parent),    ROW(kill_everybody),   ROW(kill_neighbour),
    ROW(abort_neighbour), ROW(traces),          ROW(reads_init),     ROW(raises_limit),   ROW(raises_processes), ROW(personal),
    ROW(dumpable),       ROW(own_filter),       ROW(handles_sigsys), ROW(blocked_sigsys), ROW(blocked_answer),   ROW(no_signal_stack),
    ROW(bad_signal_stack), ROW(int80),          ROW(x32),            ROW(internet),       ROW(abstract_socket),  ROW(sends_descriptor),
    ROW(closes_link),    ROW(shuts_link),       ROW(garbage),        ROW(second_hello),   ROW(exit_code_300),    ROW(endless_frame),
    ROW(overdraws),      ROW(buffer_lands),     ROW(buffer_exec),    ROW(buffer_shared_exec), ROW(buffer_exec_gain), ROW(buffer_run),
    ROW(buffer_over_module), ROW(buffers_all),  ROW(buffer_writes_after_seal), ROW(buffer_sealed_while_mapped), ROW(buffer_made_writable),
    ROW(buffer_peeks),   ROW(queue_flood),      ROW(queue_guesses),  ROW(queue_same_number),
};
/* clang-format on */

static void call_line(char *line)
{
    void *fresh = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* the last call may have spoilt its own */
    long a[7] = { 0 };
    char *save = NULL;
    int n = 0;

    strtok_r(line, " \n", &save); /* "call" */
    for (char *w = strtok_r(NULL, " \n", &save); w != NULL && n < 7; w = strtok_r(NULL, " \n", &save))
        a[n++] = *w == '@' ? (long)(uintptr_t)fresh : (long)strtoull(w, NULL, 0);
    say("call", syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]));
    fflush(stdout);
}

static void attempt(const char *name)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, name) == 0) {
            fflush(stdout);
            say(name, rows[i].attempt());
            return;
        }
    printf("attack.so does not know %s\n", name);
}

int coop_job(int argc, char **argv)
{
    char line[512];

    canary = getenv("CANARY");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-") != 0) {
            attempt(argv[i]);
            continue;
        }
        while (fgets(line, sizeof(line), stdin) != NULL)
            call_line(line);
    }
    return 0;
}
