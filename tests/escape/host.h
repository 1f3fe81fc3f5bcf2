/*
 * host.h - what no attempt may change, looked at after each: the broker's processes, a file, what a neighbour's job printed.
 *
 * Side:  tests. A broker with its fixture, seen from outside; header only, because each escape test is linked with tests/support alone.
 * Order: host_new(); then what should differ in h->b; host_up(); attempts; host_unharmed() after each; host_at_rest() at the end.
 */
#ifndef TESTS_ESCAPE_HOST_H
#define TESTS_ESCAPE_HOST_H

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/broker_fixture.h"

#define HOST_TARGET "/tmp/coop-escaped" /* what attempts would make; its being there is an escape */

enum { HOST_SPARE = 2, HOST_SPARE_FDS = 24, HOST_RSS_SLACK_KB = 12 << 10 };

struct host {
    struct broker *b;
    const char *canary; /* readable and writable for everybody: only the seal stands before it */
    struct stat canary_was;
    pid_t zygote;
    long fds, threads, rss_kb;
    const char *run_dir_was;
    const char *profile; /* that attempts are sealed with */
    unsigned zygotes;    /* of as many engines as are used */
};

static const char host_canary_text[] = "nobody has been here\n";

static inline struct host *host_new(void)
{
    struct host *h = support_keep(calloc(1, sizeof(*h)));
    const char *dir;

    h->b = broker_new();
    h->profile = "lua";
    h->b->args[0] = "--pool";
    h->b->args[1] = "2"; /* HOST_SPARE */
    dir = support_dir();
    h->canary = support_put(dir, "canary", host_canary_text, (size_t)-1);
    if (chmod(dir, 0777) != 0 || chmod(h->canary, 0666) != 0 || stat(h->canary, &h->canary_was) != 0)
        support_fail("%s: %s", h->canary, strerror(errno));
    return h;
}

/* The canary becomes this user's: whom attempts are made as, where it is the broker's own. */
static inline void host_canary_belongs_to(struct host *h, uid_t uid)
{
    if (chown(h->canary, uid, (gid_t)-1) != 0 || stat(h->canary, &h->canary_was) != 0)
        support_fail("%s: %s", h->canary, strerror(errno));
}

/* How many descriptors; -1 when we may not look (coopd is not dumpable, and we are not root). */
static inline long host_fds(pid_t pid)
{
    DIR *d = opendir(support_text("/proc/%d/fd", (int)pid));
    long n = -2; /* . and .. */

    if (d == NULL)
        return -1;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

/* Each attempt is made as started by us and as started by another user; COOP_ESCAPE_AS=us leaves the second out, where time is short. */
static inline bool host_as_other(void)
{
    const char *as = getenv("COOP_ESCAPE_AS");

    return as == NULL || strcmp(as, "us") != 0;
}

static inline int host_by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline const char *host_list(const char *dir)
{
    const char *list = "", *names[256];
    DIR *d = opendir(dir);
    struct dirent *e;
    size_t n = 0;

    if (d == NULL)
        support_fail("%s: %s", dir, strerror(errno));
    while ((e = readdir(d)) != NULL && n < 256)
        names[n++] = support_text("%s", e->d_name);
    (void)closedir(d);
    qsort(names, n, sizeof(names[0]), host_by_name);
    for (size_t i = 0; i < n; i++)
        list = support_text("%s %s", list, names[i]);
    return list;
}

static inline void host_drop(struct heard *h)
{
    free(h->bytes);
    *h = (struct heard){ NULL, 0, 0 };
}

/* Of a process that has ended and been judged: what it said. A group of hundreds of tests would grow, and each fork copies it all. */
static inline void host_forget(struct proc *p)
{
    host_drop(&p->out);
    host_drop(&p->err);
    if (p->pidfd >= 0)
        (void)close(p->pidfd);
    p->pidfd = -1;
}

static inline json_int_t host_count(const struct host *h, const char *path)
{
    struct proc *p = coop(h->b, "version", "--json");
    json_int_t n = json_num(json_of(&p->out), path);

    host_forget(p);
    return n;
}

static inline unsigned host_zygotes(const struct host *h)
{
    pid_t children[TREE_MAX];

    return tree_children(h->b->proc->pid, children);
}

/* Waits until no job runs and the spare workers are there. */
static inline void host_rest(const struct host *h)
{
    uint64_t started = support_now_ms();

    while (host_count(h, "broker.workers_busy") > 0)
        support_turn(started, "a broker without jobs");
    broker_expect_idle(h->b, HOST_SPARE);
}

/* Starts the broker and remembers how it looks. noop: the path of a script that ends well. */
static inline void host_up(struct host *h, const char *noop)
{
    pid_t pid;

    broker_up(h->b);
    for (int i = 0; i < 8; i++)
        (void)proc_expect(coop(h->b, "run", noop), 0);
    host_rest(h);
    pid = h->b->proc->pid;
    h->zygote = broker_zygote(h->b);
    h->zygotes = host_zygotes(h);
    h->fds = host_fds(pid);
    h->threads = tree_status_kb(pid, "Threads");
    h->rss_kb = tree_status_kb(pid, "VmRSS");
    h->run_dir_was = host_list(h->b->run_dir);
}

static inline void host_canary_unchanged(const struct host *h)
{
    struct stat st;
    size_t len;

    if (lstat(h->canary, &st) != 0)
        support_fail("the canary is gone: %s", strerror(errno));
    if (st.st_ino != h->canary_was.st_ino || st.st_mode != h->canary_was.st_mode || st.st_uid != h->canary_was.st_uid || st.st_nlink != 1 ||
        st.st_mtim.tv_nsec != h->canary_was.st_mtim.tv_nsec || st.st_ctim.tv_nsec != h->canary_was.st_ctim.tv_nsec)
        support_fail("the canary was touched");
    if (strcmp(support_get(h->canary, &len), host_canary_text) != 0)
        support_fail("the canary was written to");
    if (lstat(HOST_TARGET, &st) == 0)
        support_fail("%s is there", HOST_TARGET);
}

/* 0: there is no such process. */
static inline pid_t host_parent_of(pid_t pid)
{
    FILE *f = fopen(support_text("/proc/%d/stat", (int)pid), "re");
    int parent = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*d (%*[^)]) %*c %d", &parent) != 1)
        parent = 0;
    (void)fclose(f);
    return parent;
}

