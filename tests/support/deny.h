/*
 * deny.h - one system call that fails with EPERM, for this process and all that come from it: how a kernel that lacks or refuses
 * something looks to the worker's seal.
 *
 * Side: tests. Also a program: deny WHAT -- COMMAND...
 */
#ifndef TESTS_SUPPORT_DENY_H
#define TESTS_SUPPORT_DENY_H

/*
 * what: the name of a row in deny.c, such as "landlock_create_ruleset" or "prctl:PR_SET_NO_NEW_PRIVS". 0 or -errno; -ENOENT for
 * a name that is not there. Needs root, or gives up set-uid programs for good.
 */
int deny_install(const char *what);

#endif
