/* reap.c - see reap.h. */
#include "worker/engines/exec/reap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/landlock.h"

/*
 * Signals to everybody go to everybody in the pid namespace but us; without one, to everybody in the Landlock domain that space_close() puts
 * us into, where that holds signals in. Where neither does, nothing names all our descendants at once. But the children of one that ends
 * become ours, and the kernel lists ours in a file that stays readable once it is open: so all of them come up, layer by layer.
 */
bool reap_by_list;

int reap_prepare(struct exec_job *j)
{
    j->own_pids = getpid() == 1;
    j->reach_all = j->own_pids || (landlock_abi() >= LANDLOCK_SIGNALS && !reap_by_list);
    if (j->own_pids)
        return 0;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return -errno;
    if (j->reach_all)
        return 0;
    j->children_fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    return j->children_fd >= 0 ? 0 : -errno;
}

static int take_one(struct exec_job *j, int flags)
{
    siginfo_t si = { .si_pid = 0 };
    int rc;

    do {
        rc = waitid(P_ALL, 0, &si, WEXITED | __WALL | flags);
    } while (rc != 0 && errno == EINTR);
    if (rc != 0 || si.si_pid == 0)
        return -1;
    if (si.si_pid == j->pid) {
        j->ended = true;
        j->code = si.si_code;
        j->status = si.si_status;
    }
    return 0;
}

void reap_ended(struct exec_job *j)
{
    while (take_one(j, WNOHANG) == 0)
        ;
}

void reap_ask(struct exec_job *j)
{
    j->term_sent = true;
    if (kill(-j->pid, SIGTERM) != 0)
        (void)kill(j->pid, SIGTERM);
}

/* The file is a list of numbers; one that fills the buffer is cut at its last whole number, and the rest comes with the next look. */
static void kill_children(struct exec_job *j)
{
    char text[4096], *at = text;
    ssize_t n = pread(j->children_fd, text, sizeof(text) - 1, 0);

    if (n <= 0)
        return;
    text[n] = '\0';
    for (;;) {
        char *end;
        long pid = strtol(at, &end, 10);

        if (end == at || *end == '\0')
            return; /* each number is followed by a space */
        if (pid > 1)
            (void)kill((pid_t)pid, SIGKILL);
        at = end;
    }
}

static void kill_all(struct exec_job *j)
{
    if (j->reach_all)
        (void)kill(-1, SIGKILL);
    else
        kill_children(j);
}

void reap_all(struct exec_job *j)
{
    do {
        kill_all(j);
    } while (take_one(j, 0) == 0);
}
