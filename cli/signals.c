/* signals.c - see signals.h. */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

int signals_hold(bool terminal)
{
    static const int always[] = { SIGINT, SIGTERM }, with_terminal[] = { SIGHUP, SIGQUIT, SIGWINCH, SIGCONT };
    sigset_t set;
    int fd;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
        sigaddset(&set, always[i]);
    for (size_t i = 0; terminal && i < sizeof(with_terminal) / sizeof(with_terminal[0]); i++)
        sigaddset(&set, with_terminal[i]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

int signals_next(int fd)
{
    struct signalfd_siginfo info;

    return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}

void signals_ignore_pipe(void)
{
    signal(SIGPIPE, SIG_IGN);
}
