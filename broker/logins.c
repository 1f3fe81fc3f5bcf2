/* logins.c - see logins.h. */
#include "broker/logins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "log.h"

struct login_origin {
    char key[64]; /* "uid:1000" or the address */
    unsigned failures;
    uint64_t at_us; /* of the last; what is forgiven is counted from there */
    UT_hash_handle hh;
};

struct login_pause {
    struct logins *logins;
    struct rep_way way;
    int code;
    bool drop;
    char why[128];
    struct timer timer;
    struct login_pause *next, **at;
};

/* ---- who failed how often ---- */

static void key_of(const struct rep_origin *from, char ret[64])
{
    if (from->local)
        snprintf(ret, 64, "uid:%u", from->uid);
    else
        snprintf(ret, 64, "%s", from->address);
}

static unsigned left_of(const struct login_origin *o, uint64_t now_us)
{
    uint64_t forgiven = (now_us - o->at_us) / LOGINS_FORGIVE_US;

    return forgiven >= o->failures ? 0 : o->failures - (unsigned)forgiven;
}

static struct login_origin *find(const struct logins *l, const struct rep_origin *from)
{
    struct login_origin *o;
    char key[64];

    key_of(from, key);
    HASH_FIND_STR(l->origins, key, o);
    return o;
}

static unsigned total_of(const struct logins *l, uint64_t now_us)
{
    return now_us - l->second_us < 1000000 ? l->total : 0;
}

static uint64_t pause_after(unsigned failures, unsigned total)
{
    unsigned over = failures > LOGINS_FREE ? failures - LOGINS_FREE : 0;

    if (total > LOGINS_TOTAL || over > 6)
        return LOGINS_PAUSE_MAX;
    return over == 0 ? 0 : (uint64_t)LOGINS_PAUSE_US << (over - 1);
}

uint64_t logins_pause_us(const struct logins *l, const struct rep_origin *from, uint64_t now_us)
{
    const struct login_origin *o = find(l, from);

    return pause_after((o != NULL ? left_of(o, now_us) : 0) + 1, total_of(l, now_us) + 1);
}

/* Moved behind all others; when there are too many, the one that failed longest ago is forgotten. */
static unsigned count(struct logins *l, const struct rep_origin *from, uint64_t now_us)
{
    struct login_origin *o = find(l, from);
    unsigned failures = (o != NULL ? left_of(o, now_us) : 0) + 1;

    if (o != NULL) {
        HASH_DEL(l->origins, o);
    } else if (HASH_COUNT(l->origins) >= LOGINS_ORIGINS) {
        o = l->origins;
        HASH_DEL(l->origins, o);
    } else {
        o = malloc(sizeof(*o));
    }
    if (o == NULL)
        return LOGINS_DROP;
    *o = (struct login_origin){ .failures = failures, .at_us = now_us };
    key_of(from, o->key);
    HASH_ADD_STR(l->origins, key, o);
    return failures;
}

static void count_total(struct logins *l, uint64_t now_us)
{
    l->failed++;
    if (total_of(l, now_us) == 0) {
        l->second_us = now_us;
        l->total = 0;
    }
    l->total++;
}

/* ---- answers that wait ---- */

static void end_pause(struct login_pause *p)
{
    timers_cancel(&p->logins->broker->loop.timers, &p->timer);
    *p->at = p->next;
    if (p->next != NULL)
        p->next->at = p->at;
    p->logins->n_paused--;
    free(p);
}

static void answer(struct broker *b, struct rep_way way, int code, const char *why, bool drop)
{
    control_refuse(b, way, (Pb__ErrorCode)code, "%s", why);
    if (drop)
        b->control.drop(&b->control.socket, way.peer);
}

static void on_pause_over(void *ctx)
{
    struct login_pause *p = ctx;

    answer(p->logins->broker, p->way, p->code, p->why, p->drop);
    end_pause(p);
}

static void pause_answer(struct logins *l, struct rep_way way, int code, const char *why, bool drop, uint64_t pause_us)
{
    struct broker *b = l->broker;
    struct login_pause *p = l->n_paused < LOGINS_PAUSED ? calloc(1, sizeof(*p)) : NULL;

    if (p == NULL) {
        b->control.drop(&b->control.socket, way.peer);
        return;
    }
    p->logins = l;
    p->way = way;
    p->code = code;
    p->drop = drop;
    snprintf(p->why, sizeof(p->why), "%s", why);
    p->timer = (struct timer){ .fn = on_pause_over, .ctx = p };
    p->at = &l->paused;
    p->next = l->paused;
    if (p->next != NULL)
        p->next->at = &p->next;
    l->paused = p;
    l->n_paused++;
    if (timers_arm(&b->loop.timers, &p->timer, b->loop.now_us + pause_us) != 0) {
        end_pause(p);
        b->control.drop(&b->control.socket, way.peer);
    }
}

void logins_refuse(struct logins *l, struct rep_way way, int code, const char *why)
{
    const struct rep_origin *from = rep_origin_of(&l->broker->control.socket, way.peer);
    const struct rep_origin nobody = { .local = true, .uid = UINT32_MAX };
    uint64_t now_us = l->broker->loop.now_us, pause_us;
    unsigned failures;
    bool drop;

    from = from != NULL ? from : &nobody;
    failures = count(l, from, now_us);
    count_total(l, now_us);
    pause_us = pause_after(failures, total_of(l, now_us));
    drop = failures >= LOGINS_DROP || total_of(l, now_us) > LOGINS_TOTAL;
    if (failures == LOGINS_FREE + 1)
        log_event(LOG_LEVEL_WARN, "logins_failed", "uid=%d address=%s", (int)from->uid, from->address);
    if (pause_us == 0)
        answer(l->broker, way, code, why, drop);
    else
        pause_answer(l, way, code, why, drop, pause_us);
}

bool logins_is_paused(const struct logins *l, uint32_t peer)
{
    for (const struct login_pause *p = l->paused; p != NULL; p = p->next)
        if (p->way.peer == peer)
            return true;
    return false;
}

void logins_forget_peer(struct logins *l, uint32_t peer)
{
    for (struct login_pause *p = l->paused, *next; p != NULL; p = next) {
        next = p->next;
        if (p->way.peer == peer)
            end_pause(p);
    }
}

/* ---- life ---- */

void logins_init(struct logins *l, struct broker *b)
{
    *l = (struct logins){ .broker = b };
}

void logins_finish(struct logins *l)
{
    struct login_origin *o, *next;

    while (l->paused != NULL)
        end_pause(l->paused);
    HASH_ITER (hh, l->origins, o, next) {
        HASH_DEL(l->origins, o);
        free(o);
    }
}
