/* verb_template.c - templates: built, listed, removed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/grants.h"
#include "cli/human.h"
#include "cli/reply.h"
#include "cli/say.h"
#include "cli/submit_spec.h"
#include "cli/text.h"
#include "units.h"

#include <coop/exit_codes.h>

static int check_build(const struct command *c, char **args, int n)
{
    struct coop_error why;

    (void)args;
    (void)n;
    if (grants_refuse(c, "a template", "each copy would have it: give it to coop interp create or coop call", &why) != 0)
        return say_error(c, &why);
    if (c->opt.run != NULL || c->opt.modules.n > 0)
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "a template is made by a script that prepares its state");
    coop_error_hint(&why, "write coop template build NAME --engine lua --run init.lua, or NAME --engine python -m MODULE");
    return say_error(c, &why);
}

static void print_label(const struct command *c, const void *body)
{
    const Pb__TemplateStatus *t = body;
    char safe[512];

    (void)c;
    printf("%s@%u\n", text_safe_str(safe, sizeof(safe), t->name), t->version);
}

static int build(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__TemplateBuild m = PB__TEMPLATE_BUILD__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    struct coop_error why;
    struct spec s;
    int code;

    (void)n;
    if (spec_make_interp(c, &s, &why) != 0)
        return say_error(c, &why);
    m.name = args[0];
    m.spec = &s.pb;
    ask.body_case = PB__ASK__BODY_TEMPLATE_BUILD;
    ask.template_build = &m;
    code = reply_print_ask(c, client, &ask, PB__ANSWER__BODY_TEMPLATE, print_label);
    spec_finish(&s);
    return code;
}

static void print_row(const struct command *c, const Pb__TemplateStatus *t)
{
    char name[512], label[600], engine[64], state[64], size[UNITS_BUF], age[HUMAN_AGE], left[UNITS_BUF];

    snprintf(label, sizeof(label), "%s@%u", text_safe_str(name, sizeof(name), t->name), t->version);
    if (c->opt.quiet) {
        printf("%s\n", label);
        return;
    }
    printf("%-24s %-15s %-9s %8s %6u %9" PRIu64 "  %-5s %s\n", label, text_safe_str(engine, sizeof(engine), t->engine),
           text_safe_str(state, sizeof(state), t->state), units_format_size(t->mem_bytes, size), t->alive, t->forks,
           human_age(t->created_us, age), text_safe_str(name, sizeof(name), t->why));
    if (t->quarantine_us > 0)
        printf("%-24s tried again in %s\n", "", units_format_duration((t->quarantine_us + 999999) / 1000000 * 1000000, left));
}

static void print_list(const struct command *c, const void *body)
{
    const Pb__TemplateStatusList *l = body;

    if (!c->opt.quiet)
        printf("%-24s %-15s %-9s %8s %6s %9s  %-5s %s\n", "TEMPLATE", "ENGINE", "STATE", "MEMORY", "ALIVE", "FORKS", "AGE", "WHY");
    for (size_t i = 0; i < l->n_templates; i++)
        print_row(c, l->templates[i]);
}

static int list(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__TemplateList m = PB__TEMPLATE_LIST__INIT;
    Pb__Ask ask = PB__ASK__INIT;

    (void)args, (void)n;
    ask.body_case = PB__ASK__BODY_TEMPLATE_LIST;
    ask.template_list = &m;
    return reply_print_ask(c, client, &ask, PB__ANSWER__BODY_TEMPLATES, print_list);
}

static int remove_it(const struct command *c, struct coop_client *client, char **args, int n)
{
    Pb__TemplateRemove m = PB__TEMPLATE_REMOVE__INIT;
    Pb__Ask ask = PB__ASK__INIT;

    (void)n;
    m.name = args[0];
    ask.body_case = PB__ASK__BODY_TEMPLATE_REMOVE;
    ask.template_remove = &m;
    return reply_print_ask(c, client, &ask, PB__ANSWER__BODY_DONE, NULL);
}

/* clang-format off */
const struct word template_words[] = {
    { "build", "NAME",            1, 1, "run the script of --run and keep what it has prepared; prints NAME@VERSION", build, check_build, FLAG_NAME, FLAG_NOTHING },
    { "ls",    "",                0, 0, "list them: engine, state, memory, copies alive, copies made", list, NULL, FLAG_NOTHING, FLAG_NOTHING },
    { "rm",    "NAME[@VERSION]",  1, 1, "remove it; those that were made from it live on", remove_it, NULL, FLAG_NAME, FLAG_NOTHING },
    { NULL,    NULL,              0, 0, NULL, NULL, NULL, FLAG_NOTHING, FLAG_NOTHING },
};
/* clang-format on */

int verb_template(const struct command *c)
{
    return words_run(c, template_words);
}
