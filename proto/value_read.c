/* value_read.c - the reader of value.h: libcbor takes the heads apart, this refuses what is not in the one form. */
#include "value.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <cbor.h>

#include "frame.h"
#include "value_number.h"

/* What one call of the decoder found. */
struct head {
    enum {
        HEAD_REFUSED,
        HEAD_UNSIGNED,
        HEAD_NEGATIVE,
        HEAD_BYTES,
        HEAD_TEXT,
        HEAD_LIST,
        HEAD_MAP,
        HEAD_TAG,
        HEAD_DOUBLE,
        HEAD_NULL,
        HEAD_BOOL
    } kind;
    uint64_t n; /* the number, the length, the count */
    const uint8_t *bytes;
    double number;
    size_t read; /* bytes, with those of a text */
};

/* ---- what the decoder calls ---------------------------------------------------------------------------------------------------------- */

#define ON_NUMBER(name, kind_of, type)                                                                                                     \
    static void name(void *ctx, type n)                                                                                                    \
    {                                                                                                                                      \
        *(struct head *)ctx = (struct head){ .kind = (kind_of), .n = n };                                                                  \
    }
ON_NUMBER(on_unsigned8, HEAD_UNSIGNED, uint8_t)
ON_NUMBER(on_unsigned16, HEAD_UNSIGNED, uint16_t)
ON_NUMBER(on_unsigned32, HEAD_UNSIGNED, uint32_t)
ON_NUMBER(on_unsigned64, HEAD_UNSIGNED, uint64_t)
ON_NUMBER(on_negative8, HEAD_NEGATIVE, uint8_t)
ON_NUMBER(on_negative16, HEAD_NEGATIVE, uint16_t)
ON_NUMBER(on_negative32, HEAD_NEGATIVE, uint32_t)
ON_NUMBER(on_negative64, HEAD_NEGATIVE, uint64_t)
ON_NUMBER(on_list, HEAD_LIST, size_t)
ON_NUMBER(on_map, HEAD_MAP, size_t)
ON_NUMBER(on_tag, HEAD_TAG, uint64_t)
ON_NUMBER(on_bool, HEAD_BOOL, bool)

static void on_bytes(void *ctx, cbor_data bytes, size_t len)
{
    *(struct head *)ctx = (struct head){ .kind = HEAD_BYTES, .n = len, .bytes = bytes };
}

static void on_text(void *ctx, cbor_data bytes, size_t len)
{
    *(struct head *)ctx = (struct head){ .kind = HEAD_TEXT, .n = len, .bytes = bytes };
}

static void on_double(void *ctx, double d)
{
    *(struct head *)ctx = (struct head){ .kind = HEAD_DOUBLE, .number = d };
}

static void on_null(void *ctx)
{
    *(struct head *)ctx = (struct head){ .kind = HEAD_NULL };
}

static void refuse(void *ctx)
{
    *(struct head *)ctx = (struct head){ .kind = HEAD_REFUSED };
}

static void refuse_float(void *ctx, float f)
{
    (void)f;
    refuse(ctx);
}

static const struct cbor_callbacks on = {
    .uint8 = on_unsigned8,
    .uint16 = on_unsigned16,
    .uint32 = on_unsigned32,
    .uint64 = on_unsigned64,
    .negint8 = on_negative8,
    .negint16 = on_negative16,
    .negint32 = on_negative32,
    .negint64 = on_negative64,
    .byte_string = on_bytes,
    .string = on_text,
    .array_start = on_list,
    .map_start = on_map,
    .tag = on_tag,
    .float8 = on_double,
    .null = on_null,
    .boolean = on_bool,
    .byte_string_start = refuse, /* of indefinite length, as the next three */
    .string_start = refuse,
    .indef_array_start = refuse,
    .indef_map_start = refuse,
    .indef_break = refuse,
    .float2 = refuse_float,
    .float4 = refuse_float,
    .undefined = refuse,
};

/* ---- heads --------------------------------------------------------------------------------------------------------------------------- */

static size_t shortest(uint64_t n)
{
    return n < 24 ? 1 : n <= UINT8_MAX ? 2 : n <= UINT16_MAX ? 3 : n <= UINT32_MAX ? 5 : 9;
}

static bool is_the_one_nan(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof(bits));
    return bits == VALUE_NAN_BITS;
}

/* Decodes one head, and the bytes that belong to it. False: not there, or not in the one form. */
static bool take_head(struct value_reader *r, struct head *ret)
{
    struct cbor_decoder_result got = cbor_stream_decode(r->at, (size_t)(r->end - r->at), &on, ret);

    if (got.status != CBOR_DECODER_FINISHED || ret->kind == HEAD_REFUSED)
        return false;
    r->at += got.read;
    switch (ret->kind) {
    case HEAD_DOUBLE: return !isnan(ret->number) || is_the_one_nan(ret->number);
    case HEAD_NULL:
    case HEAD_BOOL: return true;
    case HEAD_BYTES:
    case HEAD_TEXT: return got.read - ret->n == shortest(ret->n);
    default: return got.read == shortest(ret->n);
    }
}

