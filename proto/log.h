/*
 * log.h - one line per event on standard error: fields, never prose with holes.
 *
 * Side: broker, zygote, worker before its seal. Words of a worker or a user go through log_escape() first.
 */
#ifndef PROTO_LOG_H
#define PROTO_LOG_H

#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Who speaks ("coopd", "zygote"), and the least severe level that is printed. Call once, at start. */
void log_init(const char *program, enum log_level level);

/* log_event(LOG_LEVEL_INFO, "refused", "worker=%llu msg=%s", id, name): time, program, event, then the fields. One write(2). */
__attribute__((format(printf, 3, 4))) void log_event(enum log_level level, const char *event, const char *fmt, ...);

/* Copies at most size-1 bytes of text into buf, with control characters, quotes and bytes over 0x7e as \xNN. Returns buf. */
char *log_escape(char *buf, size_t size, const void *text, size_t len);

#endif
