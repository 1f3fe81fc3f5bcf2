/*
 * engine.h - what an engine is: the thing that runs a tenant's code inside a sealed worker.
 *
 * Side:     worker (prepare runs in the zygote). From run() on, the engine is the tenant: nothing it does is believed.
 * Owned:    engines are const tables; the outcome belongs to the caller of run().
 * Returns:  prepare and open: 0 or -errno. run() always fills the outcome, or ends through serve_finish().
 */
#ifndef WORKER_ENGINE_H
#define WORKER_ENGINE_H

#include "link.pb-c.h"

enum { OUTCOME_TYPE = 64, OUTCOME_MESSAGE = 4 << 10, OUTCOME_TRACEBACK = 16 << 10 }; /* bytes, without the NUL */

/* How a job ended. Texts are well-formed UTF-8 (outcome_text makes them so) and empty when there is nothing to say. */
struct outcome {
    Pb__ResultKind kind;
    int exit_code; /* 0..255, with kind EXIT */
    char type[OUTCOME_TYPE + 1];
    char message[OUTCOME_MESSAGE + 1];
    char traceback[OUTCOME_TRACEBACK + 1];
};

struct engine {
    const char *name;
    const char *version;
    int (*prepare)(void);                                        /* in the zygote, once: whatever needs files */
    int (*open)(void);                                           /* in the worker, the step before the system call filter */
    void (*run)(const Pb__JobSpec *spec, struct outcome *ret_o); /* sealed: the first tenant byte */
    void (*cancel)(void);                                        /* from a signal handler: make run() end soon */
    void (*preempt)(void); /* from a signal handler: a slice of CPU time is over; NULL: nothing in it takes turns */
    /* From the handler of a fault at address. 1: mended; 0: not its business; -ENOMEM: the job has no memory left. NULL: as 0. */
    int (*fault)(void *address);
};

/* Copies text into at most size-1 bytes of into: bytes that are not UTF-8, and NULs, become \xNN. */
void outcome_text(char *into, size_t size, const char *text, size_t len);

#endif
