/*
 * privilege.h - a broker that root started gives root up, for good, before it hears anybody.
 *
 * Side:    broker. privilege_choose() and privilege_make_range() run as root, with one thread; after privilege_give_up() nothing in the
 *          process, and nothing it starts, can become root again. Started by another user there is nothing to give up.
 * Returns: 0 or -errno; an error ends the broker. That there is no range of uids is none: why_no_range says what was in the way.
 */
#ifndef BROKER_PRIVILEGE_H
#define BROKER_PRIVILEGE_H

#include <stdbool.h>
#include <stdint.h>

#include "broker_user.h"

#define PRIVILEGE_WHY 256

struct privilege {
    bool was_root;
    struct broker_user user; /* whom we become; ourselves when not root */
    /*
     * The user namespace that the zygotes enter, -1: none. It belongs to our uid, so we may end whatever runs in it. Inside, 0 is our uid
     * and n, from 1 to ids, is first_id + n.
     */
    int userns_fd;
    uint32_t first_id, ids;
    uint32_t all_first, all;          /* what they are part of: uids of workers of any broker of root's here, from all_first + 1 on */
    int ids_fd;                       /* holds them: uid_range.h; -1: none does */
    char why_no_range[PRIVILEGE_WHY]; /* "" when there is one, and when root is not who started us */
};

/* wanted: --user, "" for none. why: a sentence on failure. */
int privilege_choose(struct privilege *p, const char *wanted, char why[PRIVILEGE_WHY]);
/* want: so many uids, or as many as there are that no other broker has. Never fails: without a range the workers have our own uid. */
void privilege_make_range(struct privilege *p, uint32_t want);
/* ret_step: the step that failed. */
int privilege_give_up(const struct privilege *p, const char **ret_step);
void privilege_finish(struct privilege *p);

#endif
