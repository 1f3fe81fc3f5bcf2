/* interp_output.c - see interp_output.h: the output of one call. */
#include "cli/interp_output.h"

#include <stdio.h>

#include "cli/say.h"

struct span {
    uint64_t at[2], to[2]; /* stdout, stderr */
};

static bool is_done(const struct span *s)
{
    return s->at[0] >= s->to[0] && s->at[1] >= s->to[1];
}

/* Bytes of a reply that lie within the span; what comes behind is another call's. */
static void put(struct span *s, int which, uint64_t offset, const ProtobufCBinaryData *data, FILE *out)
{
    uint64_t room = s->to[which] - s->at[which];

    if (offset != s->at[which] || room == 0)
        return;
    room = data->len < room ? data->len : room;
    fwrite(data->data, 1, (size_t)room, out);
    s->at[which] += room;
}

static int next(const struct command *c, struct coop_client *client, const char *id, struct span *s)
{
    Pb__Logs m = PB__LOGS__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    const Pb__LogsReply *r;
    struct span before = *s;
    struct frame reply;
    int code;

    m.id = (char *)id;
    m.stdout_offset = s->at[0];
    m.stderr_offset = s->at[1];
    req.body_case = PB__REQUEST__BODY_LOGS;
    req.logs = &m;
    code = say_call(c, client, &req, PB__REPLY__BODY_LOGS, &reply);
    if (code != 0)
        return code;
    r = ((const Pb__Reply *)reply.msg)->logs;
    put(s, 0, r->stdout_offset, &r->stdout_data, stdout);
    put(s, 1, r->stderr_offset, &r->stderr_data, stderr);
    if (before.at[0] == s->at[0] && before.at[1] == s->at[1]) /* past its limit, and dropped */
        *s = (struct span){ .at = { 0 }, .to = { 0 } };
    frame_release(&reply);
    return 0;
}

static int print(const struct command *c, struct coop_client *client, const char *id, struct span *s)
{
    int code = 0;

    while (code == 0 && !c->opt.json && !is_done(s))
        code = next(c, client, id, s);
    fflush(stdout);
    return code;
}

int interp_output(const struct command *c, struct coop_client *client, const Pb__CallResult *r)
{
    struct span s = {
        {r->stdout_from, r->stderr_from},
        { r->stdout_to,  r->stderr_to  }
    };

    return print(c, client, r->output, &s);
}

int interp_output_all(const struct command *c, struct coop_client *client, const char *id)
{
    struct span s = { .to = { UINT64_MAX, UINT64_MAX } };

    return print(c, client, id, &s);
}
