/* endpoint.c - see endpoint.h. */
#include "client/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <coop/exit_codes.h>

#include "broker_user.h"
#include "client/tls_link.h"

#define SYSTEM_RUN_DIR "/run/coop"
#define SOCKET_NAME    "control.sock"

static const char *env_or_null(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Of a file or directory of ours that cannot be used. */
int endpoint_exit_code(int err)
{
    if (err == EACCES || err == EPERM)
        return COOP_EXIT_PERMISSION;
    return err == EROFS || err == ENOTDIR ? COOP_EXIT_CONFIG : COOP_EXIT_TEMPORARY;
}

bool endpoint_trusts(uid_t uid)
{
    return uid == 0 || uid == geteuid() || broker_user_may_be(uid);
}

/* The directory of a socket: a real one, of somebody we trust, that others may not write into (unless shared_ok and sticky). */
static int endpoint_check_dir(const char *dir, bool shared_ok, struct coop_error *why)
{
    struct stat st;

    if (lstat(dir, &st) != 0)
        return coop_error_set(why, errno, endpoint_exit_code(errno), "no broker: socket directory %s: %s", dir, strerror(errno));
    if (!S_ISDIR(st.st_mode)) {
        coop_error_set(why, EPERM, COOP_EXIT_PERMISSION, "socket directory %s is %s; that could lead anywhere", dir,
                       S_ISLNK(st.st_mode) ? "a symbolic link" : "not a directory");
        coop_error_hint(why, "it must be a real directory of mode 0700");
        return -EPERM;
    }
    if (!endpoint_trusts(st.st_uid)) {
        coop_error_set(why, EPERM, COOP_EXIT_PERMISSION, "socket directory %s belongs to uid %u, not to you (uid %u) or root", dir,
                       (unsigned)st.st_uid, (unsigned)geteuid());
        coop_error_hint(why, "whoever owns it could answer in the broker's place; use a directory of your own%s",
                        geteuid() == 0 ? ", or say by $COOP_USER whom root's broker runs as" : "");
        return -EPERM;
    }
    if ((st.st_mode & 022) != 0 && !(shared_ok && (st.st_mode & S_ISVTX) != 0)) {
        coop_error_set(why, EPERM, COOP_EXIT_PERMISSION, "socket directory %s is writable by others (mode %04o)", dir,
                       (unsigned)(st.st_mode & 07777));
        coop_error_hint(why, "chmod 700 %s", dir);
        return -EPERM;
    }
    return 0;
}

static int put_url(struct endpoint *e, const char *path, int exit_code, struct coop_error *why)
{
    if (strlen(path) >= ENDPOINT_PATH_MAX)
        return coop_error_set(why, ENAMETOOLONG, exit_code, "the socket path is longer than %d bytes: %.200s", ENDPOINT_PATH_MAX - 1, path);
    snprintf(e->url, sizeof(e->url), "ipc://%s", path);
    return 0;
}

static int given_tls(struct endpoint *e, const char *url, const char *from, int exit_code, struct coop_error *why)
{
    if (!tls_address_parse(url, &e->at) || strcmp(e->at.host, "*") == 0) {
        coop_error_set(why, EINVAL, exit_code, "%s '%.200s' is not an address", from, url);
        coop_error_hint(why, "write " TLS_SCHEME "HOST:PORT");
        return -EINVAL;
    }
    e->is_tls = true;
    snprintf(e->url, sizeof(e->url), "%s", url);
    return 0;
}

/* From a flag the mistake is in the command line (2), from the environment it is configuration (78). */
static int given_endpoint(struct endpoint *e, const char *url, const char *from, int exit_code, struct coop_error *why)
{
    const char *colon = strstr(url, "://"), *path;
    char dir[ENDPOINT_PATH_MAX];
    int rc;

    if (strncmp(url, TLS_SCHEME, strlen(TLS_SCHEME)) == 0)
        return given_tls(e, url, from, exit_code, why);
    if (strncmp(url, "ipc://", 6) != 0 || url[6] == '\0') {
        if (colon == NULL || strncmp(url, "ipc://", 6) == 0)
            coop_error_set(why, EINVAL, exit_code, "%s '%.200s' is not an address", from, url);
        else
            coop_error_set(why, EINVAL, exit_code, "%s '%.200s': brokers are reached by ipc and tls+tcp, not by '%.*s'", from, url,
                           (int)(colon - url), url);
        coop_error_hint(why, "write ipc:///path/to/" SOCKET_NAME " or " TLS_SCHEME "HOST:PORT");
        return -EINVAL;
    }
    path = url + 6;
    rc = put_url(e, path, exit_code, why);
    if (rc != 0)
        return rc;
    strcpy(dir, path);
    return endpoint_check_dir(dirname(dir), true, why);
}

/* mkdir -p; the last one is made for us alone. */
int endpoint_make_dirs(const char *dir, struct coop_error *why)
{
    char path[ENDPOINT_DIR_MAX];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            int err = errno;

            coop_error_set(why, err, endpoint_exit_code(err), "cannot make directory %s: %s", path, strerror(err));
            return -err;
        }
        if (slash == NULL)
            return 0;
        *slash = '/';
    }
}

