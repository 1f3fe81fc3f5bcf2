/*
 * files.h - the files that were sent with the job, to be opened by name and read: their bytes are in memory, and their descriptors are none of the kernel's.
 *
 * Side:    worker, sealed. All but python_files_add() run in a handler of SIGSYS, in any thread: nothing allocates, and what is shared is atomic. Pointers
 *          are the tenant's own.
 * Owned:   the specs are serve.c's and live as long as the process.
 * Returns: as the system call: 0 or more, or -errno. A path that was not sent is -EACCES, as any is in here.
 */
#ifndef PYTHON_FILES_H
#define PYTHON_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "job.pb-c.h"

/* Its modules, and its own source. Of a template's child the job's, which come before the template's. */
void python_files_add(const Pb__JobSpec *spec);

bool python_files_is(uint64_t fd); /* open, and one of these */

/* Relative to the root, which is the current directory too: it is the only one, so the calls' dirfd is not looked at. To be read only. A path of NULL is
 * -EFAULT. */
long python_files_open(const char *path, int flags);
long python_files_stat_path(const char *path, struct stat *ret_st);
long python_files_access(const char *path, int mode);

long python_files_read(uint64_t fd, void *into, size_t size);
long python_files_pread(uint64_t fd, void *into, size_t size, int64_t at);
long python_files_seek(uint64_t fd, int64_t offset, int whence);
long python_files_stat(uint64_t fd, struct stat *ret_st);
long python_files_close(uint64_t fd);

#endif
