/* verb_retry.c - jobs that have ended, once more: new ones of the same spec. */
#include <stdio.h>

#include "cli/json.h"
#include "cli/selection.h"

static int retry_one(const struct command *c, struct coop_client *client, char *id, bool chosen)
{
    Pb__RetryJob body = PB__RETRY_JOB__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__SubmitReply *r;
    struct coop_error why;
    struct frame reply;

    body.id = id;
    body.clone = c->opt.clone;
    req.body_case = PB__REQUEST__BODY_RETRY;
    req.retry = &body;
    if (say_try(c, client, &req, PB__REPLY__BODY_SUBMIT, &reply, &why) != 0)
        return selection_fate(c, &why, chosen);
    r = ((const Pb__Reply *)reply.msg)->submit;
    if (c->opt.json)
        json_print(json_document(&r->base));
    else
        printf("%s\n", r->id);
    frame_release(&reply);
    return 0;
}

/* A selector alone means those that went wrong; which others, --state says. */
int verb_retry(const struct command *c)
{
    return selection_each(c, STATES_BAD, retry_one);
}
