/*
 * store_care.c - coopd --store WORD: looks after the state directory while no broker does; see store_care.h.
 *
 * Started by root it becomes the directory's owner first, so that no file in it gets another one; only to give a directory its name it is
 * root again for that one call.
 */
#include "broker/store_care.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "broker/config.h"
#include "broker/store_sqlite.h"
#include "coop/exit_codes.h"
#include "json_text.h"

enum { PATIENCE_MS = 5000, DAMAGED = COOP_EXIT_JOB_FAILED };

struct place {
    const struct config *config;
    struct care care;
    int dir, lock, output; /* descriptors */
    uid_t uid;             /* of the directory's owner */
    gid_t gid;
};

/* ---- telling --------------------------------------------------------------------------------------------------------------------------- */

void care_say(struct care *c, const char *what, bool ok, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n')
            *p = ' ';
    c->faults += !ok;
    (void)fprintf(c->out, "{\"what\": ");
    json_text(c->out, what);
    (void)fprintf(c->out, ", \"ok\": %s, \"text\": ", ok ? "true" : "false");
    json_text(c->out, text);
    (void)fprintf(c->out, "}\n");
}

static int exit_of(int err)
{
    return err == 0                          ? COOP_EXIT_OK
           : err == -EBUSY                   ? COOP_EXIT_TEMPORARY
           : err == -EPERM || err == -EACCES ? COOP_EXIT_PERMISSION
           : err == -ENOENT                  ? COOP_EXIT_NOT_FOUND
           : err == -EUCLEAN                 ? DAMAGED
                                             : COOP_EXIT_PLATFORM;
}

/* ---- the place --------------------------------------------------------------------------------------------------------------------------- */

static int become_owner(struct place *p)
{
    struct stat st;

    if (fstat(p->dir, &st) != 0)
        return -errno;
    p->uid = st.st_uid;
    p->gid = st.st_gid;
    if (geteuid() != 0 || st.st_uid == 0)
        return 0;
    return setgroups(0, NULL) != 0 || setegid(p->gid) != 0 || seteuid(p->uid) != 0 ? -errno : 0;
}

/* alone: no broker may hold it. */
static int open_place(struct place *p, bool alone)
{
    const char *dir = p->config->state_dir;
    char why[STORE_WHY] = "";
    int err = 0;

    p->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->dir < 0 || (err = become_owner(p)) != 0) {
        err = p->dir < 0 ? -errno : err;
        care_say(&p->care, "directory", false, "%s: %s", dir, strerror(-err));
        return err;
    }
    err = store_check_dir(p->dir, dir, why);
    if (err == 0) {
        err = store_take_lock(p->dir, dir, &p->lock, why);
        if (err == -EBUSY && !alone)
            err = 0;
    }
    if (err != 0)
        care_say(&p->care, "directory", false, "%s", why);
    p->output = openat(p->dir, "output", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return err;
}

static void close_place(struct place *p)
{
    if (p->output >= 0)
        (void)close(p->output);
    if (p->lock >= 0)
        (void)close(p->lock);
    if (p->dir >= 0)
        (void)close(p->dir);
}

