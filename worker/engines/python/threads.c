/* threads.c - see threads.h. */
#include "worker/engines/python/threads.h"

#include <Python.h>

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "worker/engines/python/reserve.h"

enum { STACK = 1 << 20 }; /* bytes: walls.c reckons with as much for each */
enum { THREADS = 64 };

typedef void *(*routine)(void *);

struct thread {
    pthread_t id;
    routine run; /* NULL: it waits for one */
    void *arg;
    bool ends; /* what it runs is over but for a few words of Python's */
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, freed;
    struct thread threads[THREADS];
    unsigned n; /* without the first */
    unsigned begun;
    int failed; /* -errno of one that could not begin well */
    pthread_cond_t all_begun;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER,
           .work = PTHREAD_COND_INITIALIZER,
           .freed = PTHREAD_COND_INITIALIZER,
           .all_begun = PTHREAD_COND_INITIALIZER };

static __thread struct thread *mine; /* NULL: the first one's */

/* ---- the program's way to pthread_create ------------------------------------------------------------------------------------------- */

/* One that waits, or will at once. NULL: there is none. */
static struct thread *find_free(void)
{
    struct thread *ending = NULL;

    for (unsigned i = 0; i < pool.n; i++)
        if (pool.threads[i].run == NULL)
            return &pool.threads[i];
        else if (pool.threads[i].ends)
            ending = &pool.threads[i];
    return ending;
}

/*
 * With the interpreter's lock: Python calls it, and no library does. Who has joined a thread may start the next, though the former is still on its way
 * out, and may want that lock once more.
 */
static int start_in_pool(pthread_t *ret_id, const pthread_attr_t *attr, routine run, void *arg)
{
    PyThreadState *ts = NULL;
    struct thread *t;

    (void)attr; /* stacks are there already */
    pthread_mutex_lock(&pool.lock);
    while ((t = find_free()) != NULL && t->run != NULL) {
        if (ts == NULL)
            ts = PyEval_SaveThread();
        pthread_cond_wait(&pool.freed, &pool.lock);
    }
    if (t != NULL) {
        t->run = run;
        t->arg = arg;
        *ret_id = t->id;
        pthread_cond_broadcast(&pool.work);
    }
    pthread_mutex_unlock(&pool.lock);
    if (ts != NULL)
        PyEval_RestoreThread(ts);
    return t != NULL ? 0 : EAGAIN;
}

void python_thread_ends(void)
{
    if (mine == NULL)
        return;
    pthread_mutex_lock(&pool.lock);
    mine->ends = true;
    pthread_mutex_unlock(&pool.lock);
}

/* What the program's dynamic section says of its relocations for functions. */
struct relocations {
    const ElfW(Rela) * rela;
    size_t size;
    const ElfW(Sym) * symbols;
    const char *names;
};

static void read_dynamic(const ElfW(Dyn) * d, struct relocations *r)
{
    for (; d->d_tag != DT_NULL; d++)
        switch (d->d_tag) {
        case DT_JMPREL: r->rela = (const void *)d->d_un.d_ptr; break;
        case DT_PLTRELSZ: r->size = d->d_un.d_val; break;
        case DT_SYMTAB: r->symbols = (const void *)d->d_un.d_ptr; break;
        case DT_STRTAB: r->names = (const void *)d->d_un.d_ptr; break;
        default: break;
        }
}

static int replace(struct dl_phdr_info *program, size_t size, void *ret_done)
{
    struct relocations r = { 0 };

    (void)size;
    for (unsigned i = 0; i < program->dlpi_phnum; i++)
        if (program->dlpi_phdr[i].p_type == PT_DYNAMIC)
            read_dynamic((const void *)(program->dlpi_addr + program->dlpi_phdr[i].p_vaddr), &r);
    for (size_t i = 0; r.rela != NULL && i < r.size / sizeof(*r.rela); i++)
        if (strcmp(r.names + r.symbols[ELF64_R_SYM(r.rela[i].r_info)].st_name, "pthread_create") == 0) {
            *(uintptr_t *)(program->dlpi_addr + r.rela[i].r_offset) = (uintptr_t)start_in_pool;
            *(int *)ret_done = 1;
        }
    return 1; /* the program comes first, and no other matters */
}

int python_threads_prepare(void)
{
    int done = 0;

    dl_iterate_phdr(replace, &done);
    return done ? 0 : -ENOENT;
}

/* ---- the threads themselves -------------------------------------------------------------------------------------------------------- */

static void *serve(void *arg)
{
    struct thread *t = arg;
    char signal_stack[RESERVE_SIGNAL_STACK];
    int rc = python_reserve_thread(signal_stack);

    mine = t;
    pthread_mutex_lock(&pool.lock);
    pool.begun++;
    if (rc != 0)
        pool.failed = rc;
    pthread_cond_signal(&pool.all_begun);
    for (;;) {
        while (t->run == NULL)
            pthread_cond_wait(&pool.work, &pool.lock);
        pthread_mutex_unlock(&pool.lock);
        t->run(t->arg);
        python_reserve_again();
        pthread_mutex_lock(&pool.lock);
        t->run = NULL;
        t->ends = false;
        pthread_cond_broadcast(&pool.freed);
    }
    return NULL;
}

/* Signals are the first thread's, where Python handles them. */
static void block_signals(sigset_t *ret_before)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGVTALRM);
    pthread_sigmask(SIG_BLOCK, &set, ret_before);
}

/* What libc calls when a thread begins is in no policy. */
static void wait_until_begun(void)
{
    pthread_mutex_lock(&pool.lock);
    while (pool.begun < pool.n)
        pthread_cond_wait(&pool.all_begun, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

int python_threads_open(unsigned n)
{
    pthread_attr_t attr;
    sigset_t before;
    int rc = n <= THREADS ? pthread_attr_init(&attr) : E2BIG;

    if (rc != 0)
        return -rc;
    rc = pthread_attr_setstacksize(&attr, STACK);
    block_signals(&before);
    for (; pool.n + 1 < n && rc == 0; pool.n += rc == 0)
        rc = pthread_create(&pool.threads[pool.n].id, &attr, serve, &pool.threads[pool.n]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    wait_until_begun();
    pthread_attr_destroy(&attr);
    return rc != 0 ? -rc : pool.failed;
}

unsigned python_threads_max(void)
{
    return pool.n + 1;
}
