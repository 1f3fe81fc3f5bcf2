/* test_args.c - command lines, good and bad; the tables behind them; what is read for a job; what help says of it all. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/args.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/program.h"
#include "cli/submit_spec.h"

#include <coop/exit_codes.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
enum { WORDS = 48 };

/* Splits line at spaces into argv ("coop" first) and parses it. The words live in the static buffer until the next call. */
static int parse(const char *line, struct command *c, struct coop_error *why)
{
    static char words[1024];
    char *argv[WORDS + 1] = { "coop" }, *rest = words, *word;
    int argc = 1;

    snprintf(words, sizeof(words), "%s", line);
    while ((word = strsep(&rest, " ")) != NULL && argc < WORDS)
        if (word[0] != '\0')
            argv[argc++] = word;
    argv[argc] = NULL;
    return command_parse(argc, argv, c, why);
}

static void limits_may_have_a_space_after_the_comma(void **state)
{
    char *argv[] = { "coop", "run", "--limit", "cpu=1s, memory=100M", "x.lua", NULL };
    struct coop_error why;
    struct command c;

    (void)state;
    assert_int_equal(command_parse(5, argv, &c, &why), 0);
    assert_int_equal(c.opt.limits.memory_bytes, 100 << 20);
    command_finish(&c);
}

