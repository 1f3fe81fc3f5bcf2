/* jobs.c - jobs: submitted, waited for, ended, listed. See include/coop/client.h; their output and input: job_output.c. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include <coop/exit_codes.h>

#include "client/info.h"
#include "client/spec.h"
#include "client/start.h"

#define LATE "the job has not ended in this time"

enum { LONG_POLL_MS = 25000 }; /* below what the broker cuts a wait to, so that it is never it that ends one */

/* ---- answers ----------------------------------------------------------------------------------------------------------------------- */

static int put_job(struct coop_result *ret, const Pb__JobStatus *s, struct coop_error *why)
{
    if (s == NULL)
        return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the broker's answer lacks the job");
    job_of_pb(&ret->job, s);
    return 0;
}

static int read_submit(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    (void)why;
    PUT(ret->id, ((const Pb__SubmitReply *)body)->id);
    return 0;
}

static int read_wait(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    return put_job(ret, ((const Pb__WaitReply *)body)->status, why);
}

static bool still_runs(const void *body)
{
    return !((const Pb__WaitReply *)body)->ended;
}

static int read_show(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    return put_job(ret, ((const Pb__ShowReply *)body)->status, why);
}

static int read_signal(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    return put_job(ret, ((const Pb__SignalReply *)body)->status, why);
}

static int read_receipt(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    (void)op;
    return receipt_of_pb(body, &ret->receipt) != 0 ? start_no_memory(why) : 0;
}

static int read_list(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__LsReply *l = body;
    int rc = start_array((void **)&ret->jobs.items, l->n_jobs, sizeof(*ret->jobs.items), why);

    (void)op;
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < l->n_jobs; i++)
        job_of_pb(&ret->jobs.items[i], l->jobs[i]);
    ret->jobs.n = l->n_jobs;
    ret->jobs.more = l->more;
    PUT(ret->jobs.next, l->next);
    return 0;
}

static int read_broker(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__VersionReply *v = body;
    struct coop_broker_info *b = &ret->broker;

    (void)op;
    (void)why;
    PUT(b->version, v->version);
    PUT(b->state_dir, v->state_dir);
    PUT(b->kernel, v->kernel);
    b->protocol = v->protocol;
    b->pid = (int)v->pid;
    b->workers_idle = v->workers_idle;
    b->workers_busy = v->workers_busy;
    b->jobs_waiting = v->jobs_waiting;
    for (size_t i = 0; i < v->n_engines; i++) {
        size_t used = strlen(b->engines);

        if (used > 0 && used + 1 < sizeof(b->engines))
            b->engines[used++] = ' ', b->engines[used] = '\0';
        text_put(b->engines + used, sizeof(b->engines) - used, v->engines[i]);
    }
    return 0;
}

/* clang-format off */
static const struct op_kind kind_submit  = { false, PB__REPLY__BODY_SUBMIT,  COOP_RESULT_ID,      read_submit,  NULL, NULL };
static const struct op_kind kind_wait    = { false, PB__REPLY__BODY_WAIT,    COOP_RESULT_JOB,     read_wait,    still_runs, LATE };
static const struct op_kind kind_show    = { false, PB__REPLY__BODY_SHOW,    COOP_RESULT_JOB,     read_show,    NULL, NULL };
static const struct op_kind kind_signal  = { false, PB__REPLY__BODY_SIGNAL,  COOP_RESULT_JOB,     read_signal,  NULL, NULL };
static const struct op_kind kind_receipt = { false, PB__REPLY__BODY_RESULT,  COOP_RESULT_RECEIPT, read_receipt, NULL, NULL };
static const struct op_kind kind_list    = { false, PB__REPLY__BODY_LS,      COOP_RESULT_JOBS,    read_list,    NULL, NULL };
static const struct op_kind kind_broker  = { false, PB__REPLY__BODY_VERSION, COOP_RESULT_BROKER,  read_broker,  NULL, NULL };
/* clang-format on */

/* ---- submit ------------------------------------------------------------------------------------------------------------------------ */

static int start_submit(struct start *s, const struct coop_spec *spec)
{
    Pb__Submit m = PB__SUBMIT__INIT;
    int rc = spec_of(spec, &m.spec, s->why);

    return rc != 0 ? rc : start_request(s, PB__REQUEST__BODY_SUBMIT, &m, &kind_submit);
}

int coop_job_submit(struct coop_client *c, const struct coop_spec *spec, int64_t timeout_us, char *ret_id, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_submit(&s, spec), &r);

    if (rc == 0)
        memcpy(ret_id, r.id, sizeof(r.id));
    else if (rc == -ECONNRESET)
        coop_error_set(why, ECONNRESET, COOP_EXIT_TEMPORARY, "the broker went away; the job may or may not have been accepted");
    return rc;
}

int coop_job_submit_begin(struct coop_client *c, const struct coop_spec *spec, int64_t timeout_us, struct coop_op **ret,
                          struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_submit(&s, spec), ret);
}

/* ---- those that name a job ------------------------------------------------------------------------------------------------------- */

