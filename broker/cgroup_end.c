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
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

enum {
    AGAIN_US = 5000,        /* between two tries to remove what the kernel still holds */
    CLOSE_TRIES = 200,      /* of AGAIN_US each: so long may the dead take to leave when the broker itself goes */
    PROCS_TEXT = 256 << 10, /* of cgroup.procs read at once */
};

/* The process of a pid is still in the leaf: a pid from a list may be another's by now. */
static bool is_in(const struct cgroup_leaf *leaf, int pid)
{
    char path[48], text[4096], *at;
    size_t n = strlen(leaf->name);
    ssize_t len;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    len = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[len > 0 ? len : 0] = '\0';
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
    int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    ssize_t len = text != NULL && fd >= 0 ? read(fd, text, PROCS_TEXT - 1) : -1;
    unsigned n = 0;

    if (fd >= 0)
        close(fd);
    if (len > 0) {
        text[len] = '\0';
        for (at = text;; at = end) {
            long pid = strtol(at, &end, 10);

            if (end == at)
                break;
            if (pid > 0)
                n += kill_one(leaf, (int)pid);
        }
    }
    free(text);
    return n;
}

static bool populated(const struct cgroup_leaf *leaf)
{
    char text[128];
    int fd = openat(leaf->dirs[CGROUP_FREEZER], "cgroup.events", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;

    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, "populated 1") != NULL;
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
    (void)cgroup_write(leaf, CGROUP_F_FREEZE, v2 ? "1" : "FROZEN");
    for (int part = 0; part < CGROUP_PARTS; part++)
        if (leaf->dirs[part] >= 0 && cgroup_distinct(leaf->groups, part))
            n += kill_listed(leaf, leaf->dirs[part]);
    (void)cgroup_write(leaf, CGROUP_F_FREEZE, v2 ? "0" : "THAWED");
    return n;
}

/* 0: it is gone; -EBUSY: something in it has not quite ended. */
static int leaf_remove(struct cgroup_leaf *leaf)
{
    char path[CGROUP_PATH + CGROUP_NAME_MAX + 32];
    int rc = 0;

    (void)cgroup_kill(leaf);
    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (!leaf->groups->has[part])
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
        timers_arm(&g->loop->timers, &g->again, loop_clock_us() + AGAIN_US);
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

void cgroup_drop(struct cgroup_leaf *leaf)
{
    struct cgroups *g = leaf->groups;
    char path[CGROUP_PATH + CGROUP_NAME_MAX + 32];

    if (g->loop != NULL)
        loop_del(g->loop, &leaf->oom); /* the kernel tells it of the removal too */
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
        timers_arm(&g->loop->timers, &g->again, loop_clock_us() + AGAIN_US);
}

/* What an earlier broker of this run directory left: it died with its jobs, or could not wait for their end. */
void cgroup_sweep(struct cgroups *g, int part)
{
    DIR *d = opendir(g->base[part]);
    size_t n = strlen(g->prefix);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        struct cgroup_leaf *leaf;

        if (strncmp(e->d_name, g->prefix, n) != 0 || e->d_name[n] != '-' || strlen(e->d_name) >= CGROUP_NAME_MAX)
            continue;
        leaf = cgroup_leaf_new(g, e->d_name);
        if (leaf == NULL)
            break;
        log_event(LOG_LEVEL_INFO, "cgroup_swept", "leaf=%s", leaf->name);
        (void)cgroup_leaf_open(leaf, false);
        cgroup_drop(leaf);
    }
    if (d != NULL)
        closedir(d);
}

/* The loop is not there, or not any more. */
void cgroup_wait_for_dying(struct cgroups *g)
{
    for (int i = 0; i < CLOSE_TRIES && g->dying != NULL; i++) {
        (void)poll(NULL, 0, AGAIN_US / 1000);
        cgroup_remove_dying(g);
    }
    for (const struct cgroup_leaf *leaf = g->dying; leaf != NULL; leaf = leaf->next)
        log_event(LOG_LEVEL_WARN, "cgroup_left", "leaf=%s why=\"something in it does not end\"", leaf->name);
}
