/*
 * use.c - a program that uses things up: "use WHAT...", one word a behaviour, done in turn. A number behind "=" is MiB, processes,
 * milliseconds or files, whatever the word is about. Built as a tenant would, statically; knows nothing of coop.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1L << 20)

static void eat(long mib)
{
    volatile char *p = mmap(NULL, (size_t)(mib * MIB), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        _exit(12);
    for (long i = 0; i < mib * MIB; i += 4096)
        p[i] = 1;
}

static void spin(long ms)
{
    struct timespec t;

    do {
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    } while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < ms);
}

/* A child that eats, and the caller does not look after it. */
static void eat_in_child(long mib)
{
    if (fork() == 0) {
        eat(mib);
        (void)pause();
    }
}

/* So many children that each hold 4 MiB: together more than any of them. */
static void eat_in_children(long n)
{
    for (long i = 0; i < n; i++)
        eat_in_child(4);
    while (wait(NULL) > 0)
        ;
}

/* Children that nobody waits for, one after another, each for 20 ms of CPU time. */
static void spin_in_children(long n)
{
    (void)signal(SIGCHLD, SIG_IGN);
    for (long i = 0; i < n; i++) {
        if (fork() == 0) {
            spin(20);
            _exit(0);
        }
        while (wait(NULL) > 0)
            ;
    }
}

static void spin_together(long n)
{
    for (long i = 0; i < n; i++)
        if (fork() == 0)
            spin(3600000);
    while (wait(NULL) > 0)
        ;
}

static void spawn(long n)
{
    for (long i = 0; i < n; i++) {
        pid_t pid = fork();

        if (pid == 0)
            (void)pause();
        if (pid < 0) {
            (void)fprintf(stderr, "fork: %s\n", strerror(errno));
            _exit(11);
        }
    }
}

static void bomb(long unused)
{
    (void)unused;
    for (;;)
        (void)fork();
}

static void stop(long unused)
{
    (void)unused;
    (void)raise(SIGSTOP);
}

static void sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    while (nanosleep(&t, &t) != 0)
        ;
}

/* Sleeps in pieces and says something before each. */
static void mutter(long times)
{
    for (long i = 0; i < times; i++) {
        if (write(1, ".", 1) != 1)
            _exit(9);
        sleep_ms(100);
    }
}

static void fill(long mib)
{
    static char zeros[65536];
    int fd = open("filled", O_WRONLY | O_CREAT, 0600);

    for (long i = 0; i < mib * 16; i++)
        if (write(fd, zeros, sizeof(zeros)) < 0) {
            (void)fprintf(stderr, "write: %s\n", strerror(errno));
            _exit(10);
        }
}

static void files(long n)
{
    char name[32];

    for (long i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "file-%ld", i);
        if (close(open(name, O_WRONLY | O_CREAT, 0600)) != 0)
            _exit(10);
    }
}

static void descriptors(long n)
{
    for (long i = 0; i < n; i++)
        if (dup(0) < 0)
            _exit(errno == EMFILE ? 24 : 9);
}

static void leave(long code)
{
    exit((int)code);
}

static const struct {
    const char *word;
    void (*act)(long number);
} words[] = {
    {"eat",               eat             },
    { "eat-in-child",     eat_in_child    },
    { "eat-in-children",  eat_in_children },
    { "spin",             spin            },
    { "spin-in-children", spin_in_children},
    { "spin-together",    spin_together   },
    { "spawn",            spawn           },
    { "bomb",             bomb            },
    { "stop",             stop            },
    { "sleep",            sleep_ms        },
    { "mutter",           mutter          },
    { "fill",             fill            },
    { "files",            files           },
    { "descriptors",      descriptors     },
    { "exit",             leave           },
};

static int one(const char *text)
{
    size_t n = strcspn(text, "=");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strlen(words[i].word) == n && strncmp(words[i].word, text, n) == 0) {
            words[i].act(text[n] == '=' ? strtol(text + n + 1, NULL, 10) : 0);
            return 0;
        }
    (void)fprintf(stderr, "use: no word '%s'\n", text);
    return 2;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (one(argv[i]) != 0)
            return 2;
    return 0;
}
