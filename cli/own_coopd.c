/* own_coopd.c - see own_coopd.h. */
#include "cli/own_coopd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <coop/exit_codes.h>

extern char **environ;

/* ret_from: its standard output. */
static int start(const char *program, char *const argv[], pid_t *ret_pid, FILE **ret_from)
{
    posix_spawn_file_actions_t fa;
    int out[2], rc;

    if (pipe2(out, O_CLOEXEC) != 0)
        return -errno;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_adddup2(&fa, out[1], STDOUT_FILENO);
    rc = -posix_spawn(ret_pid, program, &fa, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&fa);
    close(out[1]);
    *ret_from = rc == 0 ? fdopen(out[0], "r") : NULL;
    if (*ret_from == NULL)
        close(out[0]); /* it ends when it writes */
    return rc;
}

static int read_lines(FILE *from, own_coopd_line *take, void *ctx)
{
    char *line = NULL;
    size_t room = 0;
    int rc = 0;

    while (rc == 0 && getline(&line, &room, from) > 0) {
        json_t *doc = json_loads(line, 0, NULL);

        rc = doc != NULL ? take(ctx, doc) : -EPROTO;
    }
    free(line);
    return rc;
}

int own_coopd_run(char *const argv[], own_coopd_line *take, void *ctx, int *ret_code, struct coop_error *why)
{
    char coopd[PATH_MAX];
    FILE *from = NULL;
    pid_t pid = 0;
    int status = 0, rc = coop_broker_program(coopd, sizeof(coopd), why);

    if (rc != 0)
        return rc;
    rc = start(coopd, argv, &pid, &from);
    if (rc == 0)
        rc = from != NULL ? read_lines(from, take, ctx) : -ENOMEM;
    if (from != NULL)
        (void)fclose(from);
    if (pid > 0 && (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) && rc == 0)
        rc = -ECHILD;
    if (rc != 0)
        return coop_error_set(why, -rc, COOP_EXIT_PLATFORM, "%s %s failed: %s", coopd, argv[1],
                              rc == -ECHILD ? "it was killed" : strerror(-rc));
    *ret_code = WEXITSTATUS(status);
    return 0;
}
