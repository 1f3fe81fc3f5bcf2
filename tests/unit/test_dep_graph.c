/* test_dep_graph.c - dependencies: what an end means, circles, slices; and random graphs against a model that is a matrix. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/dep_graph.h"

#define AF(name) PB__AFTER__AFTER_##name
#define ST(name) PB__STATE__STATE_##name

enum { JOBS = 24, ENDINGS = 7 };
static const Pb__State endings[ENDINGS] = { ST(SUCCEEDED), ST(FAILED), ST(TIMED_OUT), ST(CANCELLED), ST(EXPIRED), ST(SKIPPED), ST(DEAD) };

static const char *id_of(unsigned i)
{
    static char ids[4][ULID_LEN + 1];
    static unsigned at;
    char *id = ids[at++ % 4];

    (void)snprintf(id, ULID_LEN + 1, "01HZZZZZZZ%016u", i);
    return id;
}

static unsigned number_of(const char *id)
{
    return (unsigned)strtoul(id + 10, NULL, 10);
}

/* What was told, in order: "met 3 by 1, 0 left; ". */
struct told {
    struct dep_graph *g;
    char text[2048];
    size_t count;
    bool chain; /* whoever is skipped ends so */
};

static void say(struct told *t, const char *word, const char *job, const char *on, int n)
{
    size_t len = strlen(t->text);

    t->count++;
    (void)snprintf(t->text + len, sizeof(t->text) - len, "%s %u by %u, %d; ", word, number_of(job), number_of(on), n);
}

static void on_met(void *ctx, const char *job, const char *on, unsigned left)
{
    say(ctx, "met", job, on, (int)left);
}

static void on_failed(void *ctx, const char *job, const char *on, Pb__After after, Pb__State outcome)
{
    struct told *t = ctx;

    (void)after;
    say(t, "failed", job, on, (int)outcome);
    if (t->chain)
        (void)dep_graph_end(t->g, job, ST(SKIPPED));
}

/* An array's number is a hundred of hundreds, its tasks' are behind it: 50000 has 50001 to 50099. */
static bool whole_of(void *ctx, const char *job, char ret_array[ULID_LEN + 1])
{
    unsigned n = number_of(job);

    (void)ctx;
    if (n < 50000 || n >= 60000 || n % 100 == 0)
        return false;
    memcpy(ret_array, id_of(n / 100 * 100), ULID_LEN + 1);
    return true;
}

struct fixture {
    struct dep_graph g;
    struct told told;
    struct dep_graph_handler h;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    dep_graph_init(&f->g, whole_of, NULL);
    f->told.g = &f->g;
    f->h = (struct dep_graph_handler){ on_met, on_failed, &f->told };
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    dep_graph_finish(&f->g);
    free(f);
    return 0;
}

static void add(struct fixture *f, unsigned job, unsigned on, Pb__After after)
{
    assert_int_equal(dep_graph_add(&f->g, id_of(job), id_of(on), after, NULL), 0);
}

static void end(struct fixture *f, unsigned on, Pb__State outcome)
{
    if (dep_graph_end(&f->g, id_of(on), outcome))
        while (dep_graph_step(&f->g, 1, &f->h))
            ;
}

static void a_diamond_is_met_when_both_its_sides_are(void **state)
{
    struct fixture *f = *state;

    add(f, 2, 1, AF(OK));
    add(f, 3, 1, AF(OK));
    add(f, 4, 2, AF(OK));
    add(f, 4, 3, AF(OK));
    end(f, 1, ST(SUCCEEDED));
    assert_string_equal(f->told.text, "met 3 by 1, 0; met 2 by 1, 0; ");
    end(f, 3, ST(SUCCEEDED));
    assert_int_equal(dep_graph_unmet(&f->g, id_of(4)), 1);
    end(f, 2, ST(SUCCEEDED));
    assert_string_equal(f->told.text, "met 3 by 1, 0; met 2 by 1, 0; met 4 by 3, 1; met 4 by 2, 0; ");
    assert_int_equal(f->g.edges, 0);
    assert_null(f->g.by_id);
}

