/* support.c - see support.h. */
#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(COOP_ASAN)
#include <dlfcn.h>
#include <sanitizer/asan_interface.h>
#endif

/* cmocka's, when the program has it. */
__attribute__((weak, noreturn)) void _fail(const char *file, int line);

struct kept {
    struct kept *next;
    void (*release)(void *);
    void *thing;
};

static struct kept *kept;

void support_fail_at(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    if (_fail != NULL)
        _fail(file, line);
    fprintf(stderr, "%s:%d: failed\n", file, line);
    abort();
}

/* ---- kept things --------------------------------------------------------------------------------------------------------------- */

void support_on_release(void (*release)(void *), void *thing)
{
    struct kept *k = malloc(sizeof(*k));

    if (k == NULL)
        abort();
    *k = (struct kept){ kept, release, thing };
    kept = k;
}

void *support_keep(void *malloced)
{
    if (malloced == NULL)
        abort();
    support_on_release(free, malloced);
    return malloced;
}

char *support_text(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return support_keep(n >= 0 ? text : NULL);
}

void support_release(void)
{
    while (kept != NULL) {
        struct kept *k = kept;

        kept = k->next;
        k->release(k->thing);
        free(k);
    }
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

uint64_t support_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

int support_left_ms(uint64_t started_ms)
{
    uint64_t gone = support_now_ms() - started_ms, most = getenv("COOP_EMULATED") != NULL ? 4 * SUPPORT_WAIT_MS : SUPPORT_WAIT_MS;

    return gone < most ? (int)(most - gone) : 0;
}

void support_turn(uint64_t started_ms, const char *what)
{
    const struct timespec turn = { .tv_nsec = 3000000 };

    if (support_left_ms(started_ms) == 0)
        support_fail("waited for ever: %s", what);
    nanosleep(&turn, NULL);
}

void support_kill(pid_t pid, int sig)
{
    if (pid <= 0)
        support_fail("no such process to send a signal to: %d", (int)pid);
    if (kill(pid, sig) != 0)
        support_fail("kill(%d, %d): %s", (int)pid, sig, strerror(errno));
}

/* ---- files --------------------------------------------------------------------------------------------------------------------- */

const char *support_program(const char *name)
{
    const char *build = getenv("COOP_BUILD");
    char self[4096];
    ssize_t n;

    if (build != NULL && build[0] != '\0')
        return support_text("%s/%s", build, name);
    n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        support_fail("/proc/self/exe: %s", strerror(errno));
    self[n] = '\0';
    for (int up = 0; up < 3; up++) /* build/FLAVOUR/tests/system/test_x */
        *strrchr(self, '/') = '\0';
    return support_text("%s/%s", self, name);
}

const char *support_preload(const char *library)
{
#if defined(COOP_ASAN)
    Dl_info runtime;

    if (dladdr((const void *)(uintptr_t)__asan_poison_memory_region, &runtime) == 0)
        support_fail("the sanitizer's library is not known");
    return support_text("LD_PRELOAD=%s:%s", runtime.dli_fname, support_program(library));
#else
    return support_text("LD_PRELOAD=%s", support_program(library));
#endif
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    (void)remove(path);
    return 0;
}

static void remove_dir(void *dir)
{
    (void)chmod(dir, 0700);
    (void)nftw(dir, drop, 16, FTW_DEPTH | FTW_PHYS);
    free(dir);
}

char *support_dir(void)
{
    char *dir = strdup("/tmp/coop-sys-XXXXXX");

    if (dir == NULL || mkdtemp(dir) == NULL)
        support_fail("mkdtemp: %s", strerror(errno));
    support_on_release(remove_dir, dir);
    return dir;
}

char *support_put(const char *dir, const char *name, const void *bytes, size_t len)
{
    char *path = support_text("%s/%s", dir, name);
    FILE *f = fopen(path, "we");

    if (len == (size_t)-1)
        len = strlen(bytes);
    if (f == NULL || (len > 0 && fwrite(bytes, 1, len, f) != len) || fclose(f) != 0 || chmod(path, 0644) != 0)
        support_fail("%s: %s", path, strerror(errno));
    return path;
}

char *support_get(const char *path, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0, room = 4096;
    char *bytes = malloc(room);
    ssize_t n = 0;

    if (fd < 0)
        support_fail("%s: %s", path, strerror(errno));
    while (bytes != NULL && (n = read(fd, bytes + len, room - len - 1)) > 0) {
        len += (size_t)n;
        if (room - len < 2)
            bytes = realloc(bytes, room *= 2);
    }
    if (bytes == NULL || n < 0)
        support_fail("%s: cannot be read", path);
    (void)close(fd);
    bytes[len] = '\0';
    if (ret_len != NULL)
        *ret_len = len;
    return support_keep(bytes);
}

uint8_t *support_noise(size_t len, uint32_t seed)
{
    uint8_t *bytes = support_keep(malloc(len + 1));

    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    bytes[len] = 0;
    return bytes;
}
