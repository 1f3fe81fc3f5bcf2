/* test_job_matrix.c - the life of a job: these steps and no others; every cause with a name and an outcome. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/job_matrix.h"

#define ST(name) PB__STATE__STATE_##name
#define CA(name) PB__CAUSE__CAUSE_##name

/* Written down a second time, as sentences of design: "a READY job that is assigned is STARTING". */
static const struct {
    Pb__State from;
    enum job_event event;
    Pb__State to;
} legal[] = {
    {ST(READY),      JOB_EV_ASSIGN,    ST(STARTING) },
    { ST(READY),     JOB_EV_END,       ST(FINISHING)}, /* cancelled in the queue */
    { ST(STARTING),  JOB_EV_STARTED,   ST(RUNNING)  },
    { ST(STARTING),  JOB_EV_LOST,      ST(READY)    },
    { ST(STARTING),  JOB_EV_END,       ST(FINISHING)},
    { ST(RUNNING),   JOB_EV_LOST,      ST(READY)    },
    { ST(RUNNING),   JOB_EV_END,       ST(FINISHING)},
    { ST(FINISHING), JOB_EV_SUCCEEDED, ST(SUCCEEDED)},
    { ST(FINISHING), JOB_EV_FAILED,    ST(FAILED)   },
    { ST(FINISHING), JOB_EV_TIMED_OUT, ST(TIMED_OUT)},
    { ST(FINISHING), JOB_EV_CANCELLED, ST(CANCELLED)},
};
enum { LEGAL = sizeof(legal) / sizeof(legal[0]) };

static Pb__State expected(Pb__State from, enum job_event event)
{
    for (unsigned i = 0; i < LEGAL; i++)
        if (legal[i].from == from && legal[i].event == event)
            return legal[i].to;
    return ST(NONE);
}

static void exactly_the_legal_steps_are_in_the_matrix(void **state)
{
    (void)state;
    for (unsigned s = 0; s < JOB_STATES; s++)
        for (unsigned e = 0; e < JOB_EVENTS; e++)
            if (job_next[s][e] != expected((Pb__State)s, (enum job_event)e))
                fail_msg("state %s, event %u: leads to %s", job_state_name((Pb__State)s), e, job_state_name((Pb__State)job_next[s][e]));
}

static void the_matrix_has_a_row_for_each_state_of_the_schema(void **state)
{
    const ProtobufCEnumDescriptor *d = &pb__state__descriptor;

    (void)state;
    assert_int_equal(d->n_values, JOB_STATES);
    for (unsigned i = 0; i < d->n_values; i++)
        assert_int_equal(d->values[i].value, i);
}

static void terminal_states_have_no_way_out_and_all_others_have_one(void **state)
{
    (void)state;
    for (unsigned s = ST(READY); s < JOB_STATES; s++) {
        unsigned ways = 0;

        for (unsigned e = 0; e < JOB_EVENTS; e++)
            ways += job_next[s][e] != ST(NONE);
        assert_int_equal(ways == 0, job_is_terminal((Pb__State)s));
    }
    assert_false(job_is_terminal(ST(NONE)));
}

static void every_state_can_be_reached_from_ready(void **state)
{
    unsigned reached = 1u << ST(READY), before;

    (void)state;
    do {
        before = reached;
        for (unsigned s = 0; s < JOB_STATES; s++)
            for (unsigned e = 0; e < JOB_EVENTS; e++)
                if ((reached & 1u << s) != 0 && job_next[s][e] != ST(NONE))
                    reached |= 1u << job_next[s][e];
    } while (reached != before);
    assert_int_equal(reached, ((1u << JOB_STATES) - 1) & ~(1u << ST(NONE)));
}

static void every_event_is_used(void **state)
{
    (void)state;
    for (unsigned e = 0; e < JOB_EVENTS; e++) {
        unsigned uses = 0;

        for (unsigned s = 0; s < JOB_STATES; s++)
            uses += job_next[s][e] != ST(NONE);
        assert_true(uses > 0);
    }
}

