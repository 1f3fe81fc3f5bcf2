/* doctor.c - see doctor.h. The table is at the end. */
#include "broker/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/cgroup.h"
#include "broker/descriptors.h"
#include "broker/privilege.h"
#include "broker/small_file.h"
#include "broker/uid_range.h"
#include "coop/exit_codes.h"
#include "json_text.h"
#include "log.h"

enum { LANDLOCK_MAJOR = 5, LANDLOCK_MINOR = 13, DETAIL = 400, USERNS_FD = 4, YAMA_ATTACHABLE = 0 };

struct doctor {
    const struct config *config;
    struct privilege privilege;
    struct cgroups cgroups;
};

/* rc: 0 or -errno, which is printed by its name. */
struct answer {
    int rc;
    long value;
    char detail[DETAIL];
};

#define detail(a, ...) snprintf((a)->detail, DETAIL, __VA_ARGS__)

/* ---- the kernel's own words ------------------------------------------------------------------------------------------------------ */

/* A number there, or what is meant where the file is not. */
static long read_number(const char *path, long absent)
{
    char line[64];

    return small_file_line(path, line, sizeof(line)) >= 0 ? strtol(line, NULL, 10) : absent;
}

static void try_kernel(struct doctor *d, struct answer *a)
{
    struct utsname u;
    unsigned major = 0, minor = 0;

    (void)d;
    if (uname(&u) != 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2) {
        a->rc = -EINVAL;
        return;
    }
    detail(a, "%s", u.release);
    if (major < LANDLOCK_MAJOR || (major == LANDLOCK_MAJOR && minor < LANDLOCK_MINOR))
        a->rc = -ENOSYS;
}

static void try_max_user_namespaces(struct doctor *d, struct answer *a)
{
    (void)d;
    a->value = read_number("/proc/sys/user/max_user_namespaces", -1);
    if (a->value < 0)
        detail(a, "not there: this kernel has no user namespaces, or /proc is not all there");
    a->rc = a->value > 0 ? 0 : -ENOSPC;
}

/* Debian's: only root may make user namespaces. */
static void try_userns_clone(struct doctor *d, struct answer *a)
{
    a->value = read_number("/proc/sys/kernel/unprivileged_userns_clone", 1);
    a->rc = a->value == 0 && !d->privilege.was_root ? -EPERM : 0;
}

/* Ubuntu's: a user namespace gives no capability, unless a profile says so. */
static void try_apparmor(struct doctor *d, struct answer *a)
{
    char label[128] = "";

    (void)d;
    a->value = read_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 0);
    if (a->value == 0)
        return;
    (void)small_file_line("/proc/self/attr/current", label, sizeof(label));
    detail(a, "coopd runs as %s", label[0] != '\0' ? label : "unconfined");
    a->rc = strncmp(label, "coop", 4) == 0 ? 0 : -EACCES;
}

static void try_yama(struct doctor *d, struct answer *a)
{
    (void)d;
    a->value = read_number("/proc/sys/kernel/yama/ptrace_scope", YAMA_ATTACHABLE);
    if (a->value == YAMA_ATTACHABLE)
        detail(a, "a process may trace others of its own uid; coop's are not dumpable, so they are not among them");
}

/* ---- where we are ------------------------------------------------------------------------------------------------------------------ */

static const char *container_name(void)
{
    static char name[64];
    const char *said = getenv("container");

    if (said != NULL && said[0] != '\0')
        snprintf(name, sizeof(name), "%.60s", said);
    else if (small_file_line("/run/systemd/container", name, sizeof(name)) >= 0)
        return name;
    else if (access("/.dockerenv", F_OK) == 0)
        return "docker";
    else if (access("/run/.containerenv", F_OK) == 0)
        return "podman";
    return name[0] != '\0' ? name : NULL;
}

