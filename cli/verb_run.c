/* verb_run.c - submit, follow, and end as the job ended. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/ending.h"
#include "cli/follow.h"
#include "cli/outputs.h"
#include "cli/signals.h"
#include "cli/submit_spec.h"
#include "cli/terminal.h"
#include "ulid.h"

#include <coop/exit_codes.h>

/* Whether standard input has anything to give: not when closed, /dev/null, or a terminal that is another program's to read now. */
static bool stdin_speaks(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) != 0)
        return false;
    if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
        return false;
    return isatty(STDIN_FILENO) != 1 || tcgetpgrp(STDIN_FILENO) == getpgrp();
}

/* The descriptor that streams into the job, or -1. */
static int open_input(const struct command *c, const struct spec *s, int *ret_fd, struct coop_error *why)
{
    const char *path = s->stdin_path;
    struct stat st;

    *ret_fd = -1;
    (void)c;
    if (path == NULL || strcmp(path, "-") == 0) {
        bool has_own = path == NULL && s->pb.stdin_mode == PB__STDIN_MODE__STDIN_MODE_INLINE;

        if (!s->script_from_stdin && !has_own && stdin_speaks())
            *ret_fd = STDIN_FILENO;
        return 0;
    }
    *ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (*ret_fd < 0)
        return coop_error_set(why, errno, COOP_EXIT_USAGE, "--stdin %s: %s", path, strerror(errno));
    if (fstat(*ret_fd, &st) == 0 && S_ISDIR(st.st_mode))
        return coop_error_set(why, EISDIR, COOP_EXIT_USAGE, "--stdin %s is a directory; name a file", path);
    return 0;
}

static int submit(const struct command *c, struct coop_client *client, struct spec *s, char ret_id[ULID_LEN + 1])
{
    Pb__Submit body = PB__SUBMIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct frame reply;
    int code;

    body.spec = &s->pb;
    req.body_case = PB__REQUEST__BODY_SUBMIT;
    req.submit = &body;
    code = say_call(c, client, &req, PB__REPLY__BODY_SUBMIT, &reply);
    if (code != 0)
        return code;
    snprintf(ret_id, ULID_LEN + 1, "%s", ((const Pb__Reply *)reply.msg)->submit->id);
    frame_release(&reply);
    return 0;
}

static int finish(const struct command *c, struct coop_client *client, const struct spec *s, const char *id, const struct follow_end *end,
                  int output_fd)
{
    struct coop_error why;
    int code;

    if (end->receipt == NULL) {
        coop_error_set(&why, EPROTO, COOP_EXIT_PLATFORM, "job %s has ended but the broker sent no receipt; see coop result", id);
        return say_error(c, &why);
    }
    code = ending_tell(c, client, &s->pb, end->receipt, output_fd);
    return end->timed_out ? COOP_EXIT_TIME_LIMIT : code;
}

/* The terminal is the job's from here to the end of it, and as it was whatever happened. */
static int follow_on_terminal(const struct command *c, struct coop_client *client, const struct follow_plan *plan, struct follow_end *end)
{
    int code, rc = plan->tty ? terminal_raw() : 0;

    if (rc != 0)
        say_note(c, "--tty: the terminal cannot be made raw: %s", strerror(-rc));
    code = follow_job(c, client, plan, end);
    terminal_restore();
    return code;
}

/* Before there is a job: what could only fail after it. */
static int open_files(const struct command *c, const struct spec *s, int *ret_stdin, int *ret_output, struct coop_error *why)
{
    int rc = open_input(c, s, ret_stdin, why);

    *ret_output = -1;
    if (rc != 0 || s->pb.n_outputs == 0)
        return rc;
    rc = outputs_open(c->opt.output_dir, ret_output, why);
    return rc == 0 ? outputs_free(*ret_output, &c->opt, why) : rc;
}

static int run_spec(const struct command *c, struct spec *s, int signal_fd)
{
    struct follow_plan plan = { .show_stdout = true,
                                .show_stderr = true,
                                .to_the_end = true,
                                .want_receipt = true,
                                .owns_job = true,
                                .signal_fd = signal_fd,
                                .tty = s->pb.tty != NULL,
                                .stdin_fd = -1 };
    struct coop_client *client = NULL;
    struct follow_end end = { .receipt = NULL };
    struct coop_error why;
    char id[ULID_LEN + 1];
    int output_fd = -1, code;

    if (open_files(c, s, &plan.stdin_fd, &output_fd, &why) != 0)
        return say_error(c, &why);
    if (plan.stdin_fd >= 0) {
        s->pb.stdin_mode = PB__STDIN_MODE__STDIN_MODE_STREAM;
        s->pb.stdin_data = (ProtobufCBinaryData){ 0 };
    }
    code = say_open(c, &client);
    if (code == 0)
        code = submit(c, client, s, id);
    if (code == 0) {
        plan.id = id;
        code = follow_on_terminal(c, client, &plan, &end);
        if (code == 0)
            code = finish(c, client, s, id, &end, output_fd);
        follow_end_finish(&end);
    }
    coop_client_close(client);
    if (plan.stdin_fd > STDERR_FILENO)
        close(plan.stdin_fd);
    if (output_fd >= 0)
        close(output_fd);
    return code;
}

/* Of a job file, which may say what there is no flag of run's for. */
static int check_one(const struct spec *s, struct coop_error *why)
{
    const Pb__Schedule *plan = s->pb.schedule;

    if (plan == NULL || (plan->array == NULL && plan->cron[0] == '\0'))
        return 0;
    coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "coop run stays with one job, and the job file has %s",
                   plan->array != NULL ? "an array" : "a cron expression");
    coop_error_hint(why, "hand it in by coop submit");
    return -EINVAL;
}

int verb_run(const struct command *c)
{
    struct coop_error why;
    struct spec s;
    int signal_fd, code;

    if (spec_make(c, false, &s, &why) != 0)
        return say_error(c, &why);
    if (check_one(&s, &why) != 0) {
        spec_finish(&s);
        return say_error(c, &why);
    }
    signal_fd = signals_hold(s.pb.tty != NULL);
    if (signal_fd < 0) {
        coop_error_set(&why, -signal_fd, COOP_EXIT_PLATFORM, "signals: %s", strerror(-signal_fd));
        code = say_error(c, &why);
    } else {
        code = run_spec(c, &s, signal_fd);
        close(signal_fd);
    }
    spec_finish(&s);
    return code;
}
