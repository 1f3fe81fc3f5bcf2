/* terminal.c - see terminal.h. */
#include "cli/terminal.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "job_limits.h"

#include <coop/exit_codes.h>

enum { ROWS = 24, COLUMNS = 80 };

static struct termios before;
static bool changed;

#define refuse(why, ...) coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)

int terminal_check(struct coop_error *why)
{
    if (isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1) {
        refuse(why, "--tty: standard %s is no terminal", isatty(STDIN_FILENO) != 1 ? "input" : "output");
        coop_error_hint(why, "without --tty the job has pipes");
        return -EINVAL;
    }
    if (tcgetpgrp(STDIN_FILENO) != getpgrp())
        return refuse(why, "--tty: another program has the terminal now; run this in the foreground");
    return 0;
}

static uint32_t settled(unsigned value, unsigned otherwise)
{
    return value == 0 ? otherwise : value > LIMITS_TTY ? LIMITS_TTY : value;
}

void terminal_size(uint32_t *ret_rows, uint32_t *ret_columns)
{
    struct winsize w = { 0 };

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
    *ret_rows = settled(w.ws_row, ROWS);
    *ret_columns = settled(w.ws_col, COLUMNS);
}

int terminal_raw(void)
{
    struct termios raw;

    if (!changed && tcgetattr(STDIN_FILENO, &before) != 0)
        return -errno;
    if (!changed)
        atexit(terminal_restore);
    changed = true;
    raw = before;
    cfmakeraw(&raw);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0 ? 0 : -errno;
}

const char *terminal_line_end(void)
{
    return changed ? "\r\n" : "\n";
}

/* Waits for what is still to be shown, and leaves what was typed too early to the shell. */
void terminal_restore(void)
{
    if (changed)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    changed = false;
}
