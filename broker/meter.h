/*
 * meter.h - looks at a process from outside: its CPU clock, its memory; and names a system call.
 *
 * Side:    broker. The pid must be one whose reaping we control, so that it cannot be another's.
 * Returns: 0 or -errno (-ESRCH: it has ended); on failure *ret is untouched.
 */
#ifndef BROKER_METER_H
#define BROKER_METER_H

#include <stdint.h>
#include <sys/types.h>

int meter_cpu(pid_t pid, uint64_t *ret_us); /* user and system, all its threads, microseconds */
int meter_resident(pid_t pid, uint64_t *ret_bytes);
/* What it holds of the memory: pages that it shares by their share where we may read that, else only those that are its own; and its page tables. */
int meter_held(pid_t pid, uint64_t *ret_bytes);
/* Bytes from and to disks, its waited-for children's too; also of one that has ended and is not reaped yet. */
int meter_io(pid_t pid, uint64_t *ret_read, uint64_t *ret_written);
int meter_cpu_wall(pid_t pid, uint64_t *ret_seconds); /* hard RLIMIT_CPU; -ERANGE: unlimited */

#endif
