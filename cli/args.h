/*
 * args.h - the flags as a table, and a command line turned into a struct command by it.
 *
 * Side:    host (CLI). Help, manual, completion and "did you mean" come from the same rows.
 * Owned:   a command borrows argv; command_finish() frees its lists.
 * Returns: 0 or -EINVAL with why filled in (exit code 2, or 79 for a limit above its maximum).
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/verbs.h"
#include <coop/client.h>
#include "control.pb-c.h"
#include "job_words.h"

struct text_list {
    const char **items;
    size_t n;
};

struct options {
    bool json, quiet, no_autostart, help, follow, only_stdout, only_stderr, receipt, man;
    bool tty, learn, force, learned;
    bool all, durable, discard;
    const char *token_file, *ca_file; /* with endpoint */
    const char *endpoint, *engine, *name, *stdin_path, *head;
    const char *template, *run, *unbound, *source;
    const char *code;         /* -c: a script of Python */
    struct text_list modules; /* -m: of Python; of a job one */
    uint32_t max_items;       /* of a queue, as max_bytes; 0: the broker's default */
    uint64_t max_bytes;
    const char *output_dir, *policy_path, *require, *explain, *output; /* output: the one of result */
    uint64_t timeout_us;                                               /* 0: none */
    uint32_t count;                                                    /* ls --limit; 0: the broker's default */
    unsigned states;                                                   /* ls --state: 1u << Pb__State */
    Pb__Limits limits;                                                 /* 0: not given */
    Pb__OnOutputLimit on_output_limit;
    struct text_list env, files, outputs, caps;
    struct text_list cap_files, grants; /* NAME=PATH of --cap file=, and --grant: read by grants.h */
    uint32_t max_children;

    /* which jobs: ls, wait, and the verbs that change some (selection.h); --name is name */
    struct text_list labels; /* KEY=VALUE, or KEY */
    const char *tenant, *array;
    uint64_t since_us; /* wall clock; 0: not given */
    bool arrays, yes;

    /* what is changed of one (edit) */
    bool set_class;
    Pb__JobClass job_class;
    uint32_t priority;                         /* 1 to 5; 0: not given */
    uint64_t not_before_us, deadline_us;       /* wall clock; 0: not given */
    uint64_t not_before_in_us, deadline_in_us; /* said as a span from now; 0: not said so */
    struct text_list after, drop_after;        /* ID[:ok|fail|any] */
    bool clone;                                /* retry */

    bool why;                      /* show */
    bool any, all_of, no_progress; /* wait */
    bool since_start;              /* events */
    const char *sort;              /* ls */
    bool jsonl, watch;             /* ls */
    const char *by;                /* usage */
    struct text_list hosts;        /* cert */
    uint32_t days;

    /* Of a job, beside what it runs (flag_plan.h). */
    const char *spec_path, *idem, *queue, *cron, *zone;
    struct text_list limiters, webhooks; /* as labels and after below: checked when read, taken apart by spec_flags.c */
    struct job_retry_words retry;        /* retry.max_attempts 0: not given */
    Pb__ArrayRange range;                /* --array of submit */
    bool has_range, hold, dry_run, parsable, wait;
    uint64_t keep_us; /* 0: not given */
};

struct command {
    const struct verb *verb;
    struct options opt;
    char **args; /* what is left: FILE and the job's own, or ids */
    int n_args;
    bool after_dashes; /* the first of args stood behind -- */
};

/* What the value of a flag, or an argument behind a word, is one of. */
enum flag_completes {
    FLAG_NOTHING,
    FLAG_FILE,
    FLAG_ENGINE,
    FLAG_LIMIT,
    FLAG_STATE,
    FLAG_OUTPUT_LIMIT,
    FLAG_CAP,
    FLAG_CLASS,
    FLAG_ID,
    FLAG_SORT,
    FLAG_RETRY,
    FLAG_NAME, /* what the verb's own ls lists */
    FLAG_TENANT,
    FLAG_SCOPES,
    FLAG_TENANT_KEYS,
    FLAG_QUOTA_KEYS,
    FLAG_TOKEN_KEYS,
};

struct flag {
    const char *name;  /* without dashes */
    char letter;       /* 0: none */
    const char *value; /* how its value is called; NULL: takes none */
    uint64_t verbs;    /* VERB_BIT() of each verb that has it */
    size_t offset;     /* in struct options: a bool (value NULL) or a const char * (read NULL) */
    int (*read)(struct options *o, const char *text, struct coop_error *why);
    enum flag_completes completes;
    const char *help;
};

extern const struct flag flag_table[];
extern const size_t flag_count;

int command_parse(int argc, char **argv, struct command *ret, struct coop_error *why);
void command_finish(struct command *c);

/* "did you mean X?" as a hint when a word of the list is near. */
void hint_nearest(struct coop_error *why, const char *typed, const char *const *words, const char *prefix);

/* The states by their names in JSON, NULL-terminated; index: Pb__State. */
extern const char *const state_words[];
/* The same for Pb__JobClass and Pb__After; by what ls sorts. */
extern const char *const class_words[], *const after_words[], *const sort_words[];

#endif
