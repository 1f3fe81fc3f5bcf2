/* submit_spec.c - see submit_spec.h. */
#include "cli/submit_spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/text.h"
#include "elf_check.h"
#include "engine_table.h"
#include "frame.h"
#include "units.h"

#include <coop/exit_codes.h>

enum { READ_FIRST = 64 << 10 };

#define refuse(why, ...)      coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)
#define refuse_size(why, ...) coop_error_set((why), EDQUOT, COOP_EXIT_QUOTA, __VA_ARGS__)

/* ---- blocks ------------------------------------------------------------------------------------------------------------------- */

static int own(struct spec *s, void *block, struct coop_error *why)
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

static void *own_zeroed(struct spec *s, size_t n, size_t size, struct coop_error *why)
{
    void *block = calloc(n > 0 ? n : 1, size);

    return own(s, block, why) == 0 ? block : NULL;
}

void spec_finish(struct spec *s)
{
    for (size_t i = 0; i < s->n_owned; i++)
        free(s->owned[i]);
    free(s->owned);
}

/* ---- files -------------------------------------------------------------------------------------------------------------------- */

static int too_large(const char *what, const char *path, const char *bound, uint64_t max, struct coop_error *why)
{
    char text[UNITS_BUF];

    return refuse_size(why, "%s %s is larger than the limit '%s' of %s", what, path, bound, units_format_size(max, text));
}

/* Reads to the end, at most max bytes. ret->data belongs to s. */
static int read_all(struct spec *s, int fd, const char *what, const char *path, const char *bound, size_t max, ProtobufCBinaryData *ret,
                    struct coop_error *why)
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
            refuse(why, "cannot read %s %s: %s", what, path, strerror(errno));
            free(bytes);
            return -EINVAL;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max) {
            free(bytes);
            return too_large(what, path, bound, max, why);
        }
    }
    ret->data = bytes;
    ret->len = len;
    return own(s, bytes, why);
}

static int open_file(const char *what, const char *path, struct coop_error *why)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        refuse(why,
               errno == ENOENT   ? "%s %s does not exist"
               : errno == EACCES ? "%s %s: you may not read it"
                                 : "%s %s cannot be opened",
               what, path);
        return -EINVAL;
    }
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return refuse(why, "%s %s is a directory; name a file", what, path);
    }
    return fd;
}

/* path "-" is standard input. A regular file that is too large is refused before it is read. */
static int read_file(struct spec *s, const char *what, const char *path, const char *bound, size_t max, ProtobufCBinaryData *ret,
                     struct coop_error *why)
{
    bool std = strcmp(path, "-") == 0;
    int fd = std ? STDIN_FILENO : open_file(what, path, why), rc;
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
        rc = too_large(what, path, bound, max, why);
    else
        rc = read_all(s, fd, what, std ? "from standard input" : path, bound, max, ret, why);
    if (!std)
        close(fd);
    return rc;
}

static bool begins_with(const ProtobufCBinaryData *b, const char *with)
{
    size_t n = with != NULL ? strlen(with) : 0;

    return n > 0 && b->len >= n && memcmp(b->data, with, n) == 0;
}

static int check_text(const char *what, const char *path, const ProtobufCBinaryData *b, struct coop_error *why)
{
    for (int i = 0; i < ENGINE_COUNT; i++)
        if (begins_with(b, engine_table[i].bytecode))
            return refuse(why, "%s %s is compiled %s; send the source, which the sandbox can check", what, path, engine_table[i].name);
    if (b->len > 0 && memchr(b->data, '\0', b->len) != NULL)
        return refuse(why, "%s %s is not text: it has NUL bytes", what, path);
    return 0;
}

/* Early and by name what the worker would refuse as well, after it had been sent and stored. */
static int check_module(const char *path, const ProtobufCBinaryData *b, struct coop_error *why)
{
    char reason[ELF_WHY];

    return elf_check(b->data, b->len, reason) == 0 ? 0 : refuse(why, "%s %s", path, reason);
}

