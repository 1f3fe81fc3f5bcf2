/* zygote_main.c - the command line of coop-worker: the broker's, and for people --explain-policy and --probe. See zygote.h. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coop/exit_codes.h"
#include "coop/version.h"
#include "worker/probe.h"
#include "worker/space_enter.h"
#include "worker/view.h"
#include "worker/zygote.h"

static const struct engine *find_engine(const struct engine *const *engines, const char *name)
{
    for (; *engines != NULL; engines++)
        if (strcmp((*engines)->name, name) == 0)
            return *engines;
    return NULL;
}

static int usage(FILE *to, const struct engine *const *engines)
{
    fprintf(
        to,
        "usage: coop-worker --engine NAME --control-fd N [--tier auto|T0|T1|T2|T3] [--userns-fd N] [--view DIR]...    (started by coopd)\n"
        "       coop-worker --explain-policy NAME            prints the system call policy, with reasons\n"
        "       coop-worker --explain-view                   prints what programs see of the host, with reasons\n"
        "       coop-worker --probe [--userns-fd N]          what this machine lets coop do, one JSON object a line\n"
        "       coop-worker --version\n"
        "engines:");
    for (; *engines != NULL; engines++)
        fprintf(to, " %s", (*engines)->name);
    fprintf(to, "\n");
    return to == stdout ? COOP_EXIT_OK : COOP_EXIT_USAGE;
}

static int explain(const char *profile)
{
    const struct policy *p = policy_find(profile);

    if (p == NULL) {
        fprintf(stderr, "coop-worker: no policy is called \"%s\"\n", profile);
        return COOP_EXIT_USAGE;
    }
    policy_explain(p, stdout);
    return COOP_EXIT_OK;
}

/* A small non-negative number and nothing else, or -1. */
static int parse_fd(const char *text)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && n >= 0 && n < 1 << 20 ? (int)n : -1;
}

static int add_view(const char *dir)
{
    int rc = view_add(dir);

    if (rc == -EBUSY)
        fprintf(stderr, "coop-worker: --view %s: jobs have a directory of their own there\n", dir);
    else if (rc != 0)
        fprintf(stderr, "coop-worker: --view %s: %s\n", dir,
                rc == -E2BIG     ? "there are too many already"
                : rc == -ENOTDIR ? "is not a directory"
                                 : "is not an absolute path without links");
    return rc;
}

int zygote_main(int argc, char **argv, const struct engine *const *engines)
{
    static const struct option options[] = {
        {"engine",          required_argument, NULL, 'e'},
        { "control-fd",     required_argument, NULL, 'c'},
        { "tier",           required_argument, NULL, 't'},
        { "userns-fd",      required_argument, NULL, 'u'},
        { "view",           required_argument, NULL, 'd'},
        { "explain-policy", required_argument, NULL, 'p'},
        { "explain-view",   no_argument,       NULL, 'w'},
        { "probe",          no_argument,       NULL, 'b'},
        { "version",        no_argument,       NULL, 'v'},
        { "help",           no_argument,       NULL, 'h'},
        { NULL,             0,                 NULL, 0  },
    };
    struct space_ask ask = { .tier = -1, .userns_fd = -1 };
    const struct engine *engine = NULL;
    bool probe = false;
    int control_fd = -1, c, rc = 0;

    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (c == 'p')
            return explain(optarg);
        if (c == 'w') {
            view_explain(stdout);
            return COOP_EXIT_OK;
        }
        if (c == 'v')
            return printf("coop-worker %s\n", COOP_VERSION) > 0 ? COOP_EXIT_OK : COOP_EXIT_PLATFORM;
        if (c == 'h')
            return usage(stdout, engines);
        if (c == 'e')
            engine = find_engine(engines, optarg);
        else if (c == 'c')
            control_fd = parse_fd(optarg);
        else if (c == 't')
            rc |= space_tier(optarg, &ask.tier);
        else if (c == 'u')
            rc |= (ask.userns_fd = parse_fd(optarg)) < 0;
        else if (c == 'd')
            rc |= add_view(optarg);
        else if (c == 'b')
            probe = true;
        else
            return usage(stderr, engines);
    }
    if (rc == 0 && probe && optind == argc)
        return probe_print(stdout, &ask) == 0 ? COOP_EXIT_OK : COOP_EXIT_PLATFORM;
    if (rc != 0 || engine == NULL || control_fd < 0 || optind != argc)
        return usage(stderr, engines);
    if (engine->become != NULL)
        return zygote_refuse(engine, control_fd, engine->become(argc, argv));
    return zygote_run(engine, control_fd, &ask);
}
