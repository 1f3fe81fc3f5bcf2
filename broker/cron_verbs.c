/* cron_verbs.c - an entry is made, shown and changed; see cron.h. */
#include <errno.h>
#include <sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin_log.h"
#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/cron_own.h"
#include "broker/plans_own.h"
#include "broker/spec_check.h"
#include "broker/stored.h"
#include "frame.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name
enum { LS_MAX = 10000 };

/* ---- made ------------------------------------------------------------------------------------------------------------------------------------ */

/* Who is to hear that an entry is stored. */
struct cron_submit {
    void (*done)(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status);
    void *ctx;
    Pb__Limits limits;
};

/* What is of one time only has no place in what is done again and again. */
static int check_schedule(const Pb__Schedule *s, struct jobs_refusal *no)
{
    if (s->n_after > 0)
        return jobs_refuse(no, -EINVAL, "an entry of cron cannot wait for jobs: they end once");
    if (s->not_before_us != 0 || s->not_before_in_us != 0)
        return jobs_refuse(no, -EINVAL, "an entry of cron has its times by its expression; not_before is another");
    if (s->deadline_us != 0 || s->deadline_in_us != 0)
        return jobs_refuse(no, -EINVAL, "an entry of cron has no deadline: that is one point in time");
    return 0;
}

static int check_room(const struct jobs_order *o, struct jobs_refusal *no)
{
    uint64_t bound = tenant_bound(o->tenant, QUOTA_CRON);
    const struct tenant *full = tenant_lacks(o->tenant, QUOTA_CRON, 1);

    if (full != NULL)
        return jobs_refuse(no, -EDQUOT, "tenant %s has as many entries of cron as it may (max_cron)", full->name);
    if (bound == TENANT_NO_BOUND && o->tenant->crons >= CRON_MAX)
        return jobs_refuse(no, -EDQUOT, "tenant %s has %d entries of cron, the most where max_cron does not say so", o->tenant->name,
                           CRON_MAX);
    return 0;
}

/* What would be submitted each time is checked now. It is kept as it came: limits that were not given are those of the time of each firing. */
static int check_spec(struct broker *b, const struct jobs_order *o, struct jobs_refusal *no)
{
    struct jobs_order dry = *o;
    Pb__JobSpec *s = o->spec;
    char *cron = s->schedule->cron, *zone = s->schedule->zone, *key = s->idem_key;
    char id[ULID_LEN + 1];
    uint64_t tasks;
    int rc;

    dry.dry_run = dry.later = true;
    s->schedule->cron = s->schedule->zone = s->idem_key = (char *)protobuf_c_empty_string;
    rc = plans_submit(b, &dry, id, &tasks, no);
    s->schedule->cron = cron;
    s->schedule->zone = zone;
    s->idem_key = key;
    return rc;
}

static int fill_row(const struct jobs_order *o, struct store_cron *row)
{
    const Pb__Schedule *s = o->spec->schedule;

    *row = (struct store_cron){ .tenant = o->tenant->id, .created_us = loop_wall_us() };
    ulid_make(row->created_us / 1000, row->id);
    snprintf(row->name, sizeof(row->name), "%s", o->spec->name);
    snprintf(row->engine, sizeof(row->engine), "%s", o->spec->engine);
    snprintf(row->expr, sizeof(row->expr), "%s", s->cron);
    snprintf(row->zone, sizeof(row->zone), "%s", s->zone);
    snprintf(row->user, sizeof(row->user), "%s", o->user);
    return 0;
}

/* 1: the same entry is there already, and has been answered for. */
static int find_same(struct broker *b, const struct jobs_order *o, const uint8_t *hash, char ret_id[ULID_LEN + 1], struct jobs_refusal *no)
{
    uint8_t stored[STORE_HASH];
    int rc;

    if (o->spec->idem_key[0] == '\0')
        return 0;
    if (strlen(o->spec->idem_key) > STORE_IDEM_LEN)
        return jobs_refuse(no, -EINVAL, "an idempotency key has at most %d bytes", STORE_IDEM_LEN);
    rc = store_find_idem(b->store, o->tenant->id, o->spec->idem_key, ret_id, stored);
    if (rc == -ENOENT)
        return 0;
    if (rc != 0)
        return jobs_refuse(no, rc, "the store cannot be read: %s", strerror(-rc));
    if (memcmp(stored, hash, STORE_HASH) != 0)
        return jobs_refuse(no, -EEXIST, "the idempotency key '%.100s' was given to another spec, that of %s", o->spec->idem_key, ret_id);
    if (!o->dry_run)
        o->done(o->ctx, ret_id, o->spec->limits, true, 0);
    return 1;
}