/* As main() has it: what nobody has filled in is there to be finished. */
static void a_line_that_there_is_no_memory_for_leaves_nothing_to_free(void **state)
{
    char *argv[] = { "coop", "ls", NULL };
    struct rlimit was, none;
    struct coop_error why;
    struct command c;
    int rc;

    (void)state;
#if defined(COOP_ASAN) || defined(COOP_TSAN) /* a sanitizer wants an address space without limit */
    skip();
#endif
    memset(&c, 0x5a, sizeof(c));
    assert_int_equal(getrlimit(RLIMIT_AS, &was), 0);
    none = (struct rlimit){ 0, was.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    rc = command_parse(INT_MAX, argv, &c, &why);
    assert_int_equal(setrlimit(RLIMIT_AS, &was), 0);
    assert_int_equal(rc, -ENOMEM);
    assert_string_equal(why.message, "out of memory");
    command_finish(&c);
}

static void every_cause_that_ends_a_job_is_in_the_manual(void **state)
{
    char *text = NULL, line[80];
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    help_man(out);
    assert_int_equal(fclose(out), 0);
    for (unsigned i = 1; i < pb__cause__descriptor.n_values; i++) {
        const char *name = pb__cause__descriptor.values[i].name + strlen("CAUSE_");

        snprintf(line, sizeof(line), ".B %s\n", name);
        for (char *p = line + 3; *p != '\0'; p++)
            if (*p >= 'A' && *p <= 'Z')
                *p = (char)(*p - 'A' + 'a');
        if (strstr(text, line) == NULL)
            fail_msg("the manual does not explain %s", name);
    }
    free(text);
}

static void refused_command_lines_say_what_is_wrong_and_what_is_near(void **state)
{
    /* clang-format off */
    static const struct {
        const char *line;
        int exit_code;
        const char *message, *hint; /* parts of each; NULL: no hint */
    } rows[] = {
        { "",                              2,  "no verb given",                          NULL },
        { "rnu x.lua",                     2,  "unknown verb 'rnu'",                     "'coop run'" },
        { "frobnicate",                    2,  "unknown verb 'frobnicate'",              NULL },
        { "run",                           2,  "wants FILE",                             "usage: coop run" },
        { "ls extra",                      2,  "takes no arguments",                     "usage: coop ls" },
        { "show A B",                      2,  "'B' is too much",                        "usage: coop show" },
        { "run --egine lua x",             2,  "unknown flag --egine",                   "'--engine'" },
        { "run --egine=lua x",             2,  "unknown flag --egine;",                  "'--engine'" },
        { "ls --stdin x",                  2,  "--stdin is not a flag of 'ls'",          NULL },
        { "--name x ls",                   2,  "--name belongs after the verb",          NULL },
        { "run -z x",                      2,  "unknown flag -z",                        NULL },
        { "logs -fx A",                    2,  "unknown flag -fx",                       NULL },
        { "ls --json=1",                   2,  "--json takes no value",                  NULL },
        { "run --limit",                   2,  "--limit wants a value",                  NULL },
        { "run --limit memroy=1M x",       2,  "unknown limit 'memroy'; did you mean 'memory'", NULL },
        { "run --limit cpu=2x x",          2,  "'2x' is not a time",                     NULL },
        { "run --limit memory=lots x",     2,  "'lots' is not a size",                   NULL },
        { "run --limit cpu x",             2,  "NAME=VALUE",                             NULL },
        { "run --limit cpu=5000h x",       79, "above the maximum of 1h",                NULL },
        { "run --limit memory=1 x",        2,  "below the minimum of 1M",                NULL },
        { "run --env A x",                 2,  "is not NAME=VALUE",                      "-e LANG=C" },
        { "run -e =A x",                   2,  "is not NAME=VALUE",                      "-e LANG=C" },
        { "run --on-output-limit trunkate x", 2, "kill or truncate",                     "truncate" },
        { "run --timeout soon x",          2,  "'soon' is not a time",                   NULL },
        { "run --timeout 0 x",             2,  "not a time above 0",                     NULL },
        { "run --timeout 99999h x",        2,  "longer than a year",                     NULL },
        { "run --name \x1b[2J x",          2,  "'\\x1b[2J'",                             NULL },
        { "run --file :x y",               2,  "names no file",                          NULL },
        { "ls --limit 0",                  2,  "1 to 1000",                              NULL },
        { "ls --limit 1001",               2,  "1 to 1000",                              NULL },
        { "ls --limit cpu=2s",             2,  "how many jobs",                          NULL },
        { "ls --state runing",             2,  "unknown state 'runing'",                 "running" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct coop_error why;
        struct command c;

        if (parse(rows[i].line, &c, &why) == 0)
            fail_msg("accepted: coop %s", rows[i].line);
        command_finish(&c);
        if (why.exit_code != rows[i].exit_code || strstr(why.message, rows[i].message) == NULL ||
            (rows[i].hint == NULL ? why.hint[0] != '\0' : strstr(why.hint, rows[i].hint) == NULL))
            fail_msg("coop %s: exit %d, \"%s\", hint \"%s\"", rows[i].line, why.exit_code, why.message, why.hint);
    }
}

static void after_the_file_everything_is_the_jobs(void **state)
{
    /* clang-format off */
    static const struct {
        const char *line, *args; /* joined by '|' */
    } rows[] = {
        { "run f.lua",                    "f.lua" },
        { "run f.lua a b",                "f.lua|a|b" },
        { "run f.lua -- a b",             "f.lua|a|b" },
        { "run f.lua --json -q",          "f.lua|--json|-q" },
        { "run f.lua a -- b",             "f.lua|a|--|b" },
        { "run f.lua -- -- b",            "f.lua|--|b" },
        { "run --name x -- f.lua a",      "f.lua|a" },
        { "run -- --odd.lua a",           "--odd.lua|a" },
        { "submit - a",                   "-|a" },
        { "wait A B",                     "A|B" },
        { "wait A --quiet B",             "A|B" },
        { "wait -- A --quiet",            "A|--quiet" },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char joined[256] = "";
        struct coop_error why;
        struct command c;

        assert_int_equal(parse(rows[i].line, &c, &why), 0);
        for (int k = 0; k < c.n_args; k++)
            snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s%s", k > 0 ? "|" : "", c.args[k]);
        assert_string_equal(joined, rows[i].args);
        assert_false(c.opt.json);
        command_finish(&c);
    }
}

static void flags_of_run_land_in_their_options(void **state)
{
    struct coop_error why;
    struct command c;

    (void)state;
    assert_int_equal(parse("--json run --engine lua --limit cpu=2s,memory=64M --limit=stdout=1K -e A=1 -eB=2 --env C= --stdin - "
                           "--file m.lua --name n --on-output-limit=truncate --timeout 1.5s -q --no-autostart --receipt f.lua",
                           &c, &why),
                     0);
    assert_ptr_equal(c.verb, &verb_table[VERB_RUN]);
    assert_true(c.opt.json && c.opt.quiet && c.opt.no_autostart && c.opt.receipt);
    assert_string_equal(c.opt.engine, "lua");
    assert_int_equal(c.opt.limits.cpu_us, 2000000);
    assert_int_equal(c.opt.limits.memory_bytes, 64 << 20);
    assert_int_equal(c.opt.limits.stdout_bytes, 1024);
    assert_int_equal(c.opt.limits.wall_us, 0);
    assert_int_equal(c.opt.env.n, 3);
    assert_string_equal(c.opt.env.items[1], "B=2");
    assert_int_equal(c.opt.files.n, 1);
    assert_string_equal(c.opt.stdin_path, "-");
    assert_int_equal(c.opt.on_output_limit, PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE);
    assert_int_equal(c.opt.timeout_us, 1500000);
    command_finish(&c);
}

static void limit_means_a_count_for_ls(void **state)
{
    struct coop_error why;
    struct command c;

    (void)state;
    assert_int_equal(parse("ls --limit 7 --state running,failed --state ready", &c, &why), 0);
    assert_int_equal(c.opt.count, 7);
    assert_int_equal(c.opt.states, 1u << PB__STATE__STATE_RUNNING | 1u << PB__STATE__STATE_FAILED | 1u << PB__STATE__STATE_READY);
    command_finish(&c);
}

static void asking_for_help_needs_no_arguments(void **state)
{
    struct coop_error why;
    struct command c;

    (void)state;
    assert_int_equal(parse("run --help", &c, &why), 0);
    assert_true(c.opt.help);
    command_finish(&c);
    assert_int_equal(parse("--help", &c, &why), 0);
    assert_ptr_equal(c.verb, &verb_table[VERB_HELP]);
    command_finish(&c);
    assert_int_equal(parse("--version", &c, &why), 0);
    assert_ptr_equal(c.verb, &verb_table[VERB_VERSION]);
    command_finish(&c);
}

/* ---- the tables ---------------------------------------------------------------------------------------------------------------- */

static void every_verb_has_a_name_a_summary_and_something_to_run(void **state)
{
    (void)state;
    for (size_t i = 0; i < verb_count; i++) {
        assert_non_null(verb_table[i].name);
        assert_non_null(verb_table[i].usage);
        assert_non_null(verb_table[i].summary);
        assert_non_null(verb_table[i].text);
        assert_non_null(verb_table[i].run);
        assert_ptr_equal(verb_find(verb_table[i].name), &verb_table[i]);
        assert_true(verb_table[i].text[0] == '\0' || verb_table[i].text[strlen(verb_table[i].text) - 1] == '\n');
    }
}

static void every_flag_has_help_and_is_unique_within_each_verb(void **state)
{
    (void)state;
    for (size_t i = 0; i < flag_count; i++) {
        const struct flag *a = &flag_table[i];

        assert_true(a->help != NULL && a->help[0] != '\0');
        assert_true(a->verbs != 0);
        assert_true(a->value != NULL || a->read == NULL); /* a flag without a value is a switch */
        for (size_t k = i + 1; k < flag_count; k++) {
            const struct flag *b = &flag_table[k];

            if ((a->verbs & b->verbs) == 0)
                continue;
            assert_string_not_equal(a->name, b->name);
            assert_true(a->letter == 0 || a->letter != b->letter);
        }
    }
}

static void state_words_are_the_schemas_own(void **state)
{
    (void)state;
    for (unsigned i = 0; i < pb__state__descriptor.n_values; i++) {
        char upper[64] = "STATE_";

        for (size_t k = 0; state_words[i][k] != '\0'; k++)
            upper[6 + k] = (char)(state_words[i][k] == '_' ? '_' : state_words[i][k] - 'a' + 'A');
        assert_string_equal(protobuf_c_enum_descriptor_get_value(&pb__state__descriptor, (int)i)->name, upper);
    }
    assert_null(state_words[pb__state__descriptor.n_values]);
}

/* ---- what is read for a job ---------------------------------------------------------------------------------------------------- */

struct files {
    char dir[64];
};

static char *put_file(const struct files *f, const char *name, const void *bytes, size_t len, char path[128])
{
    FILE *out;

    snprintf(path, 128, "%s/%s", f->dir, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    fclose(out);
    return path;
}

static int files_setup(void **state)
{
    struct files *f = calloc(1, sizeof(*f));

    strcpy(f->dir, "/tmp/coop-test-args-XXXXXX");
    *state = f;
    return mkdtemp(f->dir) != NULL ? 0 : -1;
}

static int files_teardown(void **state)
{
    struct files *f = *state;
    char command[128];
    int rc;

    snprintf(command, sizeof(command), "rm -r %s", f->dir);
    rc = system(command);
    free(f);
    return rc;
}

static int make(const char *fmt, const char *path, struct command *c, struct spec *s, struct coop_error *why)
{
    char line[512], *star;

    snprintf(line, sizeof(line), "%s", fmt);
    star = strchr(line, '*');
    assert_non_null(star);
    snprintf(star, sizeof(line) - (size_t)(star - line), "%s%s", path, fmt + (star - line) + 1);
    assert_int_equal(parse(line, c, why), 0);
    return spec_make(c, true, s, why);
}

static void scripts_that_are_none_are_refused(void **state)
{
    struct files *f = *state;
    /* clang-format off */
    static const struct {
        const char *name, *bytes;
        size_t len;
        const char *line;
        int exit_code;
        const char *message;
    } rows[] = {
        { "empty.lua",    "",            0, "submit *",                  2, "is empty" },
        { "nul.lua",      "a\0b",        3, "submit *",                  2, "not text" },
        { "code.lua",     "\033LuaS",    5, "submit *",                  2, "compiled lua" },
        { "noend",        "print(1)",    8, "submit *",                  126, "cannot tell what runs" },
        { "noword",       "#!  \n",      5, "submit *",                  126, "cannot tell what runs" },
        { "luac.out",     "\033LuaS",    5, "submit *",                  2, "compiled lua" },
        { "py.py",        "print(1)",    8, "submit --engine exec *",    126, "is no program: it is no ELF file" },
        { "cut",          "\177ELF\2\1", 6, "submit *",                 126, "is truncated: an ELF header has 64 bytes, the file 6" },
        { "cut",          "\177ELF\2\1", 6, "submit --engine exec *",   126, "is truncated" },
        { "x.lua",        "x",           1, "submit --engine luaa *",    2, "unknown engine 'luaa'" },
        { "x.lua",        "x",           1, "submit --file /nonesuch *", 2, "module /nonesuch does not exist" },
        { "x.lua",        "x",           1, "submit --stdin /nonesuch *", 2, "input /nonesuch does not exist" },
        { "x.lua",        "x",           1, "submit --file /dev/null:a --file /dev/null:a *", 2, "two modules are called 'a'" },
        { "x.lua",        "x",           1, "submit --stdin /tmp *",     2, "is a directory" },
    };
    /* clang-format on */

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct coop_error why;
        struct command c;
        struct spec s;
        char path[128];

        put_file(f, rows[i].name, rows[i].bytes, rows[i].len, path);
        if (make(rows[i].line, path, &c, &s, &why) == 0)
            fail_msg("accepted: %s with %s", rows[i].line, rows[i].name);
        if (why.exit_code != rows[i].exit_code || strstr(why.message, rows[i].message) == NULL)
            fail_msg("%s: exit %d, \"%s\"", rows[i].name, why.exit_code, why.message);
        command_finish(&c);
    }
}

static void a_script_over_the_source_limit_is_refused_by_its_name(void **state)
{
    struct files *f = *state;
    struct coop_error why;
    struct command c;
    struct spec s;
    char path[128];

    put_file(f, "big.lua", "x", 1, path);
    assert_int_equal(truncate(path, 100 << 20), 0);
    assert_true(make("submit *", path, &c, &s, &why) < 0);
    assert_int_equal(why.exit_code, COOP_EXIT_QUOTA);
    assert_non_null(strstr(why.message, "may have 8M"));
    command_finish(&c);
}

static void a_spec_carries_what_the_command_line_said(void **state)
{
    struct files *f = *state;
    struct coop_error why;
    struct command c;
    struct spec s;
    char path[128], module[128], line[512];

    put_file(f, "m.lua", "return 1", 8, module);
    put_file(f, "x.lua", "print(1)", 8, path);
    snprintf(line, sizeof(line), "submit -e A=1 -e A=2 --file %s --file %s:n --limit wall=3s * a -b", module, module);
    assert_int_equal(make(line, path, &c, &s, &why), 0);
    assert_string_equal(s.pb.engine, "lua");
    assert_string_equal(s.pb.name, "x.lua");
    assert_string_equal(s.pb.source_name, "x.lua");
    assert_int_equal(s.pb.source.len, 8);
    assert_int_equal(s.pb.n_args, 2);
    assert_memory_equal(s.pb.args[1].data, "-b", 2);
    assert_int_equal(s.pb.n_env, 1);
    assert_memory_equal(s.pb.env[0]->value.data, "2", 1);
    assert_int_equal(s.pb.n_modules, 2);
    assert_string_equal(s.pb.modules[0]->name, "m.lua");
    assert_string_equal(s.pb.modules[1]->name, "n");
    assert_int_equal(s.pb.limits->wall_us, 3000000);
    assert_int_equal(s.pb.stdin_mode, PB__STDIN_MODE__STDIN_MODE_NONE);
    spec_finish(&s);
    command_finish(&c);
}

static void the_engine_is_found_by_ending_or_first_line(void **state)
{
    /* clang-format off */
    static const struct {
        const char *path, *source, *engine;
    } rows[] = {
        { "a.lua", "x", "lua" },
        { ".lua", "x", NULL },
        { "a", "#!/usr/bin/lua5.4\n", "lua" },
        { "a", "#!/usr/bin/env lua\nx", "lua" },
        { "a", "#! /usr/bin/env -S lua -x", "lua" },
        { "a", "#!/bin/sh\nlua", "exec" },
        { "a", "#!/usr/bin/env -S python3 -u\n", "python" },
        { "a", "#!/usr/bin/env perl\n", "exec" },
        { "a.lua", "#!/bin/sh\n", "lua" },
        { "a", "#!", NULL },
        { "a", "#! \t\r\n/bin/sh", NULL },
        { "a", "#!env", "exec" }, /* the kernel will say what it thinks of it */
        { "a", "", NULL },
        { "a.py", "print(1)", "python" },
        { "a.rb", "puts 1", NULL },
    };
    /* clang-format on */

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *engine = program_guess_engine(rows[i].path, rows[i].source, strlen(rows[i].source));

        if (rows[i].engine == NULL ? engine != NULL : engine == NULL || strcmp(engine, rows[i].engine) != 0)
            fail_msg("row %zu: %s", i, engine != NULL ? engine : "none");
    }
}

/* ---- what is said of it all ---------------------------------------------------------------------------------------------------- */

static char *written_by(void (*write_to)(FILE *))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    write_to(out);
    fclose(out);
    return text;
}

