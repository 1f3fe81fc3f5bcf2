/*
 * completion.h - scripts that complete the command's words in a shell, made from the tables of verbs, words and flags.
 *
 * Side: host (CLI).
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/args.h"

/* NULL-terminated. */
extern const char *const completion_shells[];

/* false: there is none for this shell. */
bool completion_print(FILE *out, const char *shell);

/* For completion_*.c. Each shell's script asks these what there is, and says it in its own words. */

struct flag;
struct verb;
enum completion_list {
    LIST_STATES,
    LIST_ENGINES,
    LIST_LIMITS,
    LIST_CAPS,
    LIST_CLASSES,
    LIST_SORTS,
    LIST_ENDS,
    LIST_CAUSES,
    LIST_SCOPES,
    LIST_TENANT_KEYS,
    LIST_QUOTA_KEYS,
    LIST_TOKEN_KEYS,
    LISTS
};
/* The fixed words, or beginnings of them, that it is one of; LISTS: none. */
enum completion_list completion_list_of(enum flag_completes what);
/* Whether they are beginnings, behind which the value stands: "memory=". */
bool completion_goes_on(enum flag_completes what);
/* Its words with blanks between. */
void completion_words(FILE *out, enum completion_list list);
extern const char *const completion_list_names[];

bool completion_has(const struct verb *v, const struct flag *f);
/* "tenant ls": what coop is asked for the names that it is one of, behind a word of v or, with NULL, a flag; NULL: nothing. */
const char *completion_lister(const struct verb *v, enum flag_completes what);

/* What is alike in bash and in zsh. put says how a value, or an argument of a word of v, is completed. */
typedef void completion_put(FILE *out, const struct verb *v, enum flag_completes what);
void completion_flag_cases(FILE *out, completion_put *put);
/* at: the shell's variable of the place that is typed; that of the verb is in i. */
void completion_word_cases(FILE *out, const struct verb *v, const char *word, const char *at, completion_put *put);

void completion_bash(FILE *out);
void completion_zsh(FILE *out);
void completion_fish(FILE *out);

#endif
