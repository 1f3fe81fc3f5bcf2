/* packed.c - see packed.h. */
#include "worker/packed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/asks.h"

int packed_add_handle(struct packed *p, uint32_t handle)
{
    for (unsigned i = 0; i < p->n_handles; i++)
        if (p->handles[i] == handle)
            return (int)i;
    if (p->n_handles == VALUE_HANDLES)
        return -E2BIG;
    if (p->handles == NULL)
        p->handles = calloc(VALUE_HANDLES, sizeof(*p->handles));
    if (p->handles == NULL)
        return -ENOMEM;
    p->handles[p->n_handles] = handle;
    return (int)p->n_handles++;
}

int packed_take(struct packed *p, struct value_writer *w)
{
    return value_writer_take(w, &p->cbor, &p->len);
}

static int list_handles(struct packed *p)
{
    size_t n = p->n_handles;

    if (n == 0)
        return 0;
    if (p->list == NULL)
        p->list = calloc(n, sizeof(*p->list) + sizeof(*p->pointers));
    if (p->list == NULL)
        return -ENOMEM;
    p->pointers = (Pb__Handle **)(p->list + n);
    for (size_t i = 0; i < n; i++) {
        pb__handle__init(&p->list[i]);
        p->list[i].handle = p->handles[i];
        p->list[i].rights = p->rights != NULL ? p->rights[i] : 0;
        p->pointers[i] = &p->list[i];
    }
    return 0;
}

Pb__Value *packed_message(struct packed *p)
{
    static uint8_t null[] = { 0xf6 };

    if (list_handles(p) != 0)
        return NULL;
    pb__value__init(&p->message);
    p->message.cbor.data = p->cbor != NULL ? p->cbor : null;
    p->message.cbor.len = p->cbor != NULL ? p->len : sizeof(null);
    p->message.n_handles = p->n_handles;
    p->message.handles = p->pointers;
    if (p->whole != 0) {
        pb__handle__init(&p->whole_message);
        p->whole_message.handle = p->whole;
        p->message.whole = &p->whole_message;
        p->message.cbor.len = 0;
    }
    return &p->message;
}

static void drop_whole(uint32_t handle)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleDrop d = PB__HANDLE_DROP__INIT;

    d.handle = handle;
    a.body_case = PB__ASK__BODY_HANDLE_DROP;
    a.handle_drop = &d;
    (void)ask_post(&a);
}

void packed_finish(struct packed *p)
{
    if (p->whole != 0)
        drop_whole(p->whole);
    free(p->cbor);
    free(p->handles);
    free(p->rights);
    free(p->list);
    memset(p, 0, sizeof(*p));
}
