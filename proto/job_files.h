/*
 * job_files.h - the parts of a spec that only programs have: files staged into the work directory, globs of what is collected from it,
 * rows of its policy.
 *
 * Side:    both. The command asks before it sends, the broker believes no command, the worker no broker; what is refused is the same.
 * Returns: 0; -EINVAL or -EDQUOT with one sentence for the user in why.
 */
#ifndef PROTO_JOB_FILES_H
#define PROTO_JOB_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "job.pb-c.h"

enum { JOB_FILES_WHY = 320 };

/* All staged files of a spec, its program among them: names, modes, how many, how large together, and that no two are in each other's way. */
int job_files_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY]);

/* The globs: names as above in which * ? and [ mean what they mean to a shell, in each part for itself. */
int job_outputs_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY]);

/*
 * The rows that are added to the policy: how long, how written, and that a user may have each. Where the job will run may allow less: its
 * worker asks again.
 */
int job_policy_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY]);

#endif
