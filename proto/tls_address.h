/*
 * tls_address.h - "tls+tcp://HOST:PORT" in its two parts.
 *
 * Side:    both.
 */
#ifndef PROTO_TLS_ADDRESS_H
#define PROTO_TLS_ADDRESS_H

#include <stdbool.h>

#define TLS_SCHEME "tls+tcp://"
#define TLS_HOST   254 /* room: a name of 253 bytes */
#define TLS_PORT   6

struct tls_address {
    char host[TLS_HOST]; /* a name, or an address without brackets; "*" for one that listens: all of them */
    char port[TLS_PORT]; /* 0 to 65535, decimal */
};

/* "[::1]:443" is an address with colons in it. false: that is no such address. */
bool tls_address_parse(const char *url, struct tls_address *ret);

#endif
