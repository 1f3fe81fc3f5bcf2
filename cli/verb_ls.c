/* verb_ls.c - jobs as a table, newest first. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"
#include "ulid.h"

enum { NAME_WIDTH = 24, STATES = PB__STATE__STATE_CANCELLED + 1 };

/* At most NAME_WIDTH characters, padded; a character counts as one column. */
static void print_name(const char *name)
{
    char safe[1024];
    size_t at = 0, columns = 0, len;

    text_safe_str(safe, sizeof(safe), name);
    len = strlen(safe);
    while (at < len && columns < NAME_WIDTH) {
        size_t n = text_char_len(safe + at, len - at);

        at += n > 0 ? n : 1;
        columns++;
    }
    printf("%.*s%*s", (int)at, safe, (int)(NAME_WIDTH - columns) + 2, "");
}

static void print_table(const Pb__LsReply *r)
{
    char state[JSON_ENUM_BUF], cause[JSON_ENUM_BUF], engine[64], age[HUMAN_AGE];

    printf("%-*s  %-*s  %-7s %-10s %-13s %s\n", ULID_LEN, "ID", NAME_WIDTH, "NAME", "ENGINE", "STATE", "CAUSE", "AGE");
    for (size_t i = 0; i < r->n_jobs; i++) {
        const Pb__JobStatus *s = r->jobs[i];

        json_enum_name(&pb__cause__descriptor, (int)s->cause, cause);
        printf("%-*s  ", ULID_LEN, s->id);
        print_name(s->name);
        printf("%-7s %-10s %-13s %s\n", text_safe_str(engine, sizeof(engine), s->engine),
               json_enum_name(&pb__state__descriptor, (int)s->state, state), s->cause == PB__CAUSE__CAUSE_NONE ? "-" : cause,
               human_age(s->submitted_us, age));
    }
}

static void print(const struct command *c, const Pb__LsReply *r)
{
    if (c->opt.json)
        json_print(json_document(&r->base));
    else if (c->opt.quiet)
        for (size_t i = 0; i < r->n_jobs; i++)
            printf("%s\n", r->jobs[i]->id);
    else
        print_table(r);
    if (r->more && !c->opt.json)
        say_note(c, "there are more; see --limit");
}

int verb_ls(const struct command *c)
{
    Pb__Ls body = PB__LS__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_client *client;
    Pb__State states[STATES];
    struct frame reply;
    int code;

    body.states = states;
    for (unsigned s = 0; s < STATES; s++)
        if ((c->opt.states & (1u << s)) != 0)
            states[body.n_states++] = (Pb__State)s;
    body.limit = c->opt.count;
    req.body_case = PB__REQUEST__BODY_LS;
    req.ls = &body;
    code = say_open(c, &client);
    if (code != 0)
        return code;
    code = say_call(c, client, &req, PB__REPLY__BODY_LS, &reply);
    if (code == 0) {
        print(c, ((const Pb__Reply *)reply.msg)->ls);
        frame_release(&reply);
    }
    coop_client_close(client);
    return code;
}
