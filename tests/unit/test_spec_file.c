/* test_spec_file.c - job files, good and bad: each mistake is refused with its line and column and what would be right; flags win. */
#include <setjmp.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/args.h"
#include "cli/spec_file.h"
#include "enum_name.h"
#include "frame.h"
#include "when.h"
#include "yaml_write.h"

#include <coop/exit_codes.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
enum { WORDS = 48 };

#define LUA "engine: lua\ncode: {source: \"print(1)\"}\n" /* what follows begins in line 3 */

/* ---- the bench ---------------------------------------------------------------------------------------------------------------------- */

struct made {
    struct command c;
    struct spec s;
    struct coop_error why;
    int rc;
};

static void put(const char *name, const void *text, size_t len)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}

static char home[4096];

/* Each test in a directory of its own. */
static int enter(void **state)
{
    char dir[] = "/tmp/coop-spec-file-XXXXXX";

    if (home[0] == '\0' && getcwd(home, sizeof(home)) == NULL)
        return -1;
    if (mkdtemp(dir) == NULL || chdir(dir) != 0)
        return -1;
    *state = strdup(dir);
    return 0;
}

static int leave(void **state)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", (char *)*state);
    free(*state);
    return chdir(home) != 0 || system(command) != 0;
}

/* coop submit -f job.yaml FLAGS, as far as the spec. */
static void make(struct made *m, const char *flags)
{
    static char words[1024];
    char *argv[WORDS + 1] = { "coop", "submit", "-f", "job.yaml" }, *rest = words, *word;
    int argc = 4;

    snprintf(words, sizeof(words), "%s", flags);
    while ((word = strsep(&rest, " ")) != NULL && argc < WORDS)
        if (word[0] != '\0')
            argv[argc++] = word;
    memset(m, 0, sizeof(*m));
    m->rc = command_parse(argc, argv, &m->c, &m->why);
    if (m->rc == 0)
        m->rc = spec_make(&m->c, true, &m->s, &m->why);
}

static void make_of(struct made *m, const char *text, const char *flags)
{
    put("job.yaml", text, strlen(text));
    make(m, flags);
    if (m->rc != 0)
        fail_msg("refused: %s (%s)", m->why.message, m->why.hint);
}

static void done(struct made *m)
{
    if (m->rc == 0)
        spec_finish(&m->s);
    command_finish(&m->c);
}

static const char *label(const Pb__JobSpec *s, const char *key)
{
    for (size_t i = 0; i < s->n_labels; i++)
        if (strcmp(s->labels[i]->key, key) == 0)
            return s->labels[i]->value;
    return "";
}

/* ---- refused ------------------------------------------------------------------------------------------------------------------------- */

