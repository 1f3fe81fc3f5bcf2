/*
 * control.h - the control socket: requests of host programs, answers, and the long-polls that wait for them.
 *
 * Side:    broker. What peers send is only bytes. Who they are is worked out for each request (actor.h), and what they may is looked up here,
 *          once, before any verb sees the request: a column of control_rules, and the job that it names.
 * Bounded: CONTROL_PARKED waiting requests for each connection, REP_PEERS connections.
 * Owned:   a waiter belongs to the control module; a job only links it.
 */
#ifndef BROKER_CONTROL_H
#define BROKER_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/actor.h"
#include "broker/asks.h"
#include "broker/loop.h"
#include "broker/rep_socket.h"
#include "control.pb-c.h"

struct broker;
struct job;
struct control_call;

/* One row per request of control.proto. */
struct control_rule {
    const char *name; /* the field's name in control.proto */
    unsigned phases;  /* of the broker, 1u << phase */
    unsigned needs;   /* scopes of actor.h, all of them */
    int names_job;    /* its first field is a job id, made whole before apply is called; one that the actor does not see is not there */
    void (*apply)(struct control_call *c);
};
extern const struct control_rule control_rules[];
extern const size_t control_rules_count;

#define CONTROL_PARKED  16
#define CONTROL_WAIT_MS 30000        /* longest long-poll */
#define CONTROL_CHUNK   (256u << 10) /* bytes of one stream in one reply */

struct control_peer {
    uint32_t peer;
    struct asker asker;
    char who[ACTOR_NAME + 1]; /* the actor of its first request; a connection is one actor's. "": none came yet */
    unsigned parked;
    UT_hash_handle hh;
};

struct control {
    struct broker *broker;
    struct rep_socket socket;
    void (*send)(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m);            /* rep_send; a test may listen in */
    void (*send_fd)(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m, int fd); /* rep_send_fd */
    void (*drop)(struct rep_socket *s, uint32_t peer);                                            /* rep_drop */
    struct control_peer *peers;
    unsigned peer_count;
    uint64_t requests;
};

/* A request that waits for something. */
struct waiter {
    struct broker *broker;
    struct job *job;
    struct rep_way way;
    Pb__Request__BodyCase kind;
    uint64_t offset[2];
    uint64_t run;
    Pb__State known_state;
    bool was_quarantined; /* when it was parked: only its coming into it is news */
    int want_receipt;
    uint8_t *bytes; /* of a StdinWrite not yet taken */
    size_t len;
    int eof;
    int busy;
    struct timer deadline;
    struct waiter *next;
};

int control_open(struct control *c, struct broker *b);
void control_close(struct control *c);
void control_on_message(struct control *c, struct rep_way way, const uint8_t *bytes, size_t len);
void control_on_peer(struct control *c, uint32_t peer, int arrived);

/* Answers a request; each gets one answer. */
void control_reply(struct broker *b, struct rep_way way, const Pb__Reply *reply);
/* The same with a descriptor, which stays the caller's; -1: none. */
void control_reply_fd(struct broker *b, struct rep_way way, const Pb__Reply *reply, int fd);
__attribute__((format(printf, 4, 5))) void control_refuse(struct broker *b, struct rep_way way, Pb__ErrorCode code, const char *fmt, ...);

/* The same with what to do about it; "": nothing is known. */
__attribute__((format(printf, 5, 6))) void control_refuse_hint(struct broker *b, struct rep_way way, Pb__ErrorCode code, const char *hint,
                                                               const char *fmt, ...);
/* What a step's -errno is to a client; of those that no row has, INTERNAL. */
Pb__ErrorCode control_error_code(int rc);
/* Hangs up on all that ask by this token: what they wait for is not answered any more. */
void control_drop_who(struct control *c, const char *token_id);

/* Keeps a request until something happens to the job, or timeout_ms is over. NULL: too many are kept, and it has been answered so. */
struct waiter *control_park(struct broker *b, struct job *job, struct rep_way way, Pb__Request__BodyCase kind, uint32_t timeout_ms);

/* Something about the job changed: answers the waiters that were waiting for it. */
void control_wake(struct job *job);
/* The job has its receipt and is about to be freed: answers all its waiters, by its FINISH that is just back with status 0; NULL: from the store. */
struct store_finish;
void control_release(struct job *job, const struct store_finish *f);

#endif
