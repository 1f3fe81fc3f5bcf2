/*
 * inside_spec.h - what coop_interp_create() is told, as the message that it becomes.
 *
 * Side:    worker.
 * Owned:   texts are borrowed from the caller of coop_interp_create(); the lists are freed by inside_spec_finish().
 * Returns: 0 or -errno, told.
 */
#ifndef NATIVE_INSIDE_SPEC_H
#define NATIVE_INSIDE_SPEC_H

#include "worker/engines/native/inside.h"

struct inside_spec {
    Pb__InterpCreate create;
    Pb__JobSpec job;
    Pb__Limits limits;
    ProtobufCBinaryData *args;
    Pb__EnvVar *env, **env_list; /* names of env are copies */
    Pb__Grant *grants, **grant_list;
    Pb__Handle *handles;
};

/* The caller's own shared object, which lives as long as the process: what a native one is made of that is given no other. */
void inside_spec_own(const void *bytes, size_t len, const char *name);

/* On failure there is nothing to finish. */
int inside_spec_pack(struct inside_spec *s, const struct coop_interp_spec *from);
void inside_spec_finish(struct inside_spec *s);

#endif
