/* caller.c - see caller.h. */
#include "worker/engines/exec/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/engine.h"
#include "worker/engines/exec/beneath.h"

/* A process may have 65,530 mappings, each with a path; what lies behind this much is not found. */
enum { MAPS_MAX = 8 << 20, LINE_MAX_BYTES = 8 << 10 };

static int open_of(int proc_fd, pid_t tid, const char *what)
{
    char name[64];

    snprintf(name, sizeof(name), "%d/%s", (int)tid, what);
    return beneath_open(proc_fd, name, O_RDONLY, 0);
}

static ssize_t read_some(int fd, char *into, size_t size)
{
    ssize_t n;

    do {
        n = read(fd, into, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* "Name:\tsh" and "Tgid:\t7": of short lines at the beginning. */
static void look_at_status(int proc_fd, pid_t tid, struct caller *c)
{
    char text[1024], *at, *end;
    int fd = open_of(proc_fd, tid, "status");
    ssize_t n = fd >= 0 ? read_some(fd, text, sizeof(text) - 1) : -1;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;
    text[n] = '\0';
    at = strstr(text, "\nTgid:\t");
    if (at != NULL)
        c->pid = (uint32_t)strtoul(at + 7, NULL, 10);
    end = strchr(text, '\n');
    if (end != NULL && strncmp(text, "Name:\t", 6) == 0)
        outcome_text(c->name, sizeof(c->name), text + 6, (size_t)(end - text) - 6);
}

static const char *skip_word(const char *at)
{
    at += strcspn(at, " ");
    return at + strspn(at, " ");
}

/* "start-end perms offset device inode    path", numbers in hex. True: ip lies in it. */
static bool is_in_line(const char *line, uint64_t ip, struct caller *c)
{
    uint64_t start, end, offset;
    const char *at = line;
    char *rest;

    start = strtoull(at, &rest, 16);
    if (*rest != '-')
        return false;
    end = strtoull(rest + 1, NULL, 16);
    if (ip < start || ip >= end)
        return false;
    at = skip_word(skip_word(at));
    offset = strtoull(at, NULL, 16);
    at = skip_word(skip_word(skip_word(at)));
    if (*at != '\0') {
        outcome_text(c->module, sizeof(c->module), at, strlen(at));
        c->offset = ip - start + offset;
    }
    return true;
}

/* Whole lines of text[0..len); returns how much of it they are, or -1 when ip was found. */
static ssize_t look_at_lines(char *text, size_t len, uint64_t ip, struct caller *c)
{
    size_t done = 0;
    char *end;

    while ((end = memchr(text + done, '\n', len - done)) != NULL) {
        *end = '\0';
        if (is_in_line(text + done, ip, c))
            return -1;
        done = (size_t)(end - text) + 1;
    }
    return (ssize_t)done;
}

static void look_at_maps(int proc_fd, pid_t tid, uint64_t ip, struct caller *c)
{
    static char text[LINE_MAX_BYTES * 2];
    size_t held = 0, total = 0;
    int fd = open_of(proc_fd, tid, "maps");

    while (fd >= 0 && total < MAPS_MAX) {
        ssize_t n = read_some(fd, text + held, sizeof(text) - held), done;

        if (n <= 0)
            break;
        total += (size_t)n;
        held += (size_t)n;
        done = look_at_lines(text, held, ip, c);
        if (done < 0 || (done == 0 && held == sizeof(text)))
            break; /* found; or a line longer than any path */
        held -= (size_t)done;
        memmove(text, text + done, held);
    }
    if (fd >= 0)
        close(fd);
}

void caller_look(int proc_fd, pid_t tid, uint64_t ip, struct caller *ret_c)
{
    memset(ret_c, 0, sizeof(*ret_c));
    ret_c->tid = (uint32_t)tid;
    if (proc_fd < 0)
        return;
    look_at_status(proc_fd, tid, ret_c);
    look_at_maps(proc_fd, tid, ip, ret_c);
}
