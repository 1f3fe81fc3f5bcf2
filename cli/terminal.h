/*
 * terminal.h - our terminal, lent to a job that has one of its own (--tty): raw while the job runs, as it was at every end.
 *
 * Side:  host (CLI). There is one, on standard input; so is this. Nothing is allocated.
 * Order: terminal_check(), terminal_raw(), ..., terminal_restore(). The last may come twice.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdint.h>

#include <coop/client.h>

/* Standard input and output are one terminal each, and ours to change now. 0 or -EINVAL with why. */
int terminal_check(struct coop_error *why);

/* Of standard output; 24 by 80 where it does not know. Never 0, never above LIMITS_TTY. */
void terminal_size(uint32_t *ret_rows, uint32_t *ret_columns);

/* Every key goes to the job, every byte of the job's to the screen. 0 or -errno. */
int terminal_raw(void);
void terminal_restore(void);

/* "\r\n" while it is raw, which does not go to the line's start by itself, else "\n"; constant. */
const char *terminal_line_end(void);

#endif
