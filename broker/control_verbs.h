/*
 * control_verbs.h - what each request of a host program means. The table that names them is in control_gate.c.
 *
 * Side:    broker.
 * Owned:   a check gets the request and says what is wrong with it; an apply answers it now or later.
 */
#ifndef BROKER_CONTROL_VERBS_H
#define BROKER_CONTROL_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "broker/actor.h"
#include "broker/rep_socket.h"
#include "control.pb-c.h"
#include "ulid.h"

struct broker;
struct jobs_why;
struct waiter;
struct waiting;

/* A request on its way through the table, which has looked whether the actor may. id is the job it names, made whole and upper case: one that
 * the actor sees. */
struct control_call {
    struct broker *broker;
    struct rep_way way;
    const Pb__Request *request;
    struct actor actor;
    char id[ULID_LEN + 1];
    bool is_array; /* the id is an array's */
};

void verb_submit(struct control_call *c);
void verb_reply_wait(struct broker *b, struct rep_way way, Pb__JobStatus *status); /* of a job, or of a whole array */
void verb_wait(struct control_call *c);
void verb_logs(struct control_call *c);
void verb_result(struct control_call *c);
void verb_show(struct control_call *c);
void verb_ls(struct control_call *c);
void verb_cancel(struct control_call *c);
void verb_kill(struct control_call *c);
void verb_stdin_write(struct control_call *c);
void verb_version(struct control_call *c);
void verb_resize_tty(struct control_call *c);
void verb_output(struct control_call *c); /* this one and the next are in control_records.c */
void verb_audit(struct control_call *c);
void verb_tenant_set(struct control_call *c); /* tenant_requests.c */
void verb_tenant_get(struct control_call *c);
void verb_tenant_ls(struct control_call *c);
void verb_tenant_remove(struct control_call *c);
void verb_usage(struct control_call *c);
void verb_token_create(struct control_call *c); /* token_requests.c */
void verb_token_rotate(struct control_call *c);
void verb_token_revoke(struct control_call *c);
void verb_token_ls(struct control_call *c);
void verb_admin_log(struct control_call *c); /* admin_log.c */
void verb_hold(struct control_call *c);      /* verbs_deeds.c */
void verb_release(struct control_call *c);
void verb_pause(struct control_call *c);
void verb_resume(struct control_call *c);
void verb_edit(struct control_call *c); /* verbs_edit.c */
/* Why this one waits, in the words of a reply; texts are own's. */
void verb_fill_why(struct broker *b, const struct waiting *w, struct jobs_why *own, Pb__Why *ret);
void verb_retry(struct control_call *c); /* verbs_again.c */
void verb_remove(struct control_call *c);
void verb_top(struct control_call *c); /* verbs_broker.c */
void verb_drain(struct control_call *c);
void verb_events(struct control_call *c);       /* events.c */
void verb_ask(struct control_call *c);          /* control.c: asks.h takes it from there */
void verb_store_backup(struct control_call *c); /* store_requests.c */
void store_requests_finish(struct broker *b);   /* what is under way is stopped */

/* Answers w when there is something to say, or in any case when now; returns 1 when it answered (w->way is gone then). */
int verb_answer(struct waiter *w, int now);
/* The same for a job that has ended and is only in the store. f: its FINISH, just back with status 0; NULL: what it says is read. */
struct store_finish;
void verb_answer_ended(struct waiter *w, const struct store_finish *f);
/* Why jobs_submit() and its like did not take it. */
struct jobs_refusal;
void verb_refuse_submit(struct broker *b, struct rep_way way, int rc, const struct jobs_refusal *no);
/* jobs_order's done and its ctx, malloc'd (free() it when the order was refused; NULL without memory): a SubmitReply to this call. */
void verb_on_submitted(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status);
void *verb_submit_call(const struct control_call *c, uint64_t tasks);
/* The job is in a state that does not allow it: CONFLICT, which names it. */
void verb_refuse_state(struct control_call *c, const char *what);

#endif
