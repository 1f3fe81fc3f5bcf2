/* verb_node.c - the broker as a machine that takes jobs, or takes no more of them. */
#include <stdio.h>

#include "cli/reply.h"
#include "cli/text.h"
#include "units.h"

static void print_drain(const struct command *c, const void *body)
{
    const Pb__DrainReply *r = body;

    if (!c->opt.quiet)
        printf("%s: %llu run, %llu wait\n", r->draining ? "draining" : "takes jobs", (unsigned long long)r->running,
               (unsigned long long)r->waiting);
}

static int drain_to(const struct command *c, struct coop_client *client, bool drain)
{
    Pb__Drain body = PB__DRAIN__INIT;
    Pb__Request req = PB__REQUEST__INIT;

    body.drain = drain;
    req.body_case = PB__REQUEST__BODY_DRAIN;
    req.drain = &body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_DRAIN, print_drain);
}

static int drain(const struct command *c, struct coop_client *client, char **args, int n)
{
    (void)args, (void)n;
    return drain_to(c, client, true);
}

static int undrain(const struct command *c, struct coop_client *client, char **args, int n)
{
    (void)args, (void)n;
    return drain_to(c, client, false);
}

static void print_node(const struct command *c, const void *body)
{
    const Pb__TopReply *r = body;
    char a[UNITS_BUF], b[UNITS_BUF], version[64];

    (void)c;
    printf("version     %s\n", text_safe_str(version, sizeof(version), r->version));
    printf("up          %s, cpu %s\n", units_format_duration(r->uptime_us, a), units_format_duration(r->cpu_us, b));
    printf("memory      %s\n", units_format_size(r->memory_bytes, a));
    printf("takes jobs  %s\n", r->draining ? "no, it is draining" : "yes");
    printf("slots       %u: %u workers busy, %u idle, %u begin\n", r->slots, r->workers_busy, r->workers_idle, r->workers_booting);
    printf("jobs        %llu run, %llu wait, %llu held, %llu scheduled, %llu blocked\n", (unsigned long long)r->running,
           (unsigned long long)r->waiting, (unsigned long long)r->held, (unsigned long long)r->scheduled, (unsigned long long)r->blocked);
    printf("since then  %llu handed in, %llu ended, %llu of them badly\n", (unsigned long long)r->submitted, (unsigned long long)r->ended,
           (unsigned long long)r->failed);
    printf("tenants     %zu\n", r->n_tenants);
}

static int show(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__GetTop body = PB__GET_TOP__INIT;
    Pb__Request req = PB__REQUEST__INIT;

    (void)args, (void)n;
    req.body_case = PB__REQUEST__BODY_TOP;
    req.top = &body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_TOP, print_node);
}

/* clang-format off */
const struct word node_words[] = {
    { "show",    "", 0, 0, "say how it stands: what it runs, and what it has",                                      show,    NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "drain",   "", 0, 0, "take no new jobs and begin none of those that wait; those that run go on to their end", drain,   NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "undrain", "", 0, 0, "take jobs again, and begin those that wait",                                            undrain, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { NULL,      "", 0, 0, NULL,                                                                                    NULL,    NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_node(const struct command *c)
{
    return words_run(c, node_words);
}
