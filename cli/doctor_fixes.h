/*
 * doctor_fixes.h - what to do about a probe that failed, as one table.
 *
 * Side: host (CLI). The probes are those of coopd --doctor and coop-worker --probe.
 */
#ifndef CLI_DOCTOR_FIXES_H
#define CLI_DOCTOR_FIXES_H

/* The row's text, "" when there is none. */
const char *doctor_fix_of(const char *probe, const char *error);

#endif
