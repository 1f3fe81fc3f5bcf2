/* selection.c - see selection.h. */
#include "cli/selection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"

#include <coop/exit_codes.h>

enum { PAGE = 1000 };

static bool has_selector(const struct command *c)
{
    const struct options *o = &c->opt;

    return o->labels.n > 0 || o->name != NULL || o->array != NULL || (o->tenant != NULL && strcmp(o->tenant, "*") != 0) ||
           (o->states != 0 && c->verb->run != verb_wait);
}

int selection_check(const struct command *c)
{
    char id[JOB_REF_LEN + 1];
    struct coop_error why;
    int code = 0;

    if (c->n_args > 0 && has_selector(c)) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE,
                       "coop %s takes ids, or -l, --name, --state, --array and --tenant to choose by, not both", c->verb->name);
        return say_error(c, &why);
    }
    if (c->n_args == 0 && !has_selector(c)) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "coop %s wants ids, or something to choose jobs by", c->verb->name);
        coop_error_hint(&why, "coop %s ID..., or -l KEY=VALUE, --name TEXT, --array ID%s", c->verb->name,
                        c->verb->run != verb_wait ? ", --state STATE" : "");
        return say_error(c, &why);
    }
    for (int i = 0; i < c->n_args && code == 0; i++)
        code = say_id(c, c->args[i], id);
    return code;
}

void selection_body(const struct command *c, unsigned states, Pb__State *list, Pb__Ls *ret)
{
    pb__ls__init(ret);
    ret->states = list;
    for (unsigned s = 0; s < STATE_WORDS; s++)
        if ((states >> s & 1) != 0)
            list[ret->n_states++] = (Pb__State)s;
    ret->labels = (char **)c->opt.labels.items;
    ret->n_labels = c->opt.labels.n;
    ret->since_us = c->opt.since_us;
    ret->arrays = c->opt.arrays;
    if (c->opt.tenant != NULL)
        ret->tenant = (char *)c->opt.tenant;
    if (c->opt.name != NULL)
        ret->name = (char *)c->opt.name;
    if (c->opt.array != NULL)
        ret->array_id = (char *)c->opt.array;
}

static int out_of_memory(const struct command *c)
{
    struct coop_error why;

    coop_error_set(&why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    return say_error(c, &why);
}

static int make_room(const struct command *c, struct selection *s, size_t more)
{
    void *grown = realloc(s->ids, (s->n + more + 1) * sizeof(*s->ids));

    if (grown == NULL)
        return out_of_memory(c);
    s->ids = grown;
    return 0;
}

/* before: where the next page begins. A page may be empty, and more to come. */
static int add_page(const struct command *c, struct selection *s, const Pb__LsReply *r, char before[ULID_LEN + 1])
{
    int code = make_room(c, s, r->n_jobs);

    snprintf(before, ULID_LEN + 1, "%s", r->next);
    for (size_t i = 0; i < r->n_jobs && code == 0; i++)
        snprintf(s->ids[s->n++], sizeof(*s->ids), "%s", r->jobs[i]->id);
    return code;
}

/* A job that is handed in meanwhile is not among them. Lists begin with the newest; what is done is done to the oldest first. */
static int choose(const struct command *c, struct coop_client *client, unsigned states, struct selection *s)
{
    Pb__State list[STATE_WORDS];
    Pb__Request req = PB__REQUEST__INIT;
    char before[ULID_LEN + 1] = "";
    struct frame reply;
    Pb__Ls body;
    bool more = true;
    int code = 0;

    selection_body(c, states, list, &body);
    body.limit = PAGE;
    req.body_case = PB__REQUEST__BODY_LS;
    req.ls = &body;
    while (more && code == 0) {
        body.before = before;
        code = say_call(c, client, &req, PB__REPLY__BODY_LS, &reply);
        if (code != 0)
            return code;
        code = add_page(c, s, ((const Pb__Reply *)reply.msg)->ls, before);
        more =
            ((const Pb__Reply *)reply.msg)->ls->more && before[0] != '\0'; /* without a cursor the first page would come again, for ever */
        frame_release(&reply);
    }
    for (size_t i = 0; i < s->n / 2; i++) {
        char swap[JOB_REF_LEN + 1];

        memcpy(swap, s->ids[i], sizeof(swap));
        memcpy(s->ids[i], s->ids[s->n - 1 - i], sizeof(swap));
        memcpy(s->ids[s->n - 1 - i], swap, sizeof(swap));
    }
    return code;
}

/* A program reads a list that has nothing in it, as ls prints it. */
static void say_none(const struct command *c)
{
    Pb__LsReply none = PB__LS_REPLY__INIT;

    if (c->opt.json)
        json_print(json_document(&none.base));
    say_note(c, "there is no such job");
}

int selection_make(const struct command *c, struct coop_client *client, unsigned states, struct selection *ret)
{
    bool asked_for = c->opt.states != 0 && c->verb->run != verb_wait;
    int code = 0;

    *ret = (struct selection){ .chosen = c->n_args == 0 };
    if (ret->chosen) {
        code = choose(c, client, asked_for ? c->opt.states : states, ret);
        if (code == 0 && ret->n == 0 && c->verb->run != verb_wait) /* which says it itself: there it is a mistake */
            say_none(c);
        return code;
    }
    code = make_room(c, ret, (size_t)c->n_args);
    for (int i = 0; i < c->n_args && code == 0; i++)
        code = say_id(c, c->args[i], ret->ids[ret->n++]);
    return code;
}

void selection_finish(struct selection *s)
{
    free(s->ids);
    *s = (struct selection){ 0 };
}

/* On a terminal, of what a selector has chosen: "cancel 12 jobs?" 0: go on. */
static int selection_confirm(const struct command *c, const struct selection *s)
{
    struct coop_error why;
    char answer[16];

    if (!s->chosen || s->n == 0 || c->opt.yes || isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1)
        return 0;
    fprintf(stderr, "%s %zu job%s: go on? [y/N] ", c->verb->name, s->n, s->n == 1 ? "" : "s");
    if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    coop_error_set(&why, ECANCELED, COOP_EXIT_CANCELLED, "nothing was done");
    return say_error(c, &why);
}

int selection_fate(const struct command *c, const struct coop_error *why, bool chosen)
{
    if (chosen && (why->exit_code == COOP_EXIT_CONFLICT || why->exit_code == COOP_EXIT_NOT_FOUND))
        return 0;
    return say_error(c, why);
}

int selection_each(const struct command *c, unsigned states,
                   int (*one)(const struct command *c, struct coop_client *client, char *id, bool chosen))
{
    struct coop_client *client;
    struct selection s = { 0 };
    int code = selection_check(c);
    bool go_on;

    if (code == 0)
        code = say_open(c, &client);
    if (code != 0)
        return code;
    code = selection_make(c, client, states, &s);
    if (code == 0)
        code = selection_confirm(c, &s);
    go_on = code == 0;
    for (size_t i = 0; i < s.n && go_on; i++) {
        int this_one = one(c, client, s.ids[i], s.chosen);

        code = code != 0 ? code : this_one;
    }
    selection_finish(&s);
    coop_client_close(client);
    return code;
}
