/* verb_top.c - tenants, workers and jobs as they are now: as a picture on a terminal, else once. */
#include <stdio.h>

#include "cli/json.h"
#include "cli/screen.h"
#include "cli/text.h"
#include "cli/watch.h"
#include "units.h"

/* What rates are counted from: the picture before. All 0: since the broker began. */
struct before {
    uint64_t at_us, submitted, ended, failed, cpu_us;
};

static double per_second(uint64_t now, uint64_t then, double seconds)
{
    return now > then && seconds > 0 ? (double)(now - then) / seconds : 0;
}

static void draw_head(FILE *out, const Pb__TopReply *r, const struct before *b)
{
    uint64_t since = b->at_us != 0 ? b->at_us : r->at_us - (r->uptime_us < r->at_us ? r->uptime_us : r->at_us);
    double seconds = r->at_us > since ? (double)(r->at_us - since) / 1e6 : 0;
    char up[UNITS_BUF], memory[UNITS_BUF], version[64];

    fprintf(out, "coop %s  up %s", text_safe_str(version, sizeof(version), r->version),
            units_format_duration(r->uptime_us / 1000000 * 1000000, up));
    if (r->memory_bytes != 0) /* an operator hears of the host */
        fprintf(out, "  broker: cpu %.0f%%, memory %s", per_second(r->cpu_us, b->cpu_us, seconds) / 1e4,
                units_format_size(r->memory_bytes, memory));
    fprintf(out, "%s\nworkers  %u slots: %u busy", r->draining ? "  DRAINING" : "", r->slots, r->workers_busy);
    if (r->memory_bytes != 0)
        fprintf(out, ", %u idle, %u begin", r->workers_idle, r->workers_booting);
    fprintf(out, "%s; %u interpreters\n", r->memory_bytes != 0 ? "" : " with yours", r->interpreters);
    fprintf(out, "jobs     %llu run, %llu wait, %llu held, %llu scheduled, %llu blocked\n", (unsigned long long)r->running,
            (unsigned long long)r->waiting, (unsigned long long)r->held, (unsigned long long)r->scheduled, (unsigned long long)r->blocked);
    fprintf(out, "rates    %.1f/s handed in, %.1f/s ended, %.1f/s of them badly\n", per_second(r->submitted, b->submitted, seconds),
            per_second(r->ended, b->ended, seconds), per_second(r->failed, b->failed, seconds));
}

static void draw_tenants(FILE *out, const Pb__TopReply *r)
{
    char stored[UNITS_BUF];

    fprintf(out, "\n%-24s %7s %8s %8s %7s %9s %8s\n", "TENANT", "WEIGHT", "RUNNING", "WAITING", "SHARE", "ENTITLED", "STORED");
    for (size_t i = 0; i < r->n_tenants; i++) {
        const Pb__Tenant *t = r->tenants[i];

        text_cell(out, t->name, 24);
        fprintf(out, " %7g %8llu %8llu %6.1f%% %8.1f%% %8s\n", t->weight, (unsigned long long)t->running, (unsigned long long)t->queued,
                t->share * 100, t->entitled * 100, units_format_size(t->stored_bytes, stored));
    }
}

static void draw_jobs(FILE *out, const Pb__TopReply *r)
{
    char engine[64], state[JSON_ENUM_BUF], elapsed[UNITS_BUF], cpu[UNITS_BUF], memory[UNITS_BUF];

    fprintf(out, "\n%-*s  %-20s %-16s %-7s %-9s %9s %9s %8s\n", ULID_LEN, "JOB", "NAME", "TENANT", "ENGINE", "STATE", "ELAPSED", "CPU",
            "MEMORY");
    for (size_t i = 0; i < r->n_jobs; i++) {
        const Pb__JobStatus *s = r->jobs[i];

        fprintf(out, "%-*s  ", ULID_LEN, s->id);
        text_cell(out, s->name, 20);
        fputc(' ', out);
        text_cell(out, s->tenant, 16);
        fprintf(out, " %-7s %-9s %9s %9s %8s\n", text_safe_str(engine, sizeof(engine), s->engine),
                json_enum_name(&pb__state__descriptor, (int)s->state, state),
                units_format_duration(s->elapsed_us / 100000 * 100000, elapsed), units_format_duration(s->cpu_us / 10000 * 10000, cpu),
                units_format_size(s->mem_bytes, memory));
    }
}

static void draw(FILE *out, void *ctx, const Pb__Reply *reply)
{
    const Pb__TopReply *r = reply->top;
    struct before *b = ctx;

    draw_head(out, r, b);
    draw_tenants(out, r);
    draw_jobs(out, r);
    *b = (struct before){ .at_us = r->at_us, .submitted = r->submitted, .ended = r->ended, .failed = r->failed, .cpu_us = r->cpu_us };
}

static int print_once(const struct command *c, struct coop_client *client, Pb__Request *req)
{
    struct before none = { 0 };
    struct frame reply;
    int code = say_call(c, client, req, PB__REPLY__BODY_TOP, &reply);

    if (code != 0)
        return code;
    if (c->opt.json)
        json_print(json_document(&((const Pb__Reply *)reply.msg)->top->base));
    else
        draw(stdout, &none, (const Pb__Reply *)reply.msg);
    frame_release(&reply);
    return 0;
}

int verb_top(const struct command *c)
{
    struct before before = { 0 };
    Pb__GetTop body = PB__GET_TOP__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_client *client;
    int code = say_open(c, &client);

    if (code != 0)
        return code;
    req.body_case = PB__REQUEST__BODY_TOP;
    req.top = &body;
    if (!c->opt.json && screen_possible()) {
        struct watch w = { .request = &req, .wanted = PB__REPLY__BODY_TOP, .draw = draw, .ctx = &before };

        code = watch_run(c, client, &w);
    } else {
        code = print_once(c, client, &req);
    }
    coop_client_close(client);
    return code;
}
