/* nearest.c - see nearest.h. */
#include "nearest.h"

#include <string.h>

enum { WORD_MAX = 32 };

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned m = a < b ? a : b;
    return m < c ? m : c;
}

/*
 * Letters wrong, missing, too many, or swapped with their neighbour (Wagner and Fischer 1974, with Damerau's swap), three rows at a
 * time. Longer words than WORD_MAX are never close.
 */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1], *two_up = rows[0], *up = rows[1], *row = rows[2];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= lb; j++)
        up[j] = j;
    for (unsigned i = 1; i <= la; i++) {
        unsigned *spare = two_up;

        row[0] = i;
        for (unsigned j = 1; j <= lb; j++) {
            row[j] = min3(row[j - 1] + 1, up[j] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && two_up[j - 2] + 1 < row[j])
                row[j] = two_up[j - 2] + 1;
        }
        two_up = up;
        up = row;
        row = spare;
    }
    return up[lb];
}

const char *nearest_word(const char *typed, const char *const *words)
{
    size_t allowed = strlen(typed) / 2; /* at least half of it must be right */
    unsigned best_distance = (allowed < 3 ? (unsigned)allowed : 3) + 1;
    const char *best = NULL;

    for (; *words != NULL; words++) {
        unsigned d = distance(typed, *words);

        if (d < best_distance) {
            best = *words;
            best_distance = d;
        }
    }
    return best;
}
