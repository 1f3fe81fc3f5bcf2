/*
 * beneath.h - the only way init opens a name that a tenant may have chosen: below a directory, through no symlink, into no other mount.
 *
 * Side:    worker, init of a program (before the program). The names are hostile.
 * Returns: a descriptor, close-on-exec, or -errno: -ELOOP a symlink is on the way, -EXDEV the name leads out.
 */
#ifndef WORKER_ENGINES_EXEC_BENEATH_H
#define WORKER_ENGINES_EXEC_BENEATH_H

#include <sys/types.h>

int beneath_open(int dir, const char *name, int flags, mode_t mode);

#endif
