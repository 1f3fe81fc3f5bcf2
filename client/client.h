/*
 * client.h - one connection to a broker: a Request goes out, a Reply comes back, one at a time.
 *
 * Side:    host (the CLI, tests, benches).
 * Owned:   coop_client_open() gives a client that coop_client_close() takes back; a reply lives in the caller's frame.
 * Returns: 0 or -errno. -ECONNRESET: the broker went away before it answered; whether it acted is not known (every request but
 *          Submit may be repeated). -ETIMEDOUT. -EPROTO, -EMSGSIZE, -E2BIG: the answer is not one. -EBUSY: a call is under way.
 * Threads: a client belongs to one thread at a time; it makes none, and shares nothing with another client.
 * Never:   a request is sent twice by itself, so that a Submit is one job.
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <stdbool.h>

#include "client/endpoint.h"
#include "control.pb-c.h"
#include "frame.h"

struct coop_client;

#define COOP_CALL_TIMEOUT_MS 60000 /* for a request that the broker answers at once */

/* Connects, starting a broker when the endpoint says so and nobody listens. Blocks. */
int coop_client_open(const struct endpoint *e, struct coop_client **ret_client, struct coop_error *why);
void coop_client_close(struct coop_client *c);

/* Blocks until the reply is there. Fills in req->protocol. timeout_ms < 0: no limit. On 0 the caller releases *ret_reply. */
int coop_call(struct coop_client *c, Pb__Request *req, int timeout_ms, struct frame *ret_reply);

/*
 * The same in two halves. coop_client_fd() polls readable when coop_call_end() has an answer or the connection came or went;
 * coop_call_end() says -EAGAIN when there is no answer yet, and empties the descriptor.
 */
int coop_call_begin(struct coop_client *c, Pb__Request *req, int timeout_ms);
int coop_call_end(struct coop_client *c, struct frame *ret_reply);
int coop_client_fd(const struct coop_client *c);

/*
 * After -ECONNRESET: the connection is redialled, by every coop_call_end(), for as long as the client lives; coop_client_fd() wakes the
 * caller when that is due. coop_client_revive() starts a broker if that is ours to do, at most every two seconds however often it is
 * called, and returns 0 even when nobody answers yet.
 */
bool coop_client_connected(const struct coop_client *c);
int coop_client_revive(struct coop_client *c, struct coop_error *why);

/* The reply as the body the request asks for; an Error reply, or another body, becomes why and -errno. */
int coop_reply_check(const struct frame *reply, Pb__Reply__BodyCase wanted, struct coop_error *why);

/* Words for a failed coop_call(). */
void coop_call_explain(int rc, struct coop_error *why);

/* The exit code that an error code of control.proto stands for. */
int coop_error_exit_code(Pb__ErrorCode code);

#endif
