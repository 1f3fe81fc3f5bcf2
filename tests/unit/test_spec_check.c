/* test_spec_check.c - which job specs the broker takes; each refusal says which limit, or what is wrong. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "broker/spec_check.h"
#include "frame.h"
#include "engine_table.h"
#include "job_limits.h"

/* A spec that is taken, with a little of everything; tests spoil one thing. */
struct fixture {
    Pb__JobSpec spec;
    Pb__Limits limits;
    ProtobufCBinaryData *args;
    Pb__EnvVar *env, **env_at;
    Pb__Module *modules, **modules_at;
    uint8_t *zeros; /* as large as the largest bound and one */
    char *text;
    char why[SPEC_WHY];
};

enum { BIG = LIMITS_STAGED + 1, MANY = LIMITS_ARG_N + 1 };

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char(*names)[8];

    f->args = calloc(MANY, sizeof(*f->args));
    f->env = calloc(MANY, sizeof(*f->env));
    f->env_at = calloc(MANY, sizeof(*f->env_at));
    f->modules = calloc(LIMITS_MODULE_N + 1, sizeof(*f->modules));
    f->modules_at = calloc(LIMITS_MODULE_N + 1, sizeof(*f->modules_at));
    f->zeros = malloc(BIG);
    f->text = calloc(LIMITS_MODULE_N + 1, sizeof(*names));
    names = (char(*)[8])f->text;
    memset(f->zeros, 'x', BIG);
    for (unsigned i = 0; i < MANY; i++) {
        f->args[i] = (ProtobufCBinaryData){ 1, f->zeros };
        pb__env_var__init(&f->env[i]);
        f->env[i].name = "N";
        f->env_at[i] = &f->env[i];
    }
    for (unsigned i = 0; i <= LIMITS_MODULE_N; i++) {
        pb__module__init(&f->modules[i]);
        (void)snprintf(names[i], sizeof(names[i]), "m%u", i);
        f->modules[i].name = names[i];
        f->modules_at[i] = &f->modules[i];
    }
    pb__limits__init(&f->limits);
    pb__job_spec__init(&f->spec);
    f->spec.name = "a job";
    f->spec.engine = "lua";
    f->spec.source_name = "a.lua";
    f->spec.source = (ProtobufCBinaryData){ 3, f->zeros };
    f->spec.limits = &f->limits;
    f->spec.args = f->args;
    f->spec.n_args = 2;
    f->spec.env = f->env_at;
    f->spec.n_env = 1;
    f->spec.modules = f->modules_at;
    f->spec.n_modules = 2;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    free(f->args);
    free(f->env);
    free(f->env_at);
    free(f->modules);
    free(f->modules_at);
    free(f->zeros);
    free(f->text);
    free(f);
    return 0;
}

static void expect(struct fixture *f, int rc, const char *words)
{
    int got;

    f->why[0] = '\0';
    got = spec_check(&f->spec, f->why);
    if (got != rc || strstr(f->why, words) == NULL)
        fail_msg("got %d and '%s', wanted %d and '%s'", got, f->why, rc, words);
    assert_true(frame_is_utf8(f->why, strlen(f->why))); /* it travels in a message, and only text does */
    for (const char *p = f->why; *p != '\0'; p++)
        assert_true((unsigned char)*p >= 0x20); /* to a terminal */
    assert_true(strlen(f->why) < SPEC_WHY - 1); /* not cut off */
}

static void over(struct fixture *f, const char *limit, unsigned max, unsigned is)
{
    char words[128];

    (void)snprintf(words, sizeof(words), "the limit '%s' allows %u, this job has %u", limit, max, is);
    expect(f, -EDQUOT, words);
}

static char *long_name(size_t n)
{
    static char name[2048];

    memset(name, 'n', n);
    name[n] = '\0';
    return name;
}

/* ---- taken -------------------------------------------------------------------------------------------------------------------------- */

static void a_good_spec_is_taken_and_its_limits_are_settled(void **state)
{
    struct fixture *f = *state;

    f->limits.wall_us = 5000000;
    expect(f, 0, "");
    for (size_t i = 0; i < limits_count; i++)
        assert_int_equal(limits_get(&f->limits, &limits_table[i]) > 0, limits_table[i].of[ENGINE_LUA].min > 0);
    assert_true(f->limits.wall_us == 5000000);
}

