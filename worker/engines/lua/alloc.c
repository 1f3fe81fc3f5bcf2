/* alloc.c - see job.h. */
#include "worker/engines/lua/job.h"

#include <stdlib.h>

void *lua_job_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
    struct lua_memory *m = ud;
    void *p;

    if (block == NULL)
        old_size = 0; /* then it says what kind of object this is for */
    if (new_size == 0) {
        if (m->leaving)
            return NULL;
        if (block != m->first) /* that one has its own mapping, and goes with the process */
            free(block);
        m->used -= old_size;
        return NULL;
    }
    if (new_size > old_size && new_size - old_size > m->cap - (m->used < m->cap ? m->used : m->cap))
        return NULL; /* Lua collects garbage, asks once more, then raises "not enough memory" */
    p = realloc(block, new_size);
    if (p == NULL && new_size > old_size)
        return NULL;
    m->used += new_size - old_size;
    return p != NULL ? p : block; /* Lua counts on shrinking never to fail */
}
