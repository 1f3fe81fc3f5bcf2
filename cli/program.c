/* program.c - see program.h. */
#include "cli/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/python.h"
#include "cli/spec_read.h"
#include "cli/text.h"
#include "elf_check.h"
#include "engine_table.h"
#include "units.h"

#include <coop/exit_codes.h>

enum { HEAD = 4096 };

#define refuse(why, ...)      coop_error_set((why), EINVAL, COOP_EXIT_USAGE, __VA_ARGS__)
#define refuse_file(why, ...) coop_error_set((why), ENOEXEC, COOP_EXIT_NOT_EXECUTABLE, __VA_ARGS__)

/* What a sandbox shows of the host under the same names. */
static const char *const view_dirs[] = { "/usr/", "/bin/", "/sbin/", "/lib/", "/lib32/", "/lib64/", "/libx32/", NULL };
/* Its PATH, for hints. */
static const char *const path_dirs[] = { "/usr/local/bin", "/usr/bin", "/bin", NULL };

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static bool ends_with(const char *path, const char *ending)
{
    size_t e = ending != NULL ? strlen(ending) : 0, n = strlen(path);

    return e > 0 && n > e && strcmp(path + n - e, ending) == 0;
}

/* The engine that files of this name are for, or -1. */
static int engine_by_ending(const char *path)
{
    for (int i = 0; i < ENGINE_COUNT; i++)
        if (ends_with(path, engine_table[i].ending))
            return i;
    return -1;
}

/* ---- which engine ---------------------------------------------------------------------------------------------------------------- */

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

const char *program_guess_engine(const char *path, const void *source, size_t len)
{
    const char *program = NULL;
    size_t n = interpreter_of(source, len, &program);
    char why[ELF_WHY];
    enum elf_kind kind;
    int i;

    if (elf_is(source, len)) {
        if (elf_kind(source, len, &kind, why) != 0)
            return NULL;
        return engine_table[kind == ELF_PROGRAM ? ENGINE_EXEC : ENGINE_NATIVE].name;
    }
    i = engine_by_ending(path);
    if (i >= 0)
        return engine_table[i].name;
    for (i = 0; i < ENGINE_COUNT; i++) {
        const char *own = engine_table[i].interpreter;

        if (own != NULL && n >= strlen(own) && memcmp(program, own, strlen(own)) == 0)
            return engine_table[i].name;
    }
    return n > 0 ? engine_table[ENGINE_EXEC].name : NULL;
}

/* For those that a user is likely to try. */
static void hint_what_runs(struct coop_error *why, const char *path)
{
    if (ends_with(path, ".c") || ends_with(path, ".cc"))
        coop_error_hint(why, "compile it first, here or inside: coop run --file %.200s -- sh -c 'cc -o a %.100s && ./a'", path,
                        base_of(path));
    else if (ends_with(path, ".py"))
        coop_error_hint(why, "it is a script for --engine python: coop run %.200s", path);
    else
        coop_error_hint(why, "begin it with a #! line, or say what it is of: --engine python, --engine lua");
}

static int choose_engine(const struct command *c, const char *path, struct spec *s, struct coop_error *why)
{
    const ProtobufCBinaryData *b = &s->pb.source;
    const char *engine = c->opt.engine;
    char reason[ELF_WHY];
    enum elf_kind kind;

    if (engine == NULL) {
        if (elf_is(b->data, b->len) && elf_kind(b->data, b->len, &kind, reason) != 0)
            return refuse_file(why, "%s %s", path, reason);
        engine = program_guess_engine(path, b->data, b->len);
        if (engine == NULL) {
            refuse_file(why, "cannot tell what runs %s: it is no program, has no #! line, and its name does not end in .py or .lua", path);
            hint_what_runs(why, path);
            return -ENOEXEC;
        }
    }
    s->pb.engine = (char *)engine;
    return 0;
}

