/*
 * units.h - sizes and times as people write them.
 *
 * Side:    both. Input is what a user typed.
 * Returns: 0 or -errno. -EINVAL: not a number with a known unit. -ERANGE: does not fit.
 */
#ifndef PROTO_UNITS_H
#define PROTO_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "64M", "1.5G", "512KiB", "4096": bytes. K M G T are powers of 1024, with or without a following "iB" or "B". */
int units_parse_size(const char *text, uint64_t *ret_bytes);

/* "2s", "1.5m", "300ms", "10us", "1h", "1d": microseconds. A bare number is seconds. */
int units_parse_duration(const char *text, uint64_t *ret_us);

/* Short human form ("64M", "1.2 MiB" never: one form, no spaces). buf of UNITS_BUF bytes; returns buf. */
#define UNITS_BUF 32
char *units_format_size(uint64_t bytes, char *buf);
char *units_format_duration(uint64_t us, char *buf);

#endif
