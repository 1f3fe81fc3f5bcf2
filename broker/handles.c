/* handles.c - see handles.h: things, tables, what a Ref means. The tree is in handle_tree.c, parcels are in parcels.c. */
#include "broker/handles.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/asks.h"
#include "broker/broker.h"
#include "log.h"

int call_refuse(struct call_why *why, Pb__CallError error, const char *fmt, ...)
{
    va_list ap;

    why->error = error;
    why->path[0] = '\0';
    va_start(ap, fmt);
    vsnprintf(why->message, sizeof(why->message), fmt, ap);
    va_end(ap);
    return -1;
}

static const struct {
    const char *word;
    uint32_t rights;
} kinds[THING_KINDS] = {
    [PB__KIND__KIND_NONE] = {"thing",        0            },
    [PB__KIND__KIND_INTERP] = { "interpreter", RIGHTS_INTERP},
    [PB__KIND__KIND_QUEUE] = { "queue",       RIGHTS_QUEUE },
    [PB__KIND__KIND_BUFFER] = { "buffer",      RIGHTS_BUFFER},
    [PB__KIND__KIND_ALIAS] = { "alias",       RIGHTS_ALIAS },
    [PB__KIND__KIND_KV] = { "key prefix",  RIGHTS_KV    },
};

uint32_t thing_all_rights(Pb__Kind kind)
{
    return (unsigned)kind < THING_KINDS ? kinds[kind].rights : 0;
}

const char *thing_kind_word(Pb__Kind kind)
{
    return (unsigned)kind < THING_KINDS ? kinds[kind].word : "thing";
}

/* ---- things ------------------------------------------------------------------------------------------------------------------- */

_Static_assert(offsetof(struct thing_key, name) == sizeof(uint64_t), "a key is hashed as it lies there");

void thing_init(struct thing *t, struct estate *e, Pb__Kind kind, const struct thing_ops *ops)
{
    *t = (struct thing){ .ops = ops, .broker = e->broker, .estate = estate_ref(e), .kind = kind, .refs = 1 };
    t->tenant = e->tenant;
    ulid_make(loop_wall_us() / 1000, t->id);
}

static unsigned key_len(const struct thing_key *k)
{
    return (unsigned)(sizeof(k->tenant) + strlen(k->name));
}

static struct thing *find_by_name(const struct things *all, uint64_t tenant, const char *name)
{
    struct thing_key k = { .tenant = tenant };
    struct thing *t = NULL;

    if (name[0] == '\0' || strlen(name) > LIMITS_NAME)
        return NULL;
    strcpy(k.name, name);
    HASH_FIND(by_name, all->by_name, &k, key_len(&k), t);
    return t;
}

int thing_register(struct thing *t, const char *name)
{
    struct things *all = &t->broker->things[t->kind];

    if (find_by_name(all, t->tenant, name) != NULL)
        return -EEXIST;
    snprintf(t->name, sizeof(t->name), "%s", name);
    HASH_ADD(by_id, all->by_id, id, ULID_LEN, t);
    if (t->name[0] != '\0')
        HASH_ADD(by_name, all->by_name, key, key_len(&t->key), t);
    t->registered = true;
    return 0;
}

void thing_unregister(struct thing *t)
{
    struct things *all = &t->broker->things[t->kind];

    if (!t->registered)
        return;
    HASH_DELETE(by_id, all->by_id, t);
    if (t->name[0] != '\0')
        HASH_DELETE(by_name, all->by_name, t);
    t->registered = false;
}

struct thing *thing_ref(struct thing *t)
{
    t->refs++;
    return t;
}

void thing_unref(struct thing *t)
{
    struct estate *e;

    if (t == NULL || --t->refs > 0)
        return;
    thing_unregister(t);
    e = t->estate;
    t->ops->free(t);
    estate_unref(e);
}

/* e NULL: everybody's. Others' that begin the same make no difference to who does not see them. */
static struct thing *find_by_prefix(struct thing *all, const struct estate *e, const char *id)
{
    size_t len = strlen(id);
    struct thing *t, *next, *found = NULL;

    for (t = all; t != NULL; t = next) {
        next = t->by_id.next;
        if ((e != NULL && t->estate != e) || strncmp(t->id, id, len) != 0)
            continue;
        if (found != NULL)
            return NULL; /* several begin so */
        found = t;
    }
    return found;
}

static struct thing *find_by_id(const struct things *all, const struct estate *e, const char *text)
{
    char id[ULID_LEN + 1];
    struct thing *t;

    if (ulid_normalize(text, id) != 0)
        return NULL;
    if (strlen(id) < ULID_LEN)
        return find_by_prefix(all->by_id, e, id);
    HASH_FIND(by_id, all->by_id, id, ULID_LEN, t);
    return t != NULL && (e == NULL || t->estate == e) ? t : NULL;
}

struct thing *thing_find(const struct estate *e, Pb__Kind kind, const char *text)
{
    const struct things *all = &e->broker->things[kind];
    struct thing *t = find_by_name(all, e->tenant, text);

    return t != NULL ? t : find_by_id(all, e, text);
}

struct thing *thing_seen(const struct asker *a, Pb__Kind kind, const char *text)
{
    struct thing *t = a->estate != NULL ? thing_find(a->estate, kind, text) : NULL;

    return t == NULL && a->operates ? find_by_id(&a->broker->things[kind], NULL, text) : t;
}

bool thing_is_seen(const struct asker *a, const struct thing *t)
{
    return a->operates || t->estate == a->estate;
}

/* ---- tables -------------------------------------------------------------------------------------------------------------------- */