/* clang-format off */
static const struct refusal {
    const char *text;
    size_t len;          /* 0: up to its NUL */
    const char *message; /* the whole of it, behind "job.yaml:" */
    const char *hint;    /* the whole of it */
} refusals[] = {
    /* the text itself */
    { "", 0, " there is nothing in this file", "" },
    { "# a comment\n---\n", 0, "3:1: a map of keys and values is wanted, this is nothing", "" },
    { "name: a\n--- \nname: b\n", 0, "2:1: a second document begins here: one file is one document", "" },
    { "%YAML 1.2\n---\nname: a\n", 0, "1:1: directives (%) are not taken", "" },
    { "- a\n", 0, "1:1: a map of keys and values is wanted, this is a list", "" },
    { "hello\n", 0, "1:1: a map of keys and values is wanted, this is a text", "" },
    { "a: \"x\0y\"\n", 9, "1:6: there is a NUL byte here: this is no text", "" },
    { "n\xc3\xa4me: \xff\n", 0, "1:7: byte 0xff: this is no UTF-8 text", "" },
    { "name: \xc0\x80\n", 0, "1:7: byte 0xc0: this is no UTF-8 text", "" },
    { "name: a\x1b[2J\n", 0, "1:8: there is a control character (0x1b) here; between double quotes write \\x1b", "" },
    { "limits:\n\tmemory: 1M\n", 0, "2:1: there is a tab here: lines are indented with blanks", "" },
    { LUA "\tname: x\n", 0, "3:1: there is a tab here: lines are indented with blanks", "" },
    { LUA "args: [1,\n", 0, "4:1: while parsing a flow node: did not find expected node content", "" },
    { LUA "name: 'x\n", 0, "4:1: while scanning a quoted scalar: found unexpected end of stream", "" },
    { LUA "name: &a x\nuser: *a\n", 0, "3:7: anchors (&) and aliases (*) are not taken: write the value out; quote a text that begins with one", "" },
    { LUA "name: *a\n", 0, "3:7: anchors (&) and aliases (*) are not taken: write the value out; quote a text that begins with one", "" },
    { LUA "name: !!str x\n", 0, "3:7: tags (!) are not taken: what a value is, its key says; quote a text that begins with one", "" },
    { LUA "<<: {name: x}\n", 0, "3:1: merge keys are not taken: write the values out", "" },
    { LUA "? [a]\n: b\n", 0, "3:3: a key is a text, this is a list", "" },
    { LUA "x: [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]\n", 0, "3:19: lists and maps are nested more than 16 deep", "" },

    /* keys */
    { LUA "naem: x\n", 0, "3:1: unknown key 'naem'", "did you mean 'name'?" },
    { LUA "qqqqqqqq: x\n", 0, "3:1: unknown key 'qqqqqqqq'", "" },
    { LUA "array: 1-3\n", 0, "3:1: unknown key 'array'", "'array' belongs into the map 'schedule'" },
    { LUA "memory: 3M\n", 0, "3:1: unknown key 'memory'", "'memory' belongs into the map 'limits'" },
    { LUA "limits: {memroy: 3M}\n", 0, "3:10: unknown key 'memroy'", "did you mean 'memory'?" },
    { LUA "notify: {webhok: x}\n", 0, "3:10: unknown key 'webhok'", "did you mean 'webhook'?" },
    { LUA "retry:\n  backoff:\n    bass: 1s\n", 0, "5:5: unknown key 'bass'", "did you mean 'base'?" },
    { LUA "\"a\\nb\": x\n", 0, "3:1: unknown key 'a\\x0ab'", "" },
    { LUA "name: a\nname: b\n", 0, "4:1: 'name' is given twice, first in line 3", "" },
    { LUA "env: {A: 1, B: 2, A: 3}\n", 0, "3:19: 'A' is given twice, first in line 3", "" },
    { LUA "limits: {memory: 1M, memory_bytes: 3}\n", 0, "3:22: 'memory_bytes' is given twice, first as 'memory' in line 3", "" },
    { LUA "notify: {webhook: {url: \"http://a/\"}}\nwebhooks: []\n", 0, "4:1: 'webhooks' is given twice, first as 'webhook' in line 3", "" },

    /* what cannot be had */
    { LUA "mounts: [{src: /home, dst: /x}]\n", 0, "3:1: 'mounts' cannot be had: no directory of the host is shown to a job; 'files' sends files, 'outputs' collects what it made", "" },
    { LUA "secrets: [db]\n", 0, "3:1: 'secrets' cannot be had: there is no place that keeps secrets from those who may read the job; give it a file by 'files', or a capability kv=...", "" },
    { LUA "cwd: /tmp\n", 0, "3:1: 'cwd' cannot be had: a program begins in /work, its own directory", "" },
    { LUA "schedule: {placement: {labels: {a: b}}}\n", 0, "3:12: 'placement' cannot be had: there is one broker, on one machine", "" },
    { LUA "notify: {channel: q}\n", 0, "3:10: 'channel' cannot be had: there are no channels to the outside; coop events -f tells what happens", "" },
    { LUA "limits: {swap: 1M}\n", 0, "3:10: 'swap' cannot be had: a job has none: what it holds is in memory, and counts there", "" },
    { LUA "tenant: other\n", 0, "3:1: 'tenant' cannot be had: it is set by the broker, by who submits it", "" },
    { LUA "array_index: 3\n", 0, "3:1: 'array_index' cannot be had: it is set by the broker, in each task of 'schedule.array'", "" },
    { LUA "tty: {rows: 24, columns: 80}\n", 0, "3:1: 'tty' cannot be had: a terminal is somebody's who looks on: coop run --tty", "" },
    { "engine: lua\ncode: {blob: abc}\n", 0, "2:8: 'blob' cannot be had: nothing is kept by its hash yet; send the file by 'file'", "" },
    { "engine: {native: {so: x.so, symbol: main}}\n", 0, "1:29: 'symbol' cannot be had: it is coop_job in every shared object", "" },

    /* values of the wrong kind */
    { LUA "name: [a]\n", 0, "3:7: name: wants a text, this is a list", "" },
    { LUA "name: \"a\\0b\"\n", 0, "3:7: name: there is a NUL in this text", "" },
    { LUA "limits: 3\n", 0, "3:9: limits: wants a map, this is a text", "" },
    { LUA "limits: {memory: 12Q}\n", 0, "3:18: memory: '12Q' is not a size; write 4096, 512K, 64M or 256MiB", "" },
    { LUA "limits: {memory: [1]}\n", 0, "3:18: memory: wants a size; write 4096, 512K, 64M or 256MiB, this is a list", "" },
    { LUA "limits: {memory: 0}\n", 0, "3:18: memory: must be above 0", "" },
    { LUA "limits: {memory: 99999999999999999999T}\n", 0, "3:18: memory: '99999999999999999999T' is out of range", "" },
    { LUA "limits: {wall_time: soon}\n", 0, "3:21: wall_time: 'soon' is not a time; write 500ms, 2s, 5m, 1h or 7d", "" },
    { LUA "limits: {pids: many}\n", 0, "3:16: pids: 'many' is not a whole number", "" },
    { LUA "limits: {pids: -1}\n", 0, "3:16: pids: '-1' is not a whole number", "" },
    { LUA "limits: {pids: 1e3}\n", 0, "3:16: pids: '1e3' is not a whole number", "" },
    { LUA "limits: {pids: 18446744073709551616}\n", 0, "3:16: pids: 18446744073709551616 is not between 0 and 18446744073709551615", "" },
    { LUA "priority: \"3\"\n", 0, "3:11: priority: '3' is not a whole number", "" },
    { LUA "priority: 4294967296\n", 0, "3:11: priority: 4294967296 is not between 0 and 4294967295", "" },
    { LUA "hold: yes\n", 0, "3:7: hold: 'yes' is not true or false", "" },
    { LUA "hold: \"true\"\n", 0, "3:7: hold: 'true' is not true or false", "" },
    { LUA "class: fast\n", 0, "3:8: class: 'fast' is not one of normal, interactive, batch", "" },
    { LUA "class: bach\n", 0, "3:8: class: 'bach' is not one of normal, interactive, batch", "did you mean 'batch'?" },
    { LUA "on_output_limit: KILL\n", 0, "3:18: on_output_limit: 'KILL' is not one of kill, truncate", "" },
    { LUA "args: x\n", 0, "3:7: args: wants a list, this is a text", "" },
    { LUA "args: [a, ~]\n", 0, "3:11: args: nothing is no item of a list; an empty text is \"\"", "" },
    { LUA "env: [A]\n", 0, "3:7: env: wants a map, this is a text", "" },
    { LUA "env: {A: }\n", 0, "3:10: A: there is no value; an empty one is \"\"", "" },
    { LUA "env: {A: [1]}\n", 0, "3:10: A: wants a text, or {base64: TEXT}, this is a list", "" },
    { LUA "labels: {a: {b: c}}\n", 0, "3:13: a: wants a text, this is a map", "" },
    { LUA "stdin: {base64: \"a b=\"}\n", 0, "3:17: base64: 'a b=' is not base64: groups of four of A-Z a-z 0-9 + /, the last padded with =", "" },
    { LUA "stdin: [a]\n", 0, "3:8: stdin: wants a text, {file: PATH} or {base64: TEXT}, this is a list", "" },
    { LUA "retry: {backoff: {factor: .nan}}\n", 0, "3:27: factor: '.nan' is not a number", "" },
    { LUA "retry: {backoff: {factor: 1e999}}\n", 0, "3:27: factor: '1e999' is not a number", "" },
    { LUA "retry: {backoff: {factor: 0x10}}\n", 0, "3:27: factor: '0x10' is not a number", "" },
    { LUA "files: x\n", 0, "3:8: files: wants a list, this is a text", "" },
    { LUA "files: [{name: x}]\n", 0, "3:9: files: wants one of 'file' (its path here) and 'data' (what is in it)", "" },
    { LUA "files: [{data: x}]\n", 0, "3:9: files: what has 'data' wants a 'name'", "" },
    { LUA "files: [{file: x, moed: 644}]\n", 0, "3:19: unknown key 'moed'", "did you mean 'mode'?" },
    { LUA "files: [{file: x, mode: 999}]\n", 0, "3:25: mode: wants one of the octal numbers 0 to 777", "" },
    { LUA "files: [{file: x, mode: 1777}]\n", 0, "3:25: mode: wants one of the octal numbers 0 to 777", "" },
    { LUA "files: [{file: \"\"}]\n", 0, "3:16: file: the path is empty", "" },

    /* the schedule */
    { LUA "schedule: {array: 5-3}\n", 0, "3:19: array: the array ends before it begins: 5-3", "" },
    { LUA "schedule: {array: x}\n", 0, "3:19: array: a number is missing in front of 'x'; an array is FROM-TO[:STEP][%PARALLEL], as in 1-1000%20", "" },
    { LUA "schedule: {array: [1]}\n", 0, "3:19: array: wants a map or a text, this is a list", "" },
    { LUA "schedule: {after: [\"x:okk\"]}\n", 0, "3:20: after: 'okk' is not ok, fail or any", "" },
    { LUA "schedule: {after: \":ok\"}\n", 0, "3:19: after: names no job; write ID, ID:ok, ID:fail or ID:any", "" },
    { LUA "schedule: {limiter: db=0}\n", 0, "3:21: limiter: '0' is not how many places; write KEY or KEY=2", "" },
    { LUA "schedule: {deadline: tomorrow}\n", 0, "3:22: deadline: 'tomorrow' is not a point in time; write " WHEN_FORMS, "" },
    { LUA "schedule: {deadline: 2026-02-30}\n", 0, "3:22: deadline: '2026-02-30' is not a point in time; write " WHEN_FORMS, "" },

    /* what is to run */
    { "engine: luaa\ncode: x\n", 0, "1:9: engine: 'luaa' is not one of lua, native, exec, python", "did you mean 'lua'?" },
    { "engine: perl\ncode: x\n", 0, "1:9: engine: 'perl' is not one of lua, native, exec, python", "" },
    { "engine: [lua]\n", 0, "1:9: engine: wants a name, or a map with one name, this is a list", "" },
    { "engine: {lua: {module: x}}\n", 0, "1:16: unknown key 'module' of the engine lua", "" },
    { "engine: {lua: {sauce: x}}\n", 0, "1:16: unknown key 'sauce' of the engine lua", "did you mean 'source'?" },
    { "engine: {exec: {argv: []}}\n", 0, "1:23: argv: wants a list: the program's name and its arguments", "" },
    { "code: [x]\n", 0, "1:7: code: wants a map (file: PATH, or source: TEXT), this is a list", "" },
    { "code: {file: a.lua, source: x}\n", 0, "1:29: what is to run is said twice, first in line 1: one of code.file, code.source, program and argv", "" },
    { "code: {file: a.lua}\nprogram: sh\n", 0, "2:10: what is to run is said twice, first in line 1: one of code.file, code.source, program and argv", "" },
    { "code: {source: \"\"}\n", 0, "1:16: source: the text is empty", "" },
    { "program: bin/x\n", 0, "1:10: program: names a program of the sandbox, by its name alone or by its absolute path there", "a file beside the job file is sent by code: {file: PATH}" },
    { "argv: [sh]\nargs: [a]\n", 0, NULL, NULL }, /* an argv of the name alone leaves room for args */
    { "argv: [sh, a]\nargs: [b]\n", 0, "2:7: args: the arguments are given already, by 'argv'", "" },
};
/* clang-format on */

