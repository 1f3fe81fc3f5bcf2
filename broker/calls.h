/*
 * calls.h - the table of what interpreters and host programs may ask for, as a kernel has one of its system calls. docs/calls.md is made
 * from it.
 *
 * Side: broker. Rows are looked up by asks.c: who may ask, which capability of the job it needs, then its meaning is checked and it is
 *       applied.
 */
#ifndef BROKER_CALLS_H
#define BROKER_CALLS_H

#include <stdbool.h>
#include <stddef.h>

#include "broker/asks.h"

enum call_who { CALL_HOST = 1, CALL_WORKER = 2, CALL_BOTH = 3 };

struct call_row {
    const char *name; /* the field's name in Ask */
    enum call_who who;
    unsigned needs;    /* scopes of a host program's actor (actor.h), all of them */
    const char *cap;   /* of the job, when a worker asks: "interpreters"; NULL: none, or the handle it names is the capability */
    const char *right; /* what the handle it names must give, for the docs; "" none */
    bool waits;        /* it may be parked: it counts against ASKS_OPEN */
    void (*apply)(struct ask *a);
    Pb__Answer__BodyCase answer;
    unsigned errors;  /* 1u << CallError: those of its own, which it may answer besides CALL_ERRORS_ANY */
    const char *what; /* one sentence for docs/calls.md */
};
extern const struct call_row call_rows[];
extern const size_t call_rows_count;

/* Those that each call may answer. */
#define CALL_ERROR_BIT(name) (1u << PB__CALL_ERROR__CALL_ERROR_##name)
#define CALL_ERRORS_ANY                                                                                                                    \
    (CALL_ERROR_BIT(BAD_REQUEST) | CALL_ERROR_BIT(NOT_ALLOWED) | CALL_ERROR_BIT(LIMIT) | CALL_ERROR_BIT(TEMPORARY) |                       \
     CALL_ERROR_BIT(INTERNAL))

/* Whether the table says that the call may answer this. */
bool call_may_fail(const struct call_row *row, Pb__CallError error);

/* The row of a message, or NULL. */
const struct call_row *call_row(Pb__Ask__BodyCase which);

/* interps.c */
void call_interp_create(struct ask *a);
void call_interp_exec(struct ask *a);
void call_interp_call(struct ask *a);
void call_interp_prepare(struct ask *a);
void call_interp_interrupt(struct ask *a);
void call_interp_close(struct ask *a);
void call_interp_kill(struct ask *a);
void call_interp_reset(struct ask *a);
void call_interp_info(struct ask *a);
void call_interp_list(struct ask *a);
void call_interp_wait(struct ask *a);
void call_interp_link(struct ask *a);
/* queues.c */
void call_queue_create(struct ask *a);
void call_queue_open(struct ask *a);
void call_queue_put(struct ask *a);
void call_queue_get(struct ask *a);
void call_queue_close(struct ask *a);
void call_queue_info(struct ask *a);
void call_queue_list(struct ask *a);
void call_queue_delete(struct ask *a);
/* buffers.c */
void call_buffer_new(struct ask *a);
void call_buffer_seal(struct ask *a);
void call_buffer_map(struct ask *a);
void call_buffer_list(struct ask *a);
/* caps.c */
void call_handle_attenuate(struct ask *a);
void call_handle_revoke(struct ask *a);
void call_handle_drop(struct ask *a);
void call_handle_granted(struct ask *a);
void call_handle_list(struct ask *a);
/* aliases.c */
void call_alias_call(struct ask *a);
void call_alias_next(struct ask *a);
void call_alias_done(struct ask *a);
void call_alias_log(struct ask *a);
/* kv.c */
void call_kv_open(struct ask *a);
void call_kv_get(struct ask *a);
void call_kv_put(struct ask *a);
void call_kv_delete(struct ask *a);
void call_kv_list(struct ask *a);
/* template_asks.c */
void call_template_build(struct ask *a);
void call_template_list(struct ask *a);
void call_template_remove(struct ask *a);
/* asks.c */
void call_ask_cancel(struct ask *a);
/* blobs.c */
void call_blob_seal(struct ask *a);
void call_blob_check(struct ask *a);

#endif
