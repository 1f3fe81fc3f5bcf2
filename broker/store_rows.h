/*
 * store_rows.h - what the store keeps, as its callers give it and get it back; see store.h.
 *
 * Side:    broker. Plain values. Times are wall clock, microseconds since 1970, 0: none, unless said otherwise.
 * Owned:   a pointer in a row that is read is borrowed until the callback returns; in a row that is given to an op it is malloc'd and the
 *          op's.
 */
#ifndef BROKER_STORE_ROWS_H
#define BROKER_STORE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.pb-c.h"
#include "ulid.h"

#define STORE_HASH         32  /* bytes of a SHA-256 */
#define STORE_QUEUE_LEN    64  /* bytes of a job's queue */
#define STORE_USER_LEN     64  /* of who submitted */
#define STORE_LABEL_LEN    128 /* of a label's key, and of its value */
#define STORE_IDEM_LEN     128 /* of an idempotency key */
#define STORE_TEMPLATE_LEN 140 /* of NAME@VERSION */
#define STORE_LIMITERS_LEN 320 /* of "KEY=N KEY=N": all that a job uses */
#define STORE_TENANT_LEN   64  /* of a tenant's name */

struct store_blob {
    uint8_t *bytes; /* malloc'd, NULL with len 0 when absent */
    size_t len;
};

/* Whether a job is an interpreter, and whether it outlives its maker and the broker. */
enum store_lives { STORE_LIVES_NOT, STORE_LIVES, STORE_LIVES_NAMED };

/* A job without its spec: all that a scheduler has to know of one that waits. */
struct store_job {
    char id[ULID_LEN + 1];
    char name[129];
    char engine[33];
    char template[STORE_TEMPLATE_LEN + 1]; /* in a child of this one, NAME@VERSION; "": none */
    char queue[STORE_QUEUE_LEN + 1];
    char user[STORE_USER_LEN + 1];         /* "uid:1000", "token:ID" */
    char limiters[STORE_LIMITERS_LEN + 1]; /* "KEY=N KEY=N", in order of KEY */
    uint64_t tenant;
    Pb__State state;
    Pb__Cause cause;
    Pb__JobClass class;
    uint32_t prio; /* 1 to 5 */
    uint32_t hold; /* bits of who holds it; the store keeps them and asks nothing */
    uint32_t attempt, infra;
    uint32_t max_attempts; /* 0: 1 */
    uint64_t epoch;
    uint64_t submitted_us, not_before_us, deadline_us;
    uint64_t ended_us; /* recorded; 0: has no receipt */
    char array_id[ULID_LEN + 1];
    uint64_t array_index;
    char spec_of[ULID_LEN + 1];           /* the job or the array whose spec it shares; "": it has its own */
    uint64_t memory_bytes, wall_us;       /* of its limits: what its share of the machine is reckoned from */
    uint32_t threads;                     /* the same */
    uint64_t log_until_us, keep_until_us; /* ended: when its outputs go, when all of it goes; 0: never */
    uint32_t stdin_mode;                  /* Pb__StdinMode */
    bool builds;                          /* the init of a template */
    enum store_lives lives;
};

/* Texts are malloc'd where an op has them; value NULL in a filter: whatever its value. */
struct store_label {
    char *key, *value;
};

/* A task of an array that is being submitted. */
struct store_task {
    char id[ULID_LEN + 1];
    uint64_t index;
};

struct store_array {
    char id[ULID_LEN + 1], name[129], engine[33], queue[STORE_QUEUE_LEN + 1], user[STORE_USER_LEN + 1];
    uint64_t tenant, from, to, step, tasks, submitted_us, not_before_us, deadline_us;
    uint32_t max_parallel; /* 0: no bound */
    uint32_t prio, hold;
    Pb__JobClass class;
    uint64_t ended_us;      /* 0: not all of its tasks have ended */
    Pb__ArrayCounts counts; /* as ARRAY_END wrote them; before: zeros, see store_array_counts() */
};

/* job waits for the end of on; each is a job or an array. */
struct store_dep {
    char job[ULID_LEN + 1], on[ULID_LEN + 1];
    Pb__After after;
    bool met;
    bool was_there; /* the broker's own note: an edit adds it, and it is older */
};

/* An attempt that was not the last. */
struct store_attempt {
    uint32_t n;
    uint64_t epoch, started_us, ended_us, cpu_us;
    Pb__Cause cause;
    char detail[512];
    bool infra;
};

struct store_tenant {
    uint64_t id, parent; /* parent 0: none */
    char name[STORE_TENANT_LEN + 1];
    double weight;
    bool suspended;
    uint64_t created_us;
    struct store_blob body; /* packed Pb__Tenant: quota, limits, retention, uids */
    double vtime, used;     /* of the fair share, as TENANT_USE wrote them */
    uint64_t used_at_us;    /* wall clock of used */
    uint64_t stored_bytes;  /* read: specs, receipts and outputs of its jobs */
};

struct store_token {
    char id[ULID_LEN + 1], queue[STORE_QUEUE_LEN + 1], note[129], made_by[STORE_USER_LEN + 1];
    uint64_t tenant;
    uint8_t hash[STORE_HASH]; /* of the secret, which nobody keeps */
    uint32_t scopes;          /* bits of actor.h */
    uint64_t created_us, expires_us, last_used_us;
    bool revoked;
};

struct store_usage {
    uint64_t tenant, day; /* days since 1970, UTC */
    uint64_t jobs, failed, refused, cpu_us, wall_us;
    uint64_t mib_us; /* MiB times microseconds; a product, so that small ones are not rounded away */
};

struct store_admin_act {
    uint64_t seq; /* read: rises by one with each */
    uint64_t at_us, tenant;
    char actor[STORE_USER_LEN + 1], verb[33], object[129], detail[257];
};

struct store_cron {
    char id[ULID_LEN + 1], name[129], engine[33], expr[129], zone[17], user[STORE_USER_LEN + 1];
    uint64_t tenant, created_us, next_us, last_us;
    char last_job[ULID_LEN + 1];
    bool paused;
    struct store_blob spec; /* packed Pb__JobSpec; put: empty keeps the one that is there; read: not read */
};

struct store_limiter {
    uint64_t tenant;
    char key[129];
    uint32_t max;
};

struct store_template {
    uint64_t tenant;
    char name[129];
    uint32_t version;
    uint64_t created_us;
    struct store_blob spec;
};

struct store_alias {
    uint64_t number; /* read: rises by one with each */
    uint64_t tenant;
    uint64_t ended_us, wall_us, bytes_in, bytes_out;
    char caller[ULID_LEN + 1], server[ULID_LEN + 1]; /* ids of interpreters; server "": a host program */
    char name[129];
    uint32_t error; /* Pb__CallError */
};

struct store_queue {
    char id[ULID_LEN + 1], name[129];
    uint64_t tenant;
    uint32_t max_items, unbound; /* Pb__Unbound */
    uint64_t max_bytes;
    bool closed;
};
struct store_queue_item {
    uint64_t row;
    uint32_t unbound; /* Pb__Unbound */
    char sender[ULID_LEN + 1];
    const void *value; /* borrowed */
    size_t len;
};

#endif
