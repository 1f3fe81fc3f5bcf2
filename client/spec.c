/* spec.c - a JobSpec, part by part. See include/coop/client.h. The parts are checked by the broker, but for limits, which are text. */
#include "client/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <coop/exit_codes.h>

#include "client/start.h"
#include "job_limits.h"

struct coop_spec {
    Pb__JobSpec *pb; /* every part malloc'ed, as protobuf-c's own would be */
    bool bad;
    struct coop_error why; /* the first mistake */
};

/* ---- memory ---------------------------------------------------------------------------------------------------------------------- */

/* Where to tell a mistake: NULL, which is nowhere, when there was one before. */
static struct coop_error *first_why(struct coop_spec *s)
{
    if (s->bad)
        return NULL;
    s->bad = true;
    return &s->why;
}

static void no_memory(struct coop_spec *s)
{
    (void)start_no_memory(first_why(s));
}

static void set_text(struct coop_spec *s, char **at, const char *text)
{
    char *copy = strdup(text != NULL ? text : "");

    if (copy == NULL) {
        no_memory(s);
        return;
    }
    if (*at != protobuf_c_empty_string)
        free(*at);
    *at = copy;
}

static void set_bytes(struct coop_spec *s, ProtobufCBinaryData *at, const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);

    if (copy == NULL) {
        no_memory(s);
        return;
    }
    if (len > 0)
        memcpy(copy, bytes, len);
    free(at->data);
    *at = (ProtobufCBinaryData){ len, copy };
}

/* Room for one element more in a list of size bytes each, all zeros; NULL: no memory. */
static void *add_to(struct coop_spec *s, void *list, size_t *n, size_t size)
{
    char **at = list, *more = realloc(*at, (*n + 1) * size);

    if (more == NULL) {
        no_memory(s);
        return NULL;
    }
    *at = more;
    memset(more + *n * size, 0, size);
    return more + (*n)++ * size;
}

/* A message of its own at the end of a list of pointers. */
static void *add_message(struct coop_spec *s, void *list, size_t *n, const ProtobufCMessageDescriptor *d)
{
    ProtobufCMessage *m = malloc(d->sizeof_message), **at;

    if (m == NULL) {
        no_memory(s);
        return NULL;
    }
    d->message_init(m);
    at = add_to(s, list, n, sizeof(*at));
    if (at == NULL)
        free(m);
    else
        *at = m;
    return at != NULL ? m : NULL;
}

struct coop_spec *coop_spec_new(const char *engine)
{
    struct coop_spec *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->pb = malloc(sizeof(*s->pb));
    if (s->pb == NULL) {
        free(s);
        return NULL;
    }
    pb__job_spec__init(s->pb);
    set_text(s, &s->pb->engine, engine);
    return s;
}

void coop_spec_free(struct coop_spec *s)
{
    if (s == NULL)
        return;
    pb__job_spec__free_unpacked(s->pb, NULL);
    free(s);
}

int spec_of(const struct coop_spec *s, Pb__JobSpec **ret, struct coop_error *why)
{
    if (s == NULL)
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "there is no spec");
    if (s->bad && why != NULL)
        *why = s->why;
    if (s->bad)
        return -s->why.error;
    *ret = s->pb;
    return 0;
}

/* ---- its parts --------------------------------------------------------------------------------------------------------------------- */

void coop_spec_name(struct coop_spec *s, const char *name)
{
    set_text(s, &s->pb->name, name);
}

void coop_spec_source(struct coop_spec *s, const char *name, const void *bytes, size_t len)
{
    set_text(s, &s->pb->source_name, name);
    set_bytes(s, &s->pb->source, bytes, len);
}

