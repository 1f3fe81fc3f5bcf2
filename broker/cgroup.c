/* cgroup.c - see cgroup.h: leaves, from making one to what it counted. Their end is cgroup_end.c. */
#include "broker/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/small_file.h"

enum {
    CLOSE_MS = 1000, /* so long may the dead take to leave when the broker itself goes */
    NEAR = 1 << 20,  /* v1 does not count what fails for memory and swap together: so near to the limit, it has */
};

/* ---- opening ------------------------------------------------------------------------------------------------------------------------ */

/* FNV-1a of the run directory: the leaves of two brokers never meet, and the next broker of this one knows its own. */
static void name_prefix(struct cgroups *g, const char *run_dir)
{
    char real[CGROUP_PATH];
    uint64_t h = 14695981039346656037u;

    if (realpath(run_dir, real) == NULL)
        snprintf(real, sizeof(real), "%s", run_dir);
    for (const char *p = real; *p != '\0'; p++)
        h = (h ^ (unsigned char)*p) * 1099511628211u;
    snprintf(g->prefix, sizeof(g->prefix), "coop-%016llx", (unsigned long long)h);
}

/* The first part that has the same directory; itself, when no other has. */
static int first_of(const struct cgroups *g, int part)
{
    for (int i = 0; i < part; i++)
        if (g->has[i] && (g->kind == CGROUP_V2 || strcmp(g->base[i], g->base[part]) == 0))
            return i;
    return part;
}

bool cgroup_distinct(const struct cgroups *g, int part)
{
    return g->has[part] && first_of(g, part) == part;
}

void cgroup_leaf_close(struct cgroup_leaf *leaf)
{
    if (leaf->groups->loop != NULL)
        loop_del(leaf->groups->loop, &leaf->oom);
    if (leaf->oom.fd >= 0)
        close(leaf->oom.fd);
    leaf->oom.fd = -1;
    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (leaf->dirs[part] >= 0 && cgroup_distinct(leaf->groups, part))
            close(leaf->dirs[part]);
        if (leaf->procs[part] >= 0)
            close(leaf->procs[part]);
        leaf->dirs[part] = leaf->procs[part] = -1;
    }
}

struct cgroup_leaf *cgroup_leaf_new(struct cgroups *g, const char *name)
{
    struct cgroup_leaf *leaf = calloc(1, sizeof(*leaf));

    if (leaf == NULL)
        return NULL;
    leaf->groups = g;
    leaf->oom.fd = leaf->events_watch = -1;
    snprintf(leaf->name, sizeof(leaf->name), "%s", name);
    for (int part = 0; part < CGROUP_PARTS; part++)
        leaf->dirs[part] = leaf->procs[part] = -1;
    return leaf;
}

void cgroup_leaf_path(const struct cgroup_leaf *leaf, int part, const char *file, char *path, size_t size)
{
    snprintf(path, size, "%s/%s%s", leaf->groups->base[part], leaf->name, file);
}

/* Opens what there is of the leaf in each part; makes it first when told to. */
int cgroup_leaf_open(struct cgroup_leaf *leaf, bool make)
{
    const struct cgroups *g = leaf->groups;
    char path[CGROUP_PATH + CGROUP_NAME_MAX + 32];

    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (!g->has[part])
            continue;
        if (!cgroup_distinct(g, part)) {
            leaf->dirs[part] = leaf->dirs[first_of(g, part)];
            continue;
        }
        cgroup_leaf_path(leaf, part, "", path, sizeof(path));
        if (make && mkdir(path, 0700) != 0)
            return -errno;
        leaf->dirs[part] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (leaf->dirs[part] < 0 && make)
            return -errno;
    }
    return 0;
}

/* v1: to be written by the worker's process itself before it changes its uid; the kernel asks for the rights of who opened it. */
static int open_procs(struct cgroup_leaf *leaf)
{
    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (!cgroup_distinct(leaf->groups, part))
            continue;
        leaf->procs[part] = openat(leaf->dirs[part], "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (leaf->procs[part] < 0)
            return -errno;
    }
    return 0;
}

/* v1: an eventfd that counts how often memory ran out. Without it the death of the victim tells, as far as there is one. */
static void open_oom(struct cgroup_leaf *leaf)
{
    char text[48];
    int control, fd;

    if (leaf->dirs[CGROUP_MEMORY] < 0)
        return;
    control = openat(leaf->dirs[CGROUP_MEMORY], "memory.oom_control", O_RDONLY | O_CLOEXEC);
    fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control >= 0 && fd >= 0) {
        int events = openat(leaf->dirs[CGROUP_MEMORY], "cgroup.event_control", O_WRONLY | O_CLOEXEC);

        snprintf(text, sizeof(text), "%d %d", fd, control);
        if (events >= 0 && write(events, text, strlen(text)) > 0) {
            leaf->oom.fd = fd;
            fd = -1;
        }
        if (events >= 0)
            close(events);
    }
    if (control >= 0)
        close(control);
    if (fd >= 0)
        close(fd);
}