/* Whatever happens, the end is within reach: no state is a trap. */
static void from_every_live_state_the_end_is_at_most_two_steps_away(void **state)
{
    (void)state;
    for (unsigned s = ST(READY); s < ST(SUCCEEDED); s++) {
        unsigned next = s == ST(FINISHING) ? s : job_next[s][JOB_EV_END];

        assert_int_equal(next, ST(FINISHING));
        assert_true(job_is_terminal((Pb__State)job_next[next][JOB_EV_FAILED]));
    }
}

/* ---- names and outcomes -------------------------------------------------------------------------------------------------------------- */

static void name_of(const ProtobufCEnumValue *v, const char *prefix, char *ret)
{
    const char *p = v->name;

    assert_true(strncmp(p, prefix, strlen(prefix)) == 0);
    for (p += strlen(prefix); *p != '\0'; p++)
        *ret++ = (char)tolower((unsigned char)*p);
    *ret = '\0';
}

static void names_of_states_are_those_of_the_schema(void **state)
{
    char name[64];

    (void)state;
    for (unsigned i = 0; i < pb__state__descriptor.n_values; i++) {
        name_of(&pb__state__descriptor.values[i], "STATE_", name);
        assert_string_equal(job_state_name((Pb__State)pb__state__descriptor.values[i].value), name);
    }
}

static void names_of_causes_are_those_of_the_schema(void **state)
{
    char name[64];

    (void)state;
    for (unsigned i = 0; i < pb__cause__descriptor.n_values; i++) {
        name_of(&pb__cause__descriptor.values[i], "CAUSE_", name);
        assert_string_equal(job_cause_name((Pb__Cause)pb__cause__descriptor.values[i].value), name);
    }
}

static void every_cause_has_an_outcome(void **state)
{
    static const struct {
        Pb__Cause cause;
        Pb__State outcome;
    } special[] = {
  /* every other cause is a failure */
        {CA(OK),          ST(SUCCEEDED)},
        { CA(CPU_LIMIT),  ST(TIMED_OUT)},
        { CA(WALL_LIMIT), ST(TIMED_OUT)},
        { CA(IDLE_LIMIT), ST(TIMED_OUT)},
        { CA(CANCELLED),  ST(CANCELLED)},
    };

    (void)state;
    for (unsigned i = 0; i < pb__cause__descriptor.n_values; i++) {
        Pb__Cause c = (Pb__Cause)pb__cause__descriptor.values[i].value;
        Pb__State want = ST(FAILED);

        for (unsigned k = 0; k < sizeof(special) / sizeof(special[0]); k++)
            if (special[k].cause == c)
                want = special[k].outcome;
        assert_int_equal(job_outcome(c), want);
        assert_true(job_is_terminal(job_outcome(c)));
    }
}

static void numbers_out_of_range_have_a_harmless_name(void **state)
{
    static const int odd[] = { -1, CA(BAD_SPEC) + 1, 9, 255, INT32_MAX, INT32_MIN };

    (void)state;
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        if ((unsigned)odd[i] > CA(BAD_SPEC)) {
            assert_string_equal(job_cause_name((Pb__Cause)odd[i]), "unknown");
            assert_int_equal(job_outcome((Pb__Cause)odd[i]), ST(FAILED));
        }
        assert_string_equal(job_state_name((Pb__State)odd[i]), "unknown");
    }
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exactly_the_legal_steps_are_in_the_matrix),
        TEST(the_matrix_has_a_row_for_each_state_of_the_schema),
        TEST(terminal_states_have_no_way_out_and_all_others_have_one),
        TEST(every_state_can_be_reached_from_ready),
        TEST(every_event_is_used),
        TEST(from_every_live_state_the_end_is_at_most_two_steps_away),
        TEST(names_of_states_are_those_of_the_schema),
        TEST(names_of_causes_are_those_of_the_schema),
        TEST(every_cause_has_an_outcome),
        TEST(numbers_out_of_range_have_a_harmless_name),
    };

    return cmocka_run_group_tests_name("job_matrix", tests, NULL, NULL);
}
