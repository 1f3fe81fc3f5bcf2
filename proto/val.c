/* val.c - coop/value.h: values are made, read, copied and freed. */
#include "val_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "value.h"
#include "value_number.h"

#define SAME(ours, theirs) _Static_assert((int)(ours) == (int)(theirs), "the public bounds are those of value.h")
SAME(COOP_VAL_DEPTH, VALUE_DEPTH);
SAME(COOP_VAL_ITEMS, VALUE_ITEMS);
SAME(COOP_VAL_HANDLES, VALUE_HANDLES);
SAME(COOP_VAL_INLINE_BYTES, VALUE_BYTES);
SAME(COOP_VAL_WHOLE_BYTES, VALUE_WHOLE_BYTES);
SAME(COOP_VAL_PATH, VALUE_PATH);
SAME(COOP_VAL_DIGITS, VALUE_BIG_DIGITS);

/* ---- making ------------------------------------------------------------------------------------------------------------------------ */

/* Never written to: coop_val_free() and val_adopt() leave this type alone. */
static const coop_val broken[] = {
    {.type = COOP_VAL_ERROR,  .error = -EINVAL},
    { .type = COOP_VAL_ERROR, .error = -ENOMEM},
    { .type = COOP_VAL_ERROR, .error = -EILSEQ},
    { .type = COOP_VAL_ERROR, .error = -E2BIG },
};

coop_val *val_broken(int error)
{
    size_t i = sizeof(broken) / sizeof(broken[0]) - 1;

    while (i > 0 && broken[i].error != error)
        i--;
    return (coop_val *)(uintptr_t)&broken[i];
}

static coop_val *make(enum coop_val_type type, size_t behind)
{
    coop_val *v = behind < SIZE_MAX - sizeof(*v) ? malloc(sizeof(*v) + behind) : NULL;

    if (v == NULL)
        return val_broken(-ENOMEM);
    memset(v, 0, sizeof(*v));
    v->type = type;
    return v;
}

coop_val *coop_val_null(void)
{
    return make(COOP_VAL_NULL, 0);
}

coop_val *coop_val_bool(bool b)
{
    coop_val *v = make(COOP_VAL_BOOL, 0);

    if (v->error == 0)
        v->boolean = b;
    return v;
}

coop_val *coop_val_int(int64_t i)
{
    coop_val *v = make(COOP_VAL_INT, 0);

    if (v->error == 0)
        v->integer = i;
    return v;
}

coop_val *coop_val_double(double d)
{
    coop_val *v = make(COOP_VAL_DOUBLE, 0);

    if (v->error == 0)
        v->number = d;
    return v;
}

coop_val *val_text(enum coop_val_type type, const void *bytes, size_t len)
{
    coop_val *v = len < SIZE_MAX ? make(type, len + 1) : val_broken(-ENOMEM);

    if (v->error != 0)
        return v;
    v->text.len = len;
    v->text.bytes = (char *)(v + 1);
    if (len > 0)
        memcpy(v->text.bytes, bytes, len);
    v->text.bytes[len] = '\0';
    return v;
}

coop_val *coop_val_text(const char *text, size_t len)
{
    if (text == NULL)
        return val_broken(-EINVAL);
    if (len == SIZE_MAX)
        len = strlen(text);
    return frame_is_utf8(text, len) ? val_text(COOP_VAL_TEXT, text, len) : val_broken(-EILSEQ);
}

coop_val *coop_val_bytes(const void *bytes, size_t len)
{
    return bytes != NULL || len == 0 ? val_text(COOP_VAL_BYTES, bytes, len) : val_broken(-EINVAL);
}

coop_val *coop_val_big(const char *digits)
{
    struct value_digits d;
    int rc = digits != NULL ? number_of_digits(digits, strlen(digits), &d) : -EPROTO;
    coop_val *v;

    if (rc != 0)
        return val_broken(rc == -E2BIG ? -E2BIG : -EINVAL);
    if (!d.big)
        return coop_val_int(d.integer);
    v = val_text(COOP_VAL_BIG, d.digits - d.negative, d.len + d.negative);
    if (v->error == 0 && d.negative)
        v->text.bytes[0] = '-';
    return v;
}

