/*
 * test_asks_random.c - askers that ask for anything in any order, hand handles to each other, revoke, drop, cancel, time out and go: whatever it was,
 * nothing of it is left at the end, and each ask was answered once at most.
 *
 * The seed of a round that fails is printed; SEED=n runs that alone. Sanitizer builds find what is used after its end, and what is never freed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "asks_fixture.h"

enum { ROUNDS = 150, STEPS = 400, WORKERS = 3, HANDLE_SPAN = 24, NUMBER_SPAN = 40 };

static unsigned dice;
static unsigned playing; /* the seed of the round that is being played; 0: all were */

static unsigned roll(unsigned n)
{
    return (unsigned)rand_r(&dice) % n;
}

static uint32_t any_handle(void)
{
    return 1 + roll(HANDLE_SPAN);
}

static uint32_t any_rights(void)
{
    return roll(3) == 0 ? 0 : roll(128);
}

/* An ask with bodies to choose from; what they point to is here too. */
struct any {
    Pb__Ask m;
    Pb__Ref ref, ref2;
    Pb__Handle handle, *handles[1];
    Pb__Value value, *items[2];
    Pb__JobError error;
    uint8_t cbor[8];
    union {
        Pb__QueueCreate queue_create;
        Pb__QueueOpen queue_open;
        Pb__QueuePut queue_put;
        Pb__QueueGet queue_get;
        Pb__QueueClose queue_close;
        Pb__QueueInfo queue_info;
        Pb__BufferNew buffer_new;
        Pb__BufferSeal buffer_seal;
        Pb__BufferList buffer_list;
        Pb__HandleAttenuate attenuate;
        Pb__HandleRevoke revoke;
        Pb__HandleDrop drop;
        Pb__HandleGranted granted;
        Pb__HandleList list;
        Pb__AliasCall alias_call;
        Pb__AliasNext alias_next;
        Pb__AliasDone alias_done;
        Pb__AskCancel cancel;
    } of;
};

static Pb__Value *any_value(struct any *a)
{
    pb__value__init(&a->value);
    pb__handle__init(&a->handle);
    a->value.cbor = (ProtobufCBinaryData){ roll(8), a->cbor };
    a->handle.handle = any_handle();
    a->handle.rights = any_rights();
    a->handles[0] = &a->handle;
    a->value.handles = a->handles;
    a->value.n_handles = roll(3) == 0;
    return &a->value;
}

#define BODY_OF(name, NAME, type)                                                                                                          \
    pb__##type##__init(&a->of.name);                                                                                                       \
    a->m.body_case = PB__ASK__BODY_##NAME

static void any_of_queues(struct any *a)
{
    switch (roll(6)) {
    case 0:
        BODY_OF(queue_create, QUEUE_CREATE, queue_create);
        a->of.queue_create.max_items = roll(4);
        a->of.queue_create.unbound = (Pb__Unbound)roll(5);
        a->m.queue_create = &a->of.queue_create;
        break;
    case 1:
        BODY_OF(queue_open, QUEUE_OPEN, queue_open);
        a->of.queue_open.name = roll(2) == 0 ? "jobs" : "other";
        a->m.queue_open = &a->of.queue_open;
        break;
    case 2:
        BODY_OF(queue_put, QUEUE_PUT, queue_put);
        a->items[0] = a->items[1] = any_value(a);
        a->of.queue_put.queue = &a->ref;
        a->of.queue_put.items = a->items;
        a->of.queue_put.n_items = 1 + roll(2);
        a->of.queue_put.timeout_us = (int64_t)roll(3) - 1;
        a->m.queue_put = &a->of.queue_put;
        break;
    case 3:
    case 4:
        BODY_OF(queue_get, QUEUE_GET, queue_get);
        a->of.queue_get.queue = &a->ref;
        a->of.queue_get.max = 1 + roll(3);
        a->of.queue_get.timeout_us = (int64_t)roll(3) - 1;
        a->m.queue_get = &a->of.queue_get;
        break;
    default:
        BODY_OF(queue_close, QUEUE_CLOSE, queue_close);
        a->of.queue_close.queue = &a->ref;
        a->of.queue_close.discard = roll(2);
        a->m.queue_close = &a->of.queue_close;
    }
}

