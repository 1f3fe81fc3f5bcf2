/* buffers.c - shared memory: made by the broker, mapped here. See include/coop/client.h. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <coop/exit_codes.h>

#include "client/start.h"

/* ---- answers ----------------------------------------------------------------------------------------------------------------------- */

/* The descriptor that came along is the op's, which closes it. */
static int map(struct coop_op *op, const Pb__Handle *h, int protection, struct coop_result *ret, struct coop_error *why)
{
    struct coop_buffer *b = &ret->buffer;
    struct stat st;

    if (op->call.fd < 0)
        return coop_error_set(why, EMFILE, COOP_EXIT_PLATFORM, "the buffer's descriptor did not come: are there any left?");
    if (fstat(op->call.fd, &st) != 0 || (uint64_t)st.st_size < h->bytes)
        return coop_error_set(why, EPROTO, COOP_EXIT_PROTOCOL, "the buffer is shorter than it is said to be");
    if (h->bytes > 0)
        b->at = mmap(NULL, h->bytes, protection, MAP_SHARED, op->call.fd, 0);
    if (b->at == MAP_FAILED) {
        b->at = NULL;
        return coop_error_set(why, errno, COOP_EXIT_PLATFORM, "cannot map the buffer: %s", strerror(errno));
    }
    handle_of_pb(&b->handle, h);
    b->len = h->bytes;
    b->writable = (protection & PROT_WRITE) != 0;
    return 0;
}

static int read_new(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    return map(op, body, PROT_READ | PROT_WRITE, ret, why);
}

static int read_map(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    return map(op, body, PROT_READ, ret, why);
}

static int read_handles(struct coop_op *op, const void *body, struct coop_result *ret, struct coop_error *why)
{
    const Pb__HandleListed *l = body;
    int rc = start_array((void **)&ret->handles.items, l->n_handles, sizeof(*ret->handles.items), why);

    (void)op;
    for (size_t i = 0; rc == 0 && i < l->n_handles; i++) {
        struct coop_grant *g = &ret->handles.items[i];

        ret->handles.n = i + 1;
        if (l->handles[i]->handle != NULL)
            handle_of_pb(&g->handle, l->handles[i]->handle);
        g->name = strdup(l->handles[i]->name);
        rc = g->name == NULL ? start_no_memory(why) : 0;
    }
    return rc;
}

void coop_handle_list_free(struct coop_handle_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((char *)l->items[i].name);
    free(l->items);
    *l = (struct coop_handle_list){ NULL, 0 };
}

/* clang-format off */
static const struct op_kind kind_new  = { true, PB__ANSWER__BODY_HANDLE,  COOP_RESULT_BUFFER,  read_new,     NULL, NULL };
static const struct op_kind kind_map  = { true, PB__ANSWER__BODY_HANDLE,  COOP_RESULT_BUFFER,  read_map,     NULL, NULL };
static const struct op_kind kind_list = { true, PB__ANSWER__BODY_HANDLES, COOP_RESULT_HANDLES, read_handles, NULL, NULL };
/* clang-format on */

/* ---- new, seal, map -------------------------------------------------------------------------------------------------------------- */

static int start_new(struct start *s, size_t len)
{
    Pb__BufferNew m = PB__BUFFER_NEW__INIT;

    m.bytes = len;
    return start_ask(s, PB__ASK__BODY_BUFFER_NEW, &m, false, &kind_new);
}

int coop_buffer_new(struct coop_client *c, size_t len, int64_t timeout_us, struct coop_buffer *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_new(&s, len), &r);

    if (rc == 0)
        *ret = r.buffer;
    return rc;
}

int coop_buffer_new_begin(struct coop_client *c, size_t len, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_new(&s, len), ret);
}

void coop_buffer_unmap(struct coop_buffer *b)
{
    if (b->at != NULL)
        munmap(b->at, b->len);
    b->at = NULL;
}

static int start_seal(struct start *s, const struct coop_handle *buffer)
{
    Pb__BufferSeal m = PB__BUFFER_SEAL__INIT;
    Pb__Ref ref;

    m.buffer = ref_of_handle(&ref, buffer);
    return start_ask(s, PB__ASK__BODY_BUFFER_SEAL, &m, false, &op_done);
}

int coop_buffer_seal(struct coop_client *c, struct coop_buffer *b, int64_t timeout_us, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    int rc;

    coop_buffer_unmap(b);
    rc = start_wait_done(&s, start_seal(&s, &b->handle));
    if (rc == 0)
        b->writable = false;
    return rc;
}

int coop_buffer_seal_begin(struct coop_client *c, const struct coop_handle *buffer, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_seal(&s, buffer), ret);
}

static int start_map(struct start *s, const struct coop_handle *buffer)
{
    Pb__BufferMap m = PB__BUFFER_MAP__INIT;
    Pb__Ref ref;

    m.buffer = ref_of_handle(&ref, buffer);
    return start_ask(s, PB__ASK__BODY_BUFFER_MAP, &m, false, &kind_map);
}

int coop_buffer_map(struct coop_client *c, const struct coop_handle *buffer, int64_t timeout_us, struct coop_buffer *ret,
                    struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_map(&s, buffer), &r);

    if (rc == 0)
        *ret = r.buffer;
    return rc;
}

int coop_buffer_map_begin(struct coop_client *c, const struct coop_handle *buffer, int64_t timeout_us, struct coop_op **ret,
                          struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_map(&s, buffer), ret);
}

/* ---- lists ----------------------------------------------------------------------------------------------------------------------- */

static int start_buffers(struct start *s)
{
    Pb__BufferList m = PB__BUFFER_LIST__INIT;

    return start_ask(s, PB__ASK__BODY_BUFFER_LIST, &m, false, &kind_list);
}

int coop_buffer_list(struct coop_client *c, int64_t timeout_us, struct coop_handle_list *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_buffers(&s), &r);

    if (rc == 0)
        *ret = r.handles;
    return rc;
}

int coop_buffer_list_begin(struct coop_client *c, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_buffers(&s), ret);
}

static int start_handles(struct start *s)
{
    Pb__HandleList m = PB__HANDLE_LIST__INIT;

    return start_ask(s, PB__ASK__BODY_HANDLE_LIST, &m, false, &kind_list);
}

int coop_handle_list(struct coop_client *c, int64_t timeout_us, struct coop_handle_list *ret, struct coop_error *why)
{
    struct start s = START_BLOCKING(c, timeout_us, why);
    struct coop_result r;
    int rc = start_wait(&s, start_handles(&s), &r);

    if (rc == 0)
        *ret = r.handles;
    return rc;
}

int coop_handle_list_begin(struct coop_client *c, int64_t timeout_us, struct coop_op **ret, struct coop_error *why)
{
    struct start s = START_ASYNC(c, timeout_us, why);

    return start_give(&s, start_handles(&s), ret);
}