static bool is_named(const struct coop_handle *h)
{
    return h != NULL && h->kind > COOP_KIND_NONE && h->kind <= COOP_KIND_KV && memchr(h->id, '\0', sizeof(h->id)) != NULL &&
           memchr(h->name, '\0', sizeof(h->name)) != NULL && (h->number != 0 || h->id[0] != '\0' || h->name[0] != '\0');
}

coop_val *coop_val_handle(const struct coop_handle *h)
{
    coop_val *v = is_named(h) ? make(COOP_VAL_HANDLE, sizeof(*h)) : val_broken(-EINVAL);

    if (v->error != 0)
        return v;
    v->handle = (struct coop_handle *)(v + 1);
    *v->handle = *h;
    return v;
}

coop_val *coop_val_list(void)
{
    coop_val *v = make(COOP_VAL_LIST, 0);

    if (v->error == 0)
        v->height = 1;
    return v;
}

/* ---- lists -------------------------------------------------------------------------------------------------------------------------- */

int val_grow(void *array, size_t count, size_t *cap, size_t size)
{
    size_t more = *cap > 0 ? *cap * 2 : 4;
    void **at = array, *moved;

    if (count < *cap)
        return 0;
    moved = reallocarray(*at, more, size);
    if (moved == NULL)
        return -ENOMEM;
    *at = moved;
    *cap = more;
    return 0;
}

int val_adopt(coop_val *c, coop_val *item)
{
    int rc = 0;

    if (item == c || item->owned)
        return -EINVAL;
    if (c->owned)
        rc = -EINVAL;
    else if (item->height + 1 > COOP_VAL_DEPTH)
        rc = c->error = c->error != 0 ? c->error : -ELOOP;
    if (rc != 0) {
        coop_val_free(item);
        return rc;
    }
    if (item->type != COOP_VAL_ERROR)
        item->owned = true;
    if (item->height >= c->height)
        c->height = item->height + 1;
    if (c->error == 0)
        c->error = item->error;
    return 0;
}

/* It was taken over, and then there was no room for it. */
int val_give_up(coop_val *c, coop_val *item)
{
    val_discard(item);
    return c->error = c->error != 0 ? c->error : -ENOMEM;
}

