/*
 * coop/interp.h - native code among interpreters: what a shared object exports to be one, and what a job or an interpreter may ask for.
 *
 * Being one: a shared object with a table coop_functions is an interpreter: `coop interp create --engine native FILE.so`. Its globals are
 *            its state. A call is a C function with typed arguments and a typed result (coop/value.h).
 * Asking:    makes interpreters, calls functions of theirs, moves values through queues and memory through buffers. Each is asked of the
 *            broker, which lets the job do what its capabilities say (`--cap interpreters=8`), within what is left of its own limits.
 * Names:     what a host program does by coop/client.h has the same name and the same meaning there. There the first argument is the
 *            connection, things are named by their ids, time is a time-out, and why something failed is given to the caller. A file is on
 *            one side of the wall: one that includes both headers, coop/client.h first, has that one's functions and types; the other way
 *            round it is not compiled, and told so.
 *
 * Returns:   0 (or a documented count), or -errno. Each errno is one error of the list in docs/calls.md: -ENOBUFS is QueueFull, -ECHILD is
 *            ExecutionFailed ... coop_last_error() has its name, its message and all there is to know of it. -EINVAL: a NULL or senseless
 *            argument (BadRequest); -ENOMEM. What is given in ret_ is written on success only; where noted it may be NULL.
 * Blocking:  a function that asks the broker parks its tasklet until the answer is here, and the others go on. In a job of several
 *            threads the thread waits. One that is cancelled takes back what it asked for: -ECANCELED, and it has not happened; or it has
 *            happened already, then it is 0 and the next one fails. -EPERM where a tasklet may not block (coop/task.h).
 * Deadlines: of the thing that is waited for, as in coop/task.h: microseconds of CLOCK_MONOTONIC, COOP_NEVER, 0: now or not at all. The way
 *            to the broker and back, some 20 us, is not counted. Functions without one are answered at once, but for the way.
 * Memory:    values are freed by coop_val_free(), what else is given in ret_ is one block for free(). Arguments are borrowed for the
 *            time of the call, but for values that are returned.
 * Bounds:    2,048 asks open at once, 256 KiB each; a value is 64 KiB at most: larger ones travel in buffers.
 */
#ifndef COOP_INTERP_H
#define COOP_INTERP_H

#include <coop/task.h>
#include <coop/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- being an interpreter ------------------------------------------------------------------------------------------------------- */

/*
 *     static int64_t total;
 *
 *     static int add(coop_request *r)
 *     {
 *         int64_t n;
 *
 *         if (coop_arg_int(r, 0, &n) != 0)
 *             return -1;
 *         total += n;
 *         return coop_return_int(r, total);
 *     }
 *
 *     const struct coop_function coop_functions[] = { { "add", add }, { NULL, NULL } };
 *
 * Functions run one at a time, on the main tasklet; tasklets that they leave behind go on, also between the calls. Streams are as of a job.
 * An interrupt cancels the main tasklet: what blocks returns -ECANCELED, the function should return, and the interpreter lives on. One that
 * does not return in time is killed. A crash, exit(), a limit or a broken rule ends the interpreter: its caller is told how.
 */
typedef struct coop_request coop_request;

struct coop_function {
    const char *name; /* what it is called by; NULL: the end of the table */
    int (*fn)(coop_request *r);
};

/* Defined by the shared object. It may define coop_job() too (coop/native.h), and then be either. */
extern const struct coop_function coop_functions[];

/* Both may be missing. start runs once, before the first call, with the arguments the interpreter was made with (argv[0] is its file's
 * name): other than 0 and it has not been made. stop runs when it is closed, not when it is killed. */
int coop_start(int argc, char **argv);
void coop_stop(void);

const char *coop_request_name(const coop_request *r);   /* of the function, or the alias; borrowed */
const char *coop_request_caller(const coop_request *r); /* of an alias: the interpreter's id; else "" */

/* The arguments, a list: borrowed until the function returns. */
const coop_val *coop_args(const coop_request *r);
size_t coop_n_args(const coop_request *r);
/* Argument number i, from 0; NULL: there are not so many. */
const coop_val *coop_arg(const coop_request *r, size_t i);

