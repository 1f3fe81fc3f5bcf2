/* verb_show.c - status, spec and receipt of one job. */
#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"
#include "ulid.h"

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
    if (r->status != NULL)
        human_status(stdout, r->status);
    if (r->spec != NULL) {
        printf("\nasked for\n");
        human_spec(stdout, r->spec);
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
        print(c, ((const Pb__Reply *)reply.msg)->show);
        frame_release(&reply);
    }
    coop_client_close(client);
    return code;
}
