/* human.c - see human.h. */
#include "cli/human.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "cli/json.h"
#include "cli/text.h"
#include "engine_table.h"
#include "job_limits.h"
#include "units.h"

enum { LABEL = 12 };

static const char *enum_name(const ProtobufCEnumDescriptor *d, int value, char *buf)
{
    return json_enum_name(d, value, buf);
}

char *human_outcome(Pb__State state, Pb__Cause cause, char buf[HUMAN_BUF])
{
    char s[JSON_ENUM_BUF], c[JSON_ENUM_BUF];

    enum_name(&pb__state__descriptor, (int)state, s);
    enum_name(&pb__cause__descriptor, (int)cause, c);
    if (cause == PB__CAUSE__CAUSE_NONE || strcmp(s, c) == 0)
        snprintf(buf, HUMAN_BUF, "%s", s);
    else
        snprintf(buf, HUMAN_BUF, "%s (%s)", s, c);
    return buf;
}

/* "used X of Y" of a limit by its name in limits_table. */
static char *used_of(const Pb__Receipt *r, const char *limit, const char *verb, uint64_t used, char *buf)
{
    char a[UNITS_BUF], b[UNITS_BUF];

    for (size_t i = 0; i < limits_count; i++)
        if (strcmp(limits_table[i].name, limit) == 0 && r->limits_effective != NULL)
            snprintf(buf, HUMAN_BUF, "%s %s of %s", verb, limits_format(&limits_table[i], used, a),
                     limits_format(&limits_table[i], limits_get(r->limits_effective, &limits_table[i]), b));
    return buf;
}

static const char *signal_name(int number)
{
    const char *name = sigabbrev_np(number);

    return name != NULL ? name : "?";
}

/* Whether the detail adds to the cause: not for exit, where there is only the code, nor when it is the cause's own name. */
static bool says_more(const Pb__Receipt *r)
{
    char cause[JSON_ENUM_BUF];

    return r->cause_detail[0] != '\0' && r->cause != PB__CAUSE__CAUSE_EXIT &&
           strcmp(r->cause_detail, enum_name(&pb__cause__descriptor, (int)r->cause, cause)) != 0;
}

/* Its usage does not show how the limit was reached: an interpreter's holds for one call, and a job's counts what its interpreters used. */
static bool holds_for_less(const Pb__Receipt *r)
{
    bool cpu = r->cause == PB__CAUSE__CAUSE_CPU_LIMIT;

    if (r->interp)
        return cpu || r->cause == PB__CAUSE__CAUSE_WALL_LIMIT;
    return cpu && r->usage != NULL && r->limits_effective != NULL &&
           r->usage->cpu_user_us + r->usage->cpu_sys_us < r->limits_effective->cpu_us;
}

char *human_end_detail(const Pb__Receipt *r, char buf[HUMAN_BUF])
{
    const Pb__Usage *u = r->usage;
    const char *stream = r->stderr != NULL && r->stderr->truncated ? "stderr" : "stdout";

    buf[0] = '\0';
    if (holds_for_less(r))
        text_safe_str(buf, HUMAN_BUF, r->cause_detail);
    else if (r->cause == PB__CAUSE__CAUSE_CPU_LIMIT && u != NULL)
        used_of(r, "cpu", "used", u->cpu_user_us + u->cpu_sys_us, buf);
    else if (r->cause == PB__CAUSE__CAUSE_WALL_LIMIT && u != NULL)
        used_of(r, "wall", "took", u->wall_us, buf);
    else if (r->cause == PB__CAUSE__CAUSE_OUTPUT_LIMIT && r->stdout != NULL && r->stderr != NULL)
        used_of(r, stream, stream, stream[3] == 'o' ? r->stdout->bytes : r->stderr->bytes, buf);
    else if (r->cause == PB__CAUSE__CAUSE_POLICY && r->violation != NULL && r->violation->text[0] != '\0')
        text_safe_str(buf, HUMAN_BUF, r->violation->text);
    else if (says_more(r))
        text_safe_str(buf, HUMAN_BUF, r->cause_detail);
    else if (r->cause == PB__CAUSE__CAUSE_OOM && u != NULL)
        used_of(r, "memory", "used", u->mem_peak_bytes, buf);
    else if (r->cause == PB__CAUSE__CAUSE_SIGNAL)
        snprintf(buf, HUMAN_BUF, "SIG%s", signal_name(r->signal));
    return buf;
}

