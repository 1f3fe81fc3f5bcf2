/* help.c - see help.h. */
#include "cli/help.h"

#include <string.h>

#include "cli/args.h"
#include "cli/words.h"
#include "cli/json.h"
#include "cli/outcome.h"
#include "cli/submit_spec.h"
#include "engine_table.h"
#include "job_caps.h"
#include "job_limits.h"
#include "units.h"

#include <coop/exit_codes.h>
#include <coop/version.h>

enum { WIDTH = 92, FLAG_COLUMN = 30 };

/* Exit codes that are not a job's end; those stand in outcome_table. */
/* clang-format off */
static const struct {
    int code;
    const char *help;
} exit_table[] = {
    { COOP_EXIT_OK,          "success" },
    { COOP_EXIT_JOB_FAILED,  "wait, result: the job ended itself with another code than 0, or did not begin because of how another ended" },
    { COOP_EXIT_USAGE,       "the command line makes no sense, or its files are not what they should be; run: an output that was asked for did not come, or could not be written" },
    { COOP_EXIT_TEMPORARY,   "try again later: no broker, disk full, draining" },
    { COOP_EXIT_PROTOCOL,    "coop and the broker are of different versions" },
    { COOP_EXIT_PERMISSION,  "not allowed: a token that is wrong, has expired or has not the scope; another user's; a directory that is not safe to use" },
    { COOP_EXIT_CONFIG,      "bad configuration" },
    { COOP_EXIT_QUOTA,       "a quota or a rate of the tenant, a limit above its maximum, too much data, queue full" },
    { COOP_EXIT_NOT_FOUND,   "no such job, array, tenant, or other thing that was named, or none that you may see" },
    { COOP_EXIT_CONFLICT,    "the job is not in a state for that; the idempotency key is another job's" },
    { COOP_EXIT_NOT_EXECUTABLE,  "what is to run cannot be run: a directory, another machine's, truncated, no program" },
    { COOP_EXIT_PROGRAM_MISSING, "what is to run is not there, or what it needs: its interpreter, a library" },
};
/* clang-format on */

/* clang-format off */
static const struct {
    const char *name, *help;
} variables[] = {
    { "COOP_TOKEN",        "a token to ask by; COOP_TOKEN_FILE: a file with one, which others do not see in a list of processes" },
    { "COOP_CA",           "TLS: the file of certificates by which a broker's is known, when --ca is not given" },
    { "COOP_ENDPOINT",     "the broker's address when --endpoint is not given; no broker is started then" },
    { "COOP_NO_AUTOSTART", "1: as --no-autostart" },
    { "COOP_RUN_DIR",      "directory of this user's own broker's socket (root: /run/coop; others: $XDG_RUNTIME_DIR/coop or /tmp/coop-UID)" },
    { "COOP_USER",         "for root: the user that root's broker becomes and that root's commands trust (default: coop, else a number that nobody uses)" },
    { "COOP_STATE_DIR",    "directory where this user's own broker keeps jobs (root: /var/lib/coop; others: $XDG_STATE_HOME/coop or ~/.local/state/coop)" },
};
/* clang-format on */

static bool has_flag(const struct verb *v, const struct flag *f)
{
    return (f->verbs & verb_bit(v)) != 0;
}

/* Words of text, broken into lines that begin at column indent; the first line already stands at column. */
static void wrapped(FILE *out, const char *text, int indent, int column)
{
    fprintf(out, "%*s", indent - column, "");
    for (column = indent; *text != '\0';) {
        int len = (int)strcspn(text, " \n");

        if (column > indent && column + 1 + len > WIDTH)
            fprintf(out, "\n%*s", indent, ""), column = indent;
        if (column > indent)
            fputc(' ', out), column++;
        fprintf(out, "%.*s", len, text);
        column += len;
        text += len;
        if (*text == '\n' && text[1] != '\0') /* a paragraph */
            fprintf(out, "\n\n%*s", indent, ""), column = indent;
        if (*text != '\0')
            text++;
    }
    fputc('\n', out);
}

