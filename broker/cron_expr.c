/*
 * cron_expr.c - see cron_expr.h.
 *
 * A wall time is counted as minutes since 1970 by the calendar, whatever the zone. In a zone, minute M is fired at the first instant at which the
 * clock shows M or more: that is one rule for plain days, for minutes that are skipped and for minutes that come twice. shown_most() is the
 * highest that a clock has shown up to an instant; it never falls, so that the first instant can be searched by halving.
 */
#include "broker/cron_expr.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define DAY       1440           /* minutes */
#define CYCLE     (146097 * DAY) /* minutes of 400 years, after which the calendar with its weekdays comes again */
#define MINUTE_US 60000000ull
#define SHIFT_MAX 1560 /* minutes: no zone has ever moved its clock by more than a day and some hours */
#define SAMPLE    60   /* minutes between two looks for such a move; there are never two in an hour */

/* ---- parsing -------------------------------------------------------------------------------------------------------------------- */

static const char *const month_names[] = { "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", NULL };
static const char *const day_names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL };

enum field { F_MINUTE, F_HOUR, F_DAY, F_MONTH, F_WEEKDAY, FIELDS };

static const struct {
    const char *name;
    int min, max;
    const char *const *words; /* the first stands for min */
} fields[FIELDS] = {
    [F_MINUTE] = {"minute",        0, 59, NULL       },
      [F_HOUR] = { "hour",         0, 23, NULL       },
    [F_DAY] = { "day of month", 1, 31, NULL       },
      [F_MONTH] = { "month",        1, 12, month_names},
    [F_WEEKDAY] = { "day of week",  0, 7,  day_names  },
};

static const struct {
    const char *word, *means;
} nicknames[] = {
    {"@hourly",    "0 * * * *"},
    { "@daily",    "0 0 * * *"},
    { "@midnight", "0 0 * * *"},
    { "@weekly",   "0 0 * * 0"},
    { "@monthly",  "0 0 1 * *"},
    { "@yearly",   "0 0 1 1 *"},
    { "@annually", "0 0 1 1 *"},
};

__attribute__((format(printf, 2, 3))) static int say(char why[CRON_WHY], const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, CRON_WHY, fmt, ap);
    va_end(ap);
    for (char *p = why; *p != '\0'; p++)
        if (!isprint((unsigned char)*p))
            *p = '?';
    return -EINVAL;
}

/* A number or a name at *at, which moves behind it. */
static int take_value(enum field f, const char **at, int *ret, char why[CRON_WHY])
{
    const char *p = *at;
    size_t len = 0;
    int value = 0;

    if (isdigit((unsigned char)*p)) {
        for (; isdigit((unsigned char)*p); p++)
            if ((value = value * 10 + (*p - '0')) > 9999)
                break;
        if (value < fields[f].min || value > fields[f].max)
            return say(why, "%s %.8s is not within %d to %d", fields[f].name, *at, fields[f].min, fields[f].max);
        *ret = value;
        *at = p;
        return 0;
    }
    while (isalpha((unsigned char)p[len]))
        len++;
    for (int i = 0; fields[f].words != NULL && len == 3 && fields[f].words[i] != NULL; i++) {
        if (strncasecmp(p, fields[f].words[i], 3) != 0)
            continue;
        *ret = fields[f].min + i;
        *at = p + len;
        return 0;
    }
    if (*p == '\0' || *p == ',')
        return say(why, "a value is missing in the field %s", fields[f].name);
    return say(why, "'%.16s' is not a %s", p, fields[f].name);
}

static int take_step(enum field f, const char **at, bool ranged, int *ret, char why[CRON_WHY])
{
    char *end;
    long step;

    *ret = 1;
    if (**at != '/')
        return 0;
    if (!ranged)
        return say(why, "a step follows a range or '*', as in %d-%d/2; in the field %s it follows one value", fields[f].min, fields[f].max,
                   fields[f].name);
    if (!isdigit((unsigned char)(*at)[1]))
        return say(why, "a step is missing after '/' in the field %s", fields[f].name);
    step = strtol(*at + 1, &end, 10);
    if (step < 1 || step > fields[f].max)
        return say(why, "step %.8s of the field %s is not within 1 to %d", *at + 1, fields[f].name, fields[f].max);
    *ret = (int)step;
    *at = end;
    return 0;
}

