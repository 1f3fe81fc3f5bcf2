/* verb_call.c - one call in a fresh interpreter, which ends with it. */
#include <errno.h>
#include <stdio.h>

#include "cli/words.h"
#include "cli/interp_output.h"
#include "cli/say.h"
#include "ulid.h"

#include <coop/exit_codes.h>

int verb_call(const struct command *c)
{
    struct coop_client *client;
    struct coop_error why;
    struct frame reply;
    char id[ULID_LEN + 1];
    int code;

    if (c->opt.template == NULL && c->opt.run == NULL) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "coop call wants to know where the function is");
        coop_error_hint(&why, "write --template NAME, or --run FILE");
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
    }
    coop_client_close(client); /* its session, and so it */
    return code;
}