unsigned handles_room(const struct asker *a)
{
    uint32_t numbers = UINT32_MAX - a->last_handle; /* never given twice */
    unsigned room = a->n_handles < HANDLES_MAX && !a->gone ? HANDLES_MAX - a->n_handles : 0;

    return room < numbers ? room : numbers;
}

static void note_grant(struct handle *h)
{
    struct handle **list = &h->holder->granted;

    h->granted_next = *list;
    if (*list != NULL)
        (*list)->granted_prev = h;
    *list = h;
}

static void forget_grant(struct handle *h)
{
    if (h->granted_prev != NULL)
        h->granted_prev->granted_next = h->granted_next;
    else
        h->holder->granted = h->granted_next;
    if (h->granted_next != NULL)
        h->granted_next->granted_prev = h->granted_prev;
    free(h->grant);
    h->grant = NULL;
}

int handle_give(struct handle *h, struct asker *to, const char *grant, struct call_why *why)
{
    if (handles_room(to) == 0)
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_LIMIT, "it would hold more than %d handles", HANDLES_MAX);
    if (grant != NULL && (h->grant = strdup(grant)) == NULL)
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "out of memory");
    h->holder = to;
    h->number = ++to->last_handle;
    HASH_ADD(hh, to->handles, number, sizeof(h->number), h);
    to->n_handles++;
    if (grant != NULL)
        note_grant(h);
    return 0;
}

void handle_take_back(struct handle *h)
{
    if (h->holder == NULL)
        return;
    if (h->grant != NULL)
        forget_grant(h);
    HASH_DEL(h->holder->handles, h);
    h->holder->n_handles--;
    h->holder = NULL;
}

struct handle *handle_find(const struct asker *a, uint32_t number)
{
    struct handle *h;

    HASH_FIND(hh, a->handles, &number, sizeof(number), h);
    return h;
}

struct handle *handle_granted(const struct asker *a, const char *name)
{
    for (struct handle *h = a->granted; h != NULL; h = h->granted_next)
        if (strcmp(h->grant, name) == 0)
            return h;
    return NULL;
}

void handles_finish(struct asker *a)
{
    struct handle *h;

    while ((h = a->handles) != NULL)
        handle_drop(h);
}

void handle_tell(const struct handle *h, Pb__Handle *ret)
{
    pb__handle__init(ret);
    ret->handle = h->number;
    ret->kind = h->kind;
    ret->rights = h->rights;
    if (h->thing == NULL)
        return;
    ret->id = h->thing->id;
    ret->name = h->prefix != NULL ? h->prefix : h->thing->name;
    ret->bytes = h->thing->ops->bytes != NULL ? h->thing->ops->bytes(h->thing) : 0;
}

/* ---- what a Ref means ------------------------------------------------------------------------------------------------------------ */

/* "write" for RIGHT_WRITE, "send and grant" for two of them. */
static const char *rights_words(uint32_t rights, char *buf, size_t size)
{
    static const char *const words[] = { "call", "manage", "send", "recv", "read", "write", "grant" };
    size_t n = 0;

    buf[0] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]) && n < size; i++)
        if ((rights & 1u << i) != 0)
            n += (size_t)snprintf(buf + n, size - n, "%s%s", n > 0 ? " and " : "", words[i]);
    return buf;
}

/* Of a prefix of keys that is shown, not the id that nobody has seen. */
static const char *shown_of(const struct handle *h)
{
    if (h->kind == PB__KIND__KIND_KV)
        return h->prefix != NULL ? h->prefix : "";
    return h->thing->name[0] != '\0' ? h->thing->name : h->thing->id;
}

static int find_own(const struct asker *a, uint32_t number, Pb__Kind kind, uint32_t rights, struct handle **ret, struct call_why *why)
{
    struct handle *h = handle_find(a, number);
    char words[64], shown[256];

    if (h == NULL || (kind != PB__KIND__KIND_NONE && h->kind != kind))
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_BAD_HANDLE, "%u is not a handle of %s %s", number,
                           kind == PB__KIND__KIND_INTERP ? "an" : "a", thing_kind_word(kind));
    if (h->thing == NULL)
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_REVOKED, "handle %u has been revoked", number);
    if ((h->rights & rights) != rights)
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_NOT_ALLOWED, "handle %u does not give the right to %s: %s '%s'", number,
                           rights_words(rights & ~h->rights, words, sizeof(words)), thing_kind_word(h->kind),
                           log_escape(shown, sizeof(shown), shown_of(h), strlen(shown_of(h))));
    *ret = h;
    return 0;
}

int ref_find(const struct asker *a, const Pb__Ref *r, Pb__Kind kind, uint32_t rights, struct thing **ret, struct handle **ret_handle,
             struct call_why *why)
{
    struct handle *h = NULL;
    char shown[64];

    if ((unsigned)kind >= THING_KINDS || r == NULL || (r->handle == 0 && r->id[0] == '\0') || (r->handle != 0 && r->id[0] != '\0'))
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "it does not say which %s", thing_kind_word(kind));
    if (r->handle != 0) {
        if (find_own(a, r->handle, kind, rights, &h, why) != 0)
            return -1;
        *ret = h->thing;
    } else {
        if (a->worker != NULL) /* no ambient authority: a name is not a capability */
            return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_NOT_ALLOWED, "an interpreter names a %s by its handle",
                               thing_kind_word(kind));
        *ret = kind != PB__KIND__KIND_NONE ? thing_seen(a, kind, r->id) : NULL;
        log_escape(shown, sizeof(shown), r->id, strlen(r->id));
        if (*ret == NULL)
            return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_NOT_FOUND, "there is no %s %s", thing_kind_word(kind), shown);
    }
    if (ret_handle != NULL)
        *ret_handle = h;
    return 0;
}
