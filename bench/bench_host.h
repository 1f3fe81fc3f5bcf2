/*
 * bench_host.h - the parts of bench_host, each a few rows of its table.
 *
 * Side:    host. One thread, but for clients of a broker.
 */
#ifndef BENCH_BENCH_HOST_H
#define BENCH_BENCH_HOST_H

void host_sched_rows(void);   /* the scheduler by itself: a million waiting, ten thousand tenants */
void host_rates_rows(void);   /* jobs/s end to end, with 1, 8, 32 clients; the same with 100 tenants */
void host_shares_rows(void);  /* weights 1:2:5 under saturation, through a broker */
void host_million_rows(void); /* a million waiting jobs in a broker */
void host_restart_rows(void); /* a broker that finds 100,000 jobs which have not ended */

#endif
