/* audit_admin.c - see audit_admin.h. */
#include "cli/audit_admin.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"

#include <coop/exit_codes.h>

static int read_number(const struct command *c, const char *text, uint64_t *ret)
{
    struct coop_error why;
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    if (text[0] >= '1' && text[0] <= '9' && *end == '\0' && errno == 0)
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "'%.60s' is not the number of an act, as audit admin prints them", text);
    return say_error(c, &why);
}

static void say_act(const Pb__AdminAct *a)
{
    char when[32] = "", actor[4 * 65], tenant[4 * 65], object[4 * 129], detail[4 * 257];
    time_t t = (time_t)(a->at_us / 1000000);
    struct tm tm;

    if (localtime_r(&t, &tm) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
    printf("%-6" PRIu64 " %s  %-24s %-16s %-16s %s  %s\n", a->seq, when, text_safe_str(actor, sizeof(actor), a->actor), a->verb,
           text_safe_str(tenant, sizeof(tenant), a->tenant), text_safe_str(object, sizeof(object), a->object),
           text_safe_str(detail, sizeof(detail), a->detail));
}

int audit_admin(const struct command *c, struct coop_client *client)
{
    Pb__AdminLog m = PB__ADMIN_LOG__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    const Pb__AdminLogReply *r;
    struct frame reply;
    int code = c->n_args > 1 ? read_number(c, c->args[1], &m.before) : 0;

    if (code != 0)
        return code;
    q.body_case = PB__REQUEST__BODY_ADMIN_LOG;
    q.admin_log = &m;
    code = say_call(c, client, &q, PB__REPLY__BODY_ADMIN_LOG, &reply);
    if (code != 0)
        return code;
    r = ((const Pb__Reply *)reply.msg)->admin_log;
    if (c->opt.json)
        json_print(json_document(&r->base));
    for (size_t i = 0; !c->opt.json && i < r->n_acts; i++)
        say_act(r->acts[i]);
    frame_release(&reply);
    return COOP_EXIT_OK;
}
