/*
 * test_golden.c - what each verb prints with --json, as keys and types: tests/golden/VERB.json. A verb of the table without a file, or without a
 * case here, fails; so does a field that came, went or changed its type. make golden writes the files anew, to be read before they are
 * committed: other people's programs read what they describe.
 *
 * A shape is the document with "string", "integer", "number", "boolean" or "null" in place of each value; a list has the shape that all of
 * its elements fit, and an empty one fits every list; {"or_null": X} fits both. schema keeps its value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/broker_fixture.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { WORDS = 16 };

/* ---- the cases ----------------------------------------------------------------------------------------------------------------------- */

/* What a case needs there to be: a command line whose first line of output stands for {NAME} in those behind it. */
struct thing {
    const char *name;
    const char *argv[WORDS];
};

/* clang-format off */
static const struct thing things[] = {
    { "ended",    { "submit", "{script}" } },
    { "other",    { "submit", "{script}" } },
    { "failed",   { "submit", "{fails}" } },
    { "held",     { "submit", "--hold", "-l", "team=blue", "--retry", "3,on=exit", "--webhook", "https://example.org/", "{script}" } },
    { "held2",    { "submit", "--hold", "{script}" } },
    { "held3",    { "submit", "--in", "1h", "{script}" } },
    { "loop",     { "submit", ENDLESS, "{forever}" } },
    { "loop2",    { "submit", ENDLESS, "{forever}" } },
    { "paused",   { "submit", ENDLESS, "{forever}" } },
    { "loop3",    { "submit", ENDLESS, "{forever}" } },
    { "array",    { "submit", "--array", "1-3", "{script}" } },
    { "held_array", { "submit", "--array", "1-3", "--hold", "{script}" } },
    { "cron",     { "submit", "--cron", "@yearly", "{script}" } },
    { "interp",   { "interp", "create", "--engine", "lua", "--quiet" } },
    { "token",    { "token", "create", "submit" } },
    { "tenant",   { "tenant", "create", "green", "--quiet" } },
};

