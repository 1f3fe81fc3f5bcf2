/* turns.c - see turns.h. */
#include "worker/engines/native/turns.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <ucontext.h>

#include "worker/engines/native/load.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/task/threads.h"

enum { FRAMES = 16, TEXT = 2048 };

static int told; /* its address marks a tasklet that was told of: engine is nobody else's here */

static struct {
    const struct coop_task *task; /* who ran at the last slice's end */
    uint64_t switches;            /* and how many switches there had been */
    unsigned slices;              /* since somebody else ran */
} turns;

void turns_watch(void)
{
    struct itimerval slice = {
        {0,  TURNS_SLICE_US},
        { 0, TURNS_SLICE_US}
    };

    setitimer(ITIMER_VIRTUAL, &slice, NULL);
}

static bool others_wait(void)
{
    return sched_others_wait() || (task_group() != NULL && steal_any(task_group()));
}

struct text {
    char bytes[TEXT];
    size_t len;
};

/* snprintf() of numbers and short words takes no lock and no memory. */
__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->bytes + t->len, TEXT - t->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->len += (size_t)n < TEXT - t->len ? (size_t)n : TEXT - t->len - 1;
}

static void add_place(struct text *t, uintptr_t ip)
{
    uintptr_t offset;

    if (load_holds(ip, &offset))
        add(t, "    %s+0x%zx\n", load_name(), (size_t)offset);
}

/*
 * The module's frames, by frame pointers, as far as they lie on the tasklet's own stack; main's has no bounds that we know. No symbols:
 * looking them up takes the loader's lock. addr2line -e FILE ADDRESS knows them.
 */
static void add_frames(struct text *t, const ucontext_t *context)
{
    const coop_task *task = sched->current;
    const greg_t *r = context->uc_mcontext.gregs;
    uintptr_t low = (uintptr_t)task->stack, high = low + task->stack_size, bp = (uintptr_t)r[REG_RBP], sp = (uintptr_t)r[REG_RSP];

    add_place(t, (uintptr_t)r[REG_RIP]);
    if (task->stack == NULL || sp < low || sp >= high)
        return;
    for (int i = 0; i < FRAMES && bp >= sp && bp + 16 <= high && bp % sizeof(void *) == 0; i++) {
        const uintptr_t *frame = (const uintptr_t *)bp;

        add_place(t, frame[1]);
        if (frame[0] <= bp)
            break;
        bp = frame[0];
    }
}

static void tell(const void *context)
{
    const coop_task *task = sched->current;
    struct text t = { .len = 0 };

    add(&t, "tasklet %llu%s%s has not yielded for %d s of CPU time, while others could run:\n", (unsigned long long)task->id,
        task->name[0] != '\0' ? " " : "", task->name, TURNS_PATIENCE_US / 1000000);
    add_frames(&t, context);
    output_write(PB__STREAM__STREAM_STDERR, t.bytes, t.len);
    sched->current->engine = &told;
}

void turns_slice(const void *context)
{
    if (sched == NULL)
        return;
    if (turns.task != sched->current || turns.switches != sched->switches || !others_wait()) {
        turns.task = sched->current;
        turns.switches = sched->switches;
        turns.slices = 0;
        return;
    }
    if (++turns.slices >= TURNS_PATIENCE_US / TURNS_SLICE_US && sched->current->engine != &told && link_try_enter()) {
        tell(context);
        link_leave();
    }
}
