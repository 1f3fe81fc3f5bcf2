/* verb_logs.c - what a job has written, so far or until its end. */
#include "cli/follow.h"
#include "ulid.h"

int verb_logs(const struct command *c)
{
    bool both = c->opt.only_stdout == c->opt.only_stderr;
    struct follow_plan plan = { .show_stdout = both || c->opt.only_stdout,
                                .show_stderr = both || c->opt.only_stderr,
                                .to_the_end = c->opt.follow,
                                .signal_fd = -1,
                                .stdin_fd = -1 };
    struct coop_client *client;
    struct follow_end end;
    char id[JOB_REF_LEN + 1];
    int code = say_open_for(c, c->args[0], id, &client);

    if (code != 0)
        return code;
    plan.id = id;
    code = follow_job(c, client, &plan, &end);
    follow_end_finish(&end);
    coop_client_close(client);
    return code;
}
