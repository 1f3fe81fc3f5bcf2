/*
 * own.h - what a client and an op are made of, for the library's own files.
 *
 * Side:    host (libcoop). A reply is bytes of a broker that we trust to be one (client/endpoint.h), decoded by frame_decode() all the
 *          same.
 * Threads: everything behind lock, but for what is said to be constant. Who waits for an op and finds no leader leads: it polls the
 *          connection, unlocked, and steps it, locked, for all; the others sleep on conditions of their own, and are woken when their op
 *          has ended or when the lead is free. Nothing is decoded under the lock.
 */
#ifndef CLIENT_OWN_H
#define CLIENT_OWN_H

#include <pthread.h>
#include <sys/types.h>

#include <coop/client.h>

#include "client/endpoint.h"
#include "client/req_socket.h"

/* A thread that waits for an op, or for the connection to come up (op NULL). */
struct waiter {
    struct coop_op *op;
    pthread_cond_t wake;
    struct waiter *next, **at;
};

struct coop_client {
    struct endpoint endpoint; /* constant, as are pid, poll_fd and event_fd */
    pid_t pid;                /* of whoever opened it */
    int poll_fd;              /* of the connection and of event_fd, in an epoll set */
    int event_fd;             /* readable while ended is not empty */
    pthread_mutex_t lock;
    struct req_socket *req;
    bool led;
    struct waiter *waiters;
    struct coop_op *ended, **ended_last; /* asynchronous ones that were not taken */
    size_t n_ended;
    struct coop_op *back;  /* answered, perhaps only by the way (op_kind.again) */
    uint64_t revive_at_ms; /* not again before */
    bool started;          /* its broker was, by us */
    uint64_t last_number;  /* of an ask */
};

struct op_kind;

struct coop_op {
    struct req_call call; /* first: on_end finds the op by it */
    struct coop_client *client;
    struct waiter *waiter;
    bool done;
    bool quiet;      /* the function that began it waits for it: not among ended */
    bool orphan;     /* nobody waits, and it goes when it ends */
    bool noted;      /* among ended */
    bool shown;      /* coop_client_next() has returned it */
    uint64_t number; /* of its ask, 0: it is none */
    void *user;
    const struct op_kind *kind; /* of the typed calls; NULL: raw */
    struct coop_op *next_ended, **at_ended;
    /* of a kind that may ask again: what, until when; and in the client's list while that is to be decided */
    uint8_t *bytes;
    size_t len;
    uint64_t until_ms;
    struct coop_op *next_back;
    uint64_t extent; /* for its kind: up to where standard input was sent */
};

/* Begins a request. number: of the ask in it, or 0. The bytes are copied. */
int op_begin(struct coop_client *c, const void *bytes, size_t len, int64_t timeout_us, uint64_t number, bool quiet,
             const struct op_kind *kind, struct coop_op **ret, struct coop_error *why);
/* After each req_step(): those that are back are begun again, or have ended. Locked. */
void op_turn(struct coop_client *c);
/* Asks without waiting for the answer; when that cannot be sent, nobody minds. which: of Pb__Ask__BodyCase. */
void op_tell(struct coop_client *c, int which, void *message);
/* Whether its answer only says that it is not yet there (start.c). */
bool op_wants_again(const struct coop_op *op);
/* 0: it has ended, and call.body is its answer. -EINPROGRESS: not yet. Else it has failed. */
int op_check(struct coop_op *op, struct coop_error *why);

/* Words for a request that failed on the way: -ECONNRESET, -ETIMEDOUT ... Returns rc. */
int client_explain(int rc, struct coop_error *why);

/* For a blocking call: connected, or dials. */
int client_ready(struct coop_client *c, struct coop_error *why);
/* Sleeps until op has ended (NULL: until the connection is up or down for good) or until_ms. Locked. */
void client_wait(struct coop_client *c, struct coop_op *op, uint64_t until_ms);

/* Milliseconds of a timeout, -1: none; never less than was asked for. */
int client_ms(int64_t timeout_us);

#endif