static int check_at(int dir, int output, struct care *c)
{
    char path[64], why[STORE_WHY];
    sqlite3 *db = NULL;
    struct stat st;
    int err;

    if (fstatat(dir, "coop.db", &st, AT_SYMLINK_NOFOLLOW) != 0) {
        err = -errno;
        care_say(c, "file", false, "there is no job database: %s", strerror(-err));
        return err;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/coop.db", dir);
    err = store_connect(path, SQLITE_OPEN_READONLY, PATIENCE_MS, &db, why);
    if (err == 0)
        err = store_check_db(db, output, c);
    if (err != 0)
        care_say(c, "file", false, "cannot be read: %s", db != NULL ? sqlite3_errmsg(db) : strerror(-err));
    (void)sqlite3_close(db);
    return err == 0 && c->faults > 0 ? -EUCLEAN : err;
}

static void stamp(char ret[32])
{
    time_t now = time(NULL);
    struct tm tm;

    (void)gmtime_r(&now, &tm);
    (void)strftime(ret, 32, "%Y%m%dT%H%M%SZ", &tm);
}

/* ---- check, repair ----------------------------------------------------------------------------------------------------------------------- */

static int check(struct place *p)
{
    int err = open_place(p, false);

    return err == 0 ? check_at(p->dir, p->output, &p->care) : err;
}

/* The damaged files keep everything that is in them, under another name. */
static int set_aside(const struct place *p, const char *suffix)
{
    static const char *const names[] = { "coop.db", "coop.db-wal" };
    char to[96];
    int err = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && err == 0; i++) {
        (void)snprintf(to, sizeof(to), "coop.db.damaged-%s%s", suffix, names[i] + strlen("coop.db"));
        if (renameat2(p->dir, names[i], p->dir, to, RENAME_NOREPLACE) != 0 && errno != ENOENT)
            err = -errno;
    }
    (void)unlinkat(p->dir, "coop.db-shm", 0); /* an index of the log, made anew from it */
    return err;
}

