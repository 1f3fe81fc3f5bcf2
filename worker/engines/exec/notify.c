/* notify.c - see notify.h. */
#include "worker/engines/exec/notify.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker/engines/exec/caller.h"
#include "worker/engines/exec/learn.h"
#include "worker/link.h"
#include "worker/space.h"

enum { ARGS = 6 };

/* The kernel's messages may be longer than those we were built with: it writes, and reads, as much as it says. */
static union {
    struct seccomp_notif message;
    char room[512];
} request;
static union {
    struct seccomp_notif_resp message;
    char room[512];
} response;

static struct caller caller;
static struct seccomp_data violation;

int notify_prepare(void)
{
    struct seccomp_notif_sizes sizes;

    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) != 0)
        return -errno;
    return sizes.seccomp_notif <= sizeof(request) && sizes.seccomp_notif_resp <= sizeof(response) ? 0 : -ENOSYS;
}

/* ENOENT: who called has been killed since, or interrupted; there is nobody to answer. */
static void answer(const struct exec_job *j, bool granted)
{
    memset(&response, 0, sizeof(response));
    response.message.id = request.message.id;
    if (granted)
        response.message.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        response.message.error = -EPERM;
    (void)ioctl(j->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

/*
 * Only in a job that was asked to learn, and then only calls that may be granted at all: what CONTINUE lets through is decided by the number,
 * and by arguments that another thread cannot change.
 */
static void note(struct exec_job *j)
{
    answer(j, learn_note(&request.message.data, j->given));
}

static void end_job(struct exec_job *j)
{
    violation = request.message.data;
    caller_look(space_proc_fd(), (pid_t)request.message.pid, violation.instruction_pointer, &caller);
    if (ioctl(j->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &request.message.id) != 0)
        memset(&caller, 0, sizeof(caller)); /* it has gone, and what we read may have been somebody else's */
    j->violated = true;
    j->over = true;
}

void notify_receive(struct exec_job *j)
{
    memset(&request, 0, sizeof(request));
    if (ioctl(j->listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0)
        return; /* ENOENT: whoever it was has been killed meanwhile */
    if (j->spec->learn)
        note(j);
    else
        end_job(j);
}

void notify_report(void)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Violation v = PB__VIOLATION__INIT;
    uint64_t args[ARGS];

    for (int i = 0; i < ARGS; i++)
        args[i] = violation.args[i];
    v.nr = (uint32_t)violation.nr;
    v.arch = violation.arch;
    v.args = args;
    v.n_args = ARGS;
    v.ip = violation.instruction_pointer;
    v.module = caller.module;
    v.offset = caller.offset;
    v.pid = caller.pid;
    v.tid = caller.tid;
    v.who = caller.name;
    m.body_case = PB__FROM_WORKER__BODY_VIOLATION;
    m.violation = &v;
    link_send(&m);
}
