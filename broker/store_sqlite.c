/*
 * store_sqlite.c - opens and closes the store: directory, lock, database, checks, in that order; see store.h.
 *
 * The directory is the security boundary: it is ours (same uid) and nobody else may write to it, so the names in it are ours as well.
 */
#include "store_sqlite.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    WRITER_PATIENCE_MS = 10000, /* an administrator's sqlite3 shell may hold the database for a while */
    READER_PATIENCE_MS = 1000,
    QUICK_CHECK_S = 2, /* how long pages are looked at when opening: some GiB that are in memory, less from a slow disk */
};

static const char writer_setup[] = "PRAGMA synchronous = FULL;" /* an acknowledged commit survives a power cut */
                                   "PRAGMA foreign_keys = ON;"
                                   "PRAGMA trusted_schema = OFF;"
                                   "PRAGMA wal_autocheckpoint = 0;"         /* store_writer.c does it, after the ops were handed back */
                                   "PRAGMA journal_size_limit = 67108864;"; /* a log that grew past this is cut again */

/* ---- shared by the parts -------------------------------------------------------------------------------------------------------- */

void store_say(char why[STORE_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, STORE_WHY, fmt, ap);
    va_end(ap);
}

/* clang-format off */
static const struct {
    int sqlite, err;
} errno_rows[] = {
    { SQLITE_FULL, ENOSPC },   { SQLITE_READONLY, EROFS }, { SQLITE_CORRUPT, EUCLEAN }, { SQLITE_NOTADB, EUCLEAN },
    { SQLITE_NOMEM, ENOMEM },  { SQLITE_BUSY, EBUSY },     { SQLITE_LOCKED, EBUSY },    { SQLITE_TOOBIG, EFBIG },
    { SQLITE_PERM, EACCES },
};
/* clang-format on */

int store_errno(sqlite3 *db, int rc)
{
    int base = rc & 0xff, os = db == NULL ? 0 : sqlite3_system_errno(db);

    if (base == SQLITE_OK || base == SQLITE_DONE || base == SQLITE_ROW)
        return 0;
    for (size_t i = 0; i < sizeof(errno_rows) / sizeof(errno_rows[0]); i++)
        if (errno_rows[i].sqlite == base)
            return -errno_rows[i].err;
    /* SQLite calls a full disk FULL only in write(2); growing the -shm file or a quota comes as IOERR. */
    if ((base == SQLITE_IOERR || base == SQLITE_CANTOPEN) && (os == ENOSPC || os == EDQUOT))
        return -ENOSPC;
    if ((base == SQLITE_IOERR || base == SQLITE_CANTOPEN) && (os == EROFS || os == EACCES))
        return -os;
    return -EIO;
}

int store_step(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt), err = store_errno(sqlite3_db_handle(stmt), rc);

    (void)sqlite3_reset(stmt);
    return err;
}

int store_prepare(sqlite3 *db, const char *const *sql, sqlite3_stmt **ret, int count)
{
    for (int i = 0; i < count; i++) {
        int rc = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &ret[i], NULL);
        if (rc != SQLITE_OK)
            return store_errno(db, rc);
    }
    return 0;
}

void store_drop(sqlite3_stmt **stmt, int count)
{
    for (int i = 0; i < count; i++) {
        (void)sqlite3_finalize(stmt[i]);
        stmt[i] = NULL;
    }
}

int store_number(sqlite3 *db, const char *sql, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    rc = store_errno(db, rc);
    (void)sqlite3_finalize(stmt);
    return rc;
}

/* ---- the directory -------------------------------------------------------------------------------------------------------------- */

/* The new name is made durable too: a receipt in a directory that a power cut forgets is no receipt. */
static int make_dir(const char *path)
{
    char parent[PATH_MAX];
    char *slash;
    int fd, err = 0;

    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? 0 : -errno;
    (void)snprintf(parent, sizeof(parent), "%s", path);
    slash = strrchr(parent, '/');
    if (slash == NULL)
        (void)snprintf(parent, sizeof(parent), ".");
    else
        slash[slash == parent] = '\0';
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == EACCES ? 0 : -errno; /* a parent we may write to but not read cannot be synced */
    if (fsync(fd) != 0)
        err = -errno;
    (void)close(fd);
    return err;
}

