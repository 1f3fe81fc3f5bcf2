/* caps.c - see caps.h. */
#include "broker/caps.h"

#include <stdio.h>
#include <string.h>

#include "broker/asks.h"
#include "broker/broker.h"
#include "log.h"

#define CE(name) PB__CALL_ERROR__CALL_ERROR_##name

const struct job_caps *caps_of(const struct worker *w)
{
    static const struct job_caps none;

    return w->job != NULL ? &w->job->caps : &none;
}

int caps_need(const struct worker *w, const char *cap, struct call_why *why)
{
    const struct job_caps *c = caps_of(w);
    const struct {
        const char *name;
        bool has;
    } rows[] = {
        {"interpreters", c->interpreters > 0},
        { "queues",      c->queues > 0      },
        { "buffers",     c->buffer_bytes > 0},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, cap) == 0 && rows[i].has)
            return 0;
    return call_refuse(why, CE(NOT_ALLOWED), "the job has not the capability %s", cap);
}

/* ---- grants of the spec ------------------------------------------------------------------------------------------------------------ */

enum { GRANT_NAME = JOB_CAP_NAME + 16 };

static const char *grant_name(Pb__Kind kind, const char *name, char buf[GRANT_NAME])
{
    snprintf(buf, GRANT_NAME, "%s=%s", kind == PB__KIND__KIND_QUEUE ? "queue" : kind == PB__KIND__KIND_INTERP ? "interp" : "kv", name);
    return buf;
}

/* The worker's own handle of what its job was given; made when it is first asked for. */
static int held_grant(struct asker *a, const struct job_grant *g, struct handle **ret, struct call_why *why)
{
    char buf[GRANT_NAME], shown[64];
    const char *grant = grant_name(g->kind, g->name, buf);
    struct handle *h = handle_granted(a, grant);
    struct thing *t;

    log_escape(shown, sizeof(shown), g->name, strlen(g->name));
    if (h != NULL && h->thing == NULL)
        return call_refuse(why, CE(REVOKED), "%s %s has been revoked", thing_kind_word(g->kind), shown);
    if (h == NULL) {
        t = thing_find(a->broker, g->kind, g->name);
        if (t == NULL)
            return call_refuse(why, CE(NOT_FOUND), "there is no %s %s", thing_kind_word(g->kind), shown);
        if (t->revoked_us != 0 && a->worker->job->submitted_us <= t->revoked_us)
            return call_refuse(why, CE(REVOKED), "%s %s has been revoked", thing_kind_word(g->kind), shown);
        h = handle_new(t, g->rights, NULL);
        if (h == NULL)
            return call_refuse(why, CE(TEMPORARY), "out of memory");
        if (handle_give(h, a, grant, why) != 0) {
            handle_drop(h);
            return -1;
        }
    }
    *ret = h;
    return 0;
}

int caps_open(struct asker *a, Pb__Kind kind, const char *name, uint32_t rights, struct handle **ret, struct call_why *why)
{
    const struct job_grant *g = job_caps_grant(caps_of(a->worker), kind, name);
    struct handle *held, *h;
    char shown[64];

    log_escape(shown, sizeof(shown), name, strlen(name));
    if (g == NULL)
        return call_refuse(why, CE(NOT_ALLOWED), "the job has not the capability %s=%s", kind == PB__KIND__KIND_QUEUE ? "queue" : "interp",
                           shown);
    if ((rights & ~g->rights) != 0)
        return call_refuse(why, CE(NOT_ALLOWED), "the job's capability for %s %s gives less than that", thing_kind_word(kind), shown);
    if (held_grant(a, g, &held, why) != 0)
        return -1;
    h = handle_new(held->thing, rights != 0 ? rights : g->rights, held);
    if (h == NULL)
        return call_refuse(why, CE(TEMPORARY), "out of memory");
    *ret = h;
    return 0;
}
