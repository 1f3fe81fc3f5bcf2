/* template_asks.c - what is asked about templates: build, list, remove; and what is told when a build is stored, or is not. See templates.h. */
#include "broker/templates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/meter.h"
#include "broker/spec_check.h"
#include "broker/store.h"
#include "frame.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

/* ---- build --------------------------------------------------------------------------------------------------------------------- */

void template_status(const struct template *t, Pb__TemplateStatus *ret)
{
    static const char *const words[] = { [TEMPLATE_COLD] = "cold", [TEMPLATE_BUILDING] = "building", [TEMPLATE_WARM] = "warm" };

    pb__template_status__init(ret);
    ret->name = (char *)t->name;
    ret->version = t->version;
    ret->engine = (char *)t->crew.engine->name;
    ret->state = (char *)(t->removed                                                   ? "removed"
                          : t->state == TEMPLATE_COLD && template_quarantine_us(t) > 0 ? "quarantined"
                          : t->state == TEMPLATE_COLD && t->why[0] != '\0'             ? "failed"
                                                                                       : words[t->state]);
    ret->quarantine_us = template_quarantine_us(t);
    ret->forks = t->forks;
    ret->created_us = t->created_us;
    ret->build_us = t->build_us;
    ret->fork_us = t->fork_us;
    ret->why = (char *)t->why;
    if (t->worker != NULL)
        ret->pid = (uint32_t)t->worker->pid;
    if (t->worker != NULL && t->worker->pid != 0)
        (void)meter_resident(t->worker->pid, &ret->mem_bytes);
    for (const struct worker *w = t->broker->pool.all; w != NULL; w = w->next)
        ret->alive += w->of == t && w->role == WORKER_FORKED && w->phase != WORKER_ENDING;
}

static void forget_ask(struct ask *a, enum ask_end end)
{
    struct template *t = a->thing;

    (void)end;
    if (a->prev != NULL)
        a->prev->next = a->next;
    else
        t->asks = a->next;
    if (a->next != NULL)
        a->next->prev = a->prev;
    if (!t->stored && t->asks == NULL) /* nobody wants it any more */
        template_end(t);
    template_free_if_unused(t);
}

static struct ask *take_ask(struct template *t)
{
    struct ask *a = t->asks;

    if (a == NULL)
        return NULL;
    t->asks = a->next;
    if (t->asks != NULL)
        t->asks->prev = NULL;
    return a;
}

void template_fail_asks(struct template *t, Pb__CallFailure *f)
{
    struct ask *a;

    while ((a = take_ask(t)) != NULL)
        ask_fail_with(a, f);
}

static void name_row(struct store_template *row, const struct template *t)
{
    row->tenant = t->estate->tenant;
    snprintf(row->name, sizeof(row->name), "%s", t->name);
    row->version = t->version;
    row->created_us = t->created_us;
}

/* Known from now on to everybody; when the disk has it, its builder hears so. */
void template_answer(struct template *t)
{
    struct store_op *op;

    if (t->stored)
        return;
    op = store_op_new(STORE_TEMPLATE, "");
    if (op == NULL) {
        template_broke(t, "out of memory");
        return;
    }
    op->template.spec.bytes = malloc(t->spec_len);
    if (op->template.spec.bytes == NULL) {
        store_op_free(op);
        template_broke(t, "out of memory");
        return;
    }
    memcpy(op->template.spec.bytes, t->spec, t->spec_len);
    op->template.spec.len = t->spec_len;
    name_row(&op->template, t);
    store_push(t->broker->store, op);
}

/* Who has it keeps it; nobody gets it any more. */
static void remove_one(struct template *t)
{
    struct store_op *op = store_op_new(STORE_TEMPLATE_REMOVE, "");

    t->removed = true;
    if (op != NULL) {
        name_row(&op->template, t);
        store_push(t->broker->store, op);
    }
    template_free_if_unused(t);
}

static void tell(struct template *t)
{
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__TemplateStatus s;
    struct ask *a;

    while ((a = take_ask(t)) != NULL) {
        template_status(t, &s);
        m.body_case = PB__ANSWER__BODY_TEMPLATE;
        m.template_ = &s;
        ask_reply(a, &m);
    }
}

void templates_stored(struct broker *b, const struct store_op *op)
{
    struct template *t;
    char full[TEMPLATE_FULL_NAME + 1];
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;

    if (op->kind != STORE_TEMPLATE)
        return;
    snprintf(full, sizeof(full), "%s@%u", op->template.name, op->template.version);
    t = templates_find(b, op->template.tenant, full);
    if (t == NULL)
        return;
    if (op->status == 0) {
        t->stored = true;
        if (t->asks == NULL) /* whoever wanted it has been told that it failed, or has gone */
            remove_one(t);
        tell(t);
        return;
    }
    f.error = CE(TEMPORARY);
    f.message = (char *)"the template could not be stored";
    template_fail_asks(t, &f);
    template_end(t);
}

