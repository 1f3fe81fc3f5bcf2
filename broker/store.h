/*
 * store.h - the broker's memory on disk: jobs, their specs, their receipts and their output, and who they belong to.
 *
 * Side:    broker (trusted). The main thread pushes changes and reads; a writer thread of the store's own commits the changes in
 *          groups (one fsync for all that have gathered) and hands them back. Nothing is promised to anybody before its op came back
 *          with status 0.
 * Owned:   a pushed op belongs to the store until store_collect() returns it, then to the caller again, who calls store_op_free().
 * Returns: 0 or -errno. -ENOSPC: the disk is full; -EROFS: the directory is read-only; -EBUSY: another broker holds it;
 *          -EPROTONOSUPPORT: written by a newer coop; -EUCLEAN: the database is damaged; -ENOENT: no such job;
 *          -ENOTUNIQ: the prefix names several jobs.
 * Border:  nothing above knows SQL. Jobs are claimed in batches; every change of a job is guarded by the epoch of its claim (store_fence),
 *          and a receipt is written once: what a second broker on the same store would do is refused here.
 */
#ifndef BROKER_STORE_H
#define BROKER_STORE_H

#include "broker/store_rows.h"

struct store;
struct frame;

/* Each with the member of the union that it uses. "Rides along": goes with the next commit, at most 50 ms later; the others wake the writer. */
enum store_kind {
    STORE_SUBMIT,     /* submit: a new job, or an array with all its tasks. -EEXIST: the id, or the tenant's idem key (then submit.there) */
    STORE_CLAIM,      /* claims: jobs that wait get a slot, each with an answer of its own. Rides along. */
    STORE_MOVE,       /* move: any other step between states that are no ends: -ESTALE: by its fence. Rides along. */
    STORE_ATTEMPT,    /* attempt: of a job; what is there of this epoch stays. Rides along. */
    STORE_EDIT,       /* edit: a job that waits: -ESTALE: it does not, or its epoch is higher. Or an array that has not ended. */
    STORE_FINISH,     /* finish: the receipt and the small outputs, in one transaction, once: -EEXIST when the job already has a receipt;
                         -ESTALE: by its fence. */
    STORE_REMOVE,     /* an ended job, or an array of which every task has ended, with all that there is of it: -EBUSY: not ended. */
    STORE_DROP_LOGS,  /* the outputs of an ended job; its receipt stays. Rides along. */
    STORE_ARRAY_END,  /* array_end: every task has ended. Rides along. */
    STORE_DEP_ADD,    /* dep: -EEXIST: the edge is there; -ENOENT: no job of the name dep.on. */
    STORE_DEP_MET,    /* dep: job, on: need not be waited for any more. Rides along. */
    STORE_DEP_DROP,   /* dep: job, on: -ENOENT */
    STORE_TENANT_PUT, /* tenant: new, or name, parent, weight, suspended, body anew: -EEXIST: the name is another's. */
    STORE_TENANT_USE, /* tenant: id, vtime, used, used_at_us. Rides along. */
    STORE_TENANT_REMOVE,   /* tenant: id; with its tokens, limiters, usage: -EBUSY: it has jobs, cron entries or children; -ENOENT */
    STORE_TOKEN_PUT,       /* token: new, or all of it anew */
    STORE_TOKEN_USED,      /* token: id, last_used_us. Rides along. */
    STORE_TOKEN_REMOVE,    /* token: id: -ENOENT */
    STORE_CRON_PUT,        /* cron: new, or all of it anew; idem as in SUBMIT */
    STORE_CRON_REMOVE,     /* cron: id: -ENOENT */
    STORE_LIMITER_PUT,     /* limiter */
    STORE_LIMITER_REMOVE,  /* limiter: tenant, key: -ENOENT */
    STORE_USAGE,           /* usage: is added to that of the day. Rides along. */
    STORE_ADMIN_ACT,       /* admin_act */
    STORE_KV_PUT,          /* kv: -EEXIST: only_new, and the key is there; -EDQUOT: the tenant's keys or bytes. */
    STORE_KV_DROP,         /* kv: -ENOENT: it is not there. */
    STORE_ALIAS,           /* alias: a call of an alias has ended. Rides along. */
    STORE_TEMPLATE,        /* template: -EEXIST */
    STORE_TEMPLATE_REMOVE, /* template: tenant, name, version; its number is not given again */
    STORE_QUEUE_ADD,       /* queue: durable: -EEXIST: the tenant's name or the id is taken. */
    STORE_QUEUE_CLOSE,     /* queue_of: takes no more items; discard: those that are in it go */
    STORE_QUEUE_REMOVE,    /* queue_of: with what is in it */
    STORE_QUEUE_PUT,       /* item */
    STORE_QUEUE_TAKE,      /* item: row. Rides along. */
    STORE_HOOK_DONE,       /* of a job: nobody is owed the notice of its end any more. Rides along. */
    STORE_KINDS
};

