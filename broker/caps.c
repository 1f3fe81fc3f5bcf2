/* caps.c - see caps.h; and the calls that are about handles of any kind. */
#include "broker/caps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/aliases.h"
#include "broker/asks.h"
#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/kv.h"
#include "log.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name
enum { GRANT_NAME = JOB_CAP_NAME + 16 };

const struct job_caps *caps_of(const struct worker *w)
{
    static const struct job_caps none;

    return w->job != NULL ? &w->job->caps : &none;
}

int caps_need(const struct worker *w, const char *cap, struct call_why *why)
{
    const struct job_caps *c = caps_of(w);
    const struct {
        const char *name, *value;
        bool has;
    } rows[] = {
        {"interpreters", "=N",    c->interpreters > 0},
        { "queues",      "",      c->queues > 0      },
        { "buffers",     "=SIZE", c->buffer_bytes > 0},
    };
    const char *value = "";

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(rows[i].name, cap) != 0)
            continue;
        if (rows[i].has)
            return 0;
        value = rows[i].value;
    }
    return call_refuse(why, CE(NOT_ALLOWED), "the job has not the capability %s; see --cap %s%s", cap, cap, value);
}

/* ---- grants of the spec ------------------------------------------------------------------------------------------------------------ */

/* clang-format off */
static const struct {
    const char *word;
    Pb__Kind kind;
    const char *rights; /* as --cap has them */
} grant_kinds[] = {
    { "queue",  PB__KIND__KIND_QUEUE,  "send|recv|both" },
    { "interp", PB__KIND__KIND_INTERP, "call"           },
    { "kv",     PB__KIND__KIND_KV,     "ro|rw"          },
};
/* clang-format on */
enum { GRANT_KINDS = sizeof(grant_kinds) / sizeof(grant_kinds[0]) };

static const char *word_of(Pb__Kind kind)
{
    for (unsigned i = 0; i < GRANT_KINDS; i++)
        if (grant_kinds[i].kind == kind)
            return grant_kinds[i].word;
    return "?";
}

static const char *rights_of(Pb__Kind kind)
{
    for (unsigned i = 0; i < GRANT_KINDS; i++)
        if (grant_kinds[i].kind == kind)
            return grant_kinds[i].rights;
    return "?";
}

static struct thing *find_thing(struct estate *e, Pb__Kind kind, const char *name)
{
    return kind == PB__KIND__KIND_KV ? kv_thing(e) : thing_find(e, kind, name);
}

static int make_grant(struct asker *a, const struct job_grant *g, const char *grant, struct handle **ret, struct call_why *why)
{
    struct thing *t = find_thing(a->estate, g->kind, g->name);
    struct handle *h;

    if (t == NULL && g->kind == PB__KIND__KIND_KV)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    if (t == NULL)
        return call_refuse(why, CE(NOT_FOUND), "there is no %s %s", thing_kind_word(g->kind), g->name);
    h = handle_new(t, g->rights, NULL);
    if (h == NULL || (g->kind == PB__KIND__KIND_KV && (h->prefix = strdup(g->name)) == NULL)) {
        handle_drop(h);
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    }
    if (handle_give(h, a, grant, why) != 0) {
        handle_drop(h);
        return -1;
    }
    *ret = h;
    return 0;
}

/* The worker's own handle of what its job was given; made when it is first asked for. */
static int held_grant(struct asker *a, const struct job_grant *g, struct handle **ret, struct call_why *why)
{
    char grant[GRANT_NAME];
    struct handle *h;

    snprintf(grant, sizeof(grant), "%s=%s", word_of(g->kind), g->name);
    h = handle_granted(a, grant);
    if (h != NULL && h->kind != g->kind)
        h = NULL; /* its parent gave it something else by this name */
    if (g->revoked || (h != NULL && h->thing == NULL))
        return call_refuse(why, CE(REVOKED), "%s %s has been revoked", thing_kind_word(g->kind), g->name);
    if (h == NULL)
        return make_grant(a, g, grant, ret, why);
    *ret = h;
    return 0;
}

