/* test_gate.c - what a worker may say, and when: the tables walked beside the schema, then every edge of every check. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/receipt.h"
#include "bare_broker.h"
#include "bare_interp.h"
#include "frame.h"
#include "rel_path.h"
#include "sp.h"

#define SAYS(name) PB__FROM_WORKER__BODY_##name
#define TELL(name) PB__TO_WORKER__BODY_##name
#define KIND(name) PB__RESULT_KIND__RESULT_KIND_##name
#define CA(name)   PB__CAUSE__CAUSE_##name

enum { SEAL_ROOM = WORKER_SEAL_MAX + 1, FIRST = SAYS(HELLO), LAST = SAYS(FORK_FAILED) };

/* ---- one good message of each kind; tests spoil one thing ------------------------------------------------------------------------------ */

struct said {
    Pb__FromWorker m;
    Pb__Hello hello;
    Pb__SealFailed seal_failed;
    Pb__Started started;
    Pb__Output output;
    Pb__StdinWant stdin_want;
    Pb__Result result;
    Pb__Violation violation;
    Pb__WorkerLog log;
    Pb__Collected collected;
    Pb__Learned learned;
    Pb__Ask ask;
    Pb__InterpList interp_list;
    Pb__CallDone call_done;
    Pb__Listener listener;
    Pb__Warm warm;
    Pb__ForkFailed fork_failed;
    Pb__JobError error;
    char *seal[SEAL_ROOM];
    uint64_t args[8];
};

static void fill(struct said *s, const struct worker *w)
{
    ProtobufCBinaryData token = { ZYGOTE_TOKEN, (uint8_t *)w->token };

    pb__hello__init(&s->hello);
    s->hello.token = token;
    for (unsigned i = 0; i < SEAL_ROOM; i++)
        s->seal[i] = "no_new_privs";
    s->hello.seal = s->seal;
    s->hello.n_seal = 2;
    s->hello.uid = w->uid;
    s->hello.landlock_abi = 2;
    pb__seal_failed__init(&s->seal_failed);
    s->seal_failed.token = token;
    s->seal_failed.step = "landlock";
    s->seal_failed.error = EPERM;
    pb__started__init(&s->started);
    pb__output__init(&s->output);
    s->output.stream = PB__STREAM__STREAM_STDOUT;
    s->output.data = (ProtobufCBinaryData){ 3, (uint8_t *)"abc" };
    pb__stdin_want__init(&s->stdin_want);
    s->stdin_want.max = 4096;
    pb__job_error__init(&s->error);
    pb__result__init(&s->result);
    s->result.kind = KIND(EXIT);
    pb__violation__init(&s->violation);
    s->violation.nr = 41;
    s->violation.args = s->args;
    s->violation.n_args = 6;
    pb__worker_log__init(&s->log);
    s->log.text = "words";
    pb__collected__init(&s->collected);
    s->collected.name = "dir/file";
    s->collected.mode = 0644;
    s->collected.size = 3;
    s->collected.data = (ProtobufCBinaryData){ 3, (uint8_t *)"abc" };
    s->collected.last = 1;
    pb__learned__init(&s->learned);
    s->learned.row = "allow uname";
    s->learned.times = 1;
    pb__ask__init(&s->ask);
    pb__interp_list__init(&s->interp_list);
    s->ask.number = 1;
    s->ask.body_case = PB__ASK__BODY_INTERP_LIST;
    s->ask.interp_list = &s->interp_list;
    pb__call_done__init(&s->call_done);
    s->call_done.number = BARE_CALL;
    pb__listener__init(&s->listener);
    s->listener.token = token;
    pb__warm__init(&s->warm);
    pb__fork_failed__init(&s->fork_failed);
    s->fork_failed.worker = w->of != NULL && w->of->forking != NULL ? w->of->forking->id : w->id;
    s->fork_failed.error = EAGAIN;
}

static struct said *good(const struct worker *w, unsigned body)
{
    static struct said s;
    ProtobufCMessage *const bodies[] = {
        [SAYS(HELLO)] = &s.hello.base,
        [SAYS(SEAL_FAILED)] = &s.seal_failed.base,
        [SAYS(STARTED)] = &s.started.base,
        [SAYS(OUTPUT)] = &s.output.base,
        [SAYS(STDIN_WANT)] = &s.stdin_want.base,
        [SAYS(RESULT)] = &s.result.base,
        [SAYS(VIOLATION)] = &s.violation.base,
        [SAYS(LOG)] = &s.log.base,
        [SAYS(COLLECTED)] = &s.collected.base,
        [SAYS(LEARNED)] = &s.learned.base,
        [SAYS(ASK)] = &s.ask.base,
        [SAYS(CALL_DONE)] = &s.call_done.base,
        [SAYS(LISTENER)] = &s.listener.base,
        [SAYS(WARM)] = &s.warm.base,
        [SAYS(FORK_FAILED)] = &s.fork_failed.base,
    };

    memset(&s, 0, sizeof(s));
    fill(&s, w);
    pb__from_worker__init(&s.m);
    s.m.body_case = (Pb__FromWorker__BodyCase)body;
    s.m.hello = (Pb__Hello *)bodies[body]; /* a union: any body */
    return &s;
}

/* ---- little helpers --------------------------------------------------------------------------------------------------------------- */

static int setup(void **state)
{
    struct bare_broker *fx = malloc(sizeof(*fx));

    *state = fx;
    return bare_start(fx);
}

static int teardown(void **state)
{
    bare_stop(*state);
    free(*state);
    return 0;
}

/* Packed and taken as from the link. */
static int receive(struct worker *w, const struct said *s)
{
    uint8_t *bytes;
    size_t len;
    int rc;

    assert_int_equal(frame_pack(&s->m.base, &bytes, &len), 0);
    rc = gate_receive(w, bytes, len);
    free(bytes);
    return rc;
}

/* A fresh worker of the engine that may say this at all. */
static void enter_for(struct bare_broker *fx, enum worker_phase phase, unsigned body)
{
    fx->engine = body == SAYS(COLLECTED) || body == SAYS(LEARNED) ? ENGINE_EXEC : ENGINE_LUA;
    bare_enter(fx, phase);
    if ((body == SAYS(LISTENER) || body == SAYS(WARM)) && phase != WORKER_WARM)
        (void)bare_template(fx, fx->w, fx->job, NULL);
    if (body == SAYS(CALL_DONE) && fx->job != NULL)
        bare_interp_call(bare_interp(fx));
}

/* One that runs a program. */
static void enter_program(struct bare_broker *fx)
{
    fx->engine = ENGINE_EXEC;
    bare_enter(fx, WORKER_BUSY);
}

static void assert_pool_counts(const struct bare_broker *fx)
{
    unsigned n[WORKER_PHASES] = { 0 };

    for (const struct worker *w = fx->b.pool.all; w != NULL; w = w->next)
        n[w->phase] += w->role != WORKER_TEMPLATE; /* no job's place */
    assert_int_equal(fx->b.pool.booting, n[WORKER_BOOT]);
    assert_int_equal(fx->b.pool.idle, n[WORKER_IDLE]);
    assert_int_equal(fx->b.pool.busy, n[WORKER_ASSIGNED] + n[WORKER_BUSY]);
}

/* The worker is retired, and its job, if it had one, knows why. */
static void assert_refused(struct bare_broker *fx, int rc, const char *name, const char *why)
{
    assert_int_equal(rc, -EPROTO);
    assert_int_equal(fx->w->phase, WORKER_ENDING);
    assert_pool_counts(fx);
    if (fx->job == NULL)
        return;
    assert_int_equal(fx->job->end.cause, CA(BAD_RESULT));
    assert_non_null(strstr(fx->job->end.detail, name));
    assert_non_null(strstr(fx->job->end.detail, why));
}

/* A fresh worker says s (as it is in fx->w's eyes now) and is refused for what s means. */
static void assert_senseless(struct bare_broker *fx, const struct said *s)
{
    unsigned body = s->m.body_case;

    assert_refused(fx, receive(fx->w, s), gate_rules[body].name, "body makes no sense");
}

static void assert_taken(struct bare_broker *fx, const struct said *s)
{
    assert_int_equal(receive(fx->w, s), 0);
    if (fx->job != NULL)
        assert_int_not_equal(fx->job->end.cause, CA(BAD_RESULT));
}

static char *text_of(size_t n)
{
    static char text[2][(64 << 10) + 64];
    static unsigned turn;
    char *p = text[turn++ % 2];

    memset(p, 't', n);
    p[n] = '\0';
    return p;
}

/* ---- the tables --------------------------------------------------------------------------------------------------------------------- */

static void every_message_of_a_worker_has_a_row_with_check_and_action(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__from_worker__descriptor;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const struct gate_rule *r;

        assert_true((d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0); /* nothing beside the body */
        assert_true(d->fields[i].id < gate_rules_count && d->fields[i].id < WORKER_MESSAGES);
        r = &gate_rules[d->fields[i].id];
        assert_non_null(r->name);
        assert_string_equal(r->name, d->fields[i].name);
        assert_non_null(r->check);
        assert_non_null(r->apply);
        assert_true(r->phases != 0 && r->phases < GATE_IN(WORKER_ENDING)); /* somewhere, and not after the end */
    }
}

