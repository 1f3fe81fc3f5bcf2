/* config_file.c - see config_file.h. */
#include "broker/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <yaml.h>

#include "rel_path.h"

enum { KEY_MAX = 64, VALUE_MAX = 4096 };

/* Where the walk is: in the mapping of the file, in the list of a key, or in the mapping of a key. */
enum place { OUTSIDE, TOP, LIST, MAP };

struct walk {
    const char *path;
    config_entry_fn fn;
    void *ctx;
    char *why;
    enum place place;
    char key[KEY_MAX + 1]; /* "": one is wanted */
    yaml_mark_t key_at;
    char inner[KEY_MAX + 1]; /* of a MAP: "": one is wanted */
    char seen[CONFIG_FILE_KEYS][KEY_MAX + 1];
    size_t n_seen;
};

static int refuse_at(struct walk *w, const yaml_mark_t *at, const char *text)
{
    snprintf(w->why, CONFIG_WHY, "%.200s:%zu:%zu: %.290s", w->path, at->line + 1, at->column + 1, text);
    return -EINVAL;
}

static int tell(struct walk *w, const yaml_mark_t *at, const char *value)
{
    struct config_entry e = { w->key, value };
    char why[CONFIG_WHY] = "";
    int rc = w->fn(w->ctx, &e, why);

    return rc == 0 ? 0 : refuse_at(w, rc == -ENOENT ? &w->key_at : at, why);
}

static int take_key(struct walk *w, const yaml_mark_t *at, const char *text)
{
    char twice[KEY_MAX + 32];

    for (size_t i = 0; i < w->n_seen; i++)
        if (strcmp(w->seen[i], text) == 0) {
            snprintf(twice, sizeof(twice), "the key '%s' is there twice", text);
            return refuse_at(w, at, twice);
        }
    if (w->n_seen == CONFIG_FILE_KEYS)
        return refuse_at(w, at, "too many keys");
    strcpy(w->seen[w->n_seen++], text);
    strcpy(w->key, text);
    w->key_at = *at;
    return 0;
}

static int take_pair(struct walk *w, const yaml_mark_t *at, const char *value)
{
    char pair[KEY_MAX + VALUE_MAX + 2];

    snprintf(pair, sizeof(pair), "%s=%s", w->inner, value);
    w->inner[0] = '\0';
    return tell(w, at, pair);
}

static int on_scalar(struct walk *w, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t len = e->data.scalar.length;
    bool is_key = (w->place == TOP && w->key[0] == '\0') || (w->place == MAP && w->inner[0] == '\0');
    int rc;

    if (e->data.scalar.anchor != NULL || e->data.scalar.tag != NULL)
        return refuse_at(w, &e->start_mark, "anchors and tags are not used here");
    if (len != strlen(text) || len > (is_key ? (size_t)KEY_MAX : (size_t)VALUE_MAX) || text_has_control(text))
        return refuse_at(w, &e->start_mark, is_key ? "a key is a word" : "a value is one line of text, without control characters");
    if (is_key && len == 0)
        return refuse_at(w, &e->start_mark, "an empty key");
    switch (w->place) {
    case TOP:
        if (is_key)
            return take_key(w, &e->start_mark, text);
        rc = tell(w, &e->start_mark, text);
        w->key[0] = '\0';
        return rc;
    case LIST: return tell(w, &e->start_mark, text);
    case MAP:
        if (!is_key)
            return take_pair(w, &e->start_mark, text);
        strcpy(w->inner, text);
        return 0;
    default: return refuse_at(w, &e->start_mark, "the file is one mapping: lines of 'key: value'");
    }
}

static int on_open(struct walk *w, const yaml_event_t *e, enum place inner)
{
    if (w->place == OUTSIDE && inner == MAP)
        w->place = TOP;
    else if (w->place == OUTSIDE)
        return refuse_at(w, &e->start_mark, "the file is one mapping: lines of 'key: value'");
    else if (w->place == TOP && w->key[0] != '\0')
        w->place = inner;
    else
        return refuse_at(w, &e->start_mark, "a value here is a text, not a list or a mapping");
    return 0;
}

static int on_event(struct walk *w, const yaml_event_t *e, unsigned *documents)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT: return ++*documents > 1 ? refuse_at(w, &e->start_mark, "a second document") : 0;
    case YAML_ALIAS_EVENT: return refuse_at(w, &e->start_mark, "aliases are not used here");
    case YAML_SCALAR_EVENT: return on_scalar(w, e);
    case YAML_SEQUENCE_START_EVENT: return on_open(w, e, LIST);
    case YAML_MAPPING_START_EVENT: return on_open(w, e, MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        w->place = w->place == TOP ? OUTSIDE : TOP;
        w->key[0] = '\0';
        return 0;
    default: return 0;
    }
}

static int walk_text(struct walk *w, const unsigned char *text, size_t len)
{
    yaml_parser_t parser;
    yaml_event_t e;
    unsigned documents = 0;
    bool over = false;
    int rc = 0;

    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, text, len);
    while (rc == 0 && !over) {
        if (!yaml_parser_parse(&parser, &e)) {
            rc = refuse_at(w, &parser.problem_mark, parser.problem != NULL ? parser.problem : "this is no YAML");
            break;
        }
        over = e.type == YAML_STREAM_END_EVENT;
        rc = on_event(w, &e, &documents);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
    return rc;
}

/* The whole file, malloc'd; -EFBIG: more than CONFIG_FILE_MAX. */
static int slurp(const char *path, unsigned char **ret, size_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
    struct stat st;
    ssize_t n = 1;

    if (fd < 0)
        return -errno;
    *ret_len = 0;
    *ret = malloc(CONFIG_FILE_MAX + 1);
    if (*ret == NULL || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        rc = *ret == NULL ? -ENOMEM : -EINVAL;
    while (rc == 0 && n > 0 && *ret_len <= CONFIG_FILE_MAX) {
        n = read(fd, *ret + *ret_len, CONFIG_FILE_MAX + 1 - *ret_len);
        rc = n < 0 ? -errno : 0;
        *ret_len += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (rc == 0 && *ret_len > CONFIG_FILE_MAX)
        rc = -EFBIG;
    if (rc != 0)
        free(*ret);
    return rc;
}

int config_file_read(const char *path, config_entry_fn fn, void *ctx, char why[CONFIG_WHY])
{
    struct walk *w = calloc(1, sizeof(*w));
    unsigned char *text = NULL;
    size_t len = 0;
    int rc = w != NULL ? slurp(path, &text, &len) : -ENOMEM;

    if (rc != 0) {
        snprintf(why, CONFIG_WHY, "%.300s: %s", path,
                 rc == -EINVAL  ? "is not a file"
                 : rc == -EFBIG ? "is longer than a configuration file may be (256 KiB)"
                                : strerror(-rc));
        free(w);
        return rc;
    }
    *w = (struct walk){ .path = path, .fn = fn, .ctx = ctx, .why = why };
    rc = walk_text(w, text, len);
    free(text);
    free(w);
    return rc;
}
