/* verb_ls.c - jobs as a table, newest first or in another order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/selection.h"
#include "cli/text.h"

enum { NAME_WIDTH = 24, NAME_BUF = 1024 };

/* ---- order ---------------------------------------------------------------------------------------------------------------------- */

typedef int compare_fn(const Pb__JobStatus *a, const Pb__JobStatus *b);

static int more_first(uint64_t a, uint64_t b)
{
    return a < b ? 1 : a > b ? -1 : 0;
}

static int by_age(const Pb__JobStatus *a, const Pb__JobStatus *b)
{
    return -more_first(a->submitted_us, b->submitted_us);
}

static int by_name(const Pb__JobStatus *a, const Pb__JobStatus *b)
{
    return strcmp(a->name, b->name);
}

static int by_state(const Pb__JobStatus *a, const Pb__JobStatus *b)
{
    return (int)a->state - (int)b->state;
}

static int by_cpu(const Pb__JobStatus *a, const Pb__JobStatus *b)
{
    return more_first(a->cpu_us, b->cpu_us);
}

static int by_memory(const Pb__JobStatus *a, const Pb__JobStatus *b)
{
    return more_first(a->mem_bytes, b->mem_bytes);
}

static int by_elapsed(const Pb__JobStatus *a, const Pb__JobStatus *b)
{
    return more_first(a->elapsed_us, b->elapsed_us);
}

static const struct {
    const char *word;
    compare_fn *compare;
} sorts[] = {
    {"age",      by_age    },
    { "name",    by_name   },
    { "state",   by_state  },
    { "cpu",     by_cpu    },
    { "memory",  by_memory },
    { "elapsed", by_elapsed},
};

static compare_fn *chosen_order;

/* Equal ones stay with the newest first, as ids rise. */
static int compare(const void *a, const void *b)
{
    const Pb__JobStatus *x = *(Pb__JobStatus *const *)a, *y = *(Pb__JobStatus *const *)b;
    int order = chosen_order(x, y);

    return order != 0 ? order : strcmp(y->id, x->id);
}

static void sort(const struct command *c, const Pb__LsReply *r)
{
    for (size_t i = 0; c->opt.sort != NULL && i < sizeof(sorts) / sizeof(sorts[0]); i++)
        if (strcmp(sorts[i].word, c->opt.sort) == 0) {
            chosen_order = sorts[i].compare;
            qsort(r->jobs, r->n_jobs, sizeof(*r->jobs), compare);
        }
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------ */

/* At most NAME_WIDTH characters, padded; a character counts as one column. */
static void print_name(const Pb__JobStatus *s)
{
    char safe[NAME_BUF];
    size_t at = 0, columns = 0, len;

    text_safe_str(safe, sizeof(safe) - 24, s->name);
    if (s->array_id[0] != '\0')
        sprintf(safe + strlen(safe), ".%llu", (unsigned long long)s->array_index);
    len = strlen(safe);
    while (at < len && columns < NAME_WIDTH) {
        size_t n = text_char_len(safe + at, len - at);

        at += n > 0 ? n : 1;
        columns++;
    }
    printf("%.*s%*s", (int)at, safe, (int)(NAME_WIDTH - columns) + 2, "");
}

/* How it ended, or why it waits. */
static const char *cause_of(const Pb__JobStatus *s, char buf[NAME_BUF])
{
    if (s->cause != PB__CAUSE__CAUSE_NONE)
        return json_enum_name(&pb__cause__descriptor, (int)s->cause, buf);
    return s->reason[0] != '\0' ? text_safe_str(buf, NAME_BUF, s->reason) : "-";
}

static void print_tasks(const Pb__ArrayCounts *t)
{
    printf("  %llu of %llu ended", (unsigned long long)(t->succeeded + t->failed + t->cancelled), (unsigned long long)t->tasks);
    if (t->failed + t->cancelled > 0)
        printf(", %llu badly", (unsigned long long)(t->failed + t->cancelled));
}

static void print_row(const Pb__JobStatus *s, bool tenant)
{
    char state[JSON_ENUM_BUF], cause[NAME_BUF], engine[64], age[HUMAN_AGE], name[256];

    printf("%-*s  ", ULID_LEN, s->id);
    print_name(s);
    printf("%-7s %-10s %-13s %s", text_safe_str(engine, sizeof(engine), s->engine),
           json_enum_name(&pb__state__descriptor, (int)s->state, state), cause_of(s, cause), human_age(s->submitted_us, age));
    if (s->tasks != NULL)
        print_tasks(s->tasks);
    if (tenant)
        printf("  %s", text_safe_str(name, sizeof(name), s->tenant));
    fputc('\n', stdout);
}

static void print_table(const struct command *c, const Pb__LsReply *r)
{
    bool tenant = c->opt.tenant != NULL;

    printf("%-*s  %-*s  %-7s %-10s %-13s %s%s\n", ULID_LEN, "ID", NAME_WIDTH, "NAME", "ENGINE", "STATE", "CAUSE", "AGE",
           tenant ? "  TENANT" : "");
    for (size_t i = 0; i < r->n_jobs; i++)
        print_row(r->jobs[i], tenant);
}

static void print(const struct command *c, const Pb__LsReply *r)
{
    sort(c, r);
    if (c->opt.jsonl)
        for (size_t i = 0; i < r->n_jobs && json_print(json_document(&r->jobs[i]->base)) == 0; i++)
            ;
    else if (c->opt.json)
        json_print(json_document(&r->base));
    else if (c->opt.quiet)
        for (size_t i = 0; i < r->n_jobs; i++)
            printf("%s\n", r->jobs[i]->id);
    else
        print_table(c, r);
    if (r->more && !c->opt.json)
        say_note(c, "there are more; see --limit");
}

int verb_ls(const struct command *c)
{
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_client *client;
    Pb__State list[STATE_WORDS];
    struct frame reply;
    Pb__Ls body;
    int code = say_open(c, &client);

    if (code != 0)
        return code;
    selection_body(c, c->opt.states, list, &body);
    body.limit = c->opt.count;
    req.body_case = PB__REQUEST__BODY_LS;
    req.ls = &body;
    code = say_call(c, client, &req, PB__REPLY__BODY_LS, &reply);
    if (code == 0) {
        print(c, ((const Pb__Reply *)reply.msg)->ls);
        frame_release(&reply);
    }
    coop_client_close(client);
    return code;
}