/* A document of each kind that a verb prints. code: what it ends with. */
static const struct golden_case {
    const char *verb, *label;
    int code;
    const char *argv[WORDS];
} cases[] = {
    { "run",        "output_and_receipt", 0,  { "{script}" } },
    { "submit",     "job",                0,  { "{script}" } },
    { "submit",     "dry_run",            0,  { "--dry-run", "{script}" } },
    { "wait",       "ended",              0,  { "{ended}" } },
    { "wait",       "several",            1,  { "{ended}", "{failed}" } },
    { "logs",       "output",             0,  { "-f", "{ended}" } },
    { "result",     "receipt",            0,  { "{ended}" } },
    { "result",     "exception",          1,  { "{failed}" } },
    { "show",       "ended",              0,  { "{ended}" } },
    { "show",       "held",               0,  { "{held}" } },
    { "show",       "why",                0,  { "--why", "{held}" } },
    { "show",       "why_array",          0,  { "--why", "{held_array}" } },
    { "show",       "error",              80, { "01J00000" } },
    { "ls",         "jobs",               0,  { "--array", "{array}" } },
    { "ls",         "lines",              0,  { "--jsonl", "--array", "{array}" } },
    { "ls",         "arrays",             0,  { "--arrays" } },
    { "hold",       "job",                0,  { "{held3}" } },
    { "release",    "job",                0,  { "{held2}" } },
    { "edit",       "job",                0,  { "--prio", "5", "{held}" } },
    { "pause",      "job",                0,  { "{loop}" } },
    { "resume",     "job",                0,  { "{paused}" } },
    { "cancel",     "job",                0,  { "{loop2}" } },
    { "kill",       "job",                0,  { "{loop3}" } },
    { "retry",      "job",                0,  { "{ended}" } },
    { "rm",         "job",                0,  { "{other}" } },
    { "events",     "events",             0,  { "{ended}" } },
    { "top",        "top",                0,  { NULL } },
    { "cron",       "show",               0,  { "show", "{cron}" } },
    { "cron",       "pause",              0,  { "pause", "{cron}" } },
    { "cron",       "resume",             0,  { "resume", "{cron}" } },
    { "cron",       "ls",                 0,  { "ls" } },
    { "cron",       "fire",               0,  { "fire", "{cron}" } },
    { "cron",       "rm",                 0,  { "rm", "{cron}" } },
    { "limiter",    "set",                0,  { "set", "database", "2" } },
    { "limiter",    "ls",                 0,  { "ls" } },
    { "limiter",    "rm",                 0,  { "rm", "database" } },
    { "node",       "show",               0,  { "show" } },
    { "node",       "drain",              0,  { "drain" } },
    { "node",       "undrain",            0,  { "undrain" } },
    { "interp",     "create",             0,  { "create", "--engine", "lua" } },
    { "interp",     "ls",                 0,  { "ls" } },
    { "interp",     "exec",               0,  { "exec", "{interp}", "--source", "return 1" } },
    { "call",       "value",              0,  { "--engine", "lua", "--run", "{functions}", "twice", "4" } },
    { "template",   "build",              0,  { "build", "warm", "--engine", "lua", "--run", "{functions}" } },
    { "template",   "ls",                 0,  { "ls" } },
    { "queue",      "create",             0,  { "create", "numbers" } },
    { "queue",      "put",                0,  { "put", "numbers", "1" } },
    { "queue",      "ls",                 0,  { "ls" } },
    { "queue",      "get",                0,  { "get", "numbers" } },
    { "kv",         "put",                0,  { "put", "key", "1" } },
    { "kv",         "get",                0,  { "get", "key" } },
    { "kv",         "ls",                 0,  { "ls" } },
    { "audit",      "verify",             0,  { "verify" } },
    { "audit",      "head",               0,  { "head" } },
    { "doctor",     "report",             0,  { "--require", "tier=T3" } },
    { "version",    "version",            0,  { NULL } },
    { "tenant",     "create",             0,  { "create", "blue", "weight=2" } },
    { "tenant",     "set",                0,  { "set", "blue", "weight=3" } },
    { "tenant",     "show",               0,  { "show" } },
    { "tenant",     "ls",                 0,  { "ls" } },
    { "tenant",     "rm",                 0,  { "rm", "blue" } },
    { "token",      "create",             0,  { "create", "submit,read" } },
    { "token",      "ls",                 0,  { "ls" } },
    { "token",      "rotate",             0,  { "rotate", "{token}", "1h" } },
    { "token",      "revoke",             0,  { "revoke", "{token}" } },
    { "quota",      "set",                0,  { "set", "{tenant}", "max_running=5" } },
    { "quota",      "set_all",            0,  { "set", "{tenant}", "max_queued=5", "submit_per_s=1.5", "cpu_s_per_day=5", "mib_s_per_day=5", "stored_bytes=5", "max_array=5", "max_cron=0", "max_interpreters=0" } },
    { "quota",      "show",               0,  { "show" } },
    { "quota",      "show_all",           0,  { "show", "{tenant}" } },
    { "usage",      "days",               0,  { NULL } },
    { "cert",       "files",              0,  { "--host", "localhost", "{dir}" } },
    { "store",      "check",              0,  { "check" } },
    { "store",      "backup",             0,  { "backup", "{open}/backup" } },
    { "help",       "one",                0,  { "hold" } },
    { "help",       "all",                0,  { NULL } },
    { "completion", "script",             0,  { "bash" } },
};
/* clang-format on */

/* ---- shapes -------------------------------------------------------------------------------------------------------------------------- */

static json_t *shape_of(json_t *v);

static json_t *scalar_shape(json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_STRING: return json_string("string");
    case JSON_INTEGER: return json_string("integer");
    case JSON_REAL: return json_string("number");
    case JSON_TRUE:
    case JSON_FALSE: return json_string("boolean");
    default: return json_string("null");
    }
}

static bool is_null(json_t *shape)
{
    return json_is_string(shape) && strcmp(json_string_value(shape), "null") == 0;
}

static json_t *or_null(json_t *shape)
{
    return json_object_get(shape, "or_null") != NULL ? json_incref(shape) : json_pack("{s:O}", "or_null", shape);
}

/* The shape that both fit. */
static json_t *merge(json_t *a, json_t *b)
{
    json_t *both, *v;
    const char *key;

    if (json_equal(a, b))
        return json_incref(a);
    if (is_null(a) || is_null(b))
        return or_null(is_null(a) ? b : a);
    if (json_object_get(a, "or_null") != NULL || json_object_get(b, "or_null") != NULL) {
        json_t *x = json_object_get(a, "or_null"), *y = json_object_get(b, "or_null"), *inner = merge(x != NULL ? x : a, y != NULL ? y : b);

        both = or_null(inner);
        json_decref(inner);
        return both;
    }
    if (json_is_array(a) && json_is_array(b))
        return json_incref(json_array_size(a) > 0 ? a : b);
    if (!json_is_object(a) || !json_is_object(b))
        support_fail("one list has values of two kinds: %s and %s", json_shown(a), json_shown(b));
    both = json_object();
    json_object_foreach(a, key, v)
    {
        json_t *other = json_object_get(b, key);

        json_object_set_new(both, key, other != NULL ? merge(v, other) : json_incref(v));
    }
    json_object_foreach(b, key, v) if (json_object_get(a, key) == NULL) json_object_set(both, key, v);
    return both;
}

