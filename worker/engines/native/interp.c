/* interp.c - see interp.h: one call after another, each a function of the module, on the main tasklet. */
#include "worker/engines/native/interp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/engines/native/frames.h"
#include "worker/engines/native/life.h"
#include "worker/engines/native/load.h"
#include "worker/engines/native/request.h"
#include "worker/interp.h"
#include "worker/task/sched.h"

static struct {
    const struct coop_function *functions;
    coop_val *prepared; /* a map; NULL: nothing yet */
} own;

/* ---- its begin ------------------------------------------------------------------------------------------------------------------ */

static bool find_functions(void)
{
    char why[256];

    own.functions = load_symbol("coop_functions");
    if (own.functions != NULL)
        return true;
    snprintf(why, sizeof(why),
             "%s has no coop_functions: an interpreter defines const struct coop_function coop_functions[], see coop/interp.h",
             load_name());
    life_fail("LoadError", why, "");
    return false;
}

static bool start(int argc, char **argv)
{
    int (*starts)(int, char **), result;
    const struct coop_why *last;
    char message[640];

    *(void **)&starts = load_symbol("coop_start");
    if (starts == NULL)
        return true;
    result = starts(argc, argv);
    if (result == 0)
        return true;
    last = coop_last_error();
    snprintf(message, sizeof(message), "coop_start() returned %d%s%s", result, result < 0 ? ": " : "",
             last->error == -result ? last->message
             : result < 0           ? strerror(-result)
                                    : "");
    life_fail("StartError", message, "");
    return false;
}

/* Only the call: what its tasklets do is theirs. */
static void on_interrupt(void)
{
    coop_cancel(&sched->main);
}

static bool native_begin(const Pb__JobSpec *spec, struct outcome *ret_o)
{
    char **argv;

    if (!life_begin(spec, &argv)) {
        ret_o->kind = PB__RESULT_KIND__RESULT_KIND_OOM;
        return false;
    }
    if (sched != NULL)
        sched->on_interrupt = on_interrupt;
    frames_main_top(__builtin_frame_address(0));
    if (!life_load(spec) || !find_functions() || !start((int)spec->n_args + 1, argv))
        life_end();
    return true;
}

/* ---- a call --------------------------------------------------------------------------------------------------------------------- */

static void copy(char *into, size_t size, const char *from)
{
    snprintf(into, size, "%s", from);
}

static void fail(struct call_outcome *o, Pb__CallError e, const char *message)
{
    o->failure = e;
    outcome_text(o->message, sizeof(o->message), message, strlen(message));
}

/* What an interpreter may say of a call of its own; of all else that fails in it it says that it has failed. */
static bool is_own(Pb__CallError e)
{
    return e == PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST || e == PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE ||
           e == PB__CALL_ERROR__CALL_ERROR_TOO_DEEP || e == PB__CALL_ERROR__CALL_ERROR_TOO_BIG ||
           e == PB__CALL_ERROR__CALL_ERROR_TEMPORARY || e == PB__CALL_ERROR__CALL_ERROR_LIMIT;
}

/* Of a value that cannot come in or go out. */
static void fail_as_told(struct call_outcome *o, int rc)
{
    const struct coop_why *w = coop_last_error();
    Pb__CallError e = inside_error_of(rc);

    fail(o, is_own(e) ? e : PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED, w->message);
    copy(o->path, sizeof(o->path), w->path);
    copy(o->type, sizeof(o->type), w->name);
}

static void fail_in_there(struct call_outcome *o, const struct request_error *e)
{
    o->failure = PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED;
    copy(o->type, sizeof(o->type), e->type);
    copy(o->message, sizeof(o->message), e->message);
    copy(o->traceback, sizeof(o->traceback), e->traceback);
}

static void fail_by_deadlock(struct call_outcome *o, const char *trace)
{
    fail(o, PB__CALL_ERROR__CALL_ERROR_EXECUTION_FAILED, "Deadlock: every tasklet is blocked, and nothing can wake one.");
    copy(o->type, sizeof(o->type), "Deadlock");
    outcome_text(o->traceback, sizeof(o->traceback), trace, strlen(trace));
}

static void judge(struct coop_request *r, int result, const char *deadlock, struct call_outcome *o)
{
    const struct request_error *error;
    struct inside_value value;
    int rc;

    if (result == -EDEADLK && r->error == NULL && deadlock != NULL) {
        fail_by_deadlock(o, deadlock);
        return;
    }
    rc = request_judge(r, result, &value, &error);
    if (rc != 0)
        fail_as_told(o, rc);
    else if (error != NULL)
        fail_in_there(o, error);
    else if (inside_value_give(&value, &o->value) != 0)
        fail(o, PB__CALL_ERROR__CALL_ERROR_TEMPORARY, "the memory limit is reached");
}

