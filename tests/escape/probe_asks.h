/*
 * probe_asks.h - asks as a hostile worker makes them: of what it has not, has no more, or never had.
 *
 * Side: tests, inside a sealed worker (probe_worker.c). A script's line "ask NAME [WORD]" prints "NAME RESULT", RESULT the broker's answer or, of many
 * that were the same, that and how many.
 */
#ifndef TESTS_ESCAPE_PROBE_ASKS_H
#define TESTS_ESCAPE_PROBE_ASKS_H

void probe_ask(const char *line);

#endif
