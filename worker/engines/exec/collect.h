/*
 * collect.h - the files a job leaves behind that it was asked to hand over.
 *
 * Side:    worker (init), when every process of the job is dead: the tree is the tenant's, but nobody changes it any more.
 * Rule:    only regular files, opened by name below a directory that is open, through no symlink and into no other mount; never by a path.
 *          What is matched and is not such a file, or finds no room, is named in the note; so is a pattern that nothing matched.
 * Returns: collect_read(): 0, or -EINVAL with a sentence in why.
 */
#ifndef WORKER_ENGINES_EXEC_COLLECT_H
#define WORKER_ENGINES_EXEC_COLLECT_H

#include "job.pb-c.h"
#include "worker/engines/exec/glob.h"

enum {
    COLLECT_PATTERNS = 64,
    COLLECT_FILES = 1024,     /* handed over, at most */
    COLLECT_ENTRIES = 100000, /* looked at */
    COLLECT_DEEP = 32,        /* directories in one another */
    COLLECT_PIECE = 64 << 10, /* bytes of a frame */
};

/* Before anything runs: the job's patterns (glob.h). spec is kept. */
int collect_read(const Pb__JobSpec *spec, char why[GLOB_WHY]);

/* Sends what they match, within limits.result_bytes. note: text for people, "" when there is nothing to say. */
void collect_send(int work_fd, char *note, size_t note_size);

#endif
