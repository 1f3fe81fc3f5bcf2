/*
 * terminal.h - a job's own terminal: a pty of an instance of devpts that nobody else has.
 *
 * Side:    worker (init).
 * Returns: 0 or -errno.
 */
#ifndef WORKER_ENGINES_EXEC_TERMINAL_H
#define WORKER_ENGINES_EXEC_TERMINAL_H

#include "worker/engines/exec/job.h"

/* Opens it, in the size the job asks for: sets master and slave. Needs what space_close() gives up. */
int terminal_open(struct exec_job *j);

/* The job's window has another size: its foreground processes get SIGWINCH. */
void terminal_resize(struct exec_job *j, const Pb__TtySize *size);

/* What was typed last: the end of input is told by a character, and that depends on whether a line has begun. */
void terminal_note_input(struct exec_job *j, unsigned char last);
bool terminal_end_input(struct exec_job *j); /* false: it takes nothing now */

#endif
