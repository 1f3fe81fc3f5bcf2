/* interps.c - interpreters: see include/coop/client.h. */
#include <errno.h>
#include <stdlib.h>

#include <coop/exit_codes.h>

#include "client/info.h"
#include "client/spec.h"
#include "client/values.h"

/* ---- answers ----------------------------------------------------------------------------------------------------------------------- */

static void fill_info(struct coop_interp_info *i, const Pb__InterpStatus *s)
{
    memset(i, 0, sizeof(*i));
    if (s->interp != NULL)
        handle_of_pb(&i->handle, s->interp);
    i->state = (enum coop_interp_state)s->state;
    i->owner = (enum coop_owner)s->owner;
    PUT(i->engine, s->engine);
    PUT(i->template_name, s->template_);
    PUT(i->whence, s->whence);
    PUT(i->parent, s->parent);
    i->depth = s->depth;
    i->children = s->children;
    PUT(i->running, s->running);
    i->waiting = s->waiting;
    i->calls = s->calls;
    text_put_enum(i->cause, sizeof(i->cause), &pb__cause__descriptor, "CAUSE_", (int)s->cause);
    PUT(i->cause_detail, s->cause_detail);
    PUT(i->receipt, s->receipt);
    limits_of_pb(&i->limits, s->limits);
    i->created_us = s->created_us;
    i->incarnation = s->incarnation;
    i->pid = (int)s->pid;
    i->cpu_us = s->cpu_us;
    i->mem_bytes = s->mem_bytes;
}

static int read_info(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    (void)why;
    fill_info(&ret->interp, body);
    return 0;
}

static int read_list(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__InterpStatusList *l = body;
    int rc = start_array((void **)&ret->interps.items, l->n_interps, sizeof(*ret->interps.items), why);

    (void)op;
    for (size_t i = 0; rc == 0 && i < l->n_interps; i++)
        fill_info(&ret->interps.items[i], l->interps[i]);
    ret->interps.n = rc == 0 ? l->n_interps : 0;
    return rc;
}

static int read_call(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__CallResult *r = body;

    ret->call.stdout_from = r->stdout_from;
    ret->call.stdout_to = r->stdout_to;
    ret->call.stderr_from = r->stderr_from;
    ret->call.stderr_to = r->stderr_to;
    ret->call.wall_us = r->wall_us;
    PUT(ret->call.output, r->output);
    return value_receive(op->client, r->value, &ret->call.value, why);
}

static const struct op_kind kind_info = { true, PB__ANSWER__BODY_INTERP, COOP_RESULT_INTERP, read_info, NULL, NULL };
static const struct op_kind kind_list = { true, PB__ANSWER__BODY_INTERPS, COOP_RESULT_INTERPS, read_list, NULL, NULL };
static const struct op_kind kind_call = { true, PB__ANSWER__BODY_RESULT, COOP_RESULT_CALL, read_call, NULL, NULL };

/* ---- create ------------------------------------------------------------------------------------------------------------------------ */

struct create {
    Pb__InterpCreate m;
    Pb__JobSpec *spec, none;
    Pb__Grant *grants, **list;
    Pb__Handle *handles;
};

static int add_grants(struct create *k, const struct coop_interp_options *o, struct coop_error *why)
{
    size_t n = o->n_grants;

    if (start_array((void **)&k->grants, n, sizeof(*k->grants), why) != 0 || start_array((void **)&k->list, n, sizeof(void *), why) != 0 ||
        start_array((void **)&k->handles, n, sizeof(*k->handles), why) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        pb__grant__init(&k->grants[i]);
        k->grants[i].name = (char *)o->grants[i].name;
        k->grants[i].handle = handle_to_pb(&k->handles[i], &o->grants[i].handle);
        k->list[i] = &k->grants[i];
    }
    k->m.grants = k->list;
    k->m.n_grants = n;
    return 0;
}

