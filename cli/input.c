/* input.c - see input.h. */
#include "cli/input.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <coop/exit_codes.h>

int input_start(struct input *in, const struct command *c, const char *id, int fd)
{
    struct stat st;

    memset(in, 0, offsetof(struct input, bytes));
    in->id = id;
    in->fd = fd;
    in->start = -1;
    if (fd < 0)
        return 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        in->start = lseek(fd, 0, SEEK_CUR);
    return say_open(c, &in->client);
}

void input_finish(struct input *in)
{
    coop_op_free(in->op);
    in->op = NULL;
    coop_client_close(in->client);
    in->client = NULL;
}

void input_poll(const struct input *in, struct pollfd p[2])
{
    bool room = in->fd >= 0 && !in->closed && !in->eof && in->op == NULL && in->have == 0;

    p[0] = (struct pollfd){ .fd = in->client != NULL ? coop_client_fd(in->client) : -1, .events = POLLIN };
    p[1] = (struct pollfd){ .fd = room ? in->fd : -1, .events = POLLIN };
}

static int read_some(struct input *in, struct coop_error *why)
{
    ssize_t n = read(in->fd, in->bytes, sizeof(in->bytes));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return 0;
    if (n < 0)
        return coop_error_set(why, errno, COOP_EXIT_TEMPORARY, "cannot read the job's input: %s", strerror(errno));
    in->have = (size_t)n;
    in->eof = n == 0;
    return 0;
}

static bool has_news(const struct input *in)
{
    return in->fd >= 0 && !in->closed && in->op == NULL && (in->have > 0 || in->probe || (in->eof && !in->told_eof));
}

static int send_some(struct input *in, struct coop_error *why)
{
    Pb__StdinWrite w = PB__STDIN_WRITE__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    int rc;

    w.id = (char *)in->id;
    w.offset = in->base;
    w.data.data = in->bytes;
    w.data.len = in->have;
    w.eof = in->eof;
    req.body_case = PB__REQUEST__BODY_STDIN_WRITE;
    req.stdin_write = &w;
    rc = ask_begin(in->client, &req, COOP_NO_LIMIT, &in->op, why);
    return rc == -ECONNRESET ? 0 : rc; /* once connected again, the descriptor wakes us and this is sent again */
}

/* Everything from the start once more, when that can be had. */
static enum input_verdict read_again(struct input *in)
{
    if (in->start < 0 || lseek(in->fd, in->start, SEEK_SET) < 0)
        return INPUT_CANNOT_REPEAT;
    in->base = 0;
    in->have = 0;
    in->eof = in->told_eof = false;
    return INPUT_GOES_ON;
}

static enum input_verdict on_answer(struct input *in, const Pb__StdinReply *r)
{
    uint64_t taken;

    in->probe = false;
    if (r->closed) {
        in->closed = true;
        return INPUT_GOES_ON;
    }
    if (r->offset < in->base)
        return read_again(in);
    taken = r->offset - in->base;
    if (taken > in->have)
        taken = in->have; /* more than was sent: a broker that errs; believe no more than we sent */
    memmove(in->bytes, in->bytes + taken, in->have - taken);
    in->base += taken;
    in->have -= taken;
    in->told_eof = in->eof && in->have == 0;
    return INPUT_GOES_ON;
}

/* A job that has ended meanwhile is no failure of the input: the log tells the rest. */
static enum input_verdict on_reply(struct input *in, struct coop_error *why)
{
    enum input_verdict verdict = INPUT_GOES_ON;
    struct frame reply;
    int rc;

    (void)coop_client_step(in->client);
    rc = in->op != NULL ? ask_end(&in->op, &reply, why) : -EINPROGRESS;
    if (rc == -EINPROGRESS || rc == -ECONNRESET)
        return INPUT_GOES_ON;
    if (rc != 0)
        return INPUT_FAILED;
    if (ask_check(&reply, PB__REPLY__BODY_STDIN_WRITE, why) == 0)
        verdict = on_answer(in, ((const Pb__Reply *)reply.msg)->stdin_write);
    else if (why->exit_code == COOP_EXIT_CONFLICT || why->exit_code == COOP_EXIT_NOT_FOUND)
        in->closed = true;
    else
        verdict = INPUT_FAILED;
    frame_release(&reply);
    return verdict;
}

enum input_verdict input_step(struct input *in, const struct pollfd p[2], struct coop_error *why)
{
    enum input_verdict verdict = INPUT_GOES_ON;

    if (p[0].fd >= 0 && p[0].revents != 0)
        verdict = on_reply(in, why);
    if (verdict == INPUT_GOES_ON && p[1].fd >= 0 && p[1].revents != 0 && read_some(in, why) != 0)
        verdict = INPUT_FAILED;
    if (verdict == INPUT_GOES_ON && has_news(in) && send_some(in, why) != 0)
        verdict = INPUT_FAILED;
    if (verdict != INPUT_GOES_ON)
        in->closed = true;
    return verdict;
}

void input_rewind(struct input *in)
{
    in->probe = true;
    in->closed = false;
    in->told_eof = false;
}
