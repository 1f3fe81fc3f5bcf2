/* spec_parts.c - what of a job file is read by hand (spec_file.h): what is to run, and files that stand beside the job file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/spec_file.h"
#include "cli/spec_read.h"
#include "engine_table.h"
#include "log.h"
#include "nearest.h"

enum { SHOWN = 100 };

static struct spec_file *file_of(const struct yaml_reader *r)
{
    return r->own;
}

static int no_memory(struct yaml_reader *r)
{
    return yaml_refuse(r->why, ENOMEM, NULL, "out of memory");
}

/* A path of the file's is from where the file is, not from where we are. */
static int path_of(struct yaml_reader *r, const char *name, const struct yaml_node *n, const char **ret)
{
    const char *dir = file_of(r)->dir, *text;
    int rc = yaml_read_text(r, name, n, &text);
    char *path;

    if (rc != 0)
        return rc;
    if (text[0] == '\0')
        return yaml_refuse(r->why, EINVAL, n, "%s: the path is empty", name);
    path = yaml_alloc(r->doc, strlen(dir) + n->len + 3);
    if (path == NULL)
        return no_memory(r);
    if (text[0] == '/')
        strcpy(path, text);
    else
        sprintf(path, "%s%s", dir[0] == '\0' ? "./" : dir, text); /* "-" is a file's name too */
    *ret = path;
    return 0;
}

/* ---- what is to run ---------------------------------------------------------------------------------------------------------------- */

static int once(struct yaml_reader *r, const struct yaml_node *n)
{
    struct spec_file *f = file_of(r);

    if (f->code_at != NULL)
        return yaml_refuse(r->why, EINVAL, n,
                           "what is to run is said twice, first in line %u: one of code.file, code.source, program and argv",
                           f->code_at->line);
    f->code_at = n;
    return 0;
}

int spec_file_code_file(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    int rc = once(r, n);

    (void)k;
    (void)m;
    return rc == 0 ? path_of(r, "file", n, &file_of(r)->code_path) : rc;
}

int spec_file_code_source(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    int rc;

    (void)m;
    if (strcmp(k->key, "source") == 0 && n->kind == YAML_TEXT && n->len == 0) /* as --json prints it where there is none */
        return 0;
    rc = once(r, n);
    if (rc != 0)
        return rc;
    if (n->kind != YAML_TEXT)
        return yaml_refuse(r->why, EINVAL, n, "source: wants a text, this is %s", yaml_what(n));
    if (n->len == 0)
        return yaml_refuse(r->why, EINVAL, n, "source: the text is empty");
    file_of(r)->spec->inline_source = (ProtobufCBinaryData){ n->len, (uint8_t *)n->text };
    return 0;
}

/* "code: TEXT" is its source; a map is read key by key (code.file and its like). */
int spec_file_code(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    if (n->kind != YAML_TEXT)
        return yaml_refuse(r->why, EINVAL, n, "code: wants a map (file: PATH, or source: TEXT), this is %s", yaml_what(n));
    return spec_file_code_source(r, k, n, m);
}

int spec_file_program(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    Pb__JobSpec *s = (Pb__JobSpec *)m;
    const char *text = "";
    int rc = yaml_read_text(r, k->key, n, &text);

    if (rc == 0 && text[0] == '\0') /* as --json prints it where there is none */
        return 0;
    if (rc == 0)
        rc = once(r, n);
    if (rc != 0)
        return rc;
    if (text[0] != '/' && strchr(text, '/') != NULL) {
        yaml_refuse(r->why, EINVAL, n, "program: names a program of the sandbox, by its name alone or by its absolute path there");
        yaml_hint(r->why, "a file beside the job file is sent by code: {file: PATH}");
        return -EINVAL;
    }
    s->program = (char *)text;
    return 0;
}

int spec_file_args(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    if (((Pb__JobSpec *)m)->n_args > 0)
        return yaml_refuse(r->why, EINVAL, n, "%s: the arguments are given already, by 'argv'", k->key);
    return yaml_read_field(r, k->key, n, m, "args");
}

/* The program's name and its arguments, in one list. */
int spec_file_argv(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    static const struct yaml_key program = { .key = "program" };
    struct yaml_node rest = *n;
    Pb__JobSpec *s = (Pb__JobSpec *)m;
    int rc;

    if (n->kind != YAML_LIST || n->n == 0)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a list: the program's name and its arguments", k->key);
    if (s->n_args > 0)
        return yaml_refuse(r->why, EINVAL, n, "%s: the arguments are given already, by 'args'", k->key);
    rc = spec_file_program(r, &program, n->items[0], m);
    rest.items++;
    rest.n--;
    return rc == 0 ? yaml_read_field(r, k->key, &rest, m, "args") : rc;
}

static int check_engine(struct yaml_reader *r, const struct yaml_node *n)
{
    char shown[SHOWN], list[ENGINE_LIST];
    const char *near;

    if (engine_find(n->text) >= 0)
        return 0;
    near = nearest_word(n->text, engine_names);
    yaml_refuse(r->why, EINVAL, n, "engine: '%s' is not one of %s", log_escape(shown, sizeof(shown), n->text, n->len), engine_list(list));
    if (near != NULL)
        yaml_hint(r->why, "did you mean '%s'?", near);
    return -EINVAL;
}

