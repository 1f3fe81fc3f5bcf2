/* spool.c - see spool.h. */
#include "spool.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ulid.h"

#define SPOOL_FIRST (4u << 10) /* most jobs print less */

static const char *const spool_endings[SPOOL_STREAMS] = { "stdout", "stderr", "outputs" };

static void file_name(char name[64], const char *job, int stream)
{
    int n = snprintf(name, 64, "%s.%s", job, spool_endings[stream]);

    assert(n > 0 && n < 64 && strchr(name, '/') == NULL);
}

void spool_init_new(struct spool *s, int dir_fd, const char *job, int stream, uint64_t cap)
{
    *s = (struct spool){ .dir_fd = dir_fd, .cap = cap, .fd = -1 };
    file_name(s->name, job, stream);
}

void spool_init(struct spool *s, int dir_fd, const char *job, int stream, uint64_t cap)
{
    spool_init_new(s, dir_fd, job, stream, cap);
    (void)unlinkat(dir_fd, s->name, 0); /* of an attempt before: must not be taken for this one's words later */
}

/* All of it at this place, or -errno. */
static int write_all(int fd, const uint8_t *bytes, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        bytes += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int read_some(int fd, uint64_t offset, uint8_t *buf, size_t max, size_t *ret_len)
{
    size_t have = 0;

    while (have < max) {
        ssize_t n = pread(fd, buf + have, max - have, (off_t)(offset + have));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *ret_len = have;
    return 0;
}

static int keep_in_memory(struct spool *s, const void *bytes, size_t len)
{
    size_t need = (size_t)s->len + len, room = s->memory_cap == 0 ? SPOOL_FIRST : s->memory_cap;

    while (room < need)
        room *= 2;
    if (room > s->memory_cap) {
        uint8_t *more = realloc(s->memory, room);
        if (more == NULL)
            return -ENOMEM;
        s->memory = more;
        s->memory_cap = room;
    }
    memcpy(s->memory + s->len, bytes, len);
    return 0;
}

static void drop_memory(struct spool *s)
{
    free(s->memory);
    s->memory = NULL;
    s->memory_cap = 0;
}

static void drop_file(struct spool *s)
{
    if (s->fd < 0)
        return;
    (void)close(s->fd);
    s->fd = -1;
    (void)unlinkat(s->dir_fd, s->name, 0);
}

/* From memory to a file. On failure the memory stays what it was and the file is gone again. */
static int spill(struct spool *s, const void *bytes, size_t len)
{
    int err;

    (void)unlinkat(s->dir_fd, s->name, 0);
    s->fd = openat(s->dir_fd, s->name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_RDWR, 0600);
    if (s->fd < 0)
        return -errno;
    err = write_all(s->fd, s->memory, (size_t)s->len, 0);
    if (err == 0)
        err = write_all(s->fd, bytes, len, s->len);
    if (err == 0)
        drop_memory(s);
    else
        drop_file(s);
    return err;
}

static int keep_in_file(struct spool *s, const void *bytes, size_t len)
{
    int err = write_all(s->fd, bytes, len, s->len);

    if (err != 0 && ftruncate(s->fd, (off_t)s->len) != 0) {
        /* The rest of a half written call lies behind len: never read through the spool, written over by the next call. */
    }
    return err;
}

int spool_append(struct spool *s, const void *bytes, size_t len)
{
    uint64_t room = s->cap - s->len;
    size_t keep = len < room ? len : (size_t)room;
    int err = 0;

    if (s->memory == NULL && s->fd < 0 && s->len > 0)
        return -EBADF; /* the memory was given away: the stream has ended */
    if (keep > 0) {
        if (s->fd >= 0)
            err = keep_in_file(s, bytes, keep);
        else if (s->len + keep <= SPOOL_MEMORY)
            err = keep_in_memory(s, bytes, keep);
        else
            err = spill(s, bytes, keep);
    }
    if (err != 0)
        return err;
    s->len += keep;
    s->refused += len - keep;
    return 0;
}

int spool_read(const struct spool *s, uint64_t offset, void *buf, size_t max, size_t *ret_len)
{
    size_t n;

    if (offset >= s->len || max == 0 || (s->memory == NULL && s->fd < 0)) {
        *ret_len = 0;
        return 0;
    }
    n = s->len - offset < max ? (size_t)(s->len - offset) : max;
    if (s->fd >= 0)
        return read_some(s->fd, offset, buf, n, ret_len);
    memcpy(buf, s->memory + offset, n);
    *ret_len = n;
    return 0;
}

void spool_take_memory(struct spool *s, uint8_t **ret_bytes, size_t *ret_len)
{
    *ret_bytes = s->memory;
    *ret_len = s->memory == NULL ? 0 : (size_t)s->len;
    s->memory = NULL;
    s->memory_cap = 0;
}

void spool_give_back(struct spool *s, uint64_t bytes)
{
    uint64_t keep = s->len > bytes ? s->len - bytes : 0;

    if (s->fd < 0 || ftruncate(s->fd, (off_t)keep) != 0)
        return;
    s->refused += s->len - keep;
    s->len = keep;
}

void spool_cut(struct spool *s, uint64_t len)
{
    if (len >= s->len)
        return;
    if (s->fd >= 0 && ftruncate(s->fd, (off_t)len) != 0) {
        /* What lies behind len is never read, and written over by the next append. */
    }
    s->len = len;
}

void spool_reset(struct spool *s)
{
    drop_memory(s);
    drop_file(s);
    s->len = s->refused = 0;
}

void spool_lose(struct spool *s)
{
    uint64_t all = s->len + s->refused;

    spool_reset(s);
    s->refused = all;
}

void spool_finish(struct spool *s)
{
    drop_memory(s);
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}

int spool_read_file(int dir_fd, const char *job, int stream, uint64_t offset, void *buf, size_t max, size_t *ret_len)
{
    char name[64];
    int fd, err;

    file_name(name, job, stream);
    fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    err = offset > INT64_MAX - max ? (*ret_len = 0, 0) : read_some(fd, offset, buf, max, ret_len);
    (void)close(fd);
    return err;
}

void spool_remove_file(int dir_fd, const char *job, int stream)
{
    char name[64];

    file_name(name, job, stream);
    (void)unlinkat(dir_fd, name, 0);
}

/* The job that a file belongs to, by its name; 0: none of ours. */
static int job_of(const char *name, char job[ULID_LEN + 1])
{
    const char *dot = strchr(name, '.');

    if (dot == NULL || dot - name != ULID_LEN)
        return 0;
    memcpy(job, name, ULID_LEN);
    job[ULID_LEN] = '\0';
    for (int i = 0; i < SPOOL_STREAMS; i++)
        if (strcmp(dot + 1, spool_endings[i]) == 0)
            return 1;
    return 0;
}

void spool_sweep(int dir_fd, int (*known)(void *ctx, const char *job), void *ctx)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    char job[ULID_LEN + 1];

    if (dir == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (job_of(e->d_name, job) && !known(ctx, job))
            (void)unlinkat(dir_fd, e->d_name, 0);
    (void)closedir(dir);
}
