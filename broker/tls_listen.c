/* tls_listen.c - the address and the pair of files that the front begins with; see tls_front.h. */
#include "broker/tls_front.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/tls_keys.h"
#include "tls_address.h"

enum { BACKLOG = 128 };

static int bind_to(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, off = 0, rc = 0;

    if (fd < 0)
        return -errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* "*" is all there is */
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        rc = -errno;
        close(fd);
    }
    return rc != 0 ? rc : fd;
}

static int listen_at(const struct tls_address *at, char why[TLS_FRONT_WHY])
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int rc = getaddrinfo(strcmp(at->host, "*") == 0 ? NULL : at->host, at->port, &hints, &list), fd = -EADDRNOTAVAIL;

    if (rc != 0) {
        snprintf(why, TLS_FRONT_WHY, "--listen %s: %s", at->host, gai_strerror(rc));
        return -EINVAL;
    }
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next)
        if (strcmp(at->host, "*") != 0 || a->ai_family == AF_INET6)
            fd = bind_to(a);
    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) /* no IPv6 here */
        fd = bind_to(a);
    freeaddrinfo(list);
    if (fd < 0)
        snprintf(why, TLS_FRONT_WHY, "--listen %s port %s: %s", at->host, at->port, strerror(-fd));
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t len = sizeof(at);

    if (getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port : ((struct sockaddr_in *)&at)->sin_port);
}

/* *ret_keys NULL: only whether they are good. */
static int read_pair(const struct config *c, struct tls_address *ret_at, struct tls_keys **ret_keys, char why[TLS_FRONT_WHY])
{
    if (!tls_address_parse(c->listen, ret_at)) {
        snprintf(why, TLS_FRONT_WHY, "--listen %.200s: wants " TLS_SCHEME "HOST:PORT", c->listen);
        return -EINVAL;
    }
    if (c->tls_cert[0] == '\0' || c->tls_key[0] == '\0') {
        snprintf(why, TLS_FRONT_WHY, "--listen wants --tls-cert FILE and --tls-key FILE; coop cert DIR --host NAME makes a first pair");
        return -EINVAL;
    }
    return tls_keys_read(c->tls_cert, c->tls_key, ret_keys, why, TLS_FRONT_WHY);
}

int tls_front_check(const struct config *c, char why[TLS_FRONT_WHY])
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    struct tls_keys *keys = NULL;
    struct tls_address at;
    int rc = c->listen[0] == '\0' ? 0 : read_pair(c, &at, &keys, why);

    tls_keys_free(keys);
    if (rc == 0 && c->listen[0] != '\0' && strcmp(at.host, "*") != 0 && (rc = getaddrinfo(at.host, at.port, &hints, &list)) != 0) {
        snprintf(why, TLS_FRONT_WHY, "--listen %s: %s", at.host, gai_strerror(rc));
        return -EINVAL;
    }
    if (list != NULL)
        freeaddrinfo(list);
    return rc;
}

int tls_front_listen(struct tls_front *f, const struct config *c, char why[TLS_FRONT_WHY])
{
    struct tls_address at;
    int rc;

    *f = (struct tls_front){ .listener = -1, .config = c, .watch = { .fd = -1 } };
    if (c->listen[0] == '\0')
        return 0;
    rc = read_pair(c, &at, &f->keys, why);
    if (rc != 0)
        return rc;
    rc = listen_at(&at, why);
    if (rc < 0)
        return rc;
    f->listener = rc;
    f->port = port_of(rc);
    return 0;
}
