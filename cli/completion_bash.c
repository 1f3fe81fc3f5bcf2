/* completion_bash.c - the script for bash. */
#include "cli/completion.h"

#include <string.h>

#include "cli/args.h"
#include "cli/words.h"

#define NAMES "COMPREPLY=($(compgen -W \"$(coop %s --quiet --no-autostart 2>/dev/null)\" -- \"$cur\"))"

static void put_value(FILE *out, const struct verb *v, enum flag_completes what)
{
    enum completion_list list = completion_list_of(what);
    const char *lister = completion_lister(v, what);

    if (what == FLAG_FILE)
        fputs("COMPREPLY=($(compgen -f -- \"$cur\"))", out);
    else if (lister != NULL)
        fprintf(out, NAMES, lister);
    else if (list != LISTS && what != FLAG_RETRY)
        fprintf(out, "COMPREPLY=($(compgen -W \"$%s\" -- \"$cur\"))%s", completion_list_names[list],
                completion_goes_on(what) ? "; compopt -o nospace 2>/dev/null" : "");
    else
        fputs("COMPREPLY=()", out);
}

static void put_words(FILE *out, const struct verb *v)
{
    fprintf(out, "        %s)\n            if ((COMP_CWORD > i + 1)); then\n                ", v->name);
    completion_word_cases(out, v, "${COMP_WORDS[i+1]}", "COMP_CWORD", put_value);
    fputs("\n            else\n                COMPREPLY=($(compgen -W \"", out);
    for (const struct word *w = v->words; w->name != NULL; w++)
        fprintf(out, "%s%s", w != v->words ? " " : "", w->name);
    fputs("\" -- \"$cur\"))\n            fi ;;\n", out);
}

static void put_arguments(FILE *out, const struct verb *v)
{
    static const char *const replies[] = {
        [COMPLETE_NOTHING] = "COMPREPLY=()",
        [COMPLETE_PROGRAM] = "COMPREPLY=($(compgen -f -c -- \"$cur\" | sort -u))",
        [COMPLETE_ID] = NULL,
        [COMPLETE_VERB] = "COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))",
        [COMPLETE_SHELL] = "COMPREPLY=($(compgen -W \"bash zsh fish\" -- \"$cur\"))",
    };

    if (v->words != NULL)
        put_words(out, v);
    else {
        fprintf(out, "        %s) ", v->name);
        if (replies[v->completes] != NULL)
            fputs(replies[v->completes], out);
        else
            put_value(out, v, FLAG_ID);
        fputs(" ;;\n", out);
    }
}

static void put_lists(FILE *out)
{
    fputs("    local verbs=\"", out);
    for (size_t i = 0; i < verb_count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", verb_table[i].name);
    fputs("\"\n", out);
    for (int list = 0; list < LISTS; list++) {
        fprintf(out, "    local %s=\"", completion_list_names[list]);
        completion_words(out, (enum completion_list)list);
        fputs("\"\n", out);
    }
}

/* --retry 3,on=exit+signal: bash itself has cut the word at its equals sign. */
#define CAUSES                                                                                                                             \
    "    if [[ $prev == '=' && ${COMP_WORDS[COMP_CWORD-2]} == *,on ]]; then\n"                                                             \
    "        COMPREPLY=($(compgen -P \"${cur%\"${cur##*+}\"}\" -W \"$causes\" -- \"${cur##*+}\"))\n        return\n    fi\n"

void completion_bash(FILE *out)
{
    fputs("# bash completion for coop, made by `coop completion bash`\n_coop() {\n"
          "    local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" verb=\"\" i\n",
          out);
    put_lists(out);
    fputs("    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case \" $verbs \" in *\" ${COMP_WORDS[i]} \"*) verb=\"${COMP_WORDS[i]}\"; break ;; esac\n    done\n"
          "    if [[ -z $verb ]]; then\n        COMPREPLY=($(compgen -W \"$verbs\" -- \"$cur\"))\n        return\n    fi\n" CAUSES
          "    case \"$verb:$prev\" in\n",
          out);
    completion_flag_cases(out, put_value);
    fputs("    esac\n    if [[ $cur == -* ]]; then\n        case \"$verb\" in\n", out);
    for (size_t i = 0; i < verb_count; i++) {
        fprintf(out, "        %s) COMPREPLY=($(compgen -W \"", verb_table[i].name);
        for (size_t f = 0; f < flag_count; f++)
            if (completion_has(&verb_table[i], &flag_table[f]))
                fprintf(out, " --%s", flag_table[f].name);
        fputs("\" -- \"$cur\")) ;;\n", out);
    }
    fputs("        esac\n        return\n    fi\n    case \"$verb\" in\n", out);
    for (size_t i = 0; i < verb_count; i++)
        put_arguments(out, &verb_table[i]);
    fputs("    esac\n}\ncomplete -o filenames -F _coop coop\n", out);
}
