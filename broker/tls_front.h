/*
 * tls_front.h - TLS from outside: a process of its own takes the connections, and hands the broker plain ones.
 *
 * Side:    broker. Whoever connects is a stranger until a token says otherwise, and what it sends is parsed by much code of others: so that is
 *          done where there is nothing to be had. The front is forked while the broker has read nothing but its command line and the two
 *          files of its certificate; it is the same user, sealed: no privileges, no descriptors but the listening socket and one to the
 *          broker, a filter of calls. A connection whose handshake is done becomes a socket pair, one end of which is the broker's, with
 *          the peer's address. It is restarted when it dies, and its supervisor as well: that one is coopd started anew, which reads the two
 *          files again.
 * Why not nng: docs/decisions/0017.
 * Order:   tls_front_listen() as root or not, tls_front_start() with one thread, tls_front_open() with a loop, tls_front_finish().
 * Returns: 0 or -errno; with why, a sentence.
 */
#ifndef BROKER_TLS_FRONT_H
#define BROKER_TLS_FRONT_H

#include <stdbool.h>
#include <sys/types.h>

#include "broker/config.h"
#include "broker/loop.h"

struct rep_socket;
struct tls_keys;

#define TLS_FRONT_WHY 512 /* as PLACES_WHY */

struct tls_front {
    int listener; /* -1: none was asked for. Kept for the next one */
    int port;
    struct tls_keys *keys; /* until it is forked */
    const struct config *config;
    pid_t pid; /* 0: none */
    struct loop *loop;
    struct loop_watch watch;
    struct rep_socket *to;
    struct timer again; /* for another one, when it has died */
    unsigned failures;  /* in a row */
    uint64_t begun_us;
};

/* Whether tls_front_listen() would be refused for what is written; no port is taken. */
int tls_front_check(const struct config *c, char why[TLS_FRONT_WHY]);
/* Nothing is done where c->listen is "". -EINVAL: the address, the files, or that they do not belong together. */
int tls_front_listen(struct tls_front *f, const struct config *c, char why[TLS_FRONT_WHY]);
/* Whoever called has no key any more afterwards. */
int tls_front_start(struct tls_front *f);
int tls_front_open(struct tls_front *f, struct loop *loop, struct rep_socket *to);
/* It reads the two files again, by itself: the broker never has the key. Where they are good it begins anew with them, and the connections that
 * are open end (clients come again; no job notices); else it goes on with those it has, and its log says why. */
void tls_front_reload(const struct tls_front *f);
void tls_front_on_child(struct tls_front *f); /* a child has ended: perhaps it was this */
void tls_front_finish(struct tls_front *f);

/* What the front says with each connection. */
struct tls_arrival {
    char address[48];
};

/* ---- the front itself ---- */

/* coopd TLS_FRONT_WORD CERT KEY is one that a running broker has started in place of one that died. Never returns. */
#define TLS_FRONT_WORD "--tls-front"
_Noreturn void tls_front_be(const char *cert, const char *key);

/* Serves until the broker hangs up. Never returns. */
_Noreturn void tls_serve(int listener, int broker, const struct tls_keys *keys);

#endif
