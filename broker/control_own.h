/*
 * control_own.h - what the files control*.c share; nobody else includes it.
 *
 * Side:    broker, main thread.
 */
#ifndef BROKER_CONTROL_OWN_H
#define BROKER_CONTROL_OWN_H

#include "broker/control.h"

/* NULL: there is no such connection (any more). */
struct control_peer *control_find_peer(struct control *c, uint32_t peer);
/* The client behind these waiters is gone: nobody will read the answers. */
void control_drop_waiters(struct broker *b, uint32_t peer);
/* A request of the table: it is answered, now or later. */
void control_dispatch(struct control_call *c);

#endif
