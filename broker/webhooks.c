/* webhooks.c - see webhooks.h: who wants to hear of which job, and whose end is still to be told. */
#include "broker/webhooks_own.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/arrays.h"
#include "broker/broker.h"
#include "broker/jobs.h"
#include "broker/stored.h"
#include "broker/tenants.h"
#include "broker/waiting.h"
#include "frame.h"

#define ST(name) PB__STATE__STATE_##name

/* ---- a set --------------------------------------------------------------------------------------------------------------------------- */

static bool wants(const Pb__Webhook *h, Pb__State to)
{
    if (h->n_events == 0)
        return job_is_terminal(to);
    for (size_t i = 0; i < h->n_events; i++)
        if (h->events[i] == to)
            return true;
    return false;
}

static uint32_t events_of(const Pb__JobSpec *spec)
{
    uint32_t set = 0;

    for (unsigned state = 0; state < 32; state++)
        for (size_t i = 0; i < spec->n_webhooks; i++)
            if (wants(spec->webhooks[i], (Pb__State)state))
                set |= 1u << state;
    return set;
}

static struct webhook_set *set_new(const Pb__JobSpec *spec)
{
    Pb__JobSpec part = PB__JOB_SPEC__INIT;
    struct webhook_set *s;
    size_t len;

    part.name = spec->name;
    part.webhooks = spec->webhooks;
    part.n_webhooks = spec->n_webhooks;
    len = protobuf_c_message_get_packed_size(&part.base);
    s = malloc(sizeof(*s) + len);
    if (s == NULL)
        return NULL;
    s->refs = 1;
    s->events = events_of(spec);
    s->len = protobuf_c_message_pack(&part.base, s->bytes);
    return s;
}

static struct webhook_set *set_ref(struct webhook_set *s)
{
    if (s != NULL)
        s->refs++;
    return s;
}

static void set_unref(struct webhook_set *s)
{
    if (s != NULL && --s->refs == 0)
        free(s);
}

/* Of the spec that the store has under this id; asked once for an array. NULL: it cannot be had. */
static struct webhook_set *set_read(struct webhooks *w, const char *spec_of)
{
    struct frame f;

    if (strcmp(w->recent_of, spec_of) == 0)
        return set_ref(w->recent);
    if (stored_spec(w->broker, spec_of, &f) == 0) {
        set_unref(w->recent);
        w->recent = set_new((const Pb__JobSpec *)f.msg);
        snprintf(w->recent_of, sizeof(w->recent_of), "%s", w->recent != NULL ? spec_of : "");
        frame_release(&f);
    }
    return strcmp(w->recent_of, spec_of) == 0 ? set_ref(w->recent) : NULL;
}

/* ---- those that name some ------------------------------------------------------------------------------------------------------------ */

static struct webhook_job *find_job(struct webhooks *w, const char *id)
{
    struct webhook_job *j;

    HASH_FIND_STR(w->jobs, id, j);
    return j;
}

/* Takes the set. NULL: no memory; the store knows it, and the next broker tells its end. */
static struct webhook_job *add(struct webhooks *w, const char *id, struct webhook_set *set)
{
    struct webhook_job *j = calloc(1, sizeof(*j));

    if (j == NULL) {
        set_unref(set);
        return NULL;
    }
    snprintf(j->id, sizeof(j->id), "%s", id);
    j->set = set;
    HASH_ADD_STR(w->jobs, id, j);
    return j;
}

static void leave(struct webhooks *w, struct webhook_job *j)
{
    HASH_DEL(w->jobs, j);
    set_unref(j->set);
    free(j);
}

static void note_done(struct webhooks *w, const char *id)
{
    struct store_op *op = store_op_new(STORE_HOOK_DONE, id);

    if (op != NULL)
        store_push(w->broker->store, op);
}

/* All that it owed has arrived, or been given up; or had no room, and stays in the store. */
static void forget_job(struct webhooks *w, struct webhook_job *j)
{
    if (!j->left)
        note_done(w, j->id);
    leave(w, j);
}

void webhooks_add(struct webhooks *w, const char *job, const Pb__JobSpec *spec)
{
    if (find_job(w, job) == NULL)
        (void)add(w, job, set_new(spec));
}

void webhooks_refused(struct webhooks *w, const char *job)
{
    struct webhook_job *j = find_job(w, job);

    if (j != NULL)
        leave(w, j);
}

void webhooks_array_over(struct webhooks *w, const char *array)
{
    struct webhook_job *j = find_job(w, array);

    if (j != NULL)
        forget_job(w, j);
}

void webhook_told(struct webhooks *w, const char *owner)
{
    struct webhook_job *j = find_job(w, owner);

    if (j != NULL && j->owes > 0 && --j->owes == 0)
        forget_job(w, j);
}

static struct webhook_set *set_of(struct webhooks *w, struct webhook_job *j)
{
    if (j != NULL && j->set == NULL)
        j->set = set_read(w, j->id);
    return j != NULL ? j->set : NULL;
}

/* Its own set, or its array's. NULL: nobody listens. */
static struct webhook_set *set_for(struct webhooks *w, const struct waiting *entry, const char *id)
{
    struct webhook_job *j = find_job(w, id);

    if (j == NULL && entry != NULL && entry->array != NULL)
        j = find_job(w, entry->array->row.id);
    return set_of(w, j);
}

/* ---- events -------------------------------------------------------------------------------------------------------------------------- */

