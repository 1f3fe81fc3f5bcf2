/* inside_info.c - see coop/interp.h: what is known of interpreters, each time one block of memory with its texts behind it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engines/native/inside.h"

enum { CAUSE = 32 };

static size_t room_for(const Pb__InterpStatus *s)
{
    const char *texts[] = { s->interp != NULL ? s->interp->id : "",
                            s->interp != NULL ? s->interp->name : "",
                            s->engine,
                            s->template_,
                            s->whence,
                            s->parent,
                            s->running,
                            s->cause_detail,
                            s->receipt };
    size_t size = CAUSE;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        size += strlen(texts[i]) + 1;
    return size;
}

static const char *add(char **at, const char *text)
{
    const char *from = *at;
    size_t size = strlen(text) + 1;

    memcpy(*at, text, size);
    *at += size;
    return from;
}

static void fill_in(struct coop_interp_info *into, const Pb__InterpStatus *s, char **at)
{
    char cause[CAUSE];

    inside_cause(s->cause, cause, sizeof(cause));
    *into = (struct coop_interp_info){
        .id = add(at, s->interp != NULL ? s->interp->id : ""),
        .name = add(at, s->interp != NULL ? s->interp->name : ""),
        .engine = add(at, s->engine),
        .from_template = add(at, s->template_),
        .whence = add(at, s->whence),
        .parent = add(at, s->parent),
        .state = (enum coop_interp_state)s->state,
        .depth = s->depth,
        .children = s->children,
        .running = add(at, s->running),
        .waiting = s->waiting,
        .calls = s->calls,
        .cause = add(at, cause),
        .cause_detail = add(at, s->cause_detail),
        .receipt = add(at, s->receipt),
        .created_us = s->created_us,
        .incarnation = s->incarnation,
        .pid = s->pid,
        .cpu_us = s->cpu_us,
        .memory_bytes = s->mem_bytes,
    };
}

static int copy(Pb__InterpStatus *const *list, size_t n, struct coop_interp_info **ret)
{
    size_t size = n * sizeof(**ret);
    struct coop_interp_info *infos;
    char *at;

    if (n == 0) {
        *ret = NULL;
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        size += room_for(list[i]);
    infos = malloc(size);
    if (infos == NULL)
        return inside_failed(-ENOMEM, "interp_info");
    at = (char *)(infos + n);
    for (size_t i = 0; i < n; i++)
        fill_in(&infos[i], list[i], &at);
    *ret = infos;
    return 0;
}

int coop_interp_info(const struct coop_handle *i, struct coop_interp_info **ret)
{
    Pb__InterpInfo m = PB__INTERP_INFO__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_INFO, interp_info, &m);
    struct ask *answered;
    Pb__InterpStatus *s;
    Pb__Ref ref;
    int rc;

    if (ret == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_info: NULL");
    inside_ref(&ref, i);
    m.interp = &ref;
    rc = inside_ask(&a, PB__ANSWER__BODY_INTERP, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    s = ask_answer(answered)->interp;
    rc = copy(&s, 1, ret);
    ask_end(answered);
    return rc;
}

int coop_interp_list(struct coop_interp_info **ret, size_t *ret_n)
{
    Pb__InterpList m = PB__INTERP_LIST__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_LIST, interp_list, &m);
    struct ask *answered;
    int rc;

    if (ret == NULL || ret_n == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_list: NULL");
    rc = inside_ask(&a, PB__ANSWER__BODY_INTERPS, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    rc = copy(ask_answer(answered)->interps->interps, ask_answer(answered)->interps->n_interps, ret);
    if (rc == 0)
        *ret_n = ask_answer(answered)->interps->n_interps;
    ask_end(answered);
    return rc;
}

int coop_interp_wait(const struct coop_handle *i, int64_t deadline, struct coop_interp_info **ret_info)
{
    Pb__InterpWait m = PB__INTERP_WAIT__INIT;
    Pb__Ask a = INSIDE_ASK(INTERP_WAIT, interp_wait, &m);
    struct ask *answered;
    Pb__InterpStatus *s;
    Pb__Ref ref;
    int rc;

    if (i == NULL)
        return inside_refuse(PB__CALL_ERROR__CALL_ERROR_BAD_REQUEST, "interp_wait: NULL");
    inside_ref(&ref, i);
    m.interp = &ref;
    m.timeout_us = inside_timeout(deadline);
    rc = inside_ask(&a, PB__ANSWER__BODY_INTERP, COOP_NEVER, &answered);
    if (rc != 0)
        return rc;
    s = ask_answer(answered)->interp;
    if (ret_info != NULL)
        rc = copy(&s, 1, ret_info);
    ask_end(answered);
    return rc;
}