/* ---- for the broker ------------------------------------------------------------------------------------------------------------------ */

static int try_kind(struct cgroups *g, enum cgroup_kind kind, uid_t owner)
{
    char *mountinfo = NULL, *own = NULL;
    int rc = -ENOENT;

    if (small_file_whole("/proc/self/mountinfo", &mountinfo) >= 0 && small_file_whole("/proc/self/cgroup", &own) >= 0)
        rc = cgroup_find(g, kind, mountinfo, own, owner);
    free(mountinfo);
    free(own);
    return rc;
}

int cgroup_open(struct cgroups *g, const char *run_dir, uid_t owner, const char *want)
{
    static const char *const words[] = { "auto", "v2", "v1", "none" };
    bool known = false;
    char why_not[CGROUP_WHY];

    *g = (struct cgroups){
        .inotify = {-1, cgroup_on_inotify,     g },
          .again = { .fn = cgroup_on_again, .ctx = g},
          .janitor = -1
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        known |= strcmp(want, words[i]) == 0;
    if (!known)
        return -EINVAL;
    memset(g->base_lock, -1, sizeof(g->base_lock));
    name_prefix(g, run_dir);
    snprintf(g->why, sizeof(g->why), "told to use none");
    if (strcmp(want, "none") == 0)
        return 0;
    if (strcmp(want, "v1") == 0 || try_kind(g, CGROUP_V2, owner) != 0) {
        snprintf(why_not, sizeof(why_not), "%s", g->why);
        if (strcmp(want, "v2") == 0)
            return 0;
        if (try_kind(g, CGROUP_V1, owner) == 0 && strcmp(want, "auto") == 0)
            snprintf(g->why, sizeof(g->why), "%s", why_not); /* v1 it is, and this is why not v2 */
    }
    return 0;
}

int cgroup_start(struct cgroups *g, struct loop *loop)
{
    int rc = 0;

    g->loop = loop;
    if (g->kind == CGROUP_V2) {
        g->inotify.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        rc = g->inotify.fd < 0 ? -errno : loop_add(loop, &g->inotify);
    }
    cgroup_sweep(g);
    return rc;
}

void cgroup_close(struct cgroups *g)
{
    struct cgroup_leaf *leaf;

    while ((leaf = g->spare) != NULL) {
        g->spare = leaf->next;
        cgroup_drop(leaf);
    }
    if (g->loop != NULL) {
        timers_cancel(&g->loop->timers, &g->again);
        loop_del(g->loop, &g->inotify);
    }
    g->loop = NULL;
    cgroup_sweep(g); /* what a janitor was to remove when it was killed itself */
    cgroup_wait_for_dying(g, CLOSE_MS);
    while ((leaf = g->dying) != NULL) {
        g->dying = leaf->next;
        cgroup_leaf_free(leaf);
    }
    if (g->inotify.fd >= 0)
        close(g->inotify.fd);
    g->inotify.fd = -1;
    cgroup_leave(g);
    g->kind = CGROUP_NONE;
}

/* NULL: *ret_rc says why. */
static struct cgroup_leaf *leaf_try(struct cgroups *g, int *ret_rc)
{
    char name[CGROUP_NAME_MAX];
    struct cgroup_leaf *leaf;

    snprintf(name, sizeof(name), "%s-%llu", g->prefix, (unsigned long long)++g->last_leaf);
    leaf = cgroup_leaf_new(g, name);
    *ret_rc = leaf != NULL ? cgroup_leaf_open(leaf, true) : -ENOMEM;
    if (*ret_rc == 0 && g->kind == CGROUP_V1)
        *ret_rc = open_procs(leaf);
    if (*ret_rc == 0)
        return leaf;
    if (leaf != NULL)
        cgroup_drop(leaf);
    return NULL;
}

static struct cgroup_leaf *leaf_make(struct cgroups *g)
{
    int rc;
    struct cgroup_leaf *leaf = leaf_try(g, &rc);

    if (leaf == NULL && rc == -ENOENT && (rc = cgroup_remake_bases(g)) == 0)
        leaf = leaf_try(g, &rc); /* of another name: where a base was there, the first one is being removed */
    if (leaf == NULL)
        errno = -rc;
    else if (g->kind == CGROUP_V1)
        open_oom(leaf);
    return leaf;
}

struct cgroup_leaf *cgroup_take(struct cgroups *g)
{
    struct cgroup_leaf *leaf = g->spare;

    if (g->kind == CGROUP_NONE) {
        errno = ENOTSUP;
        return NULL;
    }
    if (leaf == NULL)
        return leaf_make(g);
    g->spare = leaf->next;
    g->spares--;
    leaf->next = NULL;
    return leaf;
}

void cgroup_stock(struct cgroups *g, unsigned spares)
{
    while (g->kind != CGROUP_NONE && g->spares < spares) {
        struct cgroup_leaf *leaf = leaf_make(g);

        if (leaf == NULL)
            return; /* cgroup_take() tries again, and says why */
        leaf->next = g->spare;
        g->spare = leaf;
        g->spares++;
    }
}

unsigned cgroup_fds(const struct cgroup_leaf *leaf, int fds[CGROUP_FDS_MAX])
{
    unsigned n = 0;

    if (leaf->groups->kind == CGROUP_V2) {
        fds[0] = leaf->dirs[CGROUP_CPU];
        return 1;
    }
    for (int part = 0; part < CGROUP_PARTS; part++)
        if (leaf->procs[part] >= 0)
            fds[n++] = leaf->procs[part];
    return n;
}

int cgroup_limit(struct cgroup_leaf *leaf, uint64_t memory_bytes, uint64_t pids)
{
    const struct cgroups *g = leaf->groups;
    char text[32];
    int rc = 0, swap;

    leaf->memory_bytes = memory_bytes;
    (void)cgroup_write(leaf, CGROUP_F_MEMORY_PEAK, "0"); /* v1, and v2 since 6.12 for who holds it open: there it changes nothing */
    if (g->has[CGROUP_MEMORY]) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)memory_bytes);
        rc = cgroup_write(leaf, CGROUP_F_MEMORY_MAX, text);
        swap = cgroup_write(leaf, CGROUP_F_SWAP_MAX, g->kind == CGROUP_V2 ? "0" : text);
        leaf->holds_swap = swap == 0;
        if (rc == 0 && swap != -ENOENT) /* a kernel that does not count swap */
            rc = swap;
        if (rc == 0 && g->kind == CGROUP_V2)
            rc = cgroup_write(leaf, CGROUP_F_OOM_GROUP, "1");
    }
    if (rc == 0 && g->has[CGROUP_PIDS]) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)pids);
        rc = cgroup_write(leaf, CGROUP_F_PIDS_MAX, text);
    }
    return rc;
}