/* The worker of a job that has its receipt is being reaped, or has been. */
static inline void host_worker_is_gone(const struct host *h, pid_t worker)
{
    uint64_t started = support_now_ms();

    while (host_parent_of(worker) != 0 && host_parent_of(host_parent_of(worker)) == h->b->proc->pid)
        support_turn(started, "the end of a job's worker");
}

/* The broker and the zygote are the ones they were, the file is as it was. Whether they answer is for whoever has just talked to them. */
static inline void host_same(const struct host *h)
{
    if (kill(h->b->proc->pid, 0) != 0)
        support_fail("the broker is gone");
    if (host_parent_of(h->zygote) != h->b->proc->pid)
        support_fail("the zygote is gone");
    host_canary_unchanged(h);
}

/* After an attempt: the broker and the zygote are the ones they were, and answer; the file is as it was. */
static inline void host_unharmed(const struct host *h)
{
    if (host_count(h, "broker.pid") != h->b->proc->pid || kill(h->b->proc->pid, 0) != 0)
        support_fail("the broker is another one");
    if (host_parent_of(h->zygote) != h->b->proc->pid)
        support_fail("the zygote is gone");
    host_canary_unchanged(h);
}

/* After all attempts: as many descriptors and threads as before, as much memory, the same processes and sockets. */
static inline void host_at_rest(const struct host *h)
{
    pid_t pid = h->b->proc->pid, workers[TREE_MAX], children[TREE_MAX];
    long fds, threads;
    unsigned idle;

    host_rest(h);
    idle = broker_workers(h->b, workers);
    if (idle > HOST_SPARE + 2 || tree_children(pid, children) != h->zygotes)
        support_fail("%u workers are left, and %u children of coopd", idle, tree_children(pid, children));
    for (unsigned i = 0; i < idle; i++)
        if (tree_children(workers[i], children) != 0)
            support_fail("worker %d has children", (int)workers[i]);
    fds = host_fds(pid);
    if (fds > h->fds + HOST_SPARE_FDS)
        support_fail("coopd has %ld descriptors open, had %ld", fds, h->fds);
    threads = tree_status_kb(pid, "Threads");
    if (threads != h->threads)
        support_fail("coopd has %ld threads, had %ld", threads, h->threads);
#if !defined(COOP_ASAN) && !defined(COOP_TSAN) /* the sanitizer keeps what was freed */
    if (tree_status_kb(pid, "VmRSS") > h->rss_kb + HOST_RSS_SLACK_KB)
        support_fail("coopd holds %ld kB, held %ld", tree_status_kb(pid, "VmRSS"), h->rss_kb);
#endif
    if (strcmp(host_list(h->b->run_dir), h->run_dir_was) != 0)
        support_fail("in the run directory:%s\nwas:%s", host_list(h->b->run_dir), h->run_dir_was);
    host_canary_unchanged(h);
}

#endif
