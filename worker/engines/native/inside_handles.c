/* inside_handles.c - see coop/interp.h: handles of native code. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engines/native/inside.h"

int coop_handle_granted(const char *name, struct coop_handle *ret)
{
    Pb__HandleGranted m = PB__HANDLE_GRANTED__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_GRANTED, handle_granted, &m);

    if (name == NULL || ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "handle_granted: NULL");
    m.name = (char *)name;
    return inside_ask_handle(&a, ret);
}

int coop_handle_attenuate(const struct coop_handle *h, unsigned rights, const char *prefix, struct coop_handle *ret)
{
    Pb__HandleAttenuate m = PB__HANDLE_ATTENUATE__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_ATTENUATE, handle_attenuate, &m);
    Pb__Ref ref;

    if (h == NULL || ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "handle_attenuate: NULL");
    inside_ref(&ref, h);
    m.ref = &ref;
    m.kind = (Pb__Kind)h->kind;
    m.rights = rights;
    if (prefix != NULL)
        m.prefix = (char *)prefix;
    return inside_ask_handle(&a, ret);
}

int coop_handle_revoke(const struct coop_handle *h)
{
    Pb__HandleRevoke m = PB__HANDLE_REVOKE__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_REVOKE, handle_revoke, &m);
    Pb__Ref ref;

    if (h == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "handle_revoke: NULL");
    inside_ref(&ref, h);
    m.ref = &ref;
    m.kind = (Pb__Kind)h->kind;
    return inside_ask_done(&a);
}

void coop_handle_drop(const struct coop_handle *h)
{
    Pb__HandleDrop m = PB__HANDLE_DROP__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_DROP, handle_drop, &m);

    if (h == NULL || h->number == 0)
        return;
    m.handle = h->number;
    (void)ask_post(&a);
}

/* No deeper than a value can be: COOP_VAL_DEPTH. */
void coop_handle_drop_all(const coop_val *v) /* NOLINT(misc-no-recursion) */
{
    coop_handle_drop(coop_val_as_handle(v));
    for (size_t i = 0; i < coop_val_count(v); i++)
        coop_handle_drop_all(coop_val_at(v, i));
}

/* In one block, the names behind. */
static struct coop_grant *copy(const Pb__HandleListed *from)
{
    size_t n = from->n_handles, size = n * sizeof(struct coop_grant);
    struct coop_grant *list;
    char *at;

    for (size_t i = 0; i < n; i++)
        size += strlen(from->handles[i]->name) + 1;
    list = malloc(size + 1);
    if (list == NULL)
        return NULL;
    at = (char *)(list + n);
    for (size_t i = 0; i < n; i++) {
        inside_handle(&list[i].handle, from->handles[i]->handle);
        list[i].name = at;
        at = stpcpy(at, from->handles[i]->name) + 1;
    }
    return list;
}

int coop_handle_list(struct coop_handle_list *ret)
{
    Pb__HandleList m = PB__HANDLE_LIST__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_LIST, handle_list, &m);
    struct coop_grant *list;
    struct ask *answered;
    int rc;

    if (ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "handle_list: NULL");
    rc = inside_ask(&a, PB__ANSWER__BODY_HANDLES, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    list = copy(ask_answer(answered)->handles);
    if (list != NULL)
        *ret = (struct coop_handle_list){ list, ask_answer(answered)->handles->n_handles };
    else
        rc = inside_failed(-ENOMEM, "handle_list");
    ask_end(answered);
    return rc;
}

void coop_handle_list_free(struct coop_handle_list *list)
{
    if (list == NULL)
        return;
    free(list->items);
    *list = (struct coop_handle_list){ NULL, 0 };
}