static void every_mistake_is_refused_with_its_place_and_what_would_be_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
        const struct refusal *r = &refusals[i];
        char message[1100];
        struct made m;

        put("job.yaml", r->text, r->len != 0 ? r->len : strlen(r->text));
        make(&m, "");
        if (r->message == NULL) {
            assert_int_equal(m.rc, 0);
            done(&m);
            continue;
        }
        snprintf(message, sizeof(message), "job.yaml:%s", r->message);
        if (m.rc == 0 || strcmp(m.why.message, message) != 0 || strcmp(m.why.hint, r->hint) != 0)
            fail_msg("row %zu, %s:\n got    '%s' (%s)\n wanted '%s' (%s)", i, r->text, m.rc == 0 ? "taken" : m.why.message, m.why.hint,
                     message, r->hint);
        assert_int_equal(m.why.exit_code, COOP_EXIT_USAGE);
        assert_true(frame_is_utf8(m.why.message, strlen(m.why.message)));
        done(&m);
    }
}

static void a_file_that_says_not_what_to_run_is_refused(void **state)
{
    struct made m;

    (void)state;
    put("job.yaml", "name: x\n", 8);
    make(&m, "");
    assert_true(m.rc < 0);
    assert_string_equal(m.why.message, "the job file does not say what to run");
    assert_string_equal(m.why.hint, "give code: {file: PATH}, code: {source: TEXT}, or program: NAME");
    done(&m);
}