static void the_manual_and_the_completion_name_every_verb_and_flag(void **state)
{
    char *man = written_by(help_man), *bash = written_by(completion_bash), *zsh = written_by(completion_zsh),
         *fish = written_by(completion_fish);
    char word[64];

    (void)state;
    for (size_t i = 0; i < verb_count; i++) {
        snprintf(word, sizeof(word), ".SS coop %s ", verb_table[i].name);
        assert_non_null(strstr(man, word));
        snprintf(word, sizeof(word), "        %s) COMPREPLY", verb_table[i].name);
        assert_non_null(strstr(bash, word));
        snprintf(word, sizeof(word), "        %s) flags=(", verb_table[i].name);
        assert_non_null(strstr(zsh, word));
        snprintf(word, sizeof(word), "-n '__coop_verb %s'", verb_table[i].name);
        assert_non_null(strstr(fish, word));
    }
    for (size_t i = 0; i < flag_count; i++) {
        snprintf(word, sizeof(word), " --%s", flag_table[i].name);
        assert_non_null(strstr(bash, word));
        snprintf(word, sizeof(word), "'--%s:", flag_table[i].name);
        assert_non_null(strstr(zsh, word));
        snprintf(word, sizeof(word), " -l %s", flag_table[i].name);
        assert_non_null(strstr(fish, word));
    }
    free(man);
    free(bash);
    free(zsh);
    free(fish);
}