static void on_stored(struct store_op *op)
{
    struct cron *e = op->owner;
    struct cron_submit *s = e->submit;
    bool same = op->status == -EEXIST && op->cron.same;
    struct broker *b = e->broker;

    e->submit = NULL;
    s->done(s->ctx, same ? op->cron.there : e->row.id, &s->limits, same, same ? 0 : op->status);
    free(s);
    if (op->status == 0)
        e->committed = true;
    else
        cron_drop(e);
    cron_unuse(e);
    crons_look_soon(b);
}

static int keep_submit(struct cron *e, const struct jobs_order *o)
{
    e->submit = malloc(sizeof(*e->submit));
    if (e->submit == NULL)
        return -ENOMEM;
    *e->submit = (struct cron_submit){ o->done, o->ctx, *o->spec->limits };
    return 0;
}

/* spec: packed; becomes the op's, or is freed. */
static int push_new(struct broker *b, const struct jobs_order *o, struct store_blob spec, const uint8_t *hash, char ret_id[ULID_LEN + 1],
                    struct jobs_refusal *no)
{
    struct store_op *op = store_op_new(STORE_CRON_PUT, "");
    char why[CRON_WHY] = "out of memory";
    struct store_cron row;
    struct cron *e = NULL;

    (void)fill_row(o, &row);
    if (op != NULL)
        e = cron_new(b, &row, o->tenant, why);
    if (e == NULL || keep_submit(e, o) != 0) {
        if (e != NULL)
            cron_drop(e);
        store_op_free(op);
        free(spec.bytes);
        return jobs_refuse(no, e == NULL ? -EINVAL : -ENOMEM, "%s", why);
    }
    e->row.next_us = cron_expr_next(&e->expr, e->zone, row.created_us);
    e->uses++;
    op->cron.row = e->row;
    op->cron.row.spec = spec;
    snprintf(op->cron.idem.key, sizeof(op->cron.idem.key), "%s", o->spec->idem_key);
    memcpy(op->cron.idem.spec_hash, hash, STORE_HASH);
    op->owner = e;
    op->done = on_stored;
    memcpy(ret_id, e->row.id, sizeof(e->row.id));
    store_push(b->store, op);
    return 0;
}

static void hash_spec(const struct store_blob *spec, uint8_t ret[STORE_HASH])
{
    SHA2_CTX ctx;

    SHA256Init(&ctx);
    SHA256Update(&ctx, spec->bytes, spec->len);
    SHA256Final(ret, &ctx);
}

int crons_submit(struct broker *b, const struct jobs_order *o, char ret_id[ULID_LEN + 1], struct jobs_refusal *no)
{
    const Pb__Schedule *s = o->spec->schedule;
    struct store_blob spec = { 0 };
    uint8_t hash[STORE_HASH];
    char why[CRON_WHY];
    struct cron_expr expr;
    enum cron_zone zone;
    int rc;

    *no = (struct jobs_refusal){ "", "" };
    ret_id[0] = '\0';
    if (cron_expr_parse(s->cron, &expr, why) != 0 || cron_zone_parse(s->zone, &zone, why) != 0)
        return jobs_refuse(no, -EINVAL, "%s", why);
    rc = check_schedule(s, no);
    if (rc == 0 && frame_pack(&o->spec->base, &spec.bytes, &spec.len) != 0)
        rc = jobs_refuse(no, -ENOMEM, "out of memory");
    if (rc != 0)
        return rc;
    hash_spec(&spec, hash);
    rc = find_same(b, o, hash, ret_id, no);
    if (rc == 0)
        rc = check_room(o, no);
    if (rc == 0)
        rc = check_spec(b, o, no);
    if (rc == 0 && !o->dry_run)
        return push_new(b, o, spec, hash, ret_id, no);
    free(spec.bytes);
    return rc > 0 ? 0 : rc;
}

/* ---- shown ----------------------------------------------------------------------------------------------------------------------------------- */

static void fill(const struct cron *e, Pb__Cron *ret)
{
    pb__cron__init(ret);
    ret->id = (char *)e->row.id;
    ret->tenant = e->tenant->name;
    ret->name = (char *)e->row.name;
    ret->expr = (char *)e->row.expr;
    ret->zone = (char *)cron_zone_name(e->zone);
    ret->paused = e->row.paused;
    ret->next_us = e->row.paused ? 0 : e->row.next_us;
    ret->last_us = e->row.last_us;
    ret->last_job = (char *)e->row.last_job;
    ret->engine = (char *)e->row.engine;
}

static void answer(struct broker *b, struct rep_way way, Pb__Cron **list, size_t n)
{
    Pb__Reply r = PB__REPLY__INIT;
    Pb__CronReply reply = PB__CRON_REPLY__INIT;

    reply.crons = list;
    reply.n_crons = n;
    r.body_case = PB__REPLY__BODY_CRONS;
    r.crons = &reply;
    control_reply(b, way, &r);
}

