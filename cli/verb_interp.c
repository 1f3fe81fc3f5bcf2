/* verb_interp.c - interpreters from a terminal: made, run in, called, looked at, ended. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grants.h"
#include "cli/interp_output.h"
#include "cli/human.h"
#include "cli/json.h"
#include "cli/reply.h"
#include "cli/say.h"
#include "cli/spec_read.h"
#include "cli/submit_spec.h"
#include "cli/text.h"
#include "cli/values.h"
#include "job_limits.h"
#include "ulid.h"
#include "units.h"

#include <coop/exit_codes.h>

/* ---- create ----------------------------------------------------------------------------------------------------------------------- */

static int check_create(const struct command *c, char **args, int n)
{
    bool some = c->opt.engine != NULL || c->opt.template != NULL || c->opt.run != NULL;
    struct coop_error why;

    (void)args;
    (void)n;
    if (some && (c->opt.engine == NULL || c->opt.template == NULL))
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE,
                   some ? "a template has its engine already" : "an interpreter has an engine or a template");
    coop_error_hint(&why, "write --engine lua, --run FILE, or --template NAME");
    return say_error(c, &why);
}

static int kill_it(const struct command *c, struct coop_client *client, const char *id)
{
    Pb__InterpKill m = PB__INTERP_KILL__INIT;
    struct named q;

    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_KILL, &m, &m.interp, (char *)id), PB__ANSWER__BODY_DONE, NULL);
}

/* Who is to own it, and whose output is shown: what it printed before its first call, also when it died of that. */
int interp_make(const struct command *c, struct coop_client *client, Pb__Owner owner, struct frame *ret_reply)
{
    Pb__InterpCreate m = PB__INTERP_CREATE__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    const Pb__Answer *answer;
    struct coop_error why;
    struct grants grants;
    struct spec s;
    int code;

    if (spec_make_interp(c, &s, &why) != 0)
        return say_error(c, &why);
    code = grants_make(c, client, &grants);
    if (code != 0) {
        spec_finish(&s);
        return code;
    }
    m.spec = &s.pb;
    m.template_ = (char *)(c->opt.template != NULL ? c->opt.template : "");
    m.owner = owner;
    m.grants = grants.list;
    m.n_grants = grants.n;
    m.max_children = c->opt.max_children;
    ask.body_case = PB__ASK__BODY_INTERP_CREATE;
    ask.interp_create = &m;
    code = say_send(c, client, &ask, ret_reply);
    grants_finish(&grants);
    spec_finish(&s);
    if (code != 0)
        return code;
    answer = answer_of(ret_reply);
    if (answer != NULL && answer->body_case == PB__ANSWER__BODY_HANDLE)
        code = interp_output_all(c, client, answer->handle->id);
    else if (answer != NULL && answer->body_case == PB__ANSWER__BODY_FAILURE && answer->failure->receipt[0] != '\0')
        (void)interp_output_all(c, client, answer->failure->receipt);
    if (code != 0) {
        frame_release(ret_reply);
        return code;
    }
    return say_answer(c, PB__ANSWER__BODY_HANDLE, ret_reply);
}

static int create(const struct command *c, struct coop_client *client, char **args, int n)
{
    const Pb__Handle *h;
    struct frame reply;
    int code = interp_make(c, client, PB__OWNER__OWNER_NAMED, &reply);

    (void)args;
    (void)n;
    if (code != 0)
        return code;
    h = answer_of(&reply)->handle;
    if (c->opt.json)
        json_print(json_document(&h->base));
    else
        printf("%s\n", h->id);
    frame_release(&reply);
    return 0;
}

/* ---- exec, call, prepare ---------------------------------------------------------------------------------------------------------- */

static int say_result(const struct command *c, struct coop_client *client, struct frame *reply, bool print_null)
{
    const Pb__CallResult *r = answer_of(reply)->result;
    int code = interp_output(c, client, r);

    if (code == 0)
        code = values_print(c, client, r, print_null);
    frame_release(reply);
    return code;
}

