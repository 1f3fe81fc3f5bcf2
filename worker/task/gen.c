/*
 * gen.c - see coop/task.h: generators, each on a tasklet of its own that runs only while somebody waits for its next word.
 *
 * Turns:    the two change places at the head of the run queue, so a generator's step is as near as a call: nobody runs in between.
 * Ends:     whoever waits is in the generator's joiners, so that coop_exit() inside ends the generator like a return.
 * Failures: what would have failed a call in its place - the caller is cancelled, or deadlocked - reaches the generator's blocking call,
 *           and the caller waits on: a generator is not left running behind the back of the one that may free it.
 * Alone:    it may be cancelled while nobody waits for it (coop_finish()). Then it runs to its end, or to its next yield, as any tasklet.
 */
#include <errno.h>
#include <stdlib.h>

#include "worker/task/task.h"

enum gen_state { GEN_NEW, GEN_WAITING, GEN_RUNNING, GEN_ENDED };

struct coop_gen {
    struct member *home;
    coop_gen_fn fn;
    void *arg;
    enum gen_state state;
    bool closing;
    coop_task *task;   /* NULL: has none yet, or no more */
    coop_task *caller; /* who waits for a word; NULL: nobody */
    intptr_t word, sent;
    int err; /* thrown */
    int end;
};

/* ---- taking turns -------------------------------------------------------------------------------------------------------------- */

/* t is in the run queue, and goes to its head. */
static void run_next(coop_task *t)
{
    sched_unready(t);
    sched_ready_first(t);
}

static void wake_next(coop_task *t)
{
    if (t->state == TASK_BLOCKED)
        task_wake(t, 0);
    run_next(t);
}

static void hand_back(coop_gen *g)
{
    coop_task *caller = g->caller;

    g->caller = NULL;
    if (caller != NULL)
        wake_next(caller);
}

static void set_end(coop_gen *g, int result)
{
    coop_task *t = g->task;

    g->task = NULL;
    g->end = result;
    g->state = GEN_ENDED;
    (void)coop_detach(t);
}

/* It may have left by coop_exit(). */
static void look(coop_gen *g)
{
    if (g->task != NULL && g->task->state == TASK_ENDED)
        set_end(g, g->task->result);
}

static int gen_main(void *arg)
{
    coop_gen *g = arg;
    int rc = g->fn(g, g->arg);

    set_end(g, rc);
    hand_back(g);
    return rc;
}

/* ---- the caller's side --------------------------------------------------------------------------------------------------------- */

int coop_gen_new(coop_gen_fn fn, void *arg, coop_gen **ret_gen)
{
    coop_gen *g;

    if (fn == NULL || ret_gen == NULL)
        return -EINVAL;
    g = calloc(1, sizeof(*g));
    if (g == NULL)
        return -ENOMEM;
    g->home = task_home();
    g->fn = fn;
    g->arg = arg;
    *ret_gen = g;
    return 0;
}

/* 0: it can be run. */
static int check(coop_gen *g)
{
    int rc;

    if (sched == NULL)
        return -EINVAL;
    if (task_foreign(g->home))
        return -EXDEV;
    rc = task_may_block(COOP_NEVER);
    if (rc != 0)
        return rc;
    look(g);
    if (g->state == GEN_RUNNING)
        return -EBUSY;
    return g->state == GEN_ENDED ? -EPIPE : 0;
}

static int start(coop_gen *g)
{
    static const struct coop_attr attr = { .name = "generator" };
    int rc = g->state == GEN_NEW ? coop_spawn(&g->task, gen_main, g, &attr) : 0;

    if (rc != 0)
        return rc;
    g->caller = sched->current;
    if (g->state != GEN_RUNNING) { /* else it runs alone, and we only wait */
        g->state = GEN_RUNNING;
        wake_next(g->task);
    }
    return 0;
}

/* The caller was told why to stop. -ECANCELED: all the generator's calls fail from now on, as the caller's do; else the one it is in. */
static void pass_on(coop_gen *g, int rc)
{
    if (rc == -ECANCELED)
        (void)coop_cancel(g->task);
    else if (g->task->state == TASK_BLOCKED)
        task_interrupt(g->task, rc);
}

static bool goes_on(coop_gen *g)
{
    look(g);
    return g->state == GEN_RUNNING;
}

/* Until it yields or ends. Another result than 0: the caller must not block any more, and the generator goes on alone. */
static int await(coop_gen *g, bool *ret_cancelled)
{
    int rc = task_block(&g->task->joiners, COOP_NEVER, "generator", g);

    *ret_cancelled = rc == -ECANCELED;
    coop_shield(true);
    while (goes_on(g) && (rc == -ECANCELED || rc == -EDEADLK)) {
        pass_on(g, rc);
        rc = task_block(&g->task->joiners, COOP_NEVER, "generator", g);
    }
    coop_shield(false);
    if (g->state != GEN_RUNNING)
        return 0;
    g->caller = NULL;
    return rc;
}

