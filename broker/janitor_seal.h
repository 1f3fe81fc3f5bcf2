/*
 * janitor_seal.h - what the janitor, and the other processes that a broker forks of itself, give up before they do anything.
 *
 * Side:    broker, in those processes.
 */
#ifndef BROKER_JANITOR_SEAL_H
#define BROKER_JANITOR_SEAL_H

#include <stddef.h>

/* kept: n descriptors that stay, and may get other numbers; all others but standard error are closed. 0 or -errno: then it must end. */
int janitor_seal(int *const *kept, int n);
/* The same for another, with the system calls that it makes: any other fails. */
int process_seal(int *const *kept, int n, const int *calls, size_t n_calls);

#endif