static void each_outcome_suits_what_it_has_to(void **state)
{
    (void)state;
    for (int i = 0; i < ENDINGS; i++) {
        assert_int_equal(dep_graph_suits(AF(OK), endings[i]), endings[i] == ST(SUCCEEDED));
        assert_int_equal(dep_graph_suits(AF(FAIL), endings[i]), endings[i] != ST(SUCCEEDED));
        assert_true(dep_graph_suits(AF(ANY), endings[i]));
    }
}

static void a_wrong_end_goes_down_the_chain_and_stops_at_any(void **state)
{
    struct fixture *f = *state;

    f->told.chain = true;
    add(f, 2, 1, AF(OK));
    add(f, 3, 2, AF(OK));
    add(f, 4, 3, AF(ANY));
    add(f, 5, 4, AF(OK));
    end(f, 1, ST(FAILED));
    assert_string_equal(f->told.text, "failed 2 by 1, 6; failed 3 by 2, 10; met 4 by 3, 0; ");
    assert_int_equal(dep_graph_unmet(&f->g, id_of(5)), 1);
}

static void one_that_fails_takes_the_rest_of_its_waits_with_it(void **state)
{
    struct fixture *f = *state;

    add(f, 3, 1, AF(OK));
    add(f, 3, 2, AF(OK));
    end(f, 1, ST(CANCELLED));
    assert_string_equal(f->told.text, "failed 3 by 1, 8; ");
    end(f, 2, ST(SUCCEEDED));
    assert_int_equal(f->told.count, 1); /* nobody waits for it any more */
    assert_null(f->g.by_id);
}

static void circles_are_refused_with_their_members(void **state)
{
    struct fixture *f = *state;
    struct dep_circle c;

    assert_int_equal(dep_graph_add(&f->g, id_of(1), id_of(1), AF(OK), &c), -ELOOP);
    assert_int_equal(c.count, 1);
    add(f, 2, 1, AF(OK));
    add(f, 3, 2, AF(OK));
    assert_int_equal(dep_graph_add(&f->g, id_of(1), id_of(3), AF(ANY), &c), -ELOOP);
    assert_int_equal(c.count, 3); /* 3 waits for 2, 2 for 1, and 1 would for 3 */
    assert_int_equal(number_of(c.id[0]), 3);
    assert_int_equal(number_of(c.id[1]), 2);
    assert_int_equal(number_of(c.id[2]), 1);
    assert_int_equal(f->g.edges, 2);
    assert_int_equal(dep_graph_add(&f->g, id_of(2), id_of(1), AF(ANY), &c), -EEXIST);
    assert_int_equal(dep_graph_drop(&f->g, id_of(3), id_of(2)), 0);
    assert_int_equal(dep_graph_add(&f->g, id_of(1), id_of(3), AF(ANY), &c), 0);
    assert_int_equal(dep_graph_drop(&f->g, id_of(3), id_of(2)), -ENOENT);
}

static void a_long_circle_names_some_of_it_and_counts_all(void **state)
{
    struct fixture *f = *state;
    struct dep_circle c;

    for (unsigned i = 1; i < 1000; i++)
        add(f, i + 1, i, AF(OK));
    assert_int_equal(dep_graph_add(&f->g, id_of(1), id_of(1000), AF(OK), &c), -ELOOP);
    assert_int_equal(c.count, 1000);
    assert_int_equal(number_of(c.id[DEP_GRAPH_NAMED - 1]), 1);
}

