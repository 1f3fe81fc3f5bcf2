/* flag_plan.c - see flag_plan.h. */
#include "cli/flag_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/flag_values.h"
#include "cli/text.h"
#include "array_range.h"
#include "enum_name.h"
#include "frame.h"
#include "job_limits.h"
#include "nearest.h"
#include "units.h"
#include "when.h"

#include <coop/exit_codes.h>

#define refuse flag_refuse

enum { SHOWN = 256 };

static const char *shown(char buf[SHOWN], const char *text)
{
    return text_safe_str(buf, SHOWN, text);
}

/* Printable UTF-8 of 1 to max bytes. */
static int check_word(const char *flag, const char *text, size_t max, struct coop_error *why)
{
    char safe[4 * 256 + 1];

    if (text[0] == '\0' || strlen(text) > max)
        return refuse(why, "--%s takes 1 to %zu bytes", flag, max);
    if (strcmp(text_safe_str(safe, sizeof(safe), text), text) != 0)
        return refuse(why, "--%s '%.200s' is not printable UTF-8 text", flag, safe);
    return 0;
}

/* ---- when ------------------------------------------------------------------------------------------------------------------------- */

static int read_span(const char *flag, const char *text, uint64_t *ret, struct coop_error *why)
{
    char buf[SHOWN];
    int rc = units_parse_duration(text, ret);

    if (rc == -ERANGE || (rc == 0 && *ret > 100ull * 366 * 86400 * 1000000))
        return refuse(why, "--%s %.100s is longer than a hundred years", flag, shown(buf, text));
    if (rc != 0 || *ret == 0)
        return refuse(why, "--%s '%.100s' is not a time above 0; write 30s, 2h or 7d", flag, shown(buf, text));
    return 0;
}

int flag_read_in(struct options *o, const char *text, struct coop_error *why)
{
    uint64_t span = 0;

    if (o->not_before_us != 0)
        return refuse(why, "--at and --in both say when it may begin: give one of them, once");
    if (read_span("in", text, &span, why) != 0)
        return -EINVAL;
    o->not_before_in_us = span;
    o->not_before_us = when_now_us() + span;
    return 0;
}

int flag_read_keep(struct options *o, const char *text, struct coop_error *why)
{
    return read_span("keep", text, &o->keep_us, why);
}

/* ---- how often, after what ---------------------------------------------------------------------------------------------------------- */

int flag_read_range(struct options *o, const char *text, struct coop_error *why)
{
    char words[ARRAY_RANGE_WHY];

    pb__array_range__init(&o->range);
    o->has_range = true;
    return array_range_parse(text, &o->range, words) == 0 ? 0 : refuse(why, "--array: %s", words);
}

int flag_read_retry(struct options *o, const char *text, struct coop_error *why)
{
    char words[JOB_WORDS_WHY];

    return job_retry_read(text, &o->retry, words) == 0 ? 0 : refuse(why, "--retry: %s", words);
}

/* Checked on a copy, which is cut; kept as typed. */
static int check_copy(const char *flag, const char *text, int (*read)(char *copy, char why[JOB_WORDS_WHY]), struct coop_error *why)
{
    char words[JOB_WORDS_WHY], copy[1024];

    if (strlen(text) >= sizeof(copy) || !frame_is_utf8(text, strlen(text)))
        return refuse(why, "--%s takes UTF-8 text of at most %zu bytes", flag, sizeof(copy) - 1);
    strcpy(copy, text);
    return read(copy, words) == 0 ? 0 : refuse(why, "--%s: %s", flag, words);
}

static int read_limiter(char *copy, char why[JOB_WORDS_WHY])
{
    Pb__LimiterUse l = PB__LIMITER_USE__INIT;

    return job_limiter_read(copy, &l, why);
}

int flag_read_limiter(struct options *o, const char *text, struct coop_error *why)
{
    return check_copy("limiter", text, read_limiter, why) == 0 ? flag_list_add(&o->limiters, text, why) : -EINVAL;
}

