/* spec_check_hook.c - retries, webhooks and retention of a spec (spec_check.h). */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/spec_check_parts.h"
#include "enum_name.h"
#include "rel_path.h"
#include "units.h"

#define refuse(why, ...) (snprintf((why), SPEC_WHY, __VA_ARGS__), -EINVAL)

/* ---- retry -------------------------------------------------------------------------------------------------------------------------- */

/* Nothing that ends so is tried again, whatever is asked for. */
static bool ends_for_good(Pb__Cause c)
{
    return c == PB__CAUSE__CAUSE_NONE || c == PB__CAUSE__CAUSE_OK || c == PB__CAUSE__CAUSE_CANCELLED || c == PB__CAUSE__CAUSE_DEADLINE ||
           c == PB__CAUSE__CAUSE_DEP_FAILED || c == PB__CAUSE__CAUSE_BAD_SPEC;
}

/* The platform's, which are tried again by infra_attempts. */
static bool is_of_platform(Pb__Cause c)
{
    return c == PB__CAUSE__CAUSE_WORKER_LOST || c == PB__CAUSE__CAUSE_BROKER_LOST || c == PB__CAUSE__CAUSE_INTERNAL ||
           c == PB__CAUSE__CAUSE_START_FAILED;
}

static int check_backoff(const Pb__Backoff *b, char why[SPEC_WHY])
{
    char base[UNITS_BUF], max[UNITS_BUF];

    if (b == NULL)
        return 0;
    if (b->base_us > SPEC_PAUSE_MAX || b->max_us > SPEC_PAUSE_MAX)
        return refuse(why, "retry: a pause between attempts is at most 30 days");
    if (b->max_us != 0 && b->base_us > b->max_us)
        return refuse(why, "retry: the first pause, %s, is longer than the longest, %s", units_format_duration(b->base_us, base),
                      units_format_duration(b->max_us, max));
    if (b->factor != 0 && !(b->factor >= 1 && b->factor <= SPEC_FACTOR_MAX))
        return refuse(why, "retry: the factor %g is not between 1 and %g", b->factor, SPEC_FACTOR_MAX);
    if (!(b->jitter >= 0 && b->jitter <= 1))
        return refuse(why, "retry: the jitter %g is not between 0 and 1", b->jitter);
    return 0;
}

static int check_causes(const Pb__Retry *r, char why[SPEC_WHY])
{
    char name[JSON_ENUM_BUF];

    for (size_t i = 0; i < r->n_on; i++) {
        if (protobuf_c_enum_descriptor_get_value(&pb__cause__descriptor, (int)r->on[i]) == NULL)
            return refuse(why, "retry: there is no cause %d", (int)r->on[i]);
        json_enum_name(&pb__cause__descriptor, (int)r->on[i], name);
        if (ends_for_good(r->on[i]))
            return refuse(why, "retry: after %s there is no other attempt", name);
        if (is_of_platform(r->on[i]))
            return refuse(why, "retry: %s is the platform's: it is tried again by itself, infra_attempts says how often", name);
        for (size_t k = 0; k < i; k++)
            if (r->on[k] == r->on[i])
                return refuse(why, "retry: the cause %s is given twice", name);
    }
    return 0;
}

int spec_check_retry(const Pb__Retry *r, char why[SPEC_WHY])
{
    int rc;

    if (r == NULL)
        return 0;
    if (r->max_attempts > SPEC_ATTEMPTS)
        return spec_too_much(why, "attempts", r->max_attempts, SPEC_ATTEMPTS);
    if (r->infra_attempts > SPEC_INFRA)
        return spec_too_much(why, "infra attempts", r->infra_attempts, SPEC_INFRA);
    if (r->n_success_exit_codes > SPEC_EXIT_CODES)
        return spec_too_much(why, "success exit codes", r->n_success_exit_codes, SPEC_EXIT_CODES);
    for (size_t i = 0; i < r->n_success_exit_codes; i++)
        if (r->success_exit_codes[i] < 0 || r->success_exit_codes[i] > 255)
            return refuse(why, "retry: the exit code %d is not between 0 and 255", r->success_exit_codes[i]);
    rc = check_backoff(r->backoff, why);
    return rc == 0 ? check_causes(r, why) : rc;
}

