/*
 * threads.h - Python's threads: as many as the job's limit says are made before the seal, and wait. One that Python starts is one of these for as long as
 * its function runs; after the seal nobody can make another.
 *
 * Side:    worker.
 * Returns: 0 or -errno.
 */
#ifndef PYTHON_THREADS_H
#define PYTHON_THREADS_H

/* In the zygote: the program's pthread_create is ours from now on. -ENOENT: it has none that we can find. */
int python_threads_prepare(void);

/* Before the seal: n in all, of which the caller is the first. */
int python_threads_open(unsigned n);

/* On one of them, with the interpreter's lock: what it was given is done, but for what Python itself does then. */
void python_thread_ends(void);

/* How many the job may have, the first included. */
unsigned python_threads_max(void);

#endif
