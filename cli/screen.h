/*
 * screen.h - the terminal as a picture that is drawn again and again; it is as it was before at every end of ours that we see coming.
 *
 * Side:   host (CLI). There is one, on standard input and output.
 * Order:  screen_open(), then screen_show() and screen_wait(), screen_close(). The last may come twice, and comes by itself at exit.
 */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/* Standard input and output are terminals. */
bool screen_possible(void);

/* Takes signals that end or stop us for itself. 0 or -errno. */
int screen_open(void);
void screen_close(void);

/* Lines, of which as many and as much of each is shown as there is room for. */
void screen_show(const char *text);

enum screen_event {
    SCREEN_TIME,   /* until_us has come */
    SCREEN_READY,  /* fd polls readable */
    SCREEN_REDRAW, /* it has another size, or is ours again */
    SCREEN_QUIT,   /* q, Ctrl-C, its end */
};

/* until_us: of follow_now_us(). fd: -1: none. */
enum screen_event screen_wait(int fd, uint64_t until_us);

#endif
