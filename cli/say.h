/*
 * say.h - what the command says of itself: errors, notes, and the live status line. All of it on standard error, except that with
 * --json an error is a coop.Error/1 on standard output.
 *
 * Side: host (CLI). Peers' words are escaped here (text.h), so callers pass them on as they came.
 */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <stdbool.h>

#include "cli/args.h"
#include "cli/ask.h"
#include "ulid.h"

/* Prints the error and returns its exit code. */
int say_error(const struct command *c, const struct coop_error *e);

/* Its workers were lost again and again: it stays held until somebody releases it, and who waits for its end waits for ever. */
bool say_is_quarantined(const Pb__JobStatus *s);
int say_quarantined(const struct command *c, const Pb__JobStatus *s); /* as say_error() */
/* Somebody holds it: a note, once for each time that it comes to that; none with --json. */
void say_held(const struct command *c, const Pb__JobStatus *s, bool *told);

/* "coop: ..." unless --quiet. */
__attribute__((format(printf, 2, 3))) void say_note(const struct command *c, const char *fmt, ...);

/* Opens a connection as the flags say. 0, or the exit code after having said why. */
int say_open(const struct command *c, struct coop_client **ret_client);

/* Calls, and says what went wrong when it did: 0 (the caller releases the reply) or the exit code. */
int say_call(const struct command *c, struct coop_client *client, Pb__Request *req, Pb__Reply__BodyCase wanted, struct frame *ret_reply);

/* The same, and says nothing. 0 or -errno with why, whose exit code is the command's. */
int say_try(const struct command *c, struct coop_client *client, Pb__Request *req, Pb__Reply__BodyCase wanted, struct frame *ret_reply,
            struct coop_error *why);

/* One request on a connection of its own, because the other one waits; starts no broker. 0 or -errno with why; the answer is dropped. */
int say_aside(const struct command *c, Pb__Request *req, Pb__Reply__BodyCase wanted, struct coop_error *why);

/* What names a job: an id or the beginning of one; ID.7 is task 7 of the array ID. */
#define JOB_REF_LEN (ULID_LEN + 1 + 20)

/* Checks what was typed for a job. 0, or the exit code after having said why. ret_id: JOB_REF_LEN + 1 bytes. */
int say_id(const struct command *c, const char *typed, char *ret_id);

/* Both: the id of the job a verb is about, and a connection to ask about it. 0, or the exit code after having said why. */
int say_open_for(const struct command *c, const char *typed, char *ret_id, struct coop_client **ret_client);

/* ---- one live line ------------------------------------------------------------------------------------------------------------- */

/* Whether this command shows one: a terminal on standard error, and neither --quiet nor --json. */
bool status_wanted(const struct command *c);
void status_line(const char *text); /* ASCII; cut to the terminal's width */
void status_show(const Pb__JobStatus *s);
void status_clear(void); /* before anything else is printed */

#endif
