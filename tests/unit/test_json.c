/* test_json.c - what scripts rely on: the shape of JSON, the names of enums, the exit codes of outcomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/json.h"
#include "cli/outcome.h"
#include "cli/text.h"
#include "control.pb-c.h"

#include <coop/exit_codes.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static void assert_dump(json_t *doc, const char *expected)
{
    char *text = json_dumps(doc, JSON_ENSURE_ASCII | JSON_COMPACT | JSON_ENCODE_ANY);

    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    json_decref(doc);
}

static void a_job_status_has_every_field_in_schema_order(void **state)
{
    Pb__JobStatus s = PB__JOB_STATUS__INIT;

    (void)state;
    s.id = "01J9ZQ6W3V8XK2T5M7N4P0RBCD";
    s.name = "wordfreq.lua";
    s.engine = "lua";
    s.state = PB__STATE__STATE_TIMED_OUT;
    s.cause = PB__CAUSE__CAUSE_CPU_LIMIT;
    s.cpu_us = 2000001;
    assert_dump(
        json_document(&s.base),
        "{\"schema\":\"coop.JobStatus/1\",\"id\":\"01J9ZQ6W3V8XK2T5M7N4P0RBCD\",\"name\":\"wordfreq.lua\",\"engine\":\"lua\","
        "\"state\":\"timed_out\",\"cause\":\"cpu_limit\",\"cause_detail\":\"\",\"reason\":\"\",\"attempt\":0,\"exit_code\":0,"
        "\"submitted_us\":0,\"elapsed_us\":0,\"cpu_us\":2000001,\"mem_bytes\":0,\"stdout_bytes\":0,\"stderr_bytes\":0,\"interp\":false,"
        "\"tenant\":\"\",\"queue\":\"\",\"class\":\"normal\",\"priority\":0,\"labels\":[],\"array_id\":\"\",\"array_index\":0,"
        "\"is_array\":false,\"not_before_us\":0,\"tasks\":null,\"infra_attempts\":0}");
}

static void a_receipt_without_its_parts_says_null_for_each(void **state)
{
    Pb__Receipt r = PB__RECEIPT__INIT;

    (void)state;
    r.cause = PB__CAUSE__CAUSE_OOM;
    r.outcome = PB__STATE__STATE_FAILED;
    r.exit_code = -1;
    assert_dump(
        json_document(&r.base),
        "{\"schema\":\"coop.Receipt/1\",\"job\":\"\",\"name\":\"\",\"engine\":\"\",\"attempt\":0,\"epoch\":0,\"outcome\":\"failed\","
        "\"cause\":\"oom\",\"cause_detail\":\"\",\"exit_code\":-1,\"signal\":0,\"error\":null,\"stdout\":null,\"stderr\":null,"
        "\"usage\":null,\"limits_effective\":null,\"enforcement\":null,\"times\":null,\"where\":null,"
        "\"violation\":null,\"outputs\":[],\"learned\":[],\"outputs_note\":\"\",\"chain\":null,\"interp\":false,"
        "\"tenant\":\"\",\"user\":\"\",\"attempts\":[],\"array_id\":\"\",\"array_index\":0,\"cost_charged\":0.0,\"cost_settled\":0.0,"
        "\"fault\":\"\"}");
}

static void a_receipt_with_its_parts_nests_them_without_schema(void **state)
{
    Pb__Receipt r = PB__RECEIPT__INIT;
    Pb__StreamTotal out = PB__STREAM_TOTAL__INIT;
    Pb__Enforcement e = PB__ENFORCEMENT__INIT;
    char *steps[] = { "no_new_privs", "seccomp" };
    json_t *doc;

    (void)state;
    out.bytes = 5;
    out.truncated = 1;
    e.seal = steps;
    e.n_seal = 2;
    r.stdout = &out;
    r.enforcement = &e;
    doc = json_document(&r.base);
    assert_dump(json_incref(json_object_get(doc, "stdout")), "{\"bytes\":5,\"dropped\":0,\"truncated\":true}");
    assert_dump(json_incref(json_object_get(json_object_get(doc, "enforcement"), "seal")), "[\"no_new_privs\",\"seccomp\"]");
    json_decref(doc);
}

static void bytes_are_text_when_they_can_be_and_base64_when_not(void **state)
{
    Pb__EnvVar v = PB__ENV_VAR__INIT;

    (void)state;
    v.name = "X";
    v.value = (ProtobufCBinaryData){ 3, (uint8_t *)"abc" };
    assert_dump(json_of_message(&v.base), "{\"name\":\"X\",\"value\":\"abc\"}");
    v.value = (ProtobufCBinaryData){ 0, NULL };
    assert_dump(json_of_message(&v.base), "{\"name\":\"X\",\"value\":\"\"}");
    v.value = (ProtobufCBinaryData){ 1, (uint8_t *)"\xff" };
    assert_dump(json_of_message(&v.base), "{\"name\":\"X\",\"value\":{\"base64\":\"/w==\"}}");
    v.value = (ProtobufCBinaryData){ 2, (uint8_t *)"a" }; /* with its NUL */
    assert_dump(json_of_message(&v.base), "{\"name\":\"X\",\"value\":{\"base64\":\"YQA=\"}}");
    v.value = (ProtobufCBinaryData){ 3, (uint8_t *)"\x01\xfe\x80" };
    assert_dump(json_of_message(&v.base), "{\"name\":\"X\",\"value\":{\"base64\":\"Af6A\"}}");
}

