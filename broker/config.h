/*
 * config.h - what coopd was told on its command line.
 *
 * Side:    broker.
 * Returns: 0, 1 when a text was asked for and printed (--help, --version), or -EINVAL with a sentence on standard error.
 */
#ifndef BROKER_CONFIG_H
#define BROKER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"

enum { CONFIG_VIEWS = 16 };

struct config {
    char run_dir[92]; /* sockets; short, because a socket's path holds 107 bytes */
    char state_dir[4096];
    char worker[4096];                   /* the worker program */
    char user[64];                       /* whom a broker that root starts becomes; "": see broker_user.h */
    char tier[8];                        /* "auto", or the one that workers are to have */
    const char *views[CONFIG_VIEWS + 1]; /* NULL-terminated */
    int ready_fd;                        /* -1: none; "ready\n" or "busy\n" is written here once */
    uint64_t idle_exit_us;               /* 0: stay */
    uint64_t drain_us;                   /* how long SIGTERM waits for running jobs */
    uint64_t template_idle_us;           /* how long a template that is warm waits for a fork */
    unsigned pool;                       /* idle workers kept ready */
    unsigned workers;                    /* jobs that run at once */
    unsigned max_queued;                 /* jobs that wait, at most */
    unsigned interpreters;               /* alive at once */
    enum log_level log_level;
    bool doctor;    /* only look at the machine */
    char cgroup[8]; /* "auto", "v2", "v1" or "none" */
};

int config_parse(struct config *c, int argc, char **argv);

#endif
