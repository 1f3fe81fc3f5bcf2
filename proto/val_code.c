/* val_code.c - coop/value.h: values become bytes and handles, and come back from them. */
#include "val_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

/* ---- encoding ------------------------------------------------------------------------------------------------------------------------ */

struct encoder {
    struct value_writer w;
    struct coop_handle handles[COOP_VAL_HANDLES];
    uint32_t n_handles;
    /* Where the first error was: the places on the way down, and how many. */
    size_t place[COOP_VAL_DEPTH + 1];
    unsigned depth;
};

static bool same_handle(const struct coop_handle *a, const struct coop_handle *b)
{
    return a->kind == b->kind && a->rights == b->rights && a->number == b->number && strcmp(a->id, b->id) == 0 &&
           strcmp(a->name, b->name) == 0;
}

static void encode_handle(struct encoder *e, const struct coop_handle *h)
{
    uint32_t place = 0;

    while (place < e->n_handles && !same_handle(&e->handles[place], h))
        place++;
    if (place == e->n_handles && place < COOP_VAL_HANDLES)
        e->handles[e->n_handles++] = *h;
    value_handle(&e->w, place);
}

static bool encode(struct encoder *e, const coop_val *v);

static void encode_items(struct encoder *e, const coop_val *v)
{
    unsigned depth = e->depth++;

    if (v->type == COOP_VAL_LIST)
        value_list(&e->w, v->list.count);
    else
        value_map(&e->w, v->map.count);
    for (size_t i = 0; i < coop_val_count(v); i++) {
        e->place[depth] = i;
        if (v->type == COOP_VAL_MAP)
            (void)encode(e, v->map.pairs[i]->key);
        if (!encode(e, coop_val_at(v, i)))
            return;
    }
    e->depth = depth;
    value_end(&e->w);
}

/* False: e->depth and e->place say where it went wrong. */
static bool encode(struct encoder *e, const coop_val *v)
{
    struct value_writer *w = &e->w;

    switch (v->type) {
    case COOP_VAL_NULL: value_null(w); break;
    case COOP_VAL_BOOL: value_bool(w, v->boolean); break;
    case COOP_VAL_INT: value_int(w, v->integer); break;
    case COOP_VAL_BIG: value_big(w, v->text.bytes, v->text.len); break;
    case COOP_VAL_DOUBLE: value_double(w, v->number); break;
    case COOP_VAL_TEXT: value_text(w, v->text.bytes, v->text.len); break;
    case COOP_VAL_BYTES: value_data(w, v->text.bytes, v->text.len); break;
    case COOP_VAL_HANDLE: encode_handle(e, v->handle); break;
    case COOP_VAL_LIST:
    case COOP_VAL_MAP: encode_items(e, v); break;
    case COOP_VAL_ERROR: w->error = w->error != 0 ? w->error : v->error; break;
    }
    /* What a list or a map could not take is not in it. */
    if (w->error == 0 && v->error != 0)
        w->error = v->error;
    return w->error == 0;
}

static struct value_item key_item(const coop_val *key)
{
    struct value_item item = { .type = VALUE_NULL };

    switch (key->type) {
    case COOP_VAL_BOOL:
        item.type = VALUE_BOOL;
        item.boolean = key->boolean;
        break;
    case COOP_VAL_INT:
        item.type = VALUE_INT;
        item.integer = key->integer;
        break;
    case COOP_VAL_DOUBLE:
        item.type = VALUE_DOUBLE;
        item.number = key->number;
        break;
    default:
        item.type = key->type == COOP_VAL_TEXT ? VALUE_TEXT : VALUE_DATA;
        item.bytes = key->text.bytes;
        item.len = key->text.len;
    }
    return item;
}

static void say_where(const struct encoder *e, const coop_val *v, const char *root, char *path)
{
    struct value_path p;

    value_path_init(&p, root);
    for (unsigned i = 0; i < e->depth && v != NULL; i++) {
        if (coop_val_count(v) == 0)
            break;
        if (v->type == COOP_VAL_LIST) {
            (void)value_path_index(&p, e->place[i] + 1);
        } else {
            struct value_item key = key_item(v->map.pairs[e->place[i]]->key);

            (void)value_path_key(&p, &key);
        }
        v = coop_val_at(v, e->place[i]);
    }
    memcpy(path, p.text, sizeof(p.text));
}

static int take(struct encoder *e, struct coop_encoding *ret)
{
    struct coop_encoding made = { .n_handles = e->n_handles };
    uint8_t *bytes;
    int rc;

    if (e->n_handles > 0) {
        made.handles = malloc(e->n_handles * sizeof(*made.handles));
        if (made.handles == NULL)
            return -ENOMEM;
        memcpy(made.handles, e->handles, e->n_handles * sizeof(*made.handles));
    }
    rc = value_writer_take(&e->w, &bytes, &made.len);
    if (rc != 0) {
        free(made.handles);
        return rc;
    }
    made.cbor = bytes;
    *ret = made;
    return 0;
}

