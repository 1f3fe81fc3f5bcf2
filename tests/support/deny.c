/* deny.c - see deny.h. A filter by hand, so that tests need no libseccomp. */
#include "tests/support/deny.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ANY = -1 }; /* ANY: whatever its first argument is */

static const struct deny_row {
    const char *what;
    int nr;
    int first;
} rows[] = {
    {"landlock_create_ruleset",    SYS_landlock_create_ruleset, ANY                },
    { "landlock_restrict_self",    SYS_landlock_restrict_self,  ANY                },
    { "prctl:PR_SET_NO_NEW_PRIVS", SYS_prctl,                   PR_SET_NO_NEW_PRIVS},
    { "prctl:PR_SET_DUMPABLE",     SYS_prctl,                   PR_SET_DUMPABLE    },
    { "close_range",               SYS_close_range,             ANY                },
    { "setsid",                    SYS_setsid,                  ANY                },
    { "seccomp",                   SYS_seccomp,                 ANY                },
    { "unshare",                   SYS_unshare,                 ANY                },
    { "prctl:PR_CAPBSET_DROP",     SYS_prctl,                   PR_CAPBSET_DROP    },
    { "prctl:PR_SET_SECUREBITS",   SYS_prctl,                   PR_SET_SECUREBITS  },
    { "setresuid",                 SYS_setresuid,               ANY                },
    { "setgroups",                 SYS_setgroups,               ANY                },
    { "capset",                    SYS_capset,                  ANY                },
};

#define LOAD(field)         BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)(value), 0, skip)
#define ANSWER(what)        BPF_STMT(BPF_RET | BPF_K, what)

static int install(const struct deny_row *r)
{
    struct sock_filter any[] = {
        LOAD(nr),
        UNLESS(r->nr, 1),
        ANSWER(SECCOMP_RET_ERRNO | EPERM),
        ANSWER(SECCOMP_RET_ALLOW),
    };
    struct sock_filter one[] = {
        LOAD(nr), UNLESS(r->nr, 3), LOAD(args[0]), UNLESS(r->first, 1), ANSWER(SECCOMP_RET_ERRNO | EPERM), ANSWER(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog p = { .len = sizeof(any) / sizeof(any[0]), .filter = any };

    if (r->first != ANY)
        p = (struct sock_fprog){ .len = sizeof(one) / sizeof(one[0]), .filter = one };
    if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) == 0 ? 0 : -errno;
}

int deny_install(const char *what)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].what, what) == 0)
            return install(&rows[i]);
    return -ENOENT;
}

/* Weak: in a test program, whose main() is its own, this file is only the function above. */
__attribute__((weak)) int main(int argc, char **argv)
{
    int rc;

    if (argc < 4 || strcmp(argv[2], "--") != 0) {
        fprintf(stderr, "usage: deny WHAT -- COMMAND...\n");
        return 2;
    }
    rc = deny_install(argv[1]);
    if (rc != 0) {
        fprintf(stderr, "deny %s: %s\n", argv[1], strerror(-rc));
        return 2;
    }
    execvp(argv[3], argv + 3);
    perror(argv[3]);
    return 127;
}
