/* human_plan.c - of human.h: whose a job is, what it waits for, which attempts it has had. */
#include "cli/human.h"

#include <string.h>

#include "cli/json.h"
#include "cli/text.h"
#include "units.h"
#include "when.h"

static void row(FILE *out, const char *label, const char *text)
{
    char safe[1024];

    if (text[0] != '\0')
        fprintf(out, "%-12s%s\n", label, text_safe_str(safe, sizeof(safe), text));
}

static void labels_row(FILE *out, const Pb__JobStatus *s)
{
    char text[512];

    for (size_t i = 0; i < s->n_labels; i++) {
        snprintf(text, sizeof(text), "%s=%s", s->labels[i]->key, s->labels[i]->value);
        row(out, i == 0 ? "labels" : "", text);
    }
}

static void tasks_row(FILE *out, const Pb__ArrayCounts *t)
{
    fprintf(out, "%-12s%llu: %llu wait, %llu run, %llu succeeded, %llu failed, %llu cancelled\n", "tasks", (unsigned long long)t->tasks,
            (unsigned long long)t->waiting, (unsigned long long)t->running, (unsigned long long)t->succeeded, (unsigned long long)t->failed,
            (unsigned long long)t->cancelled);
}

void human_plan(FILE *out, const Pb__JobStatus *s)
{
    char text[128], class[JSON_ENUM_BUF], when[HUMAN_TIME];

    row(out, "tenant", s->tenant);
    if (s->priority != 0) {
        snprintf(text, sizeof(text), "%s, priority %u", json_enum_name(&pb__job_class__descriptor, (int)s->class_, class), s->priority);
        row(out, "class", text);
    }
    labels_row(out, s);
    if (s->array_id[0] != '\0') {
        snprintf(text, sizeof(text), "%llu of array %.40s", (unsigned long long)s->array_index, s->array_id);
        row(out, "task", text);
    }
    if (s->tasks != NULL)
        tasks_row(out, s->tasks);
    row(out, "not before", human_time(s->not_before_us, "", when));
}

/* ---- what was asked for --------------------------------------------------------------------------------------------------------------- */

static void moment_row(FILE *out, const char *label, uint64_t us)
{
    char text[WHEN_BUF];

    if (us != 0)
        row(out, label, when_format(us, text));
}

static void schedule_rows(FILE *out, const Pb__Schedule *s)
{
    char text[160];

    moment_row(out, "not before", s->not_before_us);
    moment_row(out, "deadline", s->deadline_us);
    row(out, "cron", s->cron);
    row(out, "zone", s->zone);
    for (size_t i = 0; i < s->n_after; i++) {
        static const char *const ends[] = { "ok", "fail", "any" };

        snprintf(text, sizeof(text), "%.60s:%s", s->after[i]->job, (unsigned)s->after[i]->on < 3 ? ends[s->after[i]->on] : "?");
        row(out, i == 0 ? "after" : "", text);
    }
    if (s->array != NULL) {
        snprintf(text, sizeof(text), "%llu-%llu:%llu", (unsigned long long)s->array->from, (unsigned long long)s->array->to,
                 (unsigned long long)(s->array->step != 0 ? s->array->step : 1));
        if (s->array->max_parallel != 0)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), ", %u at once", s->array->max_parallel);
        row(out, "array", text);
    }
    for (size_t i = 0; i < s->n_limiters; i++) {
        snprintf(text, sizeof(text), "%.100s=%u", s->limiters[i]->key, s->limiters[i]->n != 0 ? s->limiters[i]->n : 1);
        row(out, i == 0 ? "limiters" : "", text);
    }
}

