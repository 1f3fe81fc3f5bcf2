/*
 * local.c - see local.h.
 *
 * Context: a list in which a name occurs once. Parent and children share its nodes, counted; a node that two can see is never changed.
 */
#include "worker/task/local.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/task/locks.h"
#include "worker/task/scope.h"
#include "worker/task/threads.h"

enum {
    SCOPES = TASK_KEYS, /* more places than there are keys */
    ONCES,
    PLACES,
    DESTROY_ROUNDS = 4, /* a destructor may set values again, but not for ever */
    KEY_BITS = 8,       /* of a key; above them: the place of its thread state in the group */
};

struct context_node {
    struct task_context entry; /* first: what the tasklet points to */
    atomic_size_t refs;        /* tasklets and nodes that point here, of any thread state */
};

/* ---- keys ---------------------------------------------------------------------------------------------------------------------- */

static unsigned key_home(void)
{
    return sched->member != NULL ? sched->member->index << KEY_BITS : 0;
}

/* -EXDEV: it is another thread state's, or the caller may come to another, where nobody could destroy its value. */
static int check_key(unsigned *key)
{
    if (sched->member != NULL && (*key >> KEY_BITS != sched->member->index || sched->current->movable))
        return -EXDEV;
    *key -= key_home();
    return *key < TASK_KEYS && sched->keys[*key].used ? 0 : -EINVAL;
}

int coop_key_new(unsigned *ret_key, void (*destroy)(void *value))
{
    if (sched == NULL || ret_key == NULL)
        return -EINVAL;
    for (unsigned i = 0; i < TASK_KEYS; i++) {
        if (sched->keys[i].used)
            continue;
        sched->keys[i].used = true;
        sched->keys[i].destroy = destroy;
        *ret_key = i + key_home();
        return 0;
    }
    return -ENOSPC;
}

static void **keys_of_current(void)
{
    coop_task *t = sched->current;

    if (t->keys == NULL)
        t->keys = calloc(PLACES, sizeof(*t->keys));
    return t->keys;
}

int coop_key_set(unsigned key, void *value)
{
    void **keys;
    int rc = sched != NULL ? check_key(&key) : -EINVAL;

    if (rc != 0)
        return rc;
    if ((keys = keys_of_current()) == NULL)
        return -ENOMEM;
    keys[key] = value;
    return 0;
}

void *coop_key_get(unsigned key)
{
    void *const *keys = sched->current->keys;

    return keys != NULL && check_key(&key) == 0 ? keys[key] : NULL;
}

coop_scope **local_scopes(void)
{
    void **keys = keys_of_current();

    return keys != NULL ? (coop_scope **)&keys[SCOPES] : NULL;
}

struct once_run **local_onces(void)
{
    void **keys = keys_of_current();

    return keys != NULL ? (struct once_run **)&keys[ONCES] : NULL;
}

/* Returns whether there was anything to destroy. */
static bool destroy_values(const coop_task *t)
{
    bool any = false;

    for (unsigned i = 0; i < TASK_KEYS; i++) {
        void *value = t->keys[i];

        t->keys[i] = NULL;
        if (value == NULL || sched->keys[i].destroy == NULL)
            continue;
        sched->keys[i].destroy(value);
        any = true;
    }
    return any;
}

/* ---- contexts ------------------------------------------------------------------------------------------------------------------ */

static struct context_node *node_of(struct task_context *c)
{
    return (struct context_node *)c;
}

static struct task_context *context_ref(struct task_context *c)
{
    if (c != NULL)
        atomic_fetch_add(&node_of(c)->refs, 1);
    return c;
}

static void context_unref(struct task_context *c)
{
    while (c != NULL && atomic_fetch_sub(&node_of(c)->refs, 1) == 1) {
        struct task_context *next = c->next;

        free(c);
        c = next;
    }
}

/* Puts an entry before list, whose reference it takes over, also when it fails: NULL. */
static struct task_context *context_push(struct task_context *list, const void *name, void *value)
{
    struct context_node *n = malloc(sizeof(*n));

    if (n == NULL) {
        context_unref(list);
        return NULL;
    }
    *n = (struct context_node){
        .entry = {.name = name, .value = value, .next = list},
          .refs = 1
    };
    return &n->entry;
}

static struct task_context *context_find(struct task_context *list, const void *name)
{
    while (list != NULL && list->name != name)
        list = list->next;
    return list;
}

/* The list without old: what is behind it is shared, what is before it is copied. old NULL: all of it, shared. */
static int context_without(struct task_context *list, const struct task_context *old, struct task_context **ret_list)
{
    struct task_context *rest = context_ref(old != NULL ? old->next : list);

    for (; old != NULL && list != old; list = list->next)
        if ((rest = context_push(rest, list->name, list->value)) == NULL)
            return -ENOMEM;
    *ret_list = rest;
    return 0;
}

int coop_context_set(const void *name, void *value)
{
    struct task_context *list;
    coop_task *t;

    if (sched == NULL || name == NULL)
        return -EINVAL;
    t = sched->current;
    if (context_without(t->context, context_find(t->context, name), &list) != 0)
        return -ENOMEM;
    if ((list = context_push(list, name, value)) == NULL)
        return -ENOMEM;
    context_unref(t->context);
    t->context = list;
    return 0;
}

void *coop_context_get(const void *name)
{
    const struct task_context *c = context_find(sched->current->context, name);

    return c != NULL ? c->value : NULL;
}

/* ---- for the core -------------------------------------------------------------------------------------------------------------- */

void local_inherit(coop_task *child)
{
    child->context = context_ref(sched->current->context);
}

void local_end(coop_task *t)
{
    for (int i = 0; i < DESTROY_ROUNDS && t->keys != NULL && destroy_values(t); i++)
        ;
    if (t->keys != NULL) {
        once_runner_ended((struct once_run **)&t->keys[ONCES], t->result);
        scope_parent_ended((coop_scope **)&t->keys[SCOPES]);
    }
    free(t->keys);
    t->keys = NULL;
    context_unref(t->context);
    t->context = NULL;
}
