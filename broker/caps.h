/*
 * caps.h - the capabilities that a job was submitted with, when its worker asks for something.
 *
 * Side:    broker.
 */
#ifndef BROKER_CAPS_H
#define BROKER_CAPS_H

#include "broker/handles.h"

struct worker;

/* 0, or -1 with why: the job of this worker has not the capability of this name ("interpreters"). */
int caps_need(const struct worker *w, const char *cap, struct call_why *why);

#endif
