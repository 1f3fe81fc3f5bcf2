/* token_requests.c - what control.proto asks about tokens; see control_verbs.h and tokens.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin_log.h"
#include "broker/broker.h"
#include "broker/control_verbs.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* ---- as messages and rows ---- */

struct token_pb {
    Pb__Token message;
    char *scopes[ACTOR_SCOPES];
};

static void to_pb(const struct token *t, const char *secret, struct token_pb *ret)
{
    Pb__Token *m = &ret->message;

    pb__token__init(m);
    m->id = (char *)t->id;
    m->tenant = (char *)t->tenant->name;
    m->scopes = ret->scopes;
    for (int i = 0; i < ACTOR_SCOPES; i++)
        if ((t->scopes & 1u << i) != 0)
            ret->scopes[m->n_scopes++] = (char *)actor_scope_names[i];
    m->queue = (char *)t->queue;
    m->note = (char *)t->note;
    m->created_us = t->created_us;
    m->expires_us = t->expires_us;
    m->last_used_us = t->last_used_us;
    m->revoked = t->revoked;
    m->secret = (char *)secret;
}

static struct store_op *put_op(const struct token *t, const char *made_by)
{
    struct store_op *op = store_op_new(STORE_TOKEN_PUT, "");
    struct store_token *row;

    if (op == NULL)
        return NULL;
    row = &op->token;
    snprintf(row->id, sizeof(row->id), "%s", t->id);
    snprintf(row->queue, sizeof(row->queue), "%s", t->queue);
    snprintf(row->note, sizeof(row->note), "%s", t->note);
    snprintf(row->made_by, sizeof(row->made_by), "%s", made_by);
    memcpy(row->hash, t->hash, TOKEN_HASH);
    row->tenant = t->tenant->id;
    row->scopes = t->scopes;
    row->created_us = t->created_us;
    row->expires_us = t->expires_us;
    row->last_used_us = t->last_used_us;
    row->revoked = t->revoked;
    return op;
}

static void reply_token(struct broker *b, struct rep_way way, const struct token *t, const char *secret)
{
    struct token_pb pb;
    Pb__Token *list[1] = { &pb.message };
    Pb__TokenReply m = PB__TOKEN_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;

    to_pb(t, secret, &pb);
    m.n_tokens = 1;
    m.tokens = list;
    r.body_case = PB__REPLY__BODY_TOKENS;
    r.tokens = &m;
    control_reply(b, way, &r);
}

/* ---- making ---- */

static int read_scopes(const Pb__Token *m, unsigned *ret, char why[ACTOR_WHY])
{
    unsigned scopes = 0;

    for (size_t i = 0; i < m->n_scopes; i++) {
        unsigned bit = 0;

        for (int k = 0; k < ACTOR_SCOPES; k++)
            if (strcmp(m->scopes[i], actor_scope_names[k]) == 0)
                bit = 1u << k;
        if (bit == 0 || bit == ACTOR_OPERATOR) {
            snprintf(why, ACTOR_WHY, "a token's scopes are submit, read, cancel and admin, not '%.40s'", m->scopes[i]);
            return -EINVAL;
        }
        scopes |= bit;
    }
    if (scopes == 0) {
        snprintf(why, ACTOR_WHY, "a token without a scope opens nothing: name some of submit, read, cancel, admin");
        return -EINVAL;
    }
    *ret = scopes;
    return 0;
}

static bool is_queue_name(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || (unsigned char)name[i] >= 0x7f)
            return false;
    return n <= ACTOR_QUEUE;
}

/* Nobody gives what he does not have. */
static int check_gift(const struct actor *by, const struct token *t, char why[ACTOR_WHY])
{
    const char *lacks = actor_lacks(by, t->scopes);

    if (lacks != NULL) {
        snprintf(why, ACTOR_WHY, "a token with the scope %s is made by somebody who has it", lacks);
        return -EPERM;
    }
    if ((t->scopes & ACTOR_ADMIN) != 0 && t->queue[0] != '\0') {
        snprintf(why, ACTOR_WHY, "admin is of a whole tenant, and not of a queue");
        return -EINVAL;
    }
    return 0;
}

