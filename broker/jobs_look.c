/* jobs_look.c - see jobs.h: what is told of jobs that have not ended: their status, and why they wait. */
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/jobs_own.h"

#define ST(name) PB__STATE__STATE_##name

/* ---- why it waits ---------------------------------------------------------------------------------------------------------------------------- */

/* The first word that fits is that of a row; a limiter's and a dependency's have a name behind it. */
static const struct {
    const char *word, *text;
} sentences[] = {
    {"HELD_USER",      "somebody holds it; coop release lets it go on"                                          },
    { "QUARANTINE",    "its workers were lost as often as it may be tried; coop release lets it try again"      },
    { "ARRAY_PAUSED",  "its array is paused; coop resume of the array lets it go on"                            },
    { "NOT_BEFORE",    "its time has not come"                                                                  },
    { "DEP",           "it waits for the end of another job"                                                    },
    { "RETRY_WAIT",    "an attempt has failed, and the pause before the next one is not over"                   },
    { "DRAINING",      "the broker begins no jobs at the moment"                                                },
    { "NO_WORKER",     "it has a place, and its engine has no worker for it yet"                                },
    { "TEMPLATE",      "its template is to give a child first: another job tries, and it is next"               },
    { "NO_SLOT",       "all places are taken, and it is among the next"                                         },
    { "FAIRSHARE",     "others are served first: they have had less of what they are entitled to, or came first"},
    { "QUOTA_RUNNING", "as many jobs of its tenant run as may"                                                  },
    { "QUOTA_CPU_DAY", "its tenant has used today's CPU time"                                                   },
    { "QUOTA_MEM_DAY", "its tenant has used today's memory"                                                     },
    { "SUSPENDED",     "its tenant is suspended"                                                                },
    { "LIMITER",       "all places of a limiter that it uses are taken"                                         },
    { "ARRAY",         "as many tasks of its array run as may"                                                  },
    { "NOT_STARTED",   "nobody has called it yet"                                                               },
};

const char *jobs_reason_text(const char *reason)
{
    size_t len = strcspn(reason, ":");

    for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
        if (strncmp(reason, sentences[i].word, strlen(sentences[i].word)) == 0 && strlen(sentences[i].word) <= len)
            return sentences[i].text;
    return "";
}

static bool begins_nothing(const struct jobs *j)
{
    return j->broker->phase == BROKER_DRAINING || j->closed;
}

/* whole: with its place, for which those before it are looked at. */
static void why_ready(struct jobs *j, const struct waiting *w, bool whole, struct jobs_why *ret)
{
    const char *reason = "NO_SLOT"; /* its submit is being committed */

    if (sched_waits(&w->sched) && !whole) {
        reason = sched_reason(j->broker->tenants.sched, &w->sched, loop_clock_us());
    } else if (sched_waits(&w->sched)) {
        sched_why(j->broker->tenants.sched, &w->sched, loop_clock_us(), &ret->sched);
        reason = ret->sched.reason;
    }
    snprintf(ret->reason, sizeof(ret->reason), "%s", begins_nothing(j) ? "DRAINING" : reason);
}

/* Named by the first of those that it waits for; a task of an array by the array's. */
static void why_blocked(struct jobs *j, const struct waiting *w, struct jobs_why *ret)
{
    char id[ULID_LEN + 1], on[ULID_LEN + 1];

    waiting_id(w, id);
    if (deps_first(j->broker, id, on) || (w->array != NULL && deps_first(j->broker, w->array->row.id, on)))
        snprintf(ret->reason, sizeof(ret->reason), "DEP:%s", on);
    else
        snprintf(ret->reason, sizeof(ret->reason), "DEP");
}

static const char *why_held(const struct waiting *w)
{
    if (w->holds & WAITING_HELD_QUARANTINE)
        return "QUARANTINE";
    return w->holds & WAITING_HELD_USER ? "HELD_USER" : "ARRAY_PAUSED";
}

