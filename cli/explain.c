/* explain.c - see explain.h. */
#include "cli/explain.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <coop/exit_codes.h>

/* From the broker's own directory, in the broker's order (broker/config.c). */
static const char *const places[] = { "coop-worker", "../libexec/coop/coop-worker", NULL };

static int find_worker(char ret_path[PATH_MAX], struct coop_error *why)
{
    char coopd[PATH_MAX];
    int rc = coop_broker_program(coopd, sizeof(coopd), why), len;

    if (rc != 0)
        return rc;
    len = (int)(strrchr(coopd, '/') - coopd);
    for (int i = 0; places[i] != NULL; i++)
        if (snprintf(ret_path, PATH_MAX, "%.*s/%s", len, coopd, places[i]) < PATH_MAX && access(ret_path, X_OK) == 0)
            return 0;
    return coop_error_set(why, ENOENT, COOP_EXIT_CONFIG, "coop-worker is neither beside %s nor in ../libexec/coop from there", coopd);
}

int explain_policy(const struct command *c, const char *name)
{
    char worker[PATH_MAX];
    struct coop_error why;

    if (find_worker(worker, &why) != 0)
        return say_error(c, &why);
    execl(worker, "coop-worker", "--explain-policy", name, (char *)NULL);
    coop_error_set(&why, errno, COOP_EXIT_PLATFORM, "%s cannot be run: %s", worker, strerror(errno));
    return say_error(c, &why);
}
