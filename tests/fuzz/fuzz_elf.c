/* fuzz_elf.c - any bytes as a native job: refused with a sentence, or its libraries are listed, from bytes that are there. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char why[ELF_WHY] = "";
    int rc = elf_check(data, size, why);
    const char *name;
    size_t at = 0;

    if (rc != 0) {
        assert(rc == -ENOEXEC && memchr(why, '\0', ELF_WHY) != NULL && why[0] != '\0');
        return 0;
    }
    assert(elf_is(data, size));
    while (elf_next_needed(data, size, &at, &name))
        assert((const uint8_t *)name >= data && (const uint8_t *)name + strlen(name) < data + size);
    return 0;
}
