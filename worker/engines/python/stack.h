/*
 * stack.h - the process's own stack, on which main runs: its end is told by name. And the end of all memory, where nobody can be told.
 *
 * Side: worker.
 */
#ifndef PYTHON_STACK_H
#define PYTHON_STACK_H

#include <stdbool.h>

/* Of whichever thread calls: the lowest byte of its stack, and what is behind the highest. 0 or -errno. */
int python_stack_bounds(char **ret_low, char **ret_top);
/* In the zygote: where it is. 0 or -errno. */
int python_stack_measure(void);

/* From the handler of a fault at address: when it is that stack's end, the job ends with RecursionError, and this does not return. */
void python_stack_fault(const void *address);

/* Whether that would be its end. */
bool python_stack_has(const void *address);

/* The job ends with RecursionError, and this does not return; unless a frame to the broker is half written: then the fault has to end it. */
void python_stack_used_up(void);

/* The job ends as one that has no memory left. Returns when the link is in the middle of a message. */
void python_out_of_memory(void);

#endif
