/*
 * store_sound.h - what a row has to be that a broker takes up when it starts: one question for the broker, coop store check and repair.
 *
 * Side:     broker (trusted). Rows were written by a broker, and what has become of them since nobody knows: a disk, a restored file, a hand.
 * Each:     the walks of a start (store_each_unfinished() and its like) ask these of every row before they hand it on. One that cannot be
 *           taken is left out; of one that says a number that none may have, what it may have is taken. Both are told.
 * Sentence: why is written when the answer is false; printable, whatever the row says.
 */
#ifndef BROKER_STORE_SOUND_H
#define BROKER_STORE_SOUND_H

#include <stdbool.h>

#include "broker/store.h"

#define SOUND_WHY 160

/* known: its tenant is there, or is that of a local user. */
bool store_job_sound(const struct store_job *j, bool known, char why[SOUND_WHY]);
bool store_array_sound(const struct store_array *a, bool known, char why[SOUND_WHY]);
bool store_cron_sound(const struct store_cron *c, bool known, char why[SOUND_WHY]);
bool store_dep_sound(const struct store_dep *d, char why[SOUND_WHY]);
bool store_limiter_sound(const struct store_limiter *l, char why[SOUND_WHY]);
bool store_template_sound(const struct store_template *t, char why[SOUND_WHY]);
bool store_queue_sound(const struct store_queue *q, char why[SOUND_WHY]);
bool store_item_sound(const struct store_queue_item *i, char why[SOUND_WHY]);
/* rooted: the tenants above it are there, up to one that has none above it. */
bool store_tenant_sound(const struct store_tenant *t, bool rooted, char why[SOUND_WHY]);

/* ---- telling, by the walks ---- */

struct sqlite3_stmt;

/* A row that a walk has met; stmt stands on it, what names it is in the first columns. row: as it was read, of the walk's kind. */
struct store_met {
    struct sqlite3_stmt *stmt;
    const char *table;
    int keys;
    const void *row;
    const char *odd; /* a column that was read as another value; NULL: none */
};

/* Tells of it when it is not sound, or odd. Returns whether it is to be handed on. */
bool store_take_row(struct store *s, const struct store_met *met, bool sound, const char *why);

#endif