static void entry(FILE *out, const char *left, const char *text)
{
    int used = fprintf(out, "  %s", left);

    if (used + 1 >= FLAG_COLUMN) {
        fputc('\n', out);
        used = 0;
    }
    wrapped(out, text, FLAG_COLUMN, used);
}

static void flag_entry(FILE *out, const struct flag *f)
{
    char left[80], letter[8] = "    ";

    if (f->letter != 0)
        snprintf(letter, sizeof(letter), "-%c, ", f->letter);
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, f->name, f->value != NULL ? " " : "", f->value != NULL ? f->value : "");
    entry(out, left, f->help);
}

static void word_entry(FILE *out, const struct verb *v, const struct word *w)
{
    char left[96];

    if (w == v->words)
        fputs("\nwords:\n", out);
    snprintf(left, sizeof(left), "%s%s%s", w->name, w->usage[0] != '\0' ? " " : "", w->usage);
    entry(out, left, w->what);
}

static void flags_of(FILE *out, const struct verb *v, bool common)
{
    for (size_t i = 0; i < flag_count; i++)
        if (has_flag(v, &flag_table[i]) && (flag_table[i].verbs == VERB_ALL) == common)
            flag_entry(out, &flag_table[i]);
}

/* "default 64M (exec 256M), at most 4G", or "exec only; default 64, at most 16384" */
static void describe_limit(const struct limits_row *row, char *text, size_t size)
{
    char names[48] = "", others[64] = "", value[UNITS_BUF];
    const struct limits_range *first = NULL;
    unsigned has = 0;

    for (int i = 0; i < ENGINE_COUNT; i++) {
        const struct limits_range *r = &row->of[i];

        if (r->min == 0)
            continue;
        if (first == NULL)
            first = r;
        else if (r->initial != first->initial)
            snprintf(others + strlen(others), sizeof(others) - strlen(others), "%s%s %s", others[0] != '\0' ? ", " : " (", engine_names[i],
                     limits_format(row, r->initial, value));
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", has++ > 0 ? ", " : "", engine_names[i]);
    }
    snprintf(text, size, "%s%s%s; default %s%s%s, at most ", row->help, has < ENGINE_COUNT ? "; only " : "",
             has < ENGINE_COUNT ? names : "", limits_format(row, first->initial, value), others, others[0] != '\0' ? ")" : "");
    snprintf(text + strlen(text), size - strlen(text), "%s", limits_format(row, row->max, value));
}

static void limits(FILE *out, void (*row)(FILE *, const char *, const char *))
{
    for (size_t i = 0; i < limits_count; i++) {
        char text[240];

        describe_limit(&limits_table[i], text, sizeof(text));
        row(out, limits_table[i].name, text);
    }
}

static void capabilities(FILE *out, void (*row)(FILE *, const char *, const char *))
{
    char text[JOB_CAP_SPELLING];

    for (size_t i = 0; i < job_cap_count; i++)
        row(out, job_cap_spelling(&job_cap_table[i], text), job_cap_table[i].help);
}

static int outcome_sort_key(const struct outcome_row *row)
{
    return row->kind == OUTCOME_SIGNAL ? COOP_EXIT_SIGNAL_BASE : row->code;
}

/* Both tables, by rising code. */
static void exit_codes(FILE *out, void (*row)(FILE *, const char *, const char *))
{
    char text[16];

    for (int code = 0; code < 256; code++) {
        snprintf(text, sizeof(text), "%d", code);
        for (size_t i = 0; i < sizeof(exit_table) / sizeof(exit_table[0]); i++)
            if (exit_table[i].code == code)
                row(out, text, exit_table[i].help);
        for (size_t i = 0; i < outcome_count; i++)
            if (outcome_table[i].help != NULL && outcome_sort_key(&outcome_table[i]) == code)
                row(out, outcome_table[i].kind == OUTCOME_SIGNAL ? "128+n" : text, outcome_table[i].help);
    }
}

