/*
 * syscall_words.h - names for what system calls are given: which argument is which, and what its bits mean.
 *
 * Side:    both: policies are printed and read with these names, receipts describe calls with them.
 * Returns: texts are cut to fit, always NUL-terminated.
 */
#ifndef PROTO_SYSCALL_WORDS_H
#define PROTO_SYSCALL_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <limits.h>
#undef WORD_BIT /* X/Open has one, in limits.h */

enum word_kind {
    WORD_ONE_OF, /* one value of what is left when the bits of WORD_BIT are taken away */
    WORD_BIT,    /* one bit, or a few that stand together */
    WORD_ALONE   /* ONE_OF, but not together with bits: PROT_NONE */
};

struct word {
    const char *name;
    uint64_t value;
    enum word_kind kind;
};

enum arg_width {
    ARG_INT, /* the kernel looks at the low 32 bits */
    ARG_LONG /* at all 64; also addresses and sizes */
};

/* How an argument is called and written. words: ends with a name NULL; itself NULL when there are only numbers. */
struct arg_words {
    const char *name; /* NULL: the call has no more arguments */
    enum arg_width width;
    const struct word *words;
};

enum { CALL_ARGS = 6, CALL_TEXT = 512 };

struct call_words {
    uint32_t nr;
    struct arg_words args[CALL_ARGS];
    int selects; /* the argument that makes other calls of it: a family, a command; -1: none does */
};

/* NULL: nothing is known of its arguments but that they are numbers. */
const struct call_words *call_words_find(uint32_t nr);

/* Any of the words, by name: a constant has the same value whichever call it is for. False: there is none. */
bool word_value(const char *name, uint64_t *ret_value);

/* All of them, NULL-terminated: for nearest_word(). */
const char *const *word_all_names(void);

/* "AF_INET", "MAP_PRIVATE|MAP_ANONYMOUS", "0x1234"; a: NULL for a mere number. */
void word_print(const struct arg_words *a, uint64_t value, char *buf, size_t size);

/* The same for bits that are looked at, or are not: no word for one of many values stands among them. */
void word_print_mask(const struct arg_words *a, uint64_t mask, char *buf, size_t size);

/* Whether 0 is one of the values that have a word, as FUTEX_WAIT is. */
bool word_names_zero(const struct arg_words *a);

/*
 * A call that a policy ended a job for, in words that its owner can act on: "socket(AF_INET, SOCK_STREAM, 0) is not in profile exec; see --cap
 * net=loopback; ...". given: enum policy_given, so that nothing is advised that cannot be had there. arch: AUDIT_ARCH_*. args: six, as they were when it was made; what pointers point to is not looked at.
 */
void policy_describe_call(uint32_t arch, uint32_t nr, const uint64_t args[CALL_ARGS], const char *profile, unsigned given, char *buf,
                          size_t size);

/* "x86_64", "i386", "x32" or "unknown". */
const char *policy_abi_name(uint32_t arch, uint32_t nr);

#endif
