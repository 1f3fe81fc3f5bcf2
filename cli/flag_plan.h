/*
 * flag_plan.h - the values of the flags that say what a job is beside what it runs: when, after what, how often, for whom.
 *
 * Side:    host (CLI). The broker checks all of it again; here it is what can be told without one, with the flag's name.
 * Returns: as flag_values.h.
 */
#ifndef CLI_FLAG_PLAN_H
#define CLI_FLAG_PLAN_H

#include "cli/args.h"

int flag_read_range(struct options *o, const char *text, struct coop_error *why);
int flag_read_new_label(struct options *o, const char *text, struct coop_error *why);
int flag_read_in(struct options *o, const char *text, struct coop_error *why);
int flag_read_retry(struct options *o, const char *text, struct coop_error *why);
int flag_read_idem(struct options *o, const char *text, struct coop_error *why);
int flag_read_limiter(struct options *o, const char *text, struct coop_error *why);
int flag_read_webhook(struct options *o, const char *text, struct coop_error *why);
int flag_read_keep(struct options *o, const char *text, struct coop_error *why);
int flag_read_queue(struct options *o, const char *text, struct coop_error *why);

/* "URL[,key=NAME][,events=STATE+STATE]" taken apart: text is cut, ret->url and ret->key point into it, ret->events into states (room of them). */
#define FLAG_STATES 32
int flag_webhook(char *text, Pb__Webhook *ret, Pb__State states[FLAG_STATES], struct coop_error *why);

#endif
