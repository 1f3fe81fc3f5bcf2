/*
 * packed_fit.c - see packed.h: values that are too large for a message lie in a sealed buffer, which goes along in their place.
 *
 * Nothing of the engine's is called while one is made: it may be in the middle of anything, and only waits.
 */
#include "worker/packed.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "coop/task.h"
#include "worker/asks.h"

/* What the broker said to it. */
static int refused(const Pb__CallFailure *f, size_t len, struct packed_error *e)
{
    bool not_allowed = f->error == PB__CALL_ERROR__CALL_ERROR_NOT_ALLOWED || f->error == PB__CALL_ERROR__CALL_ERROR_UNSUPPORTED;

    e->error = not_allowed ? PB__CALL_ERROR__CALL_ERROR_TOO_BIG : f->error;
    if (not_allowed)
        snprintf(e->message, sizeof(e->message),
                 "the value takes %zu bytes: more than %d travel in a buffer, and it has not that capability; see --cap buffers=SIZE", len,
                 VALUE_BYTES);
    else
        snprintf(e->message, sizeof(e->message), "%s", f->message);
    return -1;
}

/* Fills the memory that came along. */
static int fill(struct ask *a, const struct packed *p)
{
    int fd = ask_descriptor(a);
    void *at = MAP_FAILED;

    if (fd >= 0) {
        at = mmap(NULL, p->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        (void)close(fd);
    }
    if (at == MAP_FAILED)
        return -ENOMEM;
    memcpy(at, p->cbor, p->len);
    (void)munmap(at, p->len);
    return 0;
}

static int make(struct packed *p, struct packed_error *e)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__BufferNew m = PB__BUFFER_NEW__INIT;
    const Pb__Answer *answer;
    struct ask *made;
    int rc;

    m.bytes = p->len;
    a.body_case = PB__ASK__BODY_BUFFER_NEW;
    a.buffer_new = &m;
    rc = ask_and_wait(&a, COOP_NEVER, &made);
    if (rc != 0)
        return rc;
    answer = ask_answer(made);
    if (answer->body_case == PB__ANSWER__BODY_FAILURE) {
        rc = refused(answer->failure, p->len, e);
    } else if (answer->body_case == PB__ANSWER__BODY_HANDLE) {
        p->whole = answer->handle->handle; /* packed_finish() drops it */
        rc = fill(made, p);
    } else {
        rc = -EPROTO;
    }
    ask_end(made);
    return rc;
}

static int seal(const struct packed *p, struct packed_error *e)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__BufferSeal m = PB__BUFFER_SEAL__INIT;
    Pb__Ref ref = PB__REF__INIT;
    struct ask *made;
    int rc;

    ref.handle = p->whole;
    m.buffer = &ref;
    a.body_case = PB__ASK__BODY_BUFFER_SEAL;
    a.buffer_seal = &m;
    rc = ask_and_wait(&a, COOP_NEVER, &made);
    if (rc != 0)
        return rc;
    if (ask_answer(made)->body_case == PB__ANSWER__BODY_FAILURE)
        rc = refused(ask_answer(made)->failure, p->len, e);
    ask_end(made);
    return rc;
}

int packed_fit(struct packed *p, const char *root, struct packed_error *e)
{
    int rc;

    if (p->len <= VALUE_BYTES)
        return 0;
    e->error = PB__CALL_ERROR__CALL_ERROR_NONE;
    snprintf(e->path, sizeof(e->path), "%s", root);
    rc = make(p, e);
    if (rc == 0)
        rc = seal(p, e);
    return e->error != PB__CALL_ERROR__CALL_ERROR_NONE ? -EBADMSG : rc;
}
