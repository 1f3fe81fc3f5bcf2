/*
 * arrays_verbs.h - the table of what a request means that names an array; each request of control_gate.c that names a job has a row.
 *
 * Side:    broker, main thread.
 */
#ifndef BROKER_ARRAYS_VERBS_H
#define BROKER_ARRAYS_VERBS_H

#include <stddef.h>

struct control_call;
struct store_job;

struct array_rule {
    void (*apply)(struct control_call *c); /* NULL: refused */
    const char *instead;                   /* why, and what to do; after "ID is an array: " */
};
extern const struct array_rule array_rules[]; /* by Pb__Request__BodyCase */
extern const size_t array_rules_count;

void array_verb_wait(struct control_call *c);
void array_verb_show(struct control_call *c);
void array_verb_edit(struct control_call *c);
void array_verb_retry(struct control_call *c);
void array_retry_task(struct control_call *c, const struct store_job *task); /* of a task: an array of its index */

#endif
