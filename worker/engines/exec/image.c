/* image.c - see image.h. */
#include "worker/engines/exec/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_check.h"

enum { SCRIPT_LINE = 256 }; /* what the kernel reads of a script */

#define OUR_LOADER "/lib64/ld-linux-x86-64.so.2"

struct mapped {
    const uint8_t *bytes;
    size_t len;
};

/* O_NONBLOCK: it may be a FIFO, and is refused then. */
static int map_file(const char *path, struct mapped *ret_m)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = 0;
    void *at = NULL;
    struct stat st;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0)
        rc = -errno;
    else if (!S_ISREG(st.st_mode))
        rc = -EACCES;
    if (rc == 0 && st.st_size > 0) {
        at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        rc = at != MAP_FAILED ? 0 : -errno;
    }
    close(fd);
    if (rc == 0)
        *ret_m = (struct mapped){ at, (size_t)st.st_size };
    return rc;
}

static void unmap(const struct mapped *m)
{
    if (m->len > 0)
        munmap((void *)m->bytes, m->len);
}

/* ---- scripts ------------------------------------------------------------------------------------------------------------------- */

static void read_script(const struct mapped *m, struct image *im)
{
    const char *line = (const char *)m->bytes + 2;
    size_t room = (m->len < SCRIPT_LINE ? m->len : SCRIPT_LINE) - 2, len = 0, skip = 0;

    im->kind = IMAGE_SCRIPT;
    while (skip < room && (line[skip] == ' ' || line[skip] == '\t'))
        skip++;
    while (skip + len < room && strchr(" \t\n", line[skip + len]) == NULL) /* a NUL ends it too */
        len++;
    if (skip + len < SCRIPT_LINE - 2) /* else it is cut off, and the kernel refuses it */
        snprintf(im->interpreter, sizeof(im->interpreter), "%.*s", (int)len, line + skip);
}

/* ---- ELF ----------------------------------------------------------------------------------------------------------------------- */

static void judge_machine(const Elf64_Ehdr *h, struct image *im)
{
    unsigned machine = h->e_ident[EI_DATA] == ELFDATA2MSB ? (unsigned)__builtin_bswap16(h->e_machine) : h->e_machine;
    const char *name = elf_machine_name(machine);

    if (h->e_ident[EI_CLASS] == ELFCLASS32 && (machine == EM_386 || machine == EM_X86_64))
        snprintf(im->why, sizeof(im->why), "is a 32-bit program (%s), which no sandbox runs; build it for 64-bit x86-64",
                 machine == EM_386 ? "i386" : "x32");
    else if (machine != EM_X86_64 && name != NULL)
        snprintf(im->why, sizeof(im->why), "is built for %s, this machine is x86-64", name);
    else if (machine != EM_X86_64)
        snprintf(im->why, sizeof(im->why), "is built for machine number %u, this machine is x86-64", machine);
    else if (h->e_type == ET_REL)
        snprintf(im->why, sizeof(im->why), "is an object file that is not linked");
    else if (h->e_type == ET_CORE)
        snprintf(im->why, sizeof(im->why), "is a core dump");
    else if (h->e_type != ET_EXEC && h->e_type != ET_DYN)
        snprintf(im->why, sizeof(im->why), "is an ELF file of unknown type %u", h->e_type);
}

/* The headers lie in the file: so elf_check.h's readers may walk them. */
static bool has_headers(const struct mapped *m, Elf64_Ehdr *ret_h)
{
    uint64_t end;

    if (m->len < sizeof(*ret_h))
        return false;
    memcpy(ret_h, m->bytes, sizeof(*ret_h));
    return ret_h->e_ident[EI_CLASS] == ELFCLASS64 && ret_h->e_ident[EI_DATA] == ELFDATA2LSB && ret_h->e_phentsize == sizeof(Elf64_Phdr) &&
           !__builtin_add_overflow(ret_h->e_phoff, (uint64_t)ret_h->e_phnum * sizeof(Elf64_Phdr), &end) && end <= m->len;
}

