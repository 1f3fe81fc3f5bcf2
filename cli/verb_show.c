/* verb_show.c - status, spec and receipt of one job. */
#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"
#include "units.h"

static void print_why(const Pb__Why *w)
{
    char text[1024], left[UNITS_BUF];

    printf("reason      %s\n", w->reason[0] != '\0' ? text_safe_str(text, sizeof(text), w->reason) : "-");
    printf("why         %s\n", text_safe_str(text, sizeof(text), w->text));
    if (w->position != 0)
        printf("position    %llu of all that may run, %llu of its own tenant before it\n", (unsigned long long)w->position,
               (unsigned long long)w->ahead_own);
    else
        printf("position    none: it may not run yet\n");
    printf("share       its tenant has had %.1f%% of late, and is entitled to %.1f%%\n", w->share * 100, w->entitled * 100);
    if (w->max_running != 0)
        printf("running     %llu of its tenant, at most %llu\n", (unsigned long long)w->running, (unsigned long long)w->max_running);
    else
        printf("running     %llu of its tenant\n", (unsigned long long)w->running);
    for (size_t i = 0; i < w->n_waits; i++)
        printf("%-12s%llu for %s, the first is %llu\n", i == 0 ? "tasks wait" : "", (unsigned long long)w->waits[i]->tasks,
               text_safe_str(text, sizeof(text), w->waits[i]->reason), (unsigned long long)w->waits[i]->first);
    printf("estimate    %s\n", w->estimate_us != 0 ? units_format_duration(w->estimate_us / 100000 * 100000, left) : "not known");
}

static void why(const struct command *c, const Pb__ShowReply *r)
{
    Pb__Why none = PB__WHY__INIT;
    char text[HUMAN_BUF];

    if (c->opt.json)
        json_print(json_document(r->why != NULL ? &r->why->base : &none.base));
    else if (r->why != NULL && c->opt.quiet)
        printf("%s\n", r->why->reason);
    else if (r->why != NULL)
        print_why(r->why);
    else if (r->status != NULL)
        printf("it does not wait: it is %s\n", human_outcome(r->status->state, r->status->cause, text));
}

static void print(const struct command *c, const Pb__ShowReply *r)
{
    char text[HUMAN_BUF];

    if (c->opt.json) {
        json_print(json_document(&r->base));
        return;
    }
    if (c->opt.quiet) {
        if (r->status != NULL)
            printf("%s\n", human_outcome(r->status->state, r->status->cause, text));
        return;
    }
    if (r->status != NULL) {
        human_status(stdout, r->status);
        human_plan(stdout, r->status);
    }
    human_attempts(stdout, r->attempts, r->n_attempts);
    human_webhooks(stdout, r->webhooks, r->n_webhooks);
    if (r->spec != NULL) {
        printf("\nasked for\n");
        human_spec(stdout, r->spec);
        human_asked(stdout, r->spec);
    }
    if (r->receipt != NULL) {
        printf("\nreceipt\n");
        human_receipt(stdout, r->receipt);
    }
}

int verb_show(const struct command *c)
{
    Pb__Show body = PB__SHOW__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_client *client;
    struct frame reply;
    char id[JOB_REF_LEN + 1];
    int code = say_open_for(c, c->args[0], id, &client);

    if (code != 0)
        return code;
    body.id = id;
    req.body_case = PB__REQUEST__BODY_SHOW;
    req.show = &body;
    code = say_call(c, client, &req, PB__REPLY__BODY_SHOW, &reply);
    if (code == 0) {
        (c->opt.why ? why : print)(c, ((const Pb__Reply *)reply.msg)->show);
        frame_release(&reply);
    }
    coop_client_close(client);
    return code;
}
