/* verb_cron.c - specs that are submitted again and again: what there are, and when the next time is. */
#include <stdio.h>

#include "cli/human.h"
#include "cli/reply.h"
#include "cli/text.h"

static void print_row(const Pb__Cron *e)
{
    char name[256], expr[128], engine[64], next[HUMAN_TIME], last[HUMAN_TIME], zone[64];

    printf("%-26s  %-20s  %-16s %-6s %-7s %-20s %-20s %s\n", e->id, text_safe_str(name, sizeof(name), e->name),
           text_safe_str(expr, sizeof(expr), e->expr), e->zone[0] != '\0' ? text_safe_str(zone, sizeof(zone), e->zone) : "UTC",
           text_safe_str(engine, sizeof(engine), e->engine), e->paused ? "paused" : human_time(e->next_us, "-", next),
           human_time(e->last_us, e->last_job[0] != '\0' ? "by hand" : "-", last), e->last_job[0] != '\0' ? e->last_job : "-");
}

static void print_list(const struct command *c, const void *body)
{
    const Pb__CronReply *r = body;

    if (!c->opt.quiet)
        printf("%-26s  %-20s  %-16s %-6s %-7s %-20s %-20s %s\n", "ID", "NAME", "WHEN", "ZONE", "ENGINE", "NEXT", "LAST", "LAST JOB");
    for (size_t i = 0; i < r->n_crons; i++)
        if (c->opt.quiet)
            printf("%s\n", r->crons[i]->id);
        else
            print_row(r->crons[i]);
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__CronLs body = PB__CRON_LS__INIT;
    Pb__Request req = PB__REQUEST__INIT;

    (void)args, (void)n;
    if (c->opt.tenant != NULL)
        body.tenant = (char *)c->opt.tenant;
    req.body_case = PB__REQUEST__BODY_CRON_LS;
    req.cron_ls = &body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_CRONS, print_list);
}

static void print_entry(const struct command *c, const void *body)
{
    const Pb__CronReply *r = body;

    print_list(c, r);
    if (r->spec == NULL || c->opt.quiet)
        return;
    printf("\nsubmits\n");
    human_spec(stdout, r->spec);
    human_asked(stdout, r->spec);
}

static int show(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__CronLs body = PB__CRON_LS__INIT;
    Pb__Request req = PB__REQUEST__INIT;

    (void)n;
    body.id = args[0];
    req.body_case = PB__REQUEST__BODY_CRON_LS;
    req.cron_ls = &body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_CRONS, print_entry);
}

/* Of one that was fired the job; of others there is nothing to say. */
static void print_fired(const struct command *c, const void *body)
{
    const Pb__CronReply *r = body;

    (void)c;
    for (size_t i = 0; i < r->n_crons; i++)
        printf("%s\n", r->crons[i]->last_job);
}

/* The same for each of them, also when one fails. */
static int set_all(const struct command *c, struct coop_client *client, Pb__CronSet *body, char **ids, int n)
{
    Pb__Request req = PB__REQUEST__INIT;
    int first = 0;

    req.body_case = PB__REQUEST__BODY_CRON_SET;
    req.cron_set = body;
    for (int i = 0; i < n; i++) {
        int code;

        body->id = ids[i];
        code = reply_print_call(c, client, &req, PB__REPLY__BODY_CRONS, body->fire ? print_fired : NULL);
        first = first != 0 ? first : code;
    }
    return first;
}

static int pause_(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__CronSet body = PB__CRON_SET__INIT;

    body.pause = true;
    return set_all(c, client, &body, args, n);
}

static int resume(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__CronSet body = PB__CRON_SET__INIT;

    body.resume = true;
    return set_all(c, client, &body, args, n);
}

static int fire(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__CronSet body = PB__CRON_SET__INIT;

    body.fire = true;
    return set_all(c, client, &body, args, n);
}

static int rm(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__CronSet body = PB__CRON_SET__INIT;

    body.remove = true;
    return set_all(c, client, &body, args, n);
}

/* clang-format off */
const struct word cron_words[] = {
    { "ls",     "",      0, 0,  "list entries, with the next and the last time of each",         list,   NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "show",   "ID",    1, 1,  "one entry, and what it submits each time",                      show,   NULL, FLAG_NAME, FLAG_NOTHING },
    { "pause",  "ID...", 1, -1, "make no more jobs of it, until it is resumed",                  pause_, NULL, FLAG_NAME, FLAG_NAME },
    { "resume", "ID...", 1, -1, "go on with its next time; those that have gone by are left out", resume, NULL, FLAG_NAME, FLAG_NAME },
    { "fire",   "ID...", 1, -1, "make a job of it now, beside its times, and print the id",      fire,   NULL, FLAG_NAME, FLAG_NAME },
    { "rm",     "ID...", 1, -1, "remove it; jobs that it has made stay",                         rm,     NULL, FLAG_NAME, FLAG_NAME },
    { NULL,     NULL,    0, 0,  NULL,                                                            NULL,   NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_cron(const struct command *c)
{
    return words_run(c, cron_words);
}
