/* describe.c - see sched.h: who waits for what, and where it stands. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/task/threads.h"

enum { LINE = 256, FRAMES_MAX = 64 };

struct out {
    void (*line)(void *ctx, const char *text);
    void *ctx;
};

/* Frame pointers only: cheap, needs no tables, and never leaves the stack. Code built without them ends the walk early. */
static int walk(const coop_task *t, void **ret_frames, int max)
{
    uintptr_t low = (uintptr_t)t->regs.sp, high = (uintptr_t)t->stack + t->stack_size, bp = (uintptr_t)t->regs.bp;
    int n = 0;

    if (t->stack == NULL || t->state == TASK_RUNNING || t->state == TASK_ENDED)
        return 0;
    while (n < max && bp >= low && bp + 16 <= high && bp % sizeof(void *) == 0) {
        const uintptr_t *frame = (const uintptr_t *)bp;

        if (frame[1] == 0)
            break;
        ret_frames[n++] = (void *)frame[1];
        if (frame[0] <= bp)
            break;
        bp = frame[0];
    }
    return n;
}

static void describe_frame(const struct out *o, const void *address)
{
    char text[LINE];
    Dl_info info;

    if (dladdr(address, &info) != 0 && info.dli_sname != NULL)
        snprintf(text, sizeof(text), "    %s+0x%zx", info.dli_sname, (size_t)((const char *)address - (const char *)info.dli_saddr));
    else if (dladdr(address, &info) != 0 && info.dli_fname != NULL)
        snprintf(text, sizeof(text), "    %.200s+0x%zx", info.dli_fname, (size_t)((const char *)address - (const char *)info.dli_fbase));
    else
        snprintf(text, sizeof(text), "    %p", address);
    o->line(o->ctx, text);
}

static const char *state_of(const coop_task *t)
{
    switch (t->state) {
    case TASK_READY: return "runnable";
    case TASK_RUNNING: return "running";
    case TASK_BLOCKED: return t->why != NULL ? t->why : "blocked";
    default: return "ended";
    }
}

static void describe(const struct out *o, const coop_task *t, int depth)
{
    void *frames[FRAMES_MAX];
    char text[LINE];
    int n = walk(t, frames, depth < FRAMES_MAX ? depth : FRAMES_MAX);

    snprintf(text, sizeof(text), "tasklet %llu%s%s [%s]%s", (unsigned long long)t->id, t->name[0] != '\0' ? " " : "", t->name, state_of(t),
             t->cancelled ? " cancelled" : "");
    o->line(o->ctx, text);
    for (int i = 0; i < n; i++)
        describe_frame(o, frames[i]);
}

/* In a group only the owner may look into one; of the others there is a name. */
static void describe_any(const struct out *o, const coop_task *t, int depth)
{
    char text[LINE];

    if (sched->member == NULL || shared_is_ours(t)) {
        if (t->state != TASK_ENDED)
            describe(o, t, depth);
    } else if (!shared_is_over(t)) {
        snprintf(text, sizeof(text), "tasklet %llu%s%s [of thread %u]", (unsigned long long)t->id, t->name[0] != '\0' ? " " : "", t->name,
                 atomic_load(&t->owner)->member->index + 1);
        o->line(o->ctx, text);
    }
}

static void describe_members(const struct out *o, int depth)
{
    const struct group *g = sched->member->group;

    describe_any(o, &g->members[0]->sched->main, depth);
    for (unsigned i = 0; i < g->n; i++) {
        pthread_mutex_lock(&g->members[i]->all);
        for (const coop_task *t = g->members[i]->sched->all; t != NULL; t = t->all_next)
            describe_any(o, t, depth);
        pthread_mutex_unlock(&g->members[i]->all);
    }
}

void sched_describe(void (*line)(void *ctx, const char *text), void *ctx, int depth)
{
    struct out o = { line, ctx };

    if (sched->member != NULL) {
        describe_members(&o, depth);
        return;
    }
    describe(&o, &sched->main, depth);
    for (const coop_task *t = sched->all; t != NULL; t = t->all_next)
        if (t->state != TASK_ENDED)
            describe(&o, t, depth);
}

static void to_fd(void *ctx, const char *text)
{
    char nl[LINE + 2];
    int n = snprintf(nl, sizeof(nl), "%s\n", text);

    if (write(*(const int *)ctx, nl, (size_t)n) < 0)
        return; /* nobody reads: nothing to be done */
}

void coop_backtrace(int fd, int depth)
{
    if (sched != NULL)
        sched_describe(to_fd, &fd, depth > 0 ? depth : 0);
}
