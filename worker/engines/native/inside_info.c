/* inside_info.c - see coop/interp.h: what is known of interpreters. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/engines/native/inside.h"

static void copy(char *into, size_t size, const char *text)
{
    snprintf(into, size, "%s", text);
}

static void fill_in(struct coop_interp_info *into, const Pb__InterpStatus *s)
{
    *into = (struct coop_interp_info){
        .state = (enum coop_interp_state)s->state,
        .depth = s->depth,
        .children = s->children,
        .waiting = s->waiting,
        .calls = s->calls,
        .created_us = s->created_us,
        .incarnation = s->incarnation,
        .cpu_us = s->cpu_us,
        .mem_bytes = s->mem_bytes,
    };
    if (s->interp != NULL)
        inside_handle(&into->handle, s->interp);
    copy(into->engine, sizeof(into->engine), s->engine);
    copy(into->template_name, sizeof(into->template_name), s->template_);
    copy(into->whence, sizeof(into->whence), s->whence);
    copy(into->parent, sizeof(into->parent), s->parent);
    copy(into->running, sizeof(into->running), s->running);
    inside_cause(s->cause, into->cause, sizeof(into->cause));
    copy(into->cause_detail, sizeof(into->cause_detail), s->cause_detail);
    copy(into->receipt, sizeof(into->receipt), s->receipt);
}

/* Of an ask whose answer is one. ret may be NULL. */
static int ask_one(Pb__Ask *a, struct coop_interp_info *ret)
{
    struct ask *answered;
    int rc = inside_ask(a, PB__ANSWER__BODY_INTERP, COOP_NEVER, &answered);

    if (rc != 0)
        return rc;
    if (ret != NULL)
        fill_in(ret, ask_answer(answered)->interp);
    ask_end(answered);
    return 0;
}

int coop_interp_info(const struct coop_handle *i, struct coop_interp_info *ret)
{
    Pb__InterpInfo m = PB__INTERP_INFO__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_INFO, interp_info, &m);
    Pb__Ref ref;

    if (ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_info: NULL");
    inside_ref(&ref, i);
    m.interp = &ref;
    return ask_one(&a, ret);
}

int coop_interp_wait(const struct coop_handle *i, int64_t deadline, struct coop_interp_info *ret)
{
    Pb__InterpWait m = PB__INTERP_WAIT__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_WAIT, interp_wait, &m);
    Pb__Ref ref;

    if (i == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_wait: NULL");
    inside_ref(&ref, i);
    m.interp = &ref;
    m.timeout_us = inside_timeout(deadline);
    return ask_one(&a, ret);
}

int coop_interp_list(struct coop_interp_list *ret)
{
    Pb__InterpList m = PB__INTERP_LIST__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_LIST, interp_list, &m);
    const Pb__InterpStatusList *list;
    struct coop_interp_info *items;
    struct ask *answered;
    int rc;

    if (ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_list: NULL");
    rc = inside_ask(&a, PB__ANSWER__BODY_INTERPS, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    list = ask_answer(answered)->interps;
    items = calloc(list->n_interps + 1, sizeof(*items));
    if (items != NULL) {
        for (size_t i = 0; i < list->n_interps; i++)
            fill_in(&items[i], list->interps[i]);
        *ret = (struct coop_interp_list){ items, list->n_interps };
    } else {
        rc = inside_failed(-ENOMEM, "interp_list");
    }
    ask_end(answered);
    return rc;
}
