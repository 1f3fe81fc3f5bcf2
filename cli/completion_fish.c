/* completion_fish.c - the script for fish. */
#include "cli/completion.h"

#include <string.h>

#include "cli/args.h"
#include "cli/words.h"

#define NAMES "(coop %s --quiet --no-autostart 2>/dev/null)"

/* Between single quotes: these two need a backslash. */
static void put_quoted(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void put_help(FILE *out, const char *help)
{
    fputs(" -d '", out);
    put_quoted(out, help);
    fputs("'\n", out);
}

/* "-x": it wants a value, and files are none. */
static void put_value(FILE *out, const struct flag *f)
{
    enum completion_list list = completion_list_of(f);

    if (f->value == NULL)
        return;
    if (f->completes == FLAG_FILE) {
        fputs(" -r -F", out);
    } else if (f->completes == FLAG_ID) {
        fprintf(out, " -x -a '" NAMES "'", "ls");
    } else if (f->completes == FLAG_RETRY) {
        fputs(" -x -a '(__coop_causes)'", out);
    } else if (list != LISTS) {
        fputs(" -x -a '", out);
        completion_words(out, list);
        fputc('\'', out);
    } else {
        fputs(" -x", out);
    }
}

static void put_flags(FILE *out, const struct verb *v)
{
    for (size_t i = 0; i < flag_count; i++) {
        const struct flag *f = &flag_table[i];

        if (!completion_has(v, f))
            continue;
        fprintf(out, "complete -c coop -n '__coop_verb %s' -l %s", v->name, f->name);
        if (f->letter != 0)
            fprintf(out, " -s %c", f->letter);
        put_value(out, f);
        put_help(out, f->help);
    }
}

static void put_words(FILE *out, const struct verb *v)
{
    const char *names = completion_names(v);

    for (const struct word *w = v->words; w->name != NULL; w++) {
        fprintf(out, "complete -c coop -f -n '__coop_verb %s; and __coop_at 1' -a %s", v->name, w->name);
        put_help(out, w->what);
    }
    if (names != NULL)
        fprintf(out,
                "complete -c coop -f -n '__coop_verb %s; and __coop_at 2; and not __fish_seen_subcommand_from create ls' -a '" NAMES "'\n",
                v->name, names);
    if (v->run == verb_interp)
        fprintf(out, "complete -c coop -F -n '__coop_verb interp; and __coop_at 3; and __fish_seen_subcommand_from exec'\n");
}

static void put_arguments(FILE *out, const struct verb *v)
{
    static const char *const replies[] = {
        [COMPLETE_NOTHING] = NULL,
        [COMPLETE_PROGRAM] = "-F -a '(__fish_complete_command)'",
        [COMPLETE_ID] = "-a '(coop ls --quiet --no-autostart 2>/dev/null)'",
        [COMPLETE_VERB] = "-a '(__coop_verbs)'",
        [COMPLETE_SHELL] = "-a 'bash zsh fish'",
    };

    if (v->words != NULL)
        put_words(out, v);
    else if (replies[v->completes] != NULL)
        fprintf(out, "complete -c coop -n '__coop_verb %s' %s\n", v->name, replies[v->completes]);
}

static void put_functions(FILE *out)
{
    fputs("function __coop_verbs\n    string split ' ' '", out);
    for (size_t i = 0; i < verb_count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", verb_table[i].name);
    fputs("'\nend\n"
          "# The first word that is a verb is the verb, if there is one yet.\n"
          "function __coop_verb\n    for w in (commandline -opc)[2..]\n        if contains -- $w (__coop_verbs)\n"
          "            test \"$w\" = \"$argv[1]\"\n            return\n        end\n    end\n    test -z \"$argv[1]\"\nend\n"
          "# How many words that are no flags stand behind the verb, with the one that is being typed.\n"
          "function __coop_at\n    set -l n 0\n    set -l seen 0\n    for w in (commandline -opc)[2..]\n"
          "        if test $seen = 1; and not string match -q -- '-*' $w\n            set n (math $n + 1)\n        end\n"
          "        contains -- $w (__coop_verbs); and set seen 1\n    end\n    test (math $n + 1) = $argv[1]\nend\n"
          "# 3,on=exit+signal\n"
          "function __coop_causes\n    set -l typed (commandline -ct)\n    string match -q -- '*,on=*' $typed; or return\n"
          "    set -l done (string replace -r '[^=+]*$' '' -- $typed)\n    for c in (string split ' ' '",
          out);
    completion_words(out, LIST_CAUSES);
    fputs("')\n        echo $done$c\n    end\nend\n", out);
}

void completion_fish(FILE *out)
{
    fputs("# fish completion for coop, made by `coop completion fish`\n", out);
    put_functions(out);
    fputs("complete -c coop -f\n", out);
    for (size_t i = 0; i < verb_count; i++) {
        fprintf(out, "complete -c coop -n '__coop_verb \"\"' -a %s", verb_table[i].name);
        put_help(out, verb_table[i].summary);
    }
    for (size_t i = 0; i < verb_count; i++) {
        put_flags(out, &verb_table[i]);
        put_arguments(out, &verb_table[i]);
    }
}
