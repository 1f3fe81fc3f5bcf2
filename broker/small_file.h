/*
 * small_file.h - the whole text of a small file, of the kernel's mostly: read once, in one place.
 *
 * Side:    broker.
 * Returns: the length, which is below size, or -errno. The text is NUL-terminated, "" on failure; what does not fit is left out.
 */
#ifndef BROKER_SMALL_FILE_H
#define BROKER_SMALL_FILE_H

#include <stddef.h>
#include <sys/types.h>

/* dir: a directory's descriptor, or AT_FDCWD. A link is not followed. */
ssize_t small_file_read(int dir, const char *path, char *ret, size_t size);
/* Its first line, without the newline. */
ssize_t small_file_line(const char *path, char *ret, size_t size);
/* All of it, however long; the caller frees *ret, which is NULL on failure. */
ssize_t small_file_whole(const char *path, char **ret);

#endif
