/*
 * coop/interp.h - native code among interpreters: what a shared object exports to be one, and what a job or an interpreter may ask for.
 *
 * Being one: a shared object with a table coop_functions is an interpreter: `coop interp create --engine native FILE.so`. Its globals are its
 *            state. A call is a C function with typed arguments and a typed result (coop/value.h).
 * Asking:    makes interpreters, calls functions of theirs, moves values through queues and memory through buffers. Each is asked of the
 *            broker, which lets the job do what its capabilities say (`--cap interpreters=8`), within what is left of its own limits.
 * Names:     what a host program does by coop/client.h has the same name and the same meaning there; only the broker's connection is an
 *            argument more, and time is a time-out instead of a deadline.
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

/* Both may be missing. start runs once, before the first call, with the arguments the interpreter was made with (argv[0] is its file's name):
 * other than 0 and it has not been made. stop runs when it is closed, not when it is killed. */
int coop_start(int argc, char **argv);
void coop_stop(void);

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
 * The result; the last one counts; none: null. coop_return() takes value. All return 0, for a tail: what is wrong with a value is found when it is sent,
 * and the call fails as NotShareable, with the element's path.
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

/* ---- what is wrong --------------------------------------------------------------------------------------------------------------- */

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

/* Of the last function of this header that failed in this tasklet, in an interpreter during this call; never NULL, borrowed until the next one that
 * fails. */
const struct coop_why *coop_last_error(void);

/* ---- capabilities: handles of things ---------------------------------------------------------------------------------------------- */

/*
 * struct coop_handle (coop/value.h) names a thing by its number in the caller's own table, and says what may be done with it: an unforgeable
 * right, because the broker looks the number up. It is plain data: copy it, put it into a value to hand it over, use one that has come in a value.
 * What it names is the interpreter's until it is dropped, or the interpreter ends; freeing a value drops nothing. Any tasklet may use it, several at
 * once. One of another kind, and a number that is none: -EBADF (BadHandle); one that was revoked: -EKEYREVOKED; without the right: -EACCES
 * (NotAllowed). 4,096 can be held.
 */

/* What was given by this name when the caller was made, or by its job's capabilities. -ENOENT. */
int coop_cap_granted(const char *name, struct coop_handle *ret);
/* A new one of the same thing, with those of these rights that h has. prefix: of a kv, below its own; else NULL. */
int coop_cap_attenuate(const struct coop_handle *h, unsigned rights, const char *prefix, struct coop_handle *ret);
/* Every handle that was derived from this one, attenuated or handed over, is dead from now on, wherever it is. h itself lives. */
int coop_cap_revoke(const struct coop_handle *h);
/* Gives it up; what was derived from it stays. An anonymous queue ends with its last one, an interpreter does not. NULL: nothing. Never blocks. */
void coop_cap_drop(const struct coop_handle *h);
/* The same with each that came in a value. */
void coop_cap_drop_all(const coop_val *v);
/* All that the caller holds: one block for free(), *ret_n of them, names of their grants in name; NULL when there is none. */
int coop_cap_list(struct coop_handle **ret, size_t *ret_n);

/* ---- interpreters ----------------------------------------------------------------------------------------------------------------- */

struct coop_grant { /* found inside by coop_cap_granted() and the like */
    const char *name;
    const struct coop_handle *handle;
    unsigned rights; /* those to pass on; 0: all that it has */
};

/* What is 0 or NULL is as it comes. Lists of texts end with NULL. Nothing of it is kept. */
struct coop_interp_spec {
    const char *engine;        /* "lua", "native" */
    const char *from_template; /* NAME or NAME@VERSION, instead of an engine */
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

/* Runs source in it: text that ends with a NUL. Its globals stay. name is for messages, may be NULL. -ECHILD: an uncaught error; -EOPNOTSUPP: native
 * has no source. */
int coop_interp_exec(const struct coop_handle *i, const char *source, const char *name, int64_t deadline);

/* Calls a function of it. args: a list; NULL: none. ret_value may be NULL. One runs at a time, others wait behind it. -ECHILD: it failed, or the
 * interpreter ended during it; -EOWNERDEAD: before. -ETIMEDOUT: the call was interrupted. -EDEADLK: it would wait for itself. -ENOSYS: there is
 * no such function. */
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
    COOP_INTERP_ENDED
};

