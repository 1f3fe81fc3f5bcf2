/*
 * caps.h - the capabilities that a job was submitted with, when its worker asks for something.
 *
 * Side:    broker. What a job may make is a number in its job->caps (0: none); what it may use of others' is a grant there, by name. A grant becomes a
 *          handle of the worker's own, found as "queue=NAME", when it is first asked for: whatever is derived from that is revoked with it.
 * Returns: 0, or -1 with why: NOT_ALLOWED, it has not the capability; NOT_FOUND, there is no such thing (yet); REVOKED; LIMIT.
 */
#ifndef BROKER_CAPS_H
#define BROKER_CAPS_H

#include "broker/handles.h"
#include "job_caps.h"

struct worker;

/* The capabilities of this worker's job; all 0 when it has no job any more. Never NULL. */
const struct job_caps *caps_of(const struct worker *w);

/* The job of this worker has the capability of this name ("interpreters", "queues", "buffers"). How much of it is for the caller to count. */
int caps_need(const struct worker *w, const char *cap, struct call_why *why);

/*
 * A new handle, nobody's yet (ask_reply_handle() gives it), of the named thing that the worker's job was given by its spec; rights 0: all that it was
 * given. QueueOpen of a worker is this with KIND_QUEUE, interpreters by name KIND_INTERP. Not for KIND_KV: see kv.h.
 */
int caps_open(struct asker *a, Pb__Kind kind, const char *name, uint32_t rights, struct handle **ret, struct call_why *why);

#endif
