/*
 * tokens.h - what stands in for a user who is not local: an id that may be shown, and a secret of which only a hash is kept.
 *
 * Side:    broker, main thread. A presented token is a stranger's bytes.
 * Text:    "ID.SECRET", 16 and 64 hexadecimal digits, lower case. The hash is SHA-256("coop token 1\n" ID "." SECRET): the secret is 32
 *          random bytes, so that nothing slower is needed, and the id is the salt.
 * Compare: in constant time, and a token that does not exist costs the same.
 * Owned:   the table owns its tokens; a pointer is good until control returns to the loop.
 */
#ifndef BROKER_TOKENS_H
#define BROKER_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include <uthash.h>

#include "broker/actor.h"

struct broker;
struct tenant;

#define TOKEN_ID     16
#define TOKEN_SECRET 64
#define TOKEN_TEXT   (TOKEN_ID + 1 + TOKEN_SECRET)
#define TOKEN_HASH   32
#define TOKEN_NOTE   128
#define TOKENS_MAX   100000 /* in all */
#define TOKENS_OF    1000   /* of a tenant and all below it, those that have ended and are remembered included */
#define TOKENS_OLD_US (UINT64_C(30) * 86400 * 1000000) /* one that ended so long ago is forgotten at the next start */

struct token {
    char id[TOKEN_ID + 1];
    uint8_t hash[TOKEN_HASH];
    struct tenant *tenant;
    unsigned scopes; /* enum actor_scope */
    char queue[ACTOR_QUEUE + 1];
    char note[TOKEN_NOTE + 1];
    uint64_t created_us, expires_us, last_used_us; /* wall clock; expires 0: never */
    bool revoked;
    UT_hash_handle hh;
};

struct tokens {
    struct broker *broker;
    struct token *by_id;
    unsigned making; /* their commits are under way: each has its place already */
    unsigned skipped;
};

void tokens_init(struct tokens *t, struct broker *b);
int tokens_load(struct tokens *t); /* after tenants_load() */
void tokens_finish(struct tokens *t);

/* The token that this text is, when it may be used at wall_us; NULL: it is none, whatever the reason. */
struct token *tokens_check(struct tokens *t, const char *text, uint64_t wall_us);
struct token *tokens_find(struct tokens *t, const char *id);

bool token_is_good(const struct token *token, uint64_t wall_us); /* neither revoked nor expired */
/*
 * A place for one that is to be made: taken before its commit begins, given back by tokens_end_making(). Where there is none, the oldest one of
 * the tenant that has ended is forgotten for it. -EDQUOT: all of them are good; why says whose.
 */
int tokens_begin_making(struct tokens *t, struct tenant *of, uint64_t wall_us, char why[ACTOR_WHY]);
void tokens_end_making(struct tokens *t, struct tenant *of);
/* Put in place when its commit is back: before, nobody knows it. NULL: too many, or no memory. */
struct token *tokens_add(struct tokens *t, const struct token *as);
unsigned tokens_good_of(const struct tokens *t, const struct tenant *of, uint64_t wall_us);
void tokens_drop_of(struct tokens *t, const struct tenant *of); /* the tenant is going */

/* A new id and secret. ret_text: TOKEN_TEXT + 1 bytes, to be wiped by the caller. -EIO: no random numbers. */
int token_make(char *ret_text, char ret_id[TOKEN_ID + 1], uint8_t ret_hash[TOKEN_HASH]);
void token_hash(const char *text, uint8_t ret[TOKEN_HASH]); /* text: TOKEN_TEXT bytes of the right form */

#endif
