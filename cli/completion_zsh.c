/* completion_zsh.c - the script for zsh. */
#include "cli/completion.h"

#include <string.h>

#include "cli/args.h"
#include "cli/words.h"

#define NAMES "compadd -- ${(f)\"$(coop %s --quiet --no-autostart 2>/dev/null)\"}"

/* Between single quotes, where a colon is the end of a name. */
static void put_quoted(FILE *out, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else if (*text == '\\')
            fputs("\\\\", out);
        else
            fputc(*text, out);
}

static void put_described(FILE *out, const char *dashes, const char *name, const char *help)
{
    fprintf(out, " '%s%s:", dashes, name);
    put_quoted(out, help);
    fputc('\'', out);
}

static void put_value(FILE *out, const struct verb *v, enum flag_completes what)
{
    enum completion_list list = completion_list_of(what);
    const char *lister = completion_lister(v, what);

    if (what == FLAG_FILE)
        fputs("_files", out);
    else if (lister != NULL)
        fprintf(out, NAMES, lister);
    else if (what == FLAG_RETRY)
        fputs("[[ $PREFIX == *,on=* ]] && compset -P '*[=+]' && compadd -- ${=causes}", out);
    else if (list != LISTS)
        fprintf(out, "compadd%s -- ${=%s}", completion_goes_on(what) ? " -S ''" : "", completion_list_names[list]);
    else
        fputs(":", out);
}

static void put_words(FILE *out, const struct verb *v)
{
    fputs("if ((CURRENT == i + 1)); then local -a w; w=(", out);
    for (const struct word *w = v->words; w->name != NULL; w++)
        put_described(out, "", w->name, w->what);
    fputs("); _describe word w; else ", out);
    completion_word_cases(out, v, "${words[i+1]}", "CURRENT", put_value);
    fputs("; fi", out);
}

static void put_arguments(FILE *out, const struct verb *v)
{
    static const char *const replies[] = {
        [COMPLETE_NOTHING] = ":",
        [COMPLETE_PROGRAM] = "_files; _command_names -e",
        [COMPLETE_ID] = NULL,
        [COMPLETE_VERB] = "_describe verb verbs",
        [COMPLETE_SHELL] = "compadd -- bash zsh fish",
    };

    fprintf(out, "        %s) ", v->name);
    if (v->words != NULL)
        put_words(out, v);
    else if (replies[v->completes] != NULL)
        fputs(replies[v->completes], out);
    else
        put_value(out, v, FLAG_ID);
    fputs(" ;;\n", out);
}

static void put_lists(FILE *out)
{
    fputs("    local -a verbs; verbs=(", out);
    for (size_t i = 0; i < verb_count; i++)
        put_described(out, "", verb_table[i].name, verb_table[i].summary);
    fputs(")\n", out);
    for (int list = 0; list < LISTS; list++) {
        fprintf(out, "    local %s='", completion_list_names[list]);
        completion_words(out, (enum completion_list)list);
        fputs("'\n", out);
    }
}

void completion_zsh(FILE *out)
{
    fputs("#compdef coop\n# zsh completion for coop, made by `coop completion zsh`\n_coop() {\n"
          "    local verb='' prev=\"${words[CURRENT-1]}\" i\n",
          out);
    put_lists(out);
    fputs("    for ((i = 2; i < CURRENT; i++)); do\n"
          "        if ((${verbs[(I)${words[i]}:*]})); then verb=${words[i]}; break; fi\n    done\n"
          "    if [[ -z $verb ]]; then _describe verb verbs; return; fi\n    case \"$verb:$prev\" in\n",
          out);
    completion_flag_cases(out, put_value);
    fputs("    esac\n    if [[ $PREFIX == -* ]]; then\n        local -a flags\n        case $verb in\n", out);
    for (size_t i = 0; i < verb_count; i++) {
        fprintf(out, "        %s) flags=(", verb_table[i].name);
        for (size_t f = 0; f < flag_count; f++)
            if (completion_has(&verb_table[i], &flag_table[f]))
                put_described(out, "--", flag_table[f].name, flag_table[f].help);
        fputs(") ;;\n", out);
    }
    fputs("        esac\n        _describe -o flag flags\n        return\n    fi\n    case $verb in\n", out);
    for (size_t i = 0; i < verb_count; i++)
        put_arguments(out, &verb_table[i]);
    fputs("    esac\n}\nif [[ ${funcstack[1]} == _coop ]]; then _coop \"$@\"; else compdef _coop coop; fi\n", out);
}
