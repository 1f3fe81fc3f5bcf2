/*
 * pool_own.h - what the files of the pool share: pool.c (ends, reports), pool_worker.c (a worker's record), pool_spawn.c (orders), pool_refill.c
 * (when).
 *
 * Side:  broker. Nobody else's.
 * Owned: a record that pool_worker_new() made is on the pool's list until pool_worker_free().
 */
#ifndef BROKER_POOL_OWN_H
#define BROKER_POOL_OWN_H

#include "broker/pool.h"

enum { POOL_RETRY_FIRST_US = 100000, POOL_RETRY_LAST_US = 5000000 }; /* after a worker that could not be made: doubled each time */

/* In WORKER_BOOT, without a process or a link. of: what it has its uid from, being its child; NULL: one of its own. 0 or -errno. */
int pool_worker_new(struct pool *p, struct crew *c, unsigned threads, enum worker_role role, const struct worker *of, struct worker **ret);
/* *ret_fd is its end (caller closes). 0 or -errno. */
int pool_worker_link(struct worker *w, int *ret_fd);
/* In WORKER_ENDING, without a job. */
void pool_worker_free(struct worker *w);
/* Programs whose worker cannot mount a work directory get one made by us. */
bool pool_gives_dir(const struct crew *c);
/* A child that was ordered and has not said hello: nobody will tell of it, whatever became of it (zygote_fork_ends()). */
bool pool_is_nobodys(const struct worker *w);
/* Of the crew, idle, and a zygote's that has been replaced. */
bool pool_is_old_spare(const struct worker *w, const struct crew *c);
/* A worker for any job. 0 or -errno. */
int pool_spawn_plain(struct crew *c, unsigned threads);

/* A record's timer, and its pidfd's watch. */
void pool_on_deadline(void *ctx);
void pool_on_pidfd(void *ctx);

#endif
