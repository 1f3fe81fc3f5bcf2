/* test_handles.c - capabilities: what is derived from what, what ends with what, and what a number means to whom. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "asks_fixture.h"

enum { DEEP = 100000 };
#define QUEUE_ALL RIGHTS_QUEUE

/* ---- the tree -------------------------------------------------------------------------------------------------------------------------- */

static void rights_only_shrink(void **state)
{
    struct world *w = *state;
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *all = handle_new(t, UINT32_MAX, NULL), *send = handle_new(t, RIGHT(SEND) | RIGHT(GRANT), all);
    struct handle *more = handle_new(t, UINT32_MAX, send);

    assert_int_equal(all->rights, QUEUE_ALL); /* those of its kind, and no bit beside */
    assert_int_equal(send->rights, RIGHT(SEND) | RIGHT(GRANT));
    assert_int_equal(more->rights, send->rights);
    assert_int_equal(t->held, 3);
    handle_drop(more);
    handle_drop(send);
    assert_int_equal(w->unheld, 0);
    handle_drop(all);
    assert_int_equal(w->unheld, 1);
    assert_int_equal(t->refs, 1);
    thing_unref(t);
    assert_int_equal(w->freed, 1);
}

static void revoking_ends_what_is_below_and_nothing_else(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *root = given(e, t, UINT32_MAX, NULL), *left = given(e, t, UINT32_MAX, NULL);
    struct handle *child = handle_new(t, UINT32_MAX, root), *grand = handle_new(t, UINT32_MAX, child);
    struct handle *other = handle_new(t, UINT32_MAX, root);
    struct call_why why;

    assert_int_equal(handle_give(grand, e->asker, NULL, &why), 0); /* child and other are on their way, in parcels */
    handle_revoke(child);
    assert_null(grand->thing);
    assert_non_null(child->thing);
    handle_revoke(root);
    assert_null(child->thing);
    assert_null(other->thing);
    assert_int_equal(other->rights, 0);
    assert_non_null(root->thing);
    assert_non_null(left->thing);
    assert_int_equal(t->held, 2);
    handle_drop(child);
    handle_drop(other);
    thing_unref(t);
    assert_int_equal(w->freed, 0);
}

/* 100,000 derived one from the other, and as many from one: no recursion, and a walk that visits each once. */
static void a_deep_tree_is_revoked_without_recursion(void **state)
{
    struct world *w = *state;
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle **h = calloc(DEEP, sizeof(*h));

    h[0] = handle_new(t, UINT32_MAX, NULL);
    for (unsigned i = 1; i < DEEP; i++)
        h[i] = handle_new(t, UINT32_MAX, h[i - 1]);
    handle_revoke(h[0]);
    for (unsigned i = 1; i < DEEP; i++)
        assert_null(h[i]->thing);
    assert_int_equal(t->held, 1);
    for (unsigned i = 0; i < DEEP; i++)
        handle_drop(h[i]);
    free(h);
    thing_unref(t);
    assert_int_equal(w->freed, 1);
}

static void a_wide_tree_is_revoked(void **state)
{
    struct world *w = *state;
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *root = handle_new(t, UINT32_MAX, NULL), **h = calloc(DEEP, sizeof(*h));

    for (unsigned i = 0; i < DEEP; i++)
        h[i] = handle_new(t, UINT32_MAX, i % 2 == 0 || i < 10 ? root : h[i - 9]);
    handle_revoke(root);
    for (unsigned i = 0; i < DEEP; i++) {
        assert_null(h[i]->thing);
        handle_drop(h[i]);
    }
    free(h);
    handle_drop(root);
    thing_unref(t);
    assert_int_equal(w->freed, 1);
}

/* Handles of the tree, ghosts among them, counted by walking it. */
static unsigned count_below(const struct handle *list, unsigned *ghosts)
{
    unsigned n = 0;

    for (const struct handle *h = list; h != NULL; h = h->next) {
        n += 1 + count_below(h->first, ghosts);
        *ghosts += h->ghost;
        if (h->ghost)
            assert_true(h->first != NULL && h->first->next != NULL);
    }
    return n;
}

