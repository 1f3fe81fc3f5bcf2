/*
 * inside_call.h - an ask whose answer is the result of a call.
 *
 * Side: worker. Returns: 0 or -errno, told.
 */
#ifndef NATIVE_INSIDE_CALL_H
#define NATIVE_INSIDE_CALL_H

#include "worker/engines/native/inside.h"

/* ret_value may be NULL. */
int inside_result(Pb__Ask *a, coop_val **ret_value);

#endif