/* What stands in {lua: ...}: what is to run, under the names that this engine has for it. */
/* clang-format off */
static const struct engine_part {
    int engine;
    const char *key;
    int (*read)(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m);
} engine_parts[] = {
    { ENGINE_LUA,    "source", spec_file_code_source },
    { ENGINE_LUA,    "file",   spec_file_code_file },
    { ENGINE_NATIVE, "so",     spec_file_code_file },
    { ENGINE_EXEC,   "argv",   spec_file_argv },
    { ENGINE_EXEC,   "file",   spec_file_code_file },
    { ENGINE_PYTHON, "source", spec_file_code_source },
    { ENGINE_PYTHON, "file",   spec_file_code_file },
};
/* clang-format on */
enum { PARTS = sizeof(engine_parts) / sizeof(engine_parts[0]) };

static int read_part(struct yaml_reader *r, int engine, const struct yaml_node *key, const struct yaml_node *value, ProtobufCMessage *m)
{
    const char *words[PARTS + 1], *near;
    char shown[SHOWN];
    size_t n = 0;

    for (size_t i = 0; i < PARTS; i++) {
        struct yaml_key k = { .key = engine_parts[i].key };

        if (engine_parts[i].engine != engine)
            continue;
        if (strcmp(key->text, k.key) == 0)
            return engine_parts[i].read(r, &k, value, m);
        words[n++] = k.key;
    }
    words[n] = NULL;
    if (engine == ENGINE_NATIVE && strcmp(key->text, "symbol") == 0)
        return yaml_refuse(r->why, EINVAL, key, "'symbol' cannot be had: it is coop_job in every shared object");
    near = nearest_word(key->text, words);
    yaml_refuse(r->why, EINVAL, key, "unknown key '%s' of the engine %s", log_escape(shown, sizeof(shown), key->text, key->len),
                engine_names[engine]);
    if (near != NULL)
        yaml_hint(r->why, "did you mean '%s'?", near);
    return -EINVAL;
}

int spec_file_engine(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    const struct yaml_node *name = n->kind == YAML_MAP && n->n == 1 ? n->keys[0] : n;
    int rc;

    (void)k;
    if (name->kind != YAML_TEXT)
        return yaml_refuse(r->why, EINVAL, n, "engine: wants a name, or a map with one name, this is %s", yaml_what(n));
    if (name == n && n->len == 0)
        return 0;
    rc = check_engine(r, name);
    if (rc != 0)
        return rc;
    ((Pb__JobSpec *)m)->engine = (char *)name->text;
    if (name == n || yaml_is_null(n->items[0]))
        return 0;
    n = n->items[0];
    if (n->kind != YAML_MAP)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a map, this is %s", name->text, yaml_what(n));
    for (size_t i = 0; rc == 0 && i < n->n; i++)
        rc = read_part(r, engine_find(name->text), n->keys[i], n->items[i], m);
    return rc;
}

/* ---- text or file -------------------------------------------------------------------------------------------------------------------- */

/* {file: PATH}: the path. */
static const struct yaml_node *file_alone(const struct yaml_node *n)
{
    return n->kind == YAML_MAP && n->n == 1 ? yaml_get(n, "file") : NULL;
}

int spec_file_stdin(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    const struct yaml_node *path = file_alone(n);
    int rc;

    if (path != NULL)
        return path_of(r, "file", path, &file_of(r)->stdin_path);
    if (n->kind == YAML_LIST)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a text, {file: PATH} or {base64: TEXT}, this is a list", k->key);
    rc = yaml_read_field(r, k->key, n, m, "stdin_data");
    if (rc == 0)
        ((Pb__JobSpec *)m)->stdin_mode = PB__STDIN_MODE__STDIN_MODE_INLINE;
    return rc;
}

int spec_file_policy(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    const struct yaml_node *path = file_alone(n);
    const char *text;
    int rc;

    if (path != NULL)
        return path_of(r, "file", path, &file_of(r)->policy_path);
    if (n->kind != YAML_TEXT)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a text, or {file: PATH}, this is %s", k->key, yaml_what(n));
    rc = yaml_read_text(r, k->key, n, &text);
    if (rc == 0)
        ((Pb__JobSpec *)m)->policy = (char *)text;
    return rc;
}

/* ---- files ----------------------------------------------------------------------------------------------------------------------------- */

struct file_item {
    const struct yaml_node *file, *name, *mode, *data;
};

static int add_word(struct yaml_reader *r, const char *word)
{
    struct spec_file *f = file_of(r);

    f->files[f->n_files++] = word;
    return word != NULL ? 0 : no_memory(r);
}

