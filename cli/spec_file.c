/* spec_file.c - see spec_file.h. */
#include "cli/spec_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/spec_read.h"
#include "when.h"

#include <coop/exit_codes.h>

/* ---- reading ---------------------------------------------------------------------------------------------------------------------- */

/* "FILE:LINE:COLUMN: what", as compilers say it. */
static int refuse_place(const char *path, int rc, const struct yaml_error *e, struct coop_error *why)
{
    const char *name = strcmp(path, "-") == 0 ? "stdin" : path;
    int code = rc == -EDQUOT ? COOP_EXIT_QUOTA : rc == -ENOMEM ? COOP_EXIT_PLATFORM : COOP_EXIT_USAGE;

    if (e->line > 0)
        coop_error_set(why, -rc, code, "%s:%u:%u: %s", name, e->line, e->column, e->text);
    else
        coop_error_set(why, -rc, code, "%s: %s", name, e->text);
    if (e->hint[0] != '\0')
        coop_error_hint(why, "%s", e->hint);
    return rc;
}

static int dir_of(struct spec *s, const char *path, const char **ret, struct coop_error *why)
{
    const char *slash = strcmp(path, "-") == 0 ? NULL : strrchr(path, '/');
    char *dir = strndup(path, slash != NULL ? (size_t)(slash - path) + 1 : 0);

    *ret = dir;
    return spec_own(s, dir, why);
}

static int parse(const struct command *c, struct spec_file *f, const ProtobufCBinaryData *text, struct yaml_error *e)
{
    struct spec *s = f->spec;
    struct yaml_reader r = { .doc = &s->doc, .keys = spec_file_keys, .now_us = when_now_us(), .own = f, .why = e };
    int rc = yaml_parse((const char *)text->data, text->len, &s->doc, e);

    (void)c;
    if (rc == 0 && s->doc.root == NULL)
        return yaml_refuse(e, EINVAL, NULL, "there is nothing in this file");
    return rc == 0 ? yaml_read_message(&r, s->doc.root, &s->pb.base) : rc;
}

/* ---- as a command line ------------------------------------------------------------------------------------------------------------- */

/* The file's words, then the flags': what is given twice has its last value. */
static int join(struct spec *s, struct text_list *to, const char *const *first, size_t n, struct coop_error *why)
{
    const char **items = spec_own_zeroed(s, n + to->n, sizeof(*items), why);

    if (items == NULL)
        return -ENOMEM;
    if (n > 0)
        memcpy(items, first, n * sizeof(*items));
    if (to->n > 0)
        memcpy(items + n, to->items, to->n * sizeof(*items));
    *to = (struct text_list){ items, n + to->n };
    return 0;
}

/* NAME=VALUE, as -e has it. */
static int join_env(struct spec *s, struct text_list *to, struct coop_error *why)
{
    const char **words = spec_own_zeroed(s, s->pb.n_env, sizeof(*words), why);

    if (words == NULL)
        return -ENOMEM;
    if (s->pb.n_env > LIMITS_ARG_N)
        return coop_error_set(why, EDQUOT, COOP_EXIT_QUOTA, "%zu variables are more than the limit 'argument count' of %d", s->pb.n_env,
                              LIMITS_ARG_N);
    for (size_t i = 0; i < s->pb.n_env; i++) {
        const Pb__EnvVar *v = s->pb.env[i];
        char *word = malloc(strlen(v->name) + v->value.len + 2);

        if (spec_own(s, word, why) != 0)
            return -ENOMEM;
        if (v->name[0] == '\0' || strchr(v->name, '=') != NULL || strlen(v->name) > LIMITS_NAME)
            return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "env: the name of a variable is 1 to %d bytes without '='", LIMITS_NAME);
        if (v->value.len > 0 && memchr(v->value.data, '\0', v->value.len) != NULL)
            return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "env: the value of %s has a NUL byte in it", v->name);
        sprintf(word, "%s=%.*s", v->name, (int)v->value.len, v->value.data != NULL ? (const char *)v->value.data : "");
        words[i] = word;
    }
    return join(s, to, words, s->pb.n_env, why);
}

static void join_limits(const Pb__Limits *file, Pb__Limits *to)
{
    for (size_t i = 0; file != NULL && i < limits_count; i++) {
        uint64_t *cell = (uint64_t *)((char *)to + limits_table[i].offset);

        if (*cell == 0)
            *cell = limits_get(file, &limits_table[i]);
    }
}