static int find_grant(const struct asker *a, Pb__Kind kind, const char *name, uint32_t rights, const struct job_grant **ret,
                      struct call_why *why)
{
    const struct job_caps *c = caps_of(a->worker);
    char shown[64];

    *ret = job_caps_grant(c, kind, name, rights);
    if (*ret != NULL)
        return 0;
    log_escape(shown, sizeof(shown), name, strlen(name));
    return call_refuse(why, CE(NOT_ALLOWED),
                       job_caps_grant(c, kind, name, 0) != NULL ? "the job's capability %s=%s gives less than that; see --cap %s=%s:%s"
                                                                : "the job has not the capability %s=%s; see --cap %s=%s:%s",
                       word_of(kind), shown, word_of(kind), shown, rights_of(kind));
}

int caps_open(struct asker *a, Pb__Kind kind, const char *name, uint32_t rights, struct handle **ret, struct call_why *why)
{
    const struct job_grant *g;
    struct handle *held, *h;

    if (find_grant(a, kind, name, rights, &g, why) != 0 || held_grant(a, g, &held, why) != 0)
        return -1;
    h = handle_new(held->thing, rights != 0 ? rights : g->rights, held);
    if (h != NULL && kind == PB__KIND__KIND_KV && kv_lengthen(h, name + strlen(g->name), why) != 0) {
        handle_drop(h);
        return -1;
    }
    if (h == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    *ret = h;
    return 0;
}

/* No job that there is now is given this thing by its spec any more; prefix: of keys, with those that begin with it. */
static void caps_revoke(struct broker *b, const struct thing *t, const char *prefix)
{
    for (struct job *job = b->jobs.by_id; job != NULL; job = job->hh.next)
        for (unsigned i = 0; i < job->caps.n_grants && job_tenant(job) == t->tenant; i++) {
            struct job_grant *g = &job->caps.grants[i];

            if (g->kind == t->kind && strncmp(g->name, prefix, strlen(prefix)) == 0 && find_thing(t->estate, g->kind, g->name) == t)
                g->revoked = true;
        }
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------------- */

/* What a ref of any kind means; of keys a host program's is a prefix, and ret_prefix what that is ("" else). */
static int find_any(struct ask *a, const Pb__Ref *r, Pb__Kind kind, struct thing **ret, struct handle **ret_handle, const char **ret_prefix,
                    struct call_why *why)
{
    *ret_prefix = "";
    if (kind != PB__KIND__KIND_KV || a->by->worker != NULL || (r != NULL && r->handle != 0))
        return ref_find(a->by, r, kind, 0, ret, ret_handle, why);
    *ret = kv_thing(a->by->estate);
    *ret_handle = NULL;
    if (r != NULL)
        *ret_prefix = r->id;
    return *ret != NULL ? 0 : call_refuse(why, CE(TEMPORARY), "out of memory");
}

static int attenuate(struct ask *a, const Pb__HandleAttenuate *m, struct handle **ret, struct call_why *why)
{
    struct thing *t;
    struct handle *above, *h;
    const char *prefix;

    if (find_any(a, m->ref, m->kind, &t, &above, &prefix, why) != 0)
        return -1;
    if (m->prefix[0] != '\0' && t->kind != PB__KIND__KIND_KV)
        return call_refuse(why, CE(BAD_REQUEST), "only keys have a prefix");
    h = handle_new(t, m->rights != 0 ? m->rights : UINT32_MAX, above);
    if (h == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    *ret = h;
    if (h->rights == 0)
        return call_refuse(why, CE(NOT_ALLOWED), "no right would be left");
    if (t->kind == PB__KIND__KIND_KV && (kv_lengthen(h, prefix, why) != 0 || kv_lengthen(h, m->prefix, why) != 0))
        return -1;
    return 0;
}

void call_handle_attenuate(struct ask *a)
{
    struct handle *h = NULL;
    struct call_why why;

    if (attenuate(a, a->message->handle_attenuate, &h, &why) == 0) {
        ask_reply_handle(a, h, NULL, -1);
        return;
    }
    handle_drop(h);
    ask_fail_why(a, &why);
}

/* Its own ask is not among those that this ends: it is answered afterwards. */
void call_handle_revoke(struct ask *a)
{
    const Pb__HandleRevoke *m = a->message->handle_revoke;
    struct handle *h;
    struct thing *t;
    const char *prefix;
    struct call_why why;

    if (m->alias[0] != '\0') {
        alias_take_back(a);
        return;
    }
    if (find_any(a, m->ref, m->kind, &t, &h, &prefix, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    if (h != NULL) {
        handle_revoke(h);
    } else {
        caps_revoke(a->by->broker, t, prefix);
        thing_revoke_prefix(t, prefix);
    }
    ask_done(a);
}

void call_handle_drop(struct ask *a)
{
    uint32_t number = a->message->handle_drop->handle;
    struct handle *h = handle_find(a->by, number);

    if (h == NULL) {
        ask_fail(a, CE(BAD_HANDLE), "%u is not a handle", number);
        return;
    }
    handle_drop(h);
    ask_done(a);
}

/* "queue=NAME" and the like: what the spec gives. */
static int granted_by_spec(struct ask *a, const char *name, struct handle **ret, struct call_why *why)
{
    const struct job_caps *c = caps_of(a->by->worker);
    size_t len = strcspn(name, "=");
    char shown[64];

    for (unsigned i = 0; i < c->n_grants && name[len] == '='; i++) {
        const struct job_grant *g = &c->grants[i];

        if (strlen(word_of(g->kind)) == len && memcmp(word_of(g->kind), name, len) == 0 && strcmp(g->name, name + len + 1) == 0)
            return held_grant(a->by, g, ret, why);
    }
    log_escape(shown, sizeof(shown), name, strlen(name));
    return call_refuse(why, CE(NOT_FOUND), "nothing was granted by the name %s", shown);
}

void call_handle_granted(struct ask *a)
{
    const char *name = a->message->handle_granted->name;
    struct handle *h = handle_granted(a->by, name);
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__Handle told;
    struct call_why why;

    if (h == NULL && granted_by_spec(a, name, &h, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    if (h->thing == NULL) {
        ask_fail(a, CE(REVOKED), "what was granted by this name has been revoked");
        return;
    }
    handle_tell(h, &told);
    m.body_case = PB__ANSWER__BODY_HANDLE;
    m.handle = &told;
    ask_reply(a, &m);
}

/* Tombstones too: kind and no right. */
void call_handle_list(struct ask *a)
{
    struct listed {
        Pb__Grant grant;
        Pb__Handle handle;
    } *rows = calloc(a->by->n_handles + 1, sizeof(*rows));
    Pb__Grant **list = calloc(a->by->n_handles + 1, sizeof(Pb__Grant *));
    Pb__HandleListed listed = PB__HANDLE_LISTED__INIT;
    Pb__Answer m = PB__ANSWER__INIT;

    if (rows == NULL || list == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
    } else {
        for (struct handle *h = a->by->handles; h != NULL; h = h->hh.next) {
            struct listed *row = &rows[listed.n_handles];

            pb__grant__init(&row->grant);
            handle_tell(h, &row->handle);
            row->grant.handle = &row->handle;
            row->grant.name = h->grant != NULL ? h->grant : row->grant.name;
            list[listed.n_handles++] = &row->grant;
        }
        listed.handles = list;
        m.body_case = PB__ANSWER__BODY_HANDLES;
        m.handles = &listed;
        ask_reply(a, &m);
    }
    free(rows);
    free(list);
}
