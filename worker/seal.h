/*
 * seal.h - gives up, step by step and for good, everything a worker does not need. The whole order is one table in seal.c.
 *
 * Side:    worker, between fork and the first tenant byte. The worker of an engine that runs programs keeps, until space_close(), what it
 *          takes to mount its job's directories: it has a table of its own.
 * Owned:   names in taken[] are constants.
 * Returns: 0, or -errno with *ret_step naming the step that failed: the caller must end the process.
 * Failure: every step is fatal. A step that the running kernel cannot do is left out of taken[], which goes into the receipt.
 */
#ifndef WORKER_SEAL_H
#define WORKER_SEAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/bpf.h"
#include "worker/engine.h"
#include "worker/space_join.h"

enum { SEAL_STEPS_MAX = 32 };

struct seal {
    int link_fd;      /* in: where the link is; a successful seal leaves it at LINK_FD */
    int null_fd;      /* in: /dev/null, to become 0, 1 and 2 */
    pid_t zygote;     /* in: whose death is ours */
    uint32_t uid;     /* in: who to become, user and group; 0 = stay */
    unsigned threads; /* in: of the operating system, that the engine makes; 1 is the caller alone */
    const struct engine *engine;
    const struct bpf_program *filter;
    const struct space_spawn *space; /* in: what came along for it; NULL: nothing */
    const struct bpf_program *leave; /* in: of a template, the filter that asks before a fork; NULL: no template */
    const void *token;               /* in, of a template: to say whose listener it is */
    size_t token_len;
    unsigned children; /* in, of a template with a uid of its own: processes beside it under that uid */

    uint32_t uid_now;      /* out: who we are */
    uint32_t landlock_abi; /* out: 0 = none */
    char *taken[SEAL_STEPS_MAX];
    unsigned n_taken;
};

int seal_take(struct seal *s, const char **ret_step);

/* Drops every capability that is left in the bounding set: a worker's step; its zygote may have done it ahead for all of them. 0 or -errno. */
int seal_bounding_set(void);

/* The limits that are every pure worker's, whatever its job: the same. One that stands already costs a look. 0 or -errno. */
int seal_limits(void);

/* Names of all steps in order, NULL-terminated. programs: of the worker of an engine that runs programs. */
const char *const *seal_step_names(bool programs);

/* Fault point for tests: asked before each step; anything but 0 is taken for the step's failure. NULL = no faults (the start). */
extern int (*seal_fault)(const char *step);

#endif