static void expect_circle(struct fixture *f, unsigned job, unsigned on, size_t count, const unsigned *members)
{
    struct dep_circle c;

    assert_int_equal(dep_graph_add(&f->g, id_of(job), id_of(on), AF(ANY), &c), -ELOOP);
    assert_int_equal(c.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(number_of(c.id[i]), members[i]);
}

static void an_array_does_not_end_before_its_tasks(void **state)
{
    struct fixture *f = *state;

    add(f, 1, 50000, AF(ANY));
    add(f, 50002, 9, AF(ANY));
    expect_circle(f, 50001, 1, 3, (const unsigned[]){ 1, 50000, 50001 }); /* it has had no edge until now */
    expect_circle(f, 50002, 1, 3, (const unsigned[]){ 1, 50000, 50002 });
    expect_circle(f, 50003, 50000, 2, (const unsigned[]){ 50000, 50003 });
    assert_int_equal(dep_graph_drop(&f->g, id_of(1), id_of(50000)), 0);
    add(f, 50001, 1, AF(ANY));
    expect_circle(f, 1, 50000, 3, (const unsigned[]){ 50000, 50001, 1 });
}

static void a_task_begins_after_what_its_array_waits_for(void **state)
{
    struct fixture *f = *state;

    add(f, 1, 50001, AF(ANY));
    expect_circle(f, 50000, 1, 2, (const unsigned[]){ 1, 50001 });
    expect_circle(f, 50000, 50003, 1, (const unsigned[]){ 50003 });
    assert_int_equal(dep_graph_drop(&f->g, id_of(1), id_of(50001)), 0);
    assert_null(f->g.by_id);
    add(f, 50000, 1, AF(ANY));
    expect_circle(f, 1, 50001, 2, (const unsigned[]){ 50001, 1 });
    add(f, 50001, 50002, AF(OK)); /* tasks may wait for each other */
    expect_circle(f, 50002, 50001, 2, (const unsigned[]){ 50001, 50002 });
}

static void what_was_let_in_before_is_not_searched(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(dep_graph_add_known(&f->g, id_of(50001), id_of(50000), AF(OK)), 0);
    assert_int_equal(dep_graph_add_known(&f->g, id_of(50000), id_of(50002), AF(OK)), 0);
    assert_int_equal(dep_graph_add_known(&f->g, id_of(1), id_of(1), AF(OK)), -ELOOP);
    assert_int_equal(dep_graph_drop(&f->g, id_of(50000), id_of(50002)), 0);
    assert_int_equal(dep_graph_drop(&f->g, id_of(50001), id_of(50000)), 0);
    assert_null(f->g.by_id);
}

static void a_search_that_is_too_long_is_given_up_by_name(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 2; i < 402; i++) {
        add(f, 1, i, AF(OK));
        for (unsigned k = 0; k < DEP_GRAPH_SEARCH / 400; k++)
            add(f, i, 1000 * i + k, AF(OK));
    }
    add(f, 900000, 900001, AF(OK));
    assert_int_equal(dep_graph_add(&f->g, id_of(900001), id_of(1), AF(OK), NULL), -E2BIG);
}

static void a_wide_fan_is_settled_in_slices(void **state)
{
    struct fixture *f = *state;
    unsigned slices = 0;

    for (unsigned i = 2; i < 100002; i++)
        add(f, i, 1, AF(OK));
    assert_true(dep_graph_end(&f->g, id_of(1), ST(SUCCEEDED)));
    assert_int_equal(f->told.count, 0);
    for (bool more = true; more; slices++) {
        size_t before = f->told.count;

        more = dep_graph_step(&f->g, 256, &f->h);
        assert_true(f->told.count - before <= 256);
    }
    assert_int_equal(f->told.count, 100000);
    assert_true(slices >= 100000 / 256);
    assert_null(f->g.by_id);
}

/* ---- against a matrix ---- */

struct model {
    struct fixture *f;
    int edge[JOBS][JOBS]; /* [job][on]: 0, or 1 + after */
    bool ended[JOBS];
    Pb__State outcome[JOBS];
    unsigned calls, settled;
};

static unsigned unmet(const struct model *m, unsigned job)
{
    unsigned n = 0;

    for (unsigned on = 0; on < JOBS; on++)
        n += m->edge[job][on] != 0;
    return n;
}

static bool reaches(const struct model *m, unsigned from, unsigned to, bool *seen)
{
    if (from == to)
        return true;
    seen[from] = true;
    for (unsigned on = 0; on < JOBS; on++)
        if (m->edge[from][on] != 0 && !seen[on] && reaches(m, on, to, seen))
            return true;
    return false;
}

static void model_met(void *ctx, const char *job, const char *on, unsigned left)
{
    struct model *m = ctx;
    unsigned j = number_of(job), o = number_of(on);

    m->calls++;
    m->settled++;
    assert_true(m->ended[o] && m->edge[j][o] != 0);
    assert_true(dep_graph_suits((Pb__After)(m->edge[j][o] - 1), m->outcome[o]));
    m->edge[j][o] = 0;
    assert_int_equal(left, unmet(m, j));
}