struct coop_interp_info {
    const char *id, *name, *engine;
    const char *from_template; /* NAME@VERSION, "": none */
    const char *whence; /* "runtime": made by a host program, "spawned": by a worker, "template": from one, "adopted": after a restart */
    const char *parent; /* id of who made it; "": a host program */
    enum coop_interp_state state;
    unsigned depth, children;
    const char *running; /* the function's name, "exec", "prepare"; "": nothing */
    unsigned waiting;    /* calls behind that */
    uint64_t calls;      /* done */
    const char *cause;   /* ended: "ok", "signal", "oom" ... */
    const char *cause_detail;
    const char *receipt;
    uint64_t created_us;  /* of the wall clock */
    unsigned incarnation; /* one more with each reset */
    unsigned pid;
    uint64_t cpu_us, memory_bytes;
};

/* One block for free(). i NULL: the caller itself. */
int coop_interp_info(const struct coop_handle *i, struct coop_interp_info **ret);
/* Those below the caller, one block for free(); NULL when there are none. */
int coop_interp_list(struct coop_interp_info **ret, size_t *ret_n);
/* A monitor: waits until it has ended. ret_info may be NULL; one block for free(). */
int coop_interp_wait(const struct coop_handle *i, int64_t deadline, struct coop_interp_info **ret_info);

/* ---- a call as a future ----------------------------------------------------------------------------------------------------------- */

typedef struct coop_call coop_call;

/* Begins what coop_interp_call() does, and does not wait. deadline: of the call. */
int coop_call_begin(const struct coop_handle *i, const char *function, const coop_val *args, int64_t deadline, coop_call **ret);
bool coop_call_is_done(const coop_call *c);
/* Waits for it; its result, or its error. -ETIMEDOUT with the call still open, -ECANCELED too: it can be waited for again. Whether it is:
 * coop_call_is_done(), because its own deadline is -ETIMEDOUT too. A done one gives the same again, but for the value, which is given once. One tasklet
 * at a time. ret_value may be NULL. */
int coop_call_wait(coop_call *c, int64_t deadline, coop_val **ret_value);
/* An open one is interrupted. NULL: nothing. Never blocks. */
void coop_call_free(coop_call *c);

/* ---- queues ------------------------------------------------------------------------------------------------------------------------- */

/* What becomes of an item when its sender has ended before it was taken. */
enum coop_unbound {
    COOP_UNBOUND_DEFAULT, /* as the queue says; of a queue: REPLACE */
    COOP_UNBOUND_REPLACE, /* it is taken without its value */
    COOP_UNBOUND_ERROR,   /* taking it fails: -EIDRM (ItemInterpreterDestroyed) */
    COOP_UNBOUND_REMOVE,
    COOP_UNBOUND_PERSIST, /* nothing */
};

struct coop_queue_options {
    const char *name;   /* NULL: anonymous, ends with its last handle or its maker */
    unsigned max_items; /* 0: 1,024 */
    uint64_t max_bytes; /* 0: 1 MiB */
    enum coop_unbound unbound;
};

int coop_queue_create(const struct coop_queue_options *options, struct coop_handle *ret); /* options may be NULL. -EEXIST */
int coop_queue_open(const char *name, unsigned rights, struct coop_handle *ret);          /* what the job's capabilities allow. -ENOENT */

/* -ENOBUFS (QueueFull): it was full until the deadline. -EPIPE: closed. */
int coop_queue_put(const struct coop_handle *q, const coop_val *value, int64_t deadline);
/* In this order, waiting for room; together 200 KiB at most (-E2BIG). Returns how many are in: all, or fewer at the deadline. None: as coop_queue_put(). */
int coop_queue_put_many(const struct coop_handle *q, const coop_val *const *values, size_t n, enum coop_unbound unbound, int64_t deadline);

/* -EAGAIN (QueueEmpty): it was empty until the deadline. -EPIPE: closed, and nothing left. Returns 1, with *ret NULL, for an item whose sender has ended
 * (REPLACE). */
