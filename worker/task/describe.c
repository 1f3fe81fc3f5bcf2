/* describe.c - see sched.h: who waits for what, and where it stands. */
#include "worker/task/describe.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker/task/threads.h"

struct out {
    describe_line line;
    void *ctx;
};

/* ---- calls --------------------------------------------------------------------------------------------------------------------- */

static struct frames frames_of_parked(const coop_task *t)
{
    struct frames none = { 1, 0, 0, NULL };
    struct switch_regs regs;
    const char *bytes;

    if (t->stack == NULL || t->state == TASK_RUNNING || t->state == TASK_ENDED)
        return none;
    bytes = hibernate_look(t, &regs);
    return (struct frames){ (uintptr_t)regs.sp, (uintptr_t)t->stack + t->stack_size, (uintptr_t)regs.bp, bytes };
}

struct frames frames_from(const coop_task *t, const void *bp)
{
    return (struct frames){ (uintptr_t)t->stack, (uintptr_t)t->stack + t->stack_size, (uintptr_t)bp, t->stack };
}

void *frames_next(struct frames *f)
{
    const uintptr_t *frame;
    void *address;

    if (f->bp < f->low || f->bp + 2 * sizeof(void *) > f->high || f->bp % sizeof(void *) != 0)
        return NULL;
    frame = (const uintptr_t *)(f->bytes + (f->bp - f->low));
    address = (void *)frame[1];
    f->bp = frame[0] > f->bp ? frame[0] : 0;
    return address;
}

void describe_address(char text[DESCRIBE_LINE], const void *address)
{
    Dl_info info;

    if (dladdr(address, &info) != 0 && info.dli_sname != NULL)
        snprintf(text, DESCRIBE_LINE, "    %s+0x%zx", info.dli_sname, (size_t)((const char *)address - (const char *)info.dli_saddr));
    else if (dladdr(address, &info) != 0 && info.dli_fname != NULL)
        snprintf(text, DESCRIBE_LINE, "    %.200s+0x%zx", info.dli_fname, (size_t)((const char *)address - (const char *)info.dli_fbase));
    else
        snprintf(text, DESCRIBE_LINE, "    %p", address);
}

/* ---- tasklets ------------------------------------------------------------------------------------------------------------------ */

static const char *state_of(const coop_task *t)
{
    switch (t->state) {
    case TASK_READY: return "runnable";
    case TASK_RUNNING: return "running";
    case TASK_BLOCKED: return t->why != NULL ? t->why : "blocked";
    default: return "ended";
    }
}

void describe_task(char text[DESCRIBE_LINE], const coop_task *t)
{
    snprintf(text, DESCRIBE_LINE, "tasklet %llu%s%s [%s]%s%s", (unsigned long long)t->id, t->name[0] != '\0' ? " " : "", t->name,
             state_of(t), t->cancelled ? " cancelled" : "", t->frozen != NULL ? " hibernated" : "");
}

static void describe(const struct out *o, const coop_task *t, int depth)
{
    struct frames f = frames_of_parked(t);
    char text[DESCRIBE_LINE];
    const void *address;

    describe_task(text, t);
    o->line(o->ctx, text);
    while (depth-- > 0 && (address = frames_next(&f)) != NULL) {
        describe_address(text, address);
        o->line(o->ctx, text);
    }
}

/* In a group only the owner may look into one; of the others there is a name. */
static void describe_any(const struct out *o, const coop_task *t, int depth)
{
    char text[DESCRIBE_LINE];

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
    char nl[DESCRIBE_LINE + 2];
    int n = snprintf(nl, sizeof(nl), "%s\n", text);

    if (write(*(const int *)ctx, nl, (size_t)n) < 0)
        return; /* nobody reads: nothing to be done */
}

void coop_backtrace(int fd, int depth)
{
    if (sched != NULL)
        sched_describe(to_fd, &fd, depth > 0 ? depth : 0);
}
