/*
 * orphans.h - what is left of a job when its zygote has died too, and comes to us as the next reaper above: nothing of it stays.
 *
 * Side:    broker. Where a pid namespace or a control group ends a job (T0, T1, or a leaf) there are none; at T2 a program may leave
 *          processes behind. Their parents are gone, and they are ours: our unreaped children, whose pids are their own.
 */
#ifndef BROKER_ORPHANS_H
#define BROKER_ORPHANS_H

struct broker;

/* From now on they come to us. 0 or -errno. */
int orphans_adopt(void);
/* Kills and reaps every child that is neither zygote nor janitor. Called when a child has died, because others may have come to us by that. */
void orphans_end(const struct broker *b);
/* The same until there is none. When no zygote and no janitor is left. */
void orphans_finish(const struct broker *b);

#endif
