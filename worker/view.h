/*
 * view.h - the files that workers see: nothing at all, or for programs the host's system directories by list, read-only.
 *
 * Side:    zygote, in a mount namespace of its own. After view_enter() no path leads to the host's tree.
 * Owned:   directories named in extra stay the caller's.
 * Returns: 0, or -errno with *ret_step naming what could not be done: the caller must end the process.
 */
#ifndef WORKER_VIEW_H
#define WORKER_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { VIEW_EXTRA_MAX = 16 };

/* What a path of the view is for; what may be done to it is the same for all: Landlock's rules are made from it (landlock.c). */
enum view_kind {
    VIEW_END,
    VIEW_TREE, /* read, and run: a directory or a file of the host; a pattern as in glob(7) */
    VIEW_NODE, /* a device to read and write */
    VIEW_WORK, /* the job's own: everything but devices */
    VIEW_TERM, /* where its terminal is */
    VIEW_PROC, /* read */
};

struct view_row {
    enum view_kind kind;
    const char *path;
    const char *why;
};

extern const struct view_row view_rows[]; /* ends with VIEW_END */

/*
 * One more directory to show, as --view names it; kept, not copied. -EINVAL: not an absolute path without links to something that is there;
 * -ENOTDIR; -EBUSY: it would lie under or over a directory of the job's own (/tmp and the like); -E2BIG.
 */
int view_add(const char *dir);
const char *view_extra(unsigned i); /* NULL: no more */

/* Prints every row with its reason. */
void view_explain(FILE *to);

/* Builds the view and makes it the root. programs: the whole of it; else an empty root. */
int view_enter(bool programs, const char **ret_step);

#endif
