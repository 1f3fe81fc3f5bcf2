/*
 * janitor_seal.h - what the janitor gives up before it does anything.
 *
 * Side:    broker, in the janitor's process.
 */
#ifndef BROKER_JANITOR_SEAL_H
#define BROKER_JANITOR_SEAL_H

/* kept: n descriptors that stay, and may get other numbers; all others but standard error are closed. 0 or -errno: then it must end. */
int janitor_seal(int *const *kept, int n);

#endif