static void every_message_to_a_worker_has_a_row(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__to_worker__descriptor;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const struct gate_say_rule *r;

        assert_true((d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0);
        assert_true(d->fields[i].id < gate_say_rules_count && d->fields[i].id < WORKER_MESSAGES);
        r = &gate_say_rules[d->fields[i].id];
        assert_non_null(r->name);
        assert_string_equal(r->name, d->fields[i].name);
        assert_true(r->phases != 0 && r->phases < GATE_IN(WORKER_ENDING));
    }
}

static void every_row_is_a_message_in_the_schema(void **state)
{
    (void)state;
    for (unsigned i = 0; i < gate_rules_count; i++) {
        int known = protobuf_c_message_descriptor_get_field(&pb__from_worker__descriptor, i) != NULL;

        assert_int_equal(gate_rules[i].name != NULL, known);
        assert_int_equal(gate_rules[i].apply != NULL, known);
    }
    for (unsigned i = 0; i < gate_say_rules_count; i++)
        assert_int_equal(gate_say_rules[i].name != NULL, protobuf_c_message_descriptor_get_field(&pb__to_worker__descriptor, i) != NULL);
}

static void no_two_rows_share_a_check_or_an_action(void **state)
{
    (void)state;
    for (unsigned i = FIRST; i <= LAST; i++)
        for (unsigned k = FIRST; k < i; k++)
            assert_true(gate_rules[i].check != gate_rules[k].check && gate_rules[i].apply != gate_rules[k].apply);
}

static unsigned depth(const ProtobufCMessageDescriptor *d, unsigned above)
{
    unsigned deepest = above;

    assert_true(above < 8);
    for (unsigned i = 0; i < d->n_fields; i++)
        if (d->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
            unsigned n = depth(d->fields[i].descriptor, above + 1);

            deepest = n > deepest ? n : deepest;
        }
    return deepest;
}

static void link_messages_do_not_recurse(void **state)
{
    (void)state;
    assert_int_equal(depth(&pb__from_worker__descriptor, 0), 5);
    assert_int_equal(depth(&pb__to_worker__descriptor, 0), 5);
}

/* ---- phases: the legal ones written down a second time -------------------------------------------------------------------------------- */

static const struct {
    enum worker_phase phase;
    unsigned body;
} legal[] = {
    {WORKER_BOOT,      SAYS(HELLO)      },
    { WORKER_BOOT,     SAYS(SEAL_FAILED)},
    { WORKER_ASSIGNED, SAYS(SEAL_FAILED)}, /* the limits that come with the job */
    { WORKER_ASSIGNED, SAYS(STARTED)    },
    { WORKER_BUSY,     SAYS(OUTPUT)     },
    { WORKER_BUSY,     SAYS(STDIN_WANT) },
    { WORKER_BUSY,     SAYS(RESULT)     },
    { WORKER_BUSY,     SAYS(VIOLATION)  },
    { WORKER_BUSY,     SAYS(LOG)        },
    { WORKER_BUSY,     SAYS(COLLECTED)  },
    { WORKER_BUSY,     SAYS(LEARNED)    },
    { WORKER_BUSY,     SAYS(ASK)        },
    { WORKER_BUSY,     SAYS(CALL_DONE)  },
    { WORKER_BUSY,     SAYS(WARM)       },
    { WORKER_WARM,     SAYS(VIOLATION)  },
    { WORKER_WARM,     SAYS(FORK_FAILED)},
};

static int is_legal(enum worker_phase phase, unsigned body)
{
    for (unsigned i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
        if (legal[i].phase == phase && legal[i].body == body)
            return 1;
    return 0;
}

static void a_good_message_is_taken_in_its_phase_and_refused_in_every_other(void **state)
{
    struct bare_broker *fx = *state;

    for (unsigned phase = WORKER_BOOT; phase < WORKER_ENDING; phase++)
        for (unsigned body = FIRST; body <= LAST; body++) {
            int rc;

            if (body == SAYS(LISTENER) && phase == WORKER_BOOT)
                continue; /* it is taken with a listener only, which a filter comes with: a_listener_is_ below */
            enter_for(fx, (enum worker_phase)phase, body);
            rc = receive(fx->w, good(fx->w, body));
            if (is_legal((enum worker_phase)phase, body))
                assert_int_equal(rc, 0);
            else
                assert_refused(fx, rc, gate_rules[body].name, "not allowed in this phase");
            assert_pool_counts(fx);
        }
}

static void after_its_end_nothing_a_worker_says_counts(void **state)
{
    struct bare_broker *fx = *state;

    for (unsigned body = FIRST; body <= LAST; body++) {
        bare_enter(fx, WORKER_BUSY);
        jobs_decide(fx->job, CA(WALL_LIMIT), "it ran for its wall limit");
        assert_int_equal(fx->w->phase, WORKER_ENDING);
        assert_int_equal(receive(fx->w, good(fx->w, body)), 0);
        assert_int_equal(gate_deliver(fx->w, &good(fx->w, body)->m), 0);
        assert_int_equal(gate_receive(fx->w, "\xff\xff", 2), 0); /* not even lies */
        assert_int_equal(fx->job->end.cause, CA(WALL_LIMIT));
        assert_int_equal(fx->w->msgs_in, 0);
        assert_int_equal(fx->job->spools[0].len, 0);
        assert_int_equal(fx->w->seen[body], 0);
    }
}

static void a_message_without_or_of_an_unknown_body_is_refused(void **state)
{
    struct bare_broker *fx = *state;
    static const unsigned bodies[] = { 0, LAST + 1, WORKER_MESSAGES, WORKER_MESSAGES + 1, INT32_MAX, UINT32_MAX };

    for (unsigned phase = WORKER_BOOT; phase < WORKER_ENDING; phase++)
        for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
            Pb__FromWorker m = PB__FROM_WORKER__INIT;

            m.body_case = (Pb__FromWorker__BodyCase)bodies[i];
            bare_enter(fx, (enum worker_phase)phase);
            assert_refused(fx, gate_deliver(fx->w, &m), "?", "unknown message");
        }
    bare_enter(fx, WORKER_BUSY);
    assert_refused(fx, gate_receive(fx->w, "", 0), "?", "unknown message");
}

static void bytes_that_are_no_message_are_refused_in_every_phase(void **state)
{
    struct bare_broker *fx = *state;
    static const struct {
        const char *bytes;
        size_t len;
    } rows[] = {
        {"\xff",                  1},
        { "\x42",                 1},
        { "\x42\x05wor",          5},
        { "\x82\x01\x00",         3},
        { "\x42\x03\x0a\x01\xff", 5},
        { "\x08\x01",             2},
    };

    for (unsigned phase = WORKER_BOOT; phase < WORKER_ENDING; phase++)
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            bare_enter(fx, (enum worker_phase)phase);
            assert_refused(fx, gate_receive(fx->w, rows[i].bytes, rows[i].len), "?", "not a message");
            assert_int_equal(fx->w->msgs_in, 1);
        }
}

static void a_frame_that_is_too_long_or_too_greedy_is_refused(void **state)
{
    struct bare_broker *fx = *state;
    uint8_t *bytes = calloc(1, FRAME_MAX_LINK + 1);

    bare_enter(fx, WORKER_BUSY);
    assert_refused(fx, gate_receive(fx->w, bytes, FRAME_MAX_LINK + 1), "?", "not a message");
    bytes[0] = 1 << 3 | 2; /* a hello that fills the frame with empty seal names */
    bytes[1] = 0x80 | 0x40;
    bytes[2] = 0x80 | 0x7f;
    bytes[3] = 0x0f; /* 0x3ffc0 = FRAME_MAX_LINK - 64 */
    for (unsigned i = 4; i < 4 + FRAME_MAX_LINK - 64; i += 2)
        bytes[i] = 2 << 3 | 2;
    bare_enter(fx, WORKER_BUSY);
    assert_refused(fx, gate_receive(fx->w, bytes, 4 + FRAME_MAX_LINK - 64), "?", "too much memory");
    free(bytes);
}

static void a_refused_worker_leaves_its_neighbours_alone(void **state)
{
    struct bare_broker *fx = *state;
    struct worker *other;
    struct job *other_job;

    bare_enter(fx, WORKER_BUSY);
    other = bare_worker_in(fx, WORKER_BUSY, &other_job);
    assert_int_equal(gate_receive(fx->w, "\xff", 1), -EPROTO);
    assert_int_equal(other->phase, WORKER_BUSY);
    assert_int_equal(other_job->end.cause, CA(NONE));
    assert_int_equal(receive(other, good(other, SAYS(OUTPUT))), 0);
    assert_pool_counts(fx);
}

/* ---- templates ------------------------------------------------------------------------------------------------------------------- */

static void a_listener_is_nothing_without_its_descriptor_nor_from_others(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    enter_for(fx, WORKER_BOOT, SAYS(LISTENER));
    assert_refused(fx, receive(fx->w, good(fx->w, SAYS(LISTENER))), "listener", strerror(EPROTO));
    enter_for(fx, WORKER_BOOT, SAYS(LISTENER));
    s = good(fx->w, SAYS(LISTENER));
    s->listener.token = (ProtobufCBinaryData){ ZYGOTE_TOKEN, (uint8_t *)"another's token." };
    assert_senseless(fx, s);
    bare_enter(fx, WORKER_BOOT);
    assert_senseless(fx, good(fx->w, SAYS(LISTENER)));
}

