/* tls_address.c - see tls_address.h. */
#include "tls_address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_port(const char *text)
{
    size_t n = strlen(text);

    return n > 0 && n < TLS_PORT && strspn(text, "0123456789") == n && atoi(text) <= 65535;
}

/* Nothing that a resolver, or a log line, would have to think about. */
static bool is_host(const char *text, size_t n, bool brackets)
{
    if (n == 0 || n >= TLS_HOST)
        return false;
    if (n == 1 && text[0] == '*')
        return true;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';

        if (!word && !(brackets && (c == ':' || c == '%')))
            return false;
    }
    return true;
}

bool tls_address_parse(const char *url, struct tls_address *ret)
{
    const char *host = url + strlen(TLS_SCHEME), *colon;
    bool brackets;
    size_t n;

    if (strncmp(url, TLS_SCHEME, strlen(TLS_SCHEME)) != 0)
        return false;
    brackets = host[0] == '[';
    host += brackets;
    colon = brackets ? strstr(host, "]:") : strrchr(host, ':');
    if (colon == NULL)
        return false;
    n = (size_t)(colon - host);
    if (!is_host(host, n, brackets) || !is_port(colon + 1 + brackets))
        return false;
    snprintf(ret->host, sizeof(ret->host), "%.*s", (int)n, host);
    snprintf(ret->port, sizeof(ret->port), "%s", colon + 1 + brackets);
    return true;
}
