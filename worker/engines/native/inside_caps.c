/* inside_caps.c - see coop/interp.h: handles of native code. */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>

#include "worker/engines/native/inside.h"

int coop_cap_granted(const char *name, struct coop_handle *ret)
{
    Pb__HandleGranted m = PB__HANDLE_GRANTED__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_GRANTED, handle_granted, &m);

    if (name == NULL || ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "cap_granted: NULL");
    m.name = (char *)name;
    return inside_ask_handle(&a, ret);
}

int coop_cap_attenuate(const struct coop_handle *h, unsigned rights, const char *prefix, struct coop_handle *ret)
{
    Pb__HandleAttenuate m = PB__HANDLE_ATTENUATE__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_ATTENUATE, handle_attenuate, &m);
    Pb__Ref ref;

    if (h == NULL || ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "cap_attenuate: NULL");
    inside_ref(&ref, h);
    m.ref = &ref;
    m.kind = (Pb__Kind)h->kind;
    m.rights = rights;
    if (prefix != NULL)
        m.prefix = (char *)prefix;
    return inside_ask_handle(&a, ret);
}

int coop_cap_revoke(const struct coop_handle *h)
{
    Pb__HandleRevoke m = PB__HANDLE_REVOKE__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_REVOKE, handle_revoke, &m);
    Pb__Ref ref;

    if (h == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "cap_revoke: NULL");
    inside_ref(&ref, h);
    m.ref = &ref;
    m.kind = (Pb__Kind)h->kind;
    return inside_ask_done(&a);
}

void coop_cap_drop(const struct coop_handle *h)
{
    Pb__HandleDrop m = PB__HANDLE_DROP__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_DROP, handle_drop, &m);

    if (h == NULL || h->number == 0)
        return;
    m.handle = h->number;
    (void)ask_post(&a);
}

/* No deeper than a value can be: COOP_VAL_DEPTH. */
void coop_cap_drop_all(const coop_val *v) /* NOLINT(misc-no-recursion) */
{
    coop_cap_drop(coop_val_as_handle(v));
    for (size_t i = 0; i < coop_val_count(v); i++)
        coop_cap_drop_all(coop_val_at(v, i));
}

int coop_cap_list(struct coop_handle **ret, size_t *ret_n)
{
    Pb__HandleList m = PB__HANDLE_LIST__INIT;
    Pb__Ask a = INSIDE_ASK(HANDLE_LIST, handle_list, &m);
    const Pb__HandleListed *listed;
    struct coop_handle *list = NULL;
    struct ask *answered;
    int rc;

    if (ret == NULL || ret_n == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "cap_list: NULL");
    rc = inside_ask(&a, PB__ANSWER__BODY_HANDLES, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    listed = ask_answer(answered)->handles;
    if (listed->n_handles > 0)
        list = calloc(listed->n_handles, sizeof(*list));
    if (list != NULL || listed->n_handles == 0) {
        for (size_t i = 0; i < listed->n_handles; i++)
            inside_grant(&list[i], listed->handles[i]);
        *ret = list;
        *ret_n = listed->n_handles;
    } else {
        rc = inside_failed(-ENOMEM, "cap_list");
    }
    ask_end(answered);
    return rc;
}