static void a_spec_exactly_at_every_bound_is_taken(void **state)
{
    struct fixture *f = *state;
    char name[LIMITS_NAME + 1];

    memset(name, 'n', LIMITS_NAME);
    name[LIMITS_NAME] = '\0';
    f->spec.name = f->spec.source_name = name;
    f->spec.source.len = LIMITS_SOURCE;
    f->spec.n_args = f->spec.n_env = LIMITS_ARG_N;
    f->args[0].len = LIMITS_ARGS - (LIMITS_ARG_N - 1) - LIMITS_ARG_N; /* the other arguments and the names of variables take the rest */
    f->spec.n_modules = LIMITS_MODULE_N;
    f->modules[0].source = (ProtobufCBinaryData){ LIMITS_MODULES, f->zeros };
    f->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    f->spec.stdin_data = (ProtobufCBinaryData){ LIMITS_STDIN, f->zeros };
    f->spec.on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE;
    expect(f, 0, "");
}

static void a_job_needs_no_name_and_names_may_be_in_any_script(void **state)
{
    struct fixture *f = *state;

    f->spec.name = "";
    expect(f, 0, "");
    f->spec.name = "W\xc3\xb6rter z\xc3\xa4hlen \xe2\x82\xac";
    expect(f, 0, "");
}

/* ---- above a limit: its name, what it allows, what there is ---------------------------------------------------------------------------- */

static void a_source_too_long_names_source(void **state)
{
    struct fixture *f = *state;

    f->spec.source.len = LIMITS_SOURCE + 1;
    over(f, "source", LIMITS_SOURCE, LIMITS_SOURCE + 1);
}

static void modules_too_long_together_name_modules(void **state)
{
    struct fixture *f = *state;

    f->modules[0].source = (ProtobufCBinaryData){ LIMITS_MODULES, f->zeros };
    f->modules[1].source = (ProtobufCBinaryData){ 1, f->zeros };
    over(f, "modules", LIMITS_MODULES, LIMITS_MODULES + 1);
}

static void too_many_modules_name_module_count(void **state)
{
    struct fixture *f = *state;

    f->spec.n_modules = LIMITS_MODULE_N + 1;
    over(f, "module count", LIMITS_MODULE_N, LIMITS_MODULE_N + 1);
}

static void stdin_too_long_names_stdin(void **state)
{
    struct fixture *f = *state;

    f->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    f->spec.stdin_data = (ProtobufCBinaryData){ LIMITS_STDIN + 1, f->zeros };
    over(f, "stdin", LIMITS_STDIN, LIMITS_STDIN + 1);
}

static void too_many_arguments_or_variables_name_argument_count(void **state)
{
    struct fixture *f = *state;

    f->spec.n_args = MANY;
    over(f, "argument count", LIMITS_ARG_N, MANY);
    f->spec.n_args = 0;
    f->spec.n_env = MANY;
    over(f, "argument count", LIMITS_ARG_N, MANY);
}

static void arguments_and_variables_too_long_together_name_args(void **state)
{
    struct fixture *f = *state;

    f->spec.n_args = 1;
    f->args[0].len = LIMITS_ARGS;
    f->env[0].value = (ProtobufCBinaryData){ 0, NULL };
    over(f, "args", LIMITS_ARGS, LIMITS_ARGS + 1); /* the name of the variable */
    f->args[0].len = 0;
    f->env[0].value = (ProtobufCBinaryData){ LIMITS_ARGS, f->zeros };
    over(f, "args", LIMITS_ARGS, LIMITS_ARGS + 1);
}

static void names_too_long_name_name(void **state)
{
    struct fixture *f = *state;
    char **names[] = { &f->spec.name, &f->spec.source_name, &f->env[0].name, &f->modules[1].name };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *good = *names[i];

        *names[i] = long_name(LIMITS_NAME + 1);
        over(f, "name", LIMITS_NAME, LIMITS_NAME + 1);
        *names[i] = good;
    }
}