/* The same by type. -EINVAL: there is none, or of another type; the call then fails as a TypeError which says so, unless it succeeds. */
int coop_arg_bool(coop_request *r, size_t i, bool *ret);
int coop_arg_int(coop_request *r, size_t i, int64_t *ret);
int coop_arg_double(coop_request *r, size_t i, double *ret); /* an integer too */
/* UTF-8 that ends with a NUL, borrowed as coop_args(). ret_len may be NULL; then one with a NUL inside is refused. */
int coop_arg_text(coop_request *r, size_t i, const char **ret, size_t *ret_len);
int coop_arg_bytes(coop_request *r, size_t i, const void **ret, size_t *ret_len);
int coop_arg_list(coop_request *r, size_t i, const coop_val **ret);
int coop_arg_map(coop_request *r, size_t i, const coop_val **ret);
int coop_arg_handle(coop_request *r, size_t i, enum coop_kind kind, const struct coop_handle **ret); /* COOP_KIND_NONE: of any */

/*
 * The result; the last one counts; none: null. coop_return() takes value. All return 0, for a tail: what is wrong with a value is found
 * when it is sent, and the call fails as NotShareable, with the element's path.
 */
int coop_return(coop_request *r, coop_val *value);
int coop_return_bool(coop_request *r, bool b);
int coop_return_int(coop_request *r, int64_t i);
int coop_return_double(coop_request *r, double d);
int coop_return_text(coop_request *r, const char *text);
int coop_return_bytes(coop_request *r, const void *bytes, size_t len);

/*
 * The call fails as ExecutionFailed with this type and message (UTF-8; what is not becomes \xNN; 63 and 4,095 bytes are kept) and the calls
 * on the stack as traceback. Returns -ECHILD, for a tail. A function that returns other than 0 without it fails with what the arguments'
 * functions found wrong, or with its own last error of this header when that has this errno, or as an Error with the errno's words.
 */
__attribute__((format(printf, 3, 4))) int coop_fail(coop_request *r, const char *type, const char *format, ...);

/* A value that was prepared under this name; NULL: none. Borrowed until the next prepare, which comes between two calls. */
const coop_val *coop_prepared(const char *name);

#ifndef COOP_CLIENT_H

/* ---- what is wrong -------------------------------------------------------------------------------------------------------------- */

/* Texts are UTF-8, "" when there is nothing to say. remote_*, traceback and, quoted, message: words of another interpreter. */
struct coop_why {
    const char *name; /* "QueueFull", "ExecutionFailed" ...: the list is docs/calls.md; "": nothing has failed */
    int error;        /* the errno that was returned, positive */
    const char *message;
    const char *path;        /* of the element of a value that cannot be sent: "args[2].list[1]" */
    const char *remote_type; /* ExecutionFailed: the error inside the interpreter */
    const char *remote_message;
    const char *traceback;
    const char *cause; /* how the interpreter ended, when that is why: "oom", "cpu_limit", "signal" ... */
    const char *cause_detail;
    const char *receipt; /* the id under which its receipt is */
    size_t n_cycle;      /* Deadlock: ids of interpreters that wait for each other */
    const char *const *cycle;
};

/* Of the last function of this header that failed in this tasklet, in an interpreter during this call; never NULL, borrowed until the
 * next one that fails. */
const struct coop_why *coop_last_error(void);

/* ---- handles: capabilities ------------------------------------------------------------------------------------------------------ */

/*
 * struct coop_handle (coop/value.h) names a thing by its number in the caller's own table, and says what may be done with it: an
 * unforgeable right, because the broker looks the number up. It is plain data: copy it, put it into a value to hand it over, use one that
 * has come in a value. What it names is the interpreter's until it is dropped, or the interpreter ends; freeing a value drops nothing.
 * Any tasklet may use it, several at once. One of another kind, and a number that is none: -EBADF (BadHandle); one that was revoked:
 * -EKEYREVOKED; without the right: -EACCES (NotAllowed). 4,096 can be held.
 */

/* Handles with names: what is given to an interpreter when it is made, or what one holds. */
struct coop_grant {
    const char *name;
    struct coop_handle handle; /* rights: those to pass on, 0: all */
};

struct coop_handle_list {
    struct coop_grant *items;
    size_t n;
};

