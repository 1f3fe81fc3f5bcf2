/*
 * broker.h - everything the one main thread owns, in one place.
 *
 * Side:    broker (trusted). No function that takes a struct broker may be called from the store's writer thread.
 */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <stdint.h>

#include "broker/blobs.h"
#include "broker/buffers.h"
#include "broker/cgroup.h"
#include "broker/config.h"
#include "broker/control.h"
#include "broker/estate.h"
#include "broker/events.h"
#include "broker/handles.h"
#include "broker/interps.h"
#include "broker/janitor.h"
#include "broker/jobs.h"
#include "broker/logins.h"
#include "broker/loop.h"
#include "broker/places.h"
#include "broker/plans.h"
#include "broker/pool.h"
#include "broker/privilege.h"
#include "broker/queues.h"
#include "broker/store.h"
#include "broker/templates.h"
#include "broker/webhooks.h"
#include "broker/tenants.h"
#include "broker/tls_front.h"
#include "broker/tokens.h"
#include "broker/work_dirs.h"
#include "broker/zygote_client.h"

enum broker_phase { BROKER_UP, BROKER_DRAINING };

struct broker {
    struct config config;
    struct privilege privilege;
    struct places places;
    enum broker_phase phase;
    struct loop loop;
    struct loop_watch store_watch, signals;
    struct store *store;
    int output_dir; /* where spool files are */
    char kernel[65];
    uint64_t began_at;               /* monotonic */
    struct crew crews[ENGINE_COUNT]; /* by place in engine_table */
    struct cgroups cgroups;
    struct work_dirs work_dirs;
    struct janitor janitor;
    struct pool pool;
    struct zygote *zygotes; /* all: zygotes.h */
    struct templates templates;
    struct jobs jobs;
    struct events events;
    struct control control;
    struct things things[THING_KINDS]; /* by Pb__Kind */
    struct interps interps;
    struct estate *estates; /* by tenant */
    struct queues queues;
    struct buffers buffers;
    struct blobs blobs;
    unsigned aliases; /* functions that are offered */
    struct webhooks webhooks;
    struct tenants tenants;
    struct plans plans;
    struct tokens tokens;
    struct logins logins;
    struct tls_front tls;
    struct timer idle_timer, drain_timer, linger_timer;
    struct backup_request *backup; /* of store_requests.c; NULL: none is being made */
};

/* Looks whether the broker may leave (draining done, idle for long enough), and arms what it takes to look again. */
void broker_check_rest(struct broker *b);

#endif