static void a_limit_above_its_maximum_or_below_its_minimum_is_named(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < limits_count; i++) {
        uint64_t *cell = (uint64_t *)((char *)&f->limits + limits_table[i].offset);
        char words[64];

        (void)snprintf(words, sizeof(words), "limit %s: ", limits_table[i].name);
        *cell = limits_table[i].max + 1;
        if (limits_table[i].of[ENGINE_LUA].min == 0) {
            expect(f, -EINVAL, words);
            *cell = 0;
            continue;
        }
        expect(f, -EDQUOT, words);
        if (limits_table[i].of[ENGINE_LUA].min > 1) {
            *cell = limits_table[i].of[ENGINE_LUA].min - 1;
            expect(f, -EINVAL, words);
        }
        *cell = 0;
    }
}

/* ---- senseless -------------------------------------------------------------------------------------------------------------------------- */

static void an_unknown_engine_is_answered_with_the_known_ones(void **state)
{
    static const struct {
        char *engine, *words;
    } rows[] = {
        {"",            "unknown engine ''; this broker has: lua"    },
        { "lau",        "unknown engine 'lau'; did you mean 'lua'?"  },
        { "lua5.4",     "unknown engine 'lua5.4'"                    },
        { "perl",       "unknown engine 'perl'; this broker has: lua"},
        { "LUA",        "unknown engine 'LUA'"                       },
        { "\x1b[2Jlua", "unknown engine"                             },
        { "\n",         "unknown engine"                             },
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f->spec.engine = rows[i].engine;
        expect(f, -EINVAL, rows[i].words);
    }
}

/* A cut in the middle of a letter would make the answer a message that the client must refuse. */
static void every_engine_of_the_table_is_known_by_its_name(void **state)
{
    struct fixture *f = *state;
    char why[SPEC_WHY];

    f->spec.n_modules = 0;
    for (int i = 0; i < ENGINE_COUNT; i++) {
        f->spec.engine = (char *)engine_table[i].name;
        assert_string_equal(engine_names[i], engine_table[i].name);
        assert_int_equal(engine_find(engine_table[i].name), i);
        pb__limits__init(&f->limits); /* settled ones are one engine's */
        assert_int_equal(spec_check(&f->spec, why), engine_table[i].instead_of != NULL ? -EINVAL : 0);
    }
    assert_null(engine_names[ENGINE_COUNT]);
}

static void threads_are_bound_by_what_the_engine_has(void **state)
{
    struct fixture *f = *state;
    char why[SPEC_WHY];

    f->limits.threads = 2;
    expect(f, -EINVAL, "limit threads: 2 is above the maximum of 1 for the engine 'lua'");
    f->spec.engine = "native";
    f->spec.n_modules = 0;
    assert_int_equal(spec_check(&f->spec, why), 0);
    f->limits.threads = 64;
    assert_int_equal(spec_check(&f->spec, why), 0);
    f->limits.threads = 65;
    expect(f, -EDQUOT, "limit threads: 65 is above the maximum of 64");
}

static void a_native_job_has_no_modules(void **state)
{
    struct fixture *f = *state;

    f->spec.engine = "native";
    expect(f, -EINVAL, "the engine 'native' takes no modules");
}

static void the_answer_to_an_unknown_engine_of_any_length_is_text(void **state)
{
    struct fixture *f = *state;
    char engine[400];

    for (unsigned n = 0; n < 120; n++) {
        char *p = engine;

        for (unsigned i = 0; i < n % 4; i++)
            *p++ = 'a';
        for (unsigned i = 0; i < n / 2; i++)
            p = stpcpy(p, n % 2 != 0 ? "\xe2\x82\xac" : "\xf0\x9f\x99\x82");
        *p = '\0';
        f->spec.engine = engine;
        expect(f, -EINVAL, "unknown engine");
    }
}

static void control_characters_in_names_are_refused(void **state)
{
    static char *const bad[] = { "a\nb",
                                 "\x1b[31mred",
                                 "tab\there",
                                 "del\x7f",
                                 "\x01",
                                 "end\r",
                                 "csi\xc2\x9b"
                                 "31m" };
    struct fixture *f = *state;
    const struct {
        char **name, *words;
    } names[] = {
        {&f->spec.name,         "name of the job has a control character"   },
        { &f->spec.source_name, "name of the source has a control character"},
        { &f->env[0].name,      "name of a variable has a control character"},
        { &f->modules[1].name,  "name of a module has a control character"  },
    };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        for (unsigned k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
            char *good = *names[i].name;

            *names[i].name = bad[k];
            expect(f, -EINVAL, names[i].words);
            *names[i].name = good;
        }
}

