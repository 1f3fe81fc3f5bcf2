/* asks.c - see asks.h. */
#include "worker/asks.h"

#include <errno.h>
#include <stdlib.h>

#include "worker/inbound.h"
#include "worker/link.h"
#include "worker/output.h"

enum { SLOT_BITS = 11, SLOTS = 1 << SLOT_BITS, GIVES = SLOTS, ORPHANS_MAX = 32 };
_Static_assert((int)ASKS_OPEN <= (int)SLOTS, "a number's low bits are its slot");

struct ask {
    struct inbound in;
    uint64_t number;
    bool may_bring; /* a descriptor */
    bool taken;     /* frame has the answer */
    bool lost;      /* it was asked by another process */
    struct frame frame;
};

/*
 * Under the link's lock. A number is its slot; GIVES, when a handle in the answer is the asker's from then on; and above that how many there were
 * before: so that a late answer finds nobody.
 */
static struct ask *slots[SLOTS];
static uint16_t free_slots[SLOTS]; /* a stack; those that were never used are not on it */
static unsigned n_free, n_used;
static uint64_t begun;
static unsigned descriptors_open;

/* Answers that came when nobody wanted them any more; what was given in them is to be given back. */
static struct orphan {
    uint8_t *bytes;
    size_t len;
} orphans[ORPHANS_MAX];
static unsigned n_orphans;

static bool brings_descriptor(const Pb__Ask *a)
{
    return a->body_case == PB__ASK__BODY_BUFFER_NEW || a->body_case == PB__ASK__BODY_BUFFER_MAP;
}

bool asks_may_bring_descriptor(void)
{
    return descriptors_open > 0;
}

struct inbound *asks_find(uint64_t number)
{
    struct ask *a = slots[number & (SLOTS - 1)];

    return a != NULL && a->number == number && !a->in.come && !a->taken ? &a->in : NULL;
}

static bool gives_handle(const Pb__Ask *a)
{
    switch (a->body_case) {
    case PB__ASK__BODY_INTERP_CREATE:
    case PB__ASK__BODY_QUEUE_CREATE:
    case PB__ASK__BODY_QUEUE_OPEN:
    case PB__ASK__BODY_BUFFER_NEW:
    case PB__ASK__BODY_HANDLE_ATTENUATE:
    case PB__ASK__BODY_KV_OPEN: return true;
    default: return false;
    }
}

static int take_slot(struct ask *a, bool gives)
{
    unsigned slot;

    if (n_free == 0 && n_used == ASKS_OPEN)
        return -EDQUOT;
    slot = n_free > 0 ? free_slots[--n_free] : n_used++;
    a->number = ++begun << (SLOT_BITS + 1) | (gives ? GIVES : 0) | slot;
    slots[slot] = a;
    descriptors_open += a->may_bring;
    return 0;
}

static void give_slot(struct ask *a)
{
    unsigned slot = (unsigned)(a->number & (SLOTS - 1));

    slots[slot] = NULL;
    free_slots[n_free++] = (uint16_t)slot;
    descriptors_open -= a->may_bring;
}

/* Packed, so that one that is too big has sent nothing. */
static int send(Pb__Ask *a)
{
    Pb__FromWorker m = PB__FROM_WORKER__INIT;
    uint8_t *bytes;
    size_t len;
    int rc;

    m.body_case = PB__FROM_WORKER__BODY_ASK;
    m.ask = a;
    len = protobuf_c_message_get_packed_size(&m.base);
    if (len > ASK_BYTES)
        return -E2BIG;
    if (len <= LINK_SEND_MAX) {
        link_send(&m);
        return 0;
    }
    rc = frame_pack(&m.base, &bytes, &len);
    if (rc != 0)
        return rc;
    link_send_packed(bytes, len);
    free(bytes);
    return 0;
}

/* ---- late answers -------------------------------------------------------------------------------------------------------------- */

void asks_orphan(uint8_t *bytes, size_t len)
{
    link_enter();
    if (n_orphans < ORPHANS_MAX)
        orphans[n_orphans++] = (struct orphan){ bytes, len };
    else
        free(bytes); /* the broker has the last word on how many handles there are */
    link_leave();
}

static void give_back(const Pb__Handle *h)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__HandleDrop d = PB__HANDLE_DROP__INIT;

    if (h == NULL || h->handle == 0)
        return;
    d.handle = h->handle;
    a.body_case = PB__ASK__BODY_HANDLE_DROP;
    a.handle_drop = &d;
    (void)ask_post(&a);
}

static void give_value_back(const Pb__Value *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->n_handles; i++)
        give_back(v->handles[i]);
    give_back(v->whole);
}

static void give_answer_back(const Pb__Answer *a)
{
    bool gives = (a->number & GIVES) != 0;

    switch (a->body_case) {
    case PB__ANSWER__BODY_HANDLE: give_back(gives ? a->handle : NULL); break;
    case PB__ANSWER__BODY_INTERP: give_back(gives ? a->interp->interp : NULL); break;
    case PB__ANSWER__BODY_RESULT: give_value_back(a->result->value); break;
    case PB__ANSWER__BODY_INVOCATION: give_value_back(a->invocation->args); break;
    case PB__ANSWER__BODY_ITEMS:
        for (size_t i = 0; i < a->items->n_items; i++)
            give_value_back(a->items->items[i]->value);
        break;
    default: break;
    }
}

