/*
 * sp_peer.h - the control socket without nng: requests, and what no request is, byte by byte.
 *
 * Side:    tests; the peer that a broker must not trust.
 * Wire:    as sp.h says, with the protocols REQ and REP; a body begins with a 4-byte request id whose highest bit is set.
 */
#ifndef TESTS_SUPPORT_SP_PEER_H
#define TESTS_SUPPORT_SP_PEER_H

#include "control.pb-c.h"
#include "frame.h"
#include "tests/support/support.h"

/* A connected socket, closed by support_release(); sp_peer_open() has also shaken hands as a REQ. */
int sp_peer_connect(const char *socket_path);
int sp_peer_open(const char *socket_path);

/* Connects, says these bytes, and has gone before anybody could answer. */
void sp_peer_pass_by(const char *socket_path, const void *bytes, size_t len);

/* All of the bytes; 0, or -errno when the other side has hung up. */
int sp_peer_write(int fd, const void *bytes, size_t len);

/* One message: header, request id, body. */
int sp_peer_send(int fd, uint32_t id, const void *body, size_t len);

/* A request in good order, and the answer to it (which is checked for its id). The caller owns nothing: all is kept. */
void sp_peer_ask(int fd, uint32_t id, Pb__Request *q);
const Pb__Reply *sp_peer_answer(int fd, uint32_t id);
const Pb__Reply *sp_peer_try_answer(int fd, uint32_t id); /* NULL: the other side has hung up */

/* Waits until the other side hangs up; what it says before that is ignored. */
void sp_peer_expect_drop(int fd);

#endif
