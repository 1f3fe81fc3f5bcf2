/* inside_buffers.c - see coop/interp.h: memory that is handed over. The broker makes it and hands us a descriptor, which we map and
 * close. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/engines/native/inside.h"

static int refuse_null(const char *what)
{
    return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "%s: NULL", what);
}

/* Of the buffer in an answer. */
static int map_answered(struct ask *answered, const char *what, bool writable, struct coop_buffer *ret)
{
    int fd = ask_descriptor(answered), rc = 0;
    void *memory;

    inside_handle(&ret->handle, ask_answer(answered)->handle);
    ret->len = ret->handle.bytes;
    ret->writable = writable;
    if (fd < 0 || ret->len == 0)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_INTERNAL, "%s: the buffer has come without its memory", what);
    memory = mmap(NULL, ret->len, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        rc = inside_failed(-errno, what);
    else
        ret->at = memory;
    (void)close(fd);
    return rc;
}

int coop_buffer_new(size_t len, struct coop_buffer *ret)
{
    Pb__BufferNew m = PB__BUFFER_NEW__INIT;
    Pb__Ask a = INSIDE_ASK(BUFFER_NEW, buffer_new, &m);
    struct coop_buffer made = { .at = NULL };
    struct ask *answered;
    int rc;

    if (ret == NULL)
        return refuse_null("buffer_new");
    m.bytes = len;
    rc = inside_ask(&a, PB__ANSWER__BODY_HANDLE, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    rc = map_answered(answered, "buffer_new", true, &made);
    ask_end(answered);
    if (rc == 0)
        *ret = made;
    else
        coop_handle_drop(&made.handle);
    return rc;
}

int coop_buffer_seal(struct coop_buffer *b)
{
    Pb__BufferSeal m = PB__BUFFER_SEAL__INIT;
    Pb__Ask a = INSIDE_ASK(BUFFER_SEAL, buffer_seal, &m);
    Pb__Ref ref;
    int rc;

    if (b == NULL)
        return refuse_null("buffer_seal");
    coop_buffer_unmap(b);
    inside_ref(&ref, &b->handle);
    m.buffer = &ref;
    rc = inside_ask_done(&a);
    if (rc == 0)
        b->writable = false;
    return rc;
}

int coop_buffer_map(const struct coop_handle *buffer, struct coop_buffer *ret)
{
    Pb__BufferMap m = PB__BUFFER_MAP__INIT;
    Pb__Ask a = INSIDE_ASK(BUFFER_MAP, buffer_map, &m);
    struct coop_buffer made = { .at = NULL };
    struct ask *answered;
    Pb__Ref ref;
    int rc;

    if (buffer == NULL || ret == NULL)
        return refuse_null("buffer_map");
    inside_ref(&ref, buffer);
    m.buffer = &ref;
    rc = inside_ask(&a, PB__ANSWER__BODY_HANDLE, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    rc = map_answered(answered, "buffer_map", false, &made);
    ask_end(answered);
    if (rc == 0)
        *ret = made;
    return rc;
}

void coop_buffer_unmap(struct coop_buffer *b)
{
    if (b == NULL || b->at == NULL)
        return;
    (void)munmap(b->at, b->len);
    b->at = NULL;
}
