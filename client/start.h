/*
 * start.h - how each call of include/coop/client.h is made: a message is begun as an op, and what came of it is read as a result.
 *
 * Side:    host (libcoop).
 * Pattern: a call has a static start_NAME(struct start *, ...), which fills in a message and begins it; coop_NAME_begin() gives its op
 *          away, coop_NAME() waits for it.
 */
#ifndef CLIENT_START_H
#define CLIENT_START_H

#include <string.h>

#include "client/own.h"
#include "control.pb-c.h"

#define SECOND_US INT64_C(1000000)

struct start {
    struct coop_client *c;
    int64_t timeout_us;
    struct coop_error *why;
    bool quiet; /* a blocking call */
    struct coop_op *op;
};

#define START_BLOCKING(client_, timeout_, why_)                                                                                            \
    {                                                                                                                                      \
        .c = (client_), .timeout_us = (timeout_), .why = (why_), .quiet = true                                                             \
    }
#define START_ASYNC(client_, timeout_, why_)                                                                                               \
    {                                                                                                                                      \
        .c = (client_), .timeout_us = (timeout_), .why = (why_)                                                                            \
    }

#define ANY_ANSWER (-1)

/* How an answer becomes a result. */
struct op_kind {
    bool of_ask; /* wanted is of Answer, else of Reply */
    int wanted;  /* the body that is the answer; ANY_ANSWER: whatever one it is */
    enum coop_result_type type;
    /* body: that message. *ret has its type and is else all zeros; what it holds when this fails is freed by the caller. 0 or -errno
     * with why. */
    int (*read)(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why);
    /* The broker ends a long wait early: whether to ask again with the same bytes. NULL: never. Locked, so it only looks. */
    bool (*again)(const void *body);
    const char *late; /* what to say when its time is over; NULL: that the broker does not answer */
};

/* message: the body of which. The broker keeps the time itself where it is told to: own_time says that a late answer is still worth a
 * moment. */
int start_request(struct start *s, Pb__Request__BodyCase which, void *message, const struct op_kind *kind);
int start_ask(struct start *s, Pb__Ask__BodyCase which, void *message, bool own_time, const struct op_kind *kind);
/* For messages that say until when: 0 there is none. */
uint64_t start_ask_timeout(const struct start *s);

/* After start_NAME() returned rc: gives the op away. */
int start_give(struct start *s, int rc, struct coop_op **ret);
/* After start_NAME() returned rc: waits, and takes. */
int start_wait(struct start *s, int rc, struct coop_result *ret);
/* The same where the result is a handle. */
int start_wait_handle(struct start *s, int rc, struct coop_handle *ret);
/* The same for a result that is nothing. */
int start_wait_done(struct start *s, int rc);

extern const struct op_kind op_done;   /* of asks whose answer is of use to nobody */
extern const struct op_kind op_handle; /* with a Handle */

/* ---- texts and names ------------------------------------------------------------------------------------------------------------- */

/* Cut at a letter's start, so that it stays UTF-8. */
void text_put(char *into, size_t size, const char *text);
#define PUT(into, text) text_put(into, sizeof(into), text)
/* An enum's value as a word: "CAUSE_CPU_LIMIT" with prefix "CAUSE_" is "cpu_limit"; "" for 0. */
void text_put_enum(char *into, size_t size, const ProtobufCEnumDescriptor *d, const char *prefix, int value);

/* A thing by its id or name; borrowed. */
Pb__Ref *ref_of_text(Pb__Ref *into, const char *text);
/* By its number, else its id, else its name; borrowed. */
Pb__Ref *ref_of_handle(Pb__Ref *into, const struct coop_handle *h);
/* A handle to be sent: which, and the rights to pass on; borrowed. */
Pb__Handle *handle_to_pb(Pb__Handle *into, const struct coop_handle *h);
void handle_of_pb(struct coop_handle *into, const Pb__Handle *h);

int start_no_memory(struct coop_error *why);
/* *ret: n elements of size bytes, all zeros; NULL when n is 0. */
int start_array(void **ret, size_t n, size_t size, struct coop_error *why);

#endif
