/* human_plan.c - of human.h: whose a job is, what it waits for, which attempts it has had. */
#include "cli/human.h"

#include <string.h>

#include "cli/json.h"
#include "cli/text.h"
#include "units.h"

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

void human_attempts(FILE *out, Pb__Attempt *const *attempts, size_t n)
{
    char cause[JSON_ENUM_BUF], detail[256], took[UNITS_BUF];

    for (size_t i = 0; i < n; i++) {
        const Pb__Attempt *a = attempts[i];
        uint64_t us = a->ended_us > a->started_us && a->started_us != 0 ? a->ended_us - a->started_us : 0;

        fprintf(out, "%-12s%u  %s%s%s  after %s%s\n", i == 0 ? "attempts" : "", a->n,
                json_enum_name(&pb__cause__descriptor, (int)a->cause, cause), a->cause_detail[0] != '\0' ? ": " : "",
                text_safe_str(detail, sizeof(detail), a->cause_detail), units_format_duration(us, took), a->infra ? "  (not counted)" : "");
    }
}
