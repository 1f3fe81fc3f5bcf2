/* value_write.c - the writer of value.h. */
#include "value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cbor.h>

#include "frame.h"
#include "value_number.h"

enum { HEAD_BYTES = 9, FIRST_BYTES = 256 };

void value_writer_init(struct value_writer *w, size_t max)
{
    w->bytes = NULL;
    w->len = w->cap = w->items = 0;
    w->max = max;
    w->depth = 0;
    w->error = 0;
}

void value_writer_finish(struct value_writer *w)
{
    free(w->bytes);
    value_writer_init(w, w->max);
}

static bool fail(struct value_writer *w, int error)
{
    if (w->error == 0)
        w->error = error;
    return false;
}

/* ---- bytes --------------------------------------------------------------------------------------------------------------------------- */

/* Room for n bytes more; the bound itself is held by add(), when it is known how many there are. */
static bool make_room(struct value_writer *w, size_t n)
{
    size_t cap = w->cap > 0 ? w->cap : FIRST_BYTES;
    uint8_t *bytes;

    if (n > w->max + HEAD_BYTES - w->len)
        return fail(w, -E2BIG);
    while (cap - w->len < n)
        cap *= 2;
    if (cap == w->cap)
        return true;
    bytes = realloc(w->bytes, cap);
    if (bytes == NULL)
        return fail(w, -ENOMEM);
    w->bytes = bytes;
    w->cap = cap;
    return true;
}

static bool added(struct value_writer *w, size_t n)
{
    if (n > w->max - w->len)
        return fail(w, -E2BIG);
    w->len += n;
    return true;
}

/* A head of the kind that encode() makes. */
static bool head(struct value_writer *w, size_t (*encode)(size_t n, unsigned char *to, size_t room), size_t n)
{
    return make_room(w, HEAD_BYTES) && added(w, encode(n, w->bytes + w->len, HEAD_BYTES));
}

static bool payload(struct value_writer *w, const void *bytes, size_t len)
{
    if (!make_room(w, len))
        return false;
    if (len > 0)
        memcpy(w->bytes + w->len, bytes, len);
    return added(w, len);
}

static bool tag(struct value_writer *w, uint64_t number)
{
    return make_room(w, HEAD_BYTES) && added(w, cbor_encode_tag(number, w->bytes + w->len, HEAD_BYTES));
}

static bool number(struct value_writer *w, uint64_t n)
{
    return make_room(w, HEAD_BYTES) && added(w, cbor_encode_uint(n, w->bytes + w->len, HEAD_BYTES));
}

/* ---- where an item may stand --------------------------------------------------------------------------------------------------------- */

static bool at_key(const struct value_writer *w)
{
    return w->depth > 0 && w->open[w->depth - 1].map && w->open[w->depth - 1].left % 2 == 0;
}

/* Before an item that cannot be a key. Afterwards ended(). */
static bool begin_key(struct value_writer *w)
{
    if (w->error != 0)
        return false;
    if (w->depth > 0 ? w->open[w->depth - 1].left == 0 : w->items > 0)
        return fail(w, -EPROTO);
    return ++w->items <= VALUE_ITEMS || fail(w, -E2BIG);
}

static bool begin(struct value_writer *w)
{
    return begin_key(w) && (!at_key(w) || fail(w, -EPROTO));
}

static void key_ended(struct value_writer *w, struct value_open *o, size_t at)
{
    size_t len = w->len - at, both = len < o->key_len ? len : o->key_len;
    int cmp = both > 0 ? memcmp(w->bytes + o->key, w->bytes + at, both) : -1;

    if (cmp == 0)
        (void)fail(w, -EPROTO);
    o->unsorted |= cmp > 0;
    o->key = at;
    o->key_len = len;
}

/* at: where the item began. */
static void ended(struct value_writer *w, size_t at)
{
    struct value_open *o = w->depth > 0 ? &w->open[w->depth - 1] : NULL;

    if (w->error != 0 || o == NULL)
        return;
    if (at_key(w))
        key_ended(w, o, at);
    o->left--;
}

/* ---- scalars ------------------------------------------------------------------------------------------------------------------------- */

void value_null(struct value_writer *w)
{
    size_t at = w->len;

    if (begin(w) && make_room(w, HEAD_BYTES) && added(w, cbor_encode_null(w->bytes + w->len, HEAD_BYTES)))
        ended(w, at);
}

void value_bool(struct value_writer *w, bool b)
{
    size_t at = w->len;

    if (begin_key(w) && make_room(w, HEAD_BYTES) && added(w, cbor_encode_bool(b, w->bytes + w->len, HEAD_BYTES)))
        ended(w, at);
}

void value_int(struct value_writer *w, int64_t i)
{
    size_t at = w->len;

    if (!begin_key(w) || !make_room(w, HEAD_BYTES))
        return;
    if (added(w, i >= 0 ? cbor_encode_uint((uint64_t)i, w->bytes + w->len, HEAD_BYTES)
                        : cbor_encode_negint((uint64_t)(-1 - i), w->bytes + w->len, HEAD_BYTES)))
        ended(w, at);
}

static double double_of_bits(uint64_t bits)
{
    double d;

    memcpy(&d, &bits, sizeof(d));
    return d;
}

void value_double(struct value_writer *w, double d)
{
    size_t at = w->len;

    if (at_key(w) && number_is_integer(d)) {
        value_int(w, (int64_t)d);
        return;
    }
    if (isnan(d)) {
        if (!begin(w))
            return;
        d = double_of_bits(VALUE_NAN_BITS);
    } else if (!begin_key(w)) {
        return;
    }
    if (make_room(w, HEAD_BYTES) && added(w, cbor_encode_double(d, w->bytes + w->len, HEAD_BYTES)))
        ended(w, at);
}

