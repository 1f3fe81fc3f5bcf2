/*
 * template_leave.c - leave to fork: the listener of the filter that a template and its children are under. See templates.h.
 *
 * The kernel holds whoever calls clone(2) in the one form that the filter asks about, and says who it is. What is let through was decided by registers, which
 * nobody can change meanwhile. Any other clone has no row.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/gate.h"
#include "broker/templates.h"
#include "log.h"

/* The kernel's messages may be longer than those we were built with: it writes, and reads, as much as it says. */
static union {
    struct seccomp_notif message;
    char room[512];
} request;
static union {
    struct seccomp_notif_resp message;
    char room[512];
} response;

/* ENOENT: who called has been killed since; there is nobody to answer. */
static void answer(const struct template *t, bool leave)
{
    memset(&response, 0, sizeof(response));
    response.message.id = request.message.id;
    response.message.flags = leave ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0;
    response.message.error = leave ? 0 : -EPERM;
    (void)ioctl(t->listener.fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static struct worker *child_with(const struct template *t, pid_t pid)
{
    for (struct worker *w = t->broker->pool.all; w != NULL; w = w->next)
        if (w->of == t && w->role == WORKER_FORKED && (w->pid == pid || w->said_pid == pid))
            return w;
    return NULL;
}

/* Its own end; a template has nothing to do with what its children do once they are workers. */
static void child_forks(struct worker *w)
{
    log_event(LOG_LEVEL_WARN, "refused", "worker=%llu msg=clone why=\"a template's child forks\"", (unsigned long long)w->id);
    if (w->job != NULL)
        jobs_decide(w->job, PB__CAUSE__CAUSE_POLICY, "clone(CLONE_PARENT | SIGCHLD) is not in profile %s for a template's child",
                    w->zygote->template_profile);
    else
        template_child_failed(w->of, w, "its child forked");
}

static void judge(struct template *t)
{
    pid_t pid = (pid_t)request.message.pid;
    bool own = t->worker != NULL && t->worker->pid == pid, leave = own && t->forking != NULL && t->leave;
    struct worker *w = own ? NULL : child_with(t, pid);

    if (leave)
        t->leave = false;
    answer(t, leave);
    if (leave)
        return;
    if (w != NULL)
        child_forks(w);
    else
        template_broke(t, own ? "it forked without leave" : "a process that it made forked");
}

static void on_request(void *ctx)
{
    struct template *t = ctx;

    memset(&request, 0, sizeof(request));
    if (ioctl(t->listener.fd, SECCOMP_IOCTL_NOTIF_RECV, &request) == 0)
        judge(t);
    else if (errno != ENOENT && errno != EINTR) /* ENOENT: whoever it was has been killed meanwhile, or nobody is left under the filter */
        template_listen_no_more(t);
}

int template_listen(struct template *t, int fd)
{

    if (t->listener.fd >= 0 || fd < 0) {
        if (fd >= 0)
            close(fd);
        return -EPROTO;
    }
    t->listener = (struct loop_watch){ fd, on_request, t };
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &(uint64_t){ 0 }) == 0 || errno != ENOENT) { /* what only a listener says */
        template_listen_no_more(t);
        return -EPROTO;
    }
    return loop_add(&t->broker->loop, &t->listener);
}

void template_listen_no_more(struct template *t)
{
    if (t->listener.fd < 0)
        return;
    loop_del(&t->broker->loop, &t->listener);
    close(t->listener.fd);
    t->listener.fd = -1;
}
