/* threads.c - see threads.h. */
#include "worker/engines/python/threads.h"

#include <elf.h>
#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

enum { STACK = 1 << 20 }; /* bytes: walls.c reckons with as much for each */
enum { THREADS = 64 };

typedef void *(*routine)(void *);

struct thread {
    pthread_t id;
    routine run; /* NULL: it waits for one */
    void *arg;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct thread threads[THREADS];
    unsigned n; /* without the first */
    unsigned begun;
    pthread_cond_t all_begun;
} pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .all_begun = PTHREAD_COND_INITIALIZER };

/* ---- the program's way to pthread_create ------------------------------------------------------------------------------------------- */

static int start_in_pool(pthread_t *ret_id, const pthread_attr_t *attr, routine run, void *arg)
{
    int rc = EAGAIN;

    (void)attr; /* stacks are there already */
    pthread_mutex_lock(&pool.lock);
    for (unsigned i = 0; i < pool.n && rc != 0; i++) {
        struct thread *t = &pool.threads[i];

        if (t->run != NULL)
            continue;
        t->run = run;
        t->arg = arg;
        *ret_id = t->id;
        rc = 0;
    }
    if (rc == 0)
        pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    return rc;
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

    pthread_mutex_lock(&pool.lock);
    pool.begun++;
    pthread_cond_signal(&pool.all_begun);
    for (;;) {
        while (t->run == NULL)
            pthread_cond_wait(&pool.work, &pool.lock);
        pthread_mutex_unlock(&pool.lock);
        t->run(t->arg);
        pthread_mutex_lock(&pool.lock);
        t->run = NULL;
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
    return -rc;
}

unsigned python_threads_max(void)
{
    return pool.n + 1;
}