static void any_of_handles(struct any *a)
{
    switch (roll(5)) {
    case 0:
    case 1:
        BODY_OF(attenuate, HANDLE_ATTENUATE, handle_attenuate);
        a->of.attenuate.ref = &a->ref;
        a->of.attenuate.rights = any_rights();
        a->m.handle_attenuate = &a->of.attenuate;
        break;
    case 2:
        BODY_OF(revoke, HANDLE_REVOKE, handle_revoke);
        a->of.revoke.ref = &a->ref;
        a->of.revoke.alias = roll(4) == 0 ? "f" : "";
        a->m.handle_revoke = &a->of.revoke;
        break;
    case 3:
        BODY_OF(drop, HANDLE_DROP, handle_drop);
        a->of.drop.handle = any_handle();
        a->m.handle_drop = &a->of.drop;
        break;
    default:
        BODY_OF(granted, HANDLE_GRANTED, handle_granted);
        a->of.granted.name = roll(2) == 0 ? "queue=jobs" : "alias=f";
        a->m.handle_granted = &a->of.granted;
    }
}

static void any_of_aliases(struct any *a)
{
    switch (roll(4)) {
    case 0:
        BODY_OF(alias_call, ALIAS_CALL, alias_call);
        a->of.alias_call.name = "f";
        a->of.alias_call.args = any_value(a);
        a->of.alias_call.timeout_us = roll(3);
        a->m.alias_call = &a->of.alias_call;
        break;
    case 1:
        BODY_OF(alias_call, ALIAS_CALL, alias_call);
        a->of.alias_call.alias = &a->ref;
        a->m.alias_call = &a->of.alias_call;
        break;
    case 2:
        BODY_OF(alias_next, ALIAS_NEXT, alias_next);
        a->of.alias_next.interp = roll(3) == 0 ? &a->ref : NULL;
        a->m.alias_next = &a->of.alias_next;
        break;
    default:
        BODY_OF(alias_done, ALIAS_DONE, alias_done);
        pb__job_error__init(&a->error);
        a->of.alias_done.number = 1 + roll(4);
        a->of.alias_done.value = roll(3) != 0 ? any_value(a) : NULL;
        a->of.alias_done.error = roll(3) == 0 ? &a->error : NULL;
        a->m.alias_done = &a->of.alias_done;
    }
}

static void any_other(struct any *a)
{
    switch (roll(4)) {
    case 0:
        BODY_OF(buffer_new, BUFFER_NEW, buffer_new);
        a->of.buffer_new.bytes = 4096;
        a->m.buffer_new = &a->of.buffer_new;
        break;
    case 1:
        BODY_OF(buffer_seal, BUFFER_SEAL, buffer_seal);
        a->of.buffer_seal.buffer = &a->ref;
        a->m.buffer_seal = &a->of.buffer_seal;
        break;
    default:
        BODY_OF(cancel, ASK_CANCEL, ask_cancel);
        a->of.cancel.number = 1 + roll(NUMBER_SPAN);
        a->m.ask_cancel = &a->of.cancel;
    }
}

/* One ask of somebody's, with a number that is free. */
static void step(struct end *e)
{
    static void (*const kinds[])(
        struct any *) = { any_of_queues, any_of_queues, any_of_handles, any_of_handles, any_of_aliases, any_other };
    struct any a = { .m = PB__ASK__INIT };

    pb__ref__init(&a.ref);
    a.ref.handle = any_handle();
    kinds[roll(6)](&a);
    for (a.m.number = 1 + roll(NUMBER_SPAN); ask_find(e->asker, a.m.number) != NULL; a.m.number++)
        ;
    assert_int_equal(says(e, &a.m), 0);
    if (roll(20) == 0) {
        e->world->bare.b.loop.now_us += 2;
        timers_run(&e->world->bare.b.loop.timers, e->world->bare.b.loop.now_us);
    }
}

