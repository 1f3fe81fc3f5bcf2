/* verb_change.c - cancel, kill, hold, release, pause, resume and rm: the same exchange with another body, for each job that is meant. */
#include <errno.h>
#include <stdio.h>

#include "cli/human.h"
#include "cli/json.h"
#include "cli/selection.h"

#include <coop/exit_codes.h>

/* All of these messages have an id and nothing else. */
struct change {
    Pb__Request__BodyCase body;
    const ProtobufCMessageDescriptor *message;
    unsigned states; /* in which it can be done */
};

/* clang-format off */
static const struct change changes[] = {
    [VERB_CANCEL]  = { PB__REQUEST__BODY_CANCEL,  &pb__cancel__descriptor,  STATES_WAITING | STATES_ON },
    [VERB_KILL]    = { PB__REQUEST__BODY_KILL,    &pb__kill__descriptor,    STATES_WAITING | STATES_ON },
    [VERB_HOLD]    = { PB__REQUEST__BODY_HOLD,    &pb__hold__descriptor,    STATES_WAITING & ~STATE_BIT(HELD) },
    [VERB_RELEASE] = { PB__REQUEST__BODY_RELEASE, &pb__release__descriptor, STATE_BIT(HELD) },
    [VERB_PAUSE]   = { PB__REQUEST__BODY_PAUSE,   &pb__pause__descriptor,   STATE_BIT(RUNNING) },
    [VERB_RESUME]  = { PB__REQUEST__BODY_RESUME,  &pb__resume__descriptor,  STATE_BIT(PAUSED) },
    [VERB_RM]      = { PB__REQUEST__BODY_REMOVE,  &pb__remove__descriptor,  STATES_ENDED },
};
/* clang-format on */

struct with_id {
    ProtobufCMessage base;
    char *id;
};

static void print(const struct command *c, const char *id, const Pb__SignalReply *r)
{
    char text[HUMAN_BUF];

    if (c->opt.json)
        json_print(r->status != NULL ? json_document(&r->status->base) : json_named("JobStatus"));
    else if (c->opt.quiet)
        return;
    else if (r->status != NULL && c->verb != &verb_table[VERB_RM])
        printf("%s %s\n", r->status->id, human_outcome(r->status->state, r->status->cause, text));
    else
        printf("%s\n", r->status != NULL ? r->status->id : id);
}

/* Of an array: those of its tasks to which it could not be done. */
static int say_notes(const struct command *c, const Pb__SignalReply *r)
{
    struct coop_error why;

    if (r->n_notes == 0)
        return 0;
    for (size_t i = 1; i < r->n_notes; i++)
        say_note(c, "%s", r->notes[i]);
    coop_error_set(&why, EBUSY, COOP_EXIT_CONFLICT, "%s", r->notes[0]);
    return say_error(c, &why);
}

static int change_one(const struct command *c, struct coop_client *client, char *id, bool chosen)
{
    const struct change *how = &changes[c->verb - verb_table];
    union {
        struct with_id head;
        char room[64];
    } body;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_error why;
    struct frame reply;
    int code;

    protobuf_c_message_init(how->message, &body);
    body.head.id = id;
    req.body_case = how->body;
    req.hold = (Pb__Hold *)&body.head; /* all bodies of a Request are pointers in one place */
    if (say_try(c, client, &req, PB__REPLY__BODY_SIGNAL, &reply, &why) != 0)
        return selection_fate(c, &why, chosen);
    print(c, id, ((const Pb__Reply *)reply.msg)->signal);
    code = say_notes(c, ((const Pb__Reply *)reply.msg)->signal);
    frame_release(&reply);
    return code;
}

int verb_change(const struct command *c)
{
    return selection_each(c, changes[c->verb - verb_table].states, change_one);
}
