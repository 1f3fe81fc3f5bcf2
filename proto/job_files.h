/*
 * job_files.h - the parts of a spec that only programs have: files staged into the work directory, globs of what is collected from it,
 * capabilities, rows of its policy.
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

/* Capabilities: what a program may have that it does not get unasked. */
struct job_cap {
    const char *name;
    const char *value; /* after "=", the only one there is; NULL: takes none */
    const char *help;
};
extern const struct job_cap job_caps[];
extern const size_t job_caps_count;

int job_cap_check(const char *text, char why[JOB_FILES_WHY]);
int job_caps_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY]); /* each, and none twice */

/*
 * The rows that are added to the policy: how long, how written, and that a user may have each. Where the job will run may allow less: its
 * worker asks again.
 */
int job_policy_check(const Pb__JobSpec *s, char why[JOB_FILES_WHY]);

/* Whether the spec asks for the capability of this name, with its value when it has one. */
bool job_has_cap(const Pb__JobSpec *s, const char *name);

#endif
