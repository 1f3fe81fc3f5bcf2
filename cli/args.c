/* args.c - see args.h. */
#include "cli/args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grants.h"
#include "cli/text.h"
#include "frame.h"
#include "job_caps.h"
#include "job_files.h"
#include "job_limits.h"
#include "nearest.h"
#include "require.h"
#include "units.h"

#include <coop/exit_codes.h>

enum { WORDS_MAX = 64, LS_MAX = 1000, CHILDREN_MAX = 10000 };

const char *const state_words[] = {
    "none", "ready", "starting", "running", "finishing", "succeeded", "failed", "timed_out", "cancelled", NULL,
};

/* ---- values ------------------------------------------------------------------------------------------------------------------- */

#define refuse(why, ...) coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)

void hint_nearest(struct coop_error *why, const char *typed, const char *const *words, const char *prefix)
{
    const char *near = nearest_word(typed, words);

    if (near != NULL)
        coop_error_hint(why, "did you mean '%s%s'?", prefix, near);
}

static int list_add(struct text_list *l, const char *item, struct coop_error *why)
{
    const char **grown = realloc(l->items, (l->n + 1) * sizeof(*grown));

    if (grown == NULL)
        return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    l->items = grown;
    grown[l->n++] = item;
    return 0;
}

static int read_limit(struct options *o, const char *text, struct coop_error *why)
{
    Pb__Limits trial;
    char words[LIMITS_WHY];
    int rc = limits_parse(text, &o->limits, words);

    if (rc == 0) {
        trial = o->limits;
        rc = limits_settle(&trial, LIMITS_ANY_ENGINE, words); /* only to refuse early: the broker knows the engine and its defaults */
    }
    if (rc != 0)
        coop_error_set(why, EINVAL, rc == -EDQUOT ? COOP_EXIT_QUOTA : COOP_EXIT_USAGE, "%s", words);
    return rc != 0 ? -EINVAL : 0;
}

static int read_env(struct options *o, const char *text, struct coop_error *why)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text) {
        refuse(why, "--env '%.100s' is not NAME=VALUE", text);
        coop_error_hint(why, "write -e LANG=C");
        return -EINVAL;
    }
    if ((size_t)(equals - text) > LIMITS_NAME || !frame_is_utf8(text, (size_t)(equals - text)))
        return refuse(why, "--env: the name of a variable is UTF-8 text of at most %d bytes", LIMITS_NAME);
    return list_add(&o->env, text, why);
}

static int read_file(struct options *o, const char *text, struct coop_error *why)
{
    if (text[0] == '\0' || text[0] == ':')
        return refuse(why, "--file '%.100s' names no file; write --file PATH or --file PATH:NAME", text);
    return list_add(&o->files, text, why);
}

static int read_output(struct options *o, const char *text, struct coop_error *why)
{
    if (text[0] == '\0')
        return refuse(why, "--output '' names no file; write --output result.txt or --output 'out/*.csv'");
    return list_add(&o->outputs, text, why);
}

static int read_grant(struct options *o, const char *text, struct coop_error *why)
{
    char name[JOB_CAP_NAME + 1];
    struct job_grant g;

    return grant_read(text, name, &g, why) == 0 ? list_add(&o->grants, text, why) : -EINVAL;
}

/* The broker has no such capability: it is the command that reads the file, and grants what it has read. */
static int read_cap_file(struct options *o, const char *text, struct coop_error *why)
{
    char name[JOB_CAP_NAME + 1];
    const char *path;

    return grant_file_read(text, name, &path, why) == 0 ? list_add(&o->cap_files, text, why) : -EINVAL;
}

static int read_cap(struct options *o, const char *text, struct coop_error *why)
{
    char words[JOB_CAPS_WHY];

    if (strncmp(text, "file=", 5) == 0)
        return read_cap_file(o, text + 5, why);
    if (!frame_is_utf8(text, strlen(text)) || job_cap_check(text, words) != 0)
        return refuse(why, "--cap: %s", frame_is_utf8(text, strlen(text)) ? words : "a capability is UTF-8 text");
    return list_add(&o->caps, text, why);
}

