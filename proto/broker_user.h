/*
 * broker_user.h - who a broker that root started becomes: the broker goes by it, and root's commands, which then trust that user's socket.
 *
 * Side:    both. Nothing here changes anything; broker/privilege.c does. What is returned by pointer is constant.
 * Returns: 0 or -errno, where there is more to say than yes and no.
 * Order:   --user (broker only), $COOP_USER, the system user "coop" when there is one, else the first number of a range that nobody uses.
 */
#ifndef PROTO_BROKER_USER_H
#define PROTO_BROKER_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define BROKER_USER "coop"

/* Uids (and gids of the same numbers) for a broker and, above it, one for each live worker. */
struct id_range {
    uint32_t first, count;
};

/*
 * 1879048192..2147483647 is left unused by Debian, systemd and the subordinate id tools; 65000..65533 is reserved by Debian, for machines
 * (containers) that have 65536 ids in all. The first whose ids all exist here is used. Ends with a count of 0.
 */
extern const struct id_range broker_ranges[];

struct broker_user {
    uid_t uid;
    gid_t gid;
    char name[64]; /* or its number */
};

/* wanted: a name or a number; NULL: by the order above, where a NULL range means that there is none. -ENOENT: no such user. -EINVAL: root. */
int broker_user_find(const char *wanted, const struct id_range *range, struct broker_user *ret);

/* The first range whose ids all exist in this user namespace, NULL when none does. map: "/proc/self/uid_map", or another for tests. */
const struct id_range *broker_range_find(const char *map);

/* Whether ids first..first+count-1 exist there. */
bool ids_exist(const char *map, uint32_t first, uint32_t count);

/* Whether a broker that root started may be running as this user: what root's commands trust. */
bool broker_user_may_be(uid_t uid);

#endif