static void only_a_template_is_warm(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_BUSY);
    assert_senseless(fx, good(fx->w, SAYS(WARM)));
}

static void a_fork_has_failed_only_when_it_was_ordered(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    bare_enter(fx, WORKER_WARM);
    s = good(fx->w, SAYS(FORK_FAILED));
    s->fork_failed.worker++;
    assert_senseless(fx, s);
    bare_enter(fx, WORKER_WARM);
    s = good(fx->w, SAYS(FORK_FAILED));
    s->fork_failed.error = 0;
    assert_senseless(fx, s);
    bare_enter(fx, WORKER_WARM);
    assert_taken(fx, good(fx->w, SAYS(FORK_FAILED)));
    assert_senseless(fx, good(fx->w, SAYS(FORK_FAILED))); /* of an order that is over */
}

/* Its token is right; but nobody has seen a process write it, or the order's leave has not been used. */
static void a_childs_hello_needs_a_process_that_the_kernel_names(void **state)
{
    struct bare_broker *fx = *state;
    struct worker *child;

    for (int used = 0; used < 2; used++) {
        bare_enter(fx, WORKER_WARM);
        child = fx->w->of->forking;
        fx->w->of->leave = !used;
        child->uid_said = child->uid;
        assert_int_equal(receive(child, good(child, SAYS(HELLO))), 0);
        assert_int_equal(child->phase, WORKER_ENDING);
        assert_int_equal(fx->w->phase, WORKER_ENDING);
        assert_int_equal(fx->job->end.cause, CA(BAD_RESULT));
        assert_non_null(strstr(fx->job->end.detail, used ? "not its child" : "before its fork"));
    }
}

/* ---- counts --------------------------------------------------------------------------------------------------------------------------- */

static void what_is_capped_is_refused_one_past_its_cap(void **state)
{
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(legal) / sizeof(legal[0]); i++) {
        const struct gate_rule *r = &gate_rules[legal[i].body];

        enter_for(fx, legal[i].phase, legal[i].body);
        fx->w->seen[legal[i].body] = r->max_times;
        if (r->max_times != 0)
            assert_refused(fx, receive(fx->w, good(fx->w, legal[i].body)), r->name, "sent too often");
        else
            assert_taken(fx, good(fx->w, legal[i].body));
    }
}

static void once_is_the_cap_of_what_makes_sense_once_only(void **state)
{
    (void)state;
    assert_int_equal(gate_rules[SAYS(HELLO)].max_times, 1);
    assert_int_equal(gate_rules[SAYS(SEAL_FAILED)].max_times, 1);
    assert_int_equal(gate_rules[SAYS(STARTED)].max_times, 1);
    assert_int_equal(gate_rules[SAYS(RESULT)].max_times, 1);
    assert_int_equal(gate_rules[SAYS(VIOLATION)].max_times, 1);
    assert_int_not_equal(gate_rules[SAYS(LOG)].max_times, 0); /* our log is not the worker's */
    assert_int_equal(gate_say_rules[TELL(ASSIGN)].max_times, 1);
}

static void a_second_hello_is_refused_while_the_pid_is_still_unknown(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_BOOT);
    assert_taken(fx, good(fx->w, SAYS(HELLO)));
    assert_int_equal(fx->w->phase, WORKER_BOOT);
    assert_refused(fx, receive(fx->w, good(fx->w, SAYS(HELLO))), "hello", "sent too often");
    assert_int_equal(fx->w->seal_count, 2); /* not filled twice */
}

static void the_sixty_fifth_log_is_refused(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_BUSY);
    for (unsigned i = 0; i < 64; i++)
        assert_taken(fx, good(fx->w, SAYS(LOG)));
    assert_refused(fx, receive(fx->w, good(fx->w, SAYS(LOG))), "log", "sent too often");
}

/* ---- hello and seal_failed --------------------------------------------------------------------------------------------------------------- */

static void a_hello_is_kept_and_the_worker_is_idle_once_its_pid_is_known(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    bare_enter(fx, WORKER_BOOT);
    s = good(fx->w, SAYS(HELLO));
    s->seal[1] = "seccomp";
    assert_taken(fx, s);
    assert_int_equal(fx->w->hello, 1);
    assert_int_equal(fx->w->landlock_abi, 2);
    assert_int_equal(fx->w->seal_count, 2);
    assert_string_equal(fx->w->seal[1], "seccomp");
    assert_int_equal(fx->w->phase, WORKER_BOOT);
    pool_on_spawned(fx->w, 4711, -1);
    assert_int_equal(fx->w->phase, WORKER_IDLE);
    bare_enter(fx, WORKER_BOOT);
    pool_on_spawned(fx->w, 4711, -1);
    assert_int_equal(fx->w->phase, WORKER_BOOT); /* the other order */
    assert_taken(fx, good(fx->w, SAYS(HELLO)));
    assert_int_equal(fx->w->phase, WORKER_IDLE);
}

static void a_token_that_is_not_the_workers_own_is_refused(void **state)
{
    struct bare_broker *fx = *state;
    uint8_t token[ZYGOTE_TOKEN + 1] = { 0 };

    for (unsigned body = SAYS(HELLO); body <= SAYS(SEAL_FAILED); body++)
        for (unsigned i = 0; i < ZYGOTE_TOKEN + 3; i++) {
            ProtobufCBinaryData bad = { ZYGOTE_TOKEN, token };
            struct said *s;

            bare_enter(fx, WORKER_BOOT);
            memcpy(token, fx->w->token, ZYGOTE_TOKEN);
            if (i < ZYGOTE_TOKEN)
                token[i] ^= 0x80;
            else
                bad.len = i == ZYGOTE_TOKEN ? ZYGOTE_TOKEN - 1 : i == ZYGOTE_TOKEN + 1 ? ZYGOTE_TOKEN + 1 : 0;
            s = good(fx->w, body);
            s->hello.token = s->seal_failed.token = bad;
            assert_senseless(fx, s);
            assert_int_equal(fx->w->hello, 0);
        }
}

static void another_workers_token_is_refused(void **state)
{
    struct bare_broker *fx = *state;
    struct worker *other;
    struct said *s;

    bare_enter(fx, WORKER_BOOT);
    other = bare_worker(fx);
    s = good(fx->w, SAYS(HELLO));
    s->hello.token.data = other->token;
    assert_senseless(fx, s);
    assert_int_equal(other->phase, WORKER_BOOT);
}

static void a_hello_of_another_uid_is_refused(void **state)
{
    struct bare_broker *fx = *state;
    static const uint32_t uids[] = { 0, 1, 999, 1001, UINT32_MAX };

    for (unsigned i = 0; i < sizeof(uids) / sizeof(uids[0]); i++) {
        struct said *s;

        bare_enter(fx, WORKER_BOOT);
        s = good(fx->w, SAYS(HELLO));
        s->hello.uid = uids[i];
        assert_senseless(fx, s);
    }
}

static void a_hello_names_one_to_thirty_two_steps(void **state)
{
    static const struct {
        size_t steps;
        int taken;
    } rows[] = {
        {0,                    0},
        { 1,                   1},
        { WORKER_SEAL_MAX,     1},
        { WORKER_SEAL_MAX + 1, 0}
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said *s;

        bare_enter(fx, WORKER_BOOT);
        s = good(fx->w, SAYS(HELLO));
        s->hello.n_seal = rows[i].steps;
        if (rows[i].taken)
            assert_taken(fx, s);
        else
            assert_senseless(fx, s);
        assert_int_equal(fx->w->seal_count, rows[i].taken ? rows[i].steps : 0);
    }
}

static void names_of_steps_have_at_most_63_bytes(void **state)
{
    struct bare_broker *fx = *state;

    for (unsigned body = SAYS(HELLO); body <= SAYS(SEAL_FAILED); body++)
        for (size_t n = 63; n <= 64; n++) {
            struct said *s;

            bare_enter(fx, WORKER_BOOT);
            s = good(fx->w, body);
            s->seal[1] = s->seal_failed.step = text_of(n);
            if (n == 63)
                assert_taken(fx, s);
            else
                assert_senseless(fx, s);
        }
}

static void a_failed_step_is_kept_for_the_pool_to_tell(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_BOOT);
    assert_taken(fx, good(fx->w, SAYS(SEAL_FAILED)));
    assert_string_equal(fx->w->failed_step, "landlock");
    assert_int_equal(fx->w->failed_error, EPERM);
    assert_int_equal(fx->w->phase, WORKER_BOOT); /* its exit ends it */
}

/* "Instead of Hello": a worker whose seal failed must never be given a job. */
static void a_worker_says_hello_or_seal_failed_but_not_both(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_BOOT);
    assert_taken(fx, good(fx->w, SAYS(SEAL_FAILED)));
    assert_senseless(fx, good(fx->w, SAYS(HELLO)));
    bare_enter(fx, WORKER_BOOT);
    assert_taken(fx, good(fx->w, SAYS(HELLO)));
    assert_senseless(fx, good(fx->w, SAYS(SEAL_FAILED)));
}