/* Run from the top of the sources, as make does. */
static void the_manual_page_in_docs_is_what_the_tables_say(void **state)
{
    char *man = written_by(help_man), *kept = NULL;
    size_t cap = 0;
    FILE *in = fopen("docs/man/coop.1", "r");

    (void)state;
    if (in == NULL)
        fail_msg("docs/man/coop.1 is missing: make docs");
    if (getdelim(&kept, &cap, '\0', in) < 0 || strcmp(kept, man) != 0)
        fail_msg("docs/man/coop.1 is old: make docs");
    fclose(in);
    free(kept);
    free(man);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_may_have_a_space_after_the_comma),
        cmocka_unit_test(a_line_that_there_is_no_memory_for_leaves_nothing_to_free),
        cmocka_unit_test(every_cause_that_ends_a_job_is_in_the_manual),
        cmocka_unit_test(refused_command_lines_say_what_is_wrong_and_what_is_near),
        cmocka_unit_test(after_the_file_everything_is_the_jobs),
        cmocka_unit_test(flags_of_run_land_in_their_options),
        cmocka_unit_test(limit_means_a_count_for_ls),
        cmocka_unit_test(asking_for_help_needs_no_arguments),
        cmocka_unit_test(every_verb_has_a_name_a_summary_and_something_to_run),
        cmocka_unit_test(every_flag_has_help_and_is_unique_within_each_verb),
        cmocka_unit_test(state_words_are_the_schemas_own),
        cmocka_unit_test_setup_teardown(scripts_that_are_none_are_refused, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_script_over_the_source_limit_is_refused_by_its_name, files_setup, files_teardown),
        cmocka_unit_test_setup_teardown(a_spec_carries_what_the_command_line_said, files_setup, files_teardown),
        cmocka_unit_test(the_engine_is_found_by_ending_or_first_line),
        cmocka_unit_test(the_manual_and_the_completion_name_every_verb_and_flag),
        cmocka_unit_test(the_manual_page_in_docs_is_what_the_tables_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
