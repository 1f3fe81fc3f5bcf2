/* verb_token.c - tokens from a terminal. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/json.h"
#include "cli/reply.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "cli/text.h"
#include "units.h"

#include <coop/exit_codes.h>

static int ask_tokens(const struct command *c, struct coop_client *client, Pb__Request *q, struct frame *ret_reply)
{
    return say_call(c, client, q, PB__REPLY__BODY_TOKENS, ret_reply);
}

static const Pb__TokenReply *tokens_of(const struct frame *reply)
{
    return ((const Pb__Reply *)reply->msg)->tokens;
}

/* The one chance to see the secret: the text alone, for a file. */
static int say_made(const struct command *c, struct frame *reply)
{
    const Pb__TokenReply *r = tokens_of(reply);

    if (r->n_tokens == 1) {
        if (c->opt.json)
            json_print(json_document(&r->tokens[0]->base));
        else
            printf("%s\n", r->tokens[0]->secret);
        if (!c->opt.json)
            say_note(c, "its id is %s; the secret is not shown again", r->tokens[0]->id);
    }
    frame_release(reply);
    return COOP_EXIT_OK;
}

static int create(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__Request q = PB__REQUEST__INIT;
    struct token_settings s;
    struct coop_error why;
    struct frame reply;
    int code;

    if (token_settings_init(&s, args[0], &why) != 0)
        return say_error(c, &why);
    for (int i = 1; i < n; i++)
        if (token_settings_read(&s, args[i], &why) != 0)
            return say_error(c, &why);
    q.body_case = PB__REQUEST__BODY_TOKEN_CREATE;
    q.token_create = &s.create;
    code = ask_tokens(c, client, &q, &reply);
    return code == 0 ? say_made(c, &reply) : code;
}

static int rotate(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__TokenRotate m = PB__TOKEN_ROTATE__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    struct coop_error why;
    struct frame reply;
    int code;

    m.id = args[0];
    if (n > 1 && units_parse_duration(args[1], &m.overlap_us) != 0) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "'%.60s' is no time like 10m or 24h", args[1]);
        return say_error(c, &why);
    }
    q.body_case = PB__REQUEST__BODY_TOKEN_ROTATE;
    q.token_rotate = &m;
    code = ask_tokens(c, client, &q, &reply);
    return code == 0 ? say_made(c, &reply) : code;
}

static int revoke_one(const struct command *c, struct coop_client *client, char *id)
{
    Pb__TokenRevoke m = PB__TOKEN_REVOKE__INIT;
    Pb__Request q = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    m.id = id;
    q.body_case = PB__REQUEST__BODY_TOKEN_REVOKE;
    q.token_revoke = &m;
    code = ask_tokens(c, client, &q, &reply);
    if (code != 0)
        return code;
    if (c->opt.json && tokens_of(&reply)->n_tokens == 1)
        json_print(json_document(&tokens_of(&reply)->tokens[0]->base));
    frame_release(&reply);
    return COOP_EXIT_OK;
}

static int revoke(const struct command *c, struct coop_client *client, char **args, int n)
{
    int code = 0;

    for (int i = 0; i < n; i++) {
        int rc = revoke_one(c, client, args[i]);

        code = code == 0 ? rc : code;
    }
    return code;
}

static char *say_time(uint64_t us, const char *never, char ret[32])
{
    time_t t = (time_t)(us / 1000000);
    struct tm tm;

    snprintf(ret, 32, "%s", never);
    if (us != 0 && localtime_r(&t, &tm) != NULL)
        (void)strftime(ret, 32, "%Y-%m-%d %H:%M", &tm);
    return ret;
}

static void say_row(const Pb__Token *t)
{
    char scopes[64] = "", tenant[4 * 65], queue[4 * 65], note[4 * 129], expires[32], used[32];

    for (size_t i = 0; i < t->n_scopes; i++) {
        strncat(scopes, i > 0 ? "," : "", sizeof(scopes) - strlen(scopes) - 1);
        strncat(scopes, t->scopes[i], sizeof(scopes) - strlen(scopes) - 1);
    }
    printf("%-16s %-20s %-26s %-10s %-16s %-16s %s\n", t->id, text_safe_str(tenant, sizeof(tenant), t->tenant), scopes,
           text_safe_str(queue, sizeof(queue), t->queue), t->revoked ? "revoked" : say_time(t->expires_us, "never", expires),
           say_time(t->last_used_us, "-", used), text_safe_str(note, sizeof(note), t->note));
}

static void print_list(const struct command *c, const void *body)
{
    const Pb__TokenReply *r = body;

    if (!c->opt.quiet)
        printf("%-16s %-20s %-26s %-10s %-16s %-16s %s\n", "ID", "TENANT", "SCOPES", "QUEUE", "EXPIRES", "USED", "NOTE");
    for (size_t i = 0; i < r->n_tokens; i++) {
        if (c->opt.quiet)
            printf("%s\n", r->tokens[i]->id);
        else
            say_row(r->tokens[i]);
    }
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__TokenLs body = PB__TOKEN_LS__INIT;
    Pb__Request req = PB__REQUEST__INIT;

    (void)args, (void)n;
    if (c->opt.tenant != NULL)
        body.tenant = (char *)c->opt.tenant;
    req.body_case = PB__REQUEST__BODY_TOKEN_LS;
    req.token_ls = &body;
    return reply_print_call(c, client, &req, PB__REPLY__BODY_TOKENS, print_list);
}

/* clang-format off */
const struct word token_words[] = {
    { "create", "SCOPES [KEY=VALUE...]", 1, -1, "make a token and print it, once: SCOPES are some of submit,read,cancel,admin; tenant=NAME, queue=NAME: for that queue alone, expires=30d, note=TEXT", create, NULL, FLAG_SCOPES, FLAG_TOKEN_KEYS },
    { "ls",     "",                      0, 0,  "list tokens, without their secrets, of a tenant or of all (--tenant '*')", list, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "rotate", "ID [OVERLAP]",          1, 2,  "make another like it and print it; the old one is good for OVERLAP more (default: not a moment)", rotate, NULL, FLAG_NAME, FLAG_NOTHING },
    { "revoke", "ID...",                 1, -1, "refuse tokens from now on, on connections that are open too", revoke, NULL, FLAG_NAME, FLAG_NAME },
    { NULL,     NULL,                    0, 0,  NULL, NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_token(const struct command *c)
{
    return words_run(c, token_words);
}
