/* store_requests.c - what operators ask of the store of a running broker: a backup. One at a time, in a thread of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/admin_log.h"
#include "broker/broker.h"
#include "broker/control_verbs.h"
#include "broker/store_care.h"
#include "log.h"

#define ER(name) PB__ERROR_CODE__ERROR_CODE_##name

/* The one that is under way: a broker has at most one. */
struct backup_request {
    struct broker *broker;
    struct rep_way way;
    struct loop_watch watch;
    struct store_backup *run;
};

static Pb__ErrorCode code_of(int err)
{
    switch (err) {
    case -EEXIST: return ER(CONFLICT);
    case -EINVAL: return ER(USAGE);
    case -EACCES:
    case -EPERM: return ER(PERMISSION);
    case -ENOENT: return ER(NOT_FOUND);
    case -ENOSPC:
    case -EROFS:
    case -ENOMEM:
    case -ECANCELED: return ER(TEMPORARY);
    default: return ER(INTERNAL);
    }
}

static void answer(const struct backup_request *r, int err, const struct store_copied *copied, const char *why)
{
    Pb__Reply reply = PB__REPLY__INIT;
    Pb__StoreReply m = PB__STORE_REPLY__INIT;

    if (err != 0) {
        control_refuse(r->broker, r->way, code_of(err), "no backup: %s", why);
        return;
    }
    m.bytes = copied->bytes;
    m.jobs = copied->jobs;
    reply.body_case = PB__REPLY__BODY_STORE;
    reply.store = &m;
    control_reply(r->broker, r->way, &reply);
}

static void end_backup(struct backup_request *r, bool stop)
{
    struct store_copied copied;
    char why[STORE_WHY];
    int err;

    loop_del(&r->broker->loop, &r->watch);
    err = store_backup_end(r->run, stop, &copied, why);
    log_event(err == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "backup", "jobs=%llu bytes=%llu error=\"%s\"", (unsigned long long)copied.jobs,
              (unsigned long long)copied.bytes, err == 0 ? "" : why);
    r->broker->backup = NULL;
    if (!stop)
        answer(r, err, &copied, why);
    free(r);
}

static void on_done(void *ctx)
{
    end_backup(ctx, false);
}

void verb_store_backup(struct control_call *c)
{
    struct broker *b = c->broker;
    const char *path = c->request->store_backup->path;
    struct backup_request *r;
    char why[STORE_WHY];
    int err;

    if (b->backup != NULL) {
        control_refuse(b, c->way, ER(TEMPORARY), "a backup is being made; try again when it is done");
        return;
    }
    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        control_refuse(b, c->way, ER(TEMPORARY), "out of memory");
        return;
    }
    err = store_backup_start(b->places.state_dir, path, &r->run, why);
    if (err != 0) {
        control_refuse(b, c->way, code_of(err), "no backup: %s", why);
        free(r);
        return;
    }
    r->broker = b;
    r->way = c->way;
    r->watch = (struct loop_watch){ store_backup_fd(r->run), on_done, r };
    b->backup = r;
    admin_log(b, &c->actor, "store.backup", path, 0, "%s", "");
    if (loop_add(&b->loop, &r->watch) != 0)
        end_backup(r, true);
}

void store_requests_finish(struct broker *b)
{
    if (b->backup != NULL)
        end_backup(b->backup, true);
}
