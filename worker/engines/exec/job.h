/*
 * job.h - the one job of an exec worker: what its parts share.
 *
 * Side:  worker (init).
 * Owned: descriptors by the part that made them, until the process ends; -1 where there is none.
 */
#ifndef WORKER_ENGINES_EXEC_JOB_H
#define WORKER_ENGINES_EXEC_JOB_H

#include <stdbool.h>
#include <sys/types.h>

#include "worker/engine.h"

struct epoll_event;

struct exec_job {
    const Pb__Assign *assign;
    const Pb__JobSpec *spec;
    unsigned given; /* enum policy_given: what rows of its policy may depend on */
    int work_fd;    /* the work directory */
    const char *work_path;
    char **argv, **envp;

    pid_t pid;         /* of the program's first process */
    pid_t broker;      /* as signals from it have it: 0 when it is outside of our pid namespace */
    bool own_pids;     /* we are pid 1 of a namespace of our own */
    bool reach_all;    /* kill(-1) reaches all processes of the job, and nobody else's; only after space_close() */
    int children_fd;   /* without a namespace: the kernel's list of our children */
    int launch_fd;     /* to the child, until it has become the program */
    int in, out, err;  /* our ends of its stdio */
    int master, slave; /* of its terminal; then in and out are the master, and there is no err */
    int listener;      /* calls that its policy does not allow */
    int signals;       /* signalfd */
    int epoll;

    bool over;               /* the loop ends */
    bool ended;              /* the first process has: status says how */
    int code, status;        /* si_code and si_status */
    bool term_sent;          /* a cancel has been passed on */
    bool violated;           /* by a call that notify_report() tells of */
    struct outcome *outcome; /* kind NONE until it is known */
};

#endif