static void an_interpreter_may_have_a_source_and_no_longer_one_than_a_job(void **state)
{
    struct fixture *f = *state;
    char why[SPEC_WHY];

    assert_int_equal(spec_check_interp(&f->spec, why), 0);
    f->spec.source.len = 0;
    assert_int_equal(spec_check_interp(&f->spec, why), 0);
    f->spec.source.len = LIMITS_SOURCE + 1;
    assert_int_equal(spec_check_interp(&f->spec, why), -EDQUOT);
    assert_non_null(strstr(why, "source"));
}

static void empty_names_and_an_empty_source_are_refused(void **state)
{
    struct fixture *f = *state;

    f->spec.source_name = "";
    expect(f, -EINVAL, "the name of the source is empty");
    f->spec.source_name = "a.lua";
    f->env[0].name = "";
    expect(f, -EINVAL, "the name of a variable is empty");
    f->env[0].name = "N";
    f->modules[0].name = "";
    expect(f, -EINVAL, "the name of a module is empty");
    f->modules[0].name = "m";
    f->spec.source = (ProtobufCBinaryData){ 0, NULL };
    expect(f, -EINVAL, "the source is empty");
}

static void nul_bytes_in_arguments_and_values_are_refused(void **state)
{
    struct fixture *f = *state;

    f->args[1] = (ProtobufCBinaryData){ 3, (uint8_t *)"a\0b" };
    expect(f, -EINVAL, "argument 2 has a NUL byte");
    f->args[1] = (ProtobufCBinaryData){ 2, (uint8_t *)"\xff\xfe" }; /* any other byte is fine */
    expect(f, 0, "");
    f->env[0].value = (ProtobufCBinaryData){ 1, (uint8_t *)"" };
    expect(f, -EINVAL, "variable 1 has '=' in its name or a NUL byte in its value");
    f->env[0].value = (ProtobufCBinaryData){ 0, NULL };
    f->env[0].name = "A=B";
    expect(f, -EINVAL, "variable 1 has '='");
}

static void two_modules_of_one_name_are_refused(void **state)
{
    struct fixture *f = *state;

    f->spec.n_modules = 5;
    f->modules[4].name = "m1";
    expect(f, -EINVAL, "two modules are named 'm1'");
}

static void stdin_data_without_inline_is_refused(void **state)
{
    struct fixture *f = *state;

    f->spec.stdin_data = (ProtobufCBinaryData){ 1, f->zeros };
    expect(f, -EINVAL, "stdin_mode is not inline");
    f->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
    expect(f, -EINVAL, "stdin_mode is not inline");
}

static void modes_that_do_not_exist_are_refused(void **state)
{
    static const int32_t bad[] = { -1, 3, 1000, INT32_MAX, INT32_MIN };
    struct fixture *f = *state;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        f->spec.stdin_mode = (Pb__StdinMode)bad[i];
        expect(f, -EINVAL, "unknown stdin_mode");
        f->spec.stdin_mode = PB__STDIN_MODE__STDIN_MODE_NONE;
        f->spec.on_output_limit = (Pb__OnOutputLimit)bad[i];
        expect(f, -EINVAL, "on_output_limit");
        f->spec.on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_KILL;
    }
}

/* ---- programs ------------------------------------------------------------------------------------------------------------------------- */

static void becomes_a_program(struct fixture *f)
{
    f->spec.engine = "exec";
    f->spec.n_modules = 0;
    pb__limits__init(&f->limits); /* another engine's defaults may stand there */
}