static json_t *list_shape(json_t *list)
{
    json_t *shape = NULL, *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        json_t *one = shape_of(v), *both = shape != NULL ? merge(shape, one) : json_incref(one);

        json_decref(one);
        json_decref(shape);
        shape = both;
    }
    return shape != NULL ? json_pack("[o]", shape) : json_array();
}

static json_t *shape_of(json_t *v)
{
    json_t *shape, *field;
    const char *key;

    if (json_is_array(v))
        return list_shape(v);
    if (!json_is_object(v))
        return scalar_shape(v);
    shape = json_object();
    json_object_foreach(v, key, field) json_object_set_new(shape, key, strcmp(key, "schema") == 0 ? json_incref(field) : shape_of(field));
    return shape;
}

/* NULL, or what does not fit. */
static const char *misfit(json_t *golden, json_t *shape, const char *where)
{
    json_t *inner = json_object_get(golden, "or_null"), *v;
    const char *key, *why = NULL;

    if (inner != NULL)
        return is_null(shape) ? NULL
                              : misfit(inner, json_object_get(shape, "or_null") != NULL ? json_object_get(shape, "or_null") : shape, where);
    if (json_is_array(golden) && json_is_array(shape))
        return json_array_size(shape) == 0    ? NULL
               : json_array_size(golden) == 0 ? support_text("%s: nothing is known of what is in this list", where)
                                              : misfit(json_array_get(golden, 0), json_array_get(shape, 0), support_text("%s[]", where));
    if (!json_is_object(golden) || !json_is_object(shape))
        return json_equal(golden, shape) ? NULL : support_text("%s: is %s, not %s", where, json_shown(shape), json_shown(golden));
    json_object_foreach(golden, key, v) if (why == NULL) why =
        json_object_get(shape, key) == NULL ? support_text("%s.%s is not there any more", where, key)
                                            : misfit(v, json_object_get(shape, key), support_text("%s.%s", where, key));
    json_object_foreach(shape, key, v) if (why == NULL && json_object_get(golden, key) == NULL) why =
        support_text("%s.%s is new", where, key);
    return why;
}

/* ---- running a case ------------------------------------------------------------------------------------------------------------------ */

struct made {
    const char *name, *value;
};
static struct made made[32];
static size_t n_made;

static const char *value_of(struct broker *b, const char *name);

/* {NAME} as what it stands for; anything else is itself. */
static const char *word(struct broker *b, const char *text)
{
    size_t n = strcspn(text, "}");

    return text[0] == '{' ? support_text("%s%s", value_of(b, support_text("%.*s", (int)n - 1, text + 1)), text + n + 1) : text;
}

static struct proc *run(struct broker *b, const char *verb, const char *const *argv, bool json)
{
    const char *all[WORDS + 3], *env[2] = { NULL };
    size_t n = 0;

    if (verb != NULL)
        all[n++] = verb;
    if (json)
        all[n++] = "--json";
    for (; *argv != NULL; argv++)
        all[n++] = word(b, *argv);
    all[n] = NULL;
    env[0] = support_text("COOP_STATE_DIR=%s", b->state_dir); /* coop store looks into it by itself */
    return coop_run_(b, &(struct proc_how){ .in = PROC_IN_NULL, .env = env }, all);
}

static const char *make(struct broker *b, const char *name)
{
    if (strcmp(name, "script") == 0)
        return script(b, "golden.lua", "print('out')\nio.stderr:write('err\\n')\n");
    if (strcmp(name, "fails") == 0)
        return script(b, "fails.lua", "os.exit(3)\n");
    if (strcmp(name, "forever") == 0)
        return script(b, "forever.lua", "while true do end\n");
    if (strcmp(name, "functions") == 0)
        return script(b, "functions.lua", "function twice(x) return 2 * x end\n");
    if (strcmp(name, "open") == 0) { /* where the broker may write, whoever it has become */
        const char *open = support_text("%s/open", b->dir);
        struct stat st;

        assert_int_equal(stat(b->state_dir, &st), 0);
        assert_int_equal(chmod(b->dir, 0711) + mkdir(open, 0700), 0);
        assert_int_equal(chown(open, st.st_uid, st.st_gid), 0);
        return open;
    }
    if (strcmp(name, "dir") == 0)
        return support_text("%s/golden", b->dir);
    for (size_t i = 0; i < ARRAY_LEN(things); i++)
        if (strcmp(things[i].name, name) == 0)
            return heard_line(&proc_expect(run(b, NULL, things[i].argv, false), 0)->out);
    support_fail("no case is prepared by {%s}", name);
    return NULL;
}