int coop_val_encode(const coop_val *v, size_t max, const char *root, struct coop_encoding *ret, char *path)
{
    struct encoder *e; /* 12 KiB, and a tasklet's stack may have 8 */
    int rc = -ENOMEM;

    if (path != NULL)
        path[0] = '\0';
    if (v == NULL || max > COOP_VAL_WHOLE_BYTES)
        return -EINVAL;
    e = malloc(sizeof(*e));
    if (e == NULL)
        return rc;
    value_writer_init(&e->w, max);
    e->n_handles = 0;
    e->depth = 0;
    if (encode(e, v)) {
        rc = take(e, ret);
    } else {
        rc = e->w.error;
        if (path != NULL)
            say_where(e, v, root, path);
    }
    value_writer_finish(&e->w);
    free(e);
    return rc;
}

void coop_encoding_free(struct coop_encoding *e)
{
    if (e == NULL)
        return;
    free(e->cbor);
    free(e->handles);
    *e = (struct coop_encoding){ 0 };
}

bool coop_val_equal(const coop_val *a, const coop_val *b)
{
    struct coop_encoding x = { 0 }, y = { 0 };
    bool equal = false;

    if (coop_val_encode(a, COOP_VAL_WHOLE_BYTES, "", &x, NULL) == 0 && coop_val_encode(b, COOP_VAL_WHOLE_BYTES, "", &y, NULL) == 0)
        equal = x.len == y.len && x.n_handles == y.n_handles && memcmp(x.cbor, y.cbor, x.len) == 0;
    for (size_t i = 0; equal && i < x.n_handles; i++)
        equal = same_handle(&x.handles[i], &y.handles[i]);
    coop_encoding_free(&x);
    coop_encoding_free(&y);
    return equal;
}

/* ---- decoding ------------------------------------------------------------------------------------------------------------------------ */

struct decoder {
    struct value_reader r;
    const struct coop_handle *handles;
    unsigned depth;
    struct {
        coop_val *v, *key; /* open; of a map: the key whose value comes next */
        size_t left;
    } open[COOP_VAL_DEPTH];
    coop_val *whole;
};

static coop_val *val_of(struct decoder *d, const struct value_item *item)
{
    switch (item->type) {
    case VALUE_NULL: return coop_val_null();
    case VALUE_BOOL: return coop_val_bool(item->boolean);
    case VALUE_INT: return coop_val_int(item->integer);
    case VALUE_DOUBLE: return coop_val_double(item->number);
    case VALUE_TEXT: return val_text(COOP_VAL_TEXT, item->bytes, item->len);
    case VALUE_DATA: return coop_val_bytes(item->bytes, item->len);
    case VALUE_BIG: return val_text(COOP_VAL_BIG, item->bytes, item->len);
    case VALUE_HANDLE: return coop_val_handle(&d->handles[item->handle]);
    case VALUE_LIST: return coop_val_list();
    case VALUE_MAP: return coop_val_map();
    }
    return val_broken(-EINVAL);
}

/* A list or a map that is full is a value of the one around it, and so on. */
static int close_full(struct decoder *d, coop_val *v)
{
    int rc = 0;

    for (;;) {
        if (d->depth == 0) {
            d->whole = v;
            return rc;
        }
        if (d->open[d->depth - 1].v->type == COOP_VAL_LIST) {
            rc = coop_val_add(d->open[d->depth - 1].v, v);
        } else {
            rc = coop_val_set_key(d->open[d->depth - 1].v, d->open[d->depth - 1].key, v);
            d->open[d->depth - 1].key = NULL;
        }
        if (rc != 0 || --d->open[d->depth - 1].left > 0)
            return rc;
        v = d->open[--d->depth].v;
    }
}

static int put(struct decoder *d, const struct value_item *item)
{
    coop_val *v = val_of(d, item);

    if (v->error != 0)
        return v->error;
    if (item->key) {
        d->open[d->depth - 1].key = v;
        return 0;
    }
    if (item->count == 0)
        return close_full(d, v);
    d->open[d->depth].v = v;
    d->open[d->depth].key = NULL;
    d->open[d->depth++].left = item->count;
    return 0;
}

static int decode(struct decoder *d)
{
    struct value_item item;
    int rc;

    do
        rc = value_next(&d->r, &item);
    while (rc == 0 && (rc = put(d, &item)) == 0);
    return rc == -ENODATA ? 0 : rc;
}

static void give_up(struct decoder *d)
{
    while (d->depth > 0) {
        d->depth--;
        coop_val_free(d->open[d->depth].key);
        coop_val_free(d->open[d->depth].v);
    }
    coop_val_free(d->whole);
}

int coop_val_decode(const void *cbor, size_t len, size_t max, const struct coop_handle *handles, size_t n_handles, const char *root,
                    coop_val **ret, char *path)
{
    struct decoder *d;
    int rc;

    if (path != NULL)
        path[0] = '\0';
    if (n_handles > COOP_VAL_HANDLES || max > COOP_VAL_WHOLE_BYTES)
        return -EINVAL;
    d = malloc(sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    d->handles = handles;
    d->depth = 0;
    d->whole = NULL;
    rc = value_reader_init(&d->r, cbor, len, max, (uint32_t)n_handles);
    if (rc == 0)
        rc = decode(d);
    if (rc == 0)
        *ret = d->whole;
    else
        give_up(d);
    free(d);
    if (rc != 0 && rc != -ENOMEM)
        (void)value_check(cbor, len, max, (uint32_t)n_handles, root, path);
    return rc;
}
