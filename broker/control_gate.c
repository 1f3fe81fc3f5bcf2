/*
 * control_gate.c - the one place where a request is let through: who asks, what it needs, whether this is the time for it, which job it is
 * about. See control.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/control_own.h"
#include "broker/control_verbs.h"
#include "coop/version.h"

#define UP  (1u << BROKER_UP)
#define ANY (1u << BROKER_UP | 1u << BROKER_DRAINING)

/* Each body that names a job has its id as first member, which the table's test checks. */
struct any_with_id {
    ProtobufCMessage base;
    char *id;
};

/* clang-format off */
const struct control_rule control_rules[] = {
    /* message                                  name           legal in  needs           names a job  acted on */
    [PB__REQUEST__BODY_SUBMIT]      = { "submit",      UP,  ACTOR_SUBMIT,   0, verb_submit },
    [PB__REQUEST__BODY_WAIT]        = { "wait",        ANY, ACTOR_READ,     1, verb_wait },
    [PB__REQUEST__BODY_LOGS]        = { "logs",        ANY, ACTOR_READ,     1, verb_logs },
    [PB__REQUEST__BODY_RESULT]      = { "result",      ANY, ACTOR_READ,     1, verb_result },
    [PB__REQUEST__BODY_SHOW]        = { "show",        ANY, ACTOR_READ,     1, verb_show },
    [PB__REQUEST__BODY_LS]          = { "ls",          ANY, ACTOR_READ,     0, verb_ls },
    [PB__REQUEST__BODY_CANCEL]      = { "cancel",      ANY, ACTOR_CANCEL,   1, verb_cancel },
    [PB__REQUEST__BODY_KILL]        = { "kill",        ANY, ACTOR_CANCEL,   1, verb_kill },
    [PB__REQUEST__BODY_STDIN_WRITE] = { "stdin_write", ANY, ACTOR_SUBMIT,   1, verb_stdin_write },
    [PB__REQUEST__BODY_VERSION]     = { "version",     ANY, 0,              0, verb_version },
    [PB__REQUEST__BODY_OUTPUT]      = { "output",      ANY, ACTOR_READ,     1, verb_output },
    [PB__REQUEST__BODY_RESIZE_TTY]  = { "resize_tty",  ANY, ACTOR_SUBMIT,   1, verb_resize_tty },
    [PB__REQUEST__BODY_AUDIT]       = { "audit",       ANY, ACTOR_OPERATOR, 0, verb_audit }, /* of the receipts of all tenants */
    [PB__REQUEST__BODY_ASK]         = { "ask",         ANY, 0,              0, verb_ask },   /* what each call needs: call_rows */
    [PB__REQUEST__BODY_TENANT_SET]    = { "tenant_set",    ANY, ACTOR_ADMIN, 0, verb_tenant_set },
    [PB__REQUEST__BODY_TENANT_GET]    = { "tenant_get",    ANY, ACTOR_READ,  0, verb_tenant_get },
    [PB__REQUEST__BODY_TENANT_LS]     = { "tenant_ls",     ANY, ACTOR_READ,  0, verb_tenant_ls },
    [PB__REQUEST__BODY_TENANT_REMOVE] = { "tenant_remove", ANY, ACTOR_ADMIN, 0, verb_tenant_remove },
    [PB__REQUEST__BODY_TOKEN_CREATE]  = { "token_create",  ANY, ACTOR_ADMIN, 0, verb_token_create },
    [PB__REQUEST__BODY_TOKEN_ROTATE]  = { "token_rotate",  ANY, ACTOR_ADMIN, 0, verb_token_rotate },
    [PB__REQUEST__BODY_TOKEN_REVOKE]  = { "token_revoke",  ANY, ACTOR_ADMIN, 0, verb_token_revoke },
    [PB__REQUEST__BODY_TOKEN_LS]      = { "token_ls",      ANY, ACTOR_ADMIN, 0, verb_token_ls },
    [PB__REQUEST__BODY_USAGE]         = { "usage",         ANY, ACTOR_READ,  0, verb_usage },
    [PB__REQUEST__BODY_HOLD]          = { "hold",          ANY, ACTOR_CANCEL, 1, verb_hold },
    [PB__REQUEST__BODY_RELEASE]       = { "release",       ANY, ACTOR_CANCEL, 1, verb_release },
    [PB__REQUEST__BODY_PAUSE]         = { "pause",         ANY, ACTOR_CANCEL, 1, verb_pause },
    [PB__REQUEST__BODY_RESUME]        = { "resume",        ANY, ACTOR_CANCEL, 1, verb_resume },
    [PB__REQUEST__BODY_RETRY]         = { "retry",         UP,  ACTOR_SUBMIT, 1, verb_retry },
    [PB__REQUEST__BODY_EDIT]          = { "edit",          ANY, ACTOR_SUBMIT, 1, verb_edit },
    [PB__REQUEST__BODY_REMOVE]        = { "remove",        ANY, ACTOR_CANCEL, 1, verb_remove },
    [PB__REQUEST__BODY_TOP]           = { "top",           ANY, ACTOR_READ,   0, verb_top },
    [PB__REQUEST__BODY_DRAIN]         = { "drain",         ANY, ACTOR_OPERATOR, 0, verb_drain },
    [PB__REQUEST__BODY_EVENTS]        = { "events",        ANY, ACTOR_READ,   0, verb_events },
    [PB__REQUEST__BODY_CRON_LS]       = { "cron_ls",       ANY, ACTOR_READ,   0, verb_cron_ls },
    [PB__REQUEST__BODY_CRON_SET]      = { "cron_set",      ANY, ACTOR_SUBMIT, 0, verb_cron_set },
    [PB__REQUEST__BODY_LIMITER_SET]   = { "limiter_set",   ANY, ACTOR_SUBMIT, 0, verb_limiter_set },
    [PB__REQUEST__BODY_LIMITER_LS]    = { "limiter_ls",    ANY, ACTOR_READ,   0, verb_limiter_ls },
    [PB__REQUEST__BODY_ADMIN_LOG]     = { "admin_log",     ANY, ACTOR_ADMIN, 0, verb_admin_log },
    [PB__REQUEST__BODY_STORE_BACKUP]  = { "store_backup",  ANY, ACTOR_OPERATOR, 0, verb_store_backup },
};
/* clang-format on */
const size_t control_rules_count = sizeof(control_rules) / sizeof(control_rules[0]);

