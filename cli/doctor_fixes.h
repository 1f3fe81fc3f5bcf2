/*
 * doctor_fixes.h - what to do about a probe that failed, as one table.
 *
 * Side: host (CLI). The probes are those of coopd --doctor and coop-worker --probe.
 */
#ifndef CLI_DOCTOR_FIXES_H
#define CLI_DOCTOR_FIXES_H

#include <stddef.h>

struct doctor_fix {
    const char *probe;
    const char *error; /* this one only; NULL: any other */
    const char *fix;   /* commands as they are typed, where there are some */
};

extern const struct doctor_fix doctor_fixes[];
extern const size_t doctor_fix_count;

/* The row's text, "" when there is none. */
const char *doctor_fix_of(const char *probe, const char *error);

#endif
