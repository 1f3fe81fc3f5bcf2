/* buffers.c - see buffers.h. */
#include "broker/buffers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "broker/broker.h"
#include "broker/calls.h"
#include "broker/caps.h"
#include "broker/descriptors.h"
#include "broker/late_close.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define CE(name)    PB__CALL_ERROR__CALL_ERROR_##name
#define RIGHT(name) PB__RIGHT__RIGHT_##name

enum { CLOSED_AT_ONCE = 1 << 20 }; /* bytes: freeing what is larger is somebody else's work */

struct buffer {
    struct thing thing;
    struct asker *maker; /* NULL: has ended */
    struct buffer *next, *prev;
    int fd; /* writable until it is sealed, then a descriptor of its own that is not */
    uint64_t bytes;
    bool sealed;
};

static struct buffer *buffer_of(struct thing *t)
{
    return (struct buffer *)t;
}

/* ---- whose they are -------------------------------------------------------------------------------------------------------------------- */

static void link_maker(struct buffer *m, struct asker *a)
{
    m->maker = a;
    m->next = a->buffers;
    if (m->next != NULL)
        m->next->prev = m;
    a->buffers = m;
    a->n_buffers++;
    a->buffer_bytes += m->bytes;
}

static void unlink_maker(struct buffer *m)
{
    struct asker *a = m->maker;

    if (a == NULL)
        return;
    if (m->prev != NULL)
        m->prev->next = m->next;
    else
        a->buffers = m->next;
    if (m->next != NULL)
        m->next->prev = m->prev;
    m->next = m->prev = NULL;
    m->maker = NULL;
    a->n_buffers--;
    a->buffer_bytes -= m->bytes;
}

void buffers_on_asker_end(struct asker *a)
{
    while (a->buffers != NULL)
        unlink_maker(a->buffers);
}

static void free_buffer(struct thing *t)
{
    struct buffer *m = buffer_of(t);
    struct buffers *all = &t->broker->buffers;

    unlink_maker(m);
    all->count--;
    all->bytes -= m->bytes;
    estate_count(t->estate, ESTATE_BUFFERS, -1);
    estate_count(t->estate, ESTATE_BUFFER_BYTES, -(int64_t)m->bytes);
    if (m->bytes > CLOSED_AT_ONCE)
        late_close(m->fd);
    else
        close(m->fd);
    free(m);
}

/* Who gets it believes that nobody changes it any more. */
static int may_pass(const struct thing *t, struct call_why *why)
{
    if (((const struct buffer *)t)->sealed)
        return 0;
    return call_refuse(why, CE(NOT_SHAREABLE), "a buffer is handed over when it is sealed, and this one is not");
}

static uint64_t bytes_of(const struct thing *t)
{
    return ((const struct buffer *)t)->bytes;
}

static const struct thing_ops buffer_ops = { .free = free_buffer, .may_pass = may_pass, .bytes = bytes_of };

/* ---- making one -------------------------------------------------------------------------------------------------------------------------- */

uint64_t buffers_most_bytes(void)
{
    uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * (uint64_t)sysconf(_SC_PAGESIZE);

    return half < BUFFERS_BYTES ? half : BUFFERS_BYTES;
}

unsigned buffers_most(void)
{
    uint64_t quarter = descriptors_allowed() / 4; /* the broker's other business needs them too */

    return quarter < BUFFERS_MAX ? (unsigned)quarter : BUFFERS_MAX;
}

static int check_owner(const struct asker *a, uint64_t bytes, struct call_why *why)
{
    uint64_t most;

    if (a->n_buffers >= BUFFERS_OF_ONE)
        return call_refuse(why, CE(LIMIT), "it has made %u buffers that are still held", BUFFERS_OF_ONE);
    if (a->worker == NULL)
        return 0;
    most = caps_of(a->worker)->buffer_bytes;
    if (most > a->worker->job->limits.memory_bytes)
        most = a->worker->job->limits.memory_bytes;
    if (a->buffer_bytes + bytes > most)
        return call_refuse(why, CE(LIMIT), "its buffers would have %llu bytes, and may have %llu",
                           (unsigned long long)(a->buffer_bytes + bytes), (unsigned long long)most);
    return 0;
}

