/*
 * watch.h - one request asked again each second, and its answers as a picture on the terminal (screen.h).
 *
 * Side: host (CLI).
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdio.h>

#include "cli/say.h"

struct watch {
    Pb__Request *request;
    Pb__Reply__BodyCase wanted;
    void (*draw)(FILE *out, void *ctx, const Pb__Reply *r);
    void *ctx;
};

/* Until q or Ctrl-C (0), --timeout (124), or a failure. Returns the exit code. */
int watch_run(const struct command *c, struct coop_client *client, const struct watch *w);

#endif
