/* verb_version.c - our version and the broker's. A broker that is not there is an answer, not a failure. */
#include <stdio.h>

#include "cli/json.h"
#include "cli/say.h"
#include "cli/text.h"

#include <coop/version.h>

enum { VERSION_TIMEOUT_US = 5000000 };

/* The reply, or NULL with why. */
static const Pb__VersionReply *ask(const struct command *c, struct frame *ret_reply, struct coop_error *why)
{
    Pb__GetVersion body = PB__GET_VERSION__INIT;
    Pb__Request req = PB__REQUEST__INIT;
    struct coop_client_options o = { sizeof(o), c->opt.endpoint, true, c->opt.token_file, c->opt.ca_file };
    struct coop_client *client;
    int rc = coop_client_open(&o, &client, why);

    if (rc != 0)
        return NULL;
    req.body_case = PB__REQUEST__BODY_VERSION;
    req.version = &body;
    rc = ask_broker(client, &req, VERSION_TIMEOUT_US, ret_reply, why);
    coop_client_close(client);
    if (rc != 0)
        return NULL;
    if (ask_check(ret_reply, PB__REPLY__BODY_VERSION, why) == 0)
        return ((const Pb__Reply *)ret_reply->msg)->version;
    frame_release(ret_reply);
    return NULL;
}

static void print_json(const Pb__VersionReply *r)
{
    json_t *doc = json_named("Version");

    json_object_set_new(doc, "version", json_string(COOP_VERSION));
    json_object_set_new(doc, "protocol", json_integer(COOP_PROTOCOL));
    json_object_set_new(doc, "broker", json_of_message(r != NULL ? &r->base : NULL));
    json_print(doc);
}

static void print_broker(const Pb__VersionReply *r)
{
    char a[256], b[1024], c[256];

    printf("broker %s (protocol %u) ", text_safe_str(a, sizeof(a), r->version), r->protocol);
    if (r->pid != 0) /* an operator hears of the host */
        printf("pid %u, %u workers idle, %u busy, %u jobs waiting\nstate  %s\nkernel %s\n", r->pid, r->workers_idle, r->workers_busy,
               r->jobs_waiting, text_safe_str(b, sizeof(b), r->state_dir), text_safe_str(c, sizeof(c), r->kernel));
    else
        printf("%u jobs running, %u waiting\n", r->workers_busy, r->jobs_waiting);
    printf("engines");
    for (size_t i = 0; i < r->n_engines; i++)
        printf(" %s", text_safe_str(a, sizeof(a), r->engines[i]));
    printf("\n");
}

int verb_version(const struct command *c)
{
    char safe[2048];
    struct coop_error why;
    struct frame reply;
    const Pb__VersionReply *r;

    if (c->opt.quiet && !c->opt.json) {
        printf("%s\n", COOP_VERSION);
        return 0;
    }
    r = ask(c, &reply, &why);
    if (c->opt.json)
        print_json(r);
    else {
        printf("coop   %s (protocol %d)\n", COOP_VERSION, COOP_PROTOCOL);
        if (r != NULL)
            print_broker(r);
        else
            printf("broker none: %s\n", text_safe_str(safe, sizeof(safe), why.message));
    }
    if (r != NULL)
        frame_release(&reply);
    return 0;
}