/* One piece of a list: "*", "5", "mon-fri", "0-30/10". */
static int take_piece(enum field f, const char **at, uint64_t *set, char why[CRON_WHY])
{
    int low = fields[f].min, high = f == F_WEEKDAY ? 6 : fields[f].max, step, rc = 0;
    bool ranged = **at == '*';

    if (ranged) {
        ++*at;
    } else {
        rc = take_value(f, at, &low, why);
        high = low;
        if (rc == 0 && **at == '-') {
            ranged = true;
            ++*at;
            rc = take_value(f, at, &high, why);
            if (rc == 0 && f == F_WEEKDAY && high == 0 && low > 0)
                high = 7; /* fri-sun */
        }
    }
    if (rc != 0 || (rc = take_step(f, at, ranged, &step, why)) != 0)
        return rc;
    if (low > high)
        return say(why, "the range %d-%d of the field %s ends before it begins", low, high, fields[f].name);
    for (int i = low; i <= high; i += step)
        *set |= 1ull << (f == F_WEEKDAY ? i % 7 : i);
    return 0;
}

static int parse_field(enum field f, const char *text, uint64_t *set, char why[CRON_WHY])
{
    int rc;

    do {
        rc = take_piece(f, &text, set, why);
    } while (rc == 0 && *text == ',' && *++text != '\0');
    if (rc != 0)
        return rc;
    if (*text != '\0')
        return say(why, "'%.16s' is not understood in the field %s", text, fields[f].name);
    return text[-1] == ',' ? say(why, "a value is missing in the field %s", fields[f].name) : 0;
}

static int parse_fields(char *text, struct cron_expr *ret, char why[CRON_WHY])
{
    uint64_t sets[FIELDS] = { 0 };
    char *save = NULL, *word = strtok_r(text, " \t", &save);
    struct cron_expr e = { 0 };
    int n = 0, rc;

    for (; word != NULL; word = strtok_r(NULL, " \t", &save), n++) {
        if (n == FIELDS)
            return say(why, "an expression has five fields: minute, hour, day of month, month, day of week; '%.16s' is one too many", word);
        if ((rc = parse_field((enum field)n, word, &sets[n], why)) != 0)
            return rc;
        e.star_day |= n == F_DAY && word[0] == '*';
        e.star_weekday |= n == F_WEEKDAY && word[0] == '*';
    }
    if (n != FIELDS)
        return say(why, "an expression has five fields: minute, hour, day of month, month, day of week; here are %d", n);
    e.minutes = sets[F_MINUTE];
    e.hours = (uint32_t)sets[F_HOUR];
    e.days = (uint32_t)sets[F_DAY];
    e.months = (uint32_t)sets[F_MONTH];
    e.weekdays = (uint32_t)sets[F_WEEKDAY];
    *ret = e;
    return 0;
}

static int64_t next_shown(const struct cron_expr *e, int64_t after);

int cron_expr_parse(const char *text, struct cron_expr *ret, char why[CRON_WHY])
{
    char copy[CRON_EXPR_MAX + 1];
    struct cron_expr e;
    size_t len = strlen(text);
    int rc;

    if (len > CRON_EXPR_MAX)
        return say(why, "an expression of %zu bytes is longer than %d", len, CRON_EXPR_MAX);
    if (text[0] == '@') {
        const char *means = NULL;

        for (size_t i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++)
            if (strcasecmp(text, nicknames[i].word) == 0)
                means = nicknames[i].means;
        if (means == NULL)
            return say(why, "'%.16s' is not one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually", text);
        text = means;
        len = strlen(text);
    }
    memcpy(copy, text, len + 1);
    rc = parse_fields(copy, &e, why);
    if (rc != 0)
        return rc;
    if (next_shown(&e, 0) < 0) {
        say(why, "'%.64s' never fires: no month that it names has such a day", text);
        return -EDOM;
    }
    *ret = e;
    return 0;
}

int cron_zone_parse(const char *text, enum cron_zone *ret, char why[CRON_WHY])
{
    if (text[0] != '\0' && strcasecmp(text, "utc") != 0 && strcmp(text, "local") != 0)
        return say(why, "zone '%.32s' is neither \"UTC\" nor \"local\"", text);
    *ret = strcmp(text, "local") == 0 ? CRON_LOCAL : CRON_UTC;
    return 0;
}

const char *cron_zone_name(enum cron_zone zone)
{
    return zone == CRON_LOCAL ? "local" : "UTC";
}

/* ---- the calendar ------------------------------------------------------------------------------------------------------------------ */

struct date {
    int year, month, day; /* 1..12, 1..31 */
};

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int month_days(int year, int month)
{
    static const int days[] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month] + (month == 2 && is_leap(year));
}

/* Of a day counted from 1970-01-01, by years that begin in March, so that the leap day is the last one. */
static struct date date_of(int64_t day)
{
    int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int doe = (int)(z - era * 146097), yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    struct date d = { .month = mp < 10 ? mp + 3 : mp - 9, .day = doy - (153 * mp + 2) / 5 + 1 };

    d.year = (int)(yoe + era * 400) + (d.month <= 2);
    return d;
}

