/* notify.c - see notify.h; the protocol: sd_notify(3). */
#include "broker/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

static int fd = -1;

/* A path, or with '@' in the first place a name without a file. */
static int connect_to(const char *name)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t len = strlen(name);
    int s;

    if ((name[0] != '/' && name[0] != '@') || len >= sizeof(to.sun_path))
        return -EINVAL;
    memcpy(to.sun_path, name, len);
    if (name[0] == '@')
        to.sun_path[0] = '\0';
    s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return -errno;
    if (connect(s, (const struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0)
        return s;
    close(s);
    return -errno;
}

void notify_open(void)
{
    const char *name = getenv("NOTIFY_SOCKET");

    if (name == NULL)
        return;
    fd = connect_to(name);
    if (fd < 0)
        log_event(LOG_LEVEL_WARN, "no_notify", "error=\"%s\"", strerror(-fd));
    unsetenv("NOTIFY_SOCKET");
}

void notify_say(const char *fmt, ...)
{
    char text[512];
    va_list ap;
    int n;

    if (fd < 0)
        return;
    va_start(ap, fmt);
    n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n > 0 && send(fd, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1, MSG_NOSIGNAL) < 0)
        log_event(LOG_LEVEL_WARN, "not_notified", "error=\"%s\"", strerror(errno));
}

void notify_close(void)
{
    if (fd >= 0)
        close(fd);
    fd = -1;
}