/* ---- what it is ---------------------------------------------------------------------------------------------------------------------- */

int flag_read_idem(struct options *o, const char *text, struct coop_error *why)
{
    o->idem = text;
    return check_word("idem", text, 255, why);
}

int flag_read_queue(struct options *o, const char *text, struct coop_error *why)
{
    o->queue = text;
    return check_word("queue", text, 63, why);
}

/* To choose by one its key is enough; to give one it is not. */
int flag_read_new_label(struct options *o, const char *text, struct coop_error *why)
{
    char buf[SHOWN];

    if (strchr(text, '=') != NULL)
        return flag_read_label(o, text, why);
    refuse(why, "--label '%.100s' is not KEY=VALUE", shown(buf, text));
    coop_error_hint(why, "write -l project=apollo");
    return -EINVAL;
}

/* ---- webhooks ------------------------------------------------------------------------------------------------------------------------ */

static int read_events(char *list, Pb__Webhook *ret, Pb__State states[FLAG_STATES], struct coop_error *why)
{
    char *item, buf[SHOWN];

    ret->events = states;
    while ((item = strsep(&list, "+")) != NULL) {
        int value;

        if (enum_value(&pb__state__descriptor, item, &value) != 0 || value == 0) {
            refuse(why, "--webhook: '%.60s' is no state", shown(buf, item));
            hint_nearest(why, item, state_words + 1, "");
            return -EINVAL;
        }
        if (ret->n_events == FLAG_STATES)
            return refuse(why, "--webhook: more than %d events", FLAG_STATES);
        states[ret->n_events++] = (Pb__State)value;
    }
    return 0;
}

/* "foo" of ",foo=1", the last part: it may be a key with a typo. Not what is in the address itself: behind a ? or #. */
static bool is_unknown_key(const char *text, const char *comma)
{
    size_t len = strspn(comma + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_");

    return len > 0 && comma[1 + len] == '=' && strcspn(text, "?#") > (size_t)(comma - text);
}

static int refuse_key(char *comma, struct coop_error *why)
{
    static const char *const keys[] = { "key", "events", NULL };
    char buf[SHOWN];

    comma[1 + strcspn(comma + 1, "=")] = '\0';
    refuse(why, "--webhook has no '%.60s'", shown(buf, comma + 1));
    if (nearest_word(comma + 1, keys) != NULL)
        hint_nearest(why, comma + 1, keys, "");
    else
        coop_error_hint(why, "it has key=NAME and events=STATE+...; a comma of the address itself is written %%2C");
    return -EINVAL;
}

/* The parts stand last, as an address may have commas of its own. */
int flag_webhook(char *text, Pb__Webhook *ret, Pb__State states[FLAG_STATES], struct coop_error *why)
{
    char *comma;

    pb__webhook__init(ret);
    ret->url = text;
    while ((comma = strrchr(text, ',')) != NULL) {
        if (strncmp(comma, ",key=", 5) == 0)
            ret->key = comma + 5;
        else if (strncmp(comma, ",events=", 8) == 0) {
            if (read_events(comma + 8, ret, states, why) != 0)
                return -EINVAL;
        } else if (is_unknown_key(text, comma))
            return refuse_key(comma, why);
        else
            break;
        *comma = '\0';
    }
    return text[0] != '\0' ? 0 : refuse(why, "--webhook names no address; write --webhook https://HOST/PATH");
}

int flag_read_webhook(struct options *o, const char *text, struct coop_error *why)
{
    Pb__State states[FLAG_STATES];
    char copy[4096];
    Pb__Webhook hook;

    if (strlen(text) >= sizeof(copy) || !frame_is_utf8(text, strlen(text)))
        return refuse(why, "--webhook takes UTF-8 text of at most %zu bytes", sizeof(copy) - 1);
    strcpy(copy, text);
    return flag_webhook(copy, &hook, states, why) == 0 ? flag_list_add(&o->webhooks, text, why) : -EINVAL;
}
