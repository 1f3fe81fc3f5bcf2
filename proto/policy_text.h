/*
 * policy_text.h - rows of a system call policy as text: how they are printed, and how they are read.
 *
 *   allow  CALL [if CONDITION [and CONDITION]...] [with GIVEN[, GIVEN]...]  # REASON
 *   refuse ERRNO CALL ...
 *   answer CALL ...
 *   end    CALL ...
 *
 * A CONDITION is about an argument: by its name (family), which is as wide as the kernel reads it, or by its place, arg0 to arg5, all 64 bits of
 * it, or arg0:32, the low half:
 *
 *   family == AF_UNIX           request & 0xff00 == 0x5400
 *   flags in MAP_PRIVATE|MAP_STACK     no bits but these
 *   flags has CLONE_VM|CLONE_THREAD    all of these
 *   flags lacks CLONE_NEWUSER          none of these
 *
 * A value is numbers and names with | between them; ~ turns it round, parentheses group. A reason is never left out. Lines that are empty or begin
 * with # say nothing.
 *
 * Side:    both.
 * Owned:   struct policy_text has its own memory: policy_text_finish().
 */
#ifndef PROTO_POLICY_TEXT_H
#define PROTO_POLICY_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "policy_row.h"

enum { POLICY_WHY = 320, POLICY_LINE = 512, POLICY_TEXT_MAX = 64 << 10, POLICY_TEXT_ROWS = 256, POLICY_REASON = 200 };

struct policy_text {
    struct policy_row *rows;
    unsigned *lines; /* where each row stood, from 1 */
    size_t n;
    char *reasons; /* what the rows' why points into */
};

/* Prints a row as a line, without a newline; cut at size, which POLICY_LINE is never too small for when the row was read. */
void policy_row_print(const struct policy_row *r, char *buf, size_t size);

/* Reads all rows. 0; -EINVAL with a why that names line and column; -ENOMEM. Nothing is owned on failure. */
int policy_text_read(const char *text, struct policy_text *ret_text, char why[POLICY_WHY]);
void policy_text_finish(struct policy_text *t);

/*
 * The same, and that each row is one that a user may add to a policy: allow and refuse only, nothing that is never allowed (policy_grant.h). What the
 * policy itself has to say is asked when they are added (policy_merge).
 */
int policy_text_check(const char *text, unsigned given, struct policy_text *ret_text, char why[POLICY_WHY]);

/* A row that would allow this call, as a user would write it. */
void policy_row_for_call(uint32_t nr, const uint64_t args[6], const char *reason, char *buf, size_t size);

#endif