static int read_source(const struct command *c, const char *path, struct spec *s, ProtobufCBinaryData *ret, const char **ret_name)
{
    struct spec_want want = { .what = "script", .path = path, .max = LIMITS_SOURCE, .is_job = true, .waits = true };
    const char *slash = strrchr(path, '/');
    struct coop_error why;

    *ret_name = strcmp(path, "-") == 0 ? "stdin" : slash != NULL ? slash + 1 : path;
    return spec_read(s, &want, ret, NULL, &why) == 0 ? 0 : say_error(c, &why);
}

static int check_exec(const struct command *c, char **args, int n)
{
    struct coop_error why;

    (void)args;
    if ((n == 2) != (c->opt.source != NULL))
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, n == 2 ? "--source is the script, so there is no file beside it" : "there is no script");
    coop_error_hint(&why, "write coop interp exec ID FILE, coop interp exec ID - for standard input, or coop interp exec ID --source TEXT");
    return say_error(c, &why);
}

static int exec(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpExec m = PB__INTERP_EXEC__INIT;
    struct named q;
    struct spec s = { .pb = PB__JOB_SPEC__INIT };
    struct frame reply;
    const char *name = "source";
    int code = 0;

    if (n == 2)
        code = read_source(c, args[1], &s, &m.source, &name);
    else
        m.source = (ProtobufCBinaryData){ strlen(c->opt.source), (uint8_t *)c->opt.source };
    m.source_name = (char *)name;
    m.timeout_us = timeout_of(c);
    if (code == 0)
        code = say_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_EXEC, &m, &m.interp, args[0]), PB__ANSWER__BODY_RESULT, &reply);
    if (code == 0)
        code = say_result(c, client, &reply, false);
    spec_finish(&s);
    return code;
}

int interp_call(const struct command *c, struct coop_client *client, const char *id, char **args, int n)
{
    Pb__InterpCall m = PB__INTERP_CALL__INIT;
    struct named q;
    struct values list;
    struct frame reply;
    int code = values_of_args(c, client, args + 1, n - 1, &list);

    if (code != 0)
        return code;
    m.function = args[0];
    m.args = list.value;
    m.timeout_us = timeout_of(c);
    code = say_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_CALL, &m, &m.interp, (char *)id), PB__ANSWER__BODY_RESULT, &reply);
    values_finish(&list);
    return code == 0 ? say_result(c, client, &reply, true) : code;
}

static int call(const struct command *c, struct coop_client *client, char **args, int n)
{
    return interp_call(c, client, args[0], args + 1, n - 1);
}

static int prepare(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpPrepare m = PB__INTERP_PREPARE__INIT;
    struct named q;
    struct values map;
    struct frame reply;
    int code = values_of_names(c, client, args + 1, n - 1, &map);

    if (code != 0)
        return code;
    m.names = map.value;
    m.timeout_us = timeout_of(c);
    code = say_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_PREPARE, &m, &m.interp, args[0]), PB__ANSWER__BODY_RESULT, &reply);
    values_finish(&map);
    if (code != 0)
        return code;
    if (c->opt.json)
        code = values_print(c, client, answer_of(&reply)->result, false);
    frame_release(&reply);
    return code;
}

/* ---- looking at them --------------------------------------------------------------------------------------------------------------- */

static const char *state_of(const Pb__InterpStatus *s, char buf[JSON_ENUM_BUF])
{
    return json_enum_name(&pb__interp_state__descriptor, (int)s->state, buf);
}

