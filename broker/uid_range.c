/* uid_range.c - see uid_range.h. */
#include "broker/uid_range.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAST_ALL INT64_MAX /* behind every range */

/* Who may write to it could keep every broker out. */
static int open_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0)
        rc = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0077) != 0)
        rc = -EPERM;
    if (rc == 0)
        return fd;
    close(fd);
    return rc;
}

static struct flock lock_of(uint32_t first, uint32_t count)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = count };
}

/* 0: they are ours; > 0: try from there; -errno. */
static int64_t try_at(int fd, uint32_t at, uint32_t want)
{
    struct flock l = lock_of(at, want);

    if (fcntl(fd, F_OFD_SETLK, &l) == 0)
        return 0;
    if (errno != EAGAIN && errno != EACCES)
        return -errno;
    l = lock_of(at, want);
    if (fcntl(fd, F_OFD_GETLK, &l) != 0)
        return -errno;
    if (l.l_type == F_UNLCK)
        return at;                                        /* somebody has just gone */
    return l.l_len == 0 ? PAST_ALL : l.l_start + l.l_len; /* 0: to whatever end the file has */
}

/* 0, -EUSERS, -errno. */
static int take_piece(int fd, uint32_t first, uint32_t count, uint32_t want, uint32_t *ret)
{
    int64_t at = first, end = (int64_t)first + count, next;

    while (at <= end - want) {
        next = try_at(fd, (uint32_t)at, want);
        if (next < 0)
            return (int)next;
        if (next == 0) {
            *ret = (uint32_t)at;
            return 0;
        }
        at = next;
    }
    return -EUSERS;
}

int uid_range_take(const char *path, uint32_t first, uint32_t count, uint32_t want, uint32_t *ret_first, uint32_t *ret_count)
{
    uint32_t fewest = count < UID_RANGE_FEWEST ? count : UID_RANGE_FEWEST;
    int fd = open_file(path), rc = -EUSERS;

    if (fd < 0)
        return fd;
    want = want > count ? count : want < fewest ? fewest : want;
    while (rc == -EUSERS && want >= fewest && want > 0) {
        rc = take_piece(fd, first, count, want, ret_first);
        if (rc == -EUSERS)
            want = want > fewest && want / 2 < fewest ? fewest : want / 2;
    }
    if (rc == 0) {
        *ret_count = want;
        return fd;
    }
    close(fd);
    return rc;
}
