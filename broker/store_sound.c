/* store_sound.c - see store_sound.h. */
#include "broker/store_sound.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/arrays.h"
#include "broker/cron_expr.h"
#include "broker/limiters.h"
#include "broker/plans_own.h"
#include "broker/store_sqlite.h"
#include "broker/tenants.h"
#include "array_range.h"
#include "frame.h"

__attribute__((format(printf, 2, 3))) static bool no(char why[SOUND_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(why, SOUND_WHY, fmt, ap);
    va_end(ap);
    return false;
}

static bool is_id(const char *id)
{
    uint8_t bytes[ULID_BYTES];

    return ulid_to_bytes(id, bytes) == 0;
}

/* ---- specs ---------------------------------------------------------------------------------------------------------------------------- */

int store_decode_spec(struct frame *ret, const void *packed, size_t len)
{
    int rc = frame_decode(ret, &pb__job_spec__descriptor, packed, len, FRAME_MAX_CONTROL);

    if (rc == 0 && ((const Pb__JobSpec *)ret->msg)->limits == NULL) { /* no broker has stored such a one */
        frame_release(ret);
        rc = -EPROTO;
    }
    return rc;
}

/* ---- what waits, and what makes it wait ------------------------------------------------------------------------------------------------ */

bool store_job_sound(const struct store_job *j, bool known, char why[SOUND_WHY])
{
    if (!is_id(j->id))
        return no(why, "its id is none");
    return known || no(why, "its tenant %llu is not there", (unsigned long long)j->tenant);
}

bool store_array_sound(const struct store_array *a, bool known, char why[SOUND_WHY])
{
    Pb__ArrayRange range = PB__ARRAY_RANGE__INIT;
    char not_a_range[ARRAY_RANGE_WHY];

    range.from = a->from;
    range.to = a->to;
    range.step = a->step;
    if (!is_id(a->id))
        return no(why, "its id is none");
    if (array_range_check(&range, not_a_range) != 0)
        return no(why, "its range: %s", not_a_range);
    if (array_range_count(&range) > ARRAYS_MAX)
        return no(why, "its range has more than %d tasks", ARRAYS_MAX);
    if (a->hold >= ARRAY_WISHES)
        return no(why, "what is wished of it is %u", a->hold);
    return known || no(why, "its tenant %llu is not there", (unsigned long long)a->tenant);
}

bool store_cron_sound(const struct store_cron *c, bool known, char why[SOUND_WHY])
{
    char wrong[CRON_WHY];
    struct cron_expr expr;
    enum cron_zone zone;

    if (!is_id(c->id))
        return no(why, "its id is none");
    if (cron_expr_parse(c->expr, &expr, wrong) != 0 || cron_zone_parse(c->zone, &zone, wrong) != 0)
        return no(why, "%.150s", wrong);
    return known || no(why, "its tenant %llu is not there", (unsigned long long)c->tenant);
}

bool store_dep_sound(const struct store_dep *d, char why[SOUND_WHY])
{
    return (is_id(d->job) && is_id(d->on) && strcmp(d->job, d->on) != 0) || no(why, "its ids are none, or the same");
}

bool store_limiter_sound(const struct store_limiter *l, char why[SOUND_WHY])
{
    char wrong[LIMITERS_WHY];

    return limiters_key_ok(l->key, wrong) || no(why, "%.150s", wrong);
}

/* ---- estates --------------------------------------------------------------------------------------------------------------------------- */

bool store_template_sound(const struct store_template *t, char why[SOUND_WHY])
{
    return (t->name[0] != '\0' && t->version != 0) || no(why, "it has no name, or no version");
}

bool store_queue_sound(const struct store_queue *q, char why[SOUND_WHY])
{
    return (is_id(q->id) && q->name[0] != '\0') || no(why, "its id is none, or it has no name");
}

bool store_item_sound(const struct store_queue_item *i, char why[SOUND_WHY])
{
    return i->sender[0] == '\0' || is_id(i->sender) || no(why, "its sender is none");
}

/* ---- tenants --------------------------------------------------------------------------------------------------------------------------- */

bool store_tenant_sound(const struct store_tenant *t, bool rooted, char why[SOUND_WHY])
{
    char name[16], wrong[TENANT_WHY];
    struct frame f;

    (void)snprintf(name, sizeof(name), "uid-%u", (unsigned)t->id);
    if (t->id == 0 ? strcmp(t->name, name) != 0 : t->id > INT64_MAX)
        return no(why, "its number is none");
    if (tenant_check_name(t->name, wrong) != 0 ||
        (strncmp(t->name, "uid-", 4) == 0 && (t->id >= TENANT_FIRST_NAMED || strcmp(t->name, name) != 0)))
        return no(why, "its name is none, or another's");
    if (!rooted)
        return no(why, "a tenant above it is not there, or it is above itself");
    if (frame_decode(&f, &pb__tenant__descriptor, t->body.bytes, t->body.len, FRAME_MAX_CONTROL) != 0)
        return no(why, "its quotas and limits cannot be read");
    frame_release(&f);
    return true;
}

/* ---- telling --------------------------------------------------------------------------------------------------------------------------- */

/* What names it, as far as it can be shown. */
static void name_row(const struct store_met *met, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    for (int i = 0; i < met->keys && len < size; i++) {
        const char *text = (const char *)sqlite3_column_text(met->stmt, i);

        len += (size_t)snprintf(ret + len, size - len, "%s%.40s", i > 0 ? " " : "", text != NULL ? text : "");
    }
    for (char *p = ret; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~' || *p == '"')
            *p = '?';
}

bool store_take_row(struct store *s, const struct store_met *met, bool sound, const char *why)
{
    struct store_unsound u = { .table = met->table, .taken = sound };

    if (sound && met->odd == NULL)
        return true;
    name_row(met, u.row, sizeof(u.row));
    if (sound)
        (void)snprintf(u.why, sizeof(u.why), "%s says what it cannot", met->odd);
    else
        (void)snprintf(u.why, sizeof(u.why), "%s", why);
    s->unsound++;
    if (s->on_unsound.fn != NULL)
        s->on_unsound.fn(s->on_unsound.ctx, &u);
    if (s->mend.fn != NULL)
        s->mend.fn(s->mend.ctx, met, sound);
    return sound;
}

void store_tell_unsound(struct store *s, const char *table, const char *row, const char *why)
{
    struct store_unsound u = { .table = table };

    (void)snprintf(u.row, sizeof(u.row), "%s", row);
    (void)snprintf(u.why, sizeof(u.why), "%s", why);
    s->unsound++;
    if (s->on_unsound.fn != NULL)
        s->on_unsound.fn(s->on_unsound.ctx, &u);
}

void store_on_unsound(struct store *s, void (*fn)(void *ctx, const struct store_unsound *u), void *ctx)
{
    s->on_unsound.fn = fn;
    s->on_unsound.ctx = ctx;
}
