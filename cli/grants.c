/* grants.c - see grants.h. */
#include "cli/grants.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"
#include "cli/text.h"
#include "cli/words.h"
#include "job_limits.h"

#include <coop/exit_codes.h>

#define refuse(why, ...) coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)

struct grant_block {
    Pb__Grant grant;
    Pb__Handle handle;
    char name[JOB_CAP_NAME + 1], thing[JOB_CAP_NAME + 1];
};

/* ---- words --------------------------------------------------------------------------------------------------------------------------- */

/* What stands before the first '='. */
static int read_name(const char *text, const char *flag, const char *usage, char ret[JOB_CAP_NAME + 1], struct coop_error *why)
{
    const char *equals = strchr(text, '=');
    char safe[JOB_CAP_NAME * 4 + 1];
    size_t len = equals != NULL ? (size_t)(equals - text) : 0;

    if (len == 0) {
        refuse(why, "%s '%.100s' does not say by which name it is found inside", flag, text);
        coop_error_hint(why, "write %s", usage);
        return -EINVAL;
    }
    if (len > LIMITS_NAME)
        return refuse(why, "%s: a name inside has at most %d bytes", flag, LIMITS_NAME);
    memcpy(ret, text, len);
    ret[len] = '\0';
    if (strcmp(text_safe_str(safe, sizeof(safe), ret), ret) != 0)
        return refuse(why, "%s '%s': a name inside is printable UTF-8 text", flag, safe);
    return 0;
}

/* A thing and its rights are written as in a capability, queue=NAME:recv, and mean the same. */
static int read_thing(const char *text, struct job_grant *ret, char why[JOB_CAPS_WHY])
{
    char cap[2 * JOB_CAP_NAME + 32];
    char *caps[] = { cap }, *colon;
    Pb__JobSpec spec = PB__JOB_SPEC__INIT;
    struct job_caps read;
    int rc;

    snprintf(cap, sizeof(cap), "%s", text);
    colon = strchr(cap, ':');
    if (colon != NULL)
        *colon = '=';
    spec.engine = "lua";
    spec.caps = caps;
    spec.n_caps = 1;
    rc = job_caps_read(&spec, &read, why);
    if (rc == 0 && read.n_grants == 1)
        *ret = read.grants[0];
    else if (rc == 0)
        rc = snprintf(why, JOB_CAPS_WHY, "%s is a right of the job, and no thing", cap) > 0 ? -EINVAL : 0;
    job_caps_finish(&read);
    return rc;
}

int grant_read(const char *text, char ret_name[JOB_CAP_NAME + 1], struct job_grant *ret, struct coop_error *why)
{
    static const char usage[] = "--grant NAME=queue:QUEUE:recv, NAME=interp:ID:call, NAME=kv:PREFIX:ro";
    char words[JOB_CAPS_WHY];
    int rc = read_name(text, "--grant", usage, ret_name, why);

    if (rc != 0)
        return rc;
    text = strchr(text, '=') + 1;
    if (strchr(text, ':') == NULL || strlen(text) > JOB_CAP_NAME + 16 || strcmp(text_safe_str((char[2048]){ 0 }, 2048, text), text) != 0)
        refuse(why, "--grant %s='%.100s' is not a kind, a thing and a right", ret_name, text);
    else if (read_thing(text, ret, words) != 0)
        refuse(why, "--grant %s: %s", ret_name, words);
    else
        return 0;
    coop_error_hint(why, "write %s", usage);
    return -EINVAL;
}

int grant_file_read(const char *text, char ret_name[JOB_CAP_NAME + 1], const char **ret_path, struct coop_error *why)
{
    static const char usage[] = "--cap file=NAME=PATH";
    int rc = read_name(text, "--cap file", usage, ret_name, why);

    if (rc != 0)
        return rc;
    *ret_path = strchr(text, '=') + 1;
    if ((*ret_path)[0] != '\0')
        return 0;
    refuse(why, "--cap file=%s= names no file", ret_name);
    coop_error_hint(why, "write %s", usage);
    return -EINVAL;
}

int grants_refuse(const struct command *c, const char *what, const char *hint, struct coop_error *why)
{
    if (c->opt.cap_files.n == 0 && c->opt.grants.n == 0 && c->opt.max_children == 0)
        return 0;
    refuse(why, "%s is given no %s", what, c->opt.cap_files.n > 0 ? "--cap file=" : c->opt.grants.n > 0 ? "--grant" : "--max-children");
    coop_error_hint(why, "%s", hint);
    return -EINVAL;
}

/* ---- files ----------------------------------------------------------------------------------------------------------------------------- */

