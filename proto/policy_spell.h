/*
 * policy_spell.h - words of the text form that both its halves spell alike.
 *
 * Side: both; private to policy_print.c and policy_text.c.
 */
#ifndef PROTO_POLICY_SPELL_H
#define PROTO_POLICY_SPELL_H

#include <stdint.h>

#include "policy_row.h"

#define ALL_64 (~(uint64_t)0)
#define LOW_32 ((uint64_t)0xffffffff)

struct policy_given_name {
    const char *name;
    unsigned bit;
};

enum { N_GIVENS = 7 };

extern const struct policy_given_name policy_givens[N_GIVENS];
extern const char *const policy_verdict_names[POLICY_VERDICTS]; /* NULL: not in a row */

#endif
