/*
 * tls_link.h - the asking end of a TLS connection, for a program with an event loop: nothing here blocks, and nothing is ever not verified.
 *
 * Side:    host (libcoop). The other end is broker/tls_serve.c, once its certificate has been checked; before, it is anybody.
 * Owned:   a context outlives its links. A link does not own its descriptor.
 * Returns: 0 or -errno.
 */
#ifndef CLIENT_TLS_LINK_H
#define CLIENT_TLS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sp_stream.h"

struct tls_context;
struct tls_link;

#define TLS_SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"
#define TLS_LINK_WHY  320

/* ca: a file of certificates in PEM, by one of which the broker's is to be signed (its own, when nobody signed it). -ENOENT, -EINVAL ...: why. */
int tls_context_new(const char *ca, struct tls_context **ret, char why[TLS_LINK_WHY]);
void tls_context_free(struct tls_context *c); /* NULL: nothing */

/* fd: connected, or connecting, and non-blocking. host: whose certificate it has to be. NULL: no memory. */
struct tls_link *tls_link_new(struct tls_context *c, int fd, const char *host);
void tls_link_free(struct tls_link *l); /* NULL: nothing */

/* How a stream (ctx: the link) reads and writes by it. */
extern const struct sp_io tls_link_io;

bool tls_link_wants_write(const struct tls_link *l); /* nothing goes on before the descriptor takes bytes */
bool tls_link_has_more(const struct tls_link *l);    /* bytes have been decrypted that no poll tells of */
/* Why it is over: 0: it is not; -EKEYREJECTED: the certificate; -ECONNREFUSED ...; why, in words, "" when errno says it all; *ret_hint: what helps,
 * for ever, or NULL. */
int tls_link_error(const struct tls_link *l, char why[TLS_LINK_WHY], const char **ret_hint);

#endif
