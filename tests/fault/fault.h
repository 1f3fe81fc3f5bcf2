/*
 * fault.h - a place of shared memory by which a test turns the wall clock of a broker and lets its disk fail.
 *
 * Side: tests. The broker is the one that users get: fault.so is loaded into it by the environment.
 */
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#include <stdatomic.h>

struct fault_area {
    atomic_llong clock_us;  /* by so much its wall clock is ahead; heard of at its next turn, as the kernel tells of a clock that was set */
    atomic_int sync_fails;  /* so many fdatasync() of outputs are answered EIO, once each, as the kernel does: the next one succeeds */
    atomic_int sync_failed; /* so many were */
    atomic_int
        read_only; /* its state directory is, as of a file system that has made itself so: no write of an open file is taken either */
};

/* In the environment: the path of the area. */
#define FAULT_ENV_AREA "COOP_FAULT_AREA"

#endif
