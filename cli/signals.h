/*
 * signals.h - Ctrl-C as something to poll for.
 *
 * Side: host (CLI).
 */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

/*
 * Blocks SIGINT and SIGTERM and gives a descriptor that reads as them; -errno on failure. terminal: also what could end or stop us while
 * the terminal is not as it was (SIGHUP, SIGQUIT), and what changes it (SIGWINCH, SIGCONT).
 */
int signals_hold(bool terminal);

/* The next signal that has arrived, or 0. */
int signals_next(int fd);

/* A reader that goes away is an error return (EPIPE) of write(2), not the end of us. */
void signals_ignore_pipe(void);

#endif