/* Descriptors and bytes are not what this is about. */
static void forget_answers(struct end *e)
{
    uint8_t junk[4096];
    char control[256];
    struct iovec iov = { junk, sizeof(junk) };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control };

    while (e->fd >= 0) {
        h.msg_controllen = sizeof(control);
        if (recvmsg(e->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
            break;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&h); c != NULL; c = CMSG_NXTHDR(&h, c))
            for (size_t i = 0; c->cmsg_type == SCM_RIGHTS && i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++)
                (void)close(((int *)(void *)CMSG_DATA(c))[i]);
    }
}

static void is_empty(const struct end *e)
{
    assert_int_equal(e->asker->open, 0);
    assert_int_equal(e->asker->bytes, 0);
    assert_int_equal(e->asker->n_handles, 0);
    assert_null(e->asker->handles);
    assert_null(e->asker->granted);
}

static void makes_jobs(struct end *host)
{
    ASK(m, QueueCreate, QUEUE_CREATE, queue_create, QUEUE_CREATE);

    m_body.name = "jobs";
    m_body.max_items = 3;
    answered(asks(host, &m), HANDLE);
}

static void removes_jobs(struct end *host)
{
    Pb__Ref ref = PB__REF__INIT;
    ASK(m, QueueDelete, QUEUE_DELETE, queue_delete, QUEUE_DELETE);

    ref.id = "jobs";
    m_body.queue = &ref;
    answered(asks(host, &m), DONE);
}

/* Two parents, one child, and a queue that the specs of all name. */
static void round_of(struct world *w)
{
    static char *names[] = { "f" };
    struct end *e[WORKERS];
    struct end *host = a_host(w);
    struct thing *interp = a_thing(w, KIND(INTERP), NULL);
    struct alias_offers *offers;
    struct call_why why;
    bool here[WORKERS];

    makes_jobs(host);
    for (int i = 0; i < WORKERS; i++) {
        e[i] = a_worker(w, CAPS("queues=4096", "buffers=1G", "queue=jobs:both"));
        here[i] = true;
    }
    memcpy(interp->id, e[2]->job->id, sizeof(interp->id));
    assert_int_equal(aliases_offer(e[0]->asker, interp->id, names, 1, &offers, &why), 0);
    assert_int_equal(aliases_give(offers, e[2]->asker, &why), 0);
    (void)given(e[0], interp, UINT32_MAX, NULL);
    for (int i = 0; i < STEPS; i++) {
        unsigned who = roll(WORKERS);

        if (!here[who])
            continue;
        step(e[who]);
        if (roll(64) == 0)
            for (int k = 0; k < WORKERS; k++)
                forget_answers(e[k]);
        if (roll(300) == 0) {
            leaves(e[who]);
            here[who] = false;
            is_empty(e[who]);
        }
        if (roll(200) == 0)
            thing_revoke_all(interp);
    }
    aliases_free(offers);
    for (int i = 0; i < WORKERS; i++) {
        forget_answers(e[i]);
        leaves(e[i]);
        is_empty(e[i]);
    }
    assert_int_equal(interp->held, 0);
    assert_null(interp->roots);
    thing_unref(interp);
    removes_jobs(host);
    leaves(host);
    is_empty(host);
    assert_int_equal(w->bare.b.queues.count, 0);
}

static void whatever_is_asked_leaves_nothing(void **state)
{
    const char *seed = getenv("SEED");

    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned this = seed != NULL ? (unsigned)strtoul(seed, NULL, 10) : 1000 + i;

        assert_int_equal(world_start(state), 0);
        dice = playing = this;
        round_of(*state);
        assert_int_equal(((struct world *)*state)->freed, 1);
        assert_int_equal(timers_next(&((struct world *)*state)->bare.b.loop.timers), UINT64_MAX);
        (void)world_stop(state);
        if (seed != NULL)
            break;
    }
    playing = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(whatever_is_asked_leaves_nothing) };

    int failures = cmocka_run_group_tests(tests, NULL, NULL);

    if (playing != 0)
        print_message("@ seed %u\n", playing);
    return failures;
}
