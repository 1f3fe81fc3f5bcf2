/*
 * syscall_names.h - the system calls of x86-64, by number and by name.
 *
 * Side: both. Constant; nothing to free.
 */
#ifndef PROTO_SYSCALL_NAMES_H
#define PROTO_SYSCALL_NAMES_H

#include <stdint.h>

enum { SYSCALL_NEWEST = 450 }; /* set_mempolicy_home_node, Linux 5.17 */

/* NULL: no call that is known here has this number. */
const char *syscall_name(uint32_t nr);

/* -1: none has this name. */
int syscall_number(const char *name);

/* All names, NULL-terminated: for nearest_word(). */
const char *const *syscall_all_names(void);

#endif
