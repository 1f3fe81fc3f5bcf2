/*
 * test_store_power.c - the power goes at every moment that matters: no op that was handed back as done is lost, and the chain is whole.
 *
 * Under the store lies a file layer of the test, which writes down every write, cut and sync of the database and its log, in order, and when
 * each op came back. Afterwards a disk is made as a power cut would leave it before and after each sync: what was synced is there, and of what
 * was written since then nothing, or some of it, whole or torn. On each of them a broker starts.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "store_fixture.h"

enum { SMALL = 60, LARGE = 14, LARGE_SPEC = 640 << 10, FILES = 3, SECTOR = 512, LOG_FILE = 1, JOURNAL_FILE = 2 };

static const char *const file_names[FILES] = { "coop.db", "coop.db-wal", "coop.db-journal" };

/* ---- what happened, in order ------------------------------------------------------------------------------------------------------------ */

enum event_kind { WRITE, CUT, SYNC, DONE };

struct event {
    enum event_kind kind;
    int file; /* of file_names */
    sqlite3_int64 at;
    size_t len;
    uint8_t *bytes; /* WRITE */
    unsigned job;   /* DONE */
    enum store_kind op;
};

static struct {
    pthread_mutex_t lock;
    struct event *events;
    size_t n, room;
    bool on;
} tape = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void record(struct event e)
{
    (void)pthread_mutex_lock(&tape.lock);
    if (tape.on) {
        if (tape.n == tape.room) {
            tape.room = tape.room == 0 ? 1024 : 2 * tape.room;
            tape.events = realloc(tape.events, tape.room * sizeof(*tape.events));
        }
        tape.events[tape.n++] = e;
    } else {
        free(e.bytes);
    }
    (void)pthread_mutex_unlock(&tape.lock);
}

static _Atomic int refusing; /* what writes and syncs say instead of being done; 0: they are done */

/* ---- the file layer --------------------------------------------------------------------------------------------------------------------- */

static const sqlite3_vfs *real_vfs;

struct power_file {
    sqlite3_file base;
    int file;   /* -1: not one that is recorded */
    bool known; /* it has been synced */
    sqlite3_file *real;
};

static struct power_file *of(sqlite3_file *f)
{
    return (struct power_file *)(void *)f;
}

static int power_close(sqlite3_file *f)
{
    return of(f)->real->pMethods->xClose(of(f)->real);
}

static int power_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return of(f)->real->pMethods->xRead(of(f)->real, to, n, at);
}

static int power_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    int rc;

    if (of(f)->file >= 0 && (errno = refusing) != 0)
        return errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    rc = of(f)->real->pMethods->xWrite(of(f)->real, from, n, at);
    if (rc == SQLITE_OK && of(f)->file >= 0) {
        struct event e = { .kind = WRITE, .file = of(f)->file, .at = at, .len = (size_t)n, .bytes = malloc((size_t)n) };

        memcpy(e.bytes, from, (size_t)n);
        record(e);
    }
    return rc;
}

static int power_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (of(f)->file >= 0)
        record((struct event){ .kind = CUT, .file = of(f)->file, .at = size });
    return of(f)->real->pMethods->xTruncate(of(f)->real, size);
}

static int power_sync(sqlite3_file *f, int flags)
{
    int rc;

    if (of(f)->file >= 0 && (errno = refusing) != 0)
        return SQLITE_IOERR_FSYNC;
    rc = of(f)->real->pMethods->xSync(of(f)->real, flags);
    if (rc == SQLITE_OK && of(f)->file >= 0)
        record((struct event){ .kind = SYNC, .file = of(f)->file });
    if (rc == SQLITE_OK && of(f)->file == LOG_FILE && !of(f)->known) /* with its first sync SQLite syncs the directory that it is new in */
        record((struct event){ .kind = SYNC, .file = JOURNAL_FILE });
    of(f)->known = true;
    return rc;
}

static int power_size(sqlite3_file *f, sqlite3_int64 *ret)
{
    return of(f)->real->pMethods->xFileSize(of(f)->real, ret);
}

static int power_lock(sqlite3_file *f, int level)
{
    return of(f)->real->pMethods->xLock(of(f)->real, level);
}

