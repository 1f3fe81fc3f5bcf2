/* yaml_message.c - see yaml_message.h. */
#include "yaml_message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "field_size.h"
#include "log.h"
#include "nearest.h"
#include "yaml_value.h"

enum { FIELDS_MAX = 64, WORDS_MAX = 96, NAME = 96 };

/* ---- which field a key is ------------------------------------------------------------------------------------------------------- */

struct found {
    const struct yaml_key *row;        /* NULL: the field's own name, as it is */
    const ProtobufCFieldDescriptor *f; /* NULL: read by hand, or refused */
    bool group;                        /* a map of keys like "notify.webhook" */
};

static bool row_ends(const struct yaml_key *k)
{
    return k == NULL || k->of == NULL;
}

/* What stands in group: "notify." for its keys, "" outside of any. */
static const char *in_group(const struct yaml_key *k, const char *group)
{
    size_t n = strlen(group);

    if (strncmp(k->key, group, n) != 0 || (n == 0 && strchr(k->key, '.') != NULL))
        return NULL;
    return k->key + n;
}

static bool opens_group(const struct yaml_key *k, const char *name)
{
    size_t n = strlen(name);

    return n > 0 && strncmp(k->key, name, n) == 0 && k->key[n] == '.';
}

static bool look_up(const struct yaml_reader *r, const ProtobufCMessageDescriptor *d, const char *group, const char *name,
                    struct found *ret)
{
    *ret = (struct found){ 0 };
    for (const struct yaml_key *k = r->keys; !row_ends(k); k++) {
        const char *key = k->of == d ? in_group(k, group) : NULL;

        if (key != NULL && strcmp(key, name) == 0 && ret->row == NULL) {
            ret->row = k;
            ret->f = k->field != NULL ? protobuf_c_message_descriptor_get_field_by_name(d, k->field) : NULL;
        }
        if (k->of == d && group[0] == '\0' && opens_group(k, name))
            ret->group = true;
    }
    if (ret->row != NULL || ret->group || group[0] != '\0')
        return ret->row != NULL || ret->group;
    ret->f = protobuf_c_message_descriptor_get_field_by_name(d, name);
    ret->row = ret->f != NULL ? yaml_key_of(r->keys, d, name) : NULL;
    return ret->f != NULL;
}

const struct yaml_key *yaml_key_of(const struct yaml_key *keys, const ProtobufCMessageDescriptor *d, const char *field)
{
    for (const struct yaml_key *k = keys; !row_ends(k); k++)
        if (k->of == d && k->field != NULL && strcmp(k->field, field) == 0)
            return k;
    return NULL;
}

/* ---- a key that is none ---------------------------------------------------------------------------------------------------------- */

static size_t add_word(const char **words, size_t n, const char *word)
{
    if (n < WORDS_MAX - 1)
        words[n++] = word;
    return n;
}

/* Names that are taken here: of the fields, and of the rows; of a group its first part, once is enough. */
static void list_words(const struct yaml_reader *r, const ProtobufCMessageDescriptor *d, const char *group, const char *words[WORDS_MAX])
{
    size_t n = 0;

    for (const struct yaml_key *k = r->keys; !row_ends(k); k++)
        if (k->of == d && k->refused == NULL && in_group(k, group) != NULL)
            n = add_word(words, n, in_group(k, group));
    for (unsigned i = 0; i < d->n_fields && group[0] == '\0'; i++) {
        const struct yaml_key *k = yaml_key_of(r->keys, d, d->fields[i].name);

        if (k == NULL)
            n = add_word(words, n, d->fields[i].name);
    }
    words[n] = NULL;
}

/* A good key in the wrong place: the map that it belongs into, when there is just the one below this message. */
static const char *belongs_under(const struct yaml_reader *r, const ProtobufCMessageDescriptor *d, const char *name)
{
    struct found found;

    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const struct yaml_key *k = yaml_key_of(r->keys, d, f->name);

        if (f->type != PROTOBUF_C_TYPE_MESSAGE || f->label == PROTOBUF_C_LABEL_REPEATED || (k != NULL && k->refused != NULL))
            continue;
        if (look_up(r, f->descriptor, "", name, &found) && !found.group)
            return k != NULL ? k->key : f->name;
    }
    return NULL;
}

