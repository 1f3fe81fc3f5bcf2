/*
 * landlock.h - takes away every file, TCP port, abstract socket and foreign process, for as far as the kernel's Landlock goes.
 *
 * Side:    worker, before its seal. Second wall behind the system call filter.
 * Returns: 0 with *ret_abi >= 1; 0 with *ret_abi == 0 when this kernel has no Landlock; else -errno.
 */
#ifndef WORKER_LANDLOCK_H
#define WORKER_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

int landlock_take_all(uint32_t *ret_abi);

/* The ABI since which a domain can keep signals in; since which it can hold truncate(2). */
enum { LANDLOCK_SIGNALS = 6, LANDLOCK_SIZES = 3 };

/* The ABI of this kernel; 0: none. */
int landlock_abi(void);

/*
 * For programs: what view.h shows may be read and run, its devices read and written, the work directories be worked in; no TCP port unless
 * ports is true, no abstract socket and no process outside. Made ahead, of what is mounted by then; made again, the last one counts. 0 also where
 * the kernel has no Landlock.
 */
int landlock_make_view(bool ports);

/* Puts what was made on the caller and all it starts. 0 without Landlock in namespaces of its own; -EOPNOTSUPP elsewhere; -EBADF: nothing was made. */
int landlock_take_view(void);

/* One more domain, inside the others: no signal and no abstract socket out of it. 0 also below ABI 6, which cannot. */
int landlock_take_signals(void);

#endif