static void find_why(struct jobs *j, const struct waiting *w, bool whole, struct jobs_why *ret)
{
    *ret = (struct jobs_why){ 0 };
    switch ((Pb__State)w->state) {
    case ST(READY): why_ready(j, w, whole, ret); break;
    case ST(HELD): snprintf(ret->reason, sizeof(ret->reason), "%s", why_held(w)); break;
    case ST(SCHEDULED): snprintf(ret->reason, sizeof(ret->reason), "NOT_BEFORE"); break;
    case ST(BLOCKED): why_blocked(j, w, ret); break;
    case ST(RETRY_WAIT): snprintf(ret->reason, sizeof(ret->reason), "RETRY_WAIT"); break;
    case ST(CLAIMED): snprintf(ret->reason, sizeof(ret->reason), "%s", begins_nothing(j) ? "DRAINING" : "NO_WORKER"); break;
    default: return;
    }
    snprintf(ret->text, sizeof(ret->text), "%s", jobs_reason_text(ret->reason));
}

void jobs_why(struct jobs *j, const struct waiting *w, struct jobs_why *ret)
{
    find_why(j, w, true, ret);
}

const char *jobs_reason(struct jobs *j, const struct waiting *w, char buf[JOBS_REASON])
{
    struct jobs_why why;

    find_why(j, w, false, &why);
    memcpy(buf, why.reason, JOBS_REASON);
    return buf;
}

/* Of an interpreter, or a template's init. */
static const char *reason_of_living(const struct job *job)
{
    if (job->state != ST(READY))
        return "";
    if (begins_nothing(&job->broker->jobs))
        return "DRAINING";
    return job->interp != NULL && job->queue_next == NULL ? "NOT_STARTED" : "NO_WORKER";
}

/* ---- how it stands ---------------------------------------------------------------------------------------------------------------------------- */

void jobs_status_slim(struct jobs *j, const struct waiting *w, Pb__JobStatus *ret)
{
    ret->state = (Pb__State)w->state;
    ret->reason = (char *)"";
    ret->attempt = w->attempt;
    ret->infra_attempts = w->infra;
    ret->submitted_us = w->submitted_us;
    ret->tenant = (char *)w->tenant->name;
    ret->class_ = waiting_class(w);
    ret->priority = waiting_priority(w);
    ret->not_before_us = w->state == ST(RETRY_WAIT) ? w->pause_until_us : w->not_before_us;
    ret->array_index = w->array_index;
    if (w->array != NULL)
        ret->array_id = w->array->row.id;
    (void)j;
}

void jobs_status(const struct job *job, Pb__JobStatus *ret)
{
    struct jobs *j = &job->broker->jobs;

    pb__job_status__init(ret);
    ret->id = (char *)job->id;
    ret->name = (char *)job->name;
    ret->engine = (char *)job->engine;
    if (job->entry != NULL)
        jobs_status_slim(j, job->entry, ret);
    if (job->array_id != NULL)
        ret->array_id = job->array_id;
    ret->state = job->state;
    ret->cause = job->end.cause;
    ret->cause_detail = (char *)job->end.detail;
    ret->reason = (char *)(job->entry != NULL ? jobs_reason(j, job->entry, ((struct job *)job)->reason) : reason_of_living(job));
    ret->attempt = job->attempt;
    ret->exit_code = job->end.exit_code;
    ret->submitted_us = job->submitted_us;
    ret->interp = job->interp != NULL;
    ret->stdout_bytes = job->spools[0].len;
    ret->stderr_bytes = job->spools[1].len;
    if (job->worker == NULL) {
        ret->elapsed_us = job->usage.wall_us;
        ret->cpu_us = job->usage.cpu_user_us + job->usage.cpu_sys_us;
        ret->mem_bytes = job->usage.mem_peak_bytes;
        return;
    }
    ret->elapsed_us = loop_clock_us() - job->assigned_at;
    watch_status(job, &ret->cpu_us, &ret->mem_bytes);
}