static void a_step_has_a_name_of_plain_letters(void **state)
{
    static char *const bad[] = { "", "two words", "\x1b[31mred", "line\n", "\"", "\xc3\xbc", "\x7f" };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        for (unsigned body = SAYS(HELLO); body <= SAYS(SEAL_FAILED); body++) {
            struct said *s;

            bare_enter(fx, WORKER_BOOT);
            s = good(fx->w, body);
            s->seal[1] = s->seal_failed.step = bad[i];
            assert_senseless(fx, s);
        }
}

/* The last steps are taken when the job's limits are known. The token has done its work by then. */
static void a_step_that_fails_for_a_job_ends_it_as_start_failed(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    bare_enter(fx, WORKER_ASSIGNED);
    s = good(fx->w, SAYS(SEAL_FAILED));
    s->seal_failed.step = "rlimits";
    s->seal_failed.token.len = 0;
    assert_taken(fx, s);
    assert_int_equal(fx->w->phase, WORKER_ENDING);
    assert_int_equal(fx->job->end.cause, CA(START_FAILED));
    assert_non_null(strstr(fx->job->end.detail, "seal step rlimits failed: Operation not permitted (errno 1)"));
}

/* ---- started and output ------------------------------------------------------------------------------------------------------------------ */

static void started_makes_the_worker_busy_and_the_job_running(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_ASSIGNED);
    assert_taken(fx, good(fx->w, SAYS(STARTED)));
    assert_int_equal(fx->w->phase, WORKER_BUSY);
    assert_int_equal(fx->job->state, PB__STATE__STATE_RUNNING);
    assert_true(fx->job->started_us != 0);
    assert_refused(fx, receive(fx->w, good(fx->w, SAYS(STARTED))), "started", "not allowed in this phase");
}

static struct said *output_of(struct bare_broker *fx, unsigned stream, size_t len)
{
    struct said *s = good(fx->w, SAYS(OUTPUT));

    s->output.stream = (Pb__Stream)stream;
    s->output.data = (ProtobufCBinaryData){ len, (uint8_t *)text_of(len) };
    return s;
}

static void output_is_kept_byte_for_byte_in_its_own_stream(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    bare_enter(fx, WORKER_BUSY);
    s = good(fx->w, SAYS(OUTPUT));
    s->output.data = (ProtobufCBinaryData){ 4, (uint8_t *)"\x00\xff\n\x1b" };
    assert_taken(fx, s);
    s = good(fx->w, SAYS(OUTPUT));
    s->output.stream = PB__STREAM__STREAM_STDERR;
    assert_taken(fx, s);
    assert_int_equal(fx->job->spools[0].len, 4);
    assert_memory_equal(fx->job->spools[0].memory, "\x00\xff\n\x1b", 4);
    assert_int_equal(fx->job->spools[1].len, 3);
    assert_memory_equal(fx->job->spools[1].memory, "abc", 3);
}

static void output_of_nothing_is_refused(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_BUSY);
    assert_senseless(fx, output_of(fx, PB__STREAM__STREAM_STDOUT, 0));
}

static void output_to_no_stream_is_refused(void **state)
{
    static const unsigned streams[] = { 0, 3, 1000, INT32_MAX, UINT32_MAX };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        bare_enter(fx, WORKER_BUSY);
        assert_senseless(fx, output_of(fx, streams[i], 1));
    }
}

static void output_up_to_the_credit_is_taken_and_one_byte_more_is_refused(void **state)
{
    static const unsigned streams[] = { PB__STREAM__STREAM_STDOUT, PB__STREAM__STREAM_STDERR };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < 2; i++) {
        bare_enter(fx, WORKER_BUSY);
        assert_senseless(fx, output_of(fx, streams[i], BARE_CREDIT + 1)); /* at once */
        assert_int_equal(fx->job->spools[i].len, 0);
        bare_enter(fx, WORKER_BUSY);
        assert_taken(fx, output_of(fx, streams[i], BARE_CREDIT - 1));
        assert_taken(fx, output_of(fx, streams[i], 1));
        assert_int_equal(fx->job->spools[i].len, BARE_CREDIT);
        assert_taken(fx, output_of(fx, streams[1 - i], BARE_CREDIT)); /* the other stream has its own */
        assert_senseless(fx, output_of(fx, streams[i], 1));
        assert_int_equal(fx->job->spools[i].len, BARE_CREDIT);
        assert_int_equal(fx->job->spools[i].refused, 0);
    }
}

/* ---- stdin ------------------------------------------------------------------------------------------------------------------------------- */

static void a_wish_for_stdin_has_bounds(void **state)
{
    static const struct {
        uint32_t max;
        int taken;
    } rows[] = {
        {0,              0},
        { 1,             1},
        { 1 << 20,       1},
        { (1 << 20) + 1, 0},
        { UINT32_MAX,    0}
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said *s;

        bare_enter(fx, WORKER_BUSY);
        s = good(fx->w, SAYS(STDIN_WANT));
        s->stdin_want.max = rows[i].max;
        if (rows[i].taken)
            assert_taken(fx, s);
        else
            assert_senseless(fx, s);
        assert_int_equal(fx->job->input.wanted, rows[i].taken);
    }
}

static void a_second_wish_before_the_answer_is_refused(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_BUSY);
    assert_taken(fx, good(fx->w, SAYS(STDIN_WANT)));
    assert_senseless(fx, good(fx->w, SAYS(STDIN_WANT)));
}

static void take_stdin_data(int fd, const char *bytes, int eof)
{
    uint8_t *buf = NULL;
    size_t cap = 0, len;
    struct frame f;
    const Pb__ToWorker *m;

    assert_int_equal(sp_recv(fd, &buf, &cap, FRAME_MAX_LINK, &len), 0);
    assert_int_equal(frame_decode(&f, &pb__to_worker__descriptor, buf, len, FRAME_MAX_LINK), 0);
    m = (const Pb__ToWorker *)f.msg;
    assert_int_equal(m->body_case, TELL(STDIN_DATA));
    assert_int_equal(m->stdin_data->data.len, strlen(bytes));
    assert_true(bytes[0] == '\0' || memcmp(m->stdin_data->data.data, bytes, strlen(bytes)) == 0);
    assert_int_equal(m->stdin_data->eof, eof);
    frame_release(&f);
    free(buf);
}

static void a_wish_is_answered_with_at_most_what_was_asked_and_may_be_repeated(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;
    int fd;

    bare_enter(fx, WORKER_BUSY);
    fd = bare_open_link(fx, fx->w);
    s = good(fx->w, SAYS(STDIN_WANT));
    s->stdin_want.max = 4;
    assert_taken(fx, s);
    assert_int_equal(jobs_stdin_put(fx->job, "abcdef", 6, 0), 6); /* it waits; the client writes */
    take_stdin_data(fd, "abcd", 0);
    assert_taken(fx, good(fx->w, SAYS(STDIN_WANT))); /* the rest is there already */
    take_stdin_data(fd, "ef", 0);
    assert_taken(fx, good(fx->w, SAYS(STDIN_WANT)));
    assert_int_equal(jobs_stdin_put(fx->job, NULL, 0, 1), 0);
    take_stdin_data(fd, "", 1);
    assert_senseless(fx, good(fx->w, SAYS(STDIN_WANT))); /* after the end there is nothing to want */
    assert_int_equal(fx->w->msgs_out, 3);
    (void)close(fd);
}

/* As of a job without stdin: the buffer was never made. */
static void a_wish_for_an_empty_stdin_is_answered_with_its_end(void **state)
{
    struct bare_broker *fx = *state;
    int fd;

    bare_enter(fx, WORKER_BUSY);
    fd = bare_open_link(fx, fx->w);
    fx->job->input.eof = 1;
    assert_taken(fx, good(fx->w, SAYS(STDIN_WANT)));
    take_stdin_data(fd, "", 1);
    assert_senseless(fx, good(fx->w, SAYS(STDIN_WANT)));
    (void)close(fd);
}

/* ---- result, violation, log ---------------------------------------------------------------------------------------------------------------- */

static void each_kind_of_result_ends_the_job_with_its_cause(void **state)
{
    static const struct {
        unsigned kind;
        int exit_code;
        Pb__Cause cause;
    } rows[] = {
        {KIND(EXIT),          0,   CA(OK)          },
        { KIND(EXIT),         1,   CA(EXIT)        },
        { KIND(EXIT),         255, CA(EXIT)        },
        { KIND(EXCEPTION),    0,   CA(EXCEPTION)   },
        { KIND(OOM),          0,   CA(OOM)         },
        { KIND(OUTPUT_LIMIT), 0,   CA(OUTPUT_LIMIT)},
        { KIND(ABORTED),      0,   CA(SIGNAL)      },
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said *s;

        bare_enter(fx, WORKER_BUSY);
        s = good(fx->w, SAYS(RESULT));
        s->result.kind = (Pb__ResultKind)rows[i].kind;
        s->result.exit_code = rows[i].exit_code;
        s->result.stdout_dropped = 7;
        assert_taken(fx, s);
        assert_int_equal(fx->job->end.cause, rows[i].cause);
        assert_int_equal(fx->job->end.exit_code, rows[i].exit_code);
        assert_int_equal(fx->job->end.dropped[0], 7);
        assert_int_equal(fx->w->phase, WORKER_ENDING); /* one job a worker */
        assert_int_equal(receive(fx->w, s), 0);        /* and nothing after it counts */
    }
}

