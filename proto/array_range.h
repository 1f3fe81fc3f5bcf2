/*
 * array_range.h - "1-1000:2%20": the tasks of an array, as people write them and as numbers.
 *
 * Side:    both. The text is what a user typed; a message's numbers are anybody's.
 * Pure:    nothing is allocated, whatever the range.
 * Returns: 0 or -errno. -EINVAL: not a range; -ERANGE: a number that does not fit. why: one sentence, printable.
 */
#ifndef PROTO_ARRAY_RANGE_H
#define PROTO_ARRAY_RANGE_H

#include <stdint.h>

#include "job.pb-c.h"

#define ARRAY_RANGE_WHY  160
#define ARRAY_RANGE_TEXT 96

/* FROM-TO[:STEP][%PARALLEL], or N for one task; numbers are decimal, without sign. Sets all fields of *ret but its base. */
int array_range_parse(const char *text, Pb__ArrayRange *ret, char why[ARRAY_RANGE_WHY]);
/* Of a range that came in a message: to is not below from. */
int array_range_check(const Pb__ArrayRange *r, char why[ARRAY_RANGE_WHY]);
/* How many tasks a checked range has; UINT64_MAX when they are more than that. */
uint64_t array_range_count(const Pb__ArrayRange *r);
/* The index of its nth task, from 0; n is below the count. */
uint64_t array_range_index(const Pb__ArrayRange *r, uint64_t n);
/* As array_range_parse() takes it. Returns buf. */
char *array_range_format(const Pb__ArrayRange *r, char buf[ARRAY_RANGE_TEXT]);

#endif
