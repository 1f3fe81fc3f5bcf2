/*
 * traces.h - what jobs could leave on the machine, as a list of lines: processes, namespaces, control groups, mounts, SysV objects, files.
 *
 * Side:   tests. Only what comes from this test program: its descendants (the program becomes the subreaper of all of them), the directories of
 *         its broker, the control groups of that broker's name; what has no owner (mounts, SysV objects, /dev/shm) by what is new.
 * Order:  traces_begin() once; a broker; traces_take() when it is at rest; whatever happens; traces_expect().
 * Owned:  lives until support_release().
 */
#ifndef TESTS_SUPPORT_TRACES_H
#define TESTS_SUPPORT_TRACES_H

#include "tests/support/broker_fixture.h"

struct traces;

/* From now on every process that is started from here, and loses its parent, becomes our child. */
void traces_begin(void);

/* Waits until the broker has closed its ends of its clients' connections: a command that has ended may be open there for a moment more. */
void traces_wait_alone(const struct broker *b);

/* As it is now. b->proc NULL: nothing but what this program itself has. */
struct traces *traces_take(const struct broker *b);

/* The same, when it has been the same for a while: to compare with, of a broker that has just had a job. */
const struct traces *traces_settled(const struct broker *b);

/*
 * Waits until all is as it was, and fails with the differences when it does not become so.
 */
void traces_expect(const struct broker *b, const struct traces *was);

/* How many lines that begin so are there now, and were not. */
unsigned traces_differ(const struct broker *b, const struct traces *was, const char *beginning);

#endif
