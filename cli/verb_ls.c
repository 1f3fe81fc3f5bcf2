/* verb_ls.c - jobs as a table, newest first or in another order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/screen.h"
#include "cli/selection.h"
#include "cli/text.h"
#include "cli/watch.h"

#include <coop/exit_codes.h>

enum { NAME_WIDTH = 24, NAME_BUF = 1024, LIMIT = 50, LIMIT_MAX = 1000 /* as the broker has them */ };

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

static void print_name(FILE *out, const Pb__JobStatus *s)
{
    char name[NAME_BUF];
    int n = snprintf(name, sizeof(name) - 24, "%s", s->name);

    if (s->array_id[0] != '\0')
        sprintf(name + (n < (int)sizeof(name) - 24 ? n : (int)sizeof(name) - 25), ".%llu", (unsigned long long)s->array_index);
    text_cell(out, name, NAME_WIDTH);
    fputs("  ", out);
}

/* How it ended, or why it waits. */
static const char *cause_of(const Pb__JobStatus *s, char buf[NAME_BUF])
{
    if (s->cause != PB__CAUSE__CAUSE_NONE)
        return json_enum_name(&pb__cause__descriptor, (int)s->cause, buf);
    return s->reason[0] != '\0' ? text_safe_str(buf, NAME_BUF, s->reason) : "-";
}

static void print_tasks(FILE *out, const Pb__ArrayCounts *t)
{
    fprintf(out, "  %llu of %llu ended", (unsigned long long)(t->succeeded + t->failed + t->cancelled), (unsigned long long)t->tasks);
    if (t->failed + t->cancelled > 0)
        fprintf(out, ", %llu badly", (unsigned long long)(t->failed + t->cancelled));
}

static void print_row(FILE *out, const Pb__JobStatus *s, bool tenant)
{
    char state[JSON_ENUM_BUF], cause[NAME_BUF], engine[64], age[HUMAN_AGE], name[256];

    fprintf(out, "%-*s  ", ULID_LEN, s->id);
    print_name(out, s);
    fprintf(out, "%-7s %-10s %-13s %s", text_safe_str(engine, sizeof(engine), s->engine),
            json_enum_name(&pb__state__descriptor, (int)s->state, state), cause_of(s, cause), human_age(s->submitted_us, age));
    if (s->tasks != NULL)
        print_tasks(out, s->tasks);
    if (tenant)
        fprintf(out, "  %s", text_safe_str(name, sizeof(name), s->tenant));
    fputc('\n', out);
}

static void print_table(FILE *out, const struct command *c, const Pb__LsReply *r)
{
    bool tenant = c->opt.tenant != NULL;

    fprintf(out, "%-*s  %-*s  %-7s %-10s %-13s %s%s\n", ULID_LEN, "ID", NAME_WIDTH, "NAME", "ENGINE", "STATE", "CAUSE", "AGE",
            tenant ? "  TENANT" : "");
    for (size_t i = 0; i < r->n_jobs; i++)
        print_row(out, r->jobs[i], tenant);
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
        print_table(stdout, c, r);
    if (r->more && !c->opt.json)
        say_note(c, "there are more; see --limit");
}

/* What has been answered so far, as one reply. The broker answers with fewer than it was asked for where it had to look at many. */
struct pages {
    Pb__LsReply all;
    struct frame *replies; /* malloc'd, as all.jobs: each message is in one of these */
    size_t n;
};

static int add_page(struct pages *p, struct frame *reply)
{
    const Pb__LsReply *r = ((const Pb__Reply *)reply->msg)->ls;
    void *replies = realloc(p->replies, (p->n + 1) * sizeof(*p->replies)), *jobs;

    if (replies != NULL) {
        p->replies = replies;
        p->replies[p->n++] = *reply;
    } else {
        frame_release(reply);
        return -ENOMEM;
    }
    jobs = realloc(p->all.jobs, (p->all.n_jobs + r->n_jobs + 1) * sizeof(*p->all.jobs));
    if (jobs == NULL)
        return -ENOMEM;
    p->all.jobs = jobs;
    for (size_t i = 0; i < r->n_jobs; i++)
        p->all.jobs[p->all.n_jobs++] = r->jobs[i];
    p->all.more = r->more;
    p->all.next = r->next;
    return 0;
}

static void drop_pages(struct pages *p)
{
    for (size_t i = 0; i < p->n; i++)
        frame_release(&p->replies[i]);
    free(p->replies);
    free(p->all.jobs);
}

static int print_once(const struct command *c, struct coop_client *client, Pb__Request *req)
{
    struct pages p = { .all = PB__LS_REPLY__INIT };
    uint32_t limit = req->ls->limit != 0 ? req->ls->limit : LIMIT;
    struct coop_error why;
    struct frame reply;
    int code;

    do {
        req->ls->limit = limit - (uint32_t)p.all.n_jobs;
        req->ls->before = p.all.next;
        code = say_call(c, client, req, PB__REPLY__BODY_LS, &reply);
        if (code == 0 && add_page(&p, &reply) != 0) {
            coop_error_set(&why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
            code = say_error(c, &why);
        }
    } while (code == 0 && p.all.more && p.all.next[0] != '\0' && p.all.n_jobs < limit && p.all.n_jobs < LIMIT_MAX);
    if (code == 0)
        print(c, &p.all);
    drop_pages(&p);
    return code;
}

static void draw(FILE *out, void *ctx, const Pb__Reply *r)
{
    sort(ctx, r->ls);
    print_table(out, ctx, r->ls);
}

static int check_watch(const struct command *c)
{
    struct coop_error why;

    if (!c->opt.watch || (screen_possible() && !c->opt.json && !c->opt.jsonl && !c->opt.quiet))
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--watch is a picture on a terminal");
    coop_error_hint(&why, "for a program: coop events -f --json");
    return say_error(c, &why);
}

int verb_ls(const struct command *c)
{
    Pb__Request req = PB__REQUEST__INIT;
    struct watch w = { .request = &req, .wanted = PB__REPLY__BODY_LS, .draw = draw, .ctx = (void *)c };
    struct coop_client *client;
    Pb__State list[STATE_WORDS];
    Pb__Ls body;
    int code = check_watch(c);

    if (code == 0)
        code = say_open(c, &client);
    if (code != 0)
        return code;
    selection_body(c, c->opt.states, list, &body);
    body.limit = c->opt.count;
    req.body_case = PB__REQUEST__BODY_LS;
    req.ls = &body;
    code = c->opt.watch ? watch_run(c, client, &w) : print_once(c, client, &req);
    coop_client_close(client);
    return code;
}
