/*
 * probe.h - what each attempt from inside a program is given, and how it says what came of it.
 *
 * Side: a job's own program, statically linked: hostile. Each do_NAME() is a row of exec_attempts.h.
 */
#ifndef TESTS_ESCAPE_PROBES_PROBE_H
#define TESTS_ESCAPE_PROBES_PROBE_H

#include <stdint.h>

extern long broker_pid, zygote_pid;
extern const char *canary, *run_dir; /* of the host */
extern char page[8192];

/* "NAME RET ERRNO" on standard output; ret -1: errno as it stands. */
void say(const char *name, long ret);

/* As read(2) of the file at path would be answered: opens it and reads a byte. */
long read_of(const char *path);
long write_of(const char *path);

#endif