static int start_wait_for(struct start *s, const char *job)
{
    Pb__Wait m = PB__WAIT__INIT;
    int ms = client_ms(s->timeout_us);

    m.id = (char *)job;
    m.timeout_ms = ms < 0 || ms > LONG_POLL_MS ? LONG_POLL_MS : (uint32_t)ms;
    return start_request(s, PB__REQUEST__BODY_WAIT, &m, &kind_wait);
}

static int start_show(struct start *s, const char *job)
{
    Pb__Show m = PB__SHOW__INIT;

    m.id = (char *)job;
    return start_request(s, PB__REQUEST__BODY_SHOW, &m, &kind_show);
}

static int start_cancel(struct start *s, const char *job)
{
    Pb__Cancel m = PB__CANCEL__INIT;

    m.id = (char *)job;
    return start_request(s, PB__REQUEST__BODY_CANCEL, &m, &kind_signal);
}

static int start_kill(struct start *s, const char *job)
{
    Pb__Kill m = PB__KILL__INIT;

    m.id = (char *)job;
    return start_request(s, PB__REQUEST__BODY_KILL, &m, &kind_signal);
}

#define OF_JOB(verb, starter)                                                                                                              \
    int coop_job_##verb(struct coop_client *c, const char *job, int64_t timeout_us, struct coop_job_info *ret, struct coop_error *why)     \
    {                                                                                                                                      \
        struct start s = START_BLOCKING(c, timeout_us, why);                                                                               \
        struct coop_result r;                                                                                                              \
        int rc = start_wait(&s, starter(&s, job), &r);                                                                                     \
                                                                                                                                           \
        if (rc == 0 && ret != NULL)                                                                                                        \
            *ret = r.job;                                                                                                                  \
        return rc;                                                                                                                         \
    }                                                                                                                                      \
    int coop_job_##verb##_begin(struct coop_client *c, const char *job, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)  \
    {                                                                                                                                      \
        struct start s = START_ASYNC(c, timeout_us, why);                                                                                  \
                                                                                                                                           \
        return start_give(&s, starter(&s, job), ret);                                                                                      \
    }

OF_JOB(wait, start_wait_for)
OF_JOB(info, start_show)
OF_JOB(cancel, start_cancel)
OF_JOB(kill, start_kill)

static int start_receipt(struct start *s, const char *job)
{
    Pb__GetResult m = PB__GET_RESULT__INIT;

    m.id = (char *)job;
    return start_request(s, PB__REQUEST__BODY_RESULT, &m, &kind_receipt);
}

int coop_job_receipt(struct coop_client *c, const char *job, int64_t timeout_us, struct coop_receipt **ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_receipt(&s, job), &r);

    if (rc == 0)
        *ret = r.receipt;
    return rc;
}

int coop_job_receipt_begin(struct coop_client *c, const char *job, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_receipt(&s, job), ret);
}

/* ---- list, broker ---------------------------------------------------------------------------------------------------------------- */

bool coop_job_has_ended(enum coop_job_state state)
{
    return state >= COOP_JOB_SUCCEEDED && state <= COOP_JOB_DEAD;
}

static int start_list(struct start *s, unsigned states, unsigned limit, const char *before)
{
    Pb__State list[COOP_JOB_PAUSED + 1];
    Pb__Ls m = PB__LS__INIT;

    m.states = list;
    for (int i = COOP_JOB_READY; i <= COOP_JOB_PAUSED; i++)
        if ((states & 1u << i) != 0)
            list[m.n_states++] = (Pb__State)i;
    m.limit = limit;
    m.before = (char *)(before != NULL ? before : "");
    return start_request(s, PB__REQUEST__BODY_LS, &m, &kind_list);
}

int coop_job_list(struct coop_client *c, unsigned states, unsigned limit, const char *before, int64_t timeout_us, struct coop_job_list *ret,
                  struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_list(&s, states, limit, before), &r);

    if (rc == 0)
        *ret = r.jobs;
    return rc;
}

int coop_job_list_begin(struct coop_client *c, unsigned states, unsigned limit, const char *before, int64_t timeout_us,
                        struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_list(&s, states, limit, before), ret);
}

static int start_broker(struct start *s)
{
    Pb__GetVersion m = PB__GET_VERSION__INIT;

    return start_request(s, PB__REQUEST__BODY_VERSION, &m, &kind_broker);
}

int coop_broker_info(struct coop_client *c, int64_t timeout_us, struct coop_broker_info *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_broker(&s), &r);

    if (rc == 0)
        *ret = r.broker;
    return rc;
}

int coop_broker_info_begin(struct coop_client *c, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_broker(&s), ret);
}

int coop_broker_program(char *ret_path, size_t size, struct coop_error *why)
{
    char path[PATH_MAX];
    int rc = endpoint_find_coopd(path, why);

    if (rc == 0 && strlen(path) >= size)
        return coop_error_set(why, ENAMETOOLONG, COOP_EXIT_PLATFORM, "there is no room for the name of the broker's program");
    if (rc == 0)
        strcpy(ret_path, path);
    return rc;
}