#define STORE_STREAMS 3

/* What rides on SUBMIT and CRON_PUT: the same key of the same tenant is given once. */
struct store_idem {
    char key[STORE_IDEM_LEN + 1]; /* "": none */
    uint8_t spec_hash[STORE_HASH];
};

struct store_submit {
    struct store_job row; /* of the job; of an array: what all its tasks have. row.id is the op's job. */
    struct store_idem idem;
    struct store_blob spec;       /* packed Pb__JobSpec; empty with row.spec_of */
    struct store_blob definition; /* of a named interpreter: packed Pb__InterpCreate without its spec */
    struct store_array *array;    /* malloc'd: it is an array, row its tasks'; NULL: a job */
    struct store_task *tasks;     /* malloc'd; array->tasks of them */
    struct store_label *labels;   /* malloc'd, as the texts in it */
    size_t n_labels;
    struct store_dep *deps; /* malloc'd; their job is filled in */
    size_t n_deps;
    bool hooks;               /* it names webhooks: store_each_hook() has it until HOOK_DONE */
    char there[ULID_LEN + 1]; /* set by the store with -EEXIST: the job, array or cron entry that has the idem key; "": the id is taken */
    bool same;                /* and its spec_hash is this one */
};

/* A change of a job goes through when its row has one of these epochs. Else another broker has claimed it since: -ESTALE. */
struct store_fence {
    uint64_t was;    /* of the step before this one, which may be on its way, or lost to the disk */
    uint64_t stored; /* of the last step that is known to be stored */
};

/* One of a batch. */
struct store_claim {
    char job[ULID_LEN + 1];
    uint32_t attempt, infra;
    uint64_t not_before_us;
    uint64_t epoch; /* from now on */
    struct store_fence fence;
    int status; /* set by the store, where the op's is 0: 0; -ESTALE: it does not wait, or its fence; -EEXIST: it has a receipt; -ENOENT */
};

struct store_move {
    Pb__State state;
    uint32_t attempt, infra, hold;
    uint64_t not_before_us;
    uint64_t epoch; /* from now on */
    struct store_fence fence;
    struct store_attempt *ended; /* malloc'd: an attempt that has ended with this step; NULL: none */
};

/* What of an edit counts. */
enum store_edit_what {
    STORE_EDIT_NAME = 1,
    STORE_EDIT_PRIO = 2,
    STORE_EDIT_CLASS = 4,
    STORE_EDIT_NOT_BEFORE = 8,
    STORE_EDIT_DEADLINE = 16,
    STORE_EDIT_LIMITS = 32, /* memory_bytes, threads, wall_us */
    STORE_EDIT_STATE = 64,  /* state, hold: one that waits */
    STORE_EDIT_LIMITERS = 128,
    STORE_EDIT_LABELS = 256, /* all of them anew */
    STORE_EDIT_SPEC = 512,
    STORE_EDIT_MAX_PARALLEL = 1024, /* of an array */
};

struct store_edit {
    uint32_t what;
    struct store_job row; /* what counts of it, and its epoch */
    uint32_t max_parallel;
    struct store_blob spec;
    struct store_label *labels; /* malloc'd, as the texts in it */
    size_t n_labels;
    struct store_dep *add, *drop; /* malloc'd; their job is filled in. What is there already, or is not there, is no error. */
    size_t n_add, n_drop;
};

/* Where a receipt stands in the chain; previous: zeros for the first. */
struct store_link {
    uint64_t seq;
    uint8_t hash[STORE_HASH], previous[STORE_HASH];
};

