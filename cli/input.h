/*
 * input.h - our standard input (or a file) as the job's: read when the broker has taken what was read before, sent at an offset.
 *
 * Side:    host (CLI); part of follow.c's loop, which polls and calls.
 * Why an offset: a repeated StdinWrite is harmless, so a broker that went away and came back is asked again.
 */
#ifndef CLI_INPUT_H
#define CLI_INPUT_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/say.h"

enum { INPUT_CHUNK = 64 << 10 };

struct input {
    struct coop_client *client;
    const char *id;
    int fd;        /* -1: nothing streams */
    int64_t start; /* where fd stood at first; -1: it cannot be read again */
    uint64_t base; /* offset of bytes[0] in the stream: all before it is the broker's */
    size_t have;
    bool eof;           /* fd has ended */
    bool told_eof;      /* and the broker knows */
    bool closed;        /* the job does not read, or has ended */
    bool probe;         /* ask the broker where it stands, even without news */
    struct coop_op *op; /* of a StdinWrite that is under way */
    uint8_t bytes[INPUT_CHUNK];
};

enum input_verdict { INPUT_GOES_ON, INPUT_CANNOT_REPEAT, INPUT_FAILED };

/* Opens a connection of its own. 0, or the exit code after having said why. fd < 0: does nothing. */
int input_start(struct input *in, const struct command *c, const char *id, int fd);

void input_finish(struct input *in);

/* Two entries for poll(2): the connection and, when there is room, the file. fd -1 where nothing is awaited. */
void input_poll(const struct input *in, struct pollfd p[2]);

/* After poll(2). INPUT_CANNOT_REPEAT: the job starts again and what it has read is gone. INPUT_FAILED: why says. */
enum input_verdict input_step(struct input *in, const struct pollfd p[2], struct coop_error *why);

/* The job runs again: find out what the broker still has of its input. */
void input_rewind(struct input *in);

#endif
