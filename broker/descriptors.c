/* descriptors.c - see descriptors.h. */
#include "broker/descriptors.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "log.h"

enum {
    OF_ITS_OWN = 128,  /* 80 of them zygotes of templates; sockets, store, directories, control groups, zygotes, and some clients */
    OF_AN_INTERP = 4,  /* link, process; a long output of some of them */
    OF_A_WORKER = 10,  /* link, process, its control group; of its job, what is spooled */
    FEWEST_WORKERS = 1 /* with less than that takes, jobs fail one by one, each saying so */
};

uint64_t descriptors_needed(const struct config *c)
{
    return OF_ITS_OWN + OF_A_WORKER * (uint64_t)(c->workers + c->pool) + OF_AN_INTERP * (uint64_t)c->interpreters;
}

uint64_t descriptors_allowed(void)
{
    struct rlimit l;

    return getrlimit(RLIMIT_NOFILE, &l) == 0 ? l.rlim_max : 0;
}

static void lower(struct config *c, uint64_t allowed)
{
    uint64_t without = OF_ITS_OWN + OF_A_WORKER * (uint64_t)(c->workers + c->pool), workers;

    if (allowed >= without + OF_AN_INTERP) { /* jobs first */
        c->interpreters = (unsigned)((allowed - without) / OF_AN_INTERP);
        return;
    }
    c->interpreters = 1;
    workers = allowed > OF_ITS_OWN ? (allowed - OF_ITS_OWN) / OF_A_WORKER : 0;

    if (c->pool > workers / 2)
        c->pool = (unsigned)(workers / 2);
    workers -= c->pool;
    c->workers = workers < FEWEST_WORKERS ? FEWEST_WORKERS : (unsigned)workers;
}

void descriptors_raise(struct config *c)
{
    uint64_t needed = descriptors_needed(c), allowed = descriptors_allowed();
    struct rlimit l = { allowed, allowed };

    if (setrlimit(RLIMIT_NOFILE, &l) != 0)
        log_event(LOG_LEVEL_WARN, "descriptors_not_raised", "error=\"%s\"", strerror(errno));
    if (allowed >= needed)
        return;
    lower(c, allowed);
    log_event(LOG_LEVEL_WARN, "few_descriptors",
              "allowed=%llu needed=%llu workers=%u pool=%u interpreters=%u why=\"ulimit -n of whoever started it\"",
              (unsigned long long)allowed, (unsigned long long)needed, (unsigned)c->workers, (unsigned)c->pool, c->interpreters);
}
