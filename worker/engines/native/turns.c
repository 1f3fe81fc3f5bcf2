/* turns.c - see turns.h. */
#include "worker/engines/native/turns.h"

#include <sys/time.h>
#include <ucontext.h>

#include "worker/engines/native/frames.h"
#include "worker/engines/native/mine.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/task/threads.h"

enum { TEXT = 2048 };

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

/* The innermost place, and what called it as far as it lies on the tasklet's own stack; main's has no bounds that we know here. */
static void add_frames(struct frames *f, const ucontext_t *context)
{
    const coop_task *task = sched->current;
    const greg_t *r = context->uc_mcontext.gregs;
    uintptr_t low = (uintptr_t)task->stack, high = low + task->stack_size, sp = (uintptr_t)r[REG_RSP];

    frames_place(f, (uintptr_t)r[REG_RIP]);
    if (task->stack != NULL && sp >= low && sp < high)
        frames_walk(f, (uintptr_t)r[REG_RBP], sp, high);
}

static void tell(const void *context)
{
    const coop_task *task = sched->current;
    char text[TEXT];
    struct frames f = { text, sizeof(text), 0 };

    frames_add(&f, "tasklet %llu%s%s has not yielded for %d s of CPU time, while others could run:", (unsigned long long)task->id,
               task->name[0] != '\0' ? " " : "", task->name, TURNS_PATIENCE_US / 1000000);
    add_frames(&f, context);
    frames_add(&f, "\n");
    output_write(PB__STREAM__STREAM_STDERR, f.text, f.len);
    mine_tell(sched->current);
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
    if (++turns.slices >= TURNS_PATIENCE_US / TURNS_SLICE_US && !mine_is_told(sched->current) && link_try_enter()) {
        tell(context);
        link_leave();
    }
}