/* It is there from its first use on; a job that has to have ended, or to run, is waited for. */
static const char *value_of(struct broker *b, const char *name)
{
    const char *value;

    for (size_t i = 0; i < n_made; i++)
        if (strcmp(made[i].name, name) == 0)
            return made[i].value;
    value = make(b, name);
    if (strcmp(name, "ended") == 0 || strcmp(name, "other") == 0)
        (void)proc_expect(coop(b, "wait", value), 0);
    if (strcmp(name, "failed") == 0)
        (void)proc_expect(coop(b, "wait", value), 1);
    if (strncmp(name, "loop", 4) == 0 || strcmp(name, "paused") == 0)
        (void)proc_expect(coop(b, "wait", "--state", "running", value), 0);
    if (strcmp(name, "paused") == 0)
        (void)proc_expect(coop(b, "pause", value), 0);
    if (strcmp(name, "token") == 0) /* ID.SECRET */
        value = support_text("%.*s", (int)strcspn(value, "."), value);
    if (strcmp(name, "tenant") == 0)
        value = "green";
    assert_true(n_made < ARRAY_LEN(made));
    made[n_made++] = (struct made){ name, value };
    return value;
}

/* The shapes of the documents that it printed, each once, in their order. */
static json_t *shapes_of(const struct heard *h)
{
    json_t *all = json_array();

    for (size_t i = 0; i < json_lines(h); i++) {
        json_t *shape = shape_of(json_line(h, i)), *last = json_array_get(all, json_array_size(all) - 1);

        if (last != NULL && json_equal(json_object_get(last, "schema"), json_object_get(shape, "schema"))) {
            json_array_set_new(all, json_array_size(all) - 1, merge(last, shape));
            json_decref(shape);
        } else {
            json_array_append_new(all, shape);
        }
    }
    return all;
}

static json_t *shapes_of_verb(struct broker *b, const char *verb)
{
    json_t *all = json_object();

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (strcmp(cases[i].verb, verb) == 0)
            json_object_set_new(all, cases[i].label, shapes_of(&proc_expect(run(b, verb, cases[i].argv, true), cases[i].code)->out));
    return all;
}

static const char *path_of(const char *verb)
{
    return support_text("tests/golden/%s.json", verb);
}

static void write_golden(const char *verb, json_t *shapes)
{
    if (json_dump_file(shapes, path_of(verb), JSON_INDENT(2)) != 0)
        support_fail("cannot write %s", path_of(verb));
}

static void check_golden(const char *verb, json_t *shapes)
{
    json_t *golden = json_load_file(path_of(verb), 0, NULL), *v;
    const char *label, *why;

    if (golden == NULL)
        support_fail("%s is not there, or no JSON: see make golden", path_of(verb));
    json_object_foreach(shapes, label, v)
    {
        json_t *wanted = json_object_get(golden, label);
        size_t n = json_array_size(wanted);

        if (json_array_size(v) == 0 || n != json_array_size(v))
            support_fail("coop %s --json (%s) printed documents of %zu schemas, %s has %zu", verb, label, json_array_size(v), path_of(verb),
                         n);
        for (size_t i = 0; i < n; i++)
            if ((why = misfit(json_array_get(wanted, i), json_array_get(v, i), label)) != NULL)
                support_fail("coop %s --json: %s. Programs of others read this: if it is meant, make golden", verb, why);
    }
    assert_int_equal(json_object_size(golden), json_object_size(shapes));
    json_decref(golden);
}

static void what_each_verb_prints_as_json_is_what_it_was(void **state)
{
    struct broker *b = *state;
    json_t *verbs = json_at(json_of(&proc_expect(coop(b, "help", "--json"), 0)->out), "verbs"), *v;
    bool anew = getenv("COOP_GOLDEN") != NULL;
    size_t i;

    json_array_foreach(verbs, i, v)
    {
        const char *verb = json_str(v, "name");
        json_t *shapes;

        if (getenv("VERB") != NULL && strcmp(getenv("VERB"), verb) != 0) /* one of them */
            continue;
        shapes = shapes_of_verb(b, verb);
        if (json_object_size(shapes) == 0)
            support_fail("coop %s has no case in this test: one for each kind of document that it prints", verb);
        if (anew)
            write_golden(verb, shapes);
        else
            check_golden(verb, shapes);
        json_decref(shapes);
    }
}

/* A file that is about no verb would be read by nobody. */
static void every_case_is_about_a_verb(void **state)
{
    struct broker *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        (void)proc_expect(coop(b, "help", cases[i].verb), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_case_is_about_a_verb, broker_setup, broker_teardown),
        cmocka_unit_test_setup_teardown(what_each_verb_prints_as_json_is_what_it_was, broker_setup, broker_teardown),
    };

    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
