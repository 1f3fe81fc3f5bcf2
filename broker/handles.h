/*
 * handles.h - capabilities: things (interpreters, queues, buffers, aliases, key prefixes), the handles that are held of them, and parcels,
 * in which handles travel.
 *
 * Side:    broker. A worker can name a thing only by a number in its own table; numbers are never given twice. A host program may also name
 *          one of its tenant's by its id or name; an operator any by its id.
 * Tenants: each thing is one tenant's (estate.h). A name is unique among those of a tenant and a kind. One of another is answered as one that is not
 *          there, and no handle of it comes to anybody but an operator, who cannot hand it on to a third.
 * Derived: a handle that was made from another (handed over, attenuated) stands below it in a tree, with no right that it has not. Revoking
 *          one ends all below it, wherever they are, in a queue too, and the asks that wait through them (ask_through() of asks.h); when
 *          one is only dropped, those below it stay, below what it was derived from.
 * Owned:   a thing lives as long as somebody holds a reference; thing_unref() frees it by its ops. A handle belongs to its holder's table
 *          or to its parcel.
 * Bounded: HANDLES_MAX for each holder, tombstones of revoked ones included; and less than one more for each, that ties together what was
 *          derived from one that is gone. Giving, dropping and revoking take time for what they end, not for what stays.
 * Returns: 0 or -1 with why filled in.
 */
#ifndef BROKER_HANDLES_H
#define BROKER_HANDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "calls.pb-c.h"
#include "job_limits.h"
#include "ulid.h"

struct ask;
struct asker;
struct broker;
struct estate;

#define HANDLES_MAX   4096
#define RIGHTS_INTERP (PB__RIGHT__RIGHT_CALL | PB__RIGHT__RIGHT_MANAGE | PB__RIGHT__RIGHT_GRANT)
#define RIGHTS_QUEUE  (PB__RIGHT__RIGHT_SEND | PB__RIGHT__RIGHT_RECV | PB__RIGHT__RIGHT_MANAGE | PB__RIGHT__RIGHT_GRANT)
#define RIGHTS_BUFFER (PB__RIGHT__RIGHT_READ | PB__RIGHT__RIGHT_WRITE | PB__RIGHT__RIGHT_GRANT)
#define RIGHTS_ALIAS  (PB__RIGHT__RIGHT_CALL | PB__RIGHT__RIGHT_GRANT)
#define RIGHTS_KV     (PB__RIGHT__RIGHT_READ | PB__RIGHT__RIGHT_WRITE | PB__RIGHT__RIGHT_GRANT)

/* Why a call fails, as it is answered. */
struct call_why {
    Pb__CallError error;
    char message[256];
    char path[64];
};
/* Fills why in; returns -1, so that a refusal is one statement. */
__attribute__((format(printf, 3, 4))) int call_refuse(struct call_why *why, Pb__CallError error, const char *fmt, ...);

struct thing;
struct thing_ops {
    void (*free)(struct thing *t);                                /* the last reference has gone */
    int (*may_pass)(const struct thing *t, struct call_why *why); /* may it be handed over now? NULL: always */
    uint64_t (*bytes)(const struct thing *t);                     /* for Handle.bytes; NULL: 0 */
    /* Its last handle has gone, while others may still have references. NULL: nothing happens. */
    void (*unheld)(struct thing *t);
};

/* By which it is found by name; no byte between the two, nor behind the name. */
struct thing_key {
    uint64_t tenant;
    char name[LIMITS_NAME + 1];
};

/* First member of every thing. */
struct thing {
    const struct thing_ops *ops;
    struct broker *broker;
    struct estate *estate; /* whose it is; a reference */
    Pb__Kind kind;
    char id[ULID_LEN + 1];
    union {
        struct {
            uint64_t tenant;            /* the estate's */
            char name[LIMITS_NAME + 1]; /* "": none; unique among the registered things of a tenant and a kind */
        };
        struct thing_key key;
    };
    bool registered;      /* found by id and by name */
    unsigned refs, held;  /* all references; those of handles */
    struct handle *roots; /* handles that are derived from none */
    UT_hash_handle by_id;
    UT_hash_handle by_name;
};

struct handle {
    struct thing *thing;  /* NULL: revoked */
    struct asker *holder; /* NULL: in a parcel */
    uint32_t number;      /* in its holder's table */
    uint32_t rights;
    Pb__Kind kind;
    bool ghost;                                 /* of the tree's own: nobody's, several were derived from what it was */
    char *prefix;                               /* of KIND_KV: its keys; NULL: "" */
    char *grant;                                /* the name it was given by; NULL: none */
    struct handle *granted_next, *granted_prev; /* those of its holder that have a name */
    struct handle *above, *first;               /* derived from; the first of those derived from this */
    struct handle *next, *prev;                 /* derived from the same */
    struct ask *asks;                           /* that wait through it */
    UT_hash_handle hh;
};

