/* verb_usage.c - what tenants have used, by day or in all. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"
#include "cli/words.h"
#include "units.h"

#include <coop/exit_codes.h>

static void say_head(bool by_day)
{
    printf("%-24s %s%8s %8s %8s %12s %14s %12s\n", "TENANT", by_day ? "DAY        " : "", "JOBS", "FAILED", "REFUSED", "CPU", "MIB*S",
           "WALL");
}

static void say_day(const Pb__UsageDay *d, bool by_day)
{
    char name[4 * 65], day[16] = "", cpu[UNITS_BUF], wall[UNITS_BUF];
    time_t t = (time_t)(d->day_us / 1000000);
    struct tm tm;

    if (by_day && gmtime_r(&t, &tm) != NULL)
        (void)strftime(day, sizeof(day), "%Y-%m-%d ", &tm);
    printf("%-24s %s%8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %12s %14" PRIu64 " %12s\n", text_safe_str(name, sizeof(name), d->tenant), day,
           d->jobs, d->failed, d->refused, units_format_duration(d->cpu_us, cpu), d->mib_s, units_format_duration(d->wall_us, wall));
}

static void add(Pb__UsageDay *to, const Pb__UsageDay *d)
{
    to->jobs += d->jobs;
    to->failed += d->failed;
    to->refused += d->refused;
    to->cpu_us += d->cpu_us;
    to->mib_s += d->mib_s;
    to->wall_us += d->wall_us;
}

/* One row a tenant, in the place of its first day. */
static void sum_up(Pb__UsageReply *r)
{
    size_t n = 0;

    for (size_t i = 0; i < r->n_days; i++) {
        size_t k = 0;

        while (k < n && strcmp(r->days[k]->tenant, r->days[i]->tenant) != 0)
            k++;
        if (k < n)
            add(r->days[k], r->days[i]);
        else
            r->days[n++] = r->days[i]; /* the rows themselves are the frame's */
    }
    r->n_days = n;
}

static int read_by(const struct command *c, bool *ret_by_day)
{
    struct coop_error why;

    *ret_by_day = c->opt.by == NULL || strcmp(c->opt.by, "day") == 0;
    if (*ret_by_day || strcmp(c->opt.by, "tenant") == 0)
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "--by is day or tenant, not '%.60s'", c->opt.by);
    return say_error(c, &why);
}

static void say(const struct command *c, Pb__UsageReply *r, bool by_day)
{
    if (!by_day)
        sum_up(r);
    if (c->opt.json) {
        json_print(json_document(&r->base));
        return;
    }
    if (!c->opt.quiet)
        say_head(by_day);
    for (size_t i = 0; i < r->n_days; i++)
        say_day(r->days[i], by_day);
}

int verb_usage(const struct command *c)
{
    Pb__GetUsage m = PB__GET_USAGE__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    struct coop_client *client;
    struct frame reply;
    bool by_day;
    int code = read_by(c, &by_day);

    if (code == 0)
        code = say_open(c, &client);
    if (code != 0)
        return code;
    if (c->opt.tenant != NULL)
        m.tenant = (char *)c->opt.tenant;
    m.from_us = c->opt.since_us;
    q.body_case = PB__REQUEST__BODY_USAGE;
    q.usage = &m;
    code = say_call(c, client, &q, PB__REPLY__BODY_USAGE, &reply);
    coop_client_close(client);
    if (code != 0)
        return code;
    say(c, ((Pb__Reply *)reply.msg)->usage, by_day);
    frame_release(&reply);
    return COOP_EXIT_OK;
}
