/*
 * test_interps_ties.c - links between interpreters: who ends with whom, whatever the tree and the links are, against a model.
 *
 * The seed of a random round that fails is printed; SEED=n runs that alone.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "interps_fixture.h"

#define BODY(name) PB__ASK__BODY_INTERP_##name

enum { NODES = 24, ROUNDS = 60, STEPS = 60, CHILDREN = 64 };

struct node {
    struct played *p;
    struct interp *i; /* a reference */
    int parent;       /* -1: a host program's */
    unsigned depth;
    bool alive, tied[NODES];
};

struct model {
    struct interp_fixture *fx;
    struct node all[NODES];
    int n;
    unsigned seed;
};

static unsigned playing; /* the seed of the round that is being played; 0: none */

/* ---- what is to be ------------------------------------------------------------------------------------------------------------------------ */

static void model_end(struct model *m, int k, bool well)
{
    if (!m->all[k].alive)
        return;
    m->all[k].alive = false;
    for (int c = 0; c < m->n; c++)
        if (m->all[c].parent == k)
            model_end(m, c, well); /* none of them runs anything: it was at rest when its maker ended well */
    for (int c = 0; c < m->n; c++) {
        bool tied = m->all[k].tied[c];

        m->all[k].tied[c] = m->all[c].tied[k] = false;
        if (tied && !well)
            model_end(m, c, false);
    }
}

static unsigned living_below(const struct model *m, int k)
{
    unsigned n = 0;

    for (int c = 0; c < m->n; c++)
        if (m->all[c].parent == k && m->all[c].alive)
            n += 1 + living_below(m, c);
    return n;
}

static void check_node(const struct model *m, int k)
{
    const struct node *node = &m->all[k];
    unsigned ties = 0;

    assert_int_equal(node->i->state == IS(ENDED), !node->alive);
    if (!node->alive)
        return;
    assert_int_equal(node->i->job->n_below, living_below(m, k));
    for (const struct tie_end *e = node->i->job->ties; e != NULL; e = e->next)
        ties++;
    for (int c = 0; c < m->n; c++)
        ties -= node->tied[c];
    assert_int_equal(ties, 0);
}

/* The processes of those that have ended are gone too. */
static void check(struct model *m)
{
    assert_null(m->fx->bare.b.interps.due);
    assert_int_equal(m->fx->bare.b.interps.walks, 0);
    for (int k = 0; k < m->n; k++)
        check_node(m, k);
    for (int k = 0; k < m->n; k++)
        if (!m->all[k].alive && m->all[k].p->w != NULL)
            fx_ends(m->all[k].p, CLD_KILLED, SIGKILL);
    for (int k = 0; k < m->n; k++)
        check_node(m, k);
}

/* ---- what is done ------------------------------------------------------------------------------------------------------------------------- */

static uint64_t ask_for_one(struct interp_fixture *fx, struct asker *by)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    Pb__Limits limits = PB__LIMITS__INIT;

    limits.memory_bytes = 16u << 20;
    spec.engine = "lua";
    spec.limits = &limits;
    m.spec = &spec;
    m.max_children = CHILDREN;
    return fx_ask(fx, by, BODY(CREATE), &m.base);
}

static int make(struct model *m, int parent)
{
    struct node *node = &m->all[m->n], *above = parent >= 0 ? &m->all[parent] : NULL;
    uint64_t n = ask_for_one(m->fx, above != NULL ? &above->p->w->asker : &m->fx->host);
    struct frame f;

    *node = (struct node){ .p = fx_spare(m->fx), .parent = parent, .depth = above != NULL ? above->depth + 1 : 1, .alive = true };
    fx_starts(node->p);
    if (above != NULL)
        assert_false(fx_hear(above->p, &f));
    assert_int_equal(fx_answer(m->fx, n)->body_case, PB__ANSWER__BODY_HANDLE);
    node->i = node->p->w->job->interp;
    thing_ref(&node->i->thing);
    node->i->limits.memory_bytes = 0; /* nothing is taken from its maker: this is about ends */
    return m->n++;
}

