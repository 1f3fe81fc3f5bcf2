/*
 * follow.h - stays with a job: its output to ours, our input to it, our signals to its end; across a broker that goes and comes back.
 *
 * Side:    host (CLI).
 * Blocks:  until the job has ended, or what the flags say came first. One loop over poll(2); no thread of ours.
 * Returns: follow_job() 0 when what was asked for happened, else the exit code, after having said why.
 */
#ifndef CLI_FOLLOW_H
#define CLI_FOLLOW_H

#include <stdbool.h>

#include "cli/say.h"

struct follow_plan {
    const char *id;
    bool show_stdout, show_stderr;
    bool to_the_end;   /* false: what there is now, and return */
    bool want_receipt; /* into follow_end.receipt */
    bool owns_job;     /* signals, --timeout and a closed standard output end the job */
    int signal_fd;     /* from signals_hold(), or -1 */
    bool tty;          /* the job has a terminal, which follows ours in size */
    int stdin_fd;      /* what streams into the job, or -1 */
};

struct follow_end {
    struct frame reply;         /* holds the last LogsReply; the caller releases it */
    const Pb__Receipt *receipt; /* NULL when there is none */
    const Pb__JobStatus *status;
    bool timed_out;   /* --timeout ended it */
    bool broken_pipe; /* our standard output was closed */
};

int follow_job(const struct command *c, struct coop_client *client, const struct follow_plan *plan, struct follow_end *ret);
void follow_end_finish(struct follow_end *e);

/* Microseconds on the monotonic clock, and how long until then in poll(2)'s milliseconds (0: it is past). */
uint64_t follow_now_us(void);
int follow_ms_until(uint64_t when_us);

#endif