static void text_that_is_not_utf8_stays_valid_json(void **state)
{
    (void)state;
    assert_dump(json_text("a\xff\xe2\x82z", 5), "\"a\\uFFFD\\uFFFD\\uFFFDz\"");
    assert_dump(json_text("\xc3\xa9\x1b[2J", 6), "\"\\u00E9\\u001B[2J\"");
}

static void numbers_keep_64_bits_up_to_what_json_integers_hold(void **state)
{
    Pb__StreamTotal t = PB__STREAM_TOTAL__INIT;

    (void)state;
    t.bytes = INT64_MAX;
    t.dropped = UINT64_MAX;
    assert_dump(json_of_message(&t.base), "{\"bytes\":9223372036854775807,\"dropped\":9223372036854775807,\"truncated\":false}");
}

static void enum_names_lose_exactly_their_types_prefix(void **state)
{
    char buf[JSON_ENUM_BUF];

    (void)state;
    assert_string_equal(json_enum_name(&pb__state__descriptor, PB__STATE__STATE_READY, buf), "ready");
    assert_string_equal(json_enum_name(&pb__on_output_limit__descriptor, PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE, buf), "truncate");
    assert_string_equal(json_enum_name(&pb__stdin_mode__descriptor, PB__STDIN_MODE__STDIN_MODE_STREAM, buf), "stream");
    assert_string_equal(json_enum_name(&pb__error_code__descriptor, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND, buf), "not_found");
    assert_string_equal(json_enum_name(&pb__state__descriptor, 99, buf), "unknown_99");
}

static void no_enum_value_of_the_schema_keeps_its_prefix(void **state)
{
    const ProtobufCEnumDescriptor *all[] = { &pb__state__descriptor, &pb__cause__descriptor, &pb__stdin_mode__descriptor,
                                             &pb__on_output_limit__descriptor, &pb__error_code__descriptor };
    char buf[JSON_ENUM_BUF];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        for (unsigned k = 0; k < all[i]->n_values; k++) {
            json_enum_name(all[i], all[i]->values[k].value, buf);
            assert_true(strlen(buf) < strlen(all[i]->values[k].name));
            assert_null(strstr(buf, "state_"));
            assert_null(strstr(buf, "cause_"));
        }
}

static void an_error_names_its_code_and_its_exit_code(void **state)
{
    struct coop_error e = { .exit_code = COOP_EXIT_NOT_FOUND, .message = "no job 01J", .hint = "see coop ls" };

    (void)state;
    assert_dump(
        json_error(&e),
        "{\"schema\":\"coop.Error/1\",\"code\":\"not_found\",\"message\":\"no job 01J\",\"hint\":\"see coop ls\",\"exit_code\":80}");
}

static void a_chunk_of_output_says_how_it_is_written(void **state)
{
    (void)state;
    assert_dump(json_log_chunk("stdout", 7, "hi\n", 3),
                "{\"schema\":\"coop.LogChunk/1\",\"stream\":\"stdout\",\"offset\":7,\"data\":\"hi\\n\",\"encoding\":\"utf8\"}");
    assert_dump(json_log_chunk("stderr", 0, "\xff\xfe", 2),
                "{\"schema\":\"coop.LogChunk/1\",\"stream\":\"stderr\",\"offset\":0,\"data\":\"//4=\",\"encoding\":\"base64\"}");
}

/* ---- exit codes ---------------------------------------------------------------------------------------------------------------- */

