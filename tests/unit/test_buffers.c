/* test_buffers.c - buffers by their descriptors, as hostile holders would use them: what is sealed stays as it is, by the kernel's word. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "asks_fixture.h"
#include "broker/buffers.h"

enum { SIZE = 100000 };

static int last_fd = -1; /* that a host program was sent */

static void hear_reply_fd(struct rep_socket *s, struct rep_way way, const ProtobufCMessage *m, int fd)
{
    if (last_fd >= 0)
        (void)close(last_fd);
    last_fd = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    hear_reply(s, way, m);
}

static int taken_fd(void)
{
    int fd = last_fd;

    assert_true(fd >= 0);
    last_fd = -1;
    return fd;
}

static int start(void **state)
{
    int rc = world_start(state);

    if (rc == 0)
        ((struct world *)*state)->bare.b.control.send_fd = hear_reply_fd;
    return rc;
}

static int stop(void **state)
{
    struct world *w = *state;

    for (unsigned i = 0; i < w->n_ends; i++)
        leaves(w->ends[i]);
    assert_int_equal(w->bare.b.buffers.count, 0);
    assert_int_equal(w->bare.b.buffers.bytes, 0);
    if (last_fd >= 0)
        (void)close(last_fd);
    last_fd = -1;
    return world_stop(state);
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------------------ */

static const Pb__Answer *asks_new(struct end *e, uint64_t bytes)
{
    ASK(m, BufferNew, BUFFER_NEW, buffer_new, BUFFER_NEW);

    m_body.bytes = bytes;
    return asks(e, &m);
}

static const Pb__Answer *asks_seal(struct end *e, uint32_t handle)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, BufferSeal, BUFFER_SEAL, buffer_seal, BUFFER_SEAL);

    ref.handle = handle;
    m_body.buffer = &ref;
    return asks(e, &m);
}

static const Pb__Answer *asks_map(struct end *e, uint32_t handle, const char *id)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, BufferMap, BUFFER_MAP, buffer_map, BUFFER_MAP);

    ref.handle = handle;
    ref.id = (char *)(uintptr_t)id;
    m_body.buffer = &ref;
    return asks(e, &m);
}

/* A host program's, and its descriptor. */
static uint32_t made(struct end *h, int *ret_fd)
{
    const Pb__Answer *a = answered(asks_new(h, SIZE), HANDLE);

    assert_int_equal(a->descriptors, 1);
    assert_int_equal(a->handle->bytes, SIZE);
    assert_int_equal(a->handle->kind, KIND(BUFFER));
    *ret_fd = taken_fd();
    return a->handle->handle;
}

static char *mapped(int fd, int prot)
{
    char *at = mmap(NULL, SIZE, prot, MAP_SHARED, fd, 0);

    return at == MAP_FAILED ? NULL : at;
}

static void fill_it(int fd, char with)
{
    char *at = mapped(fd, PROT_READ | PROT_WRITE);

    assert_non_null(at);
    memset(at, with, SIZE);
    assert_int_equal(munmap(at, SIZE), 0);
}

/* ---- what the kernel says ------------------------------------------------------------------------------------------------------------------ */

static void its_size_is_what_it_was_made_with(void **state)
{
    struct end *h = a_host(*state);
    struct stat st;
    int fd;

    (void)made(h, &fd);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, SIZE);
    assert_int_equal(ftruncate(fd, SIZE + 1), -1);
    assert_int_equal(ftruncate(fd, 1), -1);
    assert_int_equal(pwrite(fd, "x", 1, SIZE), -1);
    (void)close(fd);
}

static void it_is_not_sealed_while_anybody_could_write_to_it(void **state)
{
    struct end *h = a_host(*state);
    int fd;
    uint32_t b = made(h, &fd);
    char *at = mapped(fd, PROT_READ | PROT_WRITE), *harmless;

    failed(asks_seal(h, b), BUSY, "mapped for writing");
    harmless = mapped(fd, PROT_READ);
    assert_int_equal(munmap(at, SIZE), 0);
    failed(asks_seal(h, b), BUSY, "mapped for writing"); /* it was made from a descriptor for writing, and could become so */
    assert_int_equal(mprotect(harmless, SIZE, PROT_READ | PROT_WRITE), 0);
    assert_int_equal(munmap(harmless, SIZE), 0);
    answered(asks_seal(h, b), DONE);
    answered(asks_seal(h, b), DONE); /* it is what was asked for */
    (void)close(fd);
}

