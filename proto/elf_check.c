/* elf_check.c - see elf_check.h. Everything is copied out of the file before it is looked at: nothing in it is aligned, or true. */
#include "elf_check.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#define OUR_NAME "x86-64"
#elif defined(__aarch64__)
enum { OUR_MACHINE = EM_AARCH64 };
#define OUR_NAME "aarch64"
#else
#error "elf_check.c does not know this machine"
#endif

#define HOW_TO_BUILD  "build it with: cc -shared -fPIC -o job.so job.c"
#define AN_EXECUTABLE "is an executable, which the engine exec runs; for this one give it a coop_job() and " HOW_TO_BUILD

#define refuse(why, ...) (snprintf((why), ELF_WHY, __VA_ARGS__), -ENOEXEC)

struct file {
    const uint8_t *bytes;
    size_t len;
    Elf64_Ehdr head;
};

struct dynamic { /* what the loader is told */
    uint64_t at, n;
    uint64_t strings, strings_len; /* offset in the file; 0: none */
    uint64_t symbols;
    bool textrel, pie;
};

bool elf_is(const void *bytes, size_t len)
{
    return len >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

static bool copy_out(const struct file *f, uint64_t at, void *into, size_t size)
{
    if (at > f->len || size > f->len - at)
        return false;
    memcpy(into, f->bytes + at, size);
    return true;
}

/* ---- what kind of file --------------------------------------------------------------------------------------------------------- */

const char *elf_machine_name(unsigned machine)
{
    /* clang-format off */
    static const struct {
        unsigned machine;
        const char *name;
    } machines[] = {
        { EM_386, "i386" },   { EM_X86_64, "x86-64" }, { EM_AARCH64, "aarch64" },   { EM_ARM, "arm" },     { EM_RISCV, "riscv" },
        { EM_PPC64, "ppc64" }, { EM_PPC, "ppc" }, { EM_S390, "s390x" },   { EM_LOONGARCH, "loongarch" }, { EM_MIPS, "mips" }, { EM_SPARCV9, "sparc64" },
    };
    /* clang-format on */

    for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++)
        if (machines[i].machine == machine)
            return machines[i].name;
    return NULL;
}

static int check_machine(const struct file *f, char why[ELF_WHY])
{
    const Elf64_Ehdr *h = &f->head; /* e_machine lies at the same place in both classes */
    unsigned machine = h->e_ident[EI_DATA] == ELFDATA2MSB ? (unsigned)__builtin_bswap16(h->e_machine) : h->e_machine;
    const char *name = elf_machine_name(machine);

    if (machine == OUR_MACHINE && h->e_ident[EI_CLASS] == ELFCLASS64 && h->e_ident[EI_DATA] == ELFDATA2LSB)
        return 0;
    if (machine == OUR_MACHINE)
        return refuse(why, "is built for a 32-bit or big-endian kind of " OUR_NAME ", this machine is " OUR_NAME);
    if (name == NULL)
        return refuse(why, "is built for machine number %u, this machine is " OUR_NAME, machine);
    return refuse(why, "is built for %s, this machine is " OUR_NAME, name);
}

static int check_type(const struct file *f, char why[ELF_WHY])
{
    switch (f->head.e_type) {
    case ET_DYN: return 0;
    case ET_EXEC: return refuse(why, AN_EXECUTABLE);
    case ET_REL: return refuse(why, "is an object file that is not linked; " HOW_TO_BUILD);
    case ET_CORE: return refuse(why, "is a core dump, not a shared object");
    default: return refuse(why, "is an ELF file of unknown type %u, not a shared object", f->head.e_type);
    }
}

static int truncated(const struct file *f, const char *what, uint64_t end, char why[ELF_WHY])
{
    return refuse(why, "is truncated: its %s end at byte %llu, the file at %zu", what, (unsigned long long)end, f->len);
}

