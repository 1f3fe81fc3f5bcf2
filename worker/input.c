/* input.c - see input.h. */
#include "worker/input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "worker/inbound.h"
#include "worker/link.h"
#include "worker/output.h"
#include "worker/serve.h"

enum { INPUT_ASK = 64 << 10 }; /* bytes per request */

static struct {
    Pb__StdinMode mode;
    const uint8_t *at;
    size_t left;
    int ended;
    int asked;          /* and not answered */
    struct frame piece; /* holds the bytes at `at`, with STREAM */
} input;

void input_begin(const Pb__JobSpec *spec)
{
    input.mode = spec->stdin_mode;
    input.ended = input.mode != PB__STDIN_MODE__STDIN_MODE_STREAM;
    if (input.mode == PB__STDIN_MODE__STDIN_MODE_INLINE) {
        input.at = spec->stdin_data.data;
        input.left = spec->stdin_data.len;
    }
}

void input_forked(void)
{
    memset(&input, 0, sizeof(input)); /* what its parent has read is its parent's */
}

int input_is_empty(void)
{
    return input.left == 0 && !input.ended;
}

void input_ask(void)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__StdinWant want = PB__STDIN_WANT__INIT;

    if (input.asked)
        return;
    output_flush();
    want.max = INPUT_ASK;
    m.body_case = PB__FROM_WORKER__BODY_STDIN_WANT;
    m.stdin_want = &want;
    link_send(&m);
    input.asked = 1;
}

int input_answer(struct frame *f)
{
    const Pb__ToWorker *m = (const Pb__ToWorker *)f->msg;

    if (m->body_case != PB__TO_WORKER__BODY_STDIN_DATA || !input.asked)
        return -EPROTO;
    frame_release(&input.piece);
    input.piece = *f;
    input.asked = 0;
    input.at = m->stdin_data->data.data;
    input.left = m->stdin_data->data.len;
    input.ended = m->stdin_data->eof;
    return 0;
}

int input_look(const uint8_t **ret_bytes, size_t *ret_len)
{
    *ret_bytes = input.at;
    *ret_len = input.left;
    return input_is_empty() ? -EAGAIN : input.left > 0;
}

/* What has come is the answer: the broker sends nothing else that is read as that. */
static void take_answer(void)
{
    struct frame f;
    int rc = inbound_take(&inbound_stdin, &f);

    if (rc == -ENOMEM)
        inbound_no_memory();
    if (rc != 0 || input_answer(&f) != 0)
        _exit(70); /* the broker does not keep to the protocol */
}

int input_await(int64_t deadline)
{
    struct inbound *const in = &inbound_stdin;
    int rc = inbound_park(&in, 1, deadline, "stdin");

    if (rc == 0)
        take_answer();
    return rc;
}

static int ask_and_stay(void)
{
    struct inbound *const in = &inbound_stdin;
    int rc;

    if (serve_cancelled())
        return -ECANCELED;
    input_ask();
    rc = inbound_stay(&in, 1, COOP_NEVER);
    if (rc == 0)
        take_answer();
    return rc;
}

int input_peek(const uint8_t **ret_bytes, size_t *ret_len)
{
    while (input_is_empty()) {
        int rc = ask_and_stay();

        if (rc != 0)
            return rc;
    }
    *ret_bytes = input.at;
    *ret_len = input.left;
    return input.left > 0;
}

void input_take(size_t n)
{
    input.at += n;
    input.left -= n;
}