static void dropping_leaves_what_is_below_under_what_is_above(void **state)
{
    struct world *w = *state;
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *root = handle_new(t, UINT32_MAX, NULL), *mid = handle_new(t, UINT32_MAX, root);
    struct handle *a = handle_new(t, UINT32_MAX, mid), *b = handle_new(t, UINT32_MAX, mid), *c = handle_new(t, UINT32_MAX, mid);
    unsigned ghosts = 0;

    handle_drop(mid); /* three stand below it: it stays as a ghost */
    assert_int_equal(t->held, 4);
    assert_int_equal(count_below(t->roots, &ghosts), 5);
    assert_int_equal(ghosts, 1);
    handle_drop(a);
    handle_drop(b); /* one is left: the ghost goes */
    ghosts = 0;
    assert_int_equal(count_below(t->roots, &ghosts), 2);
    assert_int_equal(ghosts, 0);
    assert_ptr_equal(c->above, root);
    handle_revoke(root); /* and it still ends with what it was derived from */
    assert_null(c->thing);
    handle_drop(c);
    handle_drop(root);
    thing_unref(t);
    assert_int_equal(w->freed, 1);
}

/* Whoever derives and drops what he derived from, for ever, keeps nothing alive but what he holds. */
static void what_is_dropped_keeps_no_memory(void **state)
{
    struct world *w = *state;
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *h = handle_new(t, UINT32_MAX, NULL), *side = handle_new(t, UINT32_MAX, h);
    unsigned ghosts = 0;

    for (unsigned i = 0; i < DEEP; i++) {
        struct handle *below = handle_new(t, UINT32_MAX, h), *other = handle_new(t, UINT32_MAX, h);

        handle_drop(h);
        handle_drop(other);
        h = below;
    }
    assert_int_equal(count_below(t->roots, &ghosts), 3); /* two, and what ties them together */
    assert_int_equal(ghosts, 1);
    handle_drop(side);
    handle_drop(h);
    assert_null(t->roots);
    thing_unref(t);
    assert_int_equal(w->freed, 1);
}

/* Random trees against a model: each handle knows its ancestors by name, dropped ones too. */
static void drops_and_revokes_in_any_order_agree_with_a_model(void **state)
{
    enum { N = 400, ROUNDS = 60 };
    struct world *w = *state;
    unsigned seed = 7;

    for (int round = 0; round < ROUNDS; round++) {
        struct thing *t = a_thing(w, KIND(QUEUE), NULL);
        struct handle *h[N];
        int parent[N], dead[N] = { 0 }, dropped[N] = { 0 };
        unsigned ghosts = 0, alive = 0;

        for (int i = 0; i < N; i++) {
            do
                parent[i] = i == 0 ? -1 : (int)(rand_r(&seed) % (unsigned)i);
            while (parent[i] >= 0 && (dropped[parent[i]] || dead[parent[i]]) && rand_r(&seed) % 8 != 0);
            if (parent[i] >= 0 && (dropped[parent[i]] || dead[parent[i]]))
                parent[i] = -1;
            h[i] = handle_new(t, UINT32_MAX, parent[i] >= 0 ? h[parent[i]] : NULL);
            if (i % 3 == 0) { /* one goes */
                int v = (int)(rand_r(&seed) % (unsigned)(i + 1));

                if (!dropped[v]) {
                    handle_drop(h[v]);
                    dropped[v] = 1;
                }
            }
            if (i % 41 == 40) { /* all below one end */
                int v = (int)(rand_r(&seed) % (unsigned)(i + 1));

                if (!dropped[v] && !dead[v]) {
                    handle_revoke(h[v]);
                    for (int k = 0; k <= i; k++)
                        for (int up = parent[k]; up >= 0; up = parent[up])
                            dead[k] |= up == v;
                }
            }
            for (int k = 0; k <= i; k++)
                if (!dropped[k])
                    assert_int_equal(h[k]->thing == NULL, dead[k]);
        }
        for (int i = 0; i < N; i++)
            alive += !dropped[i] && !dead[i];
        assert_int_equal(t->held, alive);
        assert_true(count_below(t->roots, &ghosts) - ghosts == alive && ghosts <= alive);
        for (int i = 0; i < N; i++)
            if (!dropped[i])
                handle_drop(h[i]);
        assert_null(t->roots);
        thing_unref(t);
    }
    assert_int_equal(w->freed, ROUNDS);
}