static int fill_create(struct create *k, const struct coop_interp_options *o, struct coop_error *why)
{
    int rc = 0;

    if (o == NULL || o->size < sizeof(*o))
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "options.size is not set");
    pb__interp_create__init(&k->m);
    pb__job_spec__init(&k->none);
    k->m.spec = &k->none;
    if (o->spec != NULL || o->template_name == NULL)
        rc = spec_of(o->spec, &k->m.spec, why);
    if (rc != 0)
        return rc;
    k->m.template_ = (char *)(o->template_name != NULL ? o->template_name : "");
    k->m.owner = (Pb__Owner)o->owner;
    k->m.aliases = (char **)o->aliases;
    k->m.n_aliases = o->n_aliases;
    k->m.max_children = o->max_children;
    return add_grants(k, o, why);
}

static int start_create(struct start *s, const struct coop_interp_options *o)
{
    struct create k = { .grants = NULL };
    int rc = fill_create(&k, o, s->why);

    if (rc == 0)
        rc = start_ask(s, PB__ASK__BODY_INTERP_CREATE, &k.m, false, &op_handle);
    free(k.grants);
    free(k.list);
    free(k.handles);
    return rc;
}

int coop_interp_create(struct coop_client *c, const struct coop_interp_options *options, int64_t timeout_us, struct coop_handle *ret,
                       struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_handle(&s, start_create(&s, options), ret);
}

int coop_interp_create_begin(struct coop_client *c, const struct coop_interp_options *options, int64_t timeout_us, struct coop_op **ret,
                             struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_create(&s, options), ret);
}

/* ---- exec, call, prepare ------------------------------------------------------------------------------------------------------------- */

static int wait_call(struct start *s, int rc, struct coop_call_result *ret)
{
    struct coop_result r;

    rc = start_wait(s, rc, &r);
    if (rc == 0 && ret != NULL)
        *ret = r.call;
    else if (rc == 0)
        coop_result_free(&r);
    return rc;
}

static int start_exec(struct start *s, const char *interp, const char *source_name, const void *source, size_t len)
{
    Pb__InterpExec m = PB__INTERP_EXEC__INIT;
    Pb__Ref ref;

    m.interp = ref_of_text(&ref, interp);
    m.source = (ProtobufCBinaryData){ len, (uint8_t *)source };
    m.source_name = (char *)(source_name != NULL ? source_name : "=exec");
    m.timeout_us = start_ask_timeout(s);
    return start_ask(s, PB__ASK__BODY_INTERP_EXEC, &m, true, &kind_call);
}

int coop_interp_exec(struct coop_client *c, const char *interp, const char *source_name, const void *source, size_t len, int64_t timeout_us,
                     struct coop_call_result *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return wait_call(&s, start_exec(&s, interp, source_name, source, len), ret);
}

int coop_interp_exec_begin(struct coop_client *c, const char *interp, const char *source_name, const void *source, size_t len,
                           int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_exec(&s, interp, source_name, source, len), ret);
}

static int start_call(struct start *s, const char *interp, const char *function, const coop_val *args)
{
    Pb__InterpCall m = PB__INTERP_CALL__INIT;
    struct sent_value v;
    Pb__Ref ref;
    int rc = value_send(s, args, "args", &v);

    if (rc != 0)
        return rc;
    m.interp = ref_of_text(&ref, interp);
    m.function = (char *)function;
    m.args = &v.pb;
    m.timeout_us = start_ask_timeout(s);
    rc = start_ask(s, PB__ASK__BODY_INTERP_CALL, &m, true, &kind_call);
    value_sent(s, &v);
    return rc;
}

int coop_interp_call(struct coop_client *c, const char *interp, const char *function, const coop_val *args, int64_t timeout_us,
                     struct coop_call_result *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return wait_call(&s, start_call(&s, interp, function, args), ret);
}

int coop_interp_call_begin(struct coop_client *c, const char *interp, const char *function, const coop_val *args, int64_t timeout_us,
                           struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_call(&s, interp, function, args), ret);
}

static int start_prepare(struct start *s, const char *interp, const coop_val *names)
{
    Pb__InterpPrepare m = PB__INTERP_PREPARE__INIT;
    struct sent_value v;
    Pb__Ref ref;
    int rc = value_send(s, names, "names", &v);

    if (rc != 0)
        return rc;
    m.interp = ref_of_text(&ref, interp);
    m.names = &v.pb;
    m.timeout_us = start_ask_timeout(s);
    rc = start_ask(s, PB__ASK__BODY_INTERP_PREPARE, &m, true, &op_done);
    value_sent(s, &v);
    return rc;
}

