/*
 * job_caps.h - capabilities: what a job may have or do that it does not get unasked, as it is written in its spec.
 *
 * Side:    both. The command asks before it sends, the broker believes no command, the worker no broker; what is refused is the same.
 * Kinds:   for programs (engine exec): net, proc. For python: packages. For engines that make calls (lua, native, python): interpreters, queues, buffers, how much of
 *          each it may make; queue, interp, kv, template: named things of others that it may use.
 * Returns: 0; -EINVAL or -ENOMEM, with one sentence for the user in why.
 */
#ifndef PROTO_JOB_CAPS_H
#define PROTO_JOB_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calls.pb-c.h"
#include "job.pb-c.h"
#include "job_limits.h"

enum {
    JOB_CAPS_WHY = 320,
    JOB_CAPS_MAX = 64,     /* of one job */
    JOB_CAP_NAME = 256,    /* bytes of a name or a prefix in one */
    JOB_CAP_SPELLING = 64, /* bytes of job_cap_spelling() */
    JOB_CAP_INTERPRETERS = 8 /* what a word without a number stands for */,
    JOB_CAP_QUEUES = 64,
    JOB_CAP_TEMPLATE = LIMITS_NAME + 11, /* bytes of NAME@VERSION */
};
#define JOB_CAP_BUFFERS (256u << 20)

/* How a capability is written, and for whom it is. */
struct job_cap {
    const char *name;
    const char *value;  /* what may stand after "=", as it is shown; NULL: takes none */
    bool optional;      /* the value may be left out */
    bool fixed;         /* the value is these very letters */
    bool for_programs;  /* engine exec; else the engines that make calls */
    const char *engine; /* of those this one alone; NULL: each */
    const char *help;
    const char *not_theirs; /* why engines that it is not for cannot have it */
};
extern const struct job_cap job_cap_table[];
extern const size_t job_cap_count;

/* "queue=NAME:send|recv|both", for help. Returns buf. */
const char *job_cap_spelling(const struct job_cap *cap, char buf[JOB_CAP_SPELLING]);

/* A named thing that it may use. */
struct job_grant {
    Pb__Kind kind;   /* QUEUE, INTERP, KV */
    uint32_t rights; /* bits of Pb__Right, GRANT among them: what a job may use it may hand on */
    bool revoked;    /* by a host program, since the job was submitted */
    char name[JOB_CAP_NAME + 1];
};

/* NAME, every version of it, or NAME@VERSION. */
struct job_template {
    char name[JOB_CAP_TEMPLATE + 1];
};

/* All capabilities of a job, parsed. All 0: none. */
struct job_caps {
    bool net_loopback, proc, packages;
    uint32_t interpreters; /* alive at once, with all of theirs */
    uint32_t queues;       /* made by it, at once */
    uint64_t buffer_bytes; /* of the buffers made by it, together */
    unsigned n_grants;
    struct job_grant *grants; /* job_caps_finish() */
    unsigned n_templates;
    struct job_template *templates; /* that its interpreters may be made from: its own too, when it has one. The same */
};

/* One capability as it is typed, whatever the engine. */
int job_cap_check(const char *text, char why[JOB_CAPS_WHY]);
/* All of a spec: each, none twice, each for its engine. An unknown engine is refused; of none ("": the template's) nothing is asked. */
int job_caps_check(const Pb__JobSpec *s, char why[JOB_CAPS_WHY]);
/* The same, and keeps what they mean; on failure nothing is held. */
int job_caps_read(const Pb__JobSpec *s, struct job_caps *ret, char why[JOB_CAPS_WHY]);
void job_caps_finish(struct job_caps *c); /* of all zeros too */

/*
 * The grant that covers the thing of this kind and name with all these rights (0: with any), or NULL: a queue's or an interpreter's own; of
 * keys the longest prefix that name begins with.
 */
const struct job_grant *job_caps_grant(const struct job_caps *c, Pb__Kind kind, const char *name, uint32_t rights);

/* Whether its interpreters may be made from this template: NAME, the newest, or NAME@VERSION. */
bool job_caps_template(const struct job_caps *c, const char *name);

/* Whether a child may have these: nothing that its parent has not, no more of anything. -EINVAL names the first that is too much. */
int job_caps_within(const struct job_caps *child, const struct job_caps *parent, char why[JOB_CAPS_WHY]);

/* Whether the spec asks for the capability of this name, with its value when it has one. */
bool job_has_cap(const Pb__JobSpec *s, const char *name);

#endif
