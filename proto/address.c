/* address.c - see address.h. */
#include "address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* What is not the public internet: the special-purpose registries of RFC 6890, and multicast. */
static const char *const private_nets[] = {
    "0.0.0.0/8",      "10.0.0.0/8",   "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24",   "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",  "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/3",  "::/127",         "64:ff9b:1::/48", "100::/64",       "2001::/23",
    "2001:db8::/32",  "2002::/16",    "fc00::/7",       "fe80::/10",      "fec0::/10",      "ff00::/8",
};

static bool is_in(const unsigned char *address, int family, const struct address_net *net)
{
    unsigned whole = net->bits / 8, rest = net->bits % 8;

    if (family != net->family || memcmp(address, net->bytes, whole) != 0)
        return false;
    return rest == 0 || (address[whole] ^ net->bytes[whole]) >> (8 - rest) == 0;
}

static int read_net(const char *text, struct address_net *ret)
{
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned long bits;
    char *end;

    if (len >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, len);
    address[len] = '\0';
    *ret = (struct address_net){ .family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET };
    if (inet_pton(ret->family, address, ret->bytes) != 1)
        return -EINVAL;
    ret->bits = ret->family == AF_INET ? 32 : 128;
    if (slash == NULL)
        return 0;
    bits = strtoul(slash + 1, &end, 10);
    if (end == slash + 1 || *end != '\0' || slash[1] == '-' || slash[1] == '+' || bits > ret->bits)
        return -EINVAL;
    ret->bits = (unsigned)bits;
    return 0;
}

int address_allow(struct address_nets *nets, const char *text)
{
    int rc;

    if (nets->n == ADDRESS_NETS)
        return -E2BIG;
    rc = read_net(text, &nets->row[nets->n]);
    nets->n += rc == 0;
    return rc;
}

static bool is_private(const unsigned char *address, int family)
{
    struct address_net net;

    for (size_t i = 0; i < sizeof(private_nets) / sizeof(private_nets[0]); i++)
        if (read_net(private_nets[i], &net) != 0 || is_in(address, family, &net))
            return true;
    return false;
}

/* An IPv4 address in the clothes of IPv6: mapped, or behind a translator. */
static const unsigned char *inner_v4(const unsigned char *v6)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff }, nat64[12] = { 0, 0x64, 0xff, 0x9b };

    return memcmp(v6, mapped, 12) == 0 || memcmp(v6, nat64, 12) == 0 ? v6 + 12 : NULL;
}

bool address_may_reach(const struct address_nets *nets, const struct sockaddr *to)
{
    const unsigned char *bytes, *v4;
    int family = to->sa_family;

    if (family == AF_INET)
        bytes = (const unsigned char *)&((const struct sockaddr_in *)to)->sin_addr;
    else if (family == AF_INET6)
        bytes = (const unsigned char *)&((const struct sockaddr_in6 *)to)->sin6_addr;
    else
        return false;
    if (family == AF_INET6 && (v4 = inner_v4(bytes)) != NULL) {
        bytes = v4;
        family = AF_INET;
    }
    for (unsigned i = 0; i < nets->n; i++)
        if (is_in(bytes, family, &nets->row[i]))
            return true;
    return !is_private(bytes, family);
}
