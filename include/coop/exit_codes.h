/*
 * exit_codes.h - what the coop command's exit codes mean. Public and stable.
 *
 * `coop run` passes the job's own code through, so a program may collide with these by nature; --json always carries cause and state.
 */
#ifndef COOP_EXIT_CODES_H
#define COOP_EXIT_CODES_H

enum coop_exit {
    COOP_EXIT_OK = 0,
    COOP_EXIT_JOB_FAILED = 1, /* wait, result: the job failed */
    COOP_EXIT_USAGE = 2,
    COOP_EXIT_TEMPORARY = 75, /* try again later: disk full, draining, no broker */
    COOP_EXIT_PROTOCOL = 76,  /* the peers speak different versions */
    COOP_EXIT_PERMISSION = 77,
    COOP_EXIT_CONFIG = 78,
    COOP_EXIT_QUOTA = 79,
    COOP_EXIT_NOT_FOUND = 80,
    COOP_EXIT_CONFLICT = 81,
    COOP_EXIT_EXCEPTION = 122,       /* uncaught error in the job, traceback on stderr */
    COOP_EXIT_POLICY = 123,          /* ended by the system call policy */
    COOP_EXIT_TIME_LIMIT = 124,      /* cpu or wall limit, or --timeout */
    COOP_EXIT_PLATFORM = 125,        /* not the job's fault */
    COOP_EXIT_NOT_EXECUTABLE = 126,  /* what is to run is there, and cannot be run */
    COOP_EXIT_PROGRAM_MISSING = 127, /* or what it needs: an interpreter, a library */
    COOP_EXIT_SIGNAL_BASE = 128,     /* + the signal the job died of */
    COOP_EXIT_CANCELLED = 130,
    COOP_EXIT_OOM = 137, /* and "oom" on stderr and in --json */
};

#endif
