/* test_control_table.c - the table of requests, walked beside the schema: nothing missing, nothing more, every id where it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/broker.h"
#include "broker/control.h"
#include "broker/control_verbs.h"

/* Of main.c, which is in no archive. Nothing here reaches it. */
void broker_check_rest(struct broker *b)
{
    (void)b;
}

/* control_gate.c reads the id of every row with names_job through this. */
struct any_with_id {
    ProtobufCMessage base;
    char *id;
};

static int is_body(const ProtobufCFieldDescriptor *f)
{
    return (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static const struct control_rule *rule_of(const ProtobufCFieldDescriptor *f)
{
    assert_true(f->id < control_rules_count);
    return &control_rules[f->id];
}

static void every_request_in_the_schema_has_a_row_of_its_name(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__request__descriptor;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const struct control_rule *r;

        if (!is_body(&d->fields[i]))
            continue;
        r = rule_of(&d->fields[i]);
        assert_non_null(r->name);
        assert_string_equal(r->name, d->fields[i].name);
        assert_non_null(r->apply);
        assert_int_equal(r->needs & ~(unsigned)ACTOR_ALL, 0);
        assert_int_not_equal(r->phases, 0);
        assert_int_equal(r->phases & ~(1u << BROKER_UP | 1u << BROKER_DRAINING), 0);
    }
}

static void every_row_is_a_request_in_the_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < control_rules_count; i++) {
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(&pb__request__descriptor, (unsigned)i);

        if (control_rules[i].apply == NULL)
            assert_null(control_rules[i].name);
        else
            assert_true(f != NULL && is_body(f));
    }
    assert_null(control_rules[PB__REQUEST__BODY__NOT_SET].apply); /* a request without a body */
    assert_null(control_rules[1].apply);                          /* 1 is the protocol's number */
}

static void no_two_rows_do_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < control_rules_count; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(control_rules[i].apply == NULL || control_rules[i].apply != control_rules[k].apply);
}

/* Other things have ids of their own kinds. */
static int is_about_a_job(const char *request)
{
    return strncmp(request, "token_", 6) != 0 && strncmp(request, "cron_", 5) != 0;
}

static void a_row_that_names_a_job_finds_the_id_first_in_its_body(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__request__descriptor;
    unsigned named = 0;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCMessageDescriptor *body;
        const ProtobufCFieldDescriptor *id;

        if (!is_body(&d->fields[i]))
            continue;
        assert_int_equal(d->fields[i].type, PROTOBUF_C_TYPE_MESSAGE);
        body = d->fields[i].descriptor;
        id = is_about_a_job(d->fields[i].name) ? protobuf_c_message_descriptor_get_field_by_name(body, "id") : NULL;
        assert_int_equal(rule_of(&d->fields[i])->names_job, id != NULL); /* who carries an id has it resolved */
        if (id == NULL)
            continue;
        named++;
        assert_int_equal(id->id, 1);
        assert_int_equal(id->type, PROTOBUF_C_TYPE_STRING);
        assert_int_equal(id->label, PROTOBUF_C_LABEL_NONE);
        assert_int_equal(id->flags & PROTOBUF_C_FIELD_FLAG_ONEOF, 0);
        assert_int_equal(id->offset, offsetof(struct any_with_id, id));
    }
    assert_true(named >= 7);
}

/* All bodies share one union, so that q->submit is a pointer to whichever body there is. */
static void all_bodies_lie_at_one_place(void **state)
{
    const ProtobufCMessageDescriptor *d = &pb__request__descriptor;

    (void)state;
    for (unsigned i = 0; i < d->n_fields; i++)
        if (is_body(&d->fields[i])) {
            assert_int_equal(d->fields[i].offset, offsetof(Pb__Request, submit));
            assert_int_equal(d->fields[i].quantifier_offset, offsetof(Pb__Request, body_case));
        }
}

/* Where the answer has another name. */
static const char *const answers[][2] = {
    {"cancel",         "signal"  },
    { "kill",          "signal"  },
    { "hold",          "signal"  },
    { "release",       "signal"  },
    { "pause",         "signal"  },
    { "resume",        "signal"  },
    { "remove",        "signal"  },
    { "retry",         "submit"  },
    { "edit",          "show"    },
    { "tenant_set",    "tenants" },
    { "tenant_get",    "tenants" },
    { "tenant_ls",     "tenants" },
    { "tenant_remove", "tenants" },
    { "token_create",  "tokens"  },
    { "token_rotate",  "tokens"  },
    { "token_revoke",  "tokens"  },
    { "token_ls",      "tokens"  },
    { "cron_ls",       "crons"   },
    { "cron_set",      "crons"   },
    { "limiter_set",   "limiters"},
    { "limiter_ls",    "limiters"},
    { "store_backup",  "store"   },
};

static const char *answer_to(const char *request)
{
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (strcmp(answers[i][0], request) == 0)
            return answers[i][1];
    return request;
}

static void every_request_has_a_reply_and_every_reply_a_request(void **state)
{
    const ProtobufCMessageDescriptor *q = &pb__request__descriptor, *r = &pb__reply__descriptor;

    (void)state;
    for (unsigned i = 0; i < q->n_fields; i++)
        if (is_body(&q->fields[i])) {
            const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(r, answer_to(q->fields[i].name));

            assert_true(f != NULL && is_body(f) && f->type == PROTOBUF_C_TYPE_MESSAGE);
        }
    for (unsigned i = 0; i < r->n_fields; i++) {
        unsigned asked = strcmp(r->fields[i].name, "error") == 0;

        assert_true(is_body(&r->fields[i]));
        for (unsigned k = 0; k < q->n_fields; k++)
            asked += is_body(&q->fields[k]) && strcmp(answer_to(q->fields[k].name), r->fields[i].name) == 0;
        assert_true(asked > 0);
    }
}

static void while_draining_all_is_legal_but_a_new_job(void **state)
{
    (void)state;
    for (size_t i = 0; i < control_rules_count; i++) {
        if (control_rules[i].apply == NULL)
            continue;
        assert_true((control_rules[i].phases & 1u << BROKER_UP) != 0);
        assert_int_equal((control_rules[i].phases & 1u << BROKER_DRAINING) == 0,
                         i == PB__REQUEST__BODY_SUBMIT || i == PB__REQUEST__BODY_RETRY);
    }
}

/* Depth of decoding is bounded by the schema: no message may contain itself. */
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

static void neither_requests_nor_replies_recurse(void **state)
{
    (void)state;
    assert_int_equal(depth(&pb__request__descriptor, 0), 5);
    assert_int_equal(depth(&pb__reply__descriptor, 0), 5);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_request_in_the_schema_has_a_row_of_its_name),
        TEST(every_row_is_a_request_in_the_schema),
        TEST(no_two_rows_do_the_same),
        TEST(a_row_that_names_a_job_finds_the_id_first_in_its_body),
        TEST(all_bodies_lie_at_one_place),
        TEST(every_request_has_a_reply_and_every_reply_a_request),
        TEST(while_draining_all_is_legal_but_a_new_job),
        TEST(neither_requests_nor_replies_recurse),
    };

    return cmocka_run_group_tests_name("control_table", tests, NULL, NULL);
}
