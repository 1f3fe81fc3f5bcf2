/* config.c - see config.h. */
#include "broker/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coop/version.h"
#include "nearest.h"
#include "units.h"

enum option_kind { OPT_TEXT, OPT_COUNT, OPT_TIME, OPT_FD, OPT_LEVEL, OPT_CHOICE, OPT_DIRS, OPT_DOCTOR, OPT_HELP, OPT_VERSION };

struct option_row {
    const char *name;
    enum option_kind kind;
    size_t offset, size;
    const char *argument, *help;
};

#define CELL(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)

/* clang-format off */
static const struct option_row options[] = {
    { "--run-dir",    OPT_TEXT,    CELL(run_dir),      "DIR",   "where the sockets are (default: $COOP_RUN_DIR, else /run/coop for root, else $XDG_RUNTIME_DIR/coop or /tmp/coop-UID)" },
    { "--state-dir",  OPT_TEXT,    CELL(state_dir),    "DIR",   "where jobs and receipts are kept (default: $COOP_STATE_DIR, else /var/lib/coop for root, else ~/.local/state/coop)" },
    { "--worker",     OPT_TEXT,    CELL(worker),       "FILE",  "the worker program (default: coop-worker beside coopd or in ../libexec/coop)" },
    { "--user",       OPT_TEXT,    CELL(user),         "NAME",  "started by root: become this user, a name or a number (default: $COOP_USER, else coop when there is one, else a number that nobody uses)" },
    { "--tier",       OPT_CHOICE,  CELL(tier),         "auto|T0|T1|T2|T3", "what holds the workers: the best that this machine gives, or exactly this; where that cannot be had no job runs (default: auto)" },
    { "--view",       OPT_DIRS,    CELL(views),        "DIR",   "programs see this directory too, read-only, at its own path; may be given several times" },
    { "--ready-fd",   OPT_FD,      CELL(ready_fd),     "N",     "write \"ready\" to this descriptor once jobs are accepted" },
    { "--idle-exit",  OPT_TIME,    CELL(idle_exit_us), "TIME",  "leave after so long without jobs or clients (default: stay)" },
    { "--drain",      OPT_TIME,    CELL(drain_us),     "TIME",  "how long SIGTERM waits for running jobs (default: 30s)" },
    { "--pool",       OPT_COUNT,   CELL(pool),         "N",     "idle workers kept ready (default: 4)" },
    { "--workers",    OPT_COUNT,   CELL(workers),      "N",     "jobs that run at once (default: 32)" },
    { "--max-queued", OPT_COUNT,   CELL(max_queued),   "N",     "jobs that may wait (default: 10000)" },
    { "--interpreters", OPT_COUNT, CELL(interpreters), "N",     "interpreters that live at once; they take no place of --workers (default: 4096)" },
    { "--cgroup",     OPT_CHOICE,  CELL(cgroup),       "auto|v2|v1|none", "control groups for jobs of several processes: the best there are, one kind, or none (default: auto)" },
    { "--template-idle", OPT_TIME, CELL(template_idle_us), "TIME", "let a template's process go after so long without a fork; it is built again when a job names it (default: 5m)" },
    { "--log-level",  OPT_LEVEL,   CELL(log_level),    "LEVEL", "error, warn, info or debug (default: info)" },
    { "--doctor",     OPT_DOCTOR,  0, 0,               NULL,    "look at what this machine gives, one JSON line for each thing, and leave; coop doctor reads it" },
    { "--help",       OPT_HELP,    0, 0,               NULL,    "this text" },
    { "--version",    OPT_VERSION, 0, 0,               NULL,    "the version" },
};
/* clang-format on */
enum { OPTIONS = sizeof(options) / sizeof(options[0]) };

static void print_help(void)
{
    printf("Usage: coopd [option...]\n\nThe broker of coop: takes jobs on DIR/control.sock and runs each in a sealed process.\n\n");
    for (size_t i = 0; i < OPTIONS; i++)
        printf("  %-12s %-6s %s\n", options[i].name, options[i].argument != NULL ? options[i].argument : "", options[i].help);
}

static int refuse(const char *name, const char *why)
{
    fprintf(stderr, "coopd: %s: %s\n", name, why);
    return -EINVAL;
}

static int parse_number(const char *text, unsigned long max, unsigned long *ret)
{
    char *end;

    errno = 0;
    *ret = strtoul(text, &end, 10);
    return errno != 0 || end == text || *end != '\0' || text[0] == '-' || *ret > max ? -EINVAL : 0;
}

static int parse_level(const char *text, enum log_level *ret)
{
    static const char *const names[] = { "error", "warn", "info", "debug" };

    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum log_level)i;
            return 0;
        }
    return -EINVAL;
}

/* One of the words of "a|b|c". */
static int parse_choice(const char *text, const char *choices, size_t size, char *ret)
{
    size_t n = strlen(text);

    for (const char *p = choices; p != NULL; p = strchr(p, '|'), p = p != NULL ? p + 1 : NULL)
        if (n > 0 && n < size && strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == '\0')) {
            strcpy(ret, text);
            return 0;
        }
    return -EINVAL;
}

/* The next free place of a list; the text stays the command line's. */
static int add_dir(const char **list, size_t places, const struct option_row *o, const char *value)
{
    size_t n = 0;

    while (n < places && list[n] != NULL)
        n++;
    if (n + 1 >= places) /* NULL behind the last */
        return refuse(o->name, "given too often");
    if (value[0] != '/')
        return refuse(o->name, "wants an absolute path");
    list[n] = value;
    return 0;
}

