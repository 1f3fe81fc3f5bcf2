/*
 * places.h - the broker's two directories and its worker program, opened once, by whoever started us; used by descriptor from then on.
 *
 * Side:    broker. So a broker that gave root up needs no way through its parents, which may be root's alone.
 * Shared:  with --share, and where root started it at the system's place, the run directory and the socket in it can be reached by all local
 *          users, and nothing else in it: each file there is for its owner alone. The state directory never can.
 * Order:   places_open() as root or not, then privilege_give_up(). The paths of struct config are for messages.
 * Returns: 0 or -errno: -EPERM, -ENOTDIR a directory is not ours to use; why holds a sentence.
 */
#ifndef BROKER_PLACES_H
#define BROKER_PLACES_H

#include <limits.h>
#include <stdbool.h>

#include "broker/config.h"
#include "broker/privilege.h"

#define PLACES_WHY 512

struct places {
    int run_dir, state_dir, worker; /* -1: not open; worker: only where its path may be shut to us later */
    bool shared;                    /* other local users may connect */
    char socket[64];                /* the control socket's path, good in this process alone, however long the directory's is */
    char worker_path[PATH_MAX];     /* to start it by */
};

/* Whether every directory that programs are to see is one, and shows nothing of the broker's own. */
int places_check_views(const struct config *c, char why[PLACES_WHY]);
int places_open(struct places *p, const struct config *c, const struct privilege *who, char why[PLACES_WHY]);
void places_close(struct places *p);

#endif
