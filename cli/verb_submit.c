/* verb_submit.c - hand a job in; its id is the output. */
#include <stdio.h>

#include "cli/json.h"
#include "cli/say.h"
#include "cli/submit_spec.h"

int verb_submit(const struct command *c)
{
    Pb__Submit body = PB__SUBMIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_client *client = NULL;
    const Pb__SubmitReply *r;
    struct coop_error why;
    struct frame reply;
    struct spec s;
    int code;

    if (spec_make(c, true, &s, &why) != 0)
        return say_error(c, &why);
    body.spec = &s.pb;
    req.body_case = PB__REQUEST__BODY_SUBMIT;
    req.submit = &body;
    code = say_open(c, &client);
    if (code == 0)
        code = say_call(c, client, &req, PB__REPLY__BODY_SUBMIT, &reply);
    if (code == 0) {
        r = ((const Pb__Reply *)reply.msg)->submit;
        if (c->opt.json)
            json_print(json_document(&r->base));
        else
            printf("%s\n", r->id);
        frame_release(&reply);
    }
    coop_client_close(client);
    spec_finish(&s);
    return code;
}