static int put_dir(char *ret, size_t size, const char *base, const char *rest, struct coop_error *why)
{
    char cwd[PATH_MAX] = "";
    int n;

    if (base[0] != '/' && getcwd(cwd, sizeof(cwd)) == NULL)
        return coop_error_set(why, errno, COOP_EXIT_CONFIG, "cannot tell the working directory: %s", strerror(errno));
    n = snprintf(ret, size, "%s%s%s%s", cwd, cwd[0] != '\0' ? "/" : "", base, rest);
    if (n < 0 || (size_t)n >= size)
        return coop_error_set(why, ENAMETOOLONG, COOP_EXIT_CONFIG, "directory name too long (over %zu bytes): %.200s%s", size - 1, base,
                              rest);
    return 0;
}

static int find_state_dir(struct endpoint *e, struct coop_error *why)
{
    const char *base;

    if ((base = env_or_null("COOP_STATE_DIR")) != NULL)
        return put_dir(e->state_dir, sizeof(e->state_dir), base, "", why);
    if (geteuid() == 0)
        return put_dir(e->state_dir, sizeof(e->state_dir), "/var/lib/coop", "", why);
    if ((base = env_or_null("XDG_STATE_HOME")) != NULL)
        return put_dir(e->state_dir, sizeof(e->state_dir), base, "/coop", why);
    if ((base = env_or_null("HOME")) != NULL)
        return put_dir(e->state_dir, sizeof(e->state_dir), base, "/.local/state/coop", why);
    coop_error_set(why, ENOENT, COOP_EXIT_CONFIG, "no place to keep jobs: neither HOME, XDG_STATE_HOME nor COOP_STATE_DIR is set");
    coop_error_hint(why, "set COOP_STATE_DIR to a directory of yours");
    return -ENOENT;
}

static int find_run_dir(struct endpoint *e, struct coop_error *why)
{
    const char *base;
    char own[64];

    if ((base = env_or_null("COOP_RUN_DIR")) != NULL)
        return put_dir(e->run_dir, sizeof(e->run_dir), base, "", why);
    if (geteuid() == 0)
        return put_dir(e->run_dir, sizeof(e->run_dir), SYSTEM_RUN_DIR, "", why);
    if ((base = env_or_null("XDG_RUNTIME_DIR")) != NULL)
        return put_dir(e->run_dir, sizeof(e->run_dir), base, "/coop", why);
    snprintf(own, sizeof(own), "/tmp/coop-%u", (unsigned)geteuid());
    return put_dir(e->run_dir, sizeof(e->run_dir), own, "", why);
}

static int own_endpoint(struct endpoint *e, struct coop_error *why)
{
    char path[ENDPOINT_PATH_MAX + sizeof(SOCKET_NAME) + 1];
    int rc = find_run_dir(e, why);

    if (rc == 0)
        rc = find_state_dir(e, why);
    if (rc != 0)
        return rc;
    snprintf(path, sizeof(path), "%s/" SOCKET_NAME, e->run_dir);
    rc = put_url(e, path, COOP_EXIT_CONFIG, why);
    if (rc == 0 && e->autostart)
        rc = endpoint_make_dirs(e->run_dir, why);
    if (rc != 0)
        return rc;
    if (!e->autostart && access(e->run_dir, F_OK) != 0 && errno == ENOENT) {
        coop_error_set(why, ECONNREFUSED, COOP_EXIT_TEMPORARY, "no broker runs, and starting one was refused: %s does not exist",
                       e->run_dir);
        coop_error_hint(why, "coop starts one without --no-autostart and COOP_NO_AUTOSTART; or name one by --endpoint ipc://PATH");
        return -ECONNREFUSED;
    }
    return endpoint_check_dir(e->run_dir, false, why);
}