/* ---- the gate: who, what, and on which job ---- */

/* A job, or an array. What the actor does not see is not there: it is not even looked at. */
static int find_stored(struct control_call *c, const char *id)
{
    struct store_array array;
    struct store_job job;
    uint64_t *tenants;
    size_t n;
    int rc = actor_seen_tenants(c->broker, &c->actor, &tenants, &n);

    if (rc != 0)
        return rc;
    rc = store_find_of(c->broker->store, id, tenants, n, &job);
    if (rc == 0) {
        rc = actor_sees(c->broker, &c->actor, job.tenant, job.queue) ? 0 : -ENOENT;
        memcpy(c->id, job.id, sizeof(c->id));
    } else if (rc == -ENOENT) {
        rc = store_find_array(c->broker->store, id, tenants, n, &array);
        if (rc == 0) {
            rc = actor_sees(c->broker, &c->actor, array.tenant, array.queue) ? 0 : -ENOENT;
            memcpy(c->id, array.id, sizeof(c->id));
            c->is_array = true;
        }
    }
    free(tenants);
    return rc;
}

/* What is no array has no tasks. */
static int find_task(struct control_call *c, const char *array, uint64_t index)
{
    struct store_job task;
    int rc = find_stored(c, array);

    if (rc == 0)
        rc = c->is_array ? store_find_task(c->broker->store, c->id, index, &task) : -ENOENT;
    if (rc == 0)
        memcpy(c->id, task.id, sizeof(c->id));
    c->is_array = false;
    return rc;
}

/*
 * One that is in memory, so that the store need not be asked: a whole id, of a job that the actor sees whatever its queue is. Of all others, there or
 * not, the store tells. An operator's may not be stored yet; whoever else knows an id knows it of a job that is.
 */
static bool is_live(const struct control_call *c, const char *id)
{
    const struct waiting *w;

    if (strlen(id) != ULID_LEN)
        return false;
    if ((c->actor.scopes & ACTOR_OPERATOR) != 0)
        return jobs_find(&c->broker->jobs, id) != NULL;
    w = waiting_find(&c->broker->jobs.table, id);
    return w != NULL && w->committed && c->actor.queue[0] == '\0' && actor_sees_tenant(&c->actor, w->tenant);
}

