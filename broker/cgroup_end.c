/* cgroup_end.c - see cgroup.h: how a leaf ends. Everything in it is killed, and it is removed as soon as the kernel lets go of it. */
#include "broker/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/small_file.h"
#include "log.h"

enum {
    PROCS_TEXT = 256 << 10, /* of cgroup.procs read at once */
};

/* The process of a pid is still in the leaf: a pid from a list may be another's by now. */
static bool is_in(const struct cgroup_leaf *leaf, int pid)
{
    char path[48], text[4096], *at;
    size_t n = strlen(leaf->name);

    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    (void)small_file_read(AT_FDCWD, path, text, sizeof(text));
    for (at = text; (at = strstr(at, leaf->name)) != NULL; at += n)
        if (at > text && at[-1] == '/' && (at[n] == '\n' || at[n] == '/'))
            return true;
    return false;
}

static bool kill_one(const struct cgroup_leaf *leaf, int pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    bool killed;

    if (fd < 0)
        return false;
    killed = is_in(leaf, pid) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
    close(fd);
    return killed;
}

static unsigned kill_listed(const struct cgroup_leaf *leaf, int dir)
{
    char *text = malloc(PROCS_TEXT), *at, *end;
    unsigned n = 0;

    if (text != NULL && small_file_read(dir, "cgroup.procs", text, PROCS_TEXT) > 0)
        for (at = text;; at = end) {
            long pid = strtol(at, &end, 10);

            if (end == at)
                break;
            if (pid > 0)
                n += kill_one(leaf, (int)pid);
        }
    free(text);
    return n;
}

static bool populated(const struct cgroup_leaf *leaf)
{
    char text[128];

    (void)small_file_read(leaf->dirs[CGROUP_FREEZER], "cgroup.events", text, sizeof(text));
    return strstr(text, "populated 1") != NULL;
}

int cgroup_freeze(const struct cgroup_leaf *leaf, bool freeze)
{
    if (leaf->groups->kind == CGROUP_V2)
        return cgroup_write(leaf, CGROUP_F_FREEZE, freeze ? "1" : "0");
    return cgroup_write(leaf, CGROUP_F_FREEZE, freeze ? "FROZEN" : "THAWED");
}

/*
 * v2 has a word for it. Else nothing can fork any more (pids.max 0; without that they are frozen, and SIGKILL takes effect when they thaw),
 * then each is killed. What joins a hierarchy late is found by the caller's next call.
 */
unsigned cgroup_kill(struct cgroup_leaf *leaf)
{
    bool v2 = leaf->groups->kind == CGROUP_V2;
    unsigned n = 0;

    if (v2 && leaf->dirs[CGROUP_FREEZER] >= 0 && cgroup_write(leaf, CGROUP_F_KILL, "1") == 0)
        return populated(leaf);
    (void)cgroup_write(leaf, CGROUP_F_PIDS_MAX, "0");
    (void)cgroup_freeze(leaf, true);
    for (int part = 0; part < CGROUP_PARTS; part++)
        if (leaf->dirs[part] >= 0 && cgroup_distinct(leaf->groups, part))
            n += kill_listed(leaf, leaf->dirs[part]);
    (void)cgroup_freeze(leaf, false);
    return n;
}

/* 0: it is gone; -EBUSY: something in it has not quite ended. */
static int leaf_remove(struct cgroup_leaf *leaf)
{
    char path[CGROUP_PATH + CGROUP_NAME_MAX + 32];
    int rc = 0;

    (void)cgroup_kill(leaf);
    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (!cgroup_distinct(leaf->groups, part))
            continue;
        cgroup_leaf_path(leaf, part, "", path, sizeof(path));
        if (rmdir(path) != 0 && errno != ENOENT)
            rc = -errno;
    }
    return rc;
}

void cgroup_leaf_free(struct cgroup_leaf *leaf)
{
    if (leaf->events_watch >= 0)
        inotify_rm_watch(leaf->groups->inotify.fd, leaf->events_watch);
    cgroup_leaf_close(leaf);
    free(leaf);
}

/* Takes away the dying leaves that the kernel lets go of. */
void cgroup_remove_dying(struct cgroups *g)
{
    struct cgroup_leaf **at = &g->dying, *leaf;

    while ((leaf = *at) != NULL) {
        if (leaf_remove(leaf) != 0) {
            at = &leaf->next;
            continue;
        }
        *at = leaf->next;
        cgroup_leaf_free(leaf);
    }
    if (g->dying != NULL && g->loop != NULL)
        timers_arm(&g->loop->timers, &g->again, loop_clock_us() + CGROUP_AGAIN_US);
}

