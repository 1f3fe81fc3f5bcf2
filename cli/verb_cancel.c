/* verb_cancel.c - cancel and kill: the same exchange with another body. */
#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"
#include "ulid.h"

static int end_one(const struct command *c, struct coop_client *client, const char *typed, bool kill)
{
    Pb__Cancel cancel = PB__CANCEL__INIT;
    Pb__Kill murder = PB__KILL__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__SignalReply *r;
    char id[ULID_LEN + 1], text[HUMAN_BUF];
    struct frame reply;
    int code = say_id(c, typed, id);

    if (code != 0)
        return code;
    cancel.id = murder.id = id;
    req.body_case = kill ? PB__REQUEST__BODY_KILL : PB__REQUEST__BODY_CANCEL;
    if (kill)
        req.kill = &murder;
    else
        req.cancel = &cancel;
    code = say_call(c, client, &req, PB__REPLY__BODY_SIGNAL, &reply);
    if (code != 0)
        return code;
    r = ((const Pb__Reply *)reply.msg)->signal;
    if (c->opt.json)
        json_print(r->status != NULL ? json_document(&r->status->base) : json_named("JobStatus"));
    else if (!c->opt.quiet && r->status != NULL)
        printf("%s %s\n", r->status->id, human_outcome(r->status->state, r->status->cause, text));
    frame_release(&reply);
    return 0;
}

static int end_all(const struct command *c, bool kill)
{
    struct coop_client *client;
    char id[ULID_LEN + 1];
    int code, first = 0;

    for (int i = 0; i < c->n_args; i++)
        if ((code = say_id(c, c->args[i], id)) != 0)
            return code;
    code = say_open(c, &client);
    if (code != 0)
        return code;
    for (int i = 0; i < c->n_args; i++) {
        code = end_one(c, client, c->args[i], kill);
        if (first == 0)
            first = code;
    }
    coop_client_close(client);
    return first;
}

int verb_cancel(const struct command *c)
{
    return end_all(c, false);
}

int verb_kill(const struct command *c)
{
    return end_all(c, true);
}