/* A shortened id becomes the whole one, live job or stored. Returns 0, or answers the client and returns -1. */
static int resolve_id(struct control_call *c, const char *text)
{
    char id[ULID_LEN + 1];
    uint64_t index;
    int rc = ulid_normalize_task(text, id, &index);

    if (rc == -EINVAL || (rc == -ENOENT && ulid_normalize(text, id) != 0)) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE,
                       "'%.40s' is not a job id: an id has 26 letters and digits (no I, L, O, U), and may be cut to its first %d or more",
                       text, ULID_MIN_PREFIX);
        return -1;
    }
    if (rc != 0 && is_live(c, id)) {
        memcpy(c->id, id, sizeof(id));
        return 0;
    }
    rc = rc == 0 ? find_task(c, id, index) : find_stored(c, id);
    if (rc == -ENOTUNIQ)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_USAGE, "'%s' is the beginning of several job ids; give more of it",
                       text);
    else if (rc == -ENOENT && crons_sees(c, text))
        control_refuse_hint(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND,
                            "coop cron show|pause|fire|rm is about entries of cron",
                            "there is no job %s; it is an entry of cron, which makes jobs", text);
    else if (rc == -ENOENT)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_NOT_FOUND, "there is no job %s", text);
    else if (rc != 0)
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_INTERNAL, "the store cannot be read: %s", strerror(-rc));
    return rc == 0 ? 0 : -1;
}

/* Who asks. A connection is one actor's: what waits on it, and what it holds, are that one's. Returns 0, or has answered. */
static int know_actor(struct control_call *c)
{
    struct control_peer *p = control_find_peer(&c->broker->control, c->way.peer);
    const struct rep_origin *from = rep_origin_of(&c->broker->control.socket, c->way.peer);
    const struct rep_origin own = { .local = true, .uid = geteuid() }; /* a test's, which has no socket */
    char why[ACTOR_WHY] = "";
    int rc = actor_find(c->broker, from != NULL ? from : &own, c->request->token, &c->actor, why);

    if (rc == -EDQUOT) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_QUOTA, "%s", why);
        return rc;
    }
    if (rc != 0) {
        logins_refuse(&c->broker->logins, c->way, PB__ERROR_CODE__ERROR_CODE_PERMISSION, why);
        return rc;
    }
    if (p != NULL && p->who[0] != '\0' && strcmp(p->who, c->actor.name) != 0) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PERMISSION, "this connection is another's: open one for each token");
        return -EPERM;
    }
    if (p != NULL)
        strcpy(p->who, c->actor.name);
    rep_know(&c->broker->control.socket, c->way.peer);
    return 0;
}

static void let_through(struct control_call *c, const struct control_rule *r)
{
    const Pb__Request *q = c->request;

    if (q->protocol != COOP_PROTOCOL) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PROTOCOL, "this broker (coop %s) speaks protocol %d, the client %u",
                       COOP_VERSION, COOP_PROTOCOL, q->protocol);
        return;
    }
    if (!actor_may(&c->actor, r->needs)) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_PERMISSION, "%s needs the scope %s, which %s has not", r->name,
                       actor_lacks(&c->actor, r->needs), c->actor.name);
        return;
    }
    if ((r->phases & 1u << c->broker->phase) == 0) {
        control_refuse(c->broker, c->way, PB__ERROR_CODE__ERROR_CODE_TEMPORARY,
                       "the broker is draining and takes no new jobs; try again later");
        return;
    }
    if (r->names_job && resolve_id(c, ((const struct any_with_id *)q->submit)->id) != 0)
        return;
    if (c->is_array)
        arrays_request(c);
    else
        r->apply(c);
}

/*
 * What needs no more than read, is refused, or is about a job: whoever has one has it in the store, and is more than somebody who looked. But who
 * waits for events is one that is there; and what an ask does is not known here.
 */
static bool only_looks(const struct control_call *c, const struct control_rule *r)
{
    size_t body = c->request->body_case;

    if (body == PB__REQUEST__BODY_EVENTS || body == PB__REQUEST__BODY_ASK)
        return false;
    return (r->needs & ~(unsigned)ACTOR_READ) == 0 || r->names_job || !actor_may(&c->actor, r->needs);
}

void control_dispatch(struct control_call *c)
{
    const struct control_rule *r = &control_rules[c->request->body_case];
    struct tenants *tenants = &c->broker->tenants;
    uint64_t who;
    bool looks;

    if (know_actor(c) != 0)
        return;
    who = c->actor.tenant->id;
    looks = only_looks(c, r);
    let_through(c, r);
    c->actor.tenant = NULL; /* it may have gone */
    tenants_was_asked(tenants, who, looks);
}
