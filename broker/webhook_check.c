/* webhook_check.c - see webhook_check.h. */
#include "broker/webhook_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "broker/broker.h"
#include "broker/spec_check_parts.h"

_Static_assert((int)WEBHOOK_LOG_PLACES >= (int)SPEC_WEBHOOKS, "each address of a job has a place");

/* ---- at submit ----------------------------------------------------------------------------------------------------------------------- */

/* The host of a URL that spec_check_notify() let pass, without its port and brackets. false: too long to be an address. */
static bool host_of(const char *url, char *ret, size_t size)
{
    const char *host = strstr(url, "://") + 3;
    size_t len = strcspn(host, "/?#:");

    if (*host == '[')
        len = strcspn(++host, "]");
    if (len >= size)
        return false;
    snprintf(ret, size, "%.*s", (int)len, host);
    return true;
}

static bool is_refused(const struct config *c, const struct sockaddr *to)
{
    struct address_nets nets = { 0 };

    for (const char *const *net = c->webhook_nets; *net != NULL; net++)
        (void)address_allow(&nets, *net); /* as the courier does, which would not start with a wrong one */
    return !address_may_reach(&nets, to);
}

static int check_address(const struct config *c, const char *url, struct jobs_refusal *no)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    char host[INET6_ADDRSTRLEN];
    bool refused = false;

    if (!host_of(url, host, sizeof(host)))
        return 0;
    if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
        refused = is_refused(c, (const struct sockaddr *)&v6);
    else if (inet_aton(host, &v4.sin_addr) != 0) /* 127.1 and 0x7f000001 too: whoever makes the request reads them so */
        refused = is_refused(c, (const struct sockaddr *)&v4);
    if (!refused)
        return 0;
    snprintf(no->hint, sizeof(no->hint), "an operator can allow it: coopd --webhook-net %s", host);
    return jobs_refuse(no, -EPERM,
                       "the webhook's address %s is of this machine, or of a network that webhooks may not reach (--webhook-net)", host);
}

static int check_key(struct broker *b, const struct tenant *t, const char *name, struct jobs_refusal *no)
{
    struct store_blob key = { 0 };
    int rc = store_kv_get(b->store, t->id, name, &key);

    free(key.bytes);
    if (rc != 0 && rc != -ENOENT)
        return jobs_refuse(no, rc, "the store cannot be read: %s", strerror(-rc));
    if (rc == 0 && key.len > 0)
        return 0;
    snprintf(no->hint, sizeof(no->hint), "coop kv put NAME VALUE, first");
    return jobs_refuse(no, -ENOENT, "the kv of tenant %s has no key '%.256s' for the webhook to be signed with%s", t->name, name,
                       rc == 0 ? ": it is empty" : "");
}

int webhook_check(struct broker *b, const struct tenant *t, const Pb__JobSpec *spec, struct jobs_refusal *no)
{
    int rc = 0;

    for (size_t i = 0; i < spec->n_webhooks && rc == 0; i++) {
        const Pb__Webhook *h = spec->webhooks[i];

        rc = check_address(&b->config, h->url, no);
        if (rc == 0 && h->key[0] != '\0')
            rc = check_key(b, t, h->key, no);
    }
    return rc;
}

/* ---- for show ------------------------------------------------------------------------------------------------------------------------- */

static void fill(const struct webhook_count *count, Pb__WebhookState *ret)
{
    uint64_t ended = count->told + count->given_up;

    ret->told = count->told;
    ret->tries = count->tries;
    ret->given_up = count->given_up;
    ret->open = count->begun > ended ? count->begun - ended : 0;
    ret->error = (char *)count->error;
}

void webhook_states(const struct webhooks *w, const char *id, const Pb__JobSpec *spec, struct webhook_states *ret, Pb__ShowReply *show)
{
    for (size_t i = 0; i < spec->n_webhooks && i < WEBHOOK_LOG_PLACES; i++) {
        const struct webhook_count *count = webhook_log_find(&w->log, id, (unsigned)i);

        ret->list[i] = &ret->row[i];
        pb__webhook_state__init(&ret->row[i]);
        ret->row[i].url = spec->webhooks[i]->url;
        if (count != NULL)
            fill(count, &ret->row[i]);
        show->n_webhooks = i + 1;
    }
    show->webhooks = ret->list;
}
