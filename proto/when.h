/*
 * when.h - points in time as people write them.
 *
 * Side:    both.
 * Returns: 0 or -errno: -EINVAL, no such time (also one that a change of the clock leaves out); -ERANGE, before 1970 or after 9999.
 */
#ifndef PROTO_WHEN_H
#define PROTO_WHEN_H

#include <stdint.h>

#define WHEN_FORMS   "2026-11-23T18:30 (local time), 2026-11-23T18:30:00Z, 18:30, +90m"
#define WHEN_BUF     40
#define WHEN_LAST_US 253402300799999999ull /* the end of the year 9999 */

/*
 * "2026-11-23T04:00:00Z", with "+01:00" for the zone or none (local time), with a space for the T, without seconds or with a fraction of them,
 * or the date alone (its first moment); "04:00": the next time that the local clock shows it; "+30m" and "-2h": from now_us on, and before it;
 * "@SECONDS" since 1970. *ret_us: wall clock, microseconds since 1970.
 */
int when_parse(const char *text, uint64_t now_us, uint64_t *ret_us);

/* Now, on the wall clock. */
uint64_t when_now_us(void);

/* ISO 8601 in UTC, with as much of a fraction as there is. Returns buf. */
char *when_format(uint64_t us, char buf[WHEN_BUF]);

#endif