/* By everything that its maker still has. */
static void nobody_changes_it_after_it_was_sealed(void **state)
{
    struct end *h = a_host(*state);
    int fd, seals;
    uint32_t b = made(h, &fd);
    char *own, *at, path[64];

    fill_it(fd, 'a');
    own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    assert_true(own != MAP_FAILED);
    answered(asks_seal(h, b), DONE);
    seals = fcntl(fd, F_GET_SEALS);
    assert_int_equal(seals & (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
                     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
    assert_int_equal(pwrite(fd, "b", 1, 0), -1);
    assert_null(mapped(fd, PROT_READ | PROT_WRITE));
    assert_null(mapped(fd, PROT_WRITE));
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), -1);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); /* a sealed worker has no such file, a host program has */
    seals = open(path, O_RDWR | O_CLOEXEC);
    assert_true(seals < 0 || (pwrite(seals, "b", 1, 0) == -1 && mapped(seals, PROT_READ | PROT_WRITE) == NULL));
    if (seals >= 0)
        (void)close(seals);
    own[0] = 'b'; /* a page of its own */
    answered(asks_map(h, b, ""), HANDLE);
    (void)close(fd);
    fd = taken_fd();
    at = mapped(fd, PROT_READ);
    assert_non_null(at);
    for (int i = 0; i < SIZE; i++)
        assert_int_equal(at[i], 'a');
    assert_int_equal(munmap(at, SIZE), 0);
    assert_int_equal(munmap(own, SIZE), 0);
    (void)close(fd);
}