/* Sixteen million bytes of it would be so many values. */
static void too_many_values_are_a_limit_that_is_named(void **state)
{
    size_t n = 2 * 250000;
    char *text = malloc(n + 16);
    struct made m;

    (void)state;
    assert_non_null(text);
    strcpy(text, "args: [a");
    for (size_t i = 8; i < n; i += 2)
        memcpy(text + i, ",a", 2);
    put("job.yaml", text, n);
    free(text);
    make(&m, "");
    assert_int_equal(m.why.exit_code, COOP_EXIT_QUOTA);
    assert_non_null(strstr(m.why.message, "there are too many values, a file may have 200000"));
    done(&m);
}

static void a_file_that_is_too_large_is_refused_before_it_is_read(void **state)
{
    FILE *f = fopen("job.yaml", "w");
    struct made m;

    (void)state;
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 1ll << 30), 0);
    fclose(f);
    make(&m, "");
    assert_int_equal(m.why.exit_code, COOP_EXIT_QUOTA);
    assert_string_equal(m.why.message, "job file job.yaml is too large: it may have 16M");
    done(&m);
}

/* A hundred times what a list of keys that is compared pair by pair could bear. */
static void a_map_of_many_keys_takes_no_more_than_its_share_of_time(void **state)
{
    enum { KEYS = 90000 };
    char *text = malloc(KEYS * 16 + 64), *at = text;
    struct made m;

    (void)state;
    assert_non_null(text);
    at += sprintf(at, LUA "env:\n");
    for (int i = 0; i < KEYS; i++)
        at += sprintf(at, "  K%d: v\n", i);
    put("job.yaml", text, (size_t)(at - text));
    free(text);
    make(&m, "");
    assert_int_equal(m.why.exit_code, COOP_EXIT_QUOTA);
    assert_string_equal(m.why.message, "90000 variables are more than the limit 'argument count' of 4096");
    done(&m);
}

/* ---- taken --------------------------------------------------------------------------------------------------------------------------- */

static const char everything[] =
    "# all of it\n"
    "name: nightly\n"
    "engine: lua\n"
    "code: {source: 'print(...)', name: n.lua}\n"
    "args: [2026, --fast, 'x y', true, null-ish]\n"
    "env: {GREETING: Hallo, N: 3, NO: no, EMPTY: ''}\n"
    "stdin: |\n"
    "  one\n"
    "  two\n"
    "limits: {memory: 64MiB, wall_time: 30s, cpu_time: 2, idle_timeout: 5m, stdout: 1000}\n"
    "on_output_limit: truncate\n"
    "require: tier=T1\n"
    "caps: [queues]\n"
    "files: [{name: m, data: 'return 1'}]\n"
    "modules: [{name: o, source: 'return 2'}]\n"
    "idem_key: k1\n"
    "queue: night\n"
    "class: batch\n"
    "priority: 4\n"
    "labels: {project: apollo, tier/x: 1}\n"
    "schedule:\n"
    "  not_before: 2027-01-02T03:04:05Z\n"
    "  deadline: 2027-01-02T05:00:00+01:00\n"
    "  after: ['01ARZ3NDEKTSV4RRFFQ69G5FAV:any', {job: 01ARZ3NDEKTSV4RRFFQ69G5FAW, on: fail}]\n"
    "  array: 1-1000:3%20\n"
    "  limiter: [db=2, {key: net}]\n"
    "retry: {max_attempts: 3, backoff: {base: 1s, factor: 1.5, max: 5m, jitter: 0.25}, on: [exit, signal], infra_attempts: 2, success_exit_codes: [3, 4]}\n"
    "notify: {webhook: {url: 'https://example.org/x', events: [failed, dead], key: hook}}\n"
    "retention: {result_ttl: 7d, log_ttl: 12h}\n"
    "hold: true\n"
    "trace: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n";

