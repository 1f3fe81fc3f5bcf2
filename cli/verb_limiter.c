/* verb_limiter.c - named semaphores: how many jobs with --limiter KEY may run at once. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/flag_values.h"
#include "cli/reply.h"
#include "cli/say.h"
#include "cli/text.h"

enum { MAX = 1000000 };

static void print_list(const struct command *c, const void *body)
{
    const Pb__LimiterReply *r = body;
    char key[256], tenant[256];

    if (!c->opt.quiet)
        printf("%-32s  %8s %8s %8s%s\n", "KEY", "MAX", "USED", "WAITING", c->opt.tenant != NULL ? "  TENANT" : "");
    for (size_t i = 0; i < r->n_limiters; i++) {
        const Pb__Limiter *l = r->limiters[i];

        text_safe_str(key, sizeof(key), l->key);
        if (c->opt.quiet)
            printf("%s\n", key);
        else
            printf("%-32s  %8u %8u %8llu%s%s\n", key, l->max, l->used, (unsigned long long)l->waiting, c->opt.tenant != NULL ? "  " : "",
                   c->opt.tenant != NULL ? text_safe_str(tenant, sizeof(tenant), l->tenant) : "");
    }
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__LimiterLs body = PB__LIMITER_LS__INIT;
    Pb__Request req = PB__REQUEST__INIT;

    (void)args, (void)n;
    if (c->opt.tenant != NULL)
        body.tenant = (char *)c->opt.tenant;
    req.body_case = PB__REQUEST__BODY_LIMITER_LS;
    req.limiter_ls = &body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_LIMITERS, print_list);
}

static int change(const struct command *c, struct coop_client *client, Pb__LimiterSet *body)
{
    Pb__Request req = PB__REQUEST__INIT;

    if (c->opt.tenant != NULL)
        body->tenant = (char *)c->opt.tenant;
    req.body_case = PB__REQUEST__BODY_LIMITER_SET;
    req.limiter_set = body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_LIMITERS, NULL);
}

/* 0 shuts it: nothing that names it begins. */
static bool read_max(const char *text, uint32_t *ret)
{
    *ret = 0;
    return strcmp(text, "0") == 0 || flag_is_count(text, MAX, ret);
}

static int check_set(const struct command *c, char **args, int n)
{
    struct coop_error why;
    uint32_t max;

    (void)n;
    if (read_max(args[1], &max))
        return 0;
    flag_refuse(&why, "coop limiter set: how many places it has is 0 to %d, not '%.60s'", MAX, args[1]);
    return say_error(c, &why);
}

static int set(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__LimiterSet body = PB__LIMITER_SET__INIT;

    (void)n;
    body.key = args[0];
    (void)read_max(args[1], &body.max);
    return change(c, client, &body);
}

static int rm(const struct command *c, struct coop_client *client, char **args, int n)
{
    int first = 0;

    for (int i = 0; i < n; i++) {
        Pb__LimiterSet body = PB__LIMITER_SET__INIT;
        int code;

        body.key = args[i];
        body.remove = true;
        code = change(c, client, &body);
        first = first != 0 ? first : code;
    }
    return first;
}

/* clang-format off */
const struct word limiter_words[] = {
    { "ls",  "",        0, 0,  "list limiters: places, those that are taken, jobs that wait for one",               list, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "set", "KEY MAX", 2, 2,  "make one, or give it another number of places (0: nothing that names it begins); jobs that run keep theirs", set,  check_set, FLAG_NAME, FLAG_NOTHING },
    { "rm",  "KEY...",  1, -1, "remove it, when no job names it that waits or runs",                            rm,   NULL, FLAG_NAME, FLAG_NAME },
    { NULL,  NULL,      0, 0,  NULL,                                                                                NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_limiter(const struct command *c)
{
    return words_run(c, limiter_words);
}