/* Not where they come, which is on anybody's stack. */
static void give_orphans_back(void)
{
    struct frame f;

    while (n_orphans > 0) {
        struct orphan o = orphans[--n_orphans];

        if (frame_decode(&f, &pb__to_worker__descriptor, o.bytes, o.len, FRAME_MAX_ASSIGN) == 0) {
            const Pb__ToWorker *m = (const Pb__ToWorker *)f.msg;

            if (m->body_case == PB__TO_WORKER__BODY_ANSWER)
                give_answer_back(m->answer);
            frame_release(&f);
        }
        free(o.bytes);
    }
}

int ask_begin(Pb__Ask *a, struct ask **ret)
{
    struct ask *new = calloc(1, sizeof(*new));
    int rc;

    if (new == NULL)
        return -ENOMEM;
    new->in.descriptor = -1;
    new->may_bring = brings_descriptor(a);
    output_flush(); /* what was printed before is there before: the answer may be its end */
    link_enter();
    give_orphans_back();
    rc = take_slot(new, gives_handle(a));
    if (rc == 0) {
        a->number = new->number;
        rc = send(a);
        if (rc != 0)
            give_slot(new);
    }
    link_leave();
    if (rc != 0) {
        free(new);
        return rc;
    }
    *ret = new;
    return 0;
}

int ask_post(Pb__Ask *a)
{
    int rc;

    link_enter();
    a->number = ++begun << (SLOT_BITS + 1); /* like every other number it is new; and nobody has it, so that the answer is dropped */
    rc = send(a);
    link_leave();
    return rc;
}

bool ask_is_answered(const struct ask *a)
{
    return a->taken || a->in.come;
}

__thread bool asks_stay;

static int wait_for(struct inbound *const *in, size_t n, int64_t deadline)
{
    return sched != NULL && sched->member == NULL && !asks_stay ? inbound_park(in, n, deadline, "ask") : inbound_stay(in, n, deadline);
}

int ask_wait(struct ask *a, int64_t deadline)
{
    struct inbound *in = &a->in;
    int rc;

    if (a->taken)
        return 0;
    if (a->lost)
        return -EPIPE;
    rc = wait_for(&in, 1, deadline);
    if (rc != 0)
        return rc;
    rc = inbound_take(&a->in, &a->frame);
    a->taken = rc == 0;
    return rc;
}

int ask_wait_any(struct ask *const *asks, size_t n, int64_t deadline)
{
    struct inbound *in[ASKS_ANY];

    if (n == 0 || n > ASKS_ANY)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (asks[i]->taken)
            return 0;
        if (asks[i]->lost)
            return -EPIPE;
        in[i] = &asks[i]->in;
    }
    return wait_for(in, n, deadline);
}

const Pb__Answer *ask_answer(const struct ask *a)
{
    return ((const Pb__ToWorker *)a->frame.msg)->answer;
}

int ask_descriptor(struct ask *a)
{
    int fd = a->in.descriptor;

    a->in.descriptor = -1;
    return fd;
}

static void cancel(uint64_t number)
{
    Pb__Ask a = PB__ASK__INIT;
    Pb__AskCancel c = PB__ASK_CANCEL__INIT;

    c.number = number;
    a.body_case = PB__ASK__BODY_ASK_CANCEL;
    a.ask_cancel = &c;
    (void)ask_post(&a);
}

void ask_cancel(struct ask *a)
{
    link_enter();
    if (!ask_is_answered(a))
        cancel(a->number);
    link_leave();
}

int ask_take_back(struct ask *a, int rc)
{
    const Pb__Answer *last;
    int waited;

    ask_cancel(a);
    coop_shield(true);
    waited = ask_wait(a, COOP_NEVER);
    coop_shield(false);
    if (waited != 0)
        return rc;
    last = ask_answer(a);
    return last->body_case == PB__ANSWER__BODY_FAILURE && last->failure->error == PB__CALL_ERROR__CALL_ERROR_INTERRUPTED ? rc : 0;
}

void asks_forked(void)
{
    for (unsigned i = 0; i < n_used; i++)
        if (slots[i] != NULL && !ask_is_answered(slots[i]))
            slots[i]->lost = true;
}

void ask_end(struct ask *a)
{
    if (a == NULL)
        return;
    link_enter();
    if (!ask_is_answered(a) && !a->lost)
        cancel(a->number);
    give_slot(a);
    if (a->in.come) { /* and nobody has looked at it */
        asks_orphan(a->in.bytes, a->in.len);
        a->in.bytes = NULL;
    }
    link_leave();
    inbound_drop(&a->in);
    if (a->taken)
        frame_release(&a->frame);
    free(a);
}

int ask_and_wait(Pb__Ask *a, int64_t deadline, struct ask **ret)
{
    struct ask *made;
    int rc = ask_begin(a, &made);

    if (rc != 0)
        return rc;
    rc = ask_wait(made, deadline);
    if (rc != 0)
        ask_end(made);
    else
        *ret = made;
    return rc;
}
