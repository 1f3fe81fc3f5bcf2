/*
 * cron_expr.h - "30 4 * * mon-fri": which minutes it names, and which of them comes next.
 *
 * Side:    broker. The text is a tenant's. Pure: no clock of its own; the local zone is that of the process (TZ, /etc/localtime).
 * Grammar: crontab(5): minute hour day-of-month month day-of-week; lists, ranges, steps after a range or '*'; names of months and weekdays by
 *          their first three letters, in any case; Sunday is 0 or 7. @hourly @daily @midnight @weekly @monthly @yearly @annually.
 *          When both day fields are given (neither begins with '*'), a day that either names will do; else a day must be named by both.
 * Zones:   in the local zone a minute that the clock skips is fired once, at the first minute after the gap, together with all that were
 *          skipped with it; a minute that the clock shows twice is fired the first time only.
 * Returns: 0 or -errno. -EINVAL: not an expression; -EDOM: it never fires ("0 0 31 2 *"). why: one sentence, printable, for the client.
 */
#ifndef BROKER_CRON_EXPR_H
#define BROKER_CRON_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#define CRON_EXPR_MAX 128 /* bytes of an expression */
#define CRON_WHY      192

struct cron_expr {
    uint64_t minutes;                       /* bit n: minute n */
    uint32_t hours, days, months, weekdays; /* bit n: hour n, day n (1..31), month n (1..12), weekday n (0: Sunday) */
    bool star_day, star_weekday;            /* the field begins with '*' */
};

enum cron_zone { CRON_UTC, CRON_LOCAL };

int cron_expr_parse(const char *text, struct cron_expr *ret, char why[CRON_WHY]);
/* "", "UTC" (any case), "local". */
int cron_zone_parse(const char *text, enum cron_zone *ret, char why[CRON_WHY]);
const char *cron_zone_name(enum cron_zone zone);

/* The first time after after_us (wall clock, us since 1970), a whole minute. 0: none within 400 years. */
uint64_t cron_expr_next(const struct cron_expr *e, enum cron_zone zone, uint64_t after_us);
/* The last one at or before at_us that lies after after_us; 0: none. For what a stop or a jump of the clock has skipped: at most some
 * hundred steps, however long it took. */
uint64_t cron_expr_last(const struct cron_expr *e, enum cron_zone zone, uint64_t after_us, uint64_t at_us);

#endif
