/*
 * policy_grant.h - what no row of a user's can allow, and why.
 *
 * Side:    both. The broker refuses such a row when a job is submitted, the worker again when it adds the rows; under --learn such a call is
 *          not let through either.
 * Returns: texts are constants.
 */
#ifndef PROTO_POLICY_GRANT_H
#define PROTO_POLICY_GRANT_H

#include <stdbool.h>
#include <stdint.h>

#include "policy_row.h"

/* Whether the call may be allowed at all, whatever its arguments. */
bool policy_may_be_granted(uint32_t nr);

/* Whether the call may be allowed with these arguments, given (enum policy_given) what is given. *ret_why: when not; may be NULL. */
bool policy_call_may_be_granted(uint32_t nr, const uint64_t args[6], unsigned given, const char **ret_why);

/* Whether an ALLOW row covers no call that may not be allowed. *ret_why: when it does. */
bool policy_row_may_be_granted(const struct policy_row *r, unsigned given, const char **ret_why);

/* Whether a call exists that both rows speak of. */
bool policy_rows_meet(const struct policy_row *a, const struct policy_row *b);

/* Whether all of the row's conditions hold. */
bool policy_row_holds(const struct policy_row *r, const uint64_t args[6]);

#endif
