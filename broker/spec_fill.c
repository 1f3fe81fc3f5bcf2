/* spec_fill.c - what a spec does not say, said (spec_check.h). The numbers stand in proto/job.proto, at their fields. */
#include "broker/spec_check.h"

#include <string.h>

#include "job_limits.h"

enum { PRIORITY = 3, ATTEMPTS = 1, INFRA_ATTEMPTS = 3 };
#define PAUSE_BASE   1000000ull
#define PAUSE_MAX    300000000ull
#define PAUSE_FACTOR 2.0
#define PAUSE_JITTER 0.1

static void fill_backoff(Pb__Backoff *b)
{
    if (b->base_us == 0)
        b->base_us = b->max_us != 0 && b->max_us < PAUSE_BASE ? b->max_us : PAUSE_BASE;
    if (b->factor == 0)
        b->factor = PAUSE_FACTOR;
    if (b->max_us == 0)
        b->max_us = b->base_us > PAUSE_MAX ? b->base_us : PAUSE_MAX;
}

static void fill_retry(Pb__Retry *r, Pb__Backoff *room)
{
    if (r->max_attempts == 0)
        r->max_attempts = ATTEMPTS;
    if (r->infra_attempts == 0)
        r->infra_attempts = INFRA_ATTEMPTS;
    if (r->backoff == NULL) {
        pb__backoff__init(room);
        room->jitter = PAUSE_JITTER;
        r->backoff = room;
    }
    fill_backoff(r->backoff);
}

static void fill_schedule(Pb__Schedule *s)
{
    if (s->array != NULL && s->array->step == 0)
        s->array->step = 1;
    for (size_t i = 0; i < s->n_limiters; i++)
        if (s->limiters[i]->n == 0)
            s->limiters[i]->n = 1;
    if (s->cron[0] != '\0' && s->zone[0] == '\0')
        s->zone = "UTC";
}

void spec_strip(Pb__JobSpec *s)
{
    s->source.len = s->stdin_data.len = 0;
    for (size_t i = 0; i < s->n_modules; i++)
        s->modules[i]->source.len = 0;
    for (size_t i = 0; i < s->n_files; i++)
        s->files[i]->data.len = 0;
}

void spec_make_anew(Pb__JobSpec *s)
{
    s->idem_key = (char *)protobuf_c_empty_string;
    s->hold = false;
    if (s->schedule != NULL) {
        s->schedule->n_after = 0;
        s->schedule->not_before_us = s->schedule->deadline_us = 0;
    }
    for (size_t i = 0; i < limits_count; i++)
        if ((s->limits_asked & 1u << i) == 0)
            memset((char *)s->limits + limits_table[i].offset, 0, sizeof(uint64_t));
}

void spec_fill(Pb__JobSpec *s, struct spec_room *room)
{
    if (s->priority == 0)
        s->priority = PRIORITY;
    if (s->queue[0] == '\0')
        s->queue = "default";
    if (s->retry == NULL) {
        pb__retry__init(&room->retry);
        s->retry = &room->retry;
    }
    fill_retry(s->retry, &room->backoff);
    if (s->schedule != NULL)
        fill_schedule(s->schedule);
}