static int check_engine(const char *engine, struct coop_error *why)
{
    char known[ENGINE_LIST];

    if (engine == NULL || engine_find(engine) >= 0)
        return 0;
    refuse(why, "unknown engine '%.60s'; known: %s", engine, engine_list(known));
    hint_nearest(why, engine, engine_names, "--engine ");
    return -EINVAL;
}

/* ---- is it fit for its engine ------------------------------------------------------------------------------------------------------ */

static bool begins_with(const ProtobufCBinaryData *b, const char *with)
{
    size_t n = with != NULL ? strlen(with) : 0;

    return n > 0 && b->len >= n && memcmp(b->data, with, n) == 0;
}

static int check_bytecode(const char *what, const char *path, const ProtobufCBinaryData *b, struct coop_error *why)
{
    for (int i = 0; i < ENGINE_COUNT; i++)
        if (begins_with(b, engine_table[i].bytecode))
            return refuse(why, "%s %s is compiled %s; send the source, which the sandbox can check", what, path, engine_table[i].name);
    return 0;
}

int program_check_text(const char *what, const char *path, const ProtobufCBinaryData *b, struct coop_error *why)
{
    int rc = check_bytecode(what, path, b, why);

    if (rc == 0 && b->len > 0 && memchr(b->data, '\0', b->len) != NULL)
        return refuse(why, "%s %s is not text: it has NUL bytes", what, path);
    return rc;
}

/* Early and by name what the worker, or the kernel there, would refuse as well, after it had been sent and stored. */
static int check_program(const char *path, const ProtobufCBinaryData *b, struct coop_error *why)
{
    char reason[ELF_WHY];
    enum elf_kind kind;

    if (elf_is(b->data, b->len)) {
        if (elf_kind(b->data, b->len, &kind, reason) != 0)
            return refuse_file(why, "%s %s", path, reason);
        return 0;
    }
    if (begins_with(b, "#!"))
        return 0;
    refuse_file(why, "%s is no program: it is no ELF file and does not begin with #!", path);
    hint_what_runs(why, path);
    return -ENOEXEC;
}

static int check_source(const char *path, const struct spec *s, struct coop_error *why)
{
    const struct engine_row *e = &engine_table[engine_find(s->pb.engine)];
    char reason[ELF_WHY];

    if (e->runs_programs)
        return check_program(path, &s->pb.source, why);
    if (e->is_text)
        return program_check_text("script", path, &s->pb.source, why);
    return elf_check(s->pb.source.data, s->pb.source.len, reason) == 0 ? 0 : refuse(why, "%s %s", path, reason);
}

/* ---- a file that is sent ----------------------------------------------------------------------------------------------------------- */

/* The file's own name, as messages and tracebacks show it: the end of it when it is long, '?' for what is not UTF-8. */
static void put_names(const struct command *c, struct spec *s, const char *path)
{
    const char *base = strcmp(path, "-") == 0 ? "stdin" : base_of(path);
    size_t len = strlen(base), skip = len > LIMITS_NAME ? len - LIMITS_NAME : 0, used = 0;

    if (s->pb.source_name[0] != '\0') { /* a job file says so */
        s->pb.name = (char *)(c->opt.name != NULL ? c->opt.name : s->pb.source_name);
        return;
    }
    for (size_t i = skip; i < len;) {
        size_t n = text_char_len(base + i, len - i);

        if (n == 0)
            s->source_name[used++] = '?', i++;
        else
            memcpy(s->source_name + used, base + i, n), used += n, i += n;
    }
    s->source_name[used] = '\0';
    s->pb.source_name = s->source_name;
    s->pb.name = (char *)(c->opt.name != NULL ? c->opt.name : s->source_name);
}

/* What its messages call it and how large it may be: both as far as can be told before it has been read. */
static struct spec_want want_of(const struct command *c, const char *path)
{
    static const char *const whats[ENGINE_COUNT] = { [ENGINE_LUA] = "script",
                                                     [ENGINE_NATIVE] = "shared object",
                                                     [ENGINE_EXEC] = "program",
                                                     [ENGINE_PYTHON] = "script",
                                                     [ENGINE_PACKAGES] = "script" };
    int engine = c->opt.engine != NULL ? engine_find(c->opt.engine) : engine_by_ending(path);
    bool program = engine < 0 || engine_table[engine].runs_programs;

