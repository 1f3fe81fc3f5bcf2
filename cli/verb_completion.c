/* verb_completion.c - a completion script for a shell. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/json.h"
#include "cli/say.h"

#include <coop/exit_codes.h>

static void print_json(void)
{
    char *script = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&script, &len);
    json_t *doc = json_named("Completion");

    if (f != NULL) {
        help_completion_bash(f);
        fclose(f);
    }
    json_object_set_new(doc, "shell", json_string("bash"));
    json_object_set_new(doc, "script", json_text(script != NULL ? script : "", len));
    json_print(doc);
    free(script);
}

int verb_completion(const struct command *c)
{
    struct coop_error why;

    if (strcmp(c->args[0], "bash") != 0) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "no completion for '%.60s'; there is one for bash", c->args[0]);
        return say_error(c, &why);
    }
    if (c->opt.json)
        print_json();
    else
        help_completion_bash(stdout);
    return 0;
}
