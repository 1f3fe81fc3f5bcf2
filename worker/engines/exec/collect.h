/*
 * collect.h - the files a job leaves behind that it was asked to hand over.
 *
 * Side:  worker (init), when every process of the job is dead: the tree is the tenant's, but nobody changes it any more.
 * Rule:  only regular files, opened by name below a directory that is open, through no symlink and into no other mount; never by a path.
 *        What is matched and is not such a file, or finds no room, is named in the note.
 * Globs: relative to the work directory; "*", "?" and "[...]" match within one name, and no dot at its beginning; "**" as a whole part matches
 *        any directories, none included.
 */
#ifndef WORKER_ENGINES_EXEC_COLLECT_H
#define WORKER_ENGINES_EXEC_COLLECT_H

#include <stdint.h>

#include "worker/engines/exec/job.h"

enum {
    COLLECT_FILES = 1024,     /* handed over, at most */
    COLLECT_ENTRIES = 100000, /* looked at */
    COLLECT_DEEP = 64,        /* directories in one another */
    COLLECT_PIECE = 64 << 10,
};

/* Sends what the job's globs match, within limits.result_bytes; note: for people, "" when all of it was sent. */
void collect_outputs(struct exec_job *j, char *note, unsigned note_size);

#endif
