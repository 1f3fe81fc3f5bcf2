/* main.c - coop: reads the command line, runs the verb, and leaves with its code. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/help.h"
#include "cli/say.h"
#include "cli/signals.h"

#include <coop/exit_codes.h>

/* When the command line is refused, whether the refusal is wanted as JSON may stand after the word that broke it. */
static bool asks_for_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    struct command c;
    struct coop_error why;
    int code;

    signals_ignore_pipe();
    if (command_parse(argc, argv, &c, &why) != 0) {
        c.opt.json = asks_for_json(argc, argv);
        code = say_error(&c, &why);
    } else if (c.opt.help && c.verb != verb_find("help")) {
        help_verb(stdout, c.verb);
        code = COOP_EXIT_OK;
    } else {
        code = c.verb->run(&c);
    }
    command_finish(&c);
    if (fflush(stdout) != 0 && code == COOP_EXIT_OK)
        code = COOP_EXIT_SIGNAL_BASE + 13; /* what was asked for did not arrive */
    return code;
}