static void a_thing_that_is_over_ends_every_handle(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), "jobs");
    struct handle *root = given(e, t, UINT32_MAX, NULL), *mid = handle_new(t, UINT32_MAX, root);
    struct handle *a = handle_new(t, UINT32_MAX, mid), *b = handle_new(t, UINT32_MAX, mid);

    handle_drop(mid);
    thing_unref(t); /* only handles hold it now */
    thing_revoke_all(t);
    assert_int_equal(w->unheld, 1);
    assert_int_equal(w->freed, 1);
    assert_null(root->thing);
    handle_drop(a);
    handle_drop(b);
    assert_null(thing_find(w->bare.own, KIND(QUEUE), "jobs"));
}

/* ---- tables ---------------------------------------------------------------------------------------------------------------------------- */

static void a_table_is_full_and_numbers_are_never_given_twice(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *last = NULL, *h;
    struct call_why why;
    uint32_t number = 0;

    for (int i = 0; i < HANDLES_MAX; i++) {
        last = given(e, t, UINT32_MAX, NULL);
        assert_true(last->number > number);
        number = last->number;
    }
    assert_int_equal(handles_room(e->asker), 0);
    h = handle_new(t, UINT32_MAX, NULL);
    assert_int_equal(handle_give(h, e->asker, "name", &why), -1);
    assert_int_equal(why.error, CE(LIMIT));
    assert_null(h->grant);
    handle_drop(h);
    failed(asks_attenuate(e, number, 0), LIMIT, "more than 4096");
    handle_drop(last);
    assert_null(handle_find(e->asker, number)); /* its number is not the next one's */
    assert_int_equal(given(e, t, UINT32_MAX, NULL)->number, number + 1);
    thing_unref(t);
}

/* The broker must not believe that there is always one more number: 2^32 of them can be used up. */
static void numbers_run_out_as_a_full_table(void **state)
{
    struct world *w = *state;
    struct end *from = a_worker(w, NULL), *to = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *h = given(from, t, UINT32_MAX, NULL);
    Pb__Handle one = PB__HANDLE__INIT, two = PB__HANDLE__INIT, *list[] = { &one, &two };
    Pb__Value v = PB__VALUE__INIT;
    struct parcel p;
    struct parcel_told told;
    struct call_why why;

    one.handle = two.handle = h->number;
    v.handles = list;
    v.n_handles = 2;
    assert_int_equal(parcel_take(&p, from->asker, NULL, &v, "args", &why), 0);
    to->asker->last_handle = UINT32_MAX - 1;
    assert_int_equal(handles_room(to->asker), 1);
    assert_int_equal(parcel_give(&p, to->asker, &told, &why), -1);
    assert_int_equal(why.error, CE(LIMIT));
    assert_int_equal(to->asker->n_handles, 0);
    parcel_finish(&p);
    thing_unref(t);
}

static void a_tombstone_takes_its_place_until_it_is_dropped(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *root = given(e, t, UINT32_MAX, NULL);
    uint32_t derived = answered(asks_attenuate(e, root->number, 0), HANDLE)->handle->handle;

    answered(asks_revoke(e, root->number, "", KIND(NONE)), DONE);
    assert_int_equal(e->asker->n_handles, 2);
    failed(asks_attenuate(e, derived, 0), REVOKED, "has been revoked");
    failed(asks_revoke(e, derived, "", KIND(NONE)), REVOKED, "");
    answered(asks_drop(e, derived), DONE);
    failed(asks_drop(e, derived), BAD_HANDLE, "is not a handle");
    failed(asks_attenuate(e, derived, 0), BAD_HANDLE, "is not a handle");
    assert_int_equal(e->asker->n_handles, 1);
    thing_unref(t);
}

static void names_of_grants_are_found_and_go_with_their_handles(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *one = given(e, t, UINT32_MAX, "in"), *two = given(e, t, UINT32_MAX, "out"), *three = given(e, t, UINT32_MAX, "log");

    assert_int_equal(answered(asks_granted(e, "out"), HANDLE)->handle->handle, two->number);
    answered(asks_drop(e, two->number), DONE);
    failed(asks_granted(e, "out"), NOT_FOUND, "nothing was granted by the name out");
    assert_int_equal(answered(asks_granted(e, "in"), HANDLE)->handle->handle, one->number);
    answered(asks_drop(e, three->number), DONE);
    answered(asks_drop(e, one->number), DONE);
    assert_null(e->asker->granted);
    failed(asks_granted(e, "in"), NOT_FOUND, "");
    failed(asks_granted(e, ""), NOT_FOUND, "");
    thing_unref(t);
}

