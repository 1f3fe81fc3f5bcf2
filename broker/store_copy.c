/*
 * store_copy.c - a store is copied as it is at one moment, while a broker may be writing to it; see store_care.h.
 *
 * One read transaction of a connection of its own is that moment: in WAL mode it keeps no writer waiting, and the log only gets longer for
 * as long. Outputs that lie in files are those of jobs that had ended by then, and do not change any more.
 */
#include "broker/store_care.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker/store_sqlite.h"

enum { SLICE_PAGES = 256, PAUSE_NS = 1000000, PATIENCE_MS = 5000, COPY_BYTES = 1 << 20 };

static bool told_to_stop(const atomic_bool *stop)
{
    return stop != NULL && atomic_load(stop);
}

static int copy_pages(sqlite3 *from, sqlite3 *to, bool gentle, const atomic_bool *stop)
{
    static const struct timespec pause = { 0, PAUSE_NS };
    sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
    int rc = SQLITE_OK;

    if (b == NULL)
        return store_errno(to, sqlite3_errcode(to));
    while (rc == SQLITE_OK && !told_to_stop(stop)) {
        rc = sqlite3_backup_step(b, gentle ? SLICE_PAGES : 64 * SLICE_PAGES);
        if (rc == SQLITE_OK && gentle)
            (void)nanosleep(&pause, NULL); /* the disk is also others' */
    }
    (void)sqlite3_backup_finish(b);
    return rc == SQLITE_DONE ? 0 : rc == SQLITE_OK ? -ECANCELED : store_errno(to, rc);
}

/* A copy needs no log beside it: it can be read where nothing may be written. */
static int copy_db(int from_dir, int to_dir, bool gentle, const atomic_bool *stop, sqlite3 **ret, char why[STORE_WHY])
{
    char path[64];
    sqlite3 *from = NULL;
    int64_t unused;
    int err;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/coop.db", from_dir);
    err = store_connect(path, SQLITE_OPEN_READONLY, PATIENCE_MS, &from, why);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/coop.db", to_dir);
    if (err == 0)
        err = store_connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, PATIENCE_MS, ret, why);
    if (err == 0) {
        err = store_errno(from, sqlite3_exec(from, "BEGIN", NULL, NULL, NULL));
        if (err == 0)
            err = store_number(from, "SELECT count(*) FROM sqlite_schema", &unused); /* the moment */
        if (err == 0)
            err = copy_pages(from, *ret, gentle, stop);
        if (err == 0)
            err = store_errno(*ret, sqlite3_exec(*ret, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL));
        if (err != 0)
            store_say(why, "the database cannot be copied: %s", strerror(-err));
    }
    (void)sqlite3_close(from);
    return err;
}

/* ---- files of outputs ------------------------------------------------------------------------------------------------------------------ */

static int copy_file(int from_dir, int to_dir, const char *name, uint64_t *bytes)
{
    int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), to = -1, err = from < 0 ? -errno : 0;
    ssize_t n = 1;

    if (err == 0 && (to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)) < 0)
        err = -errno;
    while (err == 0 && n > 0) {
        n = copy_file_range(from, NULL, to, NULL, COPY_BYTES, 0);
        if (n < 0)
            err = -errno;
        else
            *bytes += (uint64_t)n;
    }
    if (err == 0 && fsync(to) != 0)
        err = -errno;
    if (from >= 0)
        (void)close(from);
    if (to >= 0)
        (void)close(to);
    return err == -ENOENT ? 0 : err; /* its job was removed meanwhile */
}

/* A file of a job that the copy knows as ended: "ID.ending". */
static bool belongs(sqlite3_stmt *ended, const char *name)
{
    bool found;

    if (strlen(name) <= ULID_LEN || name[ULID_LEN] != '.')
        return false;
    (void)sqlite3_bind_text(ended, 1, name, ULID_LEN, SQLITE_STATIC);
    found = sqlite3_step(ended) == SQLITE_ROW;
    (void)sqlite3_reset(ended);
    return found;
}

