/* task.c - see coop/task.h: the life of a tasklet, and of a thread state. */
#include "worker/task/task.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/task/fault.h"
#include "worker/task/local.h"
#include "worker/task/overflow.h"
#include "worker/task/sanitize.h"
#include "worker/task/scope.h"
#include "worker/task/threads.h"

enum { MAX_TASKLETS = 1 << 20, STACK_SIZE = 64 << 10, SLAB = 128, CANCEL_ROUNDS = 10 };

struct slab {
    struct slab *next;
    _Alignas(coop_task) char tasks[]; /* SLAB of them */
};

const char task_parked[] = "park";

/* ---- thread state -------------------------------------------------------------------------------------------------------------- */

static struct sched *state_new(const struct coop_options *o, int class)
{
    struct sched *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    stacks_init(&s->stacks);
    s->now_us = coop_now();
    wheel_init(&s->wheel, s->now_us);
    s->max_tasklets = o->max_tasklets != 0 ? o->max_tasklets : MAX_TASKLETS;
    s->default_class = class;
    s->until_poll = SCHED_POLL_EVERY;
    s->epoll_fd = s->wake_fd = -1;
    hibernate_init(&s->hibernate, o->hibernate_above, o->private_stacks);
    s->errno_at = &errno;
    s->current = s->ring = &s->main;
    s->main.next = s->main.prev = &s->main;
    s->idle.next = s->idle.prev = &s->idle;
    s->main.state = TASK_RUNNING;
    s->main.id = s->last_id = s->id_step = 1;
    strcpy(s->main.name, "main");
    return s;
}

void task_cancel_all(void)
{
    if (sched->member != NULL) {
        threads_cancel_all(sched->member->group, MAIL_FORCE);
        mail_post(&sched->member->group->members[0]->sched->main, MAIL_CANCEL | MAIL_FORCE);
        return;
    }
    for (coop_task *t = sched->all; t != NULL; t = t->all_next) {
        t->shield = 0; /* a shield is against others of its kind, not against the end of the job */
        coop_cancel(t);
    }
    sched->main.shield = 0;
    coop_cancel(&sched->main);
}

/* In a group others may walk the list. */
static __attribute__((noinline)) void change_shared_list(coop_task *t, bool add)
{
    pthread_mutex_lock(&sched->member->all);
    if (add)
        all_push(t);
    else
        all_remove(t);
    pthread_mutex_unlock(&sched->member->all);
}

static inline void list_it(coop_task *t)
{
    if (__builtin_expect(sched->member != NULL, 0))
        change_shared_list(t, true);
    else
        all_push(t);
}

static inline void unlist(coop_task *t)
{
    if (__builtin_expect(sched->member != NULL, 0))
        change_shared_list(t, false);
    else
        all_remove(t);
}

/* It is not among all. */
static void task_unget(coop_task *t)
{
    t->state = TASK_ENDED;
    t->id = 0;
    t->next = sched->free_tasks;
    sched->free_tasks = t;
    sanitize_put(t);
}

void task_put(coop_task *t)
{
    sanitize_end(t);
    unlist(t);
    task_unget(t);
}

/* What the last one to end could not free, because it was still on it. */
static void bury(void)
{
    if (__builtin_expect(sched->berths.dead != NULL, 0))
        berth_put(sched->dead_stack);
    else if (sched->dead_stack != NULL && stacks_put(&sched->stacks, sched->dead_class, sched->dead_stack) != 0)
        abort(); /* overflow_check() had seen its canary alive when it ended: somebody else's write */
    sched->dead_stack = NULL;
    if (sched->dead != NULL)
        task_put(sched->dead);
    sched->dead = NULL;
}

static size_t alive(void)
{
    return sched->member != NULL ? atomic_load(&sched->member->group->alive) : sched->alive;
}

/* Those that coop_run() waits for. */
static size_t awaited(void)
{
    return alive() - sched->daemons;
}

