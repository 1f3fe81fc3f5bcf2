/* completion_fish.c - the script for fish. */
#include "cli/completion.h"

#include <string.h>

#include "cli/args.h"
#include "cli/words.h"

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

/* "-a": what there is, in single quotes; false: nothing is known. */
static bool put_choice(FILE *out, const struct verb *v, enum flag_completes what)
{
    enum completion_list list = completion_list_of(what);
    const char *lister = completion_lister(v, what);

    if (what == FLAG_RETRY) {
        fputs(" -a '(__coop_causes)'", out);
    } else if (lister != NULL) {
        fputs(" -a '(coop ", out);
        put_quoted(out, lister);
        fputs(" --quiet --no-autostart 2>/dev/null)'", out);
    } else if (list != LISTS) {
        fputs(" -a '", out);
        completion_words(out, list);
        fputc('\'', out);
    } else {
        return false;
    }
    return true;
}

/* "-x": it wants a value, and files are none. */
static void put_value(FILE *out, const struct flag *f)
{
    if (f->value == NULL)
        return;
    fputs(f->completes == FLAG_FILE ? " -r -F" : " -x", out);
    (void)put_choice(out, NULL, f->completes);
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

/* place: which argument of the word it is. */
static void put_argument(FILE *out, const struct verb *v, const struct word *w, const char *place, enum flag_completes what)
{
    if (what == FLAG_NOTHING)
        return;
    fprintf(out, "complete -c coop %s -n '__coop_verb %s; and __coop_word %s; and %s'", what == FLAG_FILE ? "-F" : "-f", v->name, w->name,
            place);
    (void)put_choice(out, v, what);
    fputc('\n', out);
}

static void put_words(FILE *out, const struct verb *v)
{
    for (const struct word *w = v->words; w->name != NULL; w++) {
        fprintf(out, "complete -c coop -f -n '__coop_verb %s; and __coop_at 1' -a %s", v->name, w->name);
        put_help(out, w->what);
        put_argument(out, v, w, "__coop_at 2", w->first);
        put_argument(out, v, w, "not __coop_at 2", w->rest);
    }
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
    fputs(
        "'\nend\n"
        "# The first word that is a verb is the verb, if there is one yet.\n"
        "function __coop_verb\n    for w in (commandline -opc)[2..]\n        if contains -- $w (__coop_verbs)\n"
        "            test \"$w\" = \"$argv[1]\"\n            return\n        end\n    end\n    test -z \"$argv[1]\"\nend\n"
        "# How many words that are no flags stand behind the verb, with the one that is being typed.\n"
        "function __coop_at\n    set -l n 0\n    set -l seen 0\n    for w in (commandline -opc)[2..]\n"
        "        if test $seen = 1; and not string match -q -- '-*' $w\n            set n (math $n + 1)\n        end\n"
        "        contains -- $w (__coop_verbs); and set seen 1\n    end\n    test (math $n + 1) = $argv[1]\nend\n"
        "# The word behind the verb.\n"
        "function __coop_word\n    set -l seen 0\n    for w in (commandline -opc)[2..]\n"
        "        if test $seen = 1; and not string match -q -- '-*' $w\n            test \"$w\" = \"$argv[1]\"\n            return\n        end\n"
        "        contains -- $w (__coop_verbs); and set seen 1\n    end\n    false\nend\n"
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