/* ---- webhooks ----------------------------------------------------------------------------------------------------------------------- */

/* No blank, no control character, nothing beyond ASCII: as it goes onto the wire. */
static bool is_address(const char *url)
{
    for (; *url != '\0'; url++)
        if (*url <= ' ' || *url >= 0x7f || strchr("\"<>\\^`{|}", *url) != NULL)
            return false;
    return true;
}

/* HOST, HOST:PORT, [ADDRESS]:PORT: what stands between // and the next / ? or #. */
static bool is_host(const char *host, size_t len)
{
    const char *end = host + len, *colon = memrchr(host, ':', len), *bracket = len > 0 && *host == '[' ? memchr(host, ']', len) : NULL;
    char *stop;
    unsigned long port;

    if (len > 0 && *host == '[' && (bracket == NULL || bracket == host + 1))
        return false;
    if (bracket != NULL && colon < bracket)
        colon = NULL;
    if (bracket != NULL && bracket + 1 != (colon != NULL ? colon : end))
        return false;
    if (colon != NULL) {
        port = colon[1] >= '0' && colon[1] <= '9' ? strtoul(colon + 1, &stop, 10) : 0;
        if (port < 1 || port > 65535 || stop != end)
            return false;
        end = colon;
    }
    if (bracket != NULL)
        return strspn(host + 1, "0123456789abcdefABCDEF:.") == (size_t)(bracket - host - 1);
    return end > host && strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") >= (size_t)(end - host);
}

static int check_url(const char *url, char why[SPEC_WHY])
{
    char shown[SPEC_SHOWN];
    const char *host = strncmp(url, "https://", 8) == 0 ? url + 8 : strncmp(url, "http://", 7) == 0 ? url + 7 : NULL;
    size_t len = host != NULL ? strcspn(host, "/?#") : 0;

    if (strlen(url) > SPEC_URL)
        return refuse(why, "the address of a webhook has %zu bytes, it may have %d", strlen(url), SPEC_URL);
    if (host != NULL && memchr(host, '@', len) != NULL) /* not shown: it is what should not be seen */
        return refuse(why, "the address of a webhook has a user or a password in it; sign with a key instead");
    if (host == NULL)
        return refuse(why, "the webhook '%s' does not begin with http:// or https://", spec_show(shown, url));
    if (!is_address(url) || !is_host(host, len))
        return refuse(why, "the webhook '%s' has no good host or port, or a character that is none of an address", spec_show(shown, url));
    return 0;
}

static int check_webhook(const Pb__Webhook *w, char why[SPEC_WHY])
{
    int rc = check_url(w->url, why);

    if (rc != 0)
        return rc;
    if (strlen(w->key) > SPEC_HOOK_KEY || text_has_control(w->key))
        return refuse(why, "the key of a webhook names a kv entry: at most %d bytes without control characters", SPEC_HOOK_KEY);
    if (w->n_events > pb__state__descriptor.n_values)
        return spec_too_much(why, "events of a webhook", w->n_events, pb__state__descriptor.n_values);
    for (size_t i = 0; i < w->n_events; i++)
        if (w->events[i] == PB__STATE__STATE_NONE ||
            protobuf_c_enum_descriptor_get_value(&pb__state__descriptor, (int)w->events[i]) == NULL)
            return refuse(why, "webhook: there is no state %d", (int)w->events[i]);
    return 0;
}

int spec_check_notify(const Pb__JobSpec *s, char why[SPEC_WHY])
{
    if (s->n_webhooks > SPEC_WEBHOOKS)
        return spec_too_much(why, "webhooks", s->n_webhooks, SPEC_WEBHOOKS);
    for (size_t i = 0; i < s->n_webhooks; i++) {
        int rc = check_webhook(s->webhooks[i], why);

        if (rc != 0)
            return rc;
    }
    if (s->retention != NULL && (s->retention->result_us > SPEC_KEEP_MAX || s->retention->log_us > SPEC_KEEP_MAX))
        return refuse(why, "retention: longer than a hundred years");
    return 0;
}
