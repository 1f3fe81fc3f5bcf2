/* spec_check.c - see spec_check.h. */
#include "broker/spec_check.h"
#include "broker/spec_check_parts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine_table.h"
#include "job_caps.h"
#include "job_files.h"
#include "job_limits.h"
#include "log.h"
#include "nearest.h"
#include "rel_path.h"
#include "require.h"
#include "units.h"
#include "when.h"

_Static_assert((int)SPEC_WHY >= (int)JOB_FILES_WHY && (int)SPEC_WHY >= (int)JOB_CAPS_WHY && SPEC_WHY >= REQUIRE_WHY,
               "sentences of job_files.h, job_caps.h and require.h fit");

static int too_much(char why[SPEC_WHY], const char *limit, size_t is, size_t max)
{
    snprintf(why, SPEC_WHY, "the limit '%s' allows %zu, this job has %zu", limit, max, is);
    return -EDQUOT;
}

static int check_engine(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    const char *close;
    char known[ENGINE_LIST];
    char shown[64]; /* the answer must stay text, whatever was typed and wherever it is cut */

    if (engine_find(s->engine) >= 0)
        return 0;
    close = nearest_word(s->engine, engine_names);
    log_escape(shown, sizeof(shown), s->engine, strlen(s->engine));
    snprintf(why, SPEC_WHY, "unknown engine '%s'%s%s%s; this broker has: %s", shown, close != NULL ? "; did you mean '" : "",
             close != NULL ? close : "", close != NULL ? "'?" : "", engine_list(known));
    return -EINVAL;
}

/* What is shown on terminals and in logs. */
static int check_text(const char *what, const char *text, char why[SPEC_WHY])
{
    if (!text_has_control(text))
        return 0;
    snprintf(why, SPEC_WHY, "the %s has a control character in it", what);
    return -EINVAL;
}

static int check_name(const char *what, const char *name, int may_be_empty, char why[SPEC_WHY])
{
    if (strlen(name) > LIMITS_NAME)
        return too_much(why, "name", strlen(name), LIMITS_NAME);
    if (check_text(what, name, why) != 0)
        return -EINVAL;
    if (*name == '\0' && !may_be_empty) {
        snprintf(why, SPEC_WHY, "the %s is empty", what);
        return -EINVAL;
    }
    return 0;
}

static int has_nul(const ProtobufCBinaryData *b)
{
    return b->len > 0 && memchr(b->data, 0, b->len) != NULL;
}

static int check_args(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    size_t total = 0;
    int rc;

    if (s->n_args > LIMITS_ARG_N || s->n_env > LIMITS_ARG_N)
        return too_much(why, "argument count", s->n_args > s->n_env ? s->n_args : s->n_env, LIMITS_ARG_N);
    for (size_t i = 0; i < s->n_args; i++) {
        total += s->args[i].len;
        if (has_nul(&s->args[i])) {
            snprintf(why, SPEC_WHY, "argument %zu has a NUL byte in it", i + 1);
            return -EINVAL;
        }
    }
    for (size_t i = 0; i < s->n_env; i++) {
        total += strlen(s->env[i]->name) + s->env[i]->value.len;
        rc = check_name("name of a variable", s->env[i]->name, 0, why);
        if (rc != 0)
            return rc;
        if (strchr(s->env[i]->name, '=') != NULL || has_nul(&s->env[i]->value)) {
            snprintf(why, SPEC_WHY, "variable %zu has '=' in its name or a NUL byte in its value", i + 1);
            return -EINVAL;
        }
    }
    return total > LIMITS_ARGS ? too_much(why, "args", total, LIMITS_ARGS) : 0;
}

static int check_modules(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    size_t total = 0;

    if (s->n_modules > 0 && !engine_table[engine_find(s->engine)].has_modules) {
        snprintf(why, SPEC_WHY, "the engine '%s' takes no modules", s->engine);
        return -EINVAL;
    }
    if (s->n_modules > LIMITS_MODULE_N)
        return too_much(why, "module count", s->n_modules, LIMITS_MODULE_N);
    for (size_t i = 0; i < s->n_modules; i++) {
        int rc = check_name("name of a module", s->modules[i]->name, 0, why);

        if (rc != 0)
            return rc;
        for (size_t k = 0; k < i; k++)
            if (strcmp(s->modules[i]->name, s->modules[k]->name) == 0) {
                snprintf(why, SPEC_WHY, "two modules are named '%s'", s->modules[i]->name);
                return -EINVAL;
            }
        total += s->modules[i]->source.len;
    }
    return total > LIMITS_MODULES ? too_much(why, "modules", total, LIMITS_MODULES) : 0;
}