/* Reads exactly len bytes: a file that has become another meanwhile is not half of each. */
static int fill(int fd, const char *path, void *at, size_t len, struct coop_error *why)
{
    size_t done = 0;
    char more;

    while (done < len) {
        ssize_t n = read(fd, (char *)at + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(why, "cannot read file %s: %s", path, strerror(errno));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return done == len && read(fd, &more, 1) == 0 ? 0 : refuse(why, "file %s changed while it was read", path);
}

static int open_regular(const char *path, uint64_t *ret_len, struct coop_error *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), error = errno;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
        *ret_len = (uint64_t)st.st_size;
        return fd;
    }
    if (fd < 0)
        return refuse(why, "cannot open file %s: %s", path, strerror(error));
    close(fd);
    return refuse(why, "file %s is %s; what is granted is a regular file of one byte at least", path,
                  S_ISREG(st.st_mode)   ? "empty"
                  : S_ISDIR(st.st_mode) ? "a directory"
                                        : "a pipe, a socket or a device");
}

/* Into memory that the broker seals: what becomes of the file later is not seen inside. */
static int add_file(const struct command *c, struct coop_client *client, const char *path, Pb__Handle *ret)
{
    struct coop_buffer b = { .len = 0 };
    struct coop_error why;
    uint64_t len = 0;
    int fd = open_regular(path, &len, &why), rc = fd < 0 ? fd : 0;

    if (rc == 0 && (rc = coop_buffer_new(client, len, ASK_TIMEOUT_US, &b, &why)) != 0)
        coop_error_hint(&why, "file %s would be one", path);
    if (rc == 0 && (rc = fill(fd, path, b.at, len, &why)) == 0)
        rc = coop_buffer_seal(client, &b, ASK_TIMEOUT_US, &why);
    coop_buffer_unmap(&b);
    if (fd >= 0)
        close(fd);
    ret->kind = PB__KIND__KIND_BUFFER;
    ret->rights = PB__RIGHT__RIGHT_READ | PB__RIGHT__RIGHT_GRANT;
    ret->handle = b.handle.number;
    return rc == 0 ? 0 : say_error(c, &why);
}

/* ---- things ------------------------------------------------------------------------------------------------------------------------------ */

/* Of a prefix there is only a handle; queues and interpreters have names. */
static int add_prefix(const struct command *c, struct coop_client *client, struct grant_block *b)
{
    Pb__KvOpen m = PB__KV_OPEN__INIT;
    Pb__Ask ask = PB__ASK__INIT;
    struct frame reply;
    int code;

    m.prefix = b->thing;
    m.rights = b->handle.rights;
    ask.body_case = PB__ASK__BODY_KV_OPEN;
    ask.kv_open = &m;
    code = say_ask(c, client, &ask, PB__ANSWER__BODY_HANDLE, &reply);
    if (code != 0)
        return code;
    b->handle.handle = answer_of(&reply)->handle->handle;
    frame_release(&reply);
    return 0;
}

static int add_thing(const struct command *c, struct coop_client *client, const char *text, struct grant_block *b)
{
    struct coop_error why;
    struct job_grant g;

    if (grant_read(text, b->name, &g, &why) != 0)
        return say_error(c, &why);
    snprintf(b->thing, sizeof(b->thing), "%s", g.name);
    b->handle.kind = g.kind;
    b->handle.rights = g.rights;
    if (g.kind == PB__KIND__KIND_KV)
        return add_prefix(c, client, b);
    b->handle.id = b->thing;
    return 0;
}

static int add_block(struct grants *g, const struct command *c)
{
    struct grant_block *b = &g->blocks[g->n];
    struct coop_error why;

    for (size_t i = 0; i < g->n; i++)
        if (strcmp(g->blocks[i].name, b->name) == 0) {
            refuse(&why, "two things are granted by the name '%s'", b->name);
            return say_error(c, &why);
        }
    b->grant.name = b->name;
    b->grant.handle = &b->handle;
    g->list[g->n++] = &b->grant;
    return 0;
}

static int add_all(const struct command *c, struct coop_client *client, struct grants *g)
{
    const struct text_list *files = &c->opt.cap_files, *things = &c->opt.grants;
    const char *path;
    struct coop_error why;
    int code = 0;

    for (size_t i = 0; i < things->n + files->n && code == 0; i++) {
        struct grant_block *b = &g->blocks[i];

        pb__grant__init(&b->grant);
        pb__handle__init(&b->handle);
        if (i < things->n)
            code = add_thing(c, client, things->items[i], b);
        else if (grant_file_read(files->items[i - things->n], b->name, &path, &why) != 0)
            code = say_error(c, &why);
        else
            code = add_file(c, client, path, &b->handle);
        if (code == 0)
            code = add_block(g, c);
    }
    return code;
}

int grants_make(const struct command *c, struct coop_client *client, struct grants *ret)
{
    size_t n = c->opt.grants.n + c->opt.cap_files.n;
    struct coop_error why;
    int code;

    *ret = (struct grants){ .list = calloc(n + 1, sizeof(*ret->list)), .blocks = calloc(n + 1, sizeof(*ret->blocks)) };
    if (ret->list == NULL || ret->blocks == NULL) {
        coop_error_set(&why, ENOMEM, COOP_EXIT_PLATFORM, "out of memory");
        code = say_error(c, &why);
    } else {
        code = add_all(c, client, ret);
    }
    if (code != 0)
        grants_finish(ret);
    return code;
}

void grants_finish(struct grants *g)
{
    free(g->list);
    free(g->blocks);
    *g = (struct grants){ .n = 0 };
}