/* Main stays out of the run queue while it waits for the others. */
int coop_run(int64_t deadline)
{
    int rc = 0;

    if (sched == NULL)
        return -EINVAL;
    if (sched->current != &sched->main)
        return -EPERM;
    while (awaited() > 0 && rc == 0) {
        sched->main_runs_all = true;
        rc = task_block(NULL, deadline, "run", NULL);
        sched->main_runs_all = false;
    }
    return rc;
}

static void free_memory(struct sched *s)
{
    while (s->slabs != NULL) {
        struct slab *next = ((struct slab *)s->slabs)->next;

        free(s->slabs);
        s->slabs = next;
    }
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    free(s->pollees);
    hibernate_finish(&s->hibernate);
    berths_finish(&s->berths);
    stacks_finish(&s->stacks);
#ifdef COOP_SWITCH_UCONTEXT
    free(s->main.regs.context);
#endif
    free(s);
}

static void cancel_those_made(void)
{
    if (sched->member != NULL)
        threads_finishing(sched->member->group, true);
    else
        for (coop_task *t = sched->all; t != NULL; t = t->all_next)
            coop_cancel(t);
}

int coop_init(const struct coop_options *options)
{
    static const struct coop_options none;
    const struct coop_options *o = options != NULL ? options : &none;
    int class = stacks_class_of(o->stack_size != 0 ? o->stack_size : STACK_SIZE), rc = 0;
    struct sched *states[THREADS_MAX];
    unsigned n = o->threads > 1 ? o->threads : 1, made = 0;

    if (sched != NULL)
        return -EALREADY;
    if (class < 0 || n > THREADS_MAX)
        return -EINVAL;
    while (made < n && (states[made] = state_new(o, class)) != NULL)
        made++;
    rc = made < n ? -ENOMEM : fault_open(states[0]);
    if (rc == 0) {
        sanitize_main(&states[0]->main);
        rc = n > 1 ? threads_start(states, n) : 0;
        if (rc != 0)
            fault_close(states[0]);
    }
    while (rc != 0 && made > 0)
        free_memory(states[--made]);
    if (rc == 0)
        sched = states[0];
    return rc;
}

/* Of whatever would keep it from waiting for the others. */
static void free_main(void)
{
    sched->main.cancelled = false;
    sched->main.shield = sched->main.block_trap = 0;
    sched->switch_trap = 0;
    if (sched->member != NULL)
        atomic_fetch_and(&sched->main.mail, ~(unsigned)(MAIL_CANCEL | MAIL_FORCE));
}

int coop_finish(void)
{
    struct sched *states[THREADS_MAX];
    unsigned n = 1;

    if (sched == NULL)
        return -EINVAL;
    if (sched->current != &sched->main)
        return -EPERM;
    for (int i = 0; i < CANCEL_ROUNDS && alive() > 0; i++) { /* one that ends may have made another, or cancelled main */
        free_main();
        cancel_those_made();
        (void)coop_run(COOP_NEVER);
    }
    if (alive() > 0) {
        if (sched->member != NULL)
            threads_finishing(sched->member->group, false);
        return -EBUSY;
    }
    bury();
    local_end(&sched->main);
    states[0] = sched;
    if (sched->member != NULL)
        n = threads_finish(states);
    sanitize_end(&sched->waker);
    fault_close(states[0]);
    while (n-- > 0)
        free_memory(states[n]);
    sched = NULL;
    return 0;
}

/* ---- making one ---------------------------------------------------------------------------------------------------------------- */

static inline size_t task_size(void)
{
    return sched->member != NULL ? sizeof(coop_task) : offsetof(coop_task, home);
}

