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

/* A sanitizer looks for leaks at the end, and traces us for that; who is two users at once is nobody's to trace. */
static void be_one_user(void)
{
#if defined(COOP_ASAN)
    if (seteuid(getuid()) != 0 || setegid(getgid()) != 0)
        abort();
#endif
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

/* ---- check, repair ----------------------------------------------------------------------------------------------------------------------- */

static int check(struct place *p)
{
    int err = open_place(p, false);

    return err == 0 ? store_check_at(p->dir, p->output, &p->care) : err;
}

static int repair(struct place *p)
{
    int err = open_place(p, true);

    return err == 0 ? store_repair(p->dir, p->output, p->config->state_dir, &p->care) : err;
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
        care_say(&p->care, "copy", true, "%llu jobs, %llu bytes, which are looked at now", (unsigned long long)copied.jobs,
                 (unsigned long long)copied.bytes);
    if (err == 0)
        err = store_check_at(to, -1, &quiet);
    if (to >= 0)
        (void)close(to);
    return err;
}

static int put_in_place(struct place *p, int from)
{
    char fresh[4200], old[4200], suffix[STORE_STAMP];
    const char *dir = p->config->state_dir;
    int err;

    store_stamp(suffix);
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
        care_say(&p->care, "backup", true, "%s is looked at, before anything is touched", p->config->store_from);
        err = store_check_at(from, output, &backup);
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
    be_one_user();
    return exit_of(err);
}
