/* streams.c - see streams.h. */
#include "worker/engines/exec/streams.h"

#include <errno.h>
#include <unistd.h>

#include "worker/engines/exec/loop.h"
#include "worker/engines/exec/terminal.h"
#include "worker/input.h"
#include "worker/output.h"

enum { PIECE = 64 << 10, EXIT_PROTOCOL = 70 };

int streams_forward(struct exec_job *j, int fd, Pb__Stream id)
{
    static uint8_t piece[PIECE];
    ssize_t n;

    (void)j;
    do {
        n = read(fd, piece, sizeof(piece));
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? -EAGAIN : 0; /* EIO: nobody has the terminal any more */
    if (n == 0)
        return 0;
    return output_put(id, piece, (size_t)n) == 0 ? 1 : -EFBIG;
}

void streams_close_input(struct exec_job *j)
{
    if (j->in < 0)
        return;
    if (j->in == j->master) {
        loop_want_write(j, j->master, false);
    } else {
        loop_forget(j, j->in);
        close(j->in);
    }
    j->in = -1;
}

/* SIGPIPE is ignored: a program that has closed its input is told by EPIPE. */
static bool write_some(struct exec_job *j, const uint8_t *bytes, size_t len)
{
    ssize_t n = write(j->in, bytes, len);

    if (n > 0) {
        terminal_note_input(j, bytes[n - 1]);
        input_take((size_t)n);
        return true;
    }
    if (errno != EAGAIN && errno != EINTR)
        streams_close_input(j);
    return true;
}

bool streams_feed(struct exec_job *j)
{
    const uint8_t *bytes;
    size_t len;
    int rc = input_look(&bytes, &len);

    if (rc > 0)
        return write_some(j, bytes, len);
    if (rc < 0)
        input_ask(); /* once: until it is answered this does nothing */
    else if (j->in != j->master || terminal_end_input(j))
        streams_close_input(j);
    return rc == 0;
}

void streams_answer(struct exec_job *j, struct frame *f)
{
    if (input_answer(f) != 0)
        _exit(EXIT_PROTOCOL);
    if (j->in >= 0)
        loop_want_write(j, j->in, true);
}

/* Past the limit there is nothing more to be had of it. */
static int drain(struct exec_job *j, int fd, Pb__Stream id)
{
    int rc = fd >= 0 ? 1 : 0;

    while (rc > 0)
        rc = streams_forward(j, fd, id);
    return rc == -EFBIG ? rc : 0;
}

int streams_drain(struct exec_job *j)
{
    int out = drain(j, j->out, PB__STREAM__STREAM_STDOUT), err = drain(j, j->err, PB__STREAM__STREAM_STDERR);

    return out != 0 ? out : err;
}
