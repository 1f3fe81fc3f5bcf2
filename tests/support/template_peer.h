/*
 * template_peer.h - what tests ask a broker about templates, and jobs in them, on the control socket.
 *
 * Side:  tests.
 * Order: template_peer() when the broker is up (again), template_peer_close() before it goes.
 * Owned: answers and texts live until support_release().
 */
#ifndef TESTS_SUPPORT_TEMPLATE_PEER_H
#define TESTS_SUPPORT_TEMPLATE_PEER_H

#include "tests/support/broker_fixture.h"
#include "tests/support/sp_peer.h"

/* Limits; 0: the default. */
struct template_how {
    uint64_t wall_us, cpu_us, memory_bytes, stdout_bytes;
};

void template_peer(struct broker *b);
void template_peer_close(void);

/* Asks, and the answer later. */
uint32_t template_ask_build(const char *name, const char *init, const struct template_how *how);
const Pb__Answer *template_answered(uint32_t number);

const Pb__TemplateStatus *template_build(const char *name, const char *init); /* it must work */
const Pb__CallFailure *template_build_fails(const char *name, const char *init, const struct template_how *how, Pb__CallError error);
const Pb__TemplateStatus *template_status(const char *name); /* of its newest version; NULL: there is none */
Pb__CallError template_remove(const char *name);             /* CALL_ERROR_NONE: done */

const Pb__Reply *template_ask_submit(const char *name, const char *source, const struct template_how *how);
const char *template_submit(const char *name, const char *source);                                  /* the job's id */
const char *template_refused(const char *name, const char *source, const struct template_how *how); /* the sentence */
const char *template_output(const char *id);
const char *template_run(const char *name, const char *source); /* to its end, which is well; what it printed */

void template_kill_job(struct broker *b, const char *id);
/* All that it had below it, but its janitor, comes to its end. */
void template_expect_no_children(struct broker *b, const struct tree *had);

#endif
