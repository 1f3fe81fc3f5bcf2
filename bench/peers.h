/*
 * peers.h - the same operations by others, in the same run: each a small program of bench/peers/, built only when Debian's package is there.
 *
 * Side:    benches.
 * A program prints a line an operation by measure_say(): the name of the operation, the figure, and what it did, in the peer's words.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

/* Runs those that were built beside this program, and keeps what they say. Tells which are not there, and what to install. */
void peers_run(void);

/* Shows the peers' figures of this operation, and how many times ours each is. */
void peers_show(const char *operation, double ours, const char *unit);

#endif
