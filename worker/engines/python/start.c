/* start.c - from coop-worker into Debian's own python3.11, which loads the rest of this engine. See engine.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(COOP_ASAN)
#include <dlfcn.h>
#include <sanitizer/asan_interface.h>
#include <stdint.h>
#endif

#include "worker/engines/python/engine.h"

#define PROGRAM "/usr/bin/python3.11"
#define MODULE  "coop_python.so"

/*
 * Isolated: no variable, directory or file of a user's is looked at. No site: it would add directories. No frozen modules: those have no source lines. The module's entry is the zygote's
 * whole life; what it returns is the exit code.
 */
static const char load_module[] = "import sys, _imp\n"
                                  "from _frozen_importlib import ModuleSpec\n"
                                  "spec = ModuleSpec('coop_python', None, origin=sys.argv[1])\n"
                                  "module = _imp.create_dynamic(spec)\n"
                                  "_imp.exec_dynamic(module)\n"
                                  "sys.exit(module.main(sys.argv[2:]))\n";

/* Python's words before ours. */
static char *const head[] = { PROGRAM, "-I", "-S", "-B", "-X", "utf8", "-X", "frozen_modules=off", "-c", (char *)load_module };
enum { HEAD = sizeof(head) / sizeof(head[0]) };

/* Beside us, wherever we were installed. */
static int find_module(char path[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof(MODULE));
    char *slash;

    if (len < 0)
        return -errno;
    path[len] = '\0';
    slash = strrchr(path, '/');
    if (slash == NULL)
        return -ENOENT;
    memcpy(slash + 1, MODULE, sizeof(MODULE));
    return access(path, R_OK) == 0 ? 0 : -errno;
}

#if defined(COOP_ASAN)
/*
 * AddressSanitizer's runtime has to be the first in a program. Debian's has none: the one that we have is loaded ahead of it. What CPython holds when it ends
 * is no leak of ours. A report is written to the job's standard error, which abort() sends off.
 */
static const char *bring_sanitizer(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    char all[1024];
    Dl_info runtime;

    if (dladdr((const void *)(uintptr_t)__asan_poison_memory_region, &runtime) == 0)
        return "the sanitizer's runtime is not found";
    snprintf(all, sizeof(all), "%s:detect_leaks=0:abort_on_error=1:allocator_may_return_null=1", options != NULL ? options : "");
    return setenv("LD_PRELOAD", runtime.dli_fname, 1) == 0 && setenv("ASAN_OPTIONS", all, 1) == 0 ? NULL : "not enough memory";
}
#else
static const char *bring_sanitizer(void)
{
    return NULL;
}
#endif

static const char *become(int argc, char **argv)
{
    static char why[PATH_MAX + 128];
    const char *wrong = bring_sanitizer();
    char path[PATH_MAX], **all = calloc(HEAD + (size_t)argc + 2, sizeof(*all));
    int rc = find_module(path);

    if (access(PROGRAM, X_OK) != 0)
        return "the engine python is not installed here: " PROGRAM " is missing (apt install python3.11)";
    if (rc != 0)
        return "the engine python is not installed here: " MODULE " is not beside coop-worker (built where python3-dev is)";
    if (wrong != NULL || all == NULL)
        return wrong != NULL ? wrong : "not enough memory";
    memcpy(all, head, sizeof(head));
    all[HEAD] = path;
    memcpy(all + HEAD + 1, argv, (size_t)argc * sizeof(*argv));
    (void)setenv("LD_BIND_NOW", "1", 1); /* names are looked up once here, and not in each job */
    execv(PROGRAM, all);
    snprintf(why, sizeof(why), "cannot start %s: %s", PROGRAM, strerror(errno));
    free(all);
    return why;
}

const struct engine python_program = { .name = "python", .version = "", .become = become };
const struct engine python_packages_program = { .name = "python-packages", .policy = "python", .version = "", .become = become };