static int set_option(struct config *c, const struct option_row *o, const char *value)
{
    void *at = (char *)c + o->offset;
    unsigned long number;

    switch (o->kind) {
    case OPT_TEXT:
        if (strlen(value) >= o->size)
            return refuse(o->name, "the path is too long");
        strcpy(at, value);
        return 0;
    case OPT_COUNT:
        if (parse_number(value, 1000000, &number) != 0 || number == 0)
            return refuse(o->name, "wants a whole number from 1 to 1000000");
        *(unsigned *)at = (unsigned)number;
        return 0;
    case OPT_FD:
        if (parse_number(value, 1u << 20, &number) != 0 || number < 3)
            return refuse(o->name, "wants the number of an open descriptor above 2");
        *(int *)at = (int)number;
        return 0;
    case OPT_TIME:
        if (units_parse_duration(value, at) != 0)
            return refuse(o->name, "wants a time like 500ms, 30s or 5m");
        return 0;
    case OPT_LEVEL: return parse_level(value, at) == 0 ? 0 : refuse(o->name, "wants error, warn, info or debug");
    case OPT_CHOICE:
        if (parse_choice(value, o->argument, o->size, at) == 0)
            return 0;
        fprintf(stderr, "coopd: %s: is one of %s, not '%.100s'\n", o->name, o->argument, value);
        return -EINVAL;
    case OPT_DIRS: return add_dir(at, o->size / sizeof(char *), o, value);
    default: return refuse(o->name, "takes no value");
    }
}

static const struct option_row *find_option(const char *name)
{
    const char *names[OPTIONS + 1], *close;

    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(options[i].name, name) == 0)
            return &options[i];
        names[i] = options[i].name;
    }
    names[OPTIONS] = NULL;
    close = nearest_word(name, names);
    fprintf(stderr, "coopd: unknown option '%s'%s%s%s; coopd --help lists them\n", name, close != NULL ? ", did you mean '" : "",
            close != NULL ? close : "", close != NULL ? "'?" : "");
    return NULL;
}

/* The worker program beside our own file, or where `make install` puts it. */
static int find_worker(char *ret, size_t size)
{
    static const char *const places[] = { "coop-worker", "../libexec/coop/coop-worker" };
    char self[4096], path[4096 + 32], *slash;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n < 0)
        return -errno;
    self[n] = '\0';
    slash = strrchr(self, '/');
    slash[1] = '\0';
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s%s", self, places[i]);
        if (access(path, X_OK) == 0 && strlen(path) < size) {
            strcpy(ret, path);
            return 0;
        }
    }
    return -ENOENT;
}

/* A variable that names an absolute path; NULL when it does not. */
static const char *path_from(const char *variable)
{
    const char *path = getenv(variable);

    return path != NULL && path[0] == '/' ? path : NULL;
}

/* As the command finds them (client/endpoint.c), so that both meet. */
static int default_dirs(struct config *c)
{
    const char *runtime = path_from("XDG_RUNTIME_DIR"), *state = path_from("XDG_STATE_HOME"), *home = path_from("HOME");
    const char *our_run = path_from("COOP_RUN_DIR"), *our_state = path_from("COOP_STATE_DIR");
    int n = 0, m = 0;

    if (c->run_dir[0] == '\0') {
        if (our_run != NULL)
            n = snprintf(c->run_dir, sizeof(c->run_dir), "%s", our_run);
        else if (geteuid() == 0)
            strcpy(c->run_dir, "/run/coop");
        else if (runtime != NULL)
            n = snprintf(c->run_dir, sizeof(c->run_dir), "%s/coop", runtime);
        else
            n = snprintf(c->run_dir, sizeof(c->run_dir), "/tmp/coop-%u", (unsigned)geteuid());
    }
    if (c->state_dir[0] == '\0') {
        if (our_state != NULL)
            m = snprintf(c->state_dir, sizeof(c->state_dir), "%s", our_state);
        else if (geteuid() == 0)
            strcpy(c->state_dir, "/var/lib/coop");
        else if (state != NULL)
            m = snprintf(c->state_dir, sizeof(c->state_dir), "%s/coop", state);
        else if (home != NULL)
            m = snprintf(c->state_dir, sizeof(c->state_dir), "%s/.local/state/coop", home);
        else
            return refuse("--state-dir", "neither given nor to be found: $HOME is not set");
    }
    if ((size_t)n >= sizeof(c->run_dir) || (size_t)m >= sizeof(c->state_dir))
        return refuse("directories", "a path is too long");
    return 0;
}

int config_parse(struct config *c, int argc, char **argv)
{
    *c = (struct config){ .ready_fd = -1,
                          .drain_us = 30000000,
                          .pool = 4,
                          .workers = 32,
                          .max_queued = 10000,
                          .interpreters = 4096,
                          .template_idle_us = 300000000,
                          .log_level = LOG_LEVEL_INFO,
                          .tier = "auto",
                          .cgroup = "auto" };
    for (int i = 1; i < argc; i++) {
        const struct option_row *o = find_option(argv[i]);
        int rc;

        if (o == NULL)
            return -EINVAL;
        if (o->kind == OPT_HELP || o->kind == OPT_VERSION) {
            if (o->kind == OPT_HELP)
                print_help();
            else
                printf("coopd %s\n", COOP_VERSION);
            return 1;
        }
        if (o->kind == OPT_DOCTOR) {
            c->doctor = true;
            continue;
        }
        if (++i == argc)
            return refuse(o->name, "wants a value");
        if ((rc = set_option(c, o, argv[i])) != 0)
            return rc;
    }
    if (c->ready_fd >= 0 && fcntl(c->ready_fd, F_SETFD, FD_CLOEXEC) != 0)
        return refuse("--ready-fd", "that descriptor is not open");
    if (c->worker[0] == '\0' && find_worker(c->worker, sizeof(c->worker)) != 0)
        return refuse("--worker", "no coop-worker beside coopd, nor in ../libexec/coop");
    return default_dirs(c);
}