static void expect_everything(const Pb__JobSpec *s)
{
    assert_string_equal(s->name, "nightly");
    assert_string_equal(s->engine, "lua");
    assert_string_equal(s->source_name, "n.lua");
    assert_int_equal(s->source.len, 10);
    assert_int_equal(s->n_args, 5);
    assert_memory_equal(s->args[0].data, "2026", 4);
    assert_memory_equal(s->args[3].data, "true", 4);
    assert_int_equal(s->n_env, 4);
    assert_string_equal(s->env[2]->name, "NO");
    assert_memory_equal(s->env[2]->value.data, "no", 2);
    assert_int_equal(s->env[3]->value.len, 0);
    assert_int_equal(s->stdin_mode, PB__STDIN_MODE__STDIN_MODE_INLINE);
    assert_int_equal(s->stdin_data.len, 8);
    assert_int_equal(s->limits->memory_bytes, 64 << 20);
    assert_int_equal(s->limits->wall_us, 30000000);
    assert_int_equal(s->limits->cpu_us, 2000000);
    assert_int_equal(s->limits->idle_us, 300000000);
    assert_int_equal(s->limits->stdout_bytes, 1000);
    assert_int_equal(s->on_output_limit, PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE);
    assert_string_equal(s->require, "tier=T1");
    assert_int_equal(s->n_caps, 1);
    assert_int_equal(s->n_modules, 2);
    assert_string_equal(s->idem_key, "k1");
    assert_string_equal(s->queue, "night");
    assert_int_equal(s->class_, PB__JOB_CLASS__JOB_CLASS_BATCH);
    assert_int_equal(s->priority, 4);
    assert_string_equal(label(s, "project"), "apollo");
    assert_string_equal(label(s, "tier/x"), "1");
    assert_true(s->schedule->not_before_us == 1798859045000000ull);
    assert_true(s->schedule->deadline_us == 1798862400000000ull);
    assert_int_equal(s->schedule->n_after, 2);
    assert_int_equal(s->schedule->after[0]->on, PB__AFTER__AFTER_ANY);
    assert_int_equal(s->schedule->after[1]->on, PB__AFTER__AFTER_FAIL);
    assert_int_equal(s->schedule->array->to, 1000);
    assert_int_equal(s->schedule->array->step, 3);
    assert_int_equal(s->schedule->array->max_parallel, 20);
    assert_int_equal(s->schedule->n_limiters, 2);
    assert_int_equal(s->schedule->limiters[0]->n, 2);
    assert_string_equal(s->schedule->limiters[1]->key, "net");
    assert_int_equal(s->retry->max_attempts, 3);
    assert_true(s->retry->backoff->factor == 1.5 && s->retry->backoff->jitter == 0.25);
    assert_int_equal(s->retry->backoff->max_us, 300000000);
    assert_int_equal(s->retry->n_on, 2);
    assert_int_equal(s->retry->on[1], PB__CAUSE__CAUSE_SIGNAL);
    assert_int_equal(s->retry->n_success_exit_codes, 2);
    assert_int_equal(s->n_webhooks, 1);
    assert_string_equal(s->webhooks[0]->key, "hook");
    assert_int_equal(s->webhooks[0]->events[1], PB__STATE__STATE_DEAD);
    assert_true(s->retention->result_us == 7 * 86400000000ull && s->retention->log_us == 12 * 3600000000ull);
    assert_true(s->hold);
    assert_string_equal(s->traceparent, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
}

static void a_file_says_all_that_a_spec_can_say(void **state)
{
    struct made m;

    (void)state;
    make_of(&m, everything, "");
    expect_everything(&m.s.pb);
    done(&m);
}

/* The same spec as YAML, then as YAML that was written of it; both packed have the same bytes. */
static void what_is_written_of_a_spec_is_read_as_the_same(void **state)
{
    static const char extra[] =
        "engine: lua\ncode: {source: x, name: n.lua}\nname: \"  odd: 'text'\\t\\n \\u00e4 \"\nstdin: {base64: '/wAA'}\n";
    struct made m, again;
    uint8_t *one, *two;
    size_t n_one, n_two;

    (void)state;
    for (int i = 0; i < 2; i++) {
        FILE *f;

        make_of(&m, i == 0 ? everything : extra, "");
        m.s.pb.source.len = 1; /* as x below */
        m.s.pb.source.data = (uint8_t *)"x";
        f = fopen("job.yaml", "w");
        assert_int_equal(yaml_write(f, spec_file_keys, &m.s.pb.base), 0);
        assert_int_equal(fclose(f), 0);
        make(&again, "");
        if (again.rc != 0)
            fail_msg("%s", again.why.message);
        assert_int_equal(frame_pack(&m.s.pb.base, &one, &n_one), 0);
        assert_int_equal(frame_pack(&again.s.pb.base, &two, &n_two), 0);
        assert_int_equal(n_one, n_two);
        assert_memory_equal(one, two, n_one);
        free(one);
        free(two);
        done(&m);
        done(&again);
    }
}

static void a_file_in_json_is_read_as_the_one_in_yaml(void **state)
{
    static const char json[] =
        "{\t\"engine\": \"lua\", \"code\": {\"source\": \"print('\\ud83d\\ude00\\/\\u00e4')\"},\n"
        "\t\"args\": [\"a\\\"b\", \"\\\\ud83d\\\\ude00\"], \"limits\": {\"memory_bytes\": 1048576, \"wall_us\": 5000000, \"cpu_us\": 0, \"pids\": 0},\n"
        "\t\"labels\":{\"a\":\"b\"}, \"hold\": false, \"priority\": 5, \"tty\": null, \"tenant\": \"\", \"array_index\": 0, \"caps\": []}\n";
    struct made m;

    (void)state;
    make_of(&m, json, "");
    assert_int_equal(m.s.pb.source.len, 16);
    assert_memory_equal(m.s.pb.source.data, "print('\xf0\x9f\x98\x80/\xc3\xa4')", 16);
    assert_memory_equal(m.s.pb.args[0].data, "a\"b", 3);
    assert_int_equal(m.s.pb.args[1].len, 12); /* backslashes that are escaped begin no escape */
    assert_int_equal(m.s.pb.limits->memory_bytes, 1 << 20);
    assert_int_equal(m.s.pb.limits->wall_us, 5000000);
    assert_int_equal(m.s.pb.priority, 5);
    assert_string_equal(label(&m.s.pb, "a"), "b");
    done(&m);
}

static void programs_are_named_by_program_or_argv_and_files_are_found_beside_the_job_file(void **state)
{
    static const char beside[] = "code: {file: a.lua}\nfiles: [m.lua, {file: m.lua, name: 'n'}]\nstdin: {file: in}\n";
    struct made m;

    (void)state;
    make_of(&m, "program: sh\nargs: [-c, exit]\n", "");
    assert_string_equal(m.s.pb.program, "sh");
    assert_string_equal(m.s.pb.engine, "exec");
    assert_int_equal(m.s.pb.n_args, 2);
    done(&m);
    make_of(&m, "engine: {exec: {argv: [sh, -c, exit]}}\n", "");
    assert_string_equal(m.s.pb.program, "sh");
    assert_int_equal(m.s.pb.n_args, 2);
    assert_memory_equal(m.s.pb.args[0].data, "-c", 2);
    done(&m);
    assert_int_equal(mkdir("sub", 0700), 0);
    put("sub/a.lua", "print(1)", 8);
    put("sub/m.lua", "return {}", 9);
    put("sub/in", "input", 5);
    put("sub/j", beside, sizeof(beside) - 1);
    {
        char *argv[] = { "coop", "submit", "-f", "sub/j", NULL };

        memset(&m, 0, sizeof(m));
        assert_int_equal(command_parse(4, argv, &m.c, &m.why), 0);
        m.rc = spec_make(&m.c, true, &m.s, &m.why);
        if (m.rc != 0)
            fail_msg("%s", m.why.message);
    }
    assert_string_equal(m.s.pb.engine, "lua");
    assert_string_equal(m.s.pb.source_name, "a.lua");
    assert_int_equal(m.s.pb.n_modules, 2);
    assert_string_equal(m.s.pb.modules[0]->name, "m.lua");
    assert_string_equal(m.s.pb.modules[1]->name, "n");
    assert_int_equal(m.s.pb.stdin_data.len, 5);
    done(&m);
}

/* ---- flags beside it ------------------------------------------------------------------------------------------------------------------- */

static void flags_win_over_the_file(void **state)
{
    struct made m;

    (void)state;
    make_of(
        &m, everything,
        "--name other --prio 2 --class interactive --queue day --idem k2 -l project=gemini -l new=1 -e N=4 -e M=5 --limit "
        "memory=32M,stderr=5K --retry 7,base=2s,on=oom --in 1h --deadline +2h --after 01ARZ3NDEKTSV4RRFFQ69G5FAZ --limiter cpu=3 --keep 1d "
        "--webhook http://h/a,b,key=k,events=succeeded+failed --array 7-9 -- only these");
    assert_string_equal(m.s.pb.name, "other");
    assert_int_equal(m.s.pb.priority, 2);
    assert_int_equal(m.s.pb.class_, PB__JOB_CLASS__JOB_CLASS_INTERACTIVE);
    assert_string_equal(m.s.pb.queue, "day");
    assert_string_equal(m.s.pb.idem_key, "k2");
    assert_int_equal(m.s.pb.n_labels, 3);
    assert_string_equal(label(&m.s.pb, "project"), "gemini");
    assert_string_equal(label(&m.s.pb, "new"), "1");
    assert_int_equal(m.s.pb.n_env, 5);
    assert_memory_equal(m.s.pb.env[1]->value.data, "4", 1);
    assert_int_equal(m.s.pb.limits->memory_bytes, 32 << 20);
    assert_int_equal(m.s.pb.limits->stderr_bytes, 5 << 10);
    assert_int_equal(m.s.pb.limits->wall_us, 30000000); /* the file's */
    assert_int_equal(m.s.pb.retry->max_attempts, 7);
    assert_int_equal(m.s.pb.retry->backoff->base_us, 2000000);
    assert_true(m.s.pb.retry->backoff->factor == 0); /* nothing of the file's is left */
    assert_int_equal(m.s.pb.retry->n_on, 1);
    assert_int_equal(m.s.pb.retry->on[0], PB__CAUSE__CAUSE_OOM);
    assert_int_equal(m.s.pb.schedule->not_before_in_us, 3600000000ull); /* and the file's point in time is not in force */
    assert_int_equal(m.s.pb.schedule->not_before_us, 0);
    assert_int_equal(m.s.pb.schedule->deadline_in_us, 7200000000ull);
    assert_int_equal(m.s.pb.schedule->deadline_us, 0);
    assert_int_equal(m.s.pb.schedule->n_after, 1);
    assert_string_equal(m.s.pb.schedule->after[0]->job, "01ARZ3NDEKTSV4RRFFQ69G5FAZ");
    assert_int_equal(m.s.pb.schedule->n_limiters, 1);
    assert_int_equal(m.s.pb.schedule->limiters[0]->n, 3);
    assert_int_equal(m.s.pb.schedule->array->from, 7);
    assert_int_equal(m.s.pb.n_webhooks, 1);
    assert_string_equal(m.s.pb.webhooks[0]->url, "http://h/a,b");
    assert_string_equal(m.s.pb.webhooks[0]->key, "k");
    assert_int_equal(m.s.pb.webhooks[0]->n_events, 2);
    assert_true(m.s.pb.retention->result_us == 86400000000ull && m.s.pb.retention->log_us == 86400000000ull);
    assert_int_equal(m.s.pb.n_args, 2);
    assert_memory_equal(m.s.pb.args[0].data, "only", 4);
    done(&m);
}

/* clang-format off */
static const struct { const char *flags, *message, *hint; } bad_flags[] = {
    { "--array 5-3", "--array: the array ends before it begins: 5-3", "" },
    { "--array x", "--array: a number is missing in front of 'x'; an array is FROM-TO[:STEP][%PARALLEL], as in 1-1000%20", "" },
    { "--after nope", "--after: 'nope' is not a job id", "" },
    { "--at then", "--at 'then' is no time", "write " WHEN_FORMS },
    { "--in soon", "--in 'soon' is not a time above 0; write 30s, 2h or 7d", "" },
    { "--in 0s", "--in '0s' is not a time above 0; write 30s, 2h or 7d", "" },
    { "--in 200000d", "--in 200000d is longer than a hundred years", "" },
    { "--at 04:00 --in 1h", "--at and --in both say when it may begin: give one of them, once", "" },
    { "--retry 0", "--retry: of no attempt nothing comes; write 3, or 3,base=1s,factor=2,max=5m,jitter=0.1,on=exit+signal", "" },
    { "--retry x", "--retry: 'x' is not a count", "" },
    { "--retry 3,bass=1s", "--retry: there is no 'bass'; did you mean 'base'?; there are base, factor, max, jitter, on, infra and ok", "" },
    { "--retry 3,factor=nan", "--retry: 'nan' is not a number; write 2 or 1.5", "" },
    { "--retry 3,on=exot", "--retry: 'exot' is no cause; did you mean 'exit'?", "" },
    { "--retry 3,base", "--retry: 'base' is not NAME=VALUE; write 3,base=1s,factor=2,max=5m,jitter=0.1,on=exit+signal", "" },
    { "--prio 6", "--prio is 1 to 5, 5 first, not '6'", "" },
    { "--class bach", "--class is interactive, normal or batch, not 'bach'", "did you mean 'batch'?" },
    { "-l x", "--label 'x' is not KEY=VALUE", "write -l project=apollo" },
    { "--limiter =3", "--limiter: names no limiter; write KEY or KEY=2", "" },
    { "--limiter a=b", "--limiter: 'b' is not how many places; write KEY or KEY=2", "" },
    { "--webhook ,key=x", "--webhook names no address; write --webhook https://HOST/PATH", "" },
    { "--webhook http://h/,foo=1", "--webhook has no 'foo'", "it has key=NAME and events=STATE+...; a comma of the address itself is written %2C" },
    { "--webhook http://h/,ket=hooks/web", "--webhook has no 'ket'", "did you mean 'key'?" },
    { "--webhook http://h/,ket=a,events=failed", "--webhook has no 'ket'", "did you mean 'key'?" },
    { "--webhook http://h/,event=failed", "--webhook has no 'event'", "did you mean 'events'?" },
    { "--webhook http://h/,events=fialed", "--webhook: 'fialed' is no state", "did you mean 'failed'?" },
    { "--keep x", "--keep 'x' is not a time above 0; write 30s, 2h or 7d", "" },
};
/* clang-format on */

static void bad_flags_are_refused_by_their_name(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad_flags); i++) {
        struct made m;

        put("job.yaml", LUA, strlen(LUA));
        make(&m, bad_flags[i].flags);
        if (m.rc == 0 || strcmp(m.why.message, bad_flags[i].message) != 0 || strcmp(m.why.hint, bad_flags[i].hint) != 0)
            fail_msg("%s: '%s' (%s)", bad_flags[i].flags, m.rc == 0 ? "taken" : m.why.message, m.why.hint);
        assert_int_equal(m.why.exit_code, COOP_EXIT_USAGE);
        done(&m);
    }
}