static void read_loader(const struct mapped *m, const Elf64_Ehdr *h, struct image *im)
{
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;

        memcpy(&p, m->bytes + h->e_phoff + i * sizeof(p), sizeof(p));
        if (p.p_type != PT_INTERP)
            continue;
        if (p.p_offset > m->len || p.p_filesz > m->len - p.p_offset || p.p_filesz >= sizeof(im->interpreter))
            snprintf(im->why, sizeof(im->why), "is damaged: the name of its loader lies outside of the file");
        else
            snprintf(im->interpreter, sizeof(im->interpreter), "%.*s", (int)p.p_filesz, (const char *)m->bytes + p.p_offset);
        return;
    }
}

static void read_elf(const struct mapped *m, struct image *im)
{
    Elf64_Ehdr h = { .e_ident = { 0 } };

    im->kind = IMAGE_ELF;
    if (m->len < sizeof(Elf32_Ehdr)) {
        snprintf(im->why, sizeof(im->why), "is truncated: it has %zu bytes, less than an ELF header", m->len);
        return;
    }
    memcpy(&h, m->bytes, m->len < sizeof(h) ? m->len : sizeof(h));
    judge_machine(&h, im);
    if (im->why[0] != '\0')
        return;
    if (has_headers(m, &h))
        read_loader(m, &h, im);
    else
        snprintf(im->why, sizeof(im->why), "is damaged or truncated: its program headers lie outside of its %zu bytes", m->len);
}

int image_read(const char *path, struct image *ret_im)
{
    struct mapped m;
    int rc = map_file(path, &m);

    if (rc != 0)
        return rc;
    memset(ret_im, 0, sizeof(*ret_im));
    if (m.len == 0)
        ret_im->kind = IMAGE_EMPTY;
    else if (m.len > 2 && memcmp(m.bytes, "#!", 2) == 0)
        read_script(&m, ret_im);
    else if (elf_is(m.bytes, m.len))
        read_elf(&m, ret_im);
    unmap(&m);
    return 0;
}

/* ---- libraries ----------------------------------------------------------------------------------------------------------------- */

static bool is_in_default_place(const char *name)
{
    static const char *const places[] = {
        "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"
    };
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", places[i], name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* The loader's cache holds the names it knows as NUL-terminated texts. */
static bool is_in_cache(const char *name)
{
    struct mapped cache;
    bool found;

    if (map_file("/etc/ld.so.cache", &cache) != 0)
        return false;
    found = memmem(cache.bytes, cache.len, name, strlen(name) + 1) != NULL;
    unmap(&cache);
    return found;
}

static bool names_places(const struct mapped *m, const Elf64_Ehdr *h)
{
    for (unsigned i = 0; i < h->e_phnum; i++) {
        Elf64_Phdr p;

        memcpy(&p, m->bytes + h->e_phoff + i * sizeof(p), sizeof(p));
        if (p.p_type != PT_DYNAMIC || p.p_offset > m->len)
            continue;
        for (uint64_t at = p.p_offset; m->len - at >= sizeof(Elf64_Dyn) && at - p.p_offset < p.p_filesz; at += sizeof(Elf64_Dyn)) {
            Elf64_Dyn e;

            memcpy(&e, m->bytes + at, sizeof(e));
            if (e.d_tag == DT_RPATH || e.d_tag == DT_RUNPATH)
                return true;
        }
    }
    return false;
}

static bool find_lacking(const struct mapped *m, char *ret_name, size_t size)
{
    const char *name;
    size_t at = 0;

    while (elf_next_needed(m->bytes, m->len, &at, &name)) {
        if (strchr(name, '/') != NULL || is_in_default_place(name) || is_in_cache(name))
            continue;
        snprintf(ret_name, size, "%s", name);
        return true;
    }
    return false;
}

bool image_lacks_library(const char *path, char *ret_name, size_t size)
{
    struct image im = { .kind = IMAGE_OTHER };
    bool lacks = false;
    struct mapped m;
    Elf64_Ehdr h;

    if (map_file(path, &m) != 0)
        return false;
    if (m.len > 2 && elf_is(m.bytes, m.len) && has_headers(&m, &h) && h.e_machine == EM_X86_64) {
        read_loader(&m, &h, &im);
        lacks = strcmp(im.interpreter, OUR_LOADER) == 0 && !names_places(&m, &h) && find_lacking(&m, ret_name, size);
    }
    unmap(&m);
    return lacks;
}
