/* verb_edit.c - what is changed of jobs that still wait. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"
#include "job_limits.h"

#include <coop/exit_codes.h>

/* The lists of an Edit. */
struct lists {
    Pb__Dependency *after, **after_list;
    Pb__Label *labels, **label_list;
    char **texts; /* copies, cut where the command line has a separator */
    size_t n_texts;
};

/* A copy of the first len bytes. NULL: out of memory. */
static char *keep(struct lists *l, const char *text, size_t len)
{
    char *copy = strndup(text, len);

    if (copy != NULL)
        l->texts[l->n_texts++] = copy;
    return copy;
}

static int fill_after(const struct options *o, struct lists *l, Pb__Edit *e)
{
    for (size_t i = 0; i < o->after.n; i++) {
        const char *colon = strchr(o->after.items[i], ':');
        Pb__Dependency *d = l->after_list[i] = &l->after[i];

        pb__dependency__init(d);
        d->job = keep(l, o->after.items[i], strcspn(o->after.items[i], ":"));
        for (unsigned on = 0; colon != NULL && after_words[on] != NULL; on++)
            if (strcmp(after_words[on], colon + 1) == 0)
                d->on = (Pb__After)on;
        if (d->job == NULL)
            return -ENOMEM;
    }
    e->add_after = l->after_list;
    e->n_add_after = o->after.n;
    return 0;
}

static int fill_labels(const struct options *o, struct lists *l, Pb__Edit *e)
{
    for (size_t i = 0; i < o->labels.n; i++) {
        const char *equals = strchr(o->labels.items[i], '=');
        Pb__Label *label = l->label_list[i] = &l->labels[i];

        pb__label__init(label);
        label->key = keep(l, o->labels.items[i], strcspn(o->labels.items[i], "="));
        label->value = equals != NULL ? (char *)equals + 1 : (char *)"";
        if (label->key == NULL)
            return -ENOMEM;
    }
    e->labels = l->label_list;
    e->n_labels = o->labels.n;
    return 0;
}

static void lists_finish(struct lists *l)
{
    for (size_t i = 0; i < l->n_texts; i++)
        free(l->texts[i]);
    free(l->texts);
    free(l->after);
    free(l->after_list);
    free(l->labels);
    free(l->label_list);
}

static int lists_init(const struct options *o, struct lists *l)
{
    *l = (struct lists){
        .after = calloc(o->after.n + 1, sizeof(*l->after)),
        .after_list = calloc(o->after.n + 1, sizeof(Pb__Dependency *)),
        .labels = calloc(o->labels.n + 1, sizeof(*l->labels)),
        .label_list = calloc(o->labels.n + 1, sizeof(Pb__Label *)),
        .texts = calloc(o->after.n + o->labels.n + 1, sizeof(char *)),
    };
    return l->after == NULL || l->after_list == NULL || l->labels == NULL || l->label_list == NULL || l->texts == NULL ? -ENOMEM : 0;
}

static bool any_limit(const Pb__Limits *l)
{
    for (size_t i = 0; i < limits_count; i++)
        if (limits_get(l, &limits_table[i]) != 0)
            return true;
    return false;
}

static int fill(const struct command *c, struct lists *l, Pb__Edit *e)
{
    const struct options *o = &c->opt;

    pb__edit__init(e);
    if (lists_init(o, l) != 0 || fill_after(o, l, e) != 0 || fill_labels(o, l, e) != 0)
        return -ENOMEM;
    e->drop_after = (char **)o->drop_after.items;
    e->n_drop_after = o->drop_after.n;
    e->priority = o->priority;
    e->set_class = o->set_class;
    e->class_ = o->job_class;
    e->not_before_us = o->not_before_us;
    e->deadline_us = o->deadline_us;
    if (any_limit(&o->limits))
        e->limits = (Pb__Limits *)&o->limits;
    if (o->name != NULL)
        e->name = (char *)o->name;
    return 0;
}

static bool changes_anything(const Pb__Edit *e)
{
    return e->n_add_after + e->n_drop_after + e->n_labels > 0 || e->priority != 0 || e->set_class || e->not_before_us != 0 ||
           e->deadline_us != 0 || e->limits != NULL || e->name[0] != '\0';
}

static int edit_one(const struct command *c, struct coop_client *client, Pb__Edit *e, const char *typed)
{
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__ShowReply *r;
    char id[JOB_REF_LEN + 1];
    struct frame reply;
    int code = say_id(c, typed, id);

    if (code != 0)
        return code;
    e->id = id;
    req.body_case = PB__REQUEST__BODY_EDIT;
    req.edit = e;
    code = say_call(c, client, &req, PB__REPLY__BODY_SHOW, &reply);
    if (code != 0)
        return code;
    r = ((const Pb__Reply *)reply.msg)->show;
    if (c->opt.json)
        json_print(json_document(&r->base));
    else if (!c->opt.quiet && r->status != NULL) {
        human_status(stdout, r->status);
        human_plan(stdout, r->status);
    }
    frame_release(&reply);
    return 0;
}

static int edit_all(const struct command *c, Pb__Edit *e)
{
    struct coop_client *client;
    char id[JOB_REF_LEN + 1];
    int code = 0;

    for (int i = 0; i < c->n_args && code == 0; i++)
        code = say_id(c, c->args[i], id);
    if (code == 0)
        code = say_open(c, &client);
    if (code != 0)
        return code;
    for (int i = 0; i < c->n_args; i++) {
        int one = edit_one(c, client, e, c->args[i]);

        code = code != 0 ? code : one;
    }
    coop_client_close(client);
    return code;
}

int verb_edit(const struct command *c)
{
    struct coop_error why;
    struct lists l;
    Pb__Edit e;
    int code;

    if (fill(c, &l, &e) != 0)
        coop_error_set(&why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory"), code = say_error(c, &why);
    else if (!changes_anything(&e)) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "nothing is to be changed; see coop help edit");
        code = say_error(c, &why);
    } else
        code = edit_all(c, &e);
    lists_finish(&l);
    return code;
}
