/*
 * store_care.h - looking after a store: is it whole, saving what can be read of a damaged one, copies of it.
 *
 * Side:    broker (trusted). coopd --store WORD does it on a state directory that no broker holds; a running broker copies its own, in a
 *          thread, without keeping anybody from writing.
 * Told:    one JSON line a finding, {"what", "ok", "text"}; coop store reads them.
 */
#ifndef BROKER_STORE_CARE_H
#define BROKER_STORE_CARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "broker/store.h"

struct sqlite3;
struct config;

/* 1: the store in this directory has a tenant of the name; 0: it has none; -errno: it cannot be read. Also beside a broker that runs. */
int store_has_tenant(const char *dir, const char *name);

/* coopd --store check|repair|restore. Returns the exit code: 0; 1: it is damaged, or something was lost; 75: a broker holds it; 77; 80: there
 * is none, 125: the disk. */
int store_care_run(const struct config *c);

/* Who is told what was found. */
struct care {
    FILE *out;
    unsigned faults;
};
__attribute__((format(printf, 4, 5))) void care_say(struct care *c, const char *what, bool ok, const char *fmt, ...);

/* Everything that can be checked of a database: pages, indexes, version, chain, rows that belong together, files of output_dir (-1: none).
 * 0, or -errno when it could not be looked at; what is wrong is told, and counted. */
int store_check_db(struct sqlite3 *db, int output_dir, struct care *c);

/* Looks at DIR/coop.db as store_check_db(). -EUCLEAN: there are faults; -ENOENT: there is none. */
int store_check_at(int dir, int output_dir, struct care *c);
/* Of a directory that nobody else uses: saves what can be read of a damaged one into a new one, which takes its place, and takes up what an earlier
 * repair left when it was killed. -EUCLEAN: something was lost, or all. */
int store_repair(int dir, int output_dir, const char *state_dir, struct care *c);
/* Told before each step that changes names; NULL. A test's. */
extern void (*store_repair_step)(const char *what);

/* UTC, for a name. */
#define STORE_STAMP 32
void store_stamp(char ret[STORE_STAMP]);

/* A connection that changes nothing; *ret is to be closed also on failure. */
int store_connect_to_look(const char *path, int patience_ms, struct sqlite3 **ret, char why[STORE_WHY]);

/* Copies what can be read of DIR/coop.db into DIR/NAME, a new database, and tells what was lost. */
int store_salvage(int dir_fd, const char *name, struct care *c);

/* Brings rows that a broker would not take up to what one does, or drops them; tells each. */
int store_mend(struct sqlite3 *db, struct care *c);
/* Every walk of a start, once; whoever has asked is told of what is not sound (store_on_unsound()). */
int store_walk_start(struct store *s);

/* The tables that it knows, by place; NULL behind the last. */
const char *store_salvaged_table(size_t i);

/* ---- copies ---- */

struct store_copied {
    uint64_t bytes, jobs;
};
/* Copies a store, database and outputs of ended jobs, as it is at one moment, into an empty directory, and makes that durable. gentle: in
 * slices with pauses. stop: set by another thread, -ECANCELED; NULL: nobody does. why: one sentence on failure. */
int store_copy(int from_dir, int to_dir, bool gentle, const atomic_bool *stop, struct store_copied *ret, char why[STORE_WHY]);

/* The same of a running broker's, into a directory that is made, in a thread. */
struct store_backup;
/* fd: readable when it is done. -EEXIST: the directory is there; else -errno, why says it. */
int store_backup_start(int state_dir, const char *path, struct store_backup **ret, char why[STORE_WHY]);
int store_backup_fd(const struct store_backup *b);
/* Waits for its end, which stop brings about soon, and frees it. What it returns is how it went. */
int store_backup_end(struct store_backup *b, bool stop, struct store_copied *ret, char why[STORE_WHY]);

#endif
