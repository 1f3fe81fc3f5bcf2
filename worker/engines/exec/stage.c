/* stage.c - see stage.h. */
#include "worker/engines/exec/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rel_path.h"
#include "worker/engines/exec/beneath.h"

#define refuse(rc, why, ...) (snprintf((why), STAGE_WHY, __VA_ARGS__), (rc))

static int explain(int rc, const char *name, char why[STAGE_WHY])
{
    switch (rc) {
    case -EEXIST: return refuse(rc, why, "staged file %.200s: there already is one of that name", name);
    case -EISDIR: return refuse(rc, why, "staged file %.200s: there already is a directory of that name", name);
    case -ENOTDIR: return refuse(rc, why, "staged file %.200s: a directory of its name is already there as a file", name);
    case -ENOSPC:
    case -EDQUOT: return refuse(rc, why, "staged file %.200s: does not fit into the work directory (see --limit disk and inodes)", name);
    default: return refuse(rc, why, "staged file %.200s: %s", name, strerror(-rc));
    }
}

/* The directory that part of name up to the last slash is, made where it is missing. *ret_base: what follows. */
static int open_parent(int work_fd, const char *name, const char **ret_base)
{
    int dir = fcntl(work_fd, F_DUPFD_CLOEXEC, 0), rc = dir >= 0 ? 0 : -errno;
    const char *slash;

    while (rc == 0 && (slash = strchr(name, '/')) != NULL) {
        char part[REL_NAME_MAX + 1];
        int below;

        snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
        if (mkdirat(dir, part, STAGE_DIR_MODE) != 0 && errno != EEXIST)
            rc = -errno;
        below = rc == 0 ? beneath_open(dir, part, O_RDONLY | O_DIRECTORY, 0) : rc;
        close(dir);
        dir = below;
        rc = below >= 0 ? 0 : below;
        name = slash + 1;
    }
    *ret_base = name;
    return rc == 0 ? dir : rc;
}

static int write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_file(int dir, const char *base, uint32_t mode, const void *bytes, size_t len)
{
    int fd = beneath_open(dir, base, O_WRONLY | O_CREAT | O_EXCL, 0600), rc;

    if (fd < 0)
        return fd;
    rc = write_all(fd, bytes, len);
    if (rc == 0 && fchmod(fd, mode) != 0) /* not at its making: our umask hides it from others */
        rc = -errno;
    if (close(fd) != 0 && rc == 0)
        rc = -errno;
    return rc;
}

/*
 * One file. name: as rel_path.h says; directories on the way are made. mode: permission bits, 0 is 0644.
 * -EEXIST: there is one already, -ENOTDIR: a directory of the name is a file.
 */
static int stage_file(int work_fd, const char *name, uint32_t mode, const void *bytes, size_t len, char why[STAGE_WHY])
{
    const char *base, *fault = rel_path_fault(name);
    int rc, dir;

    if (fault != NULL)
        return refuse(-EINVAL, why, "staged file \"%.200s\": its name %s", name, fault);
    if ((mode & ~(uint32_t)0777) != 0)
        return refuse(-EINVAL, why, "staged file %.200s: mode %o; only permissions (up to 777) can be given", name, mode);
    dir = open_parent(work_fd, name, &base);
    if (dir < 0)
        return explain(dir, name, why);
    rc = write_file(dir, base, mode != 0 ? mode : STAGE_MODE, bytes, len);
    close(dir);
    return rc == 0 ? 0 : explain(rc, name, why);
}

int stage_job(int work_fd, const Pb__JobSpec *spec, char why[STAGE_WHY])
{
    int rc = 0;

    if (spec->program[0] == '\0')
        rc = stage_file(work_fd, spec->source_name, STAGE_PROGRAM_MODE, spec->source.data, spec->source.len, why);
    for (size_t i = 0; i < spec->n_files && rc == 0; i++) {
        const Pb__StagedFile *f = spec->files[i];

        rc = stage_file(work_fd, f->name, f->mode, f->data.data, f->data.len, why);
    }
    return rc;
}