static int power_unlock(sqlite3_file *f, int level)
{
    return of(f)->real->pMethods->xUnlock(of(f)->real, level);
}

static int power_reserved(sqlite3_file *f, int *ret)
{
    return of(f)->real->pMethods->xCheckReservedLock(of(f)->real, ret);
}

static int power_control(sqlite3_file *f, int op, void *arg)
{
    return of(f)->real->pMethods->xFileControl(of(f)->real, op, arg);
}

static int power_sector(sqlite3_file *f)
{
    return of(f)->real->pMethods->xSectorSize(of(f)->real);
}

static int power_traits(sqlite3_file *f)
{
    return of(f)->real->pMethods->xDeviceCharacteristics(of(f)->real);
}

static int power_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **ret)
{
    return of(f)->real->pMethods->xShmMap(of(f)->real, page, size, extend, ret);
}

static int power_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return of(f)->real->pMethods->xShmLock(of(f)->real, offset, n, flags);
}

static void power_shm_barrier(sqlite3_file *f)
{
    of(f)->real->pMethods->xShmBarrier(of(f)->real);
}

static int power_shm_unmap(sqlite3_file *f, int delete_it)
{
    return of(f)->real->pMethods->xShmUnmap(of(f)->real, delete_it);
}

static const sqlite3_io_methods power_methods = {
    .iVersion = 2,
    .xClose = power_close,
    .xRead = power_read,
    .xWrite = power_write,
    .xTruncate = power_truncate,
    .xSync = power_sync,
    .xFileSize = power_size,
    .xLock = power_lock,
    .xUnlock = power_unlock,
    .xCheckReservedLock = power_reserved,
    .xFileControl = power_control,
    .xSectorSize = power_sector,
    .xDeviceCharacteristics = power_traits,
    .xShmMap = power_shm_map,
    .xShmLock = power_shm_lock,
    .xShmBarrier = power_shm_barrier,
    .xShmUnmap = power_shm_unmap,
};

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

static int file_of(const char *name)
{
    for (int i = 0; i < FILES; i++)
        if (ends_with(name, file_names[i]))
            return i;
    return -1;
}

/* The journal's end is what commits where there is no log yet; SQLite syncs the directory. */
static int power_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
    int file = file_of(name);

    (void)vfs;
    if (file >= 0) {
        record((struct event){ .kind = CUT, .file = file, .at = 0 });
        if (sync_dir)
            record((struct event){ .kind = SYNC, .file = file });
    }
    return real_vfs->xDelete((sqlite3_vfs *)real_vfs, name, sync_dir);
}

static int power_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
    struct power_file *p = of(f);
    int rc;

    (void)vfs;
    p->real = (sqlite3_file *)(void *)(p + 1);
    p->file = name == NULL ? -1 : file_of(name);
    p->known = false;
    rc = real_vfs->xOpen((sqlite3_vfs *)real_vfs, name, p->real, flags, ret_flags);
    p->base.pMethods = p->real->pMethods != NULL ? &power_methods : NULL;
    return rc;
}

/* The store looks for a layer of this name, and finds the last that was registered. */
static void lay_under(void)
{
    static sqlite3_vfs vfs;

    real_vfs = sqlite3_vfs_find("unix");
    assert(real_vfs != NULL);
    vfs = *real_vfs;
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct power_file) + real_vfs->szOsFile;
    vfs.xOpen = power_open;
    vfs.xDelete = power_delete;
    assert(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK && sqlite3_vfs_find("unix") == &vfs);
}

/* ---- the disk that a power cut leaves ------------------------------------------------------------------------------------------------------- */

struct image {
    uint8_t *bytes;
    size_t len, room;
};

static void put(struct image *m, sqlite3_int64 at, const uint8_t *bytes, size_t len)
{
    size_t end = (size_t)at + len;

    if (end > m->room) {
        m->room = 2 * end;
        m->bytes = realloc(m->bytes, m->room);
    }
    if ((size_t)at > m->len)
        memset(m->bytes + m->len, 0, (size_t)at - m->len);
    memcpy(m->bytes + at, bytes, len);
    if (end > m->len)
        m->len = end;
}

