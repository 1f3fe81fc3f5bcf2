/*
 * verb_store.c - the broker's memory on disk: checked, repaired, copied, put back.
 *
 * A backup is the running broker's to make; the rest coopd does as a program of its own, on the state directory that a broker started by
 * this user would have.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/own_coopd.h"
#include "cli/say.h"
#include "cli/text.h"
#include "cli/words.h"
#include "units.h"

#include <coop/exit_codes.h>

/* ---- without a broker -------------------------------------------------------------------------------------------------------------------- */

struct findings {
    const struct command *command;
    json_t *list;
};

static void print_finding(const struct command *c, const json_t *f)
{
    char what[64], text[2048];
    bool ok = json_is_true(json_object_get(f, "ok"));
    const char *said = json_string_value(json_object_get(f, "text")), *name = json_string_value(json_object_get(f, "what"));

    if (c->opt.json || (ok && c->opt.quiet))
        return;
    text_safe_str(what, sizeof(what), name != NULL ? name : "");
    printf("%-4s %-12s %s\n", ok ? "ok" : "-", what, text_safe_str(text, sizeof(text), said != NULL ? said : ""));
}

/* One line is one finding, printed as it comes. */
static int take_finding(void *ctx, json_t *line)
{
    struct findings *f = ctx;

    print_finding(f->command, line);
    return json_array_append_new(f->list, line) == 0 ? 0 : -ENOMEM;
}

static void print_json(const char *word, int code, json_t *findings)
{
    json_t *doc = json_named("StoreCare");

    json_object_set_new(doc, "word", json_string(word));
    json_object_set_new(doc, "ok", json_boolean(code == 0));
    json_object_set(doc, "findings", findings);
    json_print(doc);
}

static int run_coopd(const struct command *c, const char *word, const char *from)
{
    char *argv[] = { "coopd", "--store", (char *)word, from != NULL ? "--store-from" : NULL, (char *)from, NULL };
    struct findings f = { c, json_array() };
    struct coop_error why = { 0 };
    int code = 0, rc = own_coopd_run(argv, take_finding, &f, &code, &why);

    if (rc != 0)
        code = say_error(c, &why);
    else if (c->opt.json)
        print_json(word, code, f.list);
    json_decref(f.list);
    return code;
}

/* ---- of a running one ---------------------------------------------------------------------------------------------------------------------- */

/* The broker's working directory is another one. */
static int whole_path(const char *path, char ret[PATH_MAX])
{
    char here[PATH_MAX];
    int n;

    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return -errno;
    n = path[0] == '/' ? snprintf(ret, PATH_MAX, "%s", path) : snprintf(ret, PATH_MAX, "%s/%s", here, path);
    return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int backup(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__StoreBackup body = PB__STORE_BACKUP__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__StoreReply *r;
    struct coop_error why;
    char path[PATH_MAX], size[UNITS_BUF];
    struct frame reply;
    int rc = whole_path(args[0], path);

    (void)n;
    if (rc != 0) {
        coop_error_set(&why, -rc, COOP_EXIT_USAGE, "%s: %s", args[0], strerror(-rc));
        return say_error(c, &why);
    }
    body.path = path;
    req.body_case = PB__REQUEST__BODY_STORE_BACKUP;
    req.store_backup = &body;
    rc = ask_broker(client, &req, c->opt.timeout_us != 0 ? (int64_t)c->opt.timeout_us : -1, &reply, &why); /* as long as it takes */
    if (rc == 0 && (rc = ask_check(&reply, PB__REPLY__BODY_STORE, &why)) != 0)
        frame_release(&reply);
    if (rc != 0)
        return say_error(c, &why);
    r = ((const Pb__Reply *)reply.msg)->store;
    if (c->opt.json)
        json_print(json_document(&r->base));
    else if (!c->opt.quiet)
        printf("%s: %llu jobs, %s\n", path, (unsigned long long)r->jobs, units_format_size(r->bytes, size));
    frame_release(&reply);
    return 0;
}

/* clang-format off */
const struct word store_words[] = {
    { "check",   "",    0, 0, "look whether it is whole: pages, indexes, rows that belong together, the chain of receipts; may be done beside a broker", NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "repair",  "",    0, 0, "of a damaged one save what can be read into a new one, and list what is lost; the damaged one is kept",                    NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "backup",  "DIR", 1, 1, "copy it as it is at this moment, while the broker goes on; DIR must not be there yet",                                     backup, NULL, FLAG_FILE, FLAG_NOTHING },
    { "restore", "DIR", 1, 1, "put a backup in its place; what was there is kept beside it, as its name with .old- and the time",                          NULL, NULL, FLAG_FILE, FLAG_NOTHING },
    { NULL,      "",    0, 0, NULL,                                                                                                                       NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

static int refuse_far(const struct command *c)
{
    struct coop_error why;

    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "store %s looks at the state directory of this machine; the broker at %.200s has its own",
                   c->args[0], c->opt.endpoint);
    return say_error(c, &why);
}

/* Words without a function want no broker. */
int verb_store(const struct command *c)
{
    char path[PATH_MAX];
    int n = c->n_args - 1;

    for (const struct word *w = store_words; w->name != NULL; w++)
        if (w->run == NULL && strcmp(w->name, c->args[0]) == 0 && n == w->max && c->opt.endpoint != NULL &&
            strncmp(c->opt.endpoint, "tls+", 4) == 0)
            return refuse_far(c);
        else if (w->run == NULL && strcmp(w->name, c->args[0]) == 0 && n == w->max)
            return run_coopd(c, w->name, n == 1 && whole_path(c->args[1], path) == 0 ? path : NULL);
    return words_run(c, store_words);
}