static int read_require(struct options *o, const char *text, struct coop_error *why)
{
    char safe[LIMITS_REQUIRE * 4 + 1], words[REQUIRE_WHY];

    if (text[0] == '\0' || strlen(text) > LIMITS_REQUIRE)
        return refuse(why, "--require takes 1 to %d bytes, like tier=T1,memory=cgroup", LIMITS_REQUIRE);
    if (strcmp(text_safe_str(safe, sizeof(safe), text), text) != 0)
        return refuse(why, "--require '%s' is not printable UTF-8 text", safe);
    if (require_check(text, words) != 0)
        return refuse(why, "--%s", words);
    o->require = text;
    return require_check(text, words) == 0 ? 0 : refuse(why, "--%s", words);
}

static int read_name(struct options *o, const char *text, struct coop_error *why)
{
    char safe[LIMITS_NAME * 4 + 1];

    if (text[0] == '\0' || strlen(text) > LIMITS_NAME)
        return refuse(why, "--name takes 1 to %d bytes", LIMITS_NAME);
    if (strcmp(text_safe_str(safe, sizeof(safe), text), text) != 0)
        return refuse(why, "--name '%s': a name is printable UTF-8 text", safe);
    o->name = text;
    return 0;
}

static int read_on_output_limit(struct options *o, const char *text, struct coop_error *why)
{
    static const char *const words[] = { "kill", "truncate", NULL };

    if (strcmp(text, "kill") == 0)
        o->on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_KILL;
    else if (strcmp(text, "truncate") == 0)
        o->on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE;
    else {
        refuse(why, "--on-output-limit is kill or truncate, not '%.100s'", text);
        hint_nearest(why, text, words, "");
        return -EINVAL;
    }
    return 0;
}

static int read_timeout(struct options *o, const char *text, struct coop_error *why)
{
    int rc = units_parse_duration(text, &o->timeout_us);

    if (rc == -ERANGE || (rc == 0 && o->timeout_us > 366 * 86400000000ull))
        return refuse(why, "--timeout %.100s is longer than a year", text);
    if (rc != 0 || o->timeout_us == 0)
        return refuse(why, "--timeout '%.100s' is not a time above 0; write 500ms, 2s, 5m or 1h", text);
    return 0;
}

/* Digits and nothing else, 1 to max. */
static bool is_count(const char *text, unsigned long max, uint32_t *ret)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > max)
        return false;
    *ret = (uint32_t)n;
    return true;
}

static int read_count(struct options *o, const char *text, struct coop_error *why)
{
    return is_count(text, LS_MAX, &o->count) ? 0
                                             : refuse(why, "--limit of ls is how many jobs to list, 1 to %d, not '%.100s'", LS_MAX, text);
}

static int read_max_items(struct options *o, const char *text, struct coop_error *why)
{
    return is_count(text, UINT32_MAX, &o->max_items) ? 0 : refuse(why, "--max-items '%.60s' is not a count above 0", text);
}

static int read_max_children(struct options *o, const char *text, struct coop_error *why)
{
    return is_count(text, CHILDREN_MAX, &o->max_children)
               ? 0
               : refuse(why, "--max-children is 1 to %d interpreters, not '%.60s'", CHILDREN_MAX, text);
}

static int read_max_bytes(struct options *o, const char *text, struct coop_error *why)
{
    if (units_parse_size(text, &o->max_bytes) != 0 || o->max_bytes == 0)
        return refuse(why, "--max-bytes '%.60s' is not a size above 0; write 64K, 1M", text);
    return 0;
}