static void set_link(struct model *m, int from, int to, bool undo)
{
    struct asker *by = &m->all[from].p->w->asker;
    struct handle *h = handle_new(&m->all[to].i->thing, RIGHTS_INTERP, NULL);
    Pb__InterpLink link_it = PB__INTERP_LINK__INIT;
    struct call_why why;
    struct frame f;
    uint64_t n;

    assert_int_equal(handle_give(h, by, NULL, &why), 0);
    link_it.interp = fx_ref(h->number, NULL);
    link_it.undo = undo;
    n = fx_ask(m->fx, by, BODY(LINK), &link_it.base);
    assert_false(fx_hear(m->all[from].p, &f));
    if (from == to) {
        fx_failure(m->fx, n, CE(BAD_REQUEST));
        return;
    }
    fx_is_done(m->fx, n);
    m->all[from].tied[to] = m->all[to].tied[from] = !undo;
}

static void do_kill(struct model *m, int k)
{
    fx_simple(m->fx, &m->fx->host, BODY(KILL), fx_ref(0, m->all[k].i->thing.id));
    model_end(m, k, false);
}

static void do_crash(struct model *m, int k)
{
    fx_ends(m->all[k].p, CLD_DUMPED, SIGSEGV);
    model_end(m, k, false);
}

static void do_close(struct model *m, int k)
{
    Pb__Result r = PB__RESULT__INIT;

    fx_simple(m->fx, &m->fx->host, BODY(CLOSE), fx_ref(0, m->all[k].i->thing.id));
    assert_int_not_equal(fx_called(m->all[k].p, PB__CALL_KIND__CALL_KIND_CLOSE, NULL), 0);
    r.kind = PB__RESULT_KIND__RESULT_KIND_EXIT;
    assert_int_equal(fx_says(m->all[k].p, PB__FROM_WORKER__BODY_RESULT, &r.base), 0);
    model_end(m, k, true);
}

/* What is below it ends, and so may it itself, by a tie. */
static void do_reset(struct model *m, int k)
{
    fx_simple(m->fx, &m->fx->host, BODY(RESET), fx_ref(0, m->all[k].i->thing.id));
    for (int c = 0; c < m->n; c++)
        if (m->all[c].parent == k)
            model_end(m, c, false);
    if (!m->all[k].alive || m->fx->n_played == PLAYED) {
        do_kill(m, k);
        return;
    }
    fx_ends(m->all[k].p, CLD_KILLED, SIGKILL);
    m->all[k].p = fx_spare(m->fx);
    fx_starts(m->all[k].p);
}

static int pick(struct model *m)
{
    int at = (int)((unsigned)rand_r(&m->seed) % (unsigned)m->n);

    for (int k = 0; k < m->n; k++)
        if (m->all[(at + k) % m->n].alive)
            return (at + k) % m->n;
    return -1;
}

static void step(struct model *m)
{
    static void (*const ends[])(struct model *, int) = { do_kill, do_crash, do_close, do_reset };
    int k = m->n > 0 ? pick(m) : -1;

    switch ((unsigned)rand_r(&m->seed) % 8) {
    case 0:
    case 1:
    case 2:
        if (m->n < NODES && m->fx->n_played < PLAYED)
            make(m, k >= 0 && m->all[k].depth < INTERPS_DEPTH && (unsigned)rand_r(&m->seed) % 8 != 0 ? k : -1);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        if (k >= 0)
            set_link(m, k, pick(m), (unsigned)rand_r(&m->seed) % 8 == 0);
        break;
    default:
        if (k >= 0 && (unsigned)rand_r(&m->seed) % 2 == 0)
            ends[(unsigned)rand_r(&m->seed) % (sizeof(ends) / sizeof(ends[0]))](m, k);
    }
    check(m);
}

