/* log.c - see log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *log_program = "coop";
static enum log_level log_least = LOG_LEVEL_INFO;

/* clang-format off */
static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_DEBUG] = "debug",
};
/* clang-format on */

void log_init(const char *program, enum log_level level)
{
    log_program = program;
    log_least = level;
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    struct timespec now;
    struct tm tm;
    size_t n;
    va_list ap;

    if (level > log_least)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(line, sizeof(line), "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(line + n, sizeof(line) - n, ".%03ldZ %s level=%s event=%s ", now.tv_nsec / 1000000, log_program,
                          level_names[level], event);
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - n, fmt, ap);
    va_end(ap);
    n = strlen(line);
    if (n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    if (write(STDERR_FILENO, line, n) < 0)
        return; /* nobody reads; there is nowhere to say so */
}

char *log_escape(char *buf, size_t size, const void *text, size_t len)
{
    const unsigned char *p = text;
    size_t n = 0;

    for (size_t i = 0; i < len && n + 5 <= size; i++) {
        if (p[i] < 0x20 || p[i] > 0x7e || p[i] == '"' || p[i] == '\\')
            n += (size_t)snprintf(buf + n, size - n, "\\x%02x", p[i]);
        else
            buf[n++] = (char)p[i];
    }
    buf[n < size ? n : size - 1] = '\0';
    return buf;
}
