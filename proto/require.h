/*
 * require.h - "tier=T1,memory=cgroup": by what a job wants to be held at least, as one table.
 *
 * Side:    both: the CLI and the broker's front check how it is written, the broker compares it with what would stand in the receipt.
 * Returns: 0 or -errno, with one sentence in why.
 */
#ifndef PROTO_REQUIRE_H
#define PROTO_REQUIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "job.pb-c.h"

#define REQUIRE_WHY   256
#define REQUIRE_WORDS 6

/* A word that is asked for, and what the receipt's text has in it when it holds. */
struct require_word {
    const char *word, *in_receipt;
};

struct require_row {
    const char *key;                          /* as typed; the field of pb.Enforcement has the same name, but for landlock */
    size_t offset;                            /* of the char * in Pb__Enforcement; words[0].word NULL: of landlock_abi, a number */
    struct require_word words[REQUIRE_WORDS]; /* weakest first; what holds satisfies its own word and those before it */
    const char *help;
};

extern const struct require_row require_table[];
extern const size_t require_count;

/* Checks how it is written. NULL and "" ask for nothing. -EINVAL. */
int require_check(const char *text, char why[REQUIRE_WHY]);

/* Whether all of it holds. -ENOTSUP: why names what was asked and what there is. */
int require_met(const char *text, const Pb__Enforcement *held, char why[REQUIRE_WHY]);

#endif
