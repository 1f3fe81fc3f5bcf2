/*
 * uid_range.h - which uids this broker's workers may have: part of the range that all brokers of root on a machine draw from, and nobody else's for as
 * long as this one lives.
 *
 * Side:    broker, while it is root.
 * How:     one file that is root's, /run/coop-uids; uid n is taken by a lock on byte n of it, of the open file, so that it goes with the last process
 *          that has the descriptor, however that ends.
 * Holds:   for brokers that see the same /run. Containers with the machine's own ids and a /run of their own do not see each other.
 */
#ifndef BROKER_UID_RANGE_H
#define BROKER_UID_RANGE_H

#include <stdint.h>

#define UID_RANGE_FILE   "/run/coop-uids"
#define UID_RANGE_FEWEST 64 /* with fewer than these there is none, unless the whole range is as short */

/*
 * Takes want of the uids first..first+count-1, in one piece; where there is no such piece free, half as many, and so on. *ret_first: the lowest.
 * Returns the descriptor that holds them (the caller closes it), or -errno: -EUSERS all are taken, by other brokers; -EPERM the file is not root's alone.
 */
int uid_range_take(const char *path, uint32_t first, uint32_t count, uint32_t want, uint32_t *ret_first, uint32_t *ret_count);

#endif