/* Mounts over parts of /proc: what makes the kernel refuse a fresh one. */
static unsigned masked_proc(void)
{
    char line[4096], root[1024], at[1024];
    FILE *f = fopen("/proc/self/mountinfo", "re");
    unsigned n = 0;

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "%*d %*d %*s %1023s %1023s", root, at) == 2 && strncmp(at, "/proc/", 6) == 0 &&
            strcmp(at, "/proc/sys/fs/binfmt_misc") != 0)
            n++;
    if (f != NULL)
        (void)fclose(f);
    return n;
}

static void try_container(struct doctor *d, struct answer *a)
{
    const char *name = container_name();
    unsigned masked = masked_proc();

    (void)d;
    a->value = masked;
    if (name != NULL || masked > 0)
        detail(a, "%s; %u parts of /proc are masked", name != NULL ? name : "a container of unknown kind", masked);
    else
        detail(a, "none");
    a->rc = masked > 0 ? -EPERM : 0;
}

/* A filter of whoever started us: calls that it refuses are lost to us, whatever the kernel can do. */
static void try_outer_filter(struct doctor *d, struct answer *a)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");

    (void)d;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        (void)sscanf(line, "Seccomp_filters: %ld", &a->value);
    if (f != NULL)
        (void)fclose(f);
    detail(a, "%ld filters are in force already", a->value);
    a->rc = a->value > 0 ? -EPERM : 0;
}

/* ---- ids --------------------------------------------------------------------------------------------------------------------------- */

static void try_started_by_root(struct doctor *d, struct answer *a)
{
    detail(a, "uid %u", (unsigned)(d->privilege.was_root ? 0 : d->privilege.user.uid));
    a->rc = d->privilege.was_root ? 0 : -EPERM;
}

static void try_worker_uids(struct doctor *d, struct answer *a)
{
    const struct privilege *p = &d->privilege;

    a->value = p->ids;
    if (p->ids > 0)
        detail(a, "broker %s, workers %u to %u", p->user.name, p->first_id + 1, p->first_id + p->ids);
    else
        detail(a, "%s", p->was_root ? p->why_no_range : "root did not start it");
    a->rc = p->ids > 0 ? 0 : -EPERM;
}

/* Whether somebody else was given ids of ours: then a worker would be that somebody, in their containers. */
static void look_in_subids(const char *path, uint64_t first, uint64_t count, struct answer *a)
{
    char line[256], who[128];
    unsigned long long from, n;
    FILE *f = fopen(path, "re");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (sscanf(line, "%127[^:]:%llu:%llu", who, &from, &n) == 3 && from < first + count && first < from + n) {
            detail(a, "%s: %s was given %llu to %llu", path, who, from, from + n - 1);
            a->rc = -EEXIST;
        }
    if (f != NULL)
        (void)fclose(f);
}

static void try_subids(struct doctor *d, struct answer *a)
{
    const struct privilege *p = &d->privilege;

    if (p->ids == 0) {
        detail(a, "no range is used");
        return;
    }
    detail(a, "nobody else was given %u to %u", p->all_first, p->all_first + p->all);
    look_in_subids("/etc/subuid", p->all_first, (uint64_t)p->all + 1, a);
    look_in_subids("/etc/subgid", p->all_first, (uint64_t)p->all + 1, a);
}

/* ---- directories -------------------------------------------------------------------------------------------------------------------- */

/* The nearest directory above that is there. */
static void parent_that_is_there(const char *path, char *ret, size_t size)
{
    snprintf(ret, size, "%s", path);
    while (ret[0] != '\0' && access(ret, F_OK) != 0) {
        char *slash = strrchr(ret, '/');

        if (slash == NULL)
            snprintf(ret, size, ".");
        else
            slash[slash == ret] = '\0';
    }
}

