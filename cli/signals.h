/*
 * signals.h - Ctrl-C as something to poll for.
 *
 * Side: host (CLI).
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

/* Blocks SIGINT and SIGTERM and gives a descriptor that reads as them; -errno on failure. */
int signals_hold(void);

/* The next signal that has arrived, or 0. */
int signals_next(int fd);

/* A reader that goes away is an error return (EPIPE) of write(2), not the end of us. */
void signals_ignore_pipe(void);

#endif
