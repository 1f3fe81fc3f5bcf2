/* inside_error.c - see inside.h: why the last function of coop/interp.h failed, for each tasklet. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/engine.h"
#include "worker/engines/native/inside.h"
#include "worker/engines/native/mine.h"
#include "worker/task/threads.h"

enum { MESSAGE = 512 };

#define EMPTY .path = "", .remote_type = "", .remote_message = "", .traceback = "", .cause = "", .cause_detail = "", .receipt = ""

static const struct coop_why nothing = { .name = "", .message = "", EMPTY };
static struct coop_why no_memory = { .message = "there is no memory to say more", EMPTY };

static struct coop_why *nobodys; /* of whoever has no tasklets: after coop_finish() */

/* ---- where it is kept: one block, the texts behind it --------------------------------------------------------------------------- */

static struct coop_why *kept(void)
{
    struct sched *s = sched_here();

    return s != NULL ? mine_kept(s->current) : nobodys;
}

static void give_back(struct coop_why *w)
{
    if (w != &no_memory)
        free(w);
}

static void keep(struct coop_why *w)
{
    struct sched *s = sched_here();

    give_back(kept());
    if (s != NULL)
        mine_keep(s->current, w);
    else
        nobodys = w;
}

static void forget(coop_task *t)
{
    give_back(mine_kept(t));
    mine_keep(t, NULL);
}

void inside_begin(void)
{
    struct group *g = task_group();

    if (g == NULL)
        sched->on_end = forget;
    else
        for (unsigned i = 0; i < g->n; i++)
            g->members[i]->sched->on_end = forget;
}

const struct coop_why *coop_last_error(void)
{
    const struct coop_why *w = kept();

    return w != NULL ? w : &nothing;
}

void inside_forget(void)
{
    keep(NULL);
}

/* ---- what is kept --------------------------------------------------------------------------------------------------------------- */

/* "CAUSE_CPU_LIMIT" is "cpu_limit", as everywhere. */
void inside_cause(Pb__Cause cause, char *into, size_t size)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(&pb__cause__descriptor, (int)cause);
    size_t n = 0;

    if (cause != PB__CAUSE__CAUSE_NONE && v != NULL)
        for (const char *p = v->name + strlen("CAUSE_"); *p != '\0' && n + 1 < size; p++)
            into[n++] = (char)tolower((unsigned char)*p);
    into[n] = '\0';
}

static const char *add(char **at, const char *text)
{
    const char *from = *at;
    size_t size = strlen(text) + 1;

    memcpy(*at, text, size);
    *at += size;
    return from;
}

static size_t room_for(const struct coop_why *w, const char *const *texts, size_t n)
{
    size_t size = sizeof(*w) + w->n_cycle * sizeof(char *);

    for (size_t i = 0; i < n; i++)
        size += strlen(texts[i]) + 1;
    for (size_t i = 0; i < w->n_cycle; i++)
        size += strlen(w->cycle[i]) + 1;
    return size;
}

/* Keeps a copy of w. */
static void tell(const struct coop_why *w)
{
    const char *texts[] = { w->message, w->path, w->remote_type, w->remote_message, w->traceback, w->cause, w->cause_detail, w->receipt };
    size_t n = sizeof(texts) / sizeof(texts[0]);
    struct coop_why *copy = malloc(room_for(w, texts, n));
    const char **cycle;
    char *at;

    if (copy == NULL) {
        no_memory.name = w->name;
        no_memory.error = w->error;
        keep(&no_memory);
        return;
    }
    cycle = (const char **)(copy + 1);
    at = (char *)(cycle + w->n_cycle);
    for (size_t i = 0; i < n; i++)
        texts[i] = add(&at, texts[i]);
    for (size_t i = 0; i < w->n_cycle; i++)
        cycle[i] = add(&at, w->cycle[i]);
    *copy = (struct coop_why){ w->name,  w->error, texts[0], texts[1], texts[2],   texts[3],
                               texts[4], texts[5], texts[6], texts[7], w->n_cycle, cycle };
    keep(copy);
}

static int tell_words(Pb__CallError e, int error, const char *message, const char *path)
{
    struct coop_why w = nothing;

    w.name = call_error(e)->name;
    w.error = error;
    w.message = message;
    w.path = path;
    tell(&w);
    return -error;
}

/* ---- the ways to fail ----------------------------------------------------------------------------------------------------------- */

Pb__CallError inside_error_of(int rc)
{
    for (unsigned i = 1; i < pb__call_error__descriptor.n_values; i++)
        if (call_error((Pb__CallError)i)->error == -rc)
            return (Pb__CallError)i;
    return rc == -ENOMEM  ? PB__CALL_ERROR__CALL_ERROR_TEMPORARY
           : rc == -EPERM ? PB__CALL_ERROR__CALL_ERROR_NOT_ALLOWED
                          : PB__CALL_ERROR__CALL_ERROR_INTERNAL;
}

int inside_refuse(Pb__CallError e, const char *format, ...)
{
    char raw[MESSAGE], message[MESSAGE];
    va_list ap;

    va_start(ap, format);
    vsnprintf(raw, sizeof(raw), format, ap);
    va_end(ap);
    outcome_text(message, sizeof(message), raw, strlen(raw));
    return tell_words(e, call_error(e)->error, message, "");
}

static const char *words_of(int rc)
{
    switch (rc) {
    case -ENOMEM: return "the memory limit is reached";
    case -EPERM: return "this tasklet may not block here";
    case -EDQUOT: return "too many calls are open at once";
    case -E2BIG: return "the message is too big";
    default: return call_error(inside_error_of(rc))->what;
    }
}

int inside_failed(int rc, const char *what)
{
    char message[MESSAGE];

    snprintf(message, sizeof(message), "%s%s%s", what != NULL ? what : "", what != NULL ? ": " : "", words_of(rc));
    return tell_words(inside_error_of(rc), -rc, message, "");
}

int inside_failed_value(int rc, const char *path)
{
    Pb__CallError e = rc == -ELOOP   ? PB__CALL_ERROR__CALL_ERROR_TOO_DEEP
                      : rc == -E2BIG ? PB__CALL_ERROR__CALL_ERROR_TOO_BIG
                                     : PB__CALL_ERROR__CALL_ERROR_NOT_SHAREABLE;
    char message[MESSAGE];

    if (rc == -ENOMEM)
        return inside_failed(rc, path);
    snprintf(message, sizeof(message), "%s%s%s", path, path[0] != '\0' ? ": " : "", call_error(e)->what);
    return tell_words(e, call_error(e)->error, message, path);
}

int inside_failed_call(const Pb__CallFailure *f)
{
    const struct call_error_row *row = call_error(f->error);
    struct coop_why w = nothing;
    char cause[32];

    inside_cause(f->cause, cause, sizeof(cause));
    w.name = row->name;
    w.error = row->error;
    w.message = f->message[0] != '\0' ? f->message : row->what;
    w.path = f->path;
    w.cause = cause;
    w.cause_detail = f->cause_detail;
    w.receipt = f->receipt;
    w.n_cycle = f->n_cycle;
    w.cycle = (const char *const *)f->cycle;
    if (f->remote != NULL) {
        w.remote_type = f->remote->type;
        w.remote_message = f->remote->message;
        w.traceback = f->remote->traceback;
    }
    tell(&w);
    return -row->error;
}
