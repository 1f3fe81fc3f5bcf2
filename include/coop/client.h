/*
 * client.h - libcoop: a host program's way to a broker of coop.
 *
 * Link:    cc prog.c $(pkg-config --cflags --libs libcoop); statically with --static.
 * Threads: several threads may call on one client at the same time; what one of them reads from the connection it hands to whom it belongs. The
 *          library has no thread of its own, no global state, and changes no signal's disposition. An op or a result belongs to one thread at a time.
 * Fork:    a client belongs to the process that opened it: in a child, every call but coop_client_close() is refused (EINVAL).
 * Returns: 0, or a negative errno with why filled in, unless said otherwise. why may be NULL; it is the caller's memory, nothing in it is
 *          freed, and it is touched only on failure. What a function gives in ret_ is touched only on success.
 * Time:    microseconds. timeout_us < 0: no limit.
 */
#ifndef COOP_CLIENT_H
#define COOP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COOP_NO_LIMIT ((int64_t)-1)

/* ---- errors --------------------------------------------------------------------------------------------------------------------- */

/* Texts are UTF-8 and end with a NUL; "" is: none. A tenant's words are in remote_*, traceback and, quoted, in message: raw, not escaped. */
struct coop_error {
    char name[40];         /* "QueueFull", "ExecutionFailed" ...: docs/libcoop.md has the list */
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
void coop_error_hint(struct coop_error *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- a client: one connection ---------------------------------------------------------------------------------------------------- */

struct coop_client;

struct coop_client_options {
    size_t size;          /* sizeof(struct coop_client_options) */
    const char *endpoint; /* "ipc:///path/to/control.sock"; NULL: $COOP_ENDPOINT, $COOP_RUN_DIR, the system's broker, the user's own */
    bool no_autostart;    /* a broker of the user's own is started when none listens, but for this or $COOP_NO_AUTOSTART */
};

/* Connects. Blocks, as long as a broker takes to start. options: NULL: all as it comes. */
int coop_client_open(const struct coop_client_options *options, struct coop_client **ret, struct coop_error *why);
/* Ends what belongs to the connection (interpreters of the session, open ops: they are not to be used any more). NULL: nothing. */
void coop_client_close(struct coop_client *client);

/* ---- asynchronous: ops ------------------------------------------------------------------------------------------------------------ */

struct coop_op;

/* Polls readable when coop_client_step() has something to do, or when an op has ended that has not been taken. */
int coop_client_fd(const struct coop_client *client);
/* Reads and writes what is ready, without blocking. Returns how many ops have ended and wait to be taken. */
size_t coop_client_step(struct coop_client *client);
/* One of those, in the order in which they ended; each is returned once. NULL: none. */
struct coop_op *coop_client_next(struct coop_client *client);
bool coop_client_connected(const struct coop_client *client);
/*
 * After a lost connection (ECONNRESET): a blocking call dials anew by itself; asynchronous ones are refused until the connection is there again,
 * and coop_client_step() dials every now and then. This dials now, and starts a broker if that is ours to do, at most every two seconds however
 * often it is called. 0 even when nobody answers yet.
 */
int coop_client_revive(struct coop_client *client, struct coop_error *why);

bool coop_op_done(const struct coop_op *op);
/* Blocks until it has ended. -ETIMEDOUT: not yet. One thread at a time for one op. */
int coop_op_wait(struct coop_op *op, int64_t timeout_us);
/* The broker is told that nobody wants it any more. It ends soon, as Interrupted, unless it has been done meanwhile. */
void coop_op_cancel(struct coop_op *op);
/* Gives it back, wherever it stands; one that is open is cancelled. NULL: nothing. */
void coop_op_free(struct coop_op *op);
/* A pointer of yours, NULL at first. */
void coop_op_set_user(struct coop_op *op, void *user);
void *coop_op_user(const struct coop_op *op);

/* ---- raw: a packed Request of proto/control.proto, and its packed Reply --------------------------------------------------------------- */

/*
 * *ret_reply is malloc'ed; the caller frees it. ret_fd: the descriptor that came along, -1: none; the caller closes it; NULL: it is not wanted.
 * A Reply that is an Error, or an Answer that is a failure, is a success here.
 */
int coop_exchange(struct coop_client *client, const void *request, size_t len, int64_t timeout_us, void **ret_reply, size_t *ret_len,
                  int *ret_fd, struct coop_error *why);
int coop_exchange_begin(struct coop_client *client, const void *request, size_t len, int64_t timeout_us, struct coop_op **ret,
                        struct coop_error *why);
int coop_exchange_end(struct coop_op *op, void **ret_reply, size_t *ret_len, int *ret_fd, struct coop_error *why);
/* What a packed Reply says: 0: what was asked for; an Error, or an Answer that is a failure, becomes why and -errno. EPROTO: no Reply. */
int coop_exchange_check(const void *reply, size_t len, struct coop_error *why);
/* Ask.number for a raw ask: one that no open ask of this client has. */
uint64_t coop_client_number(struct coop_client *client);

#ifdef __cplusplus
}
#endif

#endif
