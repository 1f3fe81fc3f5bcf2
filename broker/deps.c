/* deps.c - see deps.h: an end is told to the graph, and the graph's slices become steps of jobs. */
#include "broker/deps.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/plans_own.h"
#include "log.h"

#define ST(name)      PB__STATE__STATE_##name
#define SKIPS_AT_ONCE 4096 /* receipts that are on their way to the store */

static const char *const after_names[] = { "succeeds", "fails", "ends" };

/* ---- slices ------------------------------------------------------------------------------------------------------------------------------- */

static void go_on(struct broker *b)
{
    struct deps *d = &b->plans.deps;

    if (d->started && d->graph.ended != NULL && d->skipping < SKIPS_AT_ONCE && d->step.place == 0)
        timers_arm(&b->loop.timers, &d->step, b->loop.now_us + 1); /* the next turn: others have theirs before */
}

static void note_met(struct broker *b, const char *job, const char *on)
{
    struct store_op *op = store_op_new(STORE_DEP_MET, job);

    if (op == NULL)
        return; /* the next broker finds out again */
    memcpy(op->dep.job, job, sizeof(op->dep.job));
    memcpy(op->dep.on, on, sizeof(op->dep.on));
    op->dep.met = true;
    store_push(b->store, op);
}

static void on_met(void *ctx, const char *job, const char *on, unsigned left)
{
    struct broker *b = ctx;
    struct waiting *w = waiting_find(&b->jobs.table, job);
    struct array *a = w == NULL ? arrays_find(b, job) : NULL;

    (void)left;
    note_met(b, job, on);
    if (w != NULL)
        jobs_unblock(&b->jobs, w);
    else if (a != NULL)
        arrays_unblock(a);
}

/* Its submit is still being committed: what it waits for has ended too early, and is looked at again by deps_admit(). */
static void keep_for_later(struct deps *d, const char *job, const char *on, Pb__After after)
{
    struct dep_early *e = malloc(sizeof(*e));

    if (e == NULL)
        return; /* it stays blocked until the next broker looks */
    memcpy(e->job, job, sizeof(e->job));
    memcpy(e->on, on, sizeof(e->on));
    e->after = after;
    e->next = d->early;
    d->early = e;
}

static void on_failed(void *ctx, const char *job, const char *on, Pb__After after, Pb__State outcome)
{
    struct broker *b = ctx;
    struct deps *d = &b->plans.deps;
    struct waiting *w = waiting_find(&b->jobs.table, job);
    struct array *a = w == NULL ? arrays_find(b, job) : NULL;
    char detail[DEPS_WHY];

    if ((w != NULL && (!w->committed || w->editing)) || (a != NULL && !a->committed)) {
        keep_for_later(d, job, on, after);
        return;
    }
    snprintf(detail, sizeof(detail), "it runs when %s %s, which has ended as %s", on, after_names[after], job_state_name(outcome));
    if (w != NULL && job_waits((Pb__State)w->state)) {
        jobs_skip(&b->jobs, w, detail);
        d->skipping += w->state == ST(FINISHING); /* else there was no memory for its receipt: it is tried again */
    } else if (a != NULL) {
        arrays_skip(a, detail);
    }
}

static void put_back_early(struct deps *d)
{
    while (d->early != NULL) {
        struct dep_early *e = d->early;

        d->early = e->next;
        (void)dep_graph_add_known(&d->graph, e->job, e->on, e->after);
        free(e);
    }
}

static void on_step(void *ctx)
{
    struct broker *b = ctx;
    struct deps *d = &b->plans.deps;
    const struct dep_graph_handler h = { on_met, on_failed, b };

    (void)dep_graph_step(&d->graph, DEPS_SLICE, &h);
    put_back_early(d);
    go_on(b);
    jobs_dispatch(&b->jobs);
}

void deps_ended(struct broker *b, const char *on, Pb__State outcome)
{
    if (dep_graph_end(&b->plans.deps.graph, on, outcome))
        go_on(b);
}

void deps_leave(struct broker *b, const char *job)
{
    dep_graph_leave(&b->plans.deps.graph, job);
}

