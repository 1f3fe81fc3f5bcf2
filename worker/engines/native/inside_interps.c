/* inside_interps.c - see coop/interp.h: interpreters that native code makes, calls and ends. */
#include <errno.h>
#include <string.h>

#include "worker/engines/native/inside_call.h"
#include "worker/engines/native/inside_spec.h"

int coop_interp_create(const struct coop_interp_spec *spec, int64_t deadline, struct coop_handle *ret)
{
    struct inside_spec s;
    struct ask *answered;
    Pb__Ask a = INSIDE_ASK(INTERP_CREATE, interp_create, &s.create);
    int rc;

    if (spec == NULL || ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_create: NULL");
    rc = inside_spec_pack(&s, spec);
    if (rc != 0)
        return rc;
    rc = inside_ask(&a, PB__ANSWER__BODY_HANDLE, deadline, &answered);
    inside_spec_finish(&s);
    if (rc != 0)
        return rc;
    inside_handle(ret, ask_answer(answered)->handle);
    ask_end(answered);
    return 0;
}

int inside_result(Pb__Ask *a, coop_val **ret_value)
{
    struct ask *answered;
    int rc = inside_ask(a, PB__ANSWER__BODY_RESULT, COOP_NEVER, &answered);

    if (rc != 0)
        return rc;
    rc = inside_value_accept(ask_answer(answered)->result->value, "value", ret_value);
    ask_end(answered);
    return rc;
}

int coop_interp_exec(const struct coop_handle *i, const char *source_name, const void *source, size_t len, int64_t deadline)
{
    Pb__InterpExec m = PB__INTERP_EXEC__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_EXEC, interp_exec, &m);
    Pb__Ref ref;

    if (i == NULL || source == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_exec: NULL");
    inside_ref(&ref, i);
    m.interp = &ref;
    m.source.data = (uint8_t *)source;
    m.source.len = len == SIZE_MAX ? strlen(source) : len;
    if (source_name != NULL)
        m.source_name = (char *)source_name;
    m.timeout_us = inside_timeout(deadline);
    return inside_result(&a, NULL);
}

int coop_interp_call(const struct coop_handle *i, const char *function, const coop_val *args, int64_t deadline, coop_val **ret_value)
{
    Pb__InterpCall m = PB__INTERP_CALL__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_CALL, interp_call, &m);
    struct inside_value packed;
    Pb__Ref ref;
    int rc;

    if (i == NULL || function == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_call: NULL");
    rc = inside_args_pack(&packed, args);
    if (rc != 0)
        return rc;
    inside_ref(&ref, i);
    m.interp = &ref;
    m.function = (char *)function;
    m.args = &packed.message;
    m.timeout_us = inside_timeout(deadline);
    rc = inside_result(&a, ret_value);
    inside_value_finish(&packed);
    return rc;
}

int coop_interp_prepare(const struct coop_handle *i, const coop_val *names, int64_t deadline)
{
    Pb__InterpPrepare m = PB__INTERP_PREPARE__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_PREPARE, interp_prepare, &m);
    struct inside_value packed;
    Pb__Ref ref;
    int rc;

    if (i == NULL || (coop_val_type(names) != COOP_VAL_MAP && coop_val_type(names) != COOP_VAL_ERROR))
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST,
                             "interp_prepare: an interpreter and a map from names to values are wanted");
    rc = inside_value_pack(&packed, names, "names");
    if (rc != 0)
        return rc;
    inside_ref(&ref, i);
    m.interp = &ref;
    m.names = &packed.message;
    m.timeout_us = inside_timeout(deadline);
    rc = inside_result(&a, NULL);
    inside_value_finish(&packed);
    return rc;
}

/* ---- their lives ---------------------------------------------------------------------------------------------------------------- */

#define ON_ONE(function, which, field, type)                                                                                               \
    int function(const struct coop_handle *i)                                                                                              \
    {                                                                                                                                      \
        Pb__##type m = { .base = PROTOBUF_C_MESSAGE_INIT(&pb__##field##__descriptor) };                                                    \
        Pb__Ask a = INSIDE_ASK(which, field, &m);                                                                                          \
        Pb__Ref ref;                                                                                                                       \
                                                                                                                                           \
        if (i == NULL)                                                                                                                     \
            return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, #field ": NULL");                                                 \
        inside_ref(&ref, i);                                                                                                               \
        m.interp = &ref;                                                                                                                   \
        return inside_ask_done(&a);                                                                                                        \
    }

ON_ONE(coop_interp_interrupt, INTERP_INTERRUPT, interp_interrupt, InterpInterrupt)
ON_ONE(coop_interp_close, INTERP_CLOSE, interp_close, InterpClose)
ON_ONE(coop_interp_kill, INTERP_KILL, interp_kill, InterpKill)
ON_ONE(coop_interp_reset, INTERP_RESET, interp_reset, InterpReset)

int coop_interp_link(const struct coop_handle *i, bool on)
{
    Pb__InterpLink m = PB__INTERP_LINK__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_LINK, interp_link, &m);
    Pb__Ref ref;

    if (i == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_link: NULL");
    inside_ref(&ref, i);
    m.interp = &ref;
    m.undo = !on;
    return inside_ask_done(&a);
}
