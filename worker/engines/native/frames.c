/* frames.c - see frames.h. */
#include "worker/engines/native/frames.h"

#include <stdarg.h>
#include <stdio.h>

#include "worker/engines/native/load.h"
#include "worker/task/sched.h"

enum { FRAMES = 16 };

static uintptr_t top; /* of main's, as far as it is the tenant's */

/* snprintf() of numbers and short words takes no lock and no memory. */
void frames_add(struct frames *f, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(f->text + f->len, f->size - f->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        f->len += (size_t)n < f->size - f->len ? (size_t)n : f->size - f->len - 1;
}

void frames_place(struct frames *f, uintptr_t ip)
{
    uintptr_t offset;

    if (load_holds(ip, &offset))
        frames_add(f, "%s    %s+0x%zx", f->len > 0 ? "\n" : "", load_name(), (size_t)offset);
}

void frames_walk(struct frames *f, uintptr_t bp, uintptr_t low, uintptr_t high)
{
    for (int i = 0; i < FRAMES && bp >= low && bp + 16 <= high && bp % sizeof(void *) == 0; i++) {
        const uintptr_t *frame = (const uintptr_t *)bp;

        frames_place(f, frame[1]);
        if (frame[0] <= bp)
            break;
        bp = frame[0];
    }
}

void frames_main_top(const void *main_top)
{
    top = (uintptr_t)main_top;
}

void frames_here(struct frames *f, const void *frame)
{
    const coop_task *t = sched != NULL ? sched->current : NULL;
    uintptr_t high = t != NULL && t->stack != NULL ? (uintptr_t)t->stack + t->stack_size : top;

    frames_walk(f, (uintptr_t)frame, (uintptr_t)frame, high);
}