static int copy_files(int from_dir, int to_dir, sqlite3_stmt *ended, const atomic_bool *stop, uint64_t *bytes)
{
    int fd = openat(from_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e;

    if (d == NULL)
        return -errno;
    while (err == 0 && (errno = 0, e = readdir(d)) != NULL) {
        if (told_to_stop(stop))
            err = -ECANCELED;
        else if (belongs(ended, e->d_name))
            err = copy_file(from_dir, to_dir, e->d_name, bytes);
    }
    if (err == 0 && errno != 0)
        err = -errno;
    (void)closedir(d);
    return err == 0 && fsync(to_dir) != 0 ? -errno : err;
}

static int copy_outputs(int from_dir, int to_dir, sqlite3 *db, const atomic_bool *stop, uint64_t *bytes, char why[STORE_WHY])
{
    int from = openat(from_dir, "output", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), to = -1, err = 0;
    sqlite3_stmt *ended = NULL;

    if (from < 0 && errno == ENOENT)
        return 0;
    if (from < 0 || mkdirat(to_dir, "output", 0700) != 0 || (to = openat(to_dir, "output", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        err = -errno;
    if (err == 0)
        err = store_errno(db, sqlite3_prepare_v2(db, "SELECT 1 FROM job WHERE id = ?1 AND NOT (" UNFINISHED_SQL ")", -1, &ended, NULL));
    if (err == 0)
        err = copy_files(from, to, ended, stop, bytes);
    (void)sqlite3_finalize(ended);
    if (err != 0)
        store_say(why, "outputs cannot be copied: %s", strerror(-err));
    if (from >= 0)
        (void)close(from);
    if (to >= 0)
        (void)close(to);
    return err;
}

int store_copy(int from_dir, int to_dir, bool gentle, const atomic_bool *stop, struct store_copied *ret, char why[STORE_WHY])
{
    int64_t jobs = 0;
    sqlite3 *db = NULL;
    struct stat st;
    int err;

    *ret = (struct store_copied){ 0 };
    why[0] = '\0';
    err = copy_db(from_dir, to_dir, gentle, stop, &db, why);
    if (err == 0)
        err = store_number(db, "SELECT count(*) FROM job", &jobs);
    if (err == 0)
        err = copy_outputs(from_dir, to_dir, db, stop, &ret->bytes, why);
    (void)sqlite3_close(db);
    if (err == 0 && (fstatat(to_dir, "coop.db", &st, 0) != 0 || fsync(to_dir) != 0))
        err = -errno;
    if (err == 0) {
        ret->bytes += (uint64_t)st.st_size;
        ret->jobs = (uint64_t)jobs;
    } else if (why[0] == '\0') {
        store_say(why, "the copy cannot be written: %s", strerror(-err));
    }
    return err;
}

/* ---- of a running broker, in a thread ---------------------------------------------------------------------------------------------------- */

struct store_backup {
    int from, to, done; /* descriptors; done: an eventfd */
    char *path, *part;  /* where it will be, and where it is until it is whole */
    atomic_bool stop;
    pthread_t thread;
    int err;
    struct store_copied copied;
    char why[STORE_WHY];
};

static void *backup_main(void *arg)
{
    struct store_backup *b = arg;
    uint64_t one = 1;

    (void)pthread_setname_np(pthread_self(), "backup");
    b->err = store_copy(b->from, b->to, true, &b->stop, &b->copied, b->why);
    if (b->err == 0 && renameat2(AT_FDCWD, b->part, AT_FDCWD, b->path, RENAME_NOREPLACE) != 0) {
        b->err = -errno;
        store_say(b->why, "%.200s cannot get its name: %s", b->path, strerror(errno));
    }
    (void)!write(b->done, &one, sizeof(one));
    return NULL;
}

static void backup_free(struct store_backup *b)
{
    if (b->from >= 0)
        (void)close(b->from);
    if (b->to >= 0)
        (void)close(b->to);
    if (b->done >= 0)
        (void)close(b->done);
    free(b->path);
    free(b->part);
    free(b);
}

static int open_places(struct store_backup *b, int state_dir, const char *path, char why[STORE_WHY])
{
    struct stat st;

    if (path[0] != '/') {
        store_say(why, "a backup wants an absolute path, the broker's working directory is not yours");
        return -EINVAL;
    }
    if (lstat(path, &st) == 0) {
        store_say(why, "%.200s is there already", path);
        return -EEXIST;
    }
    b->path = strdup(path);
    if (b->path == NULL || asprintf(&b->part, "%s.part-%ld", path, (long)getpid()) < 0) {
        b->part = NULL;
        return -ENOMEM;
    }
    b->from = fcntl(state_dir, F_DUPFD_CLOEXEC, 0);
    b->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->from < 0 || b->done < 0)
        return -errno;
    if (mkdir(b->part, 0700) != 0 || (b->to = open(b->part, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)) < 0)
        return -errno;
    return 0;
}

int store_backup_start(int state_dir, const char *path, struct store_backup **ret, char why[STORE_WHY])
{
    struct store_backup *b = calloc(1, sizeof(*b));
    sigset_t all, before;
    int err;

    why[0] = '\0';
    if (b == NULL)
        return -ENOMEM;
    b->from = b->to = b->done = -1;
    err = open_places(b, state_dir, path, why);
    if (err == 0) {
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's business */
        err = -pthread_create(&b->thread, NULL, backup_main, b);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    if (err == 0) {
        *ret = b;
        return 0;
    }
    if (why[0] == '\0')
        store_say(why, "%.200s cannot be made by the broker: %s", path, strerror(-err));
    backup_free(b);
    return err;
}

int store_backup_fd(const struct store_backup *b)
{
    return b->done;
}

/* What a backup that failed has written. */
static void drop_part(const struct store_backup *b)
{
    static const char *const names[] = { "coop.db", "coop.db-journal", "coop.db-wal", "coop.db-shm" };
    int fd = openat(b->to, "output", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;

    while (d != NULL && (e = readdir(d)) != NULL)
        (void)unlinkat(dirfd(d), e->d_name, 0);
    if (d != NULL)
        (void)closedir(d);
    (void)unlinkat(b->to, "output", AT_REMOVEDIR);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        (void)unlinkat(b->to, names[i], 0);
    (void)rmdir(b->part);
}

int store_backup_end(struct store_backup *b, bool stop, struct store_copied *ret, char why[STORE_WHY])
{
    int err;

    if (stop)
        atomic_store(&b->stop, true);
    (void)pthread_join(b->thread, NULL);
    err = b->err;
    *ret = b->copied;
    memcpy(why, b->why, STORE_WHY);
    if (err != 0)
        drop_part(b);
    backup_free(b);
    return err;
}