/* ---- engine ------------------------------------------------------------------------------------------------------------------- */

/* The program of a #! line, without its directory; for env, env's first argument that is not a flag. */
static size_t interpreter_of(const char *source, size_t len, const char **ret)
{
    const char *line = source + 2, *end = len >= 2 && memcmp(source, "#!", 2) == 0 ? memchr(source, '\n', len) : NULL;
    size_t n = 0;

    if (len < 2 || memcmp(source, "#!", 2) != 0)
        return 0;
    if (end == NULL)
        end = source + len;
    while (line < end) {
        const char *word, *slash;

        while (line < end && (*line == ' ' || *line == '\t' || *line == '\r'))
            line++;
        for (word = line; line < end && *line != ' ' && *line != '\t' && *line != '\r'; line++)
            ;
        slash = memrchr(word, '/', (size_t)(line - word));
        *ret = slash != NULL ? slash + 1 : word;
        n = (size_t)(line - *ret);
        if (n != 3 || memcmp(*ret, "env", 3) != 0) {
            if (n == 0 || **ret != '-')
                return n;
        }
    }
    return n;
}

const char *spec_guess_engine(const char *path, const void *source, size_t len)
{
    const char *program = NULL;
    size_t n = interpreter_of(source, len, &program);

    for (int i = 0; i < ENGINE_COUNT; i++) {
        const struct engine_row *e = &engine_table[i];
        size_t magic = e->magic != NULL ? strlen(e->magic) : 0;

        if (magic > 0 && len >= magic && memcmp(source, e->magic, magic) == 0)
            return e->name;
    }
    for (int i = 0; i < ENGINE_COUNT; i++) {
        const struct engine_row *e = &engine_table[i];
        size_t ending = e->ending != NULL ? strlen(e->ending) : 0, name = strlen(path);

        if (ending > 0 && name > ending && strcmp(path + name - ending, e->ending) == 0)
            return e->name;
        if (e->interpreter != NULL && n >= strlen(e->interpreter) && memcmp(program, e->interpreter, strlen(e->interpreter)) == 0)
            return e->name;
    }
    return NULL;
}

/* For those that a user is likely to try. */
static void hint_what_runs(struct coop_error *why, const char *path)
{
    size_t len = strlen(path);

    if ((len > 2 && strcmp(path + len - 2, ".c") == 0) || (len > 3 && strcmp(path + len - 3, ".cc") == 0))
        coop_error_hint(why, "a native job is a shared object with a coop_job(): cc -shared -fPIC -o job.so %.200s, and run job.so", path);
    else
        coop_error_hint(why, "known engines: lua, native; for a script of Lua with another name give --engine lua");
}

static int choose_engine(const struct command *c, const char *path, struct spec *s, struct coop_error *why)
{
    const char *engine = c->opt.engine;

    if (engine == NULL) {
        engine = spec_guess_engine(path, s->pb.source.data, s->pb.source.len);
        if (engine == NULL) {
            refuse(why, "cannot tell what runs %s: its name does not end in .lua, it has no #! line of lua, and it is no shared object",
                   path);
            hint_what_runs(why, path);
            return -EINVAL;
        }
    } else if (engine_find(engine) < 0) {
        refuse(why, "unknown engine '%.60s'; known: lua, native", engine);
        hint_nearest(why, engine, engine_names, "--engine ");
        return -EINVAL;
    }
    s->pb.engine = (char *)engine;
    return 0;
}

/* ---- parts -------------------------------------------------------------------------------------------------------------------- */

/* The file's own name, as messages and tracebacks show it: the end of it when it is long, '?' for what is not UTF-8. */
static void put_source_name(struct spec *s, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = strcmp(path, "-") == 0 ? "stdin" : slash != NULL && slash[1] != '\0' ? slash + 1 : path;
    size_t len = strlen(base), skip = len > LIMITS_NAME ? len - LIMITS_NAME : 0, used = 0;

    for (size_t i = skip; i < len;) {
        size_t n = text_char_len(base + i, len - i);

        if (n == 0)
            s->source_name[used++] = '?', i++;
        else
            memcpy(s->source_name + used, base + i, n), used += n, i += n;
    }
    s->source_name[used] = '\0';
    s->pb.source_name = s->source_name;
}