static void play(struct image *m, const struct event *e)
{
    if (e->kind == WRITE)
        put(m, e->at, e->bytes, e->len);
    else if (e->kind == CUT && (size_t)e->at < m->len)
        m->len = (size_t)e->at;
}

static uint64_t seed = 88172645463325252ull;

static uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Of what was not synced: some of the writes, and of some only the first sectors. */
static void play_some(struct image *m, const struct event *e)
{
    struct event torn = *e;
    uint64_t chance = random_number() % 4;

    if (e->kind == WRITE && chance == 0)
        torn.len = random_number() % (e->len / SECTOR + 1) * SECTOR;
    if (e->kind == WRITE && chance <= 2 && torn.len > 0)
        play(m, &torn);
    else if (e->kind == CUT && chance < 2)
        play(m, &torn);
}

static void save(const struct fixture *f, const char *name, const struct image *m)
{
    char path[256];
    int fd;

    path_of(f, name, path);
    (void)unlink(path);
    if (m->len == 0)
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t done = 0; done < m->len;) {
        ssize_t n = write(fd, m->bytes + done, m->len - done);

        assert_true(n > 0);
        done += (size_t)n;
    }
    (void)close(fd);
}

static void copy_image(struct image *to, const struct image *from)
{
    to->len = 0;
    if (from->len > 0)
        put(to, 0, from->bytes, from->len);
}

/* ---- the broker that starts on it ------------------------------------------------------------------------------------------------------------ */

static void assert_chain(struct store *s)
{
    struct store_audit a = { 0 };

    while (!a.ended && a.fault == AUDIT_NONE)
        assert_int_equal(store_audit(s, &a), 0);
    assert_string_equal(a.text, "");
}

static void assert_done(struct store *s, const struct event *e, size_t at)
{
    struct store_job job;
    struct store_blob b = { 0 };
    int err = store_find(s, id_of(e->job), &job);

    if (err == 0)
        err = e->op == STORE_FINISH ? store_read_receipt(s, job.id, &b) : e->op == STORE_SUBMIT ? store_read_spec(s, job.id, &b) : 0;
    if (err == 0 && e->op == STORE_MOVE && job.epoch == 0)
        err = -ESTALE;
    free(b.bytes);
    if (err != 0)
        fail_msg("power cut at event %zu: what was done for job %u (%d) is lost: %s", at, e->job, (int)e->op, strerror(-err));
}

static void start_on(struct fixture *f, const struct image disk[FILES], size_t at)
{
    char path[256];

    for (int i = 0; i < FILES; i++)
        save(f, file_names[i], &disk[i]);
    path_of(f, "coop.db-shm", path);
    (void)unlink(path);
    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("power cut at event %zu: %s", at, f->why);
    for (size_t i = 0; i < at; i++)
        if (tape.events[i].kind == DONE)
            assert_done(f->store, &tape.events[i], at);
    assert_chain(f->store);
    store_close(f->store);
    f->store = NULL;
}

/* Before and after this sync: with nothing, and with some of what was not synced. */
static void cut_power(struct fixture *f, const struct image synced[FILES], size_t at, bool some)
{
    static struct image disk[FILES];

    for (int i = 0; i < FILES; i++)
        copy_image(&disk[i], &synced[i]);
    if (some) {
        size_t last[FILES] = { 0 };

        for (size_t i = 0; i < at; i++)
            if (tape.events[i].kind == SYNC)
                last[tape.events[i].file] = i;
        for (size_t i = 0; i < at; i++)
            if (tape.events[i].kind != DONE && i >= last[tape.events[i].file])
                play_some(&disk[tape.events[i].file], &tape.events[i]);
    }
    start_on(f, disk, at);
}

/* ---- the story ----------------------------------------------------------------------------------------------------------------------------------- */

static void push_and_note(struct store *s, struct store_op *op, unsigned job)
{
    enum store_kind kind = op->kind;

    assert_int_equal(do_op(s, op), 0);
    record((struct event){ .kind = DONE, .job = job, .op = kind });
}