static void results_of_no_kind_are_refused(void **state)
{
    static const unsigned kinds[] = { KIND(NONE), KIND(CANNOT_RUN) + 1, 1000, INT32_MAX, UINT32_MAX };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct said *s;

        bare_enter(fx, WORKER_BUSY);
        s = good(fx->w, SAYS(RESULT));
        s->result.kind = (Pb__ResultKind)kinds[i];
        assert_senseless(fx, s);
    }
}

static void exit_codes_out_of_range_are_refused(void **state)
{
    static const int codes[] = { -1, 256, INT32_MIN, INT32_MAX };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        struct said *s;

        bare_enter(fx, WORKER_BUSY);
        s = good(fx->w, SAYS(RESULT));
        s->result.exit_code = codes[i];
        assert_senseless(fx, s);
    }
}

static void cancelled_is_refused_unless_it_was_asked_for(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    bare_enter(fx, WORKER_BUSY);
    s = good(fx->w, SAYS(RESULT));
    s->result.kind = KIND(CANCELLED);
    assert_senseless(fx, s);
    bare_enter(fx, WORKER_BUSY);
    jobs_cancel(fx->job);
    s = good(fx->w, SAYS(RESULT));
    s->result.kind = KIND(CANCELLED);
    assert_taken(fx, s);
    assert_int_equal(fx->job->end.cause, CA(CANCELLED));
}

static void texts_of_an_error_have_bounds(void **state)
{
    static const struct {
        size_t type, message, traceback;
        int taken;
    } rows[] = {
        {0,    0,              0,              1},
        { 255, 64 << 10,       0,              1},
        { 255, 0,              64 << 10,       1},
        { 256, 0,              0,              0},
        { 0,   (64 << 10) + 1, 0,              0},
        { 0,   0,              (64 << 10) + 1, 0},
        { 1,   64 << 10,       64 << 10,       1},
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said *s;
        char type[257];

        bare_enter(fx, WORKER_BUSY);
        s = good(fx->w, SAYS(RESULT));
        s->result.kind = KIND(EXCEPTION);
        s->result.error = &s->error;
        memset(type, 'T', sizeof(type));
        type[rows[i].type] = '\0';
        s->error.type = type;
        s->error.message = text_of(rows[i].message);
        s->error.traceback = text_of(rows[i].traceback);
        if (rows[i].taken)
            assert_taken(fx, s);
        else
            assert_senseless(fx, s);
    }
}

/* What a worker writes into its error goes to the client as a message: it must come out as one. */
static void a_receipt_made_of_a_hostile_error_can_be_read(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;
    struct frame f;
    uint8_t *bytes;
    size_t len;

    bare_enter(fx, WORKER_BUSY);
    s = good(fx->w, SAYS(RESULT));
    s->result.kind = KIND(EXCEPTION);
    s->result.error = &s->error;
    s->error.type = "\x1b]0;owned\x07";
    s->error.message =
        "\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82\xf0\x9f\x99\x82%n%s\n\"";
    s->error.traceback = text_of(64 << 10);
    assert_taken(fx, s);
    for (const char *p = fx->job->end.detail; *p != '\0'; p++)
        assert_in_range((unsigned char)*p, 0x20, 0x7e); /* shown on terminals and in logs */
    assert_int_equal(receipt_pack(fx->job, &bytes, &len), 0);
    assert_int_equal(frame_decode(&f, &pb__receipt__descriptor, bytes, len, FRAME_MAX_CONTROL), 0);
    assert_string_equal(((const Pb__Receipt *)f.msg)->error->message, s->error.message);
    frame_release(&f);
    free(bytes);
}

static void a_violation_has_six_arguments(void **state)
{
    struct bare_broker *fx = *state;

    for (size_t n = 0; n <= 8; n++) {
        struct said *s;

        bare_enter(fx, WORKER_BUSY);
        s = good(fx->w, SAYS(VIOLATION));
        s->violation.n_args = n;
        if (n == 6) {
            assert_taken(fx, s);
            assert_int_equal(fx->job->end.cause, CA(POLICY));
            assert_int_equal(fx->w->phase, WORKER_ENDING);
        } else {
            assert_senseless(fx, s);
        }
    }
}

static void a_violation_of_an_impossible_call_is_still_only_text(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    bare_enter(fx, WORKER_BUSY);
    s = good(fx->w, SAYS(VIOLATION));
    s->violation.nr = s->violation.arch = UINT32_MAX;
    assert_taken(fx, s);
    assert_int_equal(fx->job->end.cause, CA(POLICY));
    assert_true(frame_is_utf8(fx->job->end.detail, strlen(fx->job->end.detail)));
}

static void a_log_of_1024_bytes_is_taken_and_of_1025_refused(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    bare_enter(fx, WORKER_BUSY);
    s = good(fx->w, SAYS(LOG));
    s->log.text = text_of(1024);
    assert_taken(fx, s);
    s = good(fx->w, SAYS(LOG));
    s->log.text = text_of(1025);
    assert_senseless(fx, s);
}

/* ---- what programs' workers say: ends ---------------------------------------------------------------------------------------------------------- */

static struct said *result_of(struct bare_broker *fx, unsigned kind)
{
    struct said *s = good(fx->w, SAYS(RESULT));

    s->result.kind = (Pb__ResultKind)kind;
    if (kind == KIND(CANNOT_RUN)) {
        s->result.exit_code = 127;
        s->result.error = &s->error;
        s->error.message = "no program 'frobnicate' in PATH";
    }
    if (kind == KIND(SIGNAL))
        s->result.signal = 11;
    return s;
}

static void a_program_that_died_by_a_signal_says_which(void **state)
{
    static const struct {
        int signal;
        Pb__Cause cause; /* NONE: refused */
    } rows[] = {
        {1,          CA(SIGNAL)},
        { 9,         CA(SIGNAL)},
        { 31,        CA(POLICY)}, /* SIGSYS: a call of a foreign ABI */
        { 64,        CA(SIGNAL)},
        { 0,         CA(NONE)  },
        { -1,        CA(NONE)  },
        { 65,        CA(NONE)  },
        { INT32_MIN, CA(NONE)  },
        { INT32_MAX, CA(NONE)  },
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct said *s;

        enter_program(fx);
        s = result_of(fx, KIND(SIGNAL));
        s->result.signal = rows[i].signal;
        if (rows[i].cause == CA(NONE)) {
            assert_senseless(fx, s);
            continue;
        }
        assert_taken(fx, s);
        assert_int_equal(fx->job->end.cause, rows[i].cause);
        assert_int_equal(fx->job->end.signal, rows[i].signal);
    }
}

static void a_program_that_cannot_run_names_what_is_missing(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    for (int code = 125; code <= 128; code++) {
        enter_program(fx);
        s = result_of(fx, KIND(CANNOT_RUN));
        s->result.exit_code = code;
        if (code != 126 && code != 127) {
            assert_senseless(fx, s);
            continue;
        }
        s->error.message = "no program \x1b[31m'frobnicate' in PATH";
        assert_taken(fx, s);
        assert_int_equal(fx->job->end.cause, CA(BAD_SPEC));
        assert_int_equal(fx->job->end.exit_code, code);
        assert_string_equal(fx->job->end.detail, "no program \\x1b[31m'frobnicate' in PATH");
    }
    enter_program(fx);
    s = result_of(fx, KIND(CANNOT_RUN));
    s->error.message = "";
    assert_senseless(fx, s);
    enter_program(fx);
    s = result_of(fx, KIND(CANNOT_RUN));
    s->result.error = NULL;
    assert_senseless(fx, s);
}

static void no_other_engine_ends_as_programs_do(void **state)
{
    struct bare_broker *fx = *state;

    for (int engine = 0; engine < ENGINE_COUNT; engine++) {
        if (engine == ENGINE_EXEC)
            continue;
        fx->engine = engine;
        for (unsigned i = 0; i < 5; i++) {
            struct said *s;

            bare_enter(fx, WORKER_BUSY);
            s = result_of(fx, i == 0 ? KIND(SIGNAL) : i == 1 ? KIND(CANNOT_RUN) : KIND(EXIT));
            if (i == 2)
                s->result.signal = 9;
            else if (i == 3)
                s->result.outputs_note = "a: is a symbolic link";
            else if (i == 4)
                s->result.disk_full = 1;
            assert_senseless(fx, s);
        }
        bare_enter(fx, WORKER_BUSY);
        assert_senseless(fx, good(fx->w, SAYS(COLLECTED)));
        bare_enter(fx, WORKER_BUSY);
        assert_senseless(fx, good(fx->w, SAYS(LEARNED)));
    }
}

static void a_signal_without_death_by_one_is_refused(void **state)
{
    static const unsigned kinds[] = { KIND(EXIT), KIND(OOM), KIND(CANNOT_RUN), KIND(OUTPUT_LIMIT) };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct said *s;

        enter_program(fx);
        s = result_of(fx, kinds[i]);
        s->result.signal = 9;
        assert_senseless(fx, s);
    }
}

