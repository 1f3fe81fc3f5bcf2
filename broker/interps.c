/* interps.c - see interps.h. */
#include "broker/interps_own.h"
#include "broker/templates.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/aliases.h"
#include "broker/jobs_own.h"
#include "broker/spec_check.h"
#include "frame.h"
#include "log.h"

enum { REMOTE_MAX = 64 << 10 };

/* ---- the thing ---------------------------------------------------------------------------------------------------------------------- */

static void interp_free(struct thing *t)
{
    struct interp *i = interp_of(t);

    assert(i->job == NULL);
    aliases_free(i->aliases);
    grants_finish(i);
    free(i->template);
    free(i->cause_detail);
    free(i);
}

/* Nobody can call the child of a job any more but that job's own broker: it ends as if it had been closed. */
void interp_unheld(struct interp *i)
{
    const struct job *maker = i->parent;

    if (i->owner != OW(JOB) || i->state != IS(IDLE) || i->waiting != NULL)
        return;
    if (maker == NULL || maker->worker == NULL || maker->worker->phase == WORKER_ENDING)
        return; /* that ends it in its own way */
    (void)calls_close(i);
}

static void on_unheld(struct thing *t)
{
    interp_unheld(interp_of(t));
}

static const struct thing_ops interp_ops = { .free = interp_free, .unheld = on_unheld };

struct interp *interp_of(struct thing *t)
{
    return (struct interp *)t; /* its first member */
}

const char *interp_shown(const struct interp *i)
{
    return i->thing.name[0] != '\0' ? i->thing.name : i->thing.id;
}

/* remote: what it died of, or NULL. */
static void fail_ended(struct ask *a, Pb__CallError error, const char *shown, const char *id, Pb__Cause cause, const char *detail,
                       Pb__JobError *remote)
{
    Pb__CallFailure f = PB__CALL_FAILURE__INIT;
    char text[JOB_DETAIL + LIMITS_NAME + 64];

    snprintf(text, sizeof(text), "interpreter %s has ended: %s%s%s", shown, job_cause_name(cause), detail[0] != '\0' ? ": " : "",
             remote != NULL && remote->message[0] != '\0' ? remote->message : detail); /* of lines; a cause's detail is one */
    frame_make_utf8(text);
    f.error = error;
    f.message = text;
    f.cause = cause;
    f.cause_detail = (char *)detail;
    f.receipt = (char *)id;
    f.remote = remote;
    ask_fail_with(a, &f);
}

static char *text_or_empty(char *text)
{
    return text != NULL ? text : "";
}

void interp_fail_ended(struct ask *a, const struct interp *i, Pb__CallError error)
{
    const struct job_end *end = i->job != NULL ? &i->job->end : NULL;
    bool told = error == CE(EXECUTION_FAILED) && i->cause == CA(EXCEPTION) && end != NULL && end->error_type != NULL;
    Pb__JobError remote = PB__JOB_ERROR__INIT;

    if (told) {
        remote.type = end->error_type;
        remote.message = text_or_empty(end->error_message);
        remote.traceback = text_or_empty(end->error_traceback);
        told = strlen(remote.type) + strlen(remote.message) + strlen(remote.traceback) <= REMOTE_MAX; /* it is the dead one's own word */
    }
    fail_ended(a, error, interp_shown(i), i->thing.id, i->cause, text_or_empty(i->cause_detail), told ? &remote : NULL);
}

/* Closed in good order is no death. */
static Pb__CallError late_error(Pb__Cause cause)
{
    return cause == CA(OK) ? CE(CLOSED) : CE(DEAD);
}

/* The name is free again, and yet who asks for it is told how the last one that had it ended. */
static struct interp *ended_by_name(const struct asker *a, const char *name)
{
    const struct interps *all = &a->broker->interps;
    struct interp *found = NULL;

    for (struct interp *i = all->ended; i != NULL && name[0] != '\0'; i = i->ended_next)
        if (i->thing.estate == a->estate && i->owner != OW(JOB) && strcmp(i->label, name) == 0)
            found = i;
    return found;
}

/* One that ended so long ago that only the store knows it. */
static bool fail_forgotten(struct ask *a, const Pb__Ref *ref)
{
    const struct interp *i = a->by->worker == NULL && ref != NULL ? ended_by_name(a->by, ref->id) : NULL;
    struct store_job job;

    if (i != NULL) {
        interp_fail_ended(a, i, late_error(i->cause));
        return true;
    }
    if (a->by->worker != NULL || ref == NULL || strlen(ref->id) != ULID_LEN ||
        store_find_of(a->by->broker->store, ref->id, &a->by->estate->tenant, !a->by->operates, &job) != 0 || job.lives == STORE_LIVES_NOT ||
        !job_is_terminal(job.state))
        return false;
    fail_ended(a, late_error(job.cause), job.id, job.id, job.cause, "", NULL);
    return true;
}

struct interp *interp_named(struct ask *a, const Pb__Ref *ref, uint32_t rights, struct handle **ret_handle)
{
    struct call_why why;
    struct thing *t;