/* Asked before root is given up, as a broker would open it. Nothing is made. */
static void look_at_dir(const struct doctor *d, const char *path, struct answer *a)
{
    char parent[4096];
    struct stat st;

    if (lstat(path, &st) == 0) {
        bool ours = st.st_uid == d->privilege.user.uid || (st.st_uid == 0 && d->privilege.was_root);

        detail(a, "%.200s, of uid %u", path, (unsigned)st.st_uid);
        a->rc = !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode) ? -ENOTDIR : !ours ? -EPERM : (st.st_mode & 0022) != 0 ? -EACCES : 0;
        return;
    }
    if (errno != ENOENT) {
        detail(a, "%.200s", path);
        a->rc = -errno;
        return;
    }
    parent_that_is_there(path, parent, sizeof(parent));
    detail(a, "%.200s, which coopd will make", path);
    a->rc = access(parent, W_OK | X_OK) == 0 ? 0 : -errno;
}

static void try_run_dir(struct doctor *d, struct answer *a)
{
    look_at_dir(d, d->config->run_dir, a);
}

static void try_state_dir(struct doctor *d, struct answer *a)
{
    look_at_dir(d, d->config->state_dir, a);
}

static void try_descriptors(struct doctor *d, struct answer *a)
{
    uint64_t allowed = descriptors_allowed(), needed = descriptors_needed(d->config);

    a->value = allowed < LONG_MAX ? (long)allowed : LONG_MAX;
    detail(a, "%llu allowed, %llu are enough for %u workers", (unsigned long long)allowed, (unsigned long long)needed,
           (unsigned)d->config->workers);
    a->rc = allowed >= needed ? 0 : -EMFILE;
}

/* ---- control groups ------------------------------------------------------------------------------------------------------------------ */

static void try_cgroups(struct doctor *d, struct answer *a)
{
    const struct cgroups *g = &d->cgroups;

    a->value = g->kind == CGROUP_V2 ? 2 : g->kind == CGROUP_V1 ? 1 : 0;
    detail(a, "%s%s%s", cgroup_kind_names[g->kind], g->why[0] != '\0' ? "; " : "", g->why);
    a->rc = g->kind == CGROUP_NONE ? -EACCES : 0;
}

static void try_cgroup_memory(struct doctor *d, struct answer *a)
{
    a->rc = d->cgroups.has[CGROUP_MEMORY] ? 0 : -ENOENT;
}

static void try_cgroup_pids(struct doctor *d, struct answer *a)
{
    a->rc = d->cgroups.has[CGROUP_PIDS] ? 0 : -ENOENT;
}

static void try_cgroup_cpu(struct doctor *d, struct answer *a)
{
    a->rc = d->cgroups.has[CGROUP_CPU] ? 0 : -ENOENT;
}

/* clang-format off */
static const struct doctor_row {
    const char *name;
    void (*look)(struct doctor *d, struct answer *a);
    const char *needed, *lost;
} rows[] = {
    { "kernel",                   try_kernel,              "Landlock: Linux 5.13 or later",               "T3 where there are no namespaces: programs are refused" },
    { "container",                try_container,           "a private /proc",                             "--cap proc is refused" },
    { "outer_filter",             try_outer_filter,        "all system calls of the kernel",              "whatever that filter refuses" },
    { "started_by_root",          try_started_by_root,     "T0; root is given up at once",                "T1: workers have the broker's uid, in namespaces of their own" },
    { "worker_uids",              try_worker_uids,         "T0: a uid of its own for each worker",        "T1 or less" },
    { "subordinate_ids",          try_subids,              "uids that nobody else uses",                  "a worker has the uid of somebody's container" },
    { "max_user_namespaces",      try_max_user_namespaces, "user namespaces",                             "T2: Landlock and the system call filter alone hold workers" },
    { "unprivileged_userns_clone", try_userns_clone,       "user namespaces without root",                "T2: Landlock and the system call filter alone hold workers" },
    { "apparmor_userns",          try_apparmor,            "user namespaces without root",                "T2: Landlock and the system call filter alone hold workers" },
    { "descriptors",              try_descriptors,         "as many files as all jobs at once take",      "fewer jobs run at once" },
    { "yama",                     try_yama,                "for your information",                        "" },
    { "run_dir",                  try_run_dir,             "the control socket",                          "the broker does not start" },
    { "state_dir",                try_state_dir,           "jobs and receipts",                           "the broker does not start" },
    { "cgroups",                  try_cgroups,             "exact limits for all processes of a job",     "rlimits of each process, and sums that are sampled" },
    { "cgroup_memory",            try_cgroup_memory,       "memory limit of a job as a whole",            "RLIMIT_DATA of each process, and a sum that is sampled" },
    { "cgroup_pids",              try_cgroup_pids,         "processes and threads of a job",              "T0, T1: RLIMIT_NPROC; T2: a count that is sampled" },
    { "cgroup_cpu",               try_cgroup_cpu,          "CPU time of all that a job started",          "a sum that is sampled" },
};
/* clang-format on */