static void a_note_on_files_has_bounds_and_somebody_who_asked(void **state)
{
    struct bare_broker *fx = *state;
    struct said *s;

    for (size_t n = 4095; n <= 4097; n++) {
        enter_program(fx);
        s = good(fx->w, SAYS(RESULT));
        s->result.outputs_note = text_of(n);
        s->result.disk_full = 1;
        if (n > 4096) {
            assert_senseless(fx, s);
            continue;
        }
        assert_taken(fx, s);
        assert_int_equal(strlen(fx->job->end.outputs_note), n);
        assert_true(fx->job->end.disk_full);
    }
    enter_program(fx);
    fx->job->collects = 0;
    s = good(fx->w, SAYS(RESULT));
    s->result.outputs_note = "x";
    assert_senseless(fx, s);
}

static void a_program_tells_the_filter_it_runs_under(void **state)
{
    static uint8_t hash[33] = { 0xab, 0xcd };
    static const struct {
        size_t hash;
        uint32_t len;
        int taken, taken_of_lua;
    } rows[] = {
        {0,   0,   1, 1},
        { 32, 400, 1, 0},
        { 32, 0,   1, 0},
        { 0,  400, 0, 0},
        { 31, 400, 0, 0},
        { 33, 400, 0, 0},
        { 1,  1,   0, 0},
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int exec = 0; exec <= 1; exec++) {
            struct said *s;

            fx->engine = exec ? ENGINE_EXEC : ENGINE_LUA;
            bare_enter(fx, WORKER_ASSIGNED);
            s = good(fx->w, SAYS(STARTED));
            s->started.filter_hash = (ProtobufCBinaryData){ rows[i].hash, hash };
            s->started.filter_len = rows[i].len;
            if (!(exec ? rows[i].taken : rows[i].taken_of_lua)) {
                assert_senseless(fx, s);
                continue;
            }
            assert_taken(fx, s);
            assert_int_equal(fx->job->enforcement.filter_len, rows[i].len);
            assert_int_equal(strncmp(fx->job->seccomp_hash, "abcd00", 6) == 0, rows[i].hash == 32);
        }
}

/* ---- what programs' workers say: files ---------------------------------------------------------------------------------------------------------- */

static struct said *piece(struct bare_broker *fx, const char *name, uint64_t size, const char *data, int last)
{
    struct said *s = good(fx->w, SAYS(COLLECTED));

    s->collected.name = (char *)name;
    s->collected.mode = name[0] != '\0' ? 0600 : 0;
    s->collected.size = size;
    s->collected.data = (ProtobufCBinaryData){ strlen(data), (uint8_t *)data };
    s->collected.last = last;
    return s;
}

static void files_come_in_pieces_and_are_kept_with_their_hashes(void **state)
{
    struct bare_broker *fx = *state;
    const struct job_outputs *o;

    enter_program(fx);
    o = &fx->job->outputs;
    assert_taken(fx, piece(fx, "a/b", 5, "he", 0));
    assert_int_equal(o->count, 0); /* not before it is whole */
    assert_taken(fx, piece(fx, "", 0, "ll", 0));
    assert_taken(fx, piece(fx, "", 0, "o", 1));
    assert_taken(fx, piece(fx, "empty", 0, "", 1));
    assert_taken(fx, piece(fx, "c", 3, "abc", 1));
    assert_int_equal(o->count, 3);
    assert_string_equal(o->files[0].name, "a/b");
    assert_int_equal(o->files[0].mode, 0600);
    assert_int_equal(o->files[0].bytes, 5);
    assert_string_equal(o->files[0].sha256, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
    assert_string_equal(o->files[1].sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(o->files[2].sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(o->spool.len, 8);
    assert_memory_equal(o->spool.memory, "helloabc", 8);
    assert_taken(fx, good(fx->w, SAYS(RESULT)));
    assert_int_equal(fx->job->end.cause, CA(OK));
}

static void names_of_files_stay_below_their_directory(void **state)
{
    static const char *const bad[] = {
        "",     "/",  "/etc/passwd", "..",   "../a",       "a/..",  "a/../b", ".",     "./a",   "a/.",
        "a//b", "a/", "//a",         "a\nb", "\x1b[2Jred", "a\x7f", "\x01",   "a/\tb", "a/./b", "a/../../etc/passwd",
    };
    static const char *const fine[] = {
        "a", "...", ".hidden", "a..b", "..a", "a/..b/c", "a b", "\xc3\xbc", "-rf", "*", "a\\b", "con", "~"
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enter_program(fx);
        assert_senseless(fx, piece(fx, bad[i], 1, "x", 1));
        assert_int_equal(fx->job->outputs.count, 0);
    }
    enter_program(fx);
    for (unsigned i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
        assert_taken(fx, piece(fx, fine[i], 1, "x", 1));
    assert_int_equal(fx->job->outputs.count, sizeof(fine) / sizeof(fine[0]));
}

static void a_name_that_is_not_utf8_is_no_message(void **state)
{
    static const char *const bad[] = { "\xff", "a\xc0\xaf", "\xed\xa0\x80", "\xc3" };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enter_program(fx);
        assert_refused(fx, receive(fx->w, piece(fx, bad[i], 1, "x", 1)), "?", "not a message");
    }
}

static void names_of_files_have_bounds(void **state)
{
    struct bare_broker *fx = *state;
    char name[REL_PATH_MAX + 2];

    for (size_t n = REL_NAME_MAX; n <= REL_NAME_MAX + 1; n++) {
        enter_program(fx);
        if (n == REL_NAME_MAX)
            assert_taken(fx, piece(fx, text_of(n), 1, "x", 1));
        else
            assert_senseless(fx, piece(fx, text_of(n), 1, "x", 1));
    }
    for (size_t n = REL_PATH_MAX; n <= REL_PATH_MAX + 1; n++) {
        for (size_t i = 0; i < n; i++)
            name[i] = i % 200 == 199 ? '/' : 'd';
        name[n] = '\0';
        enter_program(fx);
        if (n == REL_PATH_MAX)
            assert_taken(fx, piece(fx, name, 1, "x", 1));
        else
            assert_senseless(fx, piece(fx, name, 1, "x", 1));
    }
}

static void no_file_comes_twice(void **state)
{
    struct bare_broker *fx = *state;

    enter_program(fx);
    assert_taken(fx, piece(fx, "a", 1, "x", 1));
    assert_taken(fx, piece(fx, "b", 1, "x", 1));
    assert_senseless(fx, piece(fx, "a", 1, "y", 1));
    assert_int_equal(fx->job->outputs.count, 2);
}

static void a_mode_is_nine_bits(void **state)
{
    static const uint32_t bad[] = { 01000, 02000, 04000, 04755, 0100644, 0120777, UINT32_MAX };
    struct bare_broker *fx = *state;
    struct said *s;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enter_program(fx);
        s = good(fx->w, SAYS(COLLECTED));
        s->collected.mode = bad[i];
        assert_senseless(fx, s);
    }
    enter_program(fx);
    s = good(fx->w, SAYS(COLLECTED));
    s->collected.mode = 0777;
    assert_taken(fx, s);
}

/* Each row is a file's pieces, the last of which is refused. */
static void pieces_that_do_not_fit_together_are_refused(void **state)
{
    static const struct {
        const char *what;
        struct {
            const char *name;
            uint64_t size;
            const char *data;
            int last;
        } pieces[4];
    } rows[] = {
        {"more than was said",         { { "a", 2, "xyz", 1 } }                            },
        { "more in the second",        { { "a", 3, "xy", 0 }, { "", 0, "zz", 1 } }         },
        { "last too early",            { { "a", 3, "xy", 1 } }                             },
        { "whole and not the last",    { { "a", 3, "xyz", 0 } }                            },
        { "nothing of something",      { { "a", 3, "", 0 } }                               },
        { "nothing in the middle",     { { "a", 3, "x", 0 }, { "", 0, "", 0 } }            },
        { "nothing at the end",        { { "a", 3, "xy", 0 }, { "", 0, "", 1 } }           },
        { "an empty one that goes on", { { "a", 0, "", 0 } }                               },
        { "something of nothing",      { { "a", 0, "x", 1 } }                              },
        { "another before the last",   { { "a", 3, "x", 0 }, { "b", 1, "x", 1 } }          },
        { "the same name again",       { { "a", 3, "x", 0 }, { "a", 0, "y", 0 } }          },
        { "the size again",            { { "a", 3, "x", 0 }, { "", 3, "y", 0 } }           },
        { "no name",                   { { "", 3, "xyz", 1 } }                             },
        { "past the credit",           { { "a", BARE_CREDIT + 1, "x", 0 } }                },
        { "past all credit",           { { "a", UINT64_MAX, "x", 0 } }                     },
        { "past what the first left",  { { "a", 1, "x", 1 }, { "b", BARE_CREDIT, "x", 0 } }},
    };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned n = 1;

        while (n < 4 && rows[i].pieces[n].name != NULL)
            n++;
        enter_program(fx);
        for (unsigned k = 0; k < n; k++) {
            struct said *s = piece(fx, rows[i].pieces[k].name, rows[i].pieces[k].size, rows[i].pieces[k].data, rows[i].pieces[k].last);

            if (k + 1 < n)
                assert_taken(fx, s);
            else
                assert_senseless(fx, s);
        }
    }
}

static void files_fill_their_credit_and_no_more(void **state)
{
    struct bare_broker *fx = *state;

    enter_program(fx);
    assert_taken(fx, piece(fx, "a", BARE_CREDIT, text_of(BARE_CREDIT - 1), 0));
    assert_taken(fx, piece(fx, "", 0, "x", 1));
    assert_taken(fx, piece(fx, "empty", 0, "", 1));
    assert_senseless(fx, piece(fx, "b", 1, "x", 1));
}

static void the_file_after_the_last_is_refused(void **state)
{
    struct bare_broker *fx = *state;
    char name[16];

    enter_program(fx);
    for (unsigned i = 0; i <= OUTPUTS_MAX; i++) {
        struct said *s;

        (void)snprintf(name, sizeof(name), "f%u", i);
        s = piece(fx, name, 0, "", 1);
        if (i < OUTPUTS_MAX)
            assert_taken(fx, s);
        else
            assert_senseless(fx, s);
    }
    assert_int_equal(fx->job->outputs.count, OUTPUTS_MAX);
}

static void a_result_in_the_middle_of_a_file_is_refused(void **state)
{
    struct bare_broker *fx = *state;

    enter_program(fx);
    assert_taken(fx, piece(fx, "whole", 1, "w", 1));
    assert_taken(fx, piece(fx, "half", 4, "ha", 0));
    assert_senseless(fx, good(fx->w, SAYS(RESULT)));
}

static void files_that_nobody_asked_for_are_refused(void **state)
{
    struct bare_broker *fx = *state;

    enter_program(fx);
    fx->job->collects = 0;
    assert_senseless(fx, good(fx->w, SAYS(COLLECTED)));
}

static void what_came_of_half_a_file_is_forgotten(void **state)
{
    struct bare_broker *fx = *state;
    struct job_outputs *o;

    enter_program(fx);
    o = &fx->job->outputs;
    assert_taken(fx, piece(fx, "whole", 1, "w", 1));
    assert_taken(fx, piece(fx, "half", 4, "ha", 0));
    assert_int_equal(o->spool.len, 3);
    outputs_close(o);
    assert_int_equal(o->spool.len, 1);
    assert_int_equal(o->count, 1);
    assert_null(o->name);
}

/* ---- what programs' workers say: rows and calls --------------------------------------------------------------------------------------------------- */

static void learned_rows_have_bounds(void **state)
{
    static const struct {
        const char *row, *why_not;
        uint64_t times;
        int taken;
    } rows[] = {
        {"allow uname",   "",            1,          1},
        { "allow uname",  "",            UINT64_MAX, 1},
        { "allow uname",  "",            0,          0},
        { "",             "",            1,          0},
        { "a\nallow bpf", "",            1,          0},
        { "a\rb",         "",            1,          0},
        { "a\x1b[31m",    "",            1,          0},
        { "a\x7f",        "",            1,          0},
        { "\xc3\xbc",     "",            1,          1},
        { "allow mount",  "never",       1,          1},
        { "allow mount",  "never\nmore", 1,          0},
    };
    struct bare_broker *fx = *state;
    struct said *s;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enter_program(fx);
        s = good(fx->w, SAYS(LEARNED));
        s->learned.row = (char *)rows[i].row;
        s->learned.why_not = (char *)rows[i].why_not;
        s->learned.times = rows[i].times;
        if (rows[i].taken)
            assert_taken(fx, s);
        else
            assert_senseless(fx, s);
    }
    for (size_t n = EVIDENCE_ROW; n <= EVIDENCE_ROW + 1; n++)
        for (int which = 0; which <= 1; which++) {
            enter_program(fx);
            s = good(fx->w, SAYS(LEARNED));
            *(which ? &s->learned.row : &s->learned.why_not) = text_of(n);
            if (n == EVIDENCE_ROW)
                assert_taken(fx, s);
            else
                assert_senseless(fx, s);
        }
}