/* What is to run, then its arguments: those of the command line when it has any. */
static int join_words(const struct command *c, const struct spec_file *f, struct spec *s, struct command *as, struct coop_error *why)
{
    size_t n = c->n_args > 0 ? (size_t)c->n_args : s->pb.n_args;
    char **words = spec_own_zeroed(s, n + 2, sizeof(*words), why);

    if (words == NULL)
        return -ENOMEM;
    words[0] = f->code_path != NULL ? (char *)f->code_path : s->pb.program;
    for (size_t i = 0; i < n; i++) {
        const ProtobufCBinaryData *arg = c->n_args > 0 ? NULL : &s->pb.args[i];

        if (arg != NULL && arg->len > 0 && memchr(arg->data, '\0', arg->len) != NULL)
            return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "args: argument %zu has a NUL byte in it", i + 1);
        words[i + 1] = c->n_args > 0 ? c->args[i] : (char *)arg->data;
    }
    as->args = words;
    as->n_args = (int)n + 1;
    as->after_dashes = s->pb.program[0] != '\0';
    return 0;
}

static const char *given(const char *flag, const char *file)
{
    return flag != NULL ? flag : file[0] != '\0' ? file : NULL;
}

static int join_flags(const struct command *c, const struct spec_file *f, struct spec *s, struct command *as, struct coop_error *why)
{
    struct options *o = &as->opt;
    int rc = join_words(c, f, s, as, why);

    o->name = given(o->name, s->pb.name);
    o->engine = given(o->engine, s->pb.engine);
    o->template = given(o->template, s->pb.template_);
    o->require = given(o->require, s->pb.require);
    o->policy_path = o->policy_path != NULL ? o->policy_path : f->policy_path;
    o->stdin_path = o->stdin_path != NULL ? o->stdin_path : f->stdin_path;
    o->learn |= s->pb.learn != 0;
    if (o->on_output_limit == PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_KILL)
        o->on_output_limit = s->pb.on_output_limit;
    if (s->pb.program[0] != '\0')
        o->engine = o->engine != NULL ? o->engine : engine_table[ENGINE_EXEC].name;
    join_limits(s->pb.limits, &o->limits);
    if (rc == 0)
        rc = join_env(s, &o->env, why);
    if (rc == 0)
        rc = join(s, &o->files, f->files, f->n_files, why);
    if (rc == 0)
        rc = join(s, &o->outputs, (const char *const *)s->pb.outputs, s->pb.n_outputs, why);
    return rc == 0 ? join(s, &o->caps, (const char *const *)s->pb.caps, s->pb.n_caps, why) : rc;
}

/* What the command now says, the spec is not to say a second time: it is filled in from there. */
static void forget(struct spec *s)
{
    s->pb.n_args = s->pb.n_env = s->pb.n_files = s->pb.n_outputs = s->pb.n_caps = 0;
    s->pb.limits = NULL;
    s->pb.program = "";
}

static int check_whole(const struct spec_file *f, const struct spec *s, struct coop_error *why)
{
    if (f->code_at == NULL) {
        coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "the job file does not say what to run");
        coop_error_hint(why, "give code: {file: PATH}, code: {source: TEXT}, or program: NAME");
        return -EINVAL;
    }
    if (s->pb.stdin_mode == PB__STDIN_MODE__STDIN_MODE_STREAM)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE,
                              "stdin_mode: only coop run streams input, by itself; give stdin: TEXT or {file: PATH}");
    return 0;
}

int spec_file_load(const struct command *c, struct spec *s, struct command *ret_as, struct coop_error *why)
{
    struct spec_want want = { .what = "job file", .path = c->opt.spec_path, .max = SPEC_FILE_MAX, .waits = true };
    struct spec_file f = { .spec = s, .why = why };
    ProtobufCBinaryData text = { 0 };
    struct yaml_error e;
    int rc = dir_of(s, c->opt.spec_path, &f.dir, why);

    *ret_as = *c;
    if (rc == 0)
        rc = spec_read(s, &want, &text, NULL, why);
    if (rc != 0)
        return rc;
    rc = parse(c, &f, &text, &e);
    if (rc != 0)
        return refuse_place(c->opt.spec_path, rc, &e, why);
    rc = check_whole(&f, s, why);
    if (rc == 0)
        rc = join_flags(c, &f, s, ret_as, why);
    forget(s);
    return rc;
}
