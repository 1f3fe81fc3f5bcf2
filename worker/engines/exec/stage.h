/*
 * stage.h - puts the job's files into its work directory, before anything of it runs.
 *
 * Side:    worker (init). Names and bytes are the tenant's; the directory is fresh, and nobody else writes to it yet.
 * Returns: 0, or -errno with a sentence in why that names the file. What was written before stays.
 */
#ifndef WORKER_ENGINES_EXEC_STAGE_H
#define WORKER_ENGINES_EXEC_STAGE_H

#include <stddef.h>
#include <stdint.h>

#include "job.pb-c.h"

enum { STAGE_WHY = 512, STAGE_MODE = 0644, STAGE_DIR_MODE = 0755, STAGE_PROGRAM_MODE = 0755 };

/* The program, when the job brings it, and all its files. */
int stage_job(int work_fd, const Pb__JobSpec *spec, char why[STAGE_WHY]);

#endif
