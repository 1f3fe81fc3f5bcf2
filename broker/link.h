/*
 * link.h - the broker's end of one worker's link: a fresh nng pair0 socket and listener for each worker.
 *
 * Side:    broker. The far end is hostile; nng bounds the frame, the gate judges what is in it.
 * Owned:   struct link is the worker's; link_close() frees what is inside. Messages arrive in the inbox as INBOX_LINK items whose
 *          msg the taker frees; link_next() then asks for the next one.
 * Returns: 0 or -errno. A listener is never reused: nng refuses the next worker while the last pipe is being torn down.
 */
#ifndef BROKER_LINK_H
#define BROKER_LINK_H

#include <stdint.h>

#include <nng/nng.h>
#include <protobuf-c/protobuf-c.h>

#include "broker/inbox.h"

struct link {
    uint64_t worker;
    struct inbox *inbox;
    nng_socket socket;
    nng_aio *receive;
    int open;
};

/* Listens at a fresh path in run_dir, connects to it, unlinks it: *ret_fd is the worker's end (caller closes). */
int link_open(struct link *l, struct inbox *inbox, uint64_t worker, const char *run_dir, int *ret_fd);
void link_next(struct link *l);
/* Queues one message. -EAGAIN: the worker has not read the ones before. */
int link_send(struct link *l, const ProtobufCMessage *m);
/* Ends receiving for good. When it returns, all that nng has received lies in the inbox or comes from link_rest(). */
void link_stop(struct link *l);
nng_msg *link_rest(struct link *l); /* after link_stop(): the next undelivered message, NULL when none */
void link_close(struct link *l);

#endif
