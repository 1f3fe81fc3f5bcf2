/*
 * asks.h - who asks the broker for something, what they have asked and not been answered, and the way back.
 *
 * Side:    broker. An asker is a worker (hostile) or a connection of a host program.
 * Rules:   an apply of broker/calls.c does exactly one of three things with its ask: ask_reply() (or ask_fail(), ask_done()), or
 *          ask_park(). After a reply the ask is gone.
 * Bounded: ASKS_OPEN for each asker, and what those hold of it, in bytes; calls that never wait (calls.h) are answered beyond that too.
 *          Answers that a worker does not read: LINK_ANSWERS_MAX, then it is retired.
 */
#ifndef BROKER_ASKS_H
#define BROKER_ASKS_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/handles.h"
#include "broker/loop.h"
#include "broker/rep_socket.h"
#include "calls.pb-c.h"

#define ASKS_OPEN       2048
#define ASKS_BYTES      (16u << 20) /* of a worker */
#define ASKS_BYTES_HOST (64u << 20)
#define ASK_NEVER       UINT64_MAX

struct actor;
struct broker;
struct estate;
struct interp;
struct worker;

struct asker {
    struct broker *broker;            /* NULL: not in use */
    struct worker *worker;            /* NULL: a host program */
    uint32_t peer;                    /* its connection */
    struct estate *estate;            /* whose it is: of its job's tenant, or of that of a connection's first ask; NULL: nobody asked yet */
    unsigned scopes;                  /* of a host program, with this ask: actor.h */
    bool operates;                    /* a host program's that sees the things of all tenants */
    struct handle *handles, *granted; /* granted: those with a name, a list */
    unsigned n_handles;
    uint32_t last_handle;
    struct ask *asks;
    unsigned open;
    size_t bytes;               /* of the messages that they were, at most ASKS_BYTES */
    struct ask *handling;       /* its apply is running */
    struct alias_desk *aliases; /* aliases.c: functions that it serves; NULL: none so far */
    struct interp *interps;     /* a host program's: those of its session, list */
    struct queue_user *queues;  /* queues.h; NULL: it has had nothing to do with any */
    struct buffer *buffers;     /* that it has made, list; n_buffers of them, with buffer_bytes together */
    unsigned n_buffers;
    uint64_t buffer_bytes;
    bool gone;    /* no answer reaches it any more */
    bool overrun; /* it does not read: end is armed */
    struct timer end;
};

enum ask_end {
    ASK_TIMED_OUT, /* reply something */
    ASK_CANCELLED, /* reply something, or let it be: the rest of the asks module answers INTERRUPTED when on_end did not */
    ASK_REVOKED,   /* the handle through which it waits was revoked: reply, or let it be, then it is answered as REVOKED */
    ASK_GONE,      /* the asker has gone: only let go of what the ask holds */
};

struct ask {
    struct asker *by;
    uint64_t number;
    const struct call_row *row; /* NULL: no such call */
    struct rep_way way;
    const Pb__Ask *message; /* during apply only; NULL once it is parked */
    bool parked, ending;
    struct timer deadline;
    /* Unlinks it from what it waits for, and replies where the end asks for it. Never frees the ask itself. */
    void (*on_end)(struct ask *a, enum ask_end end);
    void *thing;                            /* what it waits for; whose on_end it is says what */
    uint64_t word;                          /* the same's, as it likes */
    struct ask *next, *prev;                /* list of what it waits for */
    struct ask *through_next, **through_at; /* list of those that wait through the same handle; at NULL: in none */
    struct parcel *parcels;                 /* its own, n_parcels of them; freed with it */
    unsigned n_parcels;
    size_t bytes;
    int32_t fd; /* a descriptor that came with it; -1: none. Taken by whoever sets it to -1, else closed */
    UT_hash_handle hh;
};

void asker_init(struct asker *a, struct broker *b, struct worker *w, uint32_t peer);
/* The asker is over: its asks end as GONE, its handles are dropped. Harmless on one that never was. */
void asker_finish(struct asker *a);

/*
 * Whoever asks on this connection: before each of its asks. 0; -1 with why: NOT_ALLOWED, a connection is of the tenant that asked on it first, or a
 * token of one queue; TEMPORARY. Then asks_refuse().
 */
int asker_bind(struct asker *a, const struct actor *actor, struct call_why *why);
/* Answers an ask that is not even looked at: 0, or -EPROTO. fd as below. */
int asks_refuse(struct asker *a, struct rep_way way, const Pb__Ask *m, int fd, const struct call_why *why);

/* One ask as it came. 0, or -EPROTO: a worker that lies. fd: what came along, or -1; it is taken. */
int asks_receive(struct asker *a, struct rep_way way, const Pb__Ask *m, int fd);

/* Answers; number and way are filled in. fd stays the caller's; -1: none. The ask is freed. */
void ask_reply(struct ask *a, Pb__Answer *m);
void ask_reply_fd(struct ask *a, Pb__Answer *m, int fd);
void ask_done(struct ask *a);
__attribute__((format(printf, 3, 4))) void ask_fail(struct ask *a, Pb__CallError error, const char *fmt, ...);
void ask_fail_why(struct ask *a, const struct call_why *why);
void ask_fail_with(struct ask *a, Pb__CallFailure *f);
/* Answers with a handle (consumed: given to the asker, or dropped when its table is full). */
void ask_reply_handle(struct ask *a, struct handle *h, const char *grant, int fd);

/* Keeps it. timeout_us from now, or ASK_NEVER. What is not answered at its end by on_end is answered as TIMED_OUT or INTERRUPTED. */
void ask_park(struct ask *a, uint64_t timeout_us, void (*on_end)(struct ask *a, enum ask_end end), void *thing);

/* After ask_park(): the ask depends on this handle (NULL: on none, a host program named the thing). When that is revoked, it ends as
 * ASK_REVOKED, when its holder drops it, as ASK_CANCELLED. */
void ask_through(struct ask *a, struct handle *h);
/* For handle_tree.c: into another such list, and out; and the end of all that are in one. */
void ask_join(struct ask *a, struct ask **list);
void ask_leave(struct ask *a);
void asks_end_revoked(struct ask **list, enum ask_end how);

/* Whether an answer of so many bytes would be read soon; when not, take nothing out of a queue for it. */
bool ask_has_room(const struct ask *a, size_t bytes);
/* How many bytes its asker has ever been sent, and how many of them have gone out. */
void asker_sent(const struct asker *a, uint64_t *ret_put, uint64_t *ret_sent);
/* The number of an open ask; NULL: none. */
struct ask *ask_find(const struct asker *a, uint64_t number);

#endif
