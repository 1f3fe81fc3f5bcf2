/* flag_jobs.c - the values of flags that choose jobs, and of those that say when and how one is to run (flag_values.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flag_values.h"
#include "cli/text.h"
#include "when.h"
#include "frame.h"
#include "job_limits.h"
#include "ulid.h"
#include "units.h"

enum { LABEL = 256 };

const char *const class_words[] = { "normal", "interactive", "batch", NULL };
const char *const after_words[] = { "ok", "fail", "any", NULL };
const char *const sort_words[] = { "age", "name", "state", "cpu", "memory", "elapsed", NULL };

/* Printable text, so that what is shown of it is what it is. */
static bool is_plain(const char *text, size_t max)
{
    char safe[LABEL * 4 + 1];

    return strlen(text) <= max && frame_is_utf8(text, strlen(text)) && strcmp(text_safe_str(safe, sizeof(safe), text), text) == 0;
}

int flag_read_label(struct options *o, const char *text, struct coop_error *why)
{
    char safe[LABEL * 4 + 1];

    if (!is_plain(text, LABEL))
        return flag_refuse(why, "--label '%.100s': a label is printable UTF-8 text of at most %d bytes",
                           text_safe_str(safe, sizeof(safe), text), LABEL);
    if (text[0] == '\0' || text[0] == '=') {
        flag_refuse(why, "--label '%.100s' has no key", text);
        coop_error_hint(why, "write -l team=blue");
        return -EINVAL;
    }
    return flag_list_add(&o->labels, text, why);
}

int flag_read_since(struct options *o, const char *text, struct coop_error *why)
{
    uint64_t now = when_now_us(), span;

    if (units_parse_duration(text, &span) == 0 && span < now)
        o->since_us = now - span;
    else if (when_parse(text, now, &o->since_us) != 0)
        return flag_refuse(why, "--since '%.60s' is no time; write 2h for the last two hours, or 2026-11-23T18:30", text);
    return 0;
}

static int read_moment(const char *flag, const char *text, uint64_t *ret_us, struct coop_error *why)
{
    if (when_parse(text, when_now_us(), ret_us) == 0)
        return 0;
    flag_refuse(why, "--%s '%.60s' is no time", flag, text);
    coop_error_hint(why, "write " WHEN_FORMS);
    return -EINVAL;
}

/* "+90m", which is another moment each time that it is said; 0: it is something else. */
static uint64_t span_of(const char *text)
{
    uint64_t span;

    return text[0] == '+' && when_parse(text, 0, &span) == 0 ? span : 0;
}

int flag_read_at(struct options *o, const char *text, struct coop_error *why)
{
    o->not_before_in_us = span_of(text);
    return read_moment("at", text, &o->not_before_us, why);
}

int flag_read_deadline(struct options *o, const char *text, struct coop_error *why)
{
    o->deadline_in_us = span_of(text);
    return read_moment("deadline", text, &o->deadline_us, why);
}

int flag_read_priority(struct options *o, const char *text, struct coop_error *why)
{
    return flag_is_count(text, 5, &o->priority) ? 0 : flag_refuse(why, "--prio is 1 to 5, 5 first, not '%.60s'", text);
}

int flag_read_class(struct options *o, const char *text, struct coop_error *why)
{
    for (unsigned i = 0; class_words[i] != NULL; i++)
        if (strcmp(class_words[i], text) == 0) {
            o->job_class = (Pb__JobClass)i;
            o->set_class = true;
            return 0;
        }
    flag_refuse(why, "--class is interactive, normal or batch, not '%.60s'", text);
    hint_nearest(why, text, class_words, "");
    return -EINVAL;
}

/* "ID" or "ID:ok", of which the caller sees that it is well-formed. */
static int read_dependency(struct text_list *list, const char *flag, const char *text, struct coop_error *why)
{
    char typed[64];
    const char *colon = strchr(text, ':');

    snprintf(typed, sizeof(typed), "%.*s", (int)(colon != NULL ? (size_t)(colon - text) : strlen(text)), text);
    if (!ulid_names_job(typed))
        return flag_refuse(why, "--%s: '%.60s' is not a job id", flag, typed);
    if (colon == NULL)
        return flag_list_add(list, text, why);
    for (unsigned i = 0; after_words[i] != NULL; i++)
        if (strcmp(after_words[i], colon + 1) == 0)
            return flag_list_add(list, text, why);
    flag_refuse(why, "--%s %.60s: after its end it is ok, fail or any", flag, text);
    hint_nearest(why, colon + 1, after_words, "");
    return -EINVAL;
}

int flag_read_after(struct options *o, const char *text, struct coop_error *why)
{
    return read_dependency(&o->after, "after", text, why);
}

int flag_read_drop_after(struct options *o, const char *text, struct coop_error *why)
{
    if (strchr(text, ':') != NULL)
        return flag_refuse(why, "--drop-after takes an id alone, not '%.60s'", text);
    return read_dependency(&o->drop_after, "drop-after", text, why);
}

int flag_read_array(struct options *o, const char *text, struct coop_error *why)
{
    char id[ULID_LEN + 1];

    if (ulid_normalize(text, id) != 0)
        return flag_refuse(why, "--array: '%.60s' is not an id of an array", text);
    o->array = text;
    return 0;
}

int flag_read_sort(struct options *o, const char *text, struct coop_error *why)
{
    for (unsigned i = 0; sort_words[i] != NULL; i++)
        if (strcmp(sort_words[i], text) == 0) {
            o->sort = text;
            return 0;
        }
    flag_refuse(why, "--sort is by age, name, state, cpu, memory or elapsed, not '%.60s'", text);
    hint_nearest(why, text, sort_words, "");
    return -EINVAL;
}

int flag_read_host(struct options *o, const char *text, struct coop_error *why)
{
    return flag_list_add(&o->hosts, text, why);
}

int flag_read_days(struct options *o, const char *text, struct coop_error *why)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '1' || text[0] > '9' || *end != '\0' || n > UINT32_MAX)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "--days: wants a whole number from 1, not '%.40s'", text);
    o->days = (uint32_t)n;
    return 0;
}
