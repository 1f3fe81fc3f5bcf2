/*
 * held_words.h - by what a program's limits are held, in the words of receipts, by what the machine gives: one table for who enforces them
 *                (broker/watch.c) and who foretells it (coopd --doctor, coop doctor).
 *
 * Side:    both. All are constants.
 */
#ifndef PROTO_HELD_WORDS_H
#define PROTO_HELD_WORDS_H

enum held_group { HELD_NO_GROUP, HELD_CGROUP_V1, HELD_CGROUP_V2, HELD_GROUPS };

struct held_words {
    const char *cpu, *memory, *swap, *pids;
};

extern const struct held_words held_by_group[HELD_GROUPS];

/* Where no control group holds them. Processes are counted by the kernel for one job only in a user namespace of its own. */
#define HELD_PIDS_COUNTED "sampled count"
#define HELD_DISK_SPACES  "tmpfs size and nr_inodes, RLIMIT_FSIZE"
#define HELD_DISK_NONE    "RLIMIT_FSIZE"

#endif
