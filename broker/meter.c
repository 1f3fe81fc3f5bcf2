/* meter.c - see meter.h. */
#include "broker/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "broker/small_file.h"

int meter_cpu(pid_t pid, uint64_t *ret_us)
{
    clockid_t clock;
    struct timespec t;

    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return -ESRCH;
    *ret_us = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
    return 0;
}

int meter_cpu_wall(pid_t pid, uint64_t *ret_seconds)
{
    char path[32], line[256];
    static const char label[] = "Max cpu time ";
    int rc = -ERANGE;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
    f = fopen(path, "re");
    if (f == NULL)
        return -ESRCH;
    while (fgets(line, sizeof(line), f) != NULL)
        if (strncmp(line, label, sizeof(label) - 1) == 0) {
            char *soft_end, *hard_end;

            strtoull(line + sizeof(label) - 1, &soft_end, 10);
            *ret_seconds = strtoull(soft_end, &hard_end, 10);
            rc = hard_end != soft_end ? 0 : -ERANGE;
            break;
        }
    fclose(f);
    return rc;
}

/* 0, or -ESRCH: it has ended. */
static int read_of(pid_t pid, const char *file, char *text, size_t size)
{
    char path[48];

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    return small_file_read(AT_FDCWD, path, text, size) > 0 ? 0 : -ESRCH;
}

int meter_resident(pid_t pid, uint64_t *ret_bytes)
{
    char text[128], *resident;

    if (read_of(pid, "statm", text, sizeof(text)) != 0)
        return -ESRCH;
    strtoull(text, &resident, 10); /* the first column is what is mapped */
    *ret_bytes = strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

/* What maps its pages: little, unless a program sees to it that each one has a table of its own. */
static uint64_t page_tables(pid_t pid)
{
    char text[4096], *at;

    if (read_of(pid, "status", text, sizeof(text)) != 0 || (at = strstr(text, "\nVmPTE:")) == NULL)
        return 0;
    return strtoull(at + 7, NULL, 10) * 1024;
}

int meter_held(pid_t pid, uint64_t *ret_bytes)
{
    unsigned long long resident, shared;
    char text[2048], *at;

    if (read_of(pid, "smaps_rollup", text, sizeof(text)) == 0 && (at = strstr(text, "\nPss:")) != NULL) {
        *ret_bytes = strtoull(at + 5, NULL, 10) * 1024 + page_tables(pid);
        return 0;
    }
    if (read_of(pid, "statm", text, sizeof(text)) != 0 || sscanf(text, "%*u %llu %llu", &resident, &shared) != 2)
        return -ESRCH;
    *ret_bytes = (resident > shared ? resident - shared : 0) * (uint64_t)sysconf(_SC_PAGESIZE) + page_tables(pid);
    return 0;
}

int meter_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written)
{
    char text[1024], *read_at, *write_at;

    if (read_of(pid, "io", text, sizeof(text)) != 0 || (read_at = strstr(text, "\nread_bytes:")) == NULL ||
        (write_at = strstr(text, "\nwrite_bytes:")) == NULL)
        return -ESRCH;
    *ret_read = strtoull(read_at + 12, NULL, 10);
    *ret_written = strtoull(write_at + 13, NULL, 10);
    return 0;
}
