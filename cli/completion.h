/*
 * completion.h - scripts that complete the command's words in a shell, made from the tables of verbs, words and flags.
 *
 * Side: host (CLI).
 */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include <stdbool.h>
#include <stdio.h>

/* NULL-terminated. */
extern const char *const completion_shells[];

/* false: there is none for this shell. */
bool completion_print(FILE *out, const char *shell);

/* For completion_*.c. Each shell's script asks these what there is, and says it in its own words. */

/* The fixed values that a flag may have, or the beginnings of them, each of which is given to fn; how many. */
struct flag;
struct verb;
enum completion_list { LIST_STATES, LIST_ENGINES, LIST_LIMITS, LIST_CAPS, LIST_CLASSES, LIST_SORTS, LIST_ENDS, LIST_CAUSES, LISTS };
/* The list that a flag's value is of; LISTS: none. */
enum completion_list completion_list_of(const struct flag *f);
/* Its words with blanks between. */
void completion_words(FILE *out, enum completion_list list);
extern const char *const completion_list_names[];

bool completion_has(const struct verb *v, const struct flag *f);
/* "interp ls": the verb that lists what the words of this one are about; NULL: none. */
const char *completion_names(const struct verb *v);

void completion_bash(FILE *out);
void completion_zsh(FILE *out);
void completion_fish(FILE *out);

#endif
