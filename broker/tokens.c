/* tokens.c - see tokens.h. */
#include "broker/tokens.h"

#include <errno.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker/broker.h"
#include "log.h"

_Static_assert(TOKEN_HASH == SHA256_DIGEST_LENGTH, "the hash of a token is a SHA-256");
_Static_assert(TOKEN_HASH == STORE_HASH, "and the store keeps it");

enum { USED_AGAIN_US = 60000000 }; /* when it was used last is written down once in so long */

/* ---- text ---- */

static bool is_hex(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

static bool is_token(const char *text)
{
    return strnlen(text, TOKEN_TEXT + 1) == TOKEN_TEXT && is_hex(text, TOKEN_ID) && text[TOKEN_ID] == '.' &&
           is_hex(text + TOKEN_ID + 1, TOKEN_SECRET);
}

void token_hash(const char *text, uint8_t ret[TOKEN_HASH])
{
    static const char what[] = "coop token 1\n";
    SHA2_CTX sha;

    SHA256Init(&sha);
    SHA256Update(&sha, (const uint8_t *)what, sizeof(what) - 1);
    SHA256Update(&sha, (const uint8_t *)text, TOKEN_TEXT);
    SHA256Final(ret, &sha);
    explicit_bzero(&sha, sizeof(sha));
}

int token_make(char *ret_text, char ret_id[TOKEN_ID + 1], uint8_t ret_hash[TOKEN_HASH])
{
    uint8_t random[(TOKEN_ID + TOKEN_SECRET) / 2];

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return -EIO;
    for (size_t i = 0, at = 0; i < sizeof(random); i++, at += 2) {
        if (at == TOKEN_ID)
            ret_text[at++] = '.';
        snprintf(ret_text + at, 3, "%02x", random[i]);
    }
    explicit_bzero(random, sizeof(random));
    memcpy(ret_id, ret_text, TOKEN_ID);
    ret_id[TOKEN_ID] = '\0';
    token_hash(ret_text, ret_hash);
    return 0;
}

/* Takes as long wherever they differ. */
static bool is_same(const uint8_t *a, const uint8_t *b)
{
    volatile uint8_t differ = 0;

    for (int i = 0; i < TOKEN_HASH; i++)
        differ |= a[i] ^ b[i];
    return differ == 0;
}

/* ---- the table ---- */

struct token *tokens_find(struct tokens *t, const char *id)
{
    struct token *token;

    HASH_FIND_STR(t->by_id, id, token);
    return token;
}

bool token_is_good(const struct token *token, uint64_t wall_us)
{
    return !token->revoked && (token->expires_us == 0 || wall_us < token->expires_us);
}

/* Written down by the way, and not for each request. */
static void note_use(struct tokens *t, struct token *token, uint64_t wall_us)
{
    struct store_op *op;

    if (wall_us < token->last_used_us + USED_AGAIN_US && wall_us >= token->last_used_us)
        return;
    token->last_used_us = wall_us;
    op = t->broker->store != NULL ? store_op_new(STORE_TOKEN_USED, "") : NULL;
    if (op == NULL)
        return;
    strcpy(op->token.id, token->id);
    op->token.last_used_us = wall_us;
    store_push(t->broker->store, op);
}

struct token *tokens_check(struct tokens *t, const char *text, uint64_t wall_us)
{
    static const uint8_t nobody[TOKEN_HASH];
    char id[TOKEN_ID + 1] = "";
    uint8_t hash[TOKEN_HASH];
    struct token *token;
    bool same;

    if (!is_token(text))
        return NULL;
    memcpy(id, text, TOKEN_ID);
    token = tokens_find(t, id);
    token_hash(text, hash);
    same = is_same(hash, token != NULL ? token->hash : nobody);
    if (!same || token == NULL || !token_is_good(token, wall_us))
        return NULL;
    note_use(t, token, wall_us);
    return token;
}

static void count(struct tenant *of, int by)
{
    for (; of != NULL; of = of->parent)
        of->tokens += (unsigned)by;
}

struct token *tokens_add(struct tokens *t, const struct token *as)
{
    struct token *token = HASH_COUNT(t->by_id) < TOKENS_MAX && tokens_find(t, as->id) == NULL ? malloc(sizeof(*token)) : NULL;

    if (token == NULL)
        return NULL;
    *token = *as;
    memset(&token->hh, 0, sizeof(token->hh));
    HASH_ADD_STR(t->by_id, id, token);
    count(token->tenant, 1);
    return token;
}

static void drop(struct tokens *t, struct token *token)
{
    count(token->tenant, -1);
    HASH_DEL(t->by_id, token);
    free(token);
}

void tokens_drop_of(struct tokens *t, const struct tenant *of)
{
    struct token *token, *next;

    HASH_ITER (hh, t->by_id, token, next)
        if (token->tenant == of)
            drop(t, token);
}

/* ---- places for new ones ---- */

static void remove_stored(struct tokens *t, const char *id)
{
    struct store_op *op = t->broker->store != NULL ? store_op_new(STORE_TOKEN_REMOVE, "") : NULL;

    if (op == NULL)
        return; /* the next start forgets it */
    strcpy(op->token.id, id);
    store_push(t->broker->store, op);
}

/* The one that has ended and was made first, below of; of NULL: of all. The table is in the order of making. */
static bool forget_ended(struct tokens *t, const struct tenant *of, uint64_t wall_us)
{
    for (struct token *token = t->by_id; token != NULL; token = token->hh.next)
        if (!token_is_good(token, wall_us) && (of == NULL || tenant_is_within(token->tenant, of))) {
            remove_stored(t, token->id);
            drop(t, token);
            return true;
        }
    return false;
}

int tokens_begin_making(struct tokens *t, struct tenant *of, uint64_t wall_us, char why[ACTOR_WHY])
{
    for (const struct tenant *above = of; above != NULL; above = above->parent)
        if (above->tokens >= TOKENS_OF && !forget_ended(t, above, wall_us)) {
            snprintf(why, ACTOR_WHY, "tenant %s has %d tokens with those below it, the most there may be; revoke some", above->name, TOKENS_OF);
            return -EDQUOT;
        }
    if (HASH_COUNT(t->by_id) + t->making >= TOKENS_MAX && !forget_ended(t, NULL, wall_us)) {
        snprintf(why, ACTOR_WHY, "there are %d tokens, the most there may be", TOKENS_MAX);
        return -EDQUOT;
    }
    t->making++;
    of->tokens_making++;
    count(of, 1);
    return 0;
}

void tokens_end_making(struct tokens *t, struct tenant *of)
{
    t->making--;
    of->tokens_making--;
    count(of, -1);
}

unsigned tokens_good_of(const struct tokens *t, const struct tenant *of, uint64_t wall_us)
{
    unsigned n = 0;

    for (const struct token *token = t->by_id; token != NULL; token = token->hh.next)
        n += token->tenant == of && token_is_good(token, wall_us);
    return n;
}

/* ---- life ---- */

void tokens_init(struct tokens *t, struct broker *b)
{
    *t = (struct tokens){ .broker = b };
}

/* It ended, as far as can be told from its row, so long ago that nobody asks any more. */
static bool is_old(const struct store_token *row, uint64_t wall_us)
{
    uint64_t last = row->last_used_us > row->created_us ? row->last_used_us : row->created_us;

    if (row->expires_us != 0 && row->expires_us < wall_us)
        return wall_us - row->expires_us > TOKENS_OLD_US;
    return row->revoked && last < wall_us && wall_us - last > TOKENS_OLD_US;
}

/* Whatever is wrong with one of them, the broker begins: who has it logs in no more, and everybody else does. */
static int load_one(void *ctx, const struct store_token *row)
{
    struct tokens *t = ctx;
    struct token token = { .tenant = tenants_of_job(&t->broker->tenants, row->tenant),
                           .scopes = row->scopes & (ACTOR_ALL & ~(unsigned)ACTOR_OPERATOR),
                           .created_us = row->created_us,
                           .expires_us = row->expires_us,
                           .last_used_us = row->last_used_us,
                           .revoked = row->revoked };

    if (strlen(row->id) != TOKEN_ID || token.tenant == NULL)
        return 0; /* of a tenant that is not there: it opens nothing */
    if (is_old(row, loop_wall_us())) {
        remove_stored(t, row->id);
        return 0;
    }
    strcpy(token.id, row->id);
    memcpy(token.hash, row->hash, TOKEN_HASH);
    snprintf(token.queue, sizeof(token.queue), "%s", row->queue);
    snprintf(token.note, sizeof(token.note), "%s", row->note);
    t->skipped += tokens_add(t, &token) == NULL;
    return 0;
}

int tokens_load(struct tokens *t)
{
    int rc = store_each_token(t->broker->store, load_one, t);

    if (t->skipped > 0)
        log_event(LOG_LEVEL_WARN, "tokens_skipped", "n=%u why=\"more than %d, or no memory\" lost=\"logins with them\"", t->skipped, TOKENS_MAX);
    return rc;
}

void tokens_finish(struct tokens *t)
{
    struct token *token, *next;

    HASH_ITER (hh, t->by_id, token, next) {
        HASH_DEL(t->by_id, token);
        free(token);
    }
}