static int make_dirs(const char *dir)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s", dir), err = 0;
    struct stat st;

    if (n <= 0)
        return -ENOENT;
    if ((size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    if (stat(path, &st) == 0)
        return 0; /* mkdir() on a read-only mount says EROFS even when there is nothing to do */
    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';
    for (char *p = path + 1; *p != '\0' && err == 0; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (stat(path, &st) != 0)
            err = make_dir(path);
        *p = '/';
    }
    return err != 0 ? err : make_dir(path);
}

static const char *user_name(uid_t uid, char *buf, size_t size)
{
    struct passwd pw, *found = NULL;
    char text[1024];

    if (getpwuid_r(uid, &pw, text, sizeof(text), &found) == 0 && found != NULL)
        (void)snprintf(buf, size, "%s (uid %u)", found->pw_name, (unsigned)uid);
    else
        (void)snprintf(buf, size, "uid %u", (unsigned)uid);
    return buf;
}

static int check_owner(const char *what, const struct stat *st, char why[STORE_WHY])
{
    char theirs[96], ours[96];

    if (st->st_uid != geteuid()) {
        store_say(why, "%.200s belongs to %s, and this is %s", what, user_name(st->st_uid, theirs, sizeof(theirs)),
                  user_name(geteuid(), ours, sizeof(ours)));
        return -EPERM;
    }
    if (st->st_mode & (S_IWGRP | S_IWOTH)) {
        store_say(why, "%.200s may be written by others (mode %03o): chmod go-w it", what, (unsigned)st->st_mode & 0777);
        return -EPERM;
    }
    return 0;
}

int store_open_dir(const char *dir, int *ret_fd, char why[STORE_WHY])
{
    int fd, err = make_dirs(dir);

    if (err != 0) {
        store_say(why, "cannot create %.200s: %s", dir, strerror(-err));
        return err;
    }
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        err = -errno;
        store_say(why, "cannot open %.200s: %s", dir, strerror(-err));
        return err;
    }
    *ret_fd = fd;
    return 0;
}

int store_check_dir(int fd, const char *dir, char why[STORE_WHY])
{
    struct stat st;
    int err;

    if (fstat(fd, &st) != 0) {
        err = -errno;
        store_say(why, "cannot open %.200s: %s", dir, strerror(-err));
        return err;
    }
    err = check_owner(dir, &st, why);
    if (err != 0)
        return err;
    if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        err = -errno;
        store_say(why, err == -EROFS ? "%.200s is on a file system mounted read-only" : "%.200s is a directory we may not write to", dir);
    }
    return err;
}

/* Held until the process ends; the pid in it is for people, the flock is for us. Never unlinked: that would race with the next one. */
int store_take_lock(int dir_fd, const char *dir, int *ret_fd, char why[STORE_WHY])
{
    char pid[24] = "";
    int fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), err = 0;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? -EBUSY : -errno;
        if (err == -EBUSY) {
            ssize_t got = pread(fd, pid, sizeof(pid) - 1, 0);
            pid[got > 0 ? strspn(pid, "0123456789") : 0] = '\0';
            store_say(why, "%.200s is in use by another broker, pid %s", dir, pid[0] != '\0' ? pid : "unknown");
        } else {
            store_say(why, "cannot lock %.200s/lock: %s", dir, strerror(-err));
        }
        goto out;
    }
    (void)snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, strlen(pid), 0) < 0) {
        /* A full disk: the lock holds all the same, and reading jobs is still worth something. */
    }
    *ret_fd = fd;
    fd = -1;
out:
    if (fd >= 0)
        (void)close(fd);
    return err;
}

/* ---- the database --------------------------------------------------------------------------------------------------------------- */

