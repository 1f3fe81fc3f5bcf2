/* outputs.c - see outputs.h. */
#include "cli/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rel_path.h"

#include <coop/exit_codes.h>

enum { DIR_MODE = 0777, TEMP_NAME = 64 }; /* the user's umask says the rest */

#define refuse(why, ...) coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)

/* ---- the directory ------------------------------------------------------------------------------------------------------------------ */

int outputs_open(const char *dir, int *ret_fd, struct coop_error *why)
{
    if (dir == NULL)
        dir = ".";
    if (mkdir(dir, DIR_MODE) != 0 && errno != EEXIST)
        return refuse(why, "--output-dir %s: %s", dir, strerror(errno));
    *ret_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0)
        return refuse(why, "--output-dir %s: %s", dir, strerror(errno));
    return 0;
}

int outputs_free(int dir_fd, const struct options *o, struct coop_error *why)
{
    struct stat st;

    for (size_t i = 0; i < o->outputs.n && !o->force; i++)
        if (strpbrk(o->outputs.items[i], "*?[\\") == NULL && fstatat(dir_fd, o->outputs.items[i], &st, AT_SYMLINK_NOFOLLOW) == 0) {
            refuse(why, "the output %s is there already", o->outputs.items[i]);
            coop_error_hint(why, "--force replaces it, --output-dir DIR writes elsewhere");
            return -EEXIST;
        }
    return 0;
}

/* Never out of dir_fd, never through a link, whatever stands below it and changes meanwhile. */
static int open_beneath(int dir_fd, const char *name, uint64_t flags, mode_t mode)
{
    struct open_how how = { .flags = flags | O_CLOEXEC,
                            .mode = mode,
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

    return fd >= 0 ? (int)fd : -errno;
}

/* The directory that name lies in, made where parts of it are missing; *ret_base: the name in it. */
static int open_parent(int dir_fd, const char *name, int *ret_fd, const char **ret_base)
{
    int at = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), next;
    const char *slash;

    while (at >= 0 && (slash = strchr(name, '/')) != NULL) {
        char part[REL_NAME_MAX + 1];

        snprintf(part, sizeof(part), "%.*s", (int)(slash - name), name);
        next = mkdirat(at, part, DIR_MODE) == 0 || errno == EEXIST ? open_beneath(at, part, O_RDONLY | O_DIRECTORY, 0) : -errno;
        close(at);
        if (next < 0)
            return next;
        at = next;
        name = slash + 1;
    }
    *ret_fd = at;
    *ret_base = name;
    return at >= 0 ? 0 : -errno;
}

/* ---- one file ----------------------------------------------------------------------------------------------------------------------- */

struct sink {
    int fd;
    const char *name; /* as the receipt has it */
    struct coop_error *why;
    SHA2_CTX sha;
};

