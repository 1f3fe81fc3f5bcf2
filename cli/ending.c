/* ending.c - see ending.h. */
#include "cli/ending.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/outcome.h"
#include "cli/outputs.h"
#include "cli/program.h"
#include "cli/text.h"

#include <coop/exit_codes.h>

enum { LINE = 4096 };

static void tell_hint(const struct command *c, const Pb__JobSpec *spec, const Pb__Receipt *r)
{
    struct coop_error why;

    if (r->cause != PB__CAUSE__CAUSE_BAD_SPEC || r->exit_code != COOP_EXIT_PROGRAM_MISSING)
        return;
    program_hint(&why, spec);
    if (why.hint[0] != '\0')
        say_note(c, "%s", why.hint);
}

/* One line about an end that the job's own output does not explain. */
static void tell_end(const struct command *c, const Pb__JobSpec *spec, const Pb__Receipt *r)
{
    char cause[JSON_ENUM_BUF], detail[HUMAN_BUF];

    if ((unsigned)r->cause < outcome_count && outcome_table[r->cause].said_by_job)
        return;
    json_enum_name(&pb__cause__descriptor, (int)r->cause, cause);
    human_end_detail(r, detail);
    say_note(c, "job %s ended: %s%s%s%s", r->job, cause, detail[0] != '\0' ? " (" : "", detail, detail[0] != '\0' ? ")" : "");
    tell_hint(c, spec, r);
}

static void tell_cut(const struct command *c, const Pb__Receipt *r, const char *name, const Pb__StreamTotal *t)
{
    if (t != NULL && t->truncated && r->cause != PB__CAUSE__CAUSE_OUTPUT_LIMIT)
        say_note(c, "job %s: its %s was cut after %llu bytes, %llu dropped", r->job, name, (unsigned long long)t->bytes,
                 (unsigned long long)t->dropped);
}

void ending_print_learned(FILE *out, const Pb__Receipt *r)
{
    char row[LINE], why[LINE];

    for (size_t i = 0; i < r->n_learned; i++) {
        const Pb__LearnedRow *l = r->learned[i];

        const char *plural = l->times == 1 ? "" : "s";

        text_safe_str(row, sizeof(row), l->row);
        if (l->granted)
            fprintf(out, "# %llu time%s\n%s\n", (unsigned long long)l->times, plural, row);
        else
            fprintf(out, "# %llu time%s, and no row can allow it: %s\n# %s\n", (unsigned long long)l->times, plural,
                    text_safe_str(why, sizeof(why), l->why_not), row);
    }
}

/* One line for each thing that was matched and not collected. */
static void tell_not_kept(const struct command *c, const Pb__Receipt *r)
{
    for (const char *line = r->outputs_note; *line != '\0';) {
        int len = (int)strcspn(line, "\n");

        say_note(c, "job %s: not collected: %.*s", r->job, len, line);
        line += len + (line[len] == '\n');
    }
}

static void tell_learned(const struct command *c, const Pb__Receipt *r)
{
    if (!c->opt.learn || c->opt.json)
        return; /* the receipt has them */
    if (r->n_learned == 0)
        say_note(c, "job %s needed no row more than the policy has", r->job);
    else
        ending_print_learned(stderr, r);
}

/* ---- outputs that were asked for ----------------------------------------------------------------------------------------------------- */

/* As the worker's globs: each part for itself, "**" any directories. */
static bool matches(const char *glob, const char *name)
{
    size_t g = strcspn(glob, "/"), n = strcspn(name, "/");
    char part[LINE], own[LINE];

    if (strcmp(glob, "**") == 0)
        return true;
    if (g == 2 && memcmp(glob, "**", 2) == 0)
        return matches(glob + 3, name) || (name[n] == '/' && matches(glob, name + n + 1));
    snprintf(part, sizeof(part), "%.*s", (int)g, glob);
    snprintf(own, sizeof(own), "%.*s", (int)n, name);
    if ((glob[g] == '/') != (name[n] == '/') || fnmatch(part, own, FNM_PERIOD) != 0)
        return false;
    return glob[g] == '\0' || matches(glob + g + 1, name + n + 1);
}

static bool was_collected(const Pb__Receipt *r, const char *glob)
{
    for (size_t i = 0; i < r->n_outputs; i++)
        if (matches(glob, r->outputs[i]->name))
            return true;
    return false;
}

static bool ends_as(const char *line, size_t len, const char *with)
{
    size_t n = strlen(with);

    return len >= n && memcmp(line + len - n, with, n) == 0;
}

/* A directory is asked for by its name in vain. */
static void hint_directory(const struct command *c, const Pb__Receipt *r, const char *asked)
{
    size_t n = strlen(asked);

    for (const char *line = r->outputs_note; *line != '\0';) {
        size_t len = strcspn(line, "\n");

        if (len > n && strncmp(line, asked, n) == 0 && line[n] == ':' && ends_as(line, len, "is a directory"))
            say_note(c, "for the files in it: --output '%s/**'", asked);
        line += len + (line[len] == '\n');
    }
}

/* Whether of each name or glob something came; a program that succeeded without what was wanted of it is no success. */
static int all_collected(const struct command *c, const Pb__JobSpec *spec, const Pb__Receipt *r)
{
    int code = 0;

    for (size_t i = 0; i < spec->n_outputs; i++)
        if (!was_collected(r, spec->outputs[i])) {
            hint_directory(c, r, spec->outputs[i]);
            code = COOP_EXIT_USAGE;
        }
    return code;
}

int ending_tell(const struct command *c, struct coop_client *client, const Pb__JobSpec *spec, const Pb__Receipt *r, int dir_fd)
{
    int code = outcome_of_run(r->cause, r->exit_code, r->signal), written;

    tell_end(c, spec, r);
    tell_cut(c, r, "stdout", r->stdout);
    tell_cut(c, r, "stderr", r->stderr);
    written = dir_fd >= 0 ? outputs_write(c, client, r, dir_fd) : 0;
    tell_not_kept(c, r);
    if (written == 0)
        written = all_collected(c, spec, r);
    tell_learned(c, r);
    if (c->opt.receipt)
        human_receipt_short(stderr, r);
    if (c->opt.json && json_print(json_document(&r->base)) != 0)
        return COOP_EXIT_SIGNAL_BASE + 13;
    return code != 0 ? code : written;
}
