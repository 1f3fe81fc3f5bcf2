/*
 * grants.h - handles that an interpreter is given by name when it is made: --grant NAME=KIND:THING:RIGHT and --cap file=NAME=PATH.
 *
 * Side:    host (CLI).
 * Owned:   grants_finish() frees a list; what it names is the connection's until the interpreter has its own.
 */
#ifndef CLI_GRANTS_H
#define CLI_GRANTS_H

#include "calls.pb-c.h"
#include "cli/args.h"
#include "job_caps.h"

/* "NAME=queue:QUEUE:recv", read: the name inside, and what it is, without the number of a handle. 0 or -EINVAL with why (exit code 2). */
int grant_read(const char *text, char ret_name[JOB_CAP_NAME + 1], struct job_grant *ret, struct coop_error *why);
/* "NAME=PATH", what stands behind --cap file=. *ret_path points into text. The same. */
int grant_file_read(const char *text, char ret_name[JOB_CAP_NAME + 1], const char **ret_path, struct coop_error *why);

/* Refuses --grant and --cap file= where nothing is granted, with what would be right: 0 or -EINVAL with why. */
int grants_refuse(const struct command *c, const char *what, const char *hint, struct coop_error *why);

struct grants {
    Pb__Grant **list; /* as InterpCreate has it */
    size_t n;
    struct grant_block *blocks;
};

/* All of a command: opens what is opened by a handle, reads files into sealed buffers. 0 or the exit code, after having said why. */
int grants_make(const struct command *c, struct coop_client *client, struct grants *ret);
void grants_finish(struct grants *g);

#endif
