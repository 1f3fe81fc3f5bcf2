/*
 * test_store_loss.c - the broker is killed at calls all along a submit, also between its commit and its answer (tests/halt/halt.h): the client
 * that asks again with the same idempotency key gets the same job, and there is one.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/halt/halt.h"
#include "tests/support/broker_fixture.h"

enum { POINTS = 24 };

static void unmap(void *area)
{
    (void)munmap(area, sizeof(struct halt_area));
}

static struct halt_area *make_area(struct broker *b)
{
    static const char *env[4];
    const char *dir = support_dir(), *path = support_text("%s/area", dir);
    struct halt_area *area = MAP_FAILED;
    int fd;

    if (chmod(dir, 0711) != 0 || (fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666)) < 0)
        support_fail("%s: %s", path, strerror(errno));
    if (fchmod(fd, 0666) == 0 && ftruncate(fd, sizeof(*area)) == 0)
        area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (area == MAP_FAILED)
        support_fail("%s: %s", path, strerror(errno));
    (void)close(fd);
    support_on_release(unmap, area);
    env[0] = support_preload("tests/halt/halt.so");
    env[1] = support_text(HALT_ENV_AREA "=%s", path);
    env[2] = HALT_ENV_ROLE "=broker";
    b->env = env;
    return area;
}

static struct proc *ask(struct broker *b, unsigned n)
{
    return coop(b, "submit", "--hold", "--idem", support_text("key-%u", n), "--name", support_text("job-%u", n),
                script(b, "job.lua", "print('once')"));
}

/* Counted from now on; at: before which call the broker ends, 0: it does not. */
static void arm(struct halt_area *a, int at)
{
    atomic_store(&a->halted, 0);
    atomic_store(&a->halting, 0);
    atomic_store(&a->count[HALT_BROKER], 0);
    atomic_store(&a->at[HALT_BROKER], at);
    atomic_store(&a->armed, 1);
}

/* How many jobs there are of a name. */
static size_t named(struct broker *b, const char *name)
{
    json_t *list = json_at(json_of(&proc_expect(coop(b, "ls", "--json", "--limit", "1000"), 0)->out), "jobs");
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++)
        n += strcmp(json_str(json_array_get(list, i), "name"), name) == 0;
    return n;
}

static void a_submit_that_is_asked_again_is_one_job_wherever_the_broker_was_killed(void **state)
{
    struct broker *b = *state;
    struct halt_area *area = make_area(b);
    unsigned acknowledged = 0, killed = 0;
    int calls;

    broker_up(b);
    broker_expect_idle(b, 1); /* all that there will be: no call of a start is counted, and a submit later makes as many at least */
    arm(area, 0);
    proc_expect(ask(b, 0), 0);
    calls = atomic_load(&area->count[HALT_BROKER]);
    assert_true(calls > 3);
    for (unsigned n = 1; n <= POINTS; n++) {
        struct proc *first, *again;
        char *id = NULL;

        atomic_store(&area->armed, 0);
        arm(area, 1 + (int)(n - 1) * calls / POINTS);
        first = ask(b, n);
        if (proc_end(first) == 0) {
            id = support_text("%s", heard_line(&first->out));
            acknowledged++;
        }
        atomic_store(&area->armed, 0);
        killed += atomic_load(&area->halted) != 0;
        broker_kill(b);
        broker_up(b);
        again = proc_expect(ask(b, n), 0);
        if (id != NULL)
            expect_text(again->out, support_text("%s\n", id));
        assert_int_equal(named(b, support_text("job-%u", n)), 1);
    }
    assert_true(killed > POINTS / 2);
    assert_true(acknowledged < POINTS);
    proc_expect(coop(b, "audit", "verify"), 0);
}

static int setup(void **state)
{
    struct broker *b = *state = broker_new();

    b->args[0] = "--pool";
    b->args[1] = "1";
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_submit_that_is_asked_again_is_one_job_wherever_the_broker_was_killed, setup, broker_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
