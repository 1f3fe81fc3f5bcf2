/* spec_check_plan.c - what a job is beside what it runs (spec_check.h): names, labels, schedule. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "array_range.h"
#include "broker/arrays.h"
#include "broker/cron_expr.h"
#include "broker/deps.h"
#include "broker/spec_check.h"
#include "broker/spec_check_parts.h"
#include "log.h"
#include "rel_path.h"
#include "ulid.h"
#include "when.h"

#define refuse(why, ...) (snprintf((why), SPEC_WHY, __VA_ARGS__), -EINVAL)

int spec_too_much(char why[SPEC_WHY], const char *limit, uint64_t is, uint64_t max)
{
    snprintf(why, SPEC_WHY, "the limit '%s' allows %" PRIu64 ", this job has %" PRIu64, limit, max, is);
    return -EDQUOT;
}

char *spec_show(char buf[SPEC_SHOWN], const char *text)
{
    return log_escape(buf, SPEC_SHOWN, text, strlen(text));
}

/* ---- words ------------------------------------------------------------------------------------------------------------------------- */

/* Letters, digits and . _ - / (with slash). */
static bool is_key(const char *text, bool slash)
{
    for (; *text != '\0'; text++) {
        bool letter = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || (*text >= '0' && *text <= '9');

        if (!letter && strchr("._-", *text) == NULL && !(slash && *text == '/'))
            return false;
    }
    return true;
}

static int check_key(const char *what, const char *text, bool slash, char why[SPEC_WHY])
{
    char shown[SPEC_SHOWN];

    if (text[0] != '\0' && strlen(text) <= SPEC_KEY && is_key(text, slash))
        return 0;
    return refuse(why, "the %s '%s' is not 1 to %d of letters, digits, . _ -%s", what, spec_show(shown, text), SPEC_KEY,
                  slash ? " and /" : "");
}

static int check_labels(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    if (s->n_labels > SPEC_LABELS)
        return spec_too_much(why, "labels", s->n_labels, SPEC_LABELS);
    for (size_t i = 0; i < s->n_labels; i++) {
        const Pb__Label *l = s->labels[i];

        if (check_key("label key", l->key, true, why) != 0)
            return -EINVAL;
        if (strlen(l->value) > SPEC_LABEL_VALUE)
            return refuse(why, "the value of the label '%s' has %zu bytes, it may have %d", l->key, strlen(l->value), SPEC_LABEL_VALUE);
        if (text_has_control(l->value))
            return refuse(why, "the value of the label '%s' has a control character in it", l->key);
        for (size_t k = 0; k < i; k++)
            if (strcmp(s->labels[k]->key, l->key) == 0)
                return refuse(why, "the label '%s' is given twice", l->key);
    }
    return 0;
}

/* Of W3C trace context: version, trace, parent, flags; all in lower-case hexadecimal. */
static int check_trace(const char *text, char why[SPEC_WHY])
{
    static const char form[] = "xx-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxxxxxxxx-xx";
    bool good = strlen(text) == strlen(form);

    for (size_t i = 0; good && form[i] != '\0'; i++)
        good = form[i] == '-' ? text[i] == '-' : strchr("0123456789abcdef", text[i]) != NULL;
    return good || text[0] == '\0'
               ? 0
               : refuse(why, "the traceparent is not of the form 00-TRACE-PARENT-FLAGS, 32, 16 and 2 hexadecimal digits");
}

static int check_words(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    if (strlen(s->idem_key) > SPEC_IDEM)
        return refuse(why, "the idem key has %zu bytes, it may have %d", strlen(s->idem_key), SPEC_IDEM);
    if (text_has_control(s->idem_key))
        return refuse(why, "the idem key has a control character in it");
    if (s->queue[0] != '\0' && check_key("queue", s->queue, false, why) != 0)
        return -EINVAL;
    if (protobuf_c_enum_descriptor_get_value(&pb__job_class__descriptor, (int)s->class_) == NULL)
        return refuse(why, "there is no class %d; there are interactive, normal and batch", (int)s->class_);
    if (s->priority > 5)
        return refuse(why, "the priority %u is not 1 (last) to 5 (first)", s->priority);
    return check_trace(s->traceparent, why);
}

/* ---- schedule ----------------------------------------------------------------------------------------------------------------------- */

static int check_times(const Pb__Schedule *s, uint64_t now_us, char why[SPEC_WHY])
{
    char deadline[WHEN_BUF], other[WHEN_BUF];

    if (s->not_before_us > WHEN_LAST_US || s->deadline_us > WHEN_LAST_US)
        return refuse(why, "not_before or deadline is after the year 9999");
    if (s->deadline_us == 0)
        return 0;
    when_format(s->deadline_us, deadline);
    if (s->deadline_us <= now_us)
        return refuse(why, "the deadline %s has passed, it is %s", deadline, when_format(now_us, other));
    if (s->deadline_us <= s->not_before_us)
        return refuse(why, "the deadline %s is not after %s, before which the job may not begin", deadline,
                      when_format(s->not_before_us, other));
    return 0;
}

static int settle_time(const char *name, uint64_t *span_us, uint64_t *at_us, uint64_t now_us, char why[SPEC_WHY])
{
    if (*span_us == 0)
        return 0;
    if (*at_us != 0)
        return refuse(why, "%s is given as a point in time and as a span from now: one of them will do", name);
    if (now_us > WHEN_LAST_US || *span_us > WHEN_LAST_US - now_us)
        return refuse(why, "%s is after the year 9999", name);
    *at_us = now_us + *span_us;
    *span_us = 0;
    return 0;
}

