/*
 * own_coopd.h - coopd run as a program of the command's own, which tells what it finds and ends: no broker.
 *
 * Side:    command.
 * Borrowed: argv, NULL at its end; argv[0] is a name, the program is the one that a broker would be started from. Its errors go where ours go.
 * Returns: 0 and in *ret_code how it exited; -errno with *why: it could not be started, was killed, or said what is no JSON.
 */
#ifndef CLI_OWN_COOPD_H
#define CLI_OWN_COOPD_H

#include <jansson.h>

#include <coop/client.h>

/* Of each line that it says, as it comes; the line is its to keep. -errno: it makes no sense, and nothing more is read. */
typedef int own_coopd_line(void *ctx, json_t *line);

int own_coopd_run(char *const argv[], own_coopd_line *take, void *ctx, int *ret_code, struct coop_error *why);

#endif