struct store_finish {
    uint32_t attempt, infra;
    uint64_t epoch;
    struct store_fence fence;
    Pb__State state; /* the outcome */
    Pb__Cause cause;
    uint64_t log_until_us, keep_until_us;
    struct store_blob receipt;            /* packed Pb__Receipt */
    struct store_blob out[STORE_STREAMS]; /* stdout, stderr, collected files; absent when they are empty or live in spool files */
    int sync_fd[STORE_STREAMS];           /* spool files to fdatasync before the commit, -1 when none. Stay open until the op is back; not
                                 closed by the store. */
    uint64_t spooled_bytes;               /* what those files hold: it counts as stored by the tenant */
    struct store_usage usage; /* added to that of its tenant and day, which the store fills in, with one job; jobs 0: is not counted */
    /* Set by the store, of an op that is back with status 0: what store_find() and store_read_link() say of the job from now on. */
    struct store_job row;
    struct store_link link;
};

struct store_item {
    uint64_t row;
    uint32_t unbound;          /* Pb__Unbound */
    char sender[ULID_LEN + 1]; /* of a job, "": a host program */
    struct store_blob value;
};

struct store_kv {
    uint64_t tenant;
    char *key; /* malloc'd */
    struct store_blob value;
    bool only_new;
};

struct store_op {
    enum store_kind kind;
    char job[ULID_LEN + 1]; /* of the job or array; of the queue for QUEUE_...; "" where the kind is about neither, or about several */
    union {
        struct store_submit submit;
        struct {
            struct store_claim *at; /* malloc'd: store_claim_add() */
            size_t n, cap;
        } claims;
        struct store_move move;
        struct store_attempt attempt;
        struct store_edit edit;
        struct store_finish finish;
        Pb__ArrayCounts array_end;
        struct store_dep dep; /* its job is the op's */
        struct store_tenant tenant;
        struct store_token token;
        struct {
            struct store_cron row;
            struct store_idem idem;
            char there[ULID_LEN + 1]; /* as submit.there */
            bool same;
        } cron;
        struct store_limiter limiter;
        struct store_usage usage;
        struct store_admin_act admin_act;
        struct store_kv kv;
        struct store_alias alias;
        struct store_template template;
        struct store_queue queue;
        bool discard; /* QUEUE_CLOSE */
        struct store_item item;
    };
    bool urgent;                       /* somebody waits for this one, whatever its kind */
    void (*done)(struct store_op *op); /* called when it is back, in place of what the kind means to a job; NULL: nobody waits */

