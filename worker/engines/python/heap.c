/*
 * heap.c - see heap.h.
 *
 * CPython puts objects side by side into pages of its own, where one that is gone looks like any other, and PYTHONMALLOC is nothing to an interpreter that is
 * isolated. Its functions to free and to resize tell their pages from malloc()'s by the address, and hand the latter on: so what it has made before goes to
 * them, and what is new comes from malloc().
 */
#if defined(COOP_ASAN)
#include <Python.h>
#include <malloc.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "worker/engines/python/heap.h"

extern int __sanitizer_get_ownership(const volatile void *p); /* gcc does not bring allocator_interface.h, where it is */

enum { DOMAINS = PYMEM_DOMAIN_OBJ + 1, LARGE = 2 << 10, SMALL_ONES = 256 << 10, ARENA = 1 << 20 /* bytes */ };

static PyMemAllocatorEx before[DOMAINS];                              /* by domain */
static const PyMemAllocatorEx *const raw = &before[PYMEM_DOMAIN_RAW]; /* it is malloc() */
static PyObjectArenaAllocator arenas;
static atomic_size_t used, most = SIZE_MAX; /* bytes */

static bool is_mallocs(void *p)
{
    return p == NULL || __sanitizer_get_ownership(p);
}

/* As with malloc()'s own memory: where no room is left for one more of those that are large, there is some for what is said of it. */
static bool fits(size_t more)
{
    size_t now = atomic_load(&used) + (more >= LARGE ? SMALL_ONES : 0), limit = atomic_load(&most);

    return limit == SIZE_MAX || (more < limit && now <= limit - more);
}

static void *counted(void *p)
{
    atomic_fetch_add(&used, malloc_usable_size(p));
    return p;
}

static void *heap_malloc(void *domain, size_t size)
{
    (void)domain;
    return fits(size) ? counted(raw->malloc(raw->ctx, size)) : NULL;
}

static void *heap_calloc(void *domain, size_t n, size_t size)
{
    (void)domain;
    return fits(size != 0 && n > SIZE_MAX / size ? SIZE_MAX : n * size) ? counted(raw->calloc(raw->ctx, n, size)) : NULL;
}

/* What CPython's own moves out of its pages is malloc()'s by heap_malloc(). */
static void *heap_realloc(void *domain, void *p, size_t size)
{
    const PyMemAllocatorEx *own = domain;
    size_t old = is_mallocs(p) ? malloc_usable_size(p) : 0;
    void *moved;

    if (!is_mallocs(p))
        return own->realloc(own->ctx, p, size);
    moved = size <= old || fits(size - old) ? raw->realloc(raw->ctx, p, size) : NULL;
    if (moved != NULL)
        atomic_fetch_sub(&used, old);
    return counted(moved);
}

static void heap_free(void *domain, void *p)
{
    const PyMemAllocatorEx *own = is_mallocs(p) ? raw : domain;

    if (own == raw)
        atomic_fetch_sub(&used, malloc_usable_size(p));
    own->free(own->ctx, p);
}

/* What frames lie in, but not the pages of objects. */
static void *chunk_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return size < ARENA ? PyMem_RawMalloc(size) : arenas.alloc(arenas.ctx, size);
}

static void chunk_free(void *ctx, void *chunk, size_t size)
{
    (void)ctx;
    if (is_mallocs(chunk))
        PyMem_RawFree(chunk);
    else
        arenas.free(arenas.ctx, chunk, size);
}

void python_heap_watch(void)
{
    PyObject_GetArenaAllocator(&arenas);
    PyObject_SetArenaAllocator(&(PyObjectArenaAllocator){ .alloc = chunk_alloc, .free = chunk_free });
    for (int d = 0; d < DOMAINS; d++)
        PyMem_GetAllocator((PyMemAllocatorDomain)d, &before[d]);
    for (int d = 0; d < DOMAINS; d++)
        PyMem_SetAllocator(
            (PyMemAllocatorDomain)d,
            &(PyMemAllocatorEx){
                .ctx = &before[d], .malloc = heap_malloc, .calloc = heap_calloc, .realloc = heap_realloc, .free = heap_free });
}

/*
 * Called before each function of ours that does not return, so that who jumps over frames takes their words of poison along. Nobody does: they end the
 * process, or leave a stack that is made anew (sanitize_start()). The runtime's own asks libc where the stack of the process is, which opens a file: there is
 * none in here, and in a handler of SIGSYS nobody could be told so.
 */
__attribute__((visibility("hidden"))) void __asan_handle_no_return(void)
{
}

void python_heap_sealed_soon(void)
{
    __sanitizer_sandbox_arguments none = { 0 };

    __sanitizer_sandbox_on_notify(&none);
}

void python_heap_limit(uint64_t bytes)
{
    atomic_store(&most, bytes > 0 ? atomic_load(&used) + bytes : SIZE_MAX);
}
#else
typedef int nothing_without_a_sanitizer;
#endif
