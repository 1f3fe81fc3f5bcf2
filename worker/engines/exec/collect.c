/* collect.c - see collect.h. */
#include "worker/engines/exec/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "frame.h"
#include "rel_path.h"
#include "worker/engines/exec/beneath.h"
#include "worker/engines/exec/note.h"
#include "worker/link.h"

enum { LISTING = 8 << 10 };

/* A directory on the way down. */
struct level {
    glob_state states[COLLECT_PATTERNS];
    int fd;
    size_t path_len; /* of its own path in walk.path */
    size_t at, len;  /* in listing */
    _Alignas(struct dirent64) char listing[LISTING];
};

static struct {
    const Pb__JobSpec *spec;
    struct glob globs[COLLECT_PATTERNS];
    bool hit[COLLECT_PATTERNS];
    unsigned n_globs;
} want;

static struct {
    struct level levels[COLLECT_DEEP];
    unsigned deep;       /* levels in use */
    char path[PATH_MAX]; /* of what is looked at, from the work directory */
    struct note note;
    uint64_t room; /* bytes still to be had */
    unsigned files, entries;
    bool stop;
} walk;

int collect_read(const Pb__JobSpec *spec, char why[GLOB_WHY])
{
    if (spec->n_outputs > COLLECT_PATTERNS)
        return snprintf(why, GLOB_WHY, "more than %d outputs", COLLECT_PATTERNS), -EINVAL;
    want.spec = spec;
    for (; want.n_globs < spec->n_outputs; want.n_globs++) {
        int rc = glob_read(&want.globs[want.n_globs], spec->outputs[want.n_globs], why);

        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- one file ------------------------------------------------------------------------------------------------------------------ */

static void send_piece(const struct stat *st, bool first, uint8_t *bytes, size_t len, bool last)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    Pb__Collected c = PB__COLLECTED__INIT;

    if (first) {
        c.name = walk.path;
        c.mode = st->st_mode & 0777;
        c.size = (uint64_t)st->st_size;
    }
    c.data = (ProtobufCBinaryData){ len, bytes };
    c.last = last;
    m.body_case = PB__FROM_WORKER__BODY_COLLECTED;
    m.collected = &c;
    link_send(&m);
}

static ssize_t read_some(int fd, uint8_t *into, size_t size)
{
    ssize_t n;

    do {
        n = read(fd, into, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

/* As many bytes as its size was, in pieces. What a disk does not give after all is zero, and the note says so. */
static void send_file(int fd, const struct stat *st)
{
    static uint8_t piece[COLLECT_PIECE];
    uint64_t left = (uint64_t)st->st_size;
    bool first = true, broken = false;

    do {
        size_t most = left < sizeof(piece) ? (size_t)left : sizeof(piece);
        ssize_t n = broken || most == 0 ? 0 : read_some(fd, piece, most);

        if (n <= 0 && most > 0) {
            if (!broken)
                note_add(&walk.note, walk.path, "its last %llu bytes could not be read; they are zeros here", (unsigned long long)left);
            broken = true;
            n = (ssize_t)most;
            memset(piece, 0, most);
        }
        left -= (uint64_t)n;
        send_piece(st, first, piece, (size_t)n, left == 0);
        first = false;
    } while (left > 0);
    walk.files++;
    walk.room -= (uint64_t)st->st_size;
}

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFLNK: return "is a symbolic link";
    case S_IFDIR: return "is a directory";
    case S_IFIFO: return "is a FIFO";
    case S_IFSOCK: return "is a socket";
    case S_IFCHR:
    case S_IFBLK: return "is a device";
    default: return "is not a regular file";
    }
}

/* It goes into messages for people, and becomes the name of a file on the host. */
static const char *name_fault(void)
{
    return frame_is_utf8(walk.path, strlen(walk.path)) ? rel_path_fault(walk.path) : "is not UTF-8";
}

static void judge_file(int fd, const struct stat *st)
{
    if (!S_ISREG(st->st_mode))
        note_add(&walk.note, walk.path, "%s", kind_of(st->st_mode));
    else if ((st->st_mode & (S_ISUID | S_ISGID)) != 0)
        note_add(&walk.note, walk.path, "would run as somebody else (its mode is %o)", (unsigned)st->st_mode & 07777);
    else if (name_fault() != NULL)
        note_add(&walk.note, walk.path, "its name %s", name_fault());
    else if ((uint64_t)st->st_size > walk.room)
        note_add(&walk.note, walk.path, "its %llu bytes do not fit into the %llu left (see --limit result)",
                 (unsigned long long)st->st_size, (unsigned long long)walk.room);
    else
        send_file(fd, st);
}

/* O_NONBLOCK: a FIFO would wait for a writer. A socket gives ENXIO, a link ELOOP: their kind is known from the listing. */
static void take_file(int dir, const char *name, unsigned char type)
{
    struct stat st;
    int fd;

    if (walk.files == COLLECT_FILES) {
        note_add(&walk.note, "", "more than %d files match; what comes after them was not collected", COLLECT_FILES);
        walk.stop = true;
        return;
    }
    if (type != DT_REG && type != DT_UNKNOWN) {
        note_add(&walk.note, walk.path, "%s", kind_of(DTTOIF(type)));
        return;
    }
    fd = beneath_open(dir, name, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        note_add(&walk.note, walk.path, "cannot be read (%s)", fd == -ELOOP ? "a symbolic link" : strerror(-fd));
        return;
    }
    if (fstat(fd, &st) == 0)
        judge_file(fd, &st);
    close(fd);
}

/* ---- the walk ------------------------------------------------------------------------------------------------------------------ */

/* After this name: sets ret_states; whether it is matched, and whether anything below may be. */
static void step_all(const struct level *l, const char *name, glob_state *ret_states, bool *ret_matched, bool *ret_goes_on)
{
    *ret_matched = *ret_goes_on = false;
    for (unsigned i = 0; i < want.n_globs; i++) {
        ret_states[i] = l->states[i] != 0 ? glob_step(&want.globs[i], l->states[i], name) : 0;
        if (glob_matches(&want.globs[i], ret_states[i]))
            *ret_matched = want.hit[i] = true;
        *ret_goes_on |= glob_goes_on(&want.globs[i], ret_states[i]);
    }
}

static void enter_directory(int dir, const char *name, const glob_state *states)
{
    struct level *l = &walk.levels[walk.deep];
    int fd;

    if (walk.deep == COLLECT_DEEP) {
        note_add(&walk.note, walk.path, "lies more than %d directories deep: not looked into", COLLECT_DEEP);
        return;
    }
    fd = beneath_open(dir, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        note_add(&walk.note, walk.path, "cannot be looked into (%s)", strerror(-fd));
        return;
    }
    memcpy(l->states, states, sizeof(l->states));
    l->fd = fd;
    l->path_len = strlen(walk.path);
    l->at = l->len = 0;
    walk.deep++;
}

static bool set_path(const struct level *l, const char *name)
{
    size_t room = sizeof(walk.path) - l->path_len;
    int n = snprintf(walk.path + l->path_len, room, "%s%s", l->path_len > 0 ? "/" : "", name);

    return (size_t)n < room;
}

static void visit(struct level *l, const struct dirent64 *e)
{
    glob_state states[COLLECT_PATTERNS] = { 0 };
    bool matched, goes_on;

    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
        return;
    if (++walk.entries > COLLECT_ENTRIES) {
        note_add(&walk.note, "", "the work directory has more than %d entries where outputs may be; the others were not looked at",
                 COLLECT_ENTRIES);
        walk.stop = true;
        return;
    }
    step_all(l, e->d_name, states, &matched, &goes_on);
    if (!matched && !goes_on)
        return;
    if (!set_path(l, e->d_name))
        note_add(&walk.note, e->d_name, "its path is longer than %d bytes", PATH_MAX - 1);
    else if (e->d_type == DT_DIR && goes_on)
        enter_directory(l->fd, e->d_name, states);
    else if (matched)
        take_file(l->fd, e->d_name, e->d_type);
}

/* The next entry of the deepest directory; NULL: it has no more. */
static const struct dirent64 *next_entry(struct level *l)
{
    const struct dirent64 *e;

    if (l->at >= l->len) {
        ssize_t n = getdents64(l->fd, l->listing, sizeof(l->listing));

        if (n <= 0)
            return NULL;
        l->at = 0;
        l->len = (size_t)n;
    }
    e = (const struct dirent64 *)(l->listing + l->at);
    l->at += e->d_reclen;
    return e;
}

static void walk_all(void)
{
    while (walk.deep > 0 && !walk.stop) {
        struct level *l = &walk.levels[walk.deep - 1];
        const struct dirent64 *e = next_entry(l);

        if (e != NULL) {
            visit(l, e);
        } else {
            close(l->fd);
            walk.deep--;
        }
    }
}

void collect_send(int work_fd, char *note, size_t note_size)
{
    glob_state start[COLLECT_PATTERNS];

    note_begin(&walk.note, note, note_size);
    if (want.n_globs == 0)
        return;
    for (unsigned i = 0; i < COLLECT_PATTERNS; i++)
        start[i] = i < want.n_globs ? GLOB_START : 0;
    walk.room = want.spec->limits->result_bytes;
    enter_directory(work_fd, ".", start);
    walk.levels[0].path_len = 0;
    walk_all();
    for (unsigned i = 0; i < want.n_globs && !walk.stop; i++)
        if (!want.hit[i])
            note_add(&walk.note, want.spec->outputs[i], "nothing matches it");
    note_end(&walk.note);
}
