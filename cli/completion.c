/* completion.c - see completion.h. */
#include "cli/completion.h"

#include <string.h>

#include "cli/args.h"
#include "cli/json.h"
#include "cli/settings.h"
#include "cli/words.h"
#include "engine_table.h"
#include "job_caps.h"
#include "job_limits.h"

static const struct {
    const char *shell;
    void (*print)(FILE *out);
} scripts[] = {
    {"bash",  completion_bash},
    { "zsh",  completion_zsh },
    { "fish", completion_fish},
};
const char *const completion_shells[] = { "bash", "zsh", "fish", NULL };

bool completion_print(FILE *out, const char *shell)
{
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++)
        if (strcmp(scripts[i].shell, shell) == 0) {
            scripts[i].print(out);
            return true;
        }
    return false;
}

bool completion_has(const struct verb *v, const struct flag *f)
{
    return (f->verbs & verb_bit(v)) != 0;
}

/* ---- values -------------------------------------------------------------------------------------------------------------------------- */

const char *const completion_list_names[] = {
    [LIST_STATES] = "states",
    [LIST_ENGINES] = "engines",
    [LIST_LIMITS] = "limits",
    [LIST_CAPS] = "caps",
    [LIST_CLASSES] = "classes",
    [LIST_SORTS] = "sorts",
    [LIST_ENDS] = "ends",
    [LIST_CAUSES] = "causes",
    [LIST_SCOPES] = "scopes",
    [LIST_TENANT_KEYS] = "tenant_keys",
    [LIST_QUOTA_KEYS] = "quota_keys",
    [LIST_TOKEN_KEYS] = "token_keys",
};

enum completion_list completion_list_of(enum flag_completes what)
{
    switch (what) {
    case FLAG_ENGINE: return LIST_ENGINES;
    case FLAG_LIMIT: return LIST_LIMITS;
    case FLAG_STATE: return LIST_STATES;
    case FLAG_OUTPUT_LIMIT: return LIST_ENDS;
    case FLAG_CAP: return LIST_CAPS;
    case FLAG_CLASS: return LIST_CLASSES;
    case FLAG_SORT: return LIST_SORTS;
    case FLAG_RETRY: return LIST_CAUSES;
    case FLAG_SCOPES: return LIST_SCOPES;
    case FLAG_TENANT_KEYS: return LIST_TENANT_KEYS;
    case FLAG_QUOTA_KEYS: return LIST_QUOTA_KEYS;
    case FLAG_TOKEN_KEYS: return LIST_TOKEN_KEYS;
    case FLAG_NOTHING:
    case FLAG_FILE:
    case FLAG_ID:
    case FLAG_NAME:
    case FLAG_TENANT: break;
    }
    return LISTS;
}

bool completion_goes_on(enum flag_completes what)
{
    return what == FLAG_LIMIT || what == FLAG_TENANT_KEYS || what == FLAG_QUOTA_KEYS || what == FLAG_TOKEN_KEYS;
}

static void put(FILE *out, const char *const *words)
{
    for (size_t i = 0; words[i] != NULL; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", words[i]);
}

static void put_limits(FILE *out)
{
    for (size_t i = 0; i < limits_count; i++)
        fprintf(out, "%s%s=", i > 0 ? " " : "", limits_table[i].name);
}

static void put_caps(FILE *out)
{
    for (size_t i = 0; i < job_cap_count; i++) {
        const struct job_cap *cap = &job_cap_table[i];

        fprintf(out, "%s%s%s%s", i > 0 ? " " : "", cap->name, cap->value != NULL && !cap->optional ? "=" : "",
                cap->fixed ? cap->value : "");
    }
}

static void put_causes(FILE *out)
{
    char name[JSON_ENUM_BUF];

    for (unsigned i = 1; i < pb__cause__descriptor.n_values; i++)
        fprintf(out, "%s%s", i > 1 ? " " : "", json_enum_name(&pb__cause__descriptor, (int)i, name));
}

static void put_quotas(FILE *out)
{
    const ProtobufCMessageDescriptor *d = &pb__quota__descriptor;

    for (unsigned i = 0, n = 0; i < d->n_fields; i++)
        if (d->fields[i].label != PROTOBUF_C_LABEL_REPEATED)
            fprintf(out, "%s%s=", n++ > 0 ? " " : "", d->fields[i].name);
}

static void put_keys(FILE *out, const char *const *keys)
{
    for (size_t i = 0; keys[i] != NULL; i++)
        fprintf(out, "%s%s%s", i > 0 ? " " : "", keys[i], keys[i][strlen(keys[i]) - 1] == '.' ? "" : "=");
}

void completion_words(FILE *out, enum completion_list list)
{
    static const char *const ends[] = { "kill", "truncate", NULL };

    switch (list) {
    case LIST_STATES: put(out, state_words + 1); break;
    case LIST_ENGINES: put(out, engine_names); break;
    case LIST_LIMITS: put_limits(out); break;
    case LIST_CAPS: put_caps(out); break;
    case LIST_CLASSES: put(out, class_words); break;
    case LIST_SORTS: put(out, sort_words); break;
    case LIST_ENDS: put(out, ends); break;
    case LIST_CAUSES: put_causes(out); break;
    case LIST_SCOPES: put(out, token_scope_words); break;
    case LIST_TENANT_KEYS: put_keys(out, tenant_setting_keys); break;
    case LIST_QUOTA_KEYS: put_quotas(out); break;
    case LIST_TOKEN_KEYS: put_keys(out, token_setting_keys); break;
    case LISTS: break;
    }
}

const char *completion_lister(const struct verb *v, enum flag_completes what)
{
    static char names[64];

    if (what == FLAG_ID)
        return "ls";
    if (what == FLAG_TENANT)
        return "tenant ls";
    if (what != FLAG_NAME)
        return NULL;
    snprintf(names, sizeof(names), "%s ls%s", v->name, v->run == verb_token ? " --tenant '*'" : "");
    return names;
}

/* ---- bash and zsh --------------------------------------------------------------------------------------------------------------------- */

/* Which flags want a value depends on the verb only where two flags share a name; so the case is verb:flag. */
void completion_flag_cases(FILE *out, completion_put *put_value)
{
    for (size_t i = 0; i < flag_count; i++) {
        const struct flag *f = &flag_table[i];

        if (f->value == NULL)
            continue;
        fputs("        ", out);
        for (size_t v = 0, n = 0; v < verb_count; v++)
            if (completion_has(&verb_table[v], f)) {
                fprintf(out, "%s%s:--%s", n++ > 0 ? "|" : "", verb_table[v].name, f->name);
                if (f->letter != 0)
                    fprintf(out, "|%s:-%c", verb_table[v].name, f->letter);
            }
        fputs(") ", out);
        put_value(out, NULL, f->completes);
        fputs("; return ;;\n", out);
    }
}

void completion_word_cases(FILE *out, const struct verb *v, const char *word, const char *at, completion_put *put_value)
{
    fprintf(out, "case %s in", word);
    for (const struct word *w = v->words; w->name != NULL; w++) {
        if (w->first == FLAG_NOTHING && w->rest == FLAG_NOTHING)
            continue;
        fprintf(out, "\n                %s) if ((%s == i + 2)); then ", w->name, at);
        put_value(out, v, w->first);
        fputs("; else ", out);
        put_value(out, v, w->rest);
        fputs("; fi ;;", out);
    }
    fputs("\n                *) ;;\n                esac", out);
}
