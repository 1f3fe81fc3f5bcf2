/*
 * zygotes.h - which zygotes there are: of each engine the one that makes workers now, the one that is to take over from it, those that only wait for
 * the end of what they have made, and those that a template has for itself.
 *
 * Side:    broker.
 * Why:     all forks of one process have its addresses, and where an interpreter cannot draw it anew in a fork (engine_row.seed) its hash seed. So
 *          a zygote is renewed: after --zygote-renew, or ZYGOTE_JOBS jobs, another is started beside it. When that is ready it makes what is made from then on
 *          and takes the place of the spares, one by one; nobody waits. A template of such an engine has a zygote that nothing else is made by.
 * Owned:   the first of an engine is in its crew, the others are freed when they are over: retired, and no worker is left of it.
 * Bounded: ZYGOTES_OLD of an engine that others' long lives keep; then it is renewed later. ZYGOTES_OF_TEMPLATES of all templates; then a build that needs
 *          one is refused. One that is to take over and is not ready after ZYGOTE_READY_US is ended, and another tried later.
 */
#ifndef BROKER_ZYGOTES_H
#define BROKER_ZYGOTES_H

#include <stdbool.h>
#include <sys/types.h>

struct broker;
struct crew;
struct zygote;

#define ZYGOTES_OLD          4
#define ZYGOTES_OF_TEMPLATES 80 /* TEMPLATES_ALIVE, and some whose children outlive them; descriptors.c has room for so many */
#define ZYGOTE_JOBS          10000
#define ZYGOTE_READY_US      (60 * 1000000ull)

/* One more of an engine's crew, not started. NULL: no memory. */
struct zygote *zygotes_add(struct crew *c);
/* One for a template of this engine's. 0, -ENOMEM, or -EMFILE: there are ZYGOTES_OF_TEMPLATES, with those that only wait for the end of children. */
int zygotes_add_for_template(struct crew *c, struct zygote **ret);
/* It makes no worker any more, and goes with the last that it has made. */
void zygote_retire(struct zygote *z);

/* It is the one that makes its engine's workers. */
bool zygote_serves(const struct zygote *z);

/* From zygote_client.c: it is ready; it has ended (its workers are being ended). True: it is not to be started again. */
void zygotes_on_ready(struct zygote *z);
bool zygotes_on_gone(struct zygote *z);
/* From the pool: a worker of it has a job; a worker of it is no more. */
void zygotes_on_job(struct zygote *z);
void zygotes_on_worker_gone(struct zygote *z);

/* --zygote-renew is another. */
void zygotes_check_config(struct broker *b);
bool zygotes_have(const struct broker *b, pid_t pid);
/* Ends them all. */
void zygotes_finish(struct broker *b);

#endif
