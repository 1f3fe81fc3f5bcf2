/* test_elf_check.c - files that are no jobs are told apart, whatever is wrong with them; and nothing is read beyond their end. */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elf_check.h"

/* The least that passes: one segment that holds all of it, a dynamic section, a name. */
struct least {
    Elf64_Ehdr head;
    Elf64_Phdr load, dynamic, stack;
    Elf64_Dyn entries[8];
    char strings[32];
};

static const struct least good = {
    .head = {.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
             .e_type = ET_DYN,
             .e_machine = EM_X86_64,
             .e_version = EV_CURRENT,
             .e_phoff = offsetof(struct least,                                                                                                                                                                                                                         load),
             .e_ehsize = sizeof(Elf64_Ehdr),
             .e_phentsize = sizeof(Elf64_Phdr),
             .e_phnum = 3 },
    .load = { .p_type = PT_LOAD,                                                         .p_flags = PF_R,                                  .p_filesz = sizeof(struct least),                                                                                           .p_memsz = sizeof(struct least)},
    .dynamic = { .p_type = PT_DYNAMIC,                                                      .p_flags = PF_R,.p_offset = offsetof(struct least,entries),.p_filesz = sizeof(good.entries)                                                                                                                                                                                                                      },
    .stack = { .p_type = PT_GNU_STACK,                                                                              .p_flags = PF_R | PF_W                       },
    .entries = { { DT_STRTAB, { offsetof(struct least, strings) } },
             { DT_STRSZ, { sizeof(good.strings) } },
             { DT_NEEDED, { 1 } },
             { DT_NEEDED, { 11 } },
             { DT_FLAGS, { DF_BIND_NOW } }},
    .strings = "\0libc.so.6\0libm.so.6",
};

static void refused(const void *bytes, size_t len, const char *why)
{
    char is[ELF_WHY] = "";
    void *exact = malloc(len > 0 ? len : 1); /* so that reading one byte more is found out */

    memcpy(exact, bytes, len);
    assert_int_equal(elf_check(exact, len, is), -ENOEXEC);
    if (strstr(is, why) == NULL)
        fail_msg("it says: %s; wanted: %s", is, why);
    free(exact);
}

static void the_least_shared_object_passes(void **state)
{
    char why[ELF_WHY];

    (void)state;
    assert_int_equal(elf_check(&good, sizeof(good), why), 0);
    assert_true(elf_is(&good, sizeof(good)));
}

static void what_it_needs_is_listed(void **state)
{
    const char *name = NULL;
    size_t at = 0;

    (void)state;
    assert_true(elf_next_needed(&good, sizeof(good), &at, &name));
    assert_string_equal(name, "libc.so.6");
    assert_true(elf_next_needed(&good, sizeof(good), &at, &name));
    assert_string_equal(name, "libm.so.6");
    assert_false(elf_next_needed(&good, sizeof(good), &at, &name));
}

static void names_that_lie_outside_are_not_there(void **state)
{
    struct least f = good;
    const char *name;
    size_t at = 0;

    (void)state;
    f.entries[2].d_un.d_val = sizeof(f.strings);
    f.entries[3].d_un.d_val = UINT64_MAX;
    assert_false(elf_next_needed(&f, sizeof(f), &at, &name));
    f = good;
    memset(f.strings, 'x', sizeof(f.strings)); /* no NUL */
    at = 0;
    assert_false(elf_next_needed(&f, sizeof(f), &at, &name));
    f = good;
    f.entries[0].d_un.d_ptr = UINT64_MAX - 1;
    f.entries[1].d_un.d_val = UINT64_MAX;
    at = 0;
    assert_false(elf_next_needed(&f, sizeof(f), &at, &name));
}

struct spoilt {
    size_t at, size;
    uint64_t value;
    const char *why;
};

#define CELL(field, value, why)                                                                                                            \
    {                                                                                                                                      \
        offsetof(struct least, field), sizeof(good.field), (value), (why)                                                                  \
    }

