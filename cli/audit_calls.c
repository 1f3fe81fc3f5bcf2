/* audit_calls.c - calls of aliases that the broker has kept: the last first, or those before a number. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "call_errors.h"
#include "cli/audit_calls.h"
#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"
#include "cli/words.h"
#include "units.h"

#include <coop/exit_codes.h>

static int read_number(const struct command *c, const char *text, uint64_t *ret)
{
    struct coop_error why;
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (text[0] >= '1' && text[0] <= '9' && *end == '\0' && errno == 0)
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "'%.60s' is not the number of a call, as audit calls prints them", text);
    return say_error(c, &why);
}

static void say_row(const Pb__AliasLogged *r)
{
    char name[4 * 129], when[32] = "", took[UNITS_BUF];
    time_t t = (time_t)(r->ended_us / 1000000);
    struct tm tm;

    if (localtime_r(&t, &tm) != NULL)
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    printf("%-8" PRIu64 " %s  %-24s %-15s %-8s %s -> %s  %" PRIu64 " B in, %" PRIu64 " B out\n", r->number, when,
           text_safe_str(name, sizeof(name), r->name), r->error == 0 ? "ok" : call_error(r->error)->name,
           units_format_duration(r->wall_us, took), r->caller, r->server[0] != '\0' ? r->server : "host", r->bytes_in, r->bytes_out);
}

int audit_calls(const struct command *c, struct coop_client *client)
{
    Pb__AliasLog m = PB__ALIAS_LOG__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    const Pb__AliasLogList *l;
    struct frame reply;
    int code = c->n_args > 1 ? read_number(c, c->args[1], &m.before) : 0;

    if (code != 0)
        return code;
    ask.body_case = PB__ASK__BODY_ALIAS_LOG;
    ask.alias_log = &m;
    code = say_ask(c, client, &ask, PB__ANSWER__BODY_ALIAS_CALLS, &reply);
    if (code != 0)
        return code;
    l = answer_of(&reply)->alias_calls;
    if (c->opt.json)
        json_print(json_document(&l->base));
    for (size_t i = 0; !c->opt.json && i < l->n_calls; i++) {
        if (c->opt.quiet)
            printf("%" PRIu64 "\n", l->calls[i]->number);
        else
            say_row(l->calls[i]);
    }
    frame_release(&reply);
    return COOP_EXIT_OK;
}
