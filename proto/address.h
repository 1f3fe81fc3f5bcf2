/*
 * address.h - which addresses a webhook may reach.
 *
 * Side:    both. The courier decides: a tenant chooses the name, and who answers for that name chooses the address: it is looked at when the
 *          socket is made, after the name was resolved, and no second look-up comes between. The broker asks at submit, of a host that is an
 *          address as it stands, so that it is said at once.
 * Default: the public internet; not this machine, its networks, or what only routes inside one (RFC 6890): a webhook is not a way into
 *          the house. Networks that are named are allowed beside it.
 */
#ifndef PROTO_ADDRESS_H
#define PROTO_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

enum { ADDRESS_NETS = 32 };

struct address_net {
    int family; /* AF_INET, AF_INET6 */
    unsigned char bytes[16];
    unsigned bits;
};
struct address_nets {
    struct address_net row[ADDRESS_NETS];
    unsigned n;
};

/* "10.0.0.0/8", "fd00::/8", "192.0.2.7". -EINVAL: no network; -E2BIG: ADDRESS_NETS are there. */
int address_allow(struct address_nets *nets, const char *text);
bool address_may_reach(const struct address_nets *nets, const struct sockaddr *to);

#endif