static inline coop_task *task_get(void)
{
    coop_task *t = sched->free_tasks;

    if (t == NULL) {
        size_t size = task_size();
        struct slab *more = calloc(1, sizeof(*more) + SLAB * size);

        if (more == NULL)
            return NULL;
        more->next = sched->slabs;
        sched->slabs = more;
        for (int i = SLAB - 1; i >= 0; i--) {
            coop_task *free_one = (coop_task *)(void *)(more->tasks + (size_t)i * size);

            free_one->next = sched->free_tasks;
            sched->free_tasks = free_one;
        }
        t = sched->free_tasks;
    }
    sched->free_tasks = t->next;
    sanitize_got(t);
    memset(t, 0, offsetof(coop_task, home)); /* of a size that the compiler knows */
    if (__builtin_expect(sched->member != NULL, 0))
        memset(&t->home, 0, sizeof(*t) - offsetof(coop_task, home));
    return t;
}

/* The tasklet's last act, on its own stack. */
static __attribute__((noinline)) _Noreturn void end(int result) /* not inline: sched_here() says why */
{
    coop_task *t = sched->current;

    t->result = result;
    local_end(t);
    if (sched->on_end != NULL)
        sched->on_end(t);
    if (t->scope != NULL)
        scope_child_ended(t);
    t->state = TASK_ENDED;
    if (sched->switch_hook != NULL)
        sched->switch_hook(t, NULL);
    if (sched->member != NULL)
        threads_end(t);
    while (!wait_empty(&t->joiners)) /* one joins, others may wait for the first of several */
        task_wake(t->joiners.first->task, 0);
    sched->alive--;
    sched->stats.ended++;
    if (sched->alive == sched->daemons && sched->main_runs_all && sched->main.state == TASK_BLOCKED)
        task_wake(&sched->main, 0);
    bury();
    if (__builtin_expect(t->berth != NULL, 0))
        berth_end(t);
    sched->dead_stack = t->stack;
    sched->dead_class = t->stack_class;
    if (t->detached)
        sched->dead = t;
    (void)sched_switch(sched_next());
    abort(); /* nobody switches to one that has ended */
}

static void begin(void)
{
    coop_task *t = sched->current;

    sanitize_arrive(t);
    if (__builtin_expect(sched->member != NULL, 0))
        threads_arrive();
    end(t->fn(t->arg));
}

static inline int set_up(coop_task *t, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    t->stack_class = attr->stack_size != 0 ? stacks_class_of(attr->stack_size) : sched->default_class;
    if (t->stack_class < 0)
        return t->stack_class;
    t->fn = fn;
    t->arg = arg;
    t->wait.task = t;
    if (attr->name != NULL)
        strncpy(t->name, attr->name, TASK_NAME - 1);
    if (attr->scope != NULL) {
        int rc = scope_adopt(attr->scope, t);

        if (rc == 0 && sched->alive >= sched->max_tasklets)
            rc = -EAGAIN; /* who minds the scope's deadline has the last place */
        if (rc != 0)
            return rc;
    }
    if (__builtin_expect(sched->berths.max > 0, 0) && t->stack_class == sched->berths.class)
        return berth_take(t);
    t->stack = stacks_get(&sched->stacks, t->stack_class, &t->stack_size);
    if (__builtin_expect(sched->stacks.any_canary && !sched->hooked, 0))
        sched_hooks_changed(sched);
    return t->stack != NULL ? 0 : -ENOMEM;
}

static inline __attribute__((always_inline)) int make(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    coop_task *t = task_get();
    int rc;

    if (t == NULL)
        return -ENOMEM;
    rc = set_up(t, fn, arg, attr);
    if (rc != 0) {
        if (t->scope != NULL)
            scope_child_ended(t);
        task_unget(t);
        return rc;
    }
    t->id = sched->last_id += sched->id_step;
    switch_prepare(&t->regs, t->stack, t->stack_size, begin);
    local_inherit(t);
    sanitize_start(t);
    sched->stats.spawned++;
    if (__builtin_expect(sched->member != NULL, 0))
        atomic_store(&t->owner, t->home = sched);
    list_it(t);
    if (__builtin_expect(t->berth != NULL, 0))
        berth_begin(t);
    *ret_task = t;
    return 0;
}

int task_make(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    return make(ret_task, fn, arg, attr);
}