static void finish(struct model *m)
{
    interps_session_over(&m->fx->host);
    for (int k = 0; k < m->n; k++)
        model_end(m, k, false);
    check(m);
    for (int k = 0; k < m->n; k++)
        thing_unref(&m->all[k].i->thing);
}

/* ---- the stories -------------------------------------------------------------------------------------------------------------------------- */

static void a_tie_up_the_tree_that_is_walked_ends_its_root(void **state)
{
    struct model m = { .fx = *state };
    int p = make(&m, -1), c = make(&m, p), g = make(&m, c);

    set_link(&m, g, p, false);
    do_kill(&m, c);
    check(&m);
    assert_int_equal(m.all[p].alive, false);
    finish(&m);
}

static void a_tie_between_children_of_a_session_that_is_over_ends_each_once(void **state)
{
    struct model m = { .fx = *state };
    int a = make(&m, -1), b = make(&m, -1), c = make(&m, a);

    set_link(&m, a, b, false);
    set_link(&m, c, b, false);
    set_link(&m, c, a, false);
    finish(&m);
}

static unsigned deepest;

/* A call fails while its interpreter ends: within how many other ends? */
static void on_reply_in_an_end(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m)
{
    if (fixture->bare.b.interps.walks > deepest)
        deepest = fixture->bare.b.interps.walks;
    fx_on_reply(s, way, m);
}

static void a_chain_of_ties_ends_as_a_whole_and_says_by_whom(void **state)
{
    struct model m = { .fx = *state };
    enum { LONG = 20 };

    for (int k = 0; k < LONG; k++)
        make(&m, -1);
    for (int k = 1; k < LONG; k++)
        set_link(&m, k - 1, k, false);
    for (int k = 0; k < LONG; k++)
        fx_call(m.fx, &m.fx->host, fx_ref(0, m.all[k].i->thing.id), "f", 0);
    m.fx->bare.b.control.send = on_reply_in_an_end;
    do_crash(&m, LONG / 2);
    for (int k = 0; k < LONG; k++)
        if (k != LONG / 2)
            assert_non_null(strstr(m.all[k].i->cause_detail, m.all[k < LONG / 2 ? k + 1 : k - 1].i->thing.id));
    assert_int_equal(deepest, 2); /* the first end, and in it one after the other */
    check(&m);
    finish(&m);
}

static void a_broker_that_leaves_leaves_no_tie(void **state)
{
    struct model m = { .fx = *state };
    int a = make(&m, -1), b = make(&m, -1);

    set_link(&m, a, b, false);
    for (int k = 0; k < m.n; k++)
        thing_unref(&m.all[k].i->thing);
}

static void any_tree_with_any_ties_ends_as_the_model_does(void **state)
{
    const char *seed = getenv("SEED");

    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct model m = { 0 };
        void *fx;

        playing = m.seed = seed != NULL ? (unsigned)strtoul(seed, NULL, 10) : 1000 + round;
        assert_int_equal(fx_setup(&fx), 0);
        m.fx = fx;
        for (unsigned k = 0; k < STEPS; k++)
            step(&m);
        finish(&m);
        assert_int_equal(fx_teardown(&fx), 0);
        if (seed != NULL)
            break;
    }
    playing = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_tie_up_the_tree_that_is_walked_ends_its_root),
        TEST(a_tie_between_children_of_a_session_that_is_over_ends_each_once),
        TEST(a_chain_of_ties_ends_as_a_whole_and_says_by_whom),
        TEST(a_broker_that_leaves_leaves_no_tie),
        cmocka_unit_test(any_tree_with_any_ties_ends_as_the_model_does),
    };

    int rc = cmocka_run_group_tests_name("interps_ties", tests, NULL, NULL);

    if (playing != 0)
        print_message("@ seed %u\n", playing);
    return rc;
}
