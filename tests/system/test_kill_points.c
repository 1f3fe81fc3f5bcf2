/*
 * test_kill_points.c - SIGKILL for the broker, a zygote or a job's worker before calls of libc all along the life of a job (tests/halt/halt.h):
 * nothing of it is left, the next broker works in the same directories, and the job has one receipt.
 *
 * A first run counts the calls of each, from the submit to the receipt. Then each is killed at POINTS of them, evenly spread; a point that is
 * not reached this time, because messages fell together in another way, is a kill behind the end, and is tried once more in a shorter life.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
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
#include "tests/support/traces.h"

enum { POINTS = 24 };

/* COOP_KILL_POINTS in the environment asks for fewer. */
static int points(void)
{
    const char *said = getenv("COOP_KILL_POINTS");

    return said != NULL ? atoi(said) : POINTS;
}

/* ---- the job of each engine: uses what it has, says a line, ends well ----------------------------------------------------------- */

struct kind {
    const char *engine;
    const char *const *(*job)(const struct broker *b); /* what stands behind "coop submit" */
};

static const char *const *lua_job(const struct broker *b)
{
    static const char *args[2];

    args[0] = script(b, "job.lua", "io.stderr:write('to 2\\n')\nfor i = 1, 3 do print('line', i) end\n");
    return args;
}

static const char *const *native_job(const struct broker *b)
{
    static const char *args[3];

    (void)b;
    args[0] = support_program("tests/native/behave.so");
    args[1] = "echo";
    return args;
}

static const char *const *exec_job(const struct broker *b)
{
    static const char *args[10];
    const char *staged = script(b, "staged.txt", "staged\n");

    args[0] = "--file";
    args[1] = staged;
    args[2] = "--output";
    args[3] = "made*";
    args[4] = "--";
    args[5] = "sh";
    args[6] = "-c";
    args[7] = "cat staged.txt; (sleep 100 &) ; echo x >made.txt; echo y >/tmp/left-here; echo z >/dev/shm/left-here; echo to 2 >&2";
    return args;
}