/* ---- the table -------------------------------------------------------------------------------------------------------------------------- */

static void every_row_is_read_or_refused_and_names_a_field_that_is_there(void **state)
{
    (void)state;
    for (const struct yaml_key *k = spec_file_keys; k->of != NULL; k++) {
        const ProtobufCFieldDescriptor *f = k->field != NULL ? protobuf_c_message_descriptor_get_field_by_name(k->of, k->field) : NULL;

        assert_true((k->field == NULL) == (f == NULL));
        assert_true(k->read != NULL || k->refused != NULL || f != NULL);
        assert_true((k->from_text == NULL) == (k->to_text == NULL));
        assert_true((k->pair_key == NULL) == (k->pair_value == NULL));
        for (const struct yaml_key *other = spec_file_keys; other < k; other++)
            assert_true(other->of != k->of || strcmp(other->key, k->key) != 0);
        if (k->pair_key != NULL) {
            assert_non_null(protobuf_c_message_descriptor_get_field_by_name(f->descriptor, k->pair_key));
            assert_non_null(protobuf_c_message_descriptor_get_field_by_name(f->descriptor, k->pair_value));
        }
    }
}

/* "webhook" of "notify.webhook", in bold or behind a brace, as docs/man/coop-job.5.scd has it. */
static bool is_in_page(const char *page, const char *key)
{
    const char *dot = strrchr(key, '.'), *name = dot != NULL ? dot + 1 : key;
    char forms[6][80];

    snprintf(forms[0], sizeof(forms[0]), "*%s:*", name);
    snprintf(forms[1], sizeof(forms[1]), "*%s*", name);
    snprintf(forms[2], sizeof(forms[2]), "{%s:", name);
    snprintf(forms[3], sizeof(forms[3]), " %s:", name);
    snprintf(forms[4], sizeof(forms[4]), "*%s*", key);
    snprintf(forms[5], sizeof(forms[5]), ".%s*", name);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (strstr(page, forms[i]) != NULL)
            return true;
    return false;
}

