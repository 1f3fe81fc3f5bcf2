/* verbs_broker.c - requests about the broker itself; see control_verbs.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "coop/version.h"

#include <unistd.h>

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

void verb_version(struct control_call *c)
{
    struct broker *b = c->broker;
    Pb__Reply r = PB__REPLY__INIT;
    Pb__VersionReply v = PB__VERSION_REPLY__INIT;

    v.version = COOP_VERSION;
    v.protocol = COOP_PROTOCOL;
    v.pid = (uint32_t)getpid();
    v.state_dir = b->config.state_dir;
    v.kernel = b->kernel;
    v.workers_idle = b->pool.idle;
    v.workers_busy = b->pool.busy;
    v.jobs_waiting = b->jobs.waiting;
    v.n_engines = ENGINE_COUNT;
    v.engines = (char **)engine_names;
    r.body_case = PB__REPLY__BODY_VERSION;
    r.version = &v;
    control_reply(b, c->way, &r);
}
