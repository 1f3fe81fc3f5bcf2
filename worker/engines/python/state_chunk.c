/*
 * state_chunk.c - see state.h: the memory that frames lie in.
 *
 * CPython's first chunk of a state is 16 KiB, of which a tasklet that waits has touched a page. Ours is smaller, and whoever calls deeper gets CPython's
 * next ones. Those are mapped for each and unmapped when the call returns; a few are kept here, for whoever calls to and fro at a chunk's end.
 */
#include <errno.h>
#include <stdatomic.h>

#include "worker/engines/python/state.h"

enum {
    FIRST = 768 /* bytes: three to five frames */,
#if defined(COOP_ASAN)
    NEXT = 0, /* none is kept: AddressSanitizer is to know who looks into one that is gone */
#else
    NEXT = 16 << 10,
#endif
    KEEP = 64,
    ARENA = 1 << 20 /* not for frames; who asks has another way */
};

static PyObjectArenaAllocator below;
static void *kept[KEEP];
static unsigned n_kept;
static atomic_flag busy = ATOMIC_FLAG_INIT; /* a state may be deleted without the GIL */

static void *chunk_alloc(void *ctx, size_t size)
{
    void *chunk = NULL;

    (void)ctx;
    if (size == NEXT && !atomic_flag_test_and_set(&busy)) {
        if (n_kept > 0)
            chunk = kept[--n_kept];
        atomic_flag_clear(&busy);
    }
    if (chunk == NULL)
        chunk = below.alloc(below.ctx, size);
    if (chunk == NULL && size < ARENA)
        PyErr_NoMemory(); /* 3.11 forgets it where a call finds no room for its frame: a SystemError would come of it */
    return chunk;
}

static void chunk_free(void *ctx, void *chunk, size_t size)
{
    (void)ctx;
    if (size == FIRST) {
        PyMem_RawFree(chunk);
        return;
    }
    if (size == NEXT && !atomic_flag_test_and_set(&busy)) {
        if (n_kept < KEEP) {
            kept[n_kept++] = chunk;
            chunk = NULL;
        }
        atomic_flag_clear(&busy);
    }
    if (chunk != NULL)
        below.free(below.ctx, chunk, size);
}

void py_state_chunks_open(void)
{
    PyObjectArenaAllocator ours = { .alloc = chunk_alloc, .free = chunk_free };

    if (below.alloc != NULL)
        return;
    PyObject_GetArenaAllocator(&below);
    PyObject_SetArenaAllocator(&ours);
}

/* As the first it lives as long as its state. The first word is left out: so no frame begins where its end would be the chunk's. */
int py_state_give_chunk(PyThreadState *ts)
{
    _PyStackChunk *c = PyMem_RawCalloc(1, FIRST);

    if (c == NULL)
        return -ENOMEM;
    c->size = FIRST;
    ts->datastack_chunk = c;
    ts->datastack_top = &c->data[1];
    ts->datastack_limit = (PyObject **)(void *)((char *)c + FIRST);
    return 0;
}
