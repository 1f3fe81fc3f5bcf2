/* test_task_hibernate.c - parked stacks that are packed away: nothing is lost, whoever asks for it, and the memory is given back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "task_fixture.h"
#include "worker/task/sanitize.h"
#include "worker/task/sched.h"

#ifdef COOP_TSAN
enum { MANY = 5000 }; /* it knows 8,128 fibers and threads */
#else
enum { MANY = 100000 };
#endif
enum { FEW = 1000, WORDS = 16 };

static int does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static bool private_stacks; /* the kernel has no guards, so we promise what they would be needed for */

/* With a thread state of the test's own: the test program's handler of SIGSEGV comes after the setup's. */
static void restart(struct coop_options o)
{
    o.private_stacks |= private_stacks;
    assert_int_equal(coop_finish(), 0);
    assert_int_equal(coop_init(&o), 0);
}

static int try_to_hibernate(void)
{
    coop_task *t = start(does_nothing, NULL);
    int rc = coop_hibernate(t);

    assert_int_equal(joined(t), 0);
    assert_true(rc == 0 || rc == -ENOTSUP);
    return rc;
}

/* Skips the test, by its name, where this kernel cannot do what it needs. */
static void need_guards(void)
{
    private_stacks = false;
    restart((struct coop_options){ 0 });
    if (try_to_hibernate() != 0)
        skip();
}

/* The same for this build. */
static void need_hibernation(void)
{
    private_stacks = false;
    restart((struct coop_options){ 0 });
    private_stacks = try_to_hibernate() != 0;
    restart((struct coop_options){ 0 });
    if (try_to_hibernate() != 0)
        skip();
}

static long resident_bytes(void)
{
    long pages = 0, ignored;
    FILE *f = fopen("/proc/self/statm", "r");

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &ignored, &pages), 2);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static size_t hibernated(void)
{
    struct coop_stats s;

    coop_get_stats(&s);
    return s.hibernated;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15u;
    return x ^ (x >> 29);
}

/* Words of its own on its stack, while it waits; 0 when they are as they were. */
static int keeps_words(void *arg)
{
    volatile uint64_t words[WORDS];
    double fraction = (double)(uintptr_t)arg / 7;
    int rc;

    for (int i = 0; i < WORDS; i++)
        words[i] = mix((uintptr_t)arg * WORDS + (unsigned)i);
    rc = coop_park(NULL, COOP_NEVER);
    for (int i = 0; i < WORDS; i++)
        if (words[i] != mix((uintptr_t)arg * WORDS + (unsigned)i))
            return 1;
    return fraction == (double)(uintptr_t)arg / 7 ? rc : 2;
}

static coop_task **start_parked(size_t n)
{
    coop_task **t = malloc(n * sizeof(coop_task *));

    assert_non_null(t);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(coop_spawn(&t[i], keeps_words, (void *)i, NULL), 0);
        assert_int_equal(coop_yield(), 0);
    }
    return t;
}

static void end_parked(coop_task **t, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(coop_unpark(t[i], 0), 0);
        assert_int_equal(joined(t[i]), 0);
    }
    free(t);
}

/* ---- contents ------------------------------------------------------------------------------------------------------------------ */

static void a_hundred_thousand_wake_in_random_order_with_all_they_had(void **state)
{
    size_t n = sched->stacks.valgrind ? FEW : MANY; /* it looks through its list of stacks at each switch */
    coop_task **t;

    (void)state;
    need_hibernation();
    t = start_parked(n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(coop_hibernate(t[i]), 0);
    assert_int_equal(hibernated(), n);
    for (size_t i = n - 1; i > 0; i--) {
        size_t other = mix(i) % (i + 1);
        coop_task *swap = t[i];

        t[i] = t[other];
        t[other] = swap;
    }
    for (size_t i = 0; i < n; i++) {
        assert_true(coop_hibernated(t[i]));
        assert_int_equal(coop_unpark(t[i], 0), 0);
        assert_int_equal(joined(t[i]), 0);
    }
    assert_int_equal(hibernated(), 0);
    free(t);
}

static int rounds(void *arg)
{
    volatile uint64_t turn = (uintptr_t)arg;
    int rc = 0;

    for (int i = 0; i < 100 && rc == 0; i++) {
        rc = coop_park(NULL, COOP_NEVER);
        turn += 1;
    }
    return rc != 0 ? rc : (int)(turn - (uintptr_t)arg);
}

static void one_hibernates_again_and_again(void **state)
{
    coop_task *t;

    (void)state;
    need_hibernation();
    t = start_blocked(rounds, (void *)12345);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(coop_hibernate(t), 0);
        assert_int_equal(coop_hibernate(t), 0); /* it is already */
        assert_int_equal(coop_unpark(t, 0), 0);
        assert_int_equal(coop_yield(), 0);
    }
    assert_int_equal(joined(t), 100);
}