bool store_find_left(int dir_fd, const char *begin, char ret[STORE_LEFT])
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *e;
    bool found = false;

    if (d == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return false;
    }
    while (!found && (e = readdir(d)) != NULL)
        if (strncmp(e->d_name, begin, strlen(begin)) == 0 && strlen(e->d_name) < STORE_LEFT) {
            (void)snprintf(ret, STORE_LEFT, "%.*s", STORE_LEFT - 1, e->d_name);
            found = true;
        }
    (void)closedir(d);
    return found;
}

/* An empty database beside what somebody has set aside would look as if all jobs were gone. */
static int check_left(int dir_fd, char why[STORE_WHY])
{
    char left[STORE_LEFT];

    if (store_find_left(dir_fd, STORE_REPAIRING, left)) {
        store_say(why, "%.100s is there: a repair did not end, and takes it up when it is begun again", left);
        return -EUCLEAN;
    }
    if (faccessat(dir_fd, "coop.db", F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT && store_find_left(dir_fd, STORE_DAMAGED, left)) {
        store_say(why, "coop.db is not there, and %.100s is: a new one would have none of its jobs. Name it coop.db again, or move it away",
                  left);
        return -EUCLEAN;
    }
    return 0;
}

/* Secrets lie in it: who may not write to it may not read it either, where the directory lets them come that far. */
static int check_unseen(int dir_fd, const struct stat *st, char why[STORE_WHY])
{
    struct stat dir;

    if (fstat(dir_fd, &dir) != 0)
        return -errno;
    if (((st->st_mode & (S_IRGRP | S_IROTH)) & (dir.st_mode & (S_IXGRP | S_IXOTH)) << 2) == 0)
        return 0;
    store_say(why, "coop.db may be read by others (mode %03o), and secrets of tenants and of the store lie in it: chmod 600 it",
              (unsigned)st->st_mode & 0777);
    return -EPERM;
}

/* Made by us before SQLite opens it, so that it is 0600; the -wal and -shm files take their mode from it. */
static int make_file(int dir_fd, char why[STORE_WHY])
{
    int fd = openat(dir_fd, "coop.db", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600), err = 0;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        err = -errno;
        store_say(why, "cannot open coop.db: %s", strerror(-err));
    } else {
        err = check_owner("coop.db", &st, why);
        if (err == 0)
            err = check_unseen(dir_fd, &st, why);
    }
    if (fd >= 0)
        (void)close(fd);
    return err;
}

/*
 * SQLite makes a path absolute, by the working directory and every link on the way, and then has to get through all of it again. Ours goes
 * through a descriptor instead, so that a directory is good whose parents are shut to us; it is whole already and is left alone.
 */
static int keep_path(sqlite3_vfs *vfs, const char *path, int size, char *ret)
{
    (void)vfs;
    return sqlite3_snprintf(size, ret, "%s", path) != NULL && strlen(path) < (size_t)size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static const char *own_vfs(void)
{
    static sqlite3_vfs vfs;

    if (vfs.zName == NULL) {
        const sqlite3_vfs *usual = sqlite3_vfs_find("unix");

        if (usual == NULL)
            return NULL;
        vfs = *usual;
        vfs.pNext = NULL;
        vfs.zName = "coop";
        vfs.xFullPathname = keep_path;
    }
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? vfs.zName : NULL;
}

int store_connect(const char *path, int flags, int patience_ms, sqlite3 **ret, char why[STORE_WHY])
{
    /* NOMUTEX: each connection is used by one thread at a time. */
    int rc = sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, own_vfs());

    if (rc != SQLITE_OK) {
        store_say(why, "cannot open %.200s: %s", path, *ret == NULL ? "no memory" : sqlite3_errmsg(*ret));
        return *ret == NULL ? -ENOMEM : store_errno(*ret, rc);
    }
    (void)sqlite3_extended_result_codes(*ret, 1);
    (void)sqlite3_busy_timeout(*ret, patience_ms);
    return 0;
}