int coop_queue_get(const struct coop_handle *q, int64_t deadline, coop_val **ret);

enum { COOP_QUEUE_BATCH = 4096 }; /* values that are put or taken by one call */

struct coop_item {
    coop_val *value;    /* NULL: its sender has ended (REPLACE), or error */
    int error;          /* -EIDRM (UNBOUND_ERROR), or why its value could not be had; else 0 */
    const char *sender; /* id */
};
/* 1 to max items as soon as there is one; returns how many. *ret: coop_items_free(). A value that was taken out (NULL instead) stays the caller's. */
int coop_queue_get_many(const struct coop_handle *q, size_t max, int64_t deadline, struct coop_item **ret);
void coop_items_free(struct coop_item *items, size_t n);

/* No more puts; gets until it is empty, with discard not even those. */
int coop_queue_close(const struct coop_handle *q, bool discard);

struct coop_queue_info {
    size_t items, max_items;
    uint64_t bytes, max_bytes;
    enum coop_unbound unbound;
    bool closed, durable;
    unsigned putters, getters; /* that wait */
    uint64_t put_total, got_total;
};
int coop_queue_info(const struct coop_handle *q, struct coop_queue_info *ret);

/* ---- buffers: memory that is handed over, not copied ---------------------------------------------------------------------------------- */

/* Memory of zeros, 1 byte and more, to be filled; ret->bytes says how many. -EDQUOT: more than is left of the quota. */
int coop_buffer_new(uint64_t bytes, struct coop_handle *ret, void **ret_memory);
/* Unmaps memory (NULL: nothing is mapped), and from then on nobody can write to it ever again: now it may be handed over, as part of a value. -EBUSY:
 * it is mapped a second time. */
int coop_buffer_seal(const struct coop_handle *b, void *memory);
/* The memory of one that is sealed, to be read; any number of times, each for coop_buffer_unmap(). It outlives the handle. */
int coop_buffer_map(const struct coop_handle *b, const void **ret_memory);
/* Of one that is not sealed too, which then never can be filled any more. */
int coop_buffer_unmap(const struct coop_handle *b, const void *memory);

/* ---- keys and values that stay ---------------------------------------------------------------------------------------------------------- */

int coop_kv_open(const char *prefix, unsigned rights, struct coop_handle *ret);
/* *ret_value: for free(), a NUL behind it; ret_len may be NULL. -ENOENT. */
int coop_kv_get(const struct coop_handle *kv, const char *key, void **ret_value, size_t *ret_len);
int coop_kv_put(const struct coop_handle *kv, const char *key, const void *value, size_t len);
int coop_kv_put_new(const struct coop_handle *kv, const char *key, const void *value, size_t len); /* -EEXIST */
int coop_kv_delete(const struct coop_handle *kv, const char *key);                                 /* -ENOENT */
/* Keys that begin with prefix and come behind after (both may be NULL), in order, at most limit (0: as many as there is room for): one block for
 * free(), which ends with NULL. Returns how many; *ret_more (may be NULL): there are more. */
int coop_kv_list(const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit, char ***ret, bool *ret_more);

/* ---- aliases: functions that a parent offers ------------------------------------------------------------------------------------------- */

/* The child's side. As coop_interp_call(). */
int coop_alias_call(const char *name, const coop_val *args, int64_t deadline, coop_val **ret_value);

/* The parent's side: the next call of an alias of this child (NULL: of any). It is answered by coop_alias_done(), which takes it. -EOWNERDEAD: the
 * child has ended. */
int coop_alias_next(const struct coop_handle *child, int64_t deadline, coop_request **ret);
const char *coop_request_name(const coop_request *r);   /* of the alias, or the function; borrowed */
const char *coop_request_caller(const coop_request *r); /* id; "" where that is not told */
/* result: what a function of r returned, see coop_fail(). Never blocks. */
int coop_alias_done(coop_request *r, int result);
/* Serves these functions, one call at a time, until the child has ended (0) or the tasklet is cancelled. Calls of others: NoFunction. */
int coop_alias_serve(const struct coop_handle *child, const struct coop_function *functions);

#ifdef __cplusplus
}
#endif

#endif
