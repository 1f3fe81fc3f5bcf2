/*
 * fuzz_link.c - any frames from a worker in any phase, mixed with what clients and the broker do meanwhile.
 *
 * Input: one byte that chooses the phase and the engine, then records: length (two bytes, little-endian), bytes. A length from ACT up is not a
 * frame but an action of ours. Held: a refused worker is retired, output never passes its credit, the pool's counts are right, what
 * goes to the worker and the receipt at the end are messages.
 */
#include <assert.h>
#include <errno.h>

#include "broker/receipt.h"
#include "../unit/bare_broker.h"
#include "../unit/bare_interp.h"
#include "frame.h"
#include "rel_path.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ACT = 0xfff0, ACT_STDIN = ACT, ACT_STDIN_END, ACT_CANCEL, ACT_KILL, ACT_PID, ACT_TTY, ACT_CALL };

static struct bare_broker bare;
static int far_end = -1; /* the worker's end of its link */

/* The job is an interpreter, and runs a call: number BARE_CALL, again and again. */
static void begin_call(struct job *job)
{
    if (job->state != PB__STATE__STATE_RUNNING || job->end.cause != PB__CAUSE__CAUSE_NONE)
        return;
    if (job->interp == NULL)
        (void)bare_interp(&bare);
    if (job->interp->running == NULL)
        (void)bare_interp_call(job->interp);
}

static void act(unsigned what)
{
    struct job *job = bare.job;

    if (what == ACT_PID && bare.w->pid == 0)
        pool_on_spawned(bare.w, 1 << 22 /* above every pid that Linux gives */, -1);
    if (job == NULL)
        return;
    if (what == ACT_STDIN || what == ACT_STDIN_END)
        jobs_stdin_put(job, "some bytes", 10, what == ACT_STDIN_END);
    else if (what == ACT_CANCEL)
        jobs_cancel(job);
    else if (what == ACT_KILL)
        jobs_kill(job);
    else if (what == ACT_CALL)
        begin_call(job);
    else if (what == ACT_TTY)
        (void)jobs_resize_tty(job, 24, 80);
}

/* Files never pass their credit, lie one behind the other, and have names that stay below a directory. */
static void check_kept(const struct job *job)
{
    const struct job_outputs *o = &job->outputs;
    uint64_t bytes = 0;

    assert(o->spool.len <= BARE_CREDIT && o->spool.refused == 0 && o->count <= OUTPUTS_MAX);
    assert(job->evidence.learned_count <= EVIDENCE_ROWS);
    for (size_t i = 0; i < o->count; i++) {
        assert(rel_path_fault(o->files[i].name) == NULL && (o->files[i].mode & ~0777u) == 0);
        bytes += o->files[i].bytes;
    }
    assert(o->name != NULL ? o->begin == bytes && o->spool.len <= bytes + o->size : o->spool.len == bytes);
}

static void check(int rc)
{
    const struct worker *w = bare.w;
    const struct pool *p = &bare.b.pool;

    (void)bare_heard(far_end);
    assert(rc == 0 || rc == -EPROTO);
    assert(rc == 0 || w->phase == WORKER_ENDING);
    assert(p->booting == (w->phase == WORKER_BOOT) + (w->of != NULL && w->of->forking != NULL) && p->idle == (w->phase == WORKER_IDLE));
    assert(p->busy == (w->phase == WORKER_ASSIGNED || w->phase == WORKER_BUSY));
    assert(w->seal_count <= WORKER_SEAL_MAX);
    if (bare.job == NULL)
        return;
    assert(bare.job->spools[0].len <= BARE_CREDIT && bare.job->spools[1].len <= BARE_CREDIT);
    assert(bare.job->spools[0].refused == 0 && bare.job->spools[1].refused == 0);
    check_kept(bare.job);
    assert((w->phase == WORKER_ENDING) == (bare.job->end.cause != PB__CAUSE__CAUSE_NONE));
}

static void check_receipt(const struct job *job)
{
    struct frame f;
    uint8_t *bytes;
    size_t len;
    int rc = receipt_pack(job, &bytes, &len);

    assert(rc == 0);
    rc = frame_decode(&f, &pb__receipt__descriptor, bytes, len, FRAME_MAX_CONTROL);
    assert(rc == 0);
    for (const char *p = job->end.detail; *p != '\0'; p++)
        assert(*p >= 0x20 && *p <= 0x7e); /* shown to people */
    frame_release(&f);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (bare.dir == NULL && bare_start(&bare) != 0)
        abort();
    bare.b.pool.last_id = 0; /* the same token each time */
    bare.engine = data[0] / WORKER_ENDING % ENGINE_COUNT;
    bare_enter(&bare, data[0] % WORKER_ENDING);
    if (bare.job != NULL)
        bare.job->tty.wanted = 1;
    far_end = bare_open_link(&bare, bare.w);
    for (data++, size--; size >= 2;) {
        size_t len = data[0] | (size_t)data[1] << 8;
        int rc = 0;

        data += 2;
        size -= 2;
        if (len >= ACT) {
            act((unsigned)len);
        } else {
            uint8_t *exact;

            len = len < size ? len : size;
            exact = malloc(len > 0 ? len : 1);
            memcpy(exact, data, len);
            rc = gate_receive(bare.w, exact, len);
            free(exact); /* what is kept was copied */
            data += len;
            size -= len;
        }
        check(rc);
    }
    if (bare.job != NULL && bare.job->end.cause != PB__CAUSE__CAUSE_NONE)
        check_receipt(bare.job);
    (void)close(far_end);
    bare_clear(&bare);
    return 0;
}

__attribute__((destructor)) static void finish(void)
{
    if (bare.dir != NULL)
        bare_stop(&bare);
}
