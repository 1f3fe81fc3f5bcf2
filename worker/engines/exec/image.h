/*
 * image.h - what kind of program a file is, and what it names that must be there for it to start.
 *
 * Side:    worker, in the child that is to become it. The file is the tenant's: every offset in it is checked.
 * Returns: 0 or -errno.
 */
#ifndef WORKER_ENGINES_EXEC_IMAGE_H
#define WORKER_ENGINES_EXEC_IMAGE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum image_kind { IMAGE_OTHER, IMAGE_EMPTY, IMAGE_SCRIPT, IMAGE_ELF };
enum { IMAGE_WHY = 160 };

struct image {
    enum image_kind kind;
    char interpreter[PATH_MAX]; /* of a script's #! line, or an ELF's loader; "" none */
    char why[IMAGE_WHY];        /* an ELF that this machine cannot run: why, to follow its name; "" nothing found */
};

int image_read(const char *path, struct image *ret_im);

/* Whether a dynamic ELF needs, by itself, a library that is in no place the loader would look; never of one that names places itself. */
bool image_lacks_library(const char *path, char *ret_name, size_t size);

#endif