/* What is in the log is part of what is salvaged; closing folds it in, so a copy is read, never the original. */
static int copy_aside(const struct place *p, const char *name, const char *to_dir_name)
{
    char buf[1 << 16];
    int from = openat(p->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), dir, to, err = 0;
    ssize_t n = 1;

    if (from < 0)
        return errno == ENOENT ? 0 : -errno;
    dir = openat(p->dir, to_dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
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

static void drop_dir(const struct place *p, const char *name)
{
    static const char *const names[] = { "coop.db", "coop.db-wal", "coop.db-shm", "new.db", "new.db-journal", "new.db-wal", "new.db-shm" };
    int dir = openat(p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && dir >= 0; i++)
        (void)unlinkat(dir, names[i], 0);
    if (dir >= 0)
        (void)close(dir);
    (void)unlinkat(p->dir, name, AT_REMOVEDIR);
}

static int repair_in(struct place *p, const char *name, const char *suffix)
{
    int work, err = mkdirat(p->dir, name, 0700) != 0 ? -errno : 0;

    if (err == 0)
        err = copy_aside(p, "coop.db", name);
    if (err == 0)
        err = copy_aside(p, "coop.db-wal", name);
    work = err == 0 ? openat(p->dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (err == 0 && work < 0)
        err = -errno;
    if (err == 0)
        err = store_salvage(work, "new.db", &p->care);
    if (err == 0)
        err = set_aside(p, suffix);
    if (err == 0 && (renameat(work, "new.db", p->dir, "coop.db") != 0 || fsync(p->dir) != 0))
        err = -errno;
    if (work >= 0)
        (void)close(work);
    return err;
}

static int repair(struct place *p)
{
    struct care quiet = { .out = p->care.out };
    char name[64], suffix[32];
    int err = open_place(p, true);

    if (err != 0)
        return err;
    err = check_at(p->dir, p->output, &quiet);
    if (err == 0) {
        care_say(&p->care, "repair", true, "nothing is damaged, nothing was changed");
        return 0;
    }
    if (err != -EUCLEAN)
        return err;
    stamp(suffix);
    (void)snprintf(name, sizeof(name), "repair-%s", suffix);
    err = repair_in(p, name, suffix);
    drop_dir(p, name);
    if (err == 0)
        care_say(&p->care, "repair", true, "a broker can start on what was saved; the damaged database is %s/coop.db.damaged-%s",
                 p->config->state_dir, suffix);
    else
        care_say(&p->care, "repair", false, "nothing was changed: %s", err == -EUCLEAN ? "nothing can be read of it" : strerror(-err));
    return err != 0 ? err : p->care.faults > 0 ? -EUCLEAN : 0;
}

/* ---- restore ------------------------------------------------------------------------------------------------------------------------------ */

/* Names of directories are their parent's, and that may be root's. */
static int as_starter(const struct place *p, int (*fn)(const char *one, const char *two), const char *one, const char *two)
{
    bool changed = geteuid() != getuid() && seteuid(getuid()) == 0;
    int err = fn(one, two);

    if (changed && seteuid(p->uid) != 0)
        abort(); /* root, and not what it was */
    return err;
}

static int make_for(const char *path, const char *like)
{
    struct stat st;

    if (stat(like, &st) != 0 || mkdir(path, 0700) != 0)
        return -errno;
    return geteuid() == 0 && lchown(path, st.st_uid, st.st_gid) != 0 ? -errno : 0;
}

/* At every moment there is a directory of the name. */
static int exchange(const char *one, const char *two)
{
    return renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE) != 0 ? -errno : 0;
}

static int rename_dir(const char *one, const char *two)
{
    return renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_NOREPLACE) != 0 ? -errno : 0;
}

static int copy_in(struct place *p, int from, const char *fresh)
{
    struct care quiet = { .out = p->care.out };
    struct store_copied copied;
    char why[STORE_WHY];
    int to = open(fresh, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), err = to < 0 ? -errno : 0;

    if (err == 0) {
        err = store_copy(from, to, false, NULL, &copied, why);
        if (err != 0)
            care_say(&p->care, "copy", false, "%s", why);
    }
    if (err == 0)
        err = check_at(to, -1, &quiet);
    if (err == 0)
        care_say(&p->care, "copy", true, "%llu jobs, %llu bytes", (unsigned long long)copied.jobs, (unsigned long long)copied.bytes);
    if (to >= 0)
        (void)close(to);
    return err;
}

static int put_in_place(struct place *p, int from)
{
    char fresh[4200], old[4200], suffix[32];
    const char *dir = p->config->state_dir;
    int err;

    stamp(suffix);
    (void)snprintf(fresh, sizeof(fresh), "%s.new-%s", dir, suffix);
    (void)snprintf(old, sizeof(old), "%s.old-%s", dir, suffix);
    err = as_starter(p, make_for, fresh, dir);
    if (err == 0)
        err = copy_in(p, from, fresh);
    if (err == 0)
        err = as_starter(p, exchange, fresh, dir);
    if (err == 0)
        err = as_starter(p, rename_dir, fresh, old);
    if (err == 0)
        care_say(&p->care, "restore", true, "done; what was there before is %s", old);
    else
        care_say(&p->care, "restore", false, "not done: %s; %s is as it was, %s can be removed", strerror(-err), dir, fresh);
    return err;
}

static int restore(struct place *p)
{
    struct care backup = { .out = p->care.out };
    int from = open(p->config->store_from, O_RDONLY | O_DIRECTORY | O_CLOEXEC), output = -1, err = from < 0 ? -errno : 0;

    if (err != 0)
        care_say(&p->care, "backup", false, "%s: %s", p->config->store_from, strerror(-err));
    if (err == 0)
        err = open_place(p, true);
    if (err == 0) {
        output = openat(from, "output", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        err = check_at(from, output, &backup); /* before anything is touched */
    }
    if (err == -EUCLEAN)
        care_say(&p->care, "restore", false, "not done: the backup itself is damaged");
    if (err == 0)
        err = put_in_place(p, from);
    if (output >= 0)
        (void)close(output);
    if (from >= 0)
        (void)close(from);
    return err;
}

/* clang-format off */
static const struct {
    const char *word;
    int (*run)(struct place *p);
} words[] = {
    { "check",   check },
    { "repair",  repair },
    { "restore", restore },
};
/* clang-format on */

int store_care_run(const struct config *c)
{
    struct place p = { .config = c, .care = { .out = stdout }, .dir = -1, .lock = -1, .output = -1 };
    int err = -EINVAL;

    umask(077);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].word, c->store) == 0)
            err = words[i].run(&p);
    close_place(&p);
    return exit_of(err);
}
