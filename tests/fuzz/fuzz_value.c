/*
 * fuzz_value.c - any bytes as a value: refused with a path, or read, and then written again to the same bytes, as a tree too.
 *
 * Input: how many handles there are (one byte), then the encoding.
 */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <coop/value.h>

#include "value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_item(struct value_writer *w, const struct value_item *item)
{
    switch (item->type) {
    case VALUE_NULL: value_null(w); break;
    case VALUE_BOOL: value_bool(w, item->boolean); break;
    case VALUE_INT: value_int(w, item->integer); break;
    case VALUE_BIG: value_big(w, item->bytes, item->len); break;
    case VALUE_DOUBLE: value_double(w, item->number); break;
    case VALUE_TEXT: value_text(w, item->bytes, item->len); break;
    case VALUE_DATA: value_data(w, item->bytes, item->len); break;
    case VALUE_HANDLE: value_handle(w, item->handle); break;
    case VALUE_LIST: value_list(w, item->count); break;
    case VALUE_MAP: value_map(w, item->count); break;
    }
}

/* Each item is written, and each list and map ended where the reader says that it ends. Maps are turned around: the first pair last. */
static int read_all(const uint8_t *cbor, size_t len, uint32_t n_handles, struct value_writer *w)
{
    struct value_reader r;
    struct value_item item;
    size_t left[VALUE_DEPTH + 1];
    unsigned depth = 0;
    int rc = value_reader_init(&r, cbor, len, VALUE_BYTES, n_handles);

    while (rc == 0 && (rc = value_next(&r, &item)) == 0) {
        assert(item.depth == depth && depth <= VALUE_DEPTH);
        assert(item.bytes == NULL || ((const uint8_t *)item.bytes >= cbor && (const uint8_t *)item.bytes + item.len <= cbor + len));
        assert(item.count <= len && (item.type != VALUE_HANDLE || item.handle < n_handles));
        write_item(w, &item);
        if (item.type == VALUE_LIST || item.type == VALUE_MAP)
            left[depth++] = item.count * (item.type == VALUE_MAP ? 2 : 1) + 1;
        while (depth > 0 && --left[depth - 1] == 0) {
            value_end(w);
            depth--;
        }
    }
    assert(rc != -ENODATA || depth == 0);
    return rc;
}

static void is_same(const void *bytes, size_t n, const uint8_t *cbor, size_t len)
{
    assert(n == len && memcmp(bytes, cbor, len) == 0);
}

/* In another order than it came, the tree's pairs make the same bytes. */
static void turned_around(const coop_val *map, const uint8_t *cbor, size_t len)
{
    coop_val *turned = coop_val_map();
    struct coop_encoding e;

    for (size_t i = coop_val_count(map); i-- > 0;) {
        assert(coop_val_get_key(map, coop_val_key_at(map, i)) == coop_val_at(map, i));
        assert(coop_val_set_key(turned, coop_val_copy(coop_val_key_at(map, i)), coop_val_copy(coop_val_at(map, i))) == 0);
    }
    assert(coop_val_count(turned) == coop_val_count(map));
    assert(coop_val_encode(turned, COOP_VAL_INLINE_BYTES, "v", &e, NULL) == 0);
    if (e.n_handles == 0) /* places are given in the order of the pairs */
        is_same(e.cbor, e.len, cbor, len);
    coop_encoding_free(&e);
    coop_val_free(turned);
}

static void as_a_tree(const uint8_t *cbor, size_t len, uint32_t n_handles, bool good)
{
    struct coop_handle handles[VALUE_HANDLES];
    struct coop_encoding e;
    char path[COOP_VAL_PATH];
    coop_val *v = NULL, *again = NULL;
    int rc;

    for (uint32_t i = 0; i < n_handles; i++)
        handles[i] = (struct coop_handle){ .kind = COOP_KIND_QUEUE, .number = i + 1 };
    rc = coop_val_decode(cbor, len, COOP_VAL_INLINE_BYTES, handles, n_handles, "v", &v, path);
    assert((rc == 0) == good && (v != NULL) == good && (path[0] == '\0') == good);
    assert(memchr(path, '\0', sizeof(path)) != NULL);
    if (!good)
        return;
    assert(coop_val_error(v) == 0 && coop_val_encode(v, COOP_VAL_INLINE_BYTES, "v", &e, path) == 0);
    if (e.n_handles == 0)
        is_same(e.cbor, e.len, cbor, len);
    assert(coop_val_decode(e.cbor, e.len, COOP_VAL_INLINE_BYTES, e.handles, e.n_handles, "v", &again, path) == 0);
    assert(coop_val_equal(v, again));
    if (coop_val_type(v) == COOP_VAL_MAP)
        turned_around(v, cbor, len);
    coop_encoding_free(&e);
    coop_val_free(again);
    coop_val_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t n_handles = size > 0 ? data[0] % (VALUE_HANDLES + 1) : 0;
    const uint8_t *cbor = data + (size > 0);
    size_t len = size - (size > 0), n;
    struct value_writer w;
    char path[VALUE_PATH];
    uint8_t *bytes;
    int rc;

    value_writer_init(&w, VALUE_BYTES);
    rc = read_all(cbor, len, n_handles, &w);
    assert(value_check(cbor, len, VALUE_BYTES, n_handles, "v", path) == (rc == -ENODATA ? 0 : rc));
    assert((path[0] == '\0') == (rc == -ENODATA));
    if (rc == -ENODATA) {
        assert(value_writer_take(&w, &bytes, &n) == 0);
        is_same(bytes, n, cbor, len);
        free(bytes);
    } else {
        assert(rc == -EPROTO || rc == -ELOOP || rc == -E2BIG);
    }
    value_writer_finish(&w);
    as_a_tree(cbor, len, n_handles, rc == -ENODATA);
    return 0;
}