/* ---- calls ----------------------------------------------------------------------------------------------------------------------------- */

static void attenuated_handles_have_what_is_left(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *all = given(e, t, UINT32_MAX, NULL);
    const Pb__Handle *send = answered(asks_attenuate(e, all->number, RIGHT(SEND)), HANDLE)->handle;

    assert_int_equal(send->rights, RIGHT(SEND));
    assert_int_equal(send->kind, KIND(QUEUE));
    assert_string_equal(send->id, t->id);
    failed(asks_attenuate(e, send->handle, RIGHT(RECV)), NOT_ALLOWED, "no right would be left");
    assert_int_equal(answered(asks_attenuate(e, send->handle, UINT32_MAX), HANDLE)->handle->rights, RIGHT(SEND));
    assert_int_equal(answered(asks_attenuate(e, all->number, 0), HANDLE)->handle->rights, QUEUE_ALL);
    assert_int_equal(e->asker->n_handles, 4); /* what failed left nothing */
    thing_unref(t);
}

static void only_keys_have_a_prefix(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, HandleAttenuate, HANDLE_ATTENUATE, handle_attenuate, HANDLE_ATTENUATE);

    ref.handle = given(e, t, UINT32_MAX, NULL)->number;
    m_body.ref = &ref;
    m_body.prefix = "x";
    failed(asks(e, &m), BAD_REQUEST, "only keys have a prefix");
    thing_unref(t);
}

static void a_host_revokes_by_name_whatever_there_is_of_a_thing(void **state)
{
    struct world *w = *state;
    struct end *one = a_worker(w, NULL), *two = a_worker(w, CAPS("queue=jobs:recv")), *late = a_worker(w, CAPS("queue=jobs:recv"));
    struct end *host = a_host(w);
    struct thing *t = a_thing(w, KIND(QUEUE), "jobs");
    struct handle *h = given(one, t, UINT32_MAX, NULL);

    answered(asks_granted(two, "queue=jobs"), HANDLE);
    failed(asks_revoke(one, 0, "jobs", KIND(QUEUE)), NOT_ALLOWED, "names a queue by its handle"); /* a name is not a capability */
    failed(asks_revoke(host, 0, "jbos", KIND(QUEUE)), NOT_FOUND, "there is no queue jbos");
    failed(asks_revoke(host, 0, "jobs", KIND(INTERP)), NOT_FOUND, "there is no interpreter jobs");
    answered(asks_revoke(host, 0, "jobs", KIND(QUEUE)), DONE);
    assert_null(h->thing);
    failed(asks_granted(two, "queue=jobs"), REVOKED, "has been revoked");
    failed(asks_granted(late, "queue=jobs"), REVOKED, "queue jobs has been revoked"); /* that had not asked for it yet */
    assert_ptr_equal(thing_find(w->bare.own, KIND(QUEUE), "jobs"), t);
    answered(asks_granted(a_worker(w, CAPS("queue=jobs:recv")), "queue=jobs"), HANDLE); /* a later job */
    thing_unref(t);
}

static void what_a_spec_gives_is_found_by_its_name_and_nothing_else(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, CAPS("queue=jobs:recv", "interp=calc:call"));
    struct thing *jobs = a_thing(w, KIND(QUEUE), "jobs"), *other = a_thing(w, KIND(QUEUE), "other"), *calc;
    const Pb__Handle *h = answered(asks_granted(e, "queue=jobs"), HANDLE)->handle;
    struct handle *opened;
    struct call_why why;
    uint32_t number = h->handle;

    assert_int_equal(h->rights, RIGHT(RECV) | RIGHT(GRANT));
    assert_string_equal(h->name, "jobs");
    assert_int_equal(answered(asks_granted(e, "queue=jobs"), HANDLE)->handle->handle, number); /* the same one */
    failed(asks_granted(e, "queue=other"), NOT_FOUND, "nothing was granted by the name queue=other");
    failed(asks_granted(e, "interp=calc"), NOT_FOUND, "there is no interpreter calc");
    calc = a_thing(w, KIND(INTERP), "calc");
    assert_int_equal(answered(asks_granted(e, "interp=calc"), HANDLE)->handle->rights, RIGHT(CALL) | RIGHT(GRANT));
    assert_int_equal(caps_open(e->asker, KIND(QUEUE), "jobs", RIGHT(SEND), &opened, &why), -1);
    assert_int_equal(why.error, CE(NOT_ALLOWED));
    assert_int_equal(caps_open(e->asker, KIND(QUEUE), "other", 0, &opened, &why), -1);
    assert_int_equal(why.error, CE(NOT_ALLOWED));
    assert_int_equal(caps_open(e->asker, KIND(QUEUE), "jobs", RIGHT(RECV), &opened, &why), 0);
    assert_int_equal(opened->rights, RIGHT(RECV));
    answered(asks_revoke(e, number, "", KIND(QUEUE)), DONE); /* what was opened is derived from the grant */
    assert_null(opened->thing);
    handle_drop(opened);
    thing_unref(jobs);
    thing_unref(other);
    thing_unref(calc);
}