void value_text(struct value_writer *w, const char *text, size_t len)
{
    size_t at = w->len;

    if (!begin_key(w))
        return;
    if (!frame_is_utf8(text, len))
        (void)fail(w, -EPROTO);
    else if (head(w, cbor_encode_string_start, len) && payload(w, text, len))
        ended(w, at);
}

void value_data(struct value_writer *w, const void *bytes, size_t len)
{
    size_t at = w->len;

    if (begin_key(w) && head(w, cbor_encode_bytestring_start, len) && payload(w, bytes, len))
        ended(w, at);
}

static void write_big(struct value_writer *w, const struct value_digits *d)
{
    size_t at = w->len;

    if (begin(w) && tag(w, VALUE_TAG_BIG) && head(w, cbor_encode_string_start, d->negative + d->len) && payload(w, "-", d->negative) &&
        payload(w, d->digits, d->len))
        ended(w, at);
}

void value_big(struct value_writer *w, const char *digits, size_t len)
{
    struct value_digits d;
    int rc = number_of_digits(digits, len, &d);

    if (rc != 0)
        (void)fail(w, rc);
    else if (d.big)
        write_big(w, &d);
    else
        value_int(w, d.integer);
}

void value_handle(struct value_writer *w, uint32_t place)
{
    size_t at = w->len;

    if (!begin(w))
        return;
    if (place >= VALUE_HANDLES)
        (void)fail(w, -E2BIG);
    else if (tag(w, VALUE_TAG_HANDLE) && number(w, place))
        ended(w, at);
}

/* ---- lists and maps ------------------------------------------------------------------------------------------------------------------ */

static void open_level(struct value_writer *w, bool map, size_t count)
{
    if (!begin(w))
        return;
    if (w->depth == VALUE_DEPTH)
        (void)fail(w, -ELOOP);
    else if (count > (map ? VALUE_ITEMS / 2 : VALUE_ITEMS))
        (void)fail(w, -E2BIG);
    else if (head(w, map ? cbor_encode_map_start : cbor_encode_array_start, count)) {
        if (w->depth > 0)
            w->open[w->depth - 1].left--;
        count *= map ? 2 : 1;
        w->open[w->depth++] = (struct value_open){ .left = count, .count = count, .map = map, .at = w->len };
    }
}

void value_list(struct value_writer *w, size_t count)
{
    open_level(w, false, count);
}

void value_map(struct value_writer *w, size_t count)
{
    open_level(w, true, count);
}

struct pair {
    const uint8_t *at;
    size_t key_len, len;
};

static int by_key(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;

    return memcmp(x->at, y->at, x->key_len < y->key_len ? x->key_len : y->key_len);
}

/* The length of the value that begins here, which this writer made. */
static size_t length_of(const uint8_t *at, size_t room)
{
    struct value_reader r;
    struct value_item item;

    (void)value_reader_init(&r, at, room, room, VALUE_HANDLES);
    do
        (void)value_next(&r, &item);
    while (r.error == 0 && r.depth > 0 && (r.depth > 1 || r.level[0].left > 0));
    return (size_t)(r.at - at);
}

static void find_pairs(const struct value_open *o, const uint8_t *at, const uint8_t *end, struct pair *pairs)
{
    for (size_t i = 0; i < o->count / 2; i++) {
        pairs[i].at = at;
        pairs[i].key_len = length_of(at, (size_t)(end - at));
        at += pairs[i].key_len;
        at += length_of(at, (size_t)(end - at));
        pairs[i].len = (size_t)(at - pairs[i].at);
    }
}

static int sort_pairs(struct value_writer *w, const struct value_open *o, struct pair *pairs, uint8_t *copy)
{
    size_t n = o->count / 2, len = w->len - o->at;
    uint8_t *to = w->bytes + o->at;

    memcpy(copy, to, len);
    find_pairs(o, copy, copy + len, pairs);
    qsort(pairs, n, sizeof(*pairs), by_key);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && by_key(&pairs[i - 1], &pairs[i]) == 0)
            return -EPROTO;
        memcpy(to, pairs[i].at, pairs[i].len);
        to += pairs[i].len;
    }
    return 0;
}

static void sort_map(struct value_writer *w, const struct value_open *o)
{
    struct pair *pairs = malloc(o->count / 2 * sizeof(*pairs));
    uint8_t *copy = malloc(w->len - o->at);
    int rc = pairs != NULL && copy != NULL ? sort_pairs(w, o, pairs, copy) : -ENOMEM;

    free(copy);
    free(pairs);
    if (rc != 0)
        (void)fail(w, rc);
}

void value_end(struct value_writer *w)
{
    if (w->error != 0)
        return;
    if (w->depth == 0 || w->open[w->depth - 1].left > 0) {
        (void)fail(w, -EPROTO);
        return;
    }
    w->depth--;
    if (w->open[w->depth].unsorted)
        sort_map(w, &w->open[w->depth]);
}

int value_writer_take(struct value_writer *w, uint8_t **ret, size_t *ret_len)
{
    if (w->error == 0 && (w->depth > 0 || w->items == 0))
        w->error = -EPROTO;
    if (w->error != 0)
        return w->error;
    *ret = w->bytes;
    *ret_len = w->len;
    w->bytes = NULL;
    value_writer_finish(w);
    return 0;
}
