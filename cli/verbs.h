/*
 * verbs.h - the commands of coop as one table; each runs in its own file, verb_NAME.c.
 *
 * Side:    host (CLI). The table is constant; a verb allocates and frees what it needs itself.
 * Returns: a verb's exit code, as <coop/exit_codes.h> has them, after what went wrong has been said.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;
struct word;

enum verb_id {
    VERB_RUN,
    VERB_SUBMIT,
    VERB_WAIT,
    VERB_LOGS,
    VERB_RESULT,
    VERB_SHOW,
    VERB_LS,
    VERB_CANCEL,
    VERB_KILL,
    VERB_HOLD,
    VERB_RELEASE,
    VERB_PAUSE,
    VERB_RESUME,
    VERB_RETRY,
    VERB_EDIT,
    VERB_RM,
    VERB_EVENTS,
    VERB_TOP,
    VERB_CRON,
    VERB_LIMITER,
    VERB_NODE,
    VERB_INTERP,
    VERB_CALL,
    VERB_TEMPLATE,
    VERB_QUEUE,
    VERB_KV,
    VERB_AUDIT,
    VERB_STORE,
    VERB_TENANT,
    VERB_TOKEN,
    VERB_QUOTA,
    VERB_USAGE,
    VERB_CERT,
    VERB_DOCTOR,
    VERB_VERSION,
    VERB_HELP,
    VERB_COMPLETION
};
/* Sets of verbs: which ones have a flag. */
#define VERB_BIT(v) (UINT64_C(1) << (VERB_##v))
#define VERB_ALL    (~UINT64_C(0))

enum verb_completes { COMPLETE_NOTHING, COMPLETE_PROGRAM, COMPLETE_ID, COMPLETE_VERB, COMPLETE_SHELL };

struct verb {
    const char *name;
    const char *usage;        /* what follows the name and the flags */
    const char *summary;      /* one line */
    const char *text;         /* paragraphs of the manual, each one line, ended by \n */
    int min_args, max_args;   /* max -1: any number */
    bool job_args;            /* after the first argument everything belongs to the job */
    const struct word *words; /* of the first argument (ask.h), ended by a row without a name; NULL: it is no word */
    enum verb_completes completes;
    int (*run)(const struct command *c); /* returns the exit code */
};

/* Index: enum verb_id. */
extern const struct verb verb_table[];
extern const size_t verb_count;

/* By its exact name; NULL: there is none. */
const struct verb *verb_find(const char *name);
uint64_t verb_bit(const struct verb *v);

int verb_run(const struct command *c);
int verb_submit(const struct command *c);
int verb_wait(const struct command *c);
int verb_logs(const struct command *c);
int verb_result(const struct command *c);
int verb_show(const struct command *c);
int verb_ls(const struct command *c);
int verb_change(const struct command *c); /* cancel, kill, hold, release, pause, resume, rm */
int verb_retry(const struct command *c);
int verb_edit(const struct command *c);
int verb_events(const struct command *c);
int verb_top(const struct command *c);
int verb_cron(const struct command *c);
int verb_limiter(const struct command *c);
int verb_node(const struct command *c);
int verb_interp(const struct command *c);
int verb_call(const struct command *c);
int verb_template(const struct command *c);
int verb_queue(const struct command *c);
int verb_kv(const struct command *c);
int verb_audit(const struct command *c);
int verb_tenant(const struct command *c);
int verb_token(const struct command *c);
int verb_quota(const struct command *c);
int verb_usage(const struct command *c);
int verb_cert(const struct command *c);
int verb_store(const struct command *c);
int verb_doctor(const struct command *c);
int verb_version(const struct command *c);
int verb_help(const struct command *c);
int verb_completion(const struct command *c);

#endif
