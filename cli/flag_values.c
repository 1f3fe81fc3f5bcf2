/* flag_values.c - see flag_values.h. */
#include "cli/flag_values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/grants.h"
#include "cli/text.h"
#include "frame.h"
#include "job_caps.h"
#include "job_files.h"
#include "job_limits.h"
#include "require.h"
#include "units.h"

#include <coop/exit_codes.h>

enum { LS_MAX = 1000, CHILDREN_MAX = 10000 };

const char *const state_words[] = {
    "none",    "ready", "starting", "running",   "finishing", "succeeded", "failed",     "timed_out", "cancelled", "expired",
    "skipped", "dead",  "held",     "scheduled", "blocked",   "claimed",   "retry_wait", "paused",    NULL,
};

int flag_list_add(struct text_list *l, const char *item, struct coop_error *why)
{
    const char **grown = realloc(l->items, (l->n + 1) * sizeof(*grown));

    if (grown == NULL)
        return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    l->items = grown;
    grown[l->n++] = item;
    return 0;
}

int flag_read_limit(struct options *o, const char *text, struct coop_error *why)
{
    Pb__Limits trial;
    char words[LIMITS_WHY];
    int rc = limits_parse(text, &o->limits, words);

    if (rc == 0) {
        trial = o->limits;
        rc = limits_settle(&trial, LIMITS_ANY_ENGINE, words); /* only to refuse early: the broker knows the engine and its defaults */
    }
    if (rc != 0)
        coop_error_set(why, EINVAL, rc == -EDQUOT ? COOP_EXIT_QUOTA : COOP_EXIT_USAGE, "%s", words);
    return rc != 0 ? -EINVAL : 0;
}

int flag_read_env(struct options *o, const char *text, struct coop_error *why)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text) {
        flag_refuse(why, "--env '%.100s' is not NAME=VALUE", text);
        coop_error_hint(why, "write -e LANG=C");
        return -EINVAL;
    }
    if ((size_t)(equals - text) > LIMITS_NAME || !frame_is_utf8(text, (size_t)(equals - text)))
        return flag_refuse(why, "--env: the name of a variable is UTF-8 text of at most %d bytes", LIMITS_NAME);
    return flag_list_add(&o->env, text, why);
}

int flag_read_file(struct options *o, const char *text, struct coop_error *why)
{
    if (text[0] == '\0' || text[0] == ':')
        return flag_refuse(why, "--file '%.100s' names no file; write --file PATH or --file PATH:NAME", text);
    return flag_list_add(&o->files, text, why);
}

int flag_read_output(struct options *o, const char *text, struct coop_error *why)
{
    if (text[0] == '\0')
        return flag_refuse(why, "--output '' names no file; write --output result.txt or --output 'out/*.csv'");
    return flag_list_add(&o->outputs, text, why);
}

int flag_read_grant(struct options *o, const char *text, struct coop_error *why)
{
    char name[JOB_CAP_NAME + 1];
    struct job_grant g;

    return grant_read(text, name, &g, why) == 0 ? flag_list_add(&o->grants, text, why) : -EINVAL;
}

/* The broker has no such capability: it is the command that reads the file, and grants what it has read. */
static int read_cap_file(struct options *o, const char *text, struct coop_error *why)
{
    char name[JOB_CAP_NAME + 1];
    const char *path;

    return grant_file_read(text, name, &path, why) == 0 ? flag_list_add(&o->cap_files, text, why) : -EINVAL;
}

int flag_read_cap(struct options *o, const char *text, struct coop_error *why)
{
    char words[JOB_CAPS_WHY];

    if (strncmp(text, "file=", 5) == 0)
        return read_cap_file(o, text + 5, why);
    if (!frame_is_utf8(text, strlen(text)) || job_cap_check(text, words) != 0)
        return flag_refuse(why, "--cap: %s", frame_is_utf8(text, strlen(text)) ? words : "a capability is UTF-8 text");
    return flag_list_add(&o->caps, text, why);
}

