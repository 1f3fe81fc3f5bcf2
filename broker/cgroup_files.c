/* cgroup_files.c - see cgroup.h: what each kind calls its files, and how their values are written. */
#include "broker/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/small_file.h"

enum { TEXT = 8192 }; /* of a file of numbers */

const char *const cgroup_kind_names[CGROUP_KINDS + 1] = { "none", "v1", "v2", NULL };

const char *const cgroup_controllers[CGROUP_KINDS][CGROUP_PARTS] = {
    [CGROUP_V1] = {"memory",  "pids", "cpuacct", NULL, "freezer"}, /* blkio counts no write but a direct one */
    [CGROUP_V2] = { "memory", "pids", "cpu",     "io", NULL     },
};

/* key: of a line "key value" in it; NULL: the file is one number. per: of its unit in ours. */
/* clang-format off */
static const struct cgroup_name {
    enum cgroup_part part;
    const char *name, *key;
    uint64_t per;
} names[CGROUP_KINDS][CGROUP_FILES] = {
    [CGROUP_V2] = {
        [CGROUP_F_MEMORY_MAX]   = { CGROUP_MEMORY, "memory.max",          NULL,          1 },
        [CGROUP_F_SWAP_MAX]     = { CGROUP_MEMORY, "memory.swap.max",     NULL,          1 },
        [CGROUP_F_OOM_GROUP]    = { CGROUP_MEMORY, "memory.oom.group",    NULL,          1 },
        [CGROUP_F_PIDS_MAX]     = { CGROUP_PIDS,   "pids.max",            NULL,          1 },
        [CGROUP_F_MEMORY_PEAK]  = { CGROUP_MEMORY, "memory.peak",         NULL,          1 }, /* since Linux 5.19 */
        [CGROUP_F_MEMORY_NOW]   = { CGROUP_MEMORY, "memory.current",      NULL,          1 },
        [CGROUP_F_MEMORY_FILES] = { CGROUP_MEMORY, "memory.stat",         "shmem",       1 }, /* those of a tmpfs */
        [CGROUP_F_OOM_KILLS]    = { CGROUP_MEMORY, "memory.events.local", "oom_kill",    1 },
        [CGROUP_F_MEMORY_HITS]  = { CGROUP_MEMORY, "memory.events.local", "oom",         1 },
        [CGROUP_F_PIDS_REFUSED] = { CGROUP_PIDS,   "pids.events",         "max",         1 },
        [CGROUP_F_PIDS_PEAK]    = { CGROUP_PIDS,   "pids.peak",           NULL,          1 }, /* since Linux 6.1 */
        [CGROUP_F_CPU]          = { CGROUP_CPU,    "cpu.stat",            "usage_usec",  1 },
        [CGROUP_F_CPU_USER]     = { CGROUP_CPU,    "cpu.stat",            "user_usec",   1 },
        [CGROUP_F_CPU_SYS]      = { CGROUP_CPU,    "cpu.stat",            "system_usec", 1 },
        [CGROUP_F_IO]           = { CGROUP_IO,     "io.stat",             NULL,          1 },
        [CGROUP_F_KILL]         = { CGROUP_FREEZER, "cgroup.kill",       NULL,          1 }, /* since Linux 5.14 */
        [CGROUP_F_FREEZE]       = { CGROUP_FREEZER, "cgroup.freeze",     NULL,          1 },
    },
    [CGROUP_V1] = {
        [CGROUP_F_MEMORY_MAX]   = { CGROUP_MEMORY, "memory.limit_in_bytes",              NULL,       1 },
        [CGROUP_F_SWAP_MAX]     = { CGROUP_MEMORY, "memory.memsw.limit_in_bytes",        NULL,       1 }, /* memory and swap together */
        [CGROUP_F_PIDS_MAX]     = { CGROUP_PIDS,   "pids.max",                           NULL,       1 },
        [CGROUP_F_MEMORY_PEAK]  = { CGROUP_MEMORY, "memory.max_usage_in_bytes",          NULL,       1 },
        [CGROUP_F_MEMORY_NOW]   = { CGROUP_MEMORY, "memory.usage_in_bytes",              NULL,       1 },
        [CGROUP_F_MEMORY_FILES] = { CGROUP_MEMORY, "memory.stat",                        "total_shmem", 1 },
        [CGROUP_F_OOM_KILLS]    = { CGROUP_MEMORY, "memory.oom_control",                 "oom_kill", 1 },
        [CGROUP_F_MEMORY_HITS]  = { CGROUP_MEMORY, "memory.failcnt",                     NULL,       1 },
        [CGROUP_F_PIDS_REFUSED] = { CGROUP_PIDS,   "pids.events",                        "max",      1 },
        [CGROUP_F_PIDS_PEAK]    = { CGROUP_PIDS,   "pids.peak",                          NULL,       1 },
        [CGROUP_F_CPU]          = { CGROUP_CPU,    "cpuacct.usage",                      NULL,       1000 }, /* nanoseconds */
        [CGROUP_F_CPU_USER]     = { CGROUP_CPU,    "cpuacct.usage_user",                 NULL,       1000 }, /* these two by what each tick met */
        [CGROUP_F_CPU_SYS]      = { CGROUP_CPU,    "cpuacct.usage_sys",                  NULL,       1000 },
        [CGROUP_F_FREEZE]       = { CGROUP_FREEZER, "freezer.state",                     NULL,       1 },
    },
};
/* clang-format on */