int coop_spawn(coop_task **ret_task, coop_fn fn, void *arg, const struct coop_attr *attr)
{
    static const struct coop_attr none;
    coop_task *t;
    int rc;

    if (sched == NULL || fn == NULL)
        return -EINVAL;
    if (attr == NULL)
        attr = &none;
    if (__builtin_expect(sched->member != NULL, 0))
        return threads_spawn(ret_task, fn, arg, attr);
    if (sched->alive >= sched->max_tasklets)
        return -EAGAIN;
    rc = attr->thread <= 1 ? make(&t, fn, arg, attr) : -EINVAL;
    if (rc != 0)
        return rc;
    t->detached = ret_task == NULL;
    if (++sched->alive > sched->stats.peak)
        sched->stats.peak = sched->alive;
    sched_ready(t);
    if (__builtin_expect(sched->alive > sched->hibernate.trigger, 0))
        (void)hibernate_some(false);
    if (ret_task != NULL)
        *ret_task = t;
    return 0;
}

/* ---- its end ------------------------------------------------------------------------------------------------------------------- */

int coop_join(coop_task *t, int *ret_result, int64_t deadline)
{
    int rc;

    if (sched == NULL)
        return -EINVAL;
    if (sched->member != NULL)
        return shared_join(t, ret_result, deadline);
    if (t == NULL || t->id <= 1 || t->detached)
        return -EINVAL;
    if (t == sched->current)
        return -EDEADLK;
    if (t->joined)
        return -EBUSY;
    rc = coop_cancelled();
    if (rc == 0 && t->state != TASK_ENDED) {
        t->joined = true;
        rc = task_block(&t->joiners, deadline, "join", t);
        t->joined = false;
    }
    if (rc != 0)
        return rc;
    if (ret_result != NULL)
        *ret_result = t->result;
    task_put(t);
    return 0;
}

int coop_detach(coop_task *t)
{
    if (sched == NULL)
        return -EINVAL;
    if (sched->member != NULL)
        return shared_detach(t);
    if (t == NULL || t->id <= 1 || t->detached)
        return -EINVAL;
    if (t->joined)
        return -EBUSY;
    t->detached = true;
    if (t->state == TASK_ENDED)
        task_put(t);
    return 0;
}

int coop_exit(int result)
{
    if (sched == NULL)
        return -EINVAL;
    if (sched->current == &sched->main)
        return -EPERM;
    end(result);
}

/* ---- cancel -------------------------------------------------------------------------------------------------------------------- */

int coop_cancel(coop_task *t)
{
    if (sched == NULL || t == NULL || t->id == 0)
        return -EINVAL;
    if (sched->member != NULL)
        return shared_cancel(t);
    if (t->state == TASK_ENDED)
        return 0;
    t->cancelled = true;
    if (t->state == TASK_BLOCKED && t->shield == 0)
        task_wake(t, -ECANCELED);
    return 0;
}

int coop_cancelled(void)
{
    const coop_task *t = sched->current;

    if (__builtin_expect(sched->member != NULL, 0))
        return threads_cancelled(t);
    return t->cancelled && t->shield == 0 ? -ECANCELED : 0;
}

void coop_shield(bool on)
{
    coop_task *t = sched->current;

    if (on && t->shield < UINT32_MAX)
        t->shield++;
    else if (!on && t->shield > 0)
        t->shield--;
}

/* ---- taking turns -------------------------------------------------------------------------------------------------------------- */

/* Two that yield to each other are not alone: true when the others, those who are due among them, are to have their turn. */
static bool is_time_for_others(void)
{
    struct member *m = sched->member;

    if (m != NULL) {
        threads_look_around(m);
        return m->until_look == SCHED_POLL_EVERY;
    }
    if (--sched->until_poll > 0)
        return false;
    sched->until_poll = SCHED_POLL_EVERY;
    (void)sched_poll(false);
    return true;
}