    int status; /* set by the store: 0 or -errno. Refused, and nothing of it was written: what the kind says, else -EEXIST (a receipt
                                 is there), -ESTALE (a lower epoch than the stored one), -ENOENT. Anything else is the disk's: not
                                 promised, push it again. */
    struct {
        uint64_t tenant;
        int64_t bytes;
    } counted; /* set by the store: what the op has added to what the tenant has stored; 0 with another status than 0 */
    /* The store's, of an array's SUBMIT and REMOVE, which are many transactions: others' commits go in between. Until an array is whole its
     * row says so, and whatever opens the store next drops it. */
    struct {
        uint64_t at, next; /* tasks that are in: committed, and with this transaction */
        int64_t bytes;     /* counted by those before */
        int undo;          /* it has failed half way, and goes again; then this is its status */
        bool more;
    } slice;
    int sync_status;       /* set by the store: what fdatasync said of the files of a FINISH; not 0: nothing was written */
    unsigned sync_lost;    /* and of which: bits 1u << stream. They are not to be asked again: a second answer may be a lie. */
    void *owner;           /* the caller's */
    struct store_op *next; /* the store's while it owns the op; the list link of store_collect() */
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
/* One more for a STORE_CLAIM: zeroed, with this id; good until the next is added. NULL without memory. */
struct store_claim *store_claim_add(struct store_op *op, const char *job);

void store_push(struct store *s, struct store_op *op); /* never blocks on the disk */
int store_event_fd(const struct store *s);             /* readable when store_collect() has something */
struct store_op *store_collect(struct store *s);       /* list of finished ops in commit order, NULL when none; clears the event */
size_t store_pending(const struct store *s);           /* ops pushed and not yet collected */

/* ---- rows that no broker has written ----
 * The walks of a start, those of all unfinished jobs, arrays, dependencies, cron entries, limiters, tenants, templates and queues, leave out
 * what cannot be taken, and tell of it; of a row that is taken, a number that none may have is read as one that it may. With fn NULL they
 * only tell. */
struct store_unsound {
    const char *table;
    char row[160], why[160]; /* what names it; printable, as far as it can be shown */
    bool taken;
};
void store_on_unsound(struct store *s, void (*fn)(void *ctx, const struct store_unsound *u), void *ctx);
/* Tells of one that is whole as a row, and cannot be used. */
void store_tell_unsound(struct store *s, const char *table, const char *row, const char *why);
/* A spec as it is stored: what no broker has stored is -EPROTO. 0: ret is to be released. */
int store_decode_spec(struct frame *ret, const void *packed, size_t len);

/* ---- jobs ----
 * Reads, main thread only: what is committed. Ids are whole and upper case except for store_find(), which takes a prefix of at least
 * ULID_MIN_PREFIX characters in any case (-ENOENT for what cannot be an id). Blobs returned are malloc'd; the caller frees. A callback
 * returns 0 to go on; anything else ends the walk and is returned. It may ask the store anything, but the walk that it is in. */

/* tenants: whose jobs count, n of them; n 0: everybody's. A job of another is as good as not there. */
int store_find_of(struct store *s, const char *id_or_prefix, const uint64_t *tenants, size_t n, struct store_job *ret_job);
int store_find(struct store *s, const char *id_or_prefix, struct store_job *ret_job); /* everybody's */
int store_find_array(struct store *s, const char *id_or_prefix, const uint64_t *tenants, size_t n, struct store_array *ret);
/* The task of this number of an array (its whole id). -ENOENT. */
int store_find_task(struct store *s, const char *array, uint64_t index, struct store_job *ret_job);
/* The job, array or cron entry that has the key. -ENOENT. */
int store_find_idem(struct store *s, uint64_t tenant, const char *key, char ret_id[ULID_LEN + 1], uint8_t ret_hash[STORE_HASH]);
/* The job or array in whose row the spec of a job lies: those that have the same share it. Cheap, however long it is. */
int store_spec_owner(struct store *s, const char *id, char ret_id[ULID_LEN + 1]);
int store_read_spec(struct store *s, const char *id, struct store_blob *ret); /* of a job, wherever it is; of an array; of a cron entry */
int store_read_definition(struct store *s, const char *id, struct store_blob *ret); /* -ENOENT: not a named interpreter */
int store_read_receipt(struct store *s, const char *id, struct store_blob *ret);    /* -ENOENT: has none */
/* At most max bytes of the job's kept output from offset; stream 0 stdout, 1 stderr, 2 collected files. Empty when past its end or kept in a file. */
int store_read_output(struct store *s, const char *id, int stream, uint64_t offset, size_t max, struct store_blob *ret);
/* In order of key. key and value are borrowed. */
int store_each_label(struct store *s, const char *id, int (*fn)(void *ctx, const char *key, const char *value), void *ctx);
/* In the order in which they ended. */
int store_each_attempt(struct store *s, const char *id, int (*fn)(void *ctx, const struct store_attempt *a), void *ctx);

/* What to list; all zero: everything. Texts and lists are borrowed. */
struct store_filter {
    uint32_t states;    /* bits 1u << state; 0: all. Not for arrays */
    const char *before; /* older than this id; NULL: the newest */
    const uint64_t *tenants;
    size_t n_tenants; /* 0: all */
    const struct store_label *labels;
    size_t n_labels;      /* all of them */
    const char *array_id; /* its tasks; NULL: whatever */
    const char *name;     /* exactly; NULL: any */
    uint64_t since_us;    /* submitted then or later */
    bool no_tasks;        /* none that belongs to an array */
};
/* Newest first. Returns how many were written. */
int store_list(struct store *s, const struct store_filter *f, struct store_job *ret_jobs, int max);
int store_list_arrays(struct store *s, const struct store_filter *f, struct store_array *ret, int max);

/* Every job without a receipt, oldest first: what a restart has to take up. */
int store_each_unfinished(struct store *s, int (*fn)(void *ctx, const struct store_job *job), void *ctx);
/* Tasks of an array in order of index; every one, or those that have no receipt. */
int store_each_task(struct store *s, const char *array, bool unfinished, int (*fn)(void *ctx, const struct store_job *job), void *ctx);
/* Ended jobs that are due by now_us, at most max of them, those due longest first: their outputs (logs), or all of them. No tasks of arrays
 * whose other tasks run: those are due together. */
int store_each_due(struct store *s, bool logs, uint64_t now_us, int max, int (*fn)(void *ctx, const struct store_job *job), void *ctx);

/* ---- arrays, dependencies, cron entries, limiters ---- */

int store_each_array(struct store *s, int (*fn)(void *ctx, const struct store_array *a), void *ctx); /* not ended, oldest first */
int store_array_counts(struct store *s, const char *array, Pb__ArrayCounts *ret); /* as its tasks are stored: looks at each of them */
/* Edges that are not met, of jobs and arrays that have not ended; job NULL: of all of them. The other: of one, met or not. */
int store_each_dep(struct store *s, int (*fn)(void *ctx, const struct store_dep *d), void *ctx);
int store_each_dep_of(struct store *s, const char *job, int (*fn)(void *ctx, const struct store_dep *d), void *ctx);
int store_each_cron(struct store *s, int (*fn)(void *ctx, const struct store_cron *c), void *ctx);
int store_each_limiter(struct store *s, int (*fn)(void *ctx, const struct store_limiter *l), void *ctx);

/* ---- tenants ---- */

int store_each_tenant(struct store *s, int (*fn)(void *ctx, const struct store_tenant *t), void *ctx);
int store_each_token(struct store *s, int (*fn)(void *ctx, const struct store_token *t), void *ctx);
/* By day from from_day up to, not including, to_day; tenants as in store_find_of(). */
int store_each_usage(struct store *s, const uint64_t *tenants, size_t n, uint64_t from_day, uint64_t to_day,
                     int (*fn)(void *ctx, const struct store_usage *u), void *ctx);
int store_stored_bytes(struct store *s, uint64_t tenant, uint64_t *ret);
/* The last first, before that seq (0: the newest). Returns how many, at most max. */
int store_admin_list(struct store *s, uint64_t before, struct store_admin_act *ret, int max);

/* ---- the chain of receipts: store_chain.c ---- */

/* -ENOENT: not in it. */
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
    uint64_t removed; /* records so far whose job was removed by order: their own receipt cannot be checked any more */
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
int store_kv_get(struct store *s, uint64_t tenant, const char *key, struct store_blob *ret);
/* Keys that begin with prefix and sort behind after ("": from the first), in order of their bytes, as malloc'd texts. Returns how many, at most max. */
int store_kv_list(struct store *s, uint64_t tenant, const char *prefix, const char *after, char **ret_keys, int max);

/* ---- the store's own secrets: store_secret.c ---- */

#define STORE_SECRET      32     /* bytes */
#define STORE_SECRET_BLOB "blob" /* what stamps sealed blobs: blobs.h */

/* -ENOENT: it is not there; -EUCLEAN: it is not of its length. A store has each from its first moment on, and none is ever made anew but by repair. */
int store_read_secret(struct store *s, const char *name, uint8_t ret[STORE_SECRET]);

/* ---- calls of aliases: the last STORE_ALIASES of them ---- */

#define STORE_ALIASES 100000

/* The last first, before that number (0: the newest). tenant: of this one; NULL: everybody's. Returns how many, at most max. */
int store_alias_list(struct store *s, const uint64_t *tenant, uint64_t before, struct store_alias *ret, int max);

/* ---- durable queues: store_queues.c ---- */

/* Oldest first. */
int store_each_queue(struct store *s, int (*fn)(void *ctx, const struct store_queue *q), void *ctx);
int store_each_queue_item(struct store *s, const char *queue, int (*fn)(void *ctx, const struct store_queue_item *i), void *ctx);

/* ---- templates ---- */

/* The highest version that there ever was of a name of this tenant, 0: none. */
uint32_t store_last_template(struct store *s, uint64_t tenant, const char *name);
/* Those that have not been removed, oldest first. */
int store_each_template(struct store *s, int (*fn)(void *ctx, const struct store_template *t), void *ctx);

/* ---- webhooks: store_hooks.c ---- */

/* Jobs and arrays that still owe somebody the notice of their end, oldest first. */
int store_each_hook(struct store *s, int (*fn)(void *ctx, const char *job), void *ctx);

#endif