static void model_failed(void *ctx, const char *job, const char *on, Pb__After after, Pb__State outcome)
{
    struct model *m = ctx;
    unsigned j = number_of(job), o = number_of(on);

    m->calls++;
    m->settled++;
    assert_true(m->ended[o] && m->edge[j][o] == 1 + (int)after && m->outcome[o] == outcome);
    assert_false(dep_graph_suits(after, outcome));
    memset(m->edge[j], 0, sizeof(m->edge[j]));
    if (m->ended[j])
        return;
    m->ended[j] = true;
    m->outcome[j] = ST(SKIPPED);
    (void)dep_graph_end(&m->f->g, job, ST(SKIPPED));
}

static void model_add(struct model *m, unsigned job, unsigned on)
{
    Pb__After after = (Pb__After)(random() % 3);
    bool seen[JOBS] = { false };
    struct dep_circle c;
    int expected = job == on ? -ELOOP : m->edge[job][on] != 0 ? -EEXIST : reaches(m, on, job, seen) ? -ELOOP : 0;

    assert_int_equal(dep_graph_add(&m->f->g, id_of(job), id_of(on), after, &c), expected);
    if (expected == 0)
        m->edge[job][on] = 1 + (int)after;
    for (size_t i = 0; expected == -ELOOP && c.count <= DEP_GRAPH_NAMED && i + 1 < c.count; i++)
        assert_int_not_equal(m->edge[number_of(c.id[i])][number_of(c.id[i + 1])], 0);
}

static void model_op(struct model *m)
{
    unsigned job = (unsigned)random() % JOBS, on = (unsigned)random() % JOBS;
    struct dep_graph_handler h = { model_met, model_failed, m };
    unsigned max = (unsigned)random() % 4;

    switch (random() % 16) {
    case 0:
        assert_int_equal(dep_graph_drop(&m->f->g, id_of(job), id_of(on)), m->edge[job][on] != 0 ? 0 : -ENOENT);
        m->edge[job][on] = 0;
        break;
    case 1:
        assert_int_equal(dep_graph_set(&m->f->g, id_of(job), id_of(on), AF(ANY)), m->edge[job][on] != 0 ? 0 : -ENOENT);
        if (m->edge[job][on] != 0)
            m->edge[job][on] = 1 + AF(ANY);
        break;
    case 2:
        dep_graph_leave(&m->f->g, id_of(job));
        memset(m->edge[job], 0, sizeof(m->edge[job]));
        break;
    case 3:
        if (m->ended[on])
            break;
        m->ended[on] = true;
        m->outcome[on] = endings[random() % ENDINGS];
        (void)dep_graph_end(&m->f->g, id_of(on), m->outcome[on]);
        break;
    case 4:
    case 5:
        m->calls = 0;
        (void)dep_graph_step(&m->f->g, max, &h);
        assert_true(m->calls <= max);
        break;
    default: /* the broker adds none to what has ended */
        if (!m->ended[job] && !m->ended[on])
            model_add(m, job, on);
    }
}

static void compare(const struct model *m)
{
    size_t edges = 0;

    for (unsigned j = 0; j < JOBS; j++) {
        bool wanted = false;

        assert_int_equal(dep_graph_unmet(&m->f->g, id_of(j)), unmet(m, j));
        for (unsigned k = 0; k < JOBS; k++) {
            assert_int_equal(dep_graph_has(&m->f->g, id_of(j), id_of(k)), m->edge[j][k] != 0);
            wanted = wanted || m->edge[k][j] != 0;
            edges += m->edge[j][k] != 0;
        }
        assert_int_equal(dep_graph_is_wanted(&m->f->g, id_of(j)), wanted);
    }
    assert_int_equal(m->f->g.edges, edges);
}

