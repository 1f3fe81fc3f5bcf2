/* frame.c - see frame.h. */
#include "frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Budget of one decode: its own length a few times over, a floor for the fixed part of small messages, and a share of what this
 * kind of peer may send at most: a job's 4096 one-letter arguments take some 70 bytes each. A peer that sends a million empty
 * repeated fields (2 bytes each on the wire, dozens in memory) meets this wall, not our heap.
 */
enum { BUDGET_FACTOR = 4, BUDGET_FLOOR = 16 << 10, BUDGET_SHARE = 8, CHUNK_MIN = 4 << 10 };

struct frame_chunk {
    struct frame_chunk *next;
    size_t used, size;
    _Alignas(max_align_t) uint8_t bytes[];
};

static void *arena_alloc(void *data, size_t size)
{
    struct frame *f = data;
    struct frame_chunk *c = f->chunks;
    void *p;

    size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
    if (size > f->budget) {
        f->broke = -E2BIG;
        return NULL;
    }
    if (c == NULL || c->size - c->used < size) {
        size_t want = size > CHUNK_MIN ? size : CHUNK_MIN;

        c = malloc(sizeof(*c) + want);
        if (c == NULL) {
            f->broke = -ENOMEM;
            return NULL;
        }
        c->next = f->chunks;
        c->used = 0;
        c->size = want;
        f->chunks = c;
    }
    p = c->bytes + c->used;
    c->used += size;
    f->budget -= size;
    return p;
}

static void arena_free(void *data, void *p)
{
    (void)data; /* everything goes at once, in frame_release() */
    (void)p;
}

char *frame_text(const ProtobufCBinaryData *b)
{
    char *text = malloc(b->len + 1);

    if (text == NULL)
        return NULL;
    if (b->len > 0)
        memcpy(text, b->data, b->len);
    text[b->len] = '\0';
    return text;
}

static int check_message(const ProtobufCMessage *m);

static int check_value(const ProtobufCFieldDescriptor *f, const void *value)
{
    if (f->type == PROTOBUF_C_TYPE_STRING) {
        const char *s = *(char *const *)value;
        return s == NULL || frame_is_utf8(s, strlen(s)) ? 0 : -EPROTO;
    }
    if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const ProtobufCMessage *sub = *(ProtobufCMessage *const *)value;
        return sub == NULL ? 0 : check_message(sub);
    }
    return 0;
}

/* No unknown fields anywhere, text is text. Depth is bounded by the schema, which has no recursion. */
static int check_message(const ProtobufCMessage *m)
{
    const ProtobufCMessageDescriptor *d = m->descriptor;

    if (m->n_unknown_fields != 0)
        return -EPROTO;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        const char *at = (const char *)m + f->offset;
        int rc = 0;

        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
            if (f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_MESSAGE)
                for (size_t k = 0; k < n && rc == 0; k++)
                    rc = check_value(f, *(char *const *)at + k * sizeof(void *));
        } else if (!(f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) || *(const unsigned *)((const char *)m + f->quantifier_offset) == f->id) {
            rc = check_value(f, at);
        }
        if (rc != 0)
            return rc;
    }
    return 0;
}

int frame_decode(struct frame *f, const ProtobufCMessageDescriptor *d, const void *bytes, size_t len, size_t max_len)
{
    ProtobufCAllocator arena = { arena_alloc, arena_free, f };
    int rc;

    memset(f, 0, sizeof(*f));
    if (len > max_len)
        return -EMSGSIZE;
    f->budget = len * BUDGET_FACTOR + BUDGET_FLOOR + max_len / BUDGET_SHARE;
    f->msg = protobuf_c_message_unpack(d, &arena, len, bytes);
    if (f->msg == NULL)
        rc = f->broke != 0 ? f->broke : -EPROTO;
    else
        rc = check_message(f->msg);
    if (rc != 0)
        frame_release(f);
    return rc;
}

void frame_release(struct frame *f)
{
    struct frame_chunk *c = f->chunks;

    while (c != NULL) {
        struct frame_chunk *next = c->next;
        free(c);
        c = next;
    }
    memset(f, 0, sizeof(*f));
}

int frame_pack(const ProtobufCMessage *m, uint8_t **ret_bytes, size_t *ret_len)
{
    size_t len = protobuf_c_message_get_packed_size(m);
    uint8_t *bytes = malloc(len > 0 ? len : 1);

    if (bytes == NULL)
        return -ENOMEM;
    protobuf_c_message_pack(m, bytes);
    *ret_bytes = bytes;
    *ret_len = len;
    return 0;
}

void frame_make_utf8(char *text)
{
    if (frame_is_utf8(text, strlen(text)))
        return;
    for (char *p = text; *p != '\0'; p++)
        if ((*p & 0x80) != 0)
            *p = '?';
}
