/* verb_tenant.c - tenants and their quotas from a terminal. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/reply.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "job_limits.h"
#include "units.h"

#include <coop/exit_codes.h>

/* ---- said ---- */

static void say_quota(const Pb__Quota *q)
{
    const ProtobufCMessageDescriptor *d = &pb__quota__descriptor;
    char text[UNITS_BUF];

    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const void *cell = (const char *)q + f->offset;
        bool nothing = false;

        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        for (size_t k = 0; k < q->n_nothing; k++)
            nothing |= strcmp(q->nothing[k], f->name) == 0;
        if (nothing)
            snprintf(text, sizeof(text), "0");
        else if (f->type == PROTOBUF_C_TYPE_DOUBLE ? *(const double *)cell <= 0 : *(const uint64_t *)cell == 0)
            snprintf(text, sizeof(text), "none");
        else if (f->type == PROTOBUF_C_TYPE_DOUBLE)
            snprintf(text, sizeof(text), "%g", *(const double *)cell);
        else if (strstr(f->name, "bytes") != NULL)
            units_format_size(*(const uint64_t *)cell, text);
        else
            snprintf(text, sizeof(text), "%" PRIu64, *(const uint64_t *)cell);
        printf("quota      %-16s %s\n", f->name, text);
    }
}

static void say_limits(const char *what, const Pb__Limits *l)
{
    char text[UNITS_BUF];

    for (size_t i = 0; l != NULL && i < limits_count; i++)
        if (limits_get(l, &limits_table[i]) != 0)
            printf("%-10s %-16s %s\n", what, limits_table[i].name, limits_format(&limits_table[i], limits_get(l, &limits_table[i]), text));
}

static void say_keep(const char *what, uint64_t us)
{
    char text[UNITS_BUF];

    printf("keep       %-16s %s\n", what, us == 0 ? "for ever" : units_format_duration(us, text));
}

static void say_tenant(const Pb__Tenant *t)
{
    char name[4 * 65], size[UNITS_BUF];

    printf("tenant     %s\n", text_safe_str(name, sizeof(name), t->name));
    if (t->parent[0] != '\0')
        printf("parent     %s\n", text_safe_str(name, sizeof(name), t->parent));
    printf("state      %s\n", text_safe_str(name, sizeof(name), t->state));
    printf("weight     %g\n", t->weight);
    printf("share      %.1f%% of %.1f%%\n", t->share * 100, t->entitled * 100);
    printf("jobs       %" PRIu64 " running, %" PRIu64 " waiting\n", t->running, t->queued);
    printf("stored     %s\n", units_format_size(t->stored_bytes, size));
    for (size_t i = 0; i < t->n_uids; i++)
        printf("uid        %" PRIu32 "\n", t->uids[i]);
    if (t->quota != NULL)
        say_quota(t->quota);
    say_limits("default", t->limits_default);
    say_limits("max", t->limits_max);
    say_keep("results", t->retention != NULL ? t->retention->result_us : 0);
    say_keep("logs", t->retention != NULL ? t->retention->log_us : 0);
}

static void say_row(const Pb__Tenant *t)
{
    char name[4 * 65], parent[4 * 65], size[UNITS_BUF];

    printf("%-24s %-16s %-10s %8g %8" PRIu64 " %8" PRIu64 " %10s %6.1f%% %6.1f%%\n", text_safe_str(name, sizeof(name), t->name),
           text_safe_str(parent, sizeof(parent), t->parent), t->state, t->weight, t->running, t->queued,
           units_format_size(t->stored_bytes, size), t->share * 100, t->entitled * 100);
}

static int ask_tenants(const struct command *c, struct coop_client *client, Pb__Request *q, struct frame *ret_reply)
{
    return say_call(c, client, q, PB__REPLY__BODY_TENANTS, ret_reply);
}

static const Pb__TenantReply *tenants_of(const struct frame *reply)
{
    return ((const Pb__Reply *)reply->msg)->tenants;
}

/* One tenant, or nothing where it only was to be done. */
static int say_reply(const struct command *c, struct frame *reply, bool all)
{
    const Pb__TenantReply *r = tenants_of(reply);

    if (c->opt.json)
        json_print(json_document(r->n_tenants == 1 ? &r->tenants[0]->base : &r->base));
    else if (all && r->n_tenants == 1)
        say_tenant(r->tenants[0]);
    frame_release(reply);
    return COOP_EXIT_OK;
}

/* ---- words ---- */

static int send_set(const struct command *c, struct coop_client *client, struct tenant_settings *s)
{
    Pb__Request q = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    q.body_case = PB__REQUEST__BODY_TENANT_SET;
    q.tenant_set = &s->set;
    code = ask_tenants(c, client, &q, &reply);
    return code == 0 ? say_reply(c, &reply, false) : code;
}

static int set_all(const struct command *c, struct coop_client *client, char **args, int n, bool create,
                   int (*read)(struct tenant_settings *s, char *word, struct coop_error *why))
{
    struct tenant_settings s;
    struct coop_error why;

    tenant_settings_init(&s, args[0]);
    s.set.create = create;
    for (int i = 1; i < n; i++)
        if (read(&s, args[i], &why) != 0)
            return say_error(c, &why);
    return send_set(c, client, &s);
}