static int refuse_key(struct yaml_reader *r, const struct yaml_node *key, const ProtobufCMessageDescriptor *d, const char *group)
{
    const char *words[WORDS_MAX], *near, *under;
    char shown[NAME];

    list_words(r, d, group, words);
    near = nearest_word(key->text, words);
    under = group[0] == '\0' ? belongs_under(r, d, key->text) : NULL;
    yaml_refuse(r->why, EINVAL, key, "unknown key '%s'", log_escape(shown, sizeof(shown), key->text, key->len));
    if (under != NULL)
        yaml_hint(r->why, "'%s' belongs into the map '%s'", key->text, under);
    else if (near != NULL)
        yaml_hint(r->why, "did you mean '%s'?", near);
    return -EINVAL;
}

/* ---- fields ---------------------------------------------------------------------------------------------------------------------- */

static int read_into(struct yaml_reader *r, const char *name, const struct yaml_key *row, const struct yaml_node *n, ProtobufCMessage *m,
                     const ProtobufCFieldDescriptor *f);

static int read_item(struct yaml_reader *r, const char *name, const struct yaml_key *row, const struct yaml_node *n,
                     const ProtobufCFieldDescriptor *f, void *at)
{
    const ProtobufCMessageDescriptor *d = f->descriptor;
    ProtobufCMessage *item;

    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return yaml_read_value(r, name, row != NULL ? row->unit : YAML_AS_TYPED, n, f, at);
    item = yaml_alloc(r->doc, d->sizeof_message);
    if (item == NULL)
        return yaml_refuse(r->why, ENOMEM, NULL, "out of memory");
    protobuf_c_message_init(d, item);
    *(ProtobufCMessage **)at = item;
    if (n->kind == YAML_TEXT && row != NULL && row->from_text != NULL)
        return row->from_text(r, name, n, item);
    if (n->kind != YAML_MAP)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a map%s, this is %s", name,
                           row != NULL && row->from_text != NULL ? " or a text" : "", yaml_what(n));
    return yaml_read_message(r, n, item);
}

/* {LANG: C} as [{name: LANG, value: C}]. */
static int read_pair(struct yaml_reader *r, const struct yaml_key *row, const struct yaml_node *map, size_t i,
                     const ProtobufCFieldDescriptor *f, void *at)
{
    const ProtobufCMessageDescriptor *d = f->descriptor;
    ProtobufCMessage *item = yaml_alloc(r->doc, d->sizeof_message);
    char name[NAME];
    int rc;

    if (item == NULL)
        return yaml_refuse(r->why, ENOMEM, NULL, "out of memory");
    protobuf_c_message_init(d, item);
    *(ProtobufCMessage **)at = item;
    log_escape(name, sizeof(name), map->keys[i]->text, map->keys[i]->len);
    if (yaml_is_null(map->items[i]))
        return yaml_refuse(r->why, EINVAL, map->items[i], "%s: there is no value; an empty one is \"\"", name);
    rc = yaml_read_field(r, name, map->keys[i], item, row->pair_key);
    return rc == 0 ? yaml_read_field(r, name, map->items[i], item, row->pair_value) : rc;
}

/* A list of messages with one item may be written as that item alone. */
static bool is_one(const struct yaml_key *row, const struct yaml_node *n, const ProtobufCFieldDescriptor *f)
{
    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return false;
    return n->kind == YAML_MAP ? row == NULL || row->pair_key == NULL : n->kind == YAML_TEXT && row != NULL && row->from_text != NULL;
}

static int read_list(struct yaml_reader *r, const char *name, const struct yaml_key *row, const struct yaml_node *n, ProtobufCMessage *m,
                     const ProtobufCFieldDescriptor *f)
{
    bool pairs = n->kind == YAML_MAP && row != NULL && row->pair_key != NULL;
    bool one = is_one(row, n, f);
    size_t size = field_size_in_list(f->type), *count = (size_t *)((char *)m + f->quantifier_offset);
    char *items;
    int rc = 0;

    if (!pairs && !one && n->kind != YAML_LIST)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a %s, this is %s", name, row != NULL && row->pair_key != NULL ? "map" : "list",
                           yaml_what(n));
    items = yaml_alloc(r->doc, (n->n > 0 ? n->n : 1) * size);
    if (items == NULL)
        return yaml_refuse(r->why, ENOMEM, NULL, "out of memory");
    *(char **)((char *)m + f->offset) = items;
    *count = one;
    if (one)
        return read_item(r, name, row, n, f, items);
    for (size_t i = 0; rc == 0 && i < n->n; i++) {
        if (!pairs && yaml_is_null(n->items[i]))
            return yaml_refuse(r->why, EINVAL, n->items[i], "%s: nothing is no item of a list; an empty text is \"\"", name);
        rc = pairs ? read_pair(r, row, n, i, f, items + i * size) : read_item(r, name, row, n->items[i], f, items + i * size);
        *count = i + 1;
    }
    return rc;
}

