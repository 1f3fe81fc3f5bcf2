/*
 * store.h - the broker's memory on disk: jobs, their specs, their receipts and their output.
 *
 * Side:    broker (trusted). The main thread pushes changes and reads; a writer thread of the store's own commits the changes in
 *          groups (one fsync for all that have gathered) and hands them back. Nothing is promised to anybody before its op came back
 *          with status 0.
 * Owned:   a pushed op belongs to the store until store_collect() returns it, then to the caller again, who calls store_op_free().
 * Returns: 0 or -errno. -ENOSPC: the disk is full; -EROFS: the directory is read-only; -EBUSY: another broker holds it;
 *          -EPROTONOSUPPORT: written by a newer coop; -EUCLEAN: the database is damaged; -ENOENT: no such job;
 *          -ENOTUNIQ: the prefix names several jobs.
 */
#ifndef BROKER_STORE_H
#define BROKER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job.pb-c.h"
#include "ulid.h"

struct store;

enum store_kind {
    STORE_SUBMIT,          /* a new job: id, spec, status fields. Wakes the writer at once. */
    STORE_START,           /* the job was assigned: state RUNNING, attempt, epoch. Rides along with the next commit, at most 50 ms later. */
    STORE_REQUEUE,         /* back to READY after its worker was lost: attempt, epoch. Rides along as well. */
    STORE_FINISH,          /* the receipt and the small outputs, in one transaction, once: -EEXIST when the job already has a receipt. */
    STORE_KV_PUT,          /* a key's value: -EEXIST: only_new, and the key is there; -EDQUOT: the tenant's keys or bytes. */
    STORE_KV_DROP,         /* a key goes: -ENOENT: it is not there. */
    STORE_ALIAS,           /* a call of an alias has ended. Rides along. */
    STORE_TEMPLATE,        /* a template: name, version, spec, submitted_us */
    STORE_TEMPLATE_REMOVE, /* the same is gone: name, version */
    STORE_QUEUE_ADD,       /* a durable queue: -EEXIST: the name or the id is taken. For the rest, job is its id. */
    STORE_QUEUE_CLOSE,     /* takes no more items; discard: those that are in it go */
    STORE_QUEUE_REMOVE,    /* with what is in it */
    STORE_QUEUE_PUT,       /* an item: epoch is its row, attempt its Pb__Unbound, name its sender, value what it is */
    STORE_QUEUE_TAKE,      /* the item of row epoch is gone. Rides along. */
};

#define STORE_STREAMS 3

/* Whether a job is an interpreter, and whether it outlives its maker and the broker. */
enum store_lives { STORE_LIVES_NOT, STORE_LIVES, STORE_LIVES_NAMED };

struct store_blob {
    uint8_t *bytes; /* malloc'd, owned by the op; NULL with len 0 when absent */
    size_t len;
};

struct store_op {
    enum store_kind kind;
    char job[ULID_LEN + 1];
    char name[129];                       /* SUBMIT */
    char engine[33];                      /* SUBMIT */
    uint32_t version;                     /* TEMPLATE */
    uint64_t submitted_us;                /* SUBMIT, TEMPLATE: wall clock */
    uint32_t stdin_mode;                  /* SUBMIT: Pb__StdinMode */
    uint32_t attempt;                     /* START, REQUEUE, FINISH */
    uint64_t epoch;                       /* START, REQUEUE, FINISH */
    Pb__State state;                      /* FINISH: the outcome */
    Pb__Cause cause;                      /* FINISH */
    enum store_lives lives;               /* SUBMIT; an interpreter's that is not named rides along as START does */
    struct store_blob definition;         /* SUBMIT of a named one: packed Pb__InterpCreate without its spec */
    struct store_blob spec;               /* SUBMIT: packed Pb__JobSpec */
    struct store_blob receipt;            /* FINISH: packed Pb__Receipt */
    struct store_blob out[STORE_STREAMS]; /* FINISH: stdout, stderr, collected files; absent when they are empty or live in spool files */
    int sync_fd[STORE_STREAMS]; /* FINISH: spool files to fdatasync before the commit, -1 when none. Stay open until the op is back; not
                                 closed by the store. */

