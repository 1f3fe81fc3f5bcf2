/*
 * halt.h - a place of shared memory by which a test says at which call of libc a broker, a zygote or a worker is to be ended.
 *
 * Side: tests. The programs are the ones that users get: halt.so is loaded into them by the environment, counts their calls and stops them.
 */
#ifndef TESTS_HALT_HALT_H
#define TESTS_HALT_HALT_H

#include <stdatomic.h>

enum halt_role { HALT_BROKER, HALT_ZYGOTE, HALT_WORKER, HALT_ROLES, HALT_NOBODY = HALT_ROLES };
enum { HALT_WORKERS = 1024, HALT_NAME = 24 };

struct halt_area {
    atomic_int armed;          /* calls are counted while it is set */
    atomic_int at[HALT_ROLES]; /* before which call; 0: none */
    atomic_int count[HALT_ROLES];
    atomic_int count_of[HALT_WORKERS]; /* of each worker; the first that comes to the number is halted */
    atomic_int halting;                /* somebody is: nobody else */
    atomic_int halted_worker;          /* its number */
    atomic_int halted;                 /* a role + 1: the broker and the zygote have killed themselves, a worker waits to be killed */
    atomic_int workers;                /* forks of a zygote that is ready: before that they are probes of what the machine lets it do */
    atomic_int pids[HALT_WORKERS];     /* of each, as the zygote sees it */
    char name[HALT_NAME];              /* of the call */
};

/* In the environment: the path of the area, and for the broker "broker"; what a zygote is and what a worker halt.so tells apart by fork. */
#define HALT_ENV_AREA "COOP_HALT_AREA"
#define HALT_ENV_ROLE "COOP_HALT_ROLE"

#endif
