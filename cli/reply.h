/*
 * reply.h - one question to the broker whose answer is printed, and that is all.
 *
 * Side:    host (CLI).
 * Returns: 0, or the exit code after what went wrong has been said.
 */
#ifndef CLI_REPLY_H
#define CLI_REPLY_H

#include "cli/ask.h"
#include "cli/words.h"

/* Prints the body that was asked for, a message of the kind that goes with it. With --json nobody is called: its document is printed. */
typedef void reply_print(const struct command *c, const void *body);

/* print NULL: it has been done, and there is nothing to say. */
int reply_print_call(const struct command *c, struct coop_client *client, Pb__Request *req, Pb__Reply__BodyCase wanted, reply_print *print);
int reply_print_ask(const struct command *c, struct coop_client *client, Pb__Ask *ask, Pb__Answer__BodyCase wanted, reply_print *print);

#endif