/* What was given by this name when the caller was made, or by its job's capabilities. -ENOENT. */
int coop_handle_granted(const char *name, struct coop_handle *ret);
/* A new one of the same thing, with those of these rights that h has. prefix: of keys, longer than its own; NULL: the same. */
int coop_handle_attenuate(const struct coop_handle *h, unsigned rights, const char *prefix, struct coop_handle *ret);
/* Every handle that was derived from this one, attenuated or handed over, is dead from now on, wherever it is. h itself lives. */
int coop_handle_revoke(const struct coop_handle *h);
/* Gives it up; what was derived from it stays. An anonymous queue ends with its last one, an interpreter does not. NULL: nothing. Never
 * blocks. */
void coop_handle_drop(const struct coop_handle *h);
/* The same with each that came in a value. */
void coop_handle_drop_all(const coop_val *v);
/* All that the caller holds; "" is the name of one that was not granted. coop_handle_list_free(). */
int coop_handle_list(struct coop_handle_list *ret);
void coop_handle_list_free(struct coop_handle_list *list);

/* ---- interpreters --------------------------------------------------------------------------------------------------------------- */

/* What is 0 or NULL is as it comes. Lists of texts end with NULL. Nothing of it is kept. */
struct coop_interp_spec {
    const char *engine;        /* "lua", "native" */
    const char *template_name; /* NAME or NAME@VERSION, instead of an engine */
    const char *name;
    const void *source; /* native: the shared object; NULL: the caller's own. Lua: what runs first, if anything. 200 KiB at most */
    size_t source_len;
    const char *source_name;
    const char *limits; /* "memory=64M,cpu=2s", as after --limit. wall and cpu hold for each call, idle for the time without one */
    const char *const *caps;
    const char *const *args;
    const char *const *env; /* "NAME=value" */
    const struct coop_grant *grants;
    size_t n_grants;
    const char *const *aliases; /* names that it may call by coop_alias_call(), served by coop_alias_next() */
    unsigned max_children;      /* interpreters that it may have alive, with all of theirs */
};

/* Makes one, which ends with its maker. -EDQUOT (Limit), -EACCES, -ENOEXEC (TemplateFailed), -ECHILD: a native one cannot be loaded, or its
 * coop_start() failed. */
int coop_interp_create(const struct coop_interp_spec *spec, int64_t deadline, struct coop_handle *ret);

/* Runs source in it, len bytes, SIZE_MAX: up to the NUL. Its globals stay. source_name is for messages, may be NULL. -ECHILD: an uncaught
 * error; -EOPNOTSUPP: native has no source. */
int coop_interp_exec(const struct coop_handle *i, const char *source_name, const void *source, size_t len, int64_t deadline);

/* Calls a function of it. args: a list; NULL: none. ret_value may be NULL. One runs at a time, others wait behind it. -ECHILD: it failed,
 * or the interpreter ended during it; -EOWNERDEAD: before. -ETIMEDOUT: the call was interrupted. -EDEADLK: it would wait for itself.
 * -ENOSYS: there is no such function. */
int coop_interp_call(const struct coop_handle *i, const char *function, const coop_val *args, int64_t deadline, coop_val **ret_value);

/* Sets names in it, all at once: a map whose keys are texts. */
int coop_interp_prepare(const struct coop_handle *i, const coop_val *names, int64_t deadline);

int coop_interp_interrupt(const struct coop_handle *i); /* the call that runs ends (-ECANCELED there), the interpreter lives */
int coop_interp_close(const struct coop_handle *i);     /* ends it in good order. -EBUSY: a call runs or waits */
int coop_interp_kill(const struct coop_handle *i);      /* at once, with all below it */
int coop_interp_reset(const struct coop_handle *i);     /* the state of its template again, in a new process. -EBUSY as close */

/* When one of the two ends otherwise than well, so does the other. on false: not any more. */
int coop_interp_link(const struct coop_handle *i, bool on);

enum coop_interp_state {
    COOP_INTERP_NONE,
    COOP_INTERP_STARTING,
    COOP_INTERP_IDLE,
    COOP_INTERP_RUNNING,
    COOP_INTERP_CLOSING,
    COOP_INTERP_ENDED,
};

