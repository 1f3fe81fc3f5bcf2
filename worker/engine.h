/*
 * engine.h - what an engine is: the thing that runs a tenant's code inside a sealed worker.
 *
 * Side:     worker (prepare runs in the zygote). From run() on, the engine is the tenant: nothing it does is believed.
 * Owned:    engines are const tables; the outcome belongs to the caller of run().
 * Returns:  prepare and open: 0 or -errno. run() always fills the outcome, or ends through serve_finish().
 */
#ifndef WORKER_ENGINE_H
#define WORKER_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "link.pb-c.h"
#include "value.h"
#include "worker/packed.h"

enum { OUTCOME_TYPE = 64, OUTCOME_MESSAGE = 4 << 10, OUTCOME_TRACEBACK = 16 << 10, OUTCOME_NOTE = 2 << 10 }; /* bytes, without the NUL */

/* Of memory, for what is not the job's: frames on their way, and the end of the heap that malloc has mapped and not given out. */
enum { ENGINE_SLACK = 2 << 20 };

/* How a job ended. Texts are well-formed UTF-8 (outcome_text makes them so) and empty when there is nothing to say. */
struct outcome {
    Pb__ResultKind kind;
    int exit_code;    /* 0..255, with kind EXIT; 126 or 127 with CANNOT_RUN */
    int signal;       /* with kind SIGNAL */
    bool inodes_full; /* with disk_full: it was not the bytes */
    bool disk_full;
    char type[OUTCOME_TYPE + 1];
    char message[OUTCOME_MESSAGE + 1];
    char traceback[OUTCOME_TRACEBACK + 1];
    char outputs_note[OUTCOME_NOTE + 1]; /* what was asked for and not collected, and why */
};

/* How a Call of an interpreter ended. Texts as in struct outcome. */
struct call_outcome {
    Pb__CallError failure;       /* NONE: value is the result */
    struct packed value;         /* empty: null. Whoever asked for the outcome finishes it */
    char type[OUTCOME_TYPE + 1]; /* with EXECUTION_FAILED: of the error in there, as the two others */
    char message[OUTCOME_MESSAGE + 1];
    char traceback[OUTCOME_TRACEBACK + 1];
    char path[VALUE_PATH]; /* with NOT_SHAREABLE, TOO_DEEP, TOO_BIG: the element */
};

/*
 * What makes an engine one of interpreters: worker/interp.c, which takes one Call after another. All but interrupt() run on the main tasklet;
 * the engine's tasklets go on while it waits for the next Call.
 */
struct interp_engine {
    /* Once, before the first Call: whatever spec asks for, its source too when there is any. false: *ret_o is how the interpreter ends. */
    bool (*begin)(const Pb__JobSpec *spec, struct outcome *ret_o);
    /*
     * EXEC: source (its errors name source_name) in the state that there is; its value. CALL: the function with the args, a list (an empty
     * Value: none); its value. PREPARE: args is a map, each name from it is a global from now on. c is the caller's. When the tenant's code is
     * done, and before anything is taken back that interrupt() may have done: interp_call_is_over().
     */
    void (*call)(const Pb__Call *c, struct call_outcome *ret_o);
    /* From a signal handler, while call() runs: it is to end soon, whatever its code catches; what it was is then told by interp.c. */
    void (*interrupt)(void);
    /* Main was woken by its engine (-EINTR) while it waited for a Call. NULL: never is. */
    void (*woken)(void);
    /* Main is about to wait for a Call, or does so no more: what else runs in the process may. NULL: nothing does but tasklets. */
    void (*rests)(bool rests);
    /* The last Call: finalizers and the like. *ret_o is EXIT 0 unless it says otherwise. */
    void (*close)(struct outcome *ret_o);
};

struct engine {
    const char *name;
    const char *version;
    const char *policy;                        /* its profile; NULL: that of its name */
    int (*prepare)(void);                      /* in the zygote, once: whatever needs files */
    const struct bpf_program *(*filter)(void); /* of its policy, where prepare() has compiled it already; NULL: the zygote does */
    /* In the worker, before the system call filter: makes all it will have; of threads the caller is the first. Returns when they have
     * all begun: what libc calls at a thread's begin is in no policy. */
    int (*open)(unsigned threads);
    void (*run)(const Pb__JobSpec *spec, struct outcome *ret_o); /* sealed: the first tenant byte */
    void (*cancel)(void);                                        /* from a signal handler: make run() end soon */
    /* From a signal handler: a slice of CPU time is over. context: of the interrupted code, as in sigaction(2). NULL: nothing in it takes turns. */
    void (*preempt)(const void *context);
    /* From a signal handler: a call that its policy has answered by us. True with *ret_result, as the kernel gives it; false: it has no row. */
    bool (*answer)(long nr, const uint64_t args[6], long *ret_result);
    /* From a signal handler: the file of the job's own that address lies in, and how far from its beginning; NULL: none. NULL: never one. */
    const char *(*place)(uintptr_t address, uintptr_t *ret_offset);
    uint64_t file_bytes; /* RLIMIT_FSIZE until the job is there: what open() has to keep it in */
    uint64_t
        slack_bytes; /* above the job's memory limit, until the kernel refuses more: ENGINE_SLACK, where nothing else counts what it takes */
    uint64_t closed_bytes;  /* of addresses: stacks of tasklets, most of which nobody can touch before fault() opens them */
    bool cancel_ends_waits; /* SIGTERM does not restart the call that it interrupts */
    /* From the handler of a fault at address. 1: mended; 0: not its business; -ENOMEM: the job has no memory left. NULL: as 0. */
    int (*fault)(void *address);
    /* Between Assign and Started: the part of its seal that wants to know the job; then the engine sets the job's walls itself. assign lives as
     * long as the process. 0, or -errno with *ret_step naming what failed: nothing of the job has run. NULL: walls.h, and nothing else. */
    int (*enter)(const Pb__Assign *assign, Pb__Started *started, const char **ret_step);
    const struct interp_engine *interp; /* NULL: it has no interpreters */
    /* Of a template: runs its init, as run() would, and keeps what it has made. 0; or *ret_o says what went wrong. NULL: it has no templates. */
    int (*warm)(const Pb__JobSpec *spec, struct outcome *ret_o);
    /* In a child of a warm template, before it says hello: what may not be the same in two processes is made anew. 0 or -errno. NULL: nothing. */
    int (*forked)(void);
    /* Of an engine that lives in another program: puts that in the place of this one, with the same arguments. Returns, with the reason for people,
     * only when it could not. NULL: it lives here. */
    const char *(*become)(int argc, char **argv);
    bool bare; /* it makes no threads, and nothing in its process asks libc to tell of a fork: the system call alone makes its workers */
    bool programs; /* it runs programs of the host: its worker is the first process of namespaces of its own, and sealed in two halves */
};

/* Copies text into at most size-1 bytes of into: bytes that are not UTF-8, and NULs, become \xNN. */
void outcome_text(char *into, size_t size, const char *text, size_t len);

#endif
