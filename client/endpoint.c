/* endpoint.c - see endpoint.h. */
#include "client/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <coop/exit_codes.h>

#include "broker_user.h"

#ifndef COOP_PREFIX
#define COOP_PREFIX "/usr/local"
#endif
#define SYSTEM_RUN_DIR "/run/coop"
#define SOCKET_NAME    "control.sock"

enum { START_TIMEOUT_MS = 30000, READY_FD = 3, LOG_TAIL = 2048 };

extern char **environ;

static const char *env_or_null(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Of a file or directory of ours that cannot be used. */
static int exit_code_of(int err)
{
    if (err == EACCES || err == EPERM)
        return COOP_EXIT_PERMISSION;
    return err == EROFS || err == ENOTDIR ? COOP_EXIT_CONFIG : COOP_EXIT_TEMPORARY;
}

bool endpoint_trusts(uid_t uid)
{
    return uid == 0 || uid == geteuid() || (geteuid() == 0 && broker_user_may_be(uid));
}

int endpoint_check_dir(const char *dir, bool shared_ok, struct coop_error *why)
{
    struct stat st;

    if (lstat(dir, &st) != 0)
        return coop_error_set(why, errno, exit_code_of(errno), "no broker: socket directory %s: %s", dir, strerror(errno));
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

/* From a flag the mistake is in the command line (2), from the environment it is configuration (78). */
static int given_endpoint(struct endpoint *e, const char *url, const char *from, int exit_code, struct coop_error *why)
{
    const char *colon = strstr(url, "://"), *path;
    char dir[ENDPOINT_PATH_MAX];
    int rc;

    if (strncmp(url, "ipc://", 6) != 0 || url[6] == '\0') {
        if (colon == NULL || strncmp(url, "ipc://", 6) == 0)
            coop_error_set(why, EINVAL, exit_code, "%s '%.200s' is not an address", from, url);
        else
            coop_error_set(why, EINVAL, exit_code, "%s '%.200s': brokers are not reached by '%.*s' here, only by ipc", from, url,
                           (int)(colon - url), url);
        coop_error_hint(why, "write ipc:///path/to/" SOCKET_NAME);
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
static int make_dirs(const char *dir, struct coop_error *why)
{
    char path[ENDPOINT_DIR_MAX];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        if (slash != NULL)
            *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
            int err = errno;

            coop_error_set(why, err, exit_code_of(err), "cannot make directory %s: %s", path, strerror(err));
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
        rc = make_dirs(e->run_dir, why);
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

int endpoint_find(const char *given, bool no_autostart, struct endpoint *ret, struct coop_error *why)
{
    struct endpoint e = { .autostart = false };
    const char *refused = env_or_null("COOP_NO_AUTOSTART"), *url;
    int rc;

    if (given != NULL) {
        rc = given_endpoint(&e, given, "--endpoint", COOP_EXIT_USAGE, why);
    } else if ((url = env_or_null("COOP_ENDPOINT")) != NULL) {
        rc = given_endpoint(&e, url, "COOP_ENDPOINT", COOP_EXIT_CONFIG, why);
    } else if (geteuid() != 0 && env_or_null("COOP_RUN_DIR") == NULL && access(SYSTEM_RUN_DIR "/" SOCKET_NAME, R_OK | W_OK) == 0) {
        rc = given_endpoint(&e, "ipc://" SYSTEM_RUN_DIR "/" SOCKET_NAME, "the system broker", COOP_EXIT_CONFIG, why);
    } else {
        e.autostart = !no_autostart && (refused == NULL || strcmp(refused, "0") == 0);
        rc = own_endpoint(&e, why);
    }
    if (rc == 0)
        *ret = e;
    return rc;
}

/* ---- starting one ------------------------------------------------------------------------------------------------------------ */

int endpoint_find_coopd(char *ret_path, struct coop_error *why)
{
    ssize_t n = readlink("/proc/self/exe", ret_path, PATH_MAX - 16);
    char *slash;

    if (n > 0) {
        ret_path[n] = '\0';
        slash = strrchr(ret_path, '/');
        strcpy(slash != NULL ? slash + 1 : ret_path, "coopd");
        if (access(ret_path, X_OK) == 0)
            return 0;
    }
    strcpy(ret_path, COOP_PREFIX "/bin/coopd");
    if (access(ret_path, X_OK) == 0)
        return 0;
    coop_error_set(why, ENOENT, COOP_EXIT_CONFIG, "coopd is neither beside coop nor in " COOP_PREFIX "/bin");
    coop_error_hint(why, "build and install all of coop, or name a running broker by --endpoint ipc://PATH");
    return -ENOENT;
}

static int open_log(const struct endpoint *e, char *ret_path, size_t size, off_t *ret_end, struct coop_error *why)
{
    int fd, err;
    struct stat st;

    snprintf(ret_path, size, "%s/coopd.log", e->state_dir);
    fd = open(ret_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    err = fd < 0 ? errno : 0;
    /* The directory may be another user's, the one that root's broker becomes: a second name of a file elsewhere must not be written to. */
    if (err == 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1))
        err = EPERM;
    if (err == 0) {
        *ret_end = lseek(fd, 0, SEEK_END);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    coop_error_set(why, err, exit_code_of(err), "cannot start a broker: its log %s: %s", ret_path, strerror(err));
    coop_error_hint(why, "COOP_STATE_DIR names another directory to keep jobs in");
    return -err;
}

/* The last line that this start wrote, "" when it wrote none. */
static void log_last_line(const char *path, off_t from, char *ret, size_t size)
{
    char tail[LOG_TAIL + 1], *line;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end;
    ssize_t n;

    ret[0] = '\0';
    if (fd < 0)
        return;
    end = lseek(fd, 0, SEEK_END);
    n = pread(fd, tail, LOG_TAIL, end - from > LOG_TAIL ? end - LOG_TAIL : from);
    close(fd);
    if (n <= 0)
        return;
    tail[n] = '\0';
    while (n > 0 && tail[n - 1] == '\n')
        tail[--n] = '\0';
    line = strrchr(tail, '\n');
    snprintf(ret, size, "%s", line != NULL ? line + 1 : tail);
}

/*
 * In the child: /dev/null, the log twice, the ready pipe as READY_FD and nothing else of ours (a pipeline that waits for our
 * descriptors to close must not wait for the daemon); own session, no blocked or ignored signals, working directory /.
 */
static int spawn_coopd(const char *coopd, const struct endpoint *e, int log_fd, int ready_fd, pid_t *ret_pid)
{
    char *argv[] = { "coopd",       "--run-dir", (char *)e->run_dir, "--state-dir", (char *)e->state_dir,
                     "--idle-exit", "60s",       "--ready-fd",       "3",           NULL };
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t none, all;
    int rc;

    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&at);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&at, &none);
    posix_spawnattr_setsigdefault(&at, &all);
    posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_addopen(&fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, log_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&fa, log_fd, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&fa, ready_fd, READY_FD);
    posix_spawn_file_actions_addclosefrom_np(&fa, READY_FD + 1);
    posix_spawn_file_actions_addchdir_np(&fa, "/");
    rc = posix_spawn(ret_pid, coopd, &fa, &at, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&at);
    return -rc;
}

/* 1: ready. 0: busy. -EPIPE: it ended without a word. -ETIMEDOUT. */
static int read_verdict(int fd)
{
    char word[16] = "";
    size_t have = 0;

    for (;;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int rc = poll(&p, 1, START_TIMEOUT_MS);
        ssize_t n;

        if (rc == 0)
            return -ETIMEDOUT;
        if (rc < 0 && errno != EINTR)
            return -errno;
        if (rc < 0)
            continue;
        n = read(fd, word + have, sizeof(word) - 1 - have);
        if (n <= 0)
            return -EPIPE;
        have += (size_t)n;
        word[have] = '\0';
        if (strchr(word, '\n') != NULL)
            return strcmp(word, "ready\n") == 0 ? 1 : strcmp(word, "busy\n") == 0 ? 0 : -EPROTO;
        if (have == sizeof(word) - 1)
            return -EPROTO;
    }
}

/* It said nothing: its exit code, when it is one of the documented ones, and its last words tell why. */
static int explain_failure(pid_t pid, int verdict, const char *log_path, off_t log_end, struct coop_error *why)
{
    char line[600];
    int status = 0, code = COOP_EXIT_TEMPORARY;

    if (verdict == -ETIMEDOUT)
        return coop_error_set(why, ETIMEDOUT, code, "the broker that was started (pid %ld) is not ready after %d s; its log is %s",
                              (long)pid, START_TIMEOUT_MS / 1000, log_path);
    if (waitpid(pid, &status, 0) == pid && WIFEXITED(status)) {
        if (WEXITSTATUS(status) == COOP_EXIT_TEMPORARY || (WEXITSTATUS(status) >= 76 && WEXITSTATUS(status) <= 78))
            code = WEXITSTATUS(status);
    }
    log_last_line(log_path, log_end, line, sizeof(line));
    if (line[0] == '\0' && WIFSIGNALED(status))
        snprintf(line, sizeof(line), "it died of signal %d", WTERMSIG(status));
    else if (line[0] == '\0')
        snprintf(line, sizeof(line), "it left with code %d and without a word (is the disk full?)", WEXITSTATUS(status));
    coop_error_set(why, ECONNREFUSED, code, "the broker could not start: %s", line);
    coop_error_hint(why, "its log is %.400s", log_path);
    return -ECONNREFUSED;
}

int endpoint_start_broker(const struct endpoint *e, struct coop_error *why)
{
    char coopd[PATH_MAX], log_path[ENDPOINT_DIR_MAX + 16];
    int log_fd = -1, ready[2] = { -1, -1 }, rc, verdict;
    off_t log_end = 0;
    pid_t pid;

    rc = endpoint_find_coopd(coopd, why);
    if (rc == 0)
        rc = make_dirs(e->state_dir, why);
    if (rc != 0)
        return rc;
    log_fd = open_log(e, log_path, sizeof(log_path), &log_end, why);
    if (log_fd < 0)
        return log_fd;
    if (pipe2(ready, O_CLOEXEC) != 0) {
        rc = coop_error_set(why, errno, COOP_EXIT_TEMPORARY, "pipe: %s", strerror(errno));
        goto out;
    }
    rc = spawn_coopd(coopd, e, log_fd, ready[1], &pid);
    close(ready[1]);
    if (rc != 0) {
        coop_error_set(why, -rc, COOP_EXIT_TEMPORARY, "cannot start %s: %s", coopd, strerror(-rc));
        goto out;
    }
    verdict = read_verdict(ready[0]);
    if (verdict == 1)
        rc = 0;
    else if (verdict == 0)
        rc = -EBUSY, waitpid(pid, NULL, 0);
    else
        rc = explain_failure(pid, verdict, log_path, log_end, why);
out:
    if (ready[0] >= 0)
        close(ready[0]);
    close(log_fd);
    return rc;
}