static const struct kind kinds[] = {
    {"lua",     lua_job   },
    { "native", native_job},
    { "exec",   exec_job  },
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* ---- one life of a job --------------------------------------------------------------------------------------------------------- */

struct stage {
    struct broker *b;
    const struct kind *kind;
    enum halt_role role;          /* that is lost */
    const struct traces *nothing; /* before any broker */
    struct halt_area *area;
    const char *env[5];
    size_t jobs; /* that the store knows */
};

static void unmap(void *area)
{
    (void)munmap(area, sizeof(struct halt_area));
}

static struct halt_area *make_area(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    struct halt_area *area = MAP_FAILED;

    if (fd >= 0 && fchmod(fd, 0666) == 0 && ftruncate(fd, sizeof(*area)) == 0)
        area = mmap(NULL, sizeof(*area), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (area == MAP_FAILED)
        support_fail("%s: %s", path, strerror(errno));
    (void)close(fd);
    support_on_release(unmap, area);
    return area;
}

/* coop-worker with halt.so in it, in a directory where it finds what it needs. */
static const char *worker_with_halt(const char *dir, const char *area)
{
    const char *from = support_program("tests/halt/halting-worker");
    size_t len;
    const char *bytes = support_get(from, &len), *path = support_put(dir, "halting-worker", bytes, len);

    (void)support_put(dir, "halting",
                      support_text("%s\n%s\n%s\n", support_program("tests/halt/halt.so"), area, support_program("coop-worker")),
                      (size_t)-1);
    if (chmod(path, 0755) != 0)
        support_fail("%s: %s", path, strerror(errno));
    return path;
}

static void stage_set(struct stage *s, struct broker *b, const struct kind *k)
{
    const char *dir = support_dir(), *path = support_text("%s/area", dir);

    *s = (struct stage){ .b = b, .kind = k };
    if (chmod(dir, 0711) != 0 || chmod(b->dir, 0711) != 0)
        support_fail("chmod: %s", strerror(errno));
    s->area = make_area(path);
    s->env[0] = support_preload("tests/halt/halt.so");
    s->env[1] = support_text(HALT_ENV_AREA "=%s", path);
    s->env[2] = HALT_ENV_ROLE "=broker";
    b->env = s->env;
    b->args[0] = "--pool";
    b->args[1] = "1";
    b->args[2] = "--worker";
    b->args[3] = worker_with_halt(dir, path);
    traces_begin();
}

/* at: before which call of role the end comes; 0: it never does. A zygote is counted from its start on, a broker when it is up. */
static void up_and_armed(const struct stage *s, enum halt_role role, int at)
{
    struct halt_area *a = s->area;

    for (int i = 0; i < HALT_ROLES; i++) {
        atomic_store(&a->count[i], 0);
        atomic_store(&a->at[i], i == (int)role ? at : 0);
    }
    for (int i = 0; i < HALT_WORKERS; i++) {
        atomic_store(&a->pids[i], 0);
        atomic_store(&a->count_of[i], 0);
    }
    atomic_store(&a->workers, 0);
    atomic_store(&a->halted, 0);
    atomic_store(&a->halting, 0);
    memset(a->name, 0, sizeof(a->name));
    atomic_store(&a->armed, role != HALT_BROKER);
    broker_up(s->b);
    atomic_store(&a->armed, 1);
}

static struct proc *submit_later(const struct stage *s)
{
    const char *const *job = s->kind->job(s->b);
    const char *args[32] = { "submit" };

    for (size_t i = 0; job[i] != NULL && i < 30; i++)
        args[i + 1] = job[i];
    return coop_start_(s->b, &(struct proc_how){ .in = PROC_IN_NULL }, args);
}

/*
 * Broker, zygote and worker may be lost: the job runs again. Only who is killed before it was ever ready to take a job, as any program that does
 * not start, costs those that wait their start, and the receipt says so.
 */
static void expect_end_of(const struct stage *s, const char *id)
{
    json_t *r;

    (void)coop(s->b, "wait", "--quiet", id);
    r = receipt_of(s->b, id);
    if (strcmp(json_str(r, "cause"), "ok") == 0 || (s->role != HALT_BROKER && strcmp(json_str(r, "cause"), "start_failed") == 0))
        return;
    (void)expect_end(s->b, id, "ok");
}

/* All that the store knows have ended, each has a receipt, and none is there twice. */
static void all_have_ended(struct stage *s)
{
    json_t *list = json_at(json_of(&proc_expect(coop(s->b, "ls", "--json", "--limit", "1000"), 0)->out), "jobs");
    size_t n = json_array_size(list);

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(json_str(json_array_get(list, i), "id"), json_str(json_array_get(list, k), "id"));
    for (size_t i = 0; i < n - s->jobs; i++) /* newest first */
        expect_end_of(s, json_str(json_array_get(list, i), "id"));
    assert_true(n == s->jobs || n == s->jobs + 1);
    s->jobs = n;
}

/* The client of a broker that was killed under it: it knows its job's id, or knows that it does not. */
static void acknowledged_or_not(struct stage *s, struct proc *client)
{
    int code = proc_end(client);
    size_t before = s->jobs;

    all_have_ended(s);
    if (code == 0 && s->jobs == before)
        support_fail("job %s was acknowledged and is not there", heard_line(&client->out));
    if (code == 0)
        (void)expect_end(s->b, heard_line(&client->out), "ok");
}

/* ---- the three ways to lose something ------------------------------------------------------------------------------------------ */

/* From the submit to the receipt; whoever is to be halted is, or the job ends. Returns whether it was. */
static int wait_for_worker_to_halt(const struct stage *s, struct proc *client)
{
    uint64_t started = support_now_ms();
    const char *id;

    (void)proc_expect(client, 0);
    id = heard_line(&client->out);
    while (atomic_load(&s->area->halted) == 0) {
        if (broker_said(s->b, "from=finishing", id) > 0)
            return 0;
        support_turn(started, "the point, or the end of the job");
    }
    return 1;
}

static void lose_broker(struct stage *s, struct proc *client)
{
    uint64_t started = support_now_ms();

    while (atomic_load(&s->area->halted) == 0 && broker_said(s->b, "from=finishing", NULL) == 0)
        support_turn(started, "the point, or the end of the job");
    broker_kill(s->b);
    atomic_store(&s->area->armed, 0);
    traces_expect(s->b, s->nothing);
    broker_up(s->b);
    acknowledged_or_not(s, client);
}

static void lose_zygote(struct stage *s, struct proc *client)
{
    (void)proc_expect(client, 0);
    expect_end_of(s, heard_line(&client->out));
    atomic_store(&s->area->armed, 0);
    all_have_ended(s);
}

/* The zygote notes it after its fork: the worker may have come to its point before. */
static pid_t halted_worker(const struct stage *s)
{
    const atomic_int *pid = &s->area->pids[atomic_load(&s->area->halted_worker)];
    uint64_t started = support_now_ms();

    while (atomic_load(pid) == 0)
        support_turn(started, "the number of the halted worker");
    return atomic_load(pid);
}

static void lose_worker(struct stage *s, struct proc *client)
{
    int halted = wait_for_worker_to_halt(s, client);

    atomic_store(&s->area->armed, 0);
    if (halted)
        support_kill(halted_worker(s), SIGKILL);
    expect_end_of(s, heard_line(&client->out));
    all_have_ended(s);
}

static void (*const lose[HALT_ROLES])(struct stage *s, struct proc *client) = { lose_broker, lose_zygote, lose_worker };

/* ---- tests --------------------------------------------------------------------------------------------------------------------- */

static void down_and_nothing_left(const struct stage *s)
{
    atomic_store(&s->area->armed, 0);
    assert_int_equal(broker_down(s->b), 0);
    traces_expect(s->b, s->nothing);
}

/* Among the zygote's workers. */
static int number_of(const struct halt_area *a, pid_t worker)
{
    for (int i = 0; i < HALT_WORKERS; i++)
        if (atomic_load(&a->pids[i]) == worker)
            return i;
    support_fail("the zygote has no child %d", (int)worker);
}

/* How many calls the role makes in the life of a job, when nobody is killed. */
static int count_calls(struct stage *s, enum halt_role role)
{
    const struct proc *client;
    json_t *r;
    int calls;

    up_and_armed(s, role, 0);
    client = proc_expect(submit_later(s), 0);
    broker_says(s->b, "to=succeeded", NULL);
    calls = atomic_load(&s->area->count[role]);
    r = expect_end(s->b, heard_line(&client->out), "ok");
    if (role == HALT_WORKER)
        calls = atomic_load(&s->area->count_of[number_of(s->area, (pid_t)json_num(r, "where.worker_pid"))]);
    s->jobs = 1;
    down_and_nothing_left(s);
    return calls;
}

/* The role is lost at a part of the calls of a life; whether it came to that. */
static bool lose_at(struct stage *s, enum halt_role role, int point, int calls)
{
    int at = 1 + (int)((long)(calls - 1) * point / (points() - 1));

    up_and_armed(s, role, at);
    lose[role](s, submit_later(s));
    if (getenv("COOP_TEST_SHOW") != NULL)
        fprintf(stderr, "%s %d: call %d of %d, %s\n", s->kind->engine, role, at, calls, s->area->name);
    return atomic_load(&s->area->halted) != 0;
}

static void at_each_point(struct stage *s, enum halt_role role, int calls)
{
    int reached = 0, n = points();

    for (int i = 0; i < n; i++) {
        bool came = lose_at(s, role, i, calls);
        int lived = atomic_load(&s->area->count[role]);

        down_and_nothing_left(s);
        if (!came && lived > n && lived < calls) { /* the first life had more turns than this one: once more, by the measure of this */
            came = lose_at(s, role, i, lived);
            down_and_nothing_left(s);
        }
        reached += came;
    }
    printf("@ %s: %d calls, %d of %d points reached\n", s->kind->engine, calls, reached, n);
    assert_true(reached * 6 >= n * 5);
}

static void play(struct broker *b, const struct kind *k, enum halt_role role)
{
    struct stage s;
    int calls;

    stage_set(&s, b, k);
    s.role = role;
    s.nothing = traces_take(b);
    calls = count_calls(&s, role);
    assert_true(points() > 1 && calls >= points());
    at_each_point(&s, role, calls);
}

#define CELLS(engine, number)                                                                                                              \
    static void the_broker_is_killed_all_along_a_##engine##_job(void **state)                                                              \
    {                                                                                                                                      \
        play(*state, &kinds[number], HALT_BROKER);                                                                                         \
    }                                                                                                                                      \
    static void the_zygote_is_killed_all_along_a_##engine##_job(void **state)                                                              \
    {                                                                                                                                      \
        play(*state, &kinds[number], HALT_ZYGOTE);                                                                                         \
    }                                                                                                                                      \
    static void the_worker_is_killed_all_along_a_##engine##_job(void **state)                                                              \
    {                                                                                                                                      \
        play(*state, &kinds[number], HALT_WORKER);                                                                                         \
    }
CELLS(lua, 0)
CELLS(native, 1)
CELLS(exec, 2)

static int setup(void **state)
{
    *state = broker_new();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, broker_teardown)
#define TESTS(engine)                                                                                                                      \
    TEST(the_broker_is_killed_all_along_a_##engine##_job), TEST(the_zygote_is_killed_all_along_a_##engine##_job),                          \
        TEST(the_worker_is_killed_all_along_a_##engine##_job)

int main(void)
{
    const struct CMUnitTest tests[] = { TESTS(lua), TESTS(native), TESTS(exec) };

#if defined(COOP_ASAN) || defined(COOP_TSAN) || defined(COOP_UBSAN)
    printf("[  SKIPPED ] kill_points: a sanitizer's library has to be the first that is loaded\n");
    return 0;
#endif
    cmocka_set_test_filter(getenv("TEST"));
    return cmocka_run_group_tests_name("kill points", tests, NULL, NULL);
}