static void what_receivers_map_cannot_be_made_writable(void **state)
{
    struct end *h = a_host(*state);
    int fd, again;
    uint32_t b = made(h, &fd);
    char *at;

    fill_it(fd, 'a');
    (void)close(fd);
    answered(asks_seal(h, b), DONE);
    answered(asks_map(h, b, ""), HANDLE);
    fd = taken_fd();
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    at = mapped(fd, PROT_READ);
    assert_non_null(at);
    assert_int_equal(mprotect(at, SIZE, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    assert_null(mapped(fd, PROT_READ | PROT_WRITE));
    assert_int_equal(pwrite(fd, "b", 1, 0), -1);
    again = dup(fd);
    assert_null(mapped(again, PROT_READ | PROT_WRITE));
    (void)close(again);
    (void)close(fd);
    assert_int_equal(munmap(at, SIZE), 0);
}

/* ---- whose it is --------------------------------------------------------------------------------------------------------------------------- */

/* By a value, as all is: the receiver's handle, or 0 when it is not to be handed over. */
static uint32_t handed(struct end *from, uint32_t handle, struct end *to)
{
    Pb__Value v = PB__VALUE__INIT;
    Pb__Handle h = PB__HANDLE__INIT, *handles = &h;
    struct parcel p;
    struct parcel_told told;
    struct call_why why;
    uint32_t ret;

    h.handle = handle;
    h.kind = KIND(BUFFER);
    v.handles = &handles;
    v.n_handles = 1;
    if (parcel_take(&p, from->asker, NULL, &v, "items", &why) != 0) {
        assert_int_equal(why.error, CE(NOT_SHAREABLE));
        return 0;
    }
    assert_int_equal(parcel_give(&p, to->asker, &told, &why), 0);
    ret = told.told[0].handle;
    assert_int_equal(told.told[0].bytes, SIZE);
    parcel_told_finish(&told);
    parcel_finish(&p);
    return ret;
}

static void only_what_is_sealed_is_handed_over(void **state)
{
    struct end *h = a_host(*state), *k = a_host(*state);
    uint32_t b, theirs;
    int fd;

    b = made(h, &fd);
    assert_int_equal(handed(h, b, k), 0);
    answered(asks_seal(h, b), DONE);
    theirs = handed(h, b, k);
    assert_true(theirs > 0);
    answered(asks_map(k, theirs, ""), HANDLE);
    (void)close(fd);
}

static void who_may_only_read_gets_nothing_to_write_to(void **state)
{
    struct end *h = a_host(*state);
    uint32_t b, reader;
    int fd;

    b = made(h, &fd);
    reader = answered(asks_attenuate(h, b, RIGHT(READ)), HANDLE)->handle->handle;
    failed(asks_map(h, reader, ""), NOT_ALLOWED, "not sealed");
    failed(asks_seal(h, reader), NOT_ALLOWED, "right");
    answered(asks_map(h, b, ""), HANDLE); /* its maker may have it again */
    (void)close(taken_fd());
    (void)close(fd);
    answered(asks_seal(h, b), DONE);
    answered(asks_map(h, reader, ""), HANDLE);
    (void)close(taken_fd());
}

static void it_ends_with_its_last_handle_wherever_that_is(void **state)
{
    struct world *w = *state;
    struct end *h = a_host(w), *k = a_host(w);
    uint32_t b, theirs;
    char *at;
    int fd;

    b = made(h, &fd);
    fill_it(fd, 'a');
    answered(asks_seal(h, b), DONE);
    at = mapped(fd, PROT_READ);
    (void)close(fd);
    theirs = handed(h, b, k);
    answered(asks_drop(h, b), DONE);
    assert_int_equal(w->bare.b.buffers.count, 1);
    leaves(h);
    assert_int_equal(w->bare.b.buffers.count, 1);
    answered(asks_map(k, theirs, ""), HANDLE);
    answered(asks_drop(k, theirs), DONE);
    assert_int_equal(w->bare.b.buffers.count, 0);
    assert_int_equal(at[SIZE - 1], 'a'); /* who has it mapped has it */
    assert_int_equal(munmap(at, SIZE), 0);
}

/* ---- bounds -------------------------------------------------------------------------------------------------------------------------------- */

static void a_job_has_what_its_capability_and_its_memory_give(void **state)
{
    struct end *a = a_worker(*state, CAPS("buffers=1M"));
    uint32_t first;

    failed(asks_new(a_worker(*state, NULL), SIZE), NOT_ALLOWED, "capability buffers");
    a->job->limits.memory_bytes = 512 << 10;
    failed(asks_new(a, 600 << 10), LIMIT, "may have 524288");
    a->job->limits.memory_bytes = 1 << 30;
    first = answered(asks_new(a, 600 << 10), HANDLE)->handle->handle;
    failed(asks_new(a, 600 << 10), LIMIT, "may have 1048576");
    answered(asks_drop(a, first), DONE);
    answered(asks_new(a, 600 << 10), HANDLE);
    failed(asks_new(a, 0), BAD_REQUEST, "at least one byte");
    failed(asks_new(a_host(*state), BUFFER_BYTES_MAX + 1), TOO_BIG, "at most");
}

/* It does not read: its descriptors take a room that all workers share. */
static void descriptors_on_their_way_are_bounded(void **state)
{
    struct world *w = *state;
    struct end *a = a_worker(w, CAPS("buffers=1M"));
    const Pb__Answer *last;
    uint32_t b;

    a->job->limits.memory_bytes = 1 << 30;
    b = answered(asks_new(a, 1), HANDLE)->handle->handle;
    answered(asks_seal(a, b), DONE);
    for (unsigned i = 0; i < BUFFERS_UNREAD + 20; i++) {
        Pb__Ref ref = PB__REF__INIT;
        ASK(m, BufferMap, BUFFER_MAP, buffer_map, BUFFER_MAP);

        ref.handle = b;
        m_body.buffer = &ref;
        m.number = 1000 + i;
        assert_int_equal(says(a, &m), 0);
    }
    assert_int_equal(link_fds_unread(&a->w->link), BUFFERS_UNREAD);
    hear_link(a);
    while (link_unsent(&a->w->link) > 0) { /* more than its socket took at once */
        sp_stream_flush(&a->w->link.stream);
        hear_link(a);
    }
    answered(heard(a, 1000 + BUFFERS_UNREAD - 1), HANDLE);
    failed(heard(a, 1000 + BUFFERS_UNREAD), LIMIT, "on their way");
    last = answered(asks_map(a, b, ""), HANDLE); /* it has read them */
    assert_int_equal(last->descriptors, 1);
}

static void holders_see_a_list_of_theirs(void **state)
{
    struct end *h = a_host(*state);
    const Pb__Answer *a;
    uint32_t b;
    int fd;
    ASK(m, BufferList, BUFFER_LIST, buffer_list, BUFFER_LIST);

    b = made(h, &fd);
    (void)close(fd);
    a = answered(asks(h, &m), HANDLES);
    assert_int_equal(a->handles->n_handles, 1);
    assert_int_equal(a->handles->handles[0]->handle->handle, b);
    assert_int_equal(a->handles->handles[0]->handle->bytes, SIZE);
}

static void a_host_program_names_it_by_its_id(void **state)
{
    struct end *h = a_host(*state), *k = a_host(*state);
    const Pb__Answer *a;

    a = answered(asks_new(h, SIZE), HANDLE);
    answered(asks_seal(h, a->handle->handle), DONE);
    a = answered(asks_map(k, 0, a->handle->id), HANDLE);
    assert_int_equal(a->handle->handle, 0);
    assert_int_equal(a->handle->bytes, SIZE);
    failed(asks_map(a_worker(*state, NULL), 0, a->handle->id), NOT_ALLOWED, "by its handle");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(its_size_is_what_it_was_made_with),
        TEST(it_is_not_sealed_while_anybody_could_write_to_it),
        TEST(nobody_changes_it_after_it_was_sealed),
        TEST(what_receivers_map_cannot_be_made_writable),
        TEST(only_what_is_sealed_is_handed_over),
        TEST(who_may_only_read_gets_nothing_to_write_to),
        TEST(it_ends_with_its_last_handle_wherever_that_is),
        TEST(a_job_has_what_its_capability_and_its_memory_give),
        TEST(descriptors_on_their_way_are_bounded),
        TEST(holders_see_a_list_of_theirs),
        TEST(a_host_program_names_it_by_its_id),
    };

    return cmocka_run_group_tests_name("buffers", tests, NULL, NULL);
}
