/*
 * settings.h - "KEY=VALUE" words about a tenant, its quotas and its tokens, read into messages.
 *
 * Side:    host (CLI).
 * Returns: 0, or -EINVAL with why (exit code 2).
 */
#ifndef CLI_SETTINGS_H
#define CLI_SETTINGS_H

#include <coop/client.h>

#include "control.pb-c.h"

enum { SETTINGS_MAX = 64, SETTINGS_UIDS = 64 };

/* A TenantSet that is being put together; it points into itself and into the words. */
struct tenant_settings {
    Pb__TenantSet set;
    Pb__Tenant tenant;
    Pb__Quota quota;
    Pb__Limits limits_default, limits_max;
    Pb__Retention retention;
    char *mask[SETTINGS_MAX], *nothing[SETTINGS_MAX];
    char names[SETTINGS_MAX][48]; /* of mask */
    uint32_t uids[SETTINGS_UIDS];
};

/* The keys, NULL behind the last; one that ends with a dot goes on with a limit's name. Those of quotas are the fields of Quota. */
extern const char *const tenant_setting_keys[], *const token_setting_keys[];
extern const char *const token_scope_words[];

void tenant_settings_init(struct tenant_settings *s, char *name);
/* parent, weight, state, uids, keep.results, keep.logs, default.LIMIT, max.LIMIT */
int tenant_settings_read(struct tenant_settings *s, char *word, struct coop_error *why);
/* A quota by the name of its field, with or without max_ and such; "none": no bound; 0: nothing. */
int quota_settings_read(struct tenant_settings *s, char *word, struct coop_error *why);

struct token_settings {
    Pb__TokenCreate create;
    Pb__Token token;
    char *scopes[8];
};

/* scopes: "submit,read", cut up in place. */
int token_settings_init(struct token_settings *s, char *scopes, struct coop_error *why);
/* tenant, queue, expires, note */
int token_settings_read(struct token_settings *s, char *word, struct coop_error *why);

#endif