static bool names_day(const struct cron_expr *e, int64_t day, const struct date *d)
{
    bool by_date = (e->days >> d->day & 1) != 0;
    bool by_weekday = (e->weekdays >> (day % 7 + 11) % 7 & 1) != 0; /* 1970-01-01 was a Thursday */

    return e->star_day || e->star_weekday ? by_date && by_weekday : by_date || by_weekday;
}

/* The first minute of the day, from minute on, that is named; -1: none. */
static int minute_of_day(const struct cron_expr *e, int minute)
{
    for (int h = minute / 60; h < 24; h++) {
        uint64_t rest = e->minutes & (h == minute / 60 ? ~0ull << minute % 60 : ~0ull);

        if ((e->hours >> h & 1) != 0 && rest != 0)
            return h * 60 + __builtin_ctzll(rest);
    }
    return -1;
}

/* The first minute after that one that is named, by a clock that never skips; -1: none, ever. */
static int64_t next_shown(const struct cron_expr *e, int64_t after)
{
    int64_t day = (after + 1) / DAY, last = day + CYCLE / DAY;
    int minute = (int)((after + 1) % DAY);

    while (day <= last) {
        struct date d = date_of(day);
        int found;

        if ((e->months >> d.month & 1) == 0) {
            day += month_days(d.year, d.month) - d.day + 1;
        } else if (names_day(e, day, &d) && (found = minute_of_day(e, minute)) >= 0) {
            return day * DAY + found;
        } else {
            day++;
        }
        minute = 0;
    }
    return -1;
}

/* ---- the zone ---------------------------------------------------------------------------------------------------------------------- */

/* What the clock shows at that instant, both in minutes. Offsets of some zones of old had seconds: those are cut off. */
static int64_t shown(int64_t t)
{
    time_t s = (time_t)(t * 60);
    struct tm tm;

    if (localtime_r(&s, &tm) == NULL)
        return t;
    return t + (tm.tm_gmtoff >= 0 ? tm.tm_gmtoff / 60 : -((-tm.tm_gmtoff + 59) / 60));
}

/* The first instant after a, up to b, whose offset is b's; between them it changes once. */
static int64_t changed_at(int64_t a, int64_t b)
{
    int64_t offset = shown(b) - b;

    while (b - a > 1) {
        int64_t mid = a + (b - a) / 2;

        if (shown(mid) - mid == offset)
            b = mid;
        else
            a = mid;
    }
    return b;
}

/* The highest that the clock has shown up to t. It falls only where the clock was put back. */
static int64_t shown_most(int64_t t)
{
    int64_t most = shown(t), at = t;

    while (at > t - SHIFT_MAX) {
        int64_t before = at - SAMPLE;

        if (shown(before) - before > shown(at) - at) {
            int64_t peak = shown(changed_at(before, at) - 1);

            most = peak > most ? peak : most;
        }
        at = before;
    }
    return most;
}

/* The first instant after after at which the clock has shown m. */
static int64_t instant_of(int64_t m, int64_t after)
{
    int64_t low, high = m - (shown(m) - m) + SHIFT_MAX;

    low = high - 2 * SHIFT_MAX > after ? high - 2 * SHIFT_MAX : after; /* not yet shown here */
    while (high - low > 1) {
        int64_t mid = low + (high - low) / 2;

        if (shown_most(mid) >= m)
            high = mid;
        else
            low = mid;
    }
    return high;
}

/* The same by one look, where the clock is not touched for some hours around: nearly always. -1: look closely. */
static int64_t plain_instant_of(int64_t m)
{
    int64_t t = m - (shown(m) - m);

    for (int64_t at = t - SHIFT_MAX; at < t + SAMPLE; at += SAMPLE)
        if (shown(at) - at != m - t)
            return -1;
    return shown(t) == m ? t : -1;
}

uint64_t cron_expr_next(const struct cron_expr *e, enum cron_zone zone, uint64_t after_us)
{
    int64_t after = (int64_t)(after_us / MINUTE_US), m = next_shown(e, zone == CRON_LOCAL ? shown_most(after) : after), t = m;

    if (m < 0)
        return 0;
    if (zone == CRON_LOCAL && (t = plain_instant_of(m)) <= after)
        t = instant_of(m, after);
    return (uint64_t)t * MINUTE_US;
}

/* By halving: where something lies in the later half, the earlier one needs no look. */
uint64_t cron_expr_last(const struct cron_expr *e, enum cron_zone zone, uint64_t after_us, uint64_t at_us)
{
    uint64_t low = after_us, high = at_us, last = 0, next;

    while (low < high) {
        uint64_t mid = high - low >= MINUTE_US ? low + (high - low) / 2 : low;

        next = cron_expr_next(e, zone, mid);
        if (next != 0 && next <= at_us)
            low = last = next;
        else
            high = mid;
    }
    return last;
}