static int check_stdin(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    if (s->stdin_mode > PB__STDIN_MODE__STDIN_MODE_STREAM || s->on_output_limit > PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE) {
        snprintf(why, SPEC_WHY, "unknown stdin_mode or on_output_limit");
        return -EINVAL;
    }
    if (s->stdin_data.len > 0 && s->stdin_mode != PB__STDIN_MODE__STDIN_MODE_INLINE) {
        snprintf(why, SPEC_WHY, "stdin_data is given, but stdin_mode is not inline");
        return -EINVAL;
    }
    return s->stdin_data.len > LIMITS_STDIN ? too_much(why, "stdin", s->stdin_data.len, LIMITS_STDIN) : 0;
}

/* Source and program: one of them. A name for PATH, or a path that is the same wherever the job stands. */
static int check_program(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    int rc = 0;

    if (s->program[0] == '\0' && s->source.len == 0)
        snprintf(why, SPEC_WHY, "there is nothing to run: neither a program's name nor a program");
    else if (s->program[0] != '\0' && s->source.len > 0)
        snprintf(why, SPEC_WHY, "a program is named and another one is sent");
    else if (strlen(s->program) > LIMITS_PATH)
        return too_much(why, "program", strlen(s->program), LIMITS_PATH);
    else if ((rc = check_text("name of the program", s->program, why)) != 0)
        return rc;
    else if (s->program[0] != '/' && strchr(s->program, '/') != NULL)
        snprintf(why, SPEC_WHY, "the program's path is not absolute; send the program, or name it as it is inside");
    else
        return 0;
    return -EINVAL;
}

static int check_source(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    const struct engine_row *e = &engine_table[engine_find(s->engine)];

    if (e->runs_programs)
        return check_program(s, why);
    if (s->source.len > LIMITS_SOURCE)
        return too_much(why, "source", s->source.len, LIMITS_SOURCE);
    if (s->source.len == 0 && !e->may_be_empty) {
        snprintf(why, SPEC_WHY, "the source is empty");
        return -EINVAL;
    }
    return 0;
}

/* What only programs have, refused by its name for the other engines. */
static int check_no_parts(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    const struct {
        bool given;
        const char *what;
    } rows[] = {
        {s->program[0] != '\0', "program"             },
        { s->n_files > 0,       "files"               },
        { s->n_outputs > 0,     "outputs"             },
        { s->tty != NULL,       "terminal"            },
        { s->policy[0] != '\0', "policy of its own"   },
        { s->learn,             "learning of a policy"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].given) {
            snprintf(why, SPEC_WHY, "the engine '%s' takes no %s", s->engine, rows[i].what);
            return -EINVAL;
        }
    return 0;
}

static int check_terminal(const Pb__TtySize *t, char why[SPEC_WHY])
{
    if (t == NULL || (t->rows >= 1 && t->rows <= LIMITS_TTY && t->columns >= 1 && t->columns <= LIMITS_TTY))
        return 0;
    snprintf(why, SPEC_WHY, "a terminal of %u rows and %u columns is none: 1 to %d of each", t->rows, t->columns, LIMITS_TTY);
    return -EINVAL;
}

/* The capability `packages` is had by another engine, whose zygote has them in memory: that one's jobs are found by nothing else. A template
 * has its engine already, and what it was given when it was built. */
static int choose_packages(Pb__JobSpec *s, char why[SPEC_WHY])
{
    bool wants = job_has_cap(s, "packages");

    if (s->template_[0] != '\0')
        return 0;
    for (int i = 0; i < ENGINE_COUNT; i++) {
        const char *other = engine_table[i].instead_of;

        if (other != NULL && wants && strcmp(s->engine, other) == 0)
            s->engine = (char *)engine_table[i].name;
        if (other != NULL && !wants && strcmp(s->engine, engine_table[i].name) == 0) {
            snprintf(why, SPEC_WHY, "the engine '%s' is had by the capability packages: --engine %s --cap packages", s->engine, other);
            return -EINVAL;
        }
    }
    return 0;
}

/* Said now, and not left without an effect. What would be drawn anyway is no wish. */
static int check_seed(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    const char *seed = engine_table[engine_find(s->engine)].seed;

    for (size_t i = 0; i < s->n_env && seed != NULL; i++) {
        const Pb__EnvVar *v = s->env[i];

        if (strcmp(v->name, seed) != 0 || v->value.len == 0 || (v->value.len == 6 && memcmp(v->value.data, "random", 6) == 0))
            continue;
        snprintf(why, SPEC_WHY,
                 "env %s: the seed is drawn when the process starts that jobs are forked from, and a job cannot choose it; what runs in a "
                 "template has one that no other tenant's jobs have",
                 seed);
        return -EINVAL;
    }
    return 0;
}