/* Octal, as the flag has it: 755 is rwxr-xr-x. JSON has no octal numbers, and YAML's own are not asked. */
static int read_mode(struct yaml_reader *r, const struct yaml_node *n, uint32_t *ret)
{
    char *end;

    if (n->kind != YAML_TEXT || n->len == 0 || n->len > 4 || strspn(n->text, "01234567") != n->len)
        return yaml_refuse(r->why, EINVAL, n, "mode: wants one of the octal numbers 0 to 777");
    *ret = (uint32_t)strtoul(n->text, &end, 8);
    return *ret <= 0777 ? 0 : yaml_refuse(r->why, EINVAL, n, "mode: wants one of the octal numbers 0 to 777");
}

static int split_item(struct yaml_reader *r, const struct yaml_node *n, struct file_item *ret)
{
    static const char *const words[] = { "file", "name", "mode", "data", NULL };
    const struct yaml_node **const cells[] = { &ret->file, &ret->name, &ret->mode, &ret->data };
    char shown[SHOWN];
    const char *near;

    for (size_t i = 0; i < n->n; i++) {
        size_t w = 0;

        while (words[w] != NULL && strcmp(words[w], n->keys[i]->text) != 0)
            w++;
        if (words[w] == NULL) {
            near = nearest_word(n->keys[i]->text, words);
            yaml_refuse(r->why, EINVAL, n->keys[i], "unknown key '%s'",
                        log_escape(shown, sizeof(shown), n->keys[i]->text, n->keys[i]->len));
            if (near != NULL)
                yaml_hint(r->why, "did you mean '%s'?", near);
            return -EINVAL;
        }
        if (!yaml_is_null(n->items[i]))
            *cells[w] = n->items[i];
    }
    if ((ret->file == NULL) == (ret->data == NULL))
        return yaml_refuse(r->why, EINVAL, n, "files: wants one of 'file' (its path here) and 'data' (what is in it)");
    return ret->data == NULL || ret->name != NULL ? 0 : yaml_refuse(r->why, EINVAL, n, "files: what has 'data' wants a 'name'");
}

static int add_inline(struct yaml_reader *r, const struct file_item *item, uint32_t mode)
{
    Pb__StagedFile *f = yaml_alloc(r->doc, sizeof(*f));
    struct spec *s = file_of(r)->spec;
    const char *name;
    int rc;

    if (f == NULL)
        return no_memory(r);
    pb__staged_file__init(f);
    rc = yaml_read_text(r, "name", item->name, &name);
    if (rc == 0)
        rc = yaml_read_field(r, "data", item->data, &f->base, "data");
    if (rc != 0)
        return rc;
    f->name = (char *)name;
    f->mode = mode != 0 ? mode : 0644;
    s->inline_files[s->n_inline_files++] = f;
    return 0;
}

/* As --file has it, always with a name and, when there is one, a mode: so colons of the path are the path's own. */
static int add_path(struct yaml_reader *r, const struct file_item *item, uint32_t mode)
{
    const char *path, *name = NULL, *base;
    char *word;
    int rc = path_of(r, "file", item->file, &path);

    if (rc == 0 && item->name != NULL)
        rc = yaml_read_text(r, "name", item->name, &name);
    if (rc != 0)
        return rc;
    base = strrchr(path, '/') + 1;
    name = name != NULL ? name : base;
    if (name[0] == '\0' || strchr(name, ':') != NULL)
        return yaml_refuse(r->why, EINVAL, item->name != NULL ? item->name : item->file, "name: wants a file's name, without a colon");
    word = yaml_alloc(r->doc, strlen(path) + strlen(name) + 16);
    if (word != NULL && item->mode != NULL)
        sprintf(word, "%s:%s:%o", path, name, (unsigned)mode);
    else if (word != NULL)
        sprintf(word, "%s:%s", path, name);
    return add_word(r, word);
}

static int add_item(struct yaml_reader *r, const struct yaml_node *n)
{
    struct file_item item = { 0 };
    uint32_t mode = 0;
    int rc;

    if (n->kind == YAML_TEXT && !yaml_is_null(n)) {
        const char *word;

        rc = path_of(r, "files", n, &word); /* the name and the mode behind its colons stay there */
        return rc == 0 ? add_word(r, word) : rc;
    }
    if (n->kind != YAML_MAP)
        return yaml_refuse(r->why, EINVAL, n, "files: wants a path or a map, this is %s", yaml_what(n));
    rc = split_item(r, n, &item);
    if (rc == 0 && item.mode != NULL)
        rc = read_mode(r, item.mode, &mode);
    if (rc != 0)
        return rc;
    return item.data != NULL ? add_inline(r, &item, mode) : add_path(r, &item, mode);
}

int spec_file_files(struct yaml_reader *r, const struct yaml_key *k, const struct yaml_node *n, ProtobufCMessage *m)
{
    struct spec_file *f = file_of(r);
    int rc = 0;

    (void)m;
    if (n->kind != YAML_LIST)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a list, this is %s", k->key, yaml_what(n));
    f->files = yaml_alloc(r->doc, (n->n + 1) * sizeof(*f->files));
    f->spec->inline_files = yaml_alloc(r->doc, (n->n + 1) * sizeof(*f->spec->inline_files));
    if (f->files == NULL || f->spec->inline_files == NULL)
        return no_memory(r);
    for (size_t i = 0; rc == 0 && i < n->n; i++)
        rc = add_item(r, n->items[i]);
    return rc;
}