/* As far as can be told before the engine is chosen. */
static bool wants_text(const struct command *c, const ProtobufCBinaryData *b)
{
    int engine = c->opt.engine != NULL ? engine_find(c->opt.engine) : -1;

    return engine >= 0 ? engine_table[engine].is_text : !elf_is(b->data, b->len);
}

static int add_source(const struct command *c, const char *path, struct spec *s, struct coop_error *why)
{
    int rc = read_file(s, "script", path, "source", LIMITS_SOURCE, &s->pb.source, why);

    if (rc == 0 && s->pb.source.len == 0)
        rc = refuse(why, "script %s is empty", path);
    if (rc == 0 && wants_text(c, &s->pb.source))
        rc = check_text("script", path, &s->pb.source, why);
    if (rc == 0)
        rc = choose_engine(c, path, s, why);
    if (rc == 0 && !engine_table[engine_find(s->pb.engine)].is_text)
        rc = check_module(path, &s->pb.source, why);
    if (rc != 0)
        return rc;
    s->script_from_stdin = strcmp(path, "-") == 0;
    put_source_name(s, path);
    s->pb.name = (char *)(c->opt.name != NULL ? c->opt.name : s->source_name);
    return 0;
}

static int add_args(const struct command *c, struct spec *s, struct coop_error *why)
{
    size_t n = (size_t)c->n_args - 1;

    if (n > LIMITS_ARG_N)
        return refuse_size(why, "%zu arguments are more than the limit 'argument count' of %d", n, LIMITS_ARG_N);
    s->pb.args = own_zeroed(s, n, sizeof(*s->pb.args), why);
    if (s->pb.args == NULL)
        return -ENOMEM;
    s->pb.n_args = n;
    for (size_t i = 0; i < n; i++) {
        s->pb.args[i].data = (uint8_t *)c->args[i + 1];
        s->pb.args[i].len = strlen(c->args[i + 1]);
    }
    return 0;
}

/* A variable given twice has its last value. */
static int add_env(const struct command *c, struct spec *s, struct coop_error *why)
{
    Pb__EnvVar *vars = own_zeroed(s, c->opt.env.n, sizeof(*vars), why), **list;

    list = vars != NULL ? own_zeroed(s, c->opt.env.n, sizeof(*list), why) : NULL;
    if (list == NULL)
        return -ENOMEM;
    s->pb.env = list;
    for (size_t i = 0; i < c->opt.env.n; i++) {
        const char *text = c->opt.env.items[i], *equals = strchr(text, '=');
        char *name = strndup(text, (size_t)(equals - text));
        size_t at = 0;
        int rc = own(s, name, why);

        if (rc != 0)
            return rc;
        while (at < s->pb.n_env && strcmp(list[at]->name, name) != 0)
            at++;
        if (at == s->pb.n_env)
            list[s->pb.n_env++] = &vars[at];
        pb__env_var__init(&vars[at]);
        vars[at].name = name;
        vars[at].value.data = (uint8_t *)equals + 1;
        vars[at].value.len = strlen(equals + 1);
    }
    return 0;
}

static int check_args_size(const struct spec *s, struct coop_error *why)
{
    size_t total = 0;
    char text[UNITS_BUF];

    for (size_t i = 0; i < s->pb.n_args; i++)
        total += s->pb.args[i].len;
    for (size_t i = 0; i < s->pb.n_env; i++)
        total += strlen(s->pb.env[i]->name) + s->pb.env[i]->value.len;
    if (total <= LIMITS_ARGS)
        return 0;
    return refuse_size(why, "arguments and variables together are larger than the limit 'args' of %s",
                       units_format_size(LIMITS_ARGS, text));
}