static void random_graphs_agree_with_a_matrix(void **state)
{
    struct fixture *f = *state;
    unsigned settled = 0;

    srandom(19);
    for (unsigned round = 0; round < 500; round++) {
        struct model m = { .f = f };
        struct dep_graph_handler h = { model_met, model_failed, &m };

        for (unsigned i = 0; i < 200; i++) {
            model_op(&m);
            if (i % 10 == 0)
                compare(&m);
        }
        while (dep_graph_step(&f->g, 3, &h))
            ;
        for (unsigned on = 0; on < JOBS; on++)
            assert_false(m.ended[on] && dep_graph_is_wanted(&f->g, id_of(on))); /* nobody waits for what has ended */
        compare(&m);
        settled += m.settled;
        dep_graph_finish(&f->g);
    }
    assert_true(settled > 5000);
}

/* ---- arrays and their tasks, against a matrix of what keeps whose end back ---- */

enum { PLAIN = 6, ARRAYS = 3, TASKS = 3, ENDS = PLAIN + ARRAYS * (1 + TASKS) };

/* 0..5 are jobs, then each array with its tasks behind it. */
static unsigned array_of(unsigned i)
{
    return i < PLAIN || (i - PLAIN) % (1 + TASKS) == 0 ? 0 : i - (i - PLAIN) % (1 + TASKS);
}

static bool is_array(unsigned i)
{
    return i >= PLAIN && array_of(i) == 0;
}

static unsigned number_for(unsigned i)
{
    return i < PLAIN ? i + 1 : 50000 + 100 * ((i - PLAIN) / (1 + TASKS)) + (i - PLAIN) % (1 + TASKS);
}

/* Who could still end, if all that can do: what is left then is in a circle, or behind one. */
static bool all_can_end(bool edge[ENDS][ENDS])
{
    bool ended[ENDS] = { false };
    unsigned left = ENDS;

    for (bool more = true; more;) {
        more = false;
        for (unsigned i = 0; i < ENDS; i++) {
            bool can = !ended[i];

            for (unsigned on = 0; on < ENDS; on++) {
                can = can && (ended[on] || (!edge[i][on] && (array_of(i) == 0 || !edge[array_of(i)][on])));
                can = can && (ended[on] || !is_array(i) || array_of(on) != i);
            }
            ended[i] = ended[i] || can;
            left -= can;
            more = more || can;
        }
    }
    return left == 0;
}

static void nothing_is_let_in_that_could_not_end(void **state)
{
    struct fixture *f = *state;
    unsigned refused = 0, added = 0;

    srandom(31);
    for (unsigned round = 0; round < 2000; round++) {
        bool edge[ENDS][ENDS] = { { false } };

        for (unsigned i = 0; i < 40; i++) {
            unsigned job = (unsigned)random() % ENDS, on = (unsigned)random() % ENDS;
            bool was = edge[job][on];
            int rc;

            if (random() % 5 == 0) {
                assert_int_equal(dep_graph_drop(&f->g, id_of(number_for(job)), id_of(number_for(on))), was ? 0 : -ENOENT);
                edge[job][on] = false;
                continue;
            }
            edge[job][on] = true;
            rc = was ? -EEXIST : all_can_end(edge) ? 0 : -ELOOP;
            assert_int_equal(dep_graph_add(&f->g, id_of(number_for(job)), id_of(number_for(on)), AF(ANY), NULL), rc);
            edge[job][on] = was || rc == 0;
            refused += rc == -ELOOP;
            added += rc == 0;
        }
        for (unsigned job = 0; job < ENDS; job++)
            dep_graph_leave(&f->g, id_of(number_for(job)));
        assert_null(f->g.by_id);
    }
    assert_true(refused > 5000 && added > 5000);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_diamond_is_met_when_both_its_sides_are),
        T(each_outcome_suits_what_it_has_to),
        T(a_wrong_end_goes_down_the_chain_and_stops_at_any),
        T(one_that_fails_takes_the_rest_of_its_waits_with_it),
        T(circles_are_refused_with_their_members),
        T(a_long_circle_names_some_of_it_and_counts_all),
        T(an_array_does_not_end_before_its_tasks),
        T(a_task_begins_after_what_its_array_waits_for),
        T(what_was_let_in_before_is_not_searched),
        T(a_search_that_is_too_long_is_given_up_by_name),
        T(a_wide_fan_is_settled_in_slices),
        T(random_graphs_agree_with_a_matrix),
        T(nothing_is_let_in_that_could_not_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
