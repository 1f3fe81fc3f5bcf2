/*
 * run.h - starts a program with a given command line, environment, user and standard input, and hears everything it says.
 *
 * Side:    tests. One thread; whoever waits for one process does not read from the others meanwhile.
 * Owned:   a struct proc lives until support_release(), which also kills what still runs. It dies with the test program.
 * Blocks:  every wait is for an event (bytes, an end), at most SUPPORT_WAIT_MS without any; then the test fails and shows what was heard.
 */
#ifndef TESTS_SUPPORT_RUN_H
#define TESTS_SUPPORT_RUN_H

#include <stdbool.h>

#include "tests/support/support.h"

struct heard {
    char *bytes; /* a NUL stands behind the last one */
    size_t len, room;
};

enum proc_in { PROC_IN_NULL, PROC_IN_BYTES, PROC_IN_OPEN }; /* /dev/null; a pipe with bytes and an end; a pipe that the test holds */

struct proc_how {
    enum proc_in in;
    const void *bytes; /* with PROC_IN_BYTES, borrowed until the end */
    size_t len;
    const char *const *env; /* "NAME=VALUE" sets, "NAME" unsets; NULL-terminated, or NULL */
    uid_t uid;              /* 0: as we are; else a user that we, being root, become */
    bool err_is_terminal;
    bool unread;                          /* its output is not read until proc_read() */
    const char *err_file;                 /* standard error goes there, appended; heard err stays empty */
    int pass_fd;                          /* > 2: this descriptor of ours is the child's too */
    void (*before_exec)(const void *arg); /* in the child, last thing; may _exit */
    const void *arg;
};

struct proc {
    pid_t pid;
    int pidfd, in_fd, out_fd, err_fd; /* -1: closed */
    const char *in_bytes;             /* still to be written */
    size_t in_left;
    bool in_ends, unread;
    struct heard out, err;
    int code;         /* exit code, 128 + signal; -1 while it runs */
    const char *what; /* the command line, for messages */
    struct proc *next;
};

struct proc *proc_start(const struct proc_how *how, const char *const *argv);

/* Writes all of it / closes the pipe. */
void proc_write(struct proc *p, const void *bytes, size_t len);
void proc_close_in(struct proc *p);
void proc_read(struct proc *p); /* of an unread one: from now on */

/* Waits until a stream holds so many bytes; ending before that is a failure, as below. */
void proc_until_len(struct proc *p, const struct heard *h, size_t len);

/* Wait until a stream holds this text, and until the process has ended and both streams with it; the second returns the exit code. */
void proc_until(struct proc *p, const struct heard *h, const char *text);
int proc_end(struct proc *p);
void proc_kill(struct proc *p, int sig);

/* Whether this is a process that proc_start() started and that is not forgotten. */
bool proc_is_started(pid_t pid);

/* Waits until the process behind a pidfd is gone. The descriptor stays open. */
void proc_wait_gone(int pidfd);

/* proc_end() and: its code is this one, or the test fails and shows all that was heard. Returns p. */
#define proc_expect(p, code) proc_expect_at(__FILE__, __LINE__, p, code)
struct proc *proc_expect_at(const char *file, int line, struct proc *p, int code);

/* h has this text in it; has not; is exactly these bytes. */
#define expect_has(h, text)   heard_has_at(__FILE__, __LINE__, &(h), text, true)
#define expect_lacks(h, text) heard_has_at(__FILE__, __LINE__, &(h), text, false)
#define expect_text(h, text)  heard_is_at(__FILE__, __LINE__, &(h), text, (size_t)-1)
#define expect_bytes(h, b, n) heard_is_at(__FILE__, __LINE__, &(h), b, n)
void heard_has_at(const char *file, int line, const struct heard *h, const char *text, bool wanted);
void heard_is_at(const char *file, int line, const struct heard *h, const void *bytes, size_t len);

/* The text without the newline at its end. */
char *heard_line(const struct heard *h);

/* What a fixture prints beside a failure: the tail of its broker's log. */
extern void (*proc_on_failure)(void);

#endif
