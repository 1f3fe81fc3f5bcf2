/* verb_help.c - help, for people, for man(1) and as JSON. */
#include <errno.h>
#include <stdio.h>

#include "cli/args.h"
#include "cli/help.h"
#include "cli/json.h"
#include "cli/say.h"

#include <coop/exit_codes.h>

static json_t *json_of_flag(const struct flag *f)
{
    char letter[2] = { f->letter, '\0' };

    return json_pack("{s:s, s:s?, s:s?, s:s}", "name", f->name, "letter", f->letter != 0 ? letter : NULL, "value", f->value, "help",
                     f->help);
}

static json_t *json_of_verb(const struct verb *v)
{
    json_t *flags = json_array();

    for (size_t i = 0; i < flag_count; i++)
        if ((flag_table[i].verbs & verb_bit(v)) != 0)
            json_array_append_new(flags, json_of_flag(&flag_table[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", v->name, "usage", v->usage, "summary", v->summary, "text", v->text, "flags",
                     flags);
}

/* One verb, or all. */
static void print_json(const struct verb *only)
{
    json_t *doc = json_named("Help"), *verbs = json_array();

    for (size_t i = 0; i < verb_count; i++)
        if (only == NULL || only == &verb_table[i])
            json_array_append_new(verbs, json_of_verb(&verb_table[i]));
    json_object_set_new(doc, "verbs", verbs);
    json_print(doc);
}

int verb_help(const struct command *c)
{
    const struct verb *v = NULL;
    struct coop_error why;

    if (c->n_args == 1 && (v = verb_find(c->args[0])) == NULL) {
        const char *words[64];

        for (size_t i = 0; i < verb_count; i++)
            words[i] = verb_table[i].name;
        words[verb_count] = NULL;
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "unknown verb '%.60s'; see coop help", c->args[0]);
        hint_nearest(&why, c->args[0], words, "coop help ");
        return say_error(c, &why);
    }
    if (c->opt.json)
        print_json(v);
    else if (c->opt.man)
        help_man(stdout);
    else if (v != NULL)
        help_verb(stdout, v);
    else
        help_overview(stdout);
    return 0;
}