/* Everything that a job's spec is checked for, and what makes no sense for an init. */
static int check_spec(const struct estate *e, Pb__JobSpec *s, struct call_why *why)
{
    const struct broker *b = e->broker;
    char text[SPEC_WHY];
    int rc;

    if (s->template_[0] != '\0' || s->builds[0] != '\0')
        return call_refuse(why, CE(UNSUPPORTED), "a template is not made from another");
    if (s->stdin_mode != PB__STDIN_MODE__STDIN_MODE_NONE)
        return call_refuse(why, CE(BAD_REQUEST), "the init of a template has no standard input");
    rc = spec_check(s, text);
    if (rc == 0)
        rc = estate_settle_limits(e, s, text);
    if (rc != 0)
        return call_refuse(why, rc == -EDQUOT ? CE(LIMIT) : CE(BAD_REQUEST), "%s", text);
    if (!engine_table[engine_find(s->engine)].has_templates)
        return call_refuse(why, CE(UNSUPPORTED), "the engine '%s' has no templates", s->engine);
    if (b->templates.count >= TEMPLATES_MAX)
        return call_refuse(why, CE(LIMIT), "there are %d versions of templates already; remove some", TEMPLATES_MAX);
    return estate_room(e, ESTATE_TEMPLATES, 1, why);
}

static int check_name(const char *name, struct call_why *why)
{
    if (*name == '\0' || strlen(name) > LIMITS_NAME)
        return call_refuse(why, CE(BAD_REQUEST), "a template's name has 1 to %d bytes", LIMITS_NAME);
    for (const char *p = name; *p != '\0'; p++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", *p) == NULL)
            return call_refuse(why, CE(BAD_REQUEST), "a template's name is of letters, digits, '.', '_' and '-'");
    return 0;
}

static uint32_t last_version(const struct estate *e, const char *name)
{
    uint32_t last = store_last_template(e->broker->store, e->tenant, name);

    for (const struct template *t = e->broker->templates.all; t != NULL; t = t->next)
        if (t->estate == e && strcmp(t->name, name) == 0 && t->version > last)
            last = t->version;
    return last;
}

static struct template *make(struct ask *a, const char *name, Pb__JobSpec *spec)
{
    struct estate *e = a->by->estate;
    uint8_t *packed;
    size_t len;

    if (frame_pack(&spec->base, &packed, &len) != 0)
        return NULL;
    return template_new(e, name, last_version(e, name) + 1, packed, len, spec);
}

void call_template_build(struct ask *a)
{
    const Pb__TemplateBuild *m = a->message->template_build;
    Pb__Limits defaults = PB__LIMITS__INIT;
    struct call_why why;
    struct template *t;

    if (m->spec == NULL) {
        ask_fail(a, CE(BAD_REQUEST), "a template without a spec");
        return;
    }
    if (m->spec->limits == NULL)
        m->spec->limits = &defaults;
    if (check_name(m->name, &why) != 0 || check_spec(a->by->estate, m->spec, &why) != 0) {
        if (m->spec->limits == &defaults)
            m->spec->limits = NULL;
        ask_fail_why(a, &why);
        return;
    }
    t = make(a, m->name, m->spec);
    if (m->spec->limits == &defaults)
        m->spec->limits = NULL; /* the message's memory is not ours to leave anything in */
    if (t == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    ask_park(a, ASK_NEVER, forget_ask, t);
    a->next = a->prev = NULL;
    t->asks = a;
    template_prepare(t);
}

/* ---- list and remove ----------------------------------------------------------------------------------------------------------- */

void call_template_list(struct ask *a)
{
    struct broker *b = a->by->broker;
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__TemplateStatusList list = PB__TEMPLATE_STATUS_LIST__INIT;
    Pb__TemplateStatus *all = calloc(b->templates.count + 1, sizeof(*all));
    Pb__TemplateStatus **at = calloc(b->templates.count + 1, sizeof(*at));

    if (all == NULL || at == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
    } else {
        for (struct template *t = b->templates.all; t != NULL; t = t->next) {
            if (!a->by->operates && t->estate != a->by->estate)
                continue;
            template_status(t, &all[list.n_templates]);
            at[list.n_templates] = &all[list.n_templates];
            list.n_templates++;
        }
        list.templates = at;
        m.body_case = PB__ANSWER__BODY_TEMPLATES;
        m.templates = &list;
        ask_reply(a, &m);
    }
    free(all);
    free(at);
}

void call_template_remove(struct ask *a)
{
    struct broker *b = a->by->broker;
    const char *text = a->message->template_remove->name;
    char name[LIMITS_NAME + 1];
    uint32_t version;
    unsigned n = 0;

    if (template_parse_name(text, name, &version) != 0) {
        ask_fail(a, CE(BAD_REQUEST), "not the name of a template: NAME or NAME@VERSION");
        return;
    }
    for (struct template *t = b->templates.all; t != NULL; t = t->next)
        if (t->estate == a->by->estate && t->stored && !t->removed && strcmp(t->name, name) == 0 &&
            (version == 0 || version == t->version)) {
            remove_one(t);
            n++;
        }
    if (n == 0)
        ask_fail(a, CE(NOT_FOUND), "there is no template '%.64s'", text);
    else
        ask_done(a);
}
