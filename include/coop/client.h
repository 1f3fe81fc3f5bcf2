/*
 * client.h - libcoop: a host program's way to a broker of coop: jobs, interpreters that live, queues, buffers, keys, templates.
 *
 * Link:    cc prog.c $(pkg-config --cflags --libs coop), C11 or C++11. With coop-static instead the library is in the program.
 * Calls:   each comes twice. coop_NAME() blocks until its answer is there. coop_NAME_begin() sends, and gives an op; coop_op_take() gives
 *          what came of it, as the member of struct coop_result that is named in the call's comment.
 * Names:   jobs by their id: 26 letters and digits, or the first 8 and more of them. Interpreters and queues by an id or, where they have
 *          one, a name; the authority of a host program is its uid. Buffers and keys by a handle. Handles are numbered by the connection,
 *          and end with it.
 * Threads: several threads may call on one client at the same time; what one of them reads from the connection it hands to whom it belongs.
 *          The library has no thread of its own, no global state, and changes no signal's disposition. An op or a result belongs to one
 *          thread at a time.
 * Fork:    a client belongs to the process that opened it: in a child, every call but coop_client_close() is refused (EINVAL).
 * Returns: 0, or a negative errno with why filled in, unless said otherwise. why may be NULL; it is the caller's memory, nothing in it is
 *          freed, and it is touched only on failure. What a function gives in ret_ is touched only on success.
 * Owned:   what is given to a call is copied or only read; values stay the caller's. What is in a result is the caller's, who frees it by
 *          coop_result_free() or, where a blocking call gave it, as its comment says.
 * Time:    microseconds. timeout_us < 0: no limit. A call that is late ends as TimedOut; where it began something, that is taken back.
 * Inside:  native code that coop runs has coop/interp.h instead, with the same names; a file that includes both includes this one first, and
 *          has the calls of this one.
 * Texts:   UTF-8, ended by a NUL; "" where there is none. Those that come from a tenant are as they came: escape them before a terminal.
 */
#ifndef COOP_CLIENT_H
#define COOP_CLIENT_H

#ifdef COOP_INTERP_H
#error "coop/interp.h, of native code inside of coop, has the same names: include coop/client.h first, then its calls are meant"
#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <coop/value.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COOP_NO_LIMIT ((int64_t)-1)

/* ---- errors --------------------------------------------------------------------------------------------------------------------- */

/* Texts are UTF-8 and end with a NUL; "" is: none. A tenant's words are in remote_*, traceback and, quoted, in message: raw, not
 * escaped. */
struct coop_error {
    char name[40];         /* "QueueFull", "ExecutionFailed" ...: the list is in libcoop.md */
    int error;             /* the errno that was returned, positive */
    int exit_code;         /* coop/exit_codes.h */
    char message[1024];    /* what is wrong */
    char hint[512];        /* what would be right */
    char path[256];        /* of the element of a value that cannot be sent: "args[2].list[1]" */
    char remote_type[128]; /* ExecutionFailed: the error inside the interpreter */
    char remote_message[1024];
    char traceback[16384]; /* the end of it, when it is longer */
    char cause[32];        /* how the interpreter ended, when that is why: "oom", "cpu_limit", "signal" ... */
    char cause_detail[512];
    char receipt[32]; /* the id under which the receipt is */
    unsigned n_cycle; /* Deadlock: interpreters that wait for each other, as many as there is room for */
    char cycle[16][32];
};

