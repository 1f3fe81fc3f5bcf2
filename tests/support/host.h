/*
 * host.h - a host program: asks of the broker through libcoop's raw layer, and their answers, in any order.
 *
 * Side:    tests.
 * Owned:   an op is host_reply()'s, which frees it; its reply is the caller's. What host_answer() gives lives until the test program ends.
 */
#ifndef TESTS_SUPPORT_HOST_H
#define TESTS_SUPPORT_HOST_H

#include "control.pb-c.h"
#include "coop/client.h"

/* A connection, which is a session. Fails the test when there is none. */
struct coop_client *host_open(const char *url);
/* Sends an ask: m is the message of this body. */
struct coop_op *host_ask(struct coop_client *c, Pb__Ask__BodyCase body, void *m);
/* Waits for its answer. NULL: the connection was lost. */
Pb__Reply *host_reply(struct coop_op *op);
const Pb__Answer *host_answer(struct coop_op *op); /* fails the test instead */
/* The same, which must be a failure of this kind. */
const Pb__CallFailure *host_failure(struct coop_op *op, Pb__CallError error);

/* ---- interpreters ---- */

/* An interpreter of Lua with these limits ("" none: as --limit takes them); its id. The first only asks for one. */
struct coop_op *host_ask_interp(struct coop_client *c, Pb__Owner owner, const char *name, const char *limits);
char *host_interp(struct coop_client *c, Pb__Owner owner, const char *name, const char *limits);
struct coop_op *host_exec(struct coop_client *c, const char *id, const char *source, uint64_t timeout_us);
struct coop_op *host_call(struct coop_client *c, const char *id, const char *function, const void *args,
                          size_t len);                                                              /* args: CBOR, a list */
struct coop_op *host_prepare(struct coop_client *c, const char *id, const void *names, size_t len); /* CBOR, a map */
/* interrupt, close, kill, reset, info, wait */
struct coop_op *host_simple(struct coop_client *c, Pb__Ask__BodyCase body, const char *id);
/* Runs source, which must go well. */
void host_runs(struct coop_client *c, const char *id, const char *source);
/* Calls function with one integer below 24; the integer that it returned, below 24. */
int host_calls(struct coop_client *c, const char *id, const char *function, int arg);

#endif