static const ProtobufCMessageDescriptor *const parts[] = { &pb__job_spec__descriptor, &pb__limits__descriptor,  &pb__schedule__descriptor,
                                                           &pb__retry__descriptor,    &pb__backoff__descriptor, &pb__webhook__descriptor,
                                                           &pb__retention__descriptor };

static void the_manual_page_has_every_key(void **state)
{
    static char page[64 << 10];
    FILE *f = fopen("docs/man/coop-job.5.scd", "r");

    (void)state;
    assert_non_null(f);
    assert_true(fread(page, 1, sizeof(page) - 1, f) > 0);
    fclose(f);
    for (const struct yaml_key *k = spec_file_keys; k->of != NULL; k++)
        if (!is_in_page(page, k->key))
            fail_msg("docs/man/coop-job.5.scd lacks %s", k->key);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        for (unsigned f_at = 0; f_at < parts[i]->n_fields; f_at++)
            if (!is_in_page(page, parts[i]->fields[f_at].name))
                fail_msg("docs/man/coop-job.5.scd lacks %s", parts[i]->fields[f_at].name);
}

/* More would be read past the reader's and the writer's room. */
static void no_message_of_a_spec_has_more_fields_than_the_reader_has_room_for(void **state)
{
    (void)state;
    assert_true(pb__job_spec__descriptor.n_fields <= 64);
    assert_true(pb__limits__descriptor.n_fields <= 64);
    assert_true(pb__schedule__descriptor.n_fields <= 64);
}