static void retry_row(FILE *out, const Pb__Retry *r)
{
    char text[512], base[UNITS_BUF], max[UNITS_BUF], cause[JSON_ENUM_BUF];

    if (r->max_attempts <= 1)
        return;
    snprintf(text, sizeof(text), "%u attempts, %u that the platform loses", r->max_attempts, r->infra_attempts);
    if (r->backoff != NULL)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "; pauses of %s, times %g, at most %s",
                 units_format_duration(r->backoff->base_us, base), r->backoff->factor, units_format_duration(r->backoff->max_us, max));
    for (size_t i = 0; i < r->n_on && strlen(text) < sizeof(text) - 64; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i == 0 ? "; after " : ", ",
                 json_enum_name(&pb__cause__descriptor, (int)r->on[i], cause));
    row(out, "retry", text);
}

static void hooks_rows(FILE *out, const Pb__JobSpec *s)
{
    char text[512], state[JSON_ENUM_BUF];

    for (size_t i = 0; i < s->n_webhooks; i++) {
        const Pb__Webhook *w = s->webhooks[i];

        snprintf(text, sizeof(text), "%.300s", w->url);
        if (w->key[0] != '\0')
            snprintf(text + strlen(text), sizeof(text) - strlen(text), ", signed by %.60s", w->key);
        for (size_t k = 0; k < w->n_events && strlen(text) < sizeof(text) - 64; k++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", k == 0 ? ", of " : ", ",
                     json_enum_name(&pb__state__descriptor, (int)w->events[k], state));
        row(out, i == 0 ? "webhooks" : "", text);
    }
}

static void kept_row(FILE *out, const char *label, uint64_t us)
{
    char text[UNITS_BUF];

    if (us != 0)
        row(out, label, units_format_duration(us, text));
}

void human_asked(FILE *out, const Pb__JobSpec *s)
{
    row(out, "queue", s->queue);
    row(out, "idem key", s->idem_key);
    row(out, "template", s->template_);
    if (s->hold)
        row(out, "begins", "held");
    if (s->schedule != NULL)
        schedule_rows(out, s->schedule);
    if (s->retry != NULL)
        retry_row(out, s->retry);
    hooks_rows(out, s);
    if (s->retention != NULL) {
        kept_row(out, "kept for", s->retention->result_us);
        kept_row(out, "logs for", s->retention->log_us);
    }
    row(out, "trace", s->traceparent);
}

void human_attempts(FILE *out, Pb__Attempt *const *attempts, size_t n)
{
    char cause[JSON_ENUM_BUF], detail[256], took[UNITS_BUF];

    for (size_t i = 0; i < n; i++) {
        const Pb__Attempt *a = attempts[i];
        uint64_t us = a->ended_us > a->started_us && a->started_us != 0 ? a->ended_us - a->started_us : 0;

        fprintf(out, "%-12s%u  %s%s%s%s%s%s\n", i == 0 ? "attempts" : "", a->n,
                json_enum_name(&pb__cause__descriptor, (int)a->cause, cause), a->cause_detail[0] != '\0' ? ": " : "",
                text_safe_str(detail, sizeof(detail), a->cause_detail), us > 0 ? "  after " : "",
                us > 0 ? units_format_duration(us, took) : "", a->infra ? "  (not counted)" : "");
    }
}

void human_webhooks(FILE *out, Pb__WebhookState *const *states, size_t n)
{
    char url[512], error[256];

    for (size_t i = 0; i < n; i++) {
        const Pb__WebhookState *s = states[i];

        fprintf(out, "%-12s%s: %llu told in %llu %s", i == 0 ? "told" : "", text_safe_str(url, sizeof(url), s->url),
                (unsigned long long)s->told, (unsigned long long)s->tries, s->tries == 1 ? "try" : "tries");
        if (s->open > 0)
            fprintf(out, ", %llu under way", (unsigned long long)s->open);
        if (s->given_up > 0)
            fprintf(out, ", %llu given up", (unsigned long long)s->given_up);
        if (s->error[0] != '\0')
            fprintf(out, "; the last error: %s", text_safe_str(error, sizeof(error), s->error));
        fputc('\n', out);
    }
}
