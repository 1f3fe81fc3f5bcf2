/* recovery.c - see recovery.h. */
#include "broker/recovery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/broker.h"
#include "log.h"

enum { TOLD_MAX = 20 }; /* rows that are told one by one */

struct telling {
    struct broker *broker;
    char *why;
    unsigned told, refused;
};

static bool is_needed(const struct store_unsound *u)
{
    return strcmp(u->table, "tenant") == 0;
}

static void tell(void *ctx, const struct store_unsound *u)
{
    struct telling *t = ctx;
    bool refused = !u->taken && is_needed(u);

    if (refused && t->refused++ == 0)
        (void)snprintf(
            t->why, STORE_WHY,
            "the job database has a row that no coop has written: %s %.80s: %.120s; nothing was changed. 'coop store check' tells "
            "all, 'coop store repair' mends them, 'coop store restore DIR' takes a backup",
            u->table, u->row, u->why);
    if (t->told++ < TOLD_MAX)
        log_event(LOG_LEVEL_ERROR, "row_unsound", "table=%s row=\"%s\" why=\"%s\" taken=%s way_out=\"coop store check, coop store repair\"",
                  u->table, u->row, u->why,
                  refused    ? "no, nor the others"
                  : u->taken ? "set right"
                             : "no");
}

static int end(struct telling *t, int rc)
{
    store_on_unsound(t->broker->store, NULL, NULL);
    if (t->told > TOLD_MAX)
        log_event(LOG_LEVEL_ERROR, "rows_unsound", "n=%u way_out=\"coop store check, coop store repair\"", t->told);
    return rc == 0 && t->refused > 0 ? -EUCLEAN : rc;
}

int recovery_tenants(struct broker *b, char why[STORE_WHY])
{
    struct telling t = { .broker = b, .why = why };
    int rc;

    why[0] = '\0';
    store_on_unsound(b->store, tell, &t);
    rc = tenants_load(&b->tenants);
    if (rc == 0)
        rc = tokens_load(&b->tokens);
    return end(&t, rc);
}

int recovery_rest(struct broker *b, char why[STORE_WHY])
{
    struct telling t = { .broker = b, .why = why };
    int rc;

    why[0] = '\0';
    store_on_unsound(b->store, tell, &t);
    if ((rc = queues_recover(b)) == 0 && (rc = templates_recover(b)) == 0 && (rc = plans_load(b)) == 0 &&
        (rc = jobs_recover(&b->jobs)) == 0 && (rc = plans_start(b)) == 0)
        rc = webhooks_recover(&b->webhooks);
    return end(&t, rc);
}