static void five_hundred_and_twelve_rows_are_kept_and_one_more_is_refused(void **state)
{
    struct bare_broker *fx = *state;
    char row[32];

    enter_program(fx);
    for (unsigned i = 0; i <= EVIDENCE_ROWS; i++) {
        struct said *s = good(fx->w, SAYS(LEARNED));

        (void)snprintf(row, sizeof(row), "allow call%u", i);
        s->learned.row = row;
        s->learned.granted = i % 2 != 0;
        if (i < EVIDENCE_ROWS)
            assert_taken(fx, s);
        else
            assert_refused(fx, receive(fx->w, s), "learned", "sent too often");
    }
    assert_int_equal(fx->job->evidence.learned_count, EVIDENCE_ROWS);
    assert_string_equal(fx->job->evidence.learned[511].row, "allow call511");
    assert_true(fx->job->evidence.learned[511].granted);
}

static void rows_that_nobody_wants_to_learn_are_refused(void **state)
{
    struct bare_broker *fx = *state;

    enter_program(fx);
    fx->job->learn = 0;
    assert_senseless(fx, good(fx->w, SAYS(LEARNED)));
}

static void a_violation_names_its_place_within_bounds(void **state)
{
    struct bare_broker *fx = *state;

    for (size_t n = EVIDENCE_MODULE; n <= EVIDENCE_MODULE + 1; n++)
        for (int which = 0; which <= 1; which++) {
            struct said *s;

            enter_program(fx);
            s = good(fx->w, SAYS(VIOLATION));
            *(which ? &s->violation.module : &s->violation.who) = text_of(which ? n : n - EVIDENCE_MODULE + EVIDENCE_WHO);
            if (n == EVIDENCE_MODULE)
                assert_taken(fx, s);
            else
                assert_senseless(fx, s);
        }
}

/* A process may call itself anything: kept as it is, for JSON; what is shown is made safe where it is shown. */
static void a_violation_is_kept_whole(void **state)
{
    struct bare_broker *fx = *state;
    const Pb__PolicyReport *r;
    struct said *s;

    enter_program(fx);
    s = good(fx->w, SAYS(VIOLATION));
    for (unsigned i = 0; i < 6; i++)
        s->args[i] = UINT64_MAX - i;
    s->violation.arch = 0xc000003e;
    s->violation.ip = 0x7f0000001234;
    s->violation.offset = 0x1234;
    s->violation.pid = 3;
    s->violation.tid = 4;
    s->violation.module = "/usr/lib/libc.so.6";
    s->violation.who = "\x1b[31mevil\n";
    assert_taken(fx, s);
    r = fx->job->evidence.violation;
    assert_non_null(r);
    assert_int_equal(r->nr, 41);
    assert_string_equal(r->abi, "x86_64");
    assert_int_equal(r->n_args, 6);
    assert_true(r->args[5] == UINT64_MAX - 5);
    assert_true(r->ip == 0x7f0000001234 && r->offset == 0x1234);
    assert_int_equal(r->pid, 3);
    assert_int_equal(r->tid, 4);
    assert_string_equal(r->module, "/usr/lib/libc.so.6");
    assert_string_equal(r->who, "\x1b[31mevil\n");
    for (const char *p = fx->job->end.detail; *p != '\0'; p++)
        assert_in_range((unsigned char)*p, 0x20, 0x7e);
}

