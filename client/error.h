/*
 * error.h - what went wrong, in words for a user: the message says what is wrong, the hint what would be right.
 *
 * Side:    host (the CLI and whoever links libclient).
 * Returns: coop_error_set() returns -errno_value, so that a refusal is one statement.
 */
#ifndef CLIENT_ERROR_H
#define CLIENT_ERROR_H

struct coop_error {
    int exit_code; /* include/coop/exit_codes.h */
    char message[1024];
    char hint[512];
};

__attribute__((format(printf, 4, 5))) int coop_error_set(struct coop_error *why, int errno_value, int exit_code, const char *fmt, ...);
__attribute__((format(printf, 2, 3))) void coop_error_hint(struct coop_error *why, const char *fmt, ...);

#endif