static void a_parent_cannot_pass_one_kind_off_as_another(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, CAPS("queue=jobs:recv"));
    struct thing *jobs = a_thing(w, KIND(QUEUE), "jobs"), *interp = a_thing(w, KIND(INTERP), NULL);
    struct handle *opened;
    struct call_why why;

    given(e, interp, UINT32_MAX, "queue=jobs");
    assert_int_equal(caps_open(e->asker, KIND(QUEUE), "jobs", 0, &opened, &why), 0);
    assert_int_equal(opened->kind, KIND(QUEUE));
    assert_ptr_equal(opened->thing, jobs);
    handle_drop(opened);
    thing_unref(jobs);
    thing_unref(interp);
}

static void the_job_must_have_the_capability_to_make_things(void **state)
{
    struct world *w = *state;
    struct end *none = a_worker(w, NULL), *one = a_worker(w, CAPS("queues=1"));
    struct call_why why;

    assert_int_equal(caps_need(none->w, "queues", &why), -1);
    assert_int_equal(why.error, CE(NOT_ALLOWED));
    assert_int_equal(caps_need(one->w, "queues", &why), 0);
    assert_int_equal(caps_need(one->w, "interpreters", &why), -1);
    assert_int_equal(caps_need(one->w, "buffers", &why), -1);
    one->w->job->worker = NULL;
    one->w->job = NULL; /* its job has ended: nothing is left of it */
    assert_int_equal(caps_need(one->w, "queues", &why), -1);
    one->w->job = one->job;
    one->job->worker = one->w;
}

static void a_list_names_all_that_is_held(void **state)
{
    struct world *w = *state;
    struct end *e = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), "jobs");
    struct handle *one = given(e, t, UINT32_MAX, "in"), *two = given(e, t, RIGHT(SEND), NULL);
    ASK(m, HandleList, HANDLE_LIST, handle_list, HANDLE_LIST);
    const Pb__HandleListed *l;

    handle_end(two);
    l = answered(asks(e, &m), HANDLES)->handles;
    assert_int_equal(l->n_handles, 2);
    assert_string_equal(l->handles[0]->name, "in");
    assert_int_equal(l->handles[0]->handle->handle, one->number);
    assert_string_equal(l->handles[0]->handle->name, "jobs");
    assert_int_equal(l->handles[1]->handle->rights, 0); /* revoked */
    assert_string_equal(l->handles[1]->handle->id, "");
    thing_unref(t);
}

/* ---- parcels --------------------------------------------------------------------------------------------------------------------------- */

static int take(struct end *from, uint32_t handle, uint32_t rights, Pb__Kind kind, struct parcel *p, struct call_why *why)
{
    Pb__Handle one = PB__HANDLE__INIT, *list[] = { &one };
    Pb__Value v = PB__VALUE__INIT;

    one.handle = handle;
    one.rights = rights;
    one.kind = kind;
    v.handles = list;
    v.n_handles = 1;
    return parcel_take(p, from->asker, NULL, &v, "args", why);
}