/* Notices for all addresses that want to hear of this. owner: whose end it is, or NULL. */
static void tell(struct webhooks *w, const struct webhook_set *set, Pb__Notice *what, uint64_t tenant, struct webhook_job *owner)
{
    Pb__JobSpec *spec;

    if ((set->events >> what->state & 1) == 0)
        return;
    spec = pb__job_spec__unpack(NULL, set->len, set->bytes);
    if (spec == NULL && owner != NULL)
        owner->left = true;
    if (spec == NULL)
        return;
    what->name = spec->name;
    for (size_t i = 0; i < spec->n_webhooks; i++) {
        if (!wants(spec->webhooks[i], what->state))
            continue;
        if (webhook_begin(w, spec->webhooks[i], (unsigned)i, what, tenant, owner != NULL ? owner->id : NULL)) {
            if (owner != NULL)
                owner->owes++;
        } else if (owner != NULL) {
            owner->left = true;
        }
    }
    what->name = (char *)"";
    pb__job_spec__free_unpacked(spec, NULL);
}

void webhooks_changed(struct webhooks *w, const struct waiting *entry, Pb__State from, Pb__State to, const char *reason)
{
    Pb__Notice what = PB__NOTICE__INIT;
    const struct webhook_set *set;
    char id[ULID_LEN + 1];

    if (w->jobs == NULL || job_is_terminal(to)) /* nobody listens; ends are told when they are recorded */
        return;
    waiting_id(entry, id);
    set = set_for(w, entry, id);
    if (set == NULL)
        return;
    what.job = id;
    if (entry->array != NULL) {
        what.array_id = entry->array->row.id;
        what.array_index = entry->array_index;
    }
    what.tenant = (char *)entry->tenant->name;
    what.from = from;
    what.state = to;
    what.reason = (char *)reason;
    what.at_us = loop_wall_us();
    tell(w, set, &what, entry->tenant->id, NULL);
    webhook_pump(w);
}

/* The store has noted that this one owes its end. */
static void tell_end(struct webhooks *w, const struct tenant *t, struct webhook_set *set, Pb__Notice *what)
{
    struct webhook_job *j = find_job(w, what->job);

    if (j == NULL)
        j = add(w, what->job, set_ref(set));
    if (j == NULL)
        return;
    what->tenant = (char *)t->name;
    what->from = ST(FINISHING);
    tell(w, set, what, t->id, j);
    if (j->owes == 0)
        forget_job(w, j);
    webhook_pump(w);
}

static void on_end(void *ctx, const struct jobs_ended *e)
{
    struct webhooks *w = ctx;
    Pb__Notice what = PB__NOTICE__INIT;
    const struct waiting *entry = e->entry;
    struct webhook_set *set = w->jobs != NULL ? set_ref(set_for(w, entry, e->id)) : NULL;

    if (set == NULL)
        return;
    what.job = (char *)e->id;
    if (entry->array != NULL) {
        what.array_id = entry->array->row.id;
        what.array_index = entry->array_index;
    }
    what.state = e->outcome;
    what.cause = e->cause;
    what.at_us = loop_wall_us();
    tell_end(w, entry->tenant, set, &what);
    set_unref(set);
}

/* ---- its life ------------------------------------------------------------------------------------------------------------------------ */

void webhooks_init(struct webhooks *w, struct broker *b)
{
    struct courier_handler h = { webhook_on_done, webhook_on_lost, webhook_pump, w };

    *w = (struct webhooks){ .broker = b };
    w->last_id = loop_wall_us(); /* above every number that an earlier broker gave */
    courier_init(&w->courier, b, &h);
}

/* Ended under an earlier broker, which did not get to tell it. */
static void recover_end(struct webhooks *w, struct store_job *row)
{
    struct tenant *t = tenants_find(&w->broker->tenants, row->tenant);
    struct webhook_set *set = t != NULL ? set_read(w, row->array_id[0] != '\0' ? row->array_id : row->id) : NULL;
    Pb__Notice what = PB__NOTICE__INIT;

    if (set == NULL)
        return; /* it stays in the store */
    what.job = row->id;
    what.array_id = row->array_id;
    what.array_index = row->array_index;
    what.state = row->state;
    what.cause = row->cause;
    what.at_us = row->ended_us;
    tell_end(w, t, set, &what);
    set_unref(set);
}

static int recover_one(void *ctx, const char *id)
{
    struct webhooks *w = ctx;
    struct store_job row;
    int rc;

    if (arrays_find(w->broker, id) != NULL) { /* tasks of it have not ended */
        (void)add(w, id, NULL);
        return 0;
    }
    rc = store_find(w->broker->store, id, &row);
    if (rc == 0 && job_is_terminal(row.state))
        recover_end(w, &row);
    else if (rc == 0)
        (void)add(w, id, NULL);
    else if (rc == -ENOENT) /* removed; or an array that is over, each of whose tasks owes its own */
        note_done(w, id);
    return 0;
}

int webhooks_recover(struct webhooks *w)
{
    int rc = store_each_hook(w->broker->store, recover_one, w);

    jobs_on_end(&w->broker->jobs, on_end, w);
    return rc;
}

void webhooks_finish(struct webhooks *w)
{
    struct webhook_job *j, *next;

    courier_stop(&w->courier);
    webhook_notices_finish(w);
    webhook_log_finish(&w->log);
    HASH_ITER (hh, w->jobs, j, next)
        leave(w, j);
    set_unref(w->recent);
    w->recent = NULL;
}
