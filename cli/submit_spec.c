/* submit_spec.c - see submit_spec.h. */
#include "cli/submit_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/grants.h"
#include "cli/module_files.h"
#include "cli/program.h"
#include "cli/python.h"
#include "cli/program_parts.h"
#include "cli/spec_file.h"
#include "cli/spec_flags.h"
#include "cli/spec_read.h"
#include "engine_table.h"
#include "frame.h"
#include "units.h"

#include <coop/exit_codes.h>

#define refuse(why, ...)      coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)
#define refuse_size(why, ...) coop_error_set((why), EDQUOT, COOP_EXIT_QUOTA, __VA_ARGS__)

/* ---- arguments and variables -------------------------------------------------------------------------------------------------- */

static int add_args(const struct command *c, struct spec *s, struct coop_error *why)
{
    size_t n = (size_t)c->n_args - 1;

    if (n > LIMITS_ARG_N)
        return refuse_size(why, "%zu arguments are more than the limit 'argument count' of %d", n, LIMITS_ARG_N);
    s->pb.args = spec_own_zeroed(s, n, sizeof(*s->pb.args), why);
    if (s->pb.args == NULL)
        return -ENOMEM;
    s->pb.n_args = n;
    for (size_t i = 0; i < n; i++) {
        s->pb.args[i].data = (uint8_t *)c->args[i + 1];
        s->pb.args[i].len = strlen(c->args[i + 1]);
    }
    return 0;
}

/* A job with a terminal draws on ours, so it is told what kind ours is; who gives another is believed. */
static int add_term(const struct command *c, struct spec *s, Pb__EnvVar *var, struct coop_error *why)
{
    const char *term = c->opt.tty ? getenv("TERM") : NULL;
    char *copy;
    int rc;

    for (size_t i = 0; i < s->pb.n_env; i++)
        if (strcmp(s->pb.env[i]->name, "TERM") == 0)
            return 0;
    if (term == NULL || term[0] == '\0')
        return 0;
    copy = strdup(term);
    rc = spec_own(s, copy, why);
    if (rc != 0)
        return rc;
    pb__env_var__init(var);
    var->name = "TERM";
    var->value = (ProtobufCBinaryData){ strlen(copy), (uint8_t *)copy };
    s->pb.env[s->pb.n_env++] = var;
    return 0;
}

/* A variable given twice has its last value. */
static int add_env(const struct command *c, struct spec *s, struct coop_error *why)
{
    Pb__EnvVar *vars = spec_own_zeroed(s, c->opt.env.n + 1, sizeof(*vars), why), **list;

    list = vars != NULL ? spec_own_zeroed(s, c->opt.env.n + 1, sizeof(*list), why) : NULL;
    if (list == NULL)
        return -ENOMEM;
    s->pb.env = list;
    for (size_t i = 0; i < c->opt.env.n; i++) {
        const char *text = c->opt.env.items[i], *equals = strchr(text, '=');
        char *name = strndup(text, (size_t)(equals - text));
        size_t at = 0;
        int rc = spec_own(s, name, why);

        if (rc != 0)
            return rc;
        while (at < s->pb.n_env && strcmp(list[at]->name, name) != 0)
            at++;
        if (at == s->pb.n_env)
            list[s->pb.n_env++] = &vars[at];
        pb__env_var__init(&vars[at]);
        vars[at].name = name;
        vars[at].value.data = (uint8_t *)equals + 1;
        vars[at].value.len = strlen(equals + 1);
    }
    return add_term(c, s, &vars[c->opt.env.n], why);
}

static int check_args_size(const struct spec *s, struct coop_error *why)
{
    size_t total = 0;
    char text[UNITS_BUF];

    for (size_t i = 0; i < s->pb.n_args; i++)
        total += s->pb.args[i].len;
    for (size_t i = 0; i < s->pb.n_env; i++)
        total += strlen(s->pb.env[i]->name) + s->pb.env[i]->value.len;
    if (total <= LIMITS_ARGS)
        return 0;
    return refuse_size(why, "arguments and variables together are larger than the limit 'args' of %s",
                       units_format_size(LIMITS_ARGS, text));
}

/* ---- modules ------------------------------------------------------------------------------------------------------------------ */

/* Data is whatever it is; a module is refused early, by its name. */
static int check_module(const struct spec *s, const char *path, const char *name, const ProtobufCBinaryData *b, struct coop_error *why)
{
    const struct engine_row *e = &engine_table[engine_find(s->pb.engine)];
    const char *dot = strrchr(name, '.');

    if (e->opens_modules && (dot == NULL || strcmp(dot, engine_table[ENGINE_PYTHON].ending) != 0))
        return 0;
    return program_check_text("module", path, b, why);
}