static int check_parts(Pb__JobSpec *s, char why[SPEC_WHY])
{
    int rc;

    if (strlen(s->require) > LIMITS_REQUIRE)
        return too_much(why, "require", strlen(s->require), LIMITS_REQUIRE);
    if ((rc = check_text("list of what is required", s->require, why)) != 0 || (rc = require_check(s->require, why)) != 0)
        return rc;
    if ((rc = job_caps_check(s, why)) != 0 || (rc = choose_packages(s, why)) != 0 || (rc = check_seed(s, why)) != 0)
        return rc;
    if (!engine_table[engine_find(s->engine)].runs_programs)
        return check_no_parts(s, why);
    if ((rc = job_files_check(s, why)) != 0 || (rc = job_outputs_check(s, why)) != 0 || (rc = job_policy_check(s, why)) != 0)
        return rc;
    return check_terminal(s->tty, why);
}

/* After the limits' own bounds: what this engine can do. */
static int check_threads(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    const struct engine_row *e = &engine_table[engine_find(s->engine)];

    if (s->limits->threads <= e->threads_max)
        return 0;
    snprintf(why, SPEC_WHY, "limit threads: %llu is above the maximum of %u for the engine '%s'", (unsigned long long)s->limits->threads,
             e->threads_max, e->name);
    return -EINVAL;
}

/* A disk that does not even hold what is sent: said now, and not as a file system that is full. */
static int check_disk(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    uint64_t total = s->source.len;
    char is[UNITS_BUF], max[UNITS_BUF];

    if (!engine_table[engine_find(s->engine)].runs_programs)
        return 0;
    for (size_t i = 0; i < s->n_files; i++)
        total += s->files[i]->data.len;
    if (total <= s->limits->disk_bytes)
        return 0;
    snprintf(why, SPEC_WHY, "limit disk: the program and its files have %s, the limit is %s", units_format_size(total, is),
             units_format_size(s->limits->disk_bytes, max));
    return -EINVAL;
}

/* A native one is what its shared object is; one of text may have a source that is run first. Its input is its calls. */
static int check_interp(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    const struct engine_row *e = &engine_table[engine_find(s->engine)];

    if (e->runs_programs) {
        snprintf(why, SPEC_WHY, "the engine '%s' runs programs, which take no calls", e->name);
        return -EOPNOTSUPP;
    }
    if (s->stdin_mode != PB__STDIN_MODE__STDIN_MODE_NONE || s->stdin_data.len > 0) {
        snprintf(why, SPEC_WHY, "an interpreter has no standard input: what it is to know comes with its calls");
        return -EINVAL;
    }
    return e->is_text && s->source.len == 0 ? 0 : check_source(s, why);
}

static int check(Pb__JobSpec *s, bool interp, char why[SPEC_WHY])
{
    int rc;

    if ((rc = check_engine(s, why)) != 0 || (rc = check_name("name of the job", s->name, 1, why)) != 0 ||
        (rc = check_name("name of the source", s->source_name, interp, why)) != 0 ||
        (rc = interp ? check_interp(s, why) : check_source(s, why)) != 0 || (rc = check_args(s, why)) != 0 ||
        (rc = check_modules(s, why)) != 0 || (rc = check_parts(s, why)) != 0 || (rc = check_stdin(s, why)) != 0)
        return rc;
    s->limits_asked = limits_asked(s->limits);
    rc = limits_settle(s->limits, engine_find(s->engine), why);
    if (rc == 0)
        rc = check_threads(s, why);
    if (rc == 0)
        rc = check_disk(s, why);
    if (rc == 0)
        rc = spec_check_plan(s, when_now_us(), why);
    return rc == 0 && interp ? spec_check_no_plan(s, why) : rc;
}

int spec_check(Pb__JobSpec *s, char why[SPEC_WHY])
{
    return check(s, false, why);
}

int spec_check_interp(Pb__JobSpec *s, char why[SPEC_WHY])
{
    return check(s, true, why);
}

int spec_check_edit(const Pb__Edit *q, uint64_t not_before_us, uint64_t deadline_us, uint64_t now_us, char why[SPEC_WHY])
{
    Pb__JobSpec s = PB__JOB_SPEC__INIT;
    Pb__Schedule when = PB__SCHEDULE__INIT;
    int rc = check_name("name of the job", q->name, 1, why);

    if (rc != 0)
        return rc;
    s.priority = q->priority;
    if (q->set_class)
        s.class_ = q->class_;
    s.labels = q->labels;
    s.n_labels = q->n_labels;
    if (q->not_before_us != 0 || q->deadline_us != 0) { /* else they stay, and may have passed for those that have begun */
        when.not_before_us = q->not_before_us != 0 ? q->not_before_us : not_before_us;
        when.deadline_us = q->deadline_us != 0 ? q->deadline_us : deadline_us;
    }
    when.after = q->add_after;
    when.n_after = q->n_add_after;
    s.schedule = &when;
    return spec_check_plan(&s, now_us, why);
}