static int turn_wal_on(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int err = store_errno(db, sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &stmt, NULL));

    if (err == 0) {
        int rc = sqlite3_step(stmt);
        const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
        err = store_errno(db, rc);
        if (err == 0 && (mode == NULL || strcmp(mode, "wal") != 0))
            err = -EOPNOTSUPP; /* a file system without shared mappings */
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

/*
 * What a crash left in the log moves into the database. Not being able to is no reason to refuse: on a full disk the log stays as long
 * as it is, and somebody's sqlite3 shell may be reading.
 */
static int fold_log(sqlite3 *db, bool *ret_folded)
{
    int err = store_errno(db, sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));

    *ret_folded = err == 0;
    return err == -ENOSPC || err == -EBUSY ? 0 : err;
}

static int is_late(void *ctx)
{
    const struct timespec *until = ctx;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > until->tv_sec || (now.tv_sec == until->tv_sec && now.tv_nsec > until->tv_nsec);
}

/* The file must be as long as its header says, and is looked at page by page: of a large one as much as there is time for. */
static int check_pages(sqlite3 *db, const char *path, bool folded, char why[STORE_WHY])
{
    int64_t pages = 0, page_size = 0;
    sqlite3_stmt *stmt = NULL;
    struct timespec until;
    struct stat st;
    int err, rc;

    if ((err = store_number(db, "PRAGMA page_count", &pages)) != 0 || (err = store_number(db, "PRAGMA page_size", &page_size)) != 0)
        goto out;
    if (stat(path, &st) != 0) {
        err = -errno;
        goto out;
    }
    if (folded && pages * page_size > st.st_size) {
        store_say(why, "the job database is damaged: %lld bytes are missing at its end", (long long)(pages * page_size - st.st_size));
        return -EUCLEAN;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += QUICK_CHECK_S;
    sqlite3_progress_handler(db, 10000, is_late, &until);
    err = store_errno(db, sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL));
    if (err == 0) {
        const char *says;

        rc = sqlite3_step(stmt);
        sqlite3_progress_handler(db, 0, NULL, NULL);
        err = (rc & 0xff) == SQLITE_INTERRUPT ? 0 : store_errno(db, rc);
        says = (rc & 0xff) == SQLITE_INTERRUPT ? "ok" : rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
        if (err == 0 && (says == NULL || strcmp(says, "ok") != 0)) {
            store_say(why, "the job database is damaged: %.200s", says == NULL ? "no verdict" : says);
            for (char *p = why; *p != '\0'; p++) /* one sentence is one line */
                if (*p == '\n')
                    *p = ' ';
            (void)sqlite3_finalize(stmt);
            return -EUCLEAN;
        }
    }
    (void)sqlite3_finalize(stmt);
out:
    if (err != 0)
        store_say(why, "cannot check the job database: %s", sqlite3_errmsg(db));
    return err;
}

static int open_writer(struct store *s, const char *path, char why[STORE_WHY])
{
    int err = store_connect(path, SQLITE_OPEN_READWRITE, WRITER_PATIENCE_MS, &s->writer, why);
    bool folded = false;

    if (err == 0)
        err = store_schema_check(s->writer, why);
    if (err != 0)
        return err;
    if ((err = turn_wal_on(s->writer)) != 0 ||
        (err = store_errno(s->writer, sqlite3_exec(s->writer, writer_setup, NULL, NULL, NULL))) != 0 ||
        (err = fold_log(s->writer, &folded)) != 0) {
        store_say(why, "cannot use the job database in WAL mode: %s",
                  err == -EOPNOTSUPP ? "the file system has no shared mappings" : sqlite3_errmsg(s->writer));
        return err;
    }
    if ((err = check_pages(s->writer, path, folded, why)) != 0 || (err = store_schema_upgrade(s->writer, why)) != 0 ||
        (err = store_schema_compare(s->writer, why)) != 0)
        return err;
    err = store_prepare(s->writer, store_write_sql, s->w, W_COUNT);
    if (err != 0)
        store_say(why, "the job database is not as expected: %s", sqlite3_errmsg(s->writer));
    return err;
}

static int open_reader(struct store *s, const char *path, char why[STORE_WHY])
{
    int err = store_connect(path, SQLITE_OPEN_READONLY, READER_PATIENCE_MS, &s->reader, why);

    if (err == 0) {
        err = store_prepare(s->reader, store_read_sql, s->r, R_COUNT);
        if (err != 0)
            store_say(why, "the job database is not as expected: %s", sqlite3_errmsg(s->reader));
    }
    return err;
}

