/*
 * inside.h - what the functions of coop/interp.h share: an ask and its answer, values on their way, and why something failed.
 *
 * Side:    worker, from its first tenant byte on. Answers were written by the broker; values in them by anybody.
 * Returns: 0 (or a documented count) or -errno; with -errno coop_last_error() has been told why.
 * Blocks:  the tasklet, where an ask is waited for.
 */
#ifndef NATIVE_INSIDE_H
#define NATIVE_INSIDE_H

#include <coop/interp.h>

#include "call_errors.h"
#include "calls.pb-c.h"
#include "worker/asks.h"
#include "worker/packed.h"

/* ---- why: inside_error.c -------------------------------------------------------------------------------------------------------- */

/* In every thread state, before the first tenant byte: what tasklets were told goes with them. */
void inside_begin(void);

/* Nothing has failed. */
void inside_forget(void);

/* A refusal of our own, which has not gone to the broker. Returns -errno of e. */
__attribute__((format(printf, 2, 3))) int inside_refuse(Pb__CallError e, const char *format, ...);
/* The same for a -errno of this process: -ENOMEM, -ECANCELED ... Returns rc. what: "queue_put", for the message; may be NULL. */
int inside_failed(int rc, const char *what);
/* For a value that cannot be sent or was none: rc is coop_val_encode()'s or coop_val_decode()'s. */
int inside_failed_value(int rc, const char *path);
/* What the broker said. */
int inside_failed_call(const Pb__CallFailure *f);
/* "cpu_limit"; "" for none. */
void inside_cause(Pb__Cause cause, char *into, size_t size);
/* The row of the list that has this errno (negative); INTERNAL's when none has. */
Pb__CallError inside_error_of(int rc);

/* ---- asks: inside_ask.c --------------------------------------------------------------------------------------------------------- */

/* struct Pb__Ask a = INSIDE_ASK(QUEUE_INFO, queue_info, &message); */
#define INSIDE_ASK(which, field, message)                                                                                                  \
    {                                                                                                                                      \
        .base = PROTOBUF_C_MESSAGE_INIT(&pb__ask__descriptor), .body_case = PB__ASK__BODY_##which, .field = (message)                      \
    }

/*
 * Asks and waits until it is answered with this body: then *ret is the caller's, for ask_end(). At the deadline (COOP_NEVER: none) and
 *                                                     when the tasklet is cancelled it is taken back, and the broker's last word on it
 *                                                     waited for: so that it has either happened or not.
 */
int inside_ask(Pb__Ask *a, Pb__Answer__BodyCase body, int64_t deadline, struct ask **ret);
int inside_ask_done(Pb__Ask *a);
int inside_ask_handle(Pb__Ask *a, struct coop_handle *ret);
/* Waits for one that was begun before. With -ETIMEDOUT and -ECANCELED it may still be open: ask_is_answered(). */
int inside_wait(struct ask *a, Pb__Answer__BodyCase body, int64_t deadline);

void inside_ref(Pb__Ref *r, const struct coop_handle *h); /* h NULL: handle 0 */
void inside_handle(struct coop_handle *into, const Pb__Handle *from);

/* What is left until the deadline, microseconds: never 0, which is for ever, unless it is COOP_NEVER. */
uint64_t inside_timeout(int64_t deadline);
/* The same where 0 is not at all, and -1 for ever. */
int64_t inside_patience(int64_t deadline);

/* ---- values: inside_value.c ----------------------------------------------------------------------------------------------------- */

struct inside_value { /* one on its way out; zeroed it is none */
    struct coop_encoding encoding;
    Pb__Value message;
    Pb__Handle *list, **pointers, whole;
};

/* root: what paths begin with. One that is too large for a message goes into a buffer. v NULL: null. */
int inside_value_pack(struct inside_value *p, const coop_val *v, const char *root);
void inside_value_finish(struct inside_value *p);
/* v NULL: null. The buffer that it lies in is dropped. */
int inside_value_unpack(const Pb__Value *v, const char *root, coop_val **ret);
/* Nobody wants it: what came with it is dropped. */
void inside_value_refuse(const Pb__Value *v);
/* As unpack, for a ret that may be NULL; on failure, too, nothing of it is kept. */
int inside_value_accept(const Pb__Value *v, const char *root, coop_val **ret);
/* Arguments: a list, or NULL for none. */
int inside_args_pack(struct inside_value *p, const coop_val *args);
/* A packed value as the result of a call. 0 or -ENOMEM; what p had is into's. */
int inside_value_give(struct inside_value *p, struct packed *into);

#endif
