/*
 * store_repair.c - a new database of what can be read, in place of a damaged one; see store_care.h.
 *
 * A database is two files, itself and its log, and the two change places with one: each step leaves something that the next repair knows. As long
 * as the directory repair-TIME is there it has not ended, and no broker starts (store_sqlite.c).
 *   1. repair-TIME/new.db is made of a copy
 *   2. the damaged database gets a second name, and its log: coop.db.damaged-TIME; both names are what they were
 *   3. the log loses its first name: from here coop.db is half of what it was, and stands for nothing
 *   4. new.db becomes coop.db
 *   5. repair-TIME goes
 */
#include "broker/store_care.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker/store_sqlite.h"

enum { PATIENCE_MS = 5000, NAME = 96 };

void (*store_repair_step)(const char *what);

static void step(const char *what)
{
    if (store_repair_step != NULL)
        store_repair_step(what);
}

void store_stamp(char ret[STORE_STAMP])
{
    struct timespec now;
    struct tm tm;
    size_t n;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &tm);
    n = strftime(ret, STORE_STAMP, "%Y%m%dT%H%M%S", &tm);
    (void)snprintf(ret + n, STORE_STAMP - n, ".%06ldZ", now.tv_nsec / 1000); /* two may come within one second */
}

int store_check_at(int dir, int output, struct care *c)
{
    char path[64], why[STORE_WHY];
    sqlite3 *db = NULL;
    char left[STORE_LEFT];
    struct stat st;
    int err;

    if (store_find_left(dir, STORE_REPAIRING, left))
        care_say(c, "repair", false, "%s: a repair did not end; coop store repair takes it up", left);
    if (fstatat(dir, "coop.db", &st, AT_SYMLINK_NOFOLLOW) != 0) {
        err = -errno;
        care_say(c, "file", false, "there is no job database: %s", strerror(-err));
        return err;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/coop.db", dir);
    err = store_connect_to_look(path, PATIENCE_MS, &db, why);
    if (err == 0)
        err = store_check_db(db, output, c);
    if (err != 0)
        care_say(c, "file", false, "cannot be read: %s", db != NULL ? sqlite3_errmsg(db) : strerror(-err));
    (void)sqlite3_close(db);
    return err == 0 && c->faults > 0 ? -EUCLEAN : err;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------------ */

/* What is in the log is part of what is salvaged; closing folds it in, so a copy is read, never the original. */
static int copy_aside(int at, const char *name, const char *to_dir_name)
{
    char buf[1 << 16];
    int from = openat(at, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), dir, to, err = 0;
    ssize_t n = 1;

    if (from < 0)
        return errno == ENOENT ? 0 : -errno;
    dir = openat(at, to_dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    to = dir >= 0 ? openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (to < 0)
        err = -errno;
    while (err == 0 && (n = read(from, buf, sizeof(buf))) > 0)
        if (write(to, buf, (size_t)n) != n)
            err = -ENOSPC;
    if (err == 0 && n < 0)
        err = -errno;
    if (to >= 0)
        (void)close(to);
    if (dir >= 0)
        (void)close(dir);
    (void)close(from);
    return err;
}

static void drop_dir(int at, const char *name)
{
    static const char *const names[] = { "coop.db", "coop.db-wal", "coop.db-shm", "new.db", "new.db-journal", "new.db-wal", "new.db-shm" };
    int dir = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && dir >= 0; i++)
        (void)unlinkat(dir, names[i], 0);
    if (dir >= 0)
        (void)close(dir);
    (void)unlinkat(at, name, AT_REMOVEDIR);
}

/* "" the database, "-wal" its log. */
static const char *damaged(char buf[NAME], const char *suffix, const char *which)
{
    (void)snprintf(buf, NAME, "coop.db.damaged-%s%s", suffix, which);
    return buf;
}

static int give_second_name(int dir, const char *name, const char *second)
{
    return linkat(dir, name, dir, second, 0) == 0 || errno == ENOENT ? 0 : -errno;
}

/* ---- steps ------------------------------------------------------------------------------------------------------------------------------- */

static int change_places(int dir, int work, const char *suffix)
{
    char db[NAME], wal[NAME];
    int err;

    step("second name");
    err = give_second_name(dir, "coop.db", damaged(db, suffix, ""));
    step("second name of the log");
    if (err == 0)
        err = give_second_name(dir, "coop.db-wal", damaged(wal, suffix, "-wal"));
    if (err == 0 && fsync(dir) != 0)
        err = -errno;
    step("the log goes");
    if (err == 0 && unlinkat(dir, "coop.db-wal", 0) != 0 && errno != ENOENT)
        err = -errno;
    (void)unlinkat(dir, "coop.db-shm", 0); /* an index of the log */
    if (err == 0 && fsync(dir) != 0)
        err = -errno;
    step("the new one comes");
    if (err == 0 && (renameat(work, "new.db", dir, "coop.db") != 0 || fsync(dir) != 0))
        err = -errno;
    step("done");
    return err;
}

/* What an earlier one left: as it was before that, unless its new database is in place already. */
static int undo_left(int dir, const char *left, struct care *c)
{
    const char *suffix = left + strlen(STORE_REPAIRING);
    char db[NAME], wal[NAME];
    struct stat is, was;
    bool there = fstatat(dir, "coop.db", &is, AT_SYMLINK_NOFOLLOW) == 0,
         set_aside = fstatat(dir, damaged(db, suffix, ""), &was, AT_SYMLINK_NOFOLLOW) == 0;

    (void)damaged(wal, suffix, "-wal");
    if (set_aside && (!there || (is.st_ino == was.st_ino && is.st_dev == was.st_dev))) {
        if (linkat(dir, wal, dir, "coop.db-wal", 0) != 0 && errno != ENOENT && errno != EEXIST)
            return -errno;
        if (!there && linkat(dir, db, dir, "coop.db", 0) != 0)
            return -errno;
        (void)unlinkat(dir, wal, 0);
        (void)unlinkat(dir, db, 0);
    }
    drop_dir(dir, left);
    if (fsync(dir) != 0)
        return -errno;
    care_say(c, "repair", true, "%s did not end: all is as it was before it, or it was done but for tidying up", left);
    return 0;
}

static int repair_in(int dir, const char *name, const char *suffix, struct care *c)
{
    int work, err = mkdirat(dir, name, 0700) != 0 ? -errno : 0;

    if (err == 0)
        err = copy_aside(dir, "coop.db", name);
    if (err == 0)
        err = copy_aside(dir, "coop.db-wal", name);
    work = err == 0 ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (err == 0 && work < 0)
        err = -errno;
    if (err == 0)
        err = store_salvage(work, "new.db", c);
    if (err == 0)
        err = change_places(dir, work, suffix);
    if (work >= 0)
        (void)close(work);
    return err;
}

int store_repair(int dir, int output, const char *state_dir, struct care *c)
{
    char name[NAME], suffix[STORE_STAMP], left[STORE_LEFT];
    struct care quiet = { .out = c->out };
    int err = 0;

    while (err == 0 && store_find_left(dir, STORE_REPAIRING, left))
        err = undo_left(dir, left, c);
    if (err == 0)
        err = store_check_at(dir, output, &quiet);
    if (err == 0) {
        care_say(c, "repair", true, "nothing is damaged, nothing was changed");
        return 0;
    }
    if (err != -EUCLEAN)
        return err;
    store_stamp(suffix);
    (void)snprintf(name, sizeof(name), STORE_REPAIRING "%s", suffix);
    err = repair_in(dir, name, suffix, c);
    if (err == 0)
        drop_dir(dir, name);
    else
        (void)undo_left(dir, name, &quiet);
    if (err == 0)
        care_say(c, "repair", true, "a broker can start on what was saved; the damaged database is %s/coop.db.damaged-%s", state_dir,
                 suffix);
    else
        care_say(c, "repair", false, "nothing was changed: %s", err == -EUCLEAN ? "nothing can be read of it" : strerror(-err));
    return err != 0 ? err : c->faults > 0 ? -EUCLEAN : 0;
}