void cgroup_on_again(void *ctx)
{
    cgroup_remove_dying(ctx);
}

void cgroup_on_inotify(void *ctx)
{
    struct cgroups *g = ctx;
    char bytes[4096];

    while (read(g->inotify.fd, bytes, sizeof(bytes)) > 0)
        ; /* which of them does not matter: there are few */
    cgroup_remove_dying(g);
}

/* Never waits: a janitor that does not keep up leaves it to us. */
static bool give_to_janitor(const struct cgroup_leaf *leaf)
{
    int to = leaf->groups->janitor;

    return to >= 0 && send(to, leaf->name, strlen(leaf->name), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
}

void cgroup_drop(struct cgroup_leaf *leaf)
{
    struct cgroups *g = leaf->groups;
    char path[CGROUP_PATH + CGROUP_NAME_MAX + 32];

    if (g->loop != NULL)
        loop_del(g->loop, &leaf->oom); /* the kernel tells it of the removal too */
    if (give_to_janitor(leaf)) {
        cgroup_leaf_free(leaf);
        return;
    }
    if (leaf_remove(leaf) == 0) {
        cgroup_leaf_free(leaf);
        return;
    }
    if (g->kind == CGROUP_V2 && g->inotify.fd >= 0) {
        cgroup_leaf_path(leaf, CGROUP_CPU, "/cgroup.events", path, sizeof(path));
        leaf->events_watch = inotify_add_watch(g->inotify.fd, path, IN_MODIFY);
    }
    leaf->next = g->dying;
    g->dying = leaf;
    if (g->loop != NULL && g->again.place == 0)
        timers_arm(&g->loop->timers, &g->again, loop_clock_us() + CGROUP_AGAIN_US);
}

/* The number of a leaf that a broker of this run directory has made; 0: the name is none. */
static uint64_t number_of(const struct cgroups *g, const char *name)
{
    size_t n = strlen(g->prefix);
    char *end;
    uint64_t number;

    if (strncmp(name, g->prefix, n) != 0 || name[n] != '-' || name[n + 1] < '1' || name[n + 1] > '9' || strlen(name) >= CGROUP_NAME_MAX)
        return 0;
    number = strtoull(name + n + 1, &end, 10);
    return *end == '\0' && number < UINT64_MAX ? number : 0;
}

void cgroup_remove(struct cgroups *g, const char *name)
{
    uint64_t number = number_of(g, name);
    struct cgroup_leaf *leaf = number > 0 ? cgroup_leaf_new(g, name) : NULL;

    if (leaf == NULL)
        return;
    if (g->last_leaf < number)
        g->last_leaf = number; /* while it is there none is made of its name */
    (void)cgroup_leaf_open(leaf, false);
    cgroup_drop(leaf);
}

static void sweep(struct cgroups *g, int part)
{
    DIR *d = opendir(g->base[part]);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL)
        if (number_of(g, e->d_name) > 0) {
            log_event(LOG_LEVEL_INFO, "cgroup_swept", "leaf=%s", e->d_name);
            cgroup_remove(g, e->d_name);
        }
    if (d != NULL)
        closedir(d);
}

/* What a broker of this run directory left: it died with its jobs, or could not wait for their end. */
void cgroup_sweep(struct cgroups *g)
{
    for (int part = 0; part < CGROUP_PARTS && g->kind != CGROUP_NONE; part++)
        if (cgroup_distinct(g, part))
            sweep(g, part);
}

/* The loop is not there, or not any more. v2 tells when something ends; all else is found by trying. */
void cgroup_wait_for_dying(struct cgroups *g, int ms)
{
    uint64_t until = loop_clock_us() + (uint64_t)ms * 1000;
    struct pollfd p = { .fd = g->inotify.fd, .events = POLLIN };

    while (g->dying != NULL && loop_clock_us() < until) {
        if (poll(&p, 1, CGROUP_AGAIN_US / 1000) > 0)
            cgroup_on_inotify(g);
        else
            cgroup_remove_dying(g);
    }
    for (const struct cgroup_leaf *leaf = g->dying; leaf != NULL; leaf = leaf->next)
        log_event(LOG_LEVEL_WARN, "cgroup_left", "leaf=%s why=\"something in it does not end\"", leaf->name);
}
