/*
 * zygote_client.h - the broker's side of a zygote: starts it, asks it to spawn and to reap, takes its reports.
 *
 * Side:    broker. A zygote is ours and runs no tenant code; still, what it says is decoded within a budget and looked up in a table.
 * Owned:   descriptors handed to zygote_spawn() stay the caller's; a pidfd that arrives becomes the pool's.
 * Returns: 0 or -errno. -EAGAIN: the zygote is behind with its reading, try after its next report.
 */
#ifndef BROKER_ZYGOTE_CLIENT_H
#define BROKER_ZYGOTE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "broker/cgroup.h"
#include "broker/loop.h"

struct broker;
struct crew;

#define ZYGOTE_TOKEN          16
#define ZYGOTE_NAMESPACES_MAX 8

/* What a zygote may say of itself, NULL-terminated: the texts that receipts are made of. */
extern const char *const zygote_namespaces[];

struct zygote {
    struct broker *broker;
    struct crew *crew;        /* whose it is: what it says concerns their workers only */
    pid_t pid;                /* 0: none runs */
    struct loop_watch socket; /* fd -1 when none runs */
    int ready;
    unsigned failures;    /* deaths in a row before it was ready */
    struct timer restart; /* retired: its end */
    struct timer renew;   /* coming: it was to be ready by then */
    struct zygote *next;  /* of all that there are: zygotes.h */
    unsigned jobs;        /* that its workers were given */
    bool retired;         /* it makes none any more */
    bool of_template;     /* it was made for a template: no other makes its engine's workers later because of it */
    char engine[32], engine_version[64], profile[32], filter_hash[65];
    uint32_t filter_len;
    char template_profile[32], template_filter_hash[65]; /* of templates and their children; "": its engine has none */
    uint32_t template_filter_len;
    uint64_t life;                                 /* which of the processes that were this */
    unsigned forks;                                /* that templates have been ordered and are not done with */
    int sweep_due, sweeping;                       /* there may be children that nobody knows; no fork is ordered until they have ended */
    const char *tier;                              /* of tier_names; NULL until it is ready */
    const char *namespaces[ZYGOTE_NAMESPACES_MAX]; /* constants */
    size_t namespace_count;
    char tier_why[256];
    char refused[256]; /* why it could not begin, in its words; "" */
};

void zygote_init(struct zygote *z, struct crew *c);
int zygote_start(struct zygote *z);
void zygote_want(struct zygote *z);    /* starts it from the loop, unless it runs or is about to */
void zygote_stop(struct zygote *z);    /* closes the socket: the zygote and its workers end; waits for the zygote */
void zygote_replace(struct zygote *z); /* it does not answer: SIGKILL; its end is handled as any other */
/* What a worker is made with. Descriptors are the caller's; -1, or NULL: it gets none. */
struct zygote_order {
    uint64_t worker;
    const uint8_t *token;
    uint32_t uid; /* 0: it keeps the zygote's */
    unsigned threads;
    int link_fd;
    const struct cgroup_leaf *leaf;
    int work_dir;
    unsigned children; /* it is to be a template, and so many may be its children at once; 0: it is not */
};
int zygote_spawn(struct zygote *z, const struct zygote_order *order);
/* A template's child has said hello: from now on it is a worker of this zygote's. */
int zygote_adopt(struct zygote *z, uint64_t worker, pid_t pid);
/* Around each order to a template; life: what its beginning returned. stray: there may be a child of it that is no worker: all such end, when no other order is under way. */
int zygote_may_fork(const struct zygote *z);
uint64_t zygote_fork_begins(struct zygote *z);
void zygote_fork_ends(struct zygote *z, uint64_t life, int stray);
int zygote_reap(struct zygote *z, uint64_t worker);

#endif
