/* arguments.c - see arguments.h. */
#include "worker/engines/exec/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

#define PRIVATE_WORK "/work" /* where the work directory is one of the job's own mounts, and /tmp another */

/* What the job brings has its path for a name, as a shell would give it; what is looked up keeps the name that was asked for. */
static char *program_name(const struct exec_job *j)
{
    char *name;

    if (j->spec->program[0] != '\0')
        return j->spec->program;
    return asprintf(&name, "%s/%s", j->work_path, j->spec->source_name) >= 0 ? name : NULL;
}

static int make_argv(struct exec_job *j, char why[ARGUMENTS_WHY])
{
    const Pb__JobSpec *spec = j->spec;
    char **argv = calloc(spec->n_args + 2, sizeof(*argv));

    if (argv == NULL || (argv[0] = program_name(j)) == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < spec->n_args; i++) {
        if (spec->args[i].len > 0 && memchr(spec->args[i].data, '\0', spec->args[i].len) != NULL)
            return snprintf(why, ARGUMENTS_WHY, "argument %zu has a NUL byte in it", i + 1), -EINVAL;
        argv[i + 1] = frame_text(&spec->args[i]);
        if (argv[i + 1] == NULL)
            return -ENOMEM;
    }
    j->argv = argv;
    return 0;
}

static bool has(const Pb__JobSpec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_env; i++)
        if (strcmp(spec->env[i]->name, name) == 0)
            return true;
    return false;
}

static int put(char **at, const char *name, const char *value, size_t len)
{
    return asprintf(at, "%s=%.*s", name, (int)len, value) >= 0 ? 0 : -ENOMEM;
}

static int put_given(const Pb__EnvVar *v, char **at, char why[ARGUMENTS_WHY])
{
    if (v->name[0] == '\0' || strchr(v->name, '=') != NULL)
        return snprintf(why, ARGUMENTS_WHY, "\"%.100s\" is no name for an environment variable", v->name), -EINVAL;
    if (v->value.len > 0 && memchr(v->value.data, '\0', v->value.len) != NULL)
        return snprintf(why, ARGUMENTS_WHY, "environment variable %.100s has a NUL byte in it", v->name), -EINVAL;
    return put(at, v->name, v->value.len > 0 ? (const char *)v->value.data : "", v->value.len);
}

static int make_environment(struct exec_job *j, char why[ARGUMENTS_WHY])
{
    bool private = strcmp(j->work_path, PRIVATE_WORK) == 0;
    const struct {
        const char *name, *value; /* NULL: not here */
    } ours[] = {
        {"HOME",     j->work_path                         },
        { "TMPDIR",  private ? "/tmp" : j->work_path      },
        { "PATH",    "/usr/local/bin:/usr/bin:/bin"       },
        { "LANG",    "C.UTF-8"                            },
        { "USER",    "coop"                               },
        { "LOGNAME", "coop"                               },
        { "TERM",    j->spec->tty != NULL ? "xterm" : NULL},
    };
    enum { OURS = sizeof(ours) / sizeof(ours[0]) };
    const Pb__JobSpec *spec = j->spec;
    char **envp = calloc(spec->n_env + OURS + 1, sizeof(*envp));
    size_t n = 0;
    int rc = envp != NULL ? 0 : -ENOMEM;

    for (size_t i = 0; i < OURS && rc == 0; i++)
        if (ours[i].value != NULL && !has(spec, ours[i].name))
            rc = put(&envp[n++], ours[i].name, ours[i].value, strlen(ours[i].value));
    for (size_t i = 0; i < spec->n_env && rc == 0; i++)
        rc = put_given(spec->env[i], &envp[n++], why);
    j->envp = envp;
    return rc;
}

int arguments_make(struct exec_job *j, char why[ARGUMENTS_WHY])
{
    int rc = make_argv(j, why);

    return rc == 0 ? make_environment(j, why) : rc;
}
