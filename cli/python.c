/* python.c - see python.h. */
#include "cli/python.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flag_values.h"
#include "cli/program.h"
#include "cli/spec_read.h"
#include "engine_table.h"
#include "job_limits.h"

int flag_read_module(struct options *o, const char *text, struct coop_error *why)
{
    static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.";

    if (text[0] == '\0' || text[strspn(text, chars)] != '\0' || strlen(text) > LIMITS_NAME)
        return flag_refuse(why, "-m '%.100s' is not the name of a module: letters, digits, '_' and '.', at most %d", text, LIMITS_NAME);
    return flag_list_add(&o->modules, text, why);
}

bool python_is_meant(const struct command *c)
{
    return c->opt.code != NULL || c->opt.modules.n > 0;
}

/* The same that python -m does. */
static char *source_of_module(const char *module)
{
    char *text;

    return asprintf(&text, "import runpy; runpy._run_module_as_main('%s')\n", module) >= 0 ? text : NULL;
}

static char *source_of_init(const struct text_list *modules)
{
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (f == NULL)
        return NULL;
    for (size_t i = 0; i < modules->n; i++)
        fprintf(f, "import %s\n", modules->items[i]);
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

static int refuse_together(const struct command *c, struct coop_error *why)
{
    bool template = !c->verb->job_args;

    if (c->opt.engine != NULL && strcmp(c->opt.engine, engine_table[ENGINE_PYTHON].name) != 0)
        return flag_refuse(why, "-c and -m are of the engine python, and --engine %.40s is given", c->opt.engine);
    if (template && c->opt.run != NULL)
        return flag_refuse(why, "-m goes without --run: the script imports what it needs");
    if (c->opt.spec_path != NULL)
        return flag_refuse(why, "the job file says what to run, -c and -m too");
    return 0;
}

int python_add(const struct command *c, struct spec *s, struct coop_error *why)
{
    bool template = !c->verb->job_args;
    char *text;
    int rc = refuse_together(c, why);

    if (rc != 0)
        return rc;
    text = c->opt.code != NULL ? strdup(c->opt.code)
           : template          ? source_of_init(&c->opt.modules)
                               : source_of_module(c->opt.modules.items[0]);
    rc = spec_own(s, text, why);
    if (rc != 0)
        return rc;
    s->pb.engine = (char *)engine_table[ENGINE_PYTHON].name;
    s->pb.source = (ProtobufCBinaryData){ strlen(text), (uint8_t *)text };
    s->pb.source_name = c->opt.code != NULL ? "<string>" : template ? "<modules>" : "<module>";
    s->pb.name = (char *)(c->opt.name != NULL ? c->opt.name : c->opt.code != NULL ? "-c" : c->opt.modules.items[0]);
    return program_check_text("-c", "CODE", &s->pb.source, why);
}
