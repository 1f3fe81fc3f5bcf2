/* config_options.c - every option of coopd, what it may be, and where it goes; see config_own.h. */
#include "broker/config_own.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "units.h"

#define CELL(field) offsetof(struct config, field), sizeof(((struct config *)0)->field)

/* clang-format off */
const struct option_row config_options[] = {
    { "--run-dir",      OPT_TEXT,    FIXED,  CELL(run_dir),           "DIR",                 "where the sockets are (default: $COOP_RUN_DIR, else /run/coop for root, else $XDG_RUNTIME_DIR/coop or /tmp/coop-UID)" },
    { "--state-dir",    OPT_TEXT,    FIXED,  CELL(state_dir),         "DIR",                 "where jobs and receipts are kept (default: $COOP_STATE_DIR, else /var/lib/coop for root, else ~/.local/state/coop)" },
    { "--worker",       OPT_TEXT,    FIXED,  CELL(worker),            "FILE",                "the worker program (default: coop-worker beside coopd or in ../libexec/coop)" },
    { "--user",         OPT_TEXT,    FIXED,  CELL(user),              "NAME",                "started by root: become this user, a name or a number (default: $COOP_USER, else coop when there is one, else a number that nobody uses)" },
    { "--tier",         OPT_CHOICE,  FIXED,  CELL(tier),              "auto|T0|T1|T2|T3",    "what holds the workers: the best that this machine gives, or exactly this; where that cannot be had no job runs (default: auto)" },
    { "--view",         OPT_DIRS,    FIXED,  CELL(views),             "DIR",                 "programs see this directory too, read-only, at its own path; may be given several times" },
    { "--ready-fd",     OPT_FD,      ALONE,  CELL(ready_fd),          "N",                   "write \"ready\" to this descriptor once jobs are accepted" },
    { "--idle-exit",    OPT_TIME,    RELOAD, CELL(idle_exit_us),      "TIME",                "leave after so long without jobs or clients (default: stay)" },
    { "--drain",        OPT_TIME,    RELOAD, CELL(drain_us),          "TIME",                "how long SIGTERM waits for running jobs (default: 30s)" },
    { "--pool",         OPT_COUNT,   RELOAD, CELL(pool),              "N",                   "idle workers kept ready (default: 4)" },
    { "--workers",      OPT_COUNT,   RELOAD, CELL(workers),           "N",                   "jobs that run at once (default: 32)" },
    { "--max-queued",   OPT_COUNT,   RELOAD, CELL(max_queued),        "N",                   "jobs that may wait (default: 10000)" },
    { "--interpreters", OPT_COUNT,   RELOAD, CELL(interpreters),      "N",                   "interpreters that live at once; they take no place of --workers (default: 4096)" },
    { "--cgroup",       OPT_CHOICE,  FIXED,  CELL(cgroup),            "auto|v2|v1|none",     "control groups for jobs of several processes: the best there are, one kind, or none (default: auto)" },
    { "--template-idle", OPT_TIME,    RELOAD, CELL(template_idle_us),  "TIME",                "let a template's process go after so long without a fork; it is built again when a job names it (default: 5m)" },
    { "--zygote-renew", OPT_TIME,    RELOAD, CELL(zygote_renew_us),  "TIME",                "take a new process to fork workers from after so long, or after 10000 jobs: forks of one have its addresses, and those of python its hash seed; nobody waits for it; 0s: never (default: 5m)" },
    { "--max-pause",    OPT_TIME,    RELOAD, CELL(max_pause_us),      "TIME",                "a paused job goes on by itself after so long, in all its pauses of an attempt together; it keeps its place of --workers meanwhile (default: 1h)" },
    { "--log-level",    OPT_LEVEL,   RELOAD, CELL(log_level),         "LEVEL",               "error, warn, info or debug (default: info)" },
    { "--webhook-net",  OPT_NETS,    FIXED,  CELL(webhook_nets),     "NET",                 "webhooks may reach this network, 10.1.0.0/16 say, beside the public internet; may be given several times" },
    { "--webhook-pause", OPT_TIME,    RELOAD, CELL(webhook_pause_us),  "TIME",                "before the second try of a webhook's notice; each later pause is four times as long (default: 5s)" },
    { "--uid-tenant",   OPT_UIDS,    RELOAD, CELL(uid_tenants),       "UID=NAME",            "jobs of this local user, a number, belong to the tenant NAME (default: to the tenant uid-UID); may be given several times" },
    { "--share",        OPT_CHOICE,  FIXED,  CELL(share),             "auto|all|none",       "local users that may connect beside root and the broker's own, each to a tenant of its own: all, none, or all where root started it on /run/coop (default: auto)" },
    { "--listen",       OPT_TEXT,    FIXED,  CELL(listen),            "tls+tcp://HOST:PORT", "also take requests over TLS, from whoever has a token; HOST may be * and PORT 0, one that is free (default: no)" },
    { "--tls-cert",     OPT_TEXT,    FIXED,  CELL(tls_cert),          "FILE",                "the certificate for that, in PEM, with those between it and the root behind it; coop cert makes a first one" },
    { "--tls-key",      OPT_TEXT,    FIXED,  CELL(tls_key),           "FILE",                "its key, in PEM" },
    { "--config",       OPT_CONFIG,  ALONE,  CELL(file),              "FILE",                "read options from this file too, 'key: value' lines of YAML, keys as here without the dashes; what is on the command line wins (default: /etc/coop/coopd.yaml for root, when it is there)" },
    { "--check",        OPT_CHECK,   ALONE,  0, 0,                    NULL,                  "only check the options, the configuration file and what they name (addresses, certificate and key, user, directories, tenants), print what they come to, and leave; 78: a start would be refused" },
    { "--doctor",       OPT_DOCTOR,  ALONE,  0, 0,                    NULL,                  "look at what this machine gives, one JSON line for each thing, and leave; coop doctor reads it" },
    { "--store",        OPT_CHOICE,  ALONE,  CELL(store),             "check|repair|restore", "look after the state directory, one JSON line for each thing, and leave; no broker may use it but for check; coop store reads them" },
    { "--store-from",   OPT_TEXT,    ALONE,  CELL(store_from),        "DIR",                 "the backup that --store restore takes" },
    { "--help",         OPT_HELP,    ALONE,  0, 0,                    NULL,                  "this text" },
    { "--version",      OPT_VERSION, ALONE,  0, 0,                    NULL,                  "the version" },
};
/* clang-format on */
const size_t config_options_count = sizeof(config_options) / sizeof(config_options[0]);
enum { OPTIONS = sizeof(config_options) / sizeof(config_options[0]), COUNT_MAX = 10000000 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

__attribute__((format(printf, 2, 3))) static int refuse(char why[CONFIG_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, CONFIG_WHY, fmt, ap);
    va_end(ap);
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
    for (int i = 0; i < 4; i++)
        if (strcmp(text, level_names[i]) == 0) {
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

static bool is_net(const char *text)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[16];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    int family = memchr(text, ':', len) != NULL ? AF_INET6 : AF_INET;
    unsigned long bits;

    snprintf(address, sizeof(address), "%.*s", (int)len, text);
    return len < sizeof(address) && inet_pton(family, address, bytes) == 1 &&
           (slash == NULL || parse_number(slash + 1, family == AF_INET ? 32 : 128, &bits) == 0);
}

/* The next free place of a list. */
static int add_to_list(struct config *c, const struct option_row *o, const char *value, char why[CONFIG_WHY])
{
    const char **list = (const char **)((char *)c + o->offset);
    size_t places = o->size / sizeof(char *), n = 0;

    while (n < places && list[n] != NULL)
        n++;
    if (n + 1 >= places) /* NULL behind the last */
        return refuse(why, "given too often");
    if (o->kind == OPT_DIRS && value[0] != '/')
        return refuse(why, "wants an absolute path");
    if (o->kind == OPT_NETS && !is_net(value))
        return refuse(why, "wants a network like 10.1.0.0/16 or fd00::/8, or an address");
    list[n] = strdup(value);
    return list[n] != NULL ? 0 : refuse(why, "out of memory");
}

static int is_tenant_name(const char *name)
{
    return name[0] != '\0' && strlen(name) <= CONFIG_TENANT &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

/* "1000=name" */
static int add_uid(struct config *c, const char *value, char why[CONFIG_WHY])
{
    const char *name = strchr(value, '=');
    char number[16];
    unsigned long uid;

    if (name == NULL || name == value || (size_t)(name - value) >= sizeof(number))
        return refuse(why, "wants UID=NAME; in a file, a mapping: UID: NAME");
    snprintf(number, sizeof(number), "%.*s", (int)(name++ - value), value);
    if (parse_number(number, UINT32_MAX - 1, &uid) != 0)
        return refuse(why, "'%s' is not a uid", number);
    if (!is_tenant_name(name))
        return refuse(why, "a tenant's name has 1 to %d letters, digits, '.', '_' and '-'", CONFIG_TENANT);
    for (unsigned i = 0; i < c->uid_tenants.n; i++)
        if (c->uid_tenants.row[i].uid == uid)
            return refuse(why, "uid %lu is there twice", uid);
    if (c->uid_tenants.n == CONFIG_UIDS)
        return refuse(why, "given too often");
    c->uid_tenants.row[c->uid_tenants.n].uid = (uint32_t)uid;
    strcpy(c->uid_tenants.row[c->uid_tenants.n++].name, name);
    return 0;
}

int config_set(struct config *c, const struct option_row *o, const char *value, char why[CONFIG_WHY])
{
    void *at = (char *)c + o->offset;
    unsigned long number;

    switch (o->kind) {
    case OPT_CONFIG:
    case OPT_TEXT:
        if (strlen(value) >= o->size)
            return refuse(why, "the text is too long");
        strcpy(at, value);
        return 0;
    case OPT_COUNT:
        if (parse_number(value, COUNT_MAX, &number) != 0 || number == 0)
            return refuse(why, "wants a whole number from 1 to %d", COUNT_MAX);
        *(unsigned *)at = (unsigned)number;
        return 0;
    case OPT_FD:
        if (parse_number(value, 1u << 20, &number) != 0 || number < 3)
            return refuse(why, "wants the number of an open descriptor above 2");
        *(int *)at = (int)number;
        return 0;
    case OPT_TIME: return units_parse_duration(value, at) == 0 ? 0 : refuse(why, "wants a time like 500ms, 30s or 5m");
    case OPT_LEVEL: return parse_level(value, at) == 0 ? 0 : refuse(why, "wants error, warn, info or debug");
    case OPT_CHOICE:
        return parse_choice(value, o->argument, o->size, at) == 0 ? 0 : refuse(why, "is one of %s, not '%.100s'", o->argument, value);
    case OPT_NETS:
    case OPT_DIRS: return add_to_list(c, o, value, why);
    case OPT_UIDS: return add_uid(c, value, why);
    default: return refuse(why, "takes no value");
    }
}

const struct option_row *config_option(const char *name, char why[CONFIG_WHY])
{
    const char *names[OPTIONS + 1], *close;

    for (size_t i = 0; i < OPTIONS; i++) {
        if (strcmp(config_options[i].name, name) == 0)
            return &config_options[i];
        names[i] = config_options[i].name;
    }
    names[OPTIONS] = NULL;
    close = nearest_word(name, names);
    refuse(why, "%s%s%s", close != NULL ? ", did you mean '" : "", close != NULL ? close : "", close != NULL ? "'?" : "");
    return NULL;
}

int config_same(const struct config *a, const struct config *b, const struct option_row *o)
{
    const void *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;

    if (o->kind == OPT_TEXT || o->kind == OPT_CHOICE)
        return strcmp(x, y) == 0;
    if (o->kind != OPT_DIRS && o->kind != OPT_NETS)
        return memcmp(x, y, o->size) == 0;
    for (const char *const *p = x, *const *q = y;; p++, q++) {
        if (*p == NULL || *q == NULL)
            return *p == *q;
        if (strcmp(*p, *q) != 0)
            return 0;
    }
}

/* In double quotes, with the escapes that YAML has: whatever a path has in it. */
static void print_text(const char *text)
{
    putchar('"');
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

/* As one writes it, when that is as exact. */
static void print_time(uint64_t us)
{
    char text[UNITS_BUF];
    uint64_t same;

    if (us == 0)
        printf("0s");
    else if (units_parse_duration(units_format_duration(us, text), &same) != 0 || same != us)
        printf("%lluus", (unsigned long long)us);
    else
        printf("%s", text);
}

static void print_list(const char *const *list)
{
    for (; *list != NULL; list++) {
        printf("\n  - ");
        print_text(*list);
    }
}

static void print_uids(const struct config_uids *u)
{
    for (unsigned i = 0; i < u->n; i++)
        printf("\n  %u: %s", u->row[i].uid, u->row[i].name);
}

static int is_set(const struct config *c, const struct option_row *o)
{
    const char *at = (const char *)c + o->offset;

    if (o->kind == OPT_DIRS || o->kind == OPT_NETS)
        return *(const char *const *)at != NULL;
    if (o->kind == OPT_UIDS)
        return c->uid_tenants.n > 0;
    return o->kind != OPT_TEXT || *at != '\0';
}

void config_print(const struct config *c, const struct option_row *o)
{
    const void *at = (const char *)c + o->offset;

    if (o->place == ALONE || !is_set(c, o))
        return;
    printf("%s: ", o->name + 2);
    switch (o->kind) {
    case OPT_COUNT: printf("%u", *(const unsigned *)at); break;
    case OPT_TIME: print_time(*(const uint64_t *)at); break;
    case OPT_LEVEL: printf("%s", level_names[*(const enum log_level *)at]); break;
    case OPT_NETS:
    case OPT_DIRS: print_list(at); break;
    case OPT_UIDS: print_uids(at); break;
    default: print_text(at);
    }
    putchar('\n');
}