static int check_new(const struct asker *a, uint64_t bytes, struct call_why *why)
{
    const struct buffers *all = &a->broker->buffers;

    if (bytes == 0)
        return call_refuse(why, CE(BAD_REQUEST), "a buffer has at least one byte");
    if (bytes > BUFFER_BYTES_MAX)
        return call_refuse(why, CE(TOO_BIG), "a buffer has at most %llu bytes", (unsigned long long)BUFFER_BYTES_MAX);
    if (check_owner(a, bytes, why) != 0)
        return -1;
    if (all->count >= buffers_most())
        return call_refuse(why, CE(LIMIT), "there are %u buffers already", all->count);
    if (all->bytes + bytes > buffers_most_bytes())
        return call_refuse(why, CE(LIMIT), "all buffers together would have more than %llu bytes",
                           (unsigned long long)buffers_most_bytes());
    return estate_room(a->estate, ESTATE_BUFFERS, 1, why) != 0 ? -1 : estate_room(a->estate, ESTATE_BUFFER_BYTES, bytes, why);
}

/* Its size is fixed from the start: no receiver can be cut off by one that shrinks. */
static int make_memory(uint64_t bytes)
{
    int rc, fd = memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("buffer", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0)
        return fd;
    rc = -errno;
    close(fd);
    return rc;
}

