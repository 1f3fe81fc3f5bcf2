/* test_family.c - a tree of processes, looked at from outside: its size, its CPU time with the dead, its memory. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/family.h"

enum { MIB = 1 << 20, SPIN_MS = 40, MANY = 4500 };

/* A child that does act, says so by a byte, and waits to be ended. */
struct child {
    pid_t pid;
    int says;
};

static struct child start(void (*act)(int says))
{
    struct child c;
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    c.pid = fork();
    assert_true(c.pid >= 0);
    if (c.pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        act(ends[1]);
        for (;;)
            (void)pause();
    }
    (void)close(ends[1]);
    c.says = ends[0];
    return c;
}

static void heard(const struct child *c, unsigned times)
{
    char byte;

    for (unsigned i = 0; i < times; i++)
        assert_int_equal(read(c->says, &byte, 1), 1);
}

static void end(struct child *c)
{
    (void)kill(-c->pid, SIGKILL);
    (void)kill(c->pid, SIGKILL);
    assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
    (void)close(c->says);
}

static void say(int fd)
{
    if (write(fd, ".", 1) != 1)
        _exit(1);
}

static void spin(void)
{
    struct timespec t;

    do {
        (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    } while (t.tv_nsec < SPIN_MS * 1000000);
}

static void three_generations(int says)
{
    (void)setpgid(0, 0);
    if (fork() == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fork() == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)setsid(); /* a session of its own does not hide it */
        }
        say(says);
        (void)pause();
    }
    say(says);
}

static void all_generations_are_seen(void **state)
{
    struct child c = start(three_generations);
    struct family f = { 0 };

    (void)state;
    heard(&c, 3);
    family_walk(&f, c.pid, true);
    assert_int_equal(f.processes, 3);
    assert_int_equal(f.threads, 3);
    assert_true(f.memory_bytes > 0);
    family_finish(&f);
    end(&c);
}

static int many_go[2];

/* Their list is longer than what is read of it at once. They have ended, and are there until they are waited for. */
static void many_children(int says)
{
    char byte;

    (void)close(many_go[1]);
    for (int i = 0; i < MANY; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        if (pid < 0)
            _exit(1);
    }
    say(says);
    if (read(many_go[0], &byte, 1) < 0)
        _exit(1);
    while (wait(NULL) > 0)
        ;
    say(says);
}

static void a_list_of_any_length_is_read_to_its_end(void **state)
{
    struct family f = { 0 };
    struct child c;

    (void)state;
    assert_int_equal(pipe(many_go), 0);
    c = start(many_children);
    (void)close(many_go[0]);
    heard(&c, 1);
    family_walk(&f, c.pid, false);
    (void)close(many_go[1]);
    heard(&c, 1);
    assert_int_equal(f.processes, 1 + MANY);
    family_finish(&f);
    end(&c);
}

/* Its child spins and stays until it hears, then goes unwaited. */
static int gate[2];

static void child_spins_and_is_not_waited_for(int says)
{
    char byte;

    (void)signal(SIGCHLD, SIG_IGN);
    (void)close(gate[1]);
    if (fork() == 0) {
        spin();
        say(says);
        if (read(gate[0], &byte, 1) < 0)
            _exit(1);
        _exit(0);
    }
    while (wait(NULL) > 0)
        ;
    say(says);
}

static void what_the_dead_were_seen_to_use_stays_counted(void **state)
{
    struct family f = { 0 };
    struct child c;
    uint64_t seen;

    (void)state;
    assert_int_equal(pipe(gate), 0);
    c = start(child_spins_and_is_not_waited_for);
    (void)close(gate[0]);
    heard(&c, 1);
    family_walk(&f, c.pid, false);
    seen = f.cpu_us;
    assert_true(seen >= SPIN_MS * 1000);
    assert_int_equal(f.processes, 2);
    (void)close(gate[1]);
    heard(&c, 1); /* it has gone */
    family_walk(&f, c.pid, false);
    assert_int_equal(f.processes, 1);
    assert_true(f.cpu_us >= seen);
    family_finish(&f);
    end(&c);
}

static void child_spins_and_is_waited_for(int says)
{
    if (fork() == 0) {
        spin();
        _exit(0);
    }
    (void)wait(NULL);
    say(says);
}

static void what_lived_between_two_looks_counts_once_somebody_waited_for_it(void **state)
{
    struct child c = start(child_spins_and_is_waited_for);
    struct family f = { 0 };

    (void)state;
    heard(&c, 1);
    family_walk(&f, c.pid, false);
    assert_int_equal(f.processes, 1);
    assert_true(f.cpu_us >= (SPIN_MS - 10) * 1000); /* the kernel tells it in ticks */
    family_finish(&f);
    end(&c);
}

static void two_hold_eight_each(int says)
{
    volatile char *p;

    (void)setpgid(0, 0);
    if (fork() == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    p = mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < 8 * MIB; i += 4096)
        p[i] = 1;
    say(says);
}

/* A page of each table is read, so that there is the table and in it, again and again, the one page that is all zeroes. */
static void page_tables_only(int says)
{
    enum { TABLES = 8192, SPAN = 2 * MIB };
    volatile const char *p;

    (void)setpgid(0, 0);
    p = mmap(NULL, (size_t)TABLES * SPAN, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    (void)madvise((void *)p, (size_t)TABLES * SPAN, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < TABLES; i++)
        (void)p[i * SPAN];
    say(says);
}

static void page_tables_count(void **state)
{
    struct child c = start(page_tables_only);
    struct family f = { 0 };

    (void)state;
    heard(&c, 1);
    family_walk(&f, c.pid, true);
    assert_true(f.memory_bytes >= 32 * MIB);
    family_finish(&f);
    end(&c);
}

static void memory_is_the_sum_of_all(void **state)
{
    struct child c = start(two_hold_eight_each);
    struct family f = { 0 };

    (void)state;
    heard(&c, 2);
    family_walk(&f, c.pid, true);
    assert_true(f.memory_bytes >= 16 * MIB);
    assert_true(f.memory_bytes < 64 * MIB); /* what they share is not counted twice over */
    family_finish(&f);
    end(&c);
}

static void a_process_that_is_gone_has_no_family(void **state)
{
    struct child c = start(say);
    struct family f = { 0 };
    pid_t pid = c.pid;

    (void)state;
    heard(&c, 1);
    end(&c);
    family_walk(&f, pid, true);
    assert_int_equal(f.processes, 0);
    assert_true(f.cpu_us == 0 && f.memory_bytes == 0);
    family_finish(&f);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_generations_are_seen),
        TEST(a_list_of_any_length_is_read_to_its_end),
        TEST(what_the_dead_were_seen_to_use_stays_counted),
        TEST(what_lived_between_two_looks_counts_once_somebody_waited_for_it),
        TEST(page_tables_count),
        TEST(memory_is_the_sum_of_all),
        TEST(a_process_that_is_gone_has_no_family),
    };

    return cmocka_run_group_tests_name("family", tests, NULL, NULL);
}
