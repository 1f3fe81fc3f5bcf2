/* val_map.c - maps of coop/value.h: pairs in the order in which they came, found by bisection or, once that is not their order, by a
 * tree. */
#include "val_own.h"

#include <errno.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "value_number.h"

/* ---- keys --------------------------------------------------------------------------------------------------------------------------- */

/* By the first byte of their encodings, as far as the type says it. */
static int rank(const coop_val *v)
{
    switch (v->type) {
    case COOP_VAL_INT: return v->integer >= 0 ? 0 : 1;
    case COOP_VAL_BYTES: return 2;
    case COOP_VAL_TEXT: return 3;
    case COOP_VAL_BOOL: return 4;
    default: return 5;
    }
}

static int cmp_number(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static uint64_t bits_of(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof(bits));
    return bits;
}

int val_key_cmp(const coop_val *a, const coop_val *b)
{
    if (rank(a) != rank(b))
        return rank(a) < rank(b) ? -1 : 1;
    switch (a->type) {
    case COOP_VAL_INT:
        return a->integer >= 0 ? cmp_number((uint64_t)a->integer, (uint64_t)b->integer)
                               : cmp_number(~(uint64_t)a->integer, ~(uint64_t)b->integer);
    case COOP_VAL_BOOL: return (int)a->boolean - (int)b->boolean;
    case COOP_VAL_DOUBLE: return cmp_number(bits_of(a->number), bits_of(b->number));
    default:
        if (a->text.len != b->text.len)
            return a->text.len < b->text.len ? -1 : 1;
        return memcmp(a->text.bytes, b->text.bytes, a->text.len);
    }
}

/* Makes it one in the form, if it can be. */
static bool as_key(coop_val *key)
{
    switch (key->type) {
    case COOP_VAL_BOOL:
    case COOP_VAL_INT:
    case COOP_VAL_TEXT:
    case COOP_VAL_BYTES: return true;
    case COOP_VAL_DOUBLE:
        if (number_is_integer(key->number)) {
            key->type = COOP_VAL_INT;
            key->integer = (int64_t)key->number;
        }
        return key->type == COOP_VAL_INT || !isnan(key->number);
    default: return false;
    }
}

/* ---- finding ------------------------------------------------------------------------------------------------------------------------ */

static int by_key(const void *a, const void *b)
{
    return val_key_cmp(((const struct val_pair *)a)->key, ((const struct val_pair *)b)->key);
}

static struct val_pair *bisect(const coop_val *map, const struct val_pair *like)
{
    size_t from = 0, to = map->map.count;

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int cmp = by_key(map->map.pairs[mid], like);

        if (cmp == 0)
            return map->map.pairs[mid];
        if (cmp < 0)
            from = mid + 1;
        else
            to = mid;
    }
    return NULL;
}

static struct val_pair *find(const coop_val *map, const coop_val *key)
{
    struct val_pair like = { (coop_val *)(uintptr_t)key, NULL };
    struct val_pair **node;

    if (map->map.tree == NULL)
        return bisect(map, &like);
    node = tfind(&like, &map->map.tree, by_key);
    return node != NULL ? *node : NULL;
}

const coop_val *coop_val_get_key(const coop_val *map, const coop_val *key)
{
    coop_val scalar;
    const struct val_pair *p;

    if (coop_val_type(map) != COOP_VAL_MAP || key == NULL)
        return NULL;
    scalar = *key; /* what it points to stays where it is */
    if (!as_key(&scalar))
        return NULL;
    p = find(map, &scalar);
    return p != NULL ? p->value : NULL;
}

const coop_val *coop_val_get(const coop_val *map, const char *name)
{
    coop_val key = { .type = COOP_VAL_TEXT };

    if (name == NULL)
        return NULL;
    key.text.bytes = (char *)(uintptr_t)name;
    key.text.len = strlen(name);
    return coop_val_get_key(map, &key);
}

const coop_val *coop_val_key_at(const coop_val *map, size_t place)
{
    return coop_val_type(map) == COOP_VAL_MAP && place < map->map.count ? map->map.pairs[place]->key : NULL;
}

/* ---- making ------------------------------------------------------------------------------------------------------------------------- */

coop_val *coop_val_map(void)
{
    coop_val *v = coop_val_list();

    if (v->error == 0)
        v->type = COOP_VAL_MAP;
    return v;
}

static void nothing(void *node)
{
    (void)node;
}

static void drop_tree(coop_val *map)
{
    tdestroy(map->map.tree, nothing);
    map->map.tree = NULL;
}

/* The first pair that comes out of order: from now on all are in a tree. Half a tree would hide pairs, so it is all or none. */
static int plant(coop_val *map, struct val_pair *p)
{
    for (size_t i = 0; i < map->map.count; i++)
        if (tsearch(map->map.pairs[i], &map->map.tree, by_key) == NULL)
            goto no_memory;
    if (tsearch(p, &map->map.tree, by_key) != NULL)
        return 0;
no_memory:
    drop_tree(map);
    return -ENOMEM;
}

/* Where it will be found. */
static int enter(coop_val *map, struct val_pair *p)
{
    if (map->map.tree != NULL)
        return tsearch(p, &map->map.tree, by_key) != NULL ? 0 : -ENOMEM;
    if (map->map.count == 0 || by_key(map->map.pairs[map->map.count - 1], p) < 0)
        return 0;
    return plant(map, p);
}

static int append(coop_val *map, coop_val *key, coop_val *value)
{
    struct val_pair *p = malloc(sizeof(*p));

    if (p == NULL)
        return -ENOMEM;
    *p = (struct val_pair){ key, value };
    if (val_grow(&map->map.pairs, map->map.count, &map->map.cap, sizeof(struct val_pair *)) != 0 || enter(map, p) != 0) {
        free(p);
        return -ENOMEM;
    }
    map->map.pairs[map->map.count++] = p;
    return 0;
}

/* Both have been taken over. */
static int put(coop_val *map, coop_val *key, coop_val *value)
{
    struct val_pair *p = find(map, key);

    if (p == NULL) {
        if (append(map, key, value) == 0)
            return value->error;
        val_discard(value);
        return val_give_up(map, key);
    }
    val_discard(key);
    val_discard(p->value);
    p->value = value;
    return value->error;
}

int coop_val_set_key(coop_val *map, coop_val *key, coop_val *value)
{
    int rc = -EINVAL;

    if (key == NULL)
        key = val_broken(-EINVAL);
    if (value == NULL)
        value = val_broken(-EINVAL);
    if (coop_val_type(map) != COOP_VAL_MAP || map->owned || key->owned || value->owned || key == value || value == map) {
        coop_val_free(key == map ? NULL : key);
        coop_val_free(key == value || value == map ? NULL : value);
        return rc;
    }
    if (key->error != 0 || !as_key(key)) {
        rc = key->error != 0 ? key->error : -EINVAL;
        map->error = map->error != 0 ? map->error : rc;
        coop_val_free(key == map ? NULL : key);
        coop_val_free(value);
        return rc;
    }
    rc = val_adopt(map, value);
    if (rc != 0) {
        coop_val_free(key);
        return rc;
    }
    key->owned = true;
    return put(map, key, value);
}

int coop_val_set(coop_val *map, const char *name, coop_val *value)
{
    return coop_val_set_key(map, coop_val_text(name, SIZE_MAX), value);
}

void val_map_free(coop_val *map)
{
    drop_tree(map);
    for (size_t i = 0; i < map->map.count; i++) {
        val_discard(map->map.pairs[i]->key);
        val_discard(map->map.pairs[i]->value);
        free(map->map.pairs[i]);
    }
    free(map->map.pairs);
}
