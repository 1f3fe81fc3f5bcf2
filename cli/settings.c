/* settings.c - see settings.h. */
#include "cli/settings.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "when.h"
#include "job_limits.h"
#include "units.h"

#include <coop/exit_codes.h>

const char *const tenant_setting_keys[] = { "parent", "weight", "state", "uids", "keep.results", "keep.logs", "default.", "max.", NULL };
const char *const token_setting_keys[] = { "tenant", "queue", "expires", "note", NULL };
const char *const token_scope_words[] = { "submit", "read", "cancel", "admin", NULL };

static int refuse(struct coop_error *why, const char *key, const char *wants)
{
    return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "%.60s: wants %s", key, wants);
}

/* Cuts the word at its '='. */
static char *value_of(char *word, struct coop_error *why)
{
    char *eq = strchr(word, '=');

    if (eq == NULL || eq == word) {
        coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "'%.60s' is no KEY=VALUE", word);
        return NULL;
    }
    *eq = '\0';
    return eq + 1;
}

static int add_mask(struct tenant_settings *s, const char *a, const char *b, struct coop_error *why)
{
    size_t n = s->set.n_mask;

    if (n == SETTINGS_MAX)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "more than %d settings at once", SETTINGS_MAX);
    snprintf(s->names[n], sizeof(s->names[n]), "%s%s", a, b);
    s->mask[n] = s->names[n];
    s->set.n_mask++;
    return 0;
}

void tenant_settings_init(struct tenant_settings *s, char *name)
{
    memset(s, 0, sizeof(*s));
    pb__tenant_set__init(&s->set);
    pb__tenant__init(&s->tenant);
    pb__quota__init(&s->quota);
    pb__limits__init(&s->limits_default);
    pb__limits__init(&s->limits_max);
    pb__retention__init(&s->retention);
    s->set.tenant = &s->tenant;
    s->set.mask = s->mask;
    s->tenant.name = name;
    s->tenant.quota = &s->quota;
    s->tenant.limits_default = &s->limits_default;
    s->tenant.limits_max = &s->limits_max;
    s->tenant.retention = &s->retention;
    s->tenant.uids = s->uids;
    s->quota.nothing = s->nothing;
}

/* ---- of a tenant ---- */

static int read_double(const char *text, double *ret)
{
    char *end;

    errno = 0;
    *ret = strtod(text, &end);
    return errno != 0 || end == text || *end != '\0' || !isfinite(*ret) ? -EINVAL : 0;
}

static int read_uids(struct tenant_settings *s, char *value, struct coop_error *why)
{
    s->tenant.n_uids = 0;
    for (char *rest = value, *word; (word = strsep(&rest, ",")) != NULL;) {
        unsigned long uid;
        char *end;

        if (word[0] == '\0')
            continue;
        errno = 0;
        uid = strtoul(word, &end, 10);
        if (errno != 0 || *end != '\0' || word[0] < '0' || word[0] > '9' || uid >= UINT32_MAX || s->tenant.n_uids == SETTINGS_UIDS)
            return refuse(why, "uids", "numbers of users with commas between them");
        s->uids[s->tenant.n_uids++] = (uint32_t)uid;
    }
    return add_mask(s, "uids", "", why);
}

static int read_limit(struct tenant_settings *s, const char *prefix, Pb__Limits *l, const char *name, const char *value,
                      struct coop_error *why)
{
    char text[128], no[LIMITS_WHY];

    if (limits_find(name) == NULL)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "there is no limit '%.60s'", name);
    snprintf(text, sizeof(text), "%s=%s", name, value);
    if (strcmp(value, "none") != 0 && limits_parse(text, l, no) != 0)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "%s", no);
    return add_mask(s, prefix, name, why);
}

static int read_keep(struct tenant_settings *s, const char *field, uint64_t *ret, const char *value, struct coop_error *why)
{
    if (strcmp(value, "none") != 0 && units_parse_duration(value, ret) != 0)
        return refuse(why, field, "a time like 36h or 30d, or none: for ever");
    return add_mask(s, field, "", why);
}

#define MOST_BEGIN "max_" /* most quotas, which may be written without it */

static const ProtobufCFieldDescriptor *find_quota(const char *key)
{
    const ProtobufCMessageDescriptor *d = &pb__quota__descriptor;

    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const char *bare = strncmp(f->name, MOST_BEGIN, strlen(MOST_BEGIN)) == 0 ? f->name + strlen(MOST_BEGIN) : f->name;

        if (f->label != PROTOBUF_C_LABEL_REPEATED && (strcmp(f->name, key) == 0 || strcmp(bare, key) == 0))
            return f;
    }
    return NULL;
}