static void live(struct store *s)
{
    for (unsigned i = 0; i < SMALL; i++) {
        push_and_note(s, submit_of(id_of(i)), i);
        if (i % 3 == 0)
            push_and_note(s, move_of(PB__STATE__STATE_RUNNING, id_of(i), 1, 1), i);
        if (i % 2 == 0)
            push_and_note(s, finish_of(id_of(i), 1, "receipt"), i);
    }
    for (unsigned i = SMALL; i < SMALL + LARGE; i++) { /* until the log is folded into the database */
        struct store_op *op = submit_of(id_of(i));

        free(op->submit.spec.bytes);
        op->submit.spec = (struct store_blob){ calloc(1, LARGE_SPEC), LARGE_SPEC };
        push_and_note(s, op, i);
        push_and_note(s, finish_of(id_of(i), 1, "receipt"), i);
    }
}

static void nothing_that_was_done_is_lost_when_the_power_goes(void **state)
{
    struct fixture *f = *state;
    struct image synced[FILES] = { 0 };
    size_t first[FILES] = { 0 }, syncs[FILES] = { 0 };

    tape.on = true;
    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
    live(f->store);
    tape.on = false; /* it goes here at the latest: what closing writes is of no use to anybody */
    store_close(f->store);
    f->store = NULL;
    for (size_t i = 0; i < tape.n; i++) {
        const struct event *e = &tape.events[i];

        if (e->kind != SYNC)
            continue;
        cut_power(f, synced, i, false);
        cut_power(f, synced, i, true);
        for (size_t k = first[e->file]; k < i; k++)
            if (tape.events[k].file == e->file && tape.events[k].kind != DONE)
                play(&synced[e->file], &tape.events[k]);
        first[e->file] = i;
        syncs[e->file]++;
        cut_power(f, synced, i + 1, false);
    }
    cut_power(f, synced, tape.n, false);
    assert_true(syncs[1] >= SMALL && syncs[0] >= 2); /* commits, and the log folded into the database */
    for (size_t i = 0; i < FILES; i++)
        free(synced[i].bytes);
}

/* Not a refusal: it is to be pushed again. SQLite does not always know any more which error it was. */
static bool is_the_disks(int status, int error)
{
    return status == -error || status == -EIO;
}

/* A file system that an error has made read-only, a full one, a disk that fails: and one that is well again. */
static void a_disk_that_refuses_for_a_while_costs_nothing_that_was_done(void **state)
{
    static const int errors[] = { EROFS, ENOSPC, EIO };
    struct fixture *f = *state;
    struct store_job job;

    if (store_open(f->dir, &f->store, f->why) != 0)
        fail_msg("%s", f->why);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(do_op(f->store, submit_of(id_of(10 * i))), 0);
        refusing = errors[i];
        assert_true(is_the_disks(do_op(f->store, submit_of(id_of(10 * i + 1))), errors[i]));
        assert_true(is_the_disks(do_op(f->store, finish_of(id_of(10 * i), 1, "r")), errors[i]));
        assert_int_equal(store_find(f->store, id_of(10 * i), &job), 0); /* what is there can be read */
        assert_int_equal(job.state, PB__STATE__STATE_READY);
        refusing = 0;
        assert_int_equal(store_find(f->store, id_of(10 * i + 1), &job), -ENOENT); /* what was refused is not there */
        assert_int_equal(do_op(f->store, finish_of(id_of(10 * i), 1, "r")), 0);
        assert_int_equal(do_op(f->store, submit_of(id_of(10 * i + 1))), 0);
        reopen(f);
        assert_int_equal(store_find(f->store, id_of(10 * i + 1), &job), 0);
        assert_int_equal(store_find(f->store, id_of(10 * i), &job), 0);
        assert_int_equal(job.state, PB__STATE__STATE_SUCCEEDED);
        assert_chain(f->store);
    }
}

#define FRESH(name) cmocka_unit_test_setup_teardown(name, setup_dir, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(nothing_that_was_done_is_lost_when_the_power_goes),
        FRESH(a_disk_that_refuses_for_a_while_costs_nothing_that_was_done),
    };

    lay_under();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
