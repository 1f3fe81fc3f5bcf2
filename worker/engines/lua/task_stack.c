/*
 * task_stack.c - see task.h: what the C stack of a tasklet costs.
 *
 * Each has 252 KiB of addresses, of which the last page can be touched, and is in the job's account. The rest is closed; who touches it
 * faults, and the fault's handler opens as much again as there was, and puts it into the account. So an idle tasklet costs a page, and one
 * that once went deep costs what it took until it ends: then it is closed again and its pages are given back.
 *
 * Walls: what is closed does not count for RLIMIT_DATA, which walls.c sets: the kernel refuses to open more than the job may hold.
 * Over:  a stack cannot be refused in the middle of a call, so growing may pass the job's limit by STACKS_OVER; Lua's own next allocation
 *        fails then, as ever. Beyond that the job ends, out of memory.
 * Kernel: it writes into a stack only where the script's calls have already been, because a call pushes below what its caller holds; and
 *        signals have a stack of their own.
 */
#include <errno.h>
#include <sys/mman.h>

#include "worker/engines/lua/task.h"
#include "worker/link.h"

#if defined(COOP_ASAN) || defined(COOP_TSAN)
enum { STACK_FIRST = LUA_STACK - 4096 }; /* sanitizers touch a stack anywhere: it is all open, and all paid for */
#else
enum { STACK_FIRST = 4096 };
#endif
enum {
    PAGE = 4096,
    STACKS_OVER = 1 << 20,
    WORTH_IT = 64, /* a collection that frees less than this part of the memory would soon be followed by the next one, and the next */
};

static size_t known; /* of stack_class.handed_out: how many bytes of stacks are in the account, a page of each */
static bool new_chunk;

static struct stack_class *stacks(void)
{
    return &sched->stacks.classes[stacks_class_of(LUA_STACK)];
}

static char *top_of(const coop_task *t)
{
    return (char *)t->stack + t->stack_size;
}

/* Without guards of its own a stack has a canary, in what would be closed. Only kernels before 6.13 know that, after 16,000 stacks. */
static bool may_have_one(void)
{
    const struct stack_class *c = stacks();

    return c->n_free > 0 || (!sched->stacks.any_canary && lua_task_is_room(STACK_FIRST));
}

void lua_task_need_stack(lua_State *L)
{
    struct stack_class *c = stacks();

    if (!may_have_one()) {
        lua_gc(L, LUA_GCCOLLECT);
        if (!may_have_one() || !lua_task_is_room(lua_job.memory.cap / WORTH_IT))
            lua_task_no_memory(L);
    }
    new_chunk = c->n_free == 0 && c->fresh == c->fresh_end;
    if (c->n_free == 0 && !new_chunk && mprotect(c->fresh + c->size - STACK_FIRST, STACK_FIRST, PROT_READ | PROT_WRITE) != 0)
        lua_task_no_memory(L);
}

/* Of the stacks of a new chunk, all open, t has the first. What cannot be closed stays open: the kernel counts it all the same. */
static void close_chunk(const coop_task *t)
{
    const struct stack_class *c = stacks();

    (void)mprotect(t->stack, t->stack_size - STACK_FIRST, PROT_NONE);
    if (c->fresh != c->fresh_end)
        (void)mprotect(c->fresh, (size_t)(c->fresh_end - c->fresh), PROT_NONE);
}

void lua_task_took_stack(const coop_task *t, struct lua_task *lt)
{
    struct stack_class *c = stacks();

    lt->stack_low = top_of(t) - STACK_FIRST;
    if (c->handed_out == known)
        return;
    known = c->handed_out;
    lua_job.memory.used += STACK_FIRST;
    if (new_chunk && !sched->stacks.any_canary && STACK_FIRST < LUA_STACK - PAGE)
        close_chunk(t);
    new_chunk = false;
}

/* What is open below first of a stack is closed again. */
static void close_below(char *low, char *first)
{
    if (low == NULL || low >= first)
        return;
    (void)madvise(low, (size_t)(first - low), MADV_DONTNEED);
    (void)mprotect(low, (size_t)(first - low), PROT_NONE);
    lua_job.memory.used -= (size_t)(first - low);
}

/* One that is over still runs callbacks on its stack, as lua_task_nobody. When the next one ends nobody is on it, and nobody has it yet. */
void lua_task_leave_stack(struct lua_task *lt)
{
    static char *over;

    close_below(lua_task_nobody.stack_low, over);
    over = top_of(sched->current) - STACK_FIRST;
    close_below(lt->stack_low, over);
    lt->stack_low = NULL;
    lua_task_nobody.stack_low = over;
}

/* Whose stack it is: that of the one that runs, or of one that is just being left. */
static coop_task *owner(const char *address)
{
    coop_task *t = sched->current;

    if (t != &sched->main && address >= (char *)t->stack && address < top_of(t))
        return t;
    for (t = sched->all; t != NULL; t = t->all_next)
        if (address >= (char *)t->stack && address < top_of(t) && t->state != TASK_ENDED)
            return t;
    return NULL;
}

/* The fault is on the stack, so no other change of the account is half done. */
int lua_task_fault(void *address)
{
    coop_task *t = sched != NULL ? owner(address) : NULL;
    struct lua_task *lt = t != NULL ? t->engine : NULL;
    const struct lua_memory *m = &lua_job.memory;
    size_t open, wanted, more;
    int before = errno;

    if (lt == NULL || lt->stack_low == NULL || (char *)address >= lt->stack_low)
        return 0;
    open = (size_t)(top_of(t) - lt->stack_low);
    wanted = ((size_t)(top_of(t) - (char *)address) + PAGE - 1) / PAGE * PAGE;
    wanted = wanted < 2 * open ? 2 * open : wanted;
    more = (wanted < t->stack_size ? wanted : t->stack_size) - open;
    if (m->cap != SIZE_MAX && m->used + more > m->cap + STACKS_OVER && !link_is_busy())
        return -ENOMEM;
    if (mprotect(lt->stack_low - more, more, PROT_READ | PROT_WRITE) != 0)
        return -ENOMEM;
    errno = before;
    lt->stack_low -= more;
    lua_job.memory.used += more;
    return 1;
}
