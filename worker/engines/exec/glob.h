/*
 * glob.h - patterns for files, matched one directory at a time: what is known after a directory is a set of places in the pattern.
 *
 * Side: worker (init). Pattern and names are the tenant's: time is bounded by their lengths' product, memory by nothing of theirs.
 * Form: relative, parts divided by "/". In a part "*" any bytes, "?" one, "[a-z]" "[!a-z]" one of or one not of, "\" takes the next as it
 *       is; a name's leading dot is matched only by a dot. "**" as a whole part: any directories, or none; at the end: everything below.
 */
#ifndef WORKER_ENGINES_EXEC_GLOB_H
#define WORKER_ENGINES_EXEC_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GLOB_PARTS = 62, GLOB_WHY = 320 };

struct glob_part {
    const char *at; /* in the text that was read */
    size_t len;
};

struct glob {
    struct glob_part parts[GLOB_PARTS + 1];
    unsigned n;
};

typedef uint64_t glob_state; /* of the parts, which may be next */
enum { GLOB_START = 1 };

/* text is kept, not copied. 0, or -EINVAL with a sentence in why. */
int glob_read(struct glob *ret_g, const char *text, char why[GLOB_WHY]);

/* After one name more on the way down. 0: nothing here or below can match. */
glob_state glob_step(const struct glob *g, glob_state s, const char *name);

bool glob_matches(const struct glob *g, glob_state s); /* the way so far */
bool glob_goes_on(const struct glob *g, glob_state s); /* something below it may */

#endif
