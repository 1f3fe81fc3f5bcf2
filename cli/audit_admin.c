/* audit_admin.c - see audit_admin.h. */
#include "cli/audit_admin.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/human.h"
#include "cli/reply.h"
#include "cli/text.h"

static void say_act(const Pb__AdminAct *a)
{
    char when[HUMAN_TIME], actor[4 * 65], tenant[4 * 65], object[4 * 129], detail[4 * 257];

    printf("%-6" PRIu64 " %s  %-24s %-16s %-16s %s  %s\n", a->seq, human_time(a->at_us, "-", when),
           text_safe_str(actor, sizeof(actor), a->actor), a->verb, text_safe_str(tenant, sizeof(tenant), a->tenant),
           text_safe_str(object, sizeof(object), a->object), text_safe_str(detail, sizeof(detail), a->detail));
}

static void print(const struct command *c, const void *body)
{
    const Pb__AdminLogReply *r = body;

    (void)c;
    for (size_t i = 0; i < r->n_acts; i++)
        say_act(r->acts[i]);
}

int audit_admin(const struct command *c, struct coop_client *client, uint64_t before)
{
    Pb__AdminLog m = PB__ADMIN_LOG__INIT;
    Pb__Request q = PB__REQUEST__INIT;

    m.before = before;
    q.body_case = PB__REQUEST__BODY_ADMIN_LOG;
    q.admin_log = &m;
    return reply_print_call(c, client, &q, PB__REPLY__BODY_ADMIN_LOG, print);
}