struct coop_interp_info {
    struct coop_handle handle; /* its id and name; number 0: the caller holds none */
    enum coop_interp_state state;
    char engine[16];
    char template_name[160]; /* NAME@VERSION; "": none */
    char whence[16]; /* "runtime": made by a host program, "spawned": by a worker, "template": from one, "adopted": after a restart */
    char parent[27]; /* id of who made it; "": a host program */
    unsigned depth, children;
    char running[129]; /* the function, "exec" or "prepare"; "": nothing */
    unsigned waiting;  /* calls behind that */
    uint64_t calls;    /* done */
    char cause[32];    /* ENDED: "ok", "signal", "oom" ... */
    char cause_detail[512];
    char receipt[27];
    uint64_t created_us;  /* since 1970 */
    unsigned incarnation; /* one more with each reset */
    uint64_t cpu_us, mem_bytes;
    uint64_t reserved[8];
};

struct coop_interp_list {
    struct coop_interp_info *items; /* for free() */
    size_t n;
};

int coop_interp_info(const struct coop_handle *i,
                     struct coop_interp_info *ret); /* i NULL: the caller itself; a plain job's whence is "job" */
int coop_interp_list(struct coop_interp_list *ret); /* those below the caller */
/* A monitor: waits until it has ended. ret may be NULL. */
int coop_interp_wait(const struct coop_handle *i, int64_t deadline, struct coop_interp_info *ret);

/* ---- a call as a future --------------------------------------------------------------------------------------------------------- */

typedef struct coop_call coop_call;

/* Begins what coop_interp_call() does, and does not wait. deadline: of the call. */
int coop_call_begin(const struct coop_handle *i, const char *function, const coop_val *args, int64_t deadline, coop_call **ret);
bool coop_call_is_done(const coop_call *c);
/* Waits for it; its result, or its error. -ETIMEDOUT with the call still open, -ECANCELED too: it can be waited for again. Whether it is:
 * coop_call_is_done(), because its own deadline is -ETIMEDOUT too. A done one gives the same again, but for the value, which is given
 * once. One tasklet at a time. ret_value may be NULL. */
int coop_call_wait(coop_call *c, int64_t deadline, coop_val **ret_value);
/* An open one is interrupted. NULL: nothing. Never blocks. */
void coop_call_free(coop_call *c);

/* ---- queues --------------------------------------------------------------------------------------------------------------------- */

/* What becomes of an item when its sender has ended before it was taken. */
enum coop_unbound {
    COOP_UNBOUND_DEFAULT, /* an item: as its queue says; a queue: REPLACE */
    COOP_UNBOUND_REPLACE, /* comes without a value */
    COOP_UNBOUND_ERROR,   /* taking it fails: -EIDRM (ItemInterpreterDestroyed) */
    COOP_UNBOUND_REMOVE,  /* is dropped */
    COOP_UNBOUND_PERSIST, /* stays */
};

struct coop_queue_options {
    const char *name;   /* NULL: anonymous, ends with its last handle or its maker */
    unsigned max_items; /* 0: 1,024 */
    uint64_t max_bytes; /* 0: 1 MiB */
    enum coop_unbound unbound;
};

int coop_queue_create(const struct coop_queue_options *options, struct coop_handle *ret); /* options may be NULL. -EEXIST */
int coop_queue_open(const char *name, unsigned rights, struct coop_handle *ret);          /* what the job's capabilities allow. -ENOENT */

enum { COOP_QUEUE_BATCH = 4096 }; /* items that are put or taken by one call, 200 KiB together (-E2BIG) */

/* Puts n items in, in this order, waiting for room. *ret_n (may be NULL): how many are in, from the first on, when the time was over. None:
 * -ENOBUFS (QueueFull). -EPIPE: closed. */
int coop_queue_put(const struct coop_handle *q, const coop_val *const *items, size_t n, enum coop_unbound unbound, int64_t deadline,
                   size_t *ret_n);
int coop_queue_put_one(const struct coop_handle *q, const coop_val *item, int64_t deadline);

struct coop_item {
    coop_val *value; /* NULL: its sender has ended (REPLACE), or error. To keep it, put NULL here */
    char sender[32]; /* the interpreter's id; "": a host program */
    int error;       /* -EIDRM (ERROR), or why its value could not be had; else 0 */
};

struct coop_items {
    struct coop_item *items; /* in order */
    size_t n;
    bool closed; /* nothing comes any more */
};