static int run(coop_gen *g, intptr_t *ret_word)
{
    bool cancelled;
    int rc = start(g);

    if (rc == 0)
        rc = await(g, &cancelled);
    if (rc != 0)
        return rc;
    if (g->state == GEN_ENDED)
        return g->end != 0 ? g->end : cancelled ? -ECANCELED : -EPIPE;
    *ret_word = g->word;
    return 0;
}

int coop_gen_next(coop_gen *g, intptr_t *ret_word)
{
    return coop_gen_send(g, 0, ret_word);
}

int coop_gen_send(coop_gen *g, intptr_t word, intptr_t *ret_word)
{
    int rc;

    if (g == NULL || ret_word == NULL)
        return -EINVAL;
    rc = check(g);
    if (rc == 0 && g->state == GEN_NEW && word != 0)
        rc = -EINVAL;
    if (rc != 0)
        return rc;
    g->sent = word;
    g->err = 0;
    return run(g, ret_word);
}

int coop_gen_throw(coop_gen *g, int err, intptr_t *ret_word)
{
    int rc;

    if (g == NULL || err >= 0 || ret_word == NULL)
        return -EINVAL;
    rc = check(g);
    if (rc != 0)
        return rc;
    if (g->state == GEN_NEW) { /* nothing in it could catch it */
        g->state = GEN_ENDED;
        return err;
    }
    g->err = err;
    return run(g, ret_word);
}

static bool is_inside(const coop_gen *g)
{
    return g != NULL && sched != NULL && !task_foreign(g->home) && g->task == sched->current;
}

/* A cancelled tasklet must be able to clean up: it is shielded here, and one that runs alone is waited for. */
static int close_waiting(coop_gen *g)
{
    intptr_t ignored;
    int rc;

    coop_shield(true);
    rc = check(g);
    if (rc == 0 || (rc == -EBUSY && g->caller == NULL && !is_inside(g))) {
        g->closing = true;
        rc = run(g, &ignored);
    }
    coop_shield(false);
    if (g->state == GEN_ENDED)
        return 0;
    return rc == 0 ? -EINVAL : rc;
}

int coop_gen_close(coop_gen *g)
{
    if (g == NULL)
        return -EINVAL;
    if (task_foreign(g->home))
        return -EXDEV;
    if (g->state == GEN_NEW || sched == NULL) /* coop_finish() has ended all */
        g->state = GEN_ENDED;
    return g->state == GEN_ENDED ? 0 : close_waiting(g);
}

int coop_gen_free(coop_gen *g)
{
    int rc = g != NULL ? coop_gen_close(g) : 0;

    if (rc == 0)
        free(g);
    return rc;
}

/* ---- inside -------------------------------------------------------------------------------------------------------------------- */

int coop_gen_yield(coop_gen *g, intptr_t word, intptr_t *ret_sent)
{
    int rc;

    if (!is_inside(g))
        return -EINVAL;
    rc = task_may_block(COOP_NEVER);
    if (rc != 0)
        return rc;
    g->word = word;
    g->state = GEN_WAITING;
    hand_back(g);
    rc = task_block(NULL, COOP_NEVER, "yield", g);
    g->state = GEN_RUNNING;
    if (rc == 0)
        rc = g->closing ? -ECANCELED : g->err;
    if (rc == 0 && ret_sent != NULL)
        *ret_sent = g->sent;
    return rc;
}

/* What g's yield returned is what inner's yield returns. */
static int answer(coop_gen *g, coop_gen *inner, int err, intptr_t sent, intptr_t *ret_word)
{
    int rc;

    if (err == 0)
        return coop_gen_send(inner, sent, ret_word);
    if (!g->closing && coop_cancelled() == 0)
        return coop_gen_throw(inner, err, ret_word);
    rc = coop_gen_close(inner);
    return rc != 0 ? rc : err;
}

int coop_gen_yield_from(coop_gen *g, coop_gen *inner)
{
    intptr_t word, sent = 0;
    int rc;

    if (!is_inside(g) || inner == NULL)
        return -EINVAL;
    rc = coop_gen_next(inner, &word);
    while (rc == 0) {
        int err = coop_gen_yield(g, word, &sent);

        rc = answer(g, inner, err, sent, &word);
    }
    return rc == -EPIPE && inner->state == GEN_ENDED ? inner->end : rc;
}
