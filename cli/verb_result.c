/* verb_result.c - the receipt of an ended job; the exit code says how it ended. */
#include <unistd.h>

#include "cli/ending.h"
#include "cli/human.h"
#include "cli/json.h"
#include "cli/outcome.h"
#include "cli/outputs.h"
#include "cli/say.h"
#include "ulid.h"

static void print(const struct command *c, const Pb__Receipt *r)
{
    char text[HUMAN_BUF];

    if (c->opt.json)
        json_print(json_document(&r->base));
    else if (c->opt.learned)
        ending_print_learned(stdout, r);
    else if (c->opt.quiet)
        printf("%s\n", human_outcome(r->outcome, r->cause, text));
    else
        human_receipt(stdout, r);
}

static int write_outputs(const struct command *c, struct coop_client *client, const Pb__Receipt *r)
{
    struct coop_error why;
    int fd, code;

    if (outputs_open(c->opt.output_dir, &fd, &why) != 0)
        return say_error(c, &why);
    code = outputs_write(c, client, r, fd);
    close(fd);
    return code;
}

/* What is asked for of an ended job, and how that ended. */
static int serve(const struct command *c, struct coop_client *client, const Pb__Receipt *r)
{
    int code = 0, outcome = outcome_of_wait(r->cause, r->exit_code, r->signal);

    if (c->opt.output != NULL)
        return outputs_print(c, client, r, c->opt.output);
    if (c->opt.output_dir != NULL)
        code = write_outputs(c, client, r);
    print(c, r);
    return code != 0 ? code : outcome;
}

int verb_result(const struct command *c)
{
    Pb__GetResult body = PB__GET_RESULT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_client *client;
    const Pb__Receipt *r;
    struct frame reply;
    char id[JOB_REF_LEN + 1];
    int code = say_open_for(c, c->args[0], id, &client);

    if (code != 0)
        return code;
    body.id = id;
    req.body_case = PB__REQUEST__BODY_RESULT;
    req.result = &body;
    code = say_call(c, client, &req, PB__REPLY__BODY_RESULT, &reply);
    if (code == 0) {
        r = ((const Pb__Reply *)reply.msg)->result;
        code = serve(c, client, r);
        frame_release(&reply);
    }
    coop_client_close(client);
    return code;
}
