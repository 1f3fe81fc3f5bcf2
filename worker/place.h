/*
 * place.h - which file an address of code lies in, said from a signal handler.
 *
 * Side:    worker. The files are those that were there before the seal; a job's own module is asked of its engine first.
 * Returns: texts are constant.
 */
#ifndef WORKER_PLACE_H
#define WORKER_PLACE_H

#include <stddef.h>
#include <stdint.h>

/* Before the seal: notes what is loaded, once. The zygote does it for its workers, which have the same files. */
void place_learn(void);

/* The file's name, and how far address is from where it begins, as addr2line(1) takes it; NULL: no file that is known. Async-signal-safe. */
const char *place_of(uintptr_t address, uintptr_t *ret_offset);

/* Who runs on this thread: "main", "tasklet 7", "tasklet 7 (name)"; "" where there are none. Async-signal-safe. */
const char *place_who(char *buf, size_t size);

#endif
