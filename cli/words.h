/*
 * words.h - one Ask to the broker, and its answer; verbs with words of their own below them ("interp create") as tables.
 *
 * Side:    host (CLI).
 * Returns: exit codes, after what went wrong has been said.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "calls.pb-c.h"
#include "cli/args.h"
#include <coop/client.h>

#include "frame.h"

/* Asks, waiting as long as --timeout says and otherwise for as long as it takes. 0: the caller releases the reply; else the exit code. */
int say_ask(const struct command *c, struct coop_client *client, Pb__Ask *ask, Pb__Answer__BodyCase wanted, struct frame *ret_reply);
/* Its two halves: whatever the answer is, and what becomes of one that is not the wanted one, which this releases. */
int say_send(const struct command *c, struct coop_client *client, Pb__Ask *ask, struct frame *ret_reply);
int say_answer(const struct command *c, Pb__Answer__BodyCase wanted, struct frame *ret_reply);
const Pb__Answer *answer_of(const struct frame *reply);

/* Microseconds of --timeout; 0: none was given. For fields whose 0 is "no limit". */
uint64_t timeout_of(const struct command *c);

/* An Ask about one thing that is named on the command line. */
struct named {
    Pb__Ref ref;
    Pb__Ask ask;
};

/* Puts it together: which message, that message, its own Ref, and the name. All of it must live until the ask is answered. Returns &n->ask. */
Pb__Ask *ask_named(struct named *n, Pb__Ask__BodyCase which, void *message, Pb__Ref **ref_of_message, char *name);

/* What stands behind a verb: "create" of coop interp. */
struct word {
    const char *name;
    const char *usage; /* what follows it */
    int min, max;      /* arguments behind it; max -1: any number */
    const char *what;  /* one line of the manual */
    int (*run)(const struct command *c, struct coop_client *client, char **args, int n);
    int (*check)(const struct command *c, char **args,
                 int n);             /* before a broker is looked for; NULL: nothing to look at. 0 or the exit code */
    enum flag_completes first, rest; /* of its arguments, for a shell that completes */
};

extern const struct word audit_words[], interp_words[], template_words[], queue_words[], kv_words[], cron_words[], limiter_words[],
    node_words[], store_words[];
extern const struct word tenant_words[], token_words[], quota_words[];

/* Runs the word that the command's first argument is. words ends with a row without a name. */
int words_run(const struct command *c, const struct word *words);

#endif