static int put(struct sink *s, const uint8_t *p, size_t len)
{
    SHA256Update(&s->sha, p, len);
    while (len > 0) {
        ssize_t n = write(s->fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return coop_error_set(s->why, errno, COOP_EXIT_TEMPORARY, "output %s: %s", s->name, strerror(errno));
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* One slice from offset on; *ret_end: it was the last. */
static int ask(struct coop_client *client, const char *id, struct sink *s, uint64_t *offset, bool *ret_end)
{
    Pb__GetOutput body = PB__GET_OUTPUT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__OutputReply *r;
    struct frame reply;
    int rc;

    body.id = (char *)id;
    body.name = (char *)s->name;
    body.offset = *offset;
    req.body_case = PB__REQUEST__BODY_OUTPUT;
    req.output = &body;
    rc = ask_broker(client, &req, ASK_TIMEOUT_US, &reply, s->why);
    if (rc != 0)
        return rc;
    rc = ask_check(&reply, PB__REPLY__BODY_OUTPUT, s->why);
    if (rc == 0) {
        r = ((const Pb__Reply *)reply.msg)->output;
        rc = put(s, r->data.data, r->data.len);
        *offset += r->data.len;
        *ret_end = r->end || r->data.len == 0;
    }
    frame_release(&reply);
    return rc;
}

/* f: what the receipt says of the file; what has come must be that. */
static int ask_all(struct coop_client *client, const char *id, const Pb__OutputFile *f, struct sink *s)
{
    char hex[SHA256_DIGEST_STRING_LENGTH];
    uint64_t offset = 0;
    bool end = false;
    int rc = 0;

    SHA256Init(&s->sha);
    while (rc == 0 && !end)
        rc = ask(client, id, s, &offset, &end);
    if (rc == 0 && strcmp(SHA256End(&s->sha, hex), f->sha256) != 0)
        rc = coop_error_set(s->why, EBADMSG, COOP_EXIT_PLATFORM,
                            "output %s is not what was collected: its SHA-256 is %s, the receipt says %s", f->name, hex, f->sha256);
    return rc;
}

/* Under a name of its own until it is whole; then it takes the place of what is there, or, without force, of nothing. */
static int finish(int dir_fd, const char *temp, const char *base, bool force)
{
    int rc = 0;

    if (renameat2(dir_fd, temp, dir_fd, base, force ? 0 : RENAME_NOREPLACE) == 0)
        return 0;
    if (force || errno != EINVAL || linkat(dir_fd, temp, dir_fd, base, 0) != 0) /* a file system that cannot: link() never replaces */
        rc = -errno;
    (void)unlinkat(dir_fd, temp, 0);
    return rc;
}

static int write_file(struct coop_client *client, const Pb__Receipt *r, const Pb__OutputFile *f, int parent, const char *base, bool force,
                      struct coop_error *why)
{
    struct sink s = { .name = f->name, .why = why };
    char temp[TEMP_NAME];
    int rc;

    snprintf(temp, sizeof(temp), ".coop-%s-%d", r->job, (int)getpid());
    s.fd = open_beneath(parent, temp, O_WRONLY | O_CREAT | O_EXCL, (f->mode & 0777) | S_IRUSR | S_IWUSR);
    if (s.fd < 0)
        return coop_error_set(why, -s.fd, COOP_EXIT_USAGE, "output %s: %s", f->name, strerror(-s.fd));
    rc = ask_all(client, r->job, f, &s);
    if (close(s.fd) != 0 && rc == 0)
        rc = coop_error_set(why, errno, COOP_EXIT_TEMPORARY, "output %s: %s", f->name, strerror(errno));
    if (rc != 0) {
        (void)unlinkat(parent, temp, 0);
        return rc;
    }
    rc = finish(parent, temp, base, force);
    if (rc == -EEXIST)
        return refuse(why, "output %s is there already; --force replaces it: coop result --output-dir DIR --force %s", f->name, r->job);
    return rc == 0 ? 0 : coop_error_set(why, -rc, COOP_EXIT_USAGE, "output %s: %s", f->name, strerror(-rc));
}

static int write_one(const struct command *c, struct coop_client *client, const Pb__Receipt *r, const Pb__OutputFile *f, int dir_fd)
{
    const char *fault = rel_path_fault(f->name), *base;
    struct coop_error why;
    int parent, rc;

    if (fault != NULL) { /* the broker has looked at it too */
        coop_error_set(&why, EINVAL, COOP_EXIT_PLATFORM, "output %s: its name %s; it is not written", f->name, fault);
        return say_error(c, &why);
    }
    rc = open_parent(dir_fd, f->name, &parent, &base);
    if (rc != 0) {
        coop_error_set(&why, -rc, COOP_EXIT_USAGE, "output %s: a directory on its way: %s", f->name, strerror(-rc));
        return say_error(c, &why);
    }
    rc = write_file(client, r, f, parent, base, c->opt.force, &why);
    close(parent);
    return rc != 0 ? say_error(c, &why) : 0;
}

int outputs_write(const struct command *c, struct coop_client *client, const Pb__Receipt *r, int dir_fd)
{
    int first = 0;

    for (size_t i = 0; i < r->n_outputs; i++) {
        int code = write_one(c, client, r, r->outputs[i], dir_fd);

        if (first == 0)
            first = code;
    }
    return first;
}

int outputs_print(const struct command *c, struct coop_client *client, const Pb__Receipt *r, const char *name)
{
    struct coop_error why;
    struct sink s = { .fd = STDOUT_FILENO, .name = name, .why = &why };
    Pb__OutputFile none = PB__OUTPUT_FILE__INIT, *f = &none; /* of which the broker says that there is none */
    int rc;

    for (size_t i = 0; i < r->n_outputs; i++)
        if (strcmp(r->outputs[i]->name, name) == 0)
            f = r->outputs[i];
    rc = ask_all(client, r->job, f, &s);
    if (rc == -EPIPE)
        return COOP_EXIT_SIGNAL_BASE + 13;
    return rc != 0 ? say_error(c, &why) : 0;
}