static void answer_one(const struct cron *e, struct rep_way way)
{
    Pb__Cron one, *list = &one;

    fill(e, &one);
    answer(e->broker, way, &list, 1);
}

/* By its id or the beginning of it, among those of tenants that the actor sees. *ret_n: how many there are. */
static struct cron *look_up(const struct control_call *c, const char *text, unsigned *ret_n)
{
    struct cron *e, *next, *found = NULL;
    char id[ULID_LEN + 1];

    *ret_n = 0;
    if (ulid_normalize(text, id) != 0)
        return NULL;
    HASH_ITER (hh, c->broker->plans.crons.by_id, e, next) {
        if (!e->committed || e->removing || strncmp(e->row.id, id, strlen(id)) != 0 || !actor_sees_tenant(&c->actor, e->tenant))
            continue;
        found = e;
        ++*ret_n;
    }
    return found;
}

bool crons_sees(const struct control_call *c, const char *text)
{
    unsigned n;

    return look_up(c, text, &n) != NULL;
}

/* Answers when there is none. */
static struct cron *find_entry(struct control_call *c, const char *text)
{
    unsigned n;
    struct cron *found = look_up(c, text, &n);

    if (n > 1)
        control_refuse(c->broker, c->way, ER(USAGE), "'%.40s' is the beginning of several entries' ids; give more of it", text);
    else if (n == 0)
        control_refuse(c->broker, c->way, ER(NOT_FOUND), "there is no entry of cron %.40s", text);
    return n == 1 ? found : NULL;
}

/* The one, with what it submits. */
static void show_one(struct control_call *c)
{
    const struct cron *e = find_entry(c, c->request->cron_ls->id);
    Pb__Reply r = PB__REPLY__INIT;
    Pb__CronReply reply = PB__CRON_REPLY__INIT;
    Pb__Cron one, *list = &one;
    struct frame spec;
    int rc;

    if (e == NULL)
        return;
    rc = stored_spec(c->broker, e->row.id, &spec);
    if (rc != 0) {
        control_refuse(c->broker, c->way, ER(INTERNAL), "entry %s cannot be read: %s", e->row.id, strerror(-rc));
    } else {
        fill(e, &one);
        reply.crons = &list;
        reply.n_crons = 1;
        reply.spec = (Pb__JobSpec *)spec.msg;
        spec_strip(reply.spec);
        r.body_case = PB__REPLY__BODY_CRONS;
        r.crons = &reply;
        control_reply(c->broker, c->way, &r);
    }
    frame_release(&spec);
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(Pb__Cron *const *)a)->id, (*(Pb__Cron *const *)b)->id);
}

void verb_cron_ls(struct control_call *c)
{
    struct broker *b = c->broker;
    size_t n = 0, max = HASH_COUNT(b->plans.crons.by_id);
    struct plans_scope scope;
    Pb__Cron *list, **pointers;
    struct cron *e, *next;

    if (c->request->cron_ls->id[0] != '\0') {
        show_one(c);
        return;
    }
    if (!plans_scope_of(c, c->request->cron_ls->tenant, &scope))
        return;
    max = max < LS_MAX ? max : LS_MAX;
    list = calloc(max + 1, sizeof(*list));
    pointers = calloc(max + 1, sizeof(Pb__Cron *));
    if (list == NULL || pointers == NULL) {
        control_refuse(b, c->way, ER(TEMPORARY), "out of memory");
    } else {
        HASH_ITER (hh, b->plans.crons.by_id, e, next) {
            if (n == max || !e->committed || !plans_in_scope(c, &scope, e->row.tenant))
                continue;
            fill(e, &list[n]);
            pointers[n] = &list[n];
            n++;
        }
        qsort(pointers, n, sizeof(Pb__Cron *), by_id);
        answer(b, c->way, pointers, n);
    }
    free(list);
    free(pointers);
}

/* ---- changed --------------------------------------------------------------------------------------------------------------------------------- */

struct cron_call {
    struct plans_call call;
    struct cron *entry;
    bool was_paused;
};

static struct cron_call *call_new(struct control_call *c, struct cron *e)
{
    struct cron_call *call = malloc(sizeof(*call));

    if (call == NULL) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
        return NULL;
    }
    *call = (struct cron_call){
        {c->broker, c->way},
        e, e->row.paused
    };
    e->uses++;
    return call;
}

static void record(struct control_call *c, const char *verb, const struct cron *e)
{
    admin_log(c->broker, &c->actor, verb, e->row.id, e->row.tenant, "%s", e->row.name);
}