static void print_row(const Pb__InterpStatus *s)
{
    char state[JSON_ENUM_BUF], owner[JSON_ENUM_BUF], age[HUMAN_AGE], engine[64], template[256], name[512];

    printf("%-*s  %-8s %-7s %-7s %9" PRIu64 " %5s  %-16s %s\n", ULID_LEN, s->interp->id, state_of(s, state),
           json_enum_name(&pb__owner__descriptor, (int)s->owner, owner), text_safe_str(engine, sizeof(engine), s->engine), s->calls,
           human_age(s->created_us, age), s->template_[0] != '\0' ? text_safe_str(template, sizeof(template), s->template_) : "-",
           text_safe_str(name, sizeof(name), s->interp->name));
}

static void print_list(const struct command *c, const void *body)
{
    const Pb__InterpStatusList *l = body;

    if (!c->opt.quiet)
        printf("%-*s  %-8s %-7s %-7s %9s %5s  %-16s %s\n", ULID_LEN, "ID", "STATE", "OWNER", "ENGINE", "CALLS", "AGE", "TEMPLATE", "NAME");
    for (size_t i = 0; i < l->n_interps; i++) {
        if (c->opt.quiet)
            printf("%s\n", l->interps[i]->interp->id);
        else
            print_row(l->interps[i]);
    }
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpList m = PB__INTERP_LIST__INIT;
    Pb__Ask ask = PB__ASK__INIT;

    (void)args, (void)n;
    m.all = c->opt.all;
    ask.body_case = PB__ASK__BODY_INTERP_LIST;
    ask.interp_list = &m;
    return reply_print_ask(c, client, &ask, PB__ANSWER__BODY_INTERPS, print_list);
}

static void print_limits(const Pb__Limits *l)
{
    char text[UNITS_BUF];

    if (l == NULL)
        return;
    fputs("limits   ", stdout);
    for (size_t k = 0; k < limits_count; k++)
        if (limits_get(l, &limits_table[k]) != 0)
            printf(" %s=%s", limits_table[k].name, limits_format(&limits_table[k], limits_get(l, &limits_table[k]), text));
    fputc('\n', stdout);
}

static void print_status(const Pb__InterpStatus *s)
{
    char word[JSON_ENUM_BUF], safe[1024], cpu[UNITS_BUF], memory[UNITS_BUF];

    printf("id        %s\nstate     %s\nengine    %s\n", s->interp->id, state_of(s, word), text_safe_str(safe, sizeof(safe), s->engine));
    if (s->interp->name[0] != '\0')
        printf("name      %s\n", text_safe_str(safe, sizeof(safe), s->interp->name));
    if (s->template_[0] != '\0')
        printf("template  %s\n", text_safe_str(safe, sizeof(safe), s->template_));
    printf("owner     %s, whence %s\n", json_enum_name(&pb__owner__descriptor, (int)s->owner, word),
           text_safe_str(safe, sizeof(safe), s->whence));
    if (s->parent[0] != '\0')
        printf("parent    %s, depth %u\n", s->parent, s->depth);
    printf("calls     %" PRIu64 " done, %u waiting%s%s\n", s->calls, s->waiting, s->running[0] != '\0' ? ", running " : "",
           text_safe_str(safe, sizeof(safe), s->running));
    printf("children  %u\n", s->children);
    if (s->pid != 0)
        printf("used      cpu %s, memory %s, pid %u, incarnation %u\n", units_format_duration(s->cpu_us, cpu),
               units_format_size(s->mem_bytes, memory), s->pid, s->incarnation);
    print_limits(s->limits);
    if (s->state == PB__INTERP_STATE__INTERP_STATE_ENDED)
        printf("ended     %s%s%s\n", json_enum_name(&pb__cause__descriptor, (int)s->cause, word), s->cause_detail[0] != '\0' ? ": " : "",
               text_safe_str(safe, sizeof(safe), s->cause_detail));
    if (s->receipt[0] != '\0')
        printf("receipt   coop result %s\n", s->receipt);
}

/* The state; of one that has ended, how. */
static void print_word(const Pb__InterpStatus *s)
{
    char word[JSON_ENUM_BUF];

    if (s->state == PB__INTERP_STATE__INTERP_STATE_ENDED)
        printf("%s\n", json_enum_name(&pb__cause__descriptor, (int)s->cause, word));
    else
        printf("%s\n", state_of(s, word));
}

