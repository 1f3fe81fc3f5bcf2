/* traces.c - see traces.h. */
#include "tests/support/traces.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINES = 2048 };

struct traces {
    unsigned n;
    char *lines[LINES];
};

void traces_begin(void)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        support_fail("subreaper: %s", strerror(errno));
}

static void add(struct traces *t, char *line)
{
    if (t->n == LINES)
        support_fail("more than %d traces", LINES);
    t->lines[t->n++] = line;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A line of a file, or a link's text; "" when there is none. */
static const char *first_line(const char *path)
{
    char line[512] = "";
    FILE *f = fopen(path, "re");

    if (f == NULL)
        return "";
    if (fgets(line, sizeof(line), f) == NULL)
        line[0] = '\0';
    (void)fclose(f);
    line[strcspn(line, "\n")] = '\0';
    return support_text("%s", line);
}

static const char *link_of(const char *path)
{
    char to[512];
    ssize_t n = readlink(path, to, sizeof(to) - 1);

    return n > 0 ? support_text("%.*s", (int)n, to) : "";
}

/* ---- processes ----------------------------------------------------------------------------------------------------------------- */

/* Children that have ended and that nobody here started are ours to bury. */
static void bury(void)
{
    siginfo_t s;

    for (;;) {
        s.si_pid = 0;
        if (waitid(P_ALL, 0, &s, WEXITED | WNOHANG | WNOWAIT) != 0 || s.si_pid == 0 || proc_is_started(s.si_pid))
            return;
        (void)waitpid(s.si_pid, NULL, 0);
    }
}

struct process {
    pid_t pid, parent;
    bool found;
};

/* One look at /proc: all that live, with their parents. */
static unsigned all_processes(struct process *into, unsigned max)
{
    DIR *d = opendir("/proc");
    struct dirent *e;
    unsigned n = 0;

    while (d != NULL && n < max && (e = readdir(d)) != NULL) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        char path[64], line[512], state = 'Z', *paren;
        FILE *f;
        int parent = 0;

        (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        if (pid <= 0 || (f = fopen(path, "re")) == NULL)
            continue;
        if (fgets(line, sizeof(line), f) != NULL && (paren = strrchr(line, ')')) != NULL &&
            sscanf(paren + 1, " %c %d", &state, &parent) == 2 && state != 'Z' && state != 'X')
            into[n++] = (struct process){ pid, parent, false };
        (void)fclose(f);
    }
    if (d != NULL)
        (void)closedir(d);
    return n;
}

/* Descendants of root without those that the test itself started; of these only the ones that descend from extra. */
static unsigned descendants(pid_t root, pid_t extra, pid_t *into)
{
    enum { MOST = 16384 };
    struct process *all = calloc(MOST, sizeof(*all));
    unsigned n = all_processes(all, MOST), found = 0;
    bool more = true;

    while (more) {
        more = false;
        for (unsigned i = 0; i < n; i++) {
            bool child = all[i].parent == root || all[i].parent == extra;

            for (unsigned k = 0; k < found && !child; k++)
                child = into[k] == all[i].parent;
            if (all[i].found || !child || found == TREE_MAX || proc_is_started(all[i].pid))
                continue;
            all[i].found = more = true;
            into[found++] = all[i].pid;
        }
    }
    free(all);
    return found;
}

/* ---- control groups ------------------------------------------------------------------------------------------------------------ */

/* Everything below a hierarchy whose name begins like those of this run directory's broker; the broker's own group itself is not looked for. */
static void add_groups_below(struct traces *t, const char *dir, const char *prefix, int deep)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (e->d_type != DT_DIR || e->d_name[0] == '.')
            continue;
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && e->d_name[strlen(prefix)] == '-')
            add(t, support_text("cgroup in %s", dir)); /* their numbers change, how many there are does not */
        if (deep > 0)
            add_groups_below(t, support_text("%s/%s", dir, e->d_name), prefix, deep - 1);
    }
    if (d != NULL)
        (void)closedir(d);
}

/* As broker/cgroup.c names them: a broker of another run directory may be at work beside this test. */
static const char *group_prefix(const struct broker *b)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (const char *p = b->run_dir; *p != '\0'; p++)
        h = (h ^ (uint8_t)*p) * 0x100000001b3u;
    return support_text("coop-%016llx", (unsigned long long)h);
}

