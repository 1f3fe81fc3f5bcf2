/* inside_alias.c - see coop/interp.h: functions that a parent offers, from both sides. */
#include <errno.h>
#include <stdlib.h>

#include "worker/engines/native/inside_call.h"
#include "worker/engines/native/request.h"

int coop_alias_call(const char *name, const coop_val *args, int64_t deadline, coop_val **ret_value)
{
    Pb__AliasCall m = PB__ALIAS_CALL__INIT;
    Pb__Ask a = INSIDE_ASK(ALIAS_CALL, alias_call, &m);
    struct inside_value packed;
    int rc;

    if (name == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "alias_call: NULL");
    rc = inside_args_pack(&packed, args);
    if (rc != 0)
        return rc;
    m.name = (char *)name;
    m.args = &packed.message;
    m.timeout_us = inside_timeout(deadline);
    rc = inside_result(&a, ret_value);
    inside_value_finish(&packed);
    return rc;
}

/* ---- the parent's side ---------------------------------------------------------------------------------------------------------- */

/* Nobody waits for the answer to it. */
static int say_done(uint64_t number, Pb__Value *value, Pb__JobError *error)
{
    Pb__AliasDone m = PB__ALIAS_DONE__INIT;
    Pb__Ask a = INSIDE_ASK(ALIAS_DONE, alias_done, &m);
    int rc;

    m.number = number;
    m.value = value;
    m.error = error;
    rc = ask_post(&a);
    return rc != 0 ? inside_failed(rc, "alias_done") : 0;
}

static int say_error(uint64_t number, const char *type, const char *message, const char *traceback)
{
    Pb__JobError e = PB__JOB_ERROR__INIT;

    e.type = (char *)type;
    e.message = (char *)message;
    e.traceback = (char *)traceback;
    return say_done(number, NULL, &e);
}

/* The caller hears why. */
static int refuse(uint64_t number, int rc)
{
    const struct coop_why *w = coop_last_error();

    (void)say_error(number, w->name, w->message, "");
    return rc;
}

int coop_alias_next(const struct coop_handle *child, int64_t deadline, coop_request **ret)
{
    Pb__AliasNext m = PB__ALIAS_NEXT__INIT;
    Pb__Ask a = INSIDE_ASK(ALIAS_NEXT, alias_next, &m);
    const Pb__AliasInvocation *called;
    struct coop_request *r;
    struct ask *answered;
    Pb__Ref ref;
    int rc;

    if (ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "alias_next: NULL");
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return inside_failed(-ENOMEM, "alias_next");
    if (child != NULL) {
        inside_ref(&ref, child);
        m.interp = &ref;
    }
    rc = inside_ask(&a, PB__ANSWER__BODY_INVOCATION, deadline, &answered);
    if (rc != 0) {
        free(r);
        return rc;
    }
    called = ask_answer(answered)->invocation;
    rc = request_init(r, called->name, called->caller, called->args);
    if (rc != 0) {
        (void)refuse(called->number, rc);
        rc = -EPROTOTYPE; /* whatever was wrong with what it sent: the next call may do better */
        ask_end(answered);
        free(r);
        return rc;
    }
    r->ask = answered;
    *ret = r;
    return 0;
}

int coop_alias_done(coop_request *r, int result)
{
    const struct request_error *error;
    struct inside_value value;
    uint64_t number;
    int rc;

    if (r == NULL || r->ask == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "alias_done: this is no request of coop_alias_next()");
    number = ask_answer(r->ask)->invocation->number;
    rc = request_judge(r, result, &value, &error);
    if (rc != 0) {
        rc = refuse(number, rc);
    } else if (error != NULL) {
        rc = say_error(number, error->type, error->message, error->traceback);
    } else {
        rc = say_done(number, &value.message, NULL);
        inside_value_finish(&value);
    }
    request_finish(r);
    free(r);
    return rc;
}

int coop_alias_serve(const struct coop_handle *child, const struct coop_function *functions)
{
    int rc = 0;

    if (functions == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "alias_serve: NULL");
    while (rc == 0) {
        const struct coop_function *f;
        coop_request *r;

        rc = coop_alias_next(child, COOP_NEVER, &r);
        if (rc == -EOWNERDEAD)
            return 0;
        if (rc == -EPROTOTYPE) {
            rc = 0; /* its caller was told */
            continue;
        }
        if (rc != 0)
            break;
        f = request_find(functions, coop_request_name(r));
        rc = coop_alias_done(r,
                             f != NULL ? f->fn(r) : coop_fail(r, "NoFunction", "nobody serves the alias \"%.100s\"", coop_request_name(r)));
        if (rc == -EPROTOTYPE || rc == -ELOOP || rc == -E2BIG)
            rc = 0;
    }
    return rc;
}
