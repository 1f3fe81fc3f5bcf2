/*
 * outputs.h - files that a job left behind, written below a directory of the user's.
 *
 * Side:    host (CLI). Names and bytes are the job's: a name is used only below the directory's descriptor, following no link, and what is
 *          there already stays unless the user says otherwise.
 * Returns: 0 or -errno with why.
 */
#ifndef CLI_OUTPUTS_H
#define CLI_OUTPUTS_H

#include "cli/say.h"

/* Opens the directory, which is made when only its last part is missing. NULL: the current one. The caller closes *ret_fd. */
int outputs_open(const char *dir, int *ret_fd, struct coop_error *why);

/* Before the job runs: a glob that is a plain name, of a file that is there, could not be written. */
int outputs_free(int dir_fd, const struct options *o, struct coop_error *why);

/*
 * Asks for each file of the receipt and writes it, when it is what the receipt says; says of each that could not be written why. 0 when all are there, else the exit code of
 * the first that failed.
 */
int outputs_write(const struct command *c, struct coop_client *client, const Pb__Receipt *r, int dir_fd);

/* One file to standard output, byte for byte; when all is out, that it is what the receipt says. 0 or the exit code after having said why. */
int outputs_print(const struct command *c, struct coop_client *client, const Pb__Receipt *r, const char *name);

#endif
