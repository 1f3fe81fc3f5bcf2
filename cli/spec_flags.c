/* spec_flags.c - see spec_flags.h. */
#include "cli/spec_flags.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flag_plan.h"
#include "cli/spec_read.h"

/* ---- messages that may be there already -------------------------------------------------------------------------------------------- */

static int need_schedule(struct spec *s, struct coop_error *why)
{
    if (s->pb.schedule != NULL)
        return 0;
    s->pb.schedule = spec_own_zeroed(s, 1, sizeof(*s->pb.schedule), why);
    if (s->pb.schedule == NULL)
        return -ENOMEM;
    pb__schedule__init(s->pb.schedule);
    return 0;
}

static int need_retention(struct spec *s, struct coop_error *why)
{
    if (s->pb.retention != NULL)
        return 0;
    s->pb.retention = spec_own_zeroed(s, 1, sizeof(*s->pb.retention), why);
    if (s->pb.retention == NULL)
        return -ENOMEM;
    pb__retention__init(s->pb.retention);
    return 0;
}

/* A list of messages: room for n of them, and the pointers to them. */
static int make_list(struct spec *s, size_t n, size_t size, void *ret_items, void *ret_list, struct coop_error *why)
{
    void *items = spec_own_zeroed(s, n, size, why), **list = items != NULL ? spec_own_zeroed(s, n, sizeof(*list), why) : NULL;

    if (list == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        list[i] = (char *)items + i * size;
    *(void **)ret_items = items;
    *(void **)ret_list = list;
    return 0;
}

static char *copy_of(struct spec *s, const char *text, struct coop_error *why)
{
    char *copy = strdup(text);

    return spec_own(s, copy, why) == 0 ? copy : NULL;
}

/* ---- lists ------------------------------------------------------------------------------------------------------------------------- */

static int add_after(const struct command *c, struct spec *s, struct coop_error *why)
{
    const struct text_list *from = &c->opt.after;
    char words[JOB_WORDS_WHY], *copy;
    Pb__Dependency *items = NULL;

    if (from->n == 0)
        return 0;
    if (make_list(s, from->n, sizeof(*items), &items, &s->pb.schedule->after, why) != 0)
        return -ENOMEM;
    s->pb.schedule->n_after = from->n;
    for (size_t i = 0; i < from->n; i++) {
        pb__dependency__init(&items[i]);
        copy = copy_of(s, from->items[i], why);
        if (copy == NULL || job_after_read(copy, &items[i], words) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_limiters(const struct command *c, struct spec *s, struct coop_error *why)
{
    const struct text_list *from = &c->opt.limiters;
    char words[JOB_WORDS_WHY], *copy;
    Pb__LimiterUse *items = NULL;

    if (from->n == 0)
        return 0;
    if (make_list(s, from->n, sizeof(*items), &items, &s->pb.schedule->limiters, why) != 0)
        return -ENOMEM;
    s->pb.schedule->n_limiters = from->n;
    for (size_t i = 0; i < from->n; i++) {
        pb__limiter_use__init(&items[i]);
        copy = copy_of(s, from->items[i], why);
        if (copy == NULL || job_limiter_read(copy, &items[i], words) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_webhooks(const struct command *c, struct spec *s, struct coop_error *why)
{
    const struct text_list *from = &c->opt.webhooks;
    Pb__Webhook *items = NULL;

    if (from->n == 0)
        return 0;
    if (make_list(s, from->n, sizeof(*items), &items, &s->pb.webhooks, why) != 0)
        return -ENOMEM;
    s->pb.n_webhooks = from->n;
    for (size_t i = 0; i < from->n; i++) {
        char *copy = copy_of(s, from->items[i], why);
        Pb__State *states = copy != NULL ? spec_own_zeroed(s, FLAG_STATES, sizeof(*states), why) : NULL;

        if (states == NULL || flag_webhook(copy, &items[i], states, why) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* A key that is given twice has its last value. */
static int add_labels(const struct command *c, struct spec *s, struct coop_error *why)
{
    const struct text_list *from = &c->opt.labels;
    Pb__Label *items = NULL, **list = NULL;
    size_t n = s->pb.n_labels;

    if (from->n == 0)
        return 0;
    if (make_list(s, n + from->n, sizeof(*items), &items, &list, why) != 0)
        return -ENOMEM;
    if (n > 0)
        memcpy(list, s->pb.labels, n * sizeof(*list));
    for (size_t i = 0; i < from->n; i++) {
        char *key = copy_of(s, from->items[i], why), *equals = key != NULL ? strchr(key, '=') : NULL;
        size_t at = 0;

        if (equals == NULL)
            return -ENOMEM;
        *equals = '\0';
        while (at < n && strcmp(list[at]->key, key) != 0)
            at++;
        list[at] = &items[s->pb.n_labels + i];
        pb__label__init(list[at]);
        list[at]->key = key;
        list[at]->value = equals + 1;
        n += at == n;
    }
    s->pb.labels = list;
    s->pb.n_labels = n;
    return 0;
}

/* ---- the rest ----------------------------------------------------------------------------------------------------------------------- */

static bool has_schedule(const struct options *o)
{
    return o->has_range || o->after.n > 0 || o->limiters.n > 0 || o->not_before_us != 0 || o->deadline_us != 0 || o->cron != NULL ||
           o->zone != NULL;
}

static int add_schedule(const struct command *c, struct spec *s, struct coop_error *why)
{
    const struct options *o = &c->opt;
    int rc = has_schedule(o) ? need_schedule(s, why) : 0;

    if (rc != 0 || !has_schedule(o))
        return rc;
    if (o->has_range)
        s->pb.schedule->array = (Pb__ArrayRange *)&o->range;
    if (o->not_before_us != 0) {
        s->pb.schedule->not_before_in_us = o->not_before_in_us;
        s->pb.schedule->not_before_us = o->not_before_in_us == 0 ? o->not_before_us : 0;
    }
    if (o->deadline_us != 0) {
        s->pb.schedule->deadline_in_us = o->deadline_in_us;
        s->pb.schedule->deadline_us = o->deadline_in_us == 0 ? o->deadline_us : 0;
    }
    if (o->cron != NULL)
        s->pb.schedule->cron = (char *)o->cron;
    if (o->zone != NULL)
        s->pb.schedule->zone = (char *)o->zone;
    rc = add_after(c, s, why);
    return rc == 0 ? add_limiters(c, s, why) : rc;
}

/* The retry that a flag says is a whole one: nothing of the file's is left in it. Its lists lie in the command. */
static int add_retry(const struct command *c, struct spec *s, struct coop_error *why)
{
    struct job_retry_words *copy;

    if (c->opt.retry.retry.max_attempts == 0)
        return 0;
    copy = spec_own_zeroed(s, 1, sizeof(*copy), why);
    if (copy == NULL)
        return -ENOMEM;
    *copy = c->opt.retry;
    copy->retry.on = copy->on;
    copy->retry.success_exit_codes = copy->ok;
    copy->retry.backoff = copy->retry.backoff != NULL ? &copy->backoff : NULL;
    s->pb.retry = &copy->retry;
    return 0;
}

static void add_words(const struct options *o, struct spec *s)
{
    if (o->idem != NULL)
        s->pb.idem_key = (char *)o->idem;
    if (o->queue != NULL)
        s->pb.queue = (char *)o->queue;
    if (o->set_class)
        s->pb.class_ = o->job_class;
    if (o->priority != 0)
        s->pb.priority = o->priority;
    s->pb.hold |= o->hold;
}

int spec_add_flags(const struct command *c, struct spec *s, struct coop_error *why)
{
    int rc = add_schedule(c, s, why);

    add_words(&c->opt, s);
    if (rc == 0)
        rc = add_retry(c, s, why);
    if (rc == 0)
        rc = add_labels(c, s, why);
    if (rc == 0)
        rc = add_webhooks(c, s, why);
    if (rc == 0 && c->opt.keep_us != 0) {
        rc = need_retention(s, why);
        if (rc == 0)
            s->pb.retention->result_us = s->pb.retention->log_us = c->opt.keep_us;
    }
    return rc;
}