int coop_interp_prepare(struct coop_client *c, const char *interp, const coop_val *names, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return start_wait_done(&s, start_prepare(&s, interp, names));
}

int coop_interp_prepare_begin(struct coop_client *c, const char *interp, const coop_val *names, int64_t timeout_us, struct coop_op **ret,
                              struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_prepare(&s, interp, names), ret);
}

/* ---- those that name an interpreter, and nothing else ---------------------------------------------------------------------------- */

static int start_named(struct start *s, Pb__Ask__BodyCase which, const char *interp)
{
    Pb__InterpClose m =
        PB__INTERP_CLOSE__INIT; /* one shape with interrupt, kill, reset: the message's own descriptor is put in its place */
    Pb__Ref ref;

    switch (which) {
    case PB__ASK__BODY_INTERP_INTERRUPT: m.base.descriptor = &pb__interp_interrupt__descriptor; break;
    case PB__ASK__BODY_INTERP_KILL: m.base.descriptor = &pb__interp_kill__descriptor; break;
    case PB__ASK__BODY_INTERP_RESET: m.base.descriptor = &pb__interp_reset__descriptor; break;
    default: break;
    }
    m.interp = ref_of_text(&ref, interp);
    return start_ask(s, which, &m, false, &op_done);
}

#define NAMED(verb, body)                                                                                                                  \
    int coop_interp_##verb(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_error *why)                          \
    {                                                                                                                                      \
        struct start s = START_BLOCKING(c, timeout_us, why);                                                                               \
                                                                                                                                           \
        return start_wait_done(&s, start_named(&s, body, interp));                                                                         \
    }                                                                                                                                      \
    int coop_interp_##verb##_begin(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_op **ret,                    \
                                   struct coop_error *why)                                                                                 \
    {                                                                                                                                      \
        struct start s = START_ASYNC(c, timeout_us, why);                                                                                  \
                                                                                                                                           \
        return start_give(&s, start_named(&s, body, interp), ret);                                                                         \
    }

NAMED(interrupt, PB__ASK__BODY_INTERP_INTERRUPT)
NAMED(close, PB__ASK__BODY_INTERP_CLOSE)
NAMED(kill, PB__ASK__BODY_INTERP_KILL)
NAMED(reset, PB__ASK__BODY_INTERP_RESET)

/* ---- info, list, wait ------------------------------------------------------------------------------------------------------------ */

static int wait_info(struct start *s, int rc, struct coop_interp_info *ret)
{
    struct coop_result r;

    rc = start_wait(s, rc, &r);
    if (rc == 0)
        *ret = r.interp;
    return rc;
}

static int start_info(struct start *s, const char *interp)
{
    Pb__InterpInfo m = PB__INTERP_INFO__INIT;
    Pb__Ref ref;

    m.interp = ref_of_text(&ref, interp);
    return start_ask(s, PB__ASK__BODY_INTERP_INFO, &m, false, &kind_info);
}

int coop_interp_info(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_interp_info *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return wait_info(&s, start_info(&s, interp), ret);
}

int coop_interp_info_begin(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_info(&s, interp), ret);
}

static int start_list(struct start *s, bool all)
{
    Pb__InterpList m = PB__INTERP_LIST__INIT;

    m.all = all;
    return start_ask(s, PB__ASK__BODY_INTERP_LIST, &m, false, &kind_list);
}

int coop_interp_list(struct coop_client *c, bool all, int64_t timeout_us, struct coop_interp_list *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_list(&s, all), &r);

    if (rc == 0)
        *ret = r.interps;
    return rc;
}

int coop_interp_list_begin(struct coop_client *c, bool all, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_list(&s, all), ret);
}

static int start_monitor(struct start *s, const char *interp)
{
    Pb__InterpWait m = PB__INTERP_WAIT__INIT;
    Pb__Ref ref;

    m.interp = ref_of_text(&ref, interp);
    m.timeout_us = start_ask_timeout(s);
    return start_ask(s, PB__ASK__BODY_INTERP_WAIT, &m, true, &kind_info);
}

int coop_interp_wait(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_interp_info *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);

    return wait_info(&s, start_monitor(&s, interp), ret);
}

int coop_interp_wait_begin(struct coop_client *c, const char *interp, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_monitor(&s, interp), ret);
}
