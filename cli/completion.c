/* completion.c - see completion.h. */
#include "cli/completion.h"

#include <string.h>

#include "cli/args.h"
#include "cli/json.h"
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
    [LIST_STATES] = "states",   [LIST_ENGINES] = "engines", [LIST_LIMITS] = "limits", [LIST_CAPS] = "caps",
    [LIST_CLASSES] = "classes", [LIST_SORTS] = "sorts",     [LIST_ENDS] = "ends",     [LIST_CAUSES] = "causes",
};

enum completion_list completion_list_of(const struct flag *f)
{
    static const enum completion_list lists[] = {
        [FLAG_ENGINE] = LIST_ENGINES, [FLAG_LIMIT] = LIST_LIMITS,  [FLAG_STATE] = LIST_STATES, [FLAG_OUTPUT_LIMIT] = LIST_ENDS,
        [FLAG_CAP] = LIST_CAPS,       [FLAG_CLASS] = LIST_CLASSES, [FLAG_SORT] = LIST_SORTS,   [FLAG_NOTHING] = LISTS,
        [FLAG_FILE] = LISTS,          [FLAG_ID] = LISTS,           [FLAG_RETRY] = LIST_CAUSES,
    };

    return lists[f->completes];
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
    case LISTS: break;
    }
}

const char *completion_names(const struct verb *v)
{
    static char names[64];

    for (const struct word *w = v->words; w != NULL && w->name != NULL; w++)
        if (strcmp(w->name, "ls") == 0) {
            snprintf(names, sizeof(names), "%s ls", v->name);
            return names;
        }
    return NULL;
}
