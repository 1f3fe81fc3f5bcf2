/*
 * zygote.h - the process that workers are forked from: one engine, one thread, nothing of a tenant ever in it.
 *
 * Side:    worker (trusted until it forks; the child is hostile from its first tenant byte). Speaks proto/zygote.proto with the
 *          broker over one SEQPACKET socket; no threads, so that it may fork.
 * Ends:    with 0 when the control socket closes. Its workers die with it (parent-death signal).
 */
#ifndef WORKER_ZYGOTE_H
#define WORKER_ZYGOTE_H

#include <sys/types.h>

#include "worker/bpf.h"
#include "worker/engine.h"
#include "worker/space_enter.h"
#include "worker/space_join.h"

/* The whole program coop-worker, for a NULL-terminated table of engines. Returns the exit code. */
int zygote_main(int argc, char **argv, const struct engine *const *engines);

/* What follows the command line, until the control socket closes. */
int zygote_run(const struct engine *e, int control_fd, const struct space_ask *ask);

/* Tells the broker that there will be no workers of this engine, and why. Returns the exit code. */
int zygote_refuse(const struct engine *e, int control_fd, const char *why);

/* What a worker does from fork to end, on a connected link. zygote: the parent's pid. For zygote.c and for tests. */
struct worker_start {
    int link_fd, null_fd;
    pid_t zygote;
    uint32_t uid;
    uint32_t threads; /* 0 is 1 */
    const void *token;
    size_t token_len;
    const struct engine *engine;
    const struct bpf_program *filter;
    const struct space_spawn *space; /* NULL: nothing came along */
    const struct bpf_program *leave; /* of a template; NULL: it is none */
    unsigned children;
};
_Noreturn void worker_main(const struct worker_start *w);

#endif