static void causes(FILE *out, void (*row)(FILE *, const char *, const char *))
{
    char name[JSON_ENUM_BUF];

    for (size_t i = 0; i < outcome_count; i++)
        if (outcome_table[i].meaning != NULL) {
            json_enum_name(&pb__cause__descriptor, (int)i, name);
            row(out, name, outcome_table[i].meaning);
        }
}

static void usage_line(FILE *out, const struct verb *v)
{
    fprintf(out, "usage: coop %s [flags]%s%s\n", v->name, v->usage[0] != '\0' ? " " : "", v->usage);
}

void help_overview(FILE *out)
{
    fputs("coop runs untrusted code, each job in a sealed process of its own.\n\nusage: coop VERB [flags] [arguments]\n\n", out);
    for (size_t i = 0; i < verb_count; i++)
        fprintf(out, "  %-12s%s\n", verb_table[i].name, verb_table[i].summary);
    fputs("\nflags of every verb:\n", out);
    flags_of(out, &verb_table[VERB_HELP], true);
    fputs("\ncoop help VERB says more. A first try: coop run examples/wordfreq.lua < README.md\n", out);
}

/* It takes --limit and --cap, whose words are listed then. */
static bool makes_something(const struct verb *v)
{
    for (size_t i = 0; i < flag_count; i++)
        if (strcmp(flag_table[i].name, "cap") == 0 && has_flag(v, &flag_table[i]))
            return true;
    return false;
}

void help_verb(FILE *out, const struct verb *v)
{
    usage_line(out, v);
    fprintf(out, "\n%s\n", v->summary);
    if (v->text[0] != '\0') {
        fputc('\n', out);
        wrapped(out, v->text, 0, 0);
    }
    for (const struct word *w = v->words; w != NULL && w->name != NULL; w++)
        word_entry(out, v, w);
    fputs("\nflags:\n", out);
    flags_of(out, v, false);
    flags_of(out, v, true);
    if (makes_something(v)) {
        fputs("\nlimits:\n", out);
        limits(out, entry);
        fputs("\ncapabilities:\n", out);
        capabilities(out, entry);
    }
    if (v == &verb_table[VERB_RUN] || v == &verb_table[VERB_WAIT] || v == &verb_table[VERB_RESULT]) {
        fputs("\nexit codes:\n", out);
        exit_codes(out, entry);
        fputs("\ncauses:\n", out);
        causes(out, entry);
    }
}

/* ---- manual page --------------------------------------------------------------------------------------------------------------- */

