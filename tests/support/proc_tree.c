/* proc_tree.c - see proc_tree.h. */
#include "tests/support/proc_tree.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Parent and state letter; 0 when there is no such process. */
static pid_t parent_of(pid_t pid, char *ret_state)
{
    char path[64], line[512], *close_paren;
    int parent = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    if (fgets(line, sizeof(line), f) == NULL || (close_paren = strrchr(line, ')')) == NULL ||
        sscanf(close_paren + 1, " %c %d", ret_state, &parent) != 2)
        parent = 0;
    (void)fclose(f);
    return parent;
}

pid_t tree_parent(pid_t pid)
{
    char state;

    return parent_of(pid, &state);
}

unsigned tree_children(pid_t parent, pid_t *into)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    unsigned n = 0;

    if (d == NULL)
        support_fail("/proc: %s", strerror(errno));
    while ((e = readdir(d)) != NULL) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        char state = 'Z';

        if (pid > 0 && n < TREE_MAX && parent_of(pid, &state) == parent && state != 'Z' && state != 'X')
            into[n++] = pid;
    }
    (void)closedir(d);
    return n;
}

static void close_all(void *thing)
{
    struct tree *t = thing;

    for (unsigned i = 0; i < t->n; i++)
        (void)close(t->pidfds[i]);
    free(t);
}

/* A process that ends between the look and the grasp is gone already, which is what they are kept to see. */
static void add(struct tree *t, pid_t pid)
{
    pid_t children[TREE_MAX];
    unsigned n = tree_children(pid, children);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd >= 0 && t->n < TREE_MAX) {
        t->pids[t->n] = pid;
        t->pidfds[t->n++] = fd;
    }
    for (unsigned i = 0; i < n; i++)
        add(t, children[i]);
}

struct tree *tree_of(pid_t root)
{
    struct tree *t = calloc(1, sizeof(*t));

    if (t == NULL)
        abort();
    support_on_release(close_all, t);
    add(t, root);
    return t;
}

long tree_status_kb(pid_t pid, const char *name)
{
    char path[64], line[256];
    long kb = -1;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    f = fopen(path, "re");
    while (f != NULL && kb < 0 && fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            kb = strtol(line + strlen(name) + 1, NULL, 10);
    if (f != NULL)
        (void)fclose(f);
    if (kb < 0)
        support_fail("%s has no %s", path, name);
    return kb;
}

uint64_t tree_limit(pid_t pid, const char *name)
{
    const char *text = support_get(support_text("/proc/%d/limits", (int)pid), NULL), *row = strstr(text, name);

    if (row == NULL)
        support_fail("no limit \"%s\" of process %d", name, (int)pid);
    row += strlen(name);
    return strncmp(row + strspn(row, " "), "unlimited", 9) == 0 ? UINT64_MAX : strtoull(row, NULL, 10);
}

uint64_t tree_cpu_us(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