static void on_job_end(void *ctx, const struct jobs_ended *e)
{
    struct broker *b = ctx;
    struct deps *d = &b->plans.deps;

    if (e->cause == PB__CAUSE__CAUSE_DEP_FAILED && d->skipping > 0)
        d->skipping--;
    if (e->entry->has_deps)
        deps_leave(b, e->id);
    if (e->entry->is_wanted)
        deps_ended(b, e->id, e->outcome);
    go_on(b);
}

/* ---- who has ended already -------------------------------------------------------------------------------------------------------------- */

/* false: it has not ended. Who is nowhere has ended, nobody knows how. */
static bool has_ended(struct broker *b, const char *on, Pb__State *ret)
{
    struct array_look own;
    Pb__JobStatus status;
    struct store_job row;

    if (waiting_find(&b->jobs.table, on) != NULL || arrays_find(b, on) != NULL)
        return false;
    *ret = ST(DEAD);
    if (store_find(b->store, on, &row) == 0 && job_is_terminal(row.state))
        *ret = row.state;
    else if (arrays_status(b, on, &own, &status) == 0)
        *ret = status.state;
    return true;
}

static void settle_if_ended(struct broker *b, const char *on)
{
    Pb__State outcome;

    if (!dep_graph_is_ending(&b->plans.deps.graph, on) && has_ended(b, on, &outcome))
        deps_ended(b, on, outcome);
}

/* ---- a submit ------------------------------------------------------------------------------------------------------------------------------ */

static void mark_wanted(struct broker *b, const char *on)
{
    struct waiting *w = waiting_find(&b->jobs.table, on);
    struct array *a = w == NULL ? arrays_find(b, on) : NULL;

    if (w != NULL)
        w->is_wanted = true;
    if (a != NULL)
        a->is_wanted = true;
}

/* The edge is in the graph: it counts. */
static void count_edge(struct broker *b, const char *job, struct waiting *w, const struct store_dep *dep)
{
    struct array *a = w == NULL ? arrays_find(b, job) : NULL;

    mark_wanted(b, dep->on);
    if (w != NULL)
        jobs_block(&b->jobs, w);
    else if (a != NULL)
        arrays_block(a);
}

static int add_edge(struct broker *b, const char *job, struct waiting *w, const struct store_dep *dep, struct dep_circle *circle)
{
    int rc = dep_graph_add(&b->plans.deps.graph, job, dep->on, dep->after, circle);

    if (rc == 0)
        count_edge(b, job, w, dep);
    return rc;
}

int deps_enter(struct broker *b, const char *job, struct waiting *w, const struct deps_list *l)
{
    int rc = 0;

    for (size_t i = 0; i < l->n && rc == 0; i++)
        if (!l->deps[i].met)
            rc = add_edge(b, job, w, &l->deps[i], NULL);
    if (rc != 0)
        deps_leave(b, job);
    return rc;
}

void deps_admit(struct broker *b, const char *job, int status)
{
    char on[DEPS_MAX][ULID_LEN + 1];
    size_t n;

    if (status != 0) {
        deps_leave(b, job);
        return;
    }
    n = dep_graph_list(&b->plans.deps.graph, job, on, DEPS_MAX);
    for (size_t i = 0; i < n && i < DEPS_MAX; i++)
        settle_if_ended(b, on[i]);
}

/* ---- a restart ------------------------------------------------------------------------------------------------------------------------------ */

static int recover_one(void *ctx, const struct store_dep *dep)
{
    struct broker *b = ctx;
    struct waiting *w = waiting_find(&b->jobs.table, dep->job);
    int rc;

    if (w == NULL && arrays_find(b, dep->job) == NULL)
        return 0;
    rc = dep_graph_add_known(&b->plans.deps.graph, dep->job, dep->on, dep->after);
    if (rc == 0)
        count_edge(b, dep->job, w, dep);
    return rc == -ENOMEM ? rc : 0; /* else it is there, or can be none */
}

static int settle_one(void *ctx, const struct store_dep *dep)
{
    settle_if_ended(ctx, dep->on);
    return 0;
}