static struct store *store_new(void)
{
    struct store *s = calloc(1, sizeof(*s));
    pthread_condattr_t clock;

    if (s == NULL)
        return NULL;
    s->dir_fd = s->lock_fd = s->event_fd = -1;
    s->queue.last = &s->queue.first;
    s->done.last = &s->done.first;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_condattr_init(&clock);
    (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->wake, &clock);
    (void)pthread_condattr_destroy(&clock);
    return s;
}

/* Ids are the order of jobs: a clock that was put back while no broker ran must not make one that is older than what is there. */
static int go_on_from_ids(struct store *s, char why[STORE_WHY])
{
    static const char sql[] = "SELECT coalesce(max((SELECT max(id) FROM job), coalesce((SELECT max(id) FROM arr), '')), '')";
    sqlite3_stmt *stmt = NULL;
    int err = store_errno(s->reader, sqlite3_prepare_v2(s->reader, sql, -1, &stmt, NULL));

    if (err == 0 && sqlite3_step(stmt) == SQLITE_ROW)
        ulid_after((const char *)sqlite3_column_text(stmt, 0));
    else if (err != 0)
        store_say(why, "the newest job cannot be read: %s", sqlite3_errmsg(s->reader));
    (void)sqlite3_finalize(stmt);
    return err;
}

static void say_way_out(char why[STORE_WHY])
{
    size_t len = strlen(why);

    (void)snprintf(
        why + len, STORE_WHY - len,
        "; nothing was changed. 'coop store check' tells all, 'coop store repair' saves what can be read, 'coop store restore DIR' "
        "takes a backup");
}

int store_open_at(int dir_fd, const char *dir, struct store **ret_store, char why[STORE_WHY])
{
    struct store *s = store_new();
    char path[64];
    int err;

    why[0] = '\0';
    if (s == NULL) {
        store_say(why, "no memory");
        return -ENOMEM;
    }
    s->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (s->dir_fd < 0) {
        err = -errno;
        store_say(why, "cannot open %.200s: %s", dir, strerror(-err));
        goto out;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/coop.db", s->dir_fd);
    if ((err = store_check_dir(s->dir_fd, dir, why)) != 0 || (err = store_take_lock(s->dir_fd, dir, &s->lock_fd, why)) != 0 ||
        (err = check_left(s->dir_fd, why)) != 0 || (err = make_file(s->dir_fd, why)) != 0)
        goto out;
    if ((err = open_writer(s, path, why)) != 0 || (err = open_reader(s, path, why)) != 0 || (err = go_on_from_ids(s, why)) != 0)
        goto out;
    s->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    err = s->event_fd < 0 ? -errno : store_writer_start(s);
    if (err != 0) {
        store_say(why, "cannot start the store's writer: %s", strerror(-err));
        goto out;
    }
    *ret_store = s;
    s = NULL;
out:
    if (err == -EUCLEAN)
        say_way_out(why);
    store_close(s);
    return err;
}

int store_open(const char *dir, struct store **ret_store, char why[STORE_WHY])
{
    int fd = -1, err;

    why[0] = '\0';
    err = store_open_dir(dir, &fd, why);
    if (err == 0)
        err = store_open_at(fd, dir, ret_store, why);
    if (fd >= 0)
        (void)close(fd);
    return err;
}

static void free_ops(struct op_list *list)
{
    while (list->first != NULL) {
        struct store_op *op = list->first;

        list->first = op->next;
        store_op_free(op);
    }
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    store_writer_stop(s);
    free_ops(&s->done);
    store_drop(s->r, R_COUNT);
    store_drop(s->w, W_COUNT);
    (void)sqlite3_close(s->reader); /* first, so that the writer is the last one and folds the log into the database */
    (void)sqlite3_close(s->writer);
    if (s->event_fd >= 0)
        (void)close(s->event_fd);
    if (s->lock_fd >= 0)
        (void)close(s->lock_fd);
    if (s->dir_fd >= 0)
        (void)close(s->dir_fd);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
