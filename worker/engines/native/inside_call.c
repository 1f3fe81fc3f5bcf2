/* inside_call.c - see coop/interp.h: calls as futures. */
#include <errno.h>
#include <stdlib.h>

#include "worker/engines/native/inside.h"

struct coop_call {
    struct ask *ask;
    bool waited_for;
    bool given; /* its value has been */
};

int coop_call_begin(const struct coop_handle *i, const char *function, const coop_val *args, int64_t deadline, coop_call **ret)
{
    Pb__InterpCall m = PB__INTERP_CALL__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_CALL, interp_call, &m);
    struct inside_value packed;
    struct coop_call *c;
    Pb__Ref ref;
    int rc;

    if (i == NULL || function == NULL || ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "call_begin: NULL");
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        return inside_failed(-ENOMEM, "call_begin");
    rc = inside_args_pack(&packed, args);
    if (rc != 0) {
        free(c);
        return rc;
    }
    inside_ref(&ref, i);
    m.interp = &ref;
    m.function = (char *)function;
    m.args = &packed.message;
    m.timeout_us = inside_timeout(deadline);
    rc = ask_begin(&a, &c->ask);
    inside_value_finish(&packed);
    if (rc != 0) {
        free(c);
        return inside_failed(rc, "interp_call");
    }
    *ret = c;
    return 0;
}

bool coop_call_is_done(const coop_call *c)
{
    return c != NULL && ask_is_answered(c->ask);
}

static int take_value(coop_call *c, coop_val **ret_value)
{
    const Pb__Value *v = ask_answer(c->ask)->result->value;

    if (c->given)
        return ret_value == NULL ? 0 : inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "call_wait: its value has been given already");
    c->given = true;
    return inside_value_accept(v, "value", ret_value);
}

int coop_call_wait(coop_call *c, int64_t deadline, coop_val **ret_value)
{
    int rc;

    if (c == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "call_wait: NULL");
    if (c->waited_for)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BUSY, "call_wait: another tasklet waits for it");
    c->waited_for = true;
    rc = inside_wait(c->ask, PB__ANSWER__BODY_RESULT, deadline);
    c->waited_for = false;
    return rc == 0 ? take_value(c, ret_value) : rc;
}

void coop_call_free(coop_call *c)
{
    if (c == NULL)
        return;
    if (ask_is_answered(c->ask) && !c->given && ask_wait(c->ask, 0) == 0 && ask_answer(c->ask)->body_case == PB__ANSWER__BODY_RESULT)
        inside_value_refuse(ask_answer(c->ask)->result->value);
    ask_end(c->ask);
    free(c);
}