static int read_whole(int fd, size_t len, uint8_t *into, size_t *ret_len)
{
    size_t have = 0;

    while (have < len) {
        ssize_t n = read(fd, into + have, len - have);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *ret_len = have;
    return 0;
}

void coop_spec_source_file(struct coop_spec *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -errno : 0;
    uint8_t *bytes = NULL;
    struct stat st;
    size_t len = 0;

    if (rc == 0 && fstat(fd, &st) != 0)
        rc = -errno;
    if (rc == 0 && (!S_ISREG(st.st_mode) || st.st_size > (off_t)LIMITS_STAGED))
        rc = S_ISREG(st.st_mode) ? -EFBIG : -EINVAL;
    if (rc == 0 && (bytes = malloc((size_t)st.st_size + 1)) == NULL)
        rc = -ENOMEM;
    if (rc == 0)
        rc = read_whole(fd, (size_t)st.st_size, bytes, &len);
    if (fd >= 0)
        close(fd);
    if (rc == 0)
        coop_spec_source(s, slash != NULL ? slash + 1 : path, bytes, len);
    else
        coop_error_set(first_why(s), -rc, COOP_EXIT_USAGE, "cannot read %s: %s", path, strerror(-rc));
    free(bytes);
}

void coop_spec_program(struct coop_spec *s, const char *program)
{
    set_text(s, &s->pb->program, program);
}

void coop_spec_arg(struct coop_spec *s, const char *arg, size_t len)
{
    ProtobufCBinaryData *at = add_to(s, &s->pb->args, &s->pb->n_args, sizeof(*at));

    if (at != NULL)
        set_bytes(s, at, arg, len == SIZE_MAX ? strlen(arg) : len);
}

void coop_spec_env(struct coop_spec *s, const char *name, const char *value)
{
    Pb__EnvVar *var = NULL;

    for (size_t i = 0; i < s->pb->n_env && var == NULL; i++)
        if (strcmp(s->pb->env[i]->name, name) == 0)
            var = s->pb->env[i];
    if (var == NULL)
        var = add_message(s, &s->pb->env, &s->pb->n_env, &pb__env_var__descriptor);
    if (var == NULL)
        return;
    set_text(s, &var->name, name);
    set_bytes(s, &var->value, value, strlen(value));
}

void coop_spec_limits(struct coop_spec *s, const char *limits)
{
    char why[LIMITS_WHY];

    if (s->pb->limits == NULL) {
        s->pb->limits = malloc(sizeof(*s->pb->limits));
        if (s->pb->limits == NULL) {
            no_memory(s);
            return;
        }
        pb__limits__init(s->pb->limits);
    }
    if (limits_parse(limits, s->pb->limits, why) != 0)
        coop_error_set(first_why(s), EINVAL, COOP_EXIT_USAGE, "%s", why);
}

void coop_spec_module(struct coop_spec *s, const char *name, const void *bytes, size_t len)
{
    Pb__Module *m = add_message(s, &s->pb->modules, &s->pb->n_modules, &pb__module__descriptor);

    if (m == NULL)
        return;
    set_text(s, &m->name, name);
    set_bytes(s, &m->source, bytes, len);
}

void coop_spec_file(struct coop_spec *s, const char *name, unsigned mode, const void *bytes, size_t len)
{
    Pb__StagedFile *f = add_message(s, &s->pb->files, &s->pb->n_files, &pb__staged_file__descriptor);

    if (f == NULL)
        return;
    set_text(s, &f->name, name);
    f->mode = mode;
    set_bytes(s, &f->data, bytes, len);
}

static void add_text(struct coop_spec *s, char ***list, size_t *n, const char *text)
{
    char **at = add_to(s, list, n, sizeof(*at));

    if (at == NULL)
        return;
    *at = strdup(text);
    if (*at == NULL) {
        (*n)--;
        no_memory(s);
    }
}

void coop_spec_output(struct coop_spec *s, const char *glob)
{
    add_text(s, &s->pb->outputs, &s->pb->n_outputs, glob);
}

void coop_spec_cap(struct coop_spec *s, const char *cap)
{
    add_text(s, &s->pb->caps, &s->pb->n_caps, cap);
}

void coop_spec_stdin(struct coop_spec *s, const void *bytes, size_t len)
{
    s->pb->stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    set_bytes(s, &s->pb->stdin_data, bytes, len);
}

void coop_spec_stdin_stream(struct coop_spec *s)
{
    s->pb->stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
}

void coop_spec_truncate(struct coop_spec *s)
{
    s->pb->on_output_limit = PB__ON_OUTPUT_LIMIT__ON_OUTPUT_LIMIT_TRUNCATE;
}

void coop_spec_template(struct coop_spec *s, const char *name)
{
    set_text(s, &s->pb->template_, name);
}

void coop_spec_tty(struct coop_spec *s, unsigned rows, unsigned columns)
{
    if (s->pb->tty == NULL) {
        s->pb->tty = malloc(sizeof(*s->pb->tty));
        if (s->pb->tty == NULL) {
            no_memory(s);
            return;
        }
        pb__tty_size__init(s->pb->tty);
    }
    s->pb->tty->rows = rows;
    s->pb->tty->columns = columns;
}

void coop_spec_require(struct coop_spec *s, const char *require)
{
    set_text(s, &s->pb->require, require);
}

void coop_spec_policy(struct coop_spec *s, const char *rows, bool learn)
{
    set_text(s, &s->pb->policy, rows);
    s->pb->learn = learn;
}