static int use_deep(unsigned depth)
{
    volatile char page[1024];

    memset((char *)page, (int)depth, sizeof(page));
    if (depth == 0)
        return coop_park(NULL, COOP_NEVER);
    if (use_deep(depth - 1) != 0)
        return -1;
    for (size_t i = 0; i < sizeof(page); i++)
        if (page[i] != (char)depth)
            return 1;
    return 0;
}

static int deep(void *arg)
{
    return use_deep((unsigned)(uintptr_t)arg);
}

static void forty_kilobytes_of_calls_come_back(void **state)
{
    coop_task *t;

    (void)state;
    need_hibernation();
    t = start_blocked(deep, (void *)36);
    assert_int_equal(coop_hibernate(t), 0);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

static void one_that_waits_for_its_first_turn_can_go_too(void **state)
{
    coop_task *t;

    (void)state;
    need_hibernation();
    t = start(keeps_words, (void *)5);
    assert_int_equal(coop_hibernate(t), 0);
    assert_int_equal(coop_yield(), 0);
    assert_false(coop_hibernated(t));
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

#if defined(__x86_64__) && !defined(COOP_SWITCH_UCONTEXT)
/* Parked by a switch inside a leaf function, as far as its registers tell: the 128 bytes below its stack pointer are its own. */
static void what_a_leaf_function_keeps_below_its_stack_pointer_comes_back(void **state)
{
    unsigned char *red;
    coop_task *t;
    void *ip;

    (void)state;
    need_hibernation();
    t = start_blocked(keeps_words, (void *)11);
    red = (unsigned char *)t->regs.sp - 128;
    for (int i = 0; i < 128; i++)
        red[i] = (unsigned char)(i + 1);
    ip = t->regs.ip;
    t->regs.ip = (void *)(uintptr_t)keeps_words; /* anything but the library's own */
    assert_int_equal(coop_hibernate(t), 0);
    hibernate_wake(t);
    assert_ptr_equal(t->regs.ip, (void *)(uintptr_t)keeps_words);
    t->regs.ip = ip;
    for (int i = 0; i < 128; i++)
        assert_int_equal(red[i], i + 1);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}
#endif

/* ---- whoever points into it ------------------------------------------------------------------------------------------------------ */

static volatile uint64_t *pointed_at; /* an array of WORDS on a parked stack */

static int shows_words(void *arg)
{
    volatile uint64_t words[WORDS];
    int rc;

    (void)arg;
    for (unsigned i = 0; i < WORDS; i++)
        words[i] = i;
    pointed_at = words;
    rc = coop_park(NULL, COOP_NEVER);
    for (unsigned i = 0; i < WORDS; i++)
        if (words[i] != (i == 3 ? 333 : i))
            return 1;
    return rc;
}

static void a_foreign_write_into_a_hibernated_stack_is_not_lost(void **state)
{
    struct coop_stats before, after;
    coop_task *t;

    (void)state;
    need_guards();
    t = start_blocked(shows_words, NULL);
    assert_int_equal(coop_hibernate(t), 0);
    coop_get_stats(&before);
    pointed_at[3] = 333;
    assert_false(coop_hibernated(t)); /* the write brought it back */
    coop_get_stats(&after);
    assert_int_equal(after.wakes, before.wakes + 1);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

static void a_foreign_read_sees_what_was_there(void **state)
{
    coop_task *t;

    (void)state;
    need_guards();
    t = start_blocked(shows_words, NULL);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(coop_hibernate(t), 0);
        assert_int_equal(pointed_at[7], 7);
        assert_false(coop_hibernated(t));
    }
    pointed_at[3] = 333;
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

static void a_system_call_is_refused_a_pointer_into_it_until_it_is_back(void **state)
{
    coop_task *t;
    int p[2];

    (void)state;
    need_guards();
    t = start_blocked(shows_words, NULL);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(coop_hibernate(t), 0);
    assert_int_equal(write(p[1], (const void *)pointed_at, 8), -1);
    assert_int_equal(errno, EFAULT);
    pointed_at[3] = 333;
    assert_int_equal(write(p[1], (const void *)pointed_at, 8), 8);
    close(p[0]);
    close(p[1]);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

static int pinned(void *arg)
{
    int rc;

    (void)arg;
    coop_pin_stack(true);
    rc = coop_park(NULL, COOP_NEVER);
    coop_pin_stack(false);
    return rc != 0 ? rc : coop_park(NULL, COOP_NEVER);
}

static void a_pinned_stack_stays(void **state)
{
    coop_task *t;

    (void)state;
    need_hibernation();
    t = start_blocked(pinned, NULL);
    assert_int_equal(coop_hibernate(t), -EBUSY);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_hibernate(t), 0);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

static int tries_itself(void *arg)
{
    (void)arg;
    return coop_hibernate(coop_self());
}

static void only_one_that_waits_can_hibernate(void **state)
{
    coop_task *t;

    (void)state;
    assert_int_equal(coop_hibernate(NULL), -EINVAL);
    assert_int_equal(coop_hibernate(coop_main()), -EINVAL);
    assert_int_equal(joined(start(tries_itself, NULL)), -EINVAL);
    t = start(tries_itself, NULL);
    assert_int_equal(coop_yield(), 0);
    assert_int_equal(coop_hibernate(t), -EINVAL); /* it has ended */
    assert_int_equal(joined(t), -EINVAL);
}

/* ---- what waits may be ended too ------------------------------------------------------------------------------------------------- */

static int park_till(void *arg)
{
    volatile int mark = 77;
    int rc = coop_park(NULL, *(const int64_t *)arg);

    return mark == 77 ? rc : 1;
}

static void one_that_hibernates_is_cancelled(void **state)
{
    static int64_t never = COOP_NEVER;
    coop_task *t;

    (void)state;
    need_hibernation();
    t = start_blocked(park_till, &never);
    assert_int_equal(coop_hibernate(t), 0);
    assert_int_equal(coop_cancel(t), 0);
    assert_int_equal(joined(t), -ECANCELED);
}

static void one_that_hibernates_times_out(void **state)
{
    static int64_t soon;
    coop_task *t;

    (void)state;
    need_hibernation();
    soon = coop_after(3000);
    t = start(park_till, &soon);
    while (coop_alive(t) && coop_hibernate(t) != 0)
        assert_int_equal(coop_yield(), 0);
    assert_int_equal(joined(t), -ETIMEDOUT);
}

static int takes_one(void *arg)
{
    struct coop_clause k[2] = {
        {.op = COOP_RECV,  .chan = ((coop_chan **)arg)[0]},
        { .op = COOP_RECV, .chan = ((coop_chan **)arg)[1]},
    };
    int i = coop_select(k, 2, COOP_FIRST, COOP_NEVER);

    return i < 0 ? i : (int)k[i].word * 10 + i;
}

static void a_select_that_hibernates_gets_its_message(void **state)
{
    coop_chan *c[2];
    coop_task *t;

    (void)state;
    need_hibernation();
    assert_int_equal(coop_chan_new(0, &c[0]), 0);
    assert_int_equal(coop_chan_new(0, &c[1]), 0);
    t = start_blocked(takes_one, c);
    assert_int_equal(coop_hibernate(t), 0);
    assert_int_equal(coop_chan_send(c[1], 42, 0), 0);
    assert_int_equal(joined(t), 421);
    assert_int_equal(coop_chan_free(c[0]), 0);
    assert_int_equal(coop_chan_free(c[1]), 0);
}

static int gives(coop_gen *g, void *arg)
{
    volatile intptr_t n = (intptr_t)arg;

    while (coop_gen_yield(g, n, NULL) == 0)
        n = n + 1;
    return 0;
}

static void a_generator_hibernates_between_its_words(void **state)
{
    coop_gen *g;
    intptr_t word;

    (void)state;
    need_hibernation();
    assert_int_equal(coop_gen_new(gives, (void *)100, &g), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(coop_gen_next(g, &word), 0);
        assert_int_equal(word, 100 + i);
        assert_int_equal(coop_hibernate(sched->all), 0); /* the newest tasklet, or the one that was woken last */
    }
    assert_int_equal(coop_gen_free(g), 0);
}

static void those_that_hibernate_are_cancelled_at_the_end(void **state)
{
    coop_task *t;

    (void)state;
    need_hibernation();
    for (size_t i = 0; i < 1000; i++) {
        t = start(keeps_words, (void *)i);
        assert_int_equal(coop_detach(t), 0);
        assert_int_equal(coop_yield(), 0);
        assert_int_equal(coop_hibernate(t), 0);
    }
    /* teardown asserts that coop_finish() says 0 */
}

/* ---- above the watermark --------------------------------------------------------------------------------------------------------- */

static void above_the_watermark_the_oldest_go_by_themselves(void **state)
{
    enum { ABOVE = 1000, N = 6000 };
    coop_task **t;

    (void)state;
    need_hibernation();
    restart((struct coop_options){ .hibernate_above = ABOVE });
    t = start_parked(N);
    assert_true(hibernated() >= N - 2 * ABOVE);
    assert_true(coop_hibernated(t[0]));
    assert_false(coop_hibernated(t[N - 1]));
    assert_int_equal(coop_sleep_until(coop_after(1500)), 0); /* it is idle meanwhile */
    assert_true(hibernated() >= N - ABOVE);
    assert_true(hibernated() <= N - ABOVE / 2);
    end_parked(t, N);
}

static void those_who_work_stay_when_others_are_idle(void **state)
{
    enum { ABOVE = 100, IDLE = 300, WORKERS = 5 };
    coop_task *t[IDLE], *worker[WORKERS];
    struct coop_stats before, after;

    (void)state;
    need_hibernation();
    restart((struct coop_options){ .hibernate_above = ABOVE });
    for (int i = 0; i < WORKERS; i++)
        worker[i] = start_blocked(rounds, NULL);
    coop_get_stats(&before);
    for (size_t i = 0; i < IDLE; i++) {
        t[i] = start_blocked(keeps_words, (void *)i);
        for (int k = 0; k < WORKERS && i % 3 == 0; k++)
            assert_int_equal(coop_unpark(worker[k], 0), 0);
        assert_int_equal(coop_yield(), 0);
    }
    coop_get_stats(&after);
    assert_true(after.hibernated >= IDLE - ABOVE);
    assert_int_equal(after.wakes, before.wakes); /* the workers were made first, and every batch began with them */
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(joined(worker[i]), 100);
    for (size_t i = 0; i < IDLE; i++) {
        assert_int_equal(coop_unpark(t[i], 0), 0);
        assert_int_equal(joined(t[i]), 0);
    }
}

static coop_task **small_ones;

static int spawns_small_ones(void *arg)
{
    small_ones = start_parked((size_t)(uintptr_t)arg);
    return coop_park(NULL, COOP_NEVER);
}

/* What is done for all is done on whatever stack is there. */
static void a_crowd_with_the_smallest_stacks_is_made_and_hibernated_by_one_of_them(void **state)
{
    enum { N = 3000, ABOVE = 100 };
    coop_task *t;

    (void)state;
#ifdef SANITIZE_SWITCH
    skip(); /* their malloc() alone needs more stack */
#endif
    need_hibernation();
    restart((struct coop_options){ .hibernate_above = ABOVE, .stack_size = 4096 });
    t = start(spawns_small_ones, (void *)N);
    while (!coop_blocked(t))
        assert_int_equal(coop_yield(), 0);
    assert_true(hibernated() > N / 2);
    assert_int_equal(coop_sleep_until(coop_after(1500)), 0);
    assert_true(hibernated() >= N - ABOVE);
    end_parked(small_ones, N);
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

/* Locked memory takes no guards: a stack whose pages the kernel keeps is as it was, and nobody tries for ever. */
static void those_whose_pages_cannot_be_given_back_stay_as_they_were(void **state)
{
    enum { N = 300 };
    coop_task **t;

    (void)state;
    need_guards();
    restart((struct coop_options){ .hibernate_above = 100 });
    sched->hibernate.above = SIZE_MAX;
    t = start_parked(N);
    for (size_t i = 0; i < N; i++)
        if (syscall(SYS_mlock, (char *)t[i]->stack + t[i]->stack_size - 4096, 4096) != 0) /* sanitizers make mlock() nothing */
            skip();                                                                       /* RLIMIT_MEMLOCK */
    sched->hibernate.above = 100;
    assert_int_equal(coop_sleep_until(coop_after(1500)), 0);
    assert_int_equal(hibernated(), 0);
    assert_int_equal(coop_hibernate(t[0]), -ENOMEM);
    end_parked(t, N);
}

static void never_is_never(void **state)
{
    coop_task **t;

    (void)state;
    restart((struct coop_options){ .hibernate_above = SIZE_MAX });
    t = start_parked(3000);
    assert_int_equal(coop_sleep_until(coop_after(1500)), 0);
    assert_int_equal(hibernated(), 0);
    end_parked(t, 3000);
}

static void with_a_watermark_of_one_everybody_still_gets_what_is_theirs(void **state)
{
    enum { N = 500 };
    coop_task *t[N];

    (void)state;
    need_hibernation();
    restart((struct coop_options){ .hibernate_above = 1 });
    for (int i = 0; i < N; i++)
        t[i] = start(rounds, (void *)(uintptr_t)i);
    assert_int_equal(coop_yield(), 0);
    for (int k = 0; k < 100; k++) {
        for (int i = 0; i < N; i++)
            assert_int_equal(coop_unpark(t[i], k), 0);
        assert_int_equal(coop_sleep_until(coop_after(1500)), 0);
    }
    for (int i = 0; i < N; i++)
        assert_int_equal(joined(t[i]), 100);
}

/* ---- memory ---------------------------------------------------------------------------------------------------------------------- */

static void the_memory_really_comes_back(void **state)
{
    enum { N = 5000 };
    coop_task **t;
    long before, resident;

    (void)state;
    need_hibernation();
    t = start_parked(N);
    before = resident_bytes();
    for (int i = 0; i < N; i++)
        assert_int_equal(coop_hibernate(t[i]), 0);
    resident = resident_bytes();
    assert_true(before - resident > N * 4096L / 2); /* each had a page at least; the blocks take the rest */
    end_parked(t, N);
}

static int gives_nothing(void *arg)
{
    return (int)(intptr_t)arg;
}

static void a_crowd_that_has_ended_leaves_no_pages_behind(void **state)
{
    enum { N = 6000 };
    long before, crowded;

    (void)state;
#ifdef COOP_TSAN
    skip(); /* its own shadow of the pages stays */
#endif
    if (sched->stacks.valgrind)
        skip(); /* the same */
    restart((struct coop_options){ .hibernate_above = SIZE_MAX });
    before = resident_bytes();
    end_parked(start_parked(N), N);
    crowded = resident_bytes();
    assert_true(crowded - before < N * 4096L / 2);
    for (int i = 0; i < N; i++) /* on the stacks they had */
        assert_int_equal(joined(start(gives_nothing, (void *)(intptr_t)i)), i);
}

/* ---- without guards -------------------------------------------------------------------------------------------------------------- */

/* As on a kernel before 6.13. */
static void restart_without_guards(bool promised, bool canaries)
{
    restart((struct coop_options){ .private_stacks = promised });
    sched->stacks.no_madvise = true;
    sched->stacks.mprotected = canaries ? STACKS_MPROTECT : 0;
}

static void without_guards_it_is_refused_unless_the_stacks_are_private(void **state)
{
    coop_task *t;

    (void)state;
    need_guards();
    for (int canaries = 0; canaries < 2; canaries++) {
        restart_without_guards(false, canaries);
        t = start_blocked(keeps_words, (void *)9);
        assert_int_equal(coop_hibernate(t), -ENOTSUP);
        assert_int_equal(coop_unpark(t, 0), 0);
        assert_int_equal(joined(t), 0);

        restart_without_guards(true, canaries);
        t = start_blocked(keeps_words, (void *)9);
        pointed_at = (uint64_t *)((char *)t->stack + t->stack_size);
        assert_int_not_equal(pointed_at[-1], 0);
        assert_int_equal(coop_hibernate(t), 0);
        assert_int_equal(pointed_at[-1], 0); /* its page is gone */
        assert_int_equal(coop_unpark(t, 0), 0);
        assert_int_equal(joined(t), 0);
    }
}

/* ---- looking in ------------------------------------------------------------------------------------------------------------------ */

static void collect(void *ctx, const char *line)
{
    strncat(ctx, line, 4000 - strlen(ctx));
    strcat(ctx, "\n");
}

static void a_backtrace_of_one_that_hibernates_is_the_same_and_does_not_wake_it(void **state)
{
    const struct coop_attr named = { .name = "bear" };
    char awake[4096] = "", asleep[4096] = "";
    const char *calls;
    coop_task *t;

    (void)state;
    need_hibernation();
    assert_int_equal(coop_spawn(&t, deep, (void *)3, &named), 0);
    assert_int_equal(coop_yield(), 0);
    sched_describe(collect, awake, 10);
    assert_int_equal(coop_hibernate(t), 0);
    sched_describe(collect, asleep, 10);
    assert_true(coop_hibernated(t));
    assert_non_null(strstr(awake, " bear [park]\n    "));
    assert_non_null(calls = strstr(asleep, " bear [park] hibernated\n    "));
    assert_string_equal(strchr(calls, '\n'), strchr(strstr(awake, " bear ["), '\n'));
    assert_int_equal(coop_unpark(t, 0), 0);
    assert_int_equal(joined(t), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_hundred_thousand_wake_in_random_order_with_all_they_had),
        TEST(one_hibernates_again_and_again),
        TEST(forty_kilobytes_of_calls_come_back),
        TEST(one_that_waits_for_its_first_turn_can_go_too),
#if defined(__x86_64__) && !defined(COOP_SWITCH_UCONTEXT)
        TEST(what_a_leaf_function_keeps_below_its_stack_pointer_comes_back),
#endif
        TEST(a_foreign_write_into_a_hibernated_stack_is_not_lost),
        TEST(a_foreign_read_sees_what_was_there),
        TEST(a_system_call_is_refused_a_pointer_into_it_until_it_is_back),
        TEST(a_pinned_stack_stays),
        TEST(only_one_that_waits_can_hibernate),
        TEST(one_that_hibernates_is_cancelled),
        TEST(one_that_hibernates_times_out),
        TEST(a_select_that_hibernates_gets_its_message),
        TEST(a_generator_hibernates_between_its_words),
        TEST(those_that_hibernate_are_cancelled_at_the_end),
        TEST(above_the_watermark_the_oldest_go_by_themselves),
        TEST(those_who_work_stay_when_others_are_idle),
        TEST(a_crowd_with_the_smallest_stacks_is_made_and_hibernated_by_one_of_them),
        TEST(those_whose_pages_cannot_be_given_back_stay_as_they_were),
        TEST(never_is_never),
        TEST(with_a_watermark_of_one_everybody_still_gets_what_is_theirs),
        TEST(the_memory_really_comes_back),
        TEST(a_crowd_that_has_ended_leaves_no_pages_behind),
        TEST(without_guards_it_is_refused_unless_the_stacks_are_private),
        TEST(a_backtrace_of_one_that_hibernates_is_the_same_and_does_not_wake_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