static void each_thing_that_is_wrong_is_named(void **state)
{
    static const struct spoilt rows[] = {
        CELL(head.e_ident[0], 'M', "is not an ELF file"),
        CELL(head.e_ident[EI_CLASS], ELFCLASS32, "32-bit"),
        CELL(head.e_ident[EI_DATA], ELFDATA2MSB, "this machine is x86-64"),
        CELL(head.e_machine, EM_AARCH64, "is built for aarch64, this machine is x86-64"),
        CELL(head.e_machine, EM_RISCV, "is built for riscv"),
        CELL(head.e_machine, 4711, "machine number 4711"),
        CELL(head.e_type, ET_EXEC, "is an executable"),
        CELL(head.e_type, ET_REL, "is an object file"),
        CELL(head.e_type, ET_CORE, "is a core dump"),
        CELL(head.e_type, 77, "unknown type 77"),
        CELL(head.e_phentsize, 8, "no program headers"),
        CELL(head.e_phnum, 0, "no program headers"),
        CELL(head.e_phnum, 60000, "is truncated: its program headers"),
        CELL(head.e_phoff, UINT64_MAX - 4, "is truncated: its program headers"),
        CELL(head.e_shoff, 1 << 30, "is truncated: its section headers"),
        CELL(head.e_shoff, UINT64_MAX, "is truncated: its section headers"),
        CELL(load.p_filesz, sizeof(good) + 1, "is truncated: its segments"),
        CELL(load.p_offset, UINT64_MAX, "is truncated: its segments"),
        CELL(load.p_memsz, 1, "is damaged"),
        CELL(load.p_flags, PF_R | PF_W | PF_X, "writable and executable"),
        CELL(load.p_type, PT_NOTE, "nothing in it that could be loaded"),
        CELL(dynamic.p_type, PT_NOTE, "is not dynamic"),
        CELL(dynamic.p_filesz, 0, "is not dynamic"),
        CELL(dynamic.p_offset, sizeof(good) - 8, "is truncated: its segments"),
        CELL(stack.p_flags, PF_R | PF_W | PF_X, "executable stack"),
        CELL(entries[2].d_tag, DT_TEXTREL, "has text relocations"),
        CELL(entries[4].d_un.d_val, DF_TEXTREL, "has text relocations"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct least f = good;

        memcpy((char *)&f + rows[i].at, &rows[i].value, rows[i].size); /* little-endian, as the file */
        refused(&f, sizeof(f), rows[i].why);
    }
}

static void a_position_independent_executable_is_an_executable(void **state)
{
    struct least f = good;

    (void)state;
    f.entries[2] = (Elf64_Dyn){ DT_FLAGS_1, { DF_1_PIE } };
    refused(&f, sizeof(f), "is an executable");
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(good); len++)
        refused(&good, len, len < SELFMAG ? "is not an ELF file" : "is truncated");
}

static void its_kind_is_not_told_of_a_file_that_is_cut(void **state)
{
    (void)state;
    for (size_t len = 0; len < sizeof(good); len++) {
        void *exact = malloc(len > 0 ? len : 1);
        char why[ELF_WHY];
        enum elf_kind kind;

        memcpy(exact, &good, len);
        assert_int_equal(elf_kind(exact, len, &kind, why), -ENOEXEC);
        free(exact);
    }
}

/* Symbols at the end of the file, or beyond, with names anywhere: looked at as far as they are there. */
static void symbols_that_lie_outside_are_not_there(void **state)
{
    static const uint64_t places[] = { 1, sizeof(good) - 25, sizeof(good) - 24, sizeof(good) - 23, sizeof(good) - 1 };
    struct least f = good;
    char why[ELF_WHY];
    enum elf_kind kind;

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        f.entries[4] = (Elf64_Dyn){ DT_SYMTAB, { places[i] } };
        f.stack.p_type = PT_INTERP;
        assert_int_equal(elf_kind(&f, sizeof(f), &kind, why), 0);
        assert_int_equal(kind, ELF_PROGRAM);
    }
}

/* Each byte, each value: an answer, and no byte read that is not there (the sanitizer's job, and malloc's). */
static void any_byte_may_be_anything(void **state)
{
    struct least *f = malloc(sizeof(*f));
    char why[ELF_WHY];
    enum elf_kind kind;

    (void)state;
    for (size_t at = 0; at < sizeof(*f); at++)
        for (unsigned value = 0; value < 256; value++) {
            const char *name;
            size_t next = 0;

            *f = good;
            ((unsigned char *)f)[at] = (unsigned char)value;
            (void)elf_kind(f, sizeof(*f), &kind, why);
            if (elf_check(f, sizeof(*f), why) != 0)
                continue;
            while (elf_next_needed(f, sizeof(*f), &next, &name))
                assert_in_range(strlen(name), 0, sizeof(f->strings));
        }
    free(f);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_shared_object_passes),
        cmocka_unit_test(what_it_needs_is_listed),
        cmocka_unit_test(names_that_lie_outside_are_not_there),
        cmocka_unit_test(each_thing_that_is_wrong_is_named),
        cmocka_unit_test(a_position_independent_executable_is_an_executable),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(its_kind_is_not_told_of_a_file_that_is_cut),
        cmocka_unit_test(symbols_that_lie_outside_are_not_there),
        cmocka_unit_test(any_byte_may_be_anything),
    };

    return cmocka_run_group_tests_name("elf_check", tests, NULL, NULL);
}
