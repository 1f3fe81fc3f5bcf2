/*
 * stdio.h - where a native job's standard streams lead: to the link, whichever way it writes.
 *
 * libc's stdin, stdout and stderr are streams over input.h and output.h; stdout goes out line by line. Whoever goes round them, by
 * write(2) to 1 or 2 or by read(2) from 0 (C++ streams that are not in step with C's do), is answered in the SIGSYS handler: as real,
 * and slower.
 *
 * Side:    worker.
 * Threads: any. The lock is link.h's; a handler of a signal from outside never waits for it.
 */
#ifndef NATIVE_STDIO_H
#define NATIVE_STDIO_H

#include <stdbool.h>
#include <stdint.h>

/* In the zygote, before anything keeps a pointer to one of the three: puts ours in their place. 0 or -ENOMEM. */
int stdio_replace(void);

/* From the SIGSYS handler: reads and writes. False: not one of them. */
bool stdio_answer(long nr, const uint64_t args[6], long *ret_result);

#endif
