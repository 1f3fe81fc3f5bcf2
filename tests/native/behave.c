/*
 * behave.c - a native job for tests: behaves as its first argument says. Each name is a row of the table at the end; what has to become of
 * it stands in the tests (tests/system/test_native.c).
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <coop/native.h>

static int n_args;
static char **args;

static const char *arg(int i)
{
    return i < n_args ? args[i] : "";
}

/* ---- what reaches it, and what it says ------------------------------------------------------------------------------------------- */

static int echo(void)
{
    for (int i = 0; i < n_args; i++)
        printf("%d %s\n", i, args[i]);
    printf("%d\n", args[n_args] == NULL);
    printf("%s\n", getenv("GREETING") != NULL ? getenv("GREETING") : "-");
    return 0;
}

static int streams(void)
{
    char line[64];

    printf("name? ");
    while (fgets(line, sizeof(line), stdin) != NULL) {
        fprintf(stderr, "read %s", line);
        printf("got %s", line);
    }
    printf("%d %d %d\n", fileno(stdin), fileno(stdout), fileno(stderr));
    return feof(stdin) ? 0 : 1;
}

static int descriptors(void)
{
    char bytes[3] = "";
    ssize_t n;

    (void)!write(1, "to 1, ", 6);
    (void)!write(2, "to 2\n", 5);
    n = read(0, bytes, 2);
    printf("%zd %s\n", n, bytes);
    n = write(7, "x", 1);
    printf("%zd %d\n", n, errno);
    n = close(1);
    printf("%zd %d\n", n, errno);
    return 0;
}

static int live(void)
{
    char line[8];

    printf("first line\n");
    return fgets(line, sizeof(line), stdin) != NULL ? 0 : 1; /* the test has to see it before it answers */
}

static int flood(void)
{
    while (puts("and so on, and so on, and so on, and so on") >= 0)
        ;
    return 0;
}

static int flood_raw(void)
{
    while (write(1, "raw\n", 4) == 4)
        ;
    return 0;
}

/* What guards its stack frames. */
static int canary(void)
{
    unsigned long word;

    __asm__("mov %%fs:0x28, %0" : "=r"(word));
    printf("%lx\n", word);
    return 0;
}

/* ---- ends ------------------------------------------------------------------------------------------------------------------------ */

static int code(void)
{
    printf("not flushed by me");
    return atoi(arg(2));
}

static void last_words(void)
{
    puts("atexit");
}

static int do_exit(void *unused)
{
    (void)unused;
    exit(5);
}

static int exits(void)
{
    atexit(last_words);
    return do_exit(NULL);
}

static int exits_late(void)
{
    return 0; /* and its destructor exits */
}

static int tasklet_exits(void)
{
    atexit(last_words);
    coop_spawn(NULL, do_exit, NULL, NULL);
    return coop_run(COOP_NEVER);
}

static int leaves(void)
{
    printf("lost");
    (void)!write(1, "kept\n", 5);
    _exit(atoi(arg(2)));
}

static int aborts(void)
{
    puts("before");
    abort();
}

static int asserts(void)
{
    assert(n_args == 0 && "said by assert");
    return 0;
}

static int segv(void)
{
    *(volatile int *)16 = 1;
    return 0;
}

static int divides(void)
{
    volatile int hundred = 100, zero = 0;

    return hundred / zero;
}

__attribute__((noinline)) static void smash(size_t n)
{
    volatile char small[16];

    for (size_t i = 0; i < n; i++)
        small[i] = 'x';
    printf("%c\n", small[0]);
}

static int smashes(void)
{
    smash(200);
    return 0;
}

__attribute__((noinline)) static int deeper(volatile int *up)
{
    volatile int here[64];

    here[0] = up != NULL ? up[0] + 1 : 0;
    return deeper(here) + here[0];
}

