/* verb_call.c - one call in a fresh interpreter, which ends with it. */
#include <errno.h>
#include <stdio.h>

#include "cli/words.h"
#include "cli/interp_output.h"
#include "cli/say.h"
#include "ulid.h"

#include <coop/exit_codes.h>

/* In good order, so that its receipt does not say that it was cancelled. It ends with our session whatever comes of this. */
static void close_it(const struct command *c, struct coop_client *client, char *id)
{
    Pb__InterpClose m = PB__INTERP_CLOSE__INIT;
    struct named q;
    struct frame reply;

    if (say_send(c, client, ask_named(&q, PB__ASK__BODY_INTERP_CLOSE, &m, &m.interp, id), &reply) == 0)
        frame_release(&reply);
}

int verb_call(const struct command *c)
{
    struct coop_client *client;
    struct coop_error why;
    struct frame reply;
    char id[ULID_LEN + 1];
    int code;

    if (c->opt.template == NULL && c->opt.run == NULL && c->opt.engine == NULL) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "coop call wants to know where the function is");
        coop_error_hint(&why, "write --template NAME, or --run FILE; or --engine python, for a function of its library");
        return say_error(c, &why);
    }
    code = say_open(c, &client);
    if (code != 0)
        return code;
    code = interp_make(c, client, PB__OWNER__OWNER_SESSION, &reply);
    if (code == 0) {
        snprintf(id, sizeof(id), "%s", answer_of(&reply)->handle->id);
        frame_release(&reply);
        code = interp_call(c, client, id, c->args, c->n_args);
        if (code == 0)
            close_it(c, client, id);
    }
    coop_client_close(client); /* its session, and so it */
    return code;
}