/* ---- things ---- */

uint32_t thing_all_rights(Pb__Kind kind);
const char *thing_kind_word(Pb__Kind kind); /* "interpreter" */

struct things { /* of a broker: one for each kind */
    struct thing *by_id, *by_name;
};
#define THING_KINDS 6 /* above the last Pb__Kind */

/* One reference, the caller's. Makes an id. */
void thing_init(struct thing *t, struct estate *e, Pb__Kind kind, const struct thing_ops *ops);
/* -EEXIST: another of the tenant's of this kind has the name. From now on host programs find it. */
int thing_register(struct thing *t, const char *name);
void thing_unregister(struct thing *t); /* harmless when it is not */
struct thing *thing_ref(struct thing *t);
void thing_unref(struct thing *t); /* NULL is nothing */
/* One of the estate's, by name or id (whole, or its first 8 characters and more). NULL: none, or several begin so. */
struct thing *thing_find(const struct estate *e, Pb__Kind kind, const char *text);
/* What an asker may name: the same of its own; an operator then any by its id. */
struct thing *thing_seen(const struct asker *a, Pb__Kind kind, const char *text);
bool thing_is_seen(const struct asker *a, const struct thing *t); /* for lists */
/* Ends every handle there is of it, as revoking does: the thing is over. */
void thing_revoke_all(struct thing *t);
/* The same of those that were derived from none and whose prefix begins so, with all below them. */
void thing_revoke_prefix(struct thing *t, const char *prefix);

/* ---- handles ---- */

/*
 * A handle that nobody holds yet, with its own reference to t. above: NULL for a first one, else a live handle of t; rights are cut to
 * above's, and to those that the kind has; the prefix is above's. NULL: no memory.
 */
struct handle *handle_new(struct thing *t, uint32_t rights, struct handle *above);
/* Puts it into a table; it gets its number. -1 with why LIMIT: the table is full, and the handle is still the caller's. grant: NULL or a
 * name. */
int handle_give(struct handle *h, struct asker *to, const char *grant, struct call_why *why);
/* These three may end asks, and with its last handle a thing: what a caller knew of other handles and asks may be gone when they return. */
void handle_end(struct handle *h); /* a tombstone from now on; those below it stay */
void handle_drop(
    struct handle *h); /* frees it, in a table or not; those below stay. Asks that wait through it are interrupted. NULL is nothing */
void handle_revoke(struct handle *h); /* everything below it */
/* Out of its holder's table; handle_drop() does it by itself. */
void handle_take_back(struct handle *h);
struct handle *handle_find(const struct asker *a, uint32_t number);
struct handle *handle_granted(const struct asker *a, const char *name);
unsigned handles_room(const struct asker *a); /* how many more it may hold */
void handles_finish(struct asker *a);         /* drops all of it */
/* As it is told to its holder; texts are borrowed from the thing. */
void handle_tell(const struct handle *h, Pb__Handle *ret);

/*
 * What a Ref means to this asker: the thing, with no new reference, and, when it named it by a handle, that. rights: all of these are
 * wanted. Refusals: BAD_HANDLE, REVOKED, NOT_ALLOWED, NOT_FOUND, BAD_REQUEST.
 */
int ref_find(const struct asker *a, const Pb__Ref *r, Pb__Kind kind, uint32_t rights, struct thing **ret, struct handle **ret_handle,
             struct call_why *why);

/* ---- parcels: a value on its way, the broker's own copy ---- */

struct parcel {
    uint8_t *cbor;
    size_t len;
    unsigned n_handles;
    struct handle **handles; /* theirs is the only pointer; NULL where it has been given */
    struct handle *whole;    /* the buffer in which the encoding lies; NULL: it is cbor */
};

/* Copies v, deriving a handle from each of from's that it names (RIGHT_GRANT is needed). v NULL: null. path says where: "args". On -1
 * nothing is held. to: whose its receiver is, when from may name things of others: -1 with NOT_ALLOWED for what is not that one's; NULL: who
 * receives it may see all. */
int parcel_take(struct parcel *p, const struct asker *from, const struct estate *to, const Pb__Value *v, const char *path,
                struct call_why *why);
/* How many handles its receiver needs room for, and what it takes of a bound in bytes. */
unsigned parcel_handles(const struct parcel *p);
size_t parcel_bytes(const struct parcel *p);
/* Gives its handles to their receiver and fills in ret, which is good until parcel_finish(). -1: no room, nothing was given. */
struct parcel_told {
    Pb__Value value;
    Pb__Handle *told, **list, whole;
};
int parcel_give(struct parcel *p, struct asker *to, struct parcel_told *ret, struct call_why *why);
void parcel_told_finish(struct parcel_told *t);
void parcel_finish(struct parcel *p);

#endif