#define IN_DIR(f) cmocka_unit_test_setup_teardown(f, enter, leave)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(every_mistake_is_refused_with_its_place_and_what_would_be_right),
        IN_DIR(a_file_that_says_not_what_to_run_is_refused),
        IN_DIR(too_many_values_are_a_limit_that_is_named),
        IN_DIR(a_file_that_is_too_large_is_refused_before_it_is_read),
        IN_DIR(a_map_of_many_keys_takes_no_more_than_its_share_of_time),
        IN_DIR(a_file_says_all_that_a_spec_can_say),
        IN_DIR(what_is_written_of_a_spec_is_read_as_the_same),
        IN_DIR(a_file_in_json_is_read_as_the_one_in_yaml),
        IN_DIR(programs_are_named_by_program_or_argv_and_files_are_found_beside_the_job_file),
        IN_DIR(flags_win_over_the_file),
        IN_DIR(bad_flags_are_refused_by_their_name),
        cmocka_unit_test(every_row_is_read_or_refused_and_names_a_field_that_is_there),
        cmocka_unit_test(the_manual_page_has_every_key),
        cmocka_unit_test(no_message_of_a_spec_has_more_fields_than_the_reader_has_room_for),
    };

    return cmocka_run_group_tests_name("spec_file", tests, NULL, NULL);
}