int flag_read_require(struct options *o, const char *text, struct coop_error *why)
{
    char safe[LIMITS_REQUIRE * 4 + 1], words[REQUIRE_WHY];

    if (text[0] == '\0' || strlen(text) > LIMITS_REQUIRE)
        return flag_refuse(why, "--require takes 1 to %d bytes, like tier=T1,memory=cgroup", LIMITS_REQUIRE);
    if (strcmp(text_safe_str(safe, sizeof(safe), text), text) != 0)
        return flag_refuse(why, "--require '%s' is not printable UTF-8 text", safe);
    if (require_check(text, words) != 0)
        return flag_refuse(why, "--%s", words);
    o->require = text;
    return require_check(text, words) == 0 ? 0 : flag_refuse(why, "--%s", words);
}

int flag_read_name(struct options *o, const char *text, struct coop_error *why)
{
    char safe[LIMITS_NAME * 4 + 1];

    if (text[0] == '\0' || strlen(text) > LIMITS_NAME)
        return flag_refuse(why, "--name takes 1 to %d bytes", LIMITS_NAME);
    if (strcmp(text_safe_str(safe, sizeof(safe), text), text) != 0)
        return flag_refuse(why, "--name '%s': a name is printable UTF-8 text", safe);
    o->name = text;
    return 0;
}

int flag_read_on_output_limit(struct options *o, const char *text, struct coop_error *why)
{
    static const char *const words[] = { "kill", "truncate", NULL };

    if (strcmp(text, "kill") == 0)
        o->on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_KILL;
    else if (strcmp(text, "truncate") == 0)
        o->on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE;
    else {
        flag_refuse(why, "--on-output-limit is kill or truncate, not '%.100s'", text);
        hint_nearest(why, text, words, "");
        return -EINVAL;
    }
    return 0;
}

int flag_read_timeout(struct options *o, const char *text, struct coop_error *why)
{
    int rc = units_parse_duration(text, &o->timeout_us);

    if (rc == -ERANGE || (rc == 0 && o->timeout_us > 366 * 86400000000ull))
        return flag_refuse(why, "--timeout %.100s is longer than a year", text);
    if (rc != 0 || o->timeout_us == 0)
        return flag_refuse(why, "--timeout '%.100s' is not a time above 0; write 500ms, 2s, 5m or 1h", text);
    return 0;
}

/* Digits and nothing else, 1 to max. */
bool flag_is_count(const char *text, unsigned long max, uint32_t *ret)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || n < 1 || n > max)
        return false;
    *ret = (uint32_t)n;
    return true;
}

int flag_read_count(struct options *o, const char *text, struct coop_error *why)
{
    return flag_is_count(text, LS_MAX, &o->count)
               ? 0
               : flag_refuse(why, "--limit of ls is how many jobs to list, 1 to %d, not '%.100s'", LS_MAX, text);
}

int flag_read_max_items(struct options *o, const char *text, struct coop_error *why)
{
    return flag_is_count(text, UINT32_MAX, &o->max_items) ? 0 : flag_refuse(why, "--max-items '%.60s' is not a count above 0", text);
}

int flag_read_max_children(struct options *o, const char *text, struct coop_error *why)
{
    return flag_is_count(text, CHILDREN_MAX, &o->max_children)
               ? 0
               : flag_refuse(why, "--max-children is 1 to %d interpreters, not '%.60s'", CHILDREN_MAX, text);
}

int flag_read_max_bytes(struct options *o, const char *text, struct coop_error *why)
{
    if (units_parse_size(text, &o->max_bytes) != 0 || o->max_bytes == 0)
        return flag_refuse(why, "--max-bytes '%.60s' is not a size above 0; write 64K, 1M", text);
    return 0;
}

/* Says which there are, and which is near. */
static void refuse_word(struct coop_error *why, const char *what, const char *typed, const char *const *words)
{
    char known[400] = "";

    for (size_t i = 0; words[i] != NULL; i++)
        snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i > 0 ? ", " : "", words[i]);
    flag_refuse(why, "unknown %s '%.100s'; known: %s", what, typed, known);
    hint_nearest(why, typed, words, "");
}

int flag_read_states(struct options *o, const char *text, struct coop_error *why)
{
    char copy[256], *rest = copy, *item;

    snprintf(copy, sizeof(copy), "%s", text);
    while ((item = strsep(&rest, ",")) != NULL) {
        unsigned s = 1;

        while (state_words[s] != NULL && strcmp(state_words[s], item) != 0)
            s++;
        if (state_words[s] == NULL) {
            refuse_word(why, "state", item, state_words + 1);
            return -EINVAL;
        }
        o->states |= 1u << s;
    }
    return 0;
}