static void handles_travel_in_parcels_with_rights_cut(void **state)
{
    struct world *w = *state;
    struct end *from = a_worker(w, NULL), *to = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *h = given(from, t, UINT32_MAX, NULL);
    struct parcel p;
    struct parcel_told told;
    struct call_why why;

    assert_int_equal(take(from, h->number, RIGHT(SEND), KIND(NONE), &p, &why), 0);
    assert_int_equal(parcel_handles(&p), 1);
    assert_int_equal(parcel_give(&p, to->asker, &told, &why), 0);
    assert_int_equal(told.value.n_handles, 1);
    assert_int_equal(told.value.handles[0]->rights, RIGHT(SEND));
    failed(asks_attenuate(from, told.value.handles[0]->handle + 100, 0), BAD_HANDLE, "");
    answered(asks_revoke(from, h->number, "", KIND(NONE)), DONE);
    failed(asks_attenuate(to, told.value.handles[0]->handle, 0), REVOKED, "");
    parcel_told_finish(&told);
    parcel_finish(&p);
    thing_unref(t);
}

static void what_may_not_be_granted_stays(void **state)
{
    struct world *w = *state;
    struct end *from = a_worker(w, NULL), *to = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *kept = given(from, t, RIGHT(SEND), NULL), *all = given(from, t, UINT32_MAX, NULL),
                  *theirs = given(to, t, UINT32_MAX, NULL);
    struct parcel p;
    struct call_why why;

    assert_int_equal(take(from, kept->number, 0, KIND(NONE), &p, &why), -1);
    assert_int_equal(why.error, CE(NOT_ALLOWED));
    assert_string_equal(why.path, "args");
    assert_int_equal(take(from, theirs->number + 7, 0, KIND(NONE), &p, &why), -1);
    assert_int_equal(why.error, CE(BAD_HANDLE));
    assert_int_equal(take(from, all->number, 0, KIND(INTERP), &p, &why), -1);
    assert_int_equal(why.error, CE(BAD_HANDLE));
    ((struct test_thing *)t)->may_not_pass = true;
    assert_int_equal(take(from, all->number, 0, KIND(QUEUE), &p, &why), -1);
    assert_int_equal(why.error, CE(BUSY));
    handle_end(all);
    assert_int_equal(take(from, all->number, 0, KIND(QUEUE), &p, &why), -1);
    assert_int_equal(why.error, CE(REVOKED));
    assert_int_equal(t->held, 2); /* nothing is held by what failed */
    thing_unref(t);
}

static void a_handle_revoked_on_its_way_arrives_dead(void **state)
{
    struct world *w = *state;
    struct end *from = a_worker(w, NULL), *to = a_worker(w, NULL);
    struct thing *t = a_thing(w, KIND(QUEUE), NULL);
    struct handle *h = given(from, t, UINT32_MAX, NULL);
    struct parcel p;
    struct parcel_told told;
    struct call_why why;

    assert_int_equal(take(from, h->number, 0, KIND(NONE), &p, &why), 0);
    answered(asks_revoke(from, h->number, "", KIND(NONE)), DONE);
    assert_int_equal(parcel_give(&p, to->asker, &told, &why), 0);
    assert_int_equal(told.value.handles[0]->rights, 0);
    failed(asks_attenuate(to, told.value.handles[0]->handle, 0), REVOKED, "");
    parcel_told_finish(&told);
    parcel_finish(&p);
    thing_unref(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rights_only_shrink),
        TEST(revoking_ends_what_is_below_and_nothing_else),
        TEST(a_deep_tree_is_revoked_without_recursion),
        TEST(a_wide_tree_is_revoked),
        TEST(dropping_leaves_what_is_below_under_what_is_above),
        TEST(what_is_dropped_keeps_no_memory),
        TEST(drops_and_revokes_in_any_order_agree_with_a_model),
        TEST(a_thing_that_is_over_ends_every_handle),
        TEST(a_table_is_full_and_numbers_are_never_given_twice),
        TEST(numbers_run_out_as_a_full_table),
        TEST(a_tombstone_takes_its_place_until_it_is_dropped),
        TEST(names_of_grants_are_found_and_go_with_their_handles),
        TEST(attenuated_handles_have_what_is_left),
        TEST(only_keys_have_a_prefix),
        TEST(a_host_revokes_by_name_whatever_there_is_of_a_thing),
        TEST(what_a_spec_gives_is_found_by_its_name_and_nothing_else),
        TEST(a_parent_cannot_pass_one_kind_off_as_another),
        TEST(the_job_must_have_the_capability_to_make_things),
        TEST(a_list_names_all_that_is_held),
        TEST(handles_travel_in_parcels_with_rights_cut),
        TEST(what_may_not_be_granted_stays),
        TEST(a_handle_revoked_on_its_way_arrives_dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
