/* actor.c - see actor.h. */
#include "broker/actor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"

const char *const actor_scope_names[ACTOR_SCOPES] = { "submit", "read", "cancel", "admin", "operator" };

/* ---- who ---- */

static int find_local(struct broker *b, uint32_t uid, struct actor *a, char why[ACTOR_WHY])
{
    bool operates = uid == 0 || uid == geteuid();

    a->uid = uid;
    snprintf(a->name, sizeof(a->name), "uid:%u", uid);
    a->tenant = tenants_of_uid(&b->tenants, uid);
    if (a->tenant == NULL && operates) /* mapped to a tenant that is not there: whoever can mend that must still get in */
        a->tenant = tenants_of_job(&b->tenants, uid);
    if (a->tenant == NULL) {
        snprintf(why, ACTOR_WHY,
                 tenants_is_mapped(&b->tenants, uid) ? "no tenant for uid %u: the configuration (uid-tenant) gives it one that is not there"
                                                     : "no tenant for uid %u: there are too many of local users already",
                 uid);
        return -EDQUOT;
    }
    a->scopes = operates ? ACTOR_ALL : ACTOR_SUBMIT | ACTOR_READ | ACTOR_CANCEL;
    return 0;
}

static int find_token(struct broker *b, const char *text, struct actor *a, char why[ACTOR_WHY])
{
    struct token *token = tokens_check(&b->tokens, text, loop_wall_us());

    if (token == NULL) {
        snprintf(why, ACTOR_WHY, "this token is not valid");
        return -EACCES;
    }
    a->token = token;
    a->tenant = token->tenant;
    a->scopes = token->scopes & ~(unsigned)ACTOR_OPERATOR;
    strcpy(a->queue, token->queue);
    snprintf(a->name, sizeof(a->name), "token:%s", token->id);
    return 0;
}

int actor_find(struct broker *b, const struct rep_origin *from, const char *token, struct actor *ret, char why[ACTOR_WHY])
{
    *ret = (struct actor){ .uid = UINT32_MAX };
    if (token[0] != '\0')
        return find_token(b, token, ret, why);
    if (from->local)
        return find_local(b, from->uid, ret, why);
    snprintf(why, ACTOR_WHY, "a token is needed here");
    return -EPERM;
}

/* ---- what ---- */

bool actor_sees_tenant(const struct actor *a, const struct tenant *t)
{
    if ((a->scopes & ACTOR_OPERATOR) != 0 || t == a->tenant)
        return true;
    return (a->scopes & ACTOR_ADMIN) != 0 && tenant_is_within(t, a->tenant);
}

bool actor_sees(const struct broker *b, const struct actor *a, uint64_t tenant, const char *queue)
{
    const struct tenant *t;

    if ((a->scopes & ACTOR_OPERATOR) != 0)
        return true;
    if (a->queue[0] != '\0' && strcmp(a->queue, queue[0] != '\0' ? queue : ACTOR_DEFAULT_QUEUE) != 0)
        return false;
    t = tenants_find(&b->tenants, tenant);
    return t != NULL && actor_sees_tenant(a, t);
}

int actor_seen_tenants(const struct broker *b, const struct actor *a, uint64_t **ret, size_t *ret_n)
{
    uint64_t *ids = NULL;
    size_t n = 0;

    if (!actor_may(a, ACTOR_OPERATOR)) {
        ids = calloc(HASH_COUNT(b->tenants.by_id) + 1, sizeof(*ids));
        if (ids == NULL)
            return -ENOMEM;
        if (!actor_may(a, ACTOR_ADMIN) && a->tenant != NULL)
            ids[n++] = a->tenant->id;
        else
            for (const struct tenant *t = b->tenants.by_id; t != NULL; t = t->hh.next)
                if (actor_sees_tenant(a, t))
                    ids[n++] = t->id;
    }
    *ret = ids;
    *ret_n = n;
    return 0;
}

bool actor_may(const struct actor *a, unsigned needs)
{
    return (needs & ~a->scopes) == 0;
}

const char *actor_scope_missing(unsigned scopes, unsigned needs)
{
    for (int i = 0; i < ACTOR_SCOPES; i++)
        if ((needs & ~scopes & 1u << i) != 0)
            return actor_scope_names[i];
    return NULL;
}

const char *actor_lacks(const struct actor *a, unsigned needs)
{
    return actor_scope_missing(a->scopes, needs);
}

int actor_settle_queue(const struct actor *a, const char *asked, const char **ret_queue)
{
    if (a->queue[0] != '\0' && asked[0] != '\0' && strcmp(a->queue, asked) != 0)
        return -EPERM;
    *ret_queue = a->queue[0] != '\0' ? a->queue : asked;
    return 0;
}
