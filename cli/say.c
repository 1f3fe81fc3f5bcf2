/* say.c - see say.h. */
#include "cli/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/terminal.h"
#include "cli/text.h"
#include "ulid.h"
#include "units.h"

#include <coop/exit_codes.h>

enum { LINE = 4096, STATUS_LINE = 256, ASIDE_TIMEOUT_US = 5000000 };

static bool status_drawn;

int say_error(const struct command *c, const struct coop_error *e)
{
    char message[LINE], hint[LINE];

    status_clear();
    if (c->opt.json) {
        json_print(json_error(e));
        return e->exit_code;
    }
    fprintf(stderr, "coop: %s%s", text_safe_str(message, sizeof(message), e->message), terminal_line_end());
    if (e->hint[0] != '\0')
        fprintf(stderr, "coop: %s%s", text_safe_str(hint, sizeof(hint), e->hint), terminal_line_end());
    return e->exit_code;
}

void say_note(const struct command *c, const char *fmt, ...)
{
    char text[LINE / 4], safe[LINE];
    va_list ap;

    if (c->opt.quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    status_clear();
    fprintf(stderr, "coop: %s%s", text_safe_str(safe, sizeof(safe), text), terminal_line_end());
}

bool say_is_quarantined(const Pb__JobStatus *s)
{
    return s->state == PB__STATE__STATE_HELD && strcmp(s->reason, "QUARANTINE") == 0;
}

/* " ID.3, ID.7 and 4 more", of an array; else nothing. */
static void name_tasks(const Pb__JobStatus *s, char *ret, size_t size)
{
    const Pb__ArrayCounts *t = s->tasks;
    uint64_t all = t == NULL ? 0 : t->quarantined > 0 ? t->quarantined : t->held;
    size_t n = 0;

    ret[0] = '\0';
    for (size_t i = 0; t != NULL && i < t->n_held_index && n < size; i++)
        n += (size_t)snprintf(ret + n, size - n, "%s%s.%llu", i == 0 ? "" : ", ", s->id, (unsigned long long)t->held_index[i]);
    if (t != NULL && all > t->n_held_index && n < size)
        snprintf(ret + n, size - n, " and %llu more", (unsigned long long)(all - t->n_held_index));
}

int say_quarantined(const struct command *c, const Pb__JobStatus *s)
{
    struct coop_error why;
    char tasks[LINE / 4];

    name_tasks(s, tasks, sizeof(tasks));
    if (s->tasks != NULL)
        coop_error_set(&why, EBUSY, COOP_EXIT_PLATFORM,
                       "nothing of array %s goes on: its tasks are held, and the workers of %llu were lost as often as they may be tried "
                       "(QUARANTINE): %s",
                       s->id, (unsigned long long)s->tasks->quarantined, tasks);
    else
        coop_error_set(&why, EBUSY, COOP_EXIT_PLATFORM, "job %s is held: its workers were lost as often as it may be tried (QUARANTINE)",
                       s->id);
    coop_error_hint(&why, "to have it tried again: coop release %s", s->id);
    return say_error(c, &why);
}

void say_held(const struct command *c, const Pb__JobStatus *s, bool *told)
{
    char tasks[LINE / 4];
    bool is = s->state == PB__STATE__STATE_HELD && !say_is_quarantined(s);

    if (c->opt.json)
        return; /* who reads documents hears of it by show */
    if (is && !*told && s->tasks != NULL) {
        name_tasks(s, tasks, sizeof(tasks));
        say_note(c, "nothing of array %s goes on before somebody lets it (coop %s): %llu of its tasks are held (%s): %s", s->id,
                 strcmp(s->reason, "ARRAY_PAUSED") == 0 ? "resume" : "release", (unsigned long long)s->tasks->held, s->reason, tasks);
    } else if (is && !*told) {
        say_note(c, "job %s is held (%s) until somebody lets it go on", s->id, s->reason);
    }
    *told = is;
}

int say_open(const struct command *c, struct coop_client **ret_client)
{
    struct coop_client_options o = { sizeof(o), c->opt.endpoint, c->opt.no_autostart, c->opt.token_file, c->opt.ca_file };
    struct coop_error why;

    return coop_client_open(&o, ret_client, &why) != 0 ? say_error(c, &why) : 0;
}

int say_try(const struct command *c, struct coop_client *client, Pb__Request *req, Pb__Reply__BodyCase wanted, struct frame *ret_reply,
            struct coop_error *why)
{
    int rc = ask_broker(client, req, c->opt.timeout_us != 0 ? (int64_t)c->opt.timeout_us : ASK_TIMEOUT_US, ret_reply, why);

    if (rc != 0) {
        if (rc == -ETIMEDOUT && c->opt.timeout_us != 0)
            coop_error_set(why, ETIMEDOUT, COOP_EXIT_TIME_LIMIT, "the broker has not answered within --timeout");
        if (rc == -ECONNRESET && req->body_case == PB__REQUEST__BODY_SUBMIT)
            coop_error_set(why, ECONNRESET, COOP_EXIT_TEMPORARY,
                           "the broker went away; the job may or may not have been accepted: see coop ls");
        return rc;
    }
    rc = ask_check(ret_reply, wanted, why);
    if (rc != 0)
        frame_release(ret_reply);
    return rc;
}

int say_call(const struct command *c, struct coop_client *client, Pb__Request *req, Pb__Reply__BodyCase wanted, struct frame *ret_reply)
{
    struct coop_error why;

    return say_try(c, client, req, wanted, ret_reply, &why) == 0 ? 0 : say_error(c, &why);
}

int say_aside(const struct command *c, Pb__Request *req, Pb__Reply__BodyCase wanted, struct coop_error *why)
{
    struct coop_client_options o = { sizeof(o), c->opt.endpoint, true, c->opt.token_file, c->opt.ca_file };
    struct coop_client *client;
    struct frame reply;
    int rc = coop_client_open(&o, &client, why);

    if (rc != 0)
        return rc;
    rc = ask_broker(client, req, ASIDE_TIMEOUT_US, &reply, why);
    if (rc == 0) {
        rc = ask_check(&reply, wanted, why);
        frame_release(&reply);
    }
    coop_client_close(client);
    return rc;
}

/* ".7": no sign, no leading zero, no more than 64 bits. */
static bool is_task(const char *text)
{
    size_t n = strspn(text + 1, "0123456789");

    return n > 0 && n < 20 && text[1 + n] == '\0' && (text[1] != '0' || n == 1);
}

static int read_ref(const char *typed, char *ret_id)
{
    const char *dot = strchr(typed, '.');
    char array[ULID_LEN + 2];

    if (dot == NULL)
        return ulid_normalize(typed, ret_id);
    if (dot - typed > ULID_LEN || !is_task(dot))
        return -EINVAL;
    snprintf(array, sizeof(array), "%.*s", (int)(dot - typed), typed);
    if (ulid_normalize(array, ret_id) != 0)
        return -EINVAL;
    strcat(ret_id, dot);
    return 0;
}

int say_id(const struct command *c, const char *typed, char *ret_id)
{
    struct coop_error why;

    if (read_ref(typed, ret_id) == 0)
        return 0;
    coop_error_set(&why, EINVAL, COOP_EXIT_USAGE, "'%.60s' is not a job id", typed);
    coop_error_hint(
        &why,
        "an id has %d letters and digits, like 01J9ZQ6W3V8XK2T5M7N4P0RBCD; its first %d or more are enough when they name one job; "
        "ID.7 is task 7 of an array",
        ULID_LEN, ULID_MIN_PREFIX);
    return say_error(c, &why);
}

int say_open_for(const struct command *c, const char *typed, char *ret_id, struct coop_client **ret_client)
{
    int code = say_id(c, typed, ret_id);

    return code == 0 ? say_open(c, ret_client) : code;
}

/* ---- one live line ------------------------------------------------------------------------------------------------------------- */

bool status_wanted(const struct command *c)
{
    return !c->opt.quiet && !c->opt.json && isatty(STDERR_FILENO) == 1;
}

void status_line(const char *text)
{
    struct winsize w;
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? (int)w.ws_col - 1 : 79;

    fprintf(stderr, "\r\033[K%.*s", width, text);
    status_drawn = true;
}

void status_show(const Pb__JobStatus *s)
{
    char line[STATUS_LINE], state[JSON_ENUM_BUF], elapsed[UNITS_BUF], cpu[UNITS_BUF], memory[UNITS_BUF], reason[64];

    json_enum_name(&pb__state__descriptor, (int)s->state, state);
    if (s->elapsed_us == 0)
        snprintf(line, sizeof(line), "%s  %s  %s", s->id, state, text_safe_str(reason, sizeof(reason), s->reason));
    else
        snprintf(line, sizeof(line), "%s  %s  %s  cpu %s  memory %s", s->id, state,
                 units_format_duration(s->elapsed_us / 100000 * 100000, elapsed), units_format_duration(s->cpu_us / 10000 * 10000, cpu),
                 units_format_size(s->mem_bytes, memory));
    status_line(line);
}

void status_clear(void)
{
    if (!status_drawn)
        return;
    fputs("\r\033[K", stderr);
    status_drawn = false;
}