/* Pages that were written and cannot be any more are memory too. */
static int eats_read_only(void)
{
    size_t mib = 0;
    char *p;

    while (mib < 4096 && (p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED) {
        memset(p, 1, 1 << 20);
        if (mprotect(p, 1 << 20, PROT_READ) != 0)
            return 2;
        mib++;
    }
    printf("%d\n", mib > 16 && mib < 100);
    return 0;
}

static int grows_the_stack(void)
{
    char here[64], *page = (char *)((uintptr_t)here & ~(uintptr_t)4095), *p = mremap(page, 4096, (size_t)1 << 30, MREMAP_MAYMOVE);

    printf("%d\n", p == MAP_FAILED);
    return 0;
}

static int waits_on_descriptors(void)
{
    for (int fd = 0; fd < 8; fd++)
        if (coop_fd_wait(fd, COOP_READABLE, 0) != -EPERM || coop_fd_wait(fd, COOP_WRITABLE, COOP_NEVER) != -EPERM)
            return 1;
    return 0;
}

static int recurses(void)
{
    return deeper(NULL);
}

static int deeper_task(void *unused)
{
    (void)unused;
    return deeper(NULL);
}

static int tasklet_recurses(void)
{
    coop_spawn(NULL, deeper_task, NULL, &(struct coop_attr){ .name = "deep" });
    return coop_run(COOP_NEVER);
}

static int loops(void)
{
    volatile int yes = 1;

    while (yes)
        ;
    return 0;
}

static int sleeps(void)
{
    struct timespec t = { 0, 20000000 };

    return nanosleep(&t, NULL) == 0 && coop_sleep_until(coop_after(1000)) == 0 ? 0 : 1;
}

static int eats(void)
{
    size_t n = 0;
    char *p;

    while ((p = malloc(1 << 20)) != NULL) {
        memset(p, 1, 1 << 20);
        n++;
    }
    printf("%d\n", n > 8 && n < 200);
    return 0;
}

/* Says how many MiB it got. */
static int fills(void)
{
    size_t n = 0;
    char *p;

    while ((p = malloc(1 << 20)) != NULL) {
        memset(p, 1, 1 << 20);
        n++;
    }
    printf("%zu\n", n);
    return 0;
}

/* The last that a program prints before it dies. */
static int says_and_dies(void)
{
    volatile int hundred = 100, zero = 0;
    const void *volatile nowhere = NULL;
    const char *how = arg(2);

    printf("before\n");
    fflush(stdout);
    if (strcmp(how, "segv") == 0)
        *(volatile int *)16 = 1;
    if (strcmp(how, "fpe") == 0)
        return hundred / zero;
    if (strcmp(how, "ill") == 0)
        __builtin_trap();
    if (strcmp(how, "write") == 0) /* read where the output is taken, with bytes held back there */
        (void)!write(1, nowhere, 100);
    if (strcmp(how, "abort") == 0)
        abort();
    return 0;
}

/* ---- tasklets -------------------------------------------------------------------------------------------------------------------- */

static int receive_for_ever(void *chan)
{
    intptr_t word;

    return coop_chan_recv(chan, &word, COOP_NEVER);
}

static int deadlocks(void)
{
    coop_chan *c;

    coop_chan_new(0, &c);
    coop_spawn(NULL, receive_for_ever, c, &(struct coop_attr){ .name = "listener" });
    return coop_run(COOP_NEVER) == -EDEADLK ? 9 : 0;
}

static int survives_deadlock(void)
{
    return deadlocks() == 9 ? 0 : 1;
}

static int hog(void *unused)
{
    clock_t start = clock();

    (void)unused;
    while (clock() - start < 2 * CLOCKS_PER_SEC)
        for (volatile int i = 0; i < 10000000; i++)
            ;
    return 0;
}

static int hogs(void)
{
    coop_task *t;
    int rc;

    coop_spawn(&t, hog, NULL, &(struct coop_attr){ .name = "greedy" });
    coop_spawn(NULL, receive_for_ever, NULL, NULL); /* has not had its turn */
    rc = coop_join(t, NULL, COOP_NEVER);
    return rc == 0 ? 0 : 1;
}

static int hogs_alone(void)
{
    return hog(NULL);
}

static int park(void *unused)
{
    (void)unused;
    return coop_park(NULL, COOP_NEVER);
}

static int spawns(void)
{
    int n = 0, rc;

    while ((rc = coop_spawn(NULL, park, NULL, NULL)) == 0)
        n++;
    printf("%d %d\n", n, rc == -EAGAIN);
    return 0;
}

static int waits(void)
{
    int rc;

    for (int i = 0; i < 10; i++)
        coop_spawn(NULL, park, NULL, NULL);
    puts("up");
    rc = coop_sleep_until(coop_after(1000000000));
    puts(rc == -ECANCELED ? "told" : "not told");
    return 0;
}

static int refuses_to_end(void)
{
    puts("up");
    return loops();
}

static int waits_for_input(void)
{
    char line[8];

    puts("up");
    puts(fgets(line, sizeof(line), stdin) == NULL && errno == ECANCELED ? "told" : "not told");
    return 0;
}

static int stubborn(void *unused)
{
    (void)unused;
    while (coop_alive(coop_self()))
        (void)coop_sleep_until(coop_after(1000)); /* whatever it says */
    return 0;
}

static int leaves_tasklets(void)
{
    coop_spawn(NULL, park, NULL, NULL);
    coop_yield();
    return 0;
}

static int leaves_stubborn_ones(void)
{
    coop_spawn(NULL, stubborn, NULL, NULL);
    coop_yield();
    return 0;
}

/* ---- broken on purpose ------------------------------------------------------------------------------------------------------------ */

static int forges_yield_to(void)
{
    return coop_yield_to((coop_task *)0x4141414141410000);
}

static int forges_unpark(void)
{
    static char zeros[4096];

    memset(zeros, 0x41, sizeof(zeros));
    return coop_unpark((coop_task *)zeros, 1);
}

static int forges_join(void)
{
    return coop_join((coop_task *)16, NULL, COOP_NEVER);
}

static int overwrites(void)
{
    coop_task *t;

    coop_spawn(&t, park, NULL, NULL);
    coop_yield();
    memset(t, 0x5a, 256); /* its registers, its queue links */
    memset(coop_main(), 0x5a, 64);
    coop_yield();
    return coop_run(COOP_NEVER);
}

/* ---- calls that the policy refuses: by whom, and where ---------------------------------------------------------------------------- */

/* Its own call, not libc's. */
static int calls_itself(void)
{
    long ret;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(41L), "D"(2L), "S"(1L), "d"(0L)
                     : "rcx", "r11", "memory"); /* socket(AF_INET, SOCK_STREAM, 0) */
    return (int)ret;
}