static int read_into(struct yaml_reader *r, const char *name, const struct yaml_key *row, const struct yaml_node *n, ProtobufCMessage *m,
                     const ProtobufCFieldDescriptor *f)
{
    if (f->label == PROTOBUF_C_LABEL_REPEATED)
        return read_list(r, name, row, n, m, f);
    return read_item(r, name, row, n, f, (char *)m + f->offset);
}

int yaml_read_field(struct yaml_reader *r, const char *name, const struct yaml_node *n, ProtobufCMessage *m, const char *field)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field_by_name(m->descriptor, field);

    return read_into(r, name, yaml_key_of(r->keys, m->descriptor, field), n, m, f);
}

/* ---- maps ------------------------------------------------------------------------------------------------------------------------ */

/* Where each field was given: "memory" and "memory_bytes" are one. */
struct given {
    const struct yaml_node *at[FIELDS_MAX];
};

static bool is_empty(const struct yaml_node *n)
{
    if (n->kind != YAML_TEXT)
        return n->n == 0;
    return yaml_is_null(n) || n->len == 0 || strcmp(n->text, "0") == 0 || strcmp(n->text, "false") == 0;
}

static int note_given(struct yaml_reader *r, struct given *g, const struct yaml_node *key, ProtobufCMessage *m,
                      const ProtobufCFieldDescriptor *f)
{
    size_t i = (size_t)(f - m->descriptor->fields);

    if (i < FIELDS_MAX && g->at[i] != NULL)
        return yaml_refuse(r->why, EINVAL, key, "'%s' is given twice, first as '%s' in line %u", key->text, g->at[i]->text, g->at[i]->line);
    if (i < FIELDS_MAX)
        g->at[i] = key;
    return 0;
}

static int read_map(struct yaml_reader *r, const struct yaml_node *n, const char *group, struct given *g, ProtobufCMessage *m);

static int read_group(struct yaml_reader *r, const struct yaml_node *key, const struct yaml_node *n, struct given *g, ProtobufCMessage *m)
{
    char group[NAME];

    if (n->kind != YAML_MAP)
        return yaml_refuse(r->why, EINVAL, n, "%s: wants a map, this is %s", key->text, yaml_what(n));
    snprintf(group, sizeof(group), "%s.", key->text);
    return read_map(r, n, group, g, m);
}

static int read_key(struct yaml_reader *r, const struct yaml_node *key, const struct yaml_node *n, const char *group, struct given *g,
                    ProtobufCMessage *m)
{
    struct found found;
    int rc;

    if (!look_up(r, m->descriptor, group, key->text, &found))
        return refuse_key(r, key, m->descriptor, group);
    if (found.row != NULL && found.row->refused != NULL)
        return is_empty(n) ? 0 : yaml_refuse(r->why, EINVAL, key, "'%s' cannot be had: %s", key->text, found.row->refused);
    if (yaml_is_null(n))
        return 0;
    if (found.group && (found.row == NULL || n->kind == YAML_MAP))
        return read_group(r, key, n, g, m);
    if (found.row != NULL && found.row->read != NULL)
        return found.row->read(r, found.row, n, m);
    rc = note_given(r, g, key, m, found.f);
    return rc == 0 ? read_into(r, key->text, found.row, n, m, found.f) : rc;
}

static int read_map(struct yaml_reader *r, const struct yaml_node *n, const char *group, struct given *g, ProtobufCMessage *m)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < n->n; i++)
        rc = read_key(r, n->keys[i], n->items[i], group, g, m);
    return rc;
}

int yaml_read_message(struct yaml_reader *r, const struct yaml_node *n, ProtobufCMessage *m)
{
    struct given given = { 0 };

    if (n->kind != YAML_MAP)
        return yaml_refuse(r->why, EINVAL, n, "a map of keys and values is wanted, this is %s", yaml_what(n));
    return read_map(r, n, "", &given, m);
}
