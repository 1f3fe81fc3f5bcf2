/*
 * job_outputs.h - the files that a job's worker collects at its end: bytes one after the other in a spool, names beside it.
 *
 * Side:    broker. Names and bytes are the job's own: names are checked (rel_path.h) and never used as a path here.
 * Owned:   the caller's struct; outputs_finish() frees what is inside, the spool's file stays.
 * Returns: 0 or -errno. -EPROTO: not a piece that may come now.
 */
#ifndef BROKER_JOB_OUTPUTS_H
#define BROKER_JOB_OUTPUTS_H

#include <stdint.h>

#include <sha2.h>

#include "broker/spool.h"
#include "job.pb-c.h"
#include "link.pb-c.h"

#define OUTPUTS_MAX    1024 /* files of a job */
#define OUTPUTS_STREAM 2    /* the spool's, beside stdout 0 and stderr 1 */

struct job_outputs {
    struct spool spool;
    Pb__OutputFile *files; /* whole ones; malloc'd names and hashes */
    size_t count;
    char *name; /* of the file whose pieces are coming; NULL: none */
    uint32_t mode;
    uint64_t size, begin; /* of it, and where it begins in the spool */
    SHA2_CTX sha;
};

void outputs_init(struct job_outputs *o, int dir_fd, const char *job, uint64_t cap);
void outputs_init_new(struct job_outputs *o, int dir_fd, const char *job, uint64_t cap); /* as spool_init_new() */
/* Whether the piece may come now: see Collected in link.proto. 0 or -EPROTO. */
int outputs_check(const struct job_outputs *o, const Pb__Collected *c);
/* Keeps a piece that was checked. -ENOSPC, -EIO, -ENOMEM: nothing of its file will be kept. */
int outputs_take(struct job_outputs *o, const Pb__Collected *c);
/* Forgets the file whose last piece did not come. */
void outputs_close(struct job_outputs *o);
void outputs_reset(struct job_outputs *o); /* a new attempt, or a job that leaves no trace */
void outputs_finish(struct job_outputs *o);

/* Where the file of this name lies in the job's spool; NULL: none of that name. */
const Pb__OutputFile *outputs_find(Pb__OutputFile *const *files, size_t count, const char *name, uint64_t *ret_begin);

#endif