int coop_val_add(coop_val *list, coop_val *item)
{
    int rc;

    if (item == NULL)
        item = val_broken(-EINVAL);
    if (list == NULL || list->type != COOP_VAL_LIST) {
        coop_val_free(item);
        return -EINVAL;
    }
    rc = val_adopt(list, item);
    if (rc != 0)
        return rc;
    if (val_grow(&list->list.items, list->list.count, &list->list.cap, sizeof(*list->list.items)) != 0)
        return val_give_up(list, item);
    list->list.items[list->list.count++] = item;
    return item->error;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------------------ */

int coop_val_error(const coop_val *v)
{
    return v == NULL ? -EINVAL : v->error;
}

enum coop_val_type coop_val_type(const coop_val *v)
{
    return v == NULL ? COOP_VAL_NULL : v->type;
}

const char *coop_val_type_name(enum coop_val_type type)
{
    static const char *const names[] = {
        [COOP_VAL_NULL] = "null",     [COOP_VAL_BOOL] = "bool",     [COOP_VAL_INT] = "int",     [COOP_VAL_BIG] = "big",
        [COOP_VAL_DOUBLE] = "double", [COOP_VAL_TEXT] = "text",     [COOP_VAL_BYTES] = "bytes", [COOP_VAL_LIST] = "list",
        [COOP_VAL_MAP] = "map",       [COOP_VAL_HANDLE] = "handle", [COOP_VAL_ERROR] = "error",
    };

    return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "?";
}

int coop_val_as_bool(const coop_val *v, bool *ret)
{
    if (coop_val_type(v) != COOP_VAL_BOOL)
        return -EINVAL;
    *ret = v->boolean;
    return 0;
}

int coop_val_as_int(const coop_val *v, int64_t *ret)
{
    enum coop_val_type type = coop_val_type(v);

    if (type == COOP_VAL_BIG || (type == COOP_VAL_DOUBLE && !number_is_integer(v->number)))
        return -ERANGE;
    if (type != COOP_VAL_INT && type != COOP_VAL_DOUBLE)
        return -EINVAL;
    *ret = type == COOP_VAL_INT ? v->integer : (int64_t)v->number;
    return 0;
}

int coop_val_as_double(const coop_val *v, double *ret)
{
    enum coop_val_type type = coop_val_type(v);
    double d;

    if (type == COOP_VAL_BIG)
        return -ERANGE;
    if (type != COOP_VAL_INT && type != COOP_VAL_DOUBLE)
        return -EINVAL;
    d = type == COOP_VAL_INT ? (double)v->integer : v->number;
    if (type == COOP_VAL_INT && (!number_is_integer(d) || (int64_t)d != v->integer))
        return -ERANGE;
    *ret = d;
    return 0;
}

const char *coop_val_as_big(const coop_val *v)
{
    return coop_val_type(v) == COOP_VAL_BIG ? v->text.bytes : NULL;
}

const void *coop_val_as_bytes(const coop_val *v, size_t *ret_len)
{
    if (coop_val_type(v) != COOP_VAL_TEXT && coop_val_type(v) != COOP_VAL_BYTES)
        return NULL;
    if (ret_len != NULL)
        *ret_len = v->text.len;
    return v->text.bytes;
}

const char *coop_val_as_text(const coop_val *v, size_t *ret_len)
{
    return coop_val_type(v) == COOP_VAL_TEXT ? coop_val_as_bytes(v, ret_len) : NULL;
}

const struct coop_handle *coop_val_as_handle(const coop_val *v)
{
    return coop_val_type(v) == COOP_VAL_HANDLE ? v->handle : NULL;
}

size_t coop_val_count(const coop_val *v)
{
    return coop_val_type(v) == COOP_VAL_LIST ? v->list.count : coop_val_type(v) == COOP_VAL_MAP ? v->map.count : 0;
}

const coop_val *coop_val_at(const coop_val *v, size_t place)
{
    if (place >= coop_val_count(v))
        return NULL;
    return v->type == COOP_VAL_LIST ? v->list.items[place] : v->map.pairs[place]->value;
}

/* ---- copying, freeing ---------------------------------------------------------------------------------------------------------------- */

static coop_val *copy_list(const coop_val *v)
{
    coop_val *copy = coop_val_list();

    for (size_t i = 0; i < v->list.count && copy->error == 0; i++)
        (void)coop_val_add(copy, coop_val_copy(v->list.items[i]));
    return copy;
}

static coop_val *copy_map(const coop_val *v)
{
    coop_val *copy = coop_val_map();

    for (size_t i = 0; i < v->map.count && copy->error == 0; i++)
        (void)coop_val_set_key(copy, coop_val_copy(v->map.pairs[i]->key), coop_val_copy(v->map.pairs[i]->value));
    return copy;
}

/* With an error in it, that error is all that a copy would be good for. */
coop_val *coop_val_copy(const coop_val *v)
{
    coop_val *copy;

    if (coop_val_error(v) != 0)
        return val_broken(coop_val_error(v));
    switch (v->type) {
    case COOP_VAL_TEXT:
    case COOP_VAL_BYTES:
    case COOP_VAL_BIG: return val_text(v->type, v->text.bytes, v->text.len);
    case COOP_VAL_HANDLE: return coop_val_handle(v->handle);
    case COOP_VAL_LIST: copy = copy_list(v); break;
    case COOP_VAL_MAP: copy = copy_map(v); break;
    default:
        copy = make(v->type, 0);
        if (copy->error == 0) {
            *copy = *v;
            copy->owned = false;
        }
        return copy;
    }
    if (copy->error == 0)
        return copy;
    coop_val_free(copy);
    return val_broken(-ENOMEM);
}

void coop_val_free(coop_val *v)
{
    if (v == NULL || v->type == COOP_VAL_ERROR || v->owned)
        return;
    if (v->type == COOP_VAL_LIST) {
        for (size_t i = 0; i < v->list.count; i++)
            val_discard(v->list.items[i]);
        free(v->list.items);
    } else if (v->type == COOP_VAL_MAP) {
        val_map_free(v);
    }
    free(v);
}

void val_discard(coop_val *item)
{
    if (item->type != COOP_VAL_ERROR)
        item->owned = false;
    coop_val_free(item);
}
