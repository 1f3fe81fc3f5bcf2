/* load.c - see load.h. */
#include "worker/engines/native/load.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "elf_check.h"
#include "job_limits.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3: execve() will have none of it, whatever its mode becomes; mapping its code is another matter */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static struct {
    char path[LIMITS_NAME + 2]; /* "/" and the name: the slash keeps the loader from searching */
    volatile bool wanted;       /* the loader may open it: until it has */
    volatile bool opened;       /* and is asking what it is */
    uintptr_t low, high;        /* where it was loaded; 0 before */
    void *handle;               /* the loader's; NULL: not loaded */
} module;

/* ---- before the seal ------------------------------------------------------------------------------------------------------------ */

int load_open(void)
{
    int fd = memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("job", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (fd == MODULE_FD)
        return 0;
    if (dup3(fd, MODULE_FD, O_CLOEXEC) < 0)
        return -errno;
    close(fd);
    return 0;
}

/* ---- what the loader asks ------------------------------------------------------------------------------------------------------- */

static long answer_open(const uint64_t args[6])
{
    if (!module.wanted)
        return -EACCES;
    if (strcmp((const char *)(uintptr_t)args[1], module.path) != 0)
        return -ENOENT; /* a library that it needs, and where that might be */
    module.wanted = false;
    module.opened = true;
    return MODULE_FD;
}

/* The loader knows a file again by device and inode: these are nobody's. */
static long answer_stat(struct stat *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->st_dev = (dev_t)-1;
    ret->st_ino = 1;
    ret->st_mode = S_IFREG | 0400;
    ret->st_nlink = 1;
    return 0;
}

/*
 * Where the loader closes it, /dev/null is put in its place: the filter lets this number be mapped to be executed, so that no descriptor
 * that comes later may get it.
 */
static long give_up_module(void)
{
    module.opened = false;
    return syscall(SYS_dup2, STDIN_FILENO, MODULE_FD) < 0 ? -errno : 0;
}

bool load_answer(long nr, const uint64_t args[6], long *ret_result)
{
    bool about_module = module.opened && (int)args[0] == MODULE_FD;

    switch (nr) {
    case SYS_openat: *ret_result = answer_open(args); return true;
    case SYS_newfstatat:
        *ret_result = about_module && ((int)args[3] & AT_EMPTY_PATH) != 0 ? answer_stat((struct stat *)(uintptr_t)args[2]) : -EACCES;
        return true;
    case SYS_close:
        if (about_module)
            *ret_result = give_up_module();
        return about_module;
    case SYS_fstat: *ret_result = about_module ? answer_stat((struct stat *)(uintptr_t)args[1]) : -EACCES; return true;
    default: return false;
    }
}

/* ---- loading -------------------------------------------------------------------------------------------------------------------- */

/* The loader reads from where the descriptor stands: at the beginning. */
static int write_all(const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        ssize_t n = pwrite(MODULE_FD, bytes + at, len - at, (off_t)at);

        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += (size_t)n;
    }
    return 0;
}

/* From here on its bytes are what they are: for whoever has it mapped, and for good. */
static int keep(const void *bytes, size_t len)
{
    static const struct rlimit nothing = { 0, 0 };
    int rc = write_all(bytes, len);

    if (rc == 0 && fcntl(MODULE_FD, F_ADD_SEALS, MODULE_SEALS) != 0)
        rc = -errno;
    if (rc == 0 && setrlimit(RLIMIT_FSIZE, &nothing) != 0)
        rc = -errno;
    return rc;
}

/* The loader would look for it in the file system, and say so. */
static int check_needed(const char *name, const void *bytes, size_t len, char *why, size_t why_size)
{
    const char *needed;
    size_t at = 0;

    while (elf_next_needed(bytes, len, &at, &needed))
        if (dlopen(needed, RTLD_LAZY | RTLD_NOLOAD) == NULL) {
            snprintf(why, why_size,
                     "%s needs the library %.100s, which is not there: an interpreter has libc, libm, libgcc_s and libstdc++; "
                     "link what else it needs statically",
                     name, needed);
            return -ENOEXEC;
        }
    return 0;
}

static int find_span(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    if (strcmp(info->dlpi_name, arg) != 0)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && info->dlpi_addr + p->p_vaddr + p->p_memsz > module.high)
            module.high = info->dlpi_addr + p->p_vaddr + p->p_memsz;
    }
    module.low = info->dlpi_addr;
    return 1;
}

/* The loader's own words, without the slash that we have put before the name. */
static void take_words(char *why, size_t why_size)
{
    const char *words = dlerror();

    if (words == NULL)
        words = "the loader does not say why";
    if (strncmp(words, module.path, strlen(module.path)) == 0)
        words++;
    snprintf(why, why_size, "%s", words);
}

static int link_in(char *why, size_t why_size)
{
    module.wanted = true;
    module.handle = dlopen(module.path, RTLD_NOW | RTLD_GLOBAL);
    module.wanted = false;
    (void)give_up_module(); /* whatever the loader has thought better of */
    if (module.handle == NULL) {
        take_words(why, why_size);
        return -ENOEXEC;
    }
    dl_iterate_phdr(find_span, module.path);
    return 0;
}

void *load_symbol(const char *name)
{
    return dlsym(module.handle, name);
}

int load_module(const char *name, const void *bytes, size_t len, char *why, size_t why_size)
{
    char reason[ELF_WHY];
    int rc;

    /* a $ begins a name that the loader itself puts in */
    snprintf(module.path, sizeof(module.path), "/%s", strchr(name, '$') == NULL && *name != '\0' ? name : "job.so");
    if (elf_check(bytes, len, reason) != 0) {
        snprintf(why, why_size, "%s %s", name, reason);
        return -ENOEXEC;
    }
    rc = check_needed(name, bytes, len, why, why_size);
    if (rc == 0)
        rc = keep(bytes, len);
    if (rc == -ENOEXEC)
        return rc;
    if (rc != 0) {
        snprintf(why, why_size, "%s cannot be kept in memory: %s", name, strerror(-rc));
        return -ENOEXEC;
    }
    return link_in(why, why_size);
}

void load_close(void)
{
    void *handle = module.handle;

    module.handle = NULL; /* a destructor may call exit() */
    if (handle != NULL)
        dlclose(handle);
}

bool load_holds(uintptr_t address, uintptr_t *ret_offset)
{
    *ret_offset = address - module.low;
    return address >= module.low && address < module.high;
}

const char *load_name(void)
{
    return module.path + 1;
}
