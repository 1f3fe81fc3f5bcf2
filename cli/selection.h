/*
 * selection.h - the jobs that a verb is about: ids on the command line, or what -l, --name, --state and --array choose.
 *
 * Side:    host (CLI).
 * Owned:   selection_finish() frees it.
 * Returns: 0, or the exit code after having said why.
 */
#ifndef CLI_SELECTION_H
#define CLI_SELECTION_H

#include "cli/say.h"

struct selection {
    char (*ids)[JOB_REF_LEN + 1]; /* as typed, or whole ones, oldest first */
    size_t n;
    bool chosen; /* by a selector: that one of them is not in the right state any more is no mistake */
};

/* Sets of states, for the second argument of selection_make(): 1u << Pb__State. */
#define STATE_BIT(s)   (1u << PB__STATE__STATE_##s)
#define STATES_WAITING (STATE_BIT(READY) | STATE_BIT(HELD) | STATE_BIT(SCHEDULED) | STATE_BIT(BLOCKED) | STATE_BIT(RETRY_WAIT))
#define STATES_ON      (STATE_BIT(CLAIMED) | STATE_BIT(STARTING) | STATE_BIT(RUNNING) | STATE_BIT(PAUSED) | STATE_BIT(FINISHING))
#define STATES_BAD                                                                                                                         \
    (STATE_BIT(FAILED) | STATE_BIT(TIMED_OUT) | STATE_BIT(CANCELLED) | STATE_BIT(EXPIRED) | STATE_BIT(SKIPPED) | STATE_BIT(DEAD))
#define STATES_ENDED (STATE_BIT(SUCCEEDED) | STATES_BAD)

/* Whether a job in this state has ended. */
static inline bool selection_ended(Pb__State s)
{
    return (STATES_ENDED >> s & 1) != 0;
}

/* Before a broker is looked for: ids are ids; there are some, or a selector, and not both. */
int selection_check(const struct command *c);

/* states: of those that a selector without --state chooses; 0: all. It may choose none, which is said. */
int selection_make(const struct command *c, struct coop_client *client, unsigned states, struct selection *ret);
void selection_finish(struct selection *s);

/* All of it, for a verb that does one thing to each: to all of them, also when one fails. The first code that is not 0. */
int selection_each(const struct command *c, unsigned states,
                   int (*one)(const struct command *c, struct coop_client *client, char *id, bool chosen));

/* What came of one such request: a job that a selector chose and that has gone on since is passed over. */
int selection_fate(const struct command *c, const struct coop_error *why, bool chosen);

/* What of the command line chooses jobs, as a request; also for ls. list: STATE_WORDS entries, borrowed by ret. */
enum { STATE_WORDS = 32 };
void selection_body(const struct command *c, unsigned states, Pb__State *list, Pb__Ls *ret);

#endif