int deps_recover(struct broker *b)
{
    int rc = store_each_dep(b->store, recover_one, b);

    return rc == 0 ? store_each_dep(b->store, settle_one, b) : rc;
}

/* Also of a task that is not in memory yet: its array is still coming in. */
static bool whole_of(void *ctx, const char *job, char ret_array[ULID_LEN + 1])
{
    struct broker *b = ctx;
    const struct waiting *w = waiting_find(&b->jobs.table, job);
    struct store_job row;

    if (w == NULL && (arrays_find(b, job) != NULL || store_find(b->store, job, &row) != 0))
        return false;
    if (w != NULL && w->array == NULL)
        return false;
    memcpy(ret_array, w != NULL ? w->array->row.id : row.array_id, ULID_LEN + 1);
    return ret_array[0] != '\0';
}

void deps_init(struct broker *b)
{
    dep_graph_init(&b->plans.deps.graph, whole_of, b);
    b->plans.deps.step = (struct timer){ .fn = on_step, .ctx = b };
}

void deps_start(struct broker *b)
{
    b->plans.deps.started = true;
    jobs_on_end(&b->jobs, on_job_end, b);
    go_on(b);
}

void deps_finish(struct broker *b)
{
    timers_cancel(&b->loop.timers, &b->plans.deps.step);
    dep_graph_finish(&b->plans.deps.graph);
}

bool deps_first(const struct broker *b, const char *job, char ret_on[ULID_LEN + 1])
{
    const struct waiting *w = waiting_find(&b->jobs.table, job);

    if (dep_graph_first(&b->plans.deps.graph, job, ret_on))
        return true;
    return w != NULL && w->array != NULL && dep_graph_first(&b->plans.deps.graph, w->array->row.id, ret_on);
}

/* ---- an edit: all of it, or nothing ---------------------------------------------------------------------------------------------------------- */

static void say_circle(const struct dep_circle *c, char why[DEPS_WHY])
{
    int n = snprintf(why, DEPS_WHY, "a circle: %s", c->id[0]);

    for (size_t i = 1; i < c->count && i < DEP_GRAPH_NAMED && n < DEPS_WHY; i++)
        n += snprintf(why + n, (size_t)(DEPS_WHY - n), " waits for %s", c->id[i]);
    if (n < DEPS_WHY && c->count > DEP_GRAPH_NAMED)
        n += snprintf(why + n, (size_t)(DEPS_WHY - n), " and %zu more", c->count - DEP_GRAPH_NAMED);
    if (n < DEPS_WHY)
        snprintf(why + n, (size_t)(DEPS_WHY - n), ", which would wait for the first");
}

static void take_back(struct broker *b, const char *job, struct waiting *w, const char *on)
{
    struct array *a = w == NULL ? arrays_find(b, job) : NULL;

    if (dep_graph_drop(&b->plans.deps.graph, job, on) != 0)
        return; /* it was met before */
    if (w != NULL)
        jobs_unblock(&b->jobs, w);
    else if (a != NULL)
        arrays_unblock(a);
}

struct drop_look {
    const char *prefix;
    char on[ULID_LEN + 1];
    unsigned found;
};

static int look_for_drop(void *ctx, const struct store_dep *dep)
{
    struct drop_look *look = ctx;

    if (strncmp(dep->on, look->prefix, strlen(look->prefix)) != 0)
        return 0;
    memcpy(look->on, dep->on, sizeof(look->on));
    look->found++;
    return 0;
}

/* What an edge is looked for by: the beginning of an id, or the whole one of the task that is meant. "": neither. */
static void read_drop(struct broker *b, const struct tenant *t, const char *text, char ret_prefix[ULID_LEN + 1])
{
    struct store_array array;
    struct store_job task;
    uint64_t index;

    if (ulid_normalize(text, ret_prefix) == 0)
        return;
    if (ulid_normalize_task(text, ret_prefix, &index) == 0 && store_find_array(b->store, ret_prefix, &t->id, 1, &array) == 0 &&
        store_find_task(b->store, array.id, index, &task) == 0)
        memcpy(ret_prefix, task.id, ULID_LEN + 1);
    else
        ret_prefix[0] = '\0';
}

