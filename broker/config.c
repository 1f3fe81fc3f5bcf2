/* config.c - see config.h. */
#include "broker/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/config_file.h"
#include "broker/config_own.h"
#include "coop/version.h"

static void print_help(void)
{
    static const char marks[] = { [ALONE] = ' ', [FIXED] = 'f', [RELOAD] = 'r' };

    printf("Usage: coopd [option...]\n\nThe broker of coop: takes jobs on DIR/control.sock and runs each in a sealed process.\n"
           "f: also a key of the configuration file; r: and a running coopd takes it at SIGHUP. See coopd(8), coopd.yaml(5).\n\n");
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option_row *o = &config_options[i];

        printf("%c %-15s %-8s %s\n", marks[o->place], o->name, o->argument != NULL ? o->argument : "", o->help);
    }
}

static int refuse(const char *name, const char *why)
{
    fprintf(stderr, "coopd: %s: %s\n", name, why);
    return -EINVAL;
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
            strcpy(c->run_dir, CONFIG_SYSTEM_RUN_DIR);
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

/* ---- the file ------------------------------------------------------------------------------------------------------------------ */

static int take_entry(void *ctx, const struct config_entry *e, char why[CONFIG_WHY])
{
    const struct option_row *o;
    char name[80], no[CONFIG_WHY];

    snprintf(name, sizeof(name), "--%s", e->key);
    o = config_option(name, no);
    if (o == NULL || o->place == ALONE) {
        char *dashes = strstr(no, "'--");

        if (o == NULL && dashes != NULL) /* a key has none */
            memmove(dashes + 1, dashes + 3, strlen(dashes + 3) + 1);
        snprintf(why, CONFIG_WHY, o != NULL ? "'%s' is of the command line only" : "unknown key '%s'%.200s; coopd --help lists them",
                 e->key, no);
        return -ENOENT;
    }
    if (config_set(ctx, o, e->value, no) == 0)
        return 0;
    snprintf(why, CONFIG_WHY, "%s: %.400s", e->key, no);
    return -EINVAL;
}

/* Named: it must be there. The default one need not. */
static int read_file(struct config *c, char why[CONFIG_WHY])
{
    if (c->file[0] != '\0')
        return config_file_read(c->file, take_entry, c, why);
    if (geteuid() != 0 || access(CONFIG_FILE, F_OK) != 0)
        return 0;
    strcpy(c->file, CONFIG_FILE);
    return config_file_read(c->file, take_entry, c, why);
}

/* ---- the command line ---------------------------------------------------------------------------------------------------------- */

/* A list that is given there replaces the file's. */
static void begin_list(struct config *c, const struct option_row *o, unsigned char *begun)
{
    size_t n = (size_t)(o - config_options);

    if (begun[n]++ != 0)
        return;
    if (o->kind == OPT_UIDS)
        c->uid_tenants.n = 0;
    for (const char **p = (const char **)((char *)c + o->offset); (o->kind == OPT_DIRS || o->kind == OPT_NETS) && *p != NULL; p++) {
        free((char *)*p);
        *p = NULL;
    }
}

static int take_word(struct config *c, const struct option_row *o, const char *value, unsigned char *begun)
{
    char why[CONFIG_WHY];

    begin_list(c, o, begun);
    return config_set(c, o, value, why) == 0 ? 0 : refuse(o->name, why);
}

/* Returns 0, 1 when a text was printed, -EINVAL. only_file: nothing but --config counts. */
static int take_words(struct config *c, int argc, char **argv, bool only_file)
{
    unsigned char begun[64] = { 0 };

    for (int i = 1; i < argc; i++) {
        char why[CONFIG_WHY];
        const struct option_row *o = config_option(argv[i], why);

        if (o == NULL) {
            fprintf(stderr, "coopd: unknown option '%s'%s; coopd --help lists them\n", argv[i], why);
            return -EINVAL;
        }
        if (o->kind == OPT_HELP || o->kind == OPT_VERSION) {
            if (o->kind == OPT_HELP)
                print_help();
            else
                printf("coopd %s\n", COOP_VERSION);
            return 1;
        }
        if (o->kind == OPT_DOCTOR || o->kind == OPT_CHECK) {
            *(o->kind == OPT_DOCTOR ? &c->doctor : &c->check) = true;
            continue;
        }
        if (++i == argc)
            return refuse(o->name, "wants a value");
        if ((!only_file || o->kind == OPT_CONFIG) && take_word(c, o, argv[i], begun) != 0)
            return -EINVAL;
    }
    return 0;
}

static void set_defaults(struct config *c)
{
    *c = (struct config){ .ready_fd = -1,
                          .drain_us = 30000000,
                          .pool = 4,
                          .workers = 32,
                          .max_queued = 10000,
                          .interpreters = 4096,
                          .zygote_renew_us = 300000000,
                          .template_idle_us = 300000000,
                          .max_pause_us = 3600000000,
                          .webhook_pause_us = 5000000,
                          .log_level = LOG_LEVEL_INFO,
                          .share = "auto",
                          .tier = "auto",
                          .cgroup = "auto" };
}

/* Defaults, then the file, then the command line. */
static int take_all(struct config *c, int argc, char **argv, char why[CONFIG_WHY])
{
    int rc;

    set_defaults(c);
    if ((rc = take_words(c, argc, argv, true)) != 0)
        return rc;
    if ((rc = read_file(c, why)) != 0)
        return -EBADF;
    return take_words(c, argc, argv, false);
}

void config_finish(struct config *c)
{
    for (size_t i = 0; i < CONFIG_VIEWS && c->views[i] != NULL; i++)
        free((char *)c->views[i]);
    c->views[0] = NULL;
    for (size_t i = 0; i < CONFIG_NETS && c->webhook_nets[i] != NULL; i++)
        free((char *)c->webhook_nets[i]);
    c->webhook_nets[0] = NULL;
}

static void print_config(const struct config *c)
{
    printf("# what coopd would run with%s%s\n", c->file[0] != '\0' ? "; the file is " : "", c->file);
    for (size_t i = 0; i < config_options_count; i++)
        config_print(c, &config_options[i]);
}

int config_parse(struct config *c, int argc, char **argv)
{
    char why[CONFIG_WHY];
    int rc = take_all(c, argc, argv, why);

    if (rc == -EBADF)
        fprintf(stderr, "coopd: %s\n", why);
    if (rc != 0)
        return rc;
    c->argc = argc;
    c->argv = argv;
    if (c->ready_fd >= 0 && fcntl(c->ready_fd, F_SETFD, FD_CLOEXEC) != 0)
        return refuse("--ready-fd", "that descriptor is not open");
    if (c->worker[0] == '\0' && find_worker(c->worker, sizeof(c->worker)) != 0)
        return refuse("--worker", "no coop-worker beside coopd, nor in ../libexec/coop");
    if ((rc = default_dirs(c)) != 0 || !c->check)
        return rc;
    print_config(c);
    rc = config_look(c);
    return rc == 0 ? 1 : rc;
}

/* ---- a running broker ---------------------------------------------------------------------------------------------------------- */

/* Where only the broker's start fills it in. */
static bool is_filled_in(const struct config *next, const struct option_row *o)
{
    return o->kind == OPT_TEXT && *((const char *)next + o->offset) == '\0';
}

int config_reload(struct config *c, config_changed_fn fn, void *ctx, char *why)
{
    struct config *next = calloc(1, sizeof(*next));
    int rc = next != NULL ? take_all(next, c->argc, c->argv, why) : -ENOMEM;

    if (rc != 0) {
        if (rc != -EBADF)
            snprintf(why, CONFIG_WHY, "out of memory");
        free(next);
        return -EINVAL;
    }
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option_row *o = &config_options[i];

        if (o->place == ALONE || is_filled_in(next, o) || config_same(c, next, o))
            continue;
        if (o->place == RELOAD)
            memcpy((char *)c + o->offset, (const char *)next + o->offset, o->size);
        fn(ctx, o->name + 2, o->place == RELOAD);
    }
    config_finish(next);
    free(next);
    return 0;
}
