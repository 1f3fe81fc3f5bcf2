/* templates.c - templates: see include/coop/client.h. */
#include <stdlib.h>

#include "client/spec.h"
#include "client/start.h"

static void fill_info(struct coop_template_info *i, const Pb__TemplateStatus *s)
{
    memset(i, 0, sizeof(*i));
    PUT(i->name, s->name);
    i->version = s->version;
    PUT(i->engine, s->engine);
    PUT(i->state, s->state);
    PUT(i->why, s->why);
    i->mem_bytes = s->mem_bytes;
    i->forks = s->forks;
    i->created_us = s->created_us;
    i->build_us = s->build_us;
    i->alive = s->alive;
    i->pid = (int)s->pid;
}

static int read_info(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    (void)why;
    fill_info(&ret->template_info, body);
    return 0;
}

static int read_list(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__TemplateStatusList *l = body;
    int rc = start_array((void **)&ret->templates.items, l->n_templates, sizeof(*ret->templates.items), why);

    (void)op;
    for (size_t i = 0; rc == 0 && i < l->n_templates; i++)
        fill_info(&ret->templates.items[i], l->templates[i]);
    ret->templates.n = rc == 0 ? l->n_templates : 0;
    return rc;
}

static const struct op_kind kind_info = { true, PB__ANSWER__BODY_TEMPLATE, COOP_RESULT_TEMPLATE, read_info, NULL, NULL };
static const struct op_kind kind_list = { true, PB__ANSWER__BODY_TEMPLATES, COOP_RESULT_TEMPLATES, read_list, NULL, NULL };

static int start_build(struct start *s, const char *name, const struct coop_spec *spec)
{
    Pb__TemplateBuild m = PB__TEMPLATE_BUILD__INIT;
    int rc = spec_of(spec, &m.spec, s->why);

    m.name = (char *)name;
    return rc != 0 ? rc : start_ask(s, PB__ASK__BODY_TEMPLATE_BUILD, &m, false, &kind_info);
}

int coop_template_build(struct coop_client *c, const char *name, const struct coop_spec *spec, int64_t timeout_us,
                        struct coop_template_info *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_build(&s, name, spec), &r);

    if (rc == 0 && ret != NULL)
        *ret = r.template_info;
    return rc;
}

int coop_template_build_begin(struct coop_client *c, const char *name, const struct coop_spec *spec, int64_t timeout_us,
                              struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_build(&s, name, spec), ret);
}

static int start_list(struct start *s)
{
    Pb__TemplateList m = PB__TEMPLATE_LIST__INIT;

    return start_ask(s, PB__ASK__BODY_TEMPLATE_LIST, &m, false, &kind_list);
}

int coop_template_list(struct coop_client *c, int64_t timeout_us, struct coop_template_list *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_list(&s), &r);

    if (rc == 0)
        *ret = r.templates;
    return rc;
}

int coop_template_list_begin(struct coop_client *c, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_list(&s), ret);
}

static int start_remove(struct start *s, const char *name)
{
    Pb__TemplateRemove m = PB__TEMPLATE_REMOVE__INIT;

    m.name = (char *)name;
    return start_ask(s, PB__ASK__BODY_TEMPLATE_REMOVE, &m, false, &op_done);
}

int coop_template_remove(struct coop_client *c, const char *name, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_remove(&s, name));
}

int coop_template_remove_begin(struct coop_client *c, const char *name, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_remove(&s, name), ret);
}