static void call_free(struct cron_call *call)
{
    cron_unuse(call->entry);
    free(call);
}

static void on_changed(struct store_op *op)
{
    struct cron_call *call = op->owner;
    struct cron *e = call->entry;

    if (op->status != 0) {
        e->row.paused = call->was_paused;
        plans_refuse_store(&call->call, "the entry", op->status);
    } else {
        answer_one(e, call->call.way);
    }
    crons_look_soon(call->call.broker);
    call_free(call);
}

/* What was missed while it was paused stays so. It is in force at once: what a firing that is under way writes down says so, too. */
static void pause_or_resume(struct control_call *c, struct cron *e, bool pause)
{
    struct cron_call *call;

    if (e->row.paused == pause) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "entry %s is %s", e->row.id, pause ? "paused already" : "not paused");
        return;
    }
    call = call_new(c, e);
    if (call == NULL)
        return;
    e->row.paused = pause;
    if (!pause)
        e->row.next_us = cron_expr_next(&e->expr, e->zone, c->broker->plans.crons.wall_us());
    record(c, pause ? "cron.pause" : "cron.resume", e); /* before it: whoever has the answer finds the record */
    if (cron_note(e, on_changed, call) == 0)
        return;
    e->row.paused = call->was_paused;
    control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
    call_free(call);
}

static void on_removed(struct store_op *op)
{
    struct cron_call *call = op->owner;
    bool gone = op->status == 0 || op->status == -ENOENT;

    call->entry->removing = false;
    if (gone && !call->entry->removed)
        cron_drop(call->entry);
    crons_look_soon(call->call.broker);
    if (gone)
        answer(call->call.broker, call->call.way, NULL, 0);
    else
        plans_refuse_store(&call->call, "the entry", op->status);
    call_free(call);
}

static void remove_entry(struct control_call *c, struct cron *e)
{
    struct cron_call *call = call_new(c, e);
    struct store_op *op = call != NULL ? store_op_new(STORE_CRON_REMOVE, "") : NULL;

    if (op == NULL) {
        if (call != NULL) {
            control_refuse(c->broker, c->way, ER(TEMPORARY), "out of memory");
            call_free(call);
        }
        return;
    }
    e->removing = true;
    memcpy(op->cron.row.id, e->row.id, sizeof(e->row.id));
    op->owner = call;
    op->done = on_removed;
    record(c, "cron.rm", e);
    store_push(c->broker->store, op);
}

static void on_fired_by_hand(void *ctx, const char *id, const Pb__Limits *limits, bool existing, int status)
{
    struct cron_call *call = ctx;
    struct cron *e = call->entry;

    (void)limits;
    (void)existing;
    e->firing = false;
    if (status != 0) {
        plans_refuse_store(&call->call, "the job", status);
    } else {
        snprintf(e->row.last_job, sizeof(e->row.last_job), "%s", id);
        if (!e->removed)
            (void)cron_note(e, NULL, NULL); /* lost: the next firing does not know of this one */
        answer_one(e, call->call.way);
    }
    crons_look_soon(call->call.broker);
    call_free(call);
}

/* Once, now; what is planned stays planned. */
static void fire_by_hand(struct control_call *c, struct cron *e)
{
    struct jobs_refusal no;
    struct cron_call *call;
    int rc;

    if (c->broker->phase == BROKER_DRAINING) {
        control_refuse(c->broker, c->way, ER(TEMPORARY), "the broker is draining and takes no new jobs; try again later");
        return;
    }
    if (e->firing || cron_is_busy(e)) {
        control_refuse(c->broker, c->way, ER(CONFLICT), "entry %s: %s has not ended", e->row.id, e->firing ? "a firing" : e->row.last_job);
        return;
    }
    call = call_new(c, e);
    if (call == NULL)
        return;
    e->firing = true;
    rc = cron_submit_now(e, "", on_fired_by_hand, call, &no);
    if (rc == 0) {
        record(c, "cron.fire", e);
        return;
    }
    e->firing = false;
    verb_refuse_submit(c->broker, c->way, rc, &no);
    call_free(call);
}

void verb_cron_set(struct control_call *c)
{
    const Pb__CronSet *q = c->request->cron_set;
    struct cron *e;

    if (q->pause + q->resume + q->fire + q->remove != 1) {
        control_refuse(c->broker, c->way, ER(USAGE), "one of pause, resume, fire and remove");
        return;
    }
    e = find_entry(c, q->id);
    if (e == NULL || plans_tenant_to_change(c, e->tenant->name) == NULL)
        return;
    if (q->fire)
        fire_by_hand(c, e);
    else if (q->remove)
        remove_entry(c, e);
    else
        pause_or_resume(c, e, q->pause);
}