static void every_cause_has_its_documented_exit_code(void **state)
{
    /* clang-format off */
    static const struct {
        Pb__Cause cause;
        int exit_code, signal, run, wait;
    } rows[] = {
        { PB__CAUSE__CAUSE_OK,           0,   0,  0,   0 },
        { PB__CAUSE__CAUSE_EXIT,         7,   0,  7,   1 },
        { PB__CAUSE__CAUSE_EXIT,         255, 0,  255, 1 },
        { PB__CAUSE__CAUSE_SIGNAL,       0,   11, 139, 139 },
        { PB__CAUSE__CAUSE_EXCEPTION,    1,   0,  122, 122 },
        { PB__CAUSE__CAUSE_OOM,          0,   9,  137, 137 },
        { PB__CAUSE__CAUSE_CPU_LIMIT,    0,   9,  124, 124 },
        { PB__CAUSE__CAUSE_WALL_LIMIT,   0,   9,  124, 124 },
        { PB__CAUSE__CAUSE_OUTPUT_LIMIT, 0,   9,  1,   1 },
        { PB__CAUSE__CAUSE_POLICY,       0,   31, 123, 123 },
        { PB__CAUSE__CAUSE_START_FAILED, 0,   0,  125, 125 },
        { PB__CAUSE__CAUSE_BAD_RESULT,   0,   0,  125, 125 },
        { PB__CAUSE__CAUSE_CANCELLED,    0,   9,  130, 130 },
        { PB__CAUSE__CAUSE_WORKER_LOST,  0,   9,  125, 125 },
        { PB__CAUSE__CAUSE_BROKER_LOST,  0,   0,  125, 125 },
        { PB__CAUSE__CAUSE_INTERNAL,     0,   0,  125, 125 },
        { PB__CAUSE__CAUSE_IDLE_LIMIT,   0,   9,  124, 124 },
        { PB__CAUSE__CAUSE_DISK_LIMIT,   0,   9,  1,   1 },
        { PB__CAUSE__CAUSE_PIDS_LIMIT,   1,   0,  1,   1 },
        { PB__CAUSE__CAUSE_BAD_SPEC,     126, 0,  126, 126 },
        { PB__CAUSE__CAUSE_BAD_SPEC,     127, 0,  127, 127 },
        { PB__CAUSE__CAUSE_BAD_SPEC,     0,   0,  126, 126 }, /* never a success */
        { PB__CAUSE__CAUSE_NONE,         0,   0,  125, 125 },
        { (Pb__Cause)99,                 0,   0,  125, 125 },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(outcome_of_run(rows[i].cause, rows[i].exit_code, rows[i].signal), rows[i].run);
        assert_int_equal(outcome_of_wait(rows[i].cause, rows[i].exit_code, rows[i].signal), rows[i].wait);
    }
}

static void the_outcome_table_has_a_row_for_every_cause(void **state)
{
    (void)state;
    assert_int_equal(outcome_count, pb__cause__descriptor.n_values);
}

/* ---- words for a terminal ------------------------------------------------------------------------------------------------------ */

static void hostile_text_cannot_reach_the_terminal(void **state)
{
    /* clang-format off */
    static const struct {
        const char *text, *safe;
    } rows[] = {
        { "plain 'text' \"quoted\"", "plain 'text' \"quoted\"" },
        { "gr\xc3\xb6\xc3\x9f" "e", "gr\xc3\xb6\xc3\x9f" "e" },
        { "\x1b[31mred", "\\x1b[31mred" },
        { "a\r\nb", "a\\x0d\\x0ab" },
        { "\xc2\x9b" "31m", "\\xc2\\x9b31m" },             /* C1 CSI */
        { "\xe2\x80\xae" "abc", "\\xe2\\x80\\xae" "abc" }, /* right-to-left override */
        { "\xff\xc3", "\\xff\\xc3" },
        { "\x7f", "\\x7f" },
    };
    /* clang-format on */
    char buf[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_string_equal(text_safe_str(buf, sizeof(buf), rows[i].text), rows[i].safe);
}

static void escaped_text_is_cut_at_a_whole_character(void **state)
{
    char buf[8];

    (void)state;
    assert_string_equal(text_safe_str(buf, sizeof(buf), "abcdef\xc3\xb6"), "abcdef");
    assert_string_equal(text_safe_str(buf, sizeof(buf), "abcd\x1b"), "abcd");
    assert_string_equal(text_safe_str(buf, sizeof(buf), "abc\x1b"), "abc\\x1b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_status_has_every_field_in_schema_order),
        cmocka_unit_test(a_receipt_without_its_parts_says_null_for_each),
        cmocka_unit_test(a_receipt_with_its_parts_nests_them_without_schema),
        cmocka_unit_test(bytes_are_text_when_they_can_be_and_base64_when_not),
        cmocka_unit_test(text_that_is_not_utf8_stays_valid_json),
        cmocka_unit_test(numbers_keep_64_bits_up_to_what_json_integers_hold),
        cmocka_unit_test(enum_names_lose_exactly_their_types_prefix),
        cmocka_unit_test(no_enum_value_of_the_schema_keeps_its_prefix),
        cmocka_unit_test(an_error_names_its_code_and_its_exit_code),
        cmocka_unit_test(a_chunk_of_output_says_how_it_is_written),
        cmocka_unit_test(every_cause_has_its_documented_exit_code),
        cmocka_unit_test(the_outcome_table_has_a_row_for_every_cause),
        cmocka_unit_test(hostile_text_cannot_reach_the_terminal),
        cmocka_unit_test(escaped_text_is_cut_at_a_whole_character),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
