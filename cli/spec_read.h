/*
 * spec_read.h - files of the user's that travel in a spec, read within their bounds, and who frees them.
 *
 * Side:    host (CLI).
 * Owned:   what is read belongs to the spec; spec_finish() frees it.
 * Returns: 0 or -errno with why filled in.
 */
#ifndef CLI_SPEC_READ_H
#define CLI_SPEC_READ_H

#include <sys/stat.h>

#include "cli/submit_spec.h"

#define A_PROGRAM_AND_FILES "a program and its files"

struct spec_want {
    const char *what;  /* "script", "module": in messages */
    const char *path;  /* "-" is standard input, unless regular */
    const char *whole; /* what the bound is for when more than this file counts, "a program and its files"; else NULL */
    size_t max;        /* bytes that this file may have */
    size_t all;        /* with whole: bytes of everything together */
    bool is_job;       /* the file to run: 127 when it is not there, 126 when it cannot be read, else 2 */
    bool regular;      /* nothing else will do; without it also a terminal, a pipe by its descriptor (/dev/fd/N), a device, but no FIFO */
    bool waits;        /* a FIFO will do: its writer is waited for */
};

/* A regular file that is too large is refused before it is read (exit code 79). ret_st may be NULL. */
int spec_read(struct spec *s, const struct spec_want *want, ProtobufCBinaryData *ret, struct stat *ret_st, struct coop_error *why);

/* Hands a malloc'd block to the spec, also when that fails; NULL is -ENOMEM. */
int spec_own(struct spec *s, void *block, struct coop_error *why);
void *spec_own_zeroed(struct spec *s, size_t n, size_t size, struct coop_error *why);

/* "did you mean X?" of the names in the directories (NULL-terminated) that are near to this one. Nothing when none is. */
void hint_near_name(struct coop_error *why, const char *name, const char *const *dirs, const char *prefix);

#endif
