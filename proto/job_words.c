/* job_words.c - see job_words.h. */
#include "job_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enum_name.h"
#include "log.h"
#include "nearest.h"
#include "units.h"

enum { SHOWN = 100, WORDS_MAX = 64 };

#define refuse(why, ...) (snprintf((why), JOB_WORDS_WHY, __VA_ARGS__), -EINVAL)

static char *show(char buf[SHOWN], const char *text)
{
    return log_escape(buf, SHOWN, text, strlen(text));
}

/* Digits up to the end, or up to one of the characters in ends. */
static int number(const char **p, const char *ends, uint64_t *ret)
{
    char *end;

    if (**p < '0' || **p > '9')
        return -EINVAL;
    errno = 0;
    *ret = strtoull(*p, &end, 10);
    if (errno == ERANGE || *ret > INT64_MAX || strspn(end, "0123456789") > 0 || (*end != '\0' && strchr(ends, *end) == NULL))
        return -EINVAL;
    *p = end;
    return 0;
}

/* "did you mean" of an enum's words, in buf; "" when none is near. */
static char *did_you_mean(const ProtobufCEnumDescriptor *d, const char *typed, char *buf, size_t size)
{
    char names[WORDS_MAX][JSON_ENUM_BUF];
    const char *words[WORDS_MAX + 1], *near;
    unsigned n = 0;

    for (; n < d->n_values && n < WORDS_MAX; n++)
        words[n] = json_enum_name(d, d->values[n].value, names[n]);
    words[n] = NULL;
    near = nearest_word(typed, words);
    snprintf(buf, size, "%s%s%s", near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
    return buf;
}

/* ---- after ----------------------------------------------------------------------------------------------------------------------- */

int job_after_read(char *text, Pb__Dependency *ret, char why[JOB_WORDS_WHY])
{
    char *on = strchr(text, ':'), shown[SHOWN];
    int value = PB__AFTER__AFTER_OK;

    if (on != NULL)
        *on++ = '\0';
    if (text[0] == '\0')
        return refuse(why, "names no job; write ID, ID:ok, ID:fail or ID:any");
    if (on != NULL && enum_value(&pb__after__descriptor, on, &value) != 0)
        return refuse(why, "'%s' is not ok, fail or any", show(shown, on));
    ret->job = text;
    ret->on = (Pb__After)value;
    return 0;
}

int job_after_write(const Pb__Dependency *d, char *buf, size_t size)
{
    char on[JSON_ENUM_BUF];

    if (d->job[0] == '\0' || strchr(d->job, ':') != NULL ||
        protobuf_c_enum_descriptor_get_value(&pb__after__descriptor, (int)d->on) == NULL)
        return -EINVAL;
    return (size_t)snprintf(buf, size, "%s:%s", d->job, json_enum_name(&pb__after__descriptor, (int)d->on, on)) < size ? 0 : -EINVAL;
}

/* ---- limiter --------------------------------------------------------------------------------------------------------------------- */

int job_limiter_read(char *text, Pb__LimiterUse *ret, char why[JOB_WORDS_WHY])
{
    char *equals = strchr(text, '='), shown[SHOWN];
    const char *p = equals != NULL ? equals + 1 : "";
    uint64_t n = 0;

    if (equals != NULL && (number(&p, "", &n) != 0 || n == 0 || n > UINT32_MAX))
        return refuse(why, "'%s' is not how many places; write KEY or KEY=2", show(shown, equals + 1));
    if (equals != NULL)
        *equals = '\0';
    if (text[0] == '\0')
        return refuse(why, "names no limiter; write KEY or KEY=2");
    ret->key = text;
    ret->n = (uint32_t)n;
    return 0;
}

int job_limiter_write(const Pb__LimiterUse *l, char *buf, size_t size)
{
    int n;

    if (l->key[0] == '\0' || strchr(l->key, '=') != NULL)
        return -EINVAL;
    n = l->n > 0 ? snprintf(buf, size, "%s=%u", l->key, l->n) : snprintf(buf, size, "%s", l->key);
    return (size_t)n < size ? 0 : -EINVAL;
}

/* ---- retry ----------------------------------------------------------------------------------------------------------------------- */

static int read_count(const char *text, uint32_t *ret, char why[JOB_WORDS_WHY])
{
    char shown[SHOWN];
    uint64_t n = 0;

    if (number(&text, "", &n) != 0 || n > UINT32_MAX)
        return refuse(why, "'%s' is not a count", show(shown, text));
    *ret = (uint32_t)n;
    return 0;
}

static int read_time(const char *text, uint64_t *ret, char why[JOB_WORDS_WHY])
{
    char shown[SHOWN];

    return units_parse_duration(text, ret) == 0 ? 0 : refuse(why, "'%s' is not a time; write 500ms, 2s, 5m or 1h", show(shown, text));
}

static int read_real(const char *text, double *ret, char why[JOB_WORDS_WHY])
{
    char *end, shown[SHOWN];

    *ret = strtod(text, &end);
    if (text[0] == '\0' || strspn(text, "0123456789.") != strlen(text) || *end != '\0')
        return refuse(why, "'%s' is not a number; write 2 or 1.5", show(shown, text));
    return 0;
}

static int read_causes(char *text, struct job_retry_words *r, char why[JOB_WORDS_WHY])
{
    char *item, shown[SHOWN], near[JSON_ENUM_BUF + 32];

    while ((item = strsep(&text, "+")) != NULL) {
        int value;

        if (r->retry.n_on == JOB_RETRY_ON)
            return refuse(why, "more than %d causes", JOB_RETRY_ON);
        if (enum_value(&pb__cause__descriptor, item, &value) != 0)
            return refuse(why, "'%s' is no cause%s", show(shown, item), did_you_mean(&pb__cause__descriptor, item, near, sizeof(near)));
        r->on[r->retry.n_on++] = (Pb__Cause)value;
    }
    return 0;
}

static int read_codes(char *text, struct job_retry_words *r, char why[JOB_WORDS_WHY])
{
    char *item;

    while ((item = strsep(&text, "+")) != NULL) {
        uint32_t code = 0;

        if (r->retry.n_success_exit_codes == JOB_RETRY_ON)
            return refuse(why, "more than %d exit codes", JOB_RETRY_ON);
        if (read_count(item, &code, why) != 0)
            return -EINVAL;
        r->ok[r->retry.n_success_exit_codes++] = (int32_t)(code < 0x7fffffff ? code : 0x7fffffff);
    }
    return 0;
}

static int read_part(struct job_retry_words *r, const char *name, char *value, char why[JOB_WORDS_WHY])
{
    static const char *const names[] = { "base", "factor", "max", "jitter", "on", "infra", "ok", NULL };
    char shown[SHOWN];
    const char *near;

    if (strcmp(name, "base") == 0 || strcmp(name, "factor") == 0 || strcmp(name, "max") == 0 || strcmp(name, "jitter") == 0)
        r->retry.backoff = &r->backoff;
    if (strcmp(name, "base") == 0)
        return read_time(value, &r->backoff.base_us, why);
    if (strcmp(name, "factor") == 0)
        return read_real(value, &r->backoff.factor, why);
    if (strcmp(name, "max") == 0)
        return read_time(value, &r->backoff.max_us, why);
    if (strcmp(name, "jitter") == 0)
        return read_real(value, &r->backoff.jitter, why);
    if (strcmp(name, "on") == 0)
        return read_causes(value, r, why);
    if (strcmp(name, "infra") == 0)
        return read_count(value, &r->retry.infra_attempts, why);
    if (strcmp(name, "ok") == 0)
        return read_codes(value, r, why);
    near = nearest_word(name, names);
    return refuse(why, "there is no '%s'%s%s%s; there are base, factor, max, jitter, on, infra and ok", show(shown, name),
                  near != NULL ? "; did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

int job_retry_read(const char *text, struct job_retry_words *ret, char why[JOB_WORDS_WHY])
{
    char copy[512], *rest = copy, *item, shown[SHOWN];
    int rc;

    pb__retry__init(&ret->retry);
    pb__backoff__init(&ret->backoff);
    ret->retry.on = ret->on;
    ret->retry.success_exit_codes = ret->ok;
    if (strlen(text) >= sizeof(copy))
        return refuse(why, "is longer than %zu bytes", sizeof(copy) - 1);
    strcpy(copy, text);
    item = strsep(&rest, ",");
    rc = read_count(item, &ret->retry.max_attempts, why);
    if (rc == 0 && ret->retry.max_attempts == 0)
        return refuse(why, "of no attempt nothing comes; write 3, or 3,base=1s,factor=2,max=5m,jitter=0.1,on=exit+signal");
    while (rc == 0 && (item = strsep(&rest, ",")) != NULL) {
        char *value = strchr(item, '=');

        if (value == NULL)
            return refuse(why, "'%s' is not NAME=VALUE; write 3,base=1s,factor=2,max=5m,jitter=0.1,on=exit+signal", show(shown, item));
        *value++ = '\0';
        rc = read_part(ret, item, value, why);
    }
    return rc;
}