static void print_interp(const struct command *c, const void *body)
{
    const Pb__InterpStatus *s = body;

    if (c->opt.quiet)
        print_word(s);
    else
        print_status(s);
}

static int show(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpInfo m = PB__INTERP_INFO__INIT;
    struct named q;

    (void)n;
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_INFO, &m, &m.interp, args[0]), PB__ANSWER__BODY_INTERP,
                           print_interp);
}

static int wait_for(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpWait m = PB__INTERP_WAIT__INIT;
    struct named q;

    (void)n;
    m.timeout_us = timeout_of(c);
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_WAIT, &m, &m.interp, args[0]), PB__ANSWER__BODY_INTERP,
                           print_interp);
}

/* ---- changing them ------------------------------------------------------------------------------------------------------------------ */

static int interrupt(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpInterrupt m = PB__INTERP_INTERRUPT__INIT;
    struct named q;

    (void)n;
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_INTERRUPT, &m, &m.interp, args[0]), PB__ANSWER__BODY_DONE, NULL);
}

static int close_it(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpClose m = PB__INTERP_CLOSE__INIT;
    struct named q;

    (void)n;
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_CLOSE, &m, &m.interp, args[0]), PB__ANSWER__BODY_DONE, NULL);
}

static int kill_word(const struct command *c, struct coop_client *client, char **args, int n)
{
    (void)n;
    return kill_it(c, client, args[0]);
}

static int reset(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__InterpReset m = PB__INTERP_RESET__INIT;
    struct named q;

    (void)n;
    return reply_print_ask(c, client, ask_named(&q, PB__ASK__BODY_INTERP_RESET, &m, &m.interp, args[0]), PB__ANSWER__BODY_DONE, NULL);
}

/* clang-format off */
const struct word interp_words[] = {
    { "create",    "",               0,  0, "make one and print its id: of --run FILE, a script that is run in it first (native: the shared object), of --engine, or of --template", create, check_create, FLAG_NOTHING, FLAG_NOTHING },
    { "exec",      "ID FILE|-",      1,  2, "run a script in it, or the text of --source; its globals stay; what the script returns is printed as JSON", exec, check_exec, FLAG_NAME, FLAG_FILE },
    { "call",      "ID FUNC ARGS...", 2, -1, "call a function; an argument that parses as JSON is that, any other is text; the value is printed as JSON", call, NULL, FLAG_NAME, FLAG_NOTHING },
    { "prepare",   "ID NAME=VALUE...", 2, -1, "set globals, values as the arguments of call", prepare, NULL, FLAG_NAME, FLAG_NOTHING },
    { "ls",        "",               0,  0, "list them; --all: ended ones too", list, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "show",      "ID",             1,  1, "say all that is known of it; by a name also of the last one that had it", show, NULL, FLAG_NAME, FLAG_NOTHING },
    { "wait",      "ID",             1,  1, "stay until it has ended and say how", wait_for, NULL, FLAG_NAME, FLAG_NOTHING },
    { "interrupt", "ID",             1,  1, "end the call that runs; it lives on", interrupt, NULL, FLAG_NAME, FLAG_NOTHING },
    { "close",     "ID",             1,  1, "end it in good order; 81 while a call runs", close_it, NULL, FLAG_NAME, FLAG_NOTHING },
    { "kill",      "ID",             1,  1, "end it at once, with all that it has made", kill_word, NULL, FLAG_NAME, FLAG_NOTHING },
    { "reset",     "ID",             1,  1, "a new process with the state of its template, under the same id", reset, NULL, FLAG_NAME, FLAG_NOTHING },
    { NULL,        NULL,             0,  0, NULL, NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_interp(const struct command *c)
{
    return words_run(c, interp_words);
}