    if (ref_find(a->by, ref, PB__KIND__KIND_INTERP, rights, &t, ret_handle, &why) == 0)
        return interp_of(t);
    if (why.error != CE(NOT_FOUND) || !fail_forgotten(a, ref))
        ask_fail_why(a, &why);
    return NULL;
}

struct interp *interp_seen(struct ask *a, const Pb__Ref *ref, struct handle **ret_handle)
{
    struct interp *i = NULL;

    if (a->by->worker == NULL && ref != NULL && thing_seen(a->by, PB__KIND__KIND_INTERP, ref->id) == NULL)
        i = ended_by_name(a->by, ref->id);
    return i != NULL ? i : interp_named(a, ref, 0, ret_handle);
}

bool interp_has_ended(const struct asker *a, const Pb__Ref *ref)
{
    const struct interp *i = NULL;
    struct call_why why;
    struct thing *t;

    if (ref_find(a, ref, PB__KIND__KIND_INTERP, 0, &t, NULL, &why) == 0)
        i = interp_of(t);
    else if (a->worker == NULL && ref != NULL)
        i = ended_by_name(a, ref->id);
    return i != NULL && i->state == IS(ENDED);
}

bool interp_takes(struct interp *i, struct ask *a)
{
    if (i->state == IS(ENDED))
        interp_fail_ended(a, i, late_error(i->cause));
    else if (i->state == IS(CLOSING))
        ask_fail(a, CE(CLOSED), "interpreter %s is being closed", interp_shown(i));
    else if (i->state == IS(NONE) && i->thing.broker->phase == BROKER_DRAINING)
        ask_fail(a, CE(TEMPORARY), "the broker is draining; try again later");
    else
        return true;
    return false;
}

void interp_want(struct interp *i)
{
    if (i->state != IS(NONE))
        return;
    i->state = IS(STARTING);
    i->thing.broker->interps.unstarted--;
    jobs_put_in_queue(i->job, 0);
}

/* ---- making one --------------------------------------------------------------------------------------------------------------------- */

/* Whose it is going to be. */
static int choose_owner(const struct ask *a, const Pb__InterpCreate *m, Pb__Owner *ret, struct call_why *why)
{
    bool host = a->by->worker == NULL;

    *ret = m->owner != OW(NONE) ? m->owner : host ? OW(SESSION) : OW(JOB);
    if ((unsigned)*ret > OW(NAMED) || (host && *ret == OW(JOB)))
        return call_refuse(why, CE(BAD_REQUEST), "an interpreter of a host program belongs to its session, or to nobody (named)");
    if (!host && *ret != OW(JOB))
        return call_refuse(why, CE(NOT_ALLOWED), "an interpreter that an interpreter makes belongs to that one's job");
    return 0;
}

static int check_create(struct ask *a, const Pb__InterpCreate *m, struct call_why *why)
{
    const struct broker *b = a->by->broker;

    if (m->spec == NULL)
        return call_refuse(why, CE(BAD_REQUEST), "there is no spec");
    if (b->phase == BROKER_DRAINING)
        return call_refuse(why, CE(TEMPORARY), "the broker is draining; try again later");
    if (b->interps.alive >= b->config.interpreters)
        return call_refuse(why, CE(LIMIT), "%u interpreters are alive already, the most this broker has (--interpreters)",
                           b->config.interpreters);
    return estate_may_live(a->by->estate, why);
}

static int check_spec(const struct ask *a, const Pb__InterpCreate *m, Pb__Owner owner, struct call_why *why)
{
    struct job *parent = a->by->worker != NULL ? a->by->worker->job : NULL;
    char text[SPEC_WHY];
    int rc;

    if (owner == OW(NAMED) && m->spec->limits->idle_us == 0)
        m->spec->limits->idle_us = INTERPS_IDLE_NAMED_US;
    if (m->template_[0] != '\0')
        m->spec->template_ = m->template_;
    if (parent != NULL && tree_admit_template(parent, m->spec, why) != 0)
        return -1;
    m->spec->on_output_limit =
        PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE; /* a service does not die of what it has printed in its life */
    if (templates_resolve(a->by->broker, a->by->estate->tenant, m->spec, why) != 0)
        return -1;
    if (parent != NULL && tree_admit(parent, m->spec, m->max_children, why) != 0)
        return -1;
    rc = spec_check_interp(m->spec, text);
    if (rc == 0 && parent == NULL) /* what its maker had has been settled so */
        rc = estate_settle_limits(a->by->estate, m->spec, text);
    if (rc == 0)
        return 0;
    return call_refuse(why, rc == -EDQUOT ? CE(LIMIT) : rc == -EOPNOTSUPP ? CE(UNSUPPORTED) : CE(BAD_REQUEST), "%s", text);
}

static void take_words(struct interp *i, const Pb__JobSpec *spec)
{
    snprintf(i->label, sizeof(i->label), "%s", spec->name);
    snprintf(i->engine, sizeof(i->engine), "%s", spec->engine);
    i->template = spec->template_[0] != '\0' ? strdup(spec->template_) : NULL;
    i->limits = *spec->limits;
    i->created_us = loop_wall_us();
    i->grace = (struct timer){ .fn = calls_on_grace, .ctx = i };
}

