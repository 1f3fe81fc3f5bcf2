/* terminal.c - see terminal.h. */
#include "worker/engines/exec/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "worker/space_join.h"

enum { END_OF_INPUT = 4, SIZE_MAX_CELLS = 4096 }; /* ctrl-D, as a new terminal has it */

static unsigned char last_typed = '\n';

static void set_size(int fd, const Pb__TtySize *size)
{
    struct winsize w = { .ws_row = (unsigned short)(size->rows < SIZE_MAX_CELLS ? size->rows : SIZE_MAX_CELLS),
                         .ws_col = (unsigned short)(size->columns < SIZE_MAX_CELLS ? size->columns : SIZE_MAX_CELLS) };

    (void)ioctl(fd, TIOCSWINSZ, &w);
}

/* Without mounts (T2) the host's devpts serves: the terminal is nobody else's, but Landlock keeps its name out of the program's reach. */
static int open_master(void)
{
    int fd = open(space_now.entered ? "/dev/pts/ptmx" : "/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    return fd >= 0 ? fd : -errno;
}

/* The slave stays open here too: so the master never hangs up while the job lives, and what was printed last is still there to be read. */
int terminal_open(struct exec_job *j)
{
    int unlocked = 0;

    j->master = open_master();
    if (j->master < 0)
        return j->master;
    if (ioctl(j->master, TIOCSPTLCK, &unlocked) != 0)
        return -errno;
    j->slave = ioctl(j->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (j->slave < 0)
        return -errno;
    set_size(j->master, j->spec->tty);
    return 0;
}

void terminal_resize(struct exec_job *j, const Pb__TtySize *size)
{
    if (j->master >= 0)
        set_size(j->master, size);
}

void terminal_note_input(struct exec_job *j, unsigned char last)
{
    (void)j;
    last_typed = last;
}

/* Within a line the first one only pushes that out. */
bool terminal_end_input(struct exec_job *j)
{
    static const char end = END_OF_INPUT;

    if (last_typed != '\n' && write(j->master, &end, 1) == 1)
        last_typed = '\n';
    return last_typed == '\n' && write(j->master, &end, 1) == 1;
}
