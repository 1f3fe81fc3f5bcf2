/*
 * load.h - a job's shared object, from bytes to its coop_job(), by libc's own loader, inside the seal.
 *
 * The loader opens files by name, and a sealed worker has none. So before the seal there is an empty file in memory, MODULE_FD; the job's
 * bytes are written into it, it is sealed against writing for good, and the loader is given a name that is no file's. Its openat(2) ends in
 * the handler for SIGSYS (POLICY_ANSWER), which knows that one name, once, and answers with MODULE_FD. The loader maps it and closes
 * it, which puts /dev/null in its place: by the time the first constructor runs, nothing is left that could be mapped, and nothing can
 * get the number that could be.
 *
 * Side:    worker. Everything in the file is hostile; from load_module() on so is the process.
 * Returns: 0 or -errno.
 */
#ifndef NATIVE_LOAD_H
#define NATIVE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODULE_FD = 4 }; /* behind the link */

#ifndef F_SEAL_SEAL
#define F_SEAL_SEAL   0x0001
#define F_SEAL_SHRINK 0x0002
#define F_SEAL_GROW   0x0004
#define F_SEAL_WRITE  0x0008
#endif
#define MODULE_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

typedef int (*load_entry)(int argc, char **argv);

/* Before the seal: the empty file. */
int load_open(void);

/*
 * Checks, seals and loads; constructors run in here. name: the file's own, for messages and backtraces. -ENOEXEC: not loaded, with why,
 * a sentence that names the file.
 */
int load_module(const char *name, const void *bytes, size_t len, char *why, size_t why_size);

/* What it defines by this name; NULL: nothing, or it is not loaded. */
void *load_symbol(const char *name);

/* Runs its destructors, and unmaps it unless it is held. Not loaded: nothing. */
void load_close(void);

/* Whether an address lies in the module that was loaded, and how far from its beginning. Async-signal-safe. */
bool load_holds(uintptr_t address, uintptr_t *ret_offset);

/* The module's name, as it was given. */
const char *load_name(void);

/* From the SIGSYS handler: the loader's calls. False: none of them. */
bool load_answer(long nr, const uint64_t args[6], long *ret_result);

#endif