int spec_settle_times(Pb__Schedule *s, uint64_t now_us, char why[SPEC_WHY])
{
    int rc = s != NULL ? settle_time("not_before", &s->not_before_in_us, &s->not_before_us, now_us, why) : 0;

    return s != NULL && rc == 0 ? settle_time("deadline", &s->deadline_in_us, &s->deadline_us, now_us, why) : rc;
}

uint64_t spec_array_tasks(const Pb__ArrayRange *range)
{
    char words[ARRAY_RANGE_WHY];

    return array_range_check(range, words) == 0 ? array_range_count(range) : 0;
}

static int check_array(const Pb__ArrayRange *a, char why[SPEC_WHY])
{
    char words[ARRAY_RANGE_WHY];

    if (a == NULL)
        return 0;
    if (array_range_check(a, words) != 0)
        return refuse(why, "%s", words);
    return array_range_count(a) > ARRAYS_MAX ? spec_too_much(why, "array tasks", array_range_count(a), ARRAYS_MAX) : 0;
}

static int check_after(const Pb__Schedule *s, char why[SPEC_WHY])
{
    char shown[SPEC_SHOWN];

    if (s->n_after > DEPS_MAX)
        return spec_too_much(why, "dependencies", s->n_after, DEPS_MAX);
    for (size_t i = 0; i < s->n_after; i++) {
        const Pb__Dependency *d = s->after[i];

        if (!ulid_names_job(d->job))
            return refuse(why, "after: '%s' is not a job's id", spec_show(shown, d->job));
        if (protobuf_c_enum_descriptor_get_value(&pb__after__descriptor, (int)d->on) == NULL)
            return refuse(why, "after %s: there is no condition %d; there are ok, fail and any", d->job, (int)d->on);
        for (size_t k = 0; k < i; k++)
            if (strcmp(s->after[k]->job, d->job) == 0)
                return refuse(why, "after: the job %s is named twice", d->job);
    }
    return 0;
}

static int check_limiters(const Pb__Schedule *s, char why[SPEC_WHY])
{
    if (s->n_limiters > SPEC_LIMITERS)
        return spec_too_much(why, "limiters", s->n_limiters, SPEC_LIMITERS);
    for (size_t i = 0; i < s->n_limiters; i++) {
        if (check_key("limiter", s->limiters[i]->key, true, why) != 0)
            return -EINVAL;
        if (s->limiters[i]->n > SPEC_LIMITER_N)
            return spec_too_much(why, "places of a limiter", s->limiters[i]->n, SPEC_LIMITER_N);
        for (size_t k = 0; k < i; k++)
            if (strcmp(s->limiters[k]->key, s->limiters[i]->key) == 0)
                return refuse(why, "the limiter '%s' is given twice", s->limiters[i]->key);
    }
    return 0;
}

/* What an entry starts is the same job or array again and again, each with a time of its own. */
static int check_cron(const Pb__JobSpec *spec, const Pb__Schedule *s, char why[SPEC_WHY])
{
    struct cron_expr expr;
    enum cron_zone zone;
    char words[CRON_WHY];

    if (cron_zone_parse(s->zone, &zone, words) != 0)
        return refuse(why, "%s", words);
    if (s->cron[0] == '\0')
        return s->zone[0] == '\0' ? 0 : refuse(why, "there is a zone, which is cron's, and no cron");
    if (cron_expr_parse(s->cron, &expr, words) != 0)
        return refuse(why, "%s", words);
    if (s->n_after > 0)
        return refuse(why, "cron and after do not go together: what a job waits for ends once, cron starts it again and again");
    if (s->not_before_us != 0 || s->deadline_us != 0)
        return refuse(why, "cron says when each of its jobs begins: not_before and deadline are for one");
    return spec->stdin_mode == PB__STDIN_MODE__STDIN_MODE_STREAM ? refuse(why, "a job of cron has nobody to stream its input") : 0;
}

static int check_schedule(const Pb__JobSpec *spec, uint64_t now_us, char why[SPEC_WHY])
{
    const Pb__Schedule *s = spec->schedule;
    int rc;

    if (s == NULL)
        return 0;
    if (s->array != NULL && (spec->stdin_mode == PB__STDIN_MODE__STDIN_MODE_STREAM || spec->tty != NULL))
        return refuse(why, "the tasks of an array have no terminal, and nobody to stream their input");
    if ((rc = check_times(s, now_us, why)) != 0 || (rc = check_array(s->array, why)) != 0 || (rc = check_after(s, why)) != 0 ||
        (rc = check_limiters(s, why)) != 0)
        return rc;
    return check_cron(spec, s, why);
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------------ */

int spec_check_plan(const Pb__JobSpec *s, uint64_t now_us, char why[SPEC_WHY])
{
    int rc;

    if ((rc = check_words(s, why)) != 0 || (rc = check_labels(s, why)) != 0 || (rc = check_schedule(s, now_us, why)) != 0)
        return rc;
    rc = spec_check_retry(s->retry, why);
    return rc == 0 ? spec_check_notify(s, why) : rc;
}

void spec_clear_own(Pb__JobSpec *s)
{
    s->tenant = s->user = s->array_id = "";
    s->array_index = 0;
}

int spec_check_no_plan(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    const struct {
        bool given;
        const char *what;
    } rows[] = {
        {s->schedule != NULL,     "schedule"},
        { s->retry != NULL,       "retry"   },
        { s->n_webhooks > 0,      "webhook" },
        { s->hold,                "hold"    },
        { s->idem_key[0] != '\0', "idem key"},
        { s->class_ != 0,         "class"   },
        { s->priority != 0,       "priority"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].given)
            return refuse(why, "an interpreter has no %s: it is made now, and lives until it is closed", rows[i].what);
    return 0;
}