struct interp *interp_new(struct estate *e, const char *id, const Pb__JobSpec *spec, Pb__Owner owner)
{
    struct interp *i = calloc(1, sizeof(*i));

    if (i == NULL)
        return NULL;
    thing_init(&i->thing, e, PB__KIND__KIND_INTERP, &interp_ops);
    if (id != NULL)
        memcpy(i->thing.id, id, sizeof(i->thing.id));
    i->owner = owner;
    i->incarnation = 1;
    i->depth = 1;
    i->whence = "runtime";
    take_words(i, spec);
    return i;
}

/* Its job, with what the store is to keep. */
static int make_job(struct interp *i, const Pb__InterpCreate *m, struct call_why *why)
{
    struct jobs_living living = { .tenant = i->thing.tenant, .id = i->thing.id, .named = i->owner == OW(NAMED) };
    uint8_t *packed;
    size_t len;

    if ((living.named && named_define(m, &living.definition) != 0) || frame_pack(&m->spec->base, &packed, &len) != 0) {
        free(living.definition.bytes);
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    }
    i->job = jobs_new_living(&i->thing.broker->jobs, m->spec, packed, len, &living);
    if (i->job == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    i->job->interp = i;
    i->thing.broker->interps.unstored++;
    if (i->job->caps.interpreters < m->max_children)
        i->job->caps.interpreters = m->max_children;
    return 0;
}

static struct interp *create(struct ask *a, const Pb__InterpCreate *m, Pb__Owner owner, struct call_why *why)
{
    struct broker *b = a->by->broker;
    struct interp *i = interp_new(a->by->estate, NULL, m->spec, owner);

    if (i == NULL) {
        call_refuse(why, CE(TEMPORARY), "out of memory");
        return NULL;
    }
    i->whence = i->template != NULL ? "template" : a->by->worker != NULL ? "spawned" : "runtime";
    if (grants_take(i, a->by, m->grants, m->n_grants, why) != 0 ||
        aliases_offer(a->by, i->thing.id, m->aliases, m->n_aliases, &i->aliases, why) != 0)
        goto fail;
    /* The names of host programs are unique and found; that of a job's own is a label. */
    if (thing_register(&i->thing, owner != OW(JOB) ? i->label : "") != 0) {
        call_refuse(why, CE(NAME_TAKEN), "there is an interpreter %s already", i->label);
        goto fail;
    }
    if (make_job(i, m, why) != 0)
        goto fail;
    i->state = IS(STARTING);
    b->interps.alive++;
    estate_lives(i->thing.estate, 1);
    tree_join(i, a->by);
    return i;
fail:
    thing_unref(&i->thing);
    return NULL;
}

/* Nobody waits for it any more: nobody would know that it is there. */
static void on_create_end(struct ask *a, enum ask_end how)
{
    struct interp *i = a->thing;

    (void)how;
    i->creating = NULL;
    jobs_decide(i->job, CA(CANCELLED), "whoever made it did not wait for it");
}

void call_interp_create(struct ask *a)
{
    const Pb__InterpCreate *m = a->message->interp_create;
    Pb__Limits defaults = PB__LIMITS__INIT;
    struct interp *i = NULL;
    struct call_why why;
    Pb__Owner owner;

    if (m->spec != NULL && m->spec->limits == NULL)
        m->spec->limits = &defaults;
    if (check_create(a, m, &why) == 0 && choose_owner(a, m, &owner, &why) == 0 && check_spec(a, m, owner, &why) == 0)
        i = create(a, m, owner, &why);
    if (m->spec != NULL && m->spec->limits == &defaults)
        m->spec->limits = NULL; /* the message outlives this frame */
    if (i == NULL) {
        ask_fail_why(a, &why);
        return;
    }
    i->creating = a;
    ask_park(a, ASK_NEVER, on_create_end, i);
    jobs_start_early(i->job);
}

/* A worker gets the handle that all others are derived from. A host program names it by its id. */
void interp_tell_created(struct interp *i)
{
    struct ask *a = i->creating;
    Pb__Answer m = PB__ANSWER__INIT;
    Pb__Handle told = PB__HANDLE__INIT;
    struct handle *h;

    if (a == NULL || (i->owner == OW(NAMED) && !i->stored))
        return;
    i->creating = NULL;
    if (a->by->worker != NULL) {
        h = handle_new(&i->thing, RIGHTS_INTERP, NULL);
        if (h != NULL)
            ask_reply_handle(a, h, NULL, -1); /* without room for it: unheld, and closed */
        else
            ask_fail(a, CE(TEMPORARY), "out of memory");
        return;
    }
    told.kind = PB__KIND__KIND_INTERP;
    told.rights = RIGHTS_INTERP;
    told.id = i->thing.id;
    told.name = i->thing.name;
    m.body_case = PB__ANSWER__BODY_HANDLE;
    m.handle = &told;
    ask_reply(a, &m);
}
