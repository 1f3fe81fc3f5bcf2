/* test_output.c - what several threads print at once arrives whole, in each one's order, while the timer's signal pushes it out. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "frame.h"
#include "link.pb-c.h"
#include "sp.h"
#include "worker/link.h"
#include "worker/output.h"

enum { THREADS = 4, LINES = 20000, LINE_MAX_LEN = 64 };

static void on_tick(int signo)
{
    output_tick(signo);
}

/* Every few microseconds, on whichever thread the kernel takes: far more often than in life. */
static void storm(void)
{
    struct sigaction sa = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
    struct itimerval often = {
        {0,  50},
        { 0, 50}
    };

    sigaction(SIGPROF, &sa, NULL);
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_PROF, &often, NULL);
}

static void *print_lines(void *arg)
{
    uintptr_t me = (uintptr_t)arg;
    char line[LINE_MAX_LEN];

    for (int i = 0; i < LINES; i++) {
        int n = snprintf(line, sizeof(line), "%zu %d of some length that does not divide a buffer\n", (size_t)me, i);

        output_write(i % 100 == 99 ? PB__STREAM__STREAM_STDERR : PB__STREAM__STREAM_STDOUT, line, (size_t)n);
    }
    return NULL;
}

static _Noreturn void print_from_all(int fd)
{
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;
    pthread_t threads[THREADS];

    limits.stdout_bytes = limits.stderr_bytes = UINT32_MAX;
    spec.limits = &limits;
    link_use(fd);
    output_begin(&spec);
    storm();
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, print_lines, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    output_flush();
    _exit(0);
}

struct read_back {
    char part[2][LINE_MAX_LEN]; /* of a line, by stream, that the next frame goes on with */
    size_t part_len[2];
    int next[THREADS][2]; /* the line that each one's next must be, by stream */
    unsigned lines;
};

static void take_line(struct read_back *r, int stream)
{
    unsigned who;
    int number;

    assert_int_equal(sscanf(r->part[stream], "%u %d of some length that does not divide a buffer", &who, &number), 2);
    assert_in_range(who, 0, THREADS - 1);
    while (r->next[who][stream] % 100 == 99 ? stream == 0 : stream == 1) /* those go to the other stream */
        r->next[who][stream]++;
    assert_int_equal(number, r->next[who][stream]++);
    r->lines++;
}

static void take(struct read_back *r, const Pb__Output *o)
{
    int stream = o->stream == PB__STREAM__STREAM_STDERR;

    for (size_t i = 0; i < o->data.len; i++) {
        assert_true(r->part_len[stream] < LINE_MAX_LEN - 1);
        r->part[stream][r->part_len[stream]++] = (char)o->data.data[i];
        if (o->data.data[i] != '\n')
            continue;
        r->part[stream][r->part_len[stream]] = '\0';
        take_line(r, stream);
        r->part_len[stream] = 0;
    }
}

static void lines_of_several_threads_arrive_whole_and_in_order(void **state)
{
    static struct read_back r;
    uint8_t *bytes = NULL;
    size_t cap = 0, len;
    int pair[2], status;
    pid_t pid;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        print_from_all(pair[1]);
    close(pair[1]);
    while (sp_recv(pair[0], &bytes, &cap, FRAME_MAX_LINK, &len) == 0) {
        struct frame f;

        assert_int_equal(frame_decode(&f, &pb__from_worker__descriptor, bytes, len, FRAME_MAX_LINK), 0);
        assert_int_equal(((const Pb__FromWorker *)f.msg)->body_case, PB__FROM_WORKER__BODY_OUTPUT);
        take(&r, ((const Pb__FromWorker *)f.msg)->output);
        frame_release(&f);
    }
    free(bytes);
    close(pair[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(r.lines, THREADS * LINES);
    assert_int_equal(r.part_len[0] + r.part_len[1], 0);
}

static void a_handler_finds_the_lock_taken_and_does_not_wait(void **state)
{
    (void)state;
    assert_false(link_is_busy());
    link_enter();
    assert_true(link_is_busy() && link_is_mine());
    assert_false(link_try_enter());
    link_enter(); /* its owner may again */
    link_leave();
    assert_true(link_is_busy());
    link_leave();
    assert_false(link_is_busy() || link_is_mine());
    assert_true(link_try_enter());
    link_leave();
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_several_threads_arrive_whole_and_in_order),
        cmocka_unit_test(a_handler_finds_the_lock_taken_and_does_not_wait),
    };

    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
