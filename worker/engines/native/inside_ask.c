/* inside_ask.c - see inside.h: one ask of native code, from its message to an answer that is no failure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "worker/engines/native/inside.h"

static bool is_over_for_us(int rc)
{
    return rc == -ECANCELED || rc == -ETIMEDOUT;
}

static int judge(struct ask *a, Pb__Answer__BodyCase body)
{
    const Pb__Answer *answer = ask_answer(a);

    if (answer->body_case == PB__ANSWER__BODY_FAILURE)
        return inside_failed_call(answer->failure);
    return answer->body_case == body ? 0 : inside_refuse(PB__CALL_ERROR__CALL_ERROR_INTERNAL, "the broker has answered something else");
}

int inside_wait(struct ask *a, Pb__Answer__BodyCase body, int64_t deadline)
{
    int rc = ask_wait(a, deadline);

    return rc != 0 ? inside_failed(rc, NULL) : judge(a, body);
}

static const char *name_of(const Pb__Ask *a)
{
    const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(&pb__ask__descriptor, (unsigned)a->body_case);

    return f != NULL ? f->name : "ask";
}

int inside_ask(Pb__Ask *a, Pb__Answer__BodyCase body, int64_t deadline, struct ask **ret)
{
    struct ask *open;
    int rc = ask_begin(a, &open);

    if (rc != 0)
        return inside_failed(rc, name_of(a));
    rc = ask_wait(open, deadline);
    if (is_over_for_us(rc))
        rc = ask_take_back(open, rc);
    rc = rc != 0 ? inside_failed(rc, name_of(a)) : judge(open, body);
    if (rc == 0)
        *ret = open;
    else
        ask_end(open);
    return rc;
}

int inside_ask_done(Pb__Ask *a)
{
    struct ask *answered;
    int rc = inside_ask(a, PB__ANSWER__BODY_DONE, COOP_NEVER, &answered);

    if (rc == 0)
        ask_end(answered);
    return rc;
}

int inside_ask_handle(Pb__Ask *a, struct coop_handle *ret)
{
    struct ask *answered;
    int rc = inside_ask(a, PB__ANSWER__BODY_HANDLE, COOP_NEVER, &answered);

    if (rc != 0)
        return rc;
    inside_handle(ret, ask_answer(answered)->handle);
    ask_end(answered);
    return 0;
}

/* ---- parts of messages ---------------------------------------------------------------------------------------------------------- */

void inside_ref(Pb__Ref *r, const struct coop_handle *h)
{
    pb__ref__init(r);
    r->handle = h != NULL ? h->number : 0;
}

static void copy(char *into, size_t size, const char *text)
{
    snprintf(into, size, "%s", text);
}

void inside_handle(struct coop_handle *into, const Pb__Handle *from)
{
    *into =
        (struct coop_handle){ .kind = (enum coop_kind)from->kind, .rights = from->rights, .number = from->handle, .bytes = from->bytes };
    copy(into->id, sizeof(into->id), from->id);
    copy(into->name, sizeof(into->name), from->name);
}

int64_t inside_patience(int64_t deadline)
{
    int64_t now = coop_now();

    if (deadline == COOP_NEVER)
        return -1;
    return deadline > now ? deadline - now : 0;
}

uint64_t inside_timeout(int64_t deadline)
{
    int64_t us = inside_patience(deadline);

    return us < 0 ? 0 : us == 0 ? 1 : (uint64_t)us;
}
