/*
 * wait_many.h - several jobs at once, or a state that is no end: by the broker's events, so that it costs the same however many they are.
 *
 * Side: host (CLI).
 */
#ifndef CLI_WAIT_MANY_H
#define CLI_WAIT_MANY_H

#include "cli/selection.h"

/* deadline_us: of follow_now_us(); 0: none. Prints what there is to say of each, in the order of the selection. Returns the exit code. */
int wait_many(const struct command *c, struct coop_client *client, const struct selection *s, int signal_fd, uint64_t deadline_us);

/* The line that says how a job stands: malloc'd, NULL: none, or out of memory. */
char *wait_line(const struct command *c, const Pb__JobStatus *s);

/* What the end of a job means for the exit code; asks for the receipt where the status does not say it. */
int wait_code(const struct command *c, struct coop_client *client, const Pb__JobStatus *s);

#endif
