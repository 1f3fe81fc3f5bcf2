/*
 * doctor.h - coopd --doctor: what this machine lets a broker of this user do, found by doing it. What coop doctor reads.
 *
 * Side:    broker program, in the place of a broker: no socket, no store; what it makes it removes, and a broker that runs is not disturbed.
 * Prints:  one JSON object a line, as worker/probe.h: {"probe", "ok", "error", "value", "detail", "for", "lost"}; the broker's rows first,
 *          then what coop-worker --probe says.
 * Returns: the exit code: 0, or 125 when the looking itself failed.
 */
#ifndef BROKER_DOCTOR_H
#define BROKER_DOCTOR_H

#include "broker/config.h"

int doctor_run(const struct config *c);

#endif