/* The sum is exact; how it divides, v1 knows by ticks only. */
static int read_cpu(const struct cgroup_leaf *leaf, struct cgroup_usage *u)
{
    static const enum cgroup_file files[] = { CGROUP_F_CPU, CGROUP_F_CPU_USER, CGROUP_F_CPU_SYS };
    uint64_t got[3] = { 0 }, ticks;
    int rc = cgroup_read_some(leaf, files, 3, got);

    if (rc != 0)
        return rc;
    ticks = got[1] + got[2];
    u->cpu_sys_us = ticks > 0 ? (uint64_t)((double)got[0] * ((double)got[2] / (double)ticks)) : 0;
    u->cpu_user_us = got[0] - u->cpu_sys_us;
    return 0;
}

void cgroup_usage(const struct cgroup_leaf *leaf, struct cgroup_usage *ret)
{
    *ret = (struct cgroup_usage){ 0 };
    ret->has_cpu = read_cpu(leaf, ret) == 0;
    ret->has_memory = cgroup_read(leaf, CGROUP_F_MEMORY_PEAK, &ret->memory_peak) == 0;
    ret->has_io = cgroup_read_io(leaf, &ret->io_read, &ret->io_write) == 0;
    ret->has_pids_peak = cgroup_read(leaf, CGROUP_F_PIDS_PEAK, &ret->pids_peak) == 0;
}

bool cgroup_ran_out(const struct cgroup_leaf *leaf, bool told)
{
    static const enum cgroup_file files[] = { CGROUP_F_OOM_KILLS, CGROUP_F_MEMORY_HITS };
    uint64_t got[2] = { 0 }, peak = 0;

    (void)cgroup_read_some(leaf, files, leaf->groups->kind == CGROUP_V2 ? 2 : 1, got);
    if (got[0] == 0 && !told)
        return false;
    if (leaf->groups->kind == CGROUP_V2)
        return got[1] > 0;
    (void)cgroup_read(leaf, CGROUP_F_MEMORY_HITS, &got[1]);
    if (got[1] == 0 && leaf->memory_bytes > 0)
        (void)cgroup_read(leaf, CGROUP_F_MEMORY_PEAK, &peak);
    return got[1] > 0 || (peak > 0 && peak + NEAR > leaf->memory_bytes);
}

/* What is in one hierarchy is in all: who starts a process there joins each before anything is let run in it. */
bool cgroup_is_empty(const struct cgroup_leaf *leaf)
{
    bool v2 = leaf->groups->kind == CGROUP_V2;
    char text[128];

    for (int part = 0; part < CGROUP_PARTS; part++)
        if (leaf->dirs[part] >= 0) {
            ssize_t len = small_file_read(leaf->dirs[part], v2 ? "cgroup.events" : "cgroup.procs", text, sizeof(text));

            return v2 ? strstr(text, "populated 0") != NULL : len == 0;
        }
    return false;
}
