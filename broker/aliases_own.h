/*
 * aliases_own.h - what aliases.c (what is offered to whom) and alias_calls.c (calls, and who answers them) share; nobody else includes it.
 *
 * Side:    broker.
 */
#ifndef BROKER_ALIASES_OWN_H
#define BROKER_ALIASES_OWN_H

#include <stdbool.h>

#include <uthash.h>

#include "broker/aliases.h"
#include "broker/asks.h"

/* One function. */
struct alias {
    struct thing thing; /* its name is the function's */
    struct alias_desk *desk;
    char interp[ULID_LEN + 1]; /* to which it was offered */
};

/* All that a parent offers to one interpreter. Each keeps its alias alive by a handle that is nobody's: what the child has is derived from
 * it. */
struct alias_offers {
    struct alias_desk *desk; /* NULL: the parent has gone */
    char interp[ULID_LEN + 1];
    uint32_t number; /* of the interpreter's handle in the parent's table, as it was last seen; 0: not known */
    struct alias_offers *next, *prev;
    size_t n;
    struct handle *roots[];
};

/* A call that has not been answered. */
struct alias_call {
    struct alias *alias;
    struct ask *ask; /* the caller's */
    uint64_t number; /* of the invocation; 0: nobody has pulled it yet */
    uint64_t begun_at;
    struct alias_call *next, *prev;
    UT_hash_handle hh;
};

/* The parent's side. It is the asker's until that has gone, and then its aliases'. */
struct alias_desk {
    struct asker *server;  /* NULL: gone */
    char id[ULID_LEN + 1]; /* of the interpreter that it is; "": a host program */
    unsigned refs;
    struct alias_offers *offers;
    struct alias_call *first, *last; /* that nobody has pulled, the oldest first */
    struct alias_call *pulled;       /* by number */
    struct ask *nexts, *last_next;   /* AliasNext that wait, the oldest first */
    unsigned open;
    uint64_t last_number;
};

/* The asker's own, made when it is first wanted. NULL: no memory. */
struct alias_desk *alias_desk_of(struct asker *server);
/* An interpreter that the asker offers something to; -1 with why. */
int alias_find_offers(struct ask *a, const Pb__Ref *r, struct alias_offers **ret, struct call_why *why);
/* Who waits for calls of this one waits for nothing. */
void alias_end_nexts(struct alias_desk *d, const struct alias_offers *o);
/* Its parent has gone: calls that wait, then those that it has begun. */
void alias_fail_calls(struct alias_desk *d);

#endif
