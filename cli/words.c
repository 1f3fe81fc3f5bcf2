/* words.c - see words.h. */
#include "cli/words.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "call_errors.h"
#include "cli/ask.h"
#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"

#include <coop/exit_codes.h>

enum { WORDS_MAX = 24, SLACK_US = 10000000 };

uint64_t timeout_of(const struct command *c)
{
    return c->opt.timeout_us;
}

/* The broker keeps the time; we give up a little later, should it not answer at all. */
static int64_t patience_us(const struct command *c)
{
    return c->opt.timeout_us == 0 ? -1 : (int64_t)c->opt.timeout_us + SLACK_US;
}

static void say_lines(const char *text)
{
    char safe[4096];

    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");

        size_t tabs = strspn(line, "\t");

        text_safe(safe, sizeof(safe), line + tabs, len - tabs);
        fprintf(stderr, "%*s%s\n", (int)(4 * tabs), "", safe);
        line += len + (line[len] == '\n');
    }
}

/* Its lines say all of the message again, and more. */
static bool has_traceback(const Pb__CallFailure *f)
{
    return f->remote != NULL && f->remote->traceback[0] != '\0';
}

/* Nobody's frames stand in it, so it is the message's line over again. */
static bool says_no_more(const Pb__CallFailure *f)
{
    const char *t = f->remote->traceback;
    size_t type = strlen(f->remote->type), len = strlen(f->message);

    return strncmp(t, f->remote->type, type) == 0 && strncmp(t + type, ": ", 2) == 0 && strncmp(t + type + 2, f->message, len) == 0 &&
           t[type + 2 + len] == '\0';
}

/* A type that says something: that of every plain error of Lua is "error". One that ended has its cause in the message. */
static bool has_own_type(const Pb__CallFailure *f)
{
    return f->remote != NULL && f->cause == PB__CAUSE__CAUSE_NONE && f->remote->type[0] != '\0' && strcmp(f->remote->type, "error") != 0;
}

/* A failure, in words or, with --json, as coop.CallFailure/1. Returns its exit code. */
static int say_failure(const struct command *c, const Pb__CallFailure *f)
{
    const struct call_error_row *row = call_error(f->error);
    char message[2048], path[1024];

    if (c->opt.json) {
        json_t *doc = json_document(&f->base);

        json_object_set_new(doc, "name", json_string(row->name));
        json_object_set_new(doc, "exit_code", json_integer(row->exit_code));
        json_print(doc);
        return row->exit_code;
    }
    fprintf(stderr, "coop: %s: ", row->name);
    if (f->error == PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED && has_own_type(f))
        fprintf(stderr, "%s: ", text_safe_str(path, sizeof(path), f->remote->type));
    text_safe(message, sizeof(message), f->message, has_traceback(f) ? strcspn(f->message, "\n") : strlen(f->message));
    fprintf(stderr, "%s", message);
    if (f->path[0] != '\0')
        fprintf(stderr, " (at %s)", text_safe_str(path, sizeof(path), f->path));
    for (size_t i = 0; i < f->n_cycle; i++)
        fprintf(stderr, "%s%s", i == 0 ? " (" : " -> ", text_safe_str(path, sizeof(path), f->cycle[i]));
    fprintf(stderr, "%s\n", f->n_cycle > 0 ? ")" : "");
    if (has_traceback(f) && !says_no_more(f))
        say_lines(f->remote->traceback);
    if (f->receipt[0] != '\0')
        fprintf(stderr, "coop: its receipt: coop result %s\n", text_safe_str(path, sizeof(path), f->receipt));
    return row->exit_code;
}

const Pb__Answer *answer_of(const struct frame *reply)
{
    const Pb__Reply *r = (const Pb__Reply *)reply->msg;

    return r->body_case == PB__REPLY__BODY_ASK ? r->ask : NULL;
}

int say_send(const struct command *c, struct coop_client *client, Pb__Ask *ask, struct frame *ret_reply)
{
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_error why;

    ask->number = coop_client_number(client);
    req.body_case = PB__REQUEST__BODY_ASK;
    req.ask = ask;
    return ask_broker(client, &req, patience_us(c), ret_reply, &why) == 0 ? 0 : say_error(c, &why);
}

int say_answer(const struct command *c, Pb__Answer__BodyCase wanted, struct frame *ret_reply)
{
    const Pb__Answer *answer = answer_of(ret_reply);
    struct coop_error why;
    int rc;

    if (answer != NULL && answer->body_case == wanted)
        return 0;
    if (answer != NULL && answer->body_case == PB__ANSWER__BODY_FAILURE)
        rc = say_failure(c, answer->failure);
    else if (ask_check(ret_reply, PB__REPLY__BODY_ASK, &why) == 0)
        rc = coop_error_set(&why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer makes no sense") == 0 ? 0 : say_error(c, &why);
    else
        rc = say_error(c, &why);
    frame_release(ret_reply);
    return rc;
}

int say_ask(const struct command *c, struct coop_client *client, Pb__Ask *ask, Pb__Answer__BodyCase wanted, struct frame *ret_reply)
{
    int code = say_send(c, client, ask, ret_reply);

    return code == 0 ? say_answer(c, wanted, ret_reply) : code;
}

/* All bodies of an Ask are pointers in one place. */
Pb__Ask *ask_named(struct named *n, Pb__Ask__BodyCase which, void *message, Pb__Ref **ref_of_message, char *name)
{
    pb__ref__init(&n->ref);
    pb__ask__init(&n->ask);
    n->ref.id = name;
    *ref_of_message = &n->ref;
    n->ask.body_case = which;
    n->ask.interp_info = message;
    return &n->ask;
}

/* ---- words behind a verb ---------------------------------------------------------------------------------------------------------- */

static const struct word *word_find(const struct word *words, const char *name)
{
    for (; words->name != NULL; words++)
        if (strcmp(words->name, name) == 0)
            return words;
    return NULL;
}

static int refuse_word(const struct command *c, const struct word *words)
{
    const char *names[WORDS_MAX];
    char prefix[64];
    struct coop_error why;
    size_t n = 0;

    for (; words->name != NULL && n < WORDS_MAX - 1; words++)
        names[n++] = words->name;
    names[n] = NULL;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "coop %s has no '%.60s'; see coop help %s", c->verb->name, c->args[0], c->verb->name);
    snprintf(prefix, sizeof(prefix), "coop %s ", c->verb->name);
    hint_nearest(&why, c->args[0], names, prefix);
    return say_error(c, &why);
}

int words_run(const struct command *c, const struct word *words)
{
    const struct word *w = word_find(words, c->args[0]);
    int n = c->n_args - 1, code = 0;
    struct coop_client *client;
    struct coop_error why;

    if (w == NULL)
        return refuse_word(c, words);
    if (n < w->min || (w->max >= 0 && n > w->max)) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE,
                       n < w->min    ? "coop %s %s wants %s"
                       : w->max == 0 ? "coop %s %s takes no arguments"
                                     : "coop %s %s takes no more than %s",
                       c->verb->name, w->name, w->usage);
        coop_error_hint(&why, "usage: coop %s %s%s%s [flags]", c->verb->name, w->name, w->usage[0] != '\0' ? " " : "", w->usage);
        return say_error(c, &why);
    }
    if (w->check != NULL)
        code = w->check(c, c->args + 1, n);
    if (code == 0)
        code = say_open(c, &client);
    if (code != 0)
        return code;
    code = w->run(c, client, c->args + 1, n);
    coop_client_close(client);
    return code;
}