/* Text with roff's special characters made plain: backslashes, hyphens that must stay ASCII, a dot or quote that begins a line. */
static void roff(FILE *out, const char *text)
{
    int line_start = 1;

    for (; *text != '\0'; text++) {
        if (line_start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
        if (*text == '\n' && text[1] != '\0')
            fputs(".PP\n", out);
        line_start = *text == '\n';
    }
}

static void roff_entry(FILE *out, const char *left, const char *text)
{
    fputs(".TP\n.B ", out);
    roff(out, left);
    fputc('\n', out);
    roff(out, text);
    fputc('\n', out);
}

static void roff_flag(FILE *out, const struct flag *f)
{
    fputs(".TP\n", out);
    if (f->letter != 0)
        fprintf(out, "\\fB\\-%c\\fR, ", f->letter);
    fputs("\\fB\\-\\-", out);
    roff(out, f->name);
    fputs("\\fR", out);
    if (f->value != NULL) {
        fputs(" \\fI", out);
        roff(out, f->value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    roff(out, f->help);
    fputc('\n', out);
}

static void roff_verb(FILE *out, const struct verb *v)
{
    fprintf(out, ".SS coop %s [flags]%s%s\n", v->name, v->usage[0] != '\0' ? " " : "", v->usage);
    roff(out, v->summary);
    fputs(".\n", out);
    if (v->text[0] != '\0') {
        fputs(".PP\n", out);
        roff(out, v->text);
    }
    for (const struct word *w = v->words; w != NULL && w->name != NULL; w++) {
        char left[96];

        snprintf(left, sizeof(left), "%s %s%s%s", v->name, w->name, w->usage[0] != '\0' ? " " : "", w->usage);
        roff_entry(out, left, w->what);
    }
    for (size_t i = 0; i < flag_count; i++)
        if (has_flag(v, &flag_table[i]) && flag_table[i].verbs != VERB_ALL)
            roff_flag(out, &flag_table[i]);
}

void help_man(FILE *out)
{
    fputs(".\\\" Made by `coop help --man` from the tables in cli/; edit those.\n", out);
    fprintf(out, ".TH COOP 1 \"\" \"coop %s\" \"User Commands\"\n", COOP_VERSION);
    fputs(".SH NAME\ncoop \\- run untrusted code, each job in a sealed process of its own\n", out);
    fputs(".SH SYNOPSIS\n.B coop\n.I VERB\n[flags] [arguments]\n", out);
    fputs(
        ".SH DESCRIPTION\n"
        "A job is a script, a shared object of machine code, or a program, with its input and its limits. The broker, coopd, keeps it on disk, gives it to a sealed worker process, "
        "and records how it ended as a receipt.\n"
        "coop talks to the system's broker when there is one you may use, else to your own, which it starts when needed and "
        "which leaves when it has been idle for a minute.\n"
        ".PP\nIds may be shortened to their first eight or more characters when these name one job.\n"
        "Standard output is what was asked for; messages go to standard error.\n",
        out);
    fputs(".SH VERBS\n", out);
    for (size_t i = 0; i < verb_count; i++)
        roff_verb(out, &verb_table[i]);
    fputs(".SH FLAGS OF EVERY VERB\n", out);
    for (size_t i = 0; i < flag_count; i++)
        if (flag_table[i].verbs == VERB_ALL)
            roff_flag(out, &flag_table[i]);
    fputs(".SH LIMITS\n", out);
    limits(out, roff_entry);
    fputs(".SH CAPABILITIES\nWhat a program has only when it is asked for, by --cap.\n", out);
    capabilities(out, roff_entry);
    fputs(
        ".SH JSON\n"
        "With --json every document is one line and begins with \"schema\": \"coop.\\fINAME\\fR/1\". Fields are named as in proto/job.proto and "
        "proto/control.proto; every field is present; names of enums are in lower case; sizes are bytes, times microseconds. "
        "An error is a coop.Error/1 (code, message, hint, exit_code) on standard output. "
        "Job output is coop.LogChunk/1 (stream, offset, data, encoding): encoding is utf8, or base64 for a chunk that is not UTF-8 text.\n",
        out);
    fputs(".SH EXIT CODES\nrun passes the job's own code through; a program may collide with these by nature, --json tells them apart.\n",
          out);
    exit_codes(out, roff_entry);
    fputs(
        ".SH CAUSES\nHow a job ended, in its receipt, in lists and in messages. When several would do, the one that explains the others is told.\n",
        out);
    causes(out, roff_entry);
    fputs(
        ".SH WITHOUT CONTROL GROUPS\nWhere none are delegated (coop doctor says so), a program's memory is a sum that is sampled, beside a bound for each "
        "of its processes, so it may pass its limit for a moment and each process may fail for itself; its processes are bounded by number for the user "
        "of its namespace; CPU time is what the broker reads. The receipt says which held what; --require memory=cgroup runs with no less.\n",
        out);
    fputs(".SH ENVIRONMENT\n", out);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
        roff_entry(out, variables[i].name, variables[i].help);
}
