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

/* Written down a second time, as sentences of design: "a READY job that is claimed is CLAIMED". */
static const struct {
    Pb__State from;
    enum job_event event;
    Pb__State to;
} legal[] = {
    {ST(READY),       JOB_EV_HOLD,       ST(HELD)      },
    { ST(READY),      JOB_EV_BLOCK,      ST(BLOCKED)   },
    { ST(READY),      JOB_EV_SCHEDULE,   ST(SCHEDULED) },
    { ST(READY),      JOB_EV_END,        ST(FINISHING) },
    { ST(HELD),       JOB_EV_BLOCK,      ST(BLOCKED)   },
    { ST(HELD),       JOB_EV_SCHEDULE,   ST(SCHEDULED) },
    { ST(HELD),       JOB_EV_READY,      ST(READY)     },
    { ST(HELD),       JOB_EV_END,        ST(FINISHING) },
    { ST(SCHEDULED),  JOB_EV_HOLD,       ST(HELD)      },
    { ST(SCHEDULED),  JOB_EV_BLOCK,      ST(BLOCKED)   },
    { ST(SCHEDULED),  JOB_EV_READY,      ST(READY)     },
    { ST(SCHEDULED),  JOB_EV_END,        ST(FINISHING) },
    { ST(BLOCKED),    JOB_EV_HOLD,       ST(HELD)      },
    { ST(BLOCKED),    JOB_EV_SCHEDULE,   ST(SCHEDULED) },
    { ST(BLOCKED),    JOB_EV_READY,      ST(READY)     },
    { ST(BLOCKED),    JOB_EV_END,        ST(FINISHING) },
    { ST(RETRY_WAIT), JOB_EV_HOLD,       ST(HELD)      },
    { ST(RETRY_WAIT), JOB_EV_BLOCK,      ST(BLOCKED)   },
    { ST(RETRY_WAIT), JOB_EV_SCHEDULE,   ST(SCHEDULED) },
    { ST(RETRY_WAIT), JOB_EV_READY,      ST(READY)     },
    { ST(RETRY_WAIT), JOB_EV_END,        ST(FINISHING) },
    { ST(READY),      JOB_EV_CLAIM,      ST(CLAIMED)   },
    { ST(READY),      JOB_EV_ASSIGN,     ST(STARTING)  },
    { ST(CLAIMED),    JOB_EV_UNCLAIM,    ST(READY)     },
    { ST(CLAIMED),    JOB_EV_ASSIGN,     ST(STARTING)  },
    { ST(CLAIMED),    JOB_EV_BACKOFF,    ST(RETRY_WAIT)},
    { ST(CLAIMED),    JOB_EV_END,        ST(FINISHING) },
    { ST(STARTING),   JOB_EV_STARTED,    ST(RUNNING)   },
    { ST(STARTING),   JOB_EV_LOST,       ST(READY)     },
    { ST(STARTING),   JOB_EV_QUARANTINE, ST(HELD)      },
    { ST(STARTING),   JOB_EV_BACKOFF,    ST(RETRY_WAIT)},
    { ST(STARTING),   JOB_EV_END,        ST(FINISHING) },
    { ST(RUNNING),    JOB_EV_PAUSE,      ST(PAUSED)    },
    { ST(RUNNING),    JOB_EV_LOST,       ST(READY)     },
    { ST(RUNNING),    JOB_EV_QUARANTINE, ST(HELD)      },
    { ST(RUNNING),    JOB_EV_BACKOFF,    ST(RETRY_WAIT)},
    { ST(RUNNING),    JOB_EV_END,        ST(FINISHING) },
    { ST(PAUSED),     JOB_EV_RESUME,     ST(RUNNING)   },
    { ST(PAUSED),     JOB_EV_LOST,       ST(READY)     },
    { ST(PAUSED),     JOB_EV_QUARANTINE, ST(HELD)      },
    { ST(PAUSED),     JOB_EV_BACKOFF,    ST(RETRY_WAIT)},
    { ST(PAUSED),     JOB_EV_END,        ST(FINISHING) },
    { ST(FINISHING),  JOB_EV_SUCCEEDED,  ST(SUCCEEDED) },
    { ST(FINISHING),  JOB_EV_FAILED,     ST(FAILED)    },
    { ST(FINISHING),  JOB_EV_TIMED_OUT,  ST(TIMED_OUT) },
    { ST(FINISHING),  JOB_EV_CANCELLED,  ST(CANCELLED) },
    { ST(FINISHING),  JOB_EV_EXPIRED,    ST(EXPIRED)   },
    { ST(FINISHING),  JOB_EV_SKIPPED,    ST(SKIPPED)   },
    { ST(FINISHING),  JOB_EV_DEAD,       ST(DEAD)      },
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
    for (unsigned s = ST(READY); s < JOB_STATES; s++) {
        unsigned next = s == ST(FINISHING) ? s : job_next[s][JOB_EV_END];

        if (job_is_terminal((Pb__State)s))
            continue;
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
        { CA(DEADLINE),   ST(EXPIRED)  },
        { CA(DEP_FAILED), ST(SKIPPED)  },
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

/* A state is of one sort: it waits, it has a slot, its receipt is being written, or it has ended. */
static void every_state_is_of_one_sort(void **state)
{
    (void)state;
    for (unsigned i = ST(READY); i < JOB_STATES; i++) {
        Pb__State s = (Pb__State)i;
        int sorts = job_waits(s) + job_is_terminal(s) + job_has_begun(s) + (s == ST(CLAIMED)) + (s == ST(FINISHING));

        assert_int_equal(sorts, 1);
    }
}

static void an_outcome_is_the_end_of_its_own_event(void **state)
{
    (void)state;
    for (unsigned s = ST(READY); s < JOB_STATES; s++)
        if (job_is_terminal((Pb__State)s))
            assert_int_equal(job_next[ST(FINISHING)][job_outcome_event((Pb__State)s)], s);
}

/* What nobody is to blame for is not tried again, nor what no other attempt can mend; the platform's is counted elsewhere. */
static void causes_are_the_jobs_the_platforms_or_nobodys(void **state)
{
    static const Pb__Cause platform[] = { CA(START_FAILED), CA(WORKER_LOST), CA(BROKER_LOST), CA(INTERNAL) },
                           nobody[] = { CA(NONE), CA(OK), CA(CANCELLED), CA(DEADLINE), CA(DEP_FAILED) },
                           hopeless[] = { CA(POLICY), CA(BAD_SPEC) };

    (void)state;
    for (unsigned i = 0; i < pb__cause__descriptor.n_values; i++) {
        Pb__Cause c = (Pb__Cause)pb__cause__descriptor.values[i].value;
        enum job_fault want = JOB_FAULT_JOB;
        bool retries = true;

        for (unsigned k = 0; k < sizeof(platform) / sizeof(platform[0]); k++)
            if (platform[k] == c)
                want = JOB_FAULT_PLATFORM;
        for (unsigned k = 0; k < sizeof(nobody) / sizeof(nobody[0]); k++)
            if (nobody[k] == c)
                want = JOB_FAULT_NOBODY;
        for (unsigned k = 0; k < sizeof(hopeless) / sizeof(hopeless[0]); k++)
            if (hopeless[k] == c)
                retries = false;
        assert_int_equal(job_cause_fault(c), want);
        assert_int_equal(job_cause_retries(c), retries && want == JOB_FAULT_JOB);
    }
    assert_string_equal(job_fault_name(JOB_FAULT_PLATFORM), "platform");
    assert_string_equal(job_fault_name(JOB_FAULT_JOB), "job");
    assert_string_equal(job_fault_name(JOB_FAULT_NOBODY), "");
}

static void numbers_out_of_range_have_a_harmless_name(void **state)
{
    static const int odd[] = { -1, CA(DEP_FAILED) + 1, JOB_STATES, 255, INT32_MAX, INT32_MIN };

    (void)state;
    for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        if ((unsigned)odd[i] > CA(DEP_FAILED)) {
            assert_string_equal(job_cause_name((Pb__Cause)odd[i]), "unknown");
            assert_int_equal(job_outcome((Pb__Cause)odd[i]), ST(FAILED));
        }
        if ((unsigned)odd[i] >= JOB_STATES)
            assert_string_equal(job_state_name((Pb__State)odd[i]), "unknown");
        assert_false((unsigned)odd[i] >= JOB_STATES && (job_is_terminal((Pb__State)odd[i]) || job_waits((Pb__State)odd[i])));
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
        TEST(every_state_is_of_one_sort),
        TEST(an_outcome_is_the_end_of_its_own_event),
        TEST(causes_are_the_jobs_the_platforms_or_nobodys),
        TEST(numbers_out_of_range_have_a_harmless_name),
    };

    return cmocka_run_group_tests_name("job_matrix", tests, NULL, NULL);
}
