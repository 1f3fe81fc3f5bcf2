/* reply.c - see reply.h. All bodies of a Reply, and of an Answer, are pointers in one place. */
#include "cli/reply.h"

#include "cli/json.h"
#include "cli/say.h"

static void print_body(const struct command *c, const ProtobufCMessage *body, reply_print *print)
{
    if (c->opt.json)
        json_print(json_document(body));
    else if (print != NULL)
        print(c, body);
}

int reply_print_call(const struct command *c, struct coop_client *client, Pb__Request *req, Pb__Reply__BodyCase wanted, reply_print *print)
{
    struct frame reply;
    int code = say_call(c, client, req, wanted, &reply);

    if (code != 0)
        return code;
    print_body(c, &((const Pb__Reply *)reply.msg)->version->base, print);
    frame_release(&reply);
    return 0;
}

int reply_print_ask(const struct command *c, struct coop_client *client, Pb__Ask *ask, Pb__Answer__BodyCase wanted, reply_print *print)
{
    struct frame reply;
    int code = say_ask(c, client, ask, wanted, &reply);

    if (code != 0)
        return code;
    print_body(c, &answer_of(&reply)->done->base, print);
    frame_release(&reply);
    return 0;
}
