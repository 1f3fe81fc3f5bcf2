/* orphans.c - see orphans.h. */
#include "broker/orphans.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/zygotes.h"
#include "log.h"

int orphans_adopt(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ? -errno : 0;
}

static int is_ours(const struct broker *b, pid_t pid)
{
    if (pid == b->janitor.pid || pid == b->tls.pid || pid == b->webhooks.courier.pid)
        return 1;
    return zygotes_have(b, pid);
}

/* A zygote's worker that has outlived it dies with it anyway; its pidfd tells the pool. flags: waitpid()'s, for each that is killed. */
static void end_listed(const struct broker *b, int flags)
{
    char path[64];
    int pid;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid()); /* the kernel hands them to the first thread */
    f = fopen(path, "re");
    if (f == NULL)
        return;
    while (fscanf(f, "%d", &pid) == 1)
        if (!is_ours(b, pid)) {
            log_event(LOG_LEVEL_DEBUG, "orphan", "pid=%d", pid);
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, NULL, flags);
        }
    (void)fclose(f);
}

void orphans_end(const struct broker *b)
{
    end_listed(b, WNOHANG); /* who is not dead yet says when it is */
}

/* The kernel's list leaves children out while others exit: it is read until there are none, not until those that were in it are dead. */
void orphans_finish(const struct broker *b)
{
    do
        end_listed(b, 0);
    while (waitpid(-1, NULL, WNOHANG) >= 0 || errno == EINTR);
}
