/*
 * config.h - what coopd was told on its command line and in its configuration file.
 *
 * Side:    broker.
 * Owned:   argv stays the caller's, for as long as the configuration is used.
 */
#ifndef BROKER_CONFIG_H
#define BROKER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "log.h"

enum { CONFIG_VIEWS = 16, CONFIG_UIDS = 256, CONFIG_NETS = 16, CONFIG_TENANT = 64 };
#define CONFIG_SYSTEM_RUN_DIR "/run/coop"
#define CONFIG_FILE           "/etc/coop/coopd.yaml" /* read when root starts coopd, and it is there */

struct config_uids {
    unsigned n;
    struct {
        uint32_t uid;
        char name[CONFIG_TENANT + 1];
    } row[CONFIG_UIDS];
};

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
    uint64_t max_pause_us;               /* how long a running job may stand still in all */
    uint64_t zygote_renew_us;            /* how old a zygote becomes that has had jobs; 0: as old as the broker */
    uint64_t template_idle_us;           /* how long a template that is warm waits for a fork */
    unsigned pool;                       /* idle workers kept ready */
    unsigned workers;                    /* jobs that run at once */
    unsigned max_queued;                 /* jobs that wait, at most */
    unsigned interpreters;               /* alive at once */
    enum log_level log_level;
    bool doctor;                               /* only look at the machine */
    bool check;                                /* only look at the configuration */
    char cgroup[8];                            /* "auto", "v2", "v1" or "none" */
    char file[4096];                           /* "": none was read */
    uint64_t webhook_pause_us;                 /* before the second try of a notice */
    const char *webhook_nets[CONFIG_NETS + 1]; /* NULL-terminated: beside the public internet */
    struct config_uids uid_tenants;            /* local users whose tenant is not that of their uid */
    char share[8];                             /* "auto", "all" or "none": who else may connect; see places.h */
    char listen[272];                          /* "": no TLS; else "tls+tcp://HOST:PORT" */
    char tls_cert[4096], tls_key[4096];
    char store[8], store_from[4096]; /* "", "check", "repair" or "restore": only look after the state directory; see store_care.h */
    int argc;
    char **argv;
};

/* 0; 1 when a text was asked for and printed (--help, --version, --check); -EINVAL: the command line, -EBADF: the file, with a sentence on standard
 * error. */
int config_parse(struct config *c, int argc, char **argv);
/* Reads the file again, and the command line after it. Nothing is changed when there is a mistake: -EINVAL, why (CONFIG_WHY of config_file.h) says which.
 * Else fn hears of each key that has another value now; taken: it counts from now on, else when the broker is started again. */
typedef void (*config_changed_fn)(void *ctx, const char *key, bool taken);
int config_reload(struct config *c, config_changed_fn fn, void *ctx, char *why);
void config_finish(struct config *c);

#endif
