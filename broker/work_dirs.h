/*
 * work_dirs.h - the work directories of programs at tier T2, where no namespace gives them one: RUN-DIR/work/live.N.
 *
 * Side:    broker. What lies in one was made by a hostile program: any names, any depth, any number, any mode. Nothing in there is opened to
 *          be read, nothing is followed, and it is removed a bounded piece at a time, so that nobody else waits for it.
 * Owned:   a descriptor from work_dirs_make() is the caller's.
 * Returns: 0 or -errno.
 */
#ifndef BROKER_WORK_DIRS_H
#define BROKER_WORK_DIRS_H

#include <stdint.h>

#include "broker/loop.h"

struct work_dirs {
    struct loop *loop; /* NULL: not open */
    int run_dir;       /* the caller's */
    int dir;           /* RUN-DIR/work, -1: nobody has needed one yet */
    struct timer again;
    uint64_t moved; /* directories that were carried up to be emptied: a number for their names */
};

/* Removes what an earlier broker left, all of it, before anybody is waiting. run_dir stays the caller's, and open until
 * work_dirs_close(). */
int work_dirs_open(struct work_dirs *d, int run_dir, struct loop *loop);
void work_dirs_close(struct work_dirs *d); /* the same at the end, and RUN-DIR/work goes */
/* All of it, once no broker is there: the janitor's. */
void work_dirs_clear(int run_dir);
/* A new directory of mode 0700, or -errno. id: not used before. */
int work_dirs_make(struct work_dirs *d, uint64_t id);
/* Nobody uses it any more: it goes, in the loop's time. */
void work_dirs_drop(struct work_dirs *d, uint64_t id);

#endif