static void a_program_is_sent_or_named(void **state)
{
    static const struct {
        const char *program;
        size_t source;
        const char *words; /* NULL: taken */
    } rows[] = {
        {"",               1,                 NULL                                             },
        { "",              LIMITS_SOURCE + 1, NULL                                             }, /* a script is not so long */
        { "bash",          0,                 NULL                                             },
        { "/usr/bin/env",  0,                 NULL                                             },
        { "W\xc3\xb6rter", 0,                 NULL                                             },
        { "",              0,                 "nothing to run"                                 },
        { "bash",          1,                 "a program is named and another one is sent"     },
        { "bin/bash",      0,                 "the program's path is not absolute"             },
        { "./bash",        0,                 "the program's path is not absolute"             },
        { "../bash",       0,                 "the program's path is not absolute"             },
        { "ba\nsh",        0,                 "the name of the program has a control character"},
    };
    struct fixture *f = *state;

    becomes_a_program(f);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        f->spec.program = (char *)rows[i].program;
        f->spec.source = (ProtobufCBinaryData){ rows[i].source, f->zeros };
        expect(f, rows[i].words != NULL ? -EINVAL : 0, rows[i].words != NULL ? rows[i].words : "");
    }
    f->spec.source.len = 0;
    f->spec.program = long_name(LIMITS_PATH / 2);
    expect(f, 0, "");
    f->spec.program = long_name(LIMITS_PATH + 1);
    over(f, "program", LIMITS_PATH, LIMITS_PATH + 1);
}

static void what_only_programs_have_is_refused_for_the_other_engines(void **state)
{
    static const char *const engines[] = { "lua", "native" };
    struct fixture *f = *state;
    Pb__StagedFile file = PB__STAGED_FILE__INIT, *files[] = { &file };
    Pb__TtySize tty = PB__TTY_SIZE__INIT;
    char *words[] = { "proc" };

    file.name = "x";
    tty.rows = tty.columns = 1;
    f->spec.n_modules = 0;
    f->spec.files = files;
    f->spec.outputs = f->spec.caps = words;
    for (unsigned i = 0; i < sizeof(engines) / sizeof(engines[0]); i++) {
        f->spec.engine = (char *)engines[i];
        f->spec.program = "bash";
        expect(f, -EINVAL, "takes no program");
        f->spec.program = "";
        f->spec.n_files = 1;
        expect(f, -EINVAL, "takes no files");
        f->spec.n_files = 0;
        f->spec.n_outputs = 1;
        expect(f, -EINVAL, "takes no outputs");
        f->spec.n_outputs = 0;
        f->spec.n_caps = 1;
        expect(f, -EINVAL, "cannot have the capability 'proc'");
        f->spec.n_caps = 0;
        f->spec.tty = &tty;
        expect(f, -EINVAL, "takes no terminal");
        f->spec.tty = NULL;
        f->spec.policy = "x";
        expect(f, -EINVAL, "takes no policy of its own");
        f->spec.policy = "";
        f->spec.learn = 1;
        expect(f, -EINVAL, "takes no learning of a policy");
        f->spec.learn = 0;
        expect(f, 0, "");
    }
    becomes_a_program(f);
    f->spec.n_files = f->spec.n_outputs = f->spec.n_caps = 1;
    f->spec.tty = &tty;
    f->spec.policy = "allow getpriority # to see";
    f->spec.learn = 1;
    expect(f, 0, "");
    f->spec.tty = NULL;
}

/* The details are test_job_files.c's. */
static void a_programs_files_outputs_and_capabilities_are_looked_at(void **state)
{
    struct fixture *f = *state;
    Pb__StagedFile file = PB__STAGED_FILE__INIT, *files[] = { &file };
    char *outputs[] = { "../*" }, *caps[] = { "nett" };

    becomes_a_program(f);
    f->spec.files = files;
    f->spec.n_files = 1;
    file.name = "../x";
    expect(f, -EINVAL, "has a component '..'");
    file.name = f->spec.source_name;
    expect(f, -EINVAL, "two files are named");
    file.name = "x";
    file.mode = 04755;
    expect(f, -EINVAL, "the mode 4755");
    file.mode = 0755;
    file.data = (ProtobufCBinaryData){ LIMITS_STAGED, f->zeros };
    expect(f, -EDQUOT, "a program and its files may have");
    file.data.len = 0;
    f->spec.outputs = outputs;
    f->spec.n_outputs = 1;
    expect(f, -EINVAL, "the output '../*' has a component '..'");
    f->spec.n_outputs = 0;
    f->spec.caps = caps;
    f->spec.n_caps = 1;
    expect(f, -EINVAL, "unknown capability 'nett'; did you mean 'net'?");
}

static void files_that_the_disk_limit_does_not_hold_are_refused(void **state)
{
    struct fixture *f = *state;

    becomes_a_program(f);
    f->spec.source = (ProtobufCBinaryData){ 1 << 20, f->zeros };
    f->limits.disk_bytes = 1 << 20;
    expect(f, 0, "");
    f->limits.disk_bytes = (1 << 20) - 1;
    f->limits.file_bytes = 0;
    expect(f, -EINVAL, "limit disk: the program and its files have");
}