static int create(const struct command *c, struct coop_client *client, char **args, int n)
{
    return set_all(c, client, args, n, true, tenant_settings_read);
}

static int set(const struct command *c, struct coop_client *client, char **args, int n)
{
    return set_all(c, client, args, n, false, tenant_settings_read);
}

static int get(const struct command *c, struct coop_client *client, char **args, int n, struct frame *ret_reply)
{
    Pb__TenantGet m = PB__TENANT_GET__INIT;
    Pb__Request q = PB__REQUEST__INIT;

    if (n > 0)
        m.name = args[0];
    q.body_case = PB__REQUEST__BODY_TENANT_GET;
    q.tenant_get = &m;
    return ask_tenants(c, client, &q, ret_reply);
}

static int show(const struct command *c, struct coop_client *client, char **args, int n)
{
    struct frame reply;
    int code = get(c, client, args, n, &reply);

    return code == 0 ? say_reply(c, &reply, true) : code;
}

static void print_list(const struct command *c, const void *body)
{
    const Pb__TenantReply *r = body;

    if (!c->opt.quiet)
        printf("%-24s %-16s %-10s %8s %8s %8s %10s %7s %7s\n", "TENANT", "PARENT", "STATE", "WEIGHT", "RUNNING", "WAITING", "STORED",
               "SHARE", "OF");
    for (size_t i = 0; i < r->n_tenants; i++) {
        if (c->opt.quiet)
            printf("%s\n", r->tenants[i]->name);
        else
            say_row(r->tenants[i]);
    }
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__TenantLs body = PB__TENANT_LS__INIT;
    Pb__Request req = PB__REQUEST__INIT;

    (void)args, (void)n;
    req.body_case = PB__REQUEST__BODY_TENANT_LS;
    req.tenant_ls = &body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_TENANTS, print_list);
}

static int remove_it(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__TenantRemove m = PB__TENANT_REMOVE__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    (void)n;
    m.name = args[0];
    q.body_case = PB__REQUEST__BODY_TENANT_REMOVE;
    q.tenant_remove = &m;
    code = ask_tenants(c, client, &q, &reply);
    return code == 0 ? say_reply(c, &reply, false) : code;
}

static int quota_set(const struct command *c, struct coop_client *client, char **args, int n)
{
    return set_all(c, client, args, n, false, quota_settings_read);
}

static int quota_show(const struct command *c, struct coop_client *client, char **args, int n)
{
    struct frame reply;
    int code = get(c, client, args, n, &reply);
    const Pb__TenantReply *r;

    if (code != 0)
        return code;
    r = tenants_of(&reply);
    if (r->n_tenants == 1 && r->tenants[0]->quota != NULL) {
        if (c->opt.json)
            json_print(json_document(&r->tenants[0]->quota->base));
        else
            say_quota(r->tenants[0]->quota);
    }
    frame_release(&reply);
    return COOP_EXIT_OK;
}

/* clang-format off */
const struct word tenant_words[] = {
    { "create", "NAME [KEY=VALUE...]", 1, -1, "make a tenant; below another: parent=NAME. The keys are those of set", create, NULL, FLAG_NOTHING, FLAG_TENANT_KEYS },
    { "set",    "NAME KEY=VALUE...",   2, -1, "weight=N; state=active|suspended; uids=N,N: local users that are this tenant; keep.results=TIME and keep.logs=TIME: how long after a job's end; default.LIMIT=VALUE and max.LIMIT=VALUE: of its jobs' limits; none: no word of its own", set, NULL, FLAG_NAME, FLAG_TENANT_KEYS },
    { "show",   "[NAME]",              0, 1,  "print all about a tenant, your own without a NAME", show, NULL, FLAG_NAME, FLAG_NOTHING },
    { "ls",     "",                    0, 0,  "list the tenants that you may see", list, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "rm",     "NAME",                1, 1,  "remove a tenant that has no jobs, no cron entries, no tokens and none below it", remove_it, NULL, FLAG_NAME, FLAG_NOTHING },
    { NULL,     NULL,                  0, 0,  NULL, NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
const struct word quota_words[] = {
    { "set",    "NAME KEY=VALUE...",   2, -1, "max_running, max_queued, submit_per_s, cpu_s_per_day, mib_s_per_day, stored_bytes, max_array, max_cron, max_interpreters; a number, 0: nothing, none: no bound but those above it", quota_set, NULL, FLAG_TENANT, FLAG_QUOTA_KEYS },
    { "show",   "[NAME]",              0, 1,  "print the quotas of a tenant, your own without a NAME", quota_show, NULL, FLAG_TENANT, FLAG_NOTHING },
    { NULL,     NULL,                  0, 0,  NULL, NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_tenant(const struct command *c)
{
    return words_run(c, tenant_words);
}

int verb_quota(const struct command *c)
{
    return words_run(c, quota_words);
}