    char *key;                         /* KV, malloc'd, owned by the op; ALIAS: the alias's name */
    struct store_blob value;           /* KV_PUT */
    uint32_t tenant;                   /* KV */
    bool only_new;                     /* KV_PUT */
    struct store_alias *alias;         /* ALIAS, malloc'd, owned by the op */
    struct store_queue *queue;         /* QUEUE_ADD, malloc'd, owned by the op */
    bool discard;                      /* QUEUE_CLOSE */
    void (*done)(struct store_op *op); /* called when it is back, in place of what the kind means to a job; NULL: nobody waits */

    int status;            /* set by the store: 0 or -errno. Refused: -EEXIST (SUBMIT: the id; else: a receipt is there), -ESTALE (a
                                 lower epoch than the stored one), -ENOENT. Anything else is the disk's: not promised, push it again. */
    int sync_status;       /* the store's: what fdatasync said */
    void *owner;           /* the caller's */
    struct store_op *next; /* the store's while it owns the op; the list link of store_collect() */
};

/* What is known of a job without its spec. */
struct store_job {
    char id[ULID_LEN + 1];
    char name[129];
    char engine[33];
    Pb__State state;
    Pb__Cause cause;
    uint32_t attempt;
    uint64_t epoch;
    uint64_t submitted_us;
    uint32_t stdin_mode;
    enum store_lives lives;
};

/* Opens (creates, migrates) DIR/coop.db; takes the lock on DIR/lock for the life of the process. why: one sentence on failure. */
#define STORE_WHY 512
int store_open(const char *dir, struct store **ret_store, char why[STORE_WHY]);
/* The same in two steps, between which whoever could reach the directory may stop being able to. dir: for messages; dir_fd stays the caller's. */
int store_open_dir(const char *dir, int *ret_fd, char why[STORE_WHY]);
int store_open_at(int dir_fd, const char *dir, struct store **ret_store, char why[STORE_WHY]);
/* Commits what was pushed, ends the writer, closes. NULL is fine. Ops not collected are freed. */
void store_close(struct store *s);

struct store_op *store_op_new(enum store_kind kind, const char *job); /* zeroed, sync_fd -1; NULL without memory */
void store_op_free(struct store_op *op);

void store_push(struct store *s, struct store_op *op); /* never blocks on the disk */
int store_event_fd(const struct store *s);             /* readable when store_collect() has something */
struct store_op *store_collect(struct store *s);       /* list of finished ops in commit order, NULL when none; clears the event */
size_t store_pending(const struct store *s);           /* ops pushed and not yet collected */

/* Reads, main thread only: what is committed. Ids are whole and upper case except for store_find(), which takes a prefix of at least
 * ULID_MIN_PREFIX characters in any case (-ENOENT for what cannot be an id). Blobs returned are malloc'd; the caller frees. */
int store_find(struct store *s, const char *id_or_prefix, struct store_job *ret_job);
int store_read_spec(struct store *s, const char *id, struct store_blob *ret);
int store_read_definition(struct store *s, const char *id, struct store_blob *ret); /* -ENOENT: not a named interpreter */
int store_read_receipt(struct store *s, const char *id, struct store_blob *ret);    /* -ENOENT: has none */
/* At most max bytes of the job's kept output from offset; stream 0 stdout, 1 stderr, 2 collected files. Empty when past its end or kept in a file. */
int store_read_output(struct store *s, const char *id, int stream, uint64_t offset, size_t max, struct store_blob *ret);
#define STORE_HASH 32

/* Where a receipt stands in the chain; previous: zeros for the first. -ENOENT: not in it. */
struct store_link {
    uint64_t seq;
    uint8_t hash[STORE_HASH], previous[STORE_HASH];
};
int store_read_link(struct store *s, const char *job, struct store_link *ret);

/* The last record of the chain; seq 0: it has not begun. */
struct store_head {
    bool there;
    uint64_t seq, recorded_us;
    uint8_t hash[STORE_HASH];
};
int store_read_head(struct store *s, struct store_head *ret);

