/* nearest.c - see nearest.h. */
#include "nearest.h"

#include <string.h>

enum { WORD_MAX = 32 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein distance, one row at a time (Wagner and Fischer 1974). Longer words than WORD_MAX are never close. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[WORD_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= lb; j++)
        row[j] = j;
    for (unsigned i = 1; i <= la; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            unsigned above = row[j];
            row[j] = min3(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[lb];
}

const char *nearest_word(const char *typed, const char *const *words)
{
    const char *best = NULL;
    unsigned best_distance = (unsigned)strlen(typed) / 2 + 1; /* at least half of it must be right */

    if (best_distance > 3)
        best_distance = 3;
    for (; *words != NULL; words++) {
        unsigned d = distance(typed, *words);
        if (d < best_distance || (d == best_distance && best == NULL && d < strlen(typed))) {
            best = *words;
            best_distance = d;
        }
    }
    return best;
}
