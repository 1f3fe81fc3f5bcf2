/* small_file.c - see small_file.h. */
#include "broker/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 16 << 10 };

/* The kernel's files may give less than asked for, though there is more: to the end, or to the end of the room. */
static ssize_t fill(int fd, char *text, size_t room)
{
    size_t len = 0;
    ssize_t n = 0;

    while (len < room && ((n = read(fd, text + len, room - len)) > 0 || (n < 0 && errno == EINTR)))
        len += n > 0 ? (size_t)n : 0;
    return n < 0 ? -errno : (ssize_t)len;
}

ssize_t small_file_read(int dir, const char *path, char *ret, size_t size)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t len = fd >= 0 ? fill(fd, ret, size - 1) : -errno;

    ret[len > 0 ? len : 0] = '\0';
    if (fd >= 0)
        close(fd);
    return len;
}

ssize_t small_file_line(const char *path, char *ret, size_t size)
{
    ssize_t len = small_file_read(AT_FDCWD, path, ret, size);

    if (len < 0)
        return len;
    ret[strcspn(ret, "\n")] = '\0';
    return (ssize_t)strlen(ret);
}

ssize_t small_file_whole(const char *path, char **ret)
{
    size_t size = FIRST_ROOM, len = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? 0 : -errno;
    char *text = NULL, *more;

    while (n >= 0) {
        more = realloc(text, size);
        if (more == NULL) {
            n = -ENOMEM;
            break;
        }
        text = more;
        n = fill(fd, text + len, size - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        if (n >= 0 && len < size - 1)
            break;
        size *= 2;
    }
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        free(text);
        text = NULL;
    } else {
        text[len] = '\0';
    }
    *ret = text;
    return n < 0 ? n : (ssize_t)len;
}