/* 1 to max items, as soon as there is one. -EAGAIN (QueueEmpty): none until the deadline. -EPIPE: closed, and nothing left.
 * coop_items_free(). */
int coop_queue_get(const struct coop_handle *q, size_t max, int64_t deadline, struct coop_items *ret);
void coop_items_free(struct coop_items *items);
/* The value of the next. 1, and *ret NULL: its sender has ended (REPLACE). */
int coop_queue_get_one(const struct coop_handle *q, int64_t deadline, coop_val **ret);

/* It takes no more. discard: nor are those given out that are in it. */
int coop_queue_close(const struct coop_handle *q, bool discard);

struct coop_queue_info {
    struct coop_handle handle;
    unsigned items, max_items;
    uint64_t bytes, max_bytes;
    enum coop_unbound unbound;
    bool durable, closed;
    unsigned putters, getters; /* that wait */
    uint64_t put_total, got_total;
    char owner[32];
    uint64_t reserved[8];
};
int coop_queue_info(const struct coop_handle *q, struct coop_queue_info *ret);

/* ---- buffers: memory that is handed over, not copied ---------------------------------------------------------------------------- */

struct coop_buffer {
    struct coop_handle handle; /* to be put into a value, once it is sealed */
    void *at;                  /* mapped here */
    size_t len;
    bool writable; /* not sealed yet */
};

/* New memory, len bytes of zeros, mapped for writing. -EDQUOT: more than is left of the quota. */
int coop_buffer_new(size_t len, struct coop_buffer *ret);
/* Nobody can ever write to it again, and it may be handed over. It is not mapped any more: b->at is NULL. -EBUSY: somebody else has it
 * mapped for writing. */
int coop_buffer_seal(struct coop_buffer *b);
/* A sealed one, mapped for reading. */
int coop_buffer_map(const struct coop_handle *buffer, struct coop_buffer *ret);
/* The memory alone goes, as it does with the interpreter: coop_handle_drop(&b->handle) is for the rest. */
void coop_buffer_unmap(struct coop_buffer *b);

/* ---- keys: small durable values under a prefix ---------------------------------------------------------------------------------- */

struct coop_bytes {
    void *at; /* for free(); a NUL behind them */
    size_t len;
};

struct coop_keys {
    char **keys; /* in order, then NULL */
    size_t n;
    bool more;
};

/* A handle of all keys that begin with prefix; rights: COOP_RIGHT_READ, COOP_RIGHT_WRITE, 0: both. What the job's capabilities allow. */
int coop_kv_open(const char *prefix, unsigned rights, struct coop_handle *ret);
/* key: without the prefix. -ENOENT: there is none. */
int coop_kv_get(const struct coop_handle *kv, const char *key, struct coop_bytes *ret);
/* only_new: -EEXIST when it is there. */
int coop_kv_put(const struct coop_handle *kv, const char *key, const void *bytes, size_t len, bool only_new);
int coop_kv_remove(const struct coop_handle *kv, const char *key); /* -ENOENT */
/* Keys that begin with prefix, behind a key (both may be NULL), at most limit (0: the broker's bound). coop_keys_free(). */
int coop_kv_list(const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit, struct coop_keys *ret);
void coop_keys_free(struct coop_keys *keys);

/* ---- aliases: functions that a parent offers ------------------------------------------------------------------------------------ */

/* The child's side. As coop_interp_call(). */
int coop_alias_call(const char *name, const coop_val *args, int64_t deadline, coop_val **ret_value);

/* The parent's side: the next call of an alias of this child (NULL: of any), to be answered by coop_alias_done(), which frees it.
 * -EOWNERDEAD: the child has ended. */
int coop_alias_next(const struct coop_handle *child, int64_t deadline, coop_request **ret);
/* result: what a function of r has returned, see coop_fail(). Never blocks, unless the value is larger than 64 KiB. */
int coop_alias_done(coop_request *r, int result);
/* Serves these functions, one call after another in this tasklet, until the child has ended (0) or it fails: -ECANCELED. Others:
 * NoFunction. */
int coop_alias_serve(const struct coop_handle *child, const struct coop_function *functions);

#endif /* COOP_CLIENT_H */

#ifdef __cplusplus
}
#endif

#endif
