/*
 * errands.h - the HTTP requests that are under way.
 *
 * Side:    courier. Who answers is a stranger: of an answer only its status counts, its body is thrown away, and no redirection is followed.
 * Library: libcurl, which has TLS, names, proxies' absence and time-outs; no request is repeated.
 * Bounded: ERRANDS_MAX at once, ERRAND_ANSWER bytes of each answer, the errand's own time.
 */
#ifndef COURIER_ERRANDS_H
#define COURIER_ERRANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "courier.pb-c.h"
#include "address.h"

enum { ERRANDS_MAX = 32, ERRAND_ANSWER = 64 << 10, ERRAND_TIMEOUT_MS = 30000 };

/* done: each errand's end, once. error: "" or a sentence. */
typedef void (*errand_done_fn)(uint64_t id, unsigned status, const char *error);

/* Of a ToCourier that cannot be taken, whole or not: its errand's id, which comes first in it; 0: there is none. */
uint64_t errand_id(const uint8_t *bytes, size_t len);

int errands_open(const struct address_nets *nets, errand_done_fn done);
void errands_begin(const Pb__Errand *e); /* copied; what cannot begin is done with an error at once */
/* Goes on with all of them until fd can be read, or something of them has happened. -errno: there is no going on. */
int errands_wait(int fd, bool *ret_readable);

#endif