int coop_yield_to(coop_task *t)
{
    if (sched == NULL || t == NULL || t->id == 0)
        return -EINVAL;
    if (sched->member != NULL && !shared_is_ours(t))
        return -EXDEV;
    if (t->state != TASK_READY)
        return -EINVAL;
    if (coop_cancelled() != 0)
        return -ECANCELED;
    if (sched->switch_trap > 0)
        return -EPERM;
    if (is_time_for_others())
        return coop_yield();
    if (t->next == NULL) /* of a group: has been given to this thread state, which has not heard of it */
        return -EINVAL;
    sched_unready(t);
    if (sched->member != NULL)
        return threads_give_way(t);
    sched->current->regs.result = 0;
    sched_put_before(t);
    return sched_switch(t);
}

int coop_park(intptr_t *ret_value, int64_t deadline)
{
    coop_task *t = sched->current;
    int rc = coop_cancelled();

    if (rc == 0 && !t->has_permit)
        rc = shared_block(deadline, task_parked, NULL);
    if (rc != 0)
        return rc;
    t->has_permit = false;
    if (ret_value != NULL)
        *ret_value = t->permit;
    return 0;
}

int coop_unpark(coop_task *t, intptr_t value)
{
    if (sched == NULL || t == NULL || t->id == 0)
        return -EINVAL;
    if (sched->member != NULL)
        return shared_unpark(t, value);
    if (t->state == TASK_ENDED)
        return -EINVAL;
    t->has_permit = true;
    t->permit = value;
    if (t->state == TASK_BLOCKED && t->why == task_parked)
        task_wake(t, 0);
    return 0;
}

int coop_sleep_until(int64_t deadline)
{
    int rc = coop_cancelled();

    if (rc != 0)
        return rc;
    if (deadline <= sched->now_us)
        return coop_yield(); /* the others have their turn all the same */
    rc = shared_block(deadline, "sleep", NULL);
    return rc == -ETIMEDOUT ? 0 : rc;
}

/* ---- looking in ---------------------------------------------------------------------------------------------------------------- */

coop_task *coop_self(void)
{
    return sched != NULL ? sched->current : NULL;
}

coop_task *coop_main(void)
{
    if (sched == NULL)
        return NULL;
    return sched->member != NULL ? &sched->member->group->members[0]->sched->main : &sched->main;
}

uint64_t coop_id(const coop_task *t)
{
    return t != NULL ? t->id : 0;
}

const char *coop_name(const coop_task *t)
{
    return t != NULL ? t->name : "";
}

bool coop_alive(const coop_task *t)
{
    if (t == NULL || t->id == 0)
        return false;
    return task_group() != NULL ? !shared_is_over(t) : t->state != TASK_ENDED;
}

bool coop_blocked(const coop_task *t)
{
    if (t == NULL || (task_group() != NULL && !shared_is_ours(t)))
        return false;
    return t->state == TASK_BLOCKED;
}

void coop_block_trap(bool on)
{
    coop_task *t = sched->current;

    if (on && t->block_trap < UINT32_MAX)
        t->block_trap++;
    else if (!on && t->block_trap > 0)
        t->block_trap--;
}

int coop_switch_trap(int delta)
{
    int old = sched->switch_trap, level;

    if (__builtin_add_overflow(old, delta, &level))
        level = INT_MAX; /* old is never below 0 */
    sched->switch_trap = level > 0 ? level : 0;
    return old;
}

bool coop_atomic(bool on)
{
    bool old = sched->current->atomic;

    sched->current->atomic = on;
    return old;
}

void coop_get_stats(struct coop_stats *ret)
{
    *ret = sched->stats;
    ret->switches = sched->switches;
    ret->alive = alive();
    ret->runnable = sched->runnable;
    ret->stack_bytes = sched->stacks.in_use;
    ret->hibernated = sched->hibernate.count;
    ret->hibernated_bytes = sched->hibernate.bytes;
}

void coop_set_switch_hook(coop_switch_hook hook)
{
    sched->switch_hook = hook;
    sched_hooks_changed(sched);
}

void coop_set_chan_hook(coop_chan_hook hook)
{
    sched->chan_hook = hook;
    sched_hooks_changed(sched);
}
