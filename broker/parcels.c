/* parcels.c - see handles.h: values on their way, and the handles in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/asks.h"
#include "broker/handles.h"
#include "value.h"

enum { HANDLE_WEIGHT = 256 }; /* bytes that a handle counts for in a bound */

/* The right to take part in a handover, and a handle below the giver's. */
static struct handle *derive(const struct asker *from, const struct estate *to, const Pb__Handle *m, struct call_why *why)
{
    Pb__Ref ref = PB__REF__INIT;
    struct handle *h, *above;
    struct thing *t;

    ref.handle = m->handle;
    ref.id = m->handle == 0 ? m->id : ref.id;
    if (ref_find(from, &ref, m->kind, PB__RIGHT__RIGHT_GRANT, &t, &above, why) != 0)
        return NULL;
    if (to != NULL && t->estate != to) { /* an operator's: nobody else has a handle of what is not its own */
        call_refuse(why, PB__CALL_ERROR__CALL_ERROR_NOT_ALLOWED, "the %s is not of the tenant who would get it", thing_kind_word(t->kind));
        return NULL;
    }
    if (t->ops->may_pass != NULL && t->ops->may_pass(t, why) != 0)
        return NULL;
    h = handle_new(t, m->rights != 0 ? m->rights : UINT32_MAX, above);
    if (h == NULL)
        call_refuse(why, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "out of memory");
    else if (above == NULL)
        h->rights &= thing_all_rights(t->kind);
    return h;
}

static int take_handles(struct parcel *p, const struct asker *from, const struct estate *to, const Pb__Value *v, struct call_why *why)
{
    if (v->n_handles > 0 && (p->handles = calloc(v->n_handles, sizeof(*p->handles))) == NULL)
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "out of memory");
    for (size_t i = 0; i < v->n_handles; i++) {
        p->handles[i] = derive(from, to, v->handles[i], why);
        if (p->handles[i] == NULL)
            return -1;
        p->n_handles++;
    }
    if (v->whole == NULL)
        return 0;
    p->whole = derive(from, to, v->whole, why);
    if (p->whole != NULL && p->whole->kind != PB__KIND__KIND_BUFFER)
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "a value lies in a buffer, or nowhere");
    return p->whole != NULL ? 0 : -1;
}

int parcel_take(struct parcel *p, const struct asker *from, const struct estate *to, const Pb__Value *v, const char *path,
                struct call_why *why)
{
    int rc = 0;

    *p = (struct parcel){ 0 };
    if (v == NULL)
        return 0;
    if (v->cbor.len > VALUE_BYTES)
        rc = call_refuse(why, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "the value takes %zu bytes, at most %d travel: put it into a buffer",
                         v->cbor.len, VALUE_BYTES);
    else if (v->n_handles > VALUE_HANDLES)
        rc = call_refuse(why, PB__CALL_ERROR__CALL_ERROR_TOO_BIG, "a value has at most %d handles", VALUE_HANDLES);
    else if (v->whole != NULL && v->cbor.len > 0)
        rc = call_refuse(why, PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "a value lies in a buffer or in the message, not in both");
    if (rc == 0 && v->cbor.len > 0) {
        p->cbor = malloc(v->cbor.len);
        if (p->cbor == NULL)
            rc = call_refuse(why, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "out of memory");
        else
            memcpy(p->cbor, v->cbor.data, p->len = v->cbor.len);
    }
    if (rc == 0)
        rc = take_handles(p, from, to, v, why);
    if (rc != 0) {
        parcel_finish(p);
        snprintf(why->path, sizeof(why->path), "%s", path);
    }
    return rc;
}

unsigned parcel_handles(const struct parcel *p)
{
    return p->n_handles + (p->whole != NULL);
}

size_t parcel_bytes(const struct parcel *p)
{
    return p->len + (size_t)parcel_handles(p) * HANDLE_WEIGHT;
}

int parcel_give(struct parcel *p, struct asker *to, struct parcel_told *ret, struct call_why *why)
{
    *ret = (struct parcel_told){ .value = PB__VALUE__INIT };
    if (handles_room(to) < parcel_handles(p))
        return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_LIMIT, "its receiver would hold more than %d handles", HANDLES_MAX);
    ret->value.cbor = (ProtobufCBinaryData){ p->len, p->cbor };
    if (p->n_handles > 0) {
        ret->told = calloc(p->n_handles, sizeof(*ret->told));
        ret->list = calloc(p->n_handles, sizeof(*ret->list));
        if (ret->told == NULL || ret->list == NULL) {
            parcel_told_finish(ret);
            return call_refuse(why, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "out of memory");
        }
    }
    for (unsigned i = 0; i < p->n_handles; i++) {
        if (handle_give(p->handles[i], to, NULL, why) != 0)
            abort(); /* there was room */
        handle_tell(p->handles[i], &ret->told[i]);
        p->handles[i] = NULL;
        ret->list[i] = &ret->told[i];
    }
    ret->value.handles = ret->list;
    ret->value.n_handles = p->n_handles;
    if (p->whole != NULL) {
        if (handle_give(p->whole, to, NULL, why) != 0)
            abort();
        handle_tell(p->whole, &ret->whole);
        p->whole = NULL;
        ret->value.whole = &ret->whole;
    }
    p->n_handles = 0;
    return 0;
}

void parcel_told_finish(struct parcel_told *t)
{
    free(t->told);
    free(t->list);
    t->told = NULL;
    t->list = NULL;
}

void parcel_finish(struct parcel *p)
{
    for (unsigned i = 0; i < p->n_handles; i++)
        handle_drop(p->handles[i]);
    free(p->handles);
    handle_drop(p->whole);
    free(p->cbor);
    *p = (struct parcel){ 0 };
}