int tenant_settings_read(struct tenant_settings *s, char *word, struct coop_error *why)
{
    char *value = value_of(word, why);

    if (value == NULL)
        return -EINVAL;
    if (strcmp(word, "parent") == 0) {
        s->tenant.parent = value;
        return s->set.create ? 0 : add_mask(s, "parent", "", why);
    }
    if (strcmp(word, "weight") == 0)
        return read_double(value, &s->tenant.weight) != 0 || s->tenant.weight <= 0 ? refuse(why, word, "a number above 0")
                                                                                   : add_mask(s, "weight", "", why);
    if (strcmp(word, "state") == 0) {
        s->tenant.state = value;
        return add_mask(s, "state", "", why);
    }
    if (strcmp(word, "uids") == 0)
        return read_uids(s, value, why);
    if (strcmp(word, "keep.results") == 0)
        return read_keep(s, "retention.result_us", &s->retention.result_us, value, why);
    if (strcmp(word, "keep.logs") == 0)
        return read_keep(s, "retention.log_us", &s->retention.log_us, value, why);
    if (strncmp(word, "default.", 8) == 0)
        return read_limit(s, "limits_default.", &s->limits_default, word + 8, value, why);
    if (strncmp(word, "max.", 4) == 0)
        return read_limit(s, "limits_max.", &s->limits_max, word + 4, value, why);
    coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "a tenant has no '%.60s'", word);
    if (find_quota(word) != NULL)
        coop_error_hint(why, "that is a quota: coop quota set TENANT %.60s=%.60s", word, value);
    else
        hint_nearest(why, word, tenant_setting_keys, "");
    return -EINVAL;
}

/* ---- quotas ---- */

/* Of a name that begins as most do, only the rest can be mistyped. */
static int no_such_quota(const char *key, struct coop_error *why)
{
    const ProtobufCMessageDescriptor *d = &pb__quota__descriptor;
    size_t same = strncmp(key, MOST_BEGIN, strlen(MOST_BEGIN)) == 0 ? strlen(MOST_BEGIN) : 0;
    const char *names[SETTINGS_MAX + 1];
    unsigned n = 0;

    for (unsigned i = 0; i < d->n_fields && n < SETTINGS_MAX; i++)
        if (d->fields[i].label != PROTOBUF_C_LABEL_REPEATED && strncmp(d->fields[i].name, MOST_BEGIN, same) == 0)
            names[n++] = d->fields[i].name + same;
    names[n] = NULL;
    coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "there is no quota '%.60s'", key);
    hint_nearest(why, key + same, names, same > 0 ? MOST_BEGIN : "");
    return -EINVAL;
}

static int read_count(const char *text, uint64_t *ret)
{
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' ? -EINVAL : 0;
}

static int read_quota_value(const ProtobufCFieldDescriptor *f, const char *value, void *cell, struct coop_error *why)
{
    uint64_t n;

    if (f->type == PROTOBUF_C_TYPE_DOUBLE)
        return read_double(value, cell) == 0 && *(double *)cell >= 0 ? 0 : refuse(why, f->name, "a number from 0, or none");
    if (strstr(f->name, "bytes") != NULL ? units_parse_size(value, &n) != 0 : read_count(value, &n) != 0)
        return refuse(why, f->name, strstr(f->name, "bytes") != NULL ? "a size like 10G, or none" : "a whole number, or none");
    *(uint64_t *)cell = n;
    return 0;
}

static bool is_zero(const ProtobufCFieldDescriptor *f, const void *cell)
{
    return f->type == PROTOBUF_C_TYPE_DOUBLE ? *(const double *)cell <= 0 : *(const uint64_t *)cell == 0;
}

int quota_settings_read(struct tenant_settings *s, char *word, struct coop_error *why)
{
    char *value = value_of(word, why);
    const ProtobufCFieldDescriptor *f = value != NULL ? find_quota(word) : NULL;
    void *cell;
    int rc;

    if (value == NULL)
        return -EINVAL;
    if (f == NULL)
        return no_such_quota(word, why);
    cell = (char *)&s->quota + f->offset;
    if (strcmp(value, "none") != 0) {
        rc = read_quota_value(f, value, cell, why);
        if (rc != 0)
            return rc;
        if (is_zero(f, cell) && s->quota.n_nothing < SETTINGS_MAX)
            s->nothing[s->quota.n_nothing++] = (char *)f->name;
    }
    return add_mask(s, "quota.", f->name, why);
}

/* ---- tokens ---- */

int token_settings_init(struct token_settings *s, char *scopes, struct coop_error *why)
{
    memset(s, 0, sizeof(*s));
    pb__token_create__init(&s->create);
    pb__token__init(&s->token);
    s->create.token = &s->token;
    s->token.scopes = s->scopes;
    for (char *rest = scopes, *word; (word = strsep(&rest, ",")) != NULL;) {
        if (s->token.n_scopes == sizeof(s->scopes) / sizeof(s->scopes[0]))
            return refuse(why, "scopes", "submit, read, cancel, admin, with commas between them");
        s->scopes[s->token.n_scopes++] = word;
    }
    return 0;
}

int token_settings_read(struct token_settings *s, char *word, struct coop_error *why)
{
    char *value = value_of(word, why), later[64];

    if (value == NULL)
        return -EINVAL;
    if (strcmp(word, "tenant") == 0)
        s->token.tenant = value;
    else if (strcmp(word, "queue") == 0)
        s->token.queue = value;
    else if (strcmp(word, "note") == 0)
        s->token.note = value;
    else if (strcmp(word, "expires") == 0) {
        snprintf(later, sizeof(later), "+%s", value);
        if (strcmp(value, "never") != 0 && when_parse(value, when_now_us(), &s->token.expires_us) != 0 &&
            when_parse(later, when_now_us(), &s->token.expires_us) != 0)
            return refuse(why, word, "a time from now like 30d, a point in time like " WHEN_FORMS ", or never");
    } else {
        coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "a token has no '%.60s'", word);
        hint_nearest(why, word, token_setting_keys, "");
        return -EINVAL;
    }
    return 0;
}
