/*
 * caps.h - the capabilities that a job was submitted with, when its worker asks for something.
 *
 * Side:    broker. What a job may make is a number in its job->caps (0: none); what it may use of others' is a grant there, by name. A
 *          grant becomes a handle of the worker's own, found as "queue=NAME", when it is first asked for: what is derived from that ends
 *          with it.
 * Revoked: a host program that revokes a thing takes it from every job that has such a grant by then, whether it has been used or not. A
 *          job that is submitted later has it again.
 * Returns: 0, or -1 with why: NOT_ALLOWED, it has not the capability; NOT_FOUND, there is no such thing (yet); REVOKED; LIMIT.
 */
#ifndef BROKER_CAPS_H
#define BROKER_CAPS_H

#include "broker/handles.h"
#include "job_caps.h"

struct broker;
struct worker;

/* The capabilities of this worker's job; all 0 when it has no job any more. Never NULL. */
const struct job_caps *caps_of(const struct worker *w);

/* The worker's job has the capability of this name ("interpreters", "queues", "buffers"). How much of it is for the caller to count. */
int caps_need(const struct worker *w, const char *cap, struct call_why *why);

/*
 * A new handle, nobody's yet (ask_reply_handle() gives it), of the named thing that the worker's job was given by its spec; rights 0: all
 * that it was given. QueueOpen of a worker is this with KIND_QUEUE. Of KIND_KV the name is a prefix.
 */
int caps_open(struct asker *a, Pb__Kind kind, const char *name, uint32_t rights, struct handle **ret, struct call_why *why);

#endif