/* All that a program's worker can say arrives in the receipt as it was said. */
static void a_receipt_holds_files_rows_and_the_call(void **state)
{
    struct bare_broker *fx = *state;
    const Pb__Receipt *r;
    struct said *s;
    struct frame f;
    uint8_t *bytes;
    size_t len;

    enter_program(fx);
    assert_taken(fx, piece(fx, "out/a", 3, "abc", 1));
    assert_taken(fx, piece(fx, "out/b", 0, "", 1));
    assert_taken(fx, good(fx->w, SAYS(LEARNED)));
    s = good(fx->w, SAYS(RESULT));
    s->result.outputs_note = "out/c: is a symbolic link";
    assert_taken(fx, s);
    assert_int_equal(receipt_pack(fx->job, &bytes, &len), 0);
    assert_int_equal(frame_decode(&f, &pb__receipt__descriptor, bytes, len, FRAME_MAX_CONTROL), 0);
    r = (const Pb__Receipt *)f.msg;
    assert_int_equal(r->n_outputs, 2);
    assert_string_equal(r->outputs[1]->name, "out/b");
    assert_int_equal(r->outputs[0]->bytes, 3);
    assert_string_equal(r->outputs[0]->sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_string_equal(r->outputs_note, "out/c: is a symbolic link");
    assert_int_equal(r->n_learned, 1);
    assert_string_equal(r->learned[0]->row, "allow uname");
    assert_null(r->violation);
    assert_null(r->chain);
    frame_release(&f);
    free(bytes);
    enter_program(fx);
    assert_taken(fx, good(fx->w, SAYS(VIOLATION)));
    assert_int_equal(receipt_pack(fx->job, &bytes, &len), 0);
    assert_int_equal(frame_decode(&f, &pb__receipt__descriptor, bytes, len, FRAME_MAX_CONTROL), 0);
    assert_int_equal(((const Pb__Receipt *)f.msg)->violation->nr, 41);
    frame_release(&f);
    free(bytes);
}

/* ---- terminals ----------------------------------------------------------------------------------------------------------------------------- */

static void a_terminal_that_nobody_asked_for_has_no_size(void **state)
{
    struct bare_broker *fx = *state;

    enter_program(fx);
    assert_int_equal(jobs_resize_tty(fx->job, 24, 80), -ENOTTY);
}

static void a_size_told_before_the_start_arrives_with_it(void **state)
{
    struct bare_broker *fx = *state;
    int fd;

    fx->engine = ENGINE_EXEC;
    bare_enter(fx, WORKER_ASSIGNED);
    fd = bare_open_link(fx, fx->w);
    fx->job->tty.wanted = 1;
    assert_int_equal(jobs_resize_tty(fx->job, 24, 80), 0);
    assert_int_equal(jobs_resize_tty(fx->job, 25, 81), 0);
    assert_int_equal(fx->w->msgs_out, 0);
    assert_taken(fx, good(fx->w, SAYS(STARTED)));
    assert_int_equal(fx->w->msgs_out, 1); /* the last one */
    assert_int_equal(jobs_resize_tty(fx->job, 26, 82), 0);
    assert_int_equal(fx->w->msgs_out, 2);
    (void)close(fd);
}

/* ---- the other direction ----------------------------------------------------------------------------------------------------------------- */

static int tell(struct worker *w, unsigned body)
{
    Pb__ToWorker m = PB__TO_WORKER__INIT;
    Pb__Assign a = PB__ASSIGN__INIT;
    Pb__StdinData d = PB__STDIN_DATA__INIT;
    Pb__TtySize size = PB__TTY_SIZE__INIT;

    a.job = "01HZZZZZZZ0000000000000000";
    m.body_case = (Pb__ToWorker__BodyCase)body;
    if (body == TELL(ASSIGN))
        m.assign = &a;
    else if (body == TELL(STDIN_DATA))
        m.stdin_data = &d;
    else
        m.tty_size = &size;
    return gate_say(w, &m);
}

static void the_broker_says_each_thing_in_its_phase_only(void **state)
{
    struct bare_broker *fx = *state;

    for (unsigned phase = WORKER_BOOT; phase < WORKER_PHASES; phase++)
        for (unsigned body = TELL(ASSIGN); body <= TELL(TTY_SIZE); body++) {
            int want = (phase == WORKER_ASSIGNED && body == TELL(ASSIGN)) || (phase == WORKER_BUSY && body != TELL(ASSIGN));
            int fd;

            bare_enter(fx, (enum worker_phase)phase);
            fd = bare_open_link(fx, fx->w);
            assert_int_equal(tell(fx->w, body), want ? 0 : -EPROTO);
            assert_int_equal(fx->w->msgs_out, want);
            (void)close(fd);
        }
}

static void the_broker_says_nothing_that_is_not_in_its_table(void **state)
{
    static const unsigned bodies[] = { 0, TELL(CALL) + 1, 100, INT32_MAX, UINT32_MAX };
    struct bare_broker *fx = *state;

    for (unsigned i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        Pb__ToWorker m = PB__TO_WORKER__INIT;

        bare_enter(fx, WORKER_BUSY);
        m.body_case = (Pb__ToWorker__BodyCase)bodies[i];
        assert_int_equal(gate_say(fx->w, &m), -EPROTO);
    }
}

static void a_worker_is_given_one_job_in_its_life(void **state)
{
    struct bare_broker *fx = *state;
    int fd;

    bare_enter(fx, WORKER_ASSIGNED);
    fd = bare_open_link(fx, fx->w);
    assert_int_equal(tell(fx->w, TELL(ASSIGN)), 0);
    assert_int_equal(tell(fx->w, TELL(ASSIGN)), -EPROTO);
    assert_int_equal(fx->w->msgs_out, 1);
    (void)close(fd);
}

static void saying_something_on_a_closed_link_is_epipe(void **state)
{
    struct bare_broker *fx = *state;

    bare_enter(fx, WORKER_ASSIGNED);
    assert_int_equal(tell(fx->w, TELL(ASSIGN)), -EPIPE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_message_of_a_worker_has_a_row_with_check_and_action),
        TEST(every_message_to_a_worker_has_a_row),
        TEST(every_row_is_a_message_in_the_schema),
        TEST(no_two_rows_share_a_check_or_an_action),
        TEST(link_messages_do_not_recurse),
        TEST(a_good_message_is_taken_in_its_phase_and_refused_in_every_other),
        TEST(after_its_end_nothing_a_worker_says_counts),
        TEST(a_message_without_or_of_an_unknown_body_is_refused),
        TEST(bytes_that_are_no_message_are_refused_in_every_phase),
        TEST(a_frame_that_is_too_long_or_too_greedy_is_refused),
        TEST(a_refused_worker_leaves_its_neighbours_alone),
        TEST(a_listener_is_nothing_without_its_descriptor_nor_from_others),
        TEST(only_a_template_is_warm),
        TEST(a_fork_has_failed_only_when_it_was_ordered),
        TEST(a_childs_hello_needs_a_process_that_the_kernel_names),
        TEST(what_is_capped_is_refused_one_past_its_cap),
        TEST(once_is_the_cap_of_what_makes_sense_once_only),
        TEST(a_second_hello_is_refused_while_the_pid_is_still_unknown),
        TEST(the_sixty_fifth_log_is_refused),
        TEST(a_hello_is_kept_and_the_worker_is_idle_once_its_pid_is_known),
        TEST(a_token_that_is_not_the_workers_own_is_refused),
        TEST(another_workers_token_is_refused),
        TEST(a_hello_of_another_uid_is_refused),
        TEST(a_hello_names_one_to_thirty_two_steps),
        TEST(names_of_steps_have_at_most_63_bytes),
        TEST(a_failed_step_is_kept_for_the_pool_to_tell),
        TEST(a_worker_says_hello_or_seal_failed_but_not_both),
        TEST(a_step_has_a_name_of_plain_letters),
        TEST(a_step_that_fails_for_a_job_ends_it_as_start_failed),
        TEST(started_makes_the_worker_busy_and_the_job_running),
        TEST(output_is_kept_byte_for_byte_in_its_own_stream),
        TEST(output_of_nothing_is_refused),
        TEST(output_to_no_stream_is_refused),
        TEST(output_up_to_the_credit_is_taken_and_one_byte_more_is_refused),
        TEST(a_wish_for_stdin_has_bounds),
        TEST(a_second_wish_before_the_answer_is_refused),
        TEST(a_wish_is_answered_with_at_most_what_was_asked_and_may_be_repeated),
        TEST(a_wish_for_an_empty_stdin_is_answered_with_its_end),
        TEST(each_kind_of_result_ends_the_job_with_its_cause),
        TEST(results_of_no_kind_are_refused),
        TEST(exit_codes_out_of_range_are_refused),
        TEST(cancelled_is_refused_unless_it_was_asked_for),
        TEST(texts_of_an_error_have_bounds),
        TEST(a_receipt_made_of_a_hostile_error_can_be_read),
        TEST(a_violation_has_six_arguments),
        TEST(a_violation_of_an_impossible_call_is_still_only_text),
        TEST(a_log_of_1024_bytes_is_taken_and_of_1025_refused),
        TEST(a_program_that_died_by_a_signal_says_which),
        TEST(a_program_that_cannot_run_names_what_is_missing),
        TEST(no_other_engine_ends_as_programs_do),
        TEST(a_signal_without_death_by_one_is_refused),
        TEST(a_note_on_files_has_bounds_and_somebody_who_asked),
        TEST(a_program_tells_the_filter_it_runs_under),
        TEST(files_come_in_pieces_and_are_kept_with_their_hashes),
        TEST(names_of_files_stay_below_their_directory),
        TEST(a_name_that_is_not_utf8_is_no_message),
        TEST(names_of_files_have_bounds),
        TEST(no_file_comes_twice),
        TEST(a_mode_is_nine_bits),
        TEST(pieces_that_do_not_fit_together_are_refused),
        TEST(files_fill_their_credit_and_no_more),
        TEST(the_file_after_the_last_is_refused),
        TEST(a_result_in_the_middle_of_a_file_is_refused),
        TEST(files_that_nobody_asked_for_are_refused),
        TEST(what_came_of_half_a_file_is_forgotten),
        TEST(learned_rows_have_bounds),
        TEST(five_hundred_and_twelve_rows_are_kept_and_one_more_is_refused),
        TEST(rows_that_nobody_wants_to_learn_are_refused),
        TEST(a_violation_names_its_place_within_bounds),
        TEST(a_violation_is_kept_whole),
        TEST(a_receipt_holds_files_rows_and_the_call),
        TEST(a_terminal_that_nobody_asked_for_has_no_size),
        TEST(a_size_told_before_the_start_arrives_with_it),
        TEST(the_broker_says_each_thing_in_its_phase_only),
        TEST(the_broker_says_nothing_that_is_not_in_its_table),
        TEST(a_worker_is_given_one_job_in_its_life),
        TEST(saying_something_on_a_closed_link_is_epipe),
    };

    return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
