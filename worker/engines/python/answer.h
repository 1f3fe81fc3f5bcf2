/*
 * answer.h - the calls of python_rows (worker/policy_pure.c) that say ANSWER.
 *
 * Side:  worker, sealed, in a handler of SIGSYS: nothing here allocates or calls into Python.
 */
#ifndef PYTHON_ANSWER_H
#define PYTHON_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

/* As engine.h's answer(). */
bool python_answer(long nr, const uint64_t args[6], long *ret_result);

#endif
