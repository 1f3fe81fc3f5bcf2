/*
 * policy.h - which system calls a sealed process may make: the profiles, as data.
 *
 * Side:   worker. Read by bpf.c (the program), by --explain-policy and docs (the reasons), and by a test that walks every number.
 * Rule:   the first row that holds decides (proto/policy_row.h). A number outside the known ones is answered ENOSYS, because a newer libc
 *         probes for newer calls. A foreign ABI (i386, x32) kills at once: there is no honest reason for it.
 */
#ifndef WORKER_POLICY_H
#define WORKER_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy_grant.h"
#include "policy_row.h"
#include "policy_text.h"

struct policy_gap {
    uint32_t first, last; /* numbers that no known call has */
};

struct policy {
    const char *name;
    const struct policy_row *rows;
    size_t n_rows;
    const struct policy_gap *gaps;
    size_t n_gaps;
    uint32_t newest; /* the highest number we know; above it: ENOSYS */
    enum policy_verdict
        unlisted;   /* VIOLATION: by SIGSYS, to the process itself. NOTIFY: by the listener. Also what a row's VIOLATION means */
    unsigned given; /* enum policy_given: rows that need more than this do not stand */
    /* A filter below this one, whose listener another process has, is asked first about the rows that say NOTIFY: policy_leave(). */
    bool asked_before;
};

#define POLICY_X32_BIT 0x40000000u /* set in the number of an x32 call */

/* The policy of a profile by name, or NULL. Nothing is given: struct policy p = *policy_find("exec"); p.given = ... */
const struct policy *policy_find(const char *profile);

/*
 * The rows of p that say NOTIFY, as a policy of their own that allows everything else: installed before p, with a listener, so that who has to pass
 * the listener on is not yet under p. *ret borrows from p; room: for p->n_rows rows, the caller's. Returns how many there are.
 */
size_t policy_leave(const struct policy *p, struct policy_row *room, struct policy *ret);

/* All profiles' names, NULL-terminated. */
extern const char *const policy_names[];

/*
 * The base with a user's rows (policy_text.h) before its own, so that they decide where they hold. They only add: allow what can be allowed at all
 * (policy_grant.h), or refuse what the base ends a job for, or refuses in another way. A row that would take away what the base allows is refused,
 * and so is every row for a profile that has no notifications: there the filter is the only wall. 0 with *ret for policy_free(), which keeps
 * what base points to; -EINVAL with why, naming line and column; -ENOMEM.
 */
int policy_merge(const struct policy *base, const char *rows_text, struct policy **ret, char why[POLICY_WHY]);
void policy_free(struct policy *p);

/* Prints every row with its reason, as policy_text.h reads them. */
void policy_explain(const struct policy *p, FILE *to);

#endif
