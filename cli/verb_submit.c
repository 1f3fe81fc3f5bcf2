/* verb_submit.c - hand a job in; its id is the output. */
#include <errno.h>
#include <stdio.h>

#include "cli/json.h"
#include "cli/say.h"
#include "cli/spec_file.h"
#include "cli/submit_spec.h"
#include "cli/text.h"
#include "yaml_write.h"

#include <coop/exit_codes.h>

/* The job as it would be kept, as a file that can be handed in again but for its code. */
static void print_effective(const struct spec *s, const Pb__SubmitReply *r)
{
    char reason[128], text[512];

    if (r->tasks > 0)
        printf("# %llu tasks\n", (unsigned long long)r->tasks);
    if (r->why != NULL && r->why->reason[0] != '\0')
        printf("# it would wait: %s, %s\n", text_safe_str(reason, sizeof(reason), r->why->reason),
               text_safe_str(text, sizeof(text), r->why->text));
    else if (r->why != NULL)
        puts("# it would begin at once");
    if (s->pb.source.len > 0)
        printf("# what it runs has %zu bytes, not shown here\n", s->pb.source.len);
    if (r->effective != NULL)
        yaml_write(stdout, spec_file_keys, &r->effective->base);
}

static void print_reply(const struct command *c, const struct spec *s, const Pb__SubmitReply *r)
{
    if (c->opt.parsable && !c->opt.dry_run)
        printf("%s\n", r->id);
    else if (c->opt.json)
        json_print(json_document(&r->base));
    else if (c->opt.dry_run)
        print_effective(s, r);
    else
        printf("%s\n", r->id);
    fflush(stdout);
    if (r->existing && !c->opt.json)
        say_note(c, "this job is there already, by its idempotency key: nothing was added");
}

/* What coop logs -f and coop wait would do with this id, in this order. */
static int stay(const struct command *c, char *id)
{
    struct command as = *c;
    int code = 0;

    as.args = &id;
    as.n_args = 1;
    if (c->opt.follow)
        code = verb_logs(&as);
    as.opt.quiet |= c->opt.follow || c->opt.parsable;
    return code == 0 ? verb_wait(&as) : code;
}

static int hand_in(const struct command *c, struct coop_client *client, struct spec *s)
{
    Pb__Submit body = PB__SUBMIT__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__SubmitReply *r;
    struct frame reply;
    int code;

    body.spec = &s->pb;
    body.dry_run = c->opt.dry_run;
    req.body_case = PB__REQUEST__BODY_SUBMIT;
    req.submit = &body;
    code = say_call(c, client, &req, PB__REPLY__BODY_SUBMIT, &reply);
    if (code != 0)
        return code;
    r = ((const Pb__Reply *)reply.msg)->submit;
    print_reply(c, s, r);
    if (!c->opt.dry_run && (c->opt.wait || c->opt.follow))
        code = stay(c, r->id);
    frame_release(&reply);
    return code;
}

/* What would wait for ever, or print nothing: said before anything is handed in. */
static int check_stay(const struct command *c, const struct spec *s, struct coop_error *why)
{
    const Pb__Schedule *plan = s->pb.schedule;

    if (plan != NULL && plan->cron[0] != '\0' && (c->opt.wait || c->opt.follow))
        return coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "--%s waits for an end, and an entry of cron has none",
                              c->opt.follow ? "follow" : "wait");
    if (plan != NULL && plan->array != NULL && c->opt.follow) {
        coop_error_set(why, EINVAL, COOP_EXIT_USAGE, "--follow shows the output of one job, and an array has one for each task");
        coop_error_hint(why, "wait for it by --wait; coop logs ID shows a task's");
        return -EINVAL;
    }
    return 0;
}

int verb_submit(const struct command *c)
{
    struct coop_client *client = NULL;
    struct coop_error why;
    struct spec s;
    int code;

    if (spec_make(c, true, &s, &why) != 0)
        return say_error(c, &why);
    if (check_stay(c, &s, &why) != 0) {
        spec_finish(&s);
        return say_error(c, &why);
    }
    code = say_open(c, &client);
    if (code == 0)
        code = hand_in(c, client, &s);
    coop_client_close(client);
    spec_finish(&s);
    return code;
}
