/* files.c - see files.h. */
#include "worker/engines/python/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "job_limits.h"

/* Numbers that the kernel gives to nobody here, and that no row of the policy lets through. */
enum { FIRST = 4096, OPEN_MOST = 1024, PATH_ROOM = LIMITS_PATH + 1, MOST = 0x7ffff000 };

struct file {
    const uint8_t *bytes;
    size_t len;
    ino_t number;
};

/* A template's spec and the job's. */
enum { SPECS = 2 };
static const Pb__JobSpec *specs[SPECS];
static unsigned n_specs;

static struct opened {
    _Atomic bool taken, whole; /* whole: file is there to be read */
    struct file file;
    _Atomic int64_t at;
} opened[OPEN_MOST];

void python_files_add(const Pb__JobSpec *spec)
{
    if (n_specs < SPECS)
        specs[n_specs++] = spec;
}

/* ---- by name ------------------------------------------------------------------------------------------------------------------- */

static size_t without_last(const char *text, size_t len)
{
    while (len > 0 && text[len - 1] != '/')
        len--;
    return len > 0 ? len - 1 : 0;
}

/* "./a//b/../c" is "a/c": as there are no links in here, names alone say what is meant. False: it is too long. */
static bool plain_path(const char *path, char into[PATH_ROOM])
{
    size_t len = 0;

    while (*path != '\0') {
        size_t n = strcspn(path, "/");

        if (n == 2 && path[0] == '.' && path[1] == '.') {
            len = without_last(into, len);
        } else if (n > 1 || (n == 1 && path[0] != '.')) {
            if (len + n + 2 > PATH_ROOM)
                return false;
            if (len > 0)
                into[len++] = '/';
            memcpy(into + len, path, n);
            len += n;
        }
        path += n + (path[n] == '/');
    }
    into[len] = '\0';
    return true;
}

/* One of this name, or one in a directory of this name. */
static bool is_named(const char *sent, const char *name, bool *ret_directory)
{
    size_t len = strlen(name);

    sent += strncmp(sent, "./", 2) == 0 ? 2 : 0;
    if (strncmp(sent, name, len) != 0 || (sent[len] != '\0' && sent[len] != '/'))
        return false;
    *ret_directory = sent[len] == '/';
    return true;
}

static bool find_in(const Pb__JobSpec *spec, const char *name, struct file *ret, bool *ret_directory)
{
    for (size_t i = 0; i < spec->n_modules; i++) {
        const Pb__Module *m = spec->modules[i];

        if (is_named(m->name, name, ret_directory)) {
            *ret = (struct file){ m->source.data, m->source.len, (ino_t)i + 2 };
            return true;
        }
    }
    *ret = (struct file){ spec->source.data, spec->source.len, 1 };
    return is_named(spec->source_name, name, ret_directory);
}

/* 0 or -errno. */
static long find(const char *path, struct file *ret, bool *ret_directory)
{
    char name[PATH_ROOM];

    if (path == NULL)
        return -EFAULT;
    if (!plain_path(path, name) || name[0] == '\0')
        return -EACCES;
    for (unsigned i = n_specs; i-- > 0;)
        if (find_in(specs[i], name, ret, ret_directory))
            return 0;
    return -EACCES;
}

static void fill_stat(const struct file *f, bool directory, struct stat *ret_st)
{
    *ret_st =
        (struct stat){ .st_mode = directory ? S_IFDIR | 0555 : S_IFREG | 0444, .st_nlink = 1, .st_blksize = 4096, .st_ino = f->number };
    if (!directory)
        ret_st->st_size = (off_t)f->len;
}

long python_files_stat_path(const char *path, struct stat *ret_st)
{
    struct file f;
    bool directory;
    long rc = find(path, &f, &directory);

    if (rc == 0)
        fill_stat(&f, directory, ret_st);
    return rc;
}

long python_files_access(const char *path, int mode)
{
    struct file f;
    bool directory;
    long rc = find(path, &f, &directory);

    return rc == 0 && (mode & ~(R_OK | (directory ? X_OK : 0))) != 0 ? -EACCES : rc;
}

/* ---- open ------------------------------------------------------------------------------------------------------------------------ */

static struct opened *opened_of(uint64_t fd)
{
    unsigned number = (unsigned)fd;

    return number >= FIRST && number - FIRST < OPEN_MOST && opened[number - FIRST].whole ? &opened[number - FIRST] : NULL;
}

bool python_files_is(uint64_t fd)
{
    return opened_of(fd) != NULL;
}

long python_files_open(const char *path, int flags)
{
    struct file f;
    bool directory;
    long rc = find(path, &f, &directory);

    if (rc != 0)
        return rc;
    if ((flags & (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY)) != O_RDONLY || directory)
        return -EACCES;
    for (int i = 0; i < OPEN_MOST; i++) {
        struct opened *o = &opened[i];

        if (atomic_exchange(&o->taken, true))
            continue;
        o->file = f;
        o->at = 0;
        o->whole = true;
        return FIRST + i;
    }
    return -EMFILE;
}

long python_files_close(uint64_t fd)
{
    struct opened *o = opened_of(fd);

    if (o == NULL || !atomic_exchange(&o->whole, false))
        return -EBADF;
    o->taken = false;
    return 0;
}

static size_t left_at(const struct file *f, int64_t at, size_t size)
{
    size_t left = (uint64_t)at < f->len ? f->len - (size_t)at : 0;

    if (size > MOST)
        size = MOST;
    return left < size ? left : size;
}

long python_files_pread(uint64_t fd, void *into, size_t size, int64_t at)
{
    const struct opened *o = opened_of(fd);

    if (o == NULL)
        return -EBADF;
    if (at < 0)
        return -EINVAL;
    size = left_at(&o->file, at, size);
    if (size > 0)
        memcpy(into, o->file.bytes + at, size);
    return (long)size;
}

/* Two threads that read from one get different bytes of it. */
long python_files_read(uint64_t fd, void *into, size_t size)
{
    struct opened *o = opened_of(fd);
    int64_t at;

    if (o == NULL)
        return -EBADF;
    at = o->at;
    while (!atomic_compare_exchange_weak(&o->at, &at, at + (int64_t)left_at(&o->file, at, size)))
        ;
    return python_files_pread(fd, into, size, at);
}

long python_files_seek(uint64_t fd, int64_t offset, int whence)
{
    struct opened *o = opened_of(fd);
    int64_t from;

    if (o == NULL)
        return -EBADF;
    switch (whence) {
    case SEEK_SET: from = 0; break;
    case SEEK_CUR: from = o->at; break;
    case SEEK_END: from = (int64_t)o->file.len; break;
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(from, offset, &from) || from < 0)
        return -EINVAL;
    o->at = from;
    return from;
}

long python_files_stat(uint64_t fd, struct stat *ret_st)
{
    const struct opened *o = opened_of(fd);

    if (o == NULL)
        return -EBADF;
    fill_stat(&o->file, false, ret_st);
    return 0;
}