    return (struct spec_want){ .what = whats[engine >= 0 ? engine : ENGINE_EXEC],
                               .path = path,
                               .whole = program ? A_PROGRAM_AND_FILES : NULL,
                               .max = program ? LIMITS_STAGED : LIMITS_SOURCE,
                               .all = LIMITS_STAGED,
                               .is_job = true };
}

static void hint_near_file(struct coop_error *why, const char *path)
{
    const char *base = base_of(path);
    char *dir = strndup(path, (size_t)(base - path));
    const char *const dirs[] = { dir != NULL && dir[0] != '\0' ? dir : ".", NULL };

    if (dir != NULL)
        hint_near_name(why, base, dirs, dir);
    free(dir);
}

/* It was read as what may be a program, which may be larger. */
static int check_source_size(const char *path, const struct spec *s, struct coop_error *why)
{
    char text[UNITS_BUF];

    if (s->pb.source.len <= LIMITS_SOURCE)
        return 0;
    return coop_error_set(why, EDQUOT, COOP_EXIT_QUOTA, "%s is too large: a job of the engine %s may have %s", path, s->pb.engine,
                          units_format_size(LIMITS_SOURCE, text));
}

/* The source is there: which engine is it for, and is it fit for that? */
static int take_source(const struct command *c, const char *what, const char *path, struct spec *s, struct coop_error *why)
{
    int rc = c->opt.engine == NULL ? check_bytecode(what, path, &s->pb.source, why) : 0;

    if (rc == 0)
        rc = choose_engine(c, path, s, why);
    if (s->pb.source.len == 0 && (rc != 0 || !engine_table[engine_find(s->pb.engine)].may_be_empty))
        return refuse(why, "%s %s is empty", what, path);
    if (rc == 0)
        rc = check_source(path, s, why);
    if (rc == 0 && !engine_table[engine_find(s->pb.engine)].runs_programs)
        rc = check_source_size(path, s, why);
    if (rc == 0)
        put_names(c, s, path);
    return rc;
}

static int add_file(const struct command *c, const char *path, struct spec *s, struct coop_error *why)
{
    struct spec_want want = want_of(c, path);
    int rc = spec_read(s, &want, &s->pb.source, NULL, why);

    if (rc != 0 && why->exit_code == COOP_EXIT_PROGRAM_MISSING)
        hint_near_file(why, path);
    s->script_from_stdin = strcmp(path, "-") == 0;
    return rc == 0 ? take_source(c, want.what, path, s, why) : rc;
}

/* A source that stands in the job file. Its name is the one that it has there, or that of the job. */
static int add_inline(const struct command *c, struct spec *s, struct coop_error *why)
{
    const char *name = s->pb.source_name[0] != '\0' ? s->pb.source_name : c->opt.name != NULL ? c->opt.name : "source";

    s->pb.source = s->inline_source;
    return take_source(c, want_of(c, name).what, name, s, why);
}

/* ---- a program that is there inside ------------------------------------------------------------------------------------------------ */

static bool has_part(const char *path, const char *part)
{
    size_t len = strlen(part);

    for (const char *p = path; (p = strstr(p, part)) != NULL; p += len)
        if ((p == path || p[-1] == '/') && (p[len] == '/' || p[len] == '\0'))
            return true;
    return false;
}

static bool below_the_view(const char *path)
{
    for (size_t i = 0; view_dirs[i] != NULL; i++)
        if (strncmp(path, view_dirs[i], strlen(view_dirs[i])) == 0)
            return !has_part(path, "..");
    return false;
}

/* Whether a file of the view is rather another engine's: a script of Lua, a shared object with a job in it. */
static bool is_for_another_engine(const char *path)
{
    char head[HEAD];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, head, sizeof(head)) : -1;
    const char *engine;

    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    if (elf_is(head, (size_t)n))
        return ends_with(path, engine_table[ENGINE_NATIVE].ending);
    engine = program_guess_engine(path, head, (size_t)n);
    return engine != NULL && engine_find(engine) != ENGINE_EXEC;
}

