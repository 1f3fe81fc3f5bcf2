/*
 * template.h - a worker that has run a tenant's init and is forked for each job that wants what that has made.
 *
 * Side:    worker, sealed. From its init on it is the tenant's, and so is each of its children: nothing here holds them. What does is the filter:
 *          a fork of exactly one kind, which waits until the broker has given leave, once for each that it ordered.
 * Child:   the zygote's, not the template's. It says hello on a link of its own, with a token that the broker gave for it alone.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_TEMPLATE_H
#define WORKER_TEMPLATE_H

#include <sched.h>
#include <signal.h>
#include <stddef.h>

#include "link.pb-c.h"
#include "worker/bpf.h"
#include "worker/engine.h"

enum { FORK_FD = 4 }; /* as what the descriptor of a child's link comes: the lowest that is free behind the link */

#define FORK_FLAGS (CLONE_PARENT | SIGCHLD)

/* A step of the seal: installs the filter and sends its listener to the broker. -EBUSY: a supervisor around us has the one that there can be. */
int template_pass_listener(const struct bpf_program *leave, const void *token, size_t token_len);

/* What a Hello said, to be said again by each child: texts are constants. */
void template_note_hello(const Pb__Hello *h);

/* After Started: the init, then a fork for each order. Returns in a child that has said hello, and is as any worker before its Assign. */
void template_run(const struct engine *e, const Pb__JobSpec *spec);

#endif
