/*
 * endpoint.h - where the broker listens, whether we may trust that place, and how to start one for this user.
 *
 * Side:    host (client). Anybody may have made the directories looked at here.
 * Token:   what stands in for a user is read here, sent to whom is connected to, and shown to nobody.
 * Order:   --endpoint, $COOP_ENDPOINT, $COOP_RUN_DIR, the system broker /run/coop/control.sock when we may use it, this user's own.
 * Returns: 0 or -errno with why filled in.
 */
#ifndef CLIENT_ENDPOINT_H
#define CLIENT_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <coop/client.h>

#include "tls_address.h"

#define ENDPOINT_PATH_MAX 108 /* sun_path of unix(7), NUL included */
#define ENDPOINT_DIR_MAX  1024
#define ENDPOINT_TOKEN    128
#define ENDPOINT_URL_MAX  288

struct endpoint {
    char url[ENDPOINT_URL_MAX]; /* ipc://PATH, tls+tcp://HOST:PORT */
    bool is_tls;
    struct tls_address at;            /* is_tls */
    char ca[ENDPOINT_DIR_MAX];        /* is_tls: a file */
    char token[ENDPOINT_TOKEN];       /* "": none */
    char run_dir[ENDPOINT_PATH_MAX];  /* "" when the endpoint was given */
    char state_dir[ENDPOINT_DIR_MAX]; /* "" when the broker is not ours to start */
    bool autostart;
};

/* o: as the caller gave it; all NULL is fine. Checks the socket's directory; makes it when it is ours and missing. Reads the token. */
int endpoint_find(const struct coop_client_options *o, struct endpoint *ret, struct coop_error *why);

/* mkdir -p; the last one is made for us alone. */
int endpoint_make_dirs(const char *dir, struct coop_error *why);
/* The exit code for a file or directory of ours that cannot be used. */
int endpoint_exit_code(int err);

/* autostart.c. The broker's program: beside the one that runs, in ../bin from the library, or where it is installed. ret_path: PATH_MAX
 * bytes. */
int endpoint_find_coopd(char *ret_path, struct coop_error *why);

/*
 * Starts coopd for this endpoint and waits until it says it is ready, or that it is not. 0: ready. -EBUSY: another broker has the
 * run directory, so connect to that one. Else it failed: why holds the last line of its log.
 */
int endpoint_start_broker(const struct endpoint *e, struct coop_error *why);

/* Whether a broker may be this user: root, ourselves, and whom a broker that root started becomes (broker_user.h), which nobody else is. */
bool endpoint_trusts(uid_t uid);

#endif