static void add_groups(struct traces *t, const struct broker *b)
{
    add_groups_below(t, "/sys/fs/cgroup", group_prefix(b), 5);
}

/* ---- namespaces, descriptors --------------------------------------------------------------------------------------------------- */

static void add_once(struct traces *t, unsigned from, const char *line)
{
    for (unsigned i = from; i < t->n; i++)
        if (strcmp(t->lines[i], line) == 0)
            return;
    add(t, support_text("%s", line));
}

/* Each namespace that a process is in or holds open, once; then without its number, which is another each time. */
static void add_namespaces(struct traces *t, const pid_t *pids, unsigned n)
{
    static const char *const kinds[] = { "user", "pid", "mnt", "net", "ipc", "uts", "cgroup" };
    unsigned from = t->n;

    for (unsigned i = 0; i < n; i++) {
        DIR *d;
        struct dirent *e;

        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
            add_once(t, from, support_text("namespace %s", link_of(support_text("/proc/%d/ns/%s", (int)pids[i], kinds[k]))));
        d = opendir(support_text("/proc/%d/fd", (int)pids[i]));
        while (d != NULL && (e = readdir(d)) != NULL) {
            const char *to = link_of(support_text("/proc/%d/fd/%s", (int)pids[i], e->d_name));

            if (strstr(to, ":[") != NULL && strncmp(to, "socket:", 7) != 0 && strncmp(to, "pipe:", 5) != 0)
                add_once(t, from, support_text("namespace %s", to));
        }
        if (d != NULL)
            (void)closedir(d);
    }
    for (unsigned i = from; i < t->n; i++)
        *strchrnul(t->lines[i], ':') = '\0';
}

static unsigned count_dir(const char *path)
{
    DIR *d = opendir(path);
    unsigned n = 0;

    while (d != NULL && readdir(d) != NULL)
        n++;
    if (d != NULL)
        (void)closedir(d);
    return n;
}

/* ---- files and the like -------------------------------------------------------------------------------------------------------- */

static void add_lines_of(struct traces *t, const char *what, const char *path)
{
    char line[1024];
    FILE *f = fopen(path, "re");

    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        add(t, support_text("%s %s", what, line));
    }
    if (f != NULL)
        (void)fclose(f);
}

/* Only which object it is: how much of it is in use may change. */
static void add_ipc(struct traces *t, const char *kind)
{
    unsigned from = t->n;

    add_lines_of(t, kind, support_text("/proc/sysvipc/%s", kind));
    for (unsigned i = from; i < t->n; i++) {
        int key = 0, id = 0;

        if (sscanf(t->lines[i] + strlen(kind), " %d %d", &key, &id) == 2)
            t->lines[i] = support_text("%s %d %d", kind, key, id);
    }
}

/* Things of which there is one for each spare worker are numbered: how many there are stays, their numbers go up. */
static size_t without_number(const char *name)
{
    size_t len = strlen(name);

    while (len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9')
        len--;
    return len;
}

static void add_files(struct traces *t, const char *dir, const char *prefix, int deep)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        if (strcmp(e->d_name, "lock") == 0)
            continue; /* it stays, for the next broker */
        add(t, support_text("file %s/%.*s", dir, (int)without_number(e->d_name), e->d_name));
        if (deep && e->d_type == DT_DIR)
            add_files(t, support_text("%s/%s", dir, e->d_name), "", deep);
    }
    if (d != NULL)
        (void)closedir(d);
}

/* ---- all of it ----------------------------------------------------------------------------------------------------------------- */

static void add_processes(struct traces *t, const struct broker *b, const pid_t *pids, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        add(t, support_text("process %s", first_line(support_text("/proc/%d/comm", (int)pids[i]))));
    if (b->proc != NULL && geteuid() == 0)
        add(t, support_text("descriptors of the broker: %u", count_dir(support_text("/proc/%d/fd", (int)b->proc->pid))));
    if (b->proc != NULL)
        add(t, support_text("threads of the broker: %ld", tree_status_kb(b->proc->pid, "Threads")));
}

