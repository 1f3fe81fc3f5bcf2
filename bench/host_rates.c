/*
 * host_rates.c - bench_host: jobs a second from submit to receipt, each in a fresh sealed worker and durable: by one client and by many, and by
 * as many of a hundred tenants with all their quotas on.
 */
#include <stdio.h>

#include "bench/bench_host.h"
#include "bench/host_crowd.h"

enum { MOST = 32, TENANTS = 100, WARM = 20, ROUNDS = 3 };

static struct coop_client *clients[TENANTS];

static double median_rate(unsigned n, unsigned jobs_each)
{
    double v[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        v[i] = crowd_rate(clients, n, jobs_each);
    return host_percentile(v, ROUNDS, 0.5);
}

static void begin(const char *const *args)
{
    if (!host_broker_start(args))
        host_die("coopd", -5);
}

static void end(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        coop_client_close(clients[i]);
    host_broker_stop();
}

static double by_one_tenant(void)
{
    double rate;

    begin(NULL);
    for (unsigned i = 0; i < TENANTS; i++)
        clients[i] = crowd_client(0);
    (void)crowd_rate(clients, MOST, WARM);
    host_print_row("jobs, 1 client", median_rate(1, 600), "/s", "");
    host_print_row("jobs, 8 clients", median_rate(8, 200), "/s", "");
    host_print_row("jobs, 32 clients", median_rate(MOST, 100), "/s", "ask: 2000");
    rate = median_rate(TENANTS, 40);
    host_print_row("jobs, 100 clients of one tenant", rate, "/s", "");
    end(TENANTS);
    return rate;
}

static double by_many_tenants(void)
{
    const char *args[] = { "--share", "all", NULL };
    struct coop_client *operator;
    double rate;

    begin(args);
    operator= crowd_client(0);
    for (unsigned i = 0; i < TENANTS; i++) {
        clients[i] = crowd_client(CROWD_UID + i);
        crowd_set_tenant(operator, CROWD_UID + i, 1 + i % 5, true);
    }
    (void)crowd_rate(clients, TENANTS, WARM);
    rate = median_rate(TENANTS, 40);
    host_print_row("jobs, 100 clients of 100 tenants with quotas", rate, "/s", "");
    coop_client_close(operator);
    end(TENANTS);
    return rate;
}

void host_rates_rows(void)
{
    double one = by_one_tenant();

    if (!crowd_is_possible()) {
        printf("  (100 tenants: left out, only root can be a hundred users)\n");
        return;
    }
    host_print_row("what tenants and quotas cost", 100 * (1 - by_many_tenants() / one), "%", "ask: < 10");
}