/* Nor for longer: what a token that ends makes ends with it, or before. */
static int check_end(const struct actor *by, struct token *t, char why[ACTOR_WHY])
{
    uint64_t last = by->token != NULL ? by->token->expires_us : 0;

    if (last == 0 || (t->expires_us != 0 && t->expires_us <= last))
        return 0;
    if (t->expires_us == 0) {
        t->expires_us = last;
        return 0;
    }
    snprintf(why, ACTOR_WHY, "a token expires no later than the one that makes it");
    return -EPERM;
}

static int read_token(struct control_call *c, const Pb__Token *m, struct token *ret, char why[ACTOR_WHY])
{
    struct tenant *t = m->tenant[0] == '\0' ? c->actor.tenant : tenants_named(&c->broker->tenants, m->tenant);
    uint64_t now = loop_wall_us();
    int rc;

    *ret = (struct token){ .tenant = t, .created_us = now, .expires_us = m->expires_us };
    if (t == NULL || t->removing || !actor_sees_tenant(&c->actor, t)) {
        snprintf(why, ACTOR_WHY, "there is no tenant %.64s", m->tenant);
        return -ENOENT;
    }
    if ((rc = read_scopes(m, &ret->scopes, why)) != 0)
        return rc;
    if (!is_queue_name(m->queue)) {
        snprintf(why, ACTOR_WHY, "a queue's name has at most %d printable letters", ACTOR_QUEUE);
        return -EINVAL;
    }
    if (strlen(m->note) > TOKEN_NOTE) {
        snprintf(why, ACTOR_WHY, "a note has at most %d bytes", TOKEN_NOTE);
        return -EINVAL;
    }
    if (m->expires_us != 0 && m->expires_us <= now) {
        snprintf(why, ACTOR_WHY, "that token would have expired already");
        return -EINVAL;
    }
    strcpy(ret->queue, m->queue);
    strcpy(ret->note, m->note);
    rc = check_gift(&c->actor, ret, why);
    return rc != 0 ? rc : check_end(&c->actor, ret, why);
}

/* A token that is being made: in the table only when it is on disk. */
struct making {
    struct token token;
    char replaces[TOKEN_ID + 1]; /* "": none */
    uint64_t replaced_ends_us;
};

static void answer_made(struct admin_act *a, int status)
{
    struct making *m = a->thing;
    struct broker *b = a->broker;
    struct token *t;

    tokens_end_making(&b->tokens, m->token.tenant);
    t = status == 0 ? tokens_add(&b->tokens, &m->token) : NULL;
    if (t != NULL)
        reply_token(b, a->way, t, a->secret);
    else
        control_refuse(b, a->way, ER(TEMPORARY), "the token was not made: %s", strerror(status != 0 ? -status : ENOMEM));
    free(m);
}

/* The old one ends when the new one is there for certain, and not before. */
static void answer_rotated(struct admin_act *a, int status)
{
    struct making *m = a->thing;
    struct broker *b = a->broker;
    struct token *old = tokens_find(&b->tokens, m->replaces);
    struct store_op *op;

    if (status == 0 && old != NULL) {
        if (old->expires_us == 0 || old->expires_us > m->replaced_ends_us)
            old->expires_us = m->replaced_ends_us;
        op = put_op(old, a->record.actor);
        if (op != NULL)
            store_push(b->store, op);
        if (!token_is_good(old, loop_wall_us()))
            control_drop_who(&b->control, old->id);
    }
    answer_made(a, status);
}

static void push_made(struct control_call *c, struct making *m, struct admin_act *a)
{
    struct store_op *op = put_op(&m->token, c->actor.name);

    a->thing = m;
    if (op != NULL) {
        admin_act_push(a, op);
        return;
    }
    answer_made(a, -ENOMEM);
    admin_act_free(a);
}

