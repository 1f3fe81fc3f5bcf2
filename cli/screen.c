/* screen.c - see screen.h. */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "cli/follow.h"
#include "cli/text.h"

#define TO_PICTURE "\033[?1049h\033[?25l" /* the other page, no cursor */
#define TO_LINES   "\033[?25h\033[?1049l"

static struct termios before;
static sigset_t mask_before;
static bool drawing;
static int signal_fd = -1;

bool screen_possible(void)
{
    return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
}

static int take_signals(void)
{
    static const int taken[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        sigaddset(&set, taken[i]);
    if (sigprocmask(SIG_BLOCK, &set, &mask_before) != 0)
        return -errno;
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return signal_fd >= 0 ? 0 : -errno;
}

/* Keys come as they are typed and are not shown; Ctrl-C and Ctrl-Z stay signals. */
static int take_terminal(void)
{
    struct termios t = before;

    t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &t) != 0)
        return -errno;
    fputs(TO_PICTURE, stdout);
    fflush(stdout);
    drawing = true;
    return 0;
}

int screen_open(void)
{
    int rc = take_signals();

    if (rc == 0 && tcgetattr(STDIN_FILENO, &before) != 0)
        rc = -errno;
    if (rc != 0)
        return rc;
    atexit(screen_close);
    return take_terminal();
}

static void give_terminal(void)
{
    if (!drawing)
        return;
    drawing = false;
    fputs(TO_LINES, stdout);
    fflush(stdout);
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

void screen_close(void)
{
    give_terminal();
    if (signal_fd < 0)
        return;
    close(signal_fd);
    signal_fd = -1;
    (void)sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

/* At most so many columns of a line; a character counts as one. */
static void show_line(const char *line, size_t len, size_t columns)
{
    size_t at = 0;

    while (at < len && columns-- > 0) {
        size_t n = text_char_len(line + at, len - at);

        at += n > 0 ? n : 1;
    }
    fwrite(line, 1, at, stdout);
    fputs("\033[K", stdout);
}

void screen_show(const char *text)
{
    struct winsize w = { 0 };
    unsigned rows, row = 0;

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
    rows = w.ws_row > 0 ? w.ws_row : 24;
    fputs("\033[H", stdout);
    while (*text != '\0' && row < rows) {
        size_t len = strcspn(text, "\n");

        if (row++ > 0)
            fputs("\r\n", stdout);
        show_line(text, len, w.ws_col > 0 ? w.ws_col : 80);
        text += len + (text[len] == '\n');
    }
    fputs("\033[J", stdout);
    fflush(stdout);
}

/* Stops us as the shell expects, with its terminal as it was. */
static void stop(void)
{
    give_terminal();
    (void)raise(SIGSTOP);
    (void)take_terminal();
}

static enum screen_event on_signal(void)
{
    struct signalfd_siginfo info;

    if (read(signal_fd, &info, sizeof(info)) != sizeof(info))
        return SCREEN_REDRAW;
    if (info.ssi_signo == SIGTSTP)
        stop();
    return info.ssi_signo == SIGTSTP || info.ssi_signo == SIGCONT || info.ssi_signo == SIGWINCH ? SCREEN_REDRAW : SCREEN_QUIT;
}

static bool is_quit_typed(void)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

    return n <= 0 || memchr(keys, 'q', (size_t)n) != NULL || memchr(keys, 4, (size_t)n) != NULL;
}

enum screen_event screen_wait(int fd, uint64_t until_us)
{
    for (;;) {
        struct pollfd p[3];
        int rc;

        p[0] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
        p[1] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
        p[2] = (struct pollfd){ .fd = fd, .events = POLLIN };
        rc = poll(p, 3, follow_ms_until(until_us));
        if (rc == 0)
            return SCREEN_TIME;
        if (rc > 0 && p[1].revents != 0)
            return on_signal();
        if (rc > 0 && p[0].revents != 0 && is_quit_typed())
            return SCREEN_QUIT;
        if (rc > 0 && p[2].revents != 0)
            return SCREEN_READY;
    }
}
