/* inbound.c - see inbound.h. */
#include "worker/inbound.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "worker/asks.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/serve.h"

enum { AT_ONCE = 64 }; /* messages that are read before somebody else has a turn */

struct inbound inbound_stdin = { .descriptor = -1 }, inbound_call = { .descriptor = -1 };

/* Of several OS threads: who reads. The flag come of what they wait for is changed under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t somebody_came = PTHREAD_COND_INITIALIZER;
static bool somebody_reads;

/* ---- whose it is --------------------------------------------------------------------------------------------------------------- */

static bool varint(const uint8_t **at, const uint8_t *end, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t b = *(*at)++;

        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            *ret = v;
            return true;
        }
    }
    return false;
}

/* Of a packed ToWorker, without decoding it: which body it has, and of an Answer the number, its first field. */
static unsigned look_at(const uint8_t *bytes, size_t len, uint64_t *ret_number)
{
    const uint8_t *at = bytes, *end = bytes + len;
    uint64_t tag, body, first;

    *ret_number = 0;
    if (!varint(&at, end, &tag) || (tag & 7) != 2 || !varint(&at, end, &body))
        return 0;
    if (tag >> 3 == PB__TO_WORKER__BODY_ANSWER && varint(&at, end, &first) && first == (1 << 3 | 0))
        (void)varint(&at, end, ret_number);
    return (unsigned)(tag >> 3);
}

_Noreturn void inbound_no_memory(void)
{
    static struct outcome o = { .kind = PB__RESULT_KIND__RESULT_KIND_OOM, .type = "memory", .message = "not enough memory" };

    serve_finish(&o);
}

static struct inbound *expected(const uint8_t *bytes, size_t len)
{
    uint64_t number;

    switch (look_at(bytes, len, &number)) {
    case PB__TO_WORKER__BODY_ANSWER: return asks_find(number);
    case PB__TO_WORKER__BODY_STDIN_DATA: return &inbound_stdin;
    case PB__TO_WORKER__BODY_CALL: return &inbound_call;
    case PB__TO_WORKER__BODY_TTY_SIZE: return NULL; /* of no use here: as an answer that is late, and gives nothing */
    default: _exit(70);
    }
}

/* Takes one message off the link, and wakes who waits for it. -EINTR: a signal came first. */
static int receive(void)
{
    struct inbound *in;
    uint8_t *bytes;
    size_t len;
    int fd = -1, rc = link_receive(&bytes, &len, &fd, asks_may_bring_descriptor);

    if (rc == -EINTR)
        return rc;
    if (rc != 0)
        rc == -ENOMEM ? inbound_no_memory() : _exit(70);
    in = expected(bytes, len);
    if (in != NULL && in->come)
        _exit(70);
    if (in == NULL) {
        asks_orphan(bytes, len);
        if (fd >= 0)
            close(fd);
        return 0;
    }
    in->bytes = bytes;
    in->len = len;
    in->descriptor = fd;
    in->come = true;
    if (in->task != NULL && in->task->state == TASK_BLOCKED)
        task_wake(in->task, 0);
    return 0;
}

/* ---- waiting ------------------------------------------------------------------------------------------------------------------- */

/* One, and those that were read with it: nobody else would hear of them. */
static int receive_some(void)
{
    int rc;

    do
        rc = receive();
    while (rc == 0 && link_has_more());
    return rc;
}

static void readable(void)
{
    for (int i = 0; i < AT_ONCE; i++)
        if (receive_some() != 0 || sched->watching <= 1 || link_sleep(0, NULL) != 0) /* the one that waits has been served */
            return;
}

static bool any_come(struct inbound *const *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in[i]->come)
            return true;
    return false;
}

static void belong_to(struct inbound *const *in, size_t n, coop_task *t)
{
    for (size_t i = 0; i < n; i++)
        in[i]->task = t;
}

int inbound_park(struct inbound *const *in, size_t n, int64_t deadline, const char *why)
{
    int rc;

    if (any_come(in, n))
        return 0;
    belong_to(in, n, sched->current);
    rc = sched_watch_block(LINK_FD, readable, deadline, why, in[0]);
    belong_to(in, n, NULL);
    return any_come(in, n) ? 0 : rc != 0 ? rc : -EINTR; /* somebody else has woken it */
}

static int64_t left_until(int64_t deadline)
{
    int64_t us = deadline == COOP_NEVER ? -1 : deadline - coop_now();

    return deadline != COOP_NEVER && us < 0 ? 0 : us;
}

/* SIGTERM is let in only while we sleep, so a cancel cannot slip in between the look at the flag and the sleep. */
static int sleep_and_receive(int64_t deadline)
{
    sigset_t kept, all;
    int rc = -ECANCELED;

    sigfillset(&all);
    sigdelset(&all, SIGSEGV); /* a tasklet's stack may grow here by that */
    sigprocmask(SIG_BLOCK, &all, &kept);
    sigdelset(&all, SIGTERM);
    if (!serve_cancelled())
        rc = link_sleep(left_until(deadline), &all);
    sigprocmask(SIG_SETMASK, &kept, NULL);
    if (rc == 0)
        rc = receive_some();
    return rc == -EINTR ? 0 : rc;
}

static int wait_for_reader(int64_t deadline)
{
    struct timespec t = { .tv_sec = deadline / 1000000, .tv_nsec = deadline % 1000000 * 1000 };

    if (deadline == COOP_NEVER)
        return -pthread_cond_wait(&somebody_came, &lock);
    return -pthread_cond_clockwait(&somebody_came, &lock, CLOCK_MONOTONIC, &t);
}

int inbound_stay(struct inbound *const *in, size_t n, int64_t deadline)
{
    int rc = 0;

    output_flush();
    pthread_mutex_lock(&lock);
    while (!any_come(in, n) && rc == 0) {
        if (somebody_reads) {
            rc = wait_for_reader(deadline);
            continue;
        }
        somebody_reads = true;
        pthread_mutex_unlock(&lock);
        rc = sleep_and_receive(deadline);
        pthread_mutex_lock(&lock);
        somebody_reads = false;
        pthread_cond_broadcast(&somebody_came);
    }
    pthread_mutex_unlock(&lock);
    return any_come(in, n) ? 0 : rc;
}

/* ---- what has come ------------------------------------------------------------------------------------------------------------- */

int inbound_take(struct inbound *in, struct frame *ret_f)
{
    int rc = frame_decode(ret_f, &pb__to_worker__descriptor, in->bytes, in->len, FRAME_MAX_ASSIGN);

    free(in->bytes);
    in->bytes = NULL;
    in->come = false;
    return rc;
}

void inbound_drop(struct inbound *in)
{
    free(in->bytes);
    if (in->descriptor >= 0)
        close(in->descriptor);
    *in = (struct inbound){ .descriptor = -1 };
}