/* What does not fit; see AuditFaultKind in control.proto, which has the same numbers. */
enum audit_fault { AUDIT_NONE, AUDIT_CHANGED, AUDIT_REMOVED, AUDIT_GAP, AUDIT_TRUNCATED, AUDIT_HEAD, AUDIT_ADDED, AUDIT_JOB };

/* A walk along the chain, some milliseconds a call: all zero at first, then as the call before left it, until ended or fault. */
struct store_audit {
    uint64_t seq; /* checked up to this record */
    uint8_t hash[STORE_HASH];
    char job[ULID_LEN + 1]; /* not "": the chain itself is done, receipts up to this job's have been looked up in it */
    const uint8_t *find;    /* a hash to look for, or NULL; found_seq: its record, when it was in this slice */
    uint64_t found_seq;
    struct store_head head;
    bool ended;
    enum audit_fault fault;
    uint64_t fault_seq;
    char fault_job[ULID_LEN + 1], text[160];
};
int store_audit(struct store *s, struct store_audit *a);

/* ---- keys and values: store_kv.c ---- */

#define STORE_KV_KEY   256          /* bytes of a key */
#define STORE_KV_VALUE (64u << 10)  /* of a value */
#define STORE_KV_KEYS  100000       /* of a tenant */
#define STORE_KV_BYTES (256u << 20) /* of a tenant's keys and values together */

/* -ENOENT: no such key. */
int store_kv_get(struct store *s, uint32_t tenant, const char *key, struct store_blob *ret);
/* Keys that begin with prefix and sort behind after ("": from the first), in order of their bytes, as malloc'd texts. Returns how many, at most max. */
int store_kv_list(struct store *s, uint32_t tenant, const char *prefix, const char *after, char **ret_keys, int max);

/* ---- calls of aliases: the last STORE_ALIASES of them ---- */

#define STORE_ALIASES 100000

struct store_alias {
    uint64_t number; /* read: rises by one with each */
    uint64_t ended_us, wall_us, bytes_in, bytes_out;
    char caller[ULID_LEN + 1], server[ULID_LEN + 1]; /* ids of interpreters; server "": a host program */
    char name[129];
    uint32_t error; /* Pb__CallError */
};
/* The last first, before that number (0: the newest). Returns how many, at most max. */
int store_alias_list(struct store *s, uint64_t before, struct store_alias *ret, int max);

/* ---- durable queues: store_queues.c ---- */

struct store_queue {
    char id[ULID_LEN + 1], name[129];
    uint32_t max_items, unbound; /* Pb__Unbound */
    uint64_t max_bytes;
    bool closed;
};
struct store_queue_item {
    uint64_t row;
    uint32_t unbound;
    char sender[ULID_LEN + 1];
    const void *value; /* borrowed */
    size_t len;
};
/* Oldest first. fn returns 0 to go on; anything else ends the walk and is returned. */
int store_each_queue(struct store *s, int (*fn)(void *ctx, const struct store_queue *q), void *ctx);
int store_each_queue_item(struct store *s, const char *queue, int (*fn)(void *ctx, const struct store_queue_item *i), void *ctx);

/* Newest first, older than before (an id, or NULL), only states in the bit set (1u << state; 0 = all). Returns how many were written. */
int store_list(struct store *s, uint32_t states, const char *before, struct store_job *ret_jobs, int max);
/* Calls fn for every job without a receipt, oldest first: what a restart has to take up. fn returns 0 to go on;
 * anything else ends the walk and is returned. */
/* Templates that have not been removed, oldest first; fn as below. The spec is borrowed. And the highest version that there ever was of a name, 0: none. */
uint32_t store_last_template(struct store *s, const char *name);
int store_each_template(struct store *s,
                        int (*fn)(void *ctx, const char *name, uint32_t version, uint64_t created_us, const struct store_blob *spec),
                        void *ctx);
int store_each_unfinished(struct store *s, int (*fn)(void *ctx, const struct store_job *job), void *ctx);

#endif
