/* aliases.c - see aliases.h: what is offered to whom. */
#include "broker/aliases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/aliases_own.h"
#include "broker/broker.h"
#include "rel_path.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

static void desk_unref(struct alias_desk *d)
{
    if (--d->refs == 0)
        free(d);
}

/* ---- offers -------------------------------------------------------------------------------------------------------------------------- */

static void alias_free(struct thing *t)
{
    struct alias *al = (struct alias *)t;

    t->broker->aliases--;
    estate_count(t->estate, ESTATE_ALIASES, -1);
    desk_unref(al->desk);
    free(al);
}

static const struct thing_ops alias_ops = { .free = alias_free };

struct alias_desk *alias_desk_of(struct asker *server)
{
    struct alias_desk *d = server->aliases;

    if (d != NULL)
        return d;
    d = calloc(1, sizeof(*d));
    if (d == NULL)
        return NULL;
    d->server = server;
    d->refs = 1;
    if (server->worker != NULL && server->worker->job != NULL)
        snprintf(d->id, sizeof(d->id), "%s", server->worker->job->id);
    server->aliases = d;
    return d;
}

static int check_names(char *const *names, size_t n, struct call_why *why)
{
    if (n > ALIASES_MAX)
        return call_refuse(why, CE(LIMIT), "%zu aliases are too many: at most %d", n, ALIASES_MAX);
    for (size_t i = 0; i < n; i++) {
        if (names[i][0] == '\0' || strlen(names[i]) > LIMITS_NAME || text_has_control(names[i]))
            return call_refuse(why, CE(BAD_REQUEST), "the name of an alias has 1 to %d bytes and no control characters", LIMITS_NAME);
        for (size_t k = 0; k < i; k++)
            if (strcmp(names[k], names[i]) == 0)
                return call_refuse(why, CE(BAD_REQUEST), "two aliases are named %s", names[i]);
    }
    return 0;
}

static struct handle *make_alias(struct alias_desk *d, const char *interp, const char *name)
{
    struct alias *al = calloc(1, sizeof(*al));
    struct handle *h;

    if (al == NULL)
        return NULL;
    thing_init(&al->thing, d->server->estate, PB__KIND__KIND_ALIAS, &alias_ops);
    al->thing.broker->aliases++;
    estate_count(al->thing.estate, ESTATE_ALIASES, 1);
    snprintf(al->thing.name, sizeof(al->thing.name), "%s", name);
    snprintf(al->interp, sizeof(al->interp), "%s", interp);
    al->desk = d;
    d->refs++;
    h = handle_new(&al->thing, RIGHTS_ALIAS, NULL);
    thing_unref(&al->thing); /* the handle has a reference of its own */
    return h;
}

static void link_offers(struct alias_desk *d, struct alias_offers *o)
{
    o->desk = d;
    o->next = d->offers;
    if (d->offers != NULL)
        d->offers->prev = o;
    d->offers = o;
}

static void unlink_offers(struct alias_offers *o)
{
    if (o->desk == NULL)
        return;
    if (o->prev != NULL)
        o->prev->next = o->next;
    else
        o->desk->offers = o->next;
    if (o->next != NULL)
        o->next->prev = o->prev;
    o->next = o->prev = NULL;
    o->desk = NULL;
}

int aliases_offer(struct asker *server, const char *interp, char *const *names, size_t n, struct alias_offers **ret, struct call_why *why)
{
    struct alias_desk *d = NULL;
    struct alias_offers *o;

    *ret = NULL;
    if (n == 0)
        return 0;
    if (check_names(names, n, why) != 0 || estate_room(server->estate, ESTATE_ALIASES, n, why) != 0)
        return -1;
    if (server->broker->aliases + n > ALIASES_ALL)
        return call_refuse(why, CE(LIMIT), "%u functions are offered to interpreters already", server->broker->aliases);
    o = calloc(1, sizeof(*o) + n * sizeof(o->roots[0]));
    if (o != NULL)
        d = alias_desk_of(server);
    if (d == NULL) {
        free(o);
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    }
    snprintf(o->interp, sizeof(o->interp), "%s", interp);
    link_offers(d, o);
    for (; o->n < n; o->n++)
        if ((o->roots[o->n] = make_alias(d, interp, names[o->n])) == NULL) {
            aliases_free(o);
            return call_refuse(why, CE(TEMPORARY), "out of memory");
        }
    *ret = o;
    return 0;
}

int aliases_give(struct alias_offers *o, struct asker *child, struct call_why *why)
{
    char grant[LIMITS_NAME + 8];

    for (size_t i = 0; o != NULL && i < o->n; i++) {
        struct thing *t = o->roots[i]->thing;
        struct handle *h = handle_new(t, RIGHTS_ALIAS, o->roots[i]);

        snprintf(grant, sizeof(grant), "alias=%s", t->name);
        if (h == NULL)
            return call_refuse(why, CE(TEMPORARY), "out of memory");
        if (handle_give(h, child, grant, why) != 0) {
            handle_drop(h);
            return -1;
        }
    }
    return 0;
}

int alias_find_offers(struct ask *a, const Pb__Ref *r, struct alias_offers **ret, struct call_why *why)
{
    struct alias_desk *d = a->by->aliases;
    struct alias_offers *o = d != NULL ? d->offers : NULL;
    struct thing *t;

    if (ref_find(a->by, r, PB__KIND__KIND_INTERP, 0, &t, NULL, why) != 0)
        return -1;
    while (o != NULL && strcmp(o->interp, t->id) != 0)
        o = o->next;
    if (o == NULL)
        return call_refuse(why, CE(NOT_FOUND), "nothing is offered to this interpreter by the asker");
    *ret = o;
    return 0;
}

/* ---- ends ---------------------------------------------------------------------------------------------------------------------------- */

void alias_take_back(struct ask *a)
{
    const Pb__HandleRevoke *m = a->message->handle_revoke;
    struct alias_offers *o;
    struct call_why why;

    if (alias_find_offers(a, m->ref, &o, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    for (size_t i = 0; i < o->n; i++)
        if (strcmp(o->roots[i]->thing->name, m->alias) == 0) {
            handle_revoke(o->roots[i]);
            ask_done(a);
            return;
        }
    ask_fail(a, CE(NOT_FOUND), "no such function is offered to this interpreter");
}

void aliases_free(struct alias_offers *o)
{
    if (o == NULL)
        return;
    if (o->desk != NULL)
        alias_end_nexts(o->desk, o);
    unlink_offers(o);
    for (size_t i = 0; i < o->n; i++)
        handle_drop(o->roots[i]);
    free(o);
}

void aliases_asker_gone(struct asker *a)
{
    struct alias_desk *d = a->aliases;

    if (d == NULL)
        return;
    a->aliases = NULL;
    while (d->offers != NULL)
        unlink_offers(d->offers);
    d->server = NULL;
    alias_fail_calls(d);
    desk_unref(d);
}
