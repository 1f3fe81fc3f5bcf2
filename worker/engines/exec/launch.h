/*
 * launch.h - makes the process that becomes the program: forked by init, sealed by itself, let go by init when that is sealed too.
 *
 * Side:    worker (init, and its child up to execve()). The child is ours until then: what it says in between is believed.
 * Order:   launch_fork() -> init seals itself -> launch_go() -> launch_failed() when the child has spoken again.
 */
#ifndef WORKER_ENGINES_EXEC_LAUNCH_H
#define WORKER_ENGINES_EXEC_LAUNCH_H

#include "worker/bpf.h"
#include "worker/engines/exec/job.h"
#include "worker/engines/exec/program.h"

/* The filters of a program, as made before the fork. */
struct launch_filters {
    const struct bpf_program *notify; /* calls without leave come to the listener */
    const struct bpf_program *kill;   /* the same, but they end their process: where there can be no listener */
};

/*
 * Makes pipes or takes the terminal (j->slave), forks, and waits until the child has taken all its steps. Sets pid, launch_fd, in, out, err
 * and listener; the child waits. *ret_unnamed: it is under the second filter. 0, or -errno with *ret_step naming what failed.
 */
int launch_fork(struct exec_job *j, const struct launch_filters *filters, bool *ret_unnamed, const char **ret_step);

/* Lets it go: the first tenant byte. */
void launch_go(struct exec_job *j);

/*
 * What the child has said since, which it does only when it could not become the program, or might not be able to begin. True: execve()
 * failed, and *f says why. False: it runs. lacks: as program_lacks_library(), with an exit code of 0 when it lacks nothing. Never waits.
 */
bool launch_failed(struct exec_job *j, struct program_fault *f, struct program_fault *lacks);

#endif
