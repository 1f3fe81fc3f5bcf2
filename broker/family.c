/* family.c - see family.h. */
#include "broker/family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "broker/meter.h"

enum { PROC_TEXT = 4 << 10 }; /* of one process's stat; of a list, at one read */

struct family_member {
    pid_t pid;
    uint64_t cpu_us;
    unsigned walk; /* the last that saw it */
    UT_hash_handle hh;
};

/* Pids still to be looked at. */
struct queue {
    pid_t *pids;
    size_t count, cap;
};

static void enqueue(struct queue *q, pid_t pid)
{
    if (q->count >= FAMILY_MAX)
        return;
    if (q->count == q->cap) {
        size_t cap = q->cap > 0 ? q->cap * 2 : 64;
        pid_t *pids = realloc(q->pids, cap * sizeof(*pids));

        if (pids == NULL)
            return;
        q->pids = pids;
        q->cap = cap;
    }
    q->pids[q->count++] = pid;
}

static int read_proc(const char *path, char text[PROC_TEXT])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    while (len < PROC_TEXT - 1 && (n = read(fd, text + len, PROC_TEXT - 1 - len)) > 0)
        len += (size_t)n;
    close(fd);
    text[len] = '\0';
    return len > 0 ? 0 : -ESRCH;
}

/* Pids between blanks, in a file of any length: a number may lie across two reads. */
static void enqueue_listed(struct queue *q, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[PROC_TEXT];
    pid_t pid = 0;
    ssize_t n;

    while (fd >= 0 && (n = read(fd, text, sizeof(text))) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid != 0) {
                enqueue(q, pid);
                pid = 0;
            }
    if (pid != 0)
        enqueue(q, pid);
    if (fd >= 0)
        close(fd);
}

/* Each thread has its own list of the children that it made. Returns how many threads there are. */
static unsigned enqueue_children(struct queue *q, pid_t pid)
{
    char path[64];
    unsigned threads = 0;
    struct dirent *e;
    DIR *d;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    d = opendir(path);
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        threads++;
        snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", (int)pid, e->d_name);
        enqueue_listed(q, path);
    }
    if (d != NULL)
        closedir(d);
    return threads;
}

/* CPU time of the children that it has waited for, and theirs; 0 when it cannot be read. */
static uint64_t waited_us(pid_t pid)
{
    char path[48], text[PROC_TEXT], *at;
    unsigned long long user, sys;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (read_proc(path, text) != 0 || (at = strrchr(text, ')')) == NULL) /* the name before it may have anything in it */
        return 0;
    if (sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %llu %llu", &user, &sys) != 2)
        return 0;
    return (uint64_t)(user + sys) * 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

/* Takes what this process has used so far; a pid whose clock went back is another process by now. */
static void see(struct family *f, pid_t pid, uint64_t cpu_us, unsigned walk)
{
    struct family_member *m;

    HASH_FIND_INT(f->members, &pid, m);
    if (m == NULL) {
        m = calloc(1, sizeof(*m));
        if (m == NULL)
            return;
        m->pid = pid;
        HASH_ADD_INT(f->members, pid, m);
    } else if (cpu_us < m->cpu_us) {
        f->gone_us += m->cpu_us;
    }
    m->cpu_us = cpu_us;
    m->walk = walk;
}

/* Those that were not seen this time have ended; what they had used stays counted. */
static uint64_t settle(struct family *f, unsigned walk)
{
    struct family_member *m, *next;
    uint64_t sum = 0;

    HASH_ITER (hh, f->members, m, next) {
        if (m->walk == walk) {
            sum += m->cpu_us;
            continue;
        }
        f->gone_us += m->cpu_us;
        HASH_DEL(f->members, m);
        free(m);
    }
    return sum + f->gone_us;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/*
 * Two lower bounds, the larger of which counts: what has been seen of each process, dead ones too; and what the living say of themselves
 * and of the children that they waited for, which knows those that lived and died between two walks.
 */
void family_walk(struct family *f, pid_t pid, bool with_memory)
{
    static unsigned walk;
    struct queue q = { 0 };
    uint64_t living = 0, memory = 0;

    walk++;
    f->processes = f->threads = 0;
    enqueue(&q, pid);
    for (size_t i = 0; i < q.count; i++) {
        uint64_t cpu, held = 0;

        if (meter_cpu(q.pids[i], &cpu) != 0)
            continue;
        f->processes++;
        f->threads += enqueue_children(&q, q.pids[i]);
        see(f, q.pids[i], cpu, walk);
        living += cpu + waited_us(q.pids[i]);
        if (with_memory && meter_held(q.pids[i], &held) == 0)
            memory += held;
    }
    free(q.pids);
    f->cpu_us = most(f->cpu_us, most(settle(f, walk), living));
    f->memory_bytes = memory;
}

void family_finish(struct family *f)
{
    struct family_member *m, *next;

    HASH_ITER (hh, f->members, m, next) {
        HASH_DEL(f->members, m);
        free(m);
    }
    *f = (struct family){ 0 };
}
