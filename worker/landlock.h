/*
 * landlock.h - takes away every file, TCP port, abstract socket and foreign process, for as far as the kernel's Landlock goes.
 *
 * Side:    worker, before its seal. Second wall behind the system call filter.
 * Returns: 0 with *ret_abi >= 1; 0 with *ret_abi == 0 when this kernel has no Landlock; else -errno.
 */
#ifndef WORKER_LANDLOCK_H
#define WORKER_LANDLOCK_H

#include <stdint.h>

int landlock_take_all(uint32_t *ret_abi);

#endif