static bool is_file_here(const char *name)
{
    struct stat st;

    return stat(name, &st) == 0 && !S_ISDIR(st.st_mode);
}

/* True when the word names what is inside; else it is a file to be sent. */
static bool names_inside(const struct command *c, const char *word)
{
    bool exec = c->opt.engine != NULL && engine_find(c->opt.engine) == ENGINE_EXEC;

    if ((c->opt.engine != NULL && !exec) || strcmp(word, "-") == 0 || strcmp(word, ".") == 0 || strcmp(word, "..") == 0)
        return false;
    if (strchr(word, '/') == NULL)
        return exec || (engine_by_ending(word) < 0 && (c->after_dashes || !is_file_here(word)));
    return below_the_view(word) && (exec || !is_for_another_engine(word));
}

/* A name with an ending, mistyped or of another directory: few programs are called so. */
static bool looks_like_a_file(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot != NULL && dot != name && dot[1] != '\0';
}

static bool has_own_path(const struct command *c)
{
    for (size_t i = 0; i < c->opt.env.n; i++)
        if (strncmp(c->opt.env.items[i], "PATH=", 5) == 0)
            return true;
    return false;
}

static bool is_in_path(const char *name)
{
    char path[LIMITS_PATH + 32];

    for (size_t i = 0; path_dirs[i] != NULL; i++) {
        snprintf(path, sizeof(path), "%s/%s", path_dirs[i], name);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static int add_inside(const struct command *c, const char *word, struct spec *s, struct coop_error *why)
{
    if (word[0] == '\0')
        return refuse(why, "the program's name is empty");
    if (strlen(word) > LIMITS_PATH)
        return refuse(why, "the program's name is longer than %d bytes", LIMITS_PATH);
    if (strchr(word, '/') != NULL && access(word, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        coop_error_set(why, ENOENT, COOP_EXIT_PROGRAM_MISSING, "program %s does not exist", word);
        hint_near_file(why, word);
        return -ENOENT;
    }
    if (!c->after_dashes && !has_own_path(c) && strchr(word, '/') == NULL && looks_like_a_file(word) && !is_in_path(word)) {
        coop_error_set(
            why, ENOENT, COOP_EXIT_PROGRAM_MISSING,
            is_file_here(word) ? "there is no program %s inside" : "there is no file %s here, and no program of that name inside", word);
        if (is_file_here(word))
            coop_error_hint(why, "the file here is sent when it is written with a '/': ./%.200s", word);
        return -ENOENT;
    }
    s->pb.engine = (char *)engine_table[ENGINE_EXEC].name;
    s->pb.program = (char *)word;
    put_names(c, s, word);
    return 0;
}

int program_add(const struct command *c, struct spec *s, struct coop_error *why)
{
    const char *word = c->args[0];
    int rc = check_engine(c->opt.engine, why);

    if (rc != 0)
        return rc;
    if (python_is_meant(c))
        return python_add(c, s, why);
    if (s->inline_source.data != NULL)
        return add_inline(c, s, why);
    return names_inside(c, word) ? add_inside(c, word, s, why) : add_file(c, word, s, why);
}

void program_hint(struct coop_error *why, const Pb__JobSpec *spec)
{
    why->hint[0] = '\0';
    if (spec->program[0] == '\0' || strchr(spec->program, '/') != NULL)
        return;
    if (is_file_here(spec->program)) {
        coop_error_hint(why, "a program of the sandbox is meant; for the file here write ./%.200s", spec->program);
        return;
    }
    if (access(spec->program, F_OK) == 0) {
        coop_error_hint(why,
                        "a program of the sandbox is meant; the directory here is sent beside a script of it: --file %.80s:. %.80s/FILE",
                        spec->program, spec->program);
        return;
    }
    hint_near_name(why, spec->program, path_dirs, "");
}
