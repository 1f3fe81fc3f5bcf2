/* verb_completion.c - a completion script for a shell. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/completion.h"
#include "cli/json.h"
#include "cli/say.h"

#include <coop/exit_codes.h>

static void print_json(const char *shell)
{
    char *script = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&script, &len);
    json_t *doc = json_named("Completion");

    if (f != NULL) {
        completion_print(f, shell);
        fclose(f);
    }
    json_object_set_new(doc, "shell", json_string(shell));
    json_object_set_new(doc, "script", json_text(script != NULL ? script : "", len));
    json_print(doc);
    free(script);
}

static bool is_shell(const char *name)
{
    for (size_t i = 0; completion_shells[i] != NULL; i++)
        if (strcmp(completion_shells[i], name) == 0)
            return true;
    return false;
}

int verb_completion(const struct command *c)
{
    struct coop_error why;

    if (!is_shell(c->args[0])) {
        coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "no completion for '%.60s'; there is one for bash, zsh and fish", c->args[0]);
        hint_nearest(&why, c->args[0], completion_shells, "coop completion ");
        return say_error(c, &why);
    }
    if (c->opt.json)
        print_json(c->args[0]);
    else
        completion_print(stdout, c->args[0]);
    return 0;
}