static void drop_making(struct control_call *c, struct making *m)
{
    tokens_end_making(&c->broker->tokens, m->token.tenant);
    free(m);
}

static struct making *begin_making(struct control_call *c, const struct token *as, char text[TOKEN_TEXT + 1])
{
    struct making *m = calloc(1, sizeof(*m));
    char why[ACTOR_WHY];

    if (m == NULL) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return NULL;
    }
    if (tokens_begin_making(&c->broker->tokens, as->tenant, loop_wall_us(), why) != 0) {
        control_refuse(c->broker, c->way, ER(QUOTA), "%s", why);
        free(m);
        return NULL;
    }
    m->token = *as;
    if (token_make(text, m->token.id, m->token.hash) != 0) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "no random numbers are to be had");
        drop_making(c, m);
        return NULL;
    }
    return m;
}

static void put_scopes(unsigned scopes, char *ret, size_t size)
{
    ret[0] = '\0';
    for (int i = 0; i < ACTOR_SCOPES; i++)
        if ((scopes & 1u << i) != 0) {
            strncat(ret, ret[0] != '\0' ? "," : "", size - strlen(ret) - 1);
            strncat(ret, actor_scope_names[i], size - strlen(ret) - 1);
        }
}

void verb_token_create(struct control_call *c)
{
    char why[ACTOR_WHY] = "", text[TOKEN_TEXT + 1] = "", scopes[64];
    struct token token;
    struct making *m;
    struct admin_act *a;
    int rc = c->request->token_create->token == NULL ? -EINVAL : read_token(c, c->request->token_create->token, &token, why);

    if (rc != 0) {
        control_refuse(c->broker, c->way,
                       rc == -ENOENT  ? ER(NOT_FOUND)
                       : rc == -EPERM ? ER(PERMISSION)
                                      : ER(USAGE),
                       "%s", why[0] != '\0' ? why : "a request without a token");
        return;
    }
    m = begin_making(c, &token, text);
    if (m == NULL)
        return;
    put_scopes(token.scopes, scopes, sizeof(scopes));
    a = admin_act_new(c, "token.create", m->token.id, token.tenant->id, "tenant=%s scopes=%s queue=%s expires_us=%llu", token.tenant->name,
                      scopes, token.queue, (unsigned long long)token.expires_us);
    if (a != NULL) {
        memcpy(a->secret, text, sizeof(text));
        a->answer = answer_made;
        push_made(c, m, a);
    } else {
        drop_making(c, m);
    }
    explicit_bzero(text, sizeof(text));
}

/* ---- those that are there ---- */

/* One that this actor may deal with; else it is answered as one that is not there. */
static struct token *find_seen(struct control_call *c, const char *id)
{
    struct token *t = tokens_find(&c->broker->tokens, id);

    if (t != NULL && actor_sees_tenant(&c->actor, t->tenant))
        return t;
    control_refuse(c->broker, c->way, ER(NOT_FOUND), "there is no token %.32s", id);
    return NULL;
}

static uint64_t life_from(uint64_t now, uint64_t life)
{
    return life > UINT64_MAX - now ? UINT64_MAX : now + life;
}