/* A socket of the broker's of this inode is its end of a client's connection, or the one that it listens on. */
static bool is_control(const char *inode)
{
    char line[512], is[32];
    FILE *f = fopen("/proc/net/unix", "re");
    bool found = false;

    while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
        found = sscanf(line, "%*s %*s %*s %*s %*s %*s %31s", is) == 1 && strcmp(is, inode) == 0 && strstr(line, "/control.sock") != NULL;
    if (f != NULL)
        (void)fclose(f);
    return found;
}

static unsigned control_sockets(const struct broker *b)
{
    const char *dir = support_text("/proc/%d/fd", (int)b->proc->pid);
    DIR *d = opendir(dir);
    struct dirent *e;
    unsigned n = 0;

    while (d != NULL && (e = readdir(d)) != NULL) {
        char to[64] = "", inode[32];
        ssize_t len = readlink(support_text("%s/%s", dir, e->d_name), to, sizeof(to) - 1);

        n += len > 0 && sscanf(to, "socket:[%31[0-9]", inode) == 1 && is_control(inode);
    }
    if (d != NULL)
        (void)closedir(d);
    return n;
}

void traces_wait_alone(const struct broker *b)
{
    uint64_t started = support_now_ms();

    while (geteuid() == 0 && control_sockets(b) > 1)
        support_turn(started, "the broker to see that its clients have gone");
}

struct traces *traces_take(const struct broker *b)
{
    struct traces *t = support_keep(calloc(1, sizeof(*t)));
    pid_t pids[TREE_MAX];
    unsigned n;

    bury();
    n = descendants(getpid(), b->proc != NULL ? b->proc->pid : -1, pids);
    add_processes(t, b, pids, n);
    add_namespaces(t, pids, n);
    add_groups(t, b);
    add_lines_of(t, "mount", "/proc/self/mountinfo");
    add_ipc(t, "shm");
    add_ipc(t, "sem");
    add_ipc(t, "msg");
    add_files(t, b->run_dir, "", 1);
    add_files(t, "/dev/shm", "", 0);
    add_files(t, "/tmp", "left-", 0); /* by this name a test's jobs leave there what they leave */
    add_files(t, "/var/tmp", "left-", 0);
    qsort(t->lines, t->n, sizeof(t->lines[0]), by_text);
    return t;
}

/* Prints what is in one and not in the other when told to. Returns how many lines differ. */
static unsigned differences(const struct traces *was, const struct traces *is, int print)
{
    unsigned n = 0;

    for (unsigned i = 0, k = 0; i < was->n || k < is->n;) {
        int order = i == was->n ? 1 : k == is->n ? -1 : strcmp(was->lines[i], is->lines[k]);

        if (order != 0) {
            n++;
            if (print)
                fprintf(stderr, "%s: %s\n", order < 0 ? "is gone" : "is left", order < 0 ? was->lines[i] : is->lines[k]);
        }
        i += order <= 0;
        k += order >= 0;
    }
    return n;
}

/* Spares that are being made, and groups that are being removed, come and go for a moment after a job. */
const struct traces *traces_settled(const struct broker *b)
{
    enum { SAME = 10 };
    uint64_t started = support_now_ms();
    const struct traces *was = traces_take(b);

    for (unsigned same = 0; same < SAME;) {
        const struct traces *is;

        support_turn(started, "what there is to stay as it is");
        is = traces_take(b);
        same = differences(was, is, 0) == 0 ? same + 1 : 0;
        was = is;
    }
    return was;
}

void traces_expect(const struct broker *b, const struct traces *was)
{
    uint64_t started = support_now_ms();
    const struct traces *is;

    while (differences(was, is = traces_take(b), 0) > 0) {
        if (support_left_ms(started) == 0) {
            (void)differences(was, is, 1);
            if (proc_on_failure != NULL)
                proc_on_failure();
            support_fail("something is left, or gone");
        }
        support_turn(started, "nothing to be left");
    }
}

unsigned traces_differ(const struct broker *b, const struct traces *was, const char *beginning)
{
    const struct traces *is = traces_take(b);
    size_t len = strlen(beginning);
    unsigned now = 0, then = 0;

    for (unsigned i = 0; i < is->n; i++)
        now += strncmp(is->lines[i], beginning, len) == 0;
    for (unsigned i = 0; i < was->n; i++)
        then += strncmp(was->lines[i], beginning, len) == 0;
    return now > then ? now - then : 0;
}