static void terminals_have_a_size(void **state)
{
    static const uint32_t good[] = { 1, 24, LIMITS_TTY }, bad[] = { 0, LIMITS_TTY + 1, UINT32_MAX };
    struct fixture *f = *state;
    Pb__TtySize tty = PB__TTY_SIZE__INIT;

    becomes_a_program(f);
    f->spec.tty = &tty;
    for (unsigned i = 0; i < 3; i++) {
        tty.rows = tty.columns = good[i];
        expect(f, 0, "");
        tty.rows = bad[i];
        expect(f, -EINVAL, "a terminal of");
        tty.rows = 1;
        tty.columns = bad[i];
        expect(f, -EINVAL, "a terminal of 1 rows and");
    }
    f->spec.tty = NULL;
}

static void policies_and_requirements_have_a_length(void **state)
{
    struct fixture *f = *state;
    char *text = malloc(LIMITS_POLICY + 2);

    memset(text, '#', LIMITS_POLICY + 1);
    text[LIMITS_POLICY + 1] = '\0';
    becomes_a_program(f);
    f->spec.policy = text + 1;
    expect(f, 0, "");
    f->spec.policy = text;
    expect(f, -EDQUOT, "the limit 'policy' allows 65536 bytes, this job has 65537");
    f->spec.policy = "allow getpriority # to see\nallow ptrace # to look\n";
    expect(f, -EINVAL, "line 2: ptrace can not be allowed");
    f->spec.policy = "x\x1b[2J\n";
    expect(f, -EINVAL, "line 1");
    f->spec.policy = "";
    f->spec.require = long_name(LIMITS_REQUIRE + 1);
    over(f, "require", LIMITS_REQUIRE, LIMITS_REQUIRE + 1);
    f->spec.require = "tier=T1\n";
    expect(f, -EINVAL, "what is required has a control character");
    f->spec.require = "teir=T1";
    expect(f, -EINVAL, "tier");
    f->spec.engine = "lua"; /* it is for every engine */
    pb__limits__init(&f->limits);
    f->spec.policy = "";
    expect(f, -EINVAL, "tier");
    f->spec.require = "tier=T1";
    expect(f, 0, "");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_spec_is_taken_and_its_limits_are_settled),
        TEST(a_spec_exactly_at_every_bound_is_taken),
        TEST(a_job_needs_no_name_and_names_may_be_in_any_script),
        TEST(a_source_too_long_names_source),
        TEST(modules_too_long_together_name_modules),
        TEST(too_many_modules_name_module_count),
        TEST(stdin_too_long_names_stdin),
        TEST(too_many_arguments_or_variables_name_argument_count),
        TEST(arguments_and_variables_too_long_together_name_args),
        TEST(names_too_long_name_name),
        TEST(a_limit_above_its_maximum_or_below_its_minimum_is_named),
        TEST(an_unknown_engine_is_answered_with_the_known_ones),
        TEST(every_engine_of_the_table_is_known_by_its_name),
        TEST(threads_are_bound_by_what_the_engine_has),
        TEST(a_native_job_has_no_modules),
        TEST(the_answer_to_an_unknown_engine_of_any_length_is_text),
        TEST(control_characters_in_names_are_refused),
        TEST(an_interpreter_may_have_a_source_and_no_longer_one_than_a_job),
        TEST(empty_names_and_an_empty_source_are_refused),
        TEST(nul_bytes_in_arguments_and_values_are_refused),
        TEST(two_modules_of_one_name_are_refused),
        TEST(stdin_data_without_inline_is_refused),
        TEST(modes_that_do_not_exist_are_refused),
        TEST(a_program_is_sent_or_named),
        TEST(what_only_programs_have_is_refused_for_the_other_engines),
        TEST(a_programs_files_outputs_and_capabilities_are_looked_at),
        TEST(files_that_the_disk_limit_does_not_hold_are_refused),
        TEST(terminals_have_a_size),
        TEST(policies_and_requirements_have_a_length),
    };

    return cmocka_run_group_tests_name("spec_check", tests, NULL, NULL);
}