void verb_token_rotate(struct control_call *c)
{
    const Pb__TokenRotate *q = c->request->token_rotate;
    struct token *old = find_seen(c, q->id), token;
    char text[TOKEN_TEXT + 1] = "", why[ACTOR_WHY] = "its tenant is being removed";
    uint64_t now = loop_wall_us();
    struct making *m;
    struct admin_act *a;

    if (old == NULL)
        return;
    if (!token_is_good(old, now)) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "token %s is %s; make another", old->id, old->revoked ? "revoked" : "expired");
        return;
    }
    token = *old;
    token.created_us = now;
    token.last_used_us = 0;
    if (old->expires_us != 0) /* it lives as long as the old one was to */
        token.expires_us = life_from(now, old->expires_us - old->created_us);
    if (c->actor.token != NULL && c->actor.token->expires_us != 0 && token.expires_us > c->actor.token->expires_us)
        token.expires_us = c->actor.token->expires_us; /* but not longer than whoever asks for it */
    if (old->tenant->removing || check_gift(&c->actor, &token, why) != 0 || check_end(&c->actor, &token, why) != 0) {
        control_refuse(c->broker, c->way, ER(PERMISSION), "%s", why);
        return;
    }
    m = begin_making(c, &token, text);
    if (m == NULL)
        return;
    strcpy(m->replaces, old->id);
    m->replaced_ends_us = life_from(now, q->overlap_us);
    a = admin_act_new(c, "token.rotate", old->id, old->tenant->id, "new=%s overlap_us=%llu", m->token.id,
                      (unsigned long long)q->overlap_us);
    if (a != NULL) {
        memcpy(a->secret, text, sizeof(text));
        a->answer = answer_rotated;
        push_made(c, m, a);
    } else {
        drop_making(c, m);
    }
    explicit_bzero(text, sizeof(text));
}

static void answer_revoked(struct admin_act *a, int status)
{
    const struct token *t = tokens_find(&a->broker->tokens, a->record.object);

    if (status != 0)
        control_refuse(
            a->broker, a->way, ER(TEMPORARY),
            "token %s is refused from now on, but that could not be stored (%s): a new broker would take it; revoke it again later",
            a->record.object, strerror(-status));
    else if (t != NULL)
        reply_token(a->broker, a->way, t, "");
    else
        control_refuse(a->broker, a->way, ER(NOT_FOUND), "there is no token %.32s", a->record.object);
    control_drop_who(&a->broker->control, a->record.object); /* what they wait for is not answered any more */
}

void verb_token_revoke(struct control_call *c)
{
    struct token *t = find_seen(c, c->request->token_revoke->id);
    struct store_op *op;
    struct admin_act *a;

    if (t == NULL)
        return;
    t->revoked = true; /* now, whatever the disk says */
    a = admin_act_new(c, "token.revoke", t->id, t->tenant->id, "tenant=%s", t->tenant->name);
    if (a == NULL)
        return;
    a->answer = answer_revoked;
    op = put_op(t, c->actor.name);
    if (op != NULL) {
        admin_act_push(a, op);
    } else {
        answer_revoked(a, -ENOMEM);
        admin_act_free(a);
    }
}

void verb_token_ls(struct control_call *c)
{
    const char *name = c->request->token_ls->tenant;
    bool all = strcmp(name, "*") == 0;
    const struct tenant *of = name[0] == '\0' ? c->actor.tenant : all ? NULL : tenants_named(&c->broker->tenants, name);
    size_t max = HASH_COUNT(c->broker->tokens.by_id), n = 0;
    struct token_pb *pb = calloc(max + 1, sizeof(*pb));
    Pb__Token **pointers = calloc(max + 1, sizeof(Pb__Token *));
    Pb__TokenReply m = PB__TOKEN_REPLY__INIT;
    Pb__Reply r = PB__REPLY__INIT;

    if (!all && (of == NULL || !actor_sees_tenant(&c->actor, of))) {
        control_refuse(c->broker, c->way, ER(NOT_FOUND), "there is no tenant %.64s", name);
    } else if (pb == NULL || pointers == NULL) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
    } else {
        for (const struct token *t = c->broker->tokens.by_id; t != NULL; t = t->hh.next) {
            if (all ? !actor_sees_tenant(&c->actor, t->tenant) : t->tenant != of)
                continue;
            to_pb(t, "", &pb[n]);
            pointers[n] = &pb[n].message;
            n++;
        }
        m.n_tokens = n;
        m.tokens = pointers;
        r.body_case = PB__REPLY__BODY_TOKENS;
        r.tokens = &m;
        control_reply(c->broker, c->way, &r);
    }
    free(pb);
    free(pointers);
}
