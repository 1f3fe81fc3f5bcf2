/*
 * coop/native.h - what a native job defines: a shared object that `coop run job.so ARGS` loads into a sealed interpreter of its own.
 *
 *     cc -shared -fPIC -o job.so job.c
 *
 * The interpreter has everything of coop/task.h, coop/interp.h and coop/value.h, libc, libm, and for C++ libstdc++ and libgcc_s; what
 * else a job needs it links statically. There is no file, no descriptor, no process, no thread of the job's own making, and no memory
 * that becomes executable.
 *
 * Streams:  stdin, stdout and stderr are the job's, by stdio, by C++'s streams, and by read(2) and write(2) on 0, 1 and 2. stdout goes out
 *           line by line.
 * Tasklets: the thread state is there; coop_job() is its main tasklet. The job's limit tasklets= is its max_tasklets, and threads= the
 *           number of thread states, coop_threads(): attr.thread and attr.movable of coop_spawn() reach the others.
 * Memory:   limit memory= is address space (RLIMIT_AS): malloc() returns NULL at its end. Stacks of tasklets count whole.
 */
#ifndef COOP_NATIVE_H
#define COOP_NATIVE_H

#include <coop/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The job. argv[0] is the file's name, argv[argc] NULL; the job's variables are its environment. What it returns, 0 to 255, is the job's
 * exit code; another value is an error of type ExitCode. When it has returned, tasklets that are left are cancelled and joined, then
 * handlers of atexit() and destructors run, and what stdio holds is written. exit() ends the job at once, from any tasklet, with the last
 * two (of a job with threads= without destructors: others may still run what they would unmap); _exit() without; abort() and a failed
 * assert() end it by SIGABRT. Constructors run before it, sealed as it is.
 */
int coop_job(int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif
