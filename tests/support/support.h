/*
 * support.h - what every system test needs first: how to fail, what is put away after a test, and how long is too long.
 *
 * Side:    tests. Needs no cmocka to be linked: without it a failure ends the program.
 * Owned:   whatever support_keep() and its kin return lives until support_release(), which each fixture's teardown calls.
 */
#ifndef TESTS_SUPPORT_SUPPORT_H
#define TESTS_SUPPORT_SUPPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Nothing that a test waits for takes this long, also not under a sanitizer on a busy machine: who gets here has failed. It is a
 * way out of a hang and never a measure; no test asserts a time.
 */
#define SUPPORT_WAIT_MS 60000

#define SUPPORT_NOBODY 65534 /* the other user, in tests that need one and are run by root */

/* Fails the running test with a sentence. */
#define support_fail(...) support_fail_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn __attribute__((format(printf, 3, 4))) void support_fail_at(const char *file, int line, const char *fmt, ...);

/* Kept until the test is over. release(thing) is called in reverse order. */
void support_on_release(void (*release)(void *), void *thing);
void *support_keep(void *malloced);
__attribute__((format(printf, 1, 2))) char *support_text(const char *fmt, ...);
void support_release(void);

/* Milliseconds left of SUPPORT_WAIT_MS since started_ms, at least 0. On a machine that is emulated ($COOP_EMULATED) it is four times as long. */
uint64_t support_now_ms(void);
int support_left_ms(uint64_t started_ms);

/* One turn of a wait for something that sends no event (a number in /proc): a few ms, then look again. Fails after SUPPORT_WAIT_MS. */
void support_turn(uint64_t started_ms, const char *what);

/* kill(2) of one process, which must be there. A finder's 0, "none now", fails the test by name: kill(2) would take it for all of ours. */
void support_kill(pid_t pid, int sig);

/* build/FLAVOUR/PROGRAM: from $COOP_BUILD, else from where this test lies. */
const char *support_program(const char *name);

/* LD_PRELOAD=..., that library of the build: behind the sanitizer's own, which wants to be the first. */
const char *support_preload(const char *library);

/* A directory of mode 0700 under /tmp that vanishes with the test. */
char *support_dir(void);

/* Writes a file (0644) and returns its path; len (size_t)-1: text. */
char *support_put(const char *dir, const char *name, const void *bytes, size_t len);
/* The whole of a file with a NUL behind it. */
char *support_get(const char *path, size_t *ret_len);

/* len bytes that look random and are the same each time. */
uint8_t *support_noise(size_t len, uint32_t seed);

#endif