static int find_drops(struct broker *b, const struct tenant *t, const char *job, char *const *drop, size_t n, struct deps_list *ret,
                      char why[DEPS_WHY])
{
    ret->deps = calloc(n + 1, sizeof(*ret->deps));
    ret->n = 0;
    if (ret->deps == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        char prefix[ULID_LEN + 1];
        struct drop_look look = { .prefix = prefix };
        int rc;

        read_drop(b, t, drop[i], prefix);
        rc = prefix[0] != '\0' ? store_each_dep_of(b->store, job, look_for_drop, &look) : 0;

        if (rc != 0)
            return rc;
        if (look.found != 1) {
            snprintf(why, DEPS_WHY,
                     look.found == 0 ? "job %s does not wait for %.40s" : "job %s waits for several whose ids begin with %.40s", job,
                     drop[i]);
            return -ENOENT;
        }
        memcpy(ret->deps[ret->n].job, job, ULID_LEN + 1);
        memcpy(ret->deps[ret->n++].on, look.on, ULID_LEN + 1);
    }
    return 0;
}

/* On failure those that were added are taken back: nothing has changed. */
static int add_all(struct broker *b, const char *job, struct waiting *w, const struct deps_list *l, char why[DEPS_WHY])
{
    struct dep_circle circle = { .count = 0 };
    bool *added = calloc(l->n + 1, sizeof(*added));
    int rc = added != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; i < l->n && rc == 0; i++) {
        if (l->deps[i].met)
            continue;
        rc = add_edge(b, job, w, &l->deps[i], &circle);
        added[i] = rc == 0;
        l->deps[i].was_there = rc == -EEXIST;
        if (rc == -EEXIST)
            rc = 0;
    }
    if (rc == -ELOOP)
        say_circle(&circle, why);
    else if (rc == -E2BIG)
        snprintf(why, DEPS_WHY, "job %s is behind more than %d others, too many to see whether it would close a circle", job,
                 DEP_GRAPH_SEARCH);
    else if (rc != 0)
        snprintf(why, DEPS_WHY, "out of memory");
    for (size_t i = 0; i < l->n && rc != 0 && added != NULL; i++)
        if (added[i])
            take_back(b, job, w, l->deps[i].on);
    free(added);
    return rc;
}

int deps_edit(struct broker *b, const struct tenant *t, const char *queue, const char *job, struct waiting *w, Pb__Dependency *const *add,
              size_t n_add, char *const *drop, size_t n_drop, struct deps_list *ret_add, struct deps_list *ret_drop, char why[DEPS_WHY])
{
    int rc;

    *ret_add = *ret_drop = (struct deps_list){ 0 };
    if (n_drop > DEPS_MAX) {
        snprintf(why, DEPS_WHY, "at most %d dependencies are dropped at once", DEPS_MAX);
        return -E2BIG;
    }
    snprintf(why, DEPS_WHY, "the dependencies cannot be read");
    rc = find_drops(b, t, job, drop, n_drop, ret_drop, why);
    if (rc == 0)
        rc = deps_resolve(b, t, queue, job, add, n_add, ret_add, why);
    if (rc == 0)
        rc = add_all(b, job, w, ret_add, why);
    if (rc != 0) {
        deps_list_finish(ret_add);
        deps_list_finish(ret_drop);
    }
    return rc;
}

void deps_edited(struct broker *b, const char *job, int status, const struct deps_list *add, const struct deps_list *drop)
{
    struct waiting *w = waiting_find(&b->jobs.table, job);

    for (size_t i = 0; i < drop->n && status == 0; i++)
        take_back(b, job, w, drop->deps[i].on);
    for (size_t i = 0; i < add->n; i++)
        if (status == 0)
            (void)dep_graph_set(&b->plans.deps.graph, job, add->deps[i].on, add->deps[i].after); /* of one that was there before */
        else if (!add->deps[i].met && !add->deps[i].was_there)
            take_back(b, job, w, add->deps[i].on);
    deps_admit(b, job, 0);
}
