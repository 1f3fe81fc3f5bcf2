/*
 * image.h - files read once, in the zygote, into memory that no process can write any more: the standard library, for all workers together.
 *
 * Side:    worker, in the zygote; its forks share the mapping, and copy no page tables for it.
 * Returns: as CPython's own functions.
 */
#ifndef PYTHON_IMAGE_H
#define PYTHON_IMAGE_H

#include "worker/engines/python/job.h"

/*
 * Adds to a module: image_add(bytes), the offset at which they will stand, and image_seal(), a read-only memoryview of all of them. Each image is
 * sealed once; then image_add() begins another. load_object(path): a shared object that imports will find.
 */
int python_image_add(PyObject *module);

#endif