static int make(struct asker *a, uint64_t bytes, struct buffer **ret, struct call_why *why)
{
    struct buffer *m = calloc(1, sizeof(*m));

    if (m == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    m->fd = make_memory(bytes);
    if (m->fd < 0) {
        call_refuse(why, CE(TEMPORARY), "no memory could be made: %s", strerror(-m->fd));
        free(m);
        return -1;
    }
    m->bytes = bytes;
    thing_init(&m->thing, a->estate, PB__KIND__KIND_BUFFER, &buffer_ops);
    (void)thing_register(&m->thing, ""); /* host programs find it by its id */
    a->broker->buffers.count++;
    a->broker->buffers.bytes += bytes;
    estate_count(a->estate, ESTATE_BUFFERS, 1);
    estate_count(a->estate, ESTATE_BUFFER_BYTES, (int64_t)bytes);
    link_maker(m, a);
    *ret = m;
    return 0;
}

/* Descriptors that are on their way take the kernel's room for all our peers. */
static int check_way(const struct asker *a, struct call_why *why)
{
    const struct rep_origin *from = a->worker == NULL ? rep_origin_of(&a->broker->control.socket, a->peer) : NULL;
    size_t unread = a->worker != NULL ? link_fds_unread(&a->worker->link) : rep_fds_unread(&a->broker->control.socket, a->peer);

    if (from != NULL && !from->local)
        return call_refuse(why, CE(NOT_ALLOWED), "a descriptor goes to programs of this machine only: over TLS there are no buffers");
    if (unread < BUFFERS_UNREAD)
        return 0;
    return call_refuse(why, CE(LIMIT), "%zu descriptors are on their way to it already", unread);
}

void call_buffer_new(struct ask *a)
{
    const Pb__BufferNew *m = a->message->buffer_new;
    struct buffer *made = NULL;
    struct handle *h;
    struct call_why why;

    if (check_way(a->by, &why) != 0 || check_new(a->by, m->bytes, &why) != 0 || make(a->by, m->bytes, &made, &why) != 0) {
        ask_fail_why(a, &why);
        return;
    }
    h = handle_new(&made->thing, RIGHTS_BUFFER, NULL);
    if (h == NULL)
        ask_fail(a, CE(TEMPORARY), "out of memory");
    else
        ask_reply_handle(a, h, NULL, made->fd);
    thing_unref(&made->thing); /* its handles' from now on */
}

/* ---- sealing and mapping ------------------------------------------------------------------------------------------------------------------- */

static void reply(struct ask *a, struct buffer *m, const struct handle *h, int fd)
{
    Pb__Answer answer = PB__ANSWER__INIT;
    Pb__Handle told;

    if (h != NULL) {
        handle_tell(h, &told);
    } else {
        pb__handle__init(&told);
        told.kind = PB__KIND__KIND_BUFFER;
        told.rights = RIGHTS_BUFFER;
        told.id = m->thing.id;
        told.bytes = m->bytes;
    }
    answer.body_case = PB__ANSWER__BODY_HANDLE;
    answer.handle = &told;
    ask_reply_fd(a, &answer, fd);
}

/*
 * What receivers get is a descriptor that was opened for reading: a shared mapping of it never was one that could be written, so that older kernels
 * allow it, and none of them lets it be made writable.
 */
static int open_again(const struct buffer *m)
{
    char path[64];
    int fd;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", m->fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

static int seal(struct buffer *m, struct call_why *why)
{
    int fd;

    if (m->sealed)
        return 0;
    fd = open_again(m);
    if (fd < 0)
        return call_refuse(why, CE(TEMPORARY), "it cannot be opened for reading: %s", strerror(-fd));
    if (fcntl(m->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        int error = errno;

        close(fd);
        if (error == EBUSY)
            return call_refuse(why, CE(BUSY), "it is still mapped for writing");
        return call_refuse(why, CE(TEMPORARY), "it cannot be sealed: %s", strerror(error));
    }
    close(m->fd);
    m->fd = fd;
    m->sealed = true;
    return 0;
}

void call_buffer_seal(struct ask *a)
{
    struct thing *t;
    struct call_why why;

    if (ref_find(a->by, a->message->buffer_seal->buffer, PB__KIND__KIND_BUFFER, RIGHT(WRITE), &t, NULL, &why) != 0 ||
        seal(buffer_of(t), &why) != 0)
        ask_fail_why(a, &why);
    else
        ask_done(a);
}

/* One that can still be written goes only to who may. */
static int check_map(const struct buffer *m, const struct handle *h, struct call_why *why)
{
    if (m->sealed || h == NULL || (h->rights & RIGHT(WRITE)) != 0)
        return 0;
    return call_refuse(why, CE(NOT_ALLOWED), "it is not sealed yet, and handle %u gives no right to write", h->number);
}

void call_buffer_map(struct ask *a)
{
    struct handle *h;
    struct thing *t;
    struct call_why why;

    if (ref_find(a->by, a->message->buffer_map->buffer, PB__KIND__KIND_BUFFER, RIGHT(READ), &t, &h, &why) != 0 ||
        check_map(buffer_of(t), h, &why) != 0 || check_way(a->by, &why) != 0)
        ask_fail_why(a, &why);
    else
        reply(a, buffer_of(t), h, buffer_of(t)->fd);
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------------- */

void call_buffer_list(struct ask *a)
{
    size_t most = a->by->n_handles + 1, n = 0;
    Pb__Grant *grants = calloc(most, sizeof(*grants)), **list = calloc(most, sizeof(*list));
    Pb__Handle *told = calloc(most, sizeof(*told));
    Pb__HandleListed listed = PB__HANDLE_LISTED__INIT;
    Pb__Answer m = PB__ANSWER__INIT;

    if (grants == NULL || list == NULL || told == NULL) {
        ask_fail(a, CE(TEMPORARY), "out of memory");
    } else {
        for (struct handle *h = a->by->handles; h != NULL; h = h->hh.next) {
            if (h->kind != PB__KIND__KIND_BUFFER || h->thing == NULL)
                continue;
            handle_tell(h, &told[n]);
            pb__grant__init(&grants[n]);
            grants[n].name = h->grant != NULL ? h->grant : grants[n].name;
            grants[n].handle = &told[n];
            list[n] = &grants[n];
            n++;
        }
        listed.n_handles = n;
        listed.handles = list;
        m.body_case = PB__ANSWER__BODY_HANDLES;
        m.handles = &listed;
        ask_reply(a, &m);
    }
    free(grants);
    free(list);
    free(told);
}
