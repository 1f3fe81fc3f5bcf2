/*
 * ask.h - a Request to the broker and its Reply, an Ask and its Answer: the messages of proto/ on libcoop's raw layer.
 *
 * Side:    host (CLI, benches). Strings in an answer may be a tenant's.
 * Owned:   a reply lives in the caller's frame: frame_release().
 * Returns: 0 or -errno with why filled in.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <coop/client.h>

#include "control.pb-c.h"
#include "frame.h"

#define ASK_TIMEOUT_US (60 * INT64_C(1000000)) /* for a request that the broker answers at once */

/* Blocks until the reply is there, whatever it says. Fills in req->protocol. */
int ask_broker(struct coop_client *c, Pb__Request *req, int64_t timeout_us, struct frame *ret_reply, struct coop_error *why);
/* The same in two halves. -EINPROGRESS of ask_end(): not yet; in every other case the op is freed, and *op NULL. */
int ask_begin(struct coop_client *c, Pb__Request *req, int64_t timeout_us, struct coop_op **ret_op, struct coop_error *why);
int ask_end(struct coop_op **op, struct frame *ret_reply, struct coop_error *why);
/* The reply as the body that was asked for; an Error, another body, an Answer that is a failure become why. */
int ask_check(const struct frame *reply, Pb__Reply__BodyCase wanted, struct coop_error *why);

/*
 * One Ask and its Answer of the wanted kind, which lives in *ret_reply. Fills in ask->number. ret_fd: the descriptor that came along, -1:
 * none; the caller closes it; NULL: it is not wanted.
 */
int ask_answer(struct coop_client *c, Pb__Ask *ask, int64_t timeout_us, Pb__Answer__BodyCase wanted, struct frame *ret_reply,
               const Pb__Answer **ret_answer, int *ret_fd, struct coop_error *why);

#endif
