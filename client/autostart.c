/*
 * autostart.c - a broker for this user: where its program is, how it is started, and what it says then. See endpoint.h.
 *
 * Threads: the calling program may have others. What is forked here does nothing but what signal-safety(7) allows, until it is coopd.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <coop/exit_codes.h>

#include "client/endpoint.h"

#ifndef COOP_PREFIX
#define COOP_PREFIX "/usr/local"
#endif

enum { START_TIMEOUT_MS = 30000, READY_FD = 3, LOG_TAIL = 2048 };

extern char **environ;

/* ---- where ----------------------------------------------------------------------------------------------------------------------- */

/* In the directory of the file at path, or beside it. from: "", "../bin/". */
static bool is_near(const char *path, const char *from, char *ret_path)
{
    const char *slash = strrchr(path, '/');
    int n = snprintf(ret_path, PATH_MAX, "%.*s%scoopd", slash != NULL ? (int)(slash + 1 - path) : 0, path, from);

    return n > 0 && n < PATH_MAX && access(ret_path, X_OK) == 0;
}

int endpoint_find_coopd(char *ret_path, struct coop_error *why)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    Dl_info library;

    program[n > 0 ? n : 0] = '\0';
    if (n > 0 && is_near(program, "", ret_path))
        return 0;
    if (dladdr((const void *)&endpoint_find_coopd, &library) != 0 && library.dli_fname != NULL && library.dli_fname[0] == '/' &&
        is_near(library.dli_fname, "../bin/", ret_path))
        return 0;
    if (is_near(COOP_PREFIX "/bin/", "", ret_path))
        return 0;
    coop_error_set(why, ENOENT, COOP_EXIT_CONFIG,
                   "coopd is neither beside this program, nor in ../bin from libcoop, nor in " COOP_PREFIX "/bin");
    coop_error_hint(why, "build and install all of coop, or name a running broker by --endpoint ipc://PATH");
    return -ENOENT;
}

/* ---- its log ------------------------------------------------------------------------------------------------------------------------ */

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
    coop_error_set(why, err, endpoint_exit_code(err), "cannot start a broker: its log %s: %s", ret_path, strerror(err));
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

/* ---- its start ------------------------------------------------------------------------------------------------------------------- */

struct launch {
    const char *coopd;
    char *const *argv;
    int log_fd, ready_fd, status_fd;
    pid_t keeper;
};

/*
 * /dev/null, the log twice, the ready pipe as READY_FD and nothing else of the program's (a pipeline that waits for its descriptors to
 * close must not wait for the daemon); own session, no blocked or ignored signals, working directory /.
 */
static void become_coopd(const struct launch *l)
{
    struct sigaction as_ever = { .sa_handler = SIG_DFL };
    sigset_t none;
    /* out of the way of the numbers that they get */
    int log = fcntl(l->log_fd, F_DUPFD, READY_FD + 1), ready = fcntl(l->ready_fd, F_DUPFD, READY_FD + 1),
        null = open("/dev/null", O_RDONLY);

    setsid();
    sigemptyset(&none);
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, &as_ever, NULL);
    if (dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0 || dup2(ready, READY_FD) < 0 ||
        close_range(READY_FD + 1, ~0u, 0) != 0 || chdir("/") != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        _exit(COOP_EXIT_PLATFORM);
    execve(l->coopd, l->argv, environ);
    _exit(COOP_EXIT_PLATFORM);
}

/*
 * The daemon is nobody's child that lives on: a process between keeps it until it is ready, tells how it ended when it was not, and goes.
 * So no program has a zombie for having called us, or a SIGCHLD some day.
 */
static void keep(const struct launch *l)
{
    pid_t pid;
    int status = 0;

    signal(SIGCHLD, SIG_DFL); /* ignored, it would take the status away */
    pid = fork();
    if (pid == 0)
        become_coopd(l);
    close(l->ready_fd); /* whose end is coopd's, then */
    if (pid > 0 && waitpid(pid, &status, 0) == pid)
        (void)!write(l->status_fd, &status, sizeof(status));
    _exit(0);
}

/* A signal of the program's must not run its handler in the children. */
static pid_t fork_quietly(const struct launch *l)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        keep(l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* Of a broker that stays; else it ends with that. A program that ignores SIGCHLD has no children to wait for; then it is gone all the
 * same. */
static void end_keeper(const struct launch *l, int verdict)
{
    if (verdict == 1 || verdict == -ETIMEDOUT)
        kill(l->keeper, SIGKILL);
    while (waitpid(l->keeper, NULL, 0) < 0 && errno == EINTR) {
    }
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
static int explain_failure(int status_fd, int verdict, const char *log_path, off_t log_end, struct coop_error *why)
{
    char line[600];
    int status = 0, code = COOP_EXIT_TEMPORARY;

    if (verdict == -ETIMEDOUT)
        return coop_error_set(why, ETIMEDOUT, code, "the broker that was started is not ready after %d s; its log is %s",
                              START_TIMEOUT_MS / 1000, log_path);
    if (read(status_fd, &status, sizeof(status)) == sizeof(status) && WIFEXITED(status)) {
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

static int launch(struct launch *l, const char *log_path, off_t log_end, struct coop_error *why)
{
    int ready[2] = { -1, -1 }, status[2] = { -1, -1 }, verdict, rc;

    if (pipe2(ready, O_CLOEXEC) != 0 || pipe2(status, O_CLOEXEC) != 0) {
        rc = coop_error_set(why, errno, COOP_EXIT_TEMPORARY, "pipe: %s", strerror(errno));
        goto out;
    }
    l->ready_fd = ready[1];
    l->status_fd = status[1];
    l->keeper = fork_quietly(l);
    if (l->keeper < 0) {
        rc = coop_error_set(why, errno, COOP_EXIT_TEMPORARY, "cannot start %s: %s", l->coopd, strerror(errno));
        goto out;
    }
    close(ready[1]);
    close(status[1]);
    ready[1] = status[1] = -1;
    verdict = read_verdict(ready[0]);
    rc = verdict == 1 ? 0 : verdict == 0 ? -EBUSY : explain_failure(status[0], verdict, log_path, log_end, why);
    end_keeper(l, verdict);
out:
    for (int i = 0; i < 2; i++) {
        if (ready[i] >= 0)
            close(ready[i]);
        if (status[i] >= 0)
            close(status[i]);
    }
    return rc;
}

int endpoint_start_broker(const struct endpoint *e, struct coop_error *why)
{
    char coopd[PATH_MAX], log_path[ENDPOINT_DIR_MAX + 16];
    char *argv[] = { (char *)"coopd",       (char *)"--run-dir", (char *)e->run_dir,   (char *)"--state-dir", (char *)e->state_dir,
                     (char *)"--idle-exit", (char *)"60s",       (char *)"--ready-fd", (char *)"3",           NULL };
    struct launch l = { .coopd = coopd, .argv = argv };
    off_t log_end = 0;
    int rc = endpoint_find_coopd(coopd, why);

    if (rc == 0)
        rc = endpoint_make_dirs(e->state_dir, why);
    if (rc != 0)
        return rc;
    l.log_fd = open_log(e, log_path, sizeof(log_path), &log_end, why);
    if (l.log_fd < 0)
        return l.log_fd;
    rc = launch(&l, log_path, log_end, why);
    close(l.log_fd);
    return rc;
}
