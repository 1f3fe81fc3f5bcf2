/*
 * caller.h - who made a system call, and from where in its code, as /proc has it.
 *
 * Side: worker (init). Everything read here is a hostile process's own choice: bounded, and made into text for people.
 */
#ifndef WORKER_ENGINES_EXEC_CALLER_H
#define WORKER_ENGINES_EXEC_CALLER_H

#include <stdint.h>
#include <sys/types.h>

enum { CALLER_NAME = 64, CALLER_MODULE = 1024 };

struct caller {
    uint32_t pid, tid;          /* 0 not known */
    char name[CALLER_NAME];     /* "" not known */
    char module[CALLER_MODULE]; /* the file that ip lies in, "" none or not known */
    uint64_t offset;            /* of ip in it */
};

/* proc_fd: of a procfs that knows tid; -1: there is none, and only tid is told. */
void caller_look(int proc_fd, pid_t tid, uint64_t ip, struct caller *ret_c);

#endif
