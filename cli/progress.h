/*
 * progress.h - a bar on the terminal: how many of several jobs, or of an array's tasks, have ended.
 *
 * Side: host (CLI). There is one, in the live line's place (say.h): status_clear() takes it away.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "cli/say.h"

struct progress {
    uint64_t all, ended, failed, running; /* running: 0 where it is not known */
};

/* Whether this command shows one. */
bool progress_wanted(const struct command *c);
void progress_show(const struct progress *p);
/* Of an array. */
struct progress progress_of(const Pb__ArrayCounts *t);

#endif
