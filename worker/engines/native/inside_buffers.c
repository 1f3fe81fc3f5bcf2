/* inside_buffers.c - see coop/interp.h: memory that is handed over. The broker makes it and hands us a descriptor, which we map and close. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/engines/native/inside.h"

static int refuse_null(const char *what)
{
    return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "%s: NULL", what);
}

/* Of the buffer in an answer: *ret is its memory. */
static int map_answered(struct ask *answered, const char *what, int protection, struct coop_handle *ret, void **ret_memory)
{
    int fd = ask_descriptor(answered), rc = 0;
    void *memory;

    inside_handle(ret, ask_answer(answered)->handle);
    if (fd < 0 || ret->bytes == 0)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_INTERNAL, "%s: the buffer has come without its memory", what);
    memory = mmap(NULL, ret->bytes, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        rc = inside_failed(-errno, what);
    else
        *ret_memory = memory;
    (void)close(fd);
    return rc;
}

int coop_buffer_new(uint64_t bytes, struct coop_handle *ret, void **ret_memory)
{
    Pb__BufferNew m = PB__BUFFER_NEW__INIT;
    Pb__Ask a = INSIDE_ASK(BUFFER_NEW, buffer_new, &m);
    struct coop_handle buffer;
    struct ask *answered;
    void *memory;
    int rc;

    if (ret == NULL || ret_memory == NULL)
        return refuse_null("buffer_new");
    m.bytes = bytes;
    rc = inside_ask(&a, PB__ANSWER__BODY_HANDLE, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    rc = map_answered(answered, "buffer_new", PROT_READ | PROT_WRITE, &buffer, &memory);
    ask_end(answered);
    if (rc != 0) {
        coop_cap_drop(&buffer);
        return rc;
    }
    *ret = buffer;
    *ret_memory = memory;
    return 0;
}

int coop_buffer_seal(const struct coop_handle *b, void *memory)
{
    Pb__BufferSeal m = PB__BUFFER_SEAL__INIT;
    Pb__Ask a = INSIDE_ASK(BUFFER_SEAL, buffer_seal, &m);
    Pb__Ref ref;

    if (b == NULL)
        return refuse_null("buffer_seal");
    if (memory != NULL && munmap(memory, b->bytes) != 0)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "buffer_seal: this is not its memory");
    inside_ref(&ref, b);
    m.buffer = &ref;
    return inside_ask_done(&a);
}

int coop_buffer_map(const struct coop_handle *b, const void **ret_memory)
{
    Pb__BufferMap m = PB__BUFFER_MAP__INIT;
    Pb__Ask a = INSIDE_ASK(BUFFER_MAP, buffer_map, &m);
    struct coop_handle buffer;
    struct ask *answered;
    void *memory;
    Pb__Ref ref;
    int rc;

    if (b == NULL || ret_memory == NULL)
        return refuse_null("buffer_map");
    inside_ref(&ref, b);
    m.buffer = &ref;
    rc = inside_ask(&a, PB__ANSWER__BODY_HANDLE, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    rc = map_answered(answered, "buffer_map", PROT_READ, &buffer, &memory);
    ask_end(answered);
    if (rc == 0)
        *ret_memory = memory;
    return rc;
}

int coop_buffer_unmap(const struct coop_handle *b, const void *memory)
{
    if (b == NULL || memory == NULL)
        return refuse_null("buffer_unmap");
    if (munmap((void *)memory, b->bytes) != 0)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "buffer_unmap: this is not its memory");
    return 0;
}