/* "PATH:NAME" unless a file is called so; NAME defaults to the file's own. */
static int split_module(struct spec *s, const char *text, const char **ret_path, const char **ret_name, struct coop_error *why)
{
    char *path = strdup(text), *colon, *slash;
    int rc = own(s, path, why);

    if (rc != 0)
        return rc;
    colon = strrchr(path, ':');
    if (colon != NULL && access(path, F_OK) != 0)
        *colon = '\0';
    else
        colon = NULL;
    slash = strrchr(path, '/');
    *ret_path = path;
    *ret_name = colon != NULL ? colon + 1 : slash != NULL ? slash + 1 : path;
    if ((*ret_name)[0] == '\0' || strlen(*ret_name) > LIMITS_NAME || !frame_is_utf8(*ret_name, strlen(*ret_name)))
        return refuse(why, "--file %.200s: the name of a module is 1 to %d bytes of UTF-8 text", text, LIMITS_NAME);
    return 0;
}

static int add_module(struct spec *s, const char *text, Pb__Module *m, size_t *total, struct coop_error *why)
{
    const char *path, *name;
    int rc = split_module(s, text, &path, &name, why);

    if (rc == 0)
        rc = read_file(s, "module", path, "modules", LIMITS_MODULES - *total, &m->source, why);
    if (rc == 0)
        rc = check_text("module", path, &m->source, why);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < s->pb.n_modules; i++)
        if (strcmp(s->pb.modules[i]->name, name) == 0)
            return refuse(why, "two modules are called '%s'; give one another name by --file PATH:NAME", name);
    m->name = (char *)name;
    *total += m->source.len;
    return 0;
}

static int add_modules(const struct command *c, struct spec *s, struct coop_error *why)
{
    Pb__Module *modules;
    size_t n = c->opt.files.n, total = 0;

    if (n > 0 && !engine_table[engine_find(s->pb.engine)].has_modules)
        return refuse(why, "a job of the engine %s takes no --file", s->pb.engine);
    if (n > LIMITS_MODULE_N)
        return refuse_size(why, "%zu modules are more than the limit 'module count' of %d", n, LIMITS_MODULE_N);
    modules = own_zeroed(s, n, sizeof(*modules), why);
    s->pb.modules = modules != NULL ? own_zeroed(s, n, sizeof(*s->pb.modules), why) : NULL;
    if (s->pb.modules == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        int rc;

        pb__module__init(&modules[i]);
        rc = add_module(s, c->opt.files.items[i], &modules[i], &total, why);
        if (rc != 0)
            return rc;
        s->pb.modules[s->pb.n_modules++] = &modules[i];
    }
    return 0;
}

static int add_stdin(const struct command *c, struct spec *s, struct coop_error *why)
{
    int rc;

    if (c->opt.stdin_path == NULL)
        return 0;
    rc = read_file(s, "input", c->opt.stdin_path, "stdin", LIMITS_STDIN, &s->pb.stdin_data, why);
    if (rc == 0)
        s->pb.stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    return rc;
}

int spec_make(const struct command *c, bool stdin_inline, struct spec *ret, struct coop_error *why)
{
    const char *path = c->args[0];
    int rc = 0;

    memset(ret, 0, sizeof(*ret));
    pb__job_spec__init(&ret->pb);
    if (strcmp(path, "-") == 0 && c->opt.stdin_path != NULL && strcmp(c->opt.stdin_path, "-") == 0)
        rc = refuse(why, "standard input cannot be both the script and its input");
    if (rc == 0)
        rc = add_source(c, path, ret, why);
    if (rc == 0)
        rc = add_args(c, ret, why);
    if (rc == 0)
        rc = add_env(c, ret, why);
    if (rc == 0)
        rc = check_args_size(ret, why);
    if (rc == 0)
        rc = add_modules(c, ret, why);
    if (rc == 0 && stdin_inline)
        rc = add_stdin(c, ret, why);
    if (rc != 0) {
        spec_finish(ret);
        return rc;
    }
    ret->pb.limits = (Pb__Limits *)&c->opt.limits;
    ret->pb.on_output_limit = c->opt.on_output_limit;
    return 0;
}
