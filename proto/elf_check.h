/*
 * elf_check.h - is this file a program of this machine, or a shared object that its interpreters could load? And if not, why, in
 * words for its author.
 *
 * Side:    both: the command asks before it sends a job, the worker, which believes nobody, before it hands the bytes to libc's loader.
 *          The broker never looks into one.
 * Owned:   nothing is allocated or kept; what a call returns lies in the caller's bytes or is constant.
 * Rule:    what is refused here is refused by name, because the loader or the seal would refuse it without one. It is no promise that the
 *          file loads, and nothing depends on it for safety: loader and file are inside the seal.
 */
#ifndef PROTO_ELF_CHECK_H
#define PROTO_ELF_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum { ELF_WHY = 256 };

/* Whether it begins like any ELF file. */
bool elf_is(const void *bytes, size_t len);

/* What people call a machine of this e_machine, constant; NULL: not known by name. */
const char *elf_machine_name(unsigned machine);

/* 0, or -ENOEXEC with a sentence that goes on after the file's name: "is an executable; ...". */
int elf_check(const void *bytes, size_t len, char why[ELF_WHY]);

/*
 * What a file of this machine is for: a program of its own (an executable, also a position-independent one, or a shared object that names
 * a loader and no coop_job(), as libc does), or a job to be loaded. 0, or -ENOEXEC with a sentence as above: another machine, truncated.
 */
enum elf_kind { ELF_PROGRAM, ELF_JOB };
int elf_kind(const void *bytes, size_t len, enum elf_kind *ret_kind, char why[ELF_WHY]);

/*
 * The libraries it says it needs, by name, in turn: *ret_name lies in bytes and ends with a NUL. at starts with 0. False: no more. The
 * file must have passed elf_check().
 */
bool elf_next_needed(const void *bytes, size_t len, size_t *at, const char **ret_name);

#endif