static int add_module(struct spec *s, const struct module_file *f, Pb__Module *m, size_t *total, struct coop_error *why)
{
    const char *path = f->path, *name = f->name;
    struct spec_want want = { .what = "module",
                              .path = path,
                              .whole = "the modules of a job",
                              .max = *total < LIMITS_MODULES ? LIMITS_MODULES - *total : 0,
                              .all = LIMITS_MODULES };
    int rc = spec_read(s, &want, &m->source, NULL, why);

    if (rc == 0)
        rc = check_module(s, path, name, &m->source, why);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < s->pb.n_modules; i++)
        if (strcmp(s->pb.modules[i]->name, name) == 0)
            return refuse(why, "two modules are called '%s'; give one another name by --file PATH:NAME", name);
    m->name = (char *)name;
    *total += m->source.len;
    return 0;
}

/* Those that a job file has in it: "modules", and "files", which are modules of an engine that has them. */
static int list_modules(struct spec *s, size_t room, Pb__Module *from, struct coop_error *why)
{
    Pb__Module **list = spec_own_zeroed(s, room, sizeof(*list), why);

    if (list == NULL)
        return -ENOMEM;
    if (s->pb.n_modules > 0)
        memcpy(list, s->pb.modules, s->pb.n_modules * sizeof(*list));
    for (size_t i = 0; i < s->n_inline_files; i++) {
        pb__module__init(&from[i]);
        from[i].name = s->inline_files[i]->name;
        from[i].source = s->inline_files[i]->data;
        list[s->pb.n_modules++] = &from[i];
    }
    s->pb.modules = list;
    return 0;
}

static int add_modules(const struct command *c, struct spec *s, struct coop_error *why)
{
    Pb__Module *modules;
    struct module_files files;
    size_t n = s->n_inline_files + s->pb.n_modules, total = 0;
    int rc;

    if (n + c->opt.files.n > 0 && !engine_table[engine_find(s->pb.engine)].has_modules)
        return refuse(why, "a job of the engine %s takes no --file", s->pb.engine);
    rc = module_files_list(s, &c->opt.files, &files, why);
    if (rc != 0)
        return rc;
    n += files.n;
    if (n > LIMITS_MODULE_N)
        return refuse_size(why, "%zu modules are more than the limit 'module count' of %d", n, LIMITS_MODULE_N);
    modules = spec_own_zeroed(s, n, sizeof(*modules), why);
    if (modules == NULL || list_modules(s, n, modules, why) != 0)
        return -ENOMEM;
    modules += s->n_inline_files;
    for (size_t i = 0; i < s->pb.n_modules; i++)
        total += s->pb.modules[i]->source.len;
    for (size_t i = 0; i < files.n && rc == 0; i++) {
        pb__module__init(&modules[i]);
        rc = add_module(s, &files.items[i], &modules[i], &total, why);
        if (rc == 0)
            s->pb.modules[s->pb.n_modules++] = &modules[i];
    }
    return rc;
}

/* ---- the rest ------------------------------------------------------------------------------------------------------------------ */

static int add_stdin(const struct command *c, struct spec *s, struct coop_error *why)
{
    struct spec_want want = { .what = "input", .max = LIMITS_STDIN, .waits = true };
    int rc;

    if (c->opt.stdin_path == NULL)
        return 0;
    want.path = c->opt.stdin_path;
    rc = spec_read(s, &want, &s->pb.stdin_data, NULL, why);
    if (rc == 0)
        s->pb.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    return rc;
}

static bool spec_runs_programs(const struct spec *s)
{
    return engine_table[engine_find(s->pb.engine)].runs_programs;
}

/* What every engine has, and what the others have instead of a program's parts. */
static int add_parts(const struct command *c, struct spec *s, struct coop_error *why)
{
    int rc;

    s->pb.require = (char *)(c->opt.require != NULL ? c->opt.require : "");
    if (spec_runs_programs(s))
        return program_add_parts(c, s, why);
    rc = program_refuse_parts(c, s, why);
    if (rc == 0)
        rc = program_add_caps(c, s, why);
    return rc == 0 ? add_modules(c, s, why) : rc;
}