/* ---- items --------------------------------------------------------------------------------------------------------------------------- */

static bool scalar(const struct head *h, struct value_item *item)
{
    switch (h->kind) {
    case HEAD_NULL: item->type = VALUE_NULL; return true;
    case HEAD_BOOL:
        item->type = VALUE_BOOL;
        item->boolean = h->n != 0;
        return true;
    case HEAD_UNSIGNED:
    case HEAD_NEGATIVE:
        item->type = VALUE_INT;
        item->integer = h->kind == HEAD_UNSIGNED ? (int64_t)h->n : -1 - (int64_t)h->n;
        return h->n <= INT64_MAX;
    case HEAD_DOUBLE:
        item->type = VALUE_DOUBLE;
        item->number = h->number;
        return true;
    case HEAD_BYTES:
    case HEAD_TEXT:
        item->type = h->kind == HEAD_TEXT ? VALUE_TEXT : VALUE_DATA;
        item->bytes = (const char *)h->bytes;
        item->len = (size_t)h->n;
        return h->kind == HEAD_BYTES || frame_is_utf8(item->bytes, item->len);
    default: return false;
    }
}

static bool tagged(struct value_reader *r, uint64_t tag, struct value_item *item)
{
    struct head h;

    if ((tag != VALUE_TAG_BIG && tag != VALUE_TAG_HANDLE) || !take_head(r, &h))
        return false;
    if (tag == VALUE_TAG_BIG) {
        item->type = VALUE_BIG;
        item->bytes = (const char *)h.bytes;
        item->len = (size_t)h.n;
        return h.kind == HEAD_TEXT && number_is_big(item->bytes, item->len);
    }
    item->type = VALUE_HANDLE;
    item->handle = (uint32_t)h.n;
    return h.kind == HEAD_UNSIGNED && h.n < r->n_handles;
}

/* Counts that the bytes left cannot hold are a lie, all that are open taken together: whoever makes room for that many items can rely on
 * it. */
static int open_level(struct value_reader *r, const struct head *h, struct value_item *item)
{
    bool map = h->kind == HEAD_MAP;
    size_t count = (size_t)h->n;

    item->type = map ? VALUE_MAP : VALUE_LIST;
    item->count = count;
    if (r->depth == VALUE_DEPTH)
        return -ELOOP;
    if (count > VALUE_ITEMS || (map && count > VALUE_ITEMS / 2))
        return -E2BIG;
    if (map)
        count *= 2;
    if (r->pending + count > (size_t)(r->end - r->at))
        return -EPROTO;
    if (r->items + r->pending + count > VALUE_ITEMS)
        return -E2BIG;
    r->pending += count;
    if (count > 0)
        r->level[r->depth++] = (struct value_level){ .left = count, .count = count, .map = map };
    return 0;
}

/* Keys ascend, so one that comes twice would stand beside itself. */
static int check_key(struct value_level *l, const uint8_t *at, size_t len, const struct value_item *item)
{
    size_t both = len < l->key_len ? len : l->key_len;

    if (!number_may_be_key(item))
        return -EPROTO;
    if (l->key != NULL && memcmp(l->key, at, both) >= 0)
        return -EPROTO;
    l->key = at;
    l->key_len = len;
    return 0;
}

static int take_item(struct value_reader *r, struct value_item *item)
{
    const uint8_t *at = r->at;
    struct value_level *l = r->depth > 0 ? &r->level[r->depth - 1] : NULL;
    struct head h;

    if (++r->items > VALUE_ITEMS)
        return -E2BIG;
    if (!take_head(r, &h))
        return -EPROTO;
    if (l != NULL) {
        item->key = l->map && l->left % 2 == 0;
        l->left--;
        r->pending--;
    }
    if (h.kind == HEAD_LIST || h.kind == HEAD_MAP)
        return item->key ? -EPROTO : open_level(r, &h, item);
    if (!(h.kind == HEAD_TAG ? tagged(r, h.n, item) : scalar(&h, item)))
        return -EPROTO;
    return item->key ? check_key(l, at, (size_t)(r->at - at), item) : 0;
}

int value_reader_init(struct value_reader *r, const void *cbor, size_t len, size_t max, uint32_t n_handles)
{
    r->at = cbor;
    r->end = r->at + len;
    r->n_handles = n_handles;
    r->items = r->pending = 0;
    r->depth = 0;
    r->error = len > max || n_handles > VALUE_HANDLES ? -E2BIG : 0;
    return r->error;
}

int value_next(struct value_reader *r, struct value_item *ret)
{
    struct value_item item = { 0 };

    if (r->error != 0)
        return r->error;
    while (r->depth > 0 && r->level[r->depth - 1].left == 0)
        r->depth--;
    if (r->depth == 0 && r->items > 0)
        return r->error = r->at == r->end ? -ENODATA : -EPROTO;
    item.depth = r->depth;
    r->error = take_item(r, &item);
    if (r->error == 0)
        *ret = item;
    return r->error;
}