const char *human_time(uint64_t unix_us, const char *none, char buf[HUMAN_TIME])
{
    time_t t = (time_t)(unix_us / 1000000);
    struct tm tm;

    if (unix_us == 0 || localtime_r(&t, &tm) == NULL || strftime(buf, HUMAN_TIME, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        return none;
    return buf;
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) static void row(FILE *out, const char *label, const char *fmt, ...)
{
    va_list ap;

    fprintf(out, "%-*s", LABEL, label);
    va_start(ap, fmt);
    vfprintf(out, fmt, ap);
    va_end(ap);
    fputc('\n', out);
}

/* A row of someone else's words; nothing when there are none. */
static void words_row(FILE *out, const char *label, const char *text)
{
    char safe[2048];

    if (text[0] != '\0')
        row(out, label, "%s", text_safe_str(safe, sizeof(safe), text));
}

static void time_row(FILE *out, const char *label, uint64_t unix_us)
{
    char text[HUMAN_TIME];

    if (unix_us != 0)
        row(out, label, "%s.%06u", human_time(unix_us, "", text), (unsigned)(unix_us % 1000000));
}

/* "label   used of limit   by who" */
static void limit_row(FILE *out, const Pb__Receipt *r, const char *name, uint64_t used, const char *by, const char *note)
{
    char text[HUMAN_BUF] = "", who[128];

    used_of(r, name, "", used, text);
    row(out, name, "%-22s%s%s%s", text[0] == ' ' ? text + 1 : text, by[0] != '\0' ? "held by " : "", text_safe_str(who, sizeof(who), by),
        note);
}

static const char *cut_note(const Pb__StreamTotal *t, char *buf, size_t size)
{
    buf[0] = '\0';
    if (t->truncated)
        snprintf(buf, size, ", cut: %" PRIu64 " bytes dropped", t->dropped);
    return buf;
}

static void limit_rows(FILE *out, const Pb__Receipt *r)
{
    const Pb__Enforcement none = PB__ENFORCEMENT__INIT, *e = r->enforcement != NULL ? r->enforcement : &none;
    char note[64];

    if (r->usage != NULL) {
        limit_row(out, r, "wall", r->usage->wall_us, e->wall, "");
        limit_row(out, r, "cpu", r->usage->cpu_user_us + r->usage->cpu_sys_us, e->cpu, "");
        limit_row(out, r, "memory", r->usage->mem_peak_bytes, e->memory, "");
    }
    if (r->limits_effective != NULL && r->limits_effective->pids != 0 && r->usage != NULL)
        limit_row(out, r, "pids", r->usage->pids_peak, e->pids, "");
    if (r->stdout != NULL)
        limit_row(out, r, "stdout", r->stdout->bytes, e->output, cut_note(r->stdout, note, sizeof(note)));
    if (r->stderr != NULL)
        limit_row(out, r, "stderr", r->stderr->bytes, e->output, cut_note(r->stderr, note, sizeof(note)));
}

/* Words of a list with spaces between. */
static void list_row(FILE *out, const char *label, char *const *items, size_t n)
{
    char text[1024] = "", safe[64];
    size_t used = 0;

    for (size_t i = 0; i < n && used < sizeof(text) - 70; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "", text_safe_str(safe, sizeof(safe), items[i]));
    words_row(out, label, text);
}

static void seal_rows(FILE *out, const Pb__Enforcement *e)
{
    char safe[64];

    words_row(out, "tier", e->tier);
    words_row(out, "idle", e->idle);
    words_row(out, "disk", e->disk);
    words_row(out, "swap", e->swap);
    words_row(out, "net", e->net);
    words_row(out, "files by", e->fs);
    list_row(out, "namespaces", e->namespaces, e->n_namespaces);
    if (e->seccomp[0] != '\0')
        row(out, "seccomp", "%s %.16s, %u instructions", text_safe_str(safe, sizeof(safe), e->seccomp), e->seccomp_hash, e->filter_len);
    if (e->landlock_abi != 0)
        row(out, "landlock", "ABI %u", e->landlock_abi);
    else
        row(out, "landlock", "none");
    row(out, "worker uid", "%u", e->uid);
    list_row(out, "seal", e->seal, e->n_seal);
}

static void head_rows(FILE *out, const Pb__Receipt *r)
{
    char text[HUMAN_BUF], detail[HUMAN_BUF];

    row(out, "job", "%s", r->job);
    human_end_detail(r, detail);
    row(out, "outcome", "%s%s%s", human_outcome(r->outcome, r->cause, text), detail[0] != '\0' ? ": " : "", detail);
    if (r->cause == PB__CAUSE__CAUSE_OK || r->cause == PB__CAUSE__CAUSE_EXIT)
        row(out, "exit code", "%d", r->exit_code);
    if (r->cause == PB__CAUSE__CAUSE_BAD_SPEC)
        row(out, "exit code", "%d", r->exit_code);
    if (r->signal != 0)
        row(out, "signal", "%d SIG%s", r->signal, signal_name(r->signal));
}

/* Line by line, so that a traceback stays readable and its lines cannot play tricks. */
static void lines_row(FILE *out, const char *label, const char *text)
{
    char safe[2048];

    for (const char *line = text; *line != '\0';) {
        size_t len = strcspn(line, "\n");

        row(out, line == text ? label : "", "%s", text_safe(safe, sizeof(safe), line, len));
        line += len + (line[len] == '\n');
    }
}

/* Which call, made where, by whom. What it was is said in words where the end is. */
static void violation_rows(FILE *out, const Pb__PolicyReport *v)
{
    char name[128], module[256], who[128], args[160] = "";

    for (size_t i = 0; i < v->n_args && i < 6; i++)
        snprintf(args + strlen(args), sizeof(args) - strlen(args), "%s0x%" PRIx64, i > 0 ? ", " : "", v->args[i]);
    row(out, "call", "%s(%s), number %u, ABI %s", text_safe_str(name, sizeof(name), v->name), args, v->nr,
        text_safe_str(who, sizeof(who), v->abi));
    if (v->module[0] != '\0')
        row(out, "made at", "0x%" PRIx64 " (%s+0x%" PRIx64 ")", v->ip, text_safe_str(module, sizeof(module), v->module), v->offset);
    else
        row(out, "made at", "0x%" PRIx64, v->ip);
    if (v->pid != 0 || v->who[0] != '\0')
        row(out, "made by", "%s%spid %u, thread %u", text_safe_str(who, sizeof(who), v->who), v->who[0] != '\0' ? ", " : "", v->pid,
            v->tid);
}

static void output_rows(FILE *out, const Pb__Receipt *r, bool all)
{
    char name[512], size[UNITS_BUF];
    uint64_t bytes = 0;

    for (size_t i = 0; i < r->n_outputs; i++) {
        const Pb__OutputFile *f = r->outputs[i];

        bytes += f->bytes;
        if (all)
            row(out, i == 0 ? "outputs" : "", "%-8s %03o %.16s %s", units_format_size(f->bytes, size), f->mode & 0777, f->sha256,
                text_safe_str(name, sizeof(name), f->name));
    }
    if (!all && r->n_outputs > 0)
        row(out, "outputs", "%zu file%s, %s", r->n_outputs, r->n_outputs == 1 ? "" : "s", units_format_size(bytes, size));
    if (all)
        lines_row(out, "not kept", r->outputs_note);
    if (r->n_learned > 0)
        row(out, "learned", "%zu rows: coop result --learned %s", r->n_learned, r->job);
}

void human_receipt_short(FILE *out, const Pb__Receipt *r)
{
    head_rows(out, r);
    limit_rows(out, r);
    output_rows(out, r, false);
    if (r->enforcement != NULL)
        words_row(out, "tier", r->enforcement->tier);
}

/* KeyError: 'a', where the engine has such names; what a node with engines of its own says is shown as it is. */
static void error_row(FILE *out, const Pb__Receipt *r)
{
    int engine = engine_find(r->engine);
    const char *type = engine >= 0 && engine_table[engine].names_errors ? r->error->type : "", *message = r->error->message;
    char safe_type[128], safe[2048];

    if (type[0] == '\0' || message[0] == '\0')
        words_row(out, "error", message[0] != '\0' ? message : type);
    else
        row(out, "error", "%s: %s", text_safe_str(safe_type, sizeof(safe_type), type), text_safe_str(safe, sizeof(safe), message));
}

void human_receipt(FILE *out, const Pb__Receipt *r)
{
    char a[UNITS_BUF], b[UNITS_BUF];

    head_rows(out, r);
    words_row(out, "name", r->name);
    snprintf(a, sizeof(a), "%.15s %.14s", r->engine, r->where != NULL ? r->where->engine_version : "");
    words_row(out, "engine", a);
    row(out, "attempt", "%u (epoch %" PRIu64 ")", r->attempt, r->epoch);
    if (r->error != NULL) {
        error_row(out, r);
        lines_row(out, "traceback", r->error->traceback);
    }
    if (r->violation != NULL)
        violation_rows(out, r->violation);
    limit_rows(out, r);
    output_rows(out, r, true);
    if (r->usage != NULL) {
        row(out, "queued", "%s, start %s", units_format_duration(r->usage->queue_us, a), units_format_duration(r->usage->start_us, b));
        row(out, "faults", "%" PRIu64 " pages; switches %" PRIu64 " own, %" PRIu64 " forced", r->usage->page_faults, r->usage->csw_vol,
            r->usage->csw_forced);
        if (r->usage->io_read_bytes != 0 || r->usage->io_write_bytes != 0)
            row(out, "io", "%s read, %s written", units_format_size(r->usage->io_read_bytes, a),
                units_format_size(r->usage->io_write_bytes, b));
        row(out, "messages", "%" PRIu64 " in, %" PRIu64 " out", r->usage->msgs_in, r->usage->msgs_out);
    }
    if (r->enforcement != NULL)
        seal_rows(out, r->enforcement);
    if (r->times != NULL) {
        time_row(out, "submitted", r->times->submitted_us);
        time_row(out, "started", r->times->started_us);
        time_row(out, "ended", r->times->ended_us);
    }
    if (r->where != NULL) {
        words_row(out, "broker", r->where->broker);
        row(out, "worker pid", "%u", r->where->worker_pid);
        words_row(out, "kernel", r->where->kernel);
    }
    if (r->chain != NULL)
        row(out, "record", "%" PRIu64 ", sha256 %.64s", r->chain->seq, r->chain->sha256);
}

void human_status(FILE *out, const Pb__JobStatus *s)
{
    char text[HUMAN_BUF], a[UNITS_BUF], b[UNITS_BUF];

    row(out, "job", "%s", s->id);
    words_row(out, "name", s->name);
    words_row(out, "engine", s->engine);
    row(out, "state", "%s", human_outcome(s->state, s->cause, text));
    words_row(out, "detail", s->cause_detail);
    words_row(out, "waits for", s->reason);
    if (s->attempt > 1)
        row(out, "attempt", "%u", s->attempt);
    time_row(out, "submitted", s->submitted_us);
    if (s->elapsed_us != 0)
        row(out, "elapsed", "%s, cpu %s", units_format_duration(s->elapsed_us, a), units_format_duration(s->cpu_us, b));
    if (s->mem_bytes != 0)
        row(out, "memory", "%s", units_format_size(s->mem_bytes, a));
    row(out, "output", "%s stdout, %s stderr", units_format_size(s->stdout_bytes, a), units_format_size(s->stderr_bytes, b));
}

void human_spec(FILE *out, const Pb__JobSpec *s)
{
    char safe[1024], text[JSON_ENUM_BUF], value[UNITS_BUF];

    words_row(out, s->program[0] != '\0' ? "program" : "source", s->program[0] != '\0' ? s->program : s->source_name);
    for (size_t i = 0; i < s->n_args; i++)
        row(out, i == 0 ? "arguments" : "", "%s", text_safe(safe, sizeof(safe), s->args[i].data, s->args[i].len));
    for (size_t i = 0; i < s->n_env; i++) {
        char name[256];

        row(out, i == 0 ? "variables" : "", "%s=%s", text_safe_str(name, sizeof(name), s->env[i]->name),
            text_safe(safe, sizeof(safe), s->env[i]->value.data, s->env[i]->value.len));
    }
    for (size_t i = 0; i < s->n_modules; i++)
        row(out, i == 0 ? "modules" : "", "%s", text_safe_str(safe, sizeof(safe), s->modules[i]->name));
    for (size_t i = 0; i < s->n_files; i++)
        row(out, i == 0 ? "files" : "", "%03o %s", s->files[i]->mode & 0777, text_safe_str(safe, sizeof(safe), s->files[i]->name));
    for (size_t i = 0; i < s->n_outputs; i++)
        row(out, i == 0 ? "outputs" : "", "%s", text_safe_str(safe, sizeof(safe), s->outputs[i]));
    for (size_t i = 0; i < s->n_caps; i++)
        row(out, i == 0 ? "may have" : "", "%s", text_safe_str(safe, sizeof(safe), s->caps[i]));
    words_row(out, "requires", s->require);
    if (s->policy[0] != '\0')
        row(out, "policy", "%zu bytes of rows added", strlen(s->policy));
    if (s->learn)
        row(out, "learns", "yes");
    if (s->tty != NULL)
        row(out, "terminal", "%u rows, %u columns", s->tty->rows, s->tty->columns);
    row(out, "stdin", "%s", enum_name(&pb__stdin_mode__descriptor, (int)s->stdin_mode, text));
    for (size_t i = 0; s->limits != NULL && i < limits_count; i++)
        if (limits_get(s->limits, &limits_table[i]) != 0) /* else its engine has no such thing */
            row(out, i == 0 ? "limits" : "", "%-10s%s", limits_table[i].name,
                limits_format(&limits_table[i], limits_get(s->limits, &limits_table[i]), value));
    row(out, "at limit", "%s", enum_name(&pb__on_output_limit__descriptor, (int)s->on_output_limit, text));
}

char *human_age(uint64_t unix_us, char buf[HUMAN_AGE])
{
    struct timespec now;
    long long s;

    clock_gettime(CLOCK_REALTIME, &now);
    s = (long long)now.tv_sec - (long long)(unix_us / 1000000);
    if (s < 0)
        s = 0;
    if (s < 120)
        snprintf(buf, HUMAN_AGE, "%llds", s);
    else if (s < 7200)
        snprintf(buf, HUMAN_AGE, "%lldm", s / 60);
    else if (s < 172800)
        snprintf(buf, HUMAN_AGE, "%lldh", s / 3600);
    else
        snprintf(buf, HUMAN_AGE, "%lldd", s / 86400);
    return buf;
}
