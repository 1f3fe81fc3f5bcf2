/* fuzz_elf.c - any bytes as a native job, or a program: refused with a sentence, or its libraries are listed, from bytes that are there. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[ELF_WHY] = "";
    int rc;
    const char *name;
    enum elf_kind kind;
    size_t at = 0;

    if (elf_kind(data, size, &kind, why) == 0)
        assert(elf_is(data, size) && (kind == ELF_PROGRAM || kind == ELF_JOB));
    else
        assert(why[0] != '\0');
    rc = elf_check(data, size, why);
    if (rc != 0) {
        assert(rc == -ENOEXEC && memchr(why, '\0', ELF_WHY) != NULL && why[0] != '\0');
        return 0;
    }
    assert(elf_is(data, size));
    while (elf_next_needed(data, size, &at, &name))
        assert((const uint8_t *)name >= data && (const uint8_t *)name + strlen(name) < data + size);
    return 0;
}