static int check_head(struct file *f, char why[ELF_WHY])
{
    uint64_t headers, sections;
    int rc;

    if (!elf_is(f->bytes, f->len))
        return refuse(why, "is not an ELF file; " HOW_TO_BUILD);
    if (!copy_out(f, 0, &f->head, sizeof(f->head)))
        return refuse(why, "is truncated: an ELF header has %zu bytes, the file %zu", sizeof(f->head), f->len);
    rc = check_machine(f, why);
    if (rc != 0)
        return rc;
    if (f->head.e_type != ET_DYN && f->head.e_type != ET_EXEC)
        return check_type(f, why);
    if (f->head.e_phentsize != sizeof(Elf64_Phdr) || f->head.e_phnum == 0)
        return refuse(why, "has no program headers that could be loaded");
    if (__builtin_add_overflow(f->head.e_phoff, (uint64_t)f->head.e_phnum * sizeof(Elf64_Phdr), &headers) || headers > f->len)
        return truncated(f, "program headers", headers, why);
    if (__builtin_add_overflow(f->head.e_shoff, (uint64_t)f->head.e_shnum * f->head.e_shentsize, &sections) || sections > f->len)
        return truncated(f, "section headers", sections, why);
    return 0;
}

/* ---- what it wants mapped ------------------------------------------------------------------------------------------------------ */

static void header(const struct file *f, unsigned i, Elf64_Phdr *ret)
{
    memcpy(ret, f->bytes + f->head.e_phoff + i * sizeof(*ret), sizeof(*ret)); /* check_head() has counted them */
}

static int check_segment(const struct file *f, const Elf64_Phdr *p, char why[ELF_WHY])
{
    uint64_t end;

    if (p->p_type == PT_GNU_STACK && (p->p_flags & PF_X) != 0)
        return refuse(why, "wants an executable stack, which no interpreter has; link it with -z noexecstack");
    if (p->p_type != PT_LOAD && p->p_type != PT_DYNAMIC)
        return 0;
    if (__builtin_add_overflow(p->p_offset, p->p_filesz, &end) || end > f->len)
        return truncated(f, "segments", end, why);
    if (p->p_type == PT_LOAD && p->p_memsz < p->p_filesz)
        return refuse(why, "is damaged: a segment has more bytes in the file than in memory");
    if (p->p_type == PT_LOAD && (p->p_flags & PF_W) != 0 && (p->p_flags & PF_X) != 0)
        return refuse(why, "has a segment that is writable and executable, which no interpreter may have");
    return 0;
}

static int check_segments(const struct file *f, char why[ELF_WHY])
{
    bool loads = false;

    for (unsigned i = 0; i < f->head.e_phnum; i++) {
        Elf64_Phdr p;
        int rc;

        header(f, i, &p);
        rc = check_segment(f, &p, why);
        if (rc != 0)
            return rc;
        loads |= p.p_type == PT_LOAD;
    }
    return loads ? 0 : refuse(why, "has nothing in it that could be loaded");
}

/* ---- what it tells the loader -------------------------------------------------------------------------------------------------- */

/* Where in the file the byte lies that is loaded at this address; 0: nowhere. */
static uint64_t offset_of(const struct file *f, uint64_t address)
{
    for (unsigned i = 0; i < f->head.e_phnum; i++) {
        Elf64_Phdr p;

        header(f, i, &p);
        if (p.p_type == PT_LOAD && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz)
            return p.p_offset + (address - p.p_vaddr);
    }
    return 0;
}

static void take_entry(const struct file *f, const Elf64_Dyn *e, struct dynamic *d)
{
    switch (e->d_tag) {
    case DT_TEXTREL: d->textrel = true; break;
    case DT_FLAGS: d->textrel |= (e->d_un.d_val & DF_TEXTREL) != 0; break;
    case DT_FLAGS_1: d->pie |= (e->d_un.d_val & DF_1_PIE) != 0; break;
    case DT_STRTAB: d->strings = offset_of(f, e->d_un.d_ptr); break;
    case DT_STRSZ: d->strings_len = e->d_un.d_val; break;
    case DT_SYMTAB: d->symbols = offset_of(f, e->d_un.d_ptr); break;
    default: break;
    }
}

static void read_dynamic(const struct file *f, struct dynamic *d)
{
    memset(d, 0, sizeof(*d));
    for (unsigned i = 0; i < f->head.e_phnum; i++) {
        Elf64_Phdr p;

        header(f, i, &p);
        if (p.p_type == PT_DYNAMIC) {
            d->at = p.p_offset;
            d->n = p.p_filesz / sizeof(Elf64_Dyn);
        }
    }
    for (uint64_t i = 0; i < d->n; i++) {
        Elf64_Dyn e;

        if (!copy_out(f, d->at + i * sizeof(e), &e, sizeof(e)) || e.d_tag == DT_NULL)
            d->n = i;
        else
            take_entry(f, &e, d);
    }
    if (d->strings == 0 || d->strings > f->len)
        d->strings_len = 0;
    else if (d->strings_len > f->len - d->strings)
        d->strings_len = f->len - d->strings;
}