/* What the tenant's code may have left behind is in nobody's way. */
static void call_is_over(void)
{
    (void)interp_call_is_over();
    if (sched != NULL)
        sched_main_afresh();
    fflush(stdout);
    fflush(stderr);
}

static void run(const struct coop_function *f, const Pb__Call *c, struct call_outcome *o)
{
    struct coop_request r;
    int result, rc = request_init(&r, f->name, "", c->args);

    if (rc != 0) {
        (void)interp_call_is_over();
        fail_as_told(o, rc);
        return;
    }
    (void)life_deadlock();
    result = f->fn(&r);
    call_is_over();
    judge(&r, result, life_deadlock(), o);
    request_finish(&r);
}

static void call(const Pb__Call *c, struct call_outcome *o)
{
    const struct coop_function *f = request_find(own.functions, c->function);
    char message[256];

    frames_main_top(__builtin_frame_address(0));
    if (f != NULL) {
        run(f, c, o);
        return;
    }
    inside_value_refuse(c->args);
    snprintf(message, sizeof(message), "%s has no function \"%.100s\" in its coop_functions", load_name(), c->function);
    fail(o, PB__CALL_ERROR__CALL_ERROR_NO_FUNCTION, message);
}

/* ---- names ---------------------------------------------------------------------------------------------------------------------- */

const coop_val *coop_prepared(const char *name)
{
    return name != NULL ? coop_val_get(own.prepared, name) : NULL;
}

/* All at once: what there is stays as it is until all of it is good. */
static int add_names(const coop_val *names)
{
    coop_val *all = own.prepared != NULL ? coop_val_copy(own.prepared) : coop_val_map();
    int rc = 0;

    for (size_t i = 0; i < coop_val_count(names) && rc == 0; i++) {
        const char *key = coop_val_as_text(coop_val_key_at(names, i), NULL);

        if (key == NULL)
            rc = inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "names: key %zu is of type %s: a text is wanted", i + 1,
                               coop_val_type_name(coop_val_type(coop_val_key_at(names, i))));
        else
            (void)coop_val_set_key(all, coop_val_copy(coop_val_key_at(names, i)), coop_val_copy(coop_val_at(names, i)));
    }
    if (rc == 0 && coop_val_error(all) != 0)
        rc = inside_failed(coop_val_error(all), "prepare");
    if (rc != 0) {
        coop_val_free(all);
        return rc;
    }
    coop_val_free(own.prepared);
    own.prepared = all;
    return 0;
}

static void prepare(const Pb__Call *c, struct call_outcome *o)
{
    coop_val *names;
    int rc = inside_value_unpack(c->args, "names", &names);

    if (rc == 0) {
        rc = coop_val_type(names) == COOP_VAL_MAP
                 ? add_names(names)
                 : inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "names is of type %s: a map is wanted",
                                 coop_val_type_name(coop_val_type(names)));
        coop_val_free(names);
    }
    if (rc != 0) {
        inside_value_refuse(c->args);
        fail_as_told(o, rc);
    }
}

static void native_call(const Pb__Call *c, struct call_outcome *o)
{
    switch (c->kind) {
    case PB__CALL_KIND__CALL_KIND_CALL: call(c, o); break;
    case PB__CALL_KIND__CALL_KIND_PREPARE: prepare(c, o); break;
    case PB__CALL_KIND__CALL_KIND_EXEC:
        fail(o, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "native has no source text: give a shared object when the interpreter is created");
        break;
    default: fail(o, PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED, "native knows no such kind of call"); break;
    }
}

/* ---- interrupt and end ---------------------------------------------------------------------------------------------------------- */

/* From a signal handler: a loop that does not block looks at coop_cancelled(); on_interrupt() wakes one that does. */
static void native_interrupt(void)
{
    if (sched == NULL)
        return;
    sched->main.cancelled = true;
    sched_interrupt(sched);
}

static void native_close(struct outcome *ret_o)
{
    void (*stop)(void);

    (void)ret_o; /* life_end() says it */
    *(void **)&stop = load_symbol("coop_stop");
    if (stop != NULL)
        stop();
    life_end_tasklets();
    life_end();
}

const struct interp_engine native_interp = {
    .begin = native_begin,
    .call = native_call,
    .interrupt = native_interrupt,
    .close = native_close,
};
