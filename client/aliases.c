/* aliases.c - functions that interpreters call and this program serves: see include/coop/client.h. */
#include <errno.h>
#include <stdlib.h>

#include <coop/exit_codes.h>

#include "call_errors.h"
#include "client/values.h"

static int read_invocation(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__AliasInvocation *i = body;

    ret->invocation.number = i->number;
    PUT(ret->invocation.name, i->name);
    PUT(ret->invocation.caller, i->caller);
    /* What was pulled is to be answered, whatever it is. */
    if (value_receive(op->client, i->args, &ret->invocation.args, why) != 0)
        ret->invocation.args = coop_val_text("\xff", 1); /* COOP_VAL_ERROR */
    return 0;
}

static const struct op_kind kind_invocation = { true, PB__ANSWER__BODY_INVOCATION, COOP_RESULT_INVOCATION, read_invocation, NULL, NULL };

void coop_invocation_free(struct coop_invocation *i)
{
    coop_val_free(i->args);
    i->args = NULL;
}

static int start_next(struct start *s, const char *interp)
{
    Pb__AliasNext m = PB__ALIAS_NEXT__INIT;
    Pb__Ref ref;

    if (interp != NULL)
        m.interp = ref_of_text(&ref, interp);
    return start_ask(s, PB__ASK__BODY_ALIAS_NEXT, &m, false, &kind_invocation);
}

int coop_alias_next(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_invocation *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_next(&s, interp), &r);

    if (rc == 0)
        *ret = r.invocation;
    return rc;
}

int coop_alias_next_begin(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_next(&s, interp), ret);
}

static int start_done(struct start *s, uint64_t number, const coop_val *value, const char *error_type, const char *error_message)
{
    Pb__AliasDone m = PB__ALIAS_DONE__INIT;
    Pb__JobError error = PB__JOB_ERROR__INIT;
    struct sent_value v;
    int rc;

    m.number = number;
    if (error_type != NULL) {
        error.type = (char *)error_type;
        error.message = (char *)(error_message != NULL ? error_message : "");
        m.error = &error;
        return start_ask(s, PB__ASK__BODY_ALIAS_DONE, &m, false, &op_done);
    }
    rc = value_send(s, value, "value", &v);
    if (rc != 0)
        return rc;
    m.value = &v.pb;
    rc = start_ask(s, PB__ASK__BODY_ALIAS_DONE, &m, false, &op_done);
    value_sent(s, &v);
    return rc;
}

int coop_alias_done(struct coop_client *c, uint64_t number, const coop_val *value, const char *error_type, const char *error_message,
                    int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_done(&s, number, value, error_type, error_message));
}

int coop_alias_done_begin(struct coop_client *c, uint64_t number, const coop_val *value, const char *error_type, const char *error_message,
                          int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_done(&s, number, value, error_type, error_message), ret);
}

/* ---- taken back, written down ---------------------------------------------------------------------------------------------------- */

static int start_revoke(struct start *s, const char *interp, const char *name)
{
    Pb__HandleRevoke m = PB__HANDLE_REVOKE__INIT;
    Pb__Ref ref;

    m.ref = ref_of_text(&ref, interp);
    m.kind = PB__KIND__KIND_INTERP;
    m.alias = (char *)name;
    return start_ask(s, PB__ASK__BODY_HANDLE_REVOKE, &m, false, &op_done);
}

int coop_alias_revoke(struct coop_client *c, const char *interp, const char *name, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_revoke(&s, interp, name));
}

int coop_alias_revoke_begin(struct coop_client *c, const char *interp, const char *name, int64_t timeout_us, struct coop_op **ret,
                            struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_revoke(&s, interp, name), ret);
}

