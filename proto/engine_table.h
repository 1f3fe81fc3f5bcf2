/*
 * engine_table.h - the engines there are, as one table: how a job for each is known, and how the broker keeps workers for it.
 *
 * Owned: constant, all of it.
 * Side: both: the command chooses by it, the broker refuses and makes processes by it. The worker's own list is worker/engines.c, under
 *       the same names; a test holds them together.
 */
#ifndef PROTO_ENGINE_TABLE_H
#define PROTO_ENGINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct engine_row {
    const char *name;
    const char *ending;      /* of the source's file name; NULL: none is its own */
    const char *interpreter; /* in a #! line, at the start of a word; NULL: no such line */
    const char *magic;       /* what a source begins with; NULL: nothing of its own */
    const char *bytecode;    /* how its compiled form begins, which is never accepted: it can break the engine; NULL: it has none */
    bool is_text;            /* sources have no NUL bytes */
    bool may_be_empty;       /* a source of no bytes is one that does nothing */
    bool has_modules;        /* jobs may bring some */
    bool opens_modules;      /* as files, too: what is no source of its own may be any bytes */
    unsigned threads_max;    /* of the operating system, in a job */
    unsigned spares_max;     /* idle workers kept, at most; --pool may say fewer */
    unsigned refill_us;      /* until a spare that was used is replaced: longer than a small job takes, which would pay for it */
    bool own_allocator;      /* counts the job's memory before the kernel does */
    const char
        *seed; /* its hash seed is drawn when its zygote starts, and cannot be drawn anew in a fork: the variable that would choose it */
    bool on_demand;     /* its zygote is started by its first job */
    bool runs_programs; /* its jobs have files, outputs, a terminal; of several processes, in a control group where there are any */
    bool has_templates; /* jobs may be forked from a warmed process */
    const char
        *instead_of;   /* jobs of that engine are this one's when they have the capability `packages`; NULL: it is asked for by its name */
    bool names_errors; /* the type of an error is a word for people, and the message may be nothing without it: KeyError: 'a' */
    bool may_exit;     /* its jobs can end their process: how that ended is how the job ended */
};

enum { ENGINE_LIST = 64 };
enum { ENGINE_COUNT = 5, ENGINE_LUA = 0, ENGINE_NATIVE = 1, ENGINE_EXEC = 2, ENGINE_PYTHON = 3, ENGINE_PACKAGES = 4 };

extern const struct engine_row engine_table[ENGINE_COUNT];
extern const char *const engine_names[ENGINE_COUNT + 1]; /* the same names, NULL-terminated */

/* "lua, native, ...", for sentences. Returns buf. */
char *engine_list(char buf[ENGINE_LIST]);

/* The place of an engine in the table, by its exact name; -1: none. */
int engine_find(const char *name);

#endif
