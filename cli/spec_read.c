/* spec_read.c - see spec_read.h. */
#include "cli/spec_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "nearest.h"
#include "units.h"

#include <coop/exit_codes.h>

enum { READ_FIRST = 64 << 10, NAMES_MAX = 8192 };

/* ---- blocks ------------------------------------------------------------------------------------------------------------------- */

int spec_own(struct spec *s, void *block, struct coop_error *why)
{
    void **grown = block != NULL ? realloc(s->owned, (s->n_owned + 1) * sizeof(*grown)) : NULL;

    if (grown == NULL) {
        free(block);
        return coop_error_set(why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
    }
    s->owned = grown;
    grown[s->n_owned++] = block;
    return 0;
}

void *spec_own_zeroed(struct spec *s, size_t n, size_t size, struct coop_error *why)
{
    void *block = calloc(n > 0 ? n : 1, size);

    return spec_own(s, block, why) == 0 ? block : NULL;
}

void spec_finish(struct spec *s)
{
    for (size_t i = 0; i < s->n_owned; i++)
        free(s->owned[i]);
    free(s->owned);
    yaml_finish(&s->doc);
}

/* ---- files -------------------------------------------------------------------------------------------------------------------- */

static int too_large(const struct spec_want *w, struct coop_error *why)
{
    char text[UNITS_BUF];

    if (w->whole == NULL)
        return coop_error_set(why, EDQUOT, COOP_EXIT_QUOTA, "%s %s is too large: it may have %s", w->what, w->path,
                              units_format_size(w->max, text));
    coop_error_set(why, EDQUOT, COOP_EXIT_QUOTA, "%s %s is too large: %s may have %s together", w->what, w->path, w->whole,
                   units_format_size(w->all, text));
    coop_error_hint(why, "send more by standard input, which has no such bound");
    return -EDQUOT;
}

static int unusable(const struct spec_want *w, int code, struct coop_error *why, const char *is)
{
    return coop_error_set(why, EINVAL, w->is_job ? code : COOP_EXIT_USAGE, "%s %s%s", w->what, w->path, is);
}

/* Reads to the end, at most max bytes. ret->data belongs to s. */
static int read_all(struct spec *s, int fd, const struct spec_want *w, ProtobufCBinaryData *ret, struct coop_error *why)
{
    size_t cap = READ_FIRST, len = 0;
    uint8_t *bytes = malloc(cap);

    while (bytes != NULL) {
        ssize_t n;

        if (len == cap) {
            uint8_t *grown = realloc(bytes, cap *= 2);

            if (grown == NULL)
                free(bytes);
            bytes = grown;
            continue;
        }
        n = read(fd, bytes + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "cannot read %s %s: %s", w->what, w->path, strerror(errno));
            free(bytes);
            return -EINVAL;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > w->max) {
            free(bytes);
            return too_large(w, why);
        }
    }
    ret->data = bytes;
    ret->len = len;
    return spec_own(s, bytes, why);
}

/* A FIFO has a name, and to read from it is to wait for somebody who may never come; a pipe by its descriptor has its writer already. */
static bool is_fifo(int fd, const struct stat *st)
{
    struct statfs fs;

    return S_ISFIFO(st->st_mode) && fstatfs(fd, &fs) == 0 && fs.f_type != PIPEFS_MAGIC;
}

static int open_file(const struct spec_want *w, struct stat *ret_st, struct coop_error *why)
{
    static const char odd[] = " is a pipe, a socket or a device; name a file";
    int fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (w->waits ? 0 : O_NONBLOCK));

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return unusable(w, COOP_EXIT_PROGRAM_MISSING, why, " does not exist");
    if (fd < 0 && errno == EACCES)
        return unusable(w, COOP_EXIT_NOT_EXECUTABLE, why, ": you may not read it");
    if (fd < 0 && errno == ENXIO)
        unusable(w, COOP_EXIT_NOT_EXECUTABLE, why, odd);
    else if (fd < 0 || fstat(fd, ret_st) != 0)
        unusable(w, COOP_EXIT_NOT_EXECUTABLE, why, " cannot be opened");
    else if (S_ISDIR(ret_st->st_mode))
        unusable(w, COOP_EXIT_NOT_EXECUTABLE, why, " is a directory; name a file");
    else if ((w->regular && !S_ISREG(ret_st->st_mode)) || (!w->waits && is_fifo(fd, ret_st)))
        unusable(w, COOP_EXIT_NOT_EXECUTABLE, why, odd);
    else if (!w->waits && fcntl(fd, F_SETFL, O_RDONLY) != 0)
        unusable(w, COOP_EXIT_NOT_EXECUTABLE, why, " cannot be opened");
    else
        return fd;
    if (fd >= 0)
        close(fd);
    return -EINVAL;
}

int spec_read(struct spec *s, const struct spec_want *want, ProtobufCBinaryData *ret, struct stat *ret_st, struct coop_error *why)
{
    bool std = !want->regular && strcmp(want->path, "-") == 0;
    struct spec_want w = *want;
    struct stat st;
    int fd, rc;

    if (std && fstat(STDIN_FILENO, &st) != 0)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "%s: standard input is closed", w.what);
    fd = std ? STDIN_FILENO : open_file(&w, &st, why);
    if (fd < 0)
        return fd;
    if (std)
        w.path = "from standard input";
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > w.max)
        rc = too_large(&w, why);
    else
        rc = read_all(s, fd, &w, ret, why);
    if (!std)
        close(fd);
    if (ret_st != NULL)
        *ret_st = st;
    return rc;
}

/* ---- names that are near -------------------------------------------------------------------------------------------------------- */

/* Of a thousand names some is always near by letters alone: who mistypes mostly gets the first one right, or swaps the first two. */
static bool begins_alike(const char *a, const char *b)
{
    return a[0] == b[0] || (a[0] == b[1] && a[1] == b[0]);
}

/* Of a short name a slip leaves more than half: ping is no pip3, sudo no sed. And a name that is there is not what is missing. */
static bool is_slip(const char *typed, const char *near)
{
    size_t a = strlen(typed), b = strlen(near), same = 0, last = 0;

    while (typed[same] != '\0' && typed[same] == near[same])
        same++;
    if (typed[same] == '\0' && near[same] == '\0')
        return false;
    while (last < a - same && last < b - same && typed[a - 1 - last] == near[b - 1 - last])
        last++;
    return a > 5 || same + last + 1 >= (a > b ? a : b) || (a == b && same + last + 2 == a && typed[same] == near[same + 1]);
}

static size_t list_names(const char *dir, const char *like, const char **names, size_t n)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    while (d != NULL && n < NAMES_MAX - 1 && (e = readdir(d)) != NULL) {
        char *copy = begins_alike(e->d_name, like) ? strdup(e->d_name) : NULL;

        if (copy != NULL)
            names[n++] = copy;
    }
    if (d != NULL)
        closedir(d);
    return n;
}

void hint_near_name(struct coop_error *why, const char *name, const char *const *dirs, const char *prefix)
{
    const char **names = calloc(NAMES_MAX, sizeof(*names)), *near;
    size_t n = 0;

    if (names == NULL)
        return;
    for (; *dirs != NULL; dirs++)
        n = list_names(*dirs, name, names, n);
    near = nearest_word(name, names);
    if (near != NULL && is_slip(name, near))
        coop_error_hint(why, "did you mean '%s%s'?", prefix, near);
    for (size_t i = 0; i < n; i++)
        free((void *)names[i]);
    free(names);
}
