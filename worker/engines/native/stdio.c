/* stdio.c - see stdio.h. */
#include "worker/engines/native/stdio.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "worker/input.h"
#include "worker/link.h"
#include "worker/output.h"

static const Pb__Stream streams[] = {
    [STDOUT_FILENO] = PB__STREAM__STREAM_STDOUT,
    [STDERR_FILENO] = PB__STREAM__STREAM_STDERR,
};

static bool is_output(uint64_t fd)
{
    return (int)fd == STDOUT_FILENO || (int)fd == STDERR_FILENO;
}

/* At most what is there: a read that waits for more than it needs would stall a dialogue. */
static ssize_t take_input(void *into, size_t size)
{
    static pthread_mutex_t one_reader = PTHREAD_MUTEX_INITIALIZER;
    const uint8_t *bytes;
    size_t len;
    int rc;

    pthread_mutex_lock(&one_reader);
    rc = input_peek(&bytes, &len);
    if (rc > 0) {
        if (len > size)
            len = size;
        memcpy(into, bytes, len);
        input_take(len);
    }
    pthread_mutex_unlock(&one_reader);
    return rc > 0 ? (ssize_t)len : rc;
}

/* ---- libc's streams ------------------------------------------------------------------------------------------------------------- */

static ssize_t read_stdin(void *cookie, char *into, size_t size)
{
    ssize_t n;

    (void)cookie;
    fflush(stdout); /* a question stands before its answer is waited for */
    n = take_input(into, size);
    if (n < 0) {
        errno = (int)-n;
        return -1;
    }
    return n;
}

static ssize_t write_stream(void *cookie, const char *bytes, size_t len)
{
    output_write(*(const Pb__Stream *)cookie, bytes, len);
    return (ssize_t)len;
}

/* fileno() works: C++ streams that are not in step with C's write to the number. */
static FILE *stream_new(int fd, const char *mode, cookie_io_functions_t io, int buffering)
{
    FILE *f = fopencookie((void *)&streams[fd], mode, io);

    if (f == NULL || setvbuf(f, NULL, buffering, BUFSIZ) != 0)
        return NULL;
    f->_fileno = fd;
    return f;
}

int stdio_replace(void)
{
    FILE *in = stream_new(STDIN_FILENO, "r", (cookie_io_functions_t){ .read = read_stdin }, _IOFBF);
    FILE *out = stream_new(STDOUT_FILENO, "w", (cookie_io_functions_t){ .write = write_stream }, _IOLBF);
    FILE *err = stream_new(STDERR_FILENO, "w", (cookie_io_functions_t){ .write = write_stream }, _IONBF);

    if (in == NULL || out == NULL || err == NULL)
        return -ENOMEM;
    stdin = in;
    stdout = out;
    stderr = err;
    return 0;
}

/* ---- the calls themselves ------------------------------------------------------------------------------------------------------- */

/* What goes round libc's buffer is not held back in ours either. */
static long answer_write(uint64_t fd, const void *bytes, size_t len)
{
    if (!is_output(fd))
        return -EBADF;
    output_write(streams[(int)fd], bytes, len);
    if ((int)fd == STDOUT_FILENO)
        output_flush();
    return (long)len;
}

static long answer_writev(uint64_t fd, const struct iovec *iov, uint64_t n)
{
    long total = 0;

    if (!is_output(fd))
        return -EBADF;
    if (n > IOV_MAX)
        return -EINVAL;
    for (uint64_t i = 0; i < n; i++)
        total += answer_write(fd, iov[i].iov_base, iov[i].iov_len);
    return total;
}

bool stdio_answer(long nr, const uint64_t args[6], long *ret_result)
{
    void *memory = (void *)(uintptr_t)args[1];

    switch (nr) {
    case SYS_write: *ret_result = answer_write(args[0], memory, args[2]); return true;
    case SYS_writev: *ret_result = answer_writev(args[0], memory, args[2]); return true;
    case SYS_read: *ret_result = (int)args[0] == STDIN_FILENO ? take_input(memory, args[2]) : -EBADF; return true;
    case SYS_close: *ret_result = -EBADF; return true;
    default: return false;
    }
}
