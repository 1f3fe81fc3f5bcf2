/* inside_spec.c - see inside_spec.h. */
#include "worker/engines/native/inside_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "job_limits.h"

static struct {
    const void *bytes;
    size_t len;
    const char *name;
} own;

void inside_spec_own(const void *bytes, size_t len, const char *name)
{
    own.bytes = bytes;
    own.len = len;
    own.name = name;
}

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list != NULL && list[n] != NULL)
        n++;
    return n;
}

static void set_source(Pb__JobSpec *to, const struct coop_interp_spec *from)
{
    bool is_own = from->source == NULL && strcmp(to->engine, "native") == 0 && to->source_name[0] == '\0';

    to->source.data = (uint8_t *)(is_own ? own.bytes : from->source);
    to->source.len = is_own ? own.len : from->source_len;
    if (is_own && own.name != NULL)
        to->source_name = (char *)own.name;
}

/* In one block: the lists of bytes, of variables, and those that point to them. */
static int set_lists(struct inside_spec *s, const struct coop_interp_spec *from)
{
    size_t n_args = count(from->args), n_env = count(from->env);

    s->args = calloc(n_args + 1, sizeof(*s->args));
    s->env = calloc(n_env + 1, sizeof(*s->env));
    s->env_list = calloc(n_env + 1, sizeof(*s->env_list));
    if (s->args == NULL || s->env == NULL || s->env_list == NULL)
        return inside_failed(-ENOMEM, "interp_create");
    for (size_t i = 0; i < n_args; i++) {
        s->args[i].data = (uint8_t *)from->args[i];
        s->args[i].len = strlen(from->args[i]);
    }
    for (size_t i = 0; i < n_env; i++) {
        const char *equals = strchr(from->env[i], '=');

        pb__env_var__init(&s->env[i]);
        s->env_list[i] = &s->env[i];
        if (equals == NULL || equals == from->env[i])
            return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "env[%zu] is \"%.64s\": NAME=value is wanted", i, from->env[i]);
        s->env[i].name = strndup(from->env[i], (size_t)(equals - from->env[i]));
        if (s->env[i].name == NULL)
            return inside_failed(-ENOMEM, "interp_create");
        s->env[i].value.data = (uint8_t *)equals + 1;
        s->env[i].value.len = strlen(equals + 1);
    }
    s->job.args = s->args;
    s->job.n_args = n_args;
    s->job.env = s->env_list;
    s->job.n_env = n_env;
    s->job.caps = (char **)from->caps;
    s->job.n_caps = count(from->caps);
    return 0;
}

static int set_limits(struct inside_spec *s, const struct coop_interp_spec *from)
{
    char why[LIMITS_WHY];

    if (from->limits == NULL)
        return 0;
    pb__limits__init(&s->limits);
    if (limits_parse(from->limits, &s->limits, why) != 0)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "limits: %s", why);
    s->job.limits = &s->limits;
    return 0;
}

static int set_grants(struct inside_spec *s, const struct coop_interp_spec *from)
{
    s->grants = calloc(from->n_grants + 1, sizeof(*s->grants));
    s->handles = calloc(from->n_grants + 1, sizeof(*s->handles));
    s->grant_list = calloc(from->n_grants + 1, sizeof(*s->grant_list));
    if (s->grants == NULL || s->handles == NULL || s->grant_list == NULL)
        return inside_failed(-ENOMEM, "interp_create");
    for (size_t i = 0; i < from->n_grants; i++) {
        const struct coop_grant *g = &from->grants[i];

        if (g->name == NULL || g->handle.number == 0)
            return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "grants[%zu]: a name and a handle are wanted", i);
        pb__grant__init(&s->grants[i]);
        pb__handle__init(&s->handles[i]);
        s->handles[i].handle = g->handle.number;
        s->handles[i].rights = g->handle.rights;
        s->grants[i].name = (char *)g->name;
        s->grants[i].handle = &s->handles[i];
        s->grant_list[i] = &s->grants[i];
    }
    s->create.grants = s->grant_list;
    s->create.n_grants = from->n_grants;
    return 0;
}

static char *text(const char *t)
{
    return (char *)(t != NULL ? t : protobuf_c_empty_string);
}

int inside_spec_pack(struct inside_spec *s, const struct coop_interp_spec *from)
{
    int rc;

    memset(s, 0, sizeof(*s));
    pb__interp_create__init(&s->create);
    pb__job_spec__init(&s->job);
    s->create.spec = &s->job;
    s->create.template_ = text(from->template_name);
    s->create.aliases = (char **)from->aliases;
    s->create.n_aliases = count(from->aliases);
    s->create.max_children = from->max_children;
    s->job.name = text(from->name);
    s->job.engine = text(from->engine);
    s->job.source_name = text(from->source_name);
    set_source(&s->job, from);
    rc = set_lists(s, from);
    if (rc == 0)
        rc = set_limits(s, from);
    if (rc == 0)
        rc = set_grants(s, from);
    if (rc != 0)
        inside_spec_finish(s);
    return rc;
}

void inside_spec_finish(struct inside_spec *s)
{
    for (size_t i = 0; s->env != NULL && s->env_list != NULL && s->env_list[i] != NULL; i++)
        if (s->env[i].name != protobuf_c_empty_string)
            free(s->env[i].name);
    free(s->args);
    free(s->env);
    free(s->env_list);
    free(s->grants);
    free(s->handles);
    free(s->grant_list);
    memset(s, 0, sizeof(*s));
}