static int read_states(struct options *o, const char *text, struct coop_error *why)
{
    char copy[256], *rest = copy, *item;

    snprintf(copy, sizeof(copy), "%s", text);
    while ((item = strsep(&rest, ",")) != NULL) {
        unsigned s = 1;

        while (state_words[s] != NULL && strcmp(state_words[s], item) != 0)
            s++;
        if (state_words[s] == NULL) {
            refuse(why, "unknown state '%.100s'; known: ready, starting, running, finishing, succeeded, failed, timed_out, cancelled",
                   item);
            hint_nearest(why, item, state_words + 1, "");
            return -EINVAL;
        }
        o->states |= 1u << s;
    }
    return 0;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------------- */

#define AT(field)  offsetof(struct options, field)
#define NEW_JOB    (VERB_BIT(RUN) | VERB_BIT(SUBMIT))
#define NEW_INTERP (VERB_BIT(INTERP) | VERB_BIT(CALL) | VERB_BIT(TEMPLATE))
#define NEW        (NEW_JOB | NEW_INTERP)

/* clang-format off */
const struct flag flag_table[] = {
    /* name             letter value             verbs              field             read                  completes  help */
    { "engine",          0,  "NAME",             NEW,           AT(engine),       NULL,                 FLAG_ENGINE,
      "what runs it: lua, native or exec (default: by how the file begins, its extension or its #! line)" },
    { "limit",           0,  "NAME=VALUE[,...]", NEW,           0,                read_limit,           FLAG_LIMIT,
      "bound the job: cpu=2s, memory=64M, ..., as listed at the end; may be repeated" },
    { "on-output-limit", 0,  "kill|truncate",    NEW_JOB,           0,                read_on_output_limit, FLAG_OUTPUT_LIMIT,
      "when stdout or stderr reaches its limit: end the job (default), or drop what is beyond" },
    { "env",             'e', "NAME=VALUE",      NEW,           0,                read_env,             FLAG_NOTHING,
      "set a variable for the job, which gets no others; may be repeated" },
    { "stdin",           0,  "FILE|-",           NEW_JOB,           AT(stdin_path),   NULL,                 FLAG_FILE,
      "the job's standard input: run streams it, submit sends it with the job (at most 4M)" },
    { "file",            0,  "PATH[:NAME[:MODE]]", NEW,         0,                read_file,            FLAG_FILE,
      "send a file with the job: a program finds it in its work directory as NAME (default: the file's name; may have directories) with the octal MODE (default 755 or 644); a script requires it by NAME; may be repeated" },
    { "output",          0,  "GLOB",             NEW_JOB,           0,                read_output,          FLAG_NOTHING,
      "of a program: when it has ended, collect the files of its work directory that match; may be repeated" },
    { "output-dir",      0,  "DIR",              VERB_BIT(RUN) | VERB_BIT(RESULT), AT(output_dir), NULL,     FLAG_FILE,
      "write outputs below DIR, which is made when missing (run: default here); a file that is there already is kept and said so" },
    { "force",           0,  NULL,               VERB_BIT(RUN) | VERB_BIT(RESULT), AT(force), NULL,          FLAG_NOTHING,
      "outputs replace files that are there already" },
    { "output",          0,  "NAME",             VERB_BIT(RESULT),  AT(output),       NULL,                 FLAG_NOTHING,
      "print this output of the job instead, byte for byte" },
    { "learned",         0,  NULL,               VERB_BIT(RESULT),  AT(learned),      NULL,                 FLAG_NOTHING,
      "print the rows that run --learn found instead, as --policy takes them" },
    { "cap",             0,  "NAME[=VALUE]",     NEW,           0,                read_cap,             FLAG_CAP,
      "give it what it has not by itself, as listed at the end: net=loopback, queues, ...; interp create and call also take file=NAME=PATH: the file is read now, and found inside as a buffer granted by NAME; may be repeated" },
    { "grant",           0,  "NAME=KIND:THING:RIGHT", VERB_BIT(INTERP) | VERB_BIT(CALL), 0, read_grant,     FLAG_NOTHING,
      "interp create, call: a handle that is found inside by NAME: queue:QUEUE:send, recv or both, interp:ID:call, kv:PREFIX:ro or rw; may be repeated" },
    { "max-children",    0,  "N",                VERB_BIT(INTERP) | VERB_BIT(CALL), 0, read_max_children,   FLAG_NOTHING,
      "interp create, call: it may have N interpreters of its own alive, with all of theirs" },
    { "source",          0,  "TEXT",             VERB_BIT(INTERP),  AT(source),       NULL,                 FLAG_NOTHING,
      "exec: run this text instead of a file" },
    { "tty",             't', NULL,              VERB_BIT(RUN),     AT(tty),          NULL,                 FLAG_NOTHING,
      "give a program a terminal: keys go to it as they are typed, Ctrl-C too; end it from elsewhere by coop kill" },
    { "require",         0,  "LIST",             NEW_JOB | VERB_BIT(DOCTOR), 0,                read_require,         FLAG_NOTHING,
      "run with no less than this: tier=T1, memory=cgroup, ...; see coop doctor" },
    { "policy",          0,  "FILE",             NEW_JOB,           AT(policy_path),  NULL,                 FLAG_FILE,
      "add the rows in FILE to the system calls that a program may make (at most 64K)" },
    { "learn",           0,  NULL,               NEW_JOB,           AT(learn),        NULL,                 FLAG_NOTHING,
      "let a program's calls that no row allows pass where that is harmless, and print the rows it would need" },
    { "template",        0,  "NAME[@VERSION]",   NEW_JOB | VERB_BIT(INTERP) | VERB_BIT(CALL), AT(template), NULL, FLAG_NOTHING,
      "begin as a copy of this template, which has its engine" },
    { "run",             0,  "FILE",             NEW_INTERP,        AT(run),          NULL,                 FLAG_FILE,
      "the script that is run first, in the interpreter or to make the template; of the engine native the shared object" },
    { "all",             'a', NULL,              VERB_BIT(INTERP),  AT(all),          NULL,                 FLAG_NOTHING,
      "ls: also those that have ended, as far as they are remembered" },
    { "durable",         0,  NULL,               VERB_BIT(QUEUE),   AT(durable),      NULL,                 FLAG_NOTHING,
      "create: what is in the queue survives a restart of the broker" },
    { "max-items",       0,  "N",                VERB_BIT(QUEUE),   0,                read_max_items,       FLAG_NOTHING,
      "create: at most so many items (default 1024); get: take up to so many (default 1)" },
    { "max-bytes",       0,  "SIZE",             VERB_BIT(QUEUE),   0,                read_max_bytes,       FLAG_NOTHING,
      "create: at most so many bytes (default 1M)" },
    { "unbound",         0,  "replace|error|remove|persist", VERB_BIT(QUEUE), AT(unbound), NULL,            FLAG_NOTHING,
      "create, put: what becomes of an item whose sender has ended: its place is told, getting it fails, it is removed, or it stays" },
    { "discard",         0,  NULL,               VERB_BIT(QUEUE),   AT(discard),      NULL,                 FLAG_NOTHING,
      "close: what is in the queue is dropped" },
    { "name",            0,  "TEXT",             NEW,           0,                read_name,            FLAG_NOTHING,
      "the name that an interpreter is called by, or of a job in lists (default there: the file's name)" },
    { "explain-policy",  0,  "NAME",             VERB_BIT(DOCTOR),  AT(explain),      NULL,                 FLAG_NOTHING,
      "print the rows of a system call policy instead, each with its reason: compute, lua, python, native, exec, or init" },
    { "receipt",         0,  NULL,               VERB_BIT(RUN),     AT(receipt),      NULL,                 FLAG_NOTHING,
      "when the job has ended, print a short receipt on standard error" },
    { "follow",          'f', NULL,              VERB_BIT(LOGS),    AT(follow),       NULL,                 FLAG_NOTHING,
      "stay until the job has ended" },
    { "stdout",          0,  NULL,               VERB_BIT(LOGS),    AT(only_stdout),  NULL,                 FLAG_NOTHING,
      "only the job's standard output" },
    { "stderr",          0,  NULL,               VERB_BIT(LOGS),    AT(only_stderr),  NULL,                 FLAG_NOTHING,
      "only the job's standard error" },
    { "state",           0,  "STATE[,...]",      VERB_BIT(LS),      0,                read_states,          FLAG_STATE,
      "only jobs in these states" },
    { "limit",           0,  "N",                VERB_BIT(LS),      0,                read_count,           FLAG_NOTHING,
      "list at most N jobs, up to 1000 (default 50)" },
    { "head",            0,  "HASH",             VERB_BIT(AUDIT),   AT(head),         NULL,                 FLAG_NOTHING,
      "verify: the record of this hash, as audit head once printed it, must be in the chain" },
    { "man",             0,  NULL,               VERB_BIT(HELP),    AT(man),          NULL,                 FLAG_NOTHING,
      "print the manual page, as roff" },
    { "timeout",         0,  "TIME",             VERB_ALL,          0,                read_timeout,         FLAG_NOTHING,
      "give up after TIME with exit code 124; run also cancels the job" },
    { "json",            0,  NULL,               VERB_ALL,          AT(json),         NULL,                 FLAG_NOTHING,
      "print JSON, one document a line; errors too, on standard output" },
    { "quiet",           'q', NULL,              VERB_ALL,          AT(quiet),        NULL,                 FLAG_NOTHING,
      "print nothing but the job's own output or the value asked for (and errors)" },
    { "endpoint",        0,  "URL",              VERB_ALL,          AT(endpoint),     NULL,                 FLAG_NOTHING,
      "the broker's address, ipc://PATH" },
    { "no-autostart",    0,  NULL,               VERB_ALL,          AT(no_autostart), NULL,                 FLAG_NOTHING,
      "start no broker when none runs" },
    { "help",            'h', NULL,              VERB_ALL,          AT(help),         NULL,                 FLAG_NOTHING,
      "say how the verb is used" },
};
/* clang-format on */
const size_t flag_count = sizeof(flag_table) / sizeof(flag_table[0]);

/* ---- parsing ------------------------------------------------------------------------------------------------------------------ */

static bool name_is(const struct flag *f, const char *text, size_t len)
{
    return strlen(f->name) == len && memcmp(f->name, text, len) == 0;
}

static const struct flag *find_long(const char *text, size_t len, unsigned verbs)
{
    for (size_t i = 0; i < flag_count; i++)
        if (name_is(&flag_table[i], text, len) && (flag_table[i].verbs & verbs) == verbs)
            return &flag_table[i];
    return NULL;
}

static const struct flag *find_letter(char letter, unsigned verbs)
{
    for (size_t i = 0; i < flag_count; i++)
        if (flag_table[i].letter == letter && (flag_table[i].verbs & verbs) == verbs)
            return &flag_table[i];
    return NULL;
}

/* A flag of other verbs is named as such; a flag of none gets the nearest one of this verb. */
static int refuse_flag(const char *typed, size_t name_len, const struct verb *verb, unsigned verbs, struct coop_error *why)
{
    const char *words[WORDS_MAX];
    char name[64];
    size_t n = 0;

    snprintf(name, sizeof(name), "%.*s", (int)name_len, typed);
    for (size_t i = 0; i < flag_count; i++) {
        const struct flag *f = &flag_table[i];

        if ((f->verbs & verbs) == verbs && n < WORDS_MAX - 1)
            words[n++] = f->name;
        else if (name_is(f, typed, name_len))
            return verb == NULL ? refuse(why, "--%s belongs after the verb", name)
                                : refuse(why, "--%s is not a flag of '%s'; see coop help %s", name, verb->name, verb->name);
    }
    words[n] = NULL;
    if (verb != NULL)
        refuse(why, "unknown flag --%s; see coop help %s", name, verb->name);
    else
        refuse(why, "unknown flag --%s; see coop help", name);
    hint_nearest(why, name, words, "--");
    return -EINVAL;
}

static int apply_flag(struct options *o, const struct flag *f, const char *value, struct coop_error *why)
{
    char *at = (char *)o + f->offset;

    if (f->value == NULL)
        *(bool *)at = true;
    else if (f->read != NULL)
        return f->read(o, value, why);
    else
        *(const char **)at = value;
    return 0;
}

/* One flag at argv[*i], its value perhaps at the next; moves *i to the last one used. verbs: 0 before the verb is known. */
static int parse_flag(int argc, char **argv, int *i, struct command *c, unsigned verbs, struct coop_error *why)
{
    const char *word = argv[*i], *equals = strchr(word, '='), *value = NULL;
    const struct flag *f;

    if (word[1] == '-') {
        size_t len = equals != NULL ? (size_t)(equals - word) - 2 : strlen(word) - 2;

        f = find_long(word + 2, len, verbs);
        if (f == NULL)
            return refuse_flag(word + 2, len, c->verb, verbs, why);
        value = equals != NULL ? equals + 1 : NULL;
    } else {
        f = find_letter(word[1], verbs);
        if (f == NULL || (f->value == NULL && word[2] != '\0'))
            return refuse(why, "unknown flag %.60s; see coop help%s%s", word, c->verb != NULL ? " " : "",
                          c->verb != NULL ? c->verb->name : "");
        value = word[2] != '\0' ? word + 2 : NULL;
    }
    if (f->value == NULL && value != NULL)
        return refuse(why, "--%s takes no value", f->name);
    if (f->value != NULL && value == NULL) {
        if (*i + 1 >= argc)
            return refuse(why, "--%s wants a value: --%s %s", f->name, f->name, f->value);
        value = argv[++*i];
    }
    return apply_flag(&c->opt, f, value, why);
}

static int parse_verb(const char *word, struct command *c, struct coop_error *why)
{
    const char *words[WORDS_MAX];

    c->verb = verb_find(word);
    if (c->verb != NULL)
        return 0;
    for (size_t i = 0; i < verb_count; i++)
        words[i] = verb_table[i].name;
    words[verb_count] = NULL;
    refuse(why, "unknown verb '%.60s'; see coop help", word);
    hint_nearest(why, word, words, "coop ");
    return -EINVAL;
}

static int check_count(const struct command *c, struct coop_error *why)
{
    const struct verb *v = c->verb;

    if (c->opt.help)
        return 0;
    if (c->n_args < v->min_args)
        refuse(why, "coop %s wants %s", v->name, v->usage);
    else if (v->max_args >= 0 && c->n_args > v->max_args)
        refuse(why, "coop %s takes %s%s, so '%.60s' is too much", v->name, v->max_args == 0 ? "no arguments" : v->usage,
               v->max_args == 0 ? "" : " only", c->args[v->max_args]);
    else
        return 0;
    coop_error_hint(why, "usage: coop %s [flags]%s%s", v->name, v->usage[0] != '\0' ? " " : "", v->usage);
    return -EINVAL;
}

/* -1, -.5: an argument of a call, as no flag begins with a digit. */
static bool is_number(const char *word)
{
    return (word[1] >= '0' && word[1] <= '9') || (word[1] == '.' && word[2] >= '0' && word[2] <= '9');
}

static int parse_words(int argc, char **argv, struct command *c, struct coop_error *why)
{
    unsigned verbs = VERB_ALL;
    bool flags = true;
    int rc = 0;

    for (int i = 1; i < argc && rc == 0; i++) {
        char *word = argv[i];

        if (flags && strcmp(word, "--") == 0) {
            flags = false;
        } else if (flags && word[0] == '-' && word[1] != '\0' && !(c->verb != NULL && is_number(word))) {
            rc = parse_flag(argc, argv, &i, c, verbs, why);
        } else if (c->verb == NULL) {
            rc = parse_verb(word, c, why);
            verbs = rc == 0 ? 1u << verb_id_of(c->verb) : VERB_ALL;
        } else {
            c->args[c->n_args++] = word;
            if (!c->verb->job_args)
                continue;
            c->after_dashes = !flags;
            if (i + 1 < argc && strcmp(argv[i + 1], "--") == 0)
                i++;
            while (++i < argc)
                c->args[c->n_args++] = argv[i];
        }
    }
    return rc;
}

int command_parse(int argc, char **argv, struct command *ret, struct coop_error *why)
{
    struct command c = { .opt = { .limits = PB__LIMITS__INIT } };
    int rc = 0;

    c.args = calloc((size_t)argc + 1, sizeof(*c.args));
    if (c.args == NULL)
        return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        c.verb = &verb_table[VERB_VERSION];
    else
        rc = parse_words(argc, argv, &c, why);
    if (rc == 0 && c.verb == NULL && c.opt.help)
        c.verb = &verb_table[VERB_HELP];
    else if (rc == 0 && c.verb == NULL)
        rc = refuse(why, "no verb given; see coop help");
    if (rc == 0)
        rc = check_count(&c, why);
    *ret = c; /* also when refused: --json says how the refusal is printed */
    return rc;
}

void command_finish(struct command *c)
{
    free(c->args);
    free(c->opt.env.items);
    free(c->opt.files.items);
    free(c->opt.outputs.items);
    free(c->opt.caps.items);
    free(c->opt.cap_files.items);
    free(c->opt.grants.items);
}
