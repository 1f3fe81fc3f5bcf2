/* deps_resolve.c - which jobs and arrays a submit or an edit means by what it wants to wait for; see deps.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/plans_own.h"
#include "log.h"

__attribute__((format(printf, 3, 4))) static int say(int rc, char why[DEPS_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, DEPS_WHY, fmt, ap);
    va_end(ap);
    return rc;
}

void deps_list_finish(struct deps_list *l)
{
    free(l->deps);
    *l = (struct deps_list){ 0 };
}

/* What a token that is bound to a queue may know of. */
static bool is_in(const char *queue, const char *of)
{
    return queue[0] == '\0' || strcmp(queue, of[0] != '\0' ? of : ACTOR_DEFAULT_QUEUE) == 0;
}

static int find_task(struct broker *b, const struct tenant *t, const char *array, uint64_t index, struct store_job *ret_job)
{
    struct store_array a;
    int rc = store_find_array(b->store, array, &t->id, 1, &a);

    return rc == 0 ? store_find_task(b->store, a.id, index, ret_job) : rc;
}

/* A job, a task ("ARRAY.7") or an array of this tenant by the beginning of its id. *ret_outcome NONE: it has not ended. */
static int find(struct broker *b, const struct tenant *t, const char *queue, const char *text, char ret_id[ULID_LEN + 1],
                Pb__State *ret_outcome, char why[DEPS_WHY])
{
    char id[ULID_LEN + 1], shown[80];
    struct array_look own;
    struct store_job job;
    struct store_array array;
    Pb__JobStatus status;
    uint64_t index;
    int rj, ra = -ENOENT;
    bool task = ulid_normalize_task(text, id, &index) == 0;

    log_escape(shown, sizeof(shown), text, strnlen(text, 48));
    if (!task && ulid_normalize(text, id) != 0)
        return say(-EINVAL, why, "'%s' is not a job id, and cannot be waited for", shown);
    rj = task ? find_task(b, t, id, index, &job) : store_find_of(b->store, id, &t->id, 1, &job);
    if (!task)
        ra = store_find_array(b->store, id, &t->id, 1, &array);
    if (rj == -ENOTUNIQ || ra == -ENOTUNIQ || (rj == 0 && ra == 0))
        return say(-EINVAL, why, "'%s' is the beginning of several job ids; give more of it", shown);
    if ((rj != 0 && rj != -ENOENT) || (ra != 0 && ra != -ENOENT))
        return say(rj != -ENOENT ? rj : ra, why, "the store cannot be read: %s", strerror(rj != -ENOENT ? -rj : -ra));
    if ((rj != 0 && ra != 0) || (rj == 0 && job.builds) || !is_in(queue, rj == 0 ? job.queue : array.queue))
        return say(-ENOENT, why, "there is no job %s to wait for", shown);
    if (rj == 0 && job.lives != STORE_LIVES_NOT)
        return say(-EINVAL, why, "%s is an interpreter; jobs wait for jobs and arrays", job.id);
    memcpy(ret_id, rj == 0 ? job.id : array.id, ULID_LEN + 1);
    *ret_outcome = PB__STATE__STATE_NONE;
    if (rj == 0 && job_is_terminal(job.state))
        *ret_outcome = job.state;
    else if (rj != 0 && arrays_find(b, ret_id) == NULL && arrays_status(b, ret_id, &own, &status) == 0)
        *ret_outcome = status.state;
    return 0;
}

static int take_one(struct broker *b, const struct tenant *t, const char *queue, const char *job, const Pb__Dependency *d,
                    struct deps_list *l, char why[DEPS_WHY])
{
    struct store_dep *dep = &l->deps[l->n];
    Pb__State outcome;
    int rc;

    if ((unsigned)d->on > PB__AFTER__AFTER_ANY)
        return say(-EINVAL, why, "a job is waited for until it is ok, has failed, or either: %d is none of them", (int)d->on);
    rc = find(b, t, queue, d->job, dep->on, &outcome, why);
    if (rc != 0)
        return rc;
    if (job != NULL && strcmp(dep->on, job) == 0)
        return say(-ELOOP, why, "a circle: %s would wait for itself", job);
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->deps[i].on, dep->on) != 0)
            continue;
        return l->deps[i].after == d->on ? 0 : say(-EINVAL, why, "%s is to be waited for in two ways", dep->on);
    }
    if (job != NULL)
        memcpy(dep->job, job, ULID_LEN + 1);
    dep->after = d->on;
    dep->met = outcome != PB__STATE__STATE_NONE && dep_graph_suits(d->on, outcome);
    l->n++;
    return 0;
}

int deps_resolve(struct broker *b, const struct tenant *t, const char *queue, const char *job, Pb__Dependency *const *after, size_t n,
                 struct deps_list *ret, char why[DEPS_WHY])
{
    int rc = 0;

    *ret = (struct deps_list){ 0 };
    if (n > DEPS_MAX)
        return say(-E2BIG, why, "a job waits for at most %d others, here are %zu", DEPS_MAX, n);
    ret->deps = calloc(n + 1, sizeof(*ret->deps));
    if (ret->deps == NULL)
        return say(-ENOMEM, why, "out of memory");
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = take_one(b, t, queue, job, after[i], ret, why);
    if (rc != 0)
        deps_list_finish(ret);
    return rc;
}