/* ---- telling ------------------------------------------------------------------------------------------------------------------------- */

static void print_text(const char *name, const char *text)
{
    printf(",\"%s\":", name);
    json_text(stdout, text);
}

static void print_row(struct doctor *d, const struct doctor_row *r)
{
    struct answer a = { 0 };
    const char *error;

    r->look(d, &a);
    error = a.rc != 0 ? strerrorname_np(-a.rc) : "";
    printf("{\"probe\":\"%s\",\"ok\":%s", r->name, a.rc == 0 ? "true" : "false");
    print_text("error", error != NULL ? error : "?");
    printf(",\"value\":%ld", a.value);
    print_text("detail", a.detail);
    print_text("for", r->needed);
    print_text("lost", r->lost);
    printf("}\n");
}

/* The worker's half, by the user and in the user namespace that a broker's zygotes would have. */
static int ask_worker(const struct doctor *d, int worker)
{
    char path[32], *argv[] = { (char *)d->config->worker, "--probe", NULL, NULL, NULL }, *empty[] = { NULL };
    int status;
    pid_t pid;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", worker);
    pid = fork();
    if (pid == 0) {
        if (d->privilege.userns_fd >= 0) {
            if (dup2(d->privilege.userns_fd, USERNS_FD) < 0)
                _exit(1);
            argv[2] = "--userns-fd";
            argv[3] = "4";
        }
        execve(path, argv, empty);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int look(struct doctor *d, int worker)
{
    const char *step;
    int rc;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        print_row(d, &rows[i]);
    fflush(stdout);
    cgroup_close(&d->cgroups); /* while whoever made them still may */
    rc = privilege_give_up(&d->privilege, &step);
    if (rc != 0) {
        fprintf(stderr, "coopd: root could not be given up, step %s: %s\n", step, strerror(-rc));
        return rc;
    }
    return ask_worker(d, worker);
}

int doctor_run(const struct config *c)
{
    static struct doctor d;
    char why[PRIVILEGE_WHY], name[64];
    int worker, rc = privilege_choose(&d.privilege, c->user, why);

    log_init("coopd", LOG_LEVEL_ERROR);
    d.config = c;
    if (rc != 0) {
        fprintf(stderr, "coopd: %s\n", why);
        return COOP_EXIT_PERMISSION;
    }
    worker = open(c->worker, O_PATH | O_CLOEXEC);
    if (worker >= 0 && worker <= USERNS_FD)
        worker = fcntl(worker, F_DUPFD_CLOEXEC, USERNS_FD + 1);
    if (worker < 0) {
        fprintf(stderr, "coopd: %s: %s\n", c->worker, strerror(errno));
        return COOP_EXIT_CONFIG;
    }
    privilege_make_range(&d.privilege, UID_RANGE_FEWEST);
    snprintf(name, sizeof(name), "/doctor/%d", (int)getpid()); /* groups of its own: not those of a broker that runs */
    (void)cgroup_open(&d.cgroups, name, d.privilege.user.uid, c->cgroup);
    rc = look(&d, worker);
    privilege_finish(&d.privilege);
    close(worker);
    return rc == 0 ? COOP_EXIT_OK : COOP_EXIT_PLATFORM;
}