static int read_log(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__AliasLogList *l = body;
    int rc = start_array((void **)&ret->alias_calls.items, l->n_calls, sizeof(*ret->alias_calls.items), why);

    (void)op;
    for (size_t i = 0; rc == 0 && i < l->n_calls; i++) {
        struct coop_alias_call *to = &ret->alias_calls.items[i];
        const Pb__AliasLogged *from = l->calls[i];

        to->number = from->number;
        to->ended_us = from->ended_us;
        to->wall_us = from->wall_us;
        to->bytes_in = from->bytes_in;
        to->bytes_out = from->bytes_out;
        PUT(to->caller, from->caller);
        PUT(to->server, from->server);
        PUT(to->name, from->name);
        if (from->error != PB__CALL_ERROR__CALL_ERROR_NONE)
            PUT(to->error, call_error(from->error)->name);
    }
    ret->alias_calls.n = rc == 0 ? l->n_calls : 0;
    return rc;
}

static const struct op_kind kind_log = { true, PB__ANSWER__BODY_ALIAS_CALLS, COOP_RESULT_ALIAS_CALLS, read_log, NULL, NULL };

static int start_log(struct start *s, uint64_t before, unsigned limit)
{
    Pb__AliasLog m = PB__ALIAS_LOG__INIT;

    m.before = before;
    m.limit = limit;
    return start_ask(s, PB__ASK__BODY_ALIAS_LOG, &m, false, &kind_log);
}

int coop_alias_log(struct coop_client *c, uint64_t before, unsigned limit, int64_t timeout_us, struct coop_alias_list *ret,
                   struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_log(&s, before, limit), &r);

    if (rc == 0)
        *ret = r.alias_calls;
    return rc;
}

int coop_alias_log_begin(struct coop_client *c, uint64_t before, unsigned limit, int64_t timeout_us, struct coop_op **ret,
                         struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_log(&s, before, limit), ret);
}

/* ---- serving --------------------------------------------------------------------------------------------------------------------- */

typedef int serve_fn(void *user, const char *name, const coop_val *args, coop_val **ret, char *error);

enum { ERROR_TEXT = 256 };

static int answer_error(struct coop_client *c, uint64_t number, const char *type, const char *message, struct coop_error *why)
{
    int rc = coop_alias_done(c, number, NULL, type, message, COOP_NO_LIMIT, why);

    return rc == -ENOENT ? 0 : rc;
}

static int serve_one(struct coop_client *c, const struct coop_invocation *i, serve_fn *serve, void *user, struct coop_error *why)
{
    coop_val *value = NULL;
    char error[ERROR_TEXT] = "";
    int verdict, rc;

    if (coop_val_type(i->args) == COOP_VAL_ERROR)
        return answer_error(c, i->number, "NotShareable", "the arguments are no values", why);
    verdict = serve(user, i->name, i->args, &value, error);
    if (verdict == 0 && value == NULL && error[0] == '\0')
        value = coop_val_null();
    rc = value != NULL ? coop_alias_done(c, i->number, value, NULL, NULL, COOP_NO_LIMIT, why)
                       : answer_error(c, i->number, "AliasError", error, why);
    coop_val_free(value);
    if (rc == -ENOENT) /* its caller does not wait any more */
        rc = 0;
    return verdict != 0 ? verdict : rc;
}

static int64_t left_until(uint64_t until_ms)
{
    uint64_t now = req_now_ms();

    if (until_ms == UINT64_MAX)
        return COOP_NO_LIMIT;
    return until_ms > now ? (int64_t)(until_ms - now) * 1000 : 0;
}

int coop_alias_serve(struct coop_client *c, const char *interp, serve_fn *serve, void *user, int64_t timeout_us, struct coop_error *why)
{
    uint64_t until_ms = timeout_us < 0 ? UINT64_MAX : req_now_ms() + (uint64_t)client_ms(timeout_us);

    for (;;) {
        struct coop_invocation i;
        int rc = coop_alias_next(c, interp, left_until(until_ms), &i, why);

        if (rc == -EOWNERDEAD)
            return 0; /* it has ended: nothing more comes */
        if (rc != 0)
            return rc;
        rc = serve_one(c, &i, serve, user, why);
        coop_invocation_free(&i);
        if (rc != 0)
            return rc;
    }
}