static const struct cgroup_name *name_of(const struct cgroup_leaf *leaf, enum cgroup_file file, int *ret_dir)
{
    const struct cgroup_name *n = &names[leaf->groups->kind][file];

    if (n->name == NULL || leaf->dirs[n->part] < 0)
        return NULL;
    *ret_dir = leaf->dirs[n->part];
    return n;
}

/* The number behind "key " at the start of a line. */
static const char *find_key(const char *text, const char *key)
{
    size_t n = strlen(key);

    for (; text != NULL && *text != '\0'; text = strchr(text, '\n'), text = text != NULL ? text + 1 : NULL)
        if (strncmp(text, key, n) == 0 && text[n] == ' ')
            return text + n + 1;
    return NULL;
}

static int number_in(const char *text, const struct cgroup_name *n, uint64_t *ret)
{
    const char *at = n->key != NULL ? find_key(text, n->key) : text;
    char *end;
    uint64_t value;

    if (at == NULL)
        return -ENOENT;
    value = strtoull(at, &end, 10);
    if (end == at)
        return -ENOENT; /* "max" */
    *ret = value / n->per;
    return 0;
}

int cgroup_read_some(const struct cgroup_leaf *leaf, const enum cgroup_file *files, unsigned n, uint64_t *ret)
{
    char text[TEXT] = "";
    const char *open = NULL; /* the file whose text that is */
    int first = 0;

    for (unsigned i = 0; i < n; i++) {
        int dir, rc = 0;
        const struct cgroup_name *name = name_of(leaf, files[i], &dir);

        if (name == NULL)
            rc = -ENOENT;
        else if (open == NULL || strcmp(open, name->name) != 0)
            rc = (int)small_file_read(dir, open = name->name, text, sizeof(text));
        if (rc >= 0)
            rc = number_in(text, name, &ret[i]);
        if (i == 0)
            first = rc;
    }
    return first;
}

int cgroup_read(const struct cgroup_leaf *leaf, enum cgroup_file file, uint64_t *ret)
{
    return cgroup_read_some(leaf, &file, 1, ret);
}

int cgroup_write(const struct cgroup_leaf *leaf, enum cgroup_file file, const char *text)
{
    int dir, fd, rc;
    const struct cgroup_name *n = name_of(leaf, file, &dir);

    if (n == NULL)
        return -ENOENT;
    fd = openat(dir, n->name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/* Of lines like "8:0 rbytes=1 wbytes=2 rios=3". */
static uint64_t sum_after(const char *text, const char *word)
{
    uint64_t sum = 0;

    while ((text = strstr(text, word)) != NULL) {
        text += strlen(word);
        sum += strtoull(text, NULL, 10);
    }
    return sum;
}

int cgroup_read_io(const struct cgroup_leaf *leaf, uint64_t *ret_read, uint64_t *ret_written)
{
    int dir;
    const struct cgroup_name *n = name_of(leaf, CGROUP_F_IO, &dir);
    char text[4096];
    ssize_t len = n != NULL ? small_file_read(dir, n->name, text, sizeof(text)) : -ENOENT;

    if (len < 0)
        return (int)len;
    *ret_read = sum_after(text, " rbytes=");
    *ret_written = sum_after(text, " wbytes=");
    return 0;
}