static int make_job(const struct command *c, bool stdin_inline, struct spec *s, struct coop_error *why)
{
    bool from_stdin = c->opt.stdin_path != NULL && strcmp(c->opt.stdin_path, "-") == 0;
    int rc = 0;

    if (from_stdin && strcmp(c->args[0], "-") == 0)
        rc = refuse(why, "standard input cannot be both the script and its input");
    if (rc == 0 && from_stdin && c->opt.spec_path != NULL && strcmp(c->opt.spec_path, "-") == 0)
        rc = refuse(why, "standard input cannot be both the job file and the job's input");
    if (rc == 0)
        rc = program_add(c, s, why);
    if (rc == 0)
        rc = add_args(c, s, why);
    if (rc == 0)
        rc = add_env(c, s, why);
    if (rc == 0)
        rc = check_args_size(s, why);
    if (rc == 0)
        rc = add_parts(c, s, why);
    if (rc == 0 && stdin_inline)
        rc = add_stdin(c, s, why);
    s->stdin_path = c->opt.stdin_path;
    s->script_from_stdin |= c->opt.spec_path != NULL && strcmp(c->opt.spec_path, "-") == 0;
    return rc;
}

int spec_make(const struct command *c, bool stdin_inline, struct spec *ret, struct coop_error *why)
{
    struct command as = *c;
    int rc;

    memset(ret, 0, sizeof(*ret));
    pb__job_spec__init(&ret->pb);
    rc = grants_refuse(
        c, "a job",
        "a job is kept on disk and may start again when handles have gone: send the file by --file or --stdin, or make an interpreter",
        why);
    if (rc == 0 && c->opt.spec_path != NULL)
        rc = spec_file_load(c, ret, &as, why);
    if (rc == 0)
        rc = make_job(&as, stdin_inline, ret, why);
    if (rc == 0)
        rc = spec_add_flags(c, ret, why);
    if (rc != 0) {
        spec_finish(ret);
        return rc;
    }
    ret->limits = as.opt.limits;
    ret->pb.limits = &ret->limits;
    ret->pb.template_ = (char *)(as.opt.template != NULL ? as.opt.template : "");
    ret->pb.on_output_limit = as.opt.on_output_limit;
    return 0;
}

static int add_run(const struct command *c, struct spec *s, struct coop_error *why)
{
    struct spec_want want = { .what = "script", .path = c->opt.run, .max = LIMITS_SOURCE, .is_job = true, .waits = true };
    const char *slash;
    int rc;

    if (python_is_meant(c))
        return python_add(c, s, why);
    if (c->opt.run == NULL)
        return 0;
    rc = spec_read(s, &want, &s->pb.source, NULL, why);
    slash = strrchr(c->opt.run, '/');
    snprintf(s->source_name, sizeof(s->source_name), "%s", strcmp(c->opt.run, "-") == 0 ? "stdin" : slash != NULL ? slash + 1 : c->opt.run);
    s->pb.source_name = s->source_name;
    return rc;
}

/* The broker judges what comes of a template's engine; here it is only whether there is one of this name. */
static int add_engine(const struct command *c, struct spec *s, struct coop_error *why)
{
    const char *guess =
        s->pb.source.len > 0 && c->opt.run != NULL ? program_guess_engine(c->opt.run, s->pb.source.data, s->pb.source.len) : NULL;
    char list[ENGINE_LIST];

    if (python_is_meant(c))
        return 0;
    s->pb.engine = (char *)(c->opt.engine != NULL ? c->opt.engine : c->opt.template == NULL && guess != NULL ? guess : "");
    if (s->pb.engine[0] == '\0' && c->opt.template == NULL && c->opt.run != NULL) {
        refuse(why, "cannot tell which engine %.200s is for: it has no #! line, and its name does not end in .py or .lua", c->opt.run);
        coop_error_hint(why, "say what it is of: --engine python, --engine lua; --engine native for a shared object");
        return -EINVAL;
    }
    if (s->pb.engine[0] == '\0' || engine_find(s->pb.engine) >= 0)
        return 0;
    refuse(why, "there is no engine '%.40s'; there are: %s", s->pb.engine, engine_list(list));
    hint_nearest(why, s->pb.engine, engine_names, "--engine ");
    return -EINVAL;
}

int spec_make_interp(const struct command *c, struct spec *ret, struct coop_error *why)
{
    int rc;

    memset(ret, 0, sizeof(*ret));
    pb__job_spec__init(&ret->pb);
    rc = add_run(c, ret, why);
    if (rc == 0)
        rc = add_engine(c, ret, why);
    if (rc == 0)
        rc = add_env(c, ret, why);
    if (rc == 0)
        rc = program_add_caps(c, ret, why);
    if (rc == 0 && c->opt.files.n > 0 && ret->pb.engine[0] == '\0')
        rc = refuse(why, "--file goes with --engine: what a template's interpreters may require, its build was given");
    if (rc == 0 && c->opt.files.n > 0)
        rc = add_modules(c, ret, why);
    if (rc != 0) {
        spec_finish(ret);
        return rc;
    }
    ret->pb.name = (char *)(c->opt.name != NULL ? c->opt.name : "");
    ret->pb.limits = (Pb__Limits *)&c->opt.limits;
    return 0;
}