static int call_libc(void *unused)
{
    (void)unused;
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int calls_in_tasklet(void)
{
    coop_spawn(NULL, call_libc, NULL, &(struct coop_attr){ .name = "dialler" });
    return coop_run(COOP_NEVER);
}

static const struct {
    const char *name;
    int (*run)(void);
} rows[] = {
    {"echo",                  echo                },
    { "canary",               canary              },
    { "streams",              streams             },
    { "descriptors",          descriptors         },
    { "live",                 live                },
    { "flood",                flood               },
    { "flood_raw",            flood_raw           },
    { "code",                 code                },
    { "exits",                exits               },
    { "tasklet_exits",        tasklet_exits       },
    { "exits_late",           exits_late          },
    { "leaves",               leaves              },
    { "aborts",               aborts              },
    { "asserts",              asserts             },
    { "segv",                 segv                },
    { "divides",              divides             },
    { "smashes",              smashes             },
    { "recurses",             recurses            },
    { "tasklet_recurses",     tasklet_recurses    },
    { "loops",                loops               },
    { "sleeps",               sleeps              },
    { "eats",                 eats                },
    { "deadlocks",            deadlocks           },
    { "survives_deadlock",    survives_deadlock   },
    { "hogs",                 hogs                },
    { "hogs_alone",           hogs_alone          },
    { "spawns",               spawns              },
    { "waits",                waits               },
    { "refuses_to_end",       refuses_to_end      },
    { "waits_for_input",      waits_for_input     },
    { "leaves_tasklets",      leaves_tasklets     },
    { "leaves_stubborn_ones", leaves_stubborn_ones},
    { "forges_yield_to",      forges_yield_to     },
    { "forges_unpark",        forges_unpark       },
    { "forges_join",          forges_join         },
    { "eats_read_only",       eats_read_only      },
    { "grows_the_stack",      grows_the_stack     },
    { "waits_on_descriptors", waits_on_descriptors},
    { "overwrites",           overwrites          },
    { "calls_itself",         calls_itself        },
    { "calls_in_tasklet",     calls_in_tasklet    },
    { "fills",                fills               },
    { "says_and_dies",        says_and_dies       },
};

__attribute__((destructor)) static void destroyed(void)
{
    if (strcmp(arg(1), "code") == 0)
        printf(", destroyed\n");
    if (strcmp(arg(1), "exits_late") == 0) {
        printf("late\n");
        exit(8);
    }
}

int coop_job(int argc, char **argv)
{
    n_args = argc;
    args = argv;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, arg(1)) == 0)
            return rows[i].run();
    fprintf(stderr, "behave.so cannot %s\n", arg(1));
    return 99;
}
