/*
 * policy_rows.h - how the tables of policy_*.c are written.
 *
 * Side: worker. An int argument: the kernel looks at the low 32 bits only, so must we. A long argument: it looks at all 64, so must we.
 */
#ifndef WORKER_POLICY_ROWS_H
#define WORKER_POLICY_ROWS_H

#include <sys/syscall.h>

#include "worker/policy.h"

#ifndef __x86_64__
#error "the system call policy knows x86-64 only"
#endif

#define POLICY_INT 0xffffffffu

/* The call, verdict and error; _IF: only where this is given. */
#define SYS(x)                   __NR_##x, #x
#define ALLOW(x)                 SYS(x), POLICY_ALLOW, 0, 0
#define ALLOW_IF(given, x)       SYS(x), POLICY_ALLOW, 0, given
#define REFUSE(x, err)           SYS(x), POLICY_REFUSE, err, 0
#define REFUSE_IF(given, x, err) SYS(x), POLICY_REFUSE, err, given
#define ANSWER(x)                SYS(x), POLICY_ANSWER, 0, 0
#define ASK(x)                   SYS(x), POLICY_NOTIFY, 0, 0
#define END(x)                   SYS(x), POLICY_VIOLATION, 0, 0
#define END_IF(given, x)         SYS(x), POLICY_VIOLATION, 0, given

/* Conditions, one to three in braces; ANY for none. Bits above an int's mask are cut from its value. */
#define ANY                                                                                                                                \
    {                                                                                                                                      \
        {                                                                                                                                  \
            0, 0, 0                                                                                                                        \
        }                                                                                                                                  \
    }
#define IF(...)                                                                                                                            \
    {                                                                                                                                      \
        __VA_ARGS__                                                                                                                        \
    }
#define INT_IS(i, v)                                                                                                                       \
    {                                                                                                                                      \
        i, POLICY_INT, (uint32_t)(v)                                                                                                       \
    }
#define INT_IN(i, bits)                                                                                                                    \
    {                                                                                                                                      \
        i, POLICY_INT & ~(uint32_t)(bits), 0                                                                                               \
    }
#define INT_BUT(i, but, v)                                                                                                                 \
    {                                                                                                                                      \
        i, POLICY_INT & ~(uint32_t)(but), (uint32_t)(v)                                                                                    \
    }
#define INT_LACKS(i, bits)                                                                                                                 \
    {                                                                                                                                      \
        i, (uint32_t)(bits), 0                                                                                                             \
    }
#define INT_HAS(i, bits)                                                                                                                   \
    {                                                                                                                                      \
        i, (uint32_t)(bits), (uint32_t)(bits)                                                                                              \
    }
#define LONG_IS(i, v)                                                                                                                      \
    {                                                                                                                                      \
        i, ~(uint64_t)0, (uint64_t)(v)                                                                                                     \
    }
#define LONG_IN(i, bits)                                                                                                                   \
    {                                                                                                                                      \
        i, ~(uint64_t)(bits), 0                                                                                                            \
    }
#define LONG_BUT(i, but, v)                                                                                                                \
    {                                                                                                                                      \
        i, ~(uint64_t)(but), (uint64_t)(v)                                                                                                 \
    }
#define LONG_HAS(i, bits)                                                                                                                  \
    {                                                                                                                                      \
        i, (uint64_t)(bits), (uint64_t)(bits)                                                                                              \
    }

struct policy_table {
    const char *name;
    const struct policy_row *rows;
    size_t n_rows;
    enum policy_verdict unlisted;
};

#define POLICY_TABLE(profile, table, what_else)                                                                                            \
    {                                                                                                                                      \
        profile, table, sizeof(table) / sizeof((table)[0]), what_else                                                                      \
    }

extern const struct policy_table policy_table_lua, policy_table_native, policy_table_compute, policy_table_python, policy_table_exec,
    policy_table_init, policy_table_lua_template, policy_table_python_template;

#endif