/* Fills in why (which may be NULL), and returns -error: a refusal of one's own in one statement. */
int coop_error_set(struct coop_error *why, int error, int exit_code, const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Its other sentence. */
void coop_error_hint(struct coop_error *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- a client: one connection ---------------------------------------------------------------------------------------------------- */

struct coop_client;

struct coop_client_options {
    size_t size; /* sizeof(struct coop_client_options) */
    const char
        *endpoint; /* "ipc:///path/to/control.sock", "tls+tcp://host:port"; NULL: $COOP_ENDPOINT, $COOP_RUN_DIR, the system's broker, the
                             user's own */
    bool no_autostart; /* a broker of the user's own is started when none listens, but for this or $COOP_NO_AUTOSTART */
    const char
        *token_file;     /* who asks, where that is not known by the user: a file with a token; NULL: $COOP_TOKEN is one, $COOP_TOKEN_FILE
                               names one. Over TLS there has to be one. */
    const char *ca_file; /* TLS: certificates, in PEM, by which the broker's is known; NULL: $COOP_CA, else the system's */
};

/* Connects. Blocks, as long as a broker takes to start. options: NULL: all as it comes. */
int coop_client_open(const struct coop_client_options *options, struct coop_client **ret, struct coop_error *why);
/* Ends what belongs to the connection: interpreters of the session, anonymous queues, handles. Ops are to be given back before. NULL:
 * nothing. */
void coop_client_close(struct coop_client *client);

/* ---- asynchronous: ops ------------------------------------------------------------------------------------------------------------ */

struct coop_op;

/* Polls readable when coop_client_step() has something to do, or when an op has ended that has not been taken. */
int coop_client_fd(const struct coop_client *client);
/* Reads and writes what is ready, without blocking. Returns how many ops have ended and wait to be taken. */
size_t coop_client_step(struct coop_client *client);
/* One of those, in the order in which they ended; each is returned once. NULL: none. */
struct coop_op *coop_client_next(struct coop_client *client);
/* Whether there is a connection, as far as is known. */
bool coop_client_connected(const struct coop_client *client);
/*
 * After a lost connection (ECONNRESET): a blocking call dials anew by itself; asynchronous ones are refused until the connection is there
 * again, and coop_client_step() dials every now and then. This dials now, and starts a broker if that is ours to do, at most every two
 * seconds however often it is called. 0 even when nobody answers yet.
 */
int coop_client_revive(struct coop_client *client, struct coop_error *why);

/* Whether it has ended. */
bool coop_op_done(const struct coop_op *op);
/* Blocks until it has ended. -ETIMEDOUT: not yet. One thread at a time for one op. */
int coop_op_wait(struct coop_op *op, int64_t timeout_us);
/* The broker is told that nobody wants it any more. It ends soon, as Interrupted, unless it has been done meanwhile. */
void coop_op_cancel(struct coop_op *op);
/* Gives it back, wherever it stands; one that is open is cancelled. NULL: nothing. */
void coop_op_free(struct coop_op *op);
/* A pointer of yours, NULL at first. */
void coop_op_set_user(struct coop_op *op, void *user);
/* That pointer. */
void *coop_op_user(const struct coop_op *op);

struct coop_result;

/* What came of it, once. -EINPROGRESS: it has not ended yet, and nothing is changed. Else the op is spent, and is to be freed. */
int coop_op_take(struct coop_op *op, struct coop_result *ret, struct coop_error *why);

/* ---- what is to run: a spec ---------------------------------------------------------------------------------------------------------- */

/*
 * A job's, an interpreter's or a template's. The functions that change it return nothing: the first mistake stays in it, and is the error
 * of the call that it is given to. A spec may be used for any number of calls, and changed in between. Everything is copied.
 */
struct coop_spec;

/* engine: "lua", "native", "exec". NULL: no memory. */
struct coop_spec *coop_spec_new(const char *engine);
/* NULL: nothing. */
void coop_spec_free(struct coop_spec *spec);
/* The name of the job, or of the interpreter. */
void coop_spec_name(struct coop_spec *spec, const char *name);
/* What it runs: a script, a shared object, a program. name: shown in messages and tracebacks. */
void coop_spec_source(struct coop_spec *spec, const char *name, const void *bytes, size_t len);
/* The same from a file, whose name it has. */
void coop_spec_source_file(struct coop_spec *spec, const char *path);
/* Engine exec: a program of the host instead of a source: a name for PATH, or an absolute path inside. */
void coop_spec_program(struct coop_spec *spec, const char *program);
/* One argument more. len: SIZE_MAX: up to the NUL. Any bytes but NUL. */
void coop_spec_arg(struct coop_spec *spec, const char *arg, size_t len);
/* A variable; given twice, the last value counts. */
void coop_spec_env(struct coop_spec *spec, const char *name, const char *value);
/* As after coop run --limit: "memory=64M,cpu=2s". */
void coop_spec_limits(struct coop_spec *spec, const char *limits);
/* Engine lua: a module for require. */
void coop_spec_module(struct coop_spec *spec, const char *name, const void *bytes, size_t len);
/* Engine exec: a file of its work directory; name: relative, may have directories. mode: 0644, 0755. */
void coop_spec_file(struct coop_spec *spec, const char *name, unsigned mode, const void *bytes, size_t len);
/* Engine exec: what is collected from the work directory at the end, a glob. */
void coop_spec_output(struct coop_spec *spec, const char *glob);
/* A capability: "net=loopback", "interpreters=8", "queue=jobs:send". */
void coop_spec_cap(struct coop_spec *spec, const char *cap);
/* Its whole standard input. Without this or the next it has none. */
void coop_spec_stdin(struct coop_spec *spec, const void *bytes, size_t len);
/* It reads what coop_job_stdin() sends. */
void coop_spec_stdin_stream(struct coop_spec *spec);
/* It runs in a child of this template, "NAME" or "NAME@VERSION"; then there need be no engine. Of a job; an interpreter's is in its
 * options. */
void coop_spec_template(struct coop_spec *spec, const char *name);
/* More output than its limit is dropped, and the job goes on; else it ends as output_limit. */
void coop_spec_truncate(struct coop_spec *spec);
/* Engine exec: a terminal of this size. */
void coop_spec_tty(struct coop_spec *spec, unsigned rows, unsigned columns);
/* "tier=T1,memory=cgroup": is not run with less. */
void coop_spec_require(struct coop_spec *spec, const char *require);
/* Engine exec: rows added to the policy, and calls that no row allows noted instead of ending it. */
void coop_spec_policy(struct coop_spec *spec, const char *rows, bool learn);

/* ---- jobs ------------------------------------------------------------------------------------------------------------------------ */

/* 0: not given, or none. Times in microseconds. */
struct coop_limits {
    uint64_t cpu_us, wall_us, idle_us, memory_bytes, stdout_bytes, stderr_bytes, tasklets, threads, pids, files, file_bytes, disk_bytes,
        inodes, result_bytes;
    uint64_t reserved[6];
};

enum coop_job_state {
    COOP_JOB_NONE,
    COOP_JOB_READY, /* waits for a worker */
    COOP_JOB_STARTING,
    COOP_JOB_RUNNING,
    COOP_JOB_FINISHING, /* its receipt is being written */
    COOP_JOB_SUCCEEDED, /* from here to COOP_JOB_DEAD: it has ended; coop_job_has_ended() */
    COOP_JOB_FAILED,
    COOP_JOB_TIMED_OUT,
    COOP_JOB_CANCELLED,
    COOP_JOB_EXPIRED,    /* its deadline came before it began */
    COOP_JOB_SKIPPED,    /* what it depends on did not end as it has to */
    COOP_JOB_DEAD,       /* its attempts are used up */
    COOP_JOB_HELD,       /* waits until somebody releases it */
    COOP_JOB_SCHEDULED,  /* waits for its time */
    COOP_JOB_BLOCKED,    /* waits for the end of other jobs */
    COOP_JOB_CLAIMED,    /* has a place, waits for a worker */
    COOP_JOB_RETRY_WAIT, /* an attempt has failed, the next waits for its time */
    COOP_JOB_PAUSED,     /* its processes are frozen */
};

struct coop_job_info {
    char id[27];
    char name[129];
    char engine[16];
    enum coop_job_state state;
    char cause[32]; /* when it has ended: "ok", "exit", "exception", "oom" ... */
    char cause_detail[512];
    char reason[32]; /* why it waits: "NO_WORKER" */
    unsigned attempt;
    int exit_code;
    uint64_t submitted_us; /* since 1970 */
    uint64_t elapsed_us, cpu_us, mem_bytes, stdout_bytes, stderr_bytes;
    bool interp; /* it is an interpreter's */
    uint64_t reserved[8];
};

struct coop_job_list {
    struct coop_job_info *items; /* newest first */
    size_t n;
    bool more;     /* there may be older ones: ask again with before = next. It may be so of a list with few of them, or none */
    char next[27]; /* "" when there are none */
};

struct coop_output_file {
    const char *name;
    uint64_t bytes;
    unsigned mode;
    const char *sha256; /* hex */
};

/* How a job ended. The pointers are its own: coop_receipt_free() frees it as a whole. Everything else there is: coop_receipt_json(). */
struct coop_receipt {
    const char *job, *name, *engine;
    unsigned attempt;
    enum coop_job_state outcome;
    const char *cause, *cause_detail;
    int exit_code, signal;
    const char *error_type, *error_message, *traceback; /* of an uncaught error */
    const char *violation;                              /* the call that its policy refused, in words */
    uint64_t stdout_bytes, stdout_dropped, stderr_bytes, stderr_dropped;
    uint64_t queue_us, start_us, wall_us, cpu_user_us, cpu_sys_us, mem_peak_bytes;
    struct coop_limits limits;
    const char *tier, *held_cpu, *held_memory;                /* what really held: "cgroup", "rlimit", "none" */
    uint64_t submitted_us, started_us, ended_us, recorded_us; /* since 1970; 0: did not happen */
    const struct coop_output_file *outputs;
    size_t n_outputs;
    uint64_t chain_seq; /* its place in the chain of all receipts */
    const char *chain_sha256;
    const void *packed; /* the whole Receipt of proto/job.proto */
    size_t packed_len;
};

struct coop_bytes {
    void *at;
    size_t len;
    uint64_t whole; /* of a file: its length */
    unsigned mode;  /* the same */
    bool ended;     /* these were the last */
};

/* Where a reader of a job's output stands. All zeros: at its beginning. */
struct coop_log_position {
    uint64_t run; /* of the job: another than before: it runs again, and its output begins anew */
    uint64_t out, err;
};

struct coop_log {
    struct coop_log_position next; /* to go on from */
    char *out, *err;               /* new bytes; the result's */
    size_t out_len, err_len;
    struct coop_job_info job;
    bool ended; /* the job has, and there is no more */
};

/* The id of the job, which is on disk when this returns. ret_id: 27 bytes. A lost connection (ECONNRESET): it may or may not have been
 * accepted. [id] */
int coop_job_submit(struct coop_client *client, const struct coop_spec *spec, int64_t timeout_us, char *ret_id, struct coop_error *why);
int coop_job_submit_begin(struct coop_client *client, const struct coop_spec *spec, int64_t timeout_us, struct coop_op **ret,
                          struct coop_error *why);
/* Answered when it has ended. [job] */
int coop_job_wait(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_job_info *ret, struct coop_error *why);
int coop_job_wait_begin(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* How it stands now. [job] */
int coop_job_info(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_job_info *ret, struct coop_error *why);
int coop_job_info_begin(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* The receipt of one that has ended; Busy before. The caller frees it by coop_receipt_free(). [receipt] */
int coop_job_receipt(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_receipt **ret, struct coop_error *why);
int coop_job_receipt_begin(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* All of it. NULL: nothing. */
void coop_receipt_free(struct coop_receipt *receipt);
/* All of it as one line of JSON, as coop result --json prints it; the caller frees it by free(). NULL: no memory. */
char *coop_receipt_json(const struct coop_receipt *receipt);
/*
 * Output from a position on, as soon as there is some (or the job has ended); none after timeout_us or 25 s, which is no error. To follow one, go
 * on from ret->next until ret->ended. An interpreter's output is had by its id. The caller frees it by coop_log_free(). [log]
 */
int coop_job_logs(struct coop_client *client, const char *job, const struct coop_log_position *from, int64_t timeout_us,
                  struct coop_log *ret, struct coop_error *why);
int coop_job_logs_begin(struct coop_client *client, const char *job, const struct coop_log_position *from, int64_t timeout_us,
                        struct coop_op **ret, struct coop_error *why);
/* What is in it. */
void coop_log_free(struct coop_log *log);
/* Bytes for one that was submitted with coop_spec_stdin_stream(), from offset, which is how many were sent before. *ret_taken: up to
 * where the broker has them now, to go on from; UINT64_MAX: it does not read any more. eof: there will be no more. [taken] */
int coop_job_stdin(struct coop_client *client, const char *job, uint64_t offset, const void *bytes, size_t len, bool eof,
                   int64_t timeout_us, uint64_t *ret_taken, struct coop_error *why);
int coop_job_stdin_begin(struct coop_client *client, const char *job, uint64_t offset, const void *bytes, size_t len, bool eof,
                         int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* Asks it to end, and kills it when it has not after a moment. [job] */
int coop_job_cancel(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_job_info *ret, struct coop_error *why);
int coop_job_cancel_begin(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* At once. [job] */
int coop_job_kill(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_job_info *ret, struct coop_error *why);
int coop_job_kill_begin(struct coop_client *client, const char *job, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* Whether a job in this state has ended. */
bool coop_job_has_ended(enum coop_job_state state);
/* states: bits 1 << COOP_JOB_..., 0: all. limit: 0: 50, at most 1000. before: those older than this id; NULL: from the newest. The
 * caller frees ret->items by free(). [jobs] */
int coop_job_list(struct coop_client *client, unsigned states, unsigned limit, const char *before, int64_t timeout_us,
                  struct coop_job_list *ret, struct coop_error *why);
int coop_job_list_begin(struct coop_client *client, unsigned states, unsigned limit, const char *before, int64_t timeout_us,
                        struct coop_op **ret, struct coop_error *why);
/* A slice, of 256 KiB at most, of a file that was collected from one that has ended; ended: with it the file is whole. The caller frees
 * ret->at by free(). [bytes] */
int coop_job_output(struct coop_client *client, const char *job, const char *name, uint64_t offset, int64_t timeout_us,
                    struct coop_bytes *ret, struct coop_error *why);
int coop_job_output_begin(struct coop_client *client, const char *job, const char *name, uint64_t offset, int64_t timeout_us,
                          struct coop_op **ret, struct coop_error *why);
/* Its terminal has another size now. [nothing] */
int coop_job_resize(struct coop_client *client, const char *job, unsigned rows, unsigned columns, int64_t timeout_us,
                    struct coop_error *why);
int coop_job_resize_begin(struct coop_client *client, const char *job, unsigned rows, unsigned columns, int64_t timeout_us,
                          struct coop_op **ret, struct coop_error *why);

/* How far the chain of all receipts has been checked, and what was found. */
struct coop_audit {
    uint64_t head_seq; /* the last record there should be; 0: none yet */
    char head_sha256[65];
    uint64_t head_recorded_us;
    uint64_t seq; /* checked up to here */
    char sha256[65];
    char job[27];       /* the chain is done, and receipts up to this job's were looked up in it */
    uint64_t found_seq; /* the record, in this part, whose hash is find; 0: not here */
    bool ended;         /* all was checked */
    char fault[16];     /* "", or what does not fit: "changed", "removed" ...; nothing after it was looked at */
    uint64_t fault_seq;
    char fault_job[27];
    char fault_text[512];
    uint64_t reserved[8];
};

/* Checks a part of the chain, from where the one before has ended (NULL: from its beginning); again until ret->ended or ret->fault.
 * find: a hash that somebody kept, 64 hexadecimal digits; NULL: none. head_only: nothing is checked. [audit] */
int coop_audit(struct coop_client *client, const struct coop_audit *from, const char *find, bool head_only, int64_t timeout_us,
               struct coop_audit *ret, struct coop_error *why);
int coop_audit_begin(struct coop_client *client, const struct coop_audit *from, const char *find, bool head_only, int64_t timeout_us,
                     struct coop_op **ret, struct coop_error *why);

struct coop_broker_info {
    char version[32];
    unsigned protocol;
    int pid;
    char state_dir[1024];
    char kernel[256];
    unsigned workers_idle, workers_busy, jobs_waiting;
    char engines[128]; /* with blanks between them */
    uint64_t reserved[8];
};
/* Who answers. [broker] */
int coop_broker_info(struct coop_client *client, int64_t timeout_us, struct coop_broker_info *ret, struct coop_error *why);
int coop_broker_info_begin(struct coop_client *client, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* The broker's program, coopd: beside the one that runs, in ../bin from the library, or where it is installed. ret_path: size bytes. */
int coop_broker_program(char *ret_path, size_t size, struct coop_error *why);

/* ---- interpreters ---------------------------------------------------------------------------------------------------------------- */

enum coop_owner {
    COOP_OWNER_NONE,        /* SESSION */
    COOP_OWNER_JOB,         /* ends with the interpreter or job that made it */
    COOP_OWNER_SESSION = 2, /* ends with this client's connection */
    COOP_OWNER_NAMED = 3,   /* lives until it is closed or idle for too long; a new broker makes it anew */
};
enum coop_interp_state {
    COOP_INTERP_NONE,
    COOP_INTERP_STARTING,
    COOP_INTERP_IDLE,
    COOP_INTERP_RUNNING,
    COOP_INTERP_CLOSING,
    COOP_INTERP_ENDED,
};

/* A handle that an interpreter is given, and finds inside by this name. */
struct coop_grant {
    const char *name;
    struct coop_handle handle; /* kind, id or name, and the rights to pass on (0: all) */
};

struct coop_interp_options {
    size_t size; /* sizeof(struct coop_interp_options) */
    const struct coop_spec
        *spec; /* engine, name, limits, caps, env, modules; native: its shared object; Lua: what is run first. NULL with template_name */
    const char *template_name; /* "NAME" or "NAME@VERSION"; NULL: none */
    enum coop_owner owner;
    const struct coop_grant *grants;
    size_t n_grants;
    const char *const *aliases; /* functions that it may call and this client serves: coop_alias_next() */
    size_t n_aliases;
    unsigned max_children; /* interpreters it may have alive, with all of theirs */
};

struct coop_interp_info {
    struct coop_handle handle; /* its id and name */
    enum coop_interp_state state;
    enum coop_owner owner;
    char engine[16];
    char template_name[160];
    char whence[16]; /* "runtime", "spawned", "template", "adopted" */
    char parent[27]; /* "": a host program */
    unsigned depth, children;
    char running[129]; /* the function, "exec" or "prepare" */
    unsigned waiting;  /* calls behind that */
    uint64_t calls;    /* done */
    char cause[32];    /* ENDED: how */
    char cause_detail[512];
    char receipt[27];
    struct coop_limits limits;
    uint64_t created_us; /* since 1970 */
    unsigned incarnation;
    int pid;
    uint64_t cpu_us, mem_bytes;
    uint64_t reserved[8];
};

struct coop_interp_list {
    struct coop_interp_info *items;
    size_t n;
};

struct coop_call_result {
    coop_val *value;                                         /* the caller's: coop_val_free() */
    uint64_t stdout_from, stdout_to, stderr_from, stderr_to; /* this call's part of the interpreter's output */
    uint64_t wall_us;
    char output[27]; /* the interpreter's id, by which coop_job_logs() gives that part */
};

/* Answered when it takes calls. ret: its id and name. [handle] */
int coop_interp_create(struct coop_client *client, const struct coop_interp_options *options, int64_t timeout_us, struct coop_handle *ret,
                       struct coop_error *why);
int coop_interp_create_begin(struct coop_client *client, const struct coop_interp_options *options, int64_t timeout_us,
                             struct coop_op **ret, struct coop_error *why);
/* Runs source in it; its globals stay. source_name: for tracebacks; NULL: "=exec". ret may be NULL. [call] */
int coop_interp_exec(struct coop_client *client, const char *interp, const char *source_name, const void *source, size_t len,
                     int64_t timeout_us, struct coop_call_result *ret, struct coop_error *why);
int coop_interp_exec_begin(struct coop_client *client, const char *interp, const char *source_name, const void *source, size_t len,
                           int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* Calls a function of it. args: a list; NULL: none. An uncaught error is ExecutionFailed, with the remote traceback; so is its end
 * meanwhile, with the cause. After timeout_us the call is interrupted. [call] */
int coop_interp_call(struct coop_client *client, const char *interp, const char *function, const coop_val *args, int64_t timeout_us,
                     struct coop_call_result *ret, struct coop_error *why);
int coop_interp_call_begin(struct coop_client *client, const char *interp, const char *function, const coop_val *args, int64_t timeout_us,
                           struct coop_op **ret, struct coop_error *why);
/* Sets names in it, all at once. names: a map. [nothing] */
int coop_interp_prepare(struct coop_client *client, const char *interp, const coop_val *names, int64_t timeout_us, struct coop_error *why);
int coop_interp_prepare_begin(struct coop_client *client, const char *interp, const coop_val *names, int64_t timeout_us,
                              struct coop_op **ret, struct coop_error *why);
/* The call that runs ends as Interrupted, the interpreter lives. [nothing] */
int coop_interp_interrupt(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_error *why);
int coop_interp_interrupt_begin(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_op **ret,
                                struct coop_error *why);
/* Ends it in good order. Busy while a call runs or waits. [nothing] */
int coop_interp_close(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_error *why);
int coop_interp_close_begin(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_op **ret,
                            struct coop_error *why);
/* Ends it at once, with all below it. [nothing] */
int coop_interp_kill(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_error *why);
int coop_interp_kill_begin(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why);
/* A new process with its template's state, under the same id. Busy as close. [nothing] */
int coop_interp_reset(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_error *why);
int coop_interp_reset_begin(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_op **ret,
                            struct coop_error *why);
/* What it is and does. [interp] */
int coop_interp_info(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_interp_info *ret,
                     struct coop_error *why);
int coop_interp_info_begin(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why);
/* all: those that have ended, too, as far as they are kept. The caller frees ret->items by free(). [interps] */
int coop_interp_list(struct coop_client *client, bool all, int64_t timeout_us, struct coop_interp_list *ret, struct coop_error *why);
int coop_interp_list_begin(struct coop_client *client, bool all, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* A monitor: answered when it has ended, with the cause; at once when it has. [interp] */
int coop_interp_wait(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_interp_info *ret,
                     struct coop_error *why);
int coop_interp_wait_begin(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why);

/* ---- queues ---------------------------------------------------------------------------------------------------------------------- */

/* What becomes of an item when its sender has ended before it was taken. */
enum coop_unbound {
    COOP_UNBOUND_DEFAULT, /* an item: as its queue says; a queue: REPLACE */
    COOP_UNBOUND_REPLACE, /* comes without a value */
    COOP_UNBOUND_ERROR,   /* getting it fails as ItemInterpreterDestroyed */
    COOP_UNBOUND_REMOVE,  /* is dropped */
    COOP_UNBOUND_PERSIST, /* stays */
};

struct coop_queue_options {
    size_t size;        /* sizeof(struct coop_queue_options) */
    const char *name;   /* NULL: anonymous, ends with this client's connection */
    unsigned max_items; /* 0: 1024 */
    uint64_t max_bytes; /* 0: 1 MiB */
    enum coop_unbound unbound;
    bool durable; /* named ones: items survive a restart of the broker */
};

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

struct coop_queue_list {
    struct coop_queue_info *items;
    size_t n;
};

struct coop_item {
    coop_val *value; /* NULL: its sender has ended (COOP_UNBOUND_REPLACE) */
    char sender[32]; /* the interpreter's id; "": a host program */
};

struct coop_items {
    struct coop_item *items; /* in order */
    size_t n;
    bool closed; /* nothing comes any more */
};

/* A new one. [handle] */
int coop_queue_create(struct coop_client *client, const struct coop_queue_options *options, int64_t timeout_us, struct coop_handle *ret,
                      struct coop_error *why);
int coop_queue_create_begin(struct coop_client *client, const struct coop_queue_options *options, int64_t timeout_us, struct coop_op **ret,
                            struct coop_error *why);
/* A named one; rights: of enum coop_right, 0: all. [handle] */
int coop_queue_open(struct coop_client *client, const char *name, unsigned rights, int64_t timeout_us, struct coop_handle *ret,
                    struct coop_error *why);
int coop_queue_open_begin(struct coop_client *client, const char *name, unsigned rights, int64_t timeout_us, struct coop_op **ret,
                          struct coop_error *why);
/* Puts n items in, in order, waiting for room. unbound: COOP_UNBOUND_DEFAULT (0, UNBOUND_NONE of calls.md) is as the queue says. timeout_us 0:
 * not at all. *ret_n (may be NULL): how many are in, from the first on, when the time was over; none: QueueFull. [count] */
int coop_queue_put(struct coop_client *client, const char *queue, const coop_val *const *items, size_t n, enum coop_unbound unbound,
                   int64_t timeout_us, size_t *ret_n, struct coop_error *why);
int coop_queue_put_begin(struct coop_client *client, const char *queue, const coop_val *const *items, size_t n, enum coop_unbound unbound,
                         int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* 1 to max items, as soon as there is one; none when the time is over: QueueEmpty. Closed and empty: Closed. The caller frees by
 * coop_items_free(). [items] */
int coop_queue_get(struct coop_client *client, const char *queue, unsigned max, int64_t timeout_us, struct coop_items *ret,
                   struct coop_error *why);
int coop_queue_get_begin(struct coop_client *client, const char *queue, unsigned max, int64_t timeout_us, struct coop_op **ret,
                         struct coop_error *why);
/* The values, too. */
void coop_items_free(struct coop_items *items);
/* It takes no more. discard: nor are those given out that are in it. [nothing] */
int coop_queue_close(struct coop_client *client, const char *queue, bool discard, int64_t timeout_us, struct coop_error *why);
int coop_queue_close_begin(struct coop_client *client, const char *queue, bool discard, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why);
/* How full it is, and who waits. [queue] */
int coop_queue_info(struct coop_client *client, const char *queue, int64_t timeout_us, struct coop_queue_info *ret, struct coop_error *why);
int coop_queue_info_begin(struct coop_client *client, const char *queue, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* The named ones. The caller frees ret->items by free(). [queues] */
int coop_queue_list(struct coop_client *client, int64_t timeout_us, struct coop_queue_list *ret, struct coop_error *why);
int coop_queue_list_begin(struct coop_client *client, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* Removes a named one, with what is in it. [nothing] */
int coop_queue_remove(struct coop_client *client, const char *queue, int64_t timeout_us, struct coop_error *why);
int coop_queue_remove_begin(struct coop_client *client, const char *queue, int64_t timeout_us, struct coop_op **ret,
                            struct coop_error *why);

/* ---- buffers: memory that is handed over, not copied ----------------------------------------------------------------------------- */

struct coop_buffer {
    struct coop_handle handle; /* to be put into a value, once it is sealed */
    void *at;                  /* mapped here */
    size_t len;
    bool writable; /* not sealed yet */
};

/* A grant's name is "" where it has none. */
struct coop_handle_list {
    struct coop_grant *items;
    size_t n;
};

/* New memory of so many bytes, all zeros, mapped for writing. Give it back by coop_buffer_unmap(). [buffer] */
int coop_buffer_new(struct coop_client *client, size_t len, int64_t timeout_us, struct coop_buffer *ret, struct coop_error *why);
int coop_buffer_new_begin(struct coop_client *client, size_t len, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* Nobody can ever write to it again, and it may be handed over. It is not mapped any more: b->at is NULL. Busy while it is mapped for
 * writing elsewhere. */
int coop_buffer_seal(struct coop_client *client, struct coop_buffer *b, int64_t timeout_us, struct coop_error *why);
/* As coop_buffer_seal(), of one that the caller has unmapped. [nothing] */
int coop_buffer_seal_begin(struct coop_client *client, const struct coop_handle *buffer, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why);
/* A sealed one, mapped for reading. Give it back by coop_buffer_unmap(). [buffer] */
int coop_buffer_map(struct coop_client *client, const struct coop_handle *buffer, int64_t timeout_us, struct coop_buffer *ret,
                    struct coop_error *why);
int coop_buffer_map_begin(struct coop_client *client, const struct coop_handle *buffer, int64_t timeout_us, struct coop_op **ret,
                          struct coop_error *why);
/* The memory; the broker keeps the buffer as long as anybody holds it. */
void coop_buffer_unmap(struct coop_buffer *b);
/* Those of this client. The caller frees it by coop_handle_list_free(). [handles] */
int coop_buffer_list(struct coop_client *client, int64_t timeout_us, struct coop_handle_list *ret, struct coop_error *why);
int coop_buffer_list_begin(struct coop_client *client, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* The names, too. */
void coop_handle_list_free(struct coop_handle_list *list);

/* ---- capabilities ---------------------------------------------------------------------------------------------------------------- */

/* A new handle of the same thing, with these rights at most; 0: all that it has. of: kind, and number, id or name. prefix: of keys, what is
 * appended to the prefix that it has; NULL: nothing. [handle] */
int coop_handle_attenuate(struct coop_client *client, const struct coop_handle *of, unsigned rights, const char *prefix, int64_t timeout_us,
                          struct coop_handle *ret, struct coop_error *why);
int coop_handle_attenuate_begin(struct coop_client *client, const struct coop_handle *of, unsigned rights, const char *prefix,
                                int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* Every handle that was derived from it, wherever it is, is dead from now on, and what waits through one ends as Revoked. of without a
 * number is the thing itself: then it is every handle of it that there is. [nothing] */
int coop_handle_revoke(struct coop_client *client, const struct coop_handle *of, int64_t timeout_us, struct coop_error *why);
int coop_handle_revoke_begin(struct coop_client *client, const struct coop_handle *of, int64_t timeout_us, struct coop_op **ret,
                             struct coop_error *why);
/* The connection holds it no more; those derived from it stay. Each handle that comes in a value is one that it holds: of 4096.
 * [nothing] */
int coop_handle_drop(struct coop_client *client, const struct coop_handle *handle, int64_t timeout_us, struct coop_error *why);
int coop_handle_drop_begin(struct coop_client *client, const struct coop_handle *handle, int64_t timeout_us, struct coop_op **ret,
                           struct coop_error *why);
/* All that this client holds. The caller frees it by coop_handle_list_free(). [handles] */
int coop_handle_list(struct coop_client *client, int64_t timeout_us, struct coop_handle_list *ret, struct coop_error *why);
int coop_handle_list_begin(struct coop_client *client, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);

/* ---- aliases: functions that interpreters call and this program serves ----------------------------------------------------------- */

struct coop_invocation {
    uint64_t number; /* for coop_alias_done() */
    char name[129];
    coop_val *args;  /* a list, or COOP_VAL_ERROR: what it sent is none; coop_invocation_free() frees it */
    char caller[27]; /* the interpreter */
};

/* A call of an alias that has ended, as the broker has written it down. */
struct coop_alias_call {
    uint64_t number, ended_us, wall_us, bytes_in, bytes_out;
    char caller[27], server[27]; /* interpreters; server "": a host program */
    char name[129];
    char error[40]; /* "": none; else its name */
    uint64_t reserved[4];
};

struct coop_alias_list {
    struct coop_alias_call *items;
    size_t n;
};

/* The next call of an alias of this interpreter; NULL: of any of ours. The caller frees it by coop_invocation_free(). [invocation] */
int coop_alias_next(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_invocation *ret,
                    struct coop_error *why);
int coop_alias_next_begin(struct coop_client *client, const char *interp, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* Its arguments. */
void coop_invocation_free(struct coop_invocation *invocation);
/* What became of it: a value, or, when error_type is not NULL, an error. [nothing] */
int coop_alias_done(struct coop_client *client, uint64_t number, const coop_val *value, const char *error_type, const char *error_message,
                    int64_t timeout_us, struct coop_error *why);
int coop_alias_done_begin(struct coop_client *client, uint64_t number, const coop_val *value, const char *error_type,
                          const char *error_message, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* It is offered no more: a call of it ends as Revoked. [nothing] */
int coop_alias_revoke(struct coop_client *client, const char *interp, const char *name, int64_t timeout_us, struct coop_error *why);
int coop_alias_revoke_begin(struct coop_client *client, const char *interp, const char *name, int64_t timeout_us, struct coop_op **ret,
                            struct coop_error *why);
/* What was called, the last first, before that number (0: the newest). limit: 0: 100. The caller frees ret->items by free().
 * [alias_calls] */
int coop_alias_log(struct coop_client *client, uint64_t before, unsigned limit, int64_t timeout_us, struct coop_alias_list *ret,
                   struct coop_error *why);
int coop_alias_log_begin(struct coop_client *client, uint64_t before, unsigned limit, int64_t timeout_us, struct coop_op **ret,
                         struct coop_error *why);
/*
 * Serves them one after another in this thread, until the interpreter has ended (0), serve returns something else than 0 (that), timeout_us
 * is over (-ETIMEDOUT) or it fails. serve: gives a value in *ret, which is freed, or an error: *ret NULL and text in error (256 bytes).
 */
int coop_alias_serve(struct coop_client *client, const char *interp,
                     int (*serve)(void *user, const char *name, const coop_val *args, coop_val **ret, char *error), void *user,
                     int64_t timeout_us, struct coop_error *why);

/* ---- keys: small durable values under a prefix ----------------------------------------------------------------------------------- */

struct coop_keys {
    char **keys; /* in order */
    size_t n;
    bool more;
};

/* A handle of all keys that begin with prefix; rights: COOP_RIGHT_READ, COOP_RIGHT_WRITE, 0: both. [handle] */
int coop_kv_open(struct coop_client *client, const char *prefix, unsigned rights, int64_t timeout_us, struct coop_handle *ret,
                 struct coop_error *why);
int coop_kv_open_begin(struct coop_client *client, const char *prefix, unsigned rights, int64_t timeout_us, struct coop_op **ret,
                       struct coop_error *why);
/* kv: from coop_kv_open(), and key without its prefix; NULL: all keys. NotFound: there is none. The caller frees ret->at by free().
 * [bytes] */
int coop_kv_get(struct coop_client *client, const struct coop_handle *kv, const char *key, int64_t timeout_us, struct coop_bytes *ret,
                struct coop_error *why);
int coop_kv_get_begin(struct coop_client *client, const struct coop_handle *kv, const char *key, int64_t timeout_us, struct coop_op **ret,
                      struct coop_error *why);
/* only_new: NameTaken when it is there. [nothing] */
int coop_kv_put(struct coop_client *client, const struct coop_handle *kv, const char *key, const void *bytes, size_t len, bool only_new,
                int64_t timeout_us, struct coop_error *why);
int coop_kv_put_begin(struct coop_client *client, const struct coop_handle *kv, const char *key, const void *bytes, size_t len,
                      bool only_new, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* NotFound: there is none. [nothing] */
int coop_kv_remove(struct coop_client *client, const struct coop_handle *kv, const char *key, int64_t timeout_us, struct coop_error *why);
int coop_kv_remove_begin(struct coop_client *client, const struct coop_handle *kv, const char *key, int64_t timeout_us,
                         struct coop_op **ret, struct coop_error *why);
/* Keys that begin with prefix, after a key (NULL: from the first), at most limit (0: the broker's bound). The caller frees it by
 * coop_keys_free(). [keys] */
int coop_kv_list(struct coop_client *client, const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit,
                 int64_t timeout_us, struct coop_keys *ret, struct coop_error *why);
int coop_kv_list_begin(struct coop_client *client, const struct coop_handle *kv, const char *prefix, const char *after, unsigned limit,
                       int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* The keys, too. */
void coop_keys_free(struct coop_keys *keys);

/* ---- templates: warm processes that jobs and interpreters are forked from -------------------------------------------------------- */

struct coop_template_info {
    char name[129];
    unsigned version;
    char engine[16];
    char state[16];
    char why[512];
    uint64_t mem_bytes, forks, created_us, build_us;
    unsigned alive;
    int pid;
    uint64_t reserved[8];
};

struct coop_template_list {
    struct coop_template_info *items;
    size_t n;
};

/* A new version of it. spec's source is its init; answered when it is warm. TemplateFailed: its init failed or never ended.
 * [template_info] */
int coop_template_build(struct coop_client *client, const char *name, const struct coop_spec *spec, int64_t timeout_us,
                        struct coop_template_info *ret, struct coop_error *why);
int coop_template_build_begin(struct coop_client *client, const char *name, const struct coop_spec *spec, int64_t timeout_us,
                              struct coop_op **ret, struct coop_error *why);
/* The caller frees ret->items by free(). [templates] */
int coop_template_list(struct coop_client *client, int64_t timeout_us, struct coop_template_list *ret, struct coop_error *why);
int coop_template_list_begin(struct coop_client *client, int64_t timeout_us, struct coop_op **ret, struct coop_error *why);
/* NAME: all versions; NAME@VERSION: one. [nothing] */
int coop_template_remove(struct coop_client *client, const char *name, int64_t timeout_us, struct coop_error *why);
int coop_template_remove_begin(struct coop_client *client, const char *name, int64_t timeout_us, struct coop_op **ret,
                               struct coop_error *why);

/* ---- what coop_op_take() gives --------------------------------------------------------------------------------------------------- */

enum coop_result_type {
    COOP_RESULT_NOTHING,
    COOP_RESULT_ID,
    COOP_RESULT_JOB,
    COOP_RESULT_JOBS,
    COOP_RESULT_RECEIPT,
    COOP_RESULT_LOG,
    COOP_RESULT_TAKEN,
    COOP_RESULT_BYTES,
    COOP_RESULT_BROKER,
    COOP_RESULT_HANDLE,
    COOP_RESULT_HANDLES,
    COOP_RESULT_INTERP,
    COOP_RESULT_INTERPS,
    COOP_RESULT_CALL,
    COOP_RESULT_COUNT,
    COOP_RESULT_ITEMS,
    COOP_RESULT_QUEUE,
    COOP_RESULT_QUEUES,
    COOP_RESULT_BUFFER,
    COOP_RESULT_INVOCATION,
    COOP_RESULT_KEYS,
    COOP_RESULT_TEMPLATE,
    COOP_RESULT_TEMPLATES,
    COOP_RESULT_AUDIT,
    COOP_RESULT_ALIAS_CALLS,
};

struct coop_result {
    enum coop_result_type type;
    union {
        char id[27];
        struct coop_job_info job;
        struct coop_job_list jobs;
        struct coop_receipt *receipt;
        struct coop_log log;
        uint64_t taken;
        struct coop_bytes bytes;
        struct coop_broker_info broker;
        struct coop_handle handle;
        struct coop_handle_list handles;
        struct coop_interp_info interp;
        struct coop_interp_list interps;
        struct coop_call_result call;
        size_t count;
        struct coop_items items;
        struct coop_queue_info queue;
        struct coop_queue_list queues;
        struct coop_buffer buffer;
        struct coop_invocation invocation;
        struct coop_keys keys;
        struct coop_template_info template_info;
        struct coop_template_list templates;
        struct coop_audit audit;
        struct coop_alias_list alias_calls;
        uint64_t reserved[256];
    };
};

/* All that is in it, whatever it is; it is NOTHING then. */
void coop_result_free(struct coop_result *result);

/* ---- raw: a packed Request of proto/control.proto, and its packed Reply ---------------------------------------------------------- */

/*
 * *ret_reply is malloc'ed; the caller frees it. ret_fd: the descriptor that came along, -1: none; the caller closes it; NULL: it is not
 * wanted. A Reply that is an Error, or an Answer that is a failure, is a success here.
 */
int coop_exchange(struct coop_client *client, const void *request, size_t len, int64_t timeout_us, void **ret_reply, size_t *ret_len,
                  int *ret_fd, struct coop_error *why);
int coop_exchange_begin(struct coop_client *client, const void *request, size_t len, int64_t timeout_us, struct coop_op **ret,
                        struct coop_error *why);
/* Its answer, once. -EINPROGRESS: not yet. */
int coop_exchange_end(struct coop_op *op, void **ret_reply, size_t *ret_len, int *ret_fd, struct coop_error *why);
/* What a packed Reply says: 0: what was asked for; an Error, or an Answer that is a failure, becomes why and -errno. EPROTO: no Reply. */
int coop_exchange_check(const void *reply, size_t len, struct coop_error *why);
/*
 * A value for a raw ask, as the packed Value of proto/calls.proto that a field of it is: malloc'ed, the caller frees it. NULL: an empty list.
 * root: the word that a path in why begins with, "args". What is too long for a message lies in a buffer, which is to be kept until the ask is
 * answered: then coop_handle_drop(ret_buffer); number 0: there is none.
 */
int coop_exchange_value(struct coop_client *client, const coop_val *value, const char *root, int64_t timeout_us, void **ret_packed,
                        size_t *ret_len, struct coop_handle *ret_buffer, struct coop_error *why);
/* What a packed Value of an answer is, wherever it lies. *ret: coop_val_free(). */
int coop_exchange_value_of(struct coop_client *client, const void *packed, size_t len, coop_val **ret, struct coop_error *why);
/* Ask.number for a raw ask: one that no open ask of this client has. */
uint64_t coop_client_number(struct coop_client *client);

#ifdef __cplusplus
}
#endif

#endif /* COOP_INTERP_H */
#endif
