/* audit_calls.c - calls of aliases that the broker has kept: the last first, or those before a number. */
#include "cli/audit_calls.h"

#include <inttypes.h>
#include <stdio.h>

#include "call_errors.h"
#include "cli/human.h"
#include "cli/reply.h"
#include "cli/text.h"
#include "units.h"

static void say_row(const Pb__AliasLogged *r)
{
    char name[4 * 129], when[HUMAN_TIME], took[UNITS_BUF];

    printf("%-8" PRIu64 " %s  %-24s %-15s %-8s %s -> %s  %" PRIu64 " B in, %" PRIu64 " B out\n", r->number,
           human_time(r->ended_us, "-", when), text_safe_str(name, sizeof(name), r->name),
           r->error == 0 ? "ok" : call_error(r->error)->name, units_format_duration(r->wall_us, took), r->caller,
           r->server[0] != '\0' ? r->server : "host", r->bytes_in, r->bytes_out);
}

static void print(const struct command *c, const void *body)
{
    const Pb__AliasLogList *l = body;

    for (size_t i = 0; i < l->n_calls; i++) {
        if (c->opt.quiet)
            printf("%" PRIu64 "\n", l->calls[i]->number);
        else
            say_row(l->calls[i]);
    }
}

int audit_calls(const struct command *c, struct coop_client *client, uint64_t before)
{
    Pb__AliasLog m = PB__ALIAS_LOG__INIT;
    Pb__Ask ask = PB__ASK__INIT;

    m.before = before;
    ask.body_case = PB__ASK__BODY_ALIAS_LOG;
    ask.alias_log = &m;
    return reply_print_ask(c, client, &ask, PB__ANSWER__BODY_ALIAS_CALLS, print);
}