static int check_dynamic(const struct file *f, char why[ELF_WHY])
{
    struct dynamic d;

    read_dynamic(f, &d);
    if (d.n == 0)
        return refuse(why, "is not dynamic: it has nothing to tell the loader; " HOW_TO_BUILD);
    if (d.pie)
        return refuse(why, AN_EXECUTABLE);
    if (d.textrel)
        return refuse(why,
                      "has text relocations: its code would have to be written to, which no interpreter may do; compile it with -fPIC");
    return 0;
}

int elf_check(const void *bytes, size_t len, char why[ELF_WHY])
{
    struct file f = { .bytes = bytes, .len = len };
    int rc = check_head(&f, why);

    if (rc == 0)
        rc = check_type(&f, why);
    if (rc == 0)
        rc = check_segments(&f, why);
    if (rc == 0)
        rc = check_dynamic(&f, why);
    return rc;
}

/* ---- a job or a program -------------------------------------------------------------------------------------------------------- */

/* Segments that lie in the file, one at least that is loaded: what the kernel wants of a program. Its own affair is how it is mapped. */
static int check_program(const struct file *f, bool *ret_interpreted, char why[ELF_WHY])
{
    bool loads = false;

    *ret_interpreted = false;
    for (unsigned i = 0; i < f->head.e_phnum; i++) {
        Elf64_Phdr p;
        uint64_t end;

        header(f, i, &p);
        *ret_interpreted |= p.p_type == PT_INTERP;
        if (p.p_type != PT_LOAD && p.p_type != PT_INTERP)
            continue;
        if (__builtin_add_overflow(p.p_offset, p.p_filesz, &end) || end > f->len)
            return truncated(f, "segments", end, why);
        loads |= p.p_type == PT_LOAD;
    }
    return loads ? 0 : refuse(why, "has nothing in it that could be loaded");
}

/* Whether it defines a function of this name for others. The symbols have no count of their own; the names behind them end them. */
static bool exports(const struct file *f, const struct dynamic *d, const char *name)
{
    uint64_t end = d->strings > d->symbols ? d->strings : f->len;
    size_t size = strlen(name) + 1;

    if (d->symbols == 0)
        return false;
    for (uint64_t at = d->symbols; at + sizeof(Elf64_Sym) <= end; at += sizeof(Elf64_Sym)) {
        Elf64_Sym s;

        if (!copy_out(f, at, &s, sizeof(s)))
            return false;
        if (s.st_shndx != SHN_UNDEF && s.st_name < d->strings_len && size <= d->strings_len - s.st_name &&
            memcmp(f->bytes + d->strings + s.st_name, name, size) == 0)
            return true;
    }
    return false;
}

int elf_kind(const void *bytes, size_t len, enum elf_kind *ret_kind, char why[ELF_WHY])
{
    struct file f = { .bytes = bytes, .len = len };
    bool interpreted = false;
    struct dynamic d;
    int rc = check_head(&f, why);

    if (rc == 0)
        rc = check_program(&f, &interpreted, why);
    if (rc != 0)
        return rc;
    read_dynamic(&f, &d);
    if (f.head.e_type == ET_EXEC || d.pie)
        *ret_kind = ELF_PROGRAM;
    else
        *ret_kind = interpreted && !exports(&f, &d, "coop_job") ? ELF_PROGRAM : ELF_JOB;
    return 0;
}

bool elf_next_needed(const void *bytes, size_t len, size_t *at, const char **ret_name)
{
    struct file f = { .bytes = bytes, .len = len };
    struct dynamic d;

    if (!copy_out(&f, 0, &f.head, sizeof(f.head)))
        return false;
    read_dynamic(&f, &d);
    while (*at < d.n) {
        const char *name;
        Elf64_Dyn e;

        (void)copy_out(&f, d.at + (*at)++ * sizeof(e), &e, sizeof(e)); /* read_dynamic() has been there */
        if (e.d_tag != DT_NEEDED || e.d_un.d_val >= d.strings_len)
            continue;
        name = (const char *)f.bytes + d.strings + e.d_un.d_val;
        if (memchr(name, '\0', d.strings_len - e.d_un.d_val) == NULL)
            continue;
        *ret_name = name;
        return true;
    }
    return false;
}