/* ---- who asks, and whom it believes ---------------------------------------------------------------------------------------------------- */

static int bad_token_file(struct coop_error *why, const char *path, int err, int exit_code, const char *text)
{
    return coop_error_set(why, err, exit_code, "token file %.200s: %s", path, text);
}

/* A word, with or without a line's end. Others that can read it could ask in our name. */
static int read_token(struct endpoint *e, const char *path, int exit_code, struct coop_error *why)
{
    char text[ENDPOINT_TOKEN + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc = 0;
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) != 0) {
        rc = bad_token_file(why, path, errno, errno == EACCES ? COOP_EXIT_PERMISSION : exit_code, strerror(errno));
    } else if (S_ISREG(st.st_mode) && (st.st_mode & 0006) != 0) {
        rc = bad_token_file(why, path, EPERM, COOP_EXIT_PERMISSION, "everybody may read or write it");
        coop_error_hint(why, "chmod 600 %.200s", path);
    } else if ((n = read(fd, text, sizeof(text) - 1)) < 0) {
        rc = bad_token_file(why, path, errno, exit_code, strerror(errno));
    } else {
        text[strcspn(text, " \t\r\n")] = '\0';
        if (n == sizeof(text) - 1 || text[0] == '\0')
            rc = bad_token_file(why, path, EINVAL, exit_code, "there is no token in it");
    }
    if (rc == 0)
        strcpy(e->token, text);
    explicit_bzero(text, sizeof(text));
    if (fd >= 0)
        close(fd);
    return rc;
}

static int find_token(struct endpoint *e, const char *given, struct coop_error *why)
{
    const char *token = env_or_null("COOP_TOKEN"), *path = env_or_null("COOP_TOKEN_FILE");

    if (given != NULL)
        return read_token(e, given, COOP_EXIT_USAGE, why);
    if (token != NULL && strlen(token) >= sizeof(e->token))
        return coop_error_set(why, EINVAL, COOP_EXIT_CONFIG, "COOP_TOKEN is no token");
    if (token != NULL)
        strcpy(e->token, token);
    else if (path != NULL)
        return read_token(e, path, COOP_EXIT_CONFIG, why);
    return 0;
}

static int find_trust(struct endpoint *e, const char *ca, struct coop_error *why)
{
    const char *path = ca != NULL ? ca : env_or_null("COOP_CA");

    if (!e->is_tls)
        return 0;
    if (e->token[0] == '\0') {
        coop_error_set(why, EACCES, COOP_EXIT_PERMISSION, "who asks the broker at %s? there is no token", e->url);
        coop_error_hint(why,
                        "give one by --token-file FILE, COOP_TOKEN_FILE or COOP_TOKEN; an administrator makes it by coop token create");
        return -EACCES;
    }
    if (path == NULL)
        path = TLS_SYSTEM_CA;
    if (strlen(path) >= sizeof(e->ca))
        return coop_error_set(why, ENAMETOOLONG, COOP_EXIT_CONFIG, "the path of the certificates is too long");
    strcpy(e->ca, path);
    return 0;
}

int endpoint_find(const struct coop_client_options *o, struct endpoint *ret, struct coop_error *why)
{
    struct endpoint e = { .autostart = false };
    const char *refused = env_or_null("COOP_NO_AUTOSTART"), *url;
    int rc;

    if (o->endpoint != NULL) {
        rc = given_endpoint(&e, o->endpoint, "--endpoint", COOP_EXIT_USAGE, why);
    } else if ((url = env_or_null("COOP_ENDPOINT")) != NULL) {
        rc = given_endpoint(&e, url, "COOP_ENDPOINT", COOP_EXIT_CONFIG, why);
    } else if (geteuid() != 0 && env_or_null("COOP_RUN_DIR") == NULL && access(SYSTEM_RUN_DIR "/" SOCKET_NAME, R_OK | W_OK) == 0) {
        rc = given_endpoint(&e, "ipc://" SYSTEM_RUN_DIR "/" SOCKET_NAME, "the system broker", COOP_EXIT_CONFIG, why);
    } else {
        e.autostart = !o->no_autostart && (refused == NULL || strcmp(refused, "0") == 0);
        rc = own_endpoint(&e, why);
    }
    if (rc == 0)
        rc = find_token(&e, o->token_file, why);
    if (rc == 0)
        rc = find_trust(&e, o->ca_file, why);
    if (rc == 0)
        *ret = e;
    explicit_bzero(e.token, sizeof(e.token));
    return rc;
}
