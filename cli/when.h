/*
 * when.h - a point in time as people write it.
 *
 * Side: host (CLI). Nothing is kept.
 */
#ifndef CLI_WHEN_H
#define CLI_WHEN_H

#include <stdint.h>

#define WHEN_FORMS "2026-11-23T18:30, 2026-11-23T18:30:00Z, 18:30, +90m"

/*
 * Microseconds since 1970 of: a date with a time, "2026-11-23T18:30[:05][Z|+01:00]" (a blank will do for the T; without a zone it is local),
 * a date alone (its first moment), "18:30[:05]" (the next time that the local clock shows it), "@SECONDS" since 1970, or "+90m", so long after now_us; "-2h" before it.
 * 0, or -EINVAL: it is none of them, or no such day.
 */
int when_parse(const char *text, uint64_t now_us, uint64_t *ret_us);

/* Now, on the wall clock. */
uint64_t when_now_us(void);

#endif
