/*
 * cage.h - a container as hosts give them to ordinary users, made by hand: what a broker meets in there.
 *
 * Side: tests. Also a program (cage WHAT -- COMMAND...), to start other things in one.
 */
#ifndef TESTS_SUPPORT_CAGE_H
#define TESTS_SUPPORT_CAGE_H

/*
 * Puts the calling process, which has one thread, into a user namespace of its own:
 *   "no_userns"  who it is stays as it is (root: all ids are there, too), and no further user namespace can be made
 *   "lone_root"  it is root in there, and nobody else exists
 *   "both"       both
 * 0 or -errno; -ENOENT: no such row.
 */
int cage_enter(const char *what);

#endif
